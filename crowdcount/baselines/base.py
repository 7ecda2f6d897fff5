"""What all classical counters share: how they are asked, and what they take."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from hashlib import blake2b
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from crowdcount.data.annotations import Sample
from crowdcount.data.images import load_picture, picture_size
from crowdcount.data.regions import points_inside
from crowdcount.errors import DataError
from crowdcount.measuring.metrics import mae


class Counter(BaseEstimator):
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
        return np.array([self._count(item) for item in _listed(pictures)], np.float64)

    def score(self, pictures: Sequence, points: Sequence | None = None) -> float:
        """Mean absolute error of the counts, with a minus sign: higher is better, as searches want it."""
        pictures, points = annotated_pictures(pictures, points)
        return -mae(_numbers(pictures, points), self.predict(pictures))

    def __sklearn_clone__(self) -> Counter:
        """As scikit-learn clones, but for the memory: it is shared, where all other settings are copied in depth."""
        memory = getattr(self, "memory", None)
        if memory is None:
            return super().__sklearn_clone__()
        bare = copy.copy(self)
        bare.memory = None  # it may hold gigabytes of features
        return super(Counter, bare).__sklearn_clone__().set_params(memory=memory)


class MeanCount(Counter):
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
        pictures, points = annotated_pictures(pictures, points)
        self.mean_ = float(np.mean(_numbers(pictures, points)))
        return self

    def _count(self, item) -> float:
        read_pixels(item)  # refuses what is no picture, as the others do
        return self.mean_


def _listed(pictures: Sequence) -> list:
    if isinstance(pictures, np.ndarray) and pictures.ndim == 4:
        return list(pictures)
    if isinstance(pictures, (np.ndarray, str, bytes, Sample)) or not hasattr(pictures, "__iter__"):
        raise DataError("pictures must be a list of pictures, even of one: write predict([picture]).")
    return list(pictures)


def annotated_pictures(pictures: Sequence, points: Sequence | None) -> tuple[list, list[np.ndarray]]:
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
            f"points must have one array for each picture. Received: {len(pictures)} pictures, {len(points)} arrays"
        )
    # `Sample` checks what points are.
    return pictures, [Sample(f"picture {n}", _NOTHING, each).points for n, each in enumerate(points)]


_NOTHING = np.zeros((8, 8, 3), np.uint8)


def read_pixels(item) -> np.ndarray:
    """The pixels of a sample, a path or an array, uint8 RGB (H, W, 3)."""
    return item.read() if isinstance(item, Sample) else load_picture(item)


def region_of(item) -> np.ndarray | None:
    """Where in a picture is counted, bool (H, W); None for all of it. Samples alone have regions."""
    if not isinstance(item, Sample) or not item.has_region:
        return None
    return item.counted(picture_size(item.picture))


def inside(points: np.ndarray, counted: np.ndarray | None) -> np.ndarray:
    """Which points, (N, 2) x y in pixels, lie where is counted, see `region_of`: bool (N,)."""
    return np.ones(len(points), bool) if counted is None else points_inside(points, counted)


def _numbers(pictures: Sequence, points: Sequence[np.ndarray]) -> list[int]:
    """How many heads of each picture lie where is counted."""
    return [int(inside(heads, region_of(item)).sum()) for item, heads in zip(pictures, points)]


def kept(memory: dict | None, function: Callable, *arrays: np.ndarray) -> np.ndarray:
    """What a function makes of a picture (and borders), from the memory where it has been made before."""
    if memory is None:
        return function(*arrays)
    key = (
        function.__name__,
        *((array.shape, blake2b(array.tobytes()).digest()) for array in arrays),
    )
    if key not in memory:
        memory[key] = function(*arrays)
    return memory[key]


def check_has_neighbors(picture: np.ndarray) -> None:
    """Edges and texture are differences between neighbors, which a line of pixels has on two sides alone.

    Raises:
        DataError: for a picture that is a single pixel wide or high.
    """
    height, width = picture.shape[:2]
    if min(height, width) < 2:
        raise DataError(
            "Edges and texture take a picture of 2 x 2 pixels at least. Received: one of "
            f"{width} x {height} pixels. Leave it out."
        )


def check_whole(name: str, value: int, least: int) -> None:
    if not isinstance(value, Integral) or value < least:
        raise DataError(f"{name} must be a whole number of at least {least}. Received: {name}={value!r}")


def check_range(name: str, value: float, least: float, most: float) -> None:
    if not isinstance(value, Real) or not least <= value <= most:
        raise DataError(f"{name} must be a number from {least:g} to {most:g}. Received: {name}={value!r}")
