"""Pascal VOC: one XML file a picture, with boxes, and lists of the pictures of each split in `ImageSets/Main`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from crowdcount.data.exports.entries import SUBSETS, Pile
from crowdcount.data.exports.shapes import NoHead, middle, numbers
from crowdcount.data.records import Record, TellFault, numbered_lines, short


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


def with_listed_splits(records: list[Record], folder: Path, tell: TellFault) -> list[Record]:
    """The pictures with the splits that the lists in `ImageSets/Main` give: `train.txt`, `val.txt`, `test.txt`.

    Of one list alone all pictures are, or so it is taken: then the pictures have none.

    Args:
        records: of `Annotations`.
        folder: that holds `ImageSets`.
        tell: called with file and problem for each fault.
    """
    lists = {name: folder / "ImageSets" / "Main" / f"{name}.txt" for name in SUBSETS}
    lists = {name: file for name, file in lists.items() if file.is_file()}
    if len(lists) < 2:
        return records
    splits: dict[str, str] = {}
    for name, file in lists.items():
        for number, stem in numbered_lines(file, tell):
            if splits.setdefault(stem, SUBSETS[name]) != SUBSETS[name]:
                tell(file, f"line {number}: {stem!r} is in the list of the split {splits[stem]!r}, too.")
    return [replace(record, split=splits.get(record.source.stem)) for record in records]


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
