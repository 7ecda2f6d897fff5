"""The type that captions and labels on pictures are set in."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import ImageFont


@functools.cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with Matplotlib: Latin with all accents, Greek, Cyrillic, Arabic, and signs as in m².

    Pillow's own font has English letters and little else, and zones have names in every language.

    Args:
        size: height in pixels.

    Example:
        >>> font(12).getname()
        ('DejaVu Sans', 'Book')
    """
    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size)
