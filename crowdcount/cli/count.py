"""`crowdcount count`: the people in pictures."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from crowdcount.cli.common import (
    FAILED,
    Command,
    add_coverage,
    add_ground,
    add_model,
    add_scale,
    add_zones,
    begin,
    check_outputs,
    check_writable,
    coverage_of,
    fail,
    import_keras,
    number_of,
    positive_int,
    warn,
    zones_and_ground,
)
from crowdcount.errors import CrowdCountError, PictureError
from crowdcount.files import is_stream, shown

if TYPE_CHECKING:
    from crowdcount.area.ground import Ground
    from crowdcount.area.zones import Zone
    from crowdcount.cli.count_outputs import Output
    from crowdcount.counting.counts_file import CountsFile
    from crowdcount.counting.results import CountFailure, CountResult
    from crowdcount.data.images import Source


def add(command: Command) -> None:
    parser = command("count", _count, "count the people in pictures")
    parser.add_argument(
        "pictures",
        nargs="*",
        metavar="PICTURE_OR_FOLDER",
        help="picture, or folder of pictures, in which and in whose subfolders every picture is counted",
    )
    parser.add_argument("--demo", action="store_true", help="count the drawn picture of 200 people that comes along")
    add_model(parser)
    add_coverage(parser)
    add_scale(parser)
    parser.add_argument(
        "--page",
        metavar="N",
        type=positive_int,
        help="count this page of TIFF files, or frame of animations (default: the largest page, or the first frame)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a line for each picture")
    parser.add_argument("--csv", metavar="FILE", help="write a line a picture to this file")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with the file of --csv, if it is there: its rows stay, and its pictures are not counted "
        "again, except those that failed; each row is in the file as soon as it is counted",
    )
    parser.add_argument(
        "--parquet", metavar="FILE", help="write the table of --csv as Parquet too, once all pictures are counted"
    )
    parser.add_argument(
        "--workers",
        metavar="N",
        type=positive_int,
        help="count by N processes of Ray, on this machine or on the cluster that RAY_ADDRESS names; needs --csv",
    )
    parser.add_argument(
        "--report", metavar="FILE.html", help="write all of it as one page with pictures, for any browser"
    )
    parser.add_argument(
        "--heads",
        metavar="FILE",
        help="write approximate positions of the heads: CSV with picture, x, y in pixels, or FILE.json",
    )
    parser.add_argument(
        "--overlay", metavar="DIR", help="save each picture with its density map over it to this folder"
    )
    parser.add_argument(
        "--overlay-style",
        choices=("heat", "contour", "dots"),
        help="colors that cover the crowd, lines around places of equal density, or a dot on each head (default: heat)",
    )
    add_zones(parser)
    add_ground(parser)


def _count(arguments: argparse.Namespace) -> int:
    _check_arguments(arguments)
    from crowdcount.counting.counts_file import CountsFile, settings_of
    from crowdcount.counting.parquet import write_parquet
    from crowdcount.counting.pictures import count_many
    from crowdcount.counting.results import CountFailure, CountResult
    from crowdcount.counting.resuming import doubts_of
    from crowdcount.counting.zone_records import range_columns, zone_columns

    zones, ground = zones_and_ground(arguments)
    sources = _sources(arguments)
    _check_files(arguments, [source for source in sources if isinstance(source, str)])
    coverage = coverage_of(arguments)
    counts = None
    if arguments.csv:
        settings = settings_of(arguments.model, coverage, arguments.scale, arguments.page)
        if zones:
            settings["zones"] = _fingerprint((arguments.zones, zones), (arguments.ground, ground))
        check_writable(Path(arguments.csv))
        counts = CountsFile(
            arguments.csv,
            [zone.name for zone in zones],
            per_m2=ground is not None,
            resume=arguments.resume,
            settings=settings,
        )
        given, sources = len(sources), counts.take_up(sources)
        if len(sources) < given:
            print(
                f"crowdcount: {given - len(sources)} of {given} pictures are in {counts.path} already",
                file=sys.stderr,
            )
        if arguments.resume:
            for doubt in doubts_of(counts, arguments.model, sources):
                warn(doubt)
    sources = [_if_there(source) for source in sources]
    to_count = [source for source in sources if isinstance(source, str)]
    if arguments.workers:
        assert counts is not None  # see _check_arguments
        return _count_by_workers(arguments, counts, sources, coverage)
    outputs = _Outputs(arguments, counts, zones, to_count)

    if to_count:
        import_keras()
    begin()
    # Results that come one by one on a terminal are the progress.
    progress = len(to_count) == 1 or not sys.stdout.isatty()
    counted = count_many(
        to_count,
        arguments.model,
        coverage=coverage,
        scale=arguments.scale,
        page=arguments.page,
        progress=progress,
    )
    failed = False
    sizes = _Sizes(zones, ground, [] if counts is None else counts.earlier())
    with outputs:
        for source in sources:
            result = source if isinstance(source, CountFailure) else next(counted)
            row = result.to_dict()
            if zones and isinstance(result, CountResult):
                row |= zone_columns(result.density, zones, ground, (result.height, result.width))
                sizes.look(row)
                row |= range_columns(result, zones) if "zones" in row else {}
            failed |= "error" in row
            _print(row, as_json=arguments.json)
            outputs.add(result, row)
    if arguments.demo:
        _tell_truth()
    if arguments.parquet and outputs.kept() is not None:  # or else it would hold the counts of an earlier run
        write_parquet(arguments.csv, arguments.parquet)
    return FAILED if failed or outputs.failed else 0


def _count_by_workers(
    arguments: argparse.Namespace, counts: CountsFile, sources: Sequence[Source | CountFailure], coverage: float
) -> int:
    """Count over Ray; the rows come in the order in which they are ready, and each is written at once."""
    from crowdcount.cli.count_outputs import CountsOutput
    from crowdcount.counting.cluster import count_by_workers
    from crowdcount.counting.parquet import write_parquet
    from crowdcount.counting.results import CountFailure
    from crowdcount.progress import bar

    failures = [source.to_dict() for source in sources if isinstance(source, CountFailure)]
    pictures = [source for source in sources if isinstance(source, str)]
    import_keras()
    begin()
    counted = count_by_workers(
        pictures,
        arguments.model,
        workers=arguments.workers,
        coverage=coverage,
        scale=arguments.scale,
        page=arguments.page,
    )
    failed = bool(failures)
    rows = bar(counted, "picture", total=len(pictures), wanted=len(pictures) > 1) if pictures else ()
    try:
        for row in chain(failures, rows):
            failed |= "error" in row
            counts.add(row)
            _print(row, as_json=arguments.json)
        if counts.pictures:
            counts.finish()
    except BaseException:
        # A run that was stopped before its first picture replaces no older file, and later none that may hold more.
        if counts.pictures:
            counts.set_aside()
            counts.finish()
            CountsOutput(counts, arguments.csv).tell_place()
        raise
    finally:
        counts.close()
    if arguments.demo:
        _tell_truth()
    if arguments.parquet:
        write_parquet(arguments.csv, arguments.parquet)
    return FAILED if failed else 0


class _Outputs:
    """All that a run writes; finished when the block ends, in whatever way.

    What cannot be written is given up with a message, and the rest goes on. Only where the counts of a run that is to
    be gone on with cannot be written, the run ends: it would lose the rest.
    """

    def __init__(
        self, arguments: argparse.Namespace, counts: CountsFile | None, zones: list[Zone], pictures: list[str]
    ):
        from crowdcount.cli.count_outputs import CountsOutput, HeadsFile, OverlayFolder, ReportFile

        self.failed = False
        self._added = 0
        self._counts = None if counts is None else CountsOutput(counts, arguments.csv)
        resumed = counts if arguments.resume else None
        self._outputs: list[Output] = []
        if arguments.overlay:
            style = arguments.overlay_style or "heat"
            self._outputs.append(OverlayFolder(arguments.overlay, zones, resumed, pictures, style))
        if arguments.heads:
            self._outputs.append(HeadsFile(arguments.heads, resumed, pictures))
        if arguments.report:
            self._outputs.append(ReportFile(arguments.report, resumed, arguments.model))
        if self._counts is not None:
            self._outputs.append(self._counts)  # last: its row says that all else is done with the picture

    def add(self, result: CountResult | CountFailure, row: dict) -> None:
        """Take in a picture.

        Raises:
            CrowdCountError: if the counts cannot be written.
        """
        for output in list(self._outputs):
            try:
                output.add(result, row)
            except PictureError as error:
                self._fail(error)
            except CrowdCountError as error:
                self._drop(output)
                if output is self._counts:
                    self._added += 1  # all else has it
                    raise
                self._fail(error)
        self._added += 1

    def __enter__(self) -> _Outputs:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_) -> None:
        try:
            # A run that was stopped before its first picture replaces no older file.
            if kind is None or self._added:
                self._finish(stopped=kind is not None)
        finally:
            for output in self._outputs:
                output.close()

    def kept(self) -> CountsFile | None:
        """The file of counts; None where there is none, or it could not be written."""
        return self._counts.counts if self._counts is not None and self._counts in self._outputs else None

    def _finish(self, *, stopped: bool) -> None:
        for output in list(self._outputs):
            try:
                if stopped:
                    output.set_aside()
                output.finish()
            except CrowdCountError as error:
                self._fail(error)
                with suppress(CrowdCountError):  # a full disk takes nothing beside it either
                    output.set_aside()  # what a spreadsheet has open on Windows cannot be replaced
                    output.finish()
                    output.tell_place()
                self._drop(output)
            else:
                if stopped:
                    output.tell_place()

    def _drop(self, output: Output) -> None:
        output.close()
        self._outputs.remove(output)

    def _fail(self, error: CrowdCountError) -> None:
        fail(str(error))
        self.failed = True


class _Sizes:
    """Tells once where pictures have several sizes, and zones or ground are in pixels of no picture in particular.

    Args:
        zones, ground: what is put on each picture.
        earlier: rows of the table that is gone on with.
    """

    def __init__(self, zones: Sequence[Zone], ground: Ground | None, earlier: Sequence[Mapping]):
        placed: list[Zone | Ground] = [*zones]
        placed += [] if ground is None else [ground]
        self._told = all(each.fractions or each.drawn_on is not None for each in placed)
        self._first = next((row for row in earlier if row["width"] and row["height"]), None)

    def look(self, row: Mapping) -> None:
        """Look at a picture that was counted: `to_dict` of its result, and what zones hold."""
        if "error" in row:  # they do not fit it, which is told already
            return
        first = self._first = self._first or row
        size, before = ([int(float(each[side])) for side in ("width", "height")] for each in (row, first))
        if self._told or size == before:
            return
        self._told = True
        warn(
            f"{row['picture']} has {size[0]}x{size[1]} pixels, and {first['picture']} {before[0]}x{before[1]}: "
            "pixels of zones and ground are other places in it. Give fractions of width and height; or beside them "
            '"width" and "height" of the picture that they were drawn on: then they go along with its copies.'
        )


def _check_arguments(arguments: argparse.Namespace) -> None:
    """End with a usage error where options are missing or don't go together."""
    from crowdcount.counting.head_files import is_json

    refuse = arguments.parser.error
    if not arguments.pictures and not arguments.demo:
        refuse("name a picture or a folder, or use --demo")
    if arguments.resume and not arguments.csv:
        refuse("--resume needs --csv, the file to go on with")
    if (arguments.parquet or arguments.workers) and not arguments.csv:
        refuse("--parquet and --workers need --csv, the table")
    more = ("heads", "report", "overlay", "zones", "ground")
    if arguments.workers and any(getattr(arguments, name) for name in more):
        refuse("--workers gives counts alone: leave out --heads, --report, --overlay, --zones and --ground")
    if arguments.overlay_style and not arguments.overlay:
        refuse("--overlay-style needs --overlay, the folder for the pictures")
    if arguments.resume and arguments.heads and is_json(arguments.heads):
        refuse("--resume goes on with a file of --heads only if it is CSV")


