"""Counting as it was done before networks: a detector, a regression, and two ways to a density map.

Four families, each as a scikit-learn estimator that learns from pictures with head annotations:

- `SlidingWindowDetector` looks for heads one by one and counts what it finds;
- `PatchRegressor` counts each patch of a picture from its edges, texture and foreground, finding nobody;
- `LinearDensity` gives every kind of pixel a density, the same wherever it appears;
- `ForestDensity` lets a forest of decision trees say what the density around a place looks like.

`MeanCount` looks at nothing and is what all of them have to beat. All take `fit(samples)` or
`fit(pictures, points)` and `predict(pictures)`, and work with scikit-learn's `clone` and searches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from numbers import Integral, Real

import numpy as np
from PIL import Image
from scipy.linalg import cholesky, solve_triangular
from scipy.ndimage import uniform_filter
from scipy.optimize import nnls

from crowdcount.annotations import Sample
from crowdcount.density import STRIDE, density_map
from crowdcount.errors import DataError
from crowdcount.images import load_picture
from crowdcount.metrics import mae
from crowdcount.pipeline import sum_pool

try:
    from skimage.feature import (
        canny,
        graycomatrix,
        graycoprops,
        local_binary_pattern,
        multiscale_basic_features,
    )
    from skimage.filters import threshold_otsu
    from sklearn.base import BaseEstimator, clone
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVR, LinearSVC
    from sklearn.utils import check_random_state
    from sklearn.utils.validation import check_is_fitted
except ImportError as error:
    raise ImportError(
        f"crowdcount.baselines needs scikit-learn and scikit-image ({error}). Install them with: "
        'pip install ".[notebooks]"'
    ) from error

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

_CELL = 4
"""Pixels a side of a cell of the gradient histograms."""
_WINDOW = 6
"""Cells a side of the detector's window: a head twice as long would fill it."""
_ORIENTATIONS = 9
_BLOCKS = _WINDOW - 1
_HEAD = _CELL * _WINDOW / 2
"""Length in pixels of a head at the scale at which the window fits it."""
_LEAST = -0.3
"""Smallest threshold that is tried."""
_LEVEL = 1.25
"""Step from one level of the picture pyramid to the next."""
_STEP = 4
"""Pixels from one place at which `LinearDensity` looks up its word to the next; divides the stride."""
_FINEST, _COARSEST = 1.0, 8.0
"""Widths of the smoothing, in pixels, of the finest and the coarsest filters."""


class _Counter(BaseEstimator):
    """What all five have in common: pictures in, counts out."""

    def predict(self, pictures: Sequence) -> np.ndarray:
        """Count the heads in each picture.

        Args:
            pictures: samples, paths or uint8 RGB arrays (H, W, 3), in any mixture of sizes.

        Returns:
            float64 (pictures,), not negative.

        Raises:
            sklearn.exceptions.NotFittedError: before `fit`.
            DataError: if `pictures` is a single picture, or holds something else.
        """
        check_is_fitted(self)
        return np.array([self._count(_read(item)) for item in _listed(pictures)], np.float64)

    def score(self, pictures: Sequence, points: Sequence | None = None) -> float:
        """Mean absolute error of the counts, with a minus sign: higher is better, as searches want it."""
        pictures, points = _annotated(pictures, points)
        return -mae([len(each) for each in points], self.predict(pictures))


class MeanCount(_Counter):
    """Say the mean count of the training pictures, whatever the picture shows.

    Attributes:
        mean_: the mean count.

    Example:
        >>> blank = np.zeros((64, 64, 3), np.uint8)
        >>> MeanCount().fit([blank, blank], [[(1, 1)], [(2, 2), (3, 3), (4, 4)]]).predict([blank])
        array([2.])
    """

    def fit(self, pictures: Sequence, points: Sequence | None = None) -> MeanCount:
        """Learn the mean. Arguments and errors as for `SlidingWindowDetector.fit`."""
        _, points = _annotated(pictures, points)
        self.mean_ = float(np.mean([len(each) for each in points]))
        return self

    def _count(self, picture: np.ndarray) -> float:
        return self.mean_


# ----------------------------------------------------------------------------------------------- detection


@dataclass(frozen=True, eq=False)
class Detections:
    """Heads that a detector found.

    Attributes:
        boxes: float64 (N, 4), left, top, right and bottom of each head in pixels.
        scores: float64 (N,), how sure the classifier is, highest first; 0 is its border between head and
            none.
    """

    boxes: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes)


