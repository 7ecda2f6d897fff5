"""Figure of notebook 02: a computation graph with its values forward and its slopes backward."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crowdcount.course import look

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_graph(axes: Axes, a: float, b: float, c: float, slopes: bool) -> None:
    """Draw J = 3 (a + b c): values forward in black, slopes backward in color.

    Args:
        axes: where to draw.
        a: first input.
        b: second input.
        c: third input.
        slopes: whether to write those of the inputs, or to leave them to the reader.
    """
    u, v = b * c, a + b * c
    nodes = {
        "a": (0, 2, f"a = {a:g}", look.SKY),
        "b": (0, 1, f"b = {b:g}", look.SKY),
        "c": (0, 0, f"c = {c:g}", look.SKY),
        "u": (3, 0.5, f"u = b c = {u:g}", look.ORANGE),
        "v": (6.4, 1.25, f"v = a + u = {v:g}", look.ORANGE),
        "J": (9.8, 1.25, f"J = 3 v = {3 * v:g}", look.GREEN),
    }
    edges = (
        ("a", "v", "dJ/da = 3" if slopes else "dJ/da = ?", (3.0, 1.83)),
        ("b", "u", "dJ/db = 3 c" if slopes else "dJ/db = ?", (1.55, 1.0)),
        ("c", "u", "dJ/dc = 3 b" if slopes else "dJ/dc = ?", (1.55, 0.0)),
        ("u", "v", "dJ/du = 3", (4.95, 0.68)),
        ("v", "J", "dJ/dv = 3", (8.1, 1.42)),
    )
    for start, end, slope, (x, y) in edges:
        axes.annotate(
            "",
            xy=(nodes[end][0], nodes[end][1]),
            xytext=(nodes[start][0], nodes[start][1]),
            arrowprops={"arrowstyle": "-|>", "color": look.BLACK, "shrinkA": 30, "shrinkB": 46},
        )
        axes.text(x, y, f"← {slope}", ha="center", va="center", color=look.VERMILLION, fontsize=9.5)
    for x, y, text, color in nodes.values():
        axes.text(
            x,
            y,
            text,
            ha="center",
            va="center",
            bbox={
                "boxstyle": "round,pad=0.45",
                "facecolor": color,
                "edgecolor": look.BLACK,
                "linewidth": 0.8,
            },
        )
    axes.set_xlim(-0.9, 11)
    axes.set_ylim(-0.5, 2.5)
    axes.set_title("Forward: the values in the boxes. Backward: the slopes at the arrows.")
    axes.set_axis_off()
