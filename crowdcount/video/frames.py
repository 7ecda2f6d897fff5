"""Frames of videos, webcams and network cameras, each with its time. Needs PyAV (the extra `video`).

A recording is read frame after frame, at whatever speed its reader takes them. A camera is read by a thread
that keeps the newest frame only: whoever is slower than the camera misses frames, and never lags behind it.
"""

from __future__ import annotations

import os
import re
import stat
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, TypeGuard
from urllib.request import url2pathname

from crowdcount.errors import VideoError
from crowdcount.video.camera import Camera
from crowdcount.video.decoding import (
    Broken,
    Notify,
    RecordingClock,
    VideoMoment,
    decoded,
    import_av,
    pixel_shape,
    reason_of,
    video_stream,
)

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

VideoSource = str | os.PathLike | int

# What a recording may lack at its end, in seconds, before it counts as cut off: its length is often an estimate.
_LACKING = 2.0
# Containers that know how long they are, from 0, where their streams do not; and how Matroska's streams may tell it.
_UNTIMED = ("matroska,webm", "flv")
_TAGGED_LENGTH = re.compile(r"(\d+):(\d+):(\d+(?:\.\d*)?)$")
# How long the reader sleeps at most while it waits for a camera: on some systems a wait holds Ctrl-C back.
_NAP = 0.2

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_FILE_ADDRESS = re.compile(r"file://(localhost(?=/))?", re.IGNORECASE)
# Servers that keep files. What comes by other ways, as udp, rtp, srt or rtmp, is sent as it happens.
_SERVERS = {"http", "https", "ftp", "sftp", "smb", "rtsp", "rtsps"}
# Formats that only describe where the video is: the description's size says nothing of the video's length.
_DESCRIPTIONS = {"hls", "dash", "rtsp", "sdp"}
_WEBCAMS = {"linux": ("v4l2", "/dev/video{}", {}), "darwin": ("avfoundation", "{}", {"framerate": "30"})}


def read_frames(
    source: VideoSource,
    *,
    seconds: float | None = None,
    timeout: float = 10.0,
    patience: float = 600.0,
    notify: Notify,
) -> Generator[VideoMoment, None, None]:
    """Read the frames of a video or a camera in order; damaged frames are left out and reported.

    Args:
        source: path of a video; address of one or of a camera (`rtsp://...`, `http://...`); or the number of
            a webcam. An address with a known length, as of a file, is read once, from its beginning to its end.
        seconds: stop after so many seconds of the video or the camera.
        timeout: seconds within which an address has to answer, and after which silence means that it dropped.
        patience: seconds for which a camera that dropped is tried again, at growing pauses.
        notify: called with a sentence for each thing that was left out, dropped or found again.

    Yields:
        Each frame of a recording; of a camera the newest frame whenever the next is asked for.

    Raises:
        MissingPackageError: if PyAV is missing.
        VideoError: if the source cannot be read or has no frames, or a camera stays away.
    """
    import_av()
    name, path = source_name(source), video_path(source)
    if path is not None:
        opened, live = _open_file(path), False
    elif _is_webcam(source):
        opened, live = _opened_in_time(lambda: _open_webcam(int(source), timeout), name, timeout), True
    else:
        address = os.fspath(source)  # type: ignore[arg-type]  # a number is a webcam
        opened = _opened_in_time(lambda: _open_address(address, timeout), name, timeout)
        live = not is_recording(opened, address)
    if not live:
        with opened:
            for moment in _recording(opened, name, notify):
                if seconds is not None and moment.time >= seconds:
                    return
                yield moment
        return

    def again() -> InputContainer:
        if _is_webcam(source):
            return _open_webcam(int(source), timeout)
        address = os.fspath(source)  # type: ignore[arg-type]  # a number is a webcam
        container = _open_address(address, timeout)
        if is_recording(container, address):  # of what was seen already: a broadcast ends so
            container.close()
            raise VideoError("a recording is there now")
        return container

    yield from Camera(name, opened, again, timeout, patience, notify).moments(seconds)


