"""Parsers of annotation files: ShanghaiTech's MATLAB files, CSV and JSON. The formats: see `annotations.py`.

A parser does not raise for a fault in the data: it calls `report` with the file and the problem, and goes on.
The readers in `annotations.py` pass a `report` that raises, the checker one that writes the fault down.
"""

from __future__ import annotations

import csv
import json
import math
import os
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import scipy.io

from crowdcount.data.images import PICTURE_SUFFIXES
from crowdcount.errors import AnnotationError

Report = Callable[[Path, str], None]


@dataclass(frozen=True)
class Record:
    """One picture as an annotation file names it, before anything promises that its points are good.

    `source` is the file that holds the annotation, `split` the split that the file gives or None.
    """

    name: str
    picture: Path
    points: np.ndarray
    source: Path
    split: str | None = None


def parse_shanghaitech(half: Path, prefix: str, report: Report) -> list[Record]:
    """Read the pictures and annotations in one half, `train_data` or `test_data`, of a part of ShanghaiTech.

    Args:
        half: folder that holds `images` and `ground-truth` (or `ground_truth`).
        prefix: what comes before the picture's name in the name of the sample.
        report: called with file and problem for each fault.

    Returns:
        The pictures whose annotation could be read.
    """
    images = half / "images"
    truths = [folder for folder in (half / "ground-truth", half / "ground_truth") if folder.is_dir()]
    if not images.is_dir():
        report(images, "this folder is missing; it should hold the pictures.")
        return []
    if not truths:
        report(half / "ground-truth", "this folder is missing; it should hold the annotations.")
        return []
    files = {file.stem.removeprefix("GT_"): file for file in files_by_number(truths[0], (".mat",))}
    records = []
    pictures: dict[str, Path] = {}
    for picture in files_by_number(images, PICTURE_SUFFIXES):
        stem = picture.stem
        if stem in pictures:
            report(picture, f"{pictures[stem].name} has the same name: both would have the same annotation.")
            continue
        pictures[stem] = picture
        if stem not in files:
            report(picture, f"has no annotation: looked for {truths[0] / f'GT_{stem}.mat'}.")
            continue
        points = parse_mat(files[stem], report)
        if points is not None:
            records.append(Record(f"{prefix}/{stem}", picture, points, files[stem]))
    for stem, file in files.items():
        if stem not in pictures:
            report(file, f"its picture is missing: looked for {images / f'{stem}.jpg'}.")
    return records


def parse_mat(file: Path, report: Report) -> np.ndarray | None:
    """Points, shape (N, 2), in one MATLAB file of ShanghaiTech; None where it cannot be read."""
    try:
        info = scipy.io.loadmat(file, variable_names=["image_info"])["image_info"][0, 0][0, 0]
        points, number = info[0], info[1]
        points = np.asarray(points, np.float64)
        points = points if points.size else points.reshape(0, 2)
        number = int(np.asarray(number).item())
    except Exception as error:  # damaged files make SciPy raise a dozen unrelated exceptions
        report(file, f"is not a readable annotation (image_info with points and their number): {error!r}.")
        return None
    if points.ndim != 2 or points.shape[1] != 2:
        report(file, f"its points should have the shape (N, 2), x then y. Received {points.shape}.")
        return None
    bad = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if len(bad):
        x, y = points[bad[0]]
        report(file, f"{len(bad)} of {len(points)} points are not finite: the first is ({x:g}, {y:g}).")
    if number != len(points):
        report(file, f"says that it has {number} heads but holds {len(points)} points.")
    return points


