"""The files that `crowdcount count` writes besides what it prints.

Each is made before the work, to say at once what cannot be written, and then gets every result with its row:
what the picture gives in JSON and CSV.
"""

from __future__ import annotations

import os
import re
import sys
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from crowdcount.cli.common import check_folder, check_writable, warn, writing
from crowdcount.cli.tables import GrowingTable, Table
from crowdcount.errors import DataError

if TYPE_CHECKING:
    from crowdcount.area.zones import Zone
    from crowdcount.counting.report import Entry
    from crowdcount.counting.results import CountFailure, CountResult

COLUMNS = (
    *("picture", "count", "low", "high", "coverage", "width", "height", "model", "seconds", "warnings"),
    "error",
)
"""What every picture has in CSV; the zones' columns come behind."""

_ZONE, _PER_M2, _LEVEL = "zone ", "per m2 ", "level "
_OVERLAY_NAME = re.compile(r"_overlay(_\d+)?\.png$")


class Output(ABC):
    """What is written of a run."""

    @abstractmethod
    def add(self, result: CountResult | CountFailure, row: dict) -> None:
        """Take in a picture.

        Raises:
            PictureError: if the picture cannot be read any more.
            CrowdCountError: if the output cannot be written.
        """

    def finish(self) -> None:
        """Write what is left to write at the end of the work."""

    def close(self) -> None:
        """Called in any case, also when the work was broken off."""


class CountsFile(Output):
    """`--csv FILE`: a line a picture.

    Args:
        path: the file.
        zones: names of the zones, which get a column each.
        per_m2: whether they get others for the people per square meter and the levels of service.
        resume: go on with the file if it is there.
        settings: column -> what the counts in the file must have there to be gone on with. Those that are no column of
            every picture's get one behind the zones.

    Its `pictures` is how many rows it has.
    """

    def __init__(self, path: str, zones: Sequence[str], *, per_m2: bool, resume: bool, settings: dict[str, str]):
        check_writable(Path(path))
        self.path = path
        columns = [*COLUMNS, *(_ZONE + name for name in zones)]
        if per_m2:
            from crowdcount.area.ground import SERVICE_LEVELS

            columns += [_PER_M2 + name for name in zones]
            columns += [f"{_LEVEL}{use} {name}" for use in SERVICE_LEVELS for name in zones]
        self._constants = {column: value for column, value in settings.items() if column not in COLUMNS}
        columns += self._constants
        self._table = (GrowingTable if resume else Table)(path, columns)
        for row in self._table.rows:
            for column, value in settings.items():
                if row[column] not in ("", value):
                    raise DataError(
                        f"{path} holds counts with the {column} {row[column]}; this run has {value}. Name "
                        f"another file, or the same {column}."
                    )
        self.pictures = len(self._table.rows)

    def earlier(self) -> list[dict[str, str]]:
        """Rows of the pictures that were counted before this run."""
        return [row for row in self._table.rows if _is_done(row)]

    def pictures_before(self) -> list[str]:
        """Paths of the pictures that it has rows of before this run's, also of those that failed."""
        return [row["picture"] for row in self._table.rows]

    def take_up(self, sources: Sequence[str | CountFailure]) -> list[str | CountFailure]:
        """Those of the sources that are to be counted still; their rows of failures give way to new ones."""
        done = {os.path.abspath(row["picture"]) for row in self.earlier()}
        left = [source for source in sources if not (isinstance(source, str) and os.path.abspath(source) in done)]
        again = {os.path.abspath(source if isinstance(source, str) else source.picture) for source in left}
        self._table.rows = [
            row for row in self._table.rows if _is_done(row) or os.path.abspath(row["picture"]) not in again
        ]
        self.pictures = len(self._table.rows)
        return left

    def add(self, result: CountResult | CountFailure, row: dict) -> None:
        cells = {key: row[key] for key in COLUMNS} | {"warnings": " ".join(row["warnings"] or ())}
        for key, start in (("zones", _ZONE), ("per_m2", _PER_M2)):
            cells |= {start + name: value for name, value in row.get(key, {}).items()}
        for name, levels in row.get("level_of_service", {}).items():
            cells |= {f"{_LEVEL}{use} {name}": level for use, level in levels.items()}
        self._table.add([cells | self._constants])
        self.pictures += 1

    def finish(self) -> None:
        self._table.finish()

    def close(self) -> None:
        self._table.close()


