"""The one look of the course's figures: sizes, colors that the color-blind can tell apart, labels with units.

>>> from crowdcount.course import look
>>> look.use()
>>> figure, axes = look.canvas(1, 2)
>>> look.label(axes[0], "epoch", "loss (nats)", "The loss falls")
>>> _ = axes[0].plot([1, 2, 3], color=look.BLUE)
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from crowdcount.course import alt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito, "Color Universal Design" (2008): told apart by readers of every kind of color vision.
BLACK = "#000000"
ORANGE = "#E69F00"
SKY = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"
GRAY = "#7F7F7F"
# In this order lines also differ in lightness, so that a gray print can be read. Yellow is too faint for it.
CYCLE = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY, BLACK)

# One map for densities (dark to bright evenly), one for values of both signs (zero is white).
HEAT = "plasma"
SIGNED = "PuOr"

# Inches: at 120 dots an inch a little wider than the text of a web page, which scales it down, so it stays sharp.
WIDTH = 8.6
_DOTS_PER_INCH = 120
_COLORS = 256
_MANY_COLORS = 8192
_HEIGHT = 3.1


def use() -> None:
    """Give every figure drawn from here on the course's look."""
    from cycler import cycler
    from matplotlib import rcParams

    rcParams.update(
        {
            "figure.dpi": _DOTS_PER_INCH,
            "figure.figsize": (WIDTH, _HEIGHT),
            "font.size": 10.5,
            "axes.titlesize": 11,
            "axes.labelsize": 10.5,
            "legend.fontsize": 9.5,
            "xtick.labelsize": 9.5,
            "ytick.labelsize": 9.5,
            "axes.prop_cycle": cycler(color=CYCLE),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#E5E5E5",
            "legend.frameon": False,
            "lines.linewidth": 2,
            "lines.markersize": 6,
            "image.cmap": "gray",
        }
    )
    _describe_figures()


def _describe_figures() -> None:
    """In a notebook every figure is shown with a text for those who cannot see it, as a small file."""
    try:
        from IPython import get_ipython
    except ImportError:
        return
    shell = get_ipython()
    if shell is None:
        return
    from matplotlib import pyplot
    from matplotlib.figure import Figure

    pyplot.figure()  # the first one lets the notebook's backend set its own format, which this replaces
    pyplot.close()
    shell.display_formatter.formatters["image/png"].for_type(Figure, png)


