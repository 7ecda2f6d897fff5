"""Counting by zone: polygons on a picture -> people in each.

A cell of the density map that a zone's border cuts counts by the share of its area inside the zone, computed
exactly, so that zones which tile a picture add up to its count. Needs NumPy, and Pillow for drawing.
"""

from __future__ import annotations

import itertools
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from crowdcount.errors import DataError
from crowdcount.grid import STRIDE, check_map, edges

Size = tuple[int, int]
ZoneSource = str | os.PathLike | Mapping | Sequence

# Coordinates that other programs wrote may miss the picture's border by a rounding error: this share of its
# size.
_SLACK = 1e-6
# Positions that all lie between these are no zone in pixels: a few pixels hold nobody.
_SMALL = (-1, 2)
# A polygon is a line where it is thinner than this share of its length.
_THINNEST = 1e-9
# Rows of pixels that are drawn at once: each further copy of 100 megapixels would fill 300 MB.
_ROWS = 256


@dataclass(frozen=True, eq=False)
class Zone:
    """A named part of a picture, bounded by a simple polygon.

    Args:
        name: what results are called by.
        polygon: corners [x, y] in order, either way round, shape (N, 2), N >= 3: x to the right and y down
            from the picture's upper left corner. The last may repeat the first, as in GeoJSON.
        fractions: whether the corners are fractions of the picture's width and height rather than pixels;
            `None` means that they are if all lie in 0..1.

    Raises:
        DataError: if the name is empty, or the polygon has fewer than three corners, numbers that are not
            finite, no area, a border that touches or crosses itself, or corners that are no fractions and in
            pixels span a few at most.

    Example:
        >>> Zone("left half", [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]).pixels((480, 640)).tolist()
        [[0.0, 0.0], [320.0, 0.0], [320.0, 480.0], [0.0, 480.0]]
    """

    name: str
    polygon: np.ndarray
    fractions: bool | None = None

    def __post_init__(self):
        if not isinstance(self.name, str) or not self.name.strip() or not self.name.isprintable():
            raise DataError(f"A zone needs a name on one line. Received: {shortened(self.name)}")
        what = f"The zone {self.name!r}"
        polygon = _corners(self.polygon, what)
        object.__setattr__(self, "fractions", are_fractions(polygon, self.fractions, what))
        polygon.flags.writeable = False
        object.__setattr__(self, "polygon", polygon)

    def pixels(self, size: Size) -> np.ndarray:
        """The corners on a picture.

        Args:
            size: (height, width) of the picture in pixels.

        Returns:
            float64 (N, 2), [x, y] in pixels.

        Raises:
            DataError: if a corner lies outside the picture.
        """
        return on_picture(self.polygon, self.fractions, size, f"The zone {self.name!r}")


