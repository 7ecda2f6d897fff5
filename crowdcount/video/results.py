"""What counting a video gives: a `FrameCount` at each moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from crowdcount.counting.words import PEOPLE


@dataclass(eq=False)
class FrameCount:
    """What the network sees at one moment of a video.

    `count`, `low`, `high`, `zones` and their ranges are smoothed over time, all with the same weights, so that zones
    which tile the picture add up to the count. It holds no picture, but its density map: a list of the frames of a
    long video keeps about 130 kB for each of 1920x1080 pixels.

    Args:
        time: seconds since the first frame.
        count: number of people.
        low: lower end of the range around it, see `CountResult.low`; None without a calibration.
        high: upper end of the range, or None.
        zones: zone's name -> people in it.
        alone: number of people in this frame alone, not smoothed: the sum of `density`.
        density: float32 array (ceil(height / 8), ceil(width / 8)), people in each cell of this frame.
        width: width of the upright frame in pixels.
        height: its height in pixels.
        clock: when a camera's frame came; None for a recording.
        warnings: reasons to doubt this frame's count, one sentence each; usually none.
        per_m2: zone's name -> people per square meter, of `zones`; empty without a ground.
        zone_ranges: zone's name -> the ends of its range, smoothed as `low` and `high` are, of those zones that have
            one in this frame, see `CountResult.zone_ranges`.
        scale: this frame was counted at so many times its size, see `CountResult.scale`.
        thing: what was counted, in the plural.
    """

    time: float
    count: float
    low: float | None
    high: float | None
    zones: dict[str, float]
    alone: float
    density: np.ndarray = field(repr=False)
    width: int
    height: int
    clock: datetime | None = None
    warnings: list[str] = field(default_factory=list)
    per_m2: dict[str, float] = field(default_factory=dict)
    zone_ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    scale: float = 1.0
    thing: str = PEOPLE