class SlidingWindowDetector(_Counter):
    """Look through a window at every place and scale, ask "is this a head?", and count the answers yes.

    The window is described by histograms of oriented gradients (HOG) and judged by a linear support vector
    machine. A pyramid of resized pictures brings heads of every size to the window's size, and of windows
    that overlap too much only the surest counts. Training goes twice over the pictures: the second time with
    the windows that the first classifier took for heads where there are none ("hard negatives").

    The window is twice as long as the head, which gives it hair, neck and shoulders to go by.

    Args:
        heads: length in pixels of the smallest and the largest head that is looked for.
        threshold: least score of a head; `None`: the one with the smallest mean absolute error of the count
            on a quarter of the training pictures, which the classifier then does not learn from (with fewer
            than four pictures: 0).
        overlap: of two boxes whose intersection over union is more than this, only the surer one counts.
        negatives: windows without a head drawn for each head, at random places.
        hard: most hard negatives taken from a picture.
        mined: most pictures that are searched for hard negatives (each search looks through all windows).
        C: how much the classifier minds errors against a wide margin.
        random_state: seed of the windows that are drawn and of the classifier.

    Attributes:
        weights_: float64 (25 * 36,), the classifier's weights.
        bias_: the classifier's constant.
        threshold_: the least score of a head.
        curve_: float64 (thresholds, 2), threshold and mean absolute error of the count where the threshold
            was chosen; empty where it was given.

    Reference:
        Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005; hard negatives as
        in its section 4. Counting people so: Lin, Chen and Chao, "Estimation of Number of People in Crowded
        Scenes Using Perspective Transformation", IEEE Transactions on Systems, Man, and Cybernetics A, 2001.

    Example:
        >>> from crowdcount import draw_crowd
        >>> scenes = [draw_crowd(6, size=(96, 128), seed=seed) for seed in range(3)]
        >>> detector = SlidingWindowDetector(heads=(6, 16), random_state=0)
        >>> detector = detector.fit([scene.picture for scene in scenes], [scene.points for scene in scenes])
        >>> found = detector.detect(scenes[0].picture)
        >>> bool(len(found) == detector.predict([scenes[0].picture])[0])
        True
    """

    def __init__(
        self,
        heads: tuple[float, float] = (5.0, 24.0),
        *,
        threshold: float | None = None,
        overlap: float = 0.3,
        negatives: int = 3,
        hard: int = 60,
        mined: int = 16,
        C: float = 0.01,
        random_state=None,
    ):
        self.heads = heads
        self.threshold = threshold
        self.overlap = overlap
        self.negatives = negatives
        self.hard = hard
        self.mined = mined
        self.C = C
        self.random_state = random_state

    def fit(
        self, pictures: Sequence, points: Sequence | None = None, *, sizes: Sequence | None = None
    ) -> SlidingWindowDetector:
        """Learn what a head looks like.

        Args:
            pictures: samples (then `points` is left out), or paths or uint8 RGB arrays (H, W, 3).
            points: for each picture its heads in pixels, (N, 2), x then y.
            sizes: for each picture the length of each head in pixels, (N,). A detector needs more than dots:
                it must know at which scale to cut a head out. Without it every head is taken to be of the
                middle length of `heads`, which is right for a crowd seen from far above only.

        Returns:
            The detector itself.

        Raises:
            DataError: if pictures, points and sizes do not fit each other, if there is no head at all, or if
                a setting is out of its range.
        """
        pictures, points = _annotated(pictures, points)
        smallest, largest = self._check()
        if sizes is None:
            sizes = [np.full(len(each), np.sqrt(smallest * largest)) for each in points]
        sizes = [np.asarray(each, np.float64).reshape(-1) for each in sizes]
        if [len(each) for each in sizes] != [len(each) for each in points]:
            raise DataError(
                "sizes must hold one length for each head of each picture, in the order of the points."
            )
        random = check_random_state(self.random_state)
        order = random.permutation(len(pictures))
        # A classifier scores the heads that it was trained on too high: choose the threshold on others.
        chosen = order[: len(order) // 4] if self.threshold is None else order[:0]
        trained = order[len(chosen) :]

        inputs, labels, places = [], [], []
        for index in trained:
            picture = _read(pictures[index])
            positive = _patches(picture, points[index], sizes[index])
            negative = _patches(picture, *self._elsewhere(picture, points[index], sizes[index], random))
            inputs += [positive, positive[:, :, ::-1], negative]
            labels += [1] * (2 * len(positive)) + [0] * len(negative)
            places.append(len(positive))
        if not sum(places):
            raise DataError(
                "There is no head in the training pictures: a detector has nothing to learn from."
            )
        inputs, labels = _patch_hog(np.concatenate(inputs)), np.array(labels)
        self.threshold_ = 0.0
        self._learn(inputs, labels, random)
        hard = [self._mistakes(_read(pictures[index]), points[index]) for index in trained[: self.mined]]
        inputs = np.concatenate([inputs, *hard])
        self._learn(inputs, np.concatenate([labels, np.zeros(len(inputs) - len(labels), int)]), random)
        self._choose([pictures[index] for index in chosen], [len(points[index]) for index in chosen])
        return self

    def detect(self, picture, *, threshold: float | None = None) -> Detections:
        """Find the heads in one picture.

        Args:
            picture: a sample, path or uint8 RGB array (H, W, 3).
            threshold: least score; `None`: `threshold_`.

        Returns:
            `Detections`, the surest first.
        """
        check_is_fitted(self)
        least = self.threshold_ if threshold is None else threshold
        boxes, scores, _ = self._candidates(_read(picture), least)
        kept = non_maximum_suppression(boxes, scores, self.overlap)
        return Detections(boxes[kept], scores[kept])

    def _count(self, picture: np.ndarray) -> float:
        return len(self.detect(picture))

    def _check(self) -> tuple[float, float]:
        smallest, largest = self.heads
        if not 0 < smallest <= largest:
            raise DataError(
                f"heads must be (smallest, largest) length in pixels. Received: heads={self.heads!r}"
            )
        _in_range("overlap", self.overlap, 0, 1)
        _in_range("C", self.C, 1e-9, np.inf)
        for name in ("negatives", "mined"):
            _whole(name, getattr(self, name), 1)
        _whole("hard", self.hard, 0)
        return smallest, largest

    def _elsewhere(self, picture, points, sizes, random) -> tuple[np.ndarray, np.ndarray]:
        """Centers (M, 2) and head lengths (M,) of random windows that are not centered near a head."""
        wanted = max(20, self.negatives * len(points))
        centers = random.uniform(0, picture.shape[1::-1], (wanted, 2))
        lengths = np.exp(random.uniform(*np.log(self.heads), wanted))
        return centers[clear := _away(centers, points, np.maximum(sizes, 1))], lengths[clear]

    def _learn(self, inputs: np.ndarray, labels: np.ndarray, random) -> None:
        machine = LinearSVC(
            C=self.C, dual="auto", class_weight="balanced", random_state=random.randint(2**31 - 1)
        )
        machine.fit(inputs, labels)
        self.weights_, self.bias_ = machine.coef_[0].astype(np.float64), float(machine.intercept_[0])

    def _levels(self, picture: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
        """Scale, and blocks of the picture at this scale, for every head length that is looked for."""
        smallest, largest = self.heads
        gray = Image.fromarray(picture).convert("L")
        for length in smallest * _LEVEL ** np.arange(
            1 + np.ceil(np.log(largest / smallest) / np.log(_LEVEL) - 1e-9)
        ):
            width, height = (round(side * _HEAD / length) for side in gray.size)
            if min(width, height) < _CELL * _WINDOW:
                return
            resized = gray.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
            yield _HEAD / length, hog_blocks(np.asarray(resized), cell=_CELL, orientations=_ORIENTATIONS)

    def _candidates(self, picture: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray, list]:
        """Boxes (N, 4), scores (N,), places (blocks, row, column) of windows that score at least `least`."""
        found, scores, places = [np.zeros((0, 4))], [np.zeros(0)], []
        weights = self.weights_.reshape(_BLOCKS, _BLOCKS, -1).astype(np.float32)
        for scale, blocks in self._levels(picture):
            rows, columns = blocks.shape[0] - _BLOCKS + 1, blocks.shape[1] - _BLOCKS + 1
            # A linear classifier in a sliding window is a correlation: one product a block of the window.
            values = np.full((rows, columns), self.bias_)
            products = blocks @ weights.reshape(_BLOCKS * _BLOCKS, -1).T
            for i in range(_BLOCKS):
                for j in range(_BLOCKS):
                    values += products[i : i + rows, j : j + columns, _BLOCKS * i + j]
            row, column = np.nonzero(values >= least)
            middle = (np.stack([column, row], 1) + _WINDOW / 2) * _CELL / scale
            half = _HEAD / scale / 2
            found.append(np.concatenate([middle - half, middle + half], axis=1))
            scores.append(values[row, column])
            places += [(blocks, i, j) for i, j in zip(row, column)]
        return np.concatenate(found), np.concatenate(scores), places

    def _mistakes(self, picture: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Features (M, 900) of the surest windows that are nowhere near a head."""
        boxes, scores, places = self._candidates(picture, 0.0)
        length = boxes[:, 2] - boxes[:, 0]
        wrong = np.flatnonzero(_away((boxes[:, :2] + boxes[:, 2:]) / 2, points, 0, length))
        surest = wrong[np.argsort(-scores[wrong])][: self.hard]
        features = [
            blocks[i : i + _BLOCKS, j : j + _BLOCKS].ravel()
            for blocks, i, j in (places[index] for index in surest)
        ]
        return np.array(features, np.float32).reshape(-1, len(self.weights_))

    def _choose(self, pictures: Sequence, counts: Sequence[int]) -> None:
        """The threshold with the smallest error of the count on these pictures, where there are any."""
        self.threshold_ = 0.0 if self.threshold is None else float(self.threshold)
        self.curve_ = np.zeros((0, 2))
        if not pictures:
            return
        # No box goes for a less sure one: the counts at all thresholds follow from one search.
        scores = [self.detect(picture, threshold=_LEAST).scores for picture in pictures]
        steps = np.arange(_LEAST, 2.01, 0.05)
        errors = [mae(counts, [(each >= step).sum() for each in scores]) for step in steps]
        self.curve_ = np.stack([steps, errors], axis=1)
        self.threshold_ = float(steps[np.argmin(errors)])


def hog_blocks(gray: np.ndarray, *, cell: int = 8, orientations: int = 9) -> np.ndarray:
    """Histograms of oriented gradients of a whole picture, in overlapping blocks of 2 x 2 cells.

    The same numbers as `skimage.feature.hog(gray, orientations, (cell, cell), (2, 2), feature_vector=False)`
    gives, without a Python loop over the blocks.

    Args:
        gray: uint8 or float (H, W).
        cell: side of a cell in pixels; rows and columns that fill no cell are left out.
        orientations: directions that are told apart, over 180 degrees.

    Returns:
        float32 (H // cell - 1, W // cell - 1, 4 * orientations): each block's histograms of its four cells,
        row by row, scaled to length 1, clipped at 0.2 and scaled again ("L2-Hys").

    Raises:
        DataError: if the picture has fewer than 2 x 2 cells.

    Reference:
        Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005.

    Example:
        >>> hog_blocks(np.zeros((24, 32), np.uint8), cell=4).shape
        (5, 7, 36)
    """
    rows, columns = gray.shape[0] // cell, gray.shape[1] // cell
    if min(rows, columns) < 2:
        raise DataError(
            f"A picture of {gray.shape[1]}x{gray.shape[0]} pixels has no 2 x 2 cells of {cell} pixels."
        )
    gray = np.asarray(gray, np.float32)
    across, down = np.zeros_like(gray), np.zeros_like(gray)
    across[:, 1:-1] = gray[:, 2:] - gray[:, :-2]
    down[1:-1] = gray[2:] - gray[:-2]
    strength = np.hypot(across, down)
    direction = np.rad2deg(np.arctan2(down, across)) % 180
    bins = np.minimum((direction * (orientations / 180)).astype(np.intp), orientations - 1)
    place = np.arange(gray.shape[0])[:, None] // cell * columns + np.arange(gray.shape[1]) // cell
    inside = np.s_[: rows * cell, : columns * cell]
    histograms = (
        np.bincount(
            (place[inside] * orientations + bins[inside]).ravel(),
            strength[inside].ravel(),
            rows * columns * orientations,
        ).reshape(rows, columns, orientations)
        / cell**2
    )
    blocks = np.concatenate(
        [histograms[:-1, :-1], histograms[:-1, 1:], histograms[1:, :-1], histograms[1:, 1:]], axis=2
    )
    for limit in (0.2, 1.0):
        blocks = np.minimum(blocks / np.sqrt((blocks**2).sum(axis=2, keepdims=True) + 1e-10), limit)
    return blocks.astype(np.float32)


def non_maximum_suppression(boxes: np.ndarray, scores: np.ndarray, overlap: float = 0.3) -> np.ndarray:
    """Of boxes that overlap keep the surest: one detection for each thing.

    Args:
        boxes: (N, 4) left, top, right, bottom.
        scores: (N,).
        overlap: a box goes if its intersection over union with a kept one is more than this.

    Returns:
        int64 indices of the kept boxes, by falling score.

    Example:
        >>> boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10]])
        >>> non_maximum_suppression(boxes, np.array([0.5, 0.9, 0.1])).tolist()
        [1, 2]
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    left, kept = np.argsort(-np.asarray(scores), kind="stable"), []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        sides = np.minimum(boxes[best, 2:], boxes[left, 2:]) - np.maximum(boxes[best, :2], boxes[left, :2])
        shared = np.maximum(sides[:, 0], 0) * np.maximum(sides[:, 1], 0)
        left = left[shared <= overlap * (area[best] + area[left] - shared)]
    return np.array(kept, np.int64)


def _patches(picture: np.ndarray, centers: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Windows (N, 32, 32) around heads: gray, resized to the head, with a cell more on each side."""
    side = _CELL * (_WINDOW + 2)
    gray = Image.fromarray(picture).convert("L")
    pad = 2 * int(np.ceil(max(lengths, default=0) * side / _HEAD / 2)) + 1
    padded = Image.fromarray(np.pad(np.asarray(gray), pad, mode="edge"))
    cut = [
        np.asarray(padded.resize((side, side), Image.Resampling.BILINEAR, box=tuple(box)))
        for center, length in zip(centers, lengths)
        for half in [length * side / _HEAD / 2]
        for box in [(*(center + pad - half), *(center + pad + half))]
    ]
    return np.array(cut, np.uint8).reshape(-1, side, side)


def _patch_hog(patches: np.ndarray) -> np.ndarray:
    """Features (N, 900) of windows (N, 32, 32), as a window of the picture's pyramid has them."""
    # One tall picture of all windows is one call; the seams lie in the outer cells, which are dropped.
    blocks = hog_blocks(patches.reshape(-1, patches.shape[2]), cell=_CELL, orientations=_ORIENTATIONS)
    blocks = np.concatenate([blocks, np.zeros_like(blocks[:1])]).reshape(
        len(patches), _WINDOW + 2, _WINDOW + 1, -1
    )
    return blocks[:, 1 : 1 + _BLOCKS, 1 : 1 + _BLOCKS].reshape(len(patches), -1)


def _away(centers: np.ndarray, points: np.ndarray, sizes, lengths=0) -> np.ndarray:
    """Which centers are no head's: bool (M,). Half a head's length off is still near."""
    if not len(points):
        return np.ones(len(centers), bool)
    distance = np.linalg.norm(centers[:, None] - points[None], axis=2)
    return (
        distance > 0.5 * np.maximum(np.broadcast_to(sizes, len(points))[None], np.reshape(lengths, (-1, 1)))
    ).all(1)


# ---------------------------------------------------------------------------------------------- regression


class PatchRegressor(_Counter):
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
        pictures, points = _annotated(pictures, points)
        _whole("patch", self.patch, 8)
        inputs, targets = [], []
        for item, heads in zip(pictures, points):
            picture = _read(item)
            rows, columns = self._borders(picture)
            inputs.append(self._features(picture, rows, columns))
            # Heads on a border belong to the patch to the right or below; outside, to the nearest.
            row = np.clip(np.searchsorted(rows, heads[:, 1], side="right") - 1, 0, len(rows) - 2)
            column = np.clip(np.searchsorted(columns, heads[:, 0], side="right") - 1, 0, len(columns) - 2)
            counted = np.zeros((len(rows) - 1, len(columns) - 1))
            np.add.at(counted, (row, column), 1)
            targets.append((counted / self._areas(rows, columns)).ravel())
        # A narrow tolerance: most patches hold fewer heads than the usual 0.1 in error is worth.
        regressor = (
            make_pipeline(StandardScaler(), SVR(C=3.0, epsilon=0.02))
            if self.regressor is None
            else self.regressor
        )
        self.regressor_ = clone(regressor).fit(np.concatenate(inputs), np.concatenate(targets))
        return self

    def predict_patches(self, picture) -> np.ndarray:
        """Counts of a picture's patches, float64 (rows, columns), not negative; their sum is the count."""
        check_is_fitted(self)
        picture = _read(picture)
        rows, columns = self._borders(picture)
        each = self.regressor_.predict(self._features(picture, rows, columns))
        return np.maximum(each.reshape(len(rows) - 1, -1), 0) * self._areas(rows, columns)

    def _count(self, picture: np.ndarray) -> float:
        return self.predict_patches(picture).sum()

    def _features(self, picture: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return _kept(self.memory, patch_features, picture, rows, columns).reshape(-1, _FEATURES)

    def _borders(self, picture: np.ndarray) -> list[np.ndarray]:
        return [
            np.linspace(0, side, max(1, round(side / self.patch)) + 1).round().astype(int)
            for side in picture.shape[:2]
        ]

    def _areas(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Areas of the patches over that of a full one: (rows, columns)."""
        return np.outer(np.diff(rows), np.diff(columns)) / self.patch**2


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
            graycoprops(together, name).mean(axis=1)
            for name in ("contrast", "homogeneity", "energy", "correlation")
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


# ------------------------------------------------------------------------------------------------- density


class _DensityCounter(_Counter):
    """Estimators whose count is the sum of a map."""

    def predict_map(self, picture) -> np.ndarray:
        """Density map of one picture: the sum is the count that `predict` gives.

        Args:
            picture: a sample, path or uint8 RGB array (H, W, 3).

        Returns:
            float32 (ceil(H / 8), ceil(W / 8)), heads a cell, not negative.
        """
        check_is_fitted(self)
        return self._map(_read(picture))

    def _count(self, picture: np.ndarray) -> float:
        return float(self._map(picture).sum(dtype=np.float64))


class LinearDensity(_DensityCounter):
    """Density as a linear function of local features: every kind of pixel has its density.

    The answers of a bank of filters at a pixel are quantized into one of `words` visual words. Each word has
    a weight, not negative, and the density at a pixel is its word's weight. A region's count is therefore the
    number of times that each word occurs in it times the word's weight: linear, and learned as such, by least
    squares on the counts of boxes of 1, 2, 4 and 8 cells a side.

    Lempitsky and Zisserman minimize the error of the worst box of all (their MESA distance); the boxes of
    several sizes stand for it here: counts of regions matter, not the exact place of a head.

    Args:
        words: number of visual words.
        sigma: width in pixels of the Gaussians of the target map.
        alpha: strength of the penalty on large weights.
        random_state: seed of the clustering that finds the words.
        memory: a dict that keeps features; given to several estimators, each picture is looked at once only.

    Attributes:
        words_: the fitted clustering.
        weights_: float64 (words,), heads for each place with the word; places are 4 pixels apart.

    Reference:
        Lempitsky and Zisserman, "Learning to Count Objects in Images", NIPS 2010.

    Example:
        >>> from crowdcount import draw_crowd
        >>> scenes = [draw_crowd(6, size=(96, 128), seed=seed) for seed in range(3)]
        >>> linear = LinearDensity(words=16, random_state=0)
        >>> linear = linear.fit([scene.picture for scene in scenes], [scene.points for scene in scenes])
        >>> linear.predict_map(scenes[0].picture).shape
        (12, 16)
    """

    def __init__(
        self,
        words: int = 128,
        *,
        sigma: float = 8.0,
        alpha: float = 1.0,
        random_state=None,
        memory: dict | None = None,
    ):
        self.words = words
        self.sigma = sigma
        self.alpha = alpha
        self.random_state = random_state
        self.memory = memory

    def fit(self, pictures: Sequence, points: Sequence | None = None) -> LinearDensity:
        """Learn words and weights. Arguments and errors as for `SlidingWindowDetector.fit`."""
        pictures, points = _annotated(pictures, points)
        _whole("words", self.words, 1)
        _in_range("alpha", self.alpha, 1e-6, np.inf)
        random = check_random_state(self.random_state)
        pictures = [_read(item) for item in pictures]
        fields = [self._field(picture) for picture in pictures]
        places = np.concatenate([field.reshape(-1, field.shape[2]) for field in fields])
        words = make_pipeline(
            StandardScaler(),
            MiniBatchKMeans(self.words, batch_size=2048, n_init=1, random_state=random.randint(2**31 - 1)),
        )
        self.words_ = words.fit(places[random.permutation(len(places))[:20_000]])

        # The normal equations, picture by picture: memory does not grow with the number of pictures.
        products, wanted = self.alpha * np.eye(self.words), np.zeros(self.words)
        for picture, field, heads in zip(pictures, fields, points):
            bags = self._bags(self._words(field), picture.shape[:2])
            cells = density_map(heads, picture.shape[:2], sigma=self.sigma, stride=STRIDE)
            for side in (1, 2, 4, 8):
                # A box of side^2 cells errs in as many at once; divided by its side, all sizes weigh alike.
                inputs = _boxes(bags, side).reshape(-1, self.words) / side
                products += inputs.T @ inputs
                wanted += inputs.T @ (sum_pool(cells, side).ravel() / side)
        # With products = R^T R, |R w - R^-T wanted| is the same least squares in as many rows as words.
        root = cholesky(products)
        self.weights_ = nnls(root, solve_triangular(root, wanted, trans="T"))[0]
        return self

    def word_map(self, picture) -> np.ndarray:
        """The word at every fourth pixel of one picture, integers (ceil(H / 4), ceil(W / 4)).

        `weights_[word_map(picture)].sum()` is the picture's count.
        """
        check_is_fitted(self)
        return self._words(self._field(_read(picture)))

    def _map(self, picture: np.ndarray) -> np.ndarray:
        bags = self._bags(self._words(self._field(picture)), picture.shape[:2])
        return (bags @ self.weights_).astype(np.float32)

    def _field(self, picture: np.ndarray) -> np.ndarray:
        return _kept(self.memory, _thinned, picture)

    def _words(self, field: np.ndarray) -> np.ndarray:
        return self.words_.predict(field.reshape(-1, field.shape[2])).reshape(field.shape[:2])

    def _bags(self, word: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """How often each word occurs in each cell: float64 (rows, columns, words)."""
        rows, columns = (-(-side // STRIDE) for side in size)
        i, j = (np.arange(length) * _STEP // STRIDE for length in word.shape)
        place = (i[:, None] * columns + j) * self.words + word
        return (
            np.bincount(place.ravel(), minlength=rows * columns * self.words)
            .reshape(rows, columns, -1)
            .astype(float)
        )


class ForestDensity(_DensityCounter):
    """Density by a forest of decision trees: each says what the map around a place looks like, and all
    average.

    A tree asks about one feature of the cell at a time ("is it darker than ...?") until it arrives at a leaf,
    which holds the mean density patch, 3 x 3 cells, of the training places that came there. The patches of
    neighboring cells overlap; each cell of the map is the mean of all that cover it.

    Args:
        trees: number of trees.
        sigma: width in pixels of the Gaussians of the target map.
        leaf: least number of training places in a leaf.
        places: most training places that each tree is grown from.
        random_state: seed of the trees.
        memory: a dict that keeps features; given to several estimators, each picture is looked at once only.

    Attributes:
        forest_: the fitted forest.

    Reference:
        Pham, Kozakaya, Yamaguchi and Okada, "COUNT Forest: CO-voting Uncertain Number of Targets Using Random
        Forest for Crowd Density Estimation", ICCV 2015. Fiaschi, Köthe, Nair and Hamprecht, "Learning to
        Count with Regression Forest and Structured Labels", ICPR 2012, average overlapping patches as here.

    Example:
        >>> from crowdcount import draw_crowd
        >>> scenes = [draw_crowd(6, size=(96, 128), seed=seed) for seed in range(3)]
        >>> forest = ForestDensity(trees=5, random_state=0)
        >>> forest = forest.fit([scene.picture for scene in scenes], [scene.points for scene in scenes])
        >>> forest.predict_map(scenes[0].picture).shape
        (12, 16)
    """

    def __init__(
        self,
        trees: int = 30,
        *,
        sigma: float = 8.0,
        leaf: int = 4,
        places: int = 4000,
        random_state=None,
        memory: dict | None = None,
    ):
        self.trees = trees
        self.sigma = sigma
        self.leaf = leaf
        self.places = places
        self.random_state = random_state
        self.memory = memory

    def fit(self, pictures: Sequence, points: Sequence | None = None) -> ForestDensity:
        """Grow the trees. Arguments and errors as for `SlidingWindowDetector.fit`."""
        pictures, points = _annotated(pictures, points)
        for name in ("trees", "leaf", "places"):
            _whole(name, getattr(self, name), 1)
        inputs, targets = [], []
        for item, heads in zip(pictures, points):
            picture = _read(item)
            inputs.append(self._features(picture))
            cells = density_map(heads, picture.shape[:2], sigma=self.sigma, stride=STRIDE)
            around = np.lib.stride_tricks.sliding_window_view(np.pad(cells, 1), (3, 3))
            targets.append(around.reshape(-1, 9))
        inputs = np.concatenate([each.reshape(-1, each.shape[2]) for each in inputs])
        self.forest_ = RandomForestRegressor(
            self.trees,
            min_samples_leaf=self.leaf,
            max_features="sqrt",
            max_samples=min(self.places, len(inputs)),
            random_state=self.random_state,
        ).fit(inputs, np.concatenate(targets))
        return self

    def _features(self, picture: np.ndarray) -> np.ndarray:
        return _kept(self.memory, cell_features, picture)

    def _map(self, picture: np.ndarray) -> np.ndarray:
        features = self._features(picture)
        rows, columns = features.shape[:2]
        patches = self.forest_.predict(features.reshape(rows * columns, -1)).reshape(rows, columns, 3, 3)
        total, covering = np.zeros((rows + 2, columns + 2)), np.zeros((rows + 2, columns + 2))
        for i, j in np.ndindex(3, 3):
            total[i : i + rows, j : j + columns] += patches[:, :, i, j]
            covering[i : i + rows, j : j + columns] += 1
        return (total / np.maximum(covering, 1))[1:-1, 1:-1].astype(np.float32)


def cell_features(picture: np.ndarray) -> np.ndarray:
    """Mean and spread, in each cell of 8 x 8 pixels, of a bank of filters' answers.

    The filters (`skimage.feature.multiscale_basic_features`) give, for each color and at smoothings of 1, 2,
    4 and 8 pixels: the value, the strength of edges and the two main curvatures.

    Args:
        picture: uint8 RGB (H, W, 3).

    Returns:
        float32 (ceil(H / 8), ceil(W / 8), 96).

    Example:
        >>> cell_features(np.zeros((20, 16, 3), np.uint8)).shape
        (3, 2, 96)
    """
    field = _filtered(picture)
    high, wide = (-side % STRIDE for side in picture.shape[:2])
    field = np.pad(field, ((0, high), (0, wide), (0, 0)), mode="edge")
    rows, columns = field.shape[0] // STRIDE, field.shape[1] // STRIDE
    cells = field.reshape(rows, STRIDE, columns, STRIDE, -1)
    return np.concatenate([cells.mean(axis=(1, 3)), cells.std(axis=(1, 3))], axis=2)


def _filtered(picture: np.ndarray) -> np.ndarray:
    """Answers of the filters at each pixel, float32 (H, W, 48)."""
    return multiscale_basic_features(
        picture, sigma_min=_FINEST, sigma_max=_COARSEST, num_sigma=4, channel_axis=-1
    ).astype(np.float32)


def _thinned(picture: np.ndarray) -> np.ndarray:
    """Answers of the filters at every fourth pixel, float32 (ceil(H / 4), ceil(W / 4), 48)."""
    return np.ascontiguousarray(_filtered(picture)[::_STEP, ::_STEP])


def _boxes(values: np.ndarray, side: int) -> np.ndarray:
    """Sums over boxes of `side` x `side` cells, the last ones covering what is left: (rows, columns, K)."""
    rows, columns = (np.arange(0, length, side) for length in values.shape[:2])
    return np.add.reduceat(np.add.reduceat(values, rows, axis=0), columns, axis=1)


# -------------------------------------------------------------------------------------------------- inputs


def _listed(pictures: Sequence) -> list:
    if isinstance(pictures, np.ndarray) and pictures.ndim == 4:
        return list(pictures)
    if isinstance(pictures, (np.ndarray, str, bytes, Sample)) or not hasattr(pictures, "__iter__"):
        raise DataError("pictures must be a list of pictures, even of one: write predict([picture]).")
    return list(pictures)


def _annotated(pictures: Sequence, points: Sequence | None) -> tuple[list, list[np.ndarray]]:
    """Pictures, and for each its points (N, 2)."""
    pictures = _listed(pictures)
    if points is None:
        other = next((item for item in pictures if not isinstance(item, Sample)), None)
        if other is not None:
            raise DataError(
                "Without points every picture must be a Sample, which holds its own. "
                f"Received: a {type(other).__name__}; write fit(pictures, points)."
            )
        points = [sample.points for sample in pictures]
    if not pictures:
        raise DataError("There is nothing to learn from: the list of pictures is empty.")
    if len(points) != len(pictures):
        raise DataError(
            f"points must have one array for each picture. Received: {len(pictures)} pictures, "
            f"{len(points)} arrays"
        )
    # `Sample` checks what points are.
    return pictures, [Sample(f"picture {n}", _NOTHING, each).points for n, each in enumerate(points)]


_NOTHING = np.zeros((8, 8, 3), np.uint8)


def _read(item) -> np.ndarray:
    """The pixels of a sample, a path or an array, uint8 RGB (H, W, 3)."""
    return item.read() if isinstance(item, Sample) else load_picture(item)


def _kept(memory: dict | None, function: Callable, *arrays: np.ndarray) -> np.ndarray:
    """What a function makes of a picture (and borders), from the memory where it has been made before."""
    if memory is None:
        return function(*arrays)
    key = function.__name__, *((array.shape, blake2b(array.tobytes()).digest()) for array in arrays)
    if key not in memory:
        memory[key] = function(*arrays)
    return memory[key]


def _whole(name: str, value: int, least: int) -> None:
    if not isinstance(value, Integral) or value < least:
        raise DataError(f"{name} must be a whole number of at least {least}. Received: {name}={value!r}")


def _in_range(name: str, value: float, least: float, most: float) -> None:
    if not isinstance(value, Real) or not least <= value <= most:
        raise DataError(f"{name} must be a number from {least:g} to {most:g}. Received: {name}={value!r}")
