"""Frames out of a container: the stream, what is broken in it, its clock, the shape of its pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from crowdcount.errors import VideoError, needing

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

Notify = Callable[[str], None]

# A message about broken frames at most so often, in seconds of the video.
_QUIET = 60.0


@dataclass(frozen=True, eq=False)
class VideoMoment:
    """A frame, not converted to a picture yet.

    Args:
        time: seconds since the first frame: by the video's own clock for a recording, by this machine's for a
            camera.
        clock: when a camera's frame came, with its time zone; None for a recording.
        frame: PyAV's frame.
        shape: how much wider than high its pixels are.
    """

    time: float
    clock: datetime | None
    frame: VideoFrame
    shape: Fraction = Fraction(1)

    def picture(self) -> np.ndarray:
        """The frame as players show it, upright and with square pixels: uint8 RGB, shape (H, W, 3)."""
        width = round(self.frame.width * self.shape)
        picture = self.frame.to_ndarray(format="rgb24", width=width, height=self.frame.height)
        return np.ascontiguousarray(_upright(picture, self.frame))


def _upright(picture: np.ndarray, frame: VideoFrame) -> np.ndarray:
    """Turned and mirrored as the file's display matrix says: a point (x, y) is shown at (a x + c y, b x + d y).

    Reference:
        FFmpeg, libavutil/display.h; ISO/IEC 14496-12, section 6.2.2.
    """
    # By number: what walking over them gives, they or their kinds, differs between PyAV's versions.
    try:
        beside = [frame.side_data[number] for number in range(len(frame.side_data))]
    except ValueError:  # of a kind that FFmpeg knows and PyAV does not, as EXIF: the turn is told apart from it
        return np.rot90(picture, round(frame.rotation / 90))
    matrix = next((bytes(item) for item in beside if item.type.name == "DISPLAYMATRIX"), None)
    if matrix is None:
        return picture
    a, b, _, c, d = np.sign(np.frombuffer(matrix, "<i4", 5))
    if a and d and not b and not c:
        return picture[::d, ::a]
    if b and c and not a and not d:
        return picture.swapaxes(0, 1)[::b, ::c]
    return np.rot90(picture, round(frame.rotation / 90))  # by another angle: the nearest quarter


def import_av():
    with needing("Videos and cameras need PyAV", '".[video]"'):
        import av
    return av


def reason_of(error: Exception) -> str:
    if type(error).__name__ == "ExitError":  # what PyAV raises at the end of its time limit
        return "nothing came for too long"
    return getattr(error, "strerror", None) or str(error)


def video_stream(container: InputContainer, name: str) -> VideoStream:
    from av.stream import Disposition

    # The picture of a cover is a video of one frame, in most files marked as one.
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not streams:
        raise VideoError(f"{name} holds no video.")
    streams = [stream for stream in streams if stream.frames != 1] or streams
    # Of several, as a recording and a camera's small copy beside it, the one that players show.
    best = container.streams.best("video")
    return next((stream for stream in streams if stream is best), streams[0])


class Broken:
    """Counts the frames that cannot be decoded, and tells of them now and then."""

    def __init__(self, name: str, notify: Notify):
        self._name, self._notify = name, notify
        self._count = 0
        self._next = 0.0

    def add(self) -> None:
        self._count += 1

    def tell(self, moment: float, *, last: bool = False) -> None:
        if self._count and (last or moment >= self._next):
            frames = "1 broken frame" if self._count == 1 else f"{self._count} broken frames"
            self._notify(f"{self._name}: {frames} skipped before {moment:.1f} s.")
            self._count, self._next = 0, moment + _QUIET


def decoded(container: InputContainer, stream: VideoStream, broken: Broken) -> Iterator[VideoFrame]:
    """Frames that are whole. What ends the stream other than its end is raised."""
    av = import_av()
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.InvalidDataError:
            broken.add()
            continue
        for frame in frames:
            if frame.is_corrupt:
                broken.add()
            else:
                yield frame


class RecordingClock:
    """Seconds since the beginning, growing from frame to frame whatever the file's own times do.

    Files joined from several begin again in the middle, and raw streams have no times at all: there the frame
    rate tells how far apart two frames are.
    """

    def __init__(self, stream: VideoStream, name: str):
        self._name = name
        self._rate = stream.average_rate or stream.guessed_rate
        self._start: float | None = None
        if stream.start_time is not None and stream.time_base:
            self._start = float(stream.start_time * stream.time_base)
        self._shift = 0.0
        self._last: float | None = None

    @property
    def start(self) -> float:
        """When the first frame is shown by the file's own clock, in seconds."""
        return self._start or 0.0

    def read(self, frame: VideoFrame) -> float:
        if frame.pts is None:
            now = 0.0 if self._last is None else self._last + self._step()
        else:
            if self._start is None:
                self._start = frame.time
            now = frame.time - self._start + self._shift
            if self._last is None:
                now = max(0.0, now)
            elif now <= self._last:
                self._shift += self._last + self._step() - now
                now = self._last + self._step()
        self._last = now
        return now

    def _step(self) -> float:
        if not self._rate:
            raise VideoError(
                f"{self._name} tells neither when its frames were taken nor how many there are a second (0 "
                "frames per second). Convert it first, as with: ffmpeg -r 25 -i VIDEO converted.mp4"
            )
        return float(1 / self._rate)


def pixel_shape(stream: VideoStream) -> Fraction:
    shape = stream.sample_aspect_ratio
    # Files that know nothing of it write 0; what is far from 1 is a mistake, not a lens.
    return shape if shape and Fraction(1, 4) <= shape <= 4 else Fraction(1)
