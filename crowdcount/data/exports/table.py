"""CSV files of points or boxes, as people and spreadsheets write them: one row a head."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from crowdcount.data.exports import via
from crowdcount.data.exports.entries import (
    MOST_FRACTION,
    MOST_PERCENT,
    Entry,
    Options,
    Pile,
    has_heads,
    number,
    set_split,
)
from crowdcount.data.images import picture_size
from crowdcount.data.records import Record, TellFault, short
from crowdcount.errors import PictureError

# Usual names of the columns, the surest first.
_NAMES = {
    "picture": ("picture", "image", "filename", "file_name", "image_name", "imagename", "img", "file", "image_path")
    + ("img_path", "filepath", "path", "photo", "image_id", "img_id", "imageid", "name", "bild", "bildname", "datei")
    + ("dateiname", "imagen", "foto", "archivo", "图片", "文件名", "label"),
    "x": ("x", "cx", "x_center", "center_x", "xcenter", "point_x", "pos_x", "x_px", "px_x", "head_x", "col", "column")
    + ("x_in_px", "x_pixel", "x_coord", "x_coordinate", "x_koordinate", "coordenada_x"),
    "y": ("y", "cy", "y_center", "center_y", "ycenter", "point_y", "pos_y", "y_px", "px_y", "head_y", "row")
    + ("y_in_px", "y_pixel", "y_coord", "y_coordinate", "y_koordinate", "coordenada_y"),
    "xmin": ("xmin", "x_min", "x1", "left", "xtl", "bbox_x1"),
    "ymin": ("ymin", "y_min", "y1", "top", "ytl", "bbox_y1"),
    "xmax": ("xmax", "x_max", "x2", "right", "xbr", "bbox_x2"),
    "ymax": ("ymax", "y_max", "y2", "bottom", "ybr", "bbox_y2"),
    "label": ("label", "class", "category", "class_name", "label_name", "classname", "labelname", "category_name")
    + ("type", "class_id", "category_id", "label_id", "object_class", "tag"),
    "split": ("split", "subset", "set"),
    "ignore": ("ignore",),
    "width": ("width", "w", "image_width", "img_width"),
    "height": ("height", "h", "image_height", "img_height"),
}
_BOX = ("xmin", "ymin", "xmax", "ymax")
# No picture has 100,000 pixels a side.
_POINT_THOUSANDS = re.compile(r"[1-9]\d?\.\d{3}")
_COMMA_NUMBER = re.compile(r"[+-]?\d+,\d+")
# What may stand in brackets behind the name of a column, and the unit that it is.
_UNITS = {"px": "pixels", "pixel": "pixels", "pixels": "pixels", "%": "percent", "percent": "percent"}
# How the files of spreadsheets begin (.xlsx, .ods), whatever they are called.
_ARCHIVE = b"PK\x03\x04"
_SEPARATORS = (",", ";", "\t", "|")
_REGIONS = "region_shape_attributes"  # a column of VIA's tables
_LONGEST_HEADER = 2000  # bytes


IN_PIXELS = {"x (px)": "x", "y (px)": "y"}
"""What columns of heads are called where their numbers alone do not tell their unit -> what they are called else."""


class _Unclear(Exception):
    """What the file leaves unclear, as the end of a message."""


def read_table(file: Path, tell: TellFault, options: Options | None = None) -> list[Record]:
    """Read a CSV file of head annotations, see `crowdcount.data.annotations.read_csv`.

    Args:
        file: the CSV file.
        tell: called with file and problem for each fault; the row is then left out.
        options: answers to what the file leaves unclear.

    Returns:
        Every picture that is named in the file and exists.
    """
    pile = Pile(file, tell, options or Options())
    if file.suffix.lower() == ".zip":  # as annotation tools export; with its pictures it may be of gigabytes
        tell(file, "is an archive. Unpack it, and name the folder that comes out of it.")
        return []
    try:
        data = file.read_bytes()
        if data.startswith(_ARCHIVE):
            tell(file, "is a workbook, or another archive, and no text. Save its sheet as CSV.")
            return []
        lines = _rows(decoded(data))
    except (OSError, UnicodeError, csv.Error) as error:
        tell(file, f"is not a readable CSV file in UTF-8 or UTF-16: {error}.")
        return []
    if lines and _REGIONS in [value.strip() for value in lines[0][1]]:
        return via.read_rows(lines, pile)
    try:
        columns, rows = _columns(lines, pile.options)
        unit = pile.options.unit or (_stated_unit(lines[0], columns) if rows != lines else None)
        table = _Table(columns, lines[0][0], len(lines[0][1]), _numbers(rows, columns), pile)
        table.check_sizes(rows)
    except _Unclear as error:
        tell(file, str(error))
        return []
    for line, row in rows:
        table.read_row(line, row)
    table.check_empty()
    return pile.records(unit=unit)


def column_names(pictures: Iterable[ArrayLike]) -> dict[str, str]:
    """How a file that is written calls the columns x and y: with their unit, where readers may ask for it.

    Numbers that are all as small, or all of a picture, might be shares of its size.

    Args:
        pictures: the heads of each in pixels, shape (N, 2).

    Example:
        >>> column_names([[[70.0, 44.0]]]), column_names([[[70.0, 44.0]], [], [[300.0, 2.0]]])
        ({'x': 'x (px)', 'y': 'y (px)'}, {'x': 'x', 'y': 'y'})
    """
    most, fractions = 0.0, False
    for points in pictures:
        if number := len(found := np.asarray(points, np.float64).reshape(-1, 2)):
            most = max(most, float(found.max()))
            fractions |= number > 1 and float(found.max()) <= MOST_FRACTION
    asked = 0 < most <= MOST_PERCENT or fractions
    return {plain: stated if asked else plain for stated, plain in IN_PIXELS.items()}


def names_heads(file: Path) -> bool:
    """Whether a file is there whose first row names the columns of heads, as `read_table` understands it."""
    start = b""
    rows: list[tuple[int, list[str]]] = []
    try:
        with open(file, "rb") as lines:
            # Before that row there may be a line that tells the separator, or an empty one.
            while not rows and len(start) < _LONGEST_HEADER and (line := lines.readline(_LONGEST_HEADER)):
                start += line
                # In UTF-16 a line's end has a second byte, which is taken for the next line's.
                rows = _rows(decoded(start + b"\0" if len(start) % 2 and b"\0" in start else start))
    except (OSError, UnicodeError, csv.Error):
        return False
    header = [value.strip() for value in rows[0][1]] if rows else []
    return _REGIONS in header or has_heads(_named_columns(header))


def decoded(data: bytes) -> str:
    """Text in UTF-8, UTF-16 or, where neither fits, in Windows' Western European letters.

    Raises:
        UnicodeError: if it is none of these.
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16")
    if b"\0" in data[:200]:  # UTF-16 without a mark: letters have a zero after or before them
        return data.decode("utf-16-le" if data[1:2] == b"\0" else "utf-16-be")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252")
        if not text.replace("\n", "").replace("\r", "").replace("\t", "").isprintable():
            raise
        return text


