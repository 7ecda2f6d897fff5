"""What counting a video leaves behind: a table that grows as it counts, and an annotated video."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from PIL import Image, ImageChops

from crowdcount.area.drawing import draw_zones
from crowdcount.counting.words import amount, span, whole
from crowdcount.errors import DataError, VideoError
from crowdcount.files import append_whole, as_header, atomic_path, held, is_stream, place_beside, target_of
from crowdcount.grid import map_shape
from crowdcount.show.plots import add_caption, overlay
from crowdcount.video.decoding import Notify

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

    from crowdcount.area.zones import Zone
    from crowdcount.video.results import FrameCount

COLUMNS = ("time", "count", "low", "high")
"""The first columns of a table; a camera's `clock`, a column for each zone, called by its name (see `files.as_header`),
and the ends of its range, `low NAME` and `high NAME`, follow."""

NO_CAMERA = (
    "Only a camera's table can be gone on with: a recording is counted from its beginning. Leave out --resume "
    "(resume=)."
)
"""Why a recording's table is refused where it is to be gone on with."""

_CLOCK, _PER_M2 = "clock", "per m2 "
_CLOCK_AT = len(COLUMNS)
_ENDS = ("low ", "high ")
# Bytes. Of a table that a stopped run has left, so much is looked at from its end for a row that was cut off.
_LONGEST_ROW = 1 << 20

_SUFFIXES = (".mp4", ".mov", ".mkv")
# The first that PyAV was built with: H.264 plays everywhere, MPEG-4 is always there.
_ENCODERS = {"libx264": {"preset": "veryfast", "crf": "23"}, "mpeg4": {"qmax": "4"}}
# Frames a second that the encoder plans with; the times are the frames' own.
_NOMINAL_RATE = 25
# Times of frames are kept in milliseconds.
_TICKS = 1000


