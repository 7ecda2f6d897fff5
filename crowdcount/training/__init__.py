"""From samples to weights: recipes, examples, losses, the run."""
