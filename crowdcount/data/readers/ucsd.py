"""UCSD pedestrians (Chan et al., CVPR 2008): 2000 gray frames of one walkway, ten clips of 200.

The frames lie in `vidf/vidf1_33_000.y/vidf1_33_000_f001.png`, the points in `vidf1_33_000_frame_full.mat` (folder
`vidf-cvpr` or `gt/vidf`), the region of interest in `vidf1_33_roi_mainwalkway.mat` beside them. Frames 601 to 1400 are
for training, the others for the test; counted is inside the region.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from crowdcount.data.images import PICTURE_SUFFIXES
from crowdcount.data.readers.matlab import cells, open_mat
from crowdcount.data.records import Record, TellFault, files_by_number
from crowdcount.data.regions import Region

_CLIPS, _TRAINING = range(10), range(3, 7)
_FRAMES = ("vidf", "ucsdpeds/vidf", "video/vidf", "ucsdpeds/video/vidf")
_POINTS = ("vidf-cvpr", "ucsdpeds/vidf-cvpr", "gt/vidf", "vidf")


def is_here(folder: Path) -> bool:
    """Whether a folder holds frames and points of a clip."""
    return _place(folder, _FRAMES, "vidf1_33_*.y") is not None and _points_of(folder) is not None


def read(folder: Path, half: str, tell: TellFault) -> list[Record] | None:
    """Read one half, named `UCSD/vidf1_33_000_f001`."""
    if half == "val":
        return None
    frames, truths = _place(folder, _FRAMES, "vidf1_33_*.y"), _points_of(folder)
    assert frames is not None and truths is not None  # as `is_here` has found
    mask = truths / "vidf1_33_roi_mainwalkway.mat"
    roi: Region | None = Region(file=mask, read=_mask)
    if not mask.is_file():
        tell(mask, "the region of interest is missing; counted is inside it only.")
        roi = None
    records = []
    for clip in _CLIPS:
        if (clip in _TRAINING) != (half == "train"):
            continue
        place, file = frames / f"vidf1_33_{clip:03d}.y", truths / f"vidf1_33_{clip:03d}_frame_full.mat"
        if not place.is_dir() or not file.is_file():
            tell(file if place.is_dir() else place, "is missing: a clip has a folder of frames and a file of points.")
            continue
        try:
            points = _frames(file)
        except Exception as error:  # damaged files make SciPy raise a dozen unrelated exceptions
            tell(file, f"is not a readable annotation (frame with loc): {error!r}.")
            continue
        pictures = files_by_number(place, PICTURE_SUFFIXES)
        if len(pictures) != len(points):
            tell(file, f"has points for {len(points)} frames, but {place} holds {len(pictures)}.")
        records += [
            Record(f"UCSD/{picture.stem}", picture, heads, file, half, roi, places=f"frame {number}")
            for number, (picture, heads) in enumerate(zip(pictures, points, strict=False), start=1)
        ]
    return records or None


def is_val(record: Record) -> bool:
    """The last 80 of the 800 training frames: neighbors in time are nearly the same picture."""
    named = re.search(r"\d+$", record.picture.stem)  # of frames that somebody renamed their place counts
    frame = named[0] if named else record.places.removeprefix("frame ")
    return record.picture.parent.name == f"vidf1_33_{_TRAINING[-1]:03d}.y" and int(frame) > 120


def _place(folder: Path, names: tuple[str, ...], pattern: str) -> Path | None:
    return next((folder / name for name in names if any((folder / name).glob(pattern))), None)


def _points_of(folder: Path) -> Path | None:
    return _place(folder, _POINTS, "vidf1_33_*_frame_full.mat")


def _frames(file: Path) -> list[np.ndarray]:
    with open_mat(file) as variable:
        try:
            frames = variable("frame")
        except KeyError:
            frames = variable("fgt")["frame"][0, 0]
        return cells(frames, "loc")


def _mask(file: Path) -> np.ndarray:
    with open_mat(file) as variable:
        return variable("roi")["mask"][0, 0]
