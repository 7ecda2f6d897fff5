"""Figures of notebook 12: one picture, zones, ranges, a video, and the failure gallery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.patches import Polygon, Rectangle

from crowdcount.area.zones import Zone
from crowdcount.counting.results import CountResult
from crowdcount.course import look
from crowdcount.show.plots import overlay


@dataclass(frozen=True)
class Failure:
    """A picture of the gallery: its name, what it shows, how many people are on it, and what was counted."""

    name: str
    picture: np.ndarray
    people: int
    result: CountResult


def heat(picture: np.ndarray, points: np.ndarray, density: np.ndarray) -> None:
    """A picture with a dot on every head beside the same with its density map."""
    _, axes = look.canvas(1, 2, height=3.4)
    look.picture(axes[0], picture, f"The truth: {len(points)} heads")
    axes[0].scatter(*points.T, s=9, color=look.YELLOW, edgecolor="black", linewidth=0.4)
    look.picture(axes[1], overlay(picture, density), f"The network: {density.sum():.0f}")


def zones(picture: np.ndarray, zones: Sequence[Zone], counted: Mapping[str, float], true: Mapping[str, float]) -> None:
    """Zones on a picture, and people in each: counted and true."""
    _, (left, right) = look.canvas(1, 2, height=3.4)
    look.picture(left, picture, "Counted, by zone")
    for zone in zones:
        corners = zone.pixels(picture.shape[:2])
        left.add_patch(Polygon(corners, fill=False, color="white", linewidth=2))
        text = f"{zone.name}: {counted[zone.name]:.0f}"
        left.text(*corners.mean(axis=0), text, ha="center", va="center", bbox={"color": "white", "pad": 2})
    at = np.arange(len(counted))
    right.bar(at - 0.2, list(counted.values()), 0.4, color=look.SKY, label="counted")
    right.bar(at + 0.2, [true[name] for name in counted], 0.4, color=look.BLACK, label="true")
    right.set_xticks(at, list(counted))
    look.label(right, "zone", "people", "Beside the truth")
    right.legend()


def promises(promised: Sequence[float], held: Mapping[str, Sequence[float]]) -> None:
    """Share of the ranges that hold the truth, against what they promise."""
    _, ax = look.canvas(height=3.4, width=5.6)
    ax.plot([0.45, 1], [0.45, 1], color="black", linewidth=1, label="promise kept exactly")
    for (name, values), style, color in zip(held.items(), ("o-", "s--"), (look.BLUE, look.VERMILLION)):
        ax.plot(promised, values, style, color=color, label=name)
    look.label(ax, "coverage promised", "share of the ranges that hold the truth", "Ranges, tried on new pictures")
    ax.set_ylim(0, 1.02)
    ax.legend(loc="center right", fontsize=8.5)


def ranges(names: Sequence[str], truths: Sequence[int], counts: Sequence[float], ends: Sequence[tuple]) -> None:
    """Counts with their ranges, beside the truth."""
    _, ax = look.canvas(height=1.2 + 0.36 * len(names))
    at = np.arange(len(names))[::-1]
    low, high = np.array(ends).T
    ax.hlines(at, low, high, color=look.SKY, linewidth=7, label="range")
    ax.plot(counts, at, "o", color=look.BLUE, label="count")
    ax.plot(truths, at, "D", color=look.VERMILLION, markersize=5, label="truth")
    ax.set_yticks(at, names)
    look.label(ax, "people", "", "Counts and their ranges")
    ax.set_ylim(-0.6, len(names) + 0.2)
    ax.legend(ncols=3, fontsize=8.5, loc="upper right")


def film(frames: Sequence[np.ndarray], densities: Sequence[np.ndarray], people: Sequence[int]) -> None:
    """Frames of a video with their density maps."""
    _, axes = look.canvas(1, len(frames), height=1.7)
    for second, (ax, frame, density, count) in enumerate(zip(axes, frames, densities, people)):
        look.picture(ax, overlay(frame, density), f"{second} s: true {count},\ncounted {density.sum():.0f}")


def series(
    times: np.ndarray,
    true: Sequence[int],
    alone: np.ndarray,
    smooth: np.ndarray,
    by_zone: Mapping[str, Sequence[float]],
) -> None:
    """Counts over time: each frame's own, smoothed, and by zone."""
    _, axes = look.canvas(1, 2, height=3.0)
    axes[0].plot(times, true, "D:", color=look.BLACK, label="truth", markersize=5)
    axes[0].plot(times, alone, "o--", color=look.SKY, label="each frame alone")
    axes[0].plot(times, smooth, "s-", color=look.BLUE, label="smoothed")
    look.label(axes[0], "time (s)", "people", "Count over time")
    for (name, values), style, color in zip(by_zone.items(), ("^-", "v--"), (look.GREEN, look.ORANGE)):
        axes[1].plot(times, values, style, color=color, label=name)
    look.label(axes[1], "time (s)", "people, smoothed", "By zone")
    for ax in axes:
        ax.set_ylim(bottom=0, top=1.35 * ax.get_ylim()[1])
        ax.legend(fontsize=8.5, ncols=2)


