"""Find every fault in a folder of annotated pictures, before a training run stumbles over the first.

The readers in `crowdcount.data.annotations` stop at the first fault that they meet. The checker uses their
parsers, goes on after each fault, and then looks at the pictures themselves, which the readers leave closed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crowdcount.data.exports.pictures import read_pictures
from crowdcount.data.exports.table import read_table
from crowdcount.data.images import list_pictures, load_picture
from crowdcount.data.readers import shanghaitech
from crowdcount.data.records import Record, Report, files_by_number, folders_below
from crowdcount.errors import PictureError

_PARSERS = {".csv": read_table, ".json": read_pictures}


@dataclass(frozen=True)
class Fault:
    """Something wrong with a data set: the file that it is in, and what it is.

    Example:
        >>> print(Fault(Path("crowd/a.jpg"), "has no annotation."))
        crowd/a.jpg: has no annotation.
    """

    file: Path
    problem: str

    def __str__(self) -> str:
        return f"{self.file}: {self.problem}"


def check_folder(folder: str | os.PathLike) -> list[Fault]:
    """Check the annotated pictures in a folder.

    The layout is recognized: ShanghaiTech's (the folder that holds `part_A` or `part_B`, one of these, or one
    of its halves `train_data` and `test_data`), a CSV file, a JSON file, or several of these at once. Found
    are: annotation files and pictures that cannot be read, pictures without annotation and annotations
    without picture, malformed entries, points that are not finite, outside their picture or there twice,
    counts that contradict the points, the same picture under two names, and folders with nothing to check.
    Every picture is decoded: 700 take some seconds.

    Args:
        folder: the folder to check, or the `.csv` or `.json` file of annotations in it.

    Returns:
        Every fault, in the order of the files; an empty list if there is none.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "points.csv").write_text("picture,x,y\\nlost.jpg,3,4\\n")
        >>> [fault.file.name for fault in check_folder(folder)]
        ['points.csv']
    """
    folder = Path(folder)
    faults: list[Fault] = []

    def report(file: Path, problem: str) -> None:
        faults.append(Fault(file, problem))

    if folder.is_file() and folder.suffix.lower() in _PARSERS:
        places = iter([(folder, _list_parser(folder.suffix.lower(), report))])
    elif folder.is_dir():
        places = _layouts(folder, report)
    else:
        report(folder, "is not a folder. Name the folder that holds the pictures and their annotations.")
        return faults
    records: list[Record] = []
    for place, parse in places:
        known = len(faults)
        found = parse(place)
        if not found and len(faults) == known:
            report(place, "holds no annotated picture.")
        records += found
    if not records and not faults:
        report(
            folder,
            "holds no annotations in a known layout: looked for part_A, part_B, train_data, test_data, "
            "ground-truth, *.csv and *.json.",
        )
    _check_pictures(records, report)
    return faults


def _layouts(folder: Path, report: Report) -> Iterator[tuple[Path, Callable[[Path], list[Record]]]]:
    """Yield every place in a folder that holds annotations, with the function that parses it."""
    parts = [below for part in "AB" for below in folders_below(folder, 2) if shanghaitech.is_part(below, part)] or [
        folder
    ]
    halves = []
    for part in parts:
        found = [part / half for half in ("train_data", "test_data") if (part / half).is_dir()]
        if part != folder and not found:
            report(part, "holds neither train_data nor test_data.")
        halves += found
    if any((folder / name).is_dir() for name in ("ground-truth", "ground_truth")):
        halves.append(folder)
    for half in halves:
        yield half, lambda half: shanghaitech.read_half(half, f"{half.name}/", report)

    # Beside another layout only a file with the name that the readers prefer is surely an annotation file.
    preferred = {suffix: folder / f"points{suffix}" for suffix in _PARSERS}
    only_preferred = halves or parts != [folder] or any(file.is_file() for file in preferred.values())
    for suffix in _PARSERS:
        files = files_by_number(folder, (suffix,))
        if only_preferred:
            files = [file for file in files if file == preferred[suffix]]
        if len(files) > 1:
            names = ", ".join(file.name for file in files[:5])
            report(folder, f"holds several {suffix} files: {names}. Call the one to check points{suffix}.")
        elif files:
            yield files[0], _list_parser(suffix, report)


def _list_parser(suffix: str, report: Report) -> Callable[[Path], list[Record]]:
    return lambda file: _parse_list(file, _PARSERS[suffix], report)


def _parse_list(file: Path, parse: Callable[[Path, Report], list[Record]], report: Report) -> list[Record]:
    """Parse a CSV or JSON file, and report the pictures beside it (in `images`) that it never names."""
    records = parse(file, report)
    if not records:  # then the file itself is at fault, not each of the pictures
        return records
    named = {record.picture.resolve() for record in records}
    images = file.parent / "images"
    for picture in list_pictures(images, recursive=True) if images.is_dir() else list_pictures(file.parent):
        if picture.resolve() not in named:
            report(picture, f"has no annotation in {file.name}; one with nobody in it needs an entry, too.")
    return records


def _check_pictures(records: Iterable[Record], report: Report) -> None:
    """Report what shows only when the pictures are open; a picture in two annotation files is opened once."""
    sizes: dict[Path, tuple[int, int] | None] = {}
    first_with: dict[bytes, Path] = {}
    for record in records:
        picture = record.picture
        if picture not in sizes:
            sizes[picture] = None
            try:
                pixels = load_picture(picture)
            except PictureError as error:
                report(picture, str(error).removeprefix(f"{str(picture)!r} "))
            else:
                sizes[picture] = pixels.shape[:2]
                digest = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).digest()
                twin = first_with.setdefault(digest, picture)
                if twin != picture:
                    report(picture, f"is the same picture, pixel by pixel, as {twin}.")
        _check_points(record, sizes[picture], report)


def _check_points(record: Record, size: tuple[int, int] | None, report: Report) -> None:
    points = record.points[np.isfinite(record.points).all(axis=1)]  # the others are reported already
    if size is not None:
        height, width = size
        outside = points[((points < 0) | (points > (width, height))).any(axis=1)]
        if len(outside):
            report(
                record.source,
                f"{len(outside)} of {len(points)} points lie outside {record.picture.name} "
                f"({width} x {height} pixels): {_pairs(outside)}.",
            )
    places, times = np.unique(points, axis=0, return_counts=True)
    if (times > 1).any():
        report(
            record.source,
            f"{int((times - 1).sum())} of {len(points)} points in {record.picture.name} repeat another one "
            f"exactly: {_pairs(places[times > 1])}.",
        )


def _pairs(points: np.ndarray) -> str:
    text = ", ".join(f"({x:g}, {y:g})" for x, y in points[:3])
    return text + ", ..." if len(points) > 3 else text
