"""The line before the network: one piece of work at a time, and so many at most that wait for it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from starlette.requests import Request

from crowdcount.web.refusals import Refusal

Result = TypeVar("Result")

# Each holds a picture's bytes in memory while it waits.
MOST_WAITING = 16


class Line:
    """Runs work that uses the network, in the order in which it came.

    The network uses all cores for one picture: two at a time would be no faster and need twice the memory.

    Args:
        most: how many may be in line, the one that is served among them.
    """

    def __init__(self, most: int = MOST_WAITING):
        self._most, self._inside = most, 0
        self._turn = asyncio.Lock()
        # One thread, always the same: what libraries keep by thread is made once.
        self._worker = ThreadPoolExecutor(1, "crowdcount")
        self._seconds = 1.0  # that a piece of work takes, about

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place in line; to be taken before the work's data are read.

        Raises:
            Refusal: 503 where the line is full, with the seconds after which to try again.
        """
        if self._inside >= self._most:
            wait = max(1, math.ceil(self._seconds * self._most))
            raise Refusal(
                503,
                "busy",
                f"The line is full. Try again in {wait} seconds.",
                headers={"retry-after": str(wait)},
                close=True,
            )
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    async def run(self, request: Request | None, work: Callable[[], Result]) -> Result:
        """Run work when its turn comes; who has gone meanwhile is not served.

        Args:
            request: whose work it is.
            work: what is run, in the worker's thread.

        Raises:
            Refusal: 400 where the sender has gone.
        """
        async with self._turn:
            if request is not None and await request.is_disconnected():
                raise Refusal(400, "gone", "The sender has gone.", close=True)
            start = time.perf_counter()
            try:
                return await asyncio.get_running_loop().run_in_executor(self._worker, work)
            finally:
                self._seconds += 0.3 * (time.perf_counter() - start - self._seconds)

    def close(self) -> None:
        """Let go of the thread, after the work that it has begun."""
        self._worker.shutdown(wait=False, cancel_futures=True)
