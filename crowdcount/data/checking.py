"""Find every fault in a folder of annotated pictures, before a training run stumbles over the first.

The readers in `crowdcount.data.annotations` stop at the first fault that they meet. The checker uses their
parsers, goes on after each fault, and then looks at the pictures themselves, which the readers leave closed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from crowdcount.data.annotations import Sample
from crowdcount.data.datasets import DATASETS, HALVES, DataSet, named
from crowdcount.data.exports import detect, label_studio
from crowdcount.data.exports.entries import annotation_files
from crowdcount.data.images import DAMAGED, list_pictures, load_picture, picture_size
from crowdcount.data.readers import shanghaitech
from crowdcount.data.records import Record, TellFault
from crowdcount.errors import AnnotationError, PictureError
from crowdcount.progress import bar

# So many points do not all lie within this share of both sides by chance.
_ENOUGH, _MOST_REACH = 30, 0.7


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


def check_folder(folder: str | os.PathLike, dataset: str | None = None) -> list[Fault]:
    """Check the annotated pictures in a folder.

    The layout is recognized: those of the data sets that are read by name (the folder of one of them, a folder that
    holds them, or one of ShanghaiTech's halves `train_data` and `test_data`), a CSV file, a JSON file, what an
    annotation tool exported, or several of these at once. Found are: annotation files and pictures that cannot be read,
    pictures without annotation and annotations without picture, malformed entries, points that are not finite, outside
    their picture or there twice, or of smaller copies, x and y in each other's place, coordinates that look like shares
    of the picture's size, counts that contradict the points, the same picture under two names, and folders with nothing
    to check.
    Every picture is decoded: 700 take some seconds.

    Args:
        folder: the folder to check, or the file of annotations in it.
        dataset: a name of `crowdcount.data.datasets.DATASETS`, where only this one is to be checked.

    Returns:
        Every fault, in the order of the files; an empty list if there is none.

    Raises:
        AnnotationError: if there is no data set of this name, or it is not in the folder.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "points.csv").write_text("picture,x,y\\nlost.jpg,3,4\\n")
        >>> [fault.file.name for fault in check_folder(folder)]
        ['points.csv']
    """
    folder = Path(folder)
    faults: list[Fault] = []

    def tell(file: Path, problem: str) -> None:
        faults.append(Fault(file, problem))

    if dataset is not None:
        found = named(dataset)
        places = iter([(found.find(folder), lambda place: _halves(found, place, tell))])
    elif folder.is_file():
        places = iter([(folder, lambda file: _parse_list(file, tell))])
    elif folder.is_dir():
        places = _layouts(folder, tell)
    else:
        tell(folder, "is not a folder. Name the folder that holds the pictures and their annotations.")
        return faults
    records: list[Record] = []
    for place, parse in places:
        known = len(faults)
        read = parse(place)
        if not read and len(faults) == known:
            tell(place, "holds no annotated picture.")
        records += read
    if not records and not faults:
        tell(
            folder,
            "holds no annotations in a known layout: looked for the data sets that are read by name, CSV, JSON, XML "
            "and "
            "YOLO's text files.",
        )
    _check_pictures(records, tell)
    return faults


def check_readable(samples: Sequence[Sample], text: str = "reading", *, progress: bool = True) -> None:
    """Read pictures, and their regions, before work of hours that opens each when its turn comes.

    Args:
        samples: the pictures; one that stands there twice is read once.
        text: what the bar is about.
        progress: show a bar.

    Raises:
        PictureError: if one cannot be read, or several, of which it names each.
        AnnotationError: if it is one, and its region cannot be read.

    Example:
        >>> check_readable([Sample("empty", np.zeros((8, 8, 3), np.uint8), [])])
    """
    different = list(dict.fromkeys(samples))
    faults: list[PictureError | AnnotationError] = []
    for sample in bar(different, "picture", text, wanted=progress, leave=False):
        try:
            sample.counted(sample.read().shape[:2])
        except (PictureError, AnnotationError) as error:
            faults.append(error)
    if len(faults) == 1:
        raise faults[0]
    if faults:
        told = " ".join(map(str, faults))
        raise PictureError(f"{len(faults)} of {len(different)} pictures cannot be read. {told}")


def _layouts(folder: Path, tell: TellFault) -> Iterator[tuple[Path, Callable[[Path], list[Record]]]]:
    """Yield every place in a folder that holds annotations, with the function that parses it."""
    known: list[tuple[Path, Callable[[Path], list[Record]]]] = [
        (place, partial(_halves, found, tell=tell))
        for found in DATASETS.values()
        if (place := found.here(folder)) is not None
    ]
    half = any((folder / name).is_dir() for name in shanghaitech.TRUTHS)
    if half:
        known.append((folder, lambda half: shanghaitech.read_half(half, f"{half.name}/", tell)))
    elif not known and any((folder / name).is_dir() for name in shanghaitech.HALVES.values()):
        part = replace(DATASETS["shanghaitech_a"], left_out=frozenset())
        known.append((folder, lambda place: _halves(part, place, tell)))
    yield from known
    if any(place == folder for place, _ in known) and not half:
        return

    # Beside another layout only a file with the name that the readers prefer is surely an annotation file.
    preferred = {suffix: folder / f"points{suffix}" for suffix in (".csv", ".json")}
    only_preferred = known or any(file.is_file() for file in preferred.values())
    for suffix, file in preferred.items():
        files = _lists(folder, suffix)
        if only_preferred:
            files = [other for other in files if other == file]
        if len(files) == 1:
            yield files[0], lambda file: _parse_list(file, tell)
        elif files and suffix == ".csv":
            names = ", ".join(file.name for file in files[:5])
            tell(folder, f"holds several {suffix} files: {names}. Call the one to check points{suffix}.")
            return
    if not only_preferred and len(_lists(folder, ".csv", ".json")) != 1:
        faulty: list[Path] = []
        records = detect.read_any(folder, lambda file, problem: faulty.append(file))
        if records or any(file != folder for file in faulty):
            yield folder, lambda folder: _parse_export(folder, tell)


def _lists(folder: Path, *suffixes: str) -> list[Path]:
    return [file for file in annotation_files(folder, suffixes) if not label_studio.is_notes(file)]


def _halves(found: DataSet, place: Path, tell: TellFault) -> list[Record]:
    """All pictures of a data set; a half that is not there is none to check."""
    read = [found.read(place, half, tell) for half in HALVES]
    if all(records is None for records in read):
        tell(place, f"holds nothing of {found.title}. Wanted: {found.layout}.")
    return [record for records in read for record in records or ()]


def _parse_list(file: Path, tell: TellFault) -> list[Record]:
    """Parse an annotation file, and report the pictures beside it (in `images`) that it never names."""
    records = detect.read_any(file, tell)
    if not records:  # then the file itself is at fault, not each of the pictures
        return records
    named = {record.picture.resolve() for record in records}
    images = file.parent / "images"
    beside = list_pictures(images, recursive=True) if images.is_dir() else list_pictures(file.parent)
    _tell_others(beside, named, f"{file.name}; one with nobody in it needs an entry", tell)
    _tell_smaller(records, file, tell)
    return records


def _parse_export(folder: Path, tell: TellFault) -> list[Record]:
    """Parse what a tool exported, and report the pictures beside those that it names that it never names."""
    faulty: set[Path] = set()

    def tell_and_keep(file: Path, problem: str) -> None:
        faulty.add(file.resolve())
        tell(file, problem)

    records = detect.read_any(folder, tell_and_keep)
    named = {record.picture.resolve() for record in records} | faulty
    for place in sorted({record.picture.parent for record in records}):
        _tell_others(list_pictures(place), named, f"{folder}; one with nobody in it needs a file", tell)
    _tell_smaller(records, folder, tell)
    return records


def _tell_smaller(records: Iterable[Record], source: Path, tell: TellFault) -> None:
    """Report it if the points seem to be of smaller copies: in all pictures they lie towards the left upper corner."""
    points, reach = 0, np.zeros(2)
    for record in records:
        with suppress(PictureError):  # which is told where the picture is opened
            if len(record.points):
                reach = np.maximum(reach, record.points.max(axis=0) / picture_size(record.picture)[::-1])
                points += len(record.points)
    if points >= _ENOUGH and 0 < reach.max() < _MOST_REACH:
        across, down = 100 * reach
        tell(
            source,
            f"all {points} points of all pictures lie within {across:.0f} % of the width and {down:.0f} % of the "
            "height, from the left upper corner: they may be of smaller copies. Put the pictures there that were "
            "annotated.",
        )


def _tell_others(pictures: Iterable[Path], named: set[Path], where: str, tell: TellFault) -> None:
    """Report the pictures that are not among the named ones."""
    for picture in pictures:
        if picture.resolve() not in named:
            tell(picture, f"has no annotation in {where}, too.")


def _check_pictures(records: Iterable[Record], tell: TellFault) -> None:
    """Report what shows only when the pictures are open; a picture in two annotation files is opened once."""
    sizes: dict[Path, tuple[int, int] | None] = {}
    first_with: dict[bytes, Path] = {}
    swapped = _Swapped()
    for record in records:
        picture = record.picture
        if picture not in sizes:
            sizes[picture] = None
            notes: list[str] = []
            try:
                pixels = load_picture(picture, notes=notes)
            except PictureError as error:
                tell(picture, str(error).removeprefix(f"{str(picture)!r} "))
            else:
                sizes[picture] = pixels.shape[:2]
                digest = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).digest()
                twin = first_with.setdefault(digest, picture)
                if twin != picture:
                    tell(picture, f"is the same picture, pixel by pixel, as {twin}.")
            if DAMAGED in notes:
                tell(picture, f"{DAMAGED[0].lower()}{DAMAGED[1:]}")
        _check_points(record, sizes[picture], tell)
        if (size := sizes[picture]) is not None:
            swapped.look(record, size)
            _check_region(record, size, tell)
    swapped.tell(tell)


def _check_region(record: Record, size: tuple[int, int], tell: TellFault) -> None:
    try:
        inside = record.roi is None or record.roi.mask(size).any()
    except AnnotationError as error:
        file, _, problem = str(error).partition(": ")
        tell(Path(file), problem)
        return
    if not inside:
        tell(record.source, f"the region of interest of {record.picture.name} covers nothing of the picture.")


class _Swapped:
    """Notices that x and y stand in each other's place: many points outside, none if they are exchanged."""

    def __init__(self):
        self.points = self.outside = self.outside_exchanged = 0
        self.source: Path | None = None

    def look(self, record: Record, size: tuple[int, int]) -> None:
        points = record.points[np.isfinite(record.points).all(axis=1)]
        outside = _outside(points, size)
        self.points += len(points)
        self.outside += len(outside)
        self.outside_exchanged += len(_outside(points[:, ::-1], size))
        if len(outside) and self.source is None:
            self.source = record.source

    def tell(self, tell: TellFault) -> None:
        if self.source is not None and self.outside and not self.outside_exchanged and self.points > 1:
            tell(
                self.source,
                f"x and y seem to be in each other's place: of {self.points} points in all pictures {self.outside} lie "
                "outside, with x and y exchanged none.",
            )


def _outside(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    height, width = size
    return points[((points < 0) | (points > (width, height))).any(axis=1)]


def _check_points(record: Record, size: tuple[int, int] | None, tell: TellFault) -> None:
    points = record.points[np.isfinite(record.points).all(axis=1)]  # the others are reported already
    if size is not None:
        height, width = size
        outside = _outside(points, size)
        if len(outside):
            tell(
                record.source,
                f"{record.places + ': ' if record.places else ''}{len(outside)} of {len(points)} points lie outside "
                f"{record.picture.name} "
                f"({width} x {height} pixels): {_pairs(outside)}.",
            )
    places, times = np.unique(points, axis=0, return_counts=True)
    if (times > 1).any():
        tell(
            record.source,
            f"{int((times - 1).sum())} of {len(points)} points in {record.picture.name} repeat another one "
            f"exactly: {_pairs(places[times > 1])}.",
        )


def _pairs(points: np.ndarray) -> str:
    text = ", ".join(f"({x:g}, {y:g})" for x, y in points[:3])
    return text + ", ..." if len(points) > 3 else text