class CountTable:
    """A CSV file that gains a row for each count and can be read at any time.

    A row is written at once and whole, to the file itself: someone may follow a camera's table, and what was
    counted before a crash is kept. A file of that name gives way when the first row comes, and only if that
    row can be written; or is gone on with. It is kept beside the new one, as `NAME_earlier.csv`: of a recording until
    `finish`, of a camera for good. Where a later row cannot be written, as on a full disk, the rows before it stay.
    Until `close` no other run can write it.

    Args:
        path: the file to write.
        zones: names of the zones, each a column after `time`, `count`, `low` and `high`, and a camera's `clock`; the
            ends of their ranges follow, empty where a zone has none.
        per_m2: whether they get others for the people per square meter, `per m2 NAME`.
        resume: go on with a camera's file, where there is one: its rows stay, and `time` runs on by the clock.

    Raises:
        DataError: if a zone has the name of one of these columns, or the file that is to be gone on with is no such
            table: known before the work, and before other files of the run are replaced.
        CrowdCountError: if another run is writing the file.
    """

    def __init__(
        self, path: str | os.PathLike, zones: Iterable[str] = (), *, per_m2: bool = False, resume: bool = False
    ):
        self._path, self._resume, self._before = Path(path).absolute(), resume, 0.0
        self._zones = list(zones)
        self._dense = [(name, f"{_PER_M2}{name}") for name in self._zones] if per_m2 else []
        self._file: io.FileIO | None = None
        self.earlier: Path | None = None
        """Where the file is that was there before, if there was one and it is kept."""
        self._ends = [f"{end}{name}" for name in self._zones for end in _ENDS]
        self._headers = [as_header(name) for name in self._zones]
        columns = [*COLUMNS, _CLOCK, *self._headers, *self._ends, *(column for _, column in self._dense)]
        for name, header in zip(self._zones, self._headers):
            if columns.count(header) > 1:
                raise DataError(f"The table has a column {name!r} of its own. Give the zone another name.")
        with ExitStack() as stack:
            stack.enter_context(held(path))
            if resume and not is_stream(self._path) and self._path.exists():
                _check_header(self._path, self._header(clock=True))
            self._held = stack.pop_all()

    def _header(self, *, clock: bool) -> bytes:
        """The first line: of a camera, which has a clock at every frame, or of a recording, which has one at none."""
        columns = [*COLUMNS, *[_CLOCK][:clock], *self._headers, *self._ends]
        return _line([*columns, *(column for _, column in self._dense)])

    def add(self, frame: FrameCount) -> None:
        """Write a row.

        Raises:
            OSError: if it cannot be written.
            DataError: if a table is to be gone on with and the video is a recording, or the first row has no clock.
        """
        if self._file is not None:
            append_whole(self._file, self._row(frame), self._path)
            return
        if self._resume and frame.clock is None:
            raise DataError(NO_CAMERA)
        resumed = self._resume and not is_stream(self._path) and self._path.exists()
        if resumed:
            self._before = _go_on(self._path, cast(datetime, frame.clock)) - frame.time
        data = self._row(frame) if resumed else self._header(clock=frame.clock is not None) + self._row(frame)
        if not resumed and not is_stream(self._path):
            self._begin(data)
            data = b""
        self._file = open(self._path, "ab", buffering=0)  # noqa: SIM115 - closed in `close`
        append_whole(self._file, data, self._path)

    def _begin(self, data: bytes) -> None:
        """Put the first lines in the place of what was there, which stays beside them."""
        target = target_of(self._path)
        aside = place_beside(target, "earlier")
        try:
            with atomic_path(target) as temporary:
                temporary.write_bytes(data)
                if aside != target:
                    os.replace(target, aside)
        except BaseException:
            if aside != target and not target.exists():
                os.replace(aside, target)
            raise
        self.earlier = None if aside == target else aside

    def _row(self, frame: FrameCount) -> bytes:
        ends = [_cell(end, 3) for end in (frame.low, frame.high)]
        # Of the others digits enough for zones to add up to the count.
        people = [frame.count, *(frame.zones[name] for name in self._zones)]
        count, *zones = (_cell(number, 6) for number in people)
        none = (None, None)
        zone_ends = [_cell(end, 3) for name in self._zones for end in frame.zone_ranges.get(name, none)]
        dense = [_cell(frame.per_m2[name], 6) for name, _ in self._dense]
        clock = [] if frame.clock is None else [_stamp(frame.clock)]
        return _line([_cell(frame.time + self._before, 3), count, *ends, *clock, *zones, *zone_ends, *dense])

    def finish(self) -> None:
        """All is counted: a table of before is no longer needed, but for a camera's, which nobody can count again."""
        if self.earlier is not None and not _is_of_camera(self.earlier):
            with suppress(OSError):  # on Windows a spreadsheet may have it open: it stays
                self.earlier.unlink()
                self.earlier = None

    def close(self) -> None:
        """End the table; nothing is left to be written."""
        if self._file is not None:
            self._file.close()
        self._held.close()

    def __enter__(self) -> CountTable:
        return self

    def __exit__(self, *_) -> None:
        self.close()


def _check_header(path: Path, header: bytes) -> None:
    """Raise a DataError where a table does not begin with this line."""
    with open(path, "rb") as file:
        if file.readline() != header:
            raise DataError(
                f"{path} has other columns than this run, or is no table of a camera. Use the zones that it was begun "
                "with, or name another file."
            )


def _is_of_camera(path: Path) -> bool:
    """Whether a file is the table of a camera, by its header."""
    with open(path, "rb") as file:
        return file.readline(_LONGEST_ROW).startswith(f"{','.join(COLUMNS)},{_CLOCK}".encode())


