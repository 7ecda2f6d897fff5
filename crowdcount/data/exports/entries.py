"""What the readers of annotation files share: the entries of the pictures, their numbers, units and labels."""

from __future__ import annotations

import math
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeGuard
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from crowdcount.data.images import PICTURE_SUFFIXES, picture_size
from crowdcount.data.overlay_files import is_overlay
from crowdcount.data.records import Record, TellFault, files_by_number, short
from crowdcount.data.regions import Region
from crowdcount.errors import AnnotationError, PictureError

UNITS = ("pixels", "fraction", "percent")
COLUMNS = ("picture", "x", "y", "xmin", "ymin", "xmax", "ymax", "label", "split", "ignore", "-")
# Names of parts of a data set, by what tools call them.
SUBSETS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
# That all heads of a data set lie in the first 100 pixels by chance is less likely than this, or it is asked about.
_CHANCE = 0.01
_UPLOADED, _SURELY_UPLOADED = r"^[0-9a-f]{4,8}-", r"^(?=\d*[a-f])[0-9a-f]{8}-"
# Shares miss 0 and 1 by rounding, or by a dot beside the picture, by so much.
_BEYOND, _PERCENT_BEYOND = 0.05, 1.0
MOST_FRACTION, MOST_PERCENT = 1 + _BEYOND, 100 + _PERCENT_BEYOND


def has_heads(columns: Collection[str]) -> bool:
    """Whether these columns of a table, names of `COLUMNS`, tell where heads are."""
    return "picture" in columns and any(set(place) <= set(columns) for place in (COLUMNS[1:3], COLUMNS[3:7]))


@dataclass(frozen=True)
class Options:
    """The answers to what a file itself leaves unclear.

    Args:
        unit: one of `UNITS`: of the coordinates of a CSV or plain JSON file; None where the file shows it.
        label: the label that is counted, or several with commas between, or `"*"` for all; None where there is one.
        columns: what each column of a CSV file holds, names of `COLUMNS`; None where its header says it.
        images: folder of the pictures; None to look beside the file.
        gathered: gains the labels of each file and how often they are there, where several files are read together:
            whoever reads them looks at all (`check_labels`). None where a file is read alone.
        spellings: of the pictures, kept from one file of an export to the next.
    """

    unit: str | None = None
    label: str | None = None
    columns: tuple[str, ...] | None = None
    images: Path | None = None
    gathered: dict[Path, Counter[str | None]] | None = None
    spellings: Spellings = field(default_factory=lambda: Spellings(), compare=False, repr=False)

    def __post_init__(self):
        if self.unit not in (None, *UNITS):
            raise AnnotationError(f"unit must be one of {', '.join(UNITS)}. Received: unit={self.unit!r}")
        unknown = [name for name in self.columns or () if name not in COLUMNS]
        if unknown:
            raise AnnotationError(f"columns must be of {', '.join(COLUMNS)}. Received: {unknown[0]!r}")
        named = Counter(name for name in self.columns or () if name != "-")
        if self.columns and (max(named.values(), default=0) > 1 or not has_heads(named)):
            raise AnnotationError(
                "columns must name the picture, and x and y or the sides of a box, each once. Received: "
                f"{', '.join(self.columns)}"
            )


@dataclass
class Entry:
    """What an annotation file says about one picture, while the file is being read."""

    name: str
    picture: Path
    points: list[tuple[float, float]] = field(default_factory=list)
    labels: list[str | None] = field(default_factory=list)
    ignore: list[tuple[float, float, float, float]] = field(default_factory=list)
    roi: list[np.ndarray] = field(default_factory=list)
    split: str | None = None
    empty: str = ""
    described: Mapping[str, str] = field(default_factory=dict)

    def add(self, x: float, y: float, label: str | None = None) -> None:
        """One head, in the unit of the file."""
        self.points.append((x, y))
        self.labels.append(label)

    def size(self) -> tuple[int, int]:
        """Height and width of the picture in pixels."""
        return picture_size(self.picture)