def gallery(failures: Sequence[Failure]) -> None:
    """Pictures that fool a network: how many people are on each, how many it counts, and whether it warns."""
    columns = 3
    _, axes = look.canvas(-(-len(failures) // columns), columns, height=2.75)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, failure in zip(axes.flat, failures):
        shown = overlay(failure.picture, failure.result.density)
        warned = "warned" if failure.result.warnings else "no warning"
        numbers = f"people {failure.people}, counted {failure.result.count:.1f}, {warned}"
        look.picture(ax, shown, f"{failure.name}\n{numbers}")
        ax.title.set_fontsize(8.8)


def borders(picture: np.ndarray, band: int, shares: Mapping[str, float], cut: Mapping[str, float]) -> None:
    """The band along the border; the share of the heads counted there and inside; and a picture cut in two."""
    _, axes = look.canvas(1, 3, height=2.7)
    look.picture(axes[0], picture, f"{band} pixels along the border")
    height, width = picture.shape[:2]
    axes[0].add_patch(
        Rectangle((band, band), width - 2 * band, height - 2 * band, fill=False, color=look.YELLOW, linewidth=2)
    )
    axes[0].axvline(width / 2, color="white", linestyle="--")
    for ax, values, unit, title in (
        (
            axes[1],
            {name: 100 * share for name, share in shares.items()},
            "counted, of true (%)",
            "Border and inside",
        ),
        (axes[2], cut, "people counted", "One picture, or two halves"),
    ):
        bars = ax.bar(list(values), list(values.values()), 0.55, color=[look.ORANGE, look.BLUE])
        ax.bar_label(bars, fmt="%.0f")
        ax.set_ylim(0, 1.2 * max(values.values()))
        look.label(ax, "", unit, title)


def scales(factors: Sequence[float], counts: Sequence[float], people: int, heads: Sequence[float]) -> None:
    """Counts of one picture at several sizes."""
    _, ax = look.canvas(height=3.0, width=6.4)
    ax.axhline(people, color="black", linestyle=":", label="truth")
    ax.plot(factors, counts, "o-", color=look.BLUE, label="counted")
    ax.set_xscale("log", base=2)
    ax.set_xticks(factors, [f"x {factor:g}\n{head:.0f} px" for factor, head in zip(factors, heads)])
    look.label(ax, "size of the picture, and width of a middling head", "people", "The same people, at other sizes")
    ax.set_ylim(bottom=0)
    ax.legend()


def preparations(counts: Mapping[str, float], people: int) -> None:
    """Counts of one picture, prepared for other networks."""
    _, ax = look.canvas(height=2.7)
    at = np.arange(len(counts))[::-1]
    colors = [look.BLUE, *[look.VERMILLION] * (len(counts) - 1)]
    bars = ax.barh(at, list(counts.values()), 0.6, color=colors)
    ax.bar_label(bars, fmt=" %.1f")
    ax.axvline(people, color="black", linestyle=":", label="truth")
    ax.set_yticks(at, list(counts))
    ax.set_xlim(0, 1.2 * max(people, *counts.values()))
    look.label(ax, "people counted", "", "One picture, prepared in four ways")
    ax.legend(loc="lower right")
