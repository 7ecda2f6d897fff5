"""Counting by regression: from what a patch looks like to how many it holds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image
from scipy.ndimage import uniform_filter
from skimage.feature import canny, graycomatrix, graycoprops, local_binary_pattern
from skimage.filters import threshold_otsu
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR
from sklearn.utils.validation import check_is_fitted

from crowdcount.baselines.base import (
    Counter,
    annotated_pictures,
    check_has_neighbors,
    check_whole,
    inside,
    kept,
    read_pixels,
    region_of,
)
from crowdcount.errors import DataError


class PatchRegressor(Counter):
    """Count each patch from what it looks like as a whole; the picture's count is the sum of its patches.

    Nobody is found. The more edges, the busier the texture, the larger the foreground, the more people: the
    regression learns how many more.

    Args:
        patch: side of a patch in pixels, about; a picture is cut into equal parts of about this size.
        regressor: scikit-learn regressor from features to heads a patch; `None`: a support vector regression
            on standardized features.
        memory: a dict that keeps features; given to several estimators, each picture is looked at once only.

    Attributes:
        regressor_: the fitted regressor.

    Reference:
        Chan, Liang and Vasconcelos, "Privacy Preserving Crowd Monitoring", CVPR 2008 (foreground, edges and
        texture to a count); Chen, Loy, Gong and Xiang, "Feature Mining for Localised Crowd Counting", BMVC
        2012 (patch by patch). They correct for perspective by a map of the one camera that they watch; here
        the patch's height in the picture is one of the features.

    Example:
        >>> from crowdcount import draw_crowd
        >>> scenes = [draw_crowd(6, size=(96, 128), seed=seed) for seed in range(3)]
        >>> regressor = PatchRegressor()
        >>> regressor = regressor.fit([scene.picture for scene in scenes], [scene.points for scene in scenes])
        >>> patches = regressor.predict_patches(scenes[0].picture)
        >>> patches.shape, bool(np.isclose(patches.sum(), regressor.predict([scenes[0].picture])[0]))
        ((3, 4), True)
    """

    def __init__(self, patch: int = 32, *, regressor=None, memory: dict | None = None):
        self.patch = patch
        self.regressor = regressor
        self.memory = memory

    def fit(self, pictures: Sequence, points: Sequence | None = None) -> PatchRegressor:
        """Learn counts from features. Arguments and errors as for `SlidingWindowDetector.fit`."""
        pictures, points = annotated_pictures(pictures, points)
        check_whole("patch", self.patch, 8)
        inputs, targets = [], []
        for item, heads in zip(pictures, points):
            picture = read_pixels(item)
            rows, columns = self._borders(picture)
            counted = region_of(item)
            heads = heads[inside(heads, counted)]
            # Heads on a border belong to the patch to the right or below; outside, to the nearest.
            row = np.clip(np.searchsorted(rows, heads[:, 1], side="right") - 1, 0, len(rows) - 2)
            column = np.clip(
                np.searchsorted(columns, heads[:, 0], side="right") - 1,
                0,
                len(columns) - 2,
            )
            numbers = np.zeros((len(rows) - 1, len(columns) - 1))
            np.add.at(numbers, (row, column), 1)
            areas = self._areas(rows, columns, counted)
            # A patch that lies outside the region for more than a half looks like what is not counted.
            seen = areas >= self._areas(rows, columns) / 2
            inputs.append(self._features(picture, rows, columns)[seen.ravel()])
            targets.append(numbers[seen] / areas[seen])
        if not sum(map(len, targets)):
            raise DataError("No patch lies inside the regions of interest for a half: there is nothing to learn from.")
        # A narrow tolerance: most patches hold fewer heads than the usual 0.1 in error is worth.
        regressor = (
            make_pipeline(StandardScaler(), SVR(C=3.0, epsilon=0.02)) if self.regressor is None else self.regressor
        )
        self.regressor_ = clone(regressor).fit(np.concatenate(inputs), np.concatenate(targets))
        return self

    def predict_patches(self, picture) -> np.ndarray:
        """Counts of a picture's patches, float64 (rows, columns), not negative; their sum is the count."""
        check_is_fitted(self)
        region, picture = region_of(picture), read_pixels(picture)
        rows, columns = self._borders(picture)
        each = self.regressor_.predict(self._features(picture, rows, columns))
        return np.maximum(each.reshape(len(rows) - 1, -1), 0) * self._areas(rows, columns, region)

    def _count(self, item) -> float:
        return self.predict_patches(item).sum()

    def _features(self, picture: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return kept(self.memory, patch_features, picture, rows, columns).reshape(-1, _FEATURES)

    def _borders(self, picture: np.ndarray) -> list[np.ndarray]:
        return [
            np.linspace(0, side, max(1, round(side / self.patch)) + 1).round().astype(int) for side in picture.shape[:2]
        ]

    def _areas(self, rows: np.ndarray, columns: np.ndarray, counted: np.ndarray | None = None) -> np.ndarray:
        """Areas of the patches, as far as is counted there, over that of a full one: (rows, columns)."""
        if counted is None:
            return np.outer(np.diff(rows), np.diff(columns)) / self.patch**2
        pixels = np.add.reduceat(np.add.reduceat(counted.astype(float), rows[:-1], axis=0), columns[:-1], axis=1)
        return pixels / self.patch**2


_FEATURES = 34


def patch_features(picture: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Low-level features of the patches of a picture.

    Args:
        picture: uint8 RGB (H, W, 3).
        rows: borders of the rows of patches in pixels, from 0 to H.
        columns: borders of the columns, from 0 to W.

    Returns:
        float64 (len(rows) - 1, len(columns) - 1, 34): height of the patch in the picture; share of foreground
        (pixels whose color is far from the picture's median, split by Otsu's method) and of its outline;
        share of edges (Canny) and 6 directions of them; mean and spread of the gradient; a histogram of 10
        local binary patterns; contrast, homogeneity, energy and correlation of gray levels at distances 1, 2
        and 4.

    Reference:
        Ojala, Pietikäinen and Mäenpää, "Multiresolution Gray-Scale and Rotation Invariant Texture
        Classification with Local Binary Patterns", PAMI 2002; Haralick, Shanmugam and Dinstein, "Textural
        Features for Image Classification", 1973; Otsu, "A Threshold Selection Method from Gray-Level
        Histograms", 1979.
    """
    check_has_neighbors(picture)
    gray = np.asarray(Image.fromarray(picture).convert("L"))
    down, across = np.gradient(gray.astype(np.float64) / 255)
    strength = np.hypot(across, down)
    edges = canny(gray / 255, 1.0)
    direction = np.minimum((np.arctan2(down, across) % np.pi * (6 / np.pi)).astype(int), 5)
    patterns = local_binary_pattern(gray, 8, 1, "uniform").astype(int)
    unlike = np.linalg.norm(picture - np.median(picture, axis=(0, 1)), axis=2)
    front = unlike > threshold_otsu(unlike) if np.ptp(unlike) else np.zeros(gray.shape, bool)
    outline = front & (uniform_filter(front.astype(np.float32), 3) < 0.99)
    levels = gray // 32

    result = np.zeros((len(rows) - 1, len(columns) - 1, _FEATURES))
    for i, j in np.ndindex(result.shape[:2]):
        part = np.s_[rows[i] : rows[i + 1], columns[j] : columns[j + 1]]
        pixels = edges[part].size
        together = graycomatrix(levels[part], (1, 2, 4), (0, np.pi / 2), 8, symmetric=True, normed=True)
        texture = [
            graycoprops(together, name).mean(axis=1) for name in ("contrast", "homogeneity", "energy", "correlation")
        ]
        result[i, j] = [
            (rows[i] + rows[i + 1]) / 2 / rows[-1],
            front[part].mean(),
            outline[part].mean(),
            edges[part].mean(),
            *np.bincount(direction[part][edges[part]], minlength=6) / pixels,
            strength[part].mean(),
            strength[part].std(),
            *np.bincount(patterns[part].ravel(), minlength=10) / pixels,
            *np.concatenate(texture),
        ]
    return result