def _check_files(arguments: argparse.Namespace, pictures: list[str]) -> None:
    """Find out before the work that what is written at its end has a place, and takes none of what is read."""
    check_outputs(
        {f"--{name}": getattr(arguments, name) for name in ("csv", "parquet", "heads", "report")},
        [*pictures, arguments.zones, arguments.ground, arguments.model],
        {"--overlay": arguments.overlay},
    )
    if arguments.report and Path(arguments.report).suffix.lower() not in ("", ".html", ".htm"):
        arguments.parser.error(f"--report writes a web page: name it FILE.html. Received: {arguments.report}")
    if arguments.parquet:
        from crowdcount.counting.parquet import require_pyarrow

        if is_stream(arguments.csv):
            raise CrowdCountError(
                f"--parquet is made from the file of --csv, and {arguments.csv} is a pipe or a device, which keeps "
                "none. Name a file, as counts.csv."
            )
        require_pyarrow()
        check_writable(Path(arguments.parquet))


def _tell_truth() -> None:
    """How many people are in the demo's picture, whatever was counted."""
    from crowdcount.files import data_folder

    heads = len((data_folder("datasets") / "sample.csv").read_text("utf-8").splitlines()) - 1
    print(f"crowdcount: the picture of --demo is drawn; {heads} people are in it", file=sys.stderr)


