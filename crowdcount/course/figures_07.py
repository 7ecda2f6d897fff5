"""Figures of notebook 07: sizes of networks, filters and activations, transfer, sliding windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.patches import Rectangle

from crowdcount.course import look


def sizes(counts: Mapping[str, tuple[int, int]]) -> None:
    """Parameters of networks, convolutions and dense layers apart, on a logarithmic axis."""
    _, ax = look.canvas(height=2.9)
    at = np.arange(len(counts))[::-1]
    kinds = (("convolutions", look.BLUE, 0.19), ("dense layers", look.ORANGE, -0.19))
    for kind, (label, color, shift) in enumerate(kinds):
        values = [pair[kind] for pair in counts.values()]
        bars = ax.barh(at + shift, values, height=0.36, color=color, label=label)
        ax.bar_label(bars, [f"{value:,}" for value in values], padding=4, fontsize=9.5)
    ax.set_xscale("log")
    ax.set_xlim(1e3, 3e9)
    ax.set_yticks(at, list(counts))
    ax.grid(axis="y", visible=False)
    look.label(ax, "parameters (logarithmic)", "", "Where the parameters are")
    ax.legend(loc="upper right")


def volumes(shapes: Sequence[tuple[str, int, int]], cut: int) -> None:
    """A network's volumes as boxes: as high as the map's side, as wide as its channels (square root).

    Args:
        shapes: name, side as a share of the picture's, channels, layer by layer.
        cut: number of layers before the cut.
    """
    _, ax = look.canvas(height=3.3)
    x, edges = 0.0, []
    for number, (name, share, channels) in enumerate(shapes):
        width = 0.06 * np.sqrt(channels)
        pool = name.endswith("pool")
        color = look.ORANGE if pool else look.BLUE if number < cut else look.GRAY
        ax.add_patch(Rectangle((x, -share / 2), width, share, facecolor=color, edgecolor="white", linewidth=0.8))
        edges.append(x)
        if pool or number == 0:
            text = "1" if share == 1 else f"1/{round(1 / share)}"
            ax.text(x + width / 2, share / 2 + 0.03, text, ha="center", va="bottom", fontsize=10)
        x += width + 0.12
    line = (edges[cut - 1] + 0.06 * np.sqrt(shapes[cut - 1][2]) + edges[cut]) / 2
    ax.plot([line, line], [-0.42, 0.42], "--", color=look.VERMILLION)
    ax.text(line + 0.15, 0.4, "CSRNet cuts here:\n10 convolutions, 3 pools, 1/8", color=look.VERMILLION, va="top")
    for label, color, place in (
        ("3x3 convolutions that CSRNet keeps", look.BLUE, -0.36),
        ("2x2 pools", look.ORANGE, -0.45),
        ("the rest of VGG-16's convolutions", look.GRAY, -0.54),
    ):
        ax.add_patch(Rectangle((line + 0.15, place - 0.02), 0.25, 0.05, facecolor=color))
        ax.text(line + 0.5, place, label, va="center", fontsize=9.5)
    ax.set_xlim(-0.2, x + 0.2)
    ax.set_ylim(-0.6, 0.62)
    ax.set_axis_off()
    ax.set_title("VGG-16's convolutions: height is the map's side, width goes with the channels")


def cells(picture: np.ndarray, points: np.ndarray, strides: Sequence[int]) -> None:
    """A picture under grids of cells, with its heads as dots."""
    _, axes = look.canvas(1, len(strides), height=3.4)
    for ax, stride in zip(axes, strides):
        look.picture(ax, picture, f"cells of {stride} x {stride} pixels")
        for x in np.arange(0, picture.shape[1] + 1, stride):
            ax.axvline(x - 0.5, color="white", linewidth=0.6)
        for y in np.arange(0, picture.shape[0] + 1, stride):
            ax.axhline(y - 0.5, color="white", linewidth=0.6)
        ax.plot(points[:, 0], points[:, 1], "o", color=look.YELLOW, markeredgecolor="black", markersize=4.5)
        ax.set_xlim(-0.5, picture.shape[1] - 0.5)
        ax.set_ylim(picture.shape[0] - 0.5, -0.5)


def filters(kernels: np.ndarray) -> None:
    """The first layer's filters (k, k, 3, n) as small pictures with their numbers, each stretched to its own range."""
    columns = 16
    rows = -(-kernels.shape[-1] // columns)
    _, axes = look.canvas(rows, columns, height=0.72, squeeze=False)
    for number, ax in enumerate(axes.flat):
        ax.set_axis_off()
        if number < kernels.shape[-1]:
            kernel = kernels[..., number]
            low, high = kernel.min(), kernel.max()
            ax.imshow((kernel - low) / (high - low), interpolation="nearest")
            ax.set_title(str(number), fontsize=8, pad=2)


def activations(picture: np.ndarray, panels: Mapping[str, np.ndarray]) -> None:
    """Strongest channels of layers: one row a layer, beside the picture.

    Args:
        picture: uint8 (H, W, 3).
        panels: layer -> its channels to show (h, w, n).
    """
    count = next(iter(panels.values())).shape[-1]
    _, axes = look.canvas(len(panels), count + 1, height=1.45, squeeze=False)
    for row, (name, channels) in zip(axes, panels.items()):
        look.picture(row[0], picture)
        row[0].set_title(name, fontsize=9.5)
        for number, ax in enumerate(row[1:]):
            values = channels[..., number]
            look.picture(ax, values, cmap="magma", vmin=0, vmax=max(1e-6, np.percentile(values, 99.5)))
        row[1].set_title(f"{channels.shape[0]} x {channels.shape[1]}", fontsize=9.5)


def favorites(rows: Mapping[str, Sequence[np.ndarray]]) -> None:
    """The windows of a picture that a filter answers most to: one row a filter."""
    count = max(len(windows) for windows in rows.values())
    _, axes = look.canvas(len(rows), count + 1, height=0.92, width=7.4, squeeze=False)
    for row, (name, windows) in zip(axes, rows.items()):
        for ax in row:
            ax.set_axis_off()
        row[0].text(1, 0.5, name, ha="right", va="center", fontsize=9.5, transform=row[0].transAxes)
        for ax, window in zip(row[1:], windows):
            look.picture(ax, window)


def panels(pictures: Mapping[str, np.ndarray], height: float = 2.4, **options) -> None:
    """Pictures or maps beside each other."""
    _, axes = look.canvas(1, len(pictures), height=height)
    for ax, (name, values) in zip(axes, pictures.items()):
        look.picture(ax, values, name, **(options if values.ndim == 2 else {}))


def patches(pictures: np.ndarray, labels: np.ndarray, each: int = 10) -> None:
    """Patches with a head above, patches without below."""
    _, axes = look.canvas(2, each, height=0.95)
    for row, (label, name) in zip(axes, ((1, "head"), (0, "none"))):
        for ax, picture in zip(row, pictures[labels == label]):
            look.picture(ax, picture)
        row[0].set_title(name, loc="left", fontsize=9.5)


def transfer(numbers: Sequence[int], results: Mapping[str, np.ndarray]) -> None:
    """Accuracy against the number of labeled examples.

    Args:
        numbers: examples.
        results: method -> accuracies (seeds, numbers), 0 to 1.
    """
    _, ax = look.canvas(height=3.2, width=6.8)
    styles = zip(results.items(), look.CYCLE, ("o-", "s--", "^-."), (0.94, 1.0, 1.06))
    for (name, values), color, style, shift in styles:
        at = np.array(numbers) * shift
        mean = 100 * values.mean(axis=0)
        spread = np.abs(100 * np.stack([values.min(axis=0), values.max(axis=0)]) - mean)
        ax.errorbar(at, mean, spread, fmt=style, color=color, capsize=4, label=name)
    ax.axhline(50, color=look.GRAY, linestyle=":", linewidth=1.5)
    ax.text(numbers[0], 50.6, "a coin", color=look.GRAY, fontsize=9.5)
    ax.set_xscale("log")
    ax.set_xticks(list(numbers), [str(number) for number in numbers])
    ax.minorticks_off()
    look.label(ax, "labeled patches to learn from", "accuracy on other crowds (%)", "Bars: worst and best seed")
    ax.legend(loc="lower right")


def windows(picture: np.ndarray, points: np.ndarray, heat: np.ndarray, extent: Sequence[float], side: int) -> None:
    """A picture with its heads and one window, and beside it the map of all windows."""
    _, (left, right) = look.canvas(1, 2, height=3.4)
    look.picture(left, picture, "the picture, its heads, one window")
    left.plot(points[:, 0], points[:, 1], "+", color=look.YELLOW, markersize=6, markeredgewidth=1.4)
    left.add_patch(Rectangle((0, 0), side, side, fill=False, color=look.VERMILLION, linewidth=2))
    look.picture(right, picture // 2, "every window: a head?")
    shown = right.imshow(heat, cmap=look.HEAT, alpha=0.75, extent=extent, vmin=0, vmax=1, interpolation="nearest")
    for ax in (left, right):
        ax.set_xlim(-0.5, picture.shape[1] - 0.5)
        ax.set_ylim(picture.shape[0] - 0.5, -0.5)
    right.figure.colorbar(shown, ax=right, shrink=0.75, label="probability of a head")
