"""Whether the picture of a JPEG file is there whole: where data is missing, libjpeg fills up with gray in silence."""

from __future__ import annotations

import io
import re

import numpy as np
from PIL import Image

# What cells are that nothing was stored of, inverted, too, as CMYK is; and the rows of the least cell.
_NOTHING, _ROWS = (127, 128), 8
_SCAN, _END = 0xDA, b"\xff\xd9"
_SCAN_MARK, _RESTART = b"\xff\xda", re.compile(b"\xff[\xd0-\xd7]")
_PROGRESSIVE = (0xC2, 0xCA)
# Bytes that no whole picture can do without.
_SPARE = 4


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
    end = _end_of(data)
    return end is not None and not _decodes(data[:end] + bytes(2 * _ROWS))


def is_off(data: bytes) -> bool:
    """Whether a JPEG file holds less or more than its picture: where bytes are damaged, the decoder takes others.

    What follows is shifted, and often of other colors. It has more if it is decoded without its last bytes, too. Where
    the decoder can begin anew there are marks, counted from 0 to 7.

    Args:
        data: the file.
    """
    end = _end_of(data)
    if end is None:
        return False
    marks = [mark[0][1] & 7 for mark in _RESTART.finditer(data, data.rfind(_SCAN_MARK, 0, end), end)]
    # A camera may fill up what it wrote with zeros and ones.
    return (
        marks != [number % 8 for number in range(len(marks))]
        or is_cut_off(data)
        or _decodes(data[:end].rstrip(b"\0\xff")[:-_SPARE])
    )


def _end_of(data: bytes) -> int | None:
    """Where the end is marked of the one scan that there is; None where there is none, or several (progressive)."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] in _PROGRESSIVE:
            return None
        if data[at + 1] == _SCAN:
            # Within a scan a byte of 255 is followed by 0 or by the mark of a restart.
            end = data.find(_END, at + 2 + length)
            return end if end > 0 else None
        at += 1 if data[at + 1] == 0xFF else 2 + length
    return None


def _decodes(data: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG", "MPO"]) as image:
            image.draft("L", (1, 1))  # an eighth of the size: all data is read, in a quarter of the time
            image.load()
    except (OSError, SyntaxError, ValueError):
        return False
    return True
