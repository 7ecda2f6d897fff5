"""Approximate positions of heads, read off a density map.

A density map tells how many people are where, not which spot is whose head. `find_heads` gives positions that
explain the map, as many as it counts. They show at a glance what was counted, and are a start for annotating
a picture by hand; they are no detector's output, and one of them alone says little.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching
from scipy.spatial import cKDTree

from crowdcount.data.records import check_points
from crowdcount.errors import DataError
from crowdcount.grid import check_map, middles

# A head is taken out of the map as a Gaussian, out to so many standard deviations and at most so many cells.
_REACH = 3.0
_FARTHEST = 36


def find_heads(density: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Positions of as many heads as a density map counts, rounded.

    The highest cell of the map is a head. Its position is the center of mass of the cells around it, as far
    as the head's standard deviation. Then one head's mass is taken out of the map: a Gaussian of sum 1 that
    is as high as the map is there, and so is narrow where the crowd is dense. The highest cell of what is
    left is the next head, until everybody counted has a position. So the clear local peaks come first, then
    the faint ones; and where people stand so close that they share a peak, the others lie beside it, where
    the map holds more than one head explains.

    How exact they are, measured with `match_heads` on six validation pictures of ShanghaiTech part B (IMG_2,
    6, 80, 167, 336 and 385; 1024 x 768 pixels) and an earlier version of the network `general`, which found
    539 of 645 people: 86 % of the positions lay within 16 pixels of an annotated head, each of another one,
    and 60 % within 8 pixels; 72 % of the annotated heads had a position within 16 pixels, 50 % within 8. So
    trust them for where the crowd is, not for a single person. `benchmarks/heads.py` measures it again.

    Args:
        density: people in each cell of 8 x 8 pixels, shape (ceil(height / 8), ceil(width / 8)).
        size: height and width of the picture in pixels.

    Returns:
        float64 array (round(density.sum()), 2): x and y in pixels, inside the picture, highest peak first.

    Raises:
        DataError: if the map holds negative or infinite numbers, or is none of a picture of this size.

    Example:
        >>> from crowdcount.data.density import density_map
        >>> heads = find_heads(density_map([[20, 36], [92, 60]], (96, 128), sigma=6, stride=8), (96, 128))
        >>> sorted(heads.round().tolist())
        [[20.0, 36.0], [92.0, 60.0]]
    """
    density = check_map(density, size)
    if not (np.isfinite(density).all() and density.min() >= 0):
        raise DataError("A density map must hold finite numbers, none below 0.")
    pixels = [middles(length) for length in size]
    left = density.astype(np.float64)
    heads = np.empty((round(float(left.sum())), 2))
    highest = left.max(axis=1)  # by row: a head changes a few rows, and only these are searched again
    for head in heads:
        row = int(highest.argmax())
        column = int(left[row].argmax())
        sigma = float(2 * np.pi * left[row, column]) ** -0.5  # a Gaussian of sum 1 is 1 / (2 pi sigma^2) high
        center = _center_of_mass(left, row, column, reach=max(1, round(sigma)))
        head[:] = [np.interp(at, np.arange(len(line)), line) for at, line in zip(center, pixels)][::-1]
        rows = _take_out(left, center, sigma)
        highest[rows] = left[rows].max(axis=1)
    return heads


def match_heads(found: np.ndarray, true: np.ndarray, within: float) -> int:
    """How many of the found heads are true ones.

    Each found head may stand for one true head at most, and each true head for one found one; of all such
    assignments the one with the most pairs counts.

    Args:
        found: array (N, 2), x and y in pixels.
        true: array (M, 2), the annotated heads.
        within: distance in pixels up to which two are the same.

    Returns:
        The number of pairs: divided by N the precision, by M the recall.

    Raises:
        DataError: if `within` is no distance, or a head is not two finite numbers.

    Example:
        >>> match_heads([[10, 10], [12, 10]], [[11, 10], [40, 40]], within=8)
        1
    """
    if not within >= 0:
        raise DataError(f"within must be a distance in pixels, 0 or more. Received: within={within}")
    found, true = map(check_points, (found, true))
    if not len(found) or not len(true):
        return 0
    near = cKDTree(found).query_ball_point(cKDTree(true).data, within)
    pairs = [(head, other) for other, heads in enumerate(near) for head in heads]
    if not pairs:
        return 0
    rows, columns = np.transpose(pairs)
    graph = csr_matrix((np.ones(len(pairs), np.int8), (rows, columns)), shape=(len(found), len(true)))
    return int(np.count_nonzero(maximum_bipartite_matching(graph) >= 0))


def _center_of_mass(left: np.ndarray, row: int, column: int, *, reach: int) -> tuple[float, float]:
    """Center of mass of the cells around one, as row and column."""
    reach = min(reach, _FARTHEST)
    top, first = max(0, row - reach), max(0, column - reach)
    mass = np.maximum(left[top : row + reach + 1, first : column + reach + 1], 0)
    rows, columns = np.arange(mass.shape[0]), np.arange(mass.shape[1])
    total = mass.sum()
    return top + mass.sum(axis=1) @ rows / total, first + mass.sum(axis=0) @ columns / total


def _take_out(left: np.ndarray, center: tuple[float, float], sigma: float) -> slice:
    """Take a Gaussian of sum 1 out of the map; returns the rows that this changed."""
    reach = min(_REACH * sigma + 1, _FARTHEST)
    profiles, spans = [], []
    for middle, length in zip(center, left.shape):
        span = slice(max(0, math.ceil(middle - reach)), min(length, math.floor(middle + reach) + 1))
        profile = np.exp(-0.5 * np.square((np.arange(span.start, span.stop) - middle) / sigma))
        spans.append(span)
        profiles.append(profile / profile.sum())  # whole at the border too, as the maps of training are
    left[tuple(spans)] -= np.outer(*profiles)
    return spans[0]
