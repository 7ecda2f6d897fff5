"""Counts of a video smoothed over time: those of the frame and of its zones alike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np


class Estimate(NamedTuple):
    """People in the frame or in a zone of it, and the ends of their range; these are NaN where there is none."""

    people: float
    low: float
    high: float

    @classmethod
    def of(cls, people: float, ends: tuple[float, float] | None) -> Estimate:
        """A count with its range.

        Args:
            people: the count.
            ends: of its range; None: it has none.
        """
        return cls(people, *(ends or (math.nan, math.nan)))


class Smoother:
    """The mean of all estimates so far, each weighted by exp(-age / seconds).

    It is linear: what adds up before adds up after. Of the past it keeps four sums. How far a range reaches from its
    count is a mean of those estimates that have one: a dark frame, which has none, makes no later range narrow.

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
        self._people: np.ndarray | float = 0.0
        self._weight = 0.0
        self._reach: np.ndarray | float = 0.0
        self._ranged: np.ndarray | float = 0.0

    def __call__(
        self, time: float, frame: Estimate, zones: Mapping[str, Estimate]
    ) -> tuple[Estimate, dict[str, Estimate]]:
        """Take up the estimates of one more moment.

        Args:
            time: in seconds, not before the last one.
            frame: of the whole frame.
            zones: zone's name -> its estimate; the same zones in the same order each time.

        Returns:
            The same, smoothed; an end is NaN as long as there was no range.
        """
        kept = math.exp(-(time - self._time) / self._seconds) if self._seconds else 0.0
        self._time = time
        people, *ends = np.array([frame, *zones.values()], np.float64).T
        ranged = np.isfinite(ends)
        self._people = kept * self._people + people
        self._weight = kept * self._weight + 1.0
        self._reach = kept * self._reach + np.where(ranged, ends - people, 0.0)
        self._ranged = kept * self._ranged + ranged
        people = self._people / self._weight
        reach = np.divide(self._reach, self._ranged, out=np.full(ranged.shape, math.nan), where=self._ranged > 0)
        rows = np.stack([people, *np.maximum(people + reach, 0.0)], axis=1).tolist()
        whole, *parts = (Estimate(*row) for row in rows)
        return whole, dict(zip(zones, parts, strict=True))
