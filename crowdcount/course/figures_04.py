"""Figures of notebook 04, shallow networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from crowdcount.course import look
from crowdcount.course.notebook_04 import LEAK, sigmoid, slopes

_CLASSES = ((0, look.SKY, "o", "passer-by (0)"), (1, look.VERMILLION, "^", "listener (1)"))


def people(axes: Axes, X: np.ndarray, Y: np.ndarray, *, size: float = 16) -> None:
    """Scatter people seen from above: X (2, m) in meters, Y (1, m) of 0 and 1."""
    for label, color, marker, name in _CLASSES:
        x, y = X[:, Y[0] == label]
        axes.scatter(x, y, s=size, c=color, marker=marker, edgecolor="black", linewidth=0.3, label=name, zorder=3)
    axes.set_aspect("equal")


def boundary(axes: Axes, probability: Callable, X: np.ndarray, Y: np.ndarray, title: str) -> None:
    """Shade what a model says everywhere, and draw the line where it changes its mind.

    Args:
        axes: where to draw.
        probability: takes (2, k) places, returns (1, k) probabilities of class 1.
        X: (2, m) places of people, in meters.
        Y: (1, m) their classes.
        title: line above.
    """
    reach = np.abs(X).max() * 1.05
    x, y = np.meshgrid(np.linspace(-reach, reach, 120), np.linspace(-reach, reach, 120))
    said = probability(np.stack([x.ravel(), y.ravel()])).reshape(x.shape)
    axes.contourf(x, y, said, levels=np.linspace(0, 1, 9), cmap=look.SIGNED + "_r", alpha=0.55)
    axes.contour(x, y, said, levels=[0.5], colors="black", linewidths=2.2)
    people(axes, X, Y, size=9)
    axes.set_xlim(-reach, reach)
    axes.set_ylim(-reach, reach)
    axes.grid(False)
    look.label(axes, "meters east", "meters north", title)


def unit_lines(axes: Axes, W1: np.ndarray, b1: np.ndarray) -> None:
    """Draw where each hidden unit of W1 (n, 2), b1 (n, 1) has the value 0: a straight line each."""
    reach = axes.get_xlim()[1]
    along = np.linspace(-3 * reach, 3 * reach, 2)
    for unit, ((w_x, w_y), (b,)) in enumerate(zip(W1, b1)):
        norm = np.hypot(w_x, w_y)
        start, way = -b * np.array([w_x, w_y]) / norm**2, np.array([-w_y, w_x]) / norm
        points = start[:, None] + way[:, None] * along
        axes.plot(*points, "--", color=look.CYCLE[unit % len(look.CYCLE)], linewidth=1.8, label=f"unit {unit + 1}")


def activations() -> Figure:
    """Sigmoid, tanh, ReLU and leaky ReLU above their derivatives."""
    z = np.linspace(-5, 5, 401)
    values = (sigmoid(z), np.tanh(z), np.maximum(z, 0), np.where(z > 0, z, LEAK * z))
    figure, axes = look.canvas(2, 4, height=2.1, sharex=True)
    for column, (name, value, slope) in enumerate(zip(("sigmoid", "tanh", "ReLU", "leaky ReLU"), values, slopes(z))):
        axes[0, column].plot(z, value, color=look.BLUE)
        axes[0, column].set_ylim((-1.3, 1.3) if column < 2 else (-1, 5))
        axes[0, column].set_title(name)
        axes[1, column].plot(z, slope, color=look.VERMILLION, linestyle="--")
        axes[1, column].set_ylim(-0.1, 1.15)
        axes[1, column].set_xlabel("z")
    axes[0, 0].set_ylabel("value a = g(z)")
    axes[1, 0].set_ylabel("slope g'(z)")
    axes[1, 3].annotate(f"{LEAK:g}, not 0", (-3, LEAK), (-4.6, 0.35), arrowprops={"arrowstyle": "->"}, fontsize=9)
    axes[1, 0].annotate("at most 1/4", (0, 0.25), (-4.6, 0.62), arrowprops={"arrowstyle": "->"}, fontsize=9)
    return figure


def shapes(n_in: int, n_out: int, m: int, layer: int) -> Figure:
    """The arrays of Z = W A + b as boxes, drawn to scale, with their shapes."""
    figure, axes = look.canvas(height=2.6)
    before, after = f"[{layer - 1}]", f"[{layer}]"
    arrays = [
        (rf"$Z^{{{after}}}$", n_out, m, look.GREEN),
        ("=", 0, 0, ""),
        (rf"$W^{{{after}}}$", n_out, n_in, look.ORANGE),
        ("@", 0, 0, ""),
        (rf"$A^{{{before}}}$", n_in, m, look.SKY),
        ("+", 0, 0, ""),
        (rf"$b^{{{after}}}$", n_out, 1, look.PURPLE),
    ]
    left = 0.0
    for name, rows, columns, color in arrays:
        if not rows:
            axes.text(left + 0.6, 0, name, ha="center", va="center", fontsize=15)
            left += 1.2
            continue
        left += max(0, 1.8 - columns) / 2
        for row in range(rows):
            for column in range(columns):
                axes.add_patch(Rectangle((left + column, rows / 2 - row - 1), 1, 1, facecolor=color, edgecolor="white"))
        middle = left + columns / 2
        axes.text(middle, rows / 2 + 0.2, name, ha="center", va="bottom", fontsize=13)
        axes.text(middle, -rows / 2 - 0.2, f"({rows}, {columns})", ha="center", va="top")
        left += columns + max(0, 1.8 - columns) / 2
    tallest = max(n_in, n_out) / 2
    axes.set_xlim(-0.3, left + 0.3)
    axes.set_ylim(-tallest - 1.4, tallest + 1.6)
    axes.set_aspect("equal")
    axes.set_axis_off()
    return figure


def graph(
    nodes: Sequence[str], forward: Sequence[str], backward: Sequence[str], *, names: Sequence[str] = ()
) -> Figure:
    """A computation graph: forward arrows above from node to node, backward arrows below.

    Args:
        nodes: text of each node, from left to right.
        forward: text over each forward arrow, one fewer than nodes.
        backward: text under each backward arrow, as many.
        names: text under each node.
    """
    figure, axes = look.canvas(height=2.7)
    for place, node in enumerate(nodes):
        axes.text(
            place, 0, node, ha="center", va="center", fontsize=13,
            bbox={"boxstyle": "round,pad=0.35", "facecolor": "#F4F4F4", "edgecolor": "black"}, zorder=3,
        )  # fmt: skip
        if place < len(names):
            axes.text(place, -1.02, names[place], ha="center", va="top", fontsize=9.5, color="#444444")
    for place, (there, back) in enumerate(zip(forward, backward)):
        ways = (
            (there, place, place + 1, 0.2, look.BLUE, "bottom"),
            (back, place + 1, place, -0.2, look.VERMILLION, "top"),
        )
        for text, start, end, height, color, align in ways:
            if not text:
                continue
            gap = 0.24 if end > start else -0.24
            arrow = {"arrowstyle": "-|>", "color": color, "linewidth": 2}
            axes.annotate("", (end - gap, height), (start + gap, height), arrowprops=arrow)
            axes.text(place + 0.5, 1.6 * height, text, ha="center", va=align, color=color, fontsize=9.5)
    axes.set_xlim(-0.4, len(nodes) - 0.6)
    axes.set_ylim(-1.35, 0.95)
    axes.set_axis_off()
    return figure


def weight_paths(paths: dict[str, np.ndarray]) -> Figure:
    """One weight of each hidden unit over the steps of training, for several ways to start.

    Args:
        paths: title -> (steps, units) values of the weight.
    """
    figure, axes = look.canvas(1, len(paths), height=2.8, sharey=True)
    styles = ("-", "--", "-.", ":")
    for each, (title, values) in zip(axes, paths.items()):
        for unit, path in enumerate(values.T):
            each.plot(path, styles[unit % 4], color=look.CYCLE[unit], label=f"unit {unit + 1}")
        look.label(each, "step", "", title)
    axes[0].set_ylabel("weight of 'meters east'")
    figure.legend(*axes[-1].get_legend_handles_labels(), ncols=4, loc="outside lower center")
    return figure


def cost_curves(curves: dict[str, np.ndarray], *, x: str = "step", title: str = "", log: bool = True) -> Figure:
    """Cost over training for several ways: title -> (runs, steps); the mean as a line, lowest to "
    "highest shaded."""
    figure, axes = look.canvas()
    styles = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
    for index, (name, runs) in enumerate(curves.items()):
        steps = np.arange(runs.shape[1])
        axes.plot(steps, runs.mean(0), linestyle=styles[index % 5], color=look.CYCLE[index], label=name)
        axes.fill_between(steps, runs.min(0), runs.max(0), color=look.CYCLE[index], alpha=0.15, linewidth=0)
    if log:
        axes.set_yscale("log")
    look.label(axes, x, "cost (cross-entropy, nats)", title)
    axes.legend()
    return figure