def _go_on(path: Path, clock: datetime) -> float:
    """The seconds from a camera's first row to `clock`, by the clock; a row that was cut off at the end is taken out.

    One that is whole and lacks its line end alone, as some editors leave it, gets it.

    Args:
        path: the table.
        clock: when the first frame of this run came.

    Raises:
        DataError: if its first row has no clock.
    """
    with open(path, "rb+") as file:
        header = file.readline()
        begin = file.tell()
        file.seek(max(begin, file.seek(0, os.SEEK_END) - _LONGEST_ROW))
        tail = file.read()
        last = tail[tail.rfind(b"\n") + 1 :]
        if _is_whole(last, header, clock):
            file.write(b"\n" if last.endswith(b"\r") else b"\r\n")
        else:
            file.truncate(file.tell() - len(last))
        file.seek(begin)
        first = file.readline()
    if not first.endswith(b"\n"):
        return 0.0
    time, *rest = first.decode("utf-8", "replace").split(",")
    try:
        return float(time) + (clock - datetime.fromisoformat(rest[_CLOCK_AT - 1].strip())).total_seconds()
    except (ValueError, IndexError, TypeError) as error:
        raise DataError(f"{path}: the first row has no time and clock ({error}). Name another file.") from error


def _is_whole(row: bytes, header: bytes, clock: datetime) -> bool:
    """Whether a camera's row without a line end has all fields: a clock as long as `clock`, numbers or nothing."""
    cells = row.decode("utf-8", "replace").rstrip("\r").split(",")
    names = next(csv.reader([header.decode("utf-8", "replace")]))
    if len(cells) != len(names) or not (cells[0] and cells[1]):
        return False
    stamp = cells.pop(_CLOCK_AT)
    try:
        datetime.fromisoformat(stamp)
        return len(stamp) == len(_stamp(clock)) and all(math.isfinite(float(cell)) for cell in cells if cell)
    except ValueError:
        return False


def _stamp(clock: datetime) -> str:
    return clock.isoformat(timespec="milliseconds")


