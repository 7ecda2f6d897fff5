"""The table of counts as Parquet, for programs that read millions of rows."""

from __future__ import annotations

import os
from pathlib import Path

from crowdcount.counting.results import COLUMNS
from crowdcount.errors import needing
from crowdcount.files import atomic_path

_NUMBERS = {"width": "int64", "height": "int64"}
_TEXTS = ("picture", "model", "warnings", "error")


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

    Raises:
        MissingPackageError: if pyarrow is not installed.
        OSError: if the file cannot be written.
    """
    require_pyarrow()
    import pyarrow.csv
    import pyarrow.parquet

    types = {
        column: pyarrow.string() if column in _TEXTS else getattr(pyarrow, _NUMBERS.get(column, "float64"))()
        for column in COLUMNS
    }
    # Names may hold bytes that are no UTF-8, which Parquet's texts cannot: they are written as \xff.
    text = Path(csv).read_bytes().decode("utf-8", "backslashreplace").encode()
    table = pyarrow.csv.read_csv(
        pyarrow.BufferReader(text),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        # A picture may be called NA or null.
        convert_options=pyarrow.csv.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""]),
    )
    with atomic_path(path) as temporary:
        pyarrow.parquet.write_table(table, temporary)
