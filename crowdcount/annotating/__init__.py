"""Dots by hand: a folder's pictures and their annotation file, what a page asks of them, the page and the widget."""
