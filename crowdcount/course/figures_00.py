"""Figures of notebook 00: guesses and truth, areas and extrapolations, the four families."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.patches import Rectangle

from crowdcount.course import look
from crowdcount.drawn.crowds import Scene
from crowdcount.show.plots import overlay


def guess(scenes: Sequence[Scene]) -> None:
    """Pictures side by side, without a word about how many there are."""
    _, axes = look.canvas(1, len(scenes), height=3.4)
    for number, (ax, scene) in enumerate(zip(axes, scenes), start=1):
        look.picture(ax, scene.picture, f"Picture {number}: how many people?")


def truth(scenes: Sequence[Scene], guesses: Sequence[float]) -> None:
    """The same pictures, a dot on every head."""
    _, axes = look.canvas(1, len(scenes), height=3.5)
    for number, (ax, scene, guessed) in enumerate(zip(axes, scenes, guesses), start=1):
        look.picture(ax, scene.picture // 3 + 150, f"Picture {number}: {scene.count} people (you: {guessed:g})")
        ax.scatter(*scene.points.T, s=7, color=look.VERMILLION, edgecolor="white", linewidth=0.3)


def areas(scene: Scene, rows: int, columns: int, marked: Sequence[tuple[int, int]]) -> None:
    """A picture cut into equal areas, some of them framed and numbered."""
    _, ax = look.canvas(height=3.8, width=5)
    look.picture(ax, scene.picture, f"{rows} x {columns} areas of equal size")
    height, width = scene.picture.shape[0] / rows, scene.picture.shape[1] / columns
    for row in range(rows):
        for column in range(columns):
            corner = column * width - 0.5, row * height - 0.5
            ax.add_patch(Rectangle(corner, width, height, fill=False, color="white", linewidth=0.7))
    for letter, (row, column), color in zip("ABCDEF", marked, (look.YELLOW, look.SKY, look.ORANGE)):
        corner = column * width - 0.5, row * height - 0.5
        ax.add_patch(Rectangle(corner, width, height, fill=False, color=color, linewidth=3, zorder=3))
        ax.text(
            corner[0] + 6,
            corner[1] + 6,
            letter,
            va="top",
            weight="bold",
            bbox={"color": color, "pad": 2},
            zorder=4,
        )


def closer(scene: Scene, rows: int, columns: int, marked: Sequence[tuple[int, int]]) -> None:
    """Some areas of a picture, enlarged."""
    _, axes = look.canvas(1, len(marked), height=3.1)
    height, width = scene.picture.shape[0] // rows, scene.picture.shape[1] // columns
    for letter, ax, (row, column) in zip("ABCDEF", axes, marked):
        cut = scene.picture[row * height : (row + 1) * height, column * width : (column + 1) * width]
        look.picture(ax, cut, f"Area {letter}: count the heads")


def estimates(by_pixels: np.ndarray, by_ground: np.ndarray, people: int) -> None:
    """What each area says about the whole crowd: extrapolated by pixels, and by the ground."""
    _, axes = look.canvas(1, 2, height=3.3)
    for ax, values, title in zip(axes, (by_pixels, by_ground), ("By pixels", "By square meters of ground")):
        look.numbers(ax, values, title, form="{:.0f}", vmin=0, vmax=3 * people, cmap="Blues")
        ax.set_aspect("auto")


def spread(by_pixels: np.ndarray, by_ground: np.ndarray, people: int) -> None:
    """How the estimates of many areas scatter about the truth."""
    _, ax = look.canvas(height=3.0)
    top = 1.02 * max(by_pixels.max(), by_ground.max())
    bins = np.linspace(0, top, 41)
    ax.hist(by_pixels, bins, color=look.ORANGE, label="by pixels")
    ax.hist(by_ground, bins, histtype="step", color=look.BLUE, linewidth=2.2, label="by square meters of ground")
    ax.axvline(people, color="black", linestyle="--", label="truth")
    look.label(ax, "estimate of the whole crowd (people)", "areas", "One small area anywhere, extrapolated")
    ax.legend()


def samples(number: Sequence[int], errors: Mapping[str, Sequence[float]]) -> None:
    """Mean error against the number of areas counted."""
    _, ax = look.canvas(height=3.1, width=6.6)
    styles = (("o-", look.ORANGE), ("s--", look.BLUE), ("^:", look.GREEN))
    for (name, values), (style, color) in zip(errors.items(), styles):
        ax.plot(number, 100 * np.asarray(values), style, color=color, label=name)
    ax.set_xscale("log", base=2)
    ax.set_xticks(number, [str(each) for each in number])
    look.label(ax, "areas counted, of 48", "mean error (%)", "More areas, smaller errors")
    ax.set_ylim(bottom=0)
    ax.legend()


def rooms(people: np.ndarray, seats: np.ndarray, staff: np.ndarray) -> None:
    """Sessions of a conference: who came, how many seats there are, how many stewards that takes."""
    _, ax = look.canvas(height=3.0)
    at = np.arange(len(people))
    ax.bar(at, people, 0.6, color=look.SKY, label="people counted")
    ax.hlines(seats, at - 0.4, at + 0.4, color=look.VERMILLION, linewidth=2.5, label="seats")
    for x, each in zip(at, staff):
        ax.text(x, -8, f"{each:.0f} stewards", ha="center", va="top", fontsize=9.5)
    ax.set_xticks(at, [f"\nsession {number}" for number in at + 1])
    ax.set_ylim(0, 1.35 * max(people.max(), seats.max()))
    look.label(ax, "", "people", "Six sessions, three rooms")
    ax.legend(ncols=2, loc="upper right")


def families(
    scene: Scene,
    head_sizes: np.ndarray,
    edges: np.ndarray,
    people: np.ndarray,
    drawn: np.ndarray,
    found: np.ndarray,
) -> None:
    """What each family of methods makes of one picture.

    Args:
        scene: the picture.
        head_sizes: width of each head in pixels, (people,).
        edges: edges in each of many areas, as one number.
        people: people in each of the same areas.
        drawn: density map of the truth at stride 8.
        found: density map of a network at stride 8.
    """
    _, axes = look.canvas(2, 2, height=2.9)
    look.picture(axes[0, 0], scene.picture, "1 Detection: a box around everybody")
    for (x, y), side in zip(scene.points, 1.6 * head_sizes):
        corner = x - side / 2, y - side / 2
        axes[0, 0].add_patch(Rectangle(corner, side, side, fill=False, color=look.YELLOW, linewidth=0.9))
    axes[0, 1].scatter(edges, people, s=22, color=look.BLUE)
    slope, start = np.polyfit(edges, people, 1)
    line = np.array([edges.min(), edges.max()])
    axes[0, 1].plot(line, slope * line + start, color=look.VERMILLION)
    look.label(
        axes[0, 1],
        "edges in an area, by the ground shown",
        "people in it",
        "2 Regression: from features to a number",
    )
    look.picture(axes[1, 0], overlay(scene.picture, drawn), "3 Density: how many, and where (here: the truth)")
    look.picture(axes[1, 1], overlay(scene.picture, found), "4 A CNN that draws the density map")


def heads(scenes: Sequence[Scene], sizes: Sequence[np.ndarray]) -> None:
    """Width and visible share of every head of two pictures."""
    _, axes = look.canvas(1, 2, height=3.0)
    names = [f"picture {number}" for number in range(1, len(scenes) + 1)]
    for name, scene, widths, color, style in zip(names, scenes, sizes, (look.BLUE, look.VERMILLION), ("-", "--")):
        for ax, values in zip(axes, (widths, 100 * scene.visible)):
            share = 100 * np.arange(1, len(values) + 1) / len(values)
            ax.plot(np.sort(values), share, style, color=color, label=name)
    look.label(axes[0], "width of the head (pixels)", "heads up to this (%)", "Small")
    look.label(axes[1], "share of the head in sight (%)", "heads up to this (%)", "Partly hidden")
    axes[0].legend()


def answers(scenes: Sequence[Scene], overlays: Sequence[np.ndarray], by_method: Mapping[str, Sequence[float]]) -> None:
    """The pictures under their density maps, and every answer beside the truth."""
    _, axes = look.canvas(2, len(scenes), height=2.7, height_ratios=(2, 1))
    for number, (scene, shown, column) in enumerate(zip(scenes, overlays, axes.T)):
        look.picture(column[0], shown, f"Picture {number + 1}: what the network sees")
        values = [scene.count, *(each[number] for each in by_method.values())]
        names = ["truth", *by_method]
        column[1].barh(names[::-1], values[::-1], color=[*[look.SKY] * len(by_method), look.BLACK])
        for place, value in enumerate(values[::-1]):
            column[1].text(value, place, f" {value:.0f}", va="center", fontsize=9.5)
        column[1].set_xlim(0, 1.2 * max(values))
        if number:
            column[1].set_yticklabels([])
        look.label(column[1], "people", "")