def source_name(source: VideoSource) -> str:
    """How messages call a source: an address without what may be the user's name and password.

    Example:
        >>> source_name("rtsp://admin:p@ss@192.168.1.20/stream1")
        'rtsp://***@192.168.1.20/stream1'
        >>> source_name("http://192.168.1.20/video.cgi?user=admin&pwd=secret")
        'http://192.168.1.20/video.cgi?***'
    """
    if _is_webcam(source):
        return f"webcam {int(source)}"
    if not isinstance(source, (str, os.PathLike)):
        raise VideoError(
            f"A video cannot be read from {type(source).__name__} {repr(source)[:80]}. Give the path of a "
            "video, an address, or the number of a webcam."
        )
    path = video_path(source)
    if path is not None:
        return path
    # Up to the last "@" before the path, as FFmpeg reads it: a password may hold others.
    shown = re.sub(r"//[^/]*@", "//***@", os.fspath(source), count=1)
    # There is no telling what cameras call a password in the query, or in the path as user=admin&password=...
    return re.sub(r"([?#;=]).*", r"\1***", shown, flags=re.DOTALL)


def video_path(source: VideoSource) -> str | None:
    """The path of a source that is a file of this machine; None for a webcam or another address.

    Example:
        >>> video_path("file:///home/me/the%20square.mp4")
        '/home/me/the square.mp4'
    """
    if not isinstance(source, (str, os.PathLike)) or _is_webcam(source):
        return None
    path = os.fsdecode(source)
    if found := _FILE_ADDRESS.match(path):
        return url2pathname(path[found.end() :])
    return None if _is_address(source) else path


def require_av() -> None:
    """Raise a MissingPackageError that names the extra where PyAV is missing."""
    import_av()


def check_video(path: str) -> None:
    """Find out that a file can be opened as a video: at once, where importing TensorFlow would take seconds.

    Raises:
        MissingPackageError, VideoError: as the reading of frames does.
    """
    _open_file(path).close()


# --- Opening ------------------------------------------------------------------------------------------------


def _is_webcam(source: VideoSource) -> TypeGuard[int | str]:
    if isinstance(source, int):
        return not isinstance(source, bool)
    return isinstance(source, str) and source.isdecimal() and not os.path.exists(source)


def _is_address(source: VideoSource) -> bool:
    return isinstance(source, str) and _ADDRESS.match(source) is not None


def is_recording(container: InputContainer, address: str) -> bool:
    """Whether an address is that of a file, which has a length, rather than a camera's."""
    if address.partition("://")[0].lower() not in _SERVERS:
        return False
    if (container.duration or 0) > 0:  # live streams may call it 0
        return True
    return (container.size or 0) > 0 and container.format.name not in _DESCRIPTIONS


def _open_file(path: str) -> InputContainer:
    av = import_av()
    name = repr(path)
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise VideoError(f"{name} is a folder. Name one of the videos in it.")
        if not stat.S_ISREG(mode):
            raise VideoError(f"{name} is a pipe or a device, not a file. Name a webcam by its number, as 0.")
        if os.path.getsize(path) == 0:
            raise VideoError(f"{name} is empty (0 bytes). Copy or download it again.")
        return av.open(path)
    except FileNotFoundError as error:
        place = "" if os.path.isabs(path) else f" (looked from {os.getcwd()!r})"
        raise VideoError(f"{name} does not exist. Check its spelling{place}.") from error
    except PermissionError as error:
        raise VideoError(f"{name} may not be read: permission denied. Change its rights.") from error
    except VideoError:
        raise
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(
            f"{name} cannot be read as a video: it is of another kind, damaged or cut off ({reason_of(error)})."
        ) from error


def _open_address(address: str, timeout: float) -> InputContainer:
    av = import_av()
    options = {"rtsp_flags": "prefer_tcp"} if address.lower().startswith("rtsp") else {}
    begun = time.monotonic()
    try:
        # As `options` they would reach the streams too: PyAV 14 to 17 crashes over streams that turn up late.
        return av.open(address, container_options=options, timeout=timeout)
    except (av.FFmpegError, OSError, ValueError) as error:
        # The RTSP reader calls invalid what it only waited for in vain.
        if time.monotonic() - begun >= 0.9 * timeout:
            raise _no_answer(source_name(address), timeout) from error
        raise VideoError(
            f"{source_name(address)} cannot be opened: {reason_of(error)}. Check the address, the user name "
            "and the password, and that the camera is on."
        ) from error


