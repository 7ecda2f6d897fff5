"""Zones drawn on a picture: borders, names, what is told of them, and darkness outside them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
from PIL import Image, ImageDraw

from crowdcount.area.zones import Zone, zone_rows
from crowdcount.show.fonts import font

# Rows of pixels that are drawn at once: each further copy of 100 megapixels would fill 300 MB.
_ROWS = 256


def draw_zones(picture: np.ndarray, zones: Iterable[Zone], told: Mapping[str, str] | None = None) -> np.ndarray:
    """Draw zones on a picture: their borders and names, and the picture darkened outside them.

    Args:
        picture: uint8 RGB, shape (H, W, 3), as it is or with its density map over it.
        zones: the zones, in pixels or fractions.
        told: zone's name -> what is written below it, as the people in it.

    Returns:
        uint8 RGB, shape (H, W, 3).

    Raises:
        DataError: if a zone lies outside the picture.
    """
    height, width = picture.shape[:2]
    zones = list(zones)
    size = (height, width)
    borders = [zone.pixels(size) for zone in zones]
    lines = [*borders, *(hole for zone in zones for hole in zone.hole_pixels(size))]
    shown = picture.copy()
    line = max(1, max(height, width) // 400)
    for start in range(0, height, _ROWS):
        rows = shown[start : start + _ROWS]
        outside = ~zone_rows(zones, size, start, start + len(rows))
        np.floor_divide(rows, 3, out=rows, where=outside[..., np.newaxis])
        image = Image.fromarray(rows)
        draw = ImageDraw.Draw(image)
        for border in lines:
            # Whole numbers: what meets at the edge of two parts is then rounded alike in both.
            corners = [(x, y - start) for x, y in border.astype(int).tolist()]
            draw.line([*corners, corners[0]], fill="white", width=line, joint="curve")
        rows[:] = image
    for zone, border in zip(zones, borders):
        text = zone.name if told is None else f"{zone.name}\n{told[zone.name]}"
        _write(shown, _label_place(border), text, font=font(max(10, max(height, width) // 45), text), stroke_width=line)
    return shown


def _write(shown: np.ndarray, place: tuple[float, float], text: str, *, font, stroke_width: int) -> None:
    """Write text around a place into a picture, in place: only what it covers is copied."""
    how = dict(font=font, anchor="mm", align="center", stroke_width=stroke_width)
    height, width = shown.shape[:2]
    left, top, right, bottom = ImageDraw.Draw(Image.new("RGB", (1, 1))).multiline_textbbox(place, text, **how)
    left, top = max(0, math.floor(left)), max(0, math.floor(top))
    right, bottom = min(width, math.ceil(right) + 1), min(height, math.ceil(bottom) + 1)
    covered = shown[top:bottom, left:right]
    image = Image.fromarray(covered)
    inside = (place[0] - left, place[1] - top)
    ImageDraw.Draw(image).multiline_text(inside, text, fill="white", stroke_fill="black", **how)
    covered[:] = image


def _label_place(corners: np.ndarray) -> tuple[float, float]:
    """A point well inside a polygon: the middle of its widest span halfway down."""
    y = (corners[:, 1].min() + corners[:, 1].max()) / 2
    ends = np.roll(corners, -1, axis=0)
    falls = (corners[:, 1] <= y) != (ends[:, 1] <= y)
    (x0, y0), (x1, y1) = corners[falls].T, ends[falls].T
    spans = np.sort(x0 + (y - y0) / (y1 - y0) * (x1 - x0)).reshape(-1, 2)
    left, right = spans[np.diff(spans).argmax()]
    return (left + right) / 2, y
