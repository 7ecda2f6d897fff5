"""How good a network is: metrics, and their evaluation on annotated pictures."""
