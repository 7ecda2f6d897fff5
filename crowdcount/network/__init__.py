"""CSRNet: its layers, its weights and cards, and the map that it gives for a picture."""
