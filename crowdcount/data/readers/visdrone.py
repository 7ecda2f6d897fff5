"""Crowds from drones: the counting challenge of VisDrone 2020, and DroneCrowd (Wen et al., CVPR 2021).

The challenge: `sequences/00001/00001.jpg`, `annotations/00001.txt` (a line a head: frame, x, y), `trainlist.txt` and
`testlist.txt` with the names of the sequences. DroneCrowd: `train_data/images/img001001.jpg` with
`train_data/ground_truth/GT_img001001.mat`, the same in `val_data` and `test_data`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path

from crowdcount.data.dividing import hashed_split
from crowdcount.data.images import PICTURE_SUFFIXES
from crowdcount.data.readers.shanghaitech import read_half
from crowdcount.data.records import Record, TellFault, check_points, files_by_number, numbered_lines

_LISTS = {"train": "trainlist.txt", "test": "testlist.txt"}


def is_challenge(folder: Path) -> bool:
    """Whether a folder holds the sequences and annotations of the challenge."""
    return (folder / "sequences").is_dir() and (folder / "annotations").is_dir()


def read_challenge(folder: Path, half: str, tell: TellFault) -> list[Record] | None:
    """Read the sequences of one list, named `VisDrone/00001/00001`, with the label `sequence`."""
    if half not in _LISTS or not (folder / _LISTS[half]).is_file():
        return None
    lines = folder / _LISTS[half]
    records = []
    for number, sequence in numbered_lines(lines, tell):
        file, place = folder / "annotations" / f"{sequence}.txt", folder / "sequences" / sequence
        if not file.is_file() or not place.is_dir():
            lost = file if place.is_dir() else place
            tell(lines, f"line {number} ({sequence!r}): {lost} is missing.")
            continue
        heads = _heads(file, tell)
        for picture in files_by_number(place, PICTURE_SUFFIXES):
            points = check_points(heads.pop(int(picture.stem), []) if picture.stem.isdecimal() else [])
            labels = {"sequence": sequence}
            records.append(Record(f"VisDrone/{sequence}/{picture.stem}", picture, points, file, half, labels=labels))
        for frame in heads:
            tell(file, f"has heads in frame {frame}, which is missing in {place}.")
    return records


def is_val(record: Record) -> bool:
    """About a tenth of the training sequences: frames of one flight are much alike."""
    return hashed_split(record.labels["sequence"]) == "val"


def is_dronecrowd(folder: Path) -> bool:
    """Whether a folder holds a half of DroneCrowd."""
    return any(any((folder / f"{half}_data" / "images").glob("img[0-9]*.jpg")) for half in ("train", "val", "test"))


def read_dronecrowd(folder: Path, half: str, tell: TellFault) -> list[Record] | None:
    """Read one half, named `DroneCrowd/train/img001001`."""
    place = folder / f"{half}_data"
    return read_half(place, f"DroneCrowd/{half}/", tell, half) if place.is_dir() else None


def _heads(file: Path, tell: TellFault) -> dict[int, list]:
    heads = defaultdict(list)
    for number, line in numbered_lines(file, tell):
        try:
            frame, x, y = (float(value) for value in line.split(","))
        except ValueError:
            frame = x = y = math.nan
        if not all(map(math.isfinite, (frame, x, y))) or frame != int(frame):
            tell(file, f"line {number}: should be frame, x, y. Received {line!r}.")
            continue
        heads[int(frame)].append([x, y])
    return heads
