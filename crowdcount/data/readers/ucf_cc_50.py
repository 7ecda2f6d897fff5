"""UCF_CC_50 (Idrees et al., CVPR 2013): 50 gray pictures of dense crowds, and no split of their own.

The authors' folder holds `1.jpg` with `1_ann.mat`, which has the points as `annPoints`. Copies with one list hold
`images/ucf_1.jpg` and `points.csv`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from crowdcount.data.exports.table import read_table
from crowdcount.data.readers.matlab import read_points
from crowdcount.data.readers.pairs import read_pairs
from crowdcount.data.records import Record, TellFault

FOLDS = ("1", "2", "3", "4", "5")
_ANNOTATIONS = "[0-9]*_ann.mat"


def is_here(folder: Path) -> bool:
    """Whether a folder holds the pictures, in one of the two layouts. UCF-QNRF has `img_0001_ann.mat`."""
    return any(folder.glob(_ANNOTATIONS)) or (
        (folder / "points.csv").is_file() and any((folder / "images").glob("ucf_*.jpg"))
    )


def read(folder: Path, half: str, tell: TellFault) -> list[Record] | None:
    """Read all pictures, named `UCF_CC_50/ucf_1`."""
    if half != "train":
        return None
    if any(folder.glob(_ANNOTATIONS)):
        return read_pairs(
            folder,
            folder,
            "UCF_CC_50/ucf_",
            tell,
            stem_of=lambda name: name.removesuffix("_ann.mat") if name.endswith("_ann.mat") else None,
            file_of=lambda stem: f"{stem}_ann.mat",
            parse=read_points,
        )
    records = read_table(folder / "points.csv", tell)
    return [replace(record, name=f"UCF_CC_50/{record.picture.stem}") for record in records]


def fold_of(record: Record) -> str:
    """The fold in which a picture is tested, see `fold_of_stem`."""
    return fold_of_stem(record.picture.stem)


def fold_of_stem(stem: str) -> str:
    """The fold in which a picture is tested: pictures 1 to 10 in the first, 41 to 50 in the fifth.

    The authors draw five folds of ten pictures and publish no list; in the order of the pictures is what public
    code does that does not draw its own.
    """
    number = int("".join(character for character in stem if character.isdecimal()) or 0)
    return FOLDS[min(max(number - 1, 0) // 10, len(FOLDS) - 1)]
