"""Readers of annotation files that people bring: CSV, JSON and what annotation tools export, told apart by content."""
