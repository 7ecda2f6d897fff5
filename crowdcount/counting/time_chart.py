"""Counts over time with their ranges, drawn on axes: of a video, and of photos that tell when they were taken."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from crowdcount.counting.words import whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The range is shown up to so many times the largest count.
_MOST_RANGE = 2.0


def draw_counts(
    axes: Axes,
    times: Sequence[float] | np.ndarray | Sequence[datetime],
    counts: Sequence[float] | np.ndarray,
    low: Sequence[float] | np.ndarray,
    high: Sequence[float] | np.ndarray,
    *,
    single: bool = False,
    color: str = "black",
    shade: str = "0.85",
    label: str | None = None,
) -> None:
    """Draw the course of some counts, with their ranges behind it.

    Args:
        axes: Matplotlib axes to draw on.
        times: moments, rising; numbers in any unit, or times of a clock.
        counts: number of people at each; NaN breaks the line.
        low, high: ends of the ranges; NaN where there is none.
        single: the ranges are those of single pictures, a bar each, and not a band from one count to the next.
        color, shade: of the counts, and of the ranges.
        label: of the counts in a legend.

    Example:
        >>> from matplotlib.figure import Figure
        >>> axes = Figure().add_subplot()
        >>> draw_counts(axes, [0, 1, 2], [10, 20, 40], [8, 15, 30], [13, 26, 90])
        >>> [round(float(end)) for end in axes.get_ylim()]
        [0, 84]
    """
    from matplotlib.dates import date2num
    from matplotlib.ticker import MaxNLocator

    of_a_clock = len(times) > 0 and isinstance(times[0], datetime)
    times = np.asarray(date2num(times) if of_a_clock else times)
    counts, low, high = (np.asarray(values, np.float64) for values in (counts, low, high))
    top = top_of(counts, high)
    known = np.isfinite(low)
    if known.any():
        widest = int(np.nanargmax(high))
        reach = float(high[widest])
        told = f"range (up to {whole(reach, low[widest], reach)})" if reach > top else "range"
        if single:
            axes.vlines(times[known], low[known], high[known], color=shade, linewidth=4, capstyle="round", label=told)
        else:
            axes.fill_between(times, low, high, color=shade, label=told)
    marker = "." if len(counts) <= 60 and not single else None
    axes.plot(times, counts, color=color, marker=marker, linewidth=1.5, label=label)
    axes.set_ylim(0, top)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.grid(alpha=0.3)
    if of_a_clock:
        _tell_the_time(axes, times[0], times[-1])


def top_of(counts: Sequence[float] | np.ndarray, high: Sequence[float] | np.ndarray) -> float:
    """How many people a chart reaches up to: ranges that go farther are cut off there.

    Args:
        counts, high: see `draw_counts`.

    Example:
        >>> top_of([10, 20, 40], [13, 26, 90])
        84.0
    """
    most = float(np.nanmax(counts, initial=0.0))
    # A range of few people reaches so far that it would leave nothing else to be seen.
    return 1.05 * max(1.0, most, min(float(np.nanmax(high, initial=most)), _MOST_RANGE * most))


def _tell_the_time(axes: Axes, first: float, last: float) -> None:
    """Ticks from one of Matplotlib's days to another, in figures, which all languages read; beside them day or year."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    axes.xaxis_date()
    margin = max((last - first) * 0.02, 1 / 86400)
    axes.set_xlim(first - margin, last + margin)
    locator = AutoDateLocator(minticks=3, maxticks=7)
    axes.xaxis.set_major_locator(locator)
    formats = ["%Y", "%Y-%m", "%m-%d", "%H:%M", "%H:%M", "%H:%M:%S"]
    starts = ["", "%Y", "%Y-%m", "%m-%d", "%H:%M", "%H:%M"]
    beside = ["", "%Y", "%Y", "%Y-%m-%d", "%Y-%m-%d", "%Y-%m-%d"]
    axes.xaxis.set_major_formatter(
        ConciseDateFormatter(locator, formats=formats, zero_formats=starts, offset_formats=beside)
    )
