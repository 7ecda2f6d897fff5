"""What a picture shows of its density map besides heat: contours and dots, which leave heads in sight; a scale."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PIL import Image, ImageDraw

from crowdcount.grid import STRIDE
from crowdcount.show.fonts import font
from crowdcount.show.plots import EXPONENT, HEAT, top_density

STYLES = ("heat", "contour", "dots")
"""How a density map is laid over its picture."""

# Side in pixels of the squares that the scale counts in: a single cell holds too few people for a number.
_BLOCK = 64
# Where the contours lie on the color scale, and cells over which the map is smoothed: of heads apart one line each.
_LEVELS = (0.25, 0.5, 0.75)
_SMOOTH = 2.0
_DOT = (255, 214, 0)


def draw_contours(picture: np.ndarray, density: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """Lines around the places of equal density, in the colors of the heat map.

    Args:
        picture: uint8 RGB, shape (H, W, 3).
        density: people a cell at stride 8, shape (ceil(H / 8), ceil(W / 8)).
        scale: see `plots.overlay`.

    Returns:
        uint8 RGB (H, W, 3).

    Example:
        >>> picture = np.zeros((80, 80, 3), np.uint8)
        >>> draw_contours(picture, np.zeros((10, 10), np.float32)).any()
        np.False_
    """
    from matplotlib.figure import Figure
    from scipy.ndimage import gaussian_filter

    top = top_density(density, scale)
    smooth = np.pad(gaussian_filter(density.astype(np.float32), _SMOOTH, mode="constant"), 1)  # lines close at borders
    rows, columns = ((np.arange(cells) - 0.5) * STRIDE for cells in smooth.shape)
    people = [top * level ** (1 / EXPONENT) for level in _LEVELS]
    levels = Figure().subplots().contour(columns, rows, smooth, people).get_paths()
    lines = [[np.asarray(line) for line in path.to_polygons(closed_only=False)] for path in levels]
    image = Image.fromarray(picture)
    drawing, width = ImageDraw.Draw(image), max(2, max(picture.shape[:2]) // 500)
    for color, level in zip(_colors(np.array(_LEVELS)), lines, strict=True):
        for line in filter(len, level):
            points = [(float(x), float(y)) for x, y in line]
            drawing.line(points, "white", 2 * width + 1, joint="curve")  # to be seen on any ground
            drawing.line(points, tuple(color.tolist()), width, joint="curve")
    return np.asarray(image)


def draw_dots(picture: np.ndarray, heads: Iterable) -> np.ndarray:
    """A dot on every head.

    Args:
        picture: uint8 RGB, shape (H, W, 3).
        heads: positions (N, 2), x and y in pixels.

    Returns:
        uint8 RGB (H, W, 3).

    Example:
        >>> draw_dots(np.zeros((40, 40, 3), np.uint8), [[20.0, 10.0]])[10, 20].tolist()
        [255, 214, 0]
    """
    image = Image.fromarray(picture)
    drawing, radius = ImageDraw.Draw(image), max(3, max(picture.shape[:2]) // 250)
    for x, y in np.asarray(heads, float).reshape(-1, 2).tolist():
        drawing.ellipse((x - radius, y - radius, x + radius, y + radius), _DOT, "black", max(1, radius // 3))
    return np.asarray(image)


def color_scale(width: int, density: np.ndarray, scale: float = 1.0, thing: str = "people") -> np.ndarray:
    """A strip that tells what the colors of a density map stand for.

    Args:
        width: in pixels.
        density: the map that they were laid over with.
        scale: see `plots.overlay`.
        thing: what was counted, in the plural.

    Returns:
        uint8 RGB (strip, width, 3); as many as its numbers say are within 64 x 64 pixels.

    Example:
        >>> color_scale(640, np.zeros((60, 80), np.float32)).shape
        (40, 640, 3)
    """
    size = max(14, min(48, width // 32))
    most = top_density(density, scale) * (_BLOCK // STRIDE) ** 2
    middle = 0.5 ** (1 / EXPONENT) * most
    title = f"{thing[:1].upper()}{thing[1:]} in {_BLOCK} x {_BLOCK} pixels: "
    while size > 8 and font(size, title).getlength(title) > 0.6 * width:
        size -= 1
    height = 2 * size
    strip = Image.new("RGB", (width, height), "black")
    drawing, letters = ImageDraw.Draw(strip), font(size, title)
    left = float(size // 2)
    bar = max(4, min(8 * size, int(0.3 * (width - letters.getlength(title)))) // 2)
    ramp = np.tile(_colors(np.linspace(0, 1, 2 * bar)), (size, 1, 1)).astype(np.uint8)
    for text, start in ((f"{title}0 ", 0), (f" {_short(middle)} ", bar), (f" {_short(most)}", None)):
        drawing.text((left, height / 2), text, fill="white", font=letters, anchor="lm")
        left += letters.getlength(text)
        if start is not None:
            strip.paste(Image.fromarray(ramp[:, start : start + bar]), (round(left), (height - size) // 2))
            left += bar
    return np.asarray(strip)


def _short(number: float) -> str:
    """Two digits, and no exponent, which people take for a large number or none: 1.3e+02 is 130."""
    return f"{float(format(number, '.2g')):g}"


def _colors(levels: np.ndarray) -> np.ndarray:
    """The colors at places of the scale, 0..1: uint8 (N, 3)."""
    from matplotlib import colormaps

    return colormaps[HEAT](levels, bytes=True)[..., :3]
