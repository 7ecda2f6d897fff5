"""The package's own JSON, one object with the list `pictures`, and what is near it: JSON lines, NWPU-Crowd's files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from crowdcount.data.exports.entries import Entry, Pile, set_split
from crowdcount.data.exports.shapes import NoHead, numbers, pair
from crowdcount.data.records import Record, short


def listed(content: object) -> list | None:
    """The entries of the pictures, if a JSON document is of this kind: None otherwise."""
    if isinstance(content, dict):
        if isinstance(content.get("pictures"), list):
            return content["pictures"]
        if "points" in content and _name_of(content) is not None:
            return [content]
        if content and all(isinstance(value, list) and _are_points(value) for value in content.values()):
            return [{"picture": name, "points": points} for name, points in content.items()]
    if isinstance(content, list) and content and all(isinstance(item, dict) and "points" in item for item in content):
        return content
    return None


def _are_points(value: list) -> bool:
    return all(isinstance(point, (list, dict)) and len(point) == 2 for point in value)


def _name_of(item: Mapping) -> object:
    return next((item[key] for key in ("picture", "image", "img_id", "file_name", "filename") if key in item), None)


def read(items: list, pile: Pile, unit: str | None = None) -> list[Record]:
    """Read the entries: `picture`, `points`, and if they are there `count`, `split`, `ignore`, `roi` and `labels`.

    Args:
        items: the entries.
        pile: takes them.
        unit: of the points, where the file says it.
    """
    without_split = []
    for number, item in enumerate(items, start=1):
        name = _name_of(item) if isinstance(item, dict) else None
        if not isinstance(name, str) or not name.strip():
            problem = "should be an object with the name of a picture"
            pile.tell(pile.file, f"entry {number}: {problem}. Received {short(item)}.")
            continue
        where = f"entry {number}"
        entry = pile.entry(name, where, once=True)
        if entry is None:
            continue
        where += f" ({entry.name!r})"
        if "split" in item:
            set_split(entry, item["split"], pile, where)
        else:
            without_split.append(entry.name)
        _read_points(item, entry, where, pile)
        _read_regions(item, entry, where, pile)
    if 0 < len(without_split) < len(pile.entries):
        pile.tell(pile.file, f'{without_split[0]!r} has no "split", others have: give every entry one, or none.')
    return pile.records(unit=unit)


def _read_points(item: Mapping, entry: Entry, where: str, pile: Pile) -> None:
    points = item.get("points")
    if not isinstance(points, list):
        pile.tell(pile.file, f'{where}: should have "points", a list of [x, y]. Received {short(points)}.')
        return
    for point in points:
        try:
            label = point.get("label") if isinstance(point, Mapping) else None
            entry.add(*pair(point), label if isinstance(label, str) else None)
        except NoHead:
            pile.tell(pile.file, f"{where}: a point should be two finite numbers. Received {short(point)}.")
    count = item.get("count", item.get("human_num"))
    if count is not None and (isinstance(count, bool) or count != len(points)):
        pile.tell(pile.file, f"{where}: says that it has {short(count)} heads but holds {len(points)} points.")


def _read_regions(item: Mapping, entry: Entry, where: str, pile: Pile) -> None:
    """Boxes in which nothing is counted, polygons of what is counted, and labels of the picture."""
    try:
        for box in item.get("ignore") or []:
            entry.ignore.append(_box(box))
        for polygon in item.get("roi") or []:
            corners = np.array([pair(point) for point in polygon])
            if len(corners) < 3:
                raise NoHead(f"the polygon {polygon} has less than 3 corners")
            entry.roi.append(corners)
    except (NoHead, TypeError, ValueError) as error:
        pile.tell(
            pile.file,
            f'{where}: "ignore" should be a list of [left, top, right, bottom], "roi" of polygons: '
            f"{short(str(error))}.",
        )
    labels = item.get("labels")
    if isinstance(labels, dict):
        entry.described = {str(key): str(value) for key, value in labels.items()}


def _box(box: Any) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a box, given as these or by its corners.

    Raises:
        NoHead: if it is none.
    """
    if isinstance(box, list) and box and isinstance(box[0], (list, dict)):  # the page for dotting writes corners
        corners = np.array([pair(corner) for corner in box])
        (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
        if (
            len(corners) != 4
            or not (np.isin(corners[:, 0], (left, right)) & np.isin(corners[:, 1], (top, bottom))).all()
        ):
            raise NoHead("a polygon whose sides are not upright is no box")
        return float(left), float(top), float(right), float(bottom)
    left, top, right, bottom = numbers(dict(zip("abcd", box, strict=True)), *"abcd")
    if right < left or bottom < top:
        raise NoHead(f"the box {box} ends before it begins")
    return left, top, right, bottom