def _open_webcam(number: int, timeout: float) -> InputContainer:
    av = import_av()
    if sys.platform not in _WEBCAMS:
        raise VideoError(
            f"Webcam {number} cannot be opened: on this system ({sys.platform}) webcams are not read. Give "
            "the address of a network camera, or a video."
        )
    driver, address, options = _WEBCAMS[sys.platform]
    try:
        return av.open(address.format(number), format=driver, container_options=options, timeout=timeout)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(
            f"Webcam {number} ({address.format(number)}) cannot be opened: {reason_of(error)}. Check that it "
            "is plugged in, that no other program uses it, and its number: the first is 0."
        ) from error


def _opened_in_time(opening: Callable[[], InputContainer], name: str, timeout: float) -> InputContainer:
    """Open in a thread: neither looking up a name nor a driver heeds a time limit, or Ctrl-C."""
    outcome: list = []

    def run() -> None:
        try:
            outcome.append(opening())
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    end = time.monotonic() + timeout + 1.0
    while thread.is_alive() and time.monotonic() < end:
        thread.join(_NAP)
    if not outcome:
        raise _no_answer(name, timeout)
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


def _no_answer(name: str, timeout: float) -> VideoError:
    return VideoError(
        f"{name} does not answer within {timeout:g} s. Check the address, the network, and that the camera is on."
    )


# --- Reading ------------------------------------------------------------------------------------------------


def _recording(container: InputContainer, name: str, notify: Notify) -> Iterator[VideoMoment]:
    av = import_av()
    stream = video_stream(container, name)
    stream.thread_type = "AUTO"
    shape = pixel_shape(stream)
    broken = Broken(name, notify)
    clock = RecordingClock(stream, name)
    now = longest = 0.0
    reason = None
    seen = 0
    try:
        for frame in decoded(container, stream, broken):
            before, now = now, clock.read(frame)
            longest = max(longest, now - before)
            seen += 1
            broken.tell(now)
            yield VideoMoment(now, None, frame, shape)
    except (av.FFmpegError, OSError) as error:
        reason = reason_of(error)
    broken.tell(now, last=True)
    if not seen:
        raise VideoError(
            f"{name} has no frame that can be read{f' ({reason})' if reason else ''}. It is empty, damaged "
            "or cut off: record or copy it again."
        )
    if stream.frames and seen >= stream.frames and not reason:
        return  # all of them: the last one may be shown for long
    whole = _declared_length(container, stream, clock.start)
    # The last frame lasts as long as others do: of a time-lapse, seconds.
    lacking = max(_LACKING, 0.05 * whole, 1.5 * longest)
    if seen < stream.frames:
        # Not enough by itself: AVI counts pauses as frames, and a phone hides those that were trimmed away.
        lacking = min(lacking, 2 * longest)
    if reason or whole - now > lacking:
        told = f" of {whole:.1f} s" if whole > now else ""
        notify(f"{name}: ends early, after {now:.1f} s{told}: it is cut off or damaged.")


def _declared_length(container: InputContainer, stream: VideoStream, start: float) -> float:
    """How many seconds from its first frame, at `start`, the header says that the video lasts; 0 where it does not."""
    of_container = (container.duration or 0) / import_av().time_base
    if container.format.name in _DESCRIPTIONS:  # it knows of the whole, its streams do not
        return of_container
    if stream.start_time is not None and not stream.duration and container.format.name in _UNTIMED:
        tag = _TAGGED_LENGTH.match(stream.metadata.get("DURATION", ""))
        # The container's counts sound, too, which may go on for longer.
        hours, minutes, seconds = map(float, tag.groups()) if tag else (0.0, 0.0, of_container)
        return 3600 * hours + 60 * minutes + seconds - start
    # Of an AVI that is cut off FFmpeg shortens the duration with the file. Its frames are the header's own, and last
    # a tick of its clock each.
    ticks = stream.frames if container.format.name == "avi" else 0
    length = float((ticks or stream.duration or 0) * (stream.time_base or 0))
    # Where the stream does not say when it begins its length counts from 0.
    return length - (start if stream.start_time is None else 0.0)
