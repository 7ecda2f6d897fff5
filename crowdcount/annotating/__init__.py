"""Dots and zones by hand: a folder's pictures and their annotation file, the page, and the widgets of notebooks."""