def _fingerprint(*files: tuple[str | None, object]) -> str:
    """Twelve digits that change with what files hold, each with what was read of it: zones may be moved and keep names.

    Of a pipe nothing is left to be read.
    """
    import hashlib

    digest = hashlib.sha256()
    for path, read in files:
        data = b"" if path is None else repr(read).encode() if is_stream(path) else Path(path).read_bytes()
        digest.update(hashlib.sha256(data).digest())
    return digest.hexdigest()[:12]


def _sources(arguments: argparse.Namespace) -> list[Source | CountFailure]:
    """The pictures, and those of the folders, named as they were given; a failure for a folder without."""
    from crowdcount.counting.sources import expanded, linked_folders, matching
    from crowdcount.files import data_folder

    given = [path for text in arguments.pictures for path in matching(text)]
    links = linked_folders(given)
    if links:
        warn(
            f"{number_of(len(links), 'link')} to folders, {links[0]} among them, lead on and are not "
            "followed: name those folders too, to count what is in them."
        )
    if arguments.demo:
        given.append(str(data_folder("datasets") / "sample.jpg"))
    return _each_once(list(expanded(given)))


def _if_there(source: Source | CountFailure) -> Source | CountFailure:
    """A failure for a path that names nothing: who has mistyped it need not wait until TensorFlow is imported."""
    from crowdcount.counting.results import CountFailure
    from crowdcount.data.opening import opened

    if not isinstance(source, str) or os.path.lexists(source):
        return source
    try:
        with opened(source, None, []):
            return source  # it has come by now
    except PictureError as error:
        return CountFailure(source, str(error))


