"""The grid of a density map over its picture: cells of 8 x 8 pixels, the last ones covering what is left.

Every part that relates a map to its picture asks here: how many cells a picture has, where they begin and end, and
whether a map is that of a picture of this size.
"""

from __future__ import annotations

import numpy as np

from crowdcount.errors import DataError

STRIDE = 8
"""Side of a cell in pixels: the network's map has an eighth of the picture's rows and columns."""


def cells(length: int, stride: int = STRIDE) -> int:
    """How many cells a side of so many pixels has: the last one may be narrower.

    Example:
        >>> cells(768), cells(1023)
        (96, 128)
    """
    return -(-length // stride)


def map_shape(size: tuple[int, int], stride: int = STRIDE) -> tuple[int, int]:
    """Rows and columns of the density map of a picture of this height and width in pixels.

    Example:
        >>> map_shape((768, 1023))
        (96, 128)
    """
    return cells(size[0], stride), cells(size[1], stride)


def edges(length: int, stride: int = STRIDE) -> np.ndarray:
    """Where the cells of a side begin and end in pixels, int64 (cells + 1,).

    Example:
        >>> edges(20).tolist()
        [0, 8, 16, 20]
    """
    return np.minimum(np.arange(cells(length, stride) + 1) * stride, length)


def middles(length: int, stride: int = STRIDE) -> np.ndarray:
    """Middle of each cell of a side in pixels, float64 (cells,).

    Example:
        >>> middles(20).tolist()
        [4.0, 12.0, 18.0]
    """
    ends = edges(length, stride)
    return (ends[:-1] + ends[1:]) / 2


def shares(length: int, parts: int, stride: int = STRIDE) -> np.ndarray:
    """Share of each cell of a side that lies in each of so many equal parts of it, (parts, cells); columns sum to 1.

    The last cell ends with the picture where `length` is no multiple of `stride`.

    Example:
        >>> shares(20, 2).round(2).tolist()
        [[1.0, 0.25, 0.0], [0.0, 0.75, 1.0]]
    """
    ends = edges(length, stride)
    borders = np.arange(parts + 1) * length / parts
    overlap = np.minimum(ends[1:], borders[1:, None]) - np.maximum(ends[:-1], borders[:-1, None])
    return np.maximum(overlap, 0) / np.diff(ends)


def check_map(density: np.ndarray, size: tuple[int, int], stride: int = STRIDE) -> np.ndarray:
    """The map as an array, if it is one of a picture of this height and width in pixels.

    Raises:
        DataError: if its shape is another.

    Example:
        >>> check_map([[0.5, 0.25]], (8, 12)).shape
        (1, 2)
    """
    density = np.asarray(density)
    expected = map_shape(size, stride)
    if density.shape != expected:
        raise DataError(
            f"A picture of {size[1]}x{size[0]} pixels has a density map of shape {expected}. "
            f"Received: density.shape={density.shape}. Sizes are given as (height, width)."
        )
    return density
