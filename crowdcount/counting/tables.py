"""CSV files of counts: written at once at the end of the work, or line by line and gone on with."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from crowdcount.data.exports.table import names_heads
from crowdcount.data.images import PICTURE_SUFFIXES
from crowdcount.errors import DataError
from crowdcount.files import append_whole, atomic_path, held, is_stream, place_beside, writing

NO_TABLES = (".xlsx", ".xls", ".ods", ".json", ".html", ".parquet", ".tsv", ".tab")
"""Endings of files that are no text with commas; of those with tabs spreadsheets would make a single column."""


class Table:
    """Rows of a CSV file, which comes into being, whole, at `finish`.

    Until `close` nobody else can write the file, see `crowdcount.files.held`.

    Args:
        path: the file to write; an existing one is replaced.
        columns: names of the columns. A row may leave some out.

    Raises:
        CrowdCountError: if another run is writing the file, or it cannot be written.
    """

    def __init__(self, path: str | os.PathLike, columns: Sequence[str]):
        self.path, self.columns = path, columns
        self.rows: list[dict] = []
        self.unended: dict | None = None
        self._held = ExitStack()
        with writing(path):
            self._held.enter_context(held(path))

    def add(self, rows: Sequence[dict]) -> None:
        self.rows += rows

    def set_aside(self) -> None:
        """The work was broken off: an older file, which may hold more, stays, and `finish` writes beside it."""
        self.path = place_beside(self.path)

    def finish(self) -> None:
        with writing(self.path):
            _write(self.path, self.columns, self.rows)

    def close(self) -> None:
        """End; without `finish` nothing is written. The file is free for others."""
        self._held.close()


class GrowingTable(Table):
    """The same, but rows are in the file as soon as they are added: a run that is stopped leaves its rows.

    `rows` are those that the file holds before, without a last line that was cut off. They may be taken out
    until the first is added. `unended` is the last of them where it has all its fields and no line end: an editor has
    taken that away, or it was cut off within its last field.

    Args:
        path, columns: see `Table`.
        added: column -> what rows have there that were written before there was this column. A file without these
            columns gets them when it is written: whole, with all that it holds.
        spelled: another name that the file may have for a column -> the column.

    Raises:
        DataError: if there is a file, and it is no such table.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        columns: Sequence[str],
        added: Mapping[str, str] | None = None,
        spelled: Mapping[str, str] | None = None,
    ):
        super().__init__(path, columns)
        try:
            self.rows, ended = _read(path, columns, added or {}, spelled or {})
        except BaseException:
            super().close()
            raise
        self.unended = None if ended else self.rows[-1]
        self._file: io.FileIO | None = None
        self._place = Path(path).absolute()

    def add(self, rows: Sequence[dict]) -> None:
        with writing(self.path):
            if self._file is None:
                _write(self._place, self.columns, self.rows)
                self._file = open(self._place, "ab", buffering=0)  # noqa: SIM115 - closed in `close`
            append_whole(self._file, _lines(self.columns, rows), self._place)

    def set_aside(self) -> None:
        """Nothing is lost: it holds what the file held before."""

    def finish(self) -> None:
        if self._file is None:
            super().finish()
        else:
            self._file.close()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()


def check_table(path: str | os.PathLike, option: str = "csv") -> None:
    """Find out before the work that a table has the name of a table, and takes the place of nothing else.

    Args:
        path: the table that is to be written.
        option: what the message calls it.

    Raises:
        DataError: for the name of a file that no program would open then; if a picture or annotations are there.
    """
    suffix = Path(path).suffix.lower()
    if suffix in NO_TABLES:
        raise DataError(
            f"{option} writes a table as text, with commas, which spreadsheets open: name it FILE.csv. "
            f"Received: {os.fspath(path)}"
        )
    what = "a picture" if suffix in PICTURE_SUFFIXES else "annotations"
    if os.path.isfile(path) and (what == "a picture" or names_heads(Path(path))):
        raise DataError(f"{option} would replace {os.fspath(path)}, which holds {what}. Choose another file.")


def _write(path: str | os.PathLike, columns: Sequence[str], rows: Iterable[dict]) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(_lines(columns, [_header(columns), *rows]))


def _header(columns: Sequence[str]) -> dict:
    return dict(zip(columns, columns))


def _lines(columns: Sequence[str], rows: Iterable[dict]) -> bytes:
    text = io.StringIO(newline="")
    csv.DictWriter(text, columns).writerows(rows)
    # File names may hold bytes that are no UTF-8.
    return text.getvalue().encode("utf-8", "surrogateescape")


def _read(
    path: str | os.PathLike, columns: Sequence[str], added: Mapping[str, str], spelled: Mapping[str, str]
) -> tuple[list[dict], bool]:
    """The rows that are in the file as a whole, with what `added` says; none where there is no file.

    And whether the last of them has its line end.
    """
    if is_stream(path):
        raise DataError(f"{path} is a pipe or a device, which keeps no rows to go on with. Name a file.")
    try:
        text = Path(path).read_bytes().decode("utf-8-sig", "surrogateescape")
    except FileNotFoundError:
        return [], True
    # Not str.splitlines, which also cuts at what may be part of a name.
    lines = list(io.StringIO(text, newline=""))
    reader, rows, ended = csv.reader(lines, strict=True), [], True
    try:
        for row in reader:
            rows.append(row)
        ended = text.endswith("\n") or not rows
    except csv.Error as error:
        if reader.line_num < len(lines):
            raise DataError(
                f"{path} cannot be read as CSV (line {reader.line_num}: {error}). Name another file."
            ) from error
        # Otherwise a name with a line break in it was cut off there.
    if not ended and (len(rows) == 1 or len(rows[-1]) != len(rows[0])):
        rows.pop()
        ended = True
    if not rows:
        other = {column: name for name, column in spelled.items()}
        headers = (_header(columns), {column: other.get(column, column) for column in columns})
        whole = [_lines(columns, [header]) for header in headers]
        if not any(header.startswith(text.encode("utf-8", "surrogateescape")) for header in whole):
            raise DataError(f"{path} holds something else than this table. Name another file.")
        return [], True
    stored = [column for column in columns if column not in added or column in rows[0]]
    if [spelled.get(name, name) for name in rows[0]] != stored:
        raise DataError(f"{path} {_why_other(rows[0], columns)}")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(stored):
            raise DataError(
                f"{path}: row {number} has {len(row)} fields instead of {len(stored)}. Correct it, or name "
                "another file."
            )
    return [{**added, **dict(zip(stored, row))} for row in rows[1:]], ended


def _why_other(header: Sequence[str], columns: Sequence[str]) -> str:
    """Why a table with this header is not the one that is gone on with."""
    for sign, name in ((";", "semicolons"), ("\t", "tabs")):
        if header and header[0].startswith(columns[0] + sign):
            return (
                f"has {name} between its columns, as some spreadsheets save them. Save it as CSV with commas, and with "
                "points in its numbers, or name another file."
            )
    return (
        f"has other columns than this run: {', '.join(columns)}. Use the options that it was begun with, or name "
        "another file."
    )
