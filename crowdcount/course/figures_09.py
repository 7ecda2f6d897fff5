"""Figures of notebook 09: what each of the four families sees, and how far it errs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.patches import Rectangle

from crowdcount.course import look
from crowdcount.show.plots import overlay


def pictures(panels: Sequence[tuple[str, np.ndarray]], *, columns: int = 4) -> None:
    """Pictures in rows, each with a line above."""
    rows = -(-len(panels) // columns)
    _, axes = look.canvas(rows, columns, height=1.9, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, (title, values) in zip(axes.flat, panels):
        look.picture(ax, values, title)


def gradients(patch: np.ndarray, blocks: np.ndarray, cell: int) -> None:
    """A gray patch, its gradients' strength, and a star of directions for each cell of its HOG.

    Args:
        patch: gray (H, W).
        blocks: (rows, columns, 36), the blocks of its cells.
        cell: pixels a side of a cell.
    """
    _, axes = look.canvas(1, 3, height=2.8, width=7.6)
    look.picture(axes[0], patch, f"A window: {patch.shape[1]} x {patch.shape[0]} pixels")
    down, across = np.gradient(patch.astype(float))
    look.picture(axes[1], np.hypot(down, across), "Strength of the gradient")
    look.picture(axes[2], np.zeros(patch.shape), "Directions of edges, a star a cell", cmap="gray")
    orientations = blocks.shape[2] // 4
    lines, widths = [], []
    for i, j in np.ndindex(blocks.shape[0] + 1, blocks.shape[1] + 1):
        # A cell is part of up to four blocks; the first one that has it will do.
        row, column = min(i, blocks.shape[0] - 1), min(j, blocks.shape[1] - 1)
        part = 2 * (i - row) + (j - column)
        histogram = blocks[row, column, part * orientations : (part + 1) * orientations]
        middle = np.array([j + 0.5, i + 0.5]) * cell - 0.5
        for k, value in enumerate(histogram):
            # The edge runs across the gradient.
            angle = (k + 0.5) * np.pi / orientations + np.pi / 2
            reach = 0.48 * cell * np.array([np.cos(angle), np.sin(angle)])
            lines.append([middle - reach, middle + reach])
            widths.append(min(1.0, value / 0.4))
    axes[2].add_collection(LineCollection(lines, colors=[(1, 1, 1, width) for width in widths], linewidths=2))


def boxes_on(ax, picture: np.ndarray, boxes: np.ndarray, points: np.ndarray | None = None, title: str = "") -> None:
    """Boxes (N, 4) on a picture, true heads as dots."""
    look.picture(ax, picture, title)
    for left, top, right, bottom in boxes:
        for color, width in (("black", 2.4), (look.YELLOW, 1.3)):
            ax.add_patch(
                Rectangle(
                    (left - 0.5, top - 0.5),
                    right - left,
                    bottom - top,
                    fill=False,
                    color=color,
                    linewidth=width,
                )
            )
    if points is not None and len(points):
        ax.scatter(*(points - 0.5).T, s=9, color=look.SKY, edgecolor="black", linewidth=0.5, zorder=3)


def detections(picture: np.ndarray, points: np.ndarray, found: Mapping[str, np.ndarray]) -> None:
    """The same picture with the boxes found under different settings; the true heads as dots."""
    _, axes = look.canvas(1, len(found), height=2.6, squeeze=False)
    for ax, (title, boxes) in zip(axes.flat, found.items()):
        boxes_on(ax, picture, boxes, points, title)


def detection(picture: np.ndarray, points: np.ndarray, boxes: np.ndarray, title: str) -> None:
    """One picture with boxes, for the slider."""
    _, ax = look.canvas(height=4.0, width=5.2)
    boxes_on(ax, picture, boxes, points, title)


def threshold_curve(curve: np.ndarray, chosen: float) -> None:
    """Error of the count at each threshold, and the threshold taken."""
    _, ax = look.canvas(height=2.7, width=5.6)
    ax.plot(*curve.T, color=look.BLUE)
    ax.axvline(chosen, color=look.VERMILLION, linestyle="--", label=f"chosen: {chosen:.2f}")
    look.label(ax, "threshold (score)", "mean absolute error (heads)", "Too low finds everything, too high nobody")
    ax.set_ylim(bottom=0, top=min(ax.get_ylim()[1], 6 * curve[:, 1].min() + 10))
    ax.legend()


def features(panels: Mapping[str, np.ndarray], counts: np.ndarray, truth: np.ndarray) -> None:
    """A picture, maps of what the patches are described by, and true and predicted counts of each patch."""
    _, axes = look.canvas(2, 3, height=2.25)
    for ax, (title, values) in zip(axes.flat, panels.items()):
        look.picture(ax, values, title)
    top = max(counts.max(), truth.max())
    for ax, values, name in zip(axes.flat[len(panels) :], (truth, counts), ("True", "Predicted")):
        title = f"{name} heads a patch: {values.sum():.0f} in all"
        look.numbers(ax, np.round(values, 1), title, cmap=look.HEAT, vmin=0, vmax=top)
        for text in ax.texts:
            text.set_fontsize(7.5)


def words(picture: np.ndarray, index: np.ndarray, weights: np.ndarray, density: np.ndarray) -> None:
    """A picture, the word at each place (colors at random), each word's weight, and the map they give."""
    _, axes = look.canvas(1, 4, height=2.3)
    colors = np.random.default_rng(3).uniform(0.15, 1, (len(weights), 3))
    look.picture(axes[0], picture, "Picture")
    look.picture(axes[1], colors[index], f"Its words, of {len(weights)}")
    look.picture(axes[2], weights[index], "The words' weights", cmap=look.HEAT)
    look.picture(axes[3], density, f"Density map: {density.sum():.0f} heads", cmap=look.HEAT)


