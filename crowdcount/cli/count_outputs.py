"""The files that `crowdcount count` writes besides what it prints.

Each is made before the work, to say at once what cannot be written, and then gets every result with its row:
what the picture gives in JSON and CSV.
"""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from crowdcount.cli.common import check_folder, check_writable, number_of, warn
from crowdcount.counting.counts_file import CountsFile
from crowdcount.counting.head_files import check_ending, is_json, keep_dots
from crowdcount.counting.results import CountFailure, CountResult
from crowdcount.counting.tables import GrowingTable, Table
from crowdcount.data.overlay_files import is_overlay
from crowdcount.errors import WeightsError
from crowdcount.files import place_beside, portable_name, shown, writing

if TYPE_CHECKING:
    import numpy as np

    from crowdcount.area.zones import Zone
    from crowdcount.counting.report import Entry


class Output(ABC):
    """What is written of a run."""

    @abstractmethod
    def add(self, result: CountResult | CountFailure, row: dict) -> None:
        """Take in a picture.

        Raises:
            PictureError: if the picture cannot be read any more.
            CrowdCountError: if the output cannot be written.
        """

    def set_aside(self) -> None:  # noqa: B027 - what is written at once is there already
        """The work was broken off: an older file, which may hold more, stays, and `finish` writes beside it."""

    def tell_place(self) -> None:  # noqa: B027
        """Tell where it is where the work was broken off."""

    @abstractmethod
    def finish(self) -> None:
        """Write what is left to write at the end of the work."""

    def close(self) -> None:  # noqa: B027 - most have nothing to close
        """Called in any case, also when the work was broken off."""


class CountsOutput(Output):
    """`--csv FILE`: a line a picture, see `CountsFile`."""

    def __init__(self, counts: CountsFile, given: str):
        self.counts, self._given = counts, given

    def add(self, result: CountResult | CountFailure, row: dict) -> None:
        self.counts.add(row)

    def set_aside(self) -> None:
        self.counts.set_aside()

    def tell_place(self) -> None:
        kept, held = os.fspath(self.counts.path), number_of(self.counts.pictures, "picture")
        told = f"{kept} holds {held}; --resume goes on with it"
        if Path(kept) != Path(self._given):
            told = f"{self._given} stays as it was; {kept} holds {held}: --csv {kept} --resume goes on with it"
        print(f"crowdcount: {shown(told)}", file=sys.stderr)

    def finish(self) -> None:
        self.counts.finish()

    def close(self) -> None:
        self.counts.close()


