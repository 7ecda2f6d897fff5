"""NWPU-Crowd (Wang et al., TPAMI 2020).

`train.txt`, `val.txt` and `test.txt` list the pictures, a line each: number, luminance, level of the scene. They lie
in `images` (or `images_part1` to `images_part5`), the annotations in `jsons/0001.json`; those of the test are not
published.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from crowdcount.data.readers.levels import level_of
from crowdcount.data.records import Record, TellFault, check_points, numbered_lines

_LEVELS = (0, 100, 500, 5000)  # S0 nobody, S1 up to 100, ..., S4 above 5000


def is_here(folder: Path) -> bool:
    """Whether a folder holds the annotations and the lists."""
    return (folder / "jsons").is_dir() and any((folder / f"{half}.txt").is_file() for half in ("train", "val"))


def read(folder: Path, half: str, tell: TellFault) -> list[Record] | None:
    """Read the pictures of one list, named `NWPU/0001`, with the labels `level` and `luminance`."""
    lines = folder / f"{half}.txt"
    if half == "test" or not lines.is_file():
        return None
    pictures = {
        picture.stem: picture for place in sorted(folder.glob("images*")) for picture in sorted(place.glob("*.jpg"))
    }
    records = []
    for number, line in numbered_lines(lines, tell):
        stem, *luminance = line.split()[:2]
        if stem not in pictures:
            tell(lines, f"line {number} ({stem!r}): the picture is missing: looked for {folder}/images/{stem}.jpg.")
            continue
        file = folder / "jsons" / f"{stem}.json"
        points = _points(file, tell)
        if points is not None:
            labels = {"level": f"S{level_of(len(points), _LEVELS)}"}
            if luminance:
                labels["luminance"] = luminance[0]
            records.append(Record(f"NWPU/{stem}", pictures[stem], points, file, half, labels=labels))
    return records


def _points(file: Path, tell: TellFault) -> np.ndarray | None:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        points = check_points(content["points"])
        number = int(content["human_num"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        tell(file, f"is not a readable annotation (points, human_num): {error!r}.")
        return None
    if number != len(points):
        tell(file, f"says that it has {number} heads but holds {len(points)} points.")
    return points