class AnnotatedVideo:
    """A video that shows what was counted: the last density map over every frame, zones, and a line of text.

    It is a context manager: the file is there, whole, when the block is left, by whatever exception. If it
    cannot be written, as on a full disk, it is given up and removed; `failure` then tells why, and the block
    goes on.

    Args:
        path: the file to write, `.mp4`, `.mov` or `.mkv`.
        zones: zones to draw with their counts; frames are darkened outside them.
        notify: called with a sentence when the file is given up.

    Raises:
        VideoError: if the suffix is of another format.
    """

    def __init__(self, path: str | os.PathLike, zones: list[Zone], notify: Notify):
        self._path, self._zones, self._notify = Path(path), zones, notify
        if self._path.suffix.lower() not in _SUFFIXES:
            raise VideoError(f"{path} is no name for a video. Let it end in {' or '.join(_SUFFIXES)}.")
        self.failure: str | None = None
        self._stack = ExitStack()
        self._container: OutputContainer | None = None
        self._last = -1
        self._shown: FrameCount | None = None
        self._size: tuple[int, int] | None = None
        self._strip: Image.Image | None = None
        self._strip_text = ""
        self._room: int | None = None

    def __enter__(self) -> AnnotatedVideo:
        return self

    def add(self, time: float, picture: np.ndarray, frame: FrameCount) -> None:
        """Write a frame.

        Args:
            time: seconds since the first frame, growing.
            picture: uint8 RGB, shape (H, W, 3).
            frame: what was last counted; of any frame before this one.

        Raises:
            DataError: if a zone lies outside the picture.
        """
        import av

        if self.failure:
            return
        drawn = self.drawn(time, picture, frame)
        try:
            self._encode(time, drawn)
        except (OSError, ValueError, av.FFmpegError) as error:
            self._give_up(error)

    def __exit__(self, *_) -> None:
        if self._container is None or self.failure:
            return
        import av

        try:
            for packet in self._stream.encode():
                self._container.mux(packet)
            self._container.close()
            self._stack.close()
        except (OSError, ValueError, av.FFmpegError) as error:
            self._give_up(error)

    def drawn(self, time: float, picture: np.ndarray, frame: FrameCount) -> Image.Image:
        size = picture.shape[:2]
        if self._size is None:  # where a camera changes the size of its frames, zones go along
            self._zones = [zone.drawn(size) for zone in self._zones]
        if frame is not self._shown or size != self._size:
            self._shown, self._size = frame, size
            self._set_layer(frame, size)
        shown = ImageChops.add(ImageChops.multiply(Image.fromarray(picture), self._gain), self._cover)
        text = f"{_clock(time)}: {_people(frame)}"
        if self._strip is None or text != self._strip_text or self._strip.width != shown.width:
            self._strip_text = text
            self._strip = _strip(text, shown.width)
        if self._room is None:
            # All frames have one size: the room is for the longest text, whatever is counted later. A first frame
            # that is too dark for a range is followed by others.
            self._room = _strip(f"88:88:88: about 888,888 {frame.thing} (888,888 to 888,888)", shown.width).height
        # The encoder takes even sides only.
        canvas = Image.new("RGB", (_even(shown.width), _even(shown.height + self._room)))
        canvas.paste(shown)
        canvas.paste(self._strip, (0, shown.height))
        return canvas

    def _set_layer(self, frame: FrameCount, size: tuple[int, int]) -> None:
        """What is drawn over the frames until the next count.

        Every pixel of the drawing is `gain * pixel + cover`, whatever the frame: both follow from what
        becomes of a black and of a white frame.
        """
        density = frame.density
        if (frame.height, frame.width) != size:  # the camera changed its size since then
            density = np.zeros(map_shape(size), np.float32)
        black, white = (overlay(np.full((*size, 3), level, np.uint8), density, scale=frame.scale) for level in (0, 255))
        if self._zones:
            told = {name: whole(people, *frame.zone_ranges.get(name, ())) for name, people in frame.zones.items()}
            black, white = (draw_zones(shown, self._zones, told) for shown in (black, white))
        self._cover, self._gain = Image.fromarray(black), Image.fromarray(white - black)

    def _encode(self, time: float, image: Image.Image) -> None:
        import av

        if self._container is None:
            temporary = self._stack.enter_context(atomic_path(self._path))
            self._container = av.open(str(temporary), "w")
            name = next(name for name in _ENCODERS if name in av.codecs_available)
            stream = self._container.add_stream(name, rate=_NOMINAL_RATE, options=_ENCODERS[name])
            self._stream = cast("VideoStream", stream)
            self._stream.width, self._stream.height = image.size
            self._stream.pix_fmt = "yuv420p"
            self._stream.codec_context.time_base = Fraction(1, _TICKS)
        if image.size != (self._stream.width, self._stream.height):
            image = image.resize((self._stream.width, self._stream.height))
        encoded = av.VideoFrame.from_ndarray(np.asarray(image), format="rgb24")
        self._last = max(round(time * _TICKS), self._last + 1)
        encoded.pts, encoded.time_base = self._last, Fraction(1, _TICKS)
        for packet in self._stream.encode(encoded):
            self._container.mux(packet)

    def _give_up(self, error: Exception) -> None:
        reason = getattr(error, "strerror", None) or error
        self.failure = f"cannot write {self._path}: {reason}. What was counted is kept."
        self._notify(f"cannot write {self._path}: {reason}. Counting goes on without it.")
        if self._container is not None:
            with suppress(Exception):  # it cannot be finished either; it is removed
                self._container.close()
        self._stack.__exit__(type(error), error, error.__traceback__)


def _cell(number: float | None, digits: int) -> str:
    """A number without an exponent, which people take for a large one."""
    return "" if number is None else np.format_float_positional(number, precision=digits, trim="-")


def _line(cells: list) -> bytes:
    line = io.StringIO(newline="")
    csv.writer(line).writerow(cells)
    return line.getvalue().encode("utf-8")


def _strip(text: str, width: int) -> Image.Image:
    return Image.fromarray(add_caption(np.zeros((1, width, 3), np.uint8), text)[1:])


def _even(length: int) -> int:
    return length + length % 2


def _clock(time: float) -> str:
    minutes, seconds = divmod(int(time), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def _people(frame: FrameCount) -> str:
    text = f"about {amount(whole(frame.count, frame.low, frame.high), frame.thing)}"
    return text if frame.low is None or frame.high is None else f"{text} ({span(frame.low, frame.high)})"
