"""Figures of notebook 11: CSRNet's layers, the paper's patches, losses, learning curves and counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.patches import Rectangle

from crowdcount.course import look

# Maps are shown on the square root of the density: one far person is as bright a dot as one near person.
_EXPONENT = 0.5
_STYLES = ("-", "--", "-.", ":")


def layers(rows: Sequence[tuple[str, int, int]]) -> None:
    """The network from left to right: (name, side of its map as a share of the picture, filters) of each layer.

    The height of a bar is the side of the map, its color what the layer does, the number on it the filters.
    """
    _, axes = look.canvas(height=3.4)
    colors = {"block": look.BLUE, "pool": look.GRAY, "dilated": look.VERMILLION, "density": look.GREEN}
    names = {
        "block": "convolution 3x3",
        "pool": "max-pool 2x2",
        "dilated": "dilated convolution 3x3, rate 2",
        "density": "convolution 1x1: the map",
    }
    for place, (name, side, filters) in enumerate(rows):
        kind = next(kind for kind in colors if name.startswith(kind))
        axes.bar(place, side, width=0.86, color=colors[kind], label=names.pop(kind, None))
        text = str(filters) if kind != "pool" else ""
        axes.text(place, side + 0.015, text, ha="center", va="bottom", fontsize=8.5)
    axes.axvline(12.5, color=look.BLACK, linestyle=":", linewidth=1.2)
    axes.text(12.35, 0.72, "front end (VGG-16)", ha="right", fontsize=9.5)
    axes.text(12.65, 0.72, "back end", ha="left", fontsize=9.5)
    axes.set_xticks([])
    axes.set_yticks([1, 1 / 2, 1 / 4, 1 / 8], ["1", "1/2", "1/4", "1/8"])
    axes.set_ylim(0, 1.12)
    axes.grid(False)
    look.label(
        axes,
        "layers, from the picture (left) to the map (right)",
        "side of the map (picture = 1)",
        "CSRNet; the number over a bar is its filters",
    )
    axes.legend(loc="upper right")


def patches(
    picture: np.ndarray,
    points: np.ndarray,
    boxes: Sequence[tuple[int, int, int, int]],
    cut: Sequence[np.ndarray],
    counts: Sequence[float],
) -> None:
    """The nine boxes (top, left, height, width) on the picture, and the patches, each beside its mirror image."""
    figure, _ = look.canvas(height=3.3)
    figure.clear()
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.45))
    axes = left.subplots()
    look.picture(axes, picture, f"{len(points)} heads; quarters and five more")
    for number, (top, start, high, wide) in enumerate(boxes):
        color = look.YELLOW if number < 4 else look.VERMILLION
        shift = 1.5 if number < 4 else 0.0
        axes.add_patch(
            Rectangle(
                (start + shift, top + shift),
                wide - 1 - 2 * shift,
                high - 1 - 2 * shift,
                fill=False,
                color=color,
                linewidth=1.8,
                linestyle="-" if number < 4 else "--",
            )
        )
    grid = right.subplots(3, 6)
    for number, (patch, count) in enumerate(zip(cut, counts)):
        row, column = divmod(number % 9, 3)
        ax = grid[row, 2 * column + number // 9]
        look.picture(ax, patch)
        ax.set_title("mirrored" if number >= 9 else f"{number % 9 + 1}: {count:.1f}", fontsize=8, pad=2)


def losses(errors: np.ndarray, curves: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Loss of one map against the share by which its count is off, for a sparse and a dense crowd."""
    _, axes = look.canvas(1, len(curves), height=3.2)
    for ax, (loss, lines) in zip(axes, curves.items()):
        for (name, values), style, color in zip(lines.items(), _STYLES, (look.BLUE, look.VERMILLION)):
            ax.plot(100 * errors, values, style, color=color, label=name)
        ax.set_yscale("log")
        look.label(ax, "people counted too many (%)", "loss of one map", loss)
        ax.legend()


def curves(
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    x: str,
    y: str,
    title: str,
    *,
    log: bool = False,
    level: tuple[float, str] | None = None,
) -> None:
    """Curves (x, y) by name on one pair of axes, with a gray line at `level` (value, what it is)."""
    _, axes = look.canvas(height=3.3, width=7.4)
    for (name, (across, up)), style in zip(lines.items(), _STYLES):
        axes.plot(across, up, style, label=name)
    if level is not None:
        axes.axhline(level[0], color=look.GRAY, linewidth=1.2)
        axes.annotate(
            level[1],
            (1, level[0]),
            xycoords=("axes fraction", "data"),
            xytext=(0, 3),
            textcoords="offset points",
            ha="right",
            color=look.GRAY,
        )
    if log:
        axes.set_yscale("log")
    look.label(axes, x, y, title)
    axes.legend()


