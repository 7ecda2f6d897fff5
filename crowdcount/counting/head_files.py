"""Heads of counted pictures as annotation files: CSV or JSON, as `load_dataset` reads them."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np

from crowdcount.counting.results import CountFailure, CountResult
from crowdcount.counting.sources import listed
from crowdcount.counting.tables import NO_TABLES
from crowdcount.data.exports.entries import is_table_of_counts
from crowdcount.data.exports.table import IN_PIXELS, column_names, read_table
from crowdcount.data.records import way_to
from crowdcount.errors import DataError
from crowdcount.files import as_cell, atomic_path, is_stream

CSV_COLUMNS = ("picture", "x", "y")
"""Columns of a CSV file of heads, as `annotations.read_csv` reads it."""


def save_heads(path: str | os.PathLike, results: CountResult | Iterable[CountResult | CountFailure]) -> None:
    """Write the heads of pictures as annotations: CSV or JSON, as `load_dataset` reads them.

    Args:
        path: the file to write: JSON where its name ends in `.json`, else CSV with the columns picture, x, y.
            A picture in which nobody was counted has one line of CSV with empty x and y. Where all numbers are so
            small that they seem to be percent, the header says what they are: `x (px)`, `y (px)`.
        results: what `count` returned, or `count_many` yields; pictures that failed are left out. The others
            are named as `picture_name` does it; those
            that came as an array, without a path, by the name in the result.

    Raises:
        DataError: if the file has the name of another kind of file, as `.tsv`, or is there and may hold dots made by
            hand, see `keep_dots`.
        OSError: if the file cannot be written.
    """
    check_ending(path)
    keep_dots(path)
    counted = (result for result in listed(results) if not isinstance(result, CountFailure))
    if is_json(path):
        write_json(path, [(_name_in(path, result), result.heads()) for result in counted])
        return
    with atomic_path(path) as temporary:
        with open(temporary, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            writer = csv.DictWriter(file, CSV_COLUMNS)
            writer.writeheader()
            for result in counted:
                writer.writerows(csv_rows(_name_in(path, result), result.heads()))
        state_unit(temporary)


def check_ending(path: str | os.PathLike, option: str = "path") -> None:
    """Refuse a file whose name says that it is of another kind than what is written, as tables do.

    Args:
        path: the file that is to be written.
        option: what the message calls it.

    Raises:
        DataError: for the ending of a workbook, or of a table with tabs.
    """
    if Path(path).suffix.lower() in NO_TABLES and not is_json(path):
        raise DataError(
            f"{option} writes JSON, or a table as text, with commas: name it FILE.json or FILE.csv. Received: "
            f"{os.fspath(path)}"
        )


def keep_dots(path: str | os.PathLike, option: str = "path") -> None:
    """Refuse to replace dots by what a network or a tool has found: these names are those of dots made by hand.

    Nor do heads take the place of a table of counts, whose name is soon written behind the wrong option.

    Args:
        path: the file that is to be written.
        option: what the message calls it.

    Raises:
        DataError: if the file is there and called so, or such a table.
    """
    if os.path.isfile(path) and Path(path).name.lower() in ("points.csv", "points.json"):
        raise DataError(
            f"{option} would replace {os.fspath(path)}, which may hold dots made by hand. Choose another file, or move "
            "it away."
        )
    if os.path.isfile(path) and is_table_of_counts(Path(path)):
        raise DataError(
            f"{option} would replace {os.fspath(path)}, which is a table of counts. Choose another file for the heads."
        )


def is_json(path: str | os.PathLike) -> bool:
    """Whether a file of heads is to be JSON, by its name."""
    return os.fspath(path).lower().endswith(".json")


def picture_name(picture: str | os.PathLike, file: str | os.PathLike) -> str:
    """How a file of heads names a picture: as `crowdcount.data.records.way_to`, and so that no table takes it for a
    formula.

    Args:
        picture: path of the picture.
        file: path of the annotation file.

    Returns:
        The path as it was given where `file` is a pipe or a device: nobody knows where what goes through it will lie.

    Example:
        >>> picture_name("crowds/images/a.jpg", "crowds/points.csv"), picture_name("=1.jpg", "points.csv")
        ('images/a.jpg', './=1.jpg')
    """
    return as_cell(os.fspath(picture) if is_stream(file) else way_to(picture, file))


def _name_in(path: str | os.PathLike, result: CountResult) -> str:
    """How the annotation file `path` names a result's picture."""
    if isinstance(result.source, str):
        return picture_name(result.source, path)
    # A PIL image or an open file may know its path; an array has a name that is none.
    return picture_name(result.picture, path) if os.path.isfile(result.picture) else as_cell(result.picture)


def csv_rows(picture: str, heads: np.ndarray) -> list[dict]:
    """A picture's lines of CSV, by column; one without a position where nobody is."""
    if not len(heads):
        return [{"picture": picture, "x": "", "y": ""}]
    return [{"picture": picture, "x": round(x, 2), "y": round(y, 2)} for x, y in heads.tolist()]


def state_unit(path: str | os.PathLike) -> None:
    """Say in a CSV file's header that its numbers are pixels, where readers would ask: small ones in large pictures.

    Args:
        path: the file, as `save_heads` writes it.

    Raises:
        OSError: if it cannot be read or written.
    """
    if is_stream(path):
        return
    names = {}
    with (
        suppress(ValueError),  # of a file that is gone on with, and was edited so: its readers tell
        open(path, newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        rows = groupby(csv.DictReader(file), key=itemgetter("picture"))
        names = column_names([(float(row["x"]), float(row["y"])) for row in heads if row.get("x")] for _, heads in rows)
    told: list[str] = []
    if set(names.values()) == set(IN_PIXELS):
        read_table(Path(path), lambda _, problem: told.append(problem))
    if told:
        _, end, content = Path(path).read_bytes().partition(b"\n")
        with atomic_path(path) as temporary:
            temporary.write_bytes(f"{CSV_COLUMNS[0]},{','.join(IN_PIXELS)}\r".encode() + end + content)


def write_json(path: str | os.PathLike, pictures: Iterable[tuple[str, np.ndarray]]) -> None:
    """Write pictures' names and heads as JSON: one object with the list `pictures`, see `read_json`."""
    entries = [{"picture": name, "points": heads.round(2).tolist()} for name, heads in pictures]
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps({"unit": "pixels", "pictures": entries}) + "\n", encoding="utf-8")
