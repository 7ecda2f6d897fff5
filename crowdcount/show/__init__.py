"""Density maps over pictures, curves and letters."""
