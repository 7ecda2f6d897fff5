"""From samples to weights: recipes, examples, losses, the run."""

import crowdcount.network.backend  # noqa: F401 - Keras, quietly, before the modules here import it