class Spellings:
    """Pictures by spellings that other systems take for the same: capitals, letters put together of two, other bytes.

    Each folder is listed once: a file may name thousands of pictures that are spelled otherwise there.
    """

    def __init__(self):
        self._folders: dict[Path, dict[str, list[Path]]] = {}
        self._stems: dict[Path, dict[str, list[Path]]] = {}

    def called(self, folder: Path, stem: str) -> list[Path]:
        """The pictures of a folder that have this name and a suffix."""
        if folder not in self._stems:
            listed = self._stems.setdefault(folder, {})
            with suppress(OSError):
                for picture in filter(_is_picture, folder.iterdir()):
                    listed.setdefault(picture.stem, []).append(picture)
        return [picture for picture in self._stems[folder].get(stem, []) if not is_overlay(picture)]

    def of(self, path: Path) -> list[Path]:
        """The pictures in the folder of this path whose names are the same but for the spelling."""
        if path.parent not in self._folders:
            listed = self._folders.setdefault(path.parent, {})
            with suppress(OSError, ValueError):  # ValueError: for a NUL
                for picture in filter(_is_picture, path.parent.iterdir()):
                    listed.setdefault(self._plain(picture.name), []).append(picture)
        return self._folders[path.parent].get(self._plain(path.name), [])

    @staticmethod
    def _plain(name: str) -> str:
        try:
            name.encode()
        except UnicodeEncodeError:  # bytes that are no UTF-8, as archives from elsewhere leave them
            with suppress(UnicodeError):
                name = name.encode("utf-8", "surrogateescape").decode("cp1252")
        return unicodedata.normalize("NFC", name).casefold()


