"""Folders of pictures with one CSV file of points, and folders of pictures that hold nobody."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from crowdcount.data.exports.table import read_table
from crowdcount.data.images import PICTURE_SUFFIXES
from crowdcount.data.records import Record, TellFault, files_by_number, own_name


def is_brt(folder: Path) -> bool:
    """Whether a folder holds frames of Beijing-BRT with one list of points."""
    return (folder / "points.csv").is_file() and any((folder / "images").glob("brt_*"))


def read_brt(folder: Path, half: str, tell: TellFault) -> list[Record] | None:
    """Read the frames that the folder's `points.csv` names, as `BRT/brt_1-20160620091226.jpg`."""
    if half != "train":
        return None
    records = read_table(folder / "points.csv", tell)
    return [replace(record, name=f"BRT/{record.picture.name}") for record in records]


def read_nobody(folder: Path, half: str, tell: TellFault) -> list[Record] | None:
    """Read every picture of a folder, each with no head in it, named by the folder: `nobody/100007`.

    Where two differ in their suffix alone, their names have it too.
    """
    del tell  # a picture without annotation is what is asked for
    if half != "train":
        return None
    pictures = files_by_number(folder, PICTURE_SUFFIXES)
    times = Counter(picture.stem for picture in pictures)
    names = [picture.stem if times[picture.stem] == 1 else picture.name for picture in pictures]
    return [
        Record(f"{own_name(folder)}/{name}", picture, np.zeros((0, 2)), picture)
        for name, picture in zip(names, pictures)
    ]
