"""Mall (Chen et al., BMVC 2012): 2000 frames of one camera, `frames/seq_000001.jpg`, with all points in `mall_gt.mat`.

The first 800 frames are for training, the others for the test. The whole frame is counted.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from crowdcount.data.images import PICTURE_SUFFIXES
from crowdcount.data.readers.matlab import cells, open_mat
from crowdcount.data.records import Record, TellFault, files_by_number

_TRAINING = 800


def is_here(folder: Path) -> bool:
    """Whether a folder holds the points and the frames."""
    return (folder / "mall_gt.mat").is_file()


def read(folder: Path, half: str, tell: TellFault) -> list[Record] | None:
    """Read one half, named `Mall/seq_000001`."""
    if half == "val" or not (folder / "frames").is_dir():
        return None
    file = folder / "mall_gt.mat"
    try:
        with open_mat(file) as variable:
            points = cells(variable("frame"), "loc")
            counts = np.asarray(variable("count"), np.float64).ravel()
    except Exception as error:  # damaged files make SciPy raise a dozen unrelated exceptions
        tell(file, f"is not a readable annotation (frame with loc, count): {error!r}.")
        return []
    records, seen = [], set()
    for picture in files_by_number(folder / "frames", PICTURE_SUFFIXES):
        number = number_of(picture)
        if not 1 <= number <= len(points):
            tell(picture, f"has no annotation in {file.name}, which holds {len(points)} frames.")
            continue
        seen.add(number)
        heads = points[number - 1]
        if number <= len(counts) and counts[number - 1] != len(heads):
            tell(file, f"says that frame {number} has {counts[number - 1]:g} heads but holds {len(heads)} points.")
        if (number <= _TRAINING) == (half == "train"):
            records.append(Record(f"Mall/{picture.stem}", picture, heads, file, half, places=f"frame {number}"))
    if lost := sorted(set(range(1, len(points) + 1)) - seen):
        tell(file, f"{len(lost)} of its frames are missing: the first is {folder / 'frames'}/seq_{lost[0]:06d}.jpg.")
    return records


def number_of(picture: Path) -> int:
    """Number of a frame, or 0 for a file that is none."""
    digits = picture.stem.rsplit("_", 1)[-1]
    return int(digits) if digits.isdecimal() else 0


def is_val(record: Record) -> bool:
    """The last tenth of the training frames: neighbors in time are nearly the same picture."""
    return number_of(record.picture) > _TRAINING * 9 // 10
