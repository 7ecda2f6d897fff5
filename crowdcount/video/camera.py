"""A camera, read by a thread of its own: the newest frame whenever one is asked for, over drops and silence."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from crowdcount.errors import VideoError
from crowdcount.video.decoding import (
    Broken,
    Notify,
    VideoMoment,
    decoded,
    pixel_shape,
    reason_of,
    video_stream,
)

if TYPE_CHECKING:
    from av.container import InputContainer

# Pauses before a camera that dropped is tried again, in seconds: doubled each time, up to the longest.
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
# How long the reader sleeps at most while it waits for a camera: on some systems a wait holds Ctrl-C back.
_NAP = 0.2


class Camera:
    """A camera, read by a thread of its own that connects again where it drops."""

    def __init__(
        self,
        name: str,
        opened: InputContainer,
        again: Callable[[], InputContainer],
        timeout: float,
        patience: float,
        notify: Notify,
    ):
        self._name, self._timeout, self._patience, self._notify = name, timeout, patience, notify
        self._opened: InputContainer | None = opened
        self._again = again
        self._news = threading.Condition()
        self._stop = threading.Event()
        # What the thread hands over, under the lock of `_news`.
        self._newest: tuple[float, VideoMoment] | None = None
        self._dropped: str | None = None
        self._messages: list[str] = []

    def moments(self, seconds: float | None) -> Iterator[VideoMoment]:
        thread = threading.Thread(target=self._read, name=f"frames of {self._name}", daemon=True)
        thread.start()
        last = time.monotonic()
        first: float | None = None
        away = False
        try:
            while True:
                with self._news:
                    if self._newest is None:
                        self._news.wait(_NAP)
                    newest, self._newest = self._newest, None
                    dropped = self._dropped
                    messages, self._messages = self._messages, []
                for message in messages:
                    self._notify(message)
                now = time.monotonic()
                if first is not None and seconds is not None and (newest or (now,))[0] - first >= seconds:
                    return
                if newest is not None:
                    arrived, moment = newest
                    if away:
                        self._notify(f"{self._name}: back after {arrived - last:.0f} s.")
                        away = False
                    last = arrived
                    first = arrived if first is None else first
                    yield VideoMoment(arrived - first, moment.clock, moment.frame, moment.shape)
                elif first is None:
                    if dropped is not None:
                        raise VideoError(f"{self._name} gives no frames: {dropped}.")
                    if now - last > self._timeout:
                        raise VideoError(f"{self._name} gives no frames within {self._timeout:g} s.")
                elif now - last > self._patience:
                    raise VideoError(f"{self._name} dropped and did not come back within {self._patience:g} s.")
                elif dropped is not None and not away:
                    self._notify(f"{self._name}: dropped ({dropped}). Connecting again.")
                    away = True
        finally:
            self._stop.set()
            thread.join(1.0)  # it may hang in a call that only ends with its time limit; it holds nothing

    def _read(self) -> None:
        """The thread: connect, hand over frames, connect again."""
        pause = _FIRST_PAUSE
        while not self._stop.is_set():
            reason = "the stream ended"
            try:
                container, self._opened = self._opened or self._again(), None
                with container:
                    stream = video_stream(container, self._name)
                    shape = pixel_shape(stream)
                    begun = time.monotonic()
                    broken = Broken(self._name, self._message)
                    for frame in decoded(container, stream, broken):
                        now = time.monotonic()
                        broken.tell(now - begun)
                        pause = _FIRST_PAUSE
                        moment = VideoMoment(0.0, datetime.now().astimezone(), frame, shape)
                        with self._news:
                            self._newest, self._dropped = (now, moment), None
                            self._news.notify()
                        if self._stop.is_set():
                            return
            except Exception as error:
                # Whatever it is, the camera may be back: the limit is the reader's patience.
                reason = reason_of(error).rstrip(".")
            with self._news:
                self._dropped = reason
                self._news.notify()
            self._stop.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _message(self, text: str) -> None:
        with self._news:
            self._messages.append(text)
