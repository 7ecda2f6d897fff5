"""Counting over time: recordings and cameras."""
