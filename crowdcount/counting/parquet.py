"""The table of counts as Parquet, for programs that read millions of rows."""

from __future__ import annotations

import csv as tables
import io
import os
from pathlib import Path

from crowdcount.errors import DataError, first_line, needing
from crowdcount.files import atomic_path, writing

_WHOLE = ("width", "height", "page")
# The digits of "zones" tell two files of zones apart, and are no number.
_TEXTS = ("picture", "model", "warnings", "error", "zones")
_LEVEL = "level "


def require_pyarrow() -> None:
    """Find out before the work whether a table can be written as Parquet.

    Raises:
        MissingPackageError: if pyarrow is not installed.
    """
    with needing("Parquet needs pyarrow", '".[ray]"'):
        import pyarrow.csv
        import pyarrow.parquet  # noqa: F401


def write_parquet(csv: str | os.PathLike, path: str | os.PathLike) -> None:
    """Write a CSV file of counts as Parquet: sizes whole numbers, counts and ranges floats, empty cells null.

    A column is of one type whatever is in it, so that the tables of several runs can be read together.

    Raises:
        MissingPackageError: if pyarrow is not installed.
        DataError: if a cell of the table, as one that was edited, is not of its column's type.
        OSError: if the table cannot be read.
        CrowdCountError: if the file cannot be written.
    """
    require_pyarrow()
    import pyarrow.csv
    import pyarrow.parquet

    # Names may hold bytes that are no UTF-8, which Parquet's texts cannot: they are written as \xff.
    text = Path(csv).read_bytes().decode("utf-8", "backslashreplace")
    types = {
        column: getattr(pyarrow, _type_of(column))() for column in next(tables.reader(io.StringIO(text, newline="")))
    }
    try:
        table = pyarrow.csv.read_csv(
            pyarrow.BufferReader(text.encode()),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            # A picture may be called NA or null.
            convert_options=pyarrow.csv.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""]),
        )
    except pyarrow.ArrowInvalid as error:
        raise DataError(
            f"{os.fspath(csv)} cannot be written as Parquet ({first_line(error)}). Correct the cell, or take its row "
            "out, and use --resume: what is in the table is not counted again."
        ) from None
    with writing(path), atomic_path(path) as temporary:
        pyarrow.parquet.write_table(table, temporary)


def _type_of(column: str) -> str:
    """The type of a column of `CountsFile`.

    Example:
        >>> _type_of("count"), _type_of("low stage"), _type_of("level standing stage"), _type_of("page")
        ('float64', 'float64', 'string', 'int64')
    """
    if column in _TEXTS or column.startswith(_LEVEL):
        return "string"
    return "int64" if column in _WHOLE else "float64"
