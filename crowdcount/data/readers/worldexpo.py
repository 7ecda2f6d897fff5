"""WorldExpo'10 (Zhang et al., CVPR 2015): frames of 108 cameras, each with a region of interest.

`train_frame` holds the frames of 103 scenes (some copies: a folder a scene), `train_label/104207` their points (`.mat`
files of the frames' names) and `roi.mat`; `test_frame/104207` and `test_label/104207` hold the five test scenes.
Counted is inside the region, and the error is the mean of the five scenes' MAE.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from crowdcount.data.dividing import hashed_split
from crowdcount.data.images import PICTURE_SUFFIXES
from crowdcount.data.readers.matlab import open_mat
from crowdcount.data.records import Record, TellFault, files_by_number
from crowdcount.data.regions import Region

_ROI = "roi.mat"


def is_here(folder: Path) -> bool:
    """Whether a folder holds frames with their labels."""
    return any(
        (folder / f"{half}_label").is_dir() and (folder / f"{half}_frame").is_dir() for half in ("train", "test")
    )


def read(folder: Path, half: str, tell: TellFault) -> list[Record] | None:
    """Read one half, named `WorldExpo/104207_...`, with the label `scene`."""
    labels, frames = folder / f"{half}_label", folder / f"{half}_frame"
    if not labels.is_dir() or not frames.is_dir():
        return None
    records = []
    for scene in sorted(place for place in labels.iterdir() if place.is_dir()):
        roi = _region(scene / _ROI, tell)
        own = frames / scene.name
        for file in files_by_number(scene, (".mat",)):
            if file.name == _ROI:
                continue
            picture = next(
                (place / f"{file.stem}.jpg" for place in (own, frames) if (place / f"{file.stem}.jpg").is_file()), None
            )
            if picture is None:
                tell(file, f"its picture is missing: looked for {file.stem}.jpg in {own} and {frames}.")
                continue
            points = _points(file, tell)
            if points is not None:
                name = f"WorldExpo/{file.stem}"
                records.append(Record(name, picture, points, file, half, roi, labels={"scene": scene.name}))
    known = {record.picture for record in records}
    for place in (frames, *(place for place in sorted(frames.iterdir()) if place.is_dir())):
        for picture in files_by_number(place, PICTURE_SUFFIXES):
            if picture not in known and not (labels / scene_of(picture) / f"{picture.stem}.mat").is_file():
                tell(picture, f"has no annotation: looked for {labels / scene_of(picture) / picture.stem}.mat.")
    return records


def scene_of(picture: Path) -> str:
    """Number of the scene, with which a frame's name begins."""
    return picture.stem[:6]


def is_val(record: Record) -> bool:
    """About a tenth of the training scenes: frames of one camera are much alike."""
    return hashed_split(record.labels["scene"]) == "val"


def _region(file: Path, tell: TellFault) -> Region | None:
    try:
        with open_mat(file) as variable:
            x, y = (np.asarray(variable(f"maskVertices{axis}Coordinates"), np.float64).ravel() for axis in "XY")
        return Region([np.stack([x, y], axis=1)])
    except Exception as error:  # damaged files make SciPy raise a dozen unrelated exceptions
        tell(file, f"is not a readable region of interest (maskVerticesXCoordinates, ...Y...): {error!r}.")
        return None


def _points(file: Path, tell: TellFault) -> np.ndarray | None:
    try:
        with open_mat(file) as variable:
            points = np.asarray(variable("point_position"), np.float64)
            number = int(np.asarray(variable("point_num")).item())
        points = points if points.size else points.reshape(0, 2)
    except Exception as error:
        tell(file, f"is not a readable annotation (point_position, point_num): {error!r}.")
        return None
    if points.ndim != 2 or points.shape[1] != 2:
        tell(file, f"its points should have the shape (N, 2), x then y. Received {points.shape}.")
        return None
    if number != len(points):
        tell(file, f"says that it has {number} heads but holds {len(points)} points.")
    return points