def read_zones(source: ZoneSource, size: Size | None = None) -> list[Zone]:
    """Read zones from a JSON file, or from what such a file holds.

    Two forms are read: a list `[{"name": "stage", "polygon": [[x, y], ...]}, ...]`, and GeoJSON: a
    FeatureCollection, or one Feature, of Polygons without holes. Their names are the `"name"` in their
    properties, or else "zone 1", "zone 2" and so on; a third coordinate, the height, is left out. The
    coordinates are those of the picture (x to the right, y down), never of the earth: pixels, or fractions of
    the picture's width and height where all of a polygon's lie in 0..1. Zones may overlap.

    Args:
        source: path of a JSON file, its content (a list or a dict), or a list of `Zone`.
        size: (height, width) of the picture, to find out now whether a zone lies outside it.

    Returns:
        The zones in the order of the file.

    Raises:
        DataError: if the file cannot be read, holds no zone or two of one name, or a zone is not a simple
            polygon with an area, or lies outside the picture.

    Example:
        >>> halves = [{"name": "left", "polygon": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]},
        ...           {"name": "right", "polygon": [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]}]
        >>> [zone.name for zone in read_zones(halves, (480, 640))]
        ['left', 'right']
    """
    content, place = read_json(source, "zones")
    if isinstance(content, Mapping):
        zones = _zones_of_geojson(content, place)
    elif isinstance(content, Sequence) and not isinstance(content, (str, bytes)):
        zones = [_zone_of_entry(item, f"{place}, zone {number}") for number, item in enumerate(content, start=1)]
    else:
        raise DataError(f"{place} should be a list of zones. Received {shortened(content)}")
    if not zones:
        raise DataError(f"{place} holds no zone. Give at least one, with a name and a polygon.")
    names = set()
    for zone in zones:
        if zone.name in names:
            raise DataError(f"{place} has two zones named {zone.name!r}. Give each a name of its own.")
        names.add(zone.name)
        if size is not None:
            zone.pixels(size)
    return zones


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
    polygon = zone.pixels(size)
    if signed_area(polygon) > 0:
        polygon = polygon[::-1]
    row_edges, column_edges = (edges(side).astype(float) for side in size)
    heights, widths = np.diff(row_edges), np.diff(column_edges)
    # Green's theorem cell by cell: a piece of border that goes down by dy has dy x (distance to the cell's
    # right edge) of inside to its right in its own cell, and dy x (width) in every cell further right.
    own = np.zeros((heights.size, widths.size))
    further = np.zeros((heights.size, widths.size + 1))
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0)):
        cuts = np.sort(np.concatenate([[0.0, 1.0], _grid_cuts(x0, x1), _grid_cuts(y0, y1)]))
        x, y = x0 + cuts * (x1 - x0), y0 + cuts * (y1 - y0)
        dy, middle = np.diff(y), (x[1:] + x[:-1]) / 2
        # The middles of the pieces lie well inside their cells, or on the picture's border.
        row = np.clip((y[1:] + y[:-1]) / 2 // STRIDE, 0, heights.size - 1).astype(int)
        column = np.clip(middle // STRIDE, 0, widths.size - 1).astype(int)
        np.add.at(own, (row, column), dy * (column_edges[column + 1] - middle))
        np.add.at(further, (row, column + 1), dy)
    inside = own + np.cumsum(further[:, :-1], axis=1) * widths
    return np.clip(inside / np.outer(heights, widths), 0, 1)


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
    height, width = size
    return _inside([zone.pixels(size) for zone in zones], 0, height, width)


def draw_zones(picture: np.ndarray, zones: Iterable[Zone], counts: Mapping[str, float] | None = None) -> np.ndarray:
    """Draw zones on a picture: their borders and names, and the picture darkened outside them.

    Args:
        picture: uint8 RGB, shape (H, W, 3), as it is or with its density map over it.
        zones: the zones, in pixels or fractions.
        counts: zone's name -> people in it, written below the names.

    Returns:
        uint8 RGB, shape (H, W, 3).

    Raises:
        DataError: if a zone lies outside the picture.
    """
    from PIL import Image, ImageDraw

    from crowdcount.show.fonts import font

    height, width = picture.shape[:2]
    zones = list(zones)
    borders = [zone.pixels((height, width)) for zone in zones]
    shown = picture.copy()
    line = max(1, max(height, width) // 400)
    for start in range(0, height, _ROWS):
        rows = shown[start : start + _ROWS]
        outside = ~_inside(borders, start, start + len(rows), width)
        np.floor_divide(rows, 3, out=rows, where=outside[..., np.newaxis])
        image = Image.fromarray(rows)
        draw = ImageDraw.Draw(image)
        for border in borders:
            # Whole numbers: what meets at the edge of two parts is then rounded alike in both.
            corners = [(x, y - start) for x, y in border.astype(int).tolist()]
            draw.line([*corners, corners[0]], fill="white", width=line, joint="curve")
        rows[:] = image
    for zone, border in zip(zones, borders):
        text = zone.name if counts is None else f"{zone.name}\n{counts[zone.name]:.0f}"
        _write(shown, _label_place(border), text, font=font(max(10, max(height, width) // 45), text), stroke_width=line)
    return shown


# --- Reading ------------------------------------------------------------------------------------------------


def read_json(source: ZoneSource, what: str) -> tuple[object, str]:
    """What a source holds, and how messages call it."""
    if not isinstance(source, (str, os.PathLike)):
        return source, f"The {what}"
    place = f"The file of {what} {os.fspath(source)!r}"
    try:
        with open(source, encoding="utf-8-sig") as file:
            return json.load(file), place
    except OSError as error:
        raise DataError(f"{place} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place} is no JSON in UTF-8: {error}.") from error


def _zone_of_entry(item: object, where: str) -> Zone:
    if isinstance(item, Zone):
        return item
    if not isinstance(item, Mapping) or "name" not in item or "polygon" not in item:
        raise DataError(f'{where}: should be {{"name": ..., "polygon": [[x, y], ...]}}. Received {shortened(item)}')
    return _zone(item["name"], item["polygon"], where)


def _zones_of_geojson(content: Mapping, place: str) -> list[Zone]:
    features = [content] if content.get("type") == "Feature" else content.get("features")
    if content.get("type") not in ("Feature", "FeatureCollection") or not isinstance(features, list):
        raise DataError(
            f'{place} should be a list of {{"name": ..., "polygon": [[x, y], ...]}}, or a GeoJSON '
            f"FeatureCollection or Feature. Received {shortened(content)}"
        )
    given = [_name_of_feature(feature) for feature in features]
    free = (name for number in itertools.count(1) if (name := f"zone {number}") not in given)
    return [
        _zone_of_feature(feature, next(free) if name is None else name, f"{place}, zone {number}")
        for number, (feature, name) in enumerate(zip(features, given), start=1)
    ]


def _name_of_feature(feature: object) -> object:
    """The name that a feature has, whatever it is, or None."""
    properties = feature.get("properties") if isinstance(feature, Mapping) else None
    return properties.get("name") if isinstance(properties, Mapping) else None


def _zone_of_feature(feature: object, name: object, where: str) -> Zone:
    geometry = feature.get("geometry") if isinstance(feature, Mapping) else None
    kind = geometry.get("type") if isinstance(geometry, Mapping) else None
    if kind == "MultiPolygon":
        raise DataError(f"{where} ({name!r}): is a MultiPolygon. Make a feature of each of its polygons.")
    rings = geometry.get("coordinates") if kind == "Polygon" else None
    if not isinstance(rings, list):
        raise DataError(f'{where}: should be a Feature whose "geometry" is a Polygon. Received {shortened(feature)}')
    if len(rings) != 1:
        raise DataError(
            f"{where} ({name!r}): a polygon should have one ring. Received {len(rings)}; cut a "
            "polygon with holes into several without."
        )
    ring = rings[0]
    if isinstance(ring, list):
        ring = [corner[:2] if isinstance(corner, list) and len(corner) == 3 else corner for corner in ring]
    return _zone(name, ring, where)


def _zone(name: object, polygon: object, where: str) -> Zone:
    try:
        return Zone(name, polygon)
    except DataError as error:
        raise DataError(f"{where}: {error}") from error


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


def shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


# --- Geometry -----------------------------------------------------------------------------------------------


def _corners(polygon: object, what: str) -> np.ndarray:
    """The corners of a simple polygon with an area, each once."""
    corners = finite_numbers(polygon, 2, what, "[x, y]")
    if len(corners) > 1:
        corners = corners[(corners != np.roll(corners, -1, axis=0)).any(axis=1)]
    if len(corners) < 3:
        raise DataError(
            f"{what}: a polygon needs three corners or more, at different places. Received: {shortened(polygon)}"
        )
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
        others = slice(edge + 2, count - (edge == 0))
        near = ((low[others] <= high[edge]) & (high[others] >= low[edge])).all(axis=1)
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
    if not given and positions.min() >= low and positions.max() <= high:
        raise DataError(
            f"{what} covers a few pixels at most. Pixels must span more than {low}..{high}; fractions of the "
            f"picture's width and height must lie in 0..1. Received: {shortened(positions.tolist())}"
        )
    return bool(given)


def on_picture(positions: np.ndarray, fractions: bool, size: Size, what: str) -> np.ndarray:
    """The positions in pixels of the picture."""
    height, width = size
    pixels = positions * (width, height) if fractions else positions
    slack = _SLACK * max(size)
    outside = ((pixels < -slack) | (pixels > np.array([width, height]) + slack)).any(axis=1)
    if outside.any():
        x, y = positions[int(outside.argmax())]
        raise DataError(
            f"{what} lies outside the picture: x={x:g}, y={y:g}; the picture has {width}x{height} pixels. "
            "Give pixels of this picture, or fractions of its width and height from 0 to 1."
        )
    return np.clip(pixels, 0, (width, height))


def _inside(polygons: Iterable[np.ndarray], top: int, bottom: int, width: int) -> np.ndarray:
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


def _grid_cuts(start: float, end: float) -> np.ndarray:
    """Where between 0 and 1 on the way from start to end the edges of cells are crossed."""
    low, high = sorted((start, end))
    cuts = np.arange(math.floor(low / STRIDE) + 1, math.ceil(high / STRIDE)) * float(STRIDE)
    return (cuts - start) / (end - start) if cuts.size else cuts


def _write(shown: np.ndarray, place: tuple[float, float], text: str, *, font, stroke_width: int) -> None:
    """Write text around a place into a picture, in place: only what it covers is copied."""
    from PIL import Image, ImageDraw

    how = dict(font=font, anchor="mm", align="center", stroke_width=stroke_width)
    height, width = shown.shape[:2]
    left, top, right, bottom = ImageDraw.Draw(Image.new("RGB", (1, 1))).multiline_textbbox(place, text, **how)
    left, top = max(0, math.floor(left)), max(0, math.floor(top))
    right, bottom = min(width, math.ceil(right) + 1), min(height, math.ceil(bottom) + 1)
    covered = shown[top:bottom, left:right]
    image = Image.fromarray(covered)
    inside = (place[0] - left, place[1] - top)
    ImageDraw.Draw(image).multiline_text(inside, text, fill="white", stroke_fill="black", **how)
    covered[:] = image


def _label_place(corners: np.ndarray) -> tuple[float, float]:
    """A point well inside a polygon: the middle of its widest span halfway down."""
    y = (corners[:, 1].min() + corners[:, 1].max()) / 2
    ends = np.roll(corners, -1, axis=0)
    falls = (corners[:, 1] <= y) != (ends[:, 1] <= y)
    (x0, y0), (x1, y1) = corners[falls].T, ends[falls].T
    spans = np.sort(x0 + (y - y0) / (y1 - y0) * (x1 - x0)).reshape(-1, 2)
    left, right = spans[np.diff(spans).argmax()]
    return (left + right) / 2, y
