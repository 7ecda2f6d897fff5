"""A folder of pictures that are being annotated, and the file that holds what was done.

`points.json` in the folder is the JSON of head annotations that `train` reads: the pictures that are done stand in
`"pictures"`. What was begun stands in `"unfinished"`, which no reader takes for annotations. Both have one field more,
`"ignore"`: polygons, corners [x, y] in pixels, in which nothing is counted.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from crowdcount.counting.head_files import CSV_COLUMNS, csv_rows
from crowdcount.data import documents
from crowdcount.data.annotations import read_json
from crowdcount.data.dividing import hashed_split
from crowdcount.data.exports.entries import Spellings, find_picture
from crowdcount.data.exports.table import column_names, read_table
from crowdcount.data.images import list_pictures, picture_size
from crowdcount.data.records import raise_fault
from crowdcount.errors import AnnotationError, CrowdCountError, PictureError
from crowdcount.files import as_cell, atomic_path, held

FILE = "points.json"

# Seconds that a page waits for another one, or another server, to have saved.
_PATIENCE = 10.0

_DONE, _BEGUN = "pictures", "unfinished"
# More than any picture has heads: a request cannot fill the disk.
_MOST_POINTS = 100_000
_MOST_BOXES = 1000
# Pixels; no picture is as wide.
_FARTHEST = 1e9

# Of an entry: its marks, and how many heads they are, by the two names that readers know for it.
_MADE_ANEW = ("points", "ignore", "count", "human_num")

Points = list[list[float]]


class Conflict(CrowdCountError):
    """A picture's annotation was changed elsewhere since it was read; `entry` is what it is now."""

    def __init__(self, entry: Entry):
        super().__init__("This picture was changed elsewhere meanwhile. Nothing was saved.")
        self.entry = entry


