"""Reasons to doubt a count that can be seen in the picture or in its density map.

Each function looks for one of them and gives a sentence, or None. Sentences are for people; code goes by the `Doubt`
beside them. `benchmarks/doubts.py` measures how often each speaks of good pictures and of bad ones. All look at blocks
of 64 x 64 pixels, about the largest head that the networks meet in training; of the picture at most 144 of them, so
that a large picture costs no more than a small one.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

import numpy as np

from crowdcount.grid import STRIDE

_SIDE = 64
_BLOCKS_A_SIDE = 12
# Rec. 601, as Pillow's gray.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
# The brightest twentieth of a good picture never lay below 158 of 255.
_DARK = 80.0
# Contrast of the liveliest blocks as a share of the brightness: 0.16 in good pictures, 0.06 in clouds.
_BLANK = 0.08
# Differences between pixels, noise and slopes included, as a share of the brightness.
_PLAIN = 0.2
# A brightness below this is noise, not light.
_BLACK = 25.0
# How much less two pixels differ that are 2 apart than two that are 8 apart: 0.48 and more in good pictures.
_BLURRED = 0.45
# Pixels of the shorter side: the smallest training picture has 182.
_SMALLEST = 128
# People in the fullest block.
_NOBODY = 1.5
# People a cell in the fullest tenth of the map, times the fineness of the picture: of 625 training pictures
# 15 have more by their true maps. Pictures that were shrunk have both, dense maps and fine detail.
_CROWDED = 0.36


class Doubt(str, Enum):
    """What a count is doubted for. Each is a text, too: `Doubt.DARK == "dark"`."""

    BLANK = "blank"
    DARK = "dark"
    BLURRED = "blurred"
    SMALL = "small"
    NOBODY = "nobody"
    CROWDED = "crowded"
    SIDE = "side"
    """It lies on its side, see `turned`."""
    SIZES = "sizes"
    """At another size it comes to another count, see `scale.disagreement`."""
    UNKNOWN = "unknown"
    """It has no range: no picture like it was calibrated with."""


# Beside these no range stands: no validation picture has them.
_NO_GROUND = frozenset({Doubt.BLANK, Doubt.DARK, Doubt.BLURRED, Doubt.CROWDED, Doubt.SIDE})


def carries_range(doubts: Iterable[Doubt]) -> bool:
    """Whether a picture with these doubts is like those that ranges come from: bright, sharp, with heads to be seen.

    Example:
        >>> carries_range([]), carries_range([Doubt.SMALL]), carries_range([Doubt.SMALL, Doubt.DARK])
        (True, True, False)
    """
    return _NO_GROUND.isdisjoint(doubts)


def find_doubts(picture: np.ndarray, density: np.ndarray, *, size: tuple[int, int] | None = None) -> dict[Doubt, str]:
    """Reasons to doubt a count.

    Args:
        picture: uint8 RGB, shape (H, W, 3).
        density: people a cell at stride 8, shape (ceil(H / 8), ceil(W / 8)).
        size: height and width in pixels of the picture that was resized to this one; None: it was not.

    Returns:
        A sentence for each; usually none. Of a blank picture only that it is blank.

    Example:
        >>> find_doubts(np.zeros((80, 120, 3), np.uint8), np.zeros((10, 15), np.float32))[Doubt.BLANK]
        'There is hardly any contrast in the picture: it shows nothing to count.'
    """
    blocks = sample_blocks(picture)
    sentence = blank(blocks)
    if sentence:
        return {Doubt.BLANK: sentence}
    found = {
        Doubt.SMALL: small(size or picture.shape[:2]),
        Doubt.DARK: dark(blocks),
        Doubt.BLURRED: blurred(blocks),
        Doubt.NOBODY: nobody(density),
        Doubt.CROWDED: crowded(blocks, density),
    }
    return {doubt: sentence for doubt, sentence in found.items() if sentence}


def sample_blocks(picture: np.ndarray) -> np.ndarray:
    """Gray blocks spread evenly over a picture, at its own resolution.

    Args:
        picture: uint8 RGB, shape (H, W, 3).

    Returns:
        float32 (blocks, side, side), 0..255; the side is 64, or the picture's shorter side if that is less.
    """
    height, width = picture.shape[:2]
    side = min(_SIDE, height, width)
    tops, lefts = (
        np.unique(np.linspace(0, length - side, min(_BLOCKS_A_SIDE, length // side)).astype(int))
        for length in (height, width)
    )
    blocks = np.stack([picture[top : top + side, left : left + side] for top in tops for left in lefts])
    return blocks @ _LUMA


def fullest_block(density: np.ndarray) -> float:
    """People in the fullest block of 64 x 64 pixels, wherever it lies; in the whole of a smaller map.

    Args:
        density: people a cell at stride 8, shape (rows, columns).

    Example:
        >>> fullest_block(np.full((20, 20), 0.25, np.float32))
        16.0
    """
    sums = np.pad(density.astype(np.float64), ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    rows, columns = (min(_SIDE // STRIDE, cells) for cells in density.shape)
    block = sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns] + sums[:-rows, :-columns]
    return float(block.max())


def blank(blocks: np.ndarray) -> str | None:
    """A covered lens, a wall, an empty sky: nothing but noise and slow changes of brightness."""
    light = max(_BLACK, brightness(blocks))
    plain = np.percentile(blocks.std(axis=(1, 2)), 90) < _PLAIN * light
    if plain and np.percentile(_contrast(blocks), 90) < _BLANK * light:
        return "There is hardly any contrast in the picture: it shows nothing to count."
    return None


def dark(blocks: np.ndarray) -> str | None:
    """A picture taken with too little light."""
    if brightness(blocks) < _DARK:
        return "The picture is very dark: people in the dark are missed. Brighten it, or use another one."
    return None


def blurred(blocks: np.ndarray) -> str | None:
    """Out of focus, shaken, or enlarged: heads are larger and softer than any that were trained on."""
    if fineness(blocks) < _BLURRED:
        return (
            "The picture is blurred, or was enlarged: heads have no edges. Use it as it came from the camera, or a "
            "sharper one."
        )
    return None


def small(size: tuple[int, int]) -> str | None:
    """A picture too small to hold heads of several pixels, a thumbnail for example."""
    height, width = size
    if min(height, width) < _SMALLEST:
        return (
            f"The picture is very small ({width}x{height} pixels): heads need several pixels each. "
            "Use it at its original size."
        )
    return None


def nobody(density: np.ndarray) -> str | None:
    """No place as large as a large head holds more than one."""
    if fullest_block(density) >= _NOBODY:
        return None
    return "Few people are in sight, or none: nowhere does the network see as many as two heads within 64 x 64 pixels."


def crowded(blocks: np.ndarray, density: np.ndarray) -> str | None:
    """Heads smaller, and so closer together, than in nearly all training pictures: a shrunk picture."""
    if np.percentile(density, 90) * fineness(blocks) > _CROWDED:
        return (
            "Heads are smaller and closer together than the network was trained on, and many are missed. "
            "Use the picture at its original size, or count it in parts that were taken from nearer."
        )
    return None


def fineness(blocks: np.ndarray) -> float:
    """How much two pixels differ that are 2 apart, as a share of what two differ that are 8 apart.

    That of the finest tenth of the livelier blocks: a sharp crowd before a soft background is sharp. A slope
    gives 0.25, noise 1.
    """
    if blocks.shape[1] <= 8:  # too small to tell: as in an ordinary picture
        return 0.6
    contrast = _contrast(blocks)
    lively = blocks[contrast >= np.median(contrast)]
    return float(np.percentile(_difference(lively, 2) / np.maximum(_difference(lively, 8), 1e-3), 90))


def brightness(blocks: np.ndarray) -> float:
    """What the brightest twentieth of the pixels exceeds."""
    return float(np.percentile(blocks, 95))


def _contrast(blocks: np.ndarray) -> np.ndarray:
    """Standard deviation in each block, less noise (means of 4 x 4 pixels) and even slopes of brightness."""
    pool = min(4, blocks.shape[1])
    side = blocks.shape[1] // pool
    means = blocks[:, : side * pool, : side * pool].reshape(-1, side, pool, side, pool).mean(axis=(2, 4))
    means -= means.mean(axis=(1, 2), keepdims=True)
    at = np.arange(side, dtype=np.float32) - (side - 1) / 2
    for slope in (at[:, np.newaxis], at[np.newaxis]):
        length = max(1.0, float(np.sum(slope**2)) * side)
        means -= slope * (means * slope).sum(axis=(1, 2), keepdims=True) / length
    return means.std(axis=(1, 2))


def _difference(blocks: np.ndarray, distance: int) -> np.ndarray:
    """Root mean square difference, in each block, of two pixels so far apart, along both axes."""
    down = np.square(blocks[:, distance:] - blocks[:, :-distance]).mean(axis=(1, 2))
    across = np.square(blocks[:, :, distance:] - blocks[:, :, :-distance]).mean(axis=(1, 2))
    return np.sqrt((down + across) / 2)
