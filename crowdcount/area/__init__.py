"""Zones of a picture, and the ground that it shows."""
