"""Figures of notebook 03: broadcasting and the two axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from crowdcount.course import look

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_broadcast(axes: Axes, first: np.ndarray, second: np.ndarray) -> None:
    """Draw first + second = sum as cells; cells that broadcasting copies are pale.

    Args:
        axes: where to draw.
        first: (rows, columns) numbers.
        second: (rows or 1, columns or 1) numbers.
    """
    total = first + second
    gap = first.shape[1] + 1.2
    grown = np.broadcast_to(second, first.shape)
    _cells(axes, first, 0, look.SKY)
    _cells(axes, grown, gap, look.ORANGE, real=second.shape)
    _cells(axes, total, 2 * gap, look.GREEN)
    middle = -(first.shape[0] - 1) / 2
    axes.text(gap - 1.1, middle, "+", ha="center", va="center", fontsize=14)
    axes.text(2 * gap - 1.1, middle, "=", ha="center", va="center", fontsize=14)
    for place, values in ((0, first), (gap, second), (2 * gap, total)):
        text = f"({values.shape[0]}, {values.shape[1]})"
        axes.text(place + (first.shape[1] - 1) / 2, 0.85, text, ha="center", va="center")
    axes.set_xlim(-0.7, 3 * gap - 1.3)
    axes.set_ylim(-first.shape[0] + 0.3, 1.2)
    axes.set_aspect("equal")
    axes.set_axis_off()


def draw_axes(axes: Axes, values: np.ndarray, axis: int) -> None:
    """Draw a table, an arrow along the axis that is summed away, and the sums.

    Args:
        axes: where to draw.
        values: (rows, columns) numbers.
        axis: 0 or 1.
    """
    rows, columns = values.shape
    _cells(axes, values, 0, look.SKY)
    if axis == 0:
        _cells(axes, values.sum(0, keepdims=True), 0, look.GREEN, top=-rows - 0.6)
        ends = [((column - 0.4, 0.4), (column - 0.4, -rows + 0.4)) for column in range(columns)]
    else:
        _cells(axes, values.sum(1, keepdims=True), columns + 0.6, look.GREEN)
        ends = [((-0.4, -row + 0.38), (columns - 0.55, -row + 0.38)) for row in range(rows)]
    for start, end in ends:
        arrow = {"arrowstyle": "-|>", "color": look.VERMILLION, "linewidth": 1.6, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", xy=end, xytext=start, arrowprops=arrow)
    axes.set_xlim(-0.8, columns + 1.4)
    axes.set_ylim(-rows - 1.3, 0.8)
    axes.set_aspect("equal")
    axes.set_title(f"sum(axis={axis}): axis {axis} goes")
    axes.set_axis_off()


def _cells(axes, values, left, color, *, top: float = 0, real: tuple[int, int] | None = None) -> None:
    from matplotlib.patches import Rectangle

    for (row, column), value in np.ndenumerate(values):
        copied = real is not None and (row >= real[0] or column >= real[1])
        x, y = left + column, top - row
        axes.add_patch(
            Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=color, edgecolor="white", alpha=0.35 if copied else 1)
        )
        axes.text(x, y, f"{value:g}", ha="center", va="center", fontsize=9.5, alpha=0.6 if copied else 1)
