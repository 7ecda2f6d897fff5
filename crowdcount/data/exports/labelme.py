"""LabelMe: one JSON file a picture, with `shapes`."""

from __future__ import annotations

from crowdcount.data.exports.entries import Pile
from crowdcount.data.exports.shapes import NoHead, pair
from crowdcount.data.records import Record, short


def is_labelme(content: object) -> bool:
    """Whether a JSON document is one of LabelMe."""
    return isinstance(content, dict) and isinstance(content.get("shapes"), list) and "imagePath" in content


def read(content: dict, pile: Pile) -> list[Record]:
    """Read the heads of one picture: points, circles (their middle) and rectangles (theirs)."""
    entry = pile.entry(content["imagePath"], "imagePath")
    if entry is None:
        return []
    pile.check_size(entry, content.get("imageWidth"), content.get("imageHeight"))
    for number, shape in enumerate(content["shapes"], start=1):
        where = f"shape {number}"
        shape = shape if isinstance(shape, dict) else {}
        kind, corners = shape.get("shape_type"), shape.get("points")
        try:
            places = [pair(point) for point in corners] if isinstance(corners, list) else []
            if kind == "point" and len(places) == 1 or kind == "circle" and len(places) == 2:
                place = places[0]  # of a circle the second is a point on it
            elif kind == "rectangle" and len(places) in (2, 4):
                opposite = places[len(places) // 2]
                place = (places[0][0] + opposite[0]) / 2, (places[0][1] + opposite[1]) / 2
            else:
                raise NoHead("only points, circles and rectangles mark a head")
        except NoHead as error:
            pile.tell(pile.file, f"{where}: {error}. Received {short(kind)} with {short(corners)}.")
            continue
        label = shape.get("label")
        entry.add(*place, label if isinstance(label, str) and label else None)
    return pile.records(sure=False)
