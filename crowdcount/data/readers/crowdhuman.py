"""CrowdHuman (Shao et al., 2018): boxes around people and their heads.

`annotation_train.odgt` and `annotation_val.odgt` hold one JSON object a line: `ID`, `gtboxes` with `hbox` (left, top,
width, height of the head); the pictures lie in `Images/ID.jpg`. A head is the middle of its box. Boxes that are to be
ignored (crowds of people too far to be told apart, reflections) are where nothing is counted. The test has no
annotations: the literature scores on the validation pictures.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from crowdcount.data.records import Record, TellFault, numbered_lines


def is_here(folder: Path) -> bool:
    """Whether a folder holds a list of annotations."""
    return any((folder / f"annotation_{half}.odgt").is_file() for half in ("train", "val"))


def read(folder: Path, half: str, tell: TellFault) -> list[Record] | None:
    """Read one half, named `CrowdHuman/273271,c9db000d5146c15`."""
    lines = folder / f"annotation_{half}.odgt"
    if half == "test" or not lines.is_file():
        return None
    places = [place for place in (folder / "Images", *sorted(folder.glob("CrowdHuman_*/Images"))) if place.is_dir()]
    records = []
    for number, line in numbered_lines(lines, tell):
        try:
            content = json.loads(line)
            name = content["ID"]
            if not isinstance(name, str):
                raise TypeError(f"ID should be a text, not {name!r}")
            heads, ignored = _heads(content["gtboxes"])
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            tell(lines, f"line {number}: is not a readable annotation (ID, gtboxes with hbox): {error!r}.")
            continue
        picture = next((place / f"{name}.jpg" for place in places if (place / f"{name}.jpg").is_file()), None)
        if picture is None:
            tell(lines, f"line {number} ({name!r}): the picture is missing: looked for {folder / 'Images' / name}.jpg.")
            continue
        place = f"line {number}"
        records.append(Record(f"CrowdHuman/{name}", picture, heads, lines, half, ignore=ignored, places=place))
    return records


def _heads(boxes: list[dict]) -> tuple[np.ndarray, np.ndarray]:
    """Middles of the heads (N, 2), and the boxes to ignore (M, 4)."""
    heads, ignored = [], []
    for box in boxes:
        attributes = box.get("head_attr") or {}
        if box.get("tag") != "person" or (box.get("extra") or {}).get("ignore") == 1:
            left, top, width, height = map(float, box.get("fbox") or box["hbox"])
            ignored.append([left, top, left + width, top + height])
        elif attributes.get("ignore") != 1:
            left, top, width, height = map(float, box["hbox"])
            heads.append([left + width / 2, top + height / 2])
    points, areas = np.reshape(heads, (-1, 2)), np.reshape(ignored, (-1, 4))
    if not (np.isfinite(points).all() and np.isfinite(areas).all()):
        raise ValueError("a box is not finite")
    return points, areas