@dataclass(frozen=True)
class Entry:
    """What is annotated in one picture.

    Args:
        points: heads, [x, y] in pixels.
        ignore: polygons of corners [x, y] in pixels, in which nothing is to be counted.
        done: whether the picture is finished.
    """

    points: Points = field(default_factory=list)
    ignore: list[Points] = field(default_factory=list)
    done: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been annotated."""
        return not (self.points or self.ignore or self.done)

    @property
    def version(self) -> str:
        """A word that is another one when anything is; empty where nothing has been annotated."""
        if self.is_empty:
            return ""
        text = json.dumps([self.points, self.ignore, self.done])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class Folder:
    """The pictures of a folder and its subfolders, with their annotation file.

    Args:
        path: the folder.

    Raises:
        PictureError: if the folder cannot be read or holds no pictures.
        AnnotationError: if it has an annotation file that cannot be read; it is not written over.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        pictures = list_pictures(self.path, recursive=True)
        if not pictures:
            raise PictureError(f"The folder {os.fspath(path)!r} holds no pictures. Name a folder of JPEG or PNG files.")
        self.file = self.path / FILE
        self._pictures = {picture.relative_to(self.path).as_posix(): picture for picture in pictures}
        self._by_place = {os.path.realpath(picture): name for name, picture in self._pictures.items()}
        self._spelled: dict[str, str] = {}
        self._spellings = Spellings()
        self._sizes: dict[str, tuple[int, int]] = {}
        self._lock = threading.Lock()
        self._check()

    @property
    def names(self) -> list[str]:
        """The pictures' names: their paths in the folder, with slashes, sorted."""
        return list(self._pictures)

    def picture(self, name: str) -> Path:
        """Path of a picture.

        Raises:
            PictureError: if the folder has no such picture.
        """
        if not isinstance(name, str) or name not in self._pictures:
            raise PictureError(f"The folder holds no picture {name!r:.80}.")
        return self._pictures[name]

    def size(self, name: str) -> tuple[int, int]:
        """(height, width) of a picture in pixels.

        Raises:
            PictureError: if there is no such picture, or it cannot be read.
        """
        if name not in self._sizes:
            self._sizes[name] = picture_size(self.picture(name))
        return self._sizes[name]

    def entries(self) -> dict[str, Entry]:
        """Name -> what is annotated, for the pictures that are begun or done.

        Raises:
            AnnotationError: if the file cannot be read any more.
        """
        content = self._content()
        found = {}
        for kind in (_BEGUN, _DONE):
            for item in content[kind]:
                found[self._name_of(item)] = Entry(item["points"], _polygons(item), done=kind == _DONE)
        return {name: entry for name, entry in found.items() if name in self._pictures and not entry.is_empty}

    def save(self, name: str, entry: Entry, version: str) -> str:
        """Write what is annotated in a picture; all else in the file stays.

        Args:
            name: the picture.
            entry: all that is annotated in it.
            version: the version that was changed into this.

        Returns:
            The new version.

        Raises:
            Conflict: if the file holds another version; nothing is written.
            PictureError: if there is no such picture.
            AnnotationError: if points or polygons are no places in the picture, and not those that the file has
                already, or the file cannot be read any more.
        """
        self.size(name)  # raises for a picture that is none, before anybody is kept waiting
        with self._alone():
            content = self._content()
            there = self.entries().get(name, Entry())
            self._check_places(name, entry, there)
            if there.version != version:
                raise Conflict(there)
            items = [each for kind in (_DONE, _BEGUN) for each in content[kind]]
            divided = any("split" in each for each in items)
            item: dict = next((each for each in items if self._name_of(each) == name), {})
            for kind in (_DONE, _BEGUN):
                content[kind] = [each for each in content[kind] if each is not item]
            # What else the entry holds, as its split, stays with it, also while nothing is marked in its picture.
            kept = {key: value for key, value in item.items() if key not in _MADE_ANEW}
            if not entry.is_empty or kept.keys() - {"picture"}:
                made = {"picture": name, **kept, "points": entry.points}
                if divided:  # readers want a split of each picture, or of none
                    made.setdefault("split", hashed_split(name))
                if entry.ignore:
                    made["ignore"] = entry.ignore
                content[_DONE if entry.done else _BEGUN].append(made)
            self._write(content)
        return entry.version

    def csv(self) -> str:
        """The pictures that are done as CSV, `picture,x,y` or, of small numbers, `picture,x (px),y (px)`.

        There are columns for boxes and splits where a picture has any.

        Raises:
            AnnotationError: if the file cannot be read any more, a polygon in which nothing is counted is no box, or a
                picture has a region in which alone is counted.
        """
        rows: list[dict] = []
        for item in self._content()[_DONE]:
            name = self._name_of(item)
            if name not in self._pictures:
                continue
            if item.get("roi"):  # without it all of the picture would be counted
                raise AnnotationError(f"{name}: CSV cannot hold the region of interest there. Use points.json.")
            boxes = [{"picture": as_cell(name), "ignore": _box(polygon, name)} for polygon in _polygons(item)]
            heads = csv_rows(as_cell(name), np.array(item["points"]).reshape(-1, 2))
            more = {"split": item["split"]} if "split" in item else {}
            rows += [{**row, **more} for row in (boxes if boxes and not item["points"] else heads + boxes)]
        columns = [*CSV_COLUMNS, *(name for name in ("ignore", "split") if any(name in row for row in rows))]
        called = column_names(item["points"] for item in self._content()[_DONE])
        header = [called.get(column, column) for column in columns]
        lines = [header, *([row.get(column, "") for column in columns] for row in rows)]
        return "".join(f"{','.join(map(_cell, line))}\r\n" for line in lines)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Neither another thread nor another process saves into the file meanwhile."""
        with self._lock, held(self.file, wait=_PATIENCE):
            yield

    def _check(self) -> None:
        """Read what is there by the readers that everybody uses, who say what is wrong with it."""
        if self.file.is_file():
            if self._content()[_DONE]:  # where all is only begun, readers find no picture
                read_json(self.file)
            return
        earlier = self.path / "points.csv"
        if earlier.is_file():  # begun in another program: taken over, and left as it is
            done = []
            for record in read_table(earlier, raise_fault):
                name = self._by_place.get(os.path.realpath(record.picture))
                if name is not None:
                    made: dict = {"picture": name, "points": record.points.tolist()}
                    if record.split is not None:
                        made["split"] = record.split
                    if len(record.ignore):
                        made["ignore"] = [_corners(box) for box in record.ignore.tolist()]
                    done.append(made)
            with self._alone():
                if not self.file.is_file():  # nor has another one taken it over
                    self._write({_DONE: done, _BEGUN: []})

    def _content(self) -> dict:
        """What the file holds, with both lists."""
        name = self.file.name
        try:
            content: Any = documents.parse(self.file.read_text(encoding="utf-8-sig"))
            json.dumps(content, allow_nan=False)
        except FileNotFoundError:
            content = {}
        except (OSError, ValueError, RecursionError) as error:
            raise AnnotationError(f"{name} is not a readable JSON file in UTF-8: {error}.") from error
        if isinstance(content, dict) and content.keys() - {"unit"} and not content.keys() & {_DONE, _BEGUN}:
            raise AnnotationError(
                f"{name} is of another program: what is marked here would not be read beside what it holds. Write it "
                f"anew, and put the new file in its place: crowdcount convert {name} ours.json --to json"
            )
        lists = [content.get(kind, []) for kind in (_DONE, _BEGUN)] if isinstance(content, dict) else [None]
        for entries in lists:
            if not isinstance(entries, list) or not all(map(_is_item, entries)):
                raise AnnotationError(f"{name} is no file of head annotations. Mend it, or move it away.")
        if (unit := content.get("unit")) in ("fraction", "percent"):
            raise AnnotationError(
                f"{name} has its points in the unit {unit!r}; here they are in pixels. Write them so, and "
                f"put the new file in its place: crowdcount convert {name} pixels.json --to json"
            )
        if unit not in (None, "pixels"):
            raise AnnotationError(f'{name}: its "unit" should be "pixels". Received: {unit!r:.80}')
        return {"unit": "pixels", **content, _DONE: lists[0], _BEGUN: lists[1]}

    def _write(self, content: dict) -> None:
        order = {name: place for place, name in enumerate(self._pictures)}
        for kind in (_DONE, _BEGUN):
            content[kind].sort(key=lambda item: order.get(self._name_of(item), len(order)))
        text = io.StringIO()
        json.dump(content, text, ensure_ascii=False, allow_nan=False)
        with atomic_path(self.file) as temporary:
            # Bytes of names that are no UTF-8 as JSON's own escapes, which give them back.
            temporary.write_text(text.getvalue() + "\n", encoding="utf-8", errors="backslashreplace")

    def _name_of(self, item: Mapping) -> str:
        """The name that we give an entry's picture; the file may spell it in any way that its readers understand."""
        spelled = item["picture"]
        if spelled in self._pictures:
            return spelled
        if spelled not in self._spelled:
            picture, _ = find_picture(self.file, spelled.strip(), None, self._spellings)
            place = None if picture is None else os.path.realpath(picture)
            self._spelled[spelled] = self._by_place.get(place or "", spelled)
        return self._spelled[spelled]

    def _check_places(self, name: str, entry: Entry, there: Entry) -> None:
        height, width = self.size(name)
        if len(entry.points) > _MOST_POINTS or len(entry.ignore) > _MOST_BOXES:
            raise AnnotationError(f"{name}: more than {_MOST_POINTS:,} points or {_MOST_BOXES:,} boxes.")
        if any(len(polygon) < 3 for polygon in entry.ignore):
            raise AnnotationError(f"{name}: what is not to be counted is bounded by three corners or more.")
        # Data sets have dots beside the picture, which `check` names: nobody sees them on the page, to take them away.
        known = set(map(tuple, _places(there)))
        for x, y in _places(entry):
            if not (0 <= x <= width and 0 <= y <= height) and (x, y) not in known:
                raise AnnotationError(f"{name}: ({x:g}, {y:g}) lies outside the picture of {width}x{height} pixels.")


