"""Pascal VOC: one XML file a picture, with boxes."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from crowdcount.data.exports.entries import Pile
from crowdcount.data.exports.shapes import NoHead, middle, numbers
from crowdcount.data.records import Record, TellFault, short


def read(root: ElementTree.Element, pile: Pile) -> list[Record]:
    """Read the boxes of one picture, each as its middle."""
    name = (root.findtext("filename") or "").strip() or f"{pile.file.stem}.jpg"
    entry = pile.entry(name, "filename")
    if entry is None:
        return []
    pile.check_size(entry, root.findtext("size/width"), root.findtext("size/height"))
    for number, item in enumerate(root.iter("object"), start=1):
        try:
            entry.add(*_middle(item), (item.findtext("name") or "").strip() or None)
        except NoHead as error:
            pile.tell(pile.file, f"object {number}: {error}.")
    return pile.records(sure=False)


def read_boxes(file: Path, tell: TellFault) -> np.ndarray | None:
    """Middles of all boxes in one file, float64 (N, 2), or None where it cannot be read."""
    try:
        root = ElementTree.parse(file).getroot()
        return np.array([_middle(item) for item in root.iter("object")], np.float64).reshape(-1, 2)
    except (OSError, ElementTree.ParseError, ValueError) as error:
        tell(file, f"is not a readable annotation (objects with bndbox): {short(str(error))}.")
        return None


def _middle(item: ElementTree.Element) -> tuple[float, float]:
    box = item.find("bndbox")
    if box is None:
        raise NoHead("has no bndbox")
    sides = {side: box.findtext(side) for side in ("xmin", "ymin", "xmax", "ymax")}
    left, top, right, bottom = numbers(sides, *sides)
    return middle(left, top, right - left, bottom - top)