def maps(picture: np.ndarray, panels: Mapping[str, np.ndarray]) -> None:
    """A picture and maps of it, on one scale of color."""
    _, axes = look.canvas(1, len(panels) + 1, height=2.3)
    look.picture(axes[0], picture, "Picture")
    top = max(float(np.percentile(values, 99.5)) for values in panels.values())
    for ax, (title, values) in zip(axes[1:], panels.items()):
        look.picture(ax, values, title, cmap=look.HEAT, vmin=0, vmax=top)


def losses(curves: Mapping[str, Sequence[float]], unit: str) -> None:
    """How the loss falls."""
    _, ax = look.canvas(height=2.6, width=5.6)
    for (name, values), style in zip(curves.items(), ("o-", "s--", "^-.")):
        ax.plot(np.arange(1, len(values) + 1), values, style, label=name, markersize=4)
    look.label(ax, f"training time (blocks of {unit})", "loss", "CSRNet's loss, a line a seed")
    ax.set_ylim(bottom=0)
    ax.legend()


def errors(table: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Errors of methods in groups of pictures: one dot a seed, a bar for the mean.

    Args:
        table: method -> group -> errors (seeds,).
    """
    groups = list(next(iter(table.values())))
    _, axes = look.canvas(1, len(groups), height=3.6, sharey=True, squeeze=False)
    for ax, group in zip(axes.flat, groups):
        for row, values in enumerate(table.values()):
            color = look.GRAY if row == 0 else look.CYCLE[(row - 1) % len(look.CYCLE)]
            ax.barh(row, values[group].mean(), color=color, alpha=0.55, height=0.7)
            ax.plot(values[group], np.full(len(values[group]), row), "o", color="black", markersize=3.5)
        look.label(ax, "mean absolute error (heads)", "", group)
        ax.set_xlim(left=0)
    axes[0, 0].set_yticks(range(len(table)), list(table))
    axes[0, 0].invert_yaxis()


def agreement(truth: np.ndarray, predicted: Mapping[str, np.ndarray]) -> None:
    """Predicted against true counts, a panel a method; a triangle at the top is a count beyond the axis."""
    columns = 4
    rows = -(-len(predicted) // columns)
    _, axes = look.canvas(rows, columns, height=2.3, sharex=True, sharey=True, squeeze=False)
    top = 1.15 * max(truth.max(), *(np.percentile(values, 95) for values in predicted.values()))
    for ax in axes.flat[len(predicted) :]:
        ax.set_axis_off()
    for number, (ax, (name, values)) in enumerate(zip(axes.flat, predicted.items())):
        color = look.CYCLE[number % len(look.CYCLE)]
        ax.plot([0, top], [0, top], color="#BBBBBB", linewidth=1)
        beyond = values > top
        ax.plot(truth[~beyond], values[~beyond], "o", color=color, markersize=4, alpha=0.8)
        ax.plot(truth[beyond], np.full(beyond.sum(), 0.97 * top), "^", color=color, markersize=6)
        look.label(ax, "true heads" if number >= len(predicted) - columns else "", "", name)
        ax.title.set_fontsize(9.5)
        ax.set_xlim(0, top)
        ax.set_ylim(0, top)
    for ax in axes[:, 0]:
        ax.set_ylabel("predicted heads")


def growth(
    sizes: Sequence[int],
    curves: Mapping[str, np.ndarray],
    points: Mapping[str, tuple[int, np.ndarray]],
    levels: Mapping[str, float],
) -> None:
    """Learning curves: error against the number of training pictures.

    Args:
        sizes: numbers of training pictures.
        curves: method -> errors (sizes, seeds); a line through the means, a dot a seed.
        points: method -> a number of training pictures, and errors (seeds,) there.
        levels: method that learns nothing here -> its error.
    """
    _, ax = look.canvas(height=4.4)
    for number, ((name, errors), marker) in enumerate(zip(curves.items(), "os^Dv")):
        color = look.CYCLE[number]
        ax.plot(sizes, errors.mean(axis=1), f"{marker}-", color=color, label=name)
        for size, each in zip(sizes, errors):
            ax.plot([size] * len(each), each, ".", color=color, markersize=4, alpha=0.6)
    for name, (size, errors) in points.items():
        ax.errorbar(
            size, errors.mean(), errors.std(ddof=1), fmt="X", color=look.BLACK, markersize=9, capsize=4, label=name
        )
    for (name, level), style in zip(levels.items(), (":", "--")):
        ax.axhline(level, color=look.GRAY, linestyle=style, linewidth=1.5, label=name)
    ax.set_xscale("log")
    ax.set_yscale("log")  # one method begins at hundreds, and the others differ by some heads
    ax.set_xticks(sizes, [str(size) for size in sizes])
    low, high = ax.get_ylim()
    heads = [each for each in (5, 10, 20, 50, 100, 200, 500) if low < each < high]
    ax.set_yticks(heads, [str(each) for each in heads])
    ax.minorticks_off()
    look.label(ax, "training pictures", "mean absolute error (heads)", "Error against the number of training pictures")
    ax.legend(ncols=2, fontsize=8.5, loc="upper right")


def failures(
    cases: Sequence[tuple[str, np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]],
) -> None:
    """Pictures that went worst.

    Args:
        cases: title, picture, true points, found boxes or None, density map or None.
    """
    columns = 3
    rows = -(-len(cases) // columns)
    _, axes = look.canvas(rows, columns, height=2.5, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, (title, picture, points, boxes, density) in zip(axes.flat, cases):
        shown = picture if density is None else overlay(picture, density)
        boxes_on(ax, shown, np.zeros((0, 4)) if boxes is None else boxes, points, title)
        ax.title.set_fontsize(9.5)
