"""What a reader says about one picture, and what the readers share.

A reader does not raise for a fault in the data: it calls `tell` with the file and the problem, and goes on. Who
wants the pictures passes `raise_fault`; the checker passes a `tell` that writes the fault down.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from crowdcount.data.images import is_searched
from crowdcount.data.regions import Region
from crowdcount.errors import AnnotationError, DataError
from crowdcount.files import natural

TellFault = Callable[[Path, str], None]


@dataclass(frozen=True)
class Record:
    """One picture as an annotation file names it, before anything promises that its points are good.

    Args:
        name: name of the picture, unique in its data set.
        picture: path of the picture file.
        points: heads in pixels, float64 (N, 2), x then y.
        source: the file that holds the annotation.
        split: `"train"`, `"val"` or `"test"` where the data set gives it, or None.
        roi: the only part of the picture in which is counted, or None for all of it.
        ignore: boxes in which nothing is counted, float64 (M, 4): left, top, right, bottom in pixels.
        labels: what else the data set says of the picture, such as `{"weather": "fog"}`.
        places: where in `source` the record stands, such as `"line 7"`; empty where it is the whole file.
    """

    name: str
    picture: Path
    points: np.ndarray
    source: Path
    split: str | None = None
    roi: Region | None = None
    ignore: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))
    labels: Mapping[str, str] = field(default_factory=dict)
    places: str = ""


def raise_fault(file: Path, problem: str) -> None:
    """The way of those who want the pictures to deal with a fault.

    Raises:
        AnnotationError: always.
    """
    raise AnnotationError(f"{file}: {problem}")


def files_by_number(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """Files of a folder by suffix, `IMG_2` before `IMG_10`, without hidden ones (macOS's `._IMG_1.jpg`)."""
    visible = (file for file in folder.iterdir() if not file.name.startswith("."))
    return sorted((file for file in visible if file.suffix.lower() in suffixes), key=natural)


def folders_below(root: Path, depth: int) -> Iterator[Path]:
    """The folder itself, then those in it by name, then those in these: `depth` levels, without hidden ones."""
    level = [root]
    for remaining in range(depth, -1, -1):
        yield from level
        if remaining:
            level = [folder for above in level for folder in sorted(above.iterdir()) if _is_looked_into(folder)]


def _is_looked_into(folder: Path) -> bool:
    """Disks have folders that may not be read, such as `lost+found`: no data set is there."""
    return folder.is_dir() and is_searched(folder.name) and os.access(folder, os.R_OK | os.X_OK)


def own_name(folder: Path) -> str:
    """What a folder is called, also where it is given as `.` or `..`.

    Example:
        >>> own_name(Path("data/part_A")), own_name(Path("data/part_A/images/.."))
        ('part_A', 'part_A')
    """
    return os.path.basename(os.path.abspath(folder))


def way_to(picture: str | os.PathLike, file: str | os.PathLike) -> str:
    """How an annotation file names a picture, so that its readers find it: by the way from the file's folder.

    Args:
        picture: path of the picture.
        file: path of the annotation file.

    Returns:
        The path from the folder of `file`, with slashes on every system. The whole path where there is none (on
        another drive of Windows) or it leads elsewhere (up out of a folder that is a link).

    Example:
        >>> way_to("crowds/images/a.jpg", "crowds/points.csv"), way_to("photos/a.jpg", "crowds/points.csv")
        ('images/a.jpg', '../photos/a.jpg')
    """
    folder, real = os.path.dirname(os.path.abspath(file)), os.path.realpath(picture)
    try:
        relative = os.path.relpath(picture, folder)
    except ValueError:
        return real
    return Path(relative).as_posix() if os.path.realpath(os.path.join(folder, relative)) == real else real


def short(value: object) -> str:
    """A value as a message shows it: 80 characters at most."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def numbered_lines(file: Path, tell: TellFault) -> Iterator[tuple[int, str]]:
    """The lines of a text file that hold something, with their numbers from 1 up."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        tell(file, f"is not a readable text file in UTF-8: {error}.")
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield number, line.strip()


def check_points(points: ArrayLike) -> np.ndarray:
    """Points as float64 (N, 2).

    Raises:
        DataError: where they are not pairs of finite numbers.
    """
    try:
        if np.iscomplexobj(points):  # NumPy would leave out the imaginary part
            raise TypeError("they are complex")
        array = np.asarray(points, np.float64)
    except (TypeError, ValueError, OverflowError) as error:  # a whole number may be larger than any float
        raise DataError(f"points must be an array of numbers of shape (N, 2): {error}.") from error
    if array.size == 0 and array.shape in ((0,), (0, 2)):
        return array.reshape(0, 2)
    if array.ndim != 2 or array.shape[1] != 2:
        raise DataError(f"points must have shape (N, 2): x, y of each head. Received: shape {array.shape}")
    faulty = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if len(faulty):
        raise DataError(
            f"{len(faulty)} of {len(array)} points are NaN or infinite. Received: points[{faulty[0]}]="
            f"{tuple(array[faulty[0]].tolist())}. Remove them or correct the annotations."
        )
    return array