class HeadsFile(Output):
    """`--heads FILE`: positions of the heads, as annotations in CSV or JSON.

    It names the pictures by the way from its folder, where its readers look for them: other than the counts do.

    Args:
        path: the file; JSON where it ends in .json.
        counts: the file of `--csv` that is gone on with, or None.
        pictures: those that are to be counted.
    """

    def __init__(self, path: str, counts: CountsFile | None, pictures: Sequence[str]):
        from crowdcount.counting.head_files import CSV_COLUMNS, picture_name
        from crowdcount.data.exports.table import IN_PIXELS

        check_ending(path, "--heads")
        if counts is None or not counts.rows_before():  # nothing that is gone on with
            keep_dots(path, "--heads")
        check_writable(Path(path))
        self._path = self._given = path
        self._pictures: list[tuple[str, np.ndarray]] = []
        self._table: Table | None = None
        if is_json(path):
            return
        if counts is None:
            self._table = Table(path, CSV_COLUMNS)
            return
        self._table = GrowingTable(path, CSV_COLUMNS, spelled=IN_PIXELS)
        # A picture's heads are written before its row of counts: what is counted anew may have some already. Of all
        # others they stay, also those of pictures that another table has the counts of.
        anew = {picture_name(picture, path) for picture in pictures}
        self._table.rows = [row for row in self._table.rows if row["picture"] not in anew]
        done = {picture_name(row["picture"], path) for row in counts.earlier()}
        missing = len(done - {row["picture"] for row in self._table.rows})
        if missing:
            warn(f"{path} lacks {missing} of the pictures in {counts.path}: they were counted without --heads.")

    def add(self, result: CountResult | CountFailure, row: dict) -> None:
        from crowdcount.counting.head_files import csv_rows, picture_name

        if isinstance(result, CountFailure):
            return
        name = picture_name(row["picture"], self._path)
        if self._table is None:
            self._pictures.append((name, result.heads()))
        else:
            self._table.add(csv_rows(name, result.heads()))

    def set_aside(self) -> None:
        if self._table is None:
            self._path = os.fspath(place_beside(self._path))
        else:
            self._table.set_aside()
            self._path = os.fspath(self._table.path)

    def tell_place(self) -> None:
        _tell_aside(self._given, self._path)

    def finish(self) -> None:
        from crowdcount.counting.head_files import state_unit, write_json

        if self._table is not None:
            self._table.finish()
            with writing(self._path):
                state_unit(self._path)
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
        model: the network, which tells what was counted.
    """

    def __init__(self, path: str, counts: CountsFile | None, model: str):
        check_writable(Path(path))
        self._path = self._given = path
        self._model = model
        self._entries: list[Entry] = []
        self._earlier = [] if counts is None else counts.rows_before()

    def add(self, result: CountResult | CountFailure, row: dict) -> None:
        from crowdcount.counting.report import entry_of

        by_zone = {key: row.get(key) for key in ("zones", "zone_ranges", "per_m2")}
        self._entries.append(entry_of(result, error=row.get("error"), **by_zone))

    def set_aside(self) -> None:
        if not self._earlier:  # a report on what is gone on with holds all that was counted before
            self._path = os.fspath(place_beside(self._path))

    def tell_place(self) -> None:
        _tell_aside(self._given, self._path)

    def finish(self) -> None:
        from crowdcount.counting.counts_file import entry_of_row
        from crowdcount.counting.report import write_report
        from crowdcount.counting.words import PEOPLE, thing_of

        thing = PEOPLE
        with suppress(WeightsError):  # the weights may be gone where all was counted before
            thing = thing_of(self._model)
        earlier = [entry_of_row(row, thing) for row in self._earlier]
        with writing(self._path):
            write_report(self._path, [*earlier, *self._entries])
        print(f"crowdcount: report saved as {self._path}", file=sys.stderr)


class OverlayFolder(Output):
    """`--overlay DIR`: each picture with its density map over it, and the zones if they fit.

    Pictures of different folders and formats may share a name: their overlays are numbered as they come. No overlay
    replaces another of the run, or of the runs that it goes on with, nor a picture that is none.

    Args:
        folder: the folder.
        zones: the zones to draw.
        counts: the file of `--csv` that is gone on with, or None.
        pictures: those that are to be counted.
        style: see `CountResult.overlay`.
    """

    def __init__(self, folder: str, zones: list[Zone], counts: CountsFile | None, pictures: Sequence[str], style: str):
        check_folder(Path(folder))
        self._folder, self._zones, self._style = Path(folder), zones, style
        self._taken: set[str] = set()  # names in small letters: elsewhere two that differ by them alone are one
        # Nothing tells whose overlay a number is, when pictures that failed have come again behind others. So where
        # pictures share a name, what an earlier run has drawn stays; where none does, it is the picture's own.
        before = [] if counts is None else [*(row["picture"] for row in counts.rows_before()), *pictures]
        stems = Counter(_small(Path(path).stem) for path in set(map(os.path.abspath, before)))
        self._shared = {stem for stem, number in stems.items() if number > 1}

    def add(self, result: CountResult | CountFailure, row: dict) -> None:
        if isinstance(result, CountFailure):
            return
        path = self._path(row["picture"])
        with writing(path):
            result.save_overlay(path, self._zones if "zones" in row else None, style=self._style)
        print(f"crowdcount: overlay saved as {shown(str(path))}", file=sys.stderr)

    def finish(self) -> None:
        """Each overlay is written at once."""

    def _path(self, picture: str) -> Path:
        stem, number = Path(picture).stem, 1
        path = self._folder / portable_name(stem, "_overlay.png")
        while _small(path.name) in self._taken or self._stays(path, stem):
            number += 1
            path = self._folder / portable_name(stem, f"_overlay_{number}.png")
        self._taken.add(_small(path.name))
        return path

    def _stays(self, path: Path, stem: str) -> bool:
        """Whether there is a file that is not to be replaced: another picture's overlay, or a photo called so."""
        return os.path.lexists(path) and (_small(stem) in self._shared or not is_overlay(path))


def _tell_aside(given: str, path: str) -> None:
    """Tell it where a file of work that was broken off lies beside the older one, see `place_beside`."""
    if Path(path) != Path(given):
        print(f"crowdcount: {shown(given)} stays as it was; what was counted is in {shown(path)}", file=sys.stderr)


def _small(name: str) -> str:
    return portable_name(name).casefold()
