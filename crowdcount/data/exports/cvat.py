"""CVAT for images: one XML file with all pictures; points, boxes and ellipses."""

from __future__ import annotations

from xml.etree import ElementTree

from crowdcount.data.exports.entries import SUBSETS, Entry, Pile
from crowdcount.data.exports.shapes import NoHead, middle, numbers, pair
from crowdcount.data.exports.unmarked import records_of
from crowdcount.data.records import Record, short


def read(root: ElementTree.Element, pile: Pile) -> list[Record]:
    """Read every picture; a shape of several points marks a head with each."""
    if root.find("track") is not None:
        pile.tell(pile.file, "holds tracks of a video. Export it as 'CVAT for images'.")
        return []
    for number, image in enumerate(root.iter("image"), start=1):
        where = f"image {number}"
        entry = pile.entry(image.get("name"), where, once=True)
        if entry is None:
            continue
        subset = image.get("subset", "").lower()
        if subset in SUBSETS:
            entry.split = SUBSETS[subset]
        pile.check_size(entry, image.get("width"), image.get("height"), where)
        for shape in image:
            _add(shape, entry, where, pile)
    return records_of(pile)


def _add(shape: ElementTree.Element, entry: Entry, where: str, pile: Pile) -> None:
    if shape.tag == "tag" or shape.get("outside") == "1":  # of the whole picture; beyond its border
        return
    try:
        if shape.tag == "points":
            places = [pair(point.split(",")) for point in shape.get("points", "").split(";")]
        elif shape.tag == "box":
            left, top, right, bottom = numbers(shape.attrib, "xtl", "ytl", "xbr", "ybr")
            places = [middle(left, top, right - left, bottom - top)]
        elif shape.tag == "ellipse":
            x, y = numbers(shape.attrib, "cx", "cy")
            places = [(x, y)]
        else:
            raise NoHead("only points, boxes and ellipses mark a head")
    except NoHead as error:
        pile.tell(pile.file, f"{where} ({entry.name!r}): {error}. Received {shape.tag} {short(dict(shape.attrib))}.")
        return
    for place in places:
        entry.add(*place, shape.get("label"))