class Pile:
    """The entries of an annotation file, one a picture, in the order in which the file names them."""

    def __init__(self, file: Path, tell: TellFault, options: Options):
        self.file, self.tell, self.options = file, tell, options
        self.entries: dict[Path, Entry] = {}
        self._places: dict[str, Path | None] = {}
        self._names: dict[Path, list[tuple[str, bool]]] = {}
        self._spellings = options.spellings

    def entry(self, name: object, where: str, *, once: bool = False) -> Entry | None:
        """The entry of the picture that is named, or None, which is reported.

        Args:
            name: as the file spells it.
            where: for the message, as `"line 3"`.
            once: whether naming a picture twice is a fault.
        """
        if not isinstance(name, str) or not name.strip():
            self.tell(self.file, f"{where}: the name of the picture is missing. Received {short(name)}.")
            return None
        name = name if self._is_exact(name) else name.strip()
        if name not in self._places:
            picture, guessed = self.find(name)
            self._places[name] = picture
            if picture is None:
                self.tell(self.file, f"{where} ({name!r}): {self._missing()}.")
            elif (other := self._other_name(picture, name, guessed)) is not None:
                self._places[name] = None
                self.tell(self.file, f"{where}: {name!r} and {other!r} both seem to be {picture}. Tell them apart.")
        picture = self._places[name]
        if picture is None:
            return None
        if once and picture in self.entries:
            self.tell(self.file, f"{where} ({name!r}): an earlier entry has the same picture.")
            return None
        return self.entries.setdefault(picture, Entry(name, picture))

    def _is_exact(self, name: str) -> bool:
        """Whether space around a name is part of it: a picture is called so."""
        if name == name.strip():
            return True
        picture, guessed = self.find(name)
        return picture is not None and not guessed and picture.name == name.replace("\\", "/").rpartition("/")[2]

    def find(self, name: str) -> tuple[Path | None, bool]:
        """The picture that the file names, see `find_picture`."""
        return find_picture(self.file, name, self.options.images, self._spellings)

    def check_size(self, entry: Entry, width: object, height: object, where: str = "") -> None:
        """Report it if the file says another size of a picture than it has: its places mean that one.

        Args:
            entry: the picture's.
            width, height: as the file says them; nothing is checked where it says none.
            where: for the message, as `"image 3"`; empty where the file is of this picture alone.
        """
        stated = [number(str(side)) for side in (height, width)]
        if not all(stated):
            return
        try:
            real = entry.size()
        except PictureError:  # told where the picture is read
            return
        if tuple(stated) != real:
            place = f"{where} ({entry.name!r}): " if where else ""
            self.tell(
                self.file,
                f"{place}was made for a picture of {width} x {height} pixels, but it has {real[1]} x {real[0]}. Put "
                "the picture there that was annotated, or annotate this one.",
            )

    def _other_name(self, picture: Path, name: str, guessed: bool) -> str | None:
        """A name under which the picture is known that may be another's, if a part of a name was all that fitted."""
        known = self._names.setdefault(picture, [])
        others = [other for other, other_guessed in known if (guessed or other_guessed) and not _same_end(name, other)]
        known.append((name, guessed))
        return others[0] if others else None

    def _missing(self) -> str:
        folders = [self.options.images] if self.options.images else [self.file.parent, self.file.parent / "images"]
        return f"the picture is missing: looked for it in {' and '.join(map(str, folders))}"

    def number(self, value: object) -> float | None:
        """A finite number, or a text that spells one; None for anything else."""
        return number(value) if isinstance(value, str) else float(value) if is_finite_number(value) else None

    def records(self, *, unit: str | None = "pixels", sure: bool = True) -> list[Record]:
        """What has been gathered.

        Args:
            unit: of the points; None where the file does not say it.
            sure: whether the file says that they are in this unit, or the tool alone, whose files others write too.
        """
        self._choose_labels()
        if not sure and (self.options.unit or self._all_like_fractions()):
            unit = None
        unit = unit or self.options.unit or self._plain_unit()
        for entry in self.entries.values():
            if unit != "pixels" and (entry.points or entry.ignore or entry.roi):
                self._scale(entry, 1.0 if unit == "fraction" else 100.0)
            self._keep_places(entry)
        return [
            Record(
                entry.name,
                entry.picture,
                np.array(entry.points, np.float64).reshape(-1, 2),
                self.file,
                entry.split,
                Region(entry.roi) if entry.roi else None,
                np.array(entry.ignore, np.float64).reshape(-1, 4),
                entry.described,
            )
            for entry in self.entries.values()
        ]

    def _choose_labels(self) -> None:
        """Keep the points of the label that is asked for, and ask where there are several and none is."""
        counted = Counter(label for entry in self.entries.values() for label in entry.labels)
        if self.options.gathered is None:
            check_labels(self.file, counted, self.options.label, self.tell)
        else:
            self.options.gathered[self.file] = counted
        names = _names_in(self.options.label)
        for entry in self.entries.values() if names else ():
            kept = [(point, label) for point, label in zip(entry.points, entry.labels, strict=True) if label in names]
            entry.points, entry.labels = [point for point, _ in kept], [label for _, label in kept]

    def _all_like_fractions(self) -> bool:
        every = [point for entry in self.entries.values() for point in entry.points]
        return len(every) > 1 and _like_fractions(np.array(every))

    def _plain_unit(self) -> str:
        """Pixels, unless the numbers look like shares of the picture, which is reported."""
        every = np.array([point for entry in self.entries.values() for point in entry.points]).reshape(-1, 2)
        if len(every) and every.min() >= -_PERCENT_BEYOND and every.max() <= MOST_PERCENT:
            if _like_fractions(every):
                self._ask(len(every), "0 and 1", "fraction")
            elif self._chance() < _CHANCE:
                self._ask(len(every), "0 and 100", "percent")
            return "pixels"
        for entry in self.entries.values():
            # Heads can be anywhere, but not several in one pixel of a picture.
            if len(entry.points) > 1 and _like_fractions(np.array(entry.points)):
                self.tell(
                    self.file,
                    f"all {len(entry.points)} points of {entry.name!r} lie between 0 and 1, those of other pictures "
                    "do not: they look like shares of the picture's size. Write all in pixels.",
                )
        return "pixels"

    def _ask(self, heads: int, between: str, unit: str) -> None:
        self.tell(
            self.file,
            f"all {heads} points lie between {between}: they look like shares of the picture's size. Say what they "
            f"are: crowdcount convert --to json --unit {unit} (or --unit pixels).",
        )

    def _chance(self) -> float:
        """The chance that points strewn over the pictures all lie in the corner of 100 x 100 pixels."""
        chance = 1.0
        for entry in self.entries.values():
            if entry.points:
                try:
                    height, width = entry.size()
                except PictureError:
                    continue
                share = min(1.0, MOST_PERCENT / height) * min(1.0, MOST_PERCENT / width)
                chance *= share ** len(entry.points)
        return chance

    def _scale(self, entry: Entry, whole: float) -> None:
        try:
            height, width = entry.size()
        except PictureError as error:
            self.tell(entry.picture, str(error).removeprefix(f"{str(entry.picture)!r} "))
            return
        outside = [point for point in entry.points if not all(0 <= value <= whole for value in point)]
        if outside:
            self.tell(self.file, f"{entry.name!r}: {outside[0]} is no share of its size between 0 and {whole:g}.")
        by = (width / whole, height / whole)
        entry.points = [(x * by[0], y * by[1]) for x, y in entry.points]
        entry.ignore = [(a * by[0], b * by[1], c * by[0], d * by[1]) for a, b, c, d in entry.ignore]
        entry.roi = [polygon * by for polygon in entry.roi]

    def _keep_places(self, entry: Entry) -> None:
        """Leave out places that became too large for a number as they were reckoned, and report it."""
        kept = [point for point in entry.points if all(map(math.isfinite, point))]
        if lost := len(entry.points) - len(kept):
            self.tell(self.file, f"{entry.name!r}: {lost} of {len(entry.points)} heads lie beyond all numbers.")
        entry.points = kept


