"""The report's chart: an SVG of the counts by time that takes its colors and letters from the page around it."""

from __future__ import annotations

import io
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from xml.etree import ElementTree

from crowdcount.counting.time_chart import draw_counts

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_SIZE = (8.4, 3.2)  # inches of 72 units
# Matplotlib wants colors and not names of the page's: each of these stands for one.
_COLORS = {"#010203": "var(--accent)", "#040506": "var(--soft)", "#070809": "var(--line)", "#0a0b0c": "var(--range)"}
_ACCENT, _SOFT, _LINE, _SHADE = _COLORS
# A line over a night would tell of a crowd that nobody counted: it breaks where pictures are so long apart, and so many
# times as long as most.
_LEAST_GAP, _GAP = 3 * 3600.0, 6  # seconds, times


@dataclass(frozen=True)
class Dot:
    """One count of the chart.

    Args:
        taken: when the picture was taken.
        count: number of people.
        low, high: the range, or None.
        link: where a click on it leads.
        told: what it tells when it is pointed at.
    """

    taken: datetime
    count: float
    low: float | None
    high: float | None
    link: str
    told: str


def chart_svg(dots: Sequence[Dot], label: str = "Number of people by time") -> str:
    """The chart, as it stands in the page.

    Args:
        dots: the counts, in the order of their times.
        label: what is told to who cannot see it.

    Example:
        >>> dot = Dot(datetime(2026, 5, 1, 14), 400, 300, 500, "#picture-1", "<march>.jpg: 400")
        >>> svg = chart_svg([dot, dot])
        >>> svg.startswith("<svg"), "&lt;march&gt;.jpg: 400" in svg
        (True, True)
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    moments = [dot.taken for dot in dots]
    counts = [dot.count for dot in dots]
    times, *course = zip(*_course(dots))
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "crowdcount", "font.size": 9}):
        figure = Figure(figsize=_SIZE, layout="constrained")
        axes = figure.add_subplot()
        draw_counts(axes, times, *course, single=True, color=_ACCENT, shade=_SHADE)
        points = axes.scatter(moments, counts, s=36, color=_ACCENT, zorder=3, clip_on=False)  # type: ignore[arg-type]
        points.set_urls([dot.link for dot in dots])
        axes.grid(color=_LINE, alpha=1)
        axes.set_axisbelow(True)
        axes.tick_params(color=_LINE, labelcolor=_SOFT)
        axes.xaxis.get_offset_text().set_color(_SOFT)
        for side, spine in axes.spines.items():
            spine.set_visible(side == "bottom")
            spine.set_color(_LINE)
        file = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    return _of_the_page(file.getvalue(), [dot.told for dot in dots], label)


def _course(dots: Sequence[Dot]) -> Iterator[tuple[datetime, float, float, float]]:
    """Time, count and range of each dot, and between those that are far apart a count that is none."""
    apart = [0.0, *((after.taken - before.taken).total_seconds() for before, after in pairwise(dots))]
    longest = max(_LEAST_GAP, _GAP * statistics.median(apart[1:]))
    for seconds, dot in zip(apart, dots):
        if seconds > longest:
            yield dot.taken, math.nan, math.nan, math.nan
        low, high = (math.nan if end is None else end for end in (dot.low, dot.high))
        yield dot.taken, dot.count, low, high


def _of_the_page(svg: str, told: Sequence[str], label: str) -> str:
    """The SVG without what the page has itself, with what each dot tells."""
    for stand_in, color in _COLORS.items():
        svg = svg.replace(stand_in, color)
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    root = ElementTree.fromstring(svg)
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    root.set("role", "group")  # an image could hold no links
    root.set("aria-label", label)
    for parent in root.iter():
        for child in [each for each in parent if each.tag == f"{{{_SVG}}}metadata"]:
            parent.remove(child)
    for link, text in zip(root.iter(f"{{{_SVG}}}a"), told, strict=True):
        title = ElementTree.SubElement(link[0], f"{{{_SVG}}}title")
        title.text = text
        link.set("aria-label", text)
        link.attrib.pop("target", None)  # Matplotlib's, for links that lead out of the page
    return ElementTree.tostring(root, encoding="unicode")