def png(figure: Figure) -> tuple[bytes, dict[str, str]]:
    """A figure as a PNG file of at most 256 colors, and `{"alt": what it shows in words}`.

    The palette makes files of drawn crowds less than half as large; a chart has fewer colors anyway.
    """
    from PIL import Image

    drawn, small = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", facecolor="white", bbox_inches="tight")
    image = Image.open(drawn).convert("RGB")
    # The octree is made for pictures; it shifts the few colors of a chart a little, which median cut keeps.
    method = Image.Quantize.FASTOCTREE if image.getcolors(_MANY_COLORS) is None else Image.Quantize.MEDIANCUT
    image.quantize(_COLORS, method=method, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return small.getvalue(), {"alt": alt.text(figure)}


def canvas(
    rows: int = 1, columns: int = 1, *, height: float = _HEIGHT, width: float = WIDTH, **options
) -> tuple[Figure, Axes | np.ndarray]:
    """A figure as wide as the page with a grid of axes.

    Args:
        rows: axes above each other.
        columns: axes beside each other.
        height: of one row, in inches.
        width: of the whole figure, in inches.
        options: handed on to `pyplot.subplots`.

    Returns:
        The figure and its axes: one, or an array as `pyplot.subplots` gives it.
    """
    from matplotlib import pyplot

    return pyplot.subplots(rows, columns, figsize=(width, height * rows), layout="constrained", **options)


def label(axes: Axes, x: str, y: str, title: str = "") -> None:
    """Name both axes, with units in brackets, and what the figure shows."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_title(title)


def picture(axes: Axes, values: np.ndarray, title: str = "", **options) -> None:
    """Show an array as a picture: no ticks, no grid, no smoothing where its pixels are enlarged to squares.

    Args:
        axes: where to draw.
        values: (H, W, 3) or (H, W, 1) or (H, W).
        title: line above the picture.
        options: handed on to `Axes.imshow`.
    """
    shown = values[..., 0] if values.ndim == 3 and values.shape[-1] == 1 else values
    axes.imshow(shown, **{"interpolation": "antialiased", **options})
    axes.set_title(title)
    axes.set_axis_off()


def numbers(axes: Axes, values: np.ndarray, title: str = "", *, form: str = "{:g}", **options) -> None:
    """Show a small matrix as colored cells with the numbers written in them.

    Args:
        axes: where to draw.
        values: (rows, columns).
        title: line above.
        form: how a number is written.
        options: handed on to `Axes.imshow`; the color map is `SIGNED` about zero unless given.
    """
    values = np.atleast_2d(values)
    top = float(np.abs(values).max()) or 1.0
    image = axes.imshow(values, **{"cmap": SIGNED, "vmin": -1.6 * top, "vmax": 1.6 * top, **options})
    for (row, column), value in np.ndenumerate(values):
        red, green, blue, _ = image.cmap(image.norm(value))
        ink = "white" if 0.3 * red + 0.59 * green + 0.11 * blue < 0.45 else "black"
        text = form.format(value)
        # A small negative number must not read "-0.00".
        text = text.lstrip("-") if not text.strip("-0.") else text
        axes.text(column, row, text, ha="center", va="center", color=ink)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.set_title(title)


def network(
    axes: Axes,
    sizes: Sequence[int],
    *,
    names: Sequence[Sequence[str]] = (),
    titles: Sequence[str] = (),
    show_at_most: int = 7,
    first: Sequence[Sequence[int]] = (),
) -> None:
    """Draw the layers of a network as columns of circles, each joined to all of the layer before.

    Args:
        axes: where to draw.
        sizes: units of each layer, the inputs first.
        names: for each layer the text in its circles, those without text left empty.
        titles: line under each layer.
        show_at_most: circles drawn of a layer; a larger one is shortened by dots.
        first: for each unit after the inputs the inputs that it is joined to, where these are not all.
    """
    shown = [min(size, show_at_most) for size in sizes]
    places = [[(2.2 * layer, (count - 1) / 2 - unit) for unit in range(count)] for layer, count in enumerate(shown)]
    for layer, (before, after) in enumerate(zip(places, places[1:])):
        for unit, (x1, y1) in enumerate(after):
            for x0, y0 in [before[i] for i in first[unit]] if first and layer == 0 else before:
                axes.plot([x0, x1], [y0, y1], color="#BBBBBB", linewidth=0.9, zorder=1)
    colors = [SKY, *[ORANGE] * (len(sizes) - 2), GREEN]
    lowest = -(max(shown) - 1) / 2 - 0.95
    for layer, column in enumerate(places):
        cut = sizes[layer] > show_at_most
        for unit, (x, y) in enumerate(column):
            if cut and unit == show_at_most - 2:
                axes.text(x, y, "⋮", ha="center", va="center", fontsize=15, zorder=3)
                circle = (x, y, "white", "none")
            else:
                circle = (x, y, colors[layer], "black")
            axes.scatter(*circle[:2], s=620, color=circle[2], edgecolor=circle[3], linewidth=0.8, zorder=2)
            if layer < len(names) and unit < len(names[layer]):
                text = names[layer][unit]
                size = 9.5 if len(text) < 5 else 7.5
                axes.text(x, y, text, ha="center", va="center", fontsize=size, zorder=3)
        if layer < len(titles):
            axes.text(column[0][0], lowest, titles[layer], ha="center", va="top", fontsize=9.5)
    axes.set_xlim(-1.1, 2.2 * (len(sizes) - 1) + 1.1)
    axes.set_ylim(lowest - 0.9, (max(shown) - 1) / 2 + 0.7)
    axes.set_axis_off()
