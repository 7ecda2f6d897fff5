"""Counting by zone: polygons on a picture -> people in each.

A cell of the density map that a zone's border cuts counts by the share of its area inside the zone, computed
exactly, so that zones which tile a picture add up to its count. Needs NumPy, and Pillow for drawing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from crowdcount.area.geometry import (
    Size,
    are_fractions,
    check_one_unit,
    grid_cuts,
    on_copy,
    on_picture,
    polygon_corners,
    rows_inside,
    shortened,
    signed_area,
)
from crowdcount.errors import DataError
from crowdcount.grid import STRIDE, check_map, edges

# Holes may miss their places by rounding, or a pixel: by so much of the zone, looked at in so many cells each way.
_MOST_TAKEN_TWICE, _CELLS = 0.01, 64


@dataclass(frozen=True, eq=False)
class Zone:
    """A named part of a picture, bounded by a simple polygon.

    Args:
        name: what results are called by.
        polygon: corners [x, y] in order, either way round, shape (N, 2), N >= 3: x to the right and y down
            from the picture's upper left corner. The last may repeat the first, as in GeoJSON.
        fractions: whether the corners are fractions of the picture's width and height rather than pixels;
            `None` means that they are if all lie in 0..1.
        holes: polygons inside it that do not belong to it, each as `polygon` and in its unit.
        drawn_on: (height, width) of the picture that the corners are pixels of; on a copy of it at another size they
            are moved to the same places. `None`: they are pixels of each picture, whatever its size.

    Raises:
        DataError: if the name is empty, or the polygon has fewer than three corners, numbers that are not
            finite, no area, a border that touches or crosses itself, holes that reach out of it or over each other,
            corners that are no fractions and in pixels span a few at most, or, where their values have to tell,
            corners in pixels and in fractions.

    Example:
        >>> Zone("left half", [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]).pixels((480, 640)).tolist()
        [[0.0, 0.0], [320.0, 0.0], [320.0, 480.0], [0.0, 480.0]]
    """

    name: str
    polygon: np.ndarray
    fractions: bool | None = None
    holes: Sequence[np.ndarray] = ()
    drawn_on: Size | None = None
    _sure: bool = field(init=False, repr=False)  # the unit was told, not guessed

    def __post_init__(self):
        if not isinstance(self.name, str) or not self.name.strip() or not self.name.isprintable():
            raise DataError(f"A zone needs a name on one line. Received: {shortened(self.name)}")
        what = f"The zone {self.name!r}"
        polygon = polygon_corners(self.polygon, what)
        object.__setattr__(self, "_sure", self.fractions is not None)
        object.__setattr__(self, "fractions", are_fractions(polygon, self.fractions, what))
        holes = tuple(polygon_corners(hole, f"A hole of {what[0].lower()}{what[1:]}") for hole in self.holes)
        for hole in holes:
            if (hole < polygon.min(axis=0)).any() or (hole > polygon.max(axis=0)).any():
                raise DataError(f"{what} has a hole that lies outside it. Received: {shortened(hole.tolist())}")
        if holes and sum(abs(signed_area(hole)) for hole in holes) >= abs(signed_area(polygon)):
            raise DataError(f"{what} has no area beside its holes. Received: {shortened(polygon.tolist())}")
        for ring in (polygon, *holes):
            if not (self._sure or self.fractions):
                check_one_unit(ring, what)
            ring.flags.writeable = False
        if holes and _taken_twice(polygon, holes) > _MOST_TAKEN_TWICE:
            raise DataError(
                f"{what} has holes that reach out of it or over each other: their people and their ground would be "
                "taken away twice. Cut each hole off at the zone's border, and make one of those that overlap."
            )
        object.__setattr__(self, "polygon", polygon)
        object.__setattr__(self, "holes", holes)

    def pixels(self, size: Size) -> np.ndarray:
        """The corners of its border on a picture.

        Args:
            size: (height, width) of the picture in pixels.

        Returns:
            float64 (N, 2), [x, y] in pixels.

        Raises:
            DataError: if a corner lies outside the picture, nothing of the zone lies in it, or it is no copy of the one
                that the zone was drawn on.
        """
        corners = self._on_picture(self.polygon, size, self._sure)
        if not signed_area(corners):  # those a little outside were moved to the border
            raise DataError(
                f"The zone {self.name!r} lies at the border of the picture, of {size[1]}x{size[0]} pixels, and has no "
                "area in it. Draw it farther inside."
            )
        return corners

    def hole_pixels(self, size: Size) -> list[np.ndarray]:
        """The corners of its holes on a picture, as `pixels`."""
        self.pixels(size)  # its border tells which unit it is in: a hole of it may well lie in a corner
        return [self._on_picture(hole, size, True) for hole in self.holes]

    def drawn(self, size: Size) -> Zone:
        """The zone, to be put on smaller copies of a picture too: its pixels are those of this size.

        Example:
            >>> Zone("left", [[0, 0], [40, 0], [40, 60], [0, 60]]).drawn((60, 80)).pixels((30, 40)).tolist()
            [[0.0, 0.0], [20.0, 0.0], [20.0, 30.0], [0.0, 30.0]]
        """
        return self if self.fractions or self.drawn_on is not None else replace(self, fractions=False, drawn_on=size)

    def _on_picture(self, ring: np.ndarray, size: Size, sure: bool) -> np.ndarray:
        what = f"The zone {self.name!r}"
        if self.drawn_on is None:
            return on_picture(ring, bool(self.fractions), size, what, sure=sure)
        pixels = on_picture(ring, bool(self.fractions), self.drawn_on, what, sure=True)
        return on_copy(pixels, self.drawn_on, size, what)


def _taken_twice(polygon: np.ndarray, holes: Sequence[np.ndarray]) -> float:
    """What holes take away where there is nothing of a zone, or nothing left, as a share of what is left of it."""
    low, extent, side = polygon.min(axis=0), np.ptp(polygon, axis=0), STRIDE * _CELLS
    border, *parts = (_ring_shares((ring - low) / extent * side, (side, side)) for ring in (polygon, *holes))
    left = border - sum(parts)
    return float(np.maximum(-left, 0).sum() / max(np.maximum(left, 0).sum(), 1e-9))


def count_zones(density: np.ndarray, zones: Iterable[Zone], size: Size) -> dict[str, float]:
    """Count the people in each zone.

    People count as spread evenly over their cell of 8 x 8 pixels; where the picture's size is no multiple of
    8, the last cells are the rest. Zones that tile the picture add up to the map's sum.

    Args:
        density: people a cell, shape (ceil(height / 8), ceil(width / 8)).
        zones: the zones, in pixels or fractions.
        size: (height, width) of the picture in pixels.

    Returns:
        Zone's name -> people in it.

    Raises:
        DataError: if a zone lies outside the picture, or the map is not that of a picture of this size.

    Example:
        >>> half = Zone("left half", [[0, 0], [0.5, 0], [0.5, 1], [0, 1]])
        >>> count_zones(np.ones((2, 3), np.float32), [half], (16, 24))
        {'left half': 3.0}
    """
    people = check_map(density, size).astype(np.float64)
    return {zone.name: float(np.sum(people * zone_shares(zone, size))) for zone in zones}


def zone_shares(zone: Zone, size: Size) -> np.ndarray:
    """The share of each cell's area that lies inside a zone, exact to rounding.

    Args:
        zone: the zone, in pixels or fractions.
        size: (height, width) of the picture in pixels.

    Returns:
        float64 array in 0..1, shape (ceil(height / 8), ceil(width / 8)).

    Raises:
        DataError: if the zone lies outside the picture.

    Example:
        >>> zone_shares(Zone("triangle", [[0, 0], [8, 0], [0, 8]]), (8, 12)).tolist()
        [[0.5, 0.0]]
    """
    shares = _ring_shares(zone.pixels(size), size)
    for hole in zone.hole_pixels(size):
        shares -= _ring_shares(hole, size)
    return np.clip(shares, 0, 1)


def _ring_shares(polygon: np.ndarray, size: Size) -> np.ndarray:
    """The share of each cell's area that lies inside a polygon in pixels."""
    if signed_area(polygon) > 0:
        polygon = polygon[::-1]
    row_edges, column_edges = (edges(side).astype(float) for side in size)
    heights, widths = np.diff(row_edges), np.diff(column_edges)
    # Green's theorem cell by cell: a piece of border that goes down by dy has dy x (distance to the cell's
    # right edge) of inside to its right in its own cell, and dy x (width) in every cell further right.
    own = np.zeros((heights.size, widths.size))
    further = np.zeros((heights.size, widths.size + 1))
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0)):
        cuts = np.sort(np.concatenate([[0.0, 1.0], grid_cuts(x0, x1), grid_cuts(y0, y1)]))
        x, y = x0 + cuts * (x1 - x0), y0 + cuts * (y1 - y0)
        dy, middle = np.diff(y), (x[1:] + x[:-1]) / 2
        # The middles of the pieces lie well inside their cells, or on the picture's border.
        row = np.clip((y[1:] + y[:-1]) / 2 // STRIDE, 0, heights.size - 1).astype(int)
        column = np.clip(middle // STRIDE, 0, widths.size - 1).astype(int)
        np.add.at(own, (row, column), dy * (column_edges[column + 1] - middle))
        np.add.at(further, (row, column + 1), dy)
    inside = own + np.cumsum(further[:, :-1], axis=1) * widths
    return inside / np.outer(heights, widths)


def zone_mask(zones: Iterable[Zone], size: Size) -> np.ndarray:
    """The pixels inside any of the zones; its inverse, `~zone_mask(...)`, is what to hide outside them.

    A pixel is inside if its middle is. Pixels on the border of two zones that share it belong to one of them.

    Args:
        zones: the zones, in pixels or fractions.
        size: (height, width) of the picture in pixels.

    Returns:
        bool array of shape (height, width).

    Raises:
        DataError: if a zone lies outside the picture.

    Example:
        >>> zone_mask([Zone("corner", [[0, 0], [3, 0], [3, 2], [0, 2]])], (3, 4)).astype(int).tolist()
        [[1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]]
    """
    return zone_rows(zones, size, 0, size[0])


def zone_rows(zones: Iterable[Zone], size: Size, top: int, bottom: int) -> np.ndarray:
    """`zone_mask` of the rows top..bottom alone: bool (bottom - top, width)."""
    inside = np.zeros((bottom - top, size[1]), bool)
    for zone in zones:
        border, holes = zone.pixels(size), zone.hole_pixels(size)
        inside |= rows_inside([border], top, bottom, size[1]) & ~rows_inside(holes, top, bottom, size[1])
    return inside