class HeadsFile(Output):
    """`--heads FILE`: positions of the heads, as annotations in CSV or JSON.

    It names the pictures by the way from its folder, where its readers look for them: other than the counts do.

    Args:
        path: the file; JSON where it ends in .json.
        counts: the file of `--csv` that is gone on with, or None.
    """

    def __init__(self, path: str, counts: CountsFile | None):
        from crowdcount.counting.head_files import CSV_COLUMNS, picture_name

        check_writable(Path(path))
        self._path, self._pictures, self._table = path, [], None
        if is_json(path):
            return
        if counts is None:
            self._table = Table(path, CSV_COLUMNS)
            return
        self._table = GrowingTable(path, CSV_COLUMNS)
        # A picture's heads are written before its row of counts: where there is no row, they may be cut off.
        done = {picture_name(row["picture"], path) for row in counts.earlier()}
        self._table.rows = [row for row in self._table.rows if row["picture"] in done]
        missing = len(done - {row["picture"] for row in self._table.rows})
        if missing:
            warn(f"{path} lacks {missing} of the pictures in {counts.path}: they were counted without --heads.")

    def add(self, result: CountResult | CountFailure, row: dict) -> None:
        from crowdcount.counting.head_files import csv_rows, picture_name

        if row["count"] is None:
            return
        name = picture_name(row["picture"], self._path)
        if self._table is None:
            self._pictures.append((name, result.heads()))
        else:
            self._table.add(csv_rows(name, result.heads()))

    def finish(self) -> None:
        from crowdcount.counting.head_files import write_json

        if self._table is not None:
            self._table.finish()
            return
        with writing(self._path):
            write_json(self._path, self._pictures)

    def close(self) -> None:
        if self._table is not None:
            self._table.close()


class ReportFile(Output):
    """`--report FILE.html`: all of it on one page.

    Args:
        path: the file.
        counts: the file of `--csv` that is gone on with: what it holds comes first. Or None.
    """

    def __init__(self, path: str, counts: CountsFile | None):
        check_writable(Path(path))
        self._path, self._entries = path, []
        self._earlier = [] if counts is None else counts.earlier()

    def add(self, result: CountResult | CountFailure, row: dict) -> None:
        from crowdcount.counting.report import entry_of

        self._entries.append(entry_of(result, error=row["error"], zones=row.get("zones"), per_m2=row.get("per_m2")))

    def finish(self) -> None:
        from crowdcount.counting.report import write_report

        with writing(self._path):
            write_report(self._path, [*map(_entry, self._earlier), *self._entries])
        print(f"crowdcount: report saved as {self._path}", file=sys.stderr)


class OverlayFolder(Output):
    """`--overlay DIR`: each picture with its density map over it, and the zones if they fit.

    Pictures of different folders and formats may share a name: their overlays are numbered as they come. No overlay
    replaces another of the run, or of the runs that it goes on with.

    Args:
        folder: the folder.
        zones: the zones to draw.
        counts: the file of `--csv` that is gone on with, or None.
        pictures: those that are to be counted.
    """

    def __init__(self, folder: str, zones: list[Zone], counts: CountsFile | None, pictures: Sequence[str]):
        check_folder(Path(folder))
        self._folder, self._zones, self._taken = Path(folder), zones, set()
        # Nothing tells whose overlay a number is, when pictures that failed have come again behind others. So where
        # pictures share a name, what an earlier run has drawn stays; where none does, it is the picture's own.
        before = [] if counts is None else [*counts.pictures_before(), *pictures]
        stems = Counter(Path(path).stem for path in set(map(os.path.abspath, before)))
        self._shared = {stem for stem, number in stems.items() if number > 1}

    def add(self, result: CountResult | CountFailure, row: dict) -> None:
        if row["count"] is None:
            return
        path = self._path(row["picture"])
        with writing(path):
            result.save_overlay(path, self._zones if "zones" in row else None)
        print(f"crowdcount: overlay saved as {path}", file=sys.stderr)

    def _path(self, picture: str) -> Path:
        stem = Path(picture).stem
        path, number = self._folder / f"{stem}_overlay.png", 1
        while path in self._taken or (stem in self._shared and os.path.lexists(path)):
            number += 1
            path = self._folder / f"{stem}_overlay_{number}.png"
        self._taken.add(path)
        return path


def is_overlay(picture: str, folder: str) -> bool:
    """Whether a picture lies in the folder of the overlays and has the name of one."""
    lies_there = os.path.abspath(os.path.dirname(picture)) == os.path.abspath(folder)
    return lies_there and _OVERLAY_NAME.search(picture) is not None


def is_json(path: str) -> bool:
    return path.lower().endswith(".json")


def _is_done(row: dict[str, str]) -> bool:
    return bool(row["count"]) and not row["error"]


def _entry(row: dict[str, str]) -> Entry:
    """What the report tells of a picture that was counted in an earlier run, from its line of CSV."""
    from crowdcount.counting.report import entry_of_file

    numbers = {key: float(row[key]) if row[key] else None for key in ("count", "low", "high", "coverage")}
    zones, per_m2 = (
        {name[len(start) :]: float(cell) for name, cell in row.items() if name.startswith(start) and cell}
        for start in (_ZONE, _PER_M2)
    )
    texts = (row["warnings"],) if row["warnings"] else ()
    return entry_of_file(row["picture"], model=row["model"], warnings=texts, zones=zones, per_m2=per_m2, **numbers)
