"""Figures of notebook 05, deep networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.figure import Figure

from crowdcount.course import look


def patches(pictures: np.ndarray, labels: np.ndarray, *, columns: int = 8) -> Figure:
    """Two rows of patches: heads above, none below; uint8 (n, s, s, 3) and labels (n,)."""
    figure, axes = look.canvas(2, columns, height=1.2)
    for row, (label, name) in enumerate(((1, "head"), (0, "no head"))):
        for each, picture in zip(axes[row], pictures[labels == label]):
            look.picture(each, picture, name)
    return figure


def blocks(layers: int = 3) -> Figure:
    """Forward blocks above, backward blocks below, each pair joined by its cache."""
    figure, axes = look.canvas(height=3.2)
    box = {"boxstyle": "round,pad=0.5", "edgecolor": "black"}
    for layer in range(1, layers + 1):
        last = layer == layers
        g = "sigmoid" if last else "ReLU"
        weighted = f"$Z^{{[{layer}]}} = W^{{[{layer}]}}A^{{[{layer - 1}]}} + b^{{[{layer}]}}$"
        forward = f"{weighted}\n$A^{{[{layer}]}} = $ {g}"
        backward = f"$dW^{{[{layer}]}}$, $db^{{[{layer}]}}$\nfrom $dZ^{{[{layer}]}}$ and cache"
        axes.text(layer, 1, forward, ha="center", va="center", bbox=box | {"facecolor": "#DCEEF9"}, fontsize=10)
        axes.text(layer, 0, backward, ha="center", va="center", bbox=box | {"facecolor": "#FBE6D6"}, fontsize=10)
        axes.annotate("", (layer, 0.24), (layer, 0.76), arrowprops={"arrowstyle": "-|>", "linestyle": "--"})
        axes.text(layer + 0.03, 0.5, "cache", va="center", fontsize=9)
    for layer in range(layers + 1):
        there = "X" if layer == 0 else r"$\hat y$" if layer == layers else f"$A^{{[{layer}]}}$"
        back = "" if layer == 0 else r"$\hat y - y$" if layer == layers else f"$dA^{{[{layer}]}}$"
        axes.annotate("", (layer + 0.62, 1), (layer + 0.38, 1), arrowprops={"arrowstyle": "-|>", "color": look.BLUE})
        axes.text(layer + 0.5, 1.1, there, ha="center", va="bottom", color=look.BLUE)
        if back:
            arrow = {"arrowstyle": "-|>", "color": look.VERMILLION}
            axes.annotate("", (layer + 0.38, 0), (layer + 0.62, 0), arrowprops=arrow)
            axes.text(layer + 0.5, -0.1, back, ha="center", va="top", color=look.VERMILLION)
    axes.set_xlim(0.25, layers + 0.8)
    axes.set_ylim(-0.4, 1.4)
    axes.set_axis_off()
    return figure


def folds(x: np.ndarray, levels: dict[int, np.ndarray]) -> Figure:
    """The folded line after some numbers of layers: depth -> values (len(x),)."""
    figure, axes = look.canvas(1, len(levels), height=2.4, sharey=True)
    for each, (depth, values) in zip(axes, levels.items()):
        each.plot(x, values)
        look.label(each, "input x", "", f"{depth} layer{'s' if depth > 1 else ''}")
    axes[0].set_ylabel("output")
    return figure


def lines(
    curves: dict[str, tuple[Sequence[float], Sequence[float]]], x: str, y: str, title: str, **scales: str
) -> Figure:
    """Some lines with markers: name -> (x, y); scales: xscale and yscale of Matplotlib's."""
    figure, axes = look.canvas()
    for index, (name, (xs, ys)) in enumerate(curves.items()):
        axes.plot(xs, ys, marker="os^Dv"[index % 5], linestyle=("-", "--", "-.", ":")[index % 4], label=name)
    look.label(axes, x, y, title)
    axes.set(**scales)
    axes.legend()
    return figure


def ladder(scores: dict[str, tuple[Sequence[float], Sequence[float]]]) -> Figure:
    """Rungs: name -> (accuracies on training, on held-out patches), a dot for each start, bars at "
    "the means."""
    figure, axes = look.canvas()
    for place, (train, test) in enumerate(scores.values()):
        for shift, values, color, name in (
            (-0.18, train, look.SKY, "training set"),
            (0.18, test, look.ORANGE, "test set"),
        ):
            axes.bar(place + shift, 100 * np.mean(values), 0.34, color=color, label=None if place else name)
            axes.scatter([place + shift] * len(values), 100 * np.array(values), color="black", s=14, zorder=3)
    axes.set_xticks(range(len(scores)), list(scores))
    axes.set_ylim(50, 102)
    look.label(axes, "", "accuracy (%)", "One data set, three networks (a dot for each start)")
    figure.legend(loc="outside right upper", title="patches of the")
    return figure


def boards(points: tuple[np.ndarray, np.ndarray], answers: dict[str, Callable[[np.ndarray], np.ndarray]]) -> Figure:
    """Points X (2, m) with classes Y (1, m), and beside them what networks answer at every place.

    Args:
        points: X and Y.
        answers: name -> function from X (2, n) to probabilities (1, n).
    """
    X, Y = points
    figure, axes = look.canvas(1, 1 + len(answers), height=2.9)
    axes[0].scatter(*X, c=np.where(Y[0] > 0.5, look.BLACK, look.ORANGE), s=5)
    axes[0].set_title("800 points to learn from")
    side = np.linspace(X.min(), X.max(), 120)
    everywhere = np.stack(np.meshgrid(side, side)).reshape(2, -1)
    for each, (name, answer) in zip(axes[1:], answers.items(), strict=True):
        map_of = answer(everywhere).reshape(len(side), len(side))
        look.picture(each, map_of, f"{name}: answer everywhere", cmap="gray_r", vmin=0, vmax=1, origin="lower")
    axes[0].set_aspect("equal")
    axes[0].set_xticks([])
    axes[0].set_yticks([])
    return figure
