"""Where in a picture is counted: the region of interest that some data sets draw, and boxes that are left out.

A region is a mask of pixels in the end. It is made when it is asked for: a data set of a thousand pictures holds a
thousand regions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crowdcount.errors import AnnotationError
from crowdcount.grid import STRIDE


@dataclass(frozen=True, eq=False)
class Region:
    """A region of interest: polygons, or a mask that lies in a file.

    Args:
        polygons: corners in pixels of the upright picture, each float (K, 2), x then y; what any of them covers is
            inside.
        file: the file that holds the mask instead.
        read: reads that file: a bool array (H, W).

    Raises:
        AnnotationError: if there are neither polygons nor a file, or a polygon is none.

    Example:
        >>> int(Region([[[0, 0], [4, 0], [4, 2], [0, 2]]]).mask((3, 5)).sum())
        8
    """

    polygons: Sequence[np.ndarray] = ()
    file: Path | None = None
    read: Callable[[Path], np.ndarray] | None = None

    def __post_init__(self):
        if self.file is not None:
            return
        try:
            corners = [np.asarray(polygon, np.float64) for polygon in self.polygons]
        except (TypeError, ValueError, OverflowError):
            corners = []
        # The corners of one polygon, taken for polygons, would cover nothing, and nothing be counted.
        if not corners or not all(_is_polygon(each) for each in corners):
            received = " ".join(repr(self.polygons).split())
            raise AnnotationError(
                "A region of interest is a list of polygons, each of 3 corners or more, x then y in pixels: of one "
                f"it is Region([polygon]). Received: {received if len(received) <= 80 else received[:77] + '...'}"
            )

    def mask(self, size: tuple[int, int]) -> np.ndarray:
        """Which pixels lie inside: bool (height, width).

        Raises:
            AnnotationError: if the mask's file cannot be read or has another size than the picture.
        """
        height, width = size
        if self.file is not None:
            try:
                assert self.read is not None  # it comes with the file
                mask = np.asarray(self.read(self.file)) > 0
            except Exception as error:  # damaged files make SciPy raise a dozen unrelated exceptions
                raise AnnotationError(f"{self.file}: is not a readable region of interest: {error!r}.") from error
            if mask.shape != (height, width):
                raise AnnotationError(
                    f"{self.file}: its mask is {mask.shape[1]} x {mask.shape[0]} pixels, its picture "
                    f"{width} x {height}. Take the mask that belongs to this picture."
                )
            return mask
        inside = np.zeros((height, width), bool)
        for polygon in self.polygons:
            inside |= _inside(np.asarray(polygon, np.float64), height, width)
        return inside


def _is_polygon(corners: np.ndarray) -> bool:
    return corners.ndim == 2 and len(corners) >= 3 and corners.shape[1] == 2 and bool(np.isfinite(corners).all())


def _inside(polygon: np.ndarray, height: int, width: int) -> np.ndarray:
    """Pixels whose middle lies in a polygon."""
    rows = np.arange(height) + 0.5
    mask = np.zeros((height, width), bool)
    x0, y0 = polygon.T
    x1, y1 = np.roll(polygon, -1, axis=0).T
    for row, y in enumerate(rows):
        cross = (y0 <= y) != (y1 <= y)
        if cross.any():
            at = np.sort(x0[cross] + (y - y0[cross]) * (x1[cross] - x0[cross]) / (y1[cross] - y0[cross]))
            # A middle i + 0.5 lies inside where an odd number of crossings is left of it.
            mask[row] = np.searchsorted(at, np.arange(width) + 0.5, side="right") % 2 == 1
    return mask


def boxes_mask(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Pixels whose middle lies in a box: bool (height, width); boxes (M, 4) are left, top, right, bottom in pixels.

    Example:
        >>> boxes_mask([[1, 0, 3, 1]], (2, 4)).astype(int).tolist()
        [[0, 1, 1, 0], [0, 0, 0, 0]]
    """
    covered = np.zeros(size, bool)
    for left, top, right, bottom in np.clip(np.asarray(boxes, np.float64).reshape(-1, 4), -1, 2**31):
        # Pixel i has its middle at i + 0.5.
        rows = slice(max(0, int(np.ceil(top - 0.5))), max(0, int(np.ceil(bottom - 0.5))))
        columns = slice(max(0, int(np.ceil(left - 0.5))), max(0, int(np.ceil(right - 0.5))))
        covered[rows, columns] = True
    return covered


def points_inside(points: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Which points, (N, 2) x y in pixels, lie in a pixel of the mask: bool (N,); outside the picture the nearest one.

    Example:
        >>> points_inside([[0.5, 0.5], [3.5, 0.5]], np.array([[True, True, False, False]])).tolist()
        [True, False]
    """
    height, width = mask.shape
    x, y = np.asarray(points, np.float64).reshape(-1, 2).T
    return mask[np.clip(y, 0, height - 1).astype(int), np.clip(x, 0, width - 1).astype(int)]


def within(mask: np.ndarray | None, density: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A density map and points, of which only what lies where is counted.

    Args:
        mask: bool (H, W), as `Sample.counted` gives it; None where all of the picture counts.
        density: map (ceil(H / 8), ceil(W / 8)) in heads a cell.
        points: (N, 2) x y in pixels.

    Returns:
        The map, each cell times the share of its area inside, and the points inside.

    Example:
        >>> mask = np.zeros((8, 16), bool)
        >>> mask[:, :12] = True
        >>> density, points = within(mask, np.array([[1.0, 1.0]]), np.array([[2.0, 2.0], [14.0, 2.0]]))
        >>> density.tolist(), points.tolist()
        ([[1.0, 0.5]], [[2.0, 2.0]])
    """
    if mask is None:
        return density, points
    return density * cell_shares(mask), points[points_inside(points, mask)]


def cell_shares(mask: np.ndarray) -> np.ndarray:
    """Share of the area of each cell of the density map that lies inside a mask.

    Args:
        mask: bool (H, W).

    Returns:
        float32 (ceil(H / 8), ceil(W / 8)), from 0 to 1; a cell at the edge covers what there is of the picture.

    Example:
        >>> mask = np.zeros((8, 12), bool)
        >>> mask[:, :10] = True
        >>> cell_shares(mask).tolist()
        [[1.0, 0.5]]
    """
    rows, columns = (np.arange(0, side, STRIDE) for side in mask.shape)
    sums = np.add.reduceat(np.add.reduceat(mask.astype(np.float32), rows, axis=0), columns, axis=1)
    ones = np.outer(np.diff(np.append(rows, mask.shape[0])), np.diff(np.append(columns, mask.shape[1])))
    return (sums / ones).astype(np.float32)
