"""Counts as a CSV file: written at the end of the work, or growing with it and gone on with by a later run."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeGuard

from crowdcount.counting.report import Entry, entry_of_file
from crowdcount.counting.results import COLUMNS, CountFailure, rounded_scale
from crowdcount.counting.sources import NAMELESS, name_of, place_of
from crowdcount.counting.tables import GrowingTable, Table
from crowdcount.counting.words import PEOPLE
from crowdcount.data.images import Source
from crowdcount.errors import DataError
from crowdcount.files import as_cell

_ZONE, _LOW, _HIGH, _PER_M2, _LEVEL = "zone ", "low ", "high ", "per m2 ", "level "
# In files of before pictures were counted at a size that is searched for, all are counted at their own; in those of
# before a scale that was set had a column of its own, `scale` alone tells it.
_BY_HAND = "scale by hand"
_ADDED = {"scale": "1.0", _BY_HAND: ""}
# Columns of numbers, beside the count.
_NUMBERS = ("low", "high", "coverage", "width", "height", "scale", "page")


class CountsFile:
    """A CSV file of counts, a line a picture, that a later run can go on with.

    Args:
        path: the file.
        zones: names of the zones, which get a column each, and two for the ends of the range.
        per_m2: whether they get others for the people per square meter and the levels of service.
        resume: go on with the file if it is there.
        settings: column -> what the counts in the file must have there to be gone on with. Those that are no column of
            every picture's get one behind the zones.

    Its `pictures` is how many rows it has. Until `close` no other run can write the file.

    Raises:
        DataError: if the file is to be gone on with and is no such table, or holds counts of other settings.
        CrowdCountError: if another run is writing it, or it cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        zones: Sequence[str] = (),
        *,
        per_m2: bool = False,
        resume: bool = False,
        settings: Mapping[str, str],
    ):
        self.path = path
        columns = [*COLUMNS, *(_ZONE + name for name in zones)]
        ranges = [start + name for name in zones for start in (_LOW, _HIGH)]
        columns += ranges
        if per_m2:
            from crowdcount.area.ground import SERVICE_LEVELS

            columns += [_PER_M2 + name for name in zones]
            columns += [f"{_LEVEL}{use} {name}" for use in SERVICE_LEVELS for name in zones]
        self._constants = {column: value for column, value in settings.items() if column not in COLUMNS}
        columns += self._constants
        added = {column: value for column, value in _ADDED.items() if column in columns} | dict.fromkeys(ranges, "")
        self._table = GrowingTable(path, columns, added) if resume else Table(path, columns)
        try:
            for row in list(self._table.rows):
                try:
                    _check(row, settings, path)
                except DataError:
                    if row is not self._table.unended:
                        raise
                    self._table.rows.pop()  # its last field was cut off
        except DataError:
            self.close()
            raise
        self.pictures = len(self._table.rows)

    def earlier(self) -> list[dict[str, str]]:
        """Rows of the pictures that were counted before this run."""
        return [row for row in self._table.rows if _is_done(row)]

    def rows_before(self) -> list[dict[str, str]]:
        """All rows of before this run's, also of pictures that failed."""
        return list(self._table.rows)

    def take_up(self, sources: Sequence[Source | CountFailure]) -> list[Source | CountFailure]:
        """Those of the sources that are to be counted still; their rows of failures give way to new ones.

        So does a row that may have been cut off. Where its picture is not among the sources, it stays.
        """
        unended = self._table.unended
        done = {place_of(row["picture"]) for row in self.earlier() if row is not unended}
        left = [source for source in sources if not (has_name(source) and place_of(name_of(source)) in done)]
        again = {place_of(source.picture if isinstance(source, CountFailure) else name_of(source)) for source in left}
        # Folders that were empty once, too.
        again |= _around(place_of(name_of(source)) for source in sources if has_name(source))
        self._table.rows = [
            row
            for row in self._table.rows
            if _is_done(row) and row is not unended or place_of(row["picture"]) not in again
        ]
        self.pictures = len(self._table.rows)
        return left

    def add(self, row: Mapping) -> None:
        """Take in a picture: `to_dict` of its result, with `zones`, `per_m2` and `level_of_service` if there are any.

        Raises:
            CrowdCountError: if the file cannot be written.
        """
        cells = {key: row.get(key) for key in COLUMNS} | {"warnings": " ".join(row.get("warnings") or ())}
        # Paths, which strangers may have named.
        cells |= {key: as_cell(row[key]) for key in ("picture", "model") if key in row}
        for key, start in (("zones", _ZONE), ("per_m2", _PER_M2)):
            cells |= {start + name: value for name, value in row.get(key, {}).items()}
        for name, (low, high) in row.get("zone_ranges", {}).items():
            cells |= {_LOW + name: low, _HIGH + name: high}
        for name, levels in row.get("level_of_service", {}).items():
            cells |= {f"{_LEVEL}{use} {name}": level for use, level in levels.items()}
        self._table.add([cells | self._constants])
        self.pictures += 1

    def set_aside(self) -> None:
        """The work was broken off: see `Table.set_aside`; `path` is where the rows are then."""
        self._table.set_aside()
        self.path = self._table.path

    def finish(self) -> None:
        """Write what is not in the file yet."""
        self._table.finish()

    def close(self) -> None:
        """Called in any case, also when the work was broken off."""
        self._table.close()


