"""Overlays as files: PNGs say that they are no photos, so that their folder is listed without them."""

from __future__ import annotations

import os

from PIL import Image
from PIL.PngImagePlugin import PngInfo

_KEY, _MARK = "Software", "crowdcount overlay"
# A PNG's signature and header; Pillow writes texts next.
_TEXT_AT = 33


def save(image: Image.Image, path: str | os.PathLike) -> None:
    """Write an overlay; the suffix chooses the format.

    Raises:
        ValueError, KeyError: Pillow's, where it does not know the suffix or cannot write that format.
        OSError: where the file cannot be written.
    """
    info = PngInfo()
    info.add_text(_KEY, _MARK)
    image.save(path, pnginfo=info)  # other formats take no notice


def is_overlay(path: str | os.PathLike) -> bool:
    """Whether a file is a PNG that `save` has written; False for what cannot be read.

    Example:
        >>> import tempfile
        >>> place = os.path.join(tempfile.mkdtemp(), "square_overlay.png")
        >>> save(Image.new("RGB", (8, 8)), place)
        >>> is_overlay(place)
        True
    """
    if not os.fspath(path).lower().endswith(".png") or not os.path.isfile(path):  # a pipe waits for who writes
        return False
    text = f"tEXt{_KEY}\0{_MARK}".encode("latin-1")
    try:
        with open(path, "rb") as file:
            file.seek(_TEXT_AT + 4)  # behind the length of the text
            return file.read(len(text)) == text
    except OSError:
        return False
