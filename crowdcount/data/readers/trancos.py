"""TRANCOS (Guerrero-Gomez-Olmedo et al., IbPRIA 2015): vehicles in traffic jams, each picture with its region.

`images/image-1-000001.jpg`, its dots as red pixels in `image-1-000001dots.png`, its region as `BW` in
`image-1-000001mask.mat`; the lists `training.txt`, `validation.txt` and `test.txt` in `image_sets`. Scored by GAME.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from crowdcount.data.images import load_picture
from crowdcount.data.readers.matlab import open_mat
from crowdcount.data.records import Record, TellFault, numbered_lines
from crowdcount.data.regions import Region
from crowdcount.errors import PictureError

_LISTS = {"train": "training.txt", "val": "validation.txt", "test": "test.txt"}


def is_here(folder: Path) -> bool:
    """Whether a folder holds the lists and the pictures."""
    return (folder / "image_sets").is_dir() and any((folder / "images").glob("*dots.png"))


def read(folder: Path, half: str, tell: TellFault) -> list[Record] | None:
    """Read the pictures of one list, named `TRANCOS/image-1-000001`."""
    lines = folder / "image_sets" / _LISTS[half]
    if not lines.is_file():
        return None
    records = []
    for number, line in numbered_lines(lines, tell):
        picture = folder / "images" / line
        dots, mask = (picture.with_name(f"{picture.stem}{end}") for end in ("dots.png", "mask.mat"))
        lost = next((file for file in (picture, dots, mask) if not file.is_file()), None)
        if lost is not None:
            tell(lines, f"line {number} ({line!r}): {lost} is missing.")
            continue
        try:
            marked = load_picture(dots).any(axis=2)
        except PictureError as error:
            tell(dots, str(error).removeprefix(f"{str(dots)!r} "))
            continue
        y, x = np.nonzero(marked)
        points = np.stack([x, y], axis=1) + 0.5  # the middles of the pixels that are dotted
        roi = Region(file=mask, read=_mask)
        records.append(Record(f"TRANCOS/{picture.stem}", picture, points, dots, half, roi))
    return records


def _mask(file: Path) -> np.ndarray:
    with open_mat(file) as variable:
        return variable("BW")