def settings_of(model: str, coverage: float, scale: float | None, page: int | None = None) -> dict[str, str]:
    """What the counts of one file have in common; the scale and the page only where they were set by hand.

    Example:
        >>> settings_of("general", 0.9, 0.5)
        {'model': 'general', 'coverage': '0.9', 'scale': '0.5', 'scale by hand': '0.5'}
    """
    settings = {"model": as_cell(model), "coverage": str(coverage)}
    if scale is not None:
        # In a column of its own, too: the sizes that a run without a scale finds are the pictures', not the table's.
        settings["scale"] = settings[_BY_HAND] = str(rounded_scale(scale))
    return settings if page is None else {**settings, "page": str(page)}


def _check(row: Mapping[str, str], settings: Mapping[str, str], path: str | os.PathLike) -> None:
    """Raise a DataError where a row has other settings, or was edited so that it no longer tells a count."""
    for column, value in settings.items():
        if not (row[column] in ("", value) or _is_same_number(row[column], value)):
            raise DataError(
                f"{path} holds counts with the {column} {row[column]}; this run has {value}. Name another file, or the "
                f"same {column}."
            )
    for column, cell in row.items():
        people = column == "count" or column.startswith((_ZONE, _PER_M2))
        wanted = cell or row.get(_other_end(column))  # a range has both ends or none
        if wanted and (people or column in _NUMBERS or column.startswith((_LOW, _HIGH))):
            try:
                number = float(cell)
            except ValueError:
                number = math.nan
            if not math.isfinite(number) or people and number < 0:
                raise DataError(
                    f"{path}: of {row['picture']!r} {column!r} should be a number, as it was written. Received "
                    f"{cell!r}. Correct it, take the row out, or name another file."
                )


def _is_same_number(one: str, other: str) -> bool:
    """Spreadsheets save 1.0 as 1.

    Example:
        >>> _is_same_number("1", "1.0"), _is_same_number("general", "general"), _is_same_number("0.5", "1.0")
        (True, False, False)
    """
    try:
        return float(one) == float(other)
    except ValueError:
        return False


def _other_end(column: str) -> str:
    """The column of a range's other end; empty where the column is of none.

    Example:
        >>> _other_end("low"), _other_end("high stage"), _other_end("count")
        ('high', 'low stage', '')
    """
    start, space, zone = column.partition(" ")
    other = {"low": "high", "high": "low"}.get(start)
    return f"{other}{space}{zone}" if other else ""


def _around(places: Iterable[str]) -> set[str]:
    """The folders in which places lie, and those around them.

    Example:
        >>> sorted(_around(["/photos/day 1/a.jpg"]))
        ['/', '/photos', '/photos/day 1']
    """
    found: set[str] = set()
    for folder in {os.path.dirname(place) for place in places}:
        while folder not in found:
            found.add(folder)
            folder = os.path.dirname(folder)
    return found


def has_name(source: Source | CountFailure) -> TypeGuard[Source]:
    """Whether it is a picture that a later run knows again."""
    if isinstance(source, CountFailure):
        return False
    return isinstance(source, (str, os.PathLike)) or name_of(source) != NAMELESS


def _is_done(row: dict[str, str]) -> bool:
    return bool(row["count"]) and not row["error"]


def entry_of_row(row: dict[str, str], thing: str = PEOPLE) -> Entry:
    """What the report tells of a picture that was counted in an earlier run, from its line of CSV.

    Args:
        row: the line.
        thing: what was counted, in the plural, which it does not tell.
    """

    numbers = {key: float(row[key]) if row[key] else None for key in ("count", "low", "high", "coverage", "scale")}
    zones, low, high, per_m2 = (
        {name[len(start) :]: float(cell) for name, cell in row.items() if name.startswith(start) and cell}
        for start in (_ZONE, _LOW, _HIGH, _PER_M2)
    )
    return entry_of_file(
        row["picture"],
        error=row["error"] or None,
        page=int(float(row["page"])) if row.get("page") else None,  # pandas saves 2 beside empty cells as 2.0
        model=row["model"],
        warnings=(row["warnings"],) if row["warnings"] else (),
        zones=zones,
        zone_ranges={name: (low[name], high[name]) for name in low},
        per_m2=per_m2,
        thing=thing,
        **numbers,
    )
