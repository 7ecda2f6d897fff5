"""Counting as it was done before networks: a detector, a regression, and two ways to a density map.

Four families, each as a scikit-learn estimator that learns from pictures with head annotations:

- `SlidingWindowDetector` looks for heads one by one and counts what it finds;
- `PatchRegressor` counts each patch of a picture from its edges, texture and foreground, finding nobody;
- `LinearDensity` gives every kind of pixel a density, the same wherever it appears;
- `ForestDensity` lets a forest of decision trees say what the density around a place looks like.

`MeanCount` looks at nothing and is what all of them have to beat. All take `fit(samples)` or
`fit(pictures, points)` and `predict(pictures)`, and work with scikit-learn's `clone` and searches. Of samples with a
region of interest or boxes to ignore only what is to be counted is learned from, counted and scored.
"""

from __future__ import annotations

from crowdcount.errors import needing

with needing("crowdcount.baselines needs scikit-learn and scikit-image", '".[notebooks]"'):
    import skimage as _skimage  # noqa: F401
    import sklearn as _sklearn  # noqa: F401

from crowdcount.baselines.base import MeanCount
from crowdcount.baselines.density import ForestDensity, LinearDensity, cell_features
from crowdcount.baselines.detector import (
    Detections,
    SlidingWindowDetector,
    hog_blocks,
    non_maximum_suppression,
)
from crowdcount.baselines.regression import PatchRegressor, patch_features

__all__ = [
    "Detections",
    "ForestDensity",
    "LinearDensity",
    "MeanCount",
    "PatchRegressor",
    "SlidingWindowDetector",
    "cell_features",
    "hog_blocks",
    "non_maximum_suppression",
    "patch_features",
]
