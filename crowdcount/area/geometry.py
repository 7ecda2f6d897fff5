"""Positions and polygons on a picture: checked, in pixels or fractions of its size, and where they meet the grid."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from crowdcount.errors import DataError
from crowdcount.grid import STRIDE

Size = tuple[int, int]
"""Height and width of a picture in pixels."""

# What the `"unit"` of a file of zones or ground points may say; None where it says nothing.
_UNITS = ("pixels", "fractions", "percent")
# Coordinates that other programs wrote may miss the picture's border: fractions by rounding, pixels by up to two.
_SLACK, _PIXEL_SLACK = 1e-6, 2.0
# Positions that all lie between these are no zone in pixels: a few pixels hold nobody.
_SMALL = (-1, 2)
# Less of a pixel than this are places in degrees of longitude and latitude.
_LEAST_SPAN = 0.05
# Positions that all lie in 0..100 are percent on a picture that is at least so many pixels a side; on a smaller one if
# they reach 100.
_PERCENT_SIDE, _LEAST_PERCENT_SIDE = 300, 200
# A polygon is a line where it is thinner than this share of its length.
_THINNEST = 1e-9


def finite_numbers(values: object, columns: int, what: str, form: str) -> np.ndarray:
    """float64 (N, columns), a copy, all finite."""
    if isinstance(values, np.ndarray):
        values = values.tolist()
    if not isinstance(values, (list, tuple)):
        raise DataError(f"{what}: should be a list of {form}. Received {shortened(values)}")
    for value in values:
        row = value.tolist() if isinstance(value, np.ndarray) else value
        if not isinstance(row, (list, tuple)) or len(row) != columns or not all(map(_is_finite, row)):
            raise DataError(f"{what}: a point should be {columns} finite numbers {form}. Received {shortened(row)}")
    return np.array(values, np.float64).reshape(-1, columns)


def _is_finite(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond the range of floating point
        return False


def in_unit(points: object, unit: object, columns: int, what: str, form: str) -> tuple[Any, bool | None]:
    """The points of a file, and whether they are fractions of the picture's width and height.

    Args:
        points: rows [x, y, ...].
        unit: what the file says of x and y. Percent become fractions.
        columns, what, form: see `finite_numbers`.

    Returns:
        The points, not checked unless they are percent, and None where the file says no unit.

    Raises:
        DataError: if there is no such unit, or percent are no finite numbers.

    Example:
        >>> points, fractions = in_unit([[50, 100, 2.5, 0]], "percent", 4, "The ground points", "[x, y, X, Y]")
        >>> points.tolist(), fractions
        ([[0.5, 1.0, 2.5, 0.0]], True)
    """
    if unit is None:
        return points, None
    if unit not in _UNITS:
        raise DataError(f'{what}: "unit" is "pixels", "fractions" or "percent". Received: {shortened(unit)}')
    if unit == "percent":
        points = finite_numbers(points, columns, what, form) / [100, 100, *[1] * (columns - 2)]
    return points, unit != "pixels"


def shortened(value: object) -> str:
    """The value as messages show it: its first 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def polygon_corners(polygon: object, what: str) -> np.ndarray:
    """The corners of a simple polygon with an area, each once."""
    corners = finite_numbers(polygon, 2, what, "[x, y]")
    if len(corners) > 1:
        corners = corners[(corners != np.roll(corners, -1, axis=0)).any(axis=1)]
    if len(corners) < 3:
        raise DataError(
            f"{what}: a polygon needs three corners or more, at different places. Received: {shortened(polygon)}"
        )
    with np.errstate(over="ignore"):  # corners at 1e308 have no area that could be reckoned
        extents = np.linalg.svd(corners - corners.mean(axis=0), compute_uv=False)
    if not extents[1] > _THINNEST * extents[0]:
        raise DataError(f"{what} has no area: its corners lie on one line. Received: {shortened(corners.tolist())}")
    crossing = _crossing(corners)
    if crossing:
        first, second = (
            " to ".join(f"({x:g}, {y:g})" for x, y in (corners[edge], corners[(edge + 1) % len(corners)]))
            for edge in crossing
        )
        raise DataError(
            f"{what}: its border touches or crosses itself: the side {first} meets the side {second}. "
            "Give the corners in their order around the zone, or cut it into several zones."
        )
    return corners