def check_labels(place: Path, counted: Counter[str | None], wanted: str | None, tell: TellFault) -> None:
    """Report it if there are several labels and none is asked for, or not the one that is.

    Args:
        place: the file, or the folder of files that belong together.
        counted: the labels, and how often each is there.
        wanted: see `Options.label`.
        tell: called with place and problem.
    """
    shown = ", ".join(f"{label or 'no label'} ({times})" for label, times in counted.most_common(8))
    if wanted is None and len(counted) > 1:
        tell(place, f"has several labels: {shown}. Say which one is counted: --label NAME.")
    if lost := sorted(_names_in(wanted) - set(counted)):
        tell(place, f"has no label {lost[0]!r}, only: {shown or 'none'}.")


def _names_in(label: str | None) -> set[str]:
    """The labels that are asked for by name: none where there is one, or all are counted."""
    return set() if label in (None, "*") else {name.strip() for name in label.split(",")}


def set_split(entry: Entry, value: object, pile: Pile, where: str) -> None:
    """Take the split that a line or an entry gives, or report that it is unknown or contradicts."""
    split = value.strip().lower() if isinstance(value, str) else value
    if split not in ("train", "val", "test"):
        pile.tell(pile.file, f"{where}: the split should be train, val or test. Received {short(value)}.")
    elif entry.split not in (None, split):
        pile.tell(pile.file, f"{where}: {entry.name!r} is in split {split!r}, but in {entry.split!r} further up.")
    else:
        entry.split = split


def _like_fractions(points: np.ndarray) -> bool:
    return bool(points.min() >= -_BEYOND and points.max() <= 1 + _BEYOND and (points != np.round(points)).any())


def number(text: str) -> float | None:
    """The finite number that a text spells, or None. `float` alone would read 1_5 as 15."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None


def is_finite_number(value: object) -> TypeGuard[float]:
    """Whether a value of a JSON file is a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer too large for a float
        return False


def find_picture(file: Path, name: str, images: Path | None, spellings: Spellings) -> tuple[Path | None, bool]:
    """The picture that an annotation file names, and whether only a part of the name was used to find it.

    Args:
        file: the annotation file.
        name: as the file spells it: beside it, in the folder `images` beside it or above it, with a backslash for a
            slash as Windows writes it, from another machine, as a web address of a tool, in other capitals, or
            without its suffix.
        images: the only folder to look in, where it is known.
        spellings: of the pictures in the folders.
    """
    above = file.parent.parent
    folders = [images] if images else [file.parent, file.parent / "images", above / "images", above / "JPEGImages"]
    for spelled in (name, name.replace("\\", "/")):
        for folder in folders:
            # False, where Path.is_file raises: for a name that is too long or holds a NUL.
            if os.path.isfile(folder / spelled):
                return _tidy(folder / spelled), False
    for spelled in _parts_of_names(name):
        for folder in folders:
            if os.path.isfile(folder / spelled):
                return _tidy(folder / spelled), True
    if not set(name) & set("/\\"):
        found = [path for folder in dict.fromkeys(folders) for path in spellings.called(folder, name)]
        if len(found) == 1:
            return _tidy(found[0]), True
    # Last, another spelling.
    for spelled in dict.fromkeys((name.replace("\\", "/"), *_parts_of_names(name))):
        for folder in folders:
            found = spellings.of(folder / spelled)
            if len(found) == 1:
                return _tidy(found[0]), True
    return None, False


