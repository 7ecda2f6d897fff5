"""Counting by detection: find the heads one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from sklearn.svm import LinearSVC
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from crowdcount.baselines.base import (
    Counter,
    annotated_pictures,
    check_range,
    check_whole,
    inside,
    read_pixels,
    region_of,
)
from crowdcount.errors import DataError
from crowdcount.measuring.metrics import mae

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


class SlidingWindowDetector(Counter):
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
        self,
        pictures: Sequence,
        points: Sequence | None = None,
        *,
        sizes: Sequence | None = None,
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
        pictures, points = annotated_pictures(pictures, points)
        smallest, largest = self._check()
        if sizes is None:
            sizes = [np.full(len(each), np.sqrt(smallest * largest)) for each in points]
        sizes = [np.asarray(each, np.float64).reshape(-1) for each in sizes]
        if [len(each) for each in sizes] != [len(each) for each in points]:
            raise DataError("sizes must hold one length for each head of each picture, in the order of the points.")
        wrong = [size for each in sizes for size in each if not 0 < size < np.inf]
        if wrong:
            raise DataError(f"The length of a head is a number of pixels above 0. Received: {wrong[0]}")
        regions = [region_of(item) for item in pictures]
        known = [inside(heads, counted) for heads, counted in zip(points, regions)]
        points, sizes = ([each[which] for each, which in zip(values, known)] for values in (points, sizes))
        random = check_random_state(self.random_state)
        order = random.permutation(len(pictures))
        # A classifier scores the heads that it was trained on too high: choose the threshold on others.
        chosen = order[: len(order) // 4] if self.threshold is None else order[:0]
        trained = order[len(chosen) :]

        patches, signs, places = [], [], []
        for index in trained:
            picture = read_pixels(pictures[index])
            positive = _patches(picture, points[index], sizes[index])
            elsewhere = self._elsewhere(picture, points[index], sizes[index], regions[index], random)
            negative = _patches(picture, *elsewhere)
            patches += [positive, positive[:, :, ::-1], negative]
            signs += [1] * (2 * len(positive)) + [0] * len(negative)
            places.append(len(positive))
        if not sum(places):
            raise DataError("There is no head in the training pictures: a detector has nothing to learn from.")
        if all(signs):
            raise DataError(
                "Heads stand everywhere in the training pictures: there is no window without one to learn from. Give "
                "pictures with room between the heads, or smaller `heads`."
            )
        inputs, labels = _patch_hog(np.concatenate(patches)), np.array(signs)
        self.threshold_ = 0.0
        self._learn(inputs, labels, random)
        hard = [
            self._mistakes(read_pixels(pictures[index]), points[index], regions[index])
            for index in trained[: self.mined]
        ]
        inputs = np.concatenate([inputs, *hard])
        self._learn(
            inputs,
            np.concatenate([labels, np.zeros(len(inputs) - len(labels), int)]),
            random,
        )
        self._choose(
            [pictures[index] for index in chosen],
            [len(points[index]) for index in chosen],
        )
        return self

    def detect(self, picture, *, threshold: float | None = None) -> Detections:
        """Find the heads in one picture.

        Args:
            picture: a sample, path or uint8 RGB array (H, W, 3).
            threshold: least score; `None`: `threshold_`.

        Returns:
            `Detections`, the surest first; of a sample with a region those whose middle lies inside.
        """
        check_is_fitted(self)
        least = self.threshold_ if threshold is None else threshold
        boxes, scores, _ = self.candidates(read_pixels(picture), least)
        kept = non_maximum_suppression(boxes, scores, self.overlap)
        kept = kept[inside(_middles(boxes[kept]), region_of(picture))]
        return Detections(boxes[kept], scores[kept])

    def _count(self, item) -> float:
        return len(self.detect(item))

    def _check(self) -> tuple[float, float]:
        smallest, largest = self.heads
        if not 0 < smallest <= largest:
            raise DataError(f"heads must be (smallest, largest) length in pixels. Received: heads={self.heads!r}")
        check_range("overlap", self.overlap, 0, 1)
        check_range("C", self.C, 1e-9, np.inf)
        for name in ("negatives", "mined"):
            check_whole(name, getattr(self, name), 1)
        check_whole("hard", self.hard, 0)
        return smallest, largest

    def _elsewhere(self, picture, points, sizes, counted, random) -> tuple[np.ndarray, np.ndarray]:
        """Centers (M, 2) and head lengths (M,) of random windows that are not centered near a head."""
        wanted = max(20, self.negatives * len(points))
        centers = random.uniform(0, picture.shape[1::-1], (wanted, 2))
        lengths = np.exp(random.uniform(*np.log(self.heads), wanted))
        clear = _away(centers, points, np.maximum(sizes, 1)) & inside(centers, counted)
        return centers[clear], lengths[clear]

    def _learn(self, inputs: np.ndarray, labels: np.ndarray, random) -> None:
        machine = LinearSVC(
            C=self.C,
            dual="auto",
            class_weight="balanced",
            random_state=random.randint(2**31 - 1),
        )
        machine.fit(inputs, labels)
        self.weights_, self.bias_ = (
            machine.coef_[0].astype(np.float64),
            float(machine.intercept_[0]),
        )

    def _levels(self, picture: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
        """Scale, and blocks of the picture at this scale, for every head length that is looked for."""
        smallest, largest = self.heads
        gray = Image.fromarray(picture).convert("L")
        for length in smallest * _LEVEL ** np.arange(1 + np.ceil(np.log(largest / smallest) / np.log(_LEVEL) - 1e-9)):
            width, height = (round(side * _HEAD / length) for side in gray.size)
            if min(width, height) < _CELL * _WINDOW:
                return
            resized = gray.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
            yield (
                _HEAD / length,
                hog_blocks(np.asarray(resized), cell=_CELL, orientations=_ORIENTATIONS),
            )

    def candidates(self, picture: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray, list]:
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

    def _mistakes(self, picture: np.ndarray, points: np.ndarray, counted: np.ndarray | None) -> np.ndarray:
        """Features (M, 900) of the surest windows that are nowhere near a head."""
        boxes, scores, places = self.candidates(picture, 0.0)
        length = boxes[:, 2] - boxes[:, 0]
        middles = _middles(boxes)
        wrong = np.flatnonzero(_away(middles, points, 0, length) & inside(middles, counted))
        surest = wrong[np.argsort(-scores[wrong])][: self.hard]
        features = [
            blocks[i : i + _BLOCKS, j : j + _BLOCKS].ravel() for blocks, i, j in (places[index] for index in surest)
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
        raise DataError(f"A picture of {gray.shape[1]}x{gray.shape[0]} pixels has no 2 x 2 cells of {cell} pixels.")
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
        [
            histograms[:-1, :-1],
            histograms[:-1, 1:],
            histograms[1:, :-1],
            histograms[1:, 1:],
        ],
        axis=2,
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


def _middles(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def _patches(picture: np.ndarray, centers: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Windows (N, 32, 32) around heads: gray, resized to the head, with a cell more on each side."""
    side = _CELL * (_WINDOW + 2)
    gray = Image.fromarray(picture).convert("L")
    centers = np.clip(centers, 0, gray.size)  # of a head outside, what is at the border: it counts there in a map, too
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
    blocks = np.concatenate([blocks, np.zeros_like(blocks[:1])]).reshape(len(patches), _WINDOW + 2, _WINDOW + 1, -1)
    return blocks[:, 1 : 1 + _BLOCKS, 1 : 1 + _BLOCKS].reshape(len(patches), -1)


def _away(centers: np.ndarray, points: np.ndarray, sizes, lengths=0) -> np.ndarray:
    """Which centers are no head's: bool (M,). Half a head's length off is still near."""
    if not len(points):
        return np.ones(len(centers), bool)
    distance = np.linalg.norm(centers[:, None] - points[None], axis=2)
    return (distance > 0.5 * np.maximum(np.broadcast_to(sizes, len(points))[None], np.reshape(lengths, (-1, 1)))).all(1)
