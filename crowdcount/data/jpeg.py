"""Whether the picture of a JPEG file is there whole: where data is missing, libjpeg fills up with gray in silence."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

# What cells are that nothing was stored of, inverted, too, as CMYK is; and the rows of the least cell.
_NOTHING, _ROWS = (127, 128), 8
_SCAN, _END = 0xDA, b"\xff\xd9"


def ends_in_nothing(pixels: np.ndarray) -> bool:
    """Whether the last rows of a decoded picture are exactly the gray of cells without data: a suspicion."""
    return bool(np.isin(pixels[-_ROWS:], _NOTHING).all())


def is_cut_off(data: bytes) -> bool:
    """Whether a JPEG file holds less of its picture than it says, though it ends as it should.

    The file is decoded with nothing where its end is marked: whole data is enough without the mark, and else the
    decoder asks for more. (Of a progressive file, which is read to its end in any case, that tells nothing.)

    Args:
        data: the file.

    Reference:
        ITU-T T.81, section B.1.1, for the markers.
    """
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] == _SCAN:
            # Within a scan a byte of 255 is followed by 0 or by the mark of a restart.
            end = data.find(_END, at + 2 + length)
            return end > 0 and not _decodes(data[:end] + bytes(2 * _ROWS))
        at += 1 if data[at + 1] == 0xFF else 2 + length
    return False


def _decodes(data: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG", "MPO"]) as image:
            if image.info.get("progressive"):
                return True
            image.load()
    except (OSError, SyntaxError, ValueError):
        return False
    return True
