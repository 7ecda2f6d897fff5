"""Figures of notebook 01: one neuron, the types of network, data with and without columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from crowdcount.course import look

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ARROW = {"arrowstyle": "-|>", "color": look.BLACK, "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0}


def draw_neuron(axes: Axes) -> None:
    """One neuron with one input: multiply, add, bend."""
    steps = [
        (0.0, "size x", look.SKY),
        (2.6, "z = w x + b", look.ORANGE),
        (5.2, "max(0, z)", look.ORANGE),
        (7.8, "price ŷ", look.GREEN),
    ]
    for x, text, color in steps:
        _box(axes, x, 0, 1.7, 0.8, text, color)
    for (x0, *_), (x1, *_) in zip(steps, steps[1:]):
        _arrow(axes, (x0 + 0.85, 0), (x1 - 0.85, 0))
    axes.text(2.6, -0.75, "weighted sum and bias", ha="center", va="center", fontsize=9.5)
    axes.text(5.2, -0.75, "activation: ReLU", ha="center", va="center", fontsize=9.5)
    axes.set_xlim(-1, 8.8)
    axes.set_ylim(-1.1, 0.7)
    axes.set_axis_off()


def draw_network_types(axes: np.ndarray) -> None:
    """Four types of network: standard, convolutional, recurrent, hybrid.

    Args:
        axes: array of four axes.
    """
    look.network(axes[0], [4, 3, 1], titles=["table row", "", "answer"])
    axes[0].set_title("standard: all to all")

    _tiles(axes[1], 0, 0, 6, look.SKY, "picture")
    _tiles(axes[1], 2.6, 0, 4, look.ORANGE, "features")
    _tiles(axes[1], 4.7, 0, 2, look.GREEN, "answer")
    _window(axes[1], (-0.53, 0.55), 0.54, (2.6 - 0.36, 0.36))
    _window(axes[1], (2.6 - 0.36, 0.36), 0.36, (4.7 - 0.18, 0.18))
    axes[1].set_xlim(-1, 5.4)
    axes[1].set_ylim(-1.6, 1.4)
    axes[1].set_title("convolutional (CNN): small windows")

    for step, word in enumerate(("the", "square", "is", "full")):
        x = 1.5 * step
        _box(axes[2], x, 1.3, 1.0, 0.55, f"ŷ{step + 1}", look.GREEN)
        _box(axes[2], x, 0, 1.0, 0.7, "state", look.ORANGE)
        _box(axes[2], x, -1.3, 1.2, 0.55, word, look.SKY)
        _arrow(axes[2], (x, -1.02), (x, -0.35))
        _arrow(axes[2], (x, 0.35), (x, 1.02))
        if step:
            _arrow(axes[2], (x - 1.0, 0), (x - 0.5, 0))
    axes[2].set_xlim(-0.8, 5.3)
    axes[2].set_ylim(-1.8, 1.8)
    axes[2].set_title("recurrent (RNN): remembers what came before")

    _tiles(axes[3], 0, 0.8, 4, look.SKY, "")
    axes[3].text(0, 0.26, "picture", ha="center", va="top", fontsize=9.5)
    _box(axes[3], 0, -1.05, 1.2, 0.6, "radar", look.SKY)
    _box(axes[3], 2.1, 0.8, 1.2, 0.7, "CNN", look.ORANGE)
    _box(axes[3], 2.1, -1.05, 1.4, 0.7, "standard", look.ORANGE)
    _box(axes[3], 4.2, -0.1, 1.3, 0.7, "joined", look.ORANGE)
    _box(axes[3], 6.3, -0.1, 1.5, 0.7, "positions", look.GREEN)
    for start, end in (
        ((0.4, 0.8), (1.5, 0.8)),
        ((0.6, -1.05), (1.4, -1.05)),
        ((2.7, 0.8), (3.55, 0.1)),
        ((2.8, -1.05), (3.55, -0.3)),
        ((4.85, -0.1), (5.55, -0.1)),
    ):
        _arrow(axes[3], start, end)
    axes[3].set_xlim(-0.9, 7.2)
    axes[3].set_ylim(-1.8, 1.6)
    axes[3].set_title("hybrid: a branch for each input")
    for each in axes[1:]:
        each.set_axis_off()


def draw_data_kinds(axes: np.ndarray, table: np.ndarray, columns: list[str], patch: np.ndarray) -> None:
    """Structured data, a table with named columns, beside unstructured data: pixels, sound, text.

    Args:
        axes: array of four axes.
        table: (rows, columns) numbers.
        columns: a name for each column.
        patch: uint8 (H, W, 3).
    """
    cells = [[f"{value:.0f}" for value in row] for row in table]
    drawn = axes[0].table(cells, colLabels=columns, loc="center", cellLoc="center")
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(9)
    drawn.scale(1.05, 1.5)
    axes[0].set_title("structured: a table")
    look.picture(axes[1], patch, "unstructured: pixels")
    time = np.linspace(0, 1, 500)
    wave = np.sin(90 * time) * np.exp(-((time - 0.35) ** 2) / 0.02) + 0.6 * np.sin(150 * time) * np.exp(
        -((time - 0.75) ** 2) / 0.01
    )
    axes[2].plot(time, wave, color=look.BLUE, linewidth=1)
    axes[2].set_ylim(-2, 2)
    axes[2].set_title("unstructured: sound")
    axes[3].text(0.5, 0.5, "“The square\nfilled up\nbefore noon.”", ha="center", va="center", fontsize=11)
    axes[3].set_title("unstructured: text")
    for each in axes:
        each.set_axis_off()


def _box(axes: Axes, x: float, y: float, width: float, height: float, text: str, color: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.12",
            facecolor=color,
            edgecolor=look.BLACK,
            linewidth=0.8,
        )
    )
    axes.text(x, y, text, ha="center", va="center", fontsize=9.5)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate("", xy=end, xytext=start, arrowprops=_ARROW)


def _tiles(axes: Axes, x: float, y: float, count: int, color: str, text: str) -> None:
    """A square of count x count cells about (x, y), with a line of text below."""
    from matplotlib.patches import Rectangle

    side = 0.18
    low = -count * side / 2
    for row in range(count):
        for column in range(count):
            axes.add_patch(
                Rectangle(
                    (x + low + column * side, y + low + row * side),
                    side,
                    side,
                    facecolor=color,
                    edgecolor="white",
                    linewidth=0.8,
                )
            )
    axes.text(x, y + low - 0.15, text, ha="center", va="top", fontsize=9.5)


def _window(axes: Axes, corner: tuple[float, float], side: float, target: tuple[float, float]) -> None:
    """A window whose upper left corner is given, and lines to the one cell that it is summed up in."""
    from matplotlib.patches import Rectangle

    x, y = corner
    axes.add_patch(Rectangle((x, y - side), side, side, fill=False, edgecolor=look.BLACK, linewidth=1.5))
    for height in (y, y - side):
        axes.plot([x + side, target[0]], [height, target[1] - 0.09], color=look.BLACK, linewidth=0.8)
