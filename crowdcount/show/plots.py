"""Every figure that the package draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from crowdcount.errors import DataError
from crowdcount.grid import STRIDE, check_map
from crowdcount.show.fonts import font, literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Runs from dark to bright evenly, so that it reads the same in gray and to the color-blind, and begins with a
# blue that shows on dark ground.
HEAT = "plasma"
# The color follows the square root of the density: the far end of a square is a hundred times as dense as the
# near one, and on an even scale everybody in front would look like nobody.
EXPONENT = 0.5
# The hottest color stands for at least this many people a cell: the faint noise of an empty scene must stay
# faint.
_LEAST_TOP = 0.05
# The overlay hides at most this share of the picture, and half of that at so many people a cell, which is
# about what a single large head amounts to.
_OPACITY = 0.85
_HALF_OPAQUE = 0.03
# Rows of pixels that are painted at once: the numbers behind 100 megapixels would fill 5 GB.
_ROWS = 256


def overlay(
    picture: np.ndarray, density: np.ndarray, *, longest_side: int | None = None, scale: float = 1.0
) -> np.ndarray:
    """Lay a density map over its picture: clear where nobody is, opaque and bright where the crowd is dense.

    Args:
        picture: uint8 RGB, shape (H, W, 3).
        density: people a cell at stride 8, shape (ceil(H / 8), ceil(W / 8)).
        longest_side: shrink the result so that no side is longer than this many pixels.
        scale: the picture was counted at so many times its size (`CountResult.scale`). A head that was counted in a
            smaller picture is spread over many cells, and shows no less for that.

    Returns:
        uint8 RGB of the picture's size, or smaller by `longest_side`.

    Raises:
        DataError: if the map is none of a picture of this size.

    Example:
        >>> picture = np.full((20, 30, 3), 128, np.uint8)
        >>> np.array_equal(overlay(picture, np.zeros((3, 4), np.float32)), picture)
        True
    """
    height, width = picture.shape[:2]
    density = check_map(density, (height, width))
    if longest_side is not None and (not isinstance(longest_side, Real) or not longest_side >= 1):
        raise DataError(f"longest_side must be a number of pixels, 1 or more. Received: longest_side={longest_side!r}")
    shrunk = 1.0 if longest_side is None else min(1.0, longest_side / max(height, width))
    shown_width, shown_height = max(1, round(width * shrunk)), max(1, round(height * shrunk))
    people = Image.fromarray(density.astype(np.float32))
    shown = picture.copy() if shrunk == 1.0 else np.array(Image.fromarray(picture).resize((shown_width, shown_height)))
    top = top_density(density, scale)
    # The cells cover whole multiples of 8 pixels, a little more than the picture: `box` cuts the rest off.
    cells_wide, cells_a_row = width / STRIDE, height / STRIDE / shown_height
    for start in range(0, shown_height, _ROWS):
        rows = shown[start : start + _ROWS]
        end = start + len(rows)
        part = people.resize(
            (shown_width, len(rows)),
            Image.Resampling.BILINEAR,
            box=(0, start * cells_a_row, cells_wide, min(end * cells_a_row, density.shape[0])),
        )
        heat, opacity = _heat(np.asarray(part), top, scale)
        rows[:] = np.rint(rows * (1 - opacity) + heat * opacity)
    return shown


def heat_layer(density: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """What `overlay` lays over a picture, by itself: for a page that lays it over with a slider.

    Args:
        density: people a cell, shape (rows, columns).
        scale: see `overlay`.

    Returns:
        uint8 RGBA, shape (rows, columns, 4), a pixel a cell.

    Example:
        >>> heat_layer(np.array([[0.0, 1.0]], np.float32))[..., 3].tolist()
        [[0, 210]]
    """
    heat, opacity = _heat(density, top_density(density, scale), scale)
    return np.concatenate([heat, np.rint(255 * opacity).astype(np.uint8)], axis=-1)


def _heat(density: np.ndarray, top: float, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """The color of each place, uint8 (..., 3), and how much of the picture it hides, 0..1, (..., 1)."""
    from matplotlib import colormaps

    people = np.maximum(density, 0)[..., np.newaxis]
    color = colormaps[HEAT](np.minimum(people[..., 0] / top, 1) ** EXPONENT, bytes=True)[..., :3]
    return color, _OPACITY * people / (people + _HALF_OPAQUE * _cell(scale))


def add_caption(picture: np.ndarray, text: str) -> np.ndarray:
    """Add a strip with text below a picture.

    Args:
        picture: uint8 RGB, shape (H, W, 3).
        text: a line, or several; what is too long for the width is broken, made smaller, and in the end cut.

    Returns:
        uint8 RGB, shape (H + strip, W, 3).
    """
    width = picture.shape[1]
    size = max(14, min(48, width // 32))
    padding = size // 2
    lines = [part for line in text.split("\n") for part in _broken(line, size, width - 2 * padding)]
    while size > 8 and any(_length(line, size) > width - 2 * padding for line in lines):
        size -= 1
    strip = Image.new("RGB", (width, len(lines) * (size + padding) + padding), "black")
    drawing = ImageDraw.Draw(strip)
    for number, line in enumerate(lines):
        middle = padding + size / 2 + number * (size + padding)
        drawing.text((padding, middle), line, fill="white", font=font(size, line), anchor="lm")
    return np.concatenate([picture, np.asarray(strip)])


def _length(line: str, size: int) -> float:
    return font(size, line).getlength(line)


def _broken(line: str, size: int, width: int) -> list[str]:
    """A line as lines that fit the width, as far as its words are short enough."""
    lines = [""]
    for word in line.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and _length(longer, size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def plot_count(
    picture: np.ndarray,
    density: np.ndarray,
    *,
    title: str,
    axes: Axes | None = None,
    scale: float = 1.0,
    thing: str = "people",
) -> Axes:
    """Draw a picture with its density map over it and a color bar in people per cell.

    Args:
        picture: uint8 RGB, shape (H, W, 3).
        density: people a cell at stride 8, shape (ceil(H / 8), ceil(W / 8)).
        title: line above the picture.
        axes: Matplotlib axes to draw on; without it a new figure of pyplot's.
        scale: see `overlay`.
        thing: what was counted, in the plural.

    Returns:
        The axes.
    """
    from matplotlib import pyplot
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import PowerNorm

    if axes is None:
        _, axes = pyplot.subplots(figsize=(8, 6.8 * picture.shape[0] / picture.shape[1] + 0.5), layout="constrained")
    axes.imshow(overlay(picture, density, scale=scale))
    axes.set_title(literal(title), fontsize="medium", wrap=True)
    axes.set_axis_off()
    colors = ScalarMappable(PowerNorm(EXPONENT, 0, top_density(density, scale)), HEAT)
    axes.figure.colorbar(colors, ax=axes, shrink=0.8, label=f"{thing} per cell of {STRIDE} x {STRIDE} pixels")
    return axes


def plot_learning(rows: Sequence[Mapping], *, title: str = "", kept: int | None = None) -> Figure:
    """Draw a learning curve: the loss of the training crops above, the errors on the validation pictures below.

    Args:
        rows: one an epoch, as `history.csv` has them: `loss`, `val_mae` and `val_rmse`, numbers or their text, the
            last two empty in epochs that were not validated; and `run`, a number, where several runs that went on
            from each other are in one curve. A line marks where each begins.
        title: line above the curves.
        kept: epoch of the last run whose weights were kept; it is marked.

    Returns:
        The figure, which `savefig` writes to a file.

    Raises:
        DataError: if there are no rows.

    Example:
        >>> rows = [{"loss": 9.5, "val_mae": "", "val_rmse": ""}, {"loss": 7.0, "val_mae": 12.0, "val_rmse": 20.5}]
        >>> [axes.get_ylabel() for axes in plot_learning(rows).axes]
        ['loss a crop', 'heads']
    """
    from matplotlib.figure import Figure

    if not rows:
        raise DataError("A learning curve needs at least one epoch. Received: no rows")
    epochs = np.arange(1, len(rows) + 1)
    runs = np.array([int(row.get("run", 1)) for row in rows])
    starts = np.flatnonzero(np.diff(runs, prepend=-1))
    figure = Figure(figsize=(8, 5.5), layout="constrained")
    losses, errors = figure.subplots(2, 1, sharex=True)
    for start, end in zip(starts, [*starts[1:], len(rows)]):  # losses of different runs may be of different crops
        loss = [float(row["loss"]) for row in rows[int(start) : int(end)]]
        losses.plot(epochs[start:end], loss, color="black", marker=".")
    for key, label, color in (("val_mae", "MAE", "#0072B2"), ("val_rmse", "RMSE", "#D55E00")):
        measured = [(epoch, float(row[key])) for epoch, row in zip(epochs, rows) if row[key] != ""]
        errors.plot(*np.array(measured, float).reshape(-1, 2).T, color=color, marker="o", label=label)
    if kept is not None:
        errors.axvline(epochs[starts[-1]] + kept - 1, color="0.5", linestyle=":", label="weights kept")
    for axes in (losses, errors):
        for start in starts[1:]:
            axes.axvline(epochs[start] - 0.5, color="0.5", linewidth=0.8)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    losses.set_ylabel("loss a crop")
    losses.set_title(literal(title), fontsize="medium", wrap=True)
    errors.set_ylabel("heads")
    runs_on = f" of {len(starts)} runs, each going on from the one before" if len(starts) > 1 else ""
    errors.set_xlabel(f"epoch{runs_on}")
    errors.xaxis.get_major_locator().set_params(integer=True)
    errors.legend(title="validation", fontsize="small", title_fontsize="small")
    return figure


def top_density(density: np.ndarray, scale: float = 1.0) -> float:
    """People a cell that the hottest color stands for: the densest hundredth of those where people are."""
    least = _LEAST_TOP * _cell(scale)
    peopled = density[density > least / 10]
    return max(least, float(np.percentile(peopled, 99))) if peopled.size else least


def _cell(scale: float) -> float:
    """A cell's area, as part of a cell of the picture that the network saw."""
    return min(scale, 1.0) ** 2
