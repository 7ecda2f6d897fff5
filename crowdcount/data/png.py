"""PNG files of 16 bits a sample in color: Pillow reads their high bytes alone, which of 10 or 12 bits are black."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
from PIL import Image

from crowdcount.data.samples import scaled

# Pillow's names for how pixels lie in a file -> that by which the bytes come that it leaves out: the low ones of color
# are the high ones of samples whose bytes are exchanged; two of gray and two of transparency are four of color.
_WHOLE = {"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L", "LA;16B": "RGBA"}


def is_wide(image: Image.Image) -> bool:
    """Whether it is such a file, its pixels not read yet."""
    tiles: Any = getattr(image, "tile", None)
    return image.format == "PNG" and bool(tiles) and tiles[0][3] in _WHOLE


def wide_light(image: Image.Image, notes: list[str]) -> Image.Image | None:
    """The picture by the bits that are used; None where these are all 16, and the high bytes will do.

    Args:
        image: one that `is_wide`; its pixels are read.
        notes: see `crowdcount.data.samples.scaled`.
    """
    file: Any = image.fp  # type: ignore[attr-defined]  # files have one until their pixels are read
    tile: Any = image.tile[0]  # type: ignore[attr-defined]  # and a tile
    stored = tile[3]
    image.load()
    high = np.asarray(image)
    transparent = image.info.get("transparency")
    if high[..., :3].max() >= 128 and not isinstance(transparent, tuple):
        return None
    path = getattr(image, "filename", "")  # Pillow closes what it has opened itself
    with open(path, "rb") if path else nullcontext(file) as pixels:
        pixels.seek(0)
        again: Any = Image.open(pixels, formats=["PNG"])
        again.tile = [(*tile[:3], _WHOLE[stored])]
        again.load()
    rest = np.asarray(again, np.uint16)
    if stored == "LA;16B":
        samples = (rest[..., [0, 0, 0, 2]] << 8) | rest[..., [1, 1, 1, 3]]
    else:
        samples = (high.astype(np.uint16) << 8) | rest
    light = scaled(samples[..., :3], notes)
    if samples.shape[-1] == 4:
        # By its own bits: beside light of 12 bits it may have 16.
        light = np.concatenate([light, scaled(samples[..., 3:], [])], axis=-1)
    elif isinstance(transparent, tuple):
        light[(samples == transparent).all(axis=-1)] = 255
    return Image.fromarray(light)