def _crossing(corners: np.ndarray) -> tuple[int, int] | None:
    """The first two sides that meet other than in the corner between neighbors."""
    ends = np.roll(corners, -1, axis=0)
    low, high = np.minimum(corners, ends), np.maximum(corners, ends)
    count = len(corners)
    for edge, (start, end) in enumerate(zip(corners, ends)):
        # Each pair of sides once, without the neighbors before and after: where one of these folds back, it
        # meets the next but one too. And only those whose boxes overlap: sides in line with each other pass
        # the tests of the orientations wherever they lie.
        later = slice(edge + 2, count - (edge == 0))
        near = ((low[later] <= high[edge]) & (high[later] >= low[edge])).all(axis=1)
        others = np.flatnonzero(near) + edge + 2
        a, b = corners[others], ends[others]
        meets = np.sign(_cross(end - start, a - start)) * np.sign(_cross(end - start, b - start)) <= 0
        meets &= np.sign(_cross(b - a, start - a)) * np.sign(_cross(b - a, end - a)) <= 0
        if meets.any():
            return edge, int(others[meets.argmax()])
    return None


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def signed_area(corners: np.ndarray) -> float:
    """Area of a polygon, shape (N, 2); negative where its corners run the other way round."""
    corners = corners - corners[0]  # near the origin: fewer digits are lost
    return float(_cross(corners, np.roll(corners, -1, axis=0)).sum() / 2)


def are_fractions(positions: np.ndarray, given: bool | None, what: str) -> bool:
    """Whether positions on a picture are fractions of its size, rather than pixels.

    Args:
        positions: [x, y], shape (N, 2).
        given: whether they are, or `None` to tell by their values.
        what: how the message calls them.

    Raises:
        DataError: if they are no fractions and too small for pixels.
    """
    if given is None:
        given = bool((positions >= -_SLACK).all() and (positions <= 1 + _SLACK).all())
    low, high = _SMALL
    tiny = 0 < np.ptp(positions, axis=0).max() < _LEAST_SPAN
    if not given and (positions.min() >= low and positions.max() <= high or tiny):
        raise DataError(
            f"{what} covers a few pixels at most. Pixels must span more than {low}..{high}; fractions of the "
            f"picture's width and height must lie in 0..1. Received: {shortened(positions.tolist())}"
        )
    return bool(given)


def check_one_unit(positions: np.ndarray, what: str) -> None:
    """Refuse positions that are pixels by their values, where some of them look like fractions.

    Args:
        positions: [x, y], shape (N, 2).
        what: how the message calls them.

    Raises:
        DataError: if all x or all y lie in 0..1, or one position lies in 0..1 and between whole numbers.
    """
    within = (positions >= -_SLACK) & (positions <= 1 + _SLACK)
    strays = within.all(axis=1) & (positions % 1 != 0).any(axis=1)
    if not (strays.any() or within.all(axis=0).any()):
        return
    x, y = positions[int(strays.argmax())]
    axis = "xy"[int(within.all(axis=0).argmax())]
    odd = f"x={x:g}, y={y:g} lies" if strays.any() else f"every {axis} lies"
    raise DataError(
        f"{what} seems to mix pixels and fractions of the picture's width and height: {odd} within 0 to 1, others do "
        'not. Give all in pixels, or all as fractions; where all are pixels, "unit": "pixels" in the file says '
        f"so (in Python, fractions=False). Received: {shortened(positions.tolist())}"
    )


def _like_percent(positions: np.ndarray, size: Size) -> bool:
    if positions.min() < 0 or positions.max() > 100:
        return False
    return min(size) >= (_LEAST_PERCENT_SIDE if positions.max() == 100 else _PERCENT_SIDE)


