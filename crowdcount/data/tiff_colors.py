"""The bands of a TIFF's page as light: which are colors, which transparency, and how bright their highest value is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from crowdcount.data.samples import to_uint8
from crowdcount.errors import PictureError

if TYPE_CHECKING:
    from tifffile import TiffPage

# TIFF 6.0: the highest value of a sample, as whole number (MaxSampleValue) and in the type of the samples
# (SMaxSampleValue); what the colors are (PhotometricInterpretation).
MOST_TAGS = (281, 341)
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _INKS = 0, 1, 2, 5
_OTHERS = {3: "a palette", 4: "a mask", 6: "YCbCr", 8: "CIELab", 9: "ICCLab", 10: "ITULab", 32803: "a raw mosaic"}
_PREMULTIPLIED, _ALPHA = 1, 2
# OME-TIFF, as microscopes write it, says it in its description.
_OME_BITS = re.compile(r'\bSignificantBits="(\d{1,2})"')


def stated_most(values: list[Any], description: object = "") -> int | None:
    """The highest value that samples can have, as a file states it; None where it does not.

    Args:
        values: of the tags `MOST_TAGS`, those that are there: a number, or one for each band.
        description: the page's ImageDescription.

    Example:
        >>> stated_most([(4095, 4095, 4095)]), stated_most([], '<Pixels SignificantBits="10">'), stated_most([])
        (4095, 1023, None)
    """
    stated = [np.max(value) for value in values if np.size(value) and np.asarray(value).dtype.kind in "iuf"]
    if isinstance(description, str) and (found := _OME_BITS.search(description)):
        stated.append(2 ** int(found[1]) - 1)
    whole = [int(value) for value in stated if np.isfinite(value) and value > 0]
    return max(whole) if whole else None


@dataclass(frozen=True)
class ColorTags:
    """What a page's tags tell of its bands.

    Attributes:
        photometric: what the colors are (PhotometricInterpretation).
        extras: what the bands beside the colors are (ExtraSamples).
        most: highest value that a sample can have, see `stated_most`.

    Reference:
        TIFF 6.0: ExtraSamples, MaxSampleValue, PhotometricInterpretation.
    """

    photometric: int
    extras: tuple[int, ...]
    most: int | None

    @classmethod
    def of(cls, page: TiffPage) -> ColorTags:
        """Those of a page; raises a ValueError or a TypeError where they are not the numbers that they should be."""
        stated = [page.tags[tag].value for tag in MOST_TAGS if tag in page.tags]
        extras = tuple(int(extra) for extra in page.extrasamples)
        return cls(int(page.photometric), extras, stated_most(stated, page.description))


def light_of(bands: np.ndarray, tags: ColorTags, name: str, notes: list[str]) -> np.ndarray:
    """A page's samples as uint8 that `load_picture` takes: (H, W), (H, W, 3), or (H, W, 4) with transparency.

    Args:
        bands: the samples, (H, W) or (H, W, bands).
        tags: what each band is.
        name: how messages call the file.
        notes: see `crowdcount.data.samples.scaled`.

    Raises:
        PictureError: for colors that are none of gray, RGB and CMYK, and for values that are no light.
    """
    photometric, extras, most = tags.photometric, tags.extras, tags.most
    if photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _INKS):
        found = _OTHERS.get(photometric, f"colors of kind {photometric}")
        raise PictureError(f"{name} holds {found} in wide samples, which is not read here. Save it as RGB.")
    if bands.ndim == 2:
        bands = bands[..., np.newaxis]
    count = {_RGB: 3, _INKS: 4}.get(photometric, 3 if bands.shape[-1] >= 3 else 1)
    if bands.shape[-1] < count:
        raise PictureError(f"{name} has {bands.shape[-1]} bands, too few for its colors. Save it as RGB.")
    colors = to_uint8(_unsigned(bands[..., :count]), name, notes, most)
    if photometric == _WHITE_IS_ZERO:
        colors = 255 - colors
    elif photometric == _INKS:
        colors = _without_inks(colors)
    kind = next((extra for extra in extras if extra in (_PREMULTIPLIED, _ALPHA)), None)
    at = count + (extras.index(kind) if kind is not None else 0)
    if kind is None or at >= bands.shape[-1]:
        return colors[..., 0] if colors.shape[-1] == 1 else colors
    # By its own bits: beside light of 12 bits it may have 16.
    opacity = to_uint8(_unsigned(bands[..., at : at + 1]), name, [], most)
    if kind == _PREMULTIPLIED:
        return np.minimum(colors.astype(np.uint16) + (255 - opacity), 255).astype(np.uint8)  # on white
    return np.concatenate([np.broadcast_to(colors, (*colors.shape[:2], 3)), opacity], axis=-1)


def _unsigned(samples: np.ndarray) -> np.ndarray:
    """Whole numbers of any type as 16 bits, where they fit: signed ones hold 15 bits of light, wide ones often 16."""
    if samples.dtype.kind in "iu" and samples.dtype.itemsize > 1 and samples.min() >= 0 and samples.max() <= 65535:
        return samples.astype(np.uint16)
    return samples


def _without_inks(inks: np.ndarray) -> np.ndarray:
    """RGB of cyan, magenta, yellow and black, as Pillow makes it of 8 bits."""
    light = 255 - inks.astype(np.uint32)
    return ((light[..., :3] * light[..., 3:] + 127) // 255).astype(np.uint8)
