"""Zones from files: a list of polygons, GeoJSON, and what annotation tools save."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from crowdcount.area.geometry import Size, finite_numbers, in_unit, shortened
from crowdcount.area.zones import Zone
from crowdcount.data import documents
from crowdcount.data.exports.via import label_of
from crowdcount.errors import DataError

# In pixels: no format of pictures holds more.
LONGEST_SIDE = 2**31 - 1
# The word in a key: unit, ground_unit, lengthUnit, UNITS; not in community.
_UNIT = re.compile(r"(?<![A-Za-z])(unit|UNIT)[sS]?(?![A-Za-z])|Units?(?![a-z])")

ZoneSource = str | os.PathLike | Mapping | Sequence


def read_zones(source: ZoneSource, size: Size | None = None) -> list[Zone]:
    """Read zones from a JSON file, or from what such a file holds.

    Read are a list `[{"name": "stage", "polygon": [[x, y], ...]}, ...]` or one such entry; a list of polygons without
    names; GeoJSON, a FeatureCollection or one Feature of Polygons, with holes or without; and what LabelMe (polygons
    and rectangles), the VGG Image Annotator (polygons and rectangles) and `supervision` (a list of polygons) save. A
    zone without a name is called "zone 1", "zone 2" and so on; a third coordinate, the height, is left out. The
    coordinates are those of the picture (x to the right, y down), never of the earth: pixels, or fractions of the
    picture's width and height where all of a polygon's lie in 0..1. An entry's `"unit"` says it instead: "pixels",
    "fractions" or "percent"; its `"holes"` are polygons that do not belong to the zone. Zones may overlap.

    LabelMe's files and those of `select_zones` say the size of the picture that the zones were drawn on (in an entry
    `"width"` and `"height"`). They are then moved to the same places of a smaller or larger copy; a picture whose
    sides are in another proportion is refused where they are put on it.

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
    zones = _named(list(_entries(content, place)), place)
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


def read_json(source: ZoneSource, what: str) -> tuple[object, str]:
    """What a source holds, and how messages call it."""
    if not isinstance(source, (str, os.PathLike)):
        return source, f"The list of {what}"
    place = f"The file of {what} {os.fspath(source)!r}"
    try:
        with open(source, encoding="utf-8-sig") as file:
            return documents.parse(file.read()), place
    except OSError as error:
        raise DataError(f"{place} cannot be read: {error.strerror or error}.") from error
    except documents.NamedTwice as error:
        raise DataError(f"{place}: {error}. Only one of the two would be read: leave one out.") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place} is no JSON in UTF-8: {error}.") from error


@dataclass(frozen=True)
class _Entry:
    """A zone of a file: its name, None where it has none, its border, its holes, the unit that it names, and the size
    of the picture whose pixels they are, None where nothing says it."""

    where: str
    name: object
    polygon: object
    holes: Sequence = ()
    unit: object = None
    drawn_on: Size | None = None


def _entries(content: object, place: str) -> Iterator[Zone | _Entry]:
    """The zones of a file, told apart by what is in it."""
    if isinstance(content, Mapping):
        yield from _of_object(content, place)
        return
    if not isinstance(content, Sequence) or isinstance(content, (str, bytes)):
        raise DataError(f"{place} should be a list of zones. Received {shortened(content)}")
    for number, item in enumerate(content, start=1):
        where = f"{place}, zone {number}"
        if isinstance(item, Zone):
            yield item
        elif isinstance(item, Mapping) and "polygon" in item:
            yield _own(item, where)
        elif isinstance(item, Sequence) and not isinstance(item, (str, bytes)):
            yield _Entry(where, None, item)
        else:
            raise DataError(f'{where}: should be {{"name": ..., "polygon": [[x, y], ...]}}. Received {shortened(item)}')


def _of_object(content: Mapping, place: str) -> Iterator[_Entry]:
    if "polygon" in content:
        yield _own(content, place)
    elif isinstance(content.get("shapes"), list):
        yield from _of_labelme(content["shapes"], place, stated_size(content, "imageWidth", "imageHeight", place))
    elif "_via_img_metadata" in content or _is_via(content):
        yield from _of_via(content.get("_via_img_metadata", content), place)
    else:
        yield from _of_geojson(content, place)


