"""`crowdcount video`: the people in a video or before a camera, over time."""

from __future__ import annotations

import argparse
import math
import os
import re
import sys
from contextlib import closing
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
    not_negative,
    positive,
    warn,
    writing,
    zones_and_ground,
)
from crowdcount.errors import DataError
from crowdcount.files import shown
from crowdcount.progress import bar

if TYPE_CHECKING:
    from crowdcount.video.results import FrameCount


_NUMBERS = re.compile(r"\d[\d.,]*")
# Seconds after which a warning that is true again is told again.
_SILENCE = 60.0


def add(command: Command) -> None:
    parser = command("video", _video, "count the people in a video or before a camera, over time")
    parser.add_argument(
        "source", metavar="SOURCE", help="video file, number of a webcam, or address (rtsp://..., http://...)"
    )
    parser.add_argument(
        "--every",
        metavar="SECONDS",
        type=positive,
        default=1.0,
        help="time from one count to the next (default: 1)",
    )
    add_zones(parser)
    add_ground(parser)
    parser.add_argument(
        "--csv",
        metavar="FILE",
        help="write time, count, low, high and the zones to this file, a row as soon as it is counted",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on with a camera's file of --csv, if it is there: its rows stay"
    )
    parser.add_argument("--chart", metavar="FILE.png", help="draw the counts over time, of this run")
    parser.add_argument(
        "--annotated",
        metavar="FILE.mp4",
        help="write the video with the density map over it, the count, the time and the zones",
    )
    parser.add_argument(
        "--seconds", metavar="N", type=positive, help="stop after so many seconds of the video or camera"
    )
    parser.add_argument(
        "--smooth",
        metavar="SECONDS",
        type=not_negative,
        default=5.0,
        help="average counts over about this time; 0 gives each frame's own count (default: 5)",
    )
    add_coverage(parser)
    add_scale(parser)
    add_model(parser)


def _check_files(arguments: argparse.Namespace, video: str | None) -> None:
    """Find out before the work that what it writes has a place, and takes none of what it reads."""
    from crowdcount.video.files import NO_CAMERA
    from crowdcount.video.frames import check_video

    if arguments.resume and not arguments.csv:
        arguments.parser.error("--resume needs --csv, the file to go on with")
    if arguments.resume and video is not None:
        raise DataError(NO_CAMERA)
    outputs = {f"--{name}": getattr(arguments, name) for name in ("csv", "chart", "annotated")}
    check_outputs(outputs, [video, arguments.zones, arguments.ground, arguments.model])
    if video is not None:
        check_video(video)
    for path in filter(None, outputs.values()):
        check_writable(Path(path))


def _video(arguments: argparse.Namespace) -> int:
    from crowdcount.video.frames import require_av, video_path

    require_av()
    _check_files(arguments, video_path(arguments.source))

    zones, ground = zones_and_ground(arguments)

    from crowdcount.video.chart import CountSeries, check_chart_name

    table = _Table(arguments.csv, [zone.name for zone in zones], ground is not None, arguments.resume)
    if arguments.chart:
        check_chart_name(arguments.chart)
    import_keras()
    from crowdcount.video.counting import count_video

    begin()
    summary = _Summary()
    series = CountSeries() if arguments.chart else None
    warned: dict[str, float] = {}  # when each was last true
    frames = count_video(
        arguments.source,
        every=arguments.every,
        zones=zones or None,
        ground=ground,
        model=arguments.model,
        seconds=arguments.seconds,
        smooth=arguments.smooth,
        coverage=coverage_of(arguments),
        scale=arguments.scale,
        annotated=arguments.annotated,
        notify=warn,
    )
    try:
        with closing(frames):
            for frame in bar(frames, "count", wanted=not sys.stdout.isatty()):
                if not summary.counts and frame.clock:
                    print(f"crowdcount: first frame at {frame.clock:%Y-%m-%d %H:%M:%S %z}", file=sys.stderr)
                summary.add(frame)
                if series is not None:
                    series.add(frame)
                print("\n".join(_lines(frame)), flush=True)
                for warning in frame.warnings:
                    kind = _NUMBERS.sub("", warning)
                    # A camera is not warned of once a second, with other numbers each time.
                    if frame.time - warned.get(kind, -math.inf) > _SILENCE:
                        warn(f"{frame.time:.1f} s: {warning}")
                    warned[kind] = frame.time
                table.add(frame)
        table.finish()
    finally:
        # Interrupted or failed: what was counted is kept.
        table.close()
        if series:
            with writing(arguments.chart):
                series.save_chart(arguments.chart, title=_title(arguments.source))
        if summary.counts:  # last: the terminal may be gone
            print(summary, file=sys.stderr)
    return FAILED if table.failed else 0


class _Table:
    """`--csv FILE`, if it is asked for; given up with a message where it cannot be written."""

    def __init__(self, path: str | None, names: list[str], per_m2: bool, resume: bool):
        from crowdcount.video.files import CountTable

        self._path, self.failed = path, False
        self._table = CountTable(path, names, per_m2=per_m2, resume=resume) if path else None

    def add(self, frame: FrameCount) -> None:
        if self._table is None or self.failed:
            return
        try:
            self._table.add(frame)
        except OSError as error:
            fail(f"cannot write {self._path}: {error.strerror or error}. Counting goes on without it.")
            self.failed = True

    def finish(self) -> None:
        """All is counted."""
        if self._table is not None and not self.failed:
            self._table.finish()

    def close(self) -> None:
        if self._table is None:
            return
        self._table.close()
        if self._table.earlier is not None:
            print(f"crowdcount: the table of before is kept as {shown(str(self._table.earlier))}", file=sys.stderr)


def _title(source: str) -> str:
    """A file without its folders, anything else as messages call it."""
    from crowdcount.video.frames import source_name, video_path

    return source_name(source) if video_path(source) is None else os.path.basename(source)


def _lines(frame: FrameCount) -> list[str]:
    from crowdcount.counting.words import dense, span, whole

    def ground(name: str) -> str:
        return f"\t{dense(frame.per_m2[name])} per m2" if frame.per_m2 else ""

    time = f"{frame.time:.1f}"
    line = f"{time}\tabout {whole(frame.count, frame.low, frame.high)}"
    if frame.low is not None and frame.high is not None:
        line += f"\t{span(frame.low, frame.high)}"
    zones = []
    for name, people in frame.zones.items():
        ends = frame.zone_ranges.get(name)
        about = whole(people) if ends is None else f"{whole(people, *ends)}\t{span(*ends)}"
        zones.append(f"{time}\t{name}\tabout {about}{ground(name)}")
    return [line, *zones]


class _Summary:
    """What is told of all counts at the end. It keeps none of them: a camera may be watched for days."""

    def __init__(self) -> None:
        self.counts = 0
        self._sum = 0.0
        self._most = self._when = -math.inf
        self._thing = ""

    def add(self, frame: FrameCount) -> None:
        self.counts += 1
        self._thing = frame.thing
        self._sum += frame.count
        if frame.count > self._most:
            self._most, self._when = frame.count, frame.time

    def __str__(self) -> str:
        from crowdcount.counting.words import whole

        times = "1 count" if self.counts == 1 else f"{self.counts} counts"
        mean = self._sum / self.counts
        most = f"at most about {whole(self._most)} at {self._when:.1f} s"
        return f"crowdcount: {times}, on average about {whole(mean)} {self._thing}, {most}"
