"""Counting by density: from what a pixel, or a cell, looks like to a map whose sum is the count."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.ndimage import binary_erosion
from scipy.optimize import nnls
from skimage.feature import multiscale_basic_features
from sklearn.cluster import MiniBatchKMeans
from sklearn.ensemble import RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from crowdcount.baselines.base import (
    Counter,
    annotated_pictures,
    check_has_neighbors,
    check_range,
    check_whole,
    inside,
    kept,
    read_pixels,
    region_of,
)
from crowdcount.data.density import density_map, sum_pool
from crowdcount.data.regions import cell_shares
from crowdcount.errors import DataError
from crowdcount.grid import STRIDE, map_shape

_STEP = 4
"""Pixels from one place at which `LinearDensity` looks up its word to the next; divides the stride."""
_FINEST, _COARSEST = 1.0, 8.0
"""Widths of the smoothing, in pixels, of the finest and the coarsest filters."""


class _DensityCounter(Counter):
    """Estimators whose count is the sum of a map."""

    def predict_map(self, picture) -> np.ndarray:
        """Density map of one picture: the sum is the count that `predict` gives.

        Args:
            picture: a sample, path or uint8 RGB array (H, W, 3).

        Returns:
            float32 (ceil(H / 8), ceil(W / 8)), heads a cell, not negative; 0 outside a sample's region.
        """
        check_is_fitted(self)
        pixels = read_pixels(picture)
        return self._map(pixels) * _shares(region_of(picture), pixels.shape[:2])

    def _count(self, item) -> float:
        return float(self.predict_map(item).sum(dtype=np.float64))


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
        pictures, points = annotated_pictures(pictures, points)
        check_whole("words", self.words, 1)
        check_range("alpha", self.alpha, 1e-6, np.inf)
        random = check_random_state(self.random_state)
        regions = [region_of(item) for item in pictures]
        pictures = [read_pixels(item) for item in pictures]
        fields = [self._field(picture) for picture in pictures]
        places = np.concatenate(
            [
                field.reshape(-1, field.shape[2]) if counted is None else field[counted[::_STEP, ::_STEP]]
                for field, counted in zip(fields, regions)
            ]
        )
        if len(places) < self.words:
            raise DataError(
                f"{self.words} words take as many places to learn from, {_STEP} pixels apart. Received: pictures with "
                f"{len(places)}. Give more pictures, or fewer words."
            )
        words = make_pipeline(
            StandardScaler(),
            MiniBatchKMeans(
                self.words,
                batch_size=2048,
                n_init=1,
                random_state=random.randint(2**31 - 1),
            ),
        )
        self.words_ = words.fit(places[random.permutation(len(places))[:20_000]])

        # The normal equations, picture by picture: memory does not grow with the number of pictures.
        products, wanted = self.alpha * np.eye(self.words), np.zeros(self.words)
        for picture, field, heads, counted in zip(pictures, fields, points, regions):
            shares = _shares(counted, picture.shape[:2])
            bags = self._bags(self._words(field), picture.shape[:2]) * shares[..., None]
            cells = _target(heads, picture.shape[:2], self.sigma, counted) * shares
            for side in (1, 2, 4, 8):
                # A box of side^2 cells errs in as many at once; divided by its side, all sizes weigh alike.
                inputs = sum_pool(bags, side).reshape(-1, self.words) / side
                products += inputs.T @ inputs
                wanted += inputs.T @ (sum_pool(cells, side).ravel() / side)
        # With products = R^T R, |R w - R^-T wanted| is the same least squares in as many rows as words.
        root = cholesky(products)
        self.weights_ = nnls(root, solve_triangular(root, wanted, trans="T"))[0]
        return self

    def word_map(self, picture) -> np.ndarray:
        """The word at every fourth pixel of one picture, integers (ceil(H / 4), ceil(W / 4)).

        `weights_[word_map(picture)].sum()` is the picture's count where all of it is counted.
        """
        check_is_fitted(self)
        return self._words(self._field(read_pixels(picture)))

    def _map(self, picture: np.ndarray) -> np.ndarray:
        bags = self._bags(self._words(self._field(picture)), picture.shape[:2])
        return (bags @ self.weights_).astype(np.float32)

    def _field(self, picture: np.ndarray) -> np.ndarray:
        return kept(self.memory, _thinned, picture)

    def _words(self, field: np.ndarray) -> np.ndarray:
        return self.words_.predict(field.reshape(-1, field.shape[2])).reshape(field.shape[:2])

    def _bags(self, word: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """How often each word occurs in each cell: float64 (rows, columns, words)."""
        rows, columns = (-(-side // STRIDE) for side in size)
        i, j = (np.arange(length) * _STEP // STRIDE for length in word.shape)
        place = (i[:, None] * columns + j) * self.words + word
        return (
            np.bincount(place.ravel(), minlength=rows * columns * self.words).reshape(rows, columns, -1).astype(float)
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
        pictures, points = annotated_pictures(pictures, points)
        for name in ("trees", "leaf", "places"):
            check_whole(name, getattr(self, name), 1)
        features, targets = [], []
        for item, heads in zip(pictures, points):
            picture = read_pixels(item)
            size, counted = picture.shape[:2], region_of(item)
            cells = _target(heads, size, self.sigma, counted)
            around = np.lib.stride_tricks.sliding_window_view(np.pad(cells, 1), (3, 3))
            # A place teaches the cells around it, too: all of them have to be known.
            known = binary_erosion(_shares(counted, size) >= 0.5, np.ones((3, 3)), border_value=1)
            features.append(self._features(picture)[known])
            targets.append(around[known].reshape(-1, 9))
        inputs = np.concatenate(features)
        if not len(inputs):
            raise DataError("No region of interest holds 3 x 3 cells of 8 pixels: there is nothing to learn from.")
        self.forest_ = RandomForestRegressor(
            self.trees,
            min_samples_leaf=self.leaf,
            max_features="sqrt",
            max_samples=min(self.places, len(inputs)),
            random_state=self.random_state,
        ).fit(inputs, np.concatenate(targets))
        return self

    def _features(self, picture: np.ndarray) -> np.ndarray:
        return kept(self.memory, cell_features, picture)

    def _map(self, picture: np.ndarray) -> np.ndarray:
        features = self._features(picture)
        rows, columns = features.shape[:2]
        patches = self.forest_.predict(features.reshape(rows * columns, -1)).reshape(rows, columns, 3, 3)
        total, covering = (
            np.zeros((rows + 2, columns + 2)),
            np.zeros((rows + 2, columns + 2)),
        )
        for i, j in np.ndindex(3, 3):
            total[i : i + rows, j : j + columns] += patches[:, :, i, j]
            covering[i : i + rows, j : j + columns] += 1
        return (total / np.maximum(covering, 1))[1:-1, 1:-1].astype(np.float32)


def _shares(counted: np.ndarray | None, size: tuple[int, int]) -> np.ndarray:
    """Share of each cell in which is counted, float32 (ceil(H / 8), ceil(W / 8))."""
    return np.ones(map_shape(size), np.float32) if counted is None else cell_shares(counted)


def _target(heads: np.ndarray, size: tuple[int, int], sigma: float, counted: np.ndarray | None) -> np.ndarray:
    """Map of the heads that are counted; what of it lies where is counted sums to their number."""
    heads = heads[inside(heads, counted)]
    cells = density_map(heads, size, sigma=sigma, stride=STRIDE)
    if counted is None or not len(heads):
        return cells
    # What kernels spread over the region's edge nobody predicts there: without it counts would settle too low.
    return cells * (len(heads) / (cells * cell_shares(counted)).sum())


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
    field = filtered(picture)
    high, wide = (-side % STRIDE for side in picture.shape[:2])
    field = np.pad(field, ((0, high), (0, wide), (0, 0)), mode="edge")
    rows, columns = field.shape[0] // STRIDE, field.shape[1] // STRIDE
    cells = field.reshape(rows, STRIDE, columns, STRIDE, -1)
    return np.concatenate([cells.mean(axis=(1, 3)), cells.std(axis=(1, 3))], axis=2)


def filtered(picture: np.ndarray) -> np.ndarray:
    """Answers of the filters at each pixel, float32 (H, W, 48)."""
    check_has_neighbors(picture)
    return multiscale_basic_features(
        picture, sigma_min=_FINEST, sigma_max=_COARSEST, num_sigma=4, channel_axis=-1
    ).astype(np.float32)


def _thinned(picture: np.ndarray) -> np.ndarray:
    """Answers of the filters at every fourth pixel, float32 (ceil(H / 4), ceil(W / 4), 48)."""
    return np.ascontiguousarray(filtered(picture)[::_STEP, ::_STEP])
