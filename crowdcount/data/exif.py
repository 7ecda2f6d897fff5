"""What a camera writes beside the pixels: how it was held, and when the picture was taken."""

from __future__ import annotations

import os
import struct
from datetime import datetime
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from crowdcount.data.opening import Source, opened, quiet_pillow
from crowdcount.data.tiff import RareTiff

# EXIF 2.32: how the camera was held; the block of tags that it writes, and in it the moment of the exposure.
_ORIENTATION, _BLOCK, _TAKEN = 0x0112, 0x8769, 0x9003
_FIRST_PHOTO = 1826
_PNG_KEYWORDS = (b"Raw profile type exif", b"XML:com.adobe.xmp")

#: EXIF orientation -> what makes the picture upright. Orientation 1 needs nothing.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation_of(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1 where there is none or it cannot be read."""
    try:
        orientation = _exif_of(image).get(_ORIENTATION, 1)
    except Exception:
        # Damaged metadata does not make the pixels unreadable; Pillow's parser raises nearly anything on it.
        return 1
    return orientation if orientation in TURNS else 1


def _exif_of(image: Image.Image) -> Image.Exif:
    """A picture's tags, without decoding its pixels; Pillow raises nearly anything on damaged ones."""
    file: Any = getattr(image, "fp", None)  # a picture that was opened has one
    if image.format == "PNG" and getattr(image, "tile", None) and not _exif_after_pixels(file):
        return Image.Image.getexif(image)  # PNG's own `getexif` decodes the pixels to look behind them.
    return image.getexif()


def _exif_after_pixels(file: BinaryIO) -> bool:
    """Whether an open PNG file holds metadata behind its pixels that could tell the orientation."""
    position = file.tell()
    try:
        file.seek(8)
        pixels_passed = False
        while True:
            head = file.read(8)
            if len(head) < 8 or head[4:] == b"IEND":
                return False
            (length,), kind = struct.unpack(">I", head[:4]), head[4:]
            start = file.read(min(length, 24))
            pixels_passed |= kind == b"IDAT"
            if pixels_passed and (kind == b"eXIf" or start.startswith(_PNG_KEYWORDS)):
                return True
            file.seek(length - len(start) + 4, os.SEEK_CUR)
    finally:
        file.seek(position)


def taken_at(source: Source | None) -> datetime | None:
    """When a picture was taken, by its camera's clock: EXIF's DateTimeOriginal.

    Args:
        source: as for `load_picture`, of any size: its pixels are not read. An array tells nothing.

    Returns:
        A time without time zone; None where the file does not tell, or tells what is no time or cannot be one.

    Reference:
        EXIF 2.32 (CIPA DC-008), tag 0x9003.

    Example:
        >>> import io
        >>> file = io.BytesIO()
        >>> Image.new("RGB", (8, 8)).save(file, "JPEG", exif=b"")
        >>> taken_at(file) is None
        True
    """
    if source is None or isinstance(source, np.ndarray):
        return None
    try:
        with quiet_pillow(), opened(source, None, []) as (image, _):
            if isinstance(image, RareTiff):
                return None
            text = _exif_of(image).get_ifd(_BLOCK).get(_TAKEN)
        taken = datetime.strptime(str(text).strip("\0 "), "%Y:%m:%d %H:%M:%S")
    except Exception:  # on damaged tags Pillow raises nearly anything, and the picture itself may be fine
        return None
    # A clock that was never set, as some programs write it: 0001:01:01, or 9999:12:31.
    return taken if _FIRST_PHOTO <= taken.year < 9000 else None
