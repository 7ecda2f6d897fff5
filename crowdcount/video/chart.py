"""Charts of counts over time."""

from __future__ import annotations

import os
import shutil
from array import array
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from crowdcount.counting.time_chart import draw_counts
from crowdcount.counting.words import PEOPLE
from crowdcount.errors import PictureError
from crowdcount.files import atomic_path
from crowdcount.show.fonts import literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from crowdcount.video.results import FrameCount

# A gap this many times as long as the usual step is left open: a line across it would be made up.
_GAP = 3.0
_UNITS = ((3600, 3 * 3600, "hours"), (60, 3 * 60, "minutes"), (1, 0, "seconds"))


class CountSeries:
    """Counts over time, kept in few bytes: 32 for each count, 8 more for each zone.

    Args:
        frames: what `count_video` gives, if it is there already; more can be added.

    Example:
        >>> series = CountSeries(count_video("square.mp4", every=10))  # doctest: +SKIP
        >>> series.save_chart("square.png")  # doctest: +SKIP
    """

    def __init__(self, frames: Iterable[FrameCount] = ()):
        self.times, self.counts, self.low, self.high = (array("d") for _ in range(4))
        self.zones: dict[str, array] = {}
        self.start: datetime | None = None
        self.thing = PEOPLE
        for frame in frames:
            self.add(frame)

    def __len__(self) -> int:
        return len(self.times)

    def add(self, frame: FrameCount) -> None:
        """Add a count."""
        if not self.times:
            self.start, self.thing = frame.clock, frame.thing
            self.zones = {name: array("d") for name in frame.zones}
        self.times.append(frame.time)
        self.counts.append(frame.count)
        self.low.append(np.nan if frame.low is None else frame.low)
        self.high.append(np.nan if frame.high is None else frame.high)
        for name, kept in self.zones.items():
            kept.append(frame.zones[name])

    def plot(self, axes: Axes | None = None, title: str | None = None) -> Axes:
        """Draw the counts over time: the whole picture with the range around it, and each zone.

        Args:
            axes: Matplotlib axes to draw on; without it a new figure of pyplot's.
            title: line above the chart.

        Returns:
            The axes.
        """
        if axes is None:
            from matplotlib import pyplot

            _, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
        times = np.array(self.times)
        unit, _, unit_name = next(item for item in _UNITS if not times.size or times[-1] >= item[1])
        counts, low, high, *by_zone = (
            _open_gaps(times, values) for values in (self.counts, self.low, self.high, *self.zones.values())
        )
        times = _open_gaps(times, times) / unit
        draw_counts(axes, times, counts, low, high, label="whole picture")
        for name, values in zip(self.zones, by_zone, strict=True):
            axes.plot(times, values, marker="." if len(self) <= 60 else None, label=_plain(name))
        start = f" since {self.start:%Y-%m-%d %H:%M:%S %z}" if self.start else ""
        axes.set_xlabel(f"{unit_name}{start}")
        axes.set_ylabel(self.thing)
        if title is not None:
            axes.set_title(_plain(title), fontsize="medium", wrap=True)
        if len(axes.get_legend_handles_labels()[1]) > 1:
            axes.legend(fontsize="small")
        return axes

    def save_chart(self, path: str | os.PathLike, title: str | None = None) -> None:
        """Write the chart as a picture.

        Args:
            path: the file to write; its suffix chooses the format (`.png`, `.svg`, `.pdf`, ...).
            title: line above the chart.

        Raises:
            PictureError: if the suffix is of no such format.
            OSError: if the file cannot be written.
        """
        from matplotlib.figure import Figure

        check_chart_name(path)
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        self.plot(figure.add_subplot(), title)
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=150)


def check_chart_name(path: str | os.PathLike) -> None:
    """Raise a PictureError where a chart cannot be written in the format of the name's suffix."""
    from matplotlib import rcParams
    from matplotlib.figure import Figure

    formats = set(Figure().canvas.get_supported_filetypes())
    if shutil.which(rcParams["pgf.texsystem"]) is None:  # Matplotlib asks LaTeX how wide a text is
        formats.discard("pgf")
    if Path(path).suffix[1:].lower() not in formats:
        raise PictureError(f"{path} is no name for a chart. Let it end in .png, .svg or .pdf.")


def _open_gaps(times: np.ndarray, values: Iterable[float]) -> np.ndarray:
    """The values with a NaN in every gap, at which a line is broken."""
    values = np.array(values, np.float64)
    steps = np.diff(times)
    if not steps.size:
        return values
    return np.insert(values, np.flatnonzero(steps > _GAP * np.median(steps)) + 1, np.nan)


def _plain(text: str) -> str:
    """Text that Matplotlib draws as it is; an underscore hides a label."""
    return literal(text).lstrip("_") or "zone"