def parse_csv(file: Path, report: Report) -> list[Record]:
    """Read a CSV file of head annotations, see `read_csv`.

    Args:
        file: the CSV file.
        report: called with file and problem for each fault; the row is then left out.

    Returns:
        Every picture that is named in the file and exists.
    """
    try:
        with open(file, encoding="utf-8-sig", newline="") as stream:
            rows = csv.reader(stream, strict=True)
            lines = [(rows.line_num, row) for row in rows if any(value.strip() for value in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        report(file, f"is not a readable CSV file in UTF-8: {error}.")
        return []
    first, header = lines[0] if lines else (1, [])
    header = [column.strip().lower() for column in header]
    if any(header.count(column) != 1 for column in ("picture", "x", "y")) or header.count("split") > 1:
        report(file, f"line {first}: should name the columns picture, x, y once. Received {_short(header)}.")
        return []

    places: dict[str, Path | None] = {}
    entries: dict[Path, _Entry] = {}
    for line, row in lines[1:]:
        where = f"line {line}"
        if len(row) != len(header):
            report(file, f"{where}: should have {len(header)} values, as line {first} has. Received {_short(row)}.")
            continue
        values = dict(zip(header, (value.strip() for value in row)))
        name = values["picture"]
        if not name:
            report(file, f"{where}: the name of the picture is missing. Received {_short(row)}.")
            continue
        if name not in places:
            places[name] = _find_picture(file, name)
            if places[name] is None:
                report(file, f"{where} ({name!r}): {_missing(file)}.")
        picture = places[name]
        if picture is None:
            continue
        entry = entries.setdefault(picture, _Entry(name))
        if "split" in values:
            entry.set_split(values["split"], file, where, report)
        if not values["x"] and not values["y"]:
            entry.empty_line = line
            continue
        point = _number(values["x"]), _number(values["y"])
        if None in point:
            report(
                file,
                f"{where}: x and y should be finite numbers, or both empty where nobody is. "
                f"Received {values['x']!r}, {values['y']!r}.",
            )
            continue
        entry.points.append(point)
    for entry in entries.values():
        if entry.empty_line and entry.points:
            report(
                file,
                f"line {entry.empty_line}: says that nobody is in {entry.name!r}, but other lines have "
                f"{len(entry.points)} heads in it.",
            )
    return [entry.record(picture, file) for picture, entry in entries.items()]


def parse_json(file: Path, report: Report) -> list[Record]:
    """Read a JSON file of head annotations, see `read_json`.

    Args:
        file: the JSON file.
        report: called with file and problem for each fault; the point or the entry is then left out.

    Returns:
        Every picture that is named in the file and exists.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        report(file, f"is not a readable JSON file in UTF-8: {error}.")
        return []
    listed = content.get("pictures") if isinstance(content, dict) else None
    if not isinstance(listed, list):
        report(file, 'has no list "pictures": {"pictures": [{"picture": "a.jpg", "points": [[x, y], ...]}]}.')
        return []
    entries: dict[Path, _Entry] = {}
    without_split = []
    for number, item in enumerate(listed, start=1):
        where = f"entry {number}"
        name = item.get("picture") if isinstance(item, dict) else None
        if not isinstance(name, str) or not name.strip():
            report(file, f"{where}: should be an object with the name of a picture. Received {_short(item)}.")
            continue
        entry = _Entry(name.strip())
        where += f" ({entry.name!r})"
        picture = _find_picture(file, entry.name)
        if picture is None:
            report(file, f"{where}: {_missing(file)}.")
            continue
        if picture in entries:
            report(file, f"{where}: an earlier entry has the same picture.")
            continue
        entries[picture] = entry
        if "split" in item:
            entry.set_split(item["split"], file, where, report)
        else:
            without_split.append(entry.name)
        points = item.get("points")
        if not isinstance(points, list):
            report(file, f'{where}: should have "points", a list of [x, y]. Received {_short(points)}.')
            continue
        for point in points:
            if not isinstance(point, list) or len(point) != 2 or not all(map(_is_finite_number, point)):
                report(file, f"{where}: a point should be two finite numbers. Received {_short(point)}.")
            else:
                entry.points.append((float(point[0]), float(point[1])))
        count = item.get("count")
        if count is not None and (isinstance(count, bool) or count != len(points)):
            report(file, f"{where}: says that it has {_short(count)} heads but holds {len(points)} points.")
    if 0 < len(without_split) < len(entries):
        report(file, f'{without_split[0]!r} has no "split", others have: give every entry one, or none.')
    return [entry.record(picture, file) for picture, entry in entries.items()]


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


def files_by_number(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """Files of a folder by suffix, `IMG_2` before `IMG_10`, without hidden ones (macOS's `._IMG_1.jpg`)."""

    def key(file: Path) -> list[str | int]:
        return [int(bit) if bit.isdecimal() else bit for bit in re.split(r"(\d+)", file.name)]

    visible = (file for file in folder.iterdir() if not file.name.startswith("."))
    return sorted((file for file in visible if file.suffix.lower() in suffixes), key=key)


@dataclass
class _Entry:
    """What an annotation file says about one picture, while the file is being read."""

    name: str
    points: list[tuple[float, float]] = field(default_factory=list)
    split: str | None = None
    empty_line: int | None = None

    def set_split(self, value: object, file: Path, where: str, report: Report) -> None:
        """Take the split that a line or an entry gives, or report that it is unknown or contradicts."""
        split = value.strip().lower() if isinstance(value, str) else value
        if split not in ("train", "val", "test"):
            report(file, f"{where}: the split should be train, val or test. Received {_short(value)}.")
        elif self.split not in (None, split):
            report(file, f"{where}: {self.name!r} is in split {split!r}, but in {self.split!r} further up.")
        else:
            self.split = split

    def record(self, picture: Path, source: Path) -> Record:
        points = np.array(self.points, np.float64).reshape(-1, 2)
        return Record(self.name, picture, points, source, self.split)


def _number(text: str) -> float | None:
    """The finite number that a text spells, or None. `float` alone would read 1_5 as 15."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in text else None


def _find_picture(file: Path, name: str) -> Path | None:
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


def _missing(file: Path) -> str:
    return f"the picture is missing: looked for it in {file.parent} and {file.parent / 'images'}"


def _is_finite_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer too large for a float
        return False


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
