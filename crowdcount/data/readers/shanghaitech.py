"""ShanghaiTech, parts A and B (Zhang et al., CVPR 2016).

`part_A/train_data/images/IMG_1.jpg` with `part_A/train_data/ground-truth/GT_IMG_1.mat`, the same in `test_data`, and
in `part_B`. Copies in the wild also write `part_A_final` and `ground_truth`.
"""

from __future__ import annotations

from pathlib import Path

from crowdcount.data.readers.matlab import read_points
from crowdcount.data.readers.pairs import read_pairs
from crowdcount.data.records import Record, TellFault, own_name

HALVES = {"train": "train_data", "test": "test_data"}
TRUTHS = ("ground-truth", "ground_truth")


def read(folder: Path, half: str, tell: TellFault) -> list[Record] | None:
    """Read one half of a part, named `part_A/IMG_1`, in the test half `part_A/test/IMG_1`."""
    if half not in HALVES or not (folder / HALVES[half]).is_dir():
        return None
    part = own_name(folder).removesuffix("_final")
    return read_half(folder / HALVES[half], f"{part}/test/" if half == "test" else f"{part}/", tell, half)


def read_half(folder: Path, prefix: str, tell: TellFault, split: str | None = None) -> list[Record]:
    """Read the pictures and annotations in one half, `train_data` or `test_data`.

    Args:
        folder: holds `images` and `ground-truth` (or `ground_truth`).
        prefix: what comes before the picture's name in the name of the record.
        tell: called with file and problem for each fault.
        split: of these pictures.
    """
    images = folder / "images"
    truths = [folder / name for name in TRUTHS if (folder / name).is_dir()]
    if not images.is_dir():
        tell(images, "this folder is missing; it should hold the pictures.")
        return []
    if not truths:
        tell(folder / TRUTHS[0], "this folder is missing; it should hold the annotations.")
        return []
    return read_pairs(
        images,
        truths[0],
        prefix,
        tell,
        stem_of=lambda name: name[: -len(".mat")].removeprefix("GT_"),
        file_of=lambda stem: f"GT_{stem}.mat",
        parse=read_points,
        split=split,
    )


def is_part(folder: Path, part: str) -> bool:
    """Whether a folder is that of part `"A"` or `"B"`, by the names that copies of it have; or is to be it, and empty.

    Density maps lie in folders of these names, too.
    """
    if own_name(folder) not in (f"part_{part}", f"part_{part}_final"):
        return False
    return any((folder / half).is_dir() for half in HALVES.values()) or not any(folder.iterdir())
