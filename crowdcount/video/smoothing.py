"""Counts of a video smoothed over time: those of the frame and of its zones alike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np


class Estimate(NamedTuple):
    """People in the frame or in a zone of it, and the ends of their range."""

    people: float
    low: float
    high: float

    @classmethod
    def of(cls, people: float, ends: tuple[float, float] | None) -> Estimate:
        """A count with its range.

        Args:
            people: the count.
            ends: of its range. None: it has none, and both are the count: a dark frame, say, does not draw those of its
                neighbors to 0.
        """
        return cls(people, *(ends or (people, people)))


class Smoother:
    """The mean of all estimates so far, each weighted by exp(-age / seconds).

    It is linear: what adds up before adds up after. Of the past it keeps two sums.

    Args:
        seconds: the time constant; 0 for no smoothing.

    Example:
        >>> smoother = Smoother(5.0)
        >>> smoother(0.0, Estimate(10.0, 5.0, 20.0), {"gate": Estimate(4.0, 4.0, 4.0)})[0].people
        10.0
        >>> frame, zones = smoother(5.0, Estimate(20.0, 10.0, 40.0), {"gate": Estimate(8.0, 8.0, 8.0)})
        >>> round(frame.people, 1), round(frame.high, 1), round(zones["gate"].people, 1)
        (17.3, 34.6, 6.9)
    """

    def __init__(self, seconds: float):
        self._seconds = seconds
        self._time = 0.0
        self._sum: np.ndarray | float = 0.0
        self._weight = 0.0

    def __call__(
        self, time: float, frame: Estimate, zones: Mapping[str, Estimate]
    ) -> tuple[Estimate, dict[str, Estimate]]:
        """Take up the estimates of one more moment.

        Args:
            time: in seconds, not before the last one.
            frame: of the whole frame.
            zones: zone's name -> its estimate; the same zones in the same order each time.

        Returns:
            The same, smoothed.
        """
        kept = math.exp(-(time - self._time) / self._seconds) if self._seconds else 0.0
        self._time = time
        self._sum = kept * self._sum + np.array([frame, *zones.values()], np.float64)  # rows: people, low, high
        self._weight = kept * self._weight + 1.0
        whole, *parts = (Estimate(*row) for row in (self._sum / self._weight).tolist())
        return whole, dict(zip(zones, parts, strict=True))