def _own(item: Mapping, where: str) -> _Entry:
    """An entry of our own form. Pixels alone are those of a picture, fractions and percent of each."""
    size, unit = stated_size(item, "width", "height", where), stated_unit(item, where)
    unit = "pixels" if size and unit is None else unit
    holes = item.get("holes") or ()
    if not isinstance(holes, Sequence) or isinstance(holes, str):
        raise DataError(f"{where}: holes should be a list of polygons. Received {shortened(holes)}")
    return _Entry(where, item.get("name"), item["polygon"], holes, unit, size if unit == "pixels" else None)


def stated_unit(content: Mapping, where: str) -> object:
    """The unit of the places in a picture, where a file says it; another key that seems to say one is refused."""
    other = next((key for key in content if isinstance(key, str) and key != "unit" and _UNIT.search(key)), None)
    if other is not None:
        raise DataError(
            f'{where}: {other!r} is not read. "unit" tells what places in the picture are in ("pixels", "fractions" or '
            f'"percent"); those on the ground are in meters. Received: {shortened(content[other])}'
        )
    return content.get("unit")


def stated_size(content: Mapping, width: str, height: str, where: str) -> Size | None:
    """The size of the picture that corners or points are pixels of, where a file says it."""
    wide, high = content.get(width), content.get(height)
    if wide is None and high is None:
        return None
    if type(wide) is not int or type(high) is not int or min(wide, high) < 1 or max(wide, high) > LONGEST_SIDE:
        raise DataError(
            f"{where}: {width} and {height} should be those of the picture that was drawn on, in pixels. "
            f"Received: {width}={shortened(wide)}, {height}={shortened(high)}"
        )
    return high, wide


def _of_labelme(shapes: list, place: str, size: Size | None) -> Iterator[_Entry]:
    for number, shape in enumerate(shapes, start=1):
        where = f"{place}, shape {number}"
        if not isinstance(shape, Mapping):
            raise DataError(f'{where}: should be an object with "label" and "points". Received {shortened(shape)}')
        kind, points = shape.get("shape_type", "polygon"), shape.get("points")
        if kind == "rectangle" and isinstance(points, list) and len(points) == 2:
            points = _rectangle(*finite_numbers(points, 2, where, "[x, y]").ravel().tolist())
        elif kind not in ("polygon", "rectangle"):  # of a rectangle some programs write all four corners
            raise DataError(f"{where}: a zone is a polygon or a rectangle. Received: shape_type={shortened(kind)}")
        yield _Entry(where, shape.get("label"), points, unit="pixels", drawn_on=size)


def _is_via(content: object) -> TypeGuard[Mapping[str, Mapping]]:
    """Whether it is pictures by their names, each with its regions: a list, or an object of older versions."""
    return (
        isinstance(content, Mapping)
        and bool(content)
        and all(
            isinstance(item, Mapping) and isinstance(item.get("regions"), (list, Mapping)) for item in content.values()
        )
    )