def _each_once(sources: list[Source | CountFailure]) -> list[Source | CountFailure]:
    """What is named twice, as a picture and by its folder, is counted once; tells so."""
    from crowdcount.counting.sources import place_of

    first: dict[str | int, Source | CountFailure] = {}
    for number, source in enumerate(sources):
        first.setdefault(place_of(source) if isinstance(source, str) else number, source)
    kept = list(first.values())
    if len(kept) < len(sources):
        print(
            f"crowdcount: {len(sources) - len(kept)} of {len(sources)} pictures are named again: each is counted once",
            file=sys.stderr,
        )
    return kept


def _print(row: dict, *, as_json: bool) -> None:
    """A picture's lines on the standard output; warnings and errors on the other."""
    from crowdcount.counting.words import span, whole

    if as_json:
        import json

        print(json.dumps(row), flush=True)
    elif "count" in row:
        line = f"{shown(row['picture'])}\tabout {whole(row['count'], row.get('low'), row.get('high'))}"
        if "low" in row:
            line += f"\t{span(row['low'], row['high'])}"
        print("\n".join([line, *_zone_lines(row)]), flush=True)
    if "error" in row:
        named = "count" not in row and row["picture"] in row["error"]
        fail(row["error"] if named else f"{row['picture']}: {row['error']}")
    for warning in row.get("warnings", ()):
        warn(f"{row['picture']}: {warning}")


def _zone_lines(row: dict) -> Iterator[str]:
    from crowdcount.counting.words import dense, span, whole

    for name, people in row.get("zones", {}).items():
        ends = row.get("zone_ranges", {}).get(name) or (None, None)
        line = f"{shown(row['picture'])}\t{name}\tabout {whole(people, *ends)}"
        if None not in ends:
            line += f"\t{span(*ends)}"
        if "per_m2" in row:
            levels = ", ".join(f"{use} {level}" for use, level in row["level_of_service"][name].items())
            line += f"\t{dense(row['per_m2'][name])} per m2\t{levels}"
        yield line