def _rows(text: str) -> list[tuple[int, list[str]]]:
    """The rows that hold something, with the numbers of their lines."""
    first, _, rest = text.partition("\n")
    stated = (
        re.fullmatch(r"\"?sep=(.)\"?;*,*", first.strip("\r\n "))
        if first.lower().startswith(("sep=", '"sep='))
        else None
    )
    if first.strip("\r ").lower() == "sep=":  # a tab, which strip takes away
        stated, separator = None, "\t"
    else:
        separator = stated[1] if stated else _separator(text)
    skipped = 1 if stated or first.lower().startswith("sep=") else 0
    rows = csv.reader(io.StringIO(rest if skipped else text, newline=""), delimiter=separator, strict=True)
    return [(rows.line_num + skipped, row) for row in rows if any(value.strip() for value in row)]


def _separator(text: str) -> str:
    """The separator that divides the first line into the most columns; in doubt the comma."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    outside = re.sub(r'"[^"]*"', "", first)
    if "\t" in outside:
        return "\t"
    # With semicolons between, commas are decimal ones.
    return ";" if ";" in outside else max(_SEPARATORS, key=outside.count)


def _columns(
    lines: list[tuple[int, list[str]]], options: Options
) -> tuple[dict[str, int], list[tuple[int, list[str]]]]:
    """Position of each kind of column, and the rows without the header."""
    first, header = lines[0] if lines else (1, [])
    values = [value.strip() for value in header]
    headless = sum(number(value.replace(",", ".")) is not None for value in values) >= 2 or (
        len(values) == 3 and values[0] != "" and values[1:] == ["", ""]
    )
    if options.columns:
        columns = {name: at for at, name in enumerate(options.columns) if name != "-"}
        if len(options.columns) != len(values):
            raise _Unclear(f"line {first}: has {len(values)} columns, but {len(options.columns)} are named.")
        return columns, lines if headless else lines[1:]
    if headless:
        if len(values) == 3 and number(values[0].replace(",", ".")) is None:
            return {"picture": 0, "x": 1, "y": 2}, lines
        raise _Unclear(
            f"line {first}: should name the columns picture, x, y once, or say what they hold: --columns picture,x,y. "
            f"Received {short(values)}."
        )
    columns = _named_columns(values)
    if not has_heads(columns):
        raise _Unclear(
            f"line {first}: should name the columns picture, x, y once, or say what they hold: --columns picture,x,y. "
            f"Received {short(values)}."
        )
    return columns, lines[1:]


def _named_columns(header: list[str]) -> dict[str, int]:
    """Position of each kind of column by the usual names; a name that is there twice is none."""
    plain = [re.sub(r"\W+", "_", re.sub(r"\(.*\)|\[.*\]", "", value.lower()).strip()).strip("_") for value in header]
    columns: dict[str, int] = {}
    for kind, names in _NAMES.items():
        for name in names:
            if plain.count(name) == 1 and plain.index(name) not in columns.values():
                columns[kind] = plain.index(name)
                break
            if plain.count(name) > 1:
                break
    # Pictures may be called labels (ImageJ), but only where nothing else can be the picture: the names are in order.
    if set(_BOX) <= set(columns) and not {"x", "y"} <= set(columns):
        columns.pop("x", None), columns.pop("y", None)
    else:  # a point that somebody put is the head, whatever box is around it
        for name in _BOX:
            columns.pop(name, None)
    return columns


def _stated_unit(header: tuple[int, list[str]], columns: dict[str, int]) -> str | None:
    """The unit that the header says in brackets, as `x (px)`; None where it says none.

    Raises:
        _Unclear: if it is none that a place in a picture can have, as meters.
    """
    line, names = header
    stated = None
    for kind in ("x", "y", *_BOX):
        found = re.search(r"[(\[]\s*([^)\]]*?)\s*[)\]]|(%)", names[columns[kind]]) if kind in columns else None
        if found is None:
            continue
        stated = _UNITS.get((found[1] or found[2] or "").lower())
        if stated is None:
            raise _Unclear(
                f"line {line}: {names[columns[kind]].strip()!r} should be in pixels or percent of the picture. If it "
                f"is, say so: --unit pixels."
            )
    return stated


def _numbers(lines: list[tuple[int, list[str]]], columns: dict[str, int]) -> Callable[[str], float | None]:
    """A function that reads the numbers of this file, with points or commas before their fractions.

    Raises:
        _Unclear: where a comma may be either.
    """
    at = [columns[name] for name in ("x", "y", *_BOX) if name in columns]
    texts = [row[i].strip() for _, row in lines for i in at if i < len(row)]
    commas = [text for text in texts if _COMMA_NUMBER.fullmatch(text)]
    if not commas:
        pointed = [text for text in texts if "." in text]
        whole = [text for text in texts if text.isdecimal()]
        thousands = len(pointed) > 1 and all(map(_POINT_THOUSANDS.fullmatch, pointed))
        if thousands and whole and max(map(len, whole)) <= 3:
            raise _Unclear(
                f"{pointed[0]!r}: the point may stand before thousands or before a fraction. Write numbers from 1000 "
                "up without it, or all with fractions."
            )
        return number
    if all(len(text.rpartition(",")[2]) == 3 for text in commas):
        raise _Unclear(
            f"{commas[0]!r}: the comma may stand before thousands or before a fraction. Write it with a point."
        )
    if any("." in text for text in texts):
        raise _Unclear(
            f"has numbers with a comma ({commas[0]!r}) and others with a point. Write them all with a point."
        )
    return lambda text: number(text.replace(",", ".")) if text.count(",") <= 1 else None


@dataclass(frozen=True)
class _Table:
    """A CSV file whose columns are known: position of each, line and length of its first row."""

    columns: dict[str, int]
    first: int
    length: int
    number: Callable[[str], float | None]
    pile: Pile

    def read_row(self, line: int, row: list[str]) -> None:
        """Take one row into the pile, or report what is wrong with it."""
        where = f"line {line}"
        if len(row) < self.length or any(value.strip() for value in row[self.length :]):
            self._report(f"{where}: should have {self.length} values, as line {self.first} has. Received {short(row)}.")
            return
        # Space around a picture's name may be part of it.
        values = {name: row[at] if name == "picture" else row[at].strip() for name, at in self.columns.items()}
        entry = self.pile.entry(values["picture"], where)
        if entry is None:
            return
        if "split" in values:
            set_split(entry, values["split"], self.pile, where)
        if values.get("ignore"):
            self._read_ignored(values["ignore"], entry, where)
        names = ("x", "y") if "x" in values else _BOX
        if any(values[name] for name in names):
            self._read_head([values[name] for name in names], values.get("label"), entry, where)
        elif not values.get("ignore"):
            entry.empty = entry.empty or where

    def _read_head(self, texts: list[str], label: str | None, entry: Entry, where: str) -> None:
        read = [self.number(text) for text in texts]
        numbers = [number for number in read if number is not None]
        if len(numbers) < len(read):
            wanted = "x and y" if len(texts) == 2 else "the sides of a box"
            empty = "both" if len(texts) == 2 else "all"
            received = ", ".join(map(repr, texts))
            self._report(
                f"{where}: {wanted} should be finite numbers, or {empty} empty where nobody is. Received {received}."
            )
            return
        if len(numbers) == 4:
            left, top, right, bottom = numbers
            if right < left or bottom < top:
                self._report(f"{where}: the box ends before it begins. Received {', '.join(texts)}.")
                return
            numbers = [(left + right) / 2, (top + bottom) / 2]
        x, y = numbers
        entry.add(x, y, label or None)

    def _read_ignored(self, text: str, entry: Entry, where: str) -> None:
        read = [self.number(side) for side in text.split()]
        sides = [side for side in read if side is not None]
        if len(read) != 4 or len(sides) != 4 or sides[2] < sides[0] or sides[3] < sides[1]:
            self._report(f"{where}: ignore should be a box: left top right bottom, spaces between. Received {text!r}.")
        else:
            left, top, right, bottom = sides
            entry.ignore.append((left, top, right, bottom))

    def check_empty(self) -> None:
        """Report pictures that hold nobody in one row and somebody in another."""
        for entry in self.pile.entries.values():
            if entry.empty and entry.points:
                self._report(
                    f"{entry.empty}: says that nobody is in {entry.name!r}, but other lines have "
                    f"{len(entry.points)} heads in it."
                )

    def check_sizes(self, rows: list[tuple[int, list[str]]]) -> None:
        """Width and height beside x and y are the picture's, or those of a box, whose x and y may be a corner.

        Raises:
            _Unclear: if they are not the picture's.
        """
        if not {"width", "height"} <= set(self.columns) or self.pile.options.columns:
            return
        sizes: dict[str, tuple[int, int] | None] = {}
        for line, row in rows:
            values = {name: row[at].strip() for name, at in self.columns.items() if at < len(row)}
            sides = [self.number(values.get(name, "")) for name in ("height", "width")]
            name = values.get("picture", "")
            if name not in sizes:
                sizes[name] = self._real_size(name)
            real = sizes[name]
            if real is None or sides == [None, None] or sides == list(real):
                continue
            if "x" not in self.columns:
                box = [end for name in _BOX if (end := self.number(values.get(name, ""))) is not None]
                if len(box) < 4 or [box[3] - box[1], box[2] - box[0]] != sides:  # or else they are the box's
                    wide, high = (values.get(name) or "?" for name in ("width", "height"))
                    raise _Unclear(
                        f"line {line}: was made for a picture of {wide} x {high} pixels, but it has "
                        f"{real[1]} x {real[0]}. Put the picture there that was annotated, or annotate this one."
                    )
            else:
                raise _Unclear(
                    f"line {line}: x and y with a width and a height may be the middle or a corner of a box. Name the "
                    "columns: --columns with x and y where they are the middle, and - for width and height."
                )

    def _real_size(self, name: str) -> tuple[int, int] | None:
        """Height and width of a picture; None where it is missing or unreadable, which is told where it is read."""
        picture = self.pile.find(name)[0]
        with suppress(PictureError):
            return None if picture is None else picture_size(picture)
        return None

    def _report(self, problem: str) -> None:
        self.pile.tell(self.pile.file, problem)