def _of_via(pictures: object, place: str) -> Iterator[_Entry]:
    if not _is_via(pictures):
        raise DataError(
            f"{place}: _via_img_metadata should hold pictures with their regions. Received {shortened(pictures)}"
        )
    drawn = [item for item in pictures.values() if item["regions"]]
    if len(drawn) > 1:
        names = ", ".join(shortened(item.get("filename")) for item in drawn[:3])
        raise DataError(
            f"{place} has zones on {len(drawn)} pictures ({names}). Save those of one camera's picture alone."
        )
    for item in drawn:
        listed = item["regions"].values() if isinstance(item["regions"], Mapping) else item["regions"]
        regions = [region if isinstance(region, Mapping) else {} for region in listed]
        # Whoever draws chooses what attributes are called. What several regions have is their kind and no name.
        labels = [label_of(region.get("region_attributes")) for region in regions]
        for number, (region, label) in enumerate(zip(regions, labels), start=1):
            where = f"{place}, region {number}"
            shape, attributes = region.get("shape_attributes"), region.get("region_attributes")
            shape = shape if isinstance(shape, Mapping) else {}
            name = attributes.get("name") if isinstance(attributes, Mapping) else None
            name = name or (label if labels.count(label) == 1 else None)
            if shape.get("name") in ("polygon", "polyline") and isinstance(shape.get("all_points_x"), list):
                polygon = _paired(shape["all_points_x"], shape.get("all_points_y"), where)
            elif shape.get("name") == "rect":
                sides = [shape.get(key) for key in ("x", "y", "width", "height")]
                x, y, width, height = finite_numbers([sides], 4, where, "x, y, width, height")[0].tolist()
                polygon = _rectangle(x, y, x + width, y + height)
            else:
                raise DataError(f"{where}: a zone is a polygon or a rectangle. Received {shortened(shape)}")
            yield _Entry(where, name, polygon, unit="pixels")


def _paired(xs: list, ys: object, where: str) -> list[list]:
    if not isinstance(ys, list) or len(xs) != len(ys):
        raise DataError(f"{where}: should have as many all_points_y as all_points_x. Received {shortened(ys)}")
    return [list(corner) for corner in zip(xs, ys)]


def _rectangle(left: float, top: float, right: float, bottom: float) -> list[list[float]]:
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def _of_geojson(content: Mapping, place: str) -> Iterator[_Entry]:
    features = [content] if content.get("type") == "Feature" else content.get("features")
    if content.get("type") not in ("Feature", "FeatureCollection") or not isinstance(features, list):
        raise DataError(
            f'{place} should be a list of {{"name": ..., "polygon": [[x, y], ...]}}, or a GeoJSON '
            f"FeatureCollection or Feature. Received {shortened(content)}"
        )
    for number, feature in enumerate(features, start=1):
        where = f"{place}, zone {number}"
        properties = feature.get("properties") if isinstance(feature, Mapping) else None
        name = properties.get("name") if isinstance(properties, Mapping) else None
        geometry = feature.get("geometry") if isinstance(feature, Mapping) else None
        geometry = geometry if isinstance(geometry, Mapping) else {}
        if geometry.get("type") == "MultiPolygon":
            raise DataError(f"{where} ({name!r}): is a MultiPolygon. Make a feature of each of its polygons.")
        rings = geometry.get("coordinates") if geometry.get("type") == "Polygon" else None
        if not isinstance(rings, list) or not rings:
            raise DataError(
                f'{where}: should be a Feature whose "geometry" is a Polygon. Received {shortened(feature)}'
            )
        border, *holes = ([_flat(corner) for corner in ring] if isinstance(ring, list) else ring for ring in rings)
        yield _Entry(where, name, border, tuple(holes))


def _flat(corner: object) -> object:
    """A corner without its third coordinate, the height."""
    return corner[:2] if isinstance(corner, list) and len(corner) == 3 else corner


def _named(entries: Sequence[Zone | _Entry], place: str) -> list[Zone]:
    given = {str(entry.name).strip() for entry in entries if entry.name is not None}
    free = (name for number in itertools.count(1) if (name := f"zone {number}") not in given)
    return [entry if isinstance(entry, Zone) else _zone(entry, free) for entry in entries]


def _zone(entry: _Entry, free: Iterator[str]) -> Zone:
    # Whole numbers are names in spreadsheets; anything else that is no text is refused by `Zone`.
    name = str(entry.name) if type(entry.name) is int else entry.name
    name = next(free) if name is None else name
    name = name.strip() if isinstance(name, str) else name  # a space too many makes no other zone
    try:
        rings = [in_unit(ring, entry.unit, 2, f"The zone {name!r}", "[x, y]") for ring in (entry.polygon, *entry.holes)]
        (border, fractions), *holes = rings
        return Zone(name, border, fractions, [hole for hole, _ in holes], entry.drawn_on)  # type: ignore[arg-type]  # checked there
    except DataError as error:
        raise DataError(f"{entry.where}: {error}") from error
