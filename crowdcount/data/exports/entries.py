"""What the readers of annotation files share: the entry of one picture, numbers, and finding the pictures."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from crowdcount.data.records import Record, Report, files_by_number, short
from crowdcount.errors import AnnotationError


@dataclass
class Entry:
    """What an annotation file says about one picture, while the file is being read."""

    name: str
    points: list[tuple[float, float]] = field(default_factory=list)
    split: str | None = None
    empty_line: int | None = None

    def set_split(self, value: object, file: Path, where: str, report: Report) -> None:
        """Take the split that a line or an entry gives, or report that it is unknown or contradicts."""
        split = value.strip().lower() if isinstance(value, str) else value
        if split not in ("train", "val", "test"):
            report(file, f"{where}: the split should be train, val or test. Received {short(value)}.")
        elif self.split not in (None, split):
            report(file, f"{where}: {self.name!r} is in split {split!r}, but in {self.split!r} further up.")
        else:
            self.split = split

    def record(self, picture: Path, source: Path) -> Record:
        points = np.array(self.points, np.float64).reshape(-1, 2)
        return Record(self.name, picture, points, source, self.split)


def number(text: str) -> float | None:
    """The finite number that a text spells, or None. `float` alone would read 1_5 as 15."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in text else None


def find_picture(file: Path, name: str) -> Path | None:
    """The picture that an annotation file names; a backslash, as Windows writes it, may stand for a slash."""
    for spelled in (name, name.replace("\\", "/")):
        for folder in (file.parent, file.parent / "images"):
            # False, where Path.is_file raises: for a name that is too long or holds a NUL.
            if os.path.isfile(folder / spelled):
                return _tidy(folder / spelled)
    return None


def _tidy(path: Path) -> Path:
    """The same file without `.` and `..`: one spelling for each picture."""
    tidy, real = os.path.normpath(path), os.path.realpath(path)
    # Up out of a folder that is a link leads elsewhere than its name says.
    return Path(tidy if os.path.realpath(tidy) == real else real)


def missing(file: Path) -> str:
    return f"the picture is missing: looked for it in {file.parent} and {file.parent / 'images'}"


def is_finite_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer too large for a float
        return False


def find_annotation_file(file_or_folder: str | os.PathLike, suffix: str) -> Path:
    """The annotation file that a path means: itself, or in a folder the one file of this kind.

    Of several the one named `points.csv` (`points.json`) counts.

    Args:
        file_or_folder: path of a file or a folder.
        suffix: `".csv"` or `".json"`.

    Raises:
        AnnotationError: if there is no such file, or several and none is named `points`.
    """
    path = Path(file_or_folder)
    if path.is_file():
        return path
    if not path.is_dir():
        raise AnnotationError(f"There is no file or folder {path}. Name the annotation file or its folder.")
    found = files_by_number(path, (suffix,))
    for file in found:
        if file.name == f"points{suffix}" or len(found) == 1:
            return file
    names = ", ".join(file.name for file in found[:5]) or "none"
    raise AnnotationError(
        f"{path} should hold one {suffix} file, or one named points{suffix}. Found: {names}. Name the file itself."
    )
