"""Figures of notebook 08: dilated kernels, receptive fields and gridding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.patches import Rectangle

from crowdcount.course import look

_WHITE_TO_BLUE = LinearSegmentedColormap.from_list("white_to_blue", ["#FFFFFF", look.SKY, look.BLUE, "#00304F"])


def kernels(rates: Sequence[int], k: int = 3) -> None:
    """The places of a kernel's weights at several dilation rates, on one grid."""
    _, axes = look.canvas(1, len(rates), height=3.0, squeeze=False)
    side = (k - 1) * max(rates) + 3
    for ax, rate in zip(axes.flat, rates):
        _grid(ax, side)
        middle, half = side // 2, (k - 1) // 2
        for i in range(-half, half + 1):
            for j in range(-half, half + 1):
                corner = middle + j * rate, middle + i * rate
                ax.add_patch(Rectangle(corner, 1, 1, facecolor=look.BLUE, edgecolor="white"))
        span = (k - 1) * rate + 1
        start = middle - half * rate
        ax.add_patch(Rectangle((start, start), span, span, fill=False, color=look.VERMILLION, linewidth=2))
        ax.set_title(f"rate {rate}: {k * k} weights\nover {span} x {span} cells")


def footprint(rates: Sequence[int], title: str) -> None:
    """Cells that one output of stacked 3x3 layers sees; the darker, the more paths lead there."""
    _, ax = look.canvas(height=3.7, width=3.9)
    paths_square(ax, rates, title)


def paths_square(ax, rates: Sequence[int], title: str) -> None:
    """Paths from each cell of the field to the output, from the highest number (dark) to none (white)."""
    line = np.ones(1)
    for rate in rates:
        taps = np.zeros(2 * rate + 1)
        taps[[0, rate, 2 * rate]] = 1
        line = np.convolve(line, taps)
    square = np.outer(line, line)
    look.picture(ax, square, title, cmap=_WHITE_TO_BLUE, norm=PowerNorm(0.3, 0, square.max()))
    side = len(line)
    frame = Rectangle((-0.5, -0.5), side, side, fill=False, color=look.VERMILLION, linewidth=1.5, clip_on=False)
    ax.add_patch(frame)


def gridding(stacks: Mapping[str, Sequence[int]], seen: Sequence[float]) -> None:
    """The cells that stacks of 3x3 layers see."""
    _, axes = look.canvas(1, len(stacks), height=2.7, squeeze=False)
    for ax, (name, rates), share in zip(axes.flat, stacks.items(), seen):
        side = 2 * sum(rates) + 1
        paths_square(ax, rates, f"{name}\n{side} x {side} cells, {100 * share:.0f} % seen")


def fields(sizes: Mapping[str, int], picture: np.ndarray) -> None:
    """Receptive fields as squares on a picture."""
    _, ax = look.canvas(height=4.6, width=6.4)
    look.picture(ax, picture // 2 + 90, "What one cell of the density map sees")
    center = picture.shape[1] / 2, picture.shape[0] / 2
    for (name, size), color, style in zip(sizes.items(), look.CYCLE, ("-", "--", "-.", ":", "-")):
        left, top = center[0] - size / 2, center[1] - size / 2
        ax.add_patch(Rectangle((left, top), size, size, fill=False, color=color, linestyle=style, linewidth=2))
        ax.text(
            left + 4,
            top + 4,
            f"{name}: {size}",
            color=color,
            va="top",
            fontsize=10,
            bbox={"color": "white", "alpha": 0.8, "pad": 1},
        )


def profiles(paths: Mapping[str, np.ndarray]) -> None:
    """Weight of each pixel along one axis: the share of the paths from it to the output."""
    _, axes = look.canvas(1, 2, height=3.2)
    for (name, values), color, style in zip(paths.items(), look.CYCLE, ("-", "--", "-.", ":")):
        at = np.arange(len(values)) - len(values) / 2 + 0.5
        for ax in axes:
            label = f"{name}: {len(values)} pixels"
            ax.plot(at, 100 * values / values.sum(), style, color=color, linewidth=1.6, label=label)
    axes[1].set_yscale("log")
    axes[1].set_ylim(1e-7, 3)
    for ax, title in zip(axes, ("Most paths start near the middle", "The same, logarithmic")):
        look.label(ax, "pixels from the cell's center", "share of all paths (%)", title)
    axes[0].legend(fontsize=8, loc="upper left", handlelength=1.6)
    axes[0].set_ylim(0, 1.25 * axes[0].get_ylim()[1])


def gradients(strengths: Mapping[str, np.ndarray]) -> None:
    """How much one output depends on each pixel, per design, in frames of one size."""
    _, axes = look.canvas(1, len(strengths), height=2.7)
    frame = 20 + max(max(values.shape) for values in strengths.values())
    for ax, (name, values) in zip(axes, strengths.items()):
        top, left = (frame - values.shape[0]) // 2, (frame - values.shape[1]) // 2
        whole = np.zeros((frame, frame))
        whole[top : top + values.shape[0], left : left + values.shape[1]] = values
        look.picture(ax, whole, name, cmap=_WHITE_TO_BLUE, norm=PowerNorm(0.3, 0, whole.max()))
        corner, (rows, columns) = (left - 0.5, top - 0.5), values.shape
        ax.add_patch(Rectangle(corner, columns, rows, fill=False, color=look.VERMILLION, linewidth=1.5))


def answers(panels: Mapping[str, np.ndarray]) -> None:
    """Small maps side by side, each scaled by itself."""
    _, axes = look.canvas(1, len(panels), height=2.7)
    for ax, (name, values) in zip(axes, panels.items()):
        top = float(np.abs(values).max()) or 1.0
        look.picture(ax, values, name, cmap=look.SIGNED, vmin=-top, vmax=top)


def edges(picture: np.ndarray, panels: Mapping[str, np.ndarray]) -> None:
    """A gray picture and filtered versions of it."""
    _, axes = look.canvas(1, len(panels) + 1, height=2.6)
    look.picture(axes[0], picture, f"Picture: {picture.shape[0]} x {picture.shape[1]}", cmap="gray")
    for ax, (name, values) in zip(axes[1:], panels.items()):
        look.picture(ax, np.abs(values), name, cmap="gray_r", vmin=0, vmax=np.percentile(np.abs(values), 99))


def places(edge: np.ndarray, errors: Mapping[str, np.ndarray]) -> None:
    """How far from its true place an edge is found."""
    _, ax = look.canvas(height=2.9, width=6.6)
    for (name, values), style in zip(errors.items(), ("o-", "s--", "^-.")):
        ax.plot(edge, values, style, label=name, markersize=5)
    look.label(ax, "true place of the edge (pixel)", "found minus true (pixels)", "Where is the edge?")
    ax.set_ylim(top=1.7 * max(1.0, float(max(values.max() for values in errors.values()))))
    ax.legend(fontsize=8.5, ncols=2)


def _grid(ax, side: int) -> None:
    for at in range(side + 1):
        ax.plot([at, at], [0, side], color="#DDDDDD", linewidth=0.8, zorder=0)
        ax.plot([0, side], [at, at], color="#DDDDDD", linewidth=0.8, zorder=0)
    ax.set_aspect("equal")
    ax.set_axis_off()
