"""PNG files of 16 bits a sample in color: Pillow reads their high bytes alone, which of 10 or 12 bits are black."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
from PIL import Image

from crowdcount.data.samples import scaled
from crowdcount.errors import PictureError

_HIGH, _LOW = ";16B", ";16L"


def is_wide(image: Image.Image) -> bool:
    """Whether it is such a file, its pixels not read yet."""
    tiles: Any = getattr(image, "tile", None)
    return image.format == "PNG" and bool(tiles) and image.mode[0] in "RL" and str(tiles[0][3]).endswith(_HIGH)


def wide_light(image: Image.Image, name: str, notes: list[str]) -> Image.Image | None:
    """The picture by the bits that are used; None where these are all 16, and the high bytes will do.

    Args:
        image: one that `is_wide`; its pixels are read.
        name: how messages call it.
        notes: see `crowdcount.data.samples.scaled`.

    Raises:
        PictureError: for gray with transparency of fewer bits.
    """
    file: Any = image.fp  # type: ignore[attr-defined]  # files have one until their pixels are read
    tile: Any = image.tile[0]  # type: ignore[attr-defined]  # and a tile
    image.load()
    high = np.asarray(image)
    bands = 3 if image.mode.startswith("RGB") else 1
    transparent = image.info.get("transparency")
    if high[..., :bands].max() >= 128 and not isinstance(transparent, tuple):
        return None
    if bands == 1:
        raise PictureError(f"{name} has 16 bits a sample, of which fewer are used, and transparency. Save it as RGB.")
    path = getattr(image, "filename", "")  # Pillow closes what it has opened itself
    with open(path, "rb") if path else nullcontext(file) as pixels:
        pixels.seek(0)
        again: Any = Image.open(pixels, formats=["PNG"])
        # The low bytes are the high ones of samples whose bytes are exchanged.
        again.tile = [(*tile[:3], tile[3].replace(_HIGH, _LOW))]
        again.load()
    samples = (high.astype(np.uint16) << 8) | np.asarray(again)
    light = scaled(samples[..., :3], notes)
    if samples.shape[-1] == 4:
        # By its own bits: beside light of 12 bits it may have 16.
        light = np.concatenate([light, scaled(samples[..., 3:], [])], axis=-1)
    elif isinstance(transparent, tuple):
        light[(samples == transparent).all(axis=-1)] = 255
    return Image.fromarray(light)
