"""Drawn pictures and clutter that hold nobody: what a network must learn not to count."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

# Scraps are drawn at twice the size and shrunk, for soft edges: a hard-edged scrap is told from a head by that alone.
_OVERSAMPLING = 2
# Strewing 90 % of a crop with scraps of 2 pixels takes tens of thousands; so many keep the trainer waiting.
_MOST_SCRAPS = 4000


def draw_nothing(height: int, width: int, seed: int) -> np.ndarray:
    """A picture of nothing, uint8 (height, width, 3): a run of colors from left to right or top to bottom, and noise.

    The noise goes from a sensor's, which is hardly seen, to that of a screen without a signal.
    """
    rng = np.random.default_rng(seed)
    first = rng.uniform(0, 255, 3) if rng.random() < 0.5 else np.full(3, rng.choice([0.0, 255.0, rng.uniform(0, 255)]))
    last = rng.uniform(0, 255, 3) if rng.random() < 0.5 else first
    along = np.linspace(0, 1, width)[None, :, None] if rng.random() < 0.5 else np.linspace(0, 1, height)[:, None, None]
    colors = np.broadcast_to(first + (last - first) * along, (height, width, 3))
    if rng.random() < 0.5:
        spread = float(np.exp(rng.uniform(0, np.log(80))))
        colors = colors + rng.normal(0, spread, (height, width, 1 if rng.random() < 0.5 else 3))
    return np.clip(np.rint(colors), 0, 255).astype(np.uint8)


def strew(picture: np.ndarray, seed: int, thickest: float) -> np.ndarray:
    """The picture with scraps strewn over it: confetti, leaves, litter, more in some places than in others.

    Args:
        picture: uint8 RGB (H, W, 3); stays as it is.
        seed: of what is strewn: one to four colors, ellipses and rectangles of one size, 2 to 16 pixels across.
        thickest: largest share of the picture that scraps may cover, from 0 to 1.

    Returns:
        uint8 RGB (H, W, 3).

    Example:
        >>> ground = np.full((64, 64, 3), 128, np.uint8)
        >>> bool(0 < (strew(ground, seed=1, thickest=0.5) != ground).any(axis=-1).mean() < 0.6)
        True
    """
    rng = np.random.default_rng(seed)
    height, width = picture.shape[:2]
    across = float(np.exp(rng.uniform(np.log(2), np.log(16))))
    covered = thickest * rng.random()
    # Scraps fall on each other: a share c is covered once -log(1 - c) of the area has been thrown.
    number = min(_MOST_SCRAPS, int(-np.log1p(-covered) * height * width / (0.6 * across**2)) + 1)
    colors = rng.uniform(0, 255, (int(rng.integers(1, 5)), 3))
    grays = colors.mean(axis=1, keepdims=True)  # litter is seldom as bright as confetti
    colors = grays + (colors - grays) * rng.random((len(colors), 1))
    centers = rng.random((number, 2)) * (width, height)
    if rng.random() < 0.5:  # thinner toward one side
        axis, power = int(rng.integers(2)), rng.uniform(1, 3)
        side = (width, height)[axis]
        thrown = rng.random(number) ** power
        centers[:, axis] = side * (thrown if rng.random() < 0.5 else 1 - thrown)
    long = across * rng.uniform(0.7, 1.3, number)
    short = long * rng.uniform(0.3, 1, number)
    angle = rng.uniform(0, np.pi, number)
    # Half of the runs are papers, half are round; each scrap catches the light in its own way.
    sides = 4 if rng.random() < 0.5 else 8
    turn = angle[:, None] + np.pi / sides + 2 * np.pi * np.arange(sides) / sides
    along, beside = (
        long[:, None] / 2 * np.cos(turn - angle[:, None]),
        short[:, None] / 2 * np.sin(turn - angle[:, None]),
    )
    cosine, sine = np.cos(angle)[:, None], np.sin(angle)[:, None]
    corners = np.stack([along * cosine - beside * sine, along * sine + beside * cosine], axis=-1) + centers[:, None]
    shades = np.clip(colors[rng.integers(len(colors), size=number)] * rng.uniform(0.6, 1.2, (number, 1)), 0, 255)

    large = (width * _OVERSAMPLING, height * _OVERSAMPLING)
    canvas, mask = Image.new("RGB", large), Image.new("L", large)
    draw, cover = ImageDraw.Draw(canvas), ImageDraw.Draw(mask)
    for corner, shade in zip((corners * _OVERSAMPLING).reshape(number, -1).tolist(), shades.astype(int).tolist()):
        draw.polygon(corner, fill=tuple(shade))
        cover.polygon(corner, fill=255)
    fallen, hidden = (np.asarray(image.reduce(_OVERSAMPLING), np.float32) for image in (canvas, mask))
    # The canvas is black where nothing fell, so its mean over a pixel is the scraps' color times their share.
    bare = 1 - hidden[..., None] / 255
    return np.clip(np.rint(fallen + picture * bare), 0, 255).astype(np.uint8)
