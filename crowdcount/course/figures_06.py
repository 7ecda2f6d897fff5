"""Figures of notebook 06, convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from crowdcount.course import look


def bars(values: dict[str, float], x: str, title: str) -> Figure:
    """Numbers of very different size, as bars on a logarithmic axis."""
    figure, axes = look.canvas(height=0.8 + 0.45 * len(values))
    axes.barh(list(values), list(values.values()), color=look.CYCLE[: len(values)])
    for place, value in enumerate(values.values()):
        axes.text(value * 1.2, place, f"{value:,.0f}", va="center")
    axes.set_xscale("log")
    axes.set_xlim(1, max(values.values()) * 300)
    axes.invert_yaxis()
    look.label(axes, x, "", title)
    return figure


def one_step(x: np.ndarray, w: np.ndarray, out: np.ndarray, row: int, column: int) -> Figure:
    """A matrix, a filter and the result, with one window and the cell that it gives marked."""
    figure, axes = look.canvas(1, 3, height=3)
    for each, values, title in zip(axes, (x, w, out), ("picture", "filter", "result")):
        look.numbers(each, values, f"{title} {values.shape}")
    f = len(w)
    for each, corner, side in (
        (axes[0], (column - 0.5, row - 0.5), f),
        (axes[2], (column - 0.5, row - 0.5), 1),
    ):
        each.add_patch(Rectangle(corner, side, side, fill=False, edgecolor=look.VERMILLION, linewidth=3.5))
    return figure


def responses(pictures: dict[str, np.ndarray]) -> Figure:
    """A gray picture and filtered ones beside it: title -> (H, W); the first in gray, the others "
    "around zero."""
    figure, axes = look.canvas(1, len(pictures), height=2.2)
    for place, (each, (title, values)) in enumerate(zip(axes, pictures.items())):
        top = np.percentile(np.abs(values), 99)
        look.picture(each, values, title, **({} if place == 0 else {"cmap": look.SIGNED, "vmin": -top, "vmax": top}))
    return figure


def places(settings: Sequence[tuple[int, int, int, int]]) -> Figure:
    """Where a filter is placed along a line of n pixels: settings of (n, f, p, s)."""
    figure, axes = look.canvas(1, len(settings), height=2.7)
    for each, (n, f, p, s) in zip(axes, settings):
        for pixel in range(-p, n + p):
            color = look.SKY if 0 <= pixel < n else "white"
            each.add_patch(Rectangle((pixel, 0), 1, 0.8, facecolor=color, edgecolor="black"))
            each.text(pixel + 0.5, 0.4, "" if 0 <= pixel < n else "0", ha="center", va="center")
        starts = range(-p, n + p - f + 1, s)
        for row, start in enumerate(starts, 1):
            each.add_patch(Rectangle((start, -row * 0.7), f, 0.5, facecolor=look.ORANGE, edgecolor="black"))
        each.set_xlim(-p - 0.2, n + p + 0.2)
        each.set_ylim(-5.8, 1.1)
        each.set_axis_off()
        each.set_title(f"n={n}, f={f}, p={p}, s={s}:\n{len(starts)} places", fontsize=10)
    return figure


def volume() -> Figure:
    """A volume, two filters as deep as it, and a map of each filter."""
    figure, axes = look.canvas(height=2.9)

    def block(x, y, size, depth, color, text):
        for layer in reversed(range(depth)):
            shift = 0.22 * layer
            axes.add_patch(
                Rectangle((x + shift, y + shift), size, size, facecolor=color, edgecolor="black", alpha=0.95)
            )
        axes.text(x + size / 2, y - 0.15, text, ha="center", va="top", fontsize=9.5)

    block(0, 0.5, 2.4, 3, look.SKY, "picture\n6 x 6 x 3")
    for place, color in enumerate((look.ORANGE, look.GREEN)):
        block(4.1, 2.6 - 2.3 * place, 0.95, 3, color, "filter 3 x 3 x 3\n+ 1 bias")
        block(7.1, 2.3 - 2.3 * place, 1.5, 1, color, "map 4 x 4")
        axes.annotate("", (7.0, 3.1 - 2.3 * place), (5.7, 3.1 - 2.3 * place), arrowprops={"arrowstyle": "-|>"})
        axes.annotate("", (4.0, 3.1 - 2.3 * place), (3.0, 2.0), arrowprops={"arrowstyle": "-|>"})
    block(9.9, 1.2, 1.5, 2, look.PURPLE, "stacked:\n4 x 4 x 2")
    for place in range(2):
        axes.annotate("", (9.8, 2.0), (8.7, 3.1 - 2.3 * place), arrowprops={"arrowstyle": "-|>"})
    axes.set_xlim(-0.2, 12.2)
    axes.set_ylim(-0.8, 4.2)
    axes.set_aspect("equal")
    axes.set_axis_off()
    return figure


def matrices(dense: np.ndarray, sparse: np.ndarray) -> Figure:
    """The weight matrices of a dense layer and of a convolution on the same picture."""
    figure, axes = look.canvas(1, 2, height=2.9)
    for each, values, title in ((axes[0], dense, "dense layer"), (axes[1], sparse, "convolution")):
        top = np.abs(values).max()
        image = each.imshow(values, cmap=look.SIGNED, vmin=-top, vmax=top, interpolation="nearest")
        each.grid(False)
        look.label(each, "input pixel", "output cell", title)
        figure.colorbar(image, ax=each, label="weight", shrink=0.8)
    return figure


def shifts(offsets: Sequence[int], scores: dict[str, Sequence[Sequence[float]]]) -> Figure:
    """Accuracy on shifted patches: name -> (runs, offsets); mean as a line, lowest to highest shaded."""
    figure, axes = look.canvas()
    for index, (name, runs) in enumerate(scores.items()):
        runs = 100 * np.asarray(runs)
        axes.plot(offsets, runs.mean(0), marker="os^"[index], linestyle=("-", "--", ":")[index], label=name)
        axes.fill_between(offsets, runs.min(0), runs.max(0), alpha=0.15)
    look.label(axes, "patches moved to the right (pixels of 16)", "accuracy on other crowds (%)", "What a shift costs")
    axes.legend()
    return figure


def filters_and_maps(patch: np.ndarray, filters: np.ndarray, maps: np.ndarray) -> Figure:
    """A patch, and the first layer's filters (f, f, 3, F) above what they make of it (h, w, F)."""
    count = filters.shape[3]
    figure, axes = look.canvas(2, count + 1, height=1.15)
    look.picture(axes[0, 0], patch, "patch")
    axes[1, 0].set_axis_off()
    low, high = filters.min(), filters.max()
    for k in range(count):
        look.picture(axes[0, k + 1], (filters[..., k] - low) / (high - low), f"filter {k + 1}")
        look.picture(axes[1, k + 1], maps[..., k], cmap=look.HEAT, vmin=0, vmax=maps.max() or 1)
    return figure
