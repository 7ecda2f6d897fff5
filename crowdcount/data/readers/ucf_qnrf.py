"""UCF-QNRF (Idrees et al., ECCV 2018): `Train/img_0001.jpg` with `Train/img_0001_ann.mat`, and the same in `Test`."""

from __future__ import annotations

from pathlib import Path

from crowdcount.data.readers.matlab import read_points
from crowdcount.data.readers.pairs import read_pairs
from crowdcount.data.records import Record, TellFault

_HALVES = {"train": "Train", "test": "Test"}
_SUFFIX = "_ann.mat"


def is_here(folder: Path) -> bool:
    """Whether a folder holds `Train` or `Test` with its annotations."""
    return any(any((folder / half).glob(f"img_*{_SUFFIX}")) for half in _HALVES.values())


def read(folder: Path, half: str, tell: TellFault) -> list[Record] | None:
    """Read one half, named `UCF-QNRF/Train/img_0001`."""
    if half not in _HALVES or not (folder / _HALVES[half]).is_dir():
        return None
    place = folder / _HALVES[half]
    return read_pairs(
        place,
        place,
        f"UCF-QNRF/{place.name}/",
        tell,
        stem_of=lambda name: name.removesuffix(_SUFFIX) if name.endswith(_SUFFIX) else None,
        file_of=lambda stem: f"{stem}{_SUFFIX}",
        parse=read_points,
        split=half,
    )