def _same_end(one: str, other: str) -> bool:
    """Whether one name is the other with more folders, or no suffix, around it."""
    short, long = sorted((f"/{name.replace(chr(92), '/')}" for name in (one, other)), key=len)
    return long.endswith(short) or Path(long).stem == Path(short).name == Path(short).stem


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURE_SUFFIXES


def _parts_of_names(name: str) -> Iterator[str]:
    """Other names under which the picture may lie here: its last part, decoded, without a tool's prefix."""
    address = urlsplit(name) if name.isprintable() else None
    inner = parse_qs(address.query).get("d", [""])[0] if address else ""  # Label Studio's local files
    for spelled in dict.fromkeys((inner, unquote(address.path) if address else "", name)):
        last = spelled.replace("\\", "/").rsplit("/", 1)[-1]
        if last not in ("", ".", ".."):
            yield last
            # Label Studio puts some digits before the name of a file that is uploaded; elsewhere they may be a date.
            yield re.sub(_UPLOADED if "upload/" in spelled else _SURELY_UPLOADED, "", last)


def _tidy(path: Path) -> Path:
    """The same file without `.` and `..`: one spelling for each picture."""
    tidy, real = os.path.normpath(path), os.path.realpath(path)
    # Up out of a folder that is a link leads elsewhere than its name says.
    return Path(tidy if os.path.realpath(tidy) == real else real)


def annotation_files(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """Files of a folder by suffix that may hold annotations: no tables of `count`, `evaluate` or `video`."""
    return [file for file in files_by_number(folder, suffixes) if not is_table_of_counts(file)]


def is_table_of_counts(file: Path) -> bool:
    """Whether a CSV file tells how many people pictures or frames hold, and of none where it is."""
    if file.suffix.lower() != ".csv":
        return False
    names: list[str] = []
    # With the mark that the page's table begins with, and as spreadsheets save them; whoever reads it tells why not.
    with suppress(OSError), open(file, encoding="utf-8-sig", errors="replace") as lines:
        names = re.split("[,;\t]", lines.readline(2000).rstrip("\r\n"))
    return names[:2] in (["picture", "count"], ["time", "count"]) or names[:3] == ["picture", "true", "predicted"]


def find_annotation_file(file_or_folder: str | os.PathLike, suffix: str) -> Path:
    """The annotation file that a path means: itself, or in a folder the one file of this kind.

    Of several the one named `points.csv` (`points.json`) counts.

    Args:
        file_or_folder: path of a file or a folder.
        suffix: `".csv"` or `".json"`.

    Raises:
        AnnotationError: if there is no such file, or several and none is named `points`; if a file has the other name.
    """
    path = Path(file_or_folder)
    if path.is_file():
        other = path.suffix.lower()
        if other != suffix and other in (".csv", ".json"):
            raise AnnotationError(f"{path} is no {suffix} file: name the data set {other[1:]} instead of {suffix[1:]}.")
        return path
    if not path.is_dir():
        raise AnnotationError(f"There is no file or folder {path}. Name the annotation file or its folder.")
    found = annotation_files(path, (suffix,))
    for file in found:
        if file.name == f"points{suffix}" or len(found) == 1:
            return file
    names = ", ".join(file.name for file in found[:5]) or "none"
    raise AnnotationError(
        f"{path} should hold one {suffix} file, or one named points{suffix}. Found: {names}. Name the file itself."
    )
