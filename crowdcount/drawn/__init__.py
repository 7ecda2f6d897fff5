"""Drawn crowds whose every head is known."""