def on_picture(positions: np.ndarray, fractions: bool, size: Size, what: str, *, sure: bool = False) -> np.ndarray:
    """The positions in pixels of the picture; those up to two pixels outside are moved to its border.

    Args:
        positions: [x, y], shape (N, 2), in pixels or fractions.
        fractions: whether they are fractions of the picture's width and height.
        size: (height, width) of the picture in pixels.
        what: how messages call them.
        sure: whether somebody said that they are pixels, rather than their values.

    Raises:
        DataError: if one lies outside the picture, or they look like percent.
    """
    height, width = size
    pixels = positions * (width, height) if fractions else positions
    slack = _SLACK * max(size) if fractions else _PIXEL_SLACK
    if not (fractions or sure) and _like_percent(positions, size):
        raise DataError(
            f"{what} lies within 0 to 100, as percent do, on a picture of {width}x{height} pixels. Divide by 100 for "
            'fractions of its width and height; in the file "unit": "percent" does that, and "unit": "pixels" keeps '
            "them (in Python, fractions=False)."
        )
    outside = ((pixels < -slack) | (pixels > np.array([width, height]) + slack)).any(axis=1)
    if outside.any():
        x, y = positions[int(outside.argmax())]
        raise DataError(
            f"{what} lies outside the picture: x={x:g}, y={y:g}; the picture has {width}x{height} pixels. "
            "Give pixels of this picture, or fractions of its width and height from 0 to 1."
        )
    return np.clip(pixels, 0, (width, height))


def on_copy(pixels: np.ndarray, drawn_on: Size, size: Size, what: str) -> np.ndarray:
    """Pixels of one picture as those of a copy of it at another size.

    Args:
        pixels: [x, y], shape (N, 2).
        drawn_on: (height, width) of the picture that they are pixels of.
        size: (height, width) of the copy.
        what: how the message calls them.

    Raises:
        DataError: if the sides of the two are not in one proportion.
    """
    (large_height, large_width), (height, width) = sorted((drawn_on, size), reverse=True)
    # Each side of a copy is rounded, in videos to an even number.
    if abs(width * large_height - height * large_width) > large_height + large_width:
        raise DataError(
            f"{what} was drawn on a picture of {drawn_on[1]}x{drawn_on[0]} pixels, and this one has "
            f"{size[1]}x{size[0]}: its sides are in another proportion, so it is no smaller or larger copy of that "
            "one. Draw anew on this picture, or count the one that was drawn on."
        )
    return pixels * (size[1] / drawn_on[1], size[0] / drawn_on[0])


def rows_inside(polygons: Iterable[np.ndarray], top: int, bottom: int, width: int) -> np.ndarray:
    """`zone_mask` of the rows top..bottom, for corners in pixels: bool (bottom - top, width)."""
    inside = np.zeros((bottom - top, width), bool)
    for polygon in polygons:
        first = max(top, math.floor(polygon[:, 1].min()))
        last = min(bottom, math.ceil(polygon[:, 1].max()))
        if first >= last:
            continue
        # A pixel is inside where the border crosses its row an odd number of times to its left.
        crossed = np.zeros((last - first, width + 1), bool)
        for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0)):
            low, high = sorted((y0, y1))
            row = np.arange(max(first, math.ceil(low - 0.5)), min(last, math.ceil(high - 0.5)))
            if row.size:
                x = x0 + (row + 0.5 - y0) / (y1 - y0) * (x1 - x0)
                column = np.clip(np.ceil(x - 0.5), 0, width).astype(int)
                crossed[row - first, column] ^= True
        inside[first - top : last - top] |= np.logical_xor.accumulate(crossed[:, :-1], axis=1)
    return inside


def grid_cuts(start: float, end: float) -> np.ndarray:
    """Where between 0 and 1 on the way from start to end the edges of cells are crossed."""
    low, high = sorted((start, end))
    cuts = np.arange(math.floor(low / STRIDE) + 1, math.ceil(high / STRIDE)) * float(STRIDE)
    return (cuts - start) / (end - start) if cuts.size else cuts