def descents(loss: Callable[[np.ndarray, np.ndarray], np.ndarray], paths: Mapping[str, np.ndarray]) -> None:
    """Paths (steps, 2) of gradient descent over the level lines of a loss of two weights."""
    _, axes = look.canvas(1, len(paths), height=2.8, sharey=True)
    across, up = np.meshgrid(np.linspace(-3, 3, 80), np.linspace(-1.5, 1.5, 60))
    for ax, (name, path) in zip(axes, paths.items()):
        ax.contour(across, up, loss(across, up), levels=np.geomspace(0.02, 20, 10), colors="#BBBBBB", linewidths=0.8)
        ax.plot(path[:, 0], path[:, 1], ".-", color=look.VERMILLION, linewidth=1, markersize=5)
        ax.plot(0, 0, "*", color=look.BLUE, markersize=11)
        ax.set_xlim(-3, 3)
        ax.set_ylim(-1.5, 1.5)
        ax.grid(False)
        look.label(ax, "first weight", "", name)
    axes[0].set_ylabel("second weight")


def learning(
    epochs: Sequence[int],
    loss: Sequence[float],
    train: Sequence[float],
    validation: Sequence[float],
    baseline: float,
) -> None:
    """The two learning curves: the loss, and the error of the counts beside that of the mean count."""
    _, axes = look.canvas(1, 2, height=3.2)
    axes[0].plot(epochs, loss, ".-")
    look.label(axes[0], "epoch", "Poisson loss of a crop", "What the network makes small")
    axes[0].set_ylim(bottom=0)
    axes[1].plot(epochs, validation, ".-", color=look.VERMILLION, label="validation pictures, whole")
    axes[1].plot(epochs, train, ".--", color=look.BLUE, label="training crops")
    axes[1].axhline(baseline, color=look.GRAY, linewidth=1.2)
    axes[1].text(epochs[-1], 1.02 * baseline, "always the mean count", ha="right", va="bottom", color=look.GRAY)
    axes[1].set_ylim(0, 1.5 * max(baseline, *validation))
    look.label(axes[1], "epoch", "MAE (people)", "What we want to be small")
    axes[1].legend(loc="upper right")


def counts(truth: np.ndarray, predicted: np.ndarray, mean: float, *, name: str = "CSRNet") -> None:
    """Predicted against true counts, and the answer of the baseline."""
    _, axes = look.canvas(height=4.0, width=5.4)
    top = 1.08 * max(truth.max(), predicted.max())
    axes.plot([0, top], [0, top], color=look.GRAY, linewidth=1, label="counted = true")
    axes.axhline(mean, color=look.BLUE, linestyle="--", linewidth=1.5, label="always the mean count")
    axes.scatter(truth, predicted, s=28, color=look.VERMILLION, edgecolor="white", linewidth=0.5, zorder=3, label=name)
    axes.set_xlim(0, top)
    axes.set_ylim(0, top)
    look.label(axes, "people in the picture", "people counted", "Held-out pictures")
    axes.legend()


def gallery(rows: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> None:
    """For each (picture, true map, predicted map) a column of three, with the counts."""
    _, axes = look.canvas(3, len(rows), height=1.6)
    top = max(float(true.max()) for _, true, _ in rows)
    for column, (picture, true, predicted) in zip(axes.T, rows):
        look.picture(column[0], picture)
        for ax, cells, name in ((column[1], true, "true"), (column[2], predicted, "counted")):
            look.picture(ax, cells, cmap=look.HEAT, norm=PowerNorm(_EXPONENT, 0, top))
            ax.set_title(f"{name}: {cells.sum():.0f}", fontsize=9.5, pad=3)


def spread(results: Mapping[str, Sequence[float]], baseline: float) -> None:
    """The error of each design, a dot for each seed."""
    _, axes = look.canvas(height=3.0, width=6.2)
    for place, values in enumerate(results.values()):
        axes.plot([place - 0.18, place + 0.18], [np.mean(values)] * 2, color=look.BLACK)
        axes.scatter([place] * len(values), values, s=44, color=look.CYCLE[place], zorder=3)
    axes.axhline(baseline, color=look.GRAY, linewidth=1.2)
    axes.text(len(results) - 0.55, baseline, "always the mean count", ha="right", va="bottom", color=look.GRAY)
    axes.set_xticks(range(len(results)), list(results))
    axes.set_xlim(-0.6, len(results) - 0.4)
    axes.set_ylim(0, 1.2 * baseline)
    look.label(axes, "design of the back end", "MAE (people)", "A dot is a seed, a line the mean of the seeds")