def _places(entry: Entry) -> Points:
    """All points of an entry, and all corners of what is not counted."""
    return [*entry.points, *(corner for polygon in entry.ignore for corner in polygon)]


def points_of(value: object) -> Points:
    """Points as lists of two numbers.

    Raises:
        AnnotationError: if they are no such lists, or not finite.

    Example:
        >>> points_of([[1, 2.5]])
        [[1.0, 2.5]]
    """
    if isinstance(value, Sequence) and not isinstance(value, str) and all(map(_is_point, value)):
        return [[float(x), float(y)] for x, y in value]
    raise AnnotationError(f"Points should be a list of [x, y], finite numbers. Received: {value!r:.80}")


def _is_point(value: object) -> bool:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        return False
    return all(type(at) in (int, float) and abs(at) < _FARTHEST for at in value)  # which NaN is not


def _is_item(item: object) -> bool:
    if not isinstance(item, dict) or not isinstance(item.get("picture"), str):
        return False
    try:
        points_of(item.get("points"))
        return all(points_of(polygon) is not None for polygon in _polygons(item))
    except (AnnotationError, TypeError):
        return False


def _polygons(item: Mapping) -> list[Points]:
    """What is not counted in an entry's picture, as corners; `crowdcount convert` writes a box by its four sides."""
    ignore = item.get("ignore") or []
    return [_corners(each) if isinstance(each, list) and _is_box(each) else each for each in ignore]


def _is_box(sides: list) -> bool:
    return len(sides) == 4 and all(type(side) in (int, float) for side in sides)


def _corners(sides: list[float]) -> Points:
    left, top, right, bottom = sides
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def _box(polygon: Points, name: str) -> str:
    """Left, top, right and bottom of a box as CSV has them."""
    (left, top), (right, bottom) = np.min(polygon, axis=0).tolist(), np.max(polygon, axis=0).tolist()
    if sorted(map(list, polygon)) != sorted(_corners([left, top, right, bottom])):
        raise AnnotationError(f"{name}: CSV holds boxes alone, and what is not counted there is none. Use points.json.")
    return " ".join(map(repr, (left, top, right, bottom)))


def _cell(value: object) -> str:
    text = str(value)
    return '"' + text.replace('"', '""') + '"' if any(letter in text for letter in ',"\r\n') else text
