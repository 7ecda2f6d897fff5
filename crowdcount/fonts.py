"""The type that captions and labels on pictures are set in."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import ImageFont


def font(size: int, text: str) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with Matplotlib; for a text whose letters it lacks, an installed font that has them.

    Pillow's own font has English letters and little else, and zones have names in every language. DejaVu Sans has
    Latin with all accents, Greek, Cyrillic, Hebrew, Arabic, and signs as in m². Chinese, Japanese, Korean, Thai and
    others are in fonts of the system; where it has none either, boxes stand for the letters.

    Args:
        size: height in pixels.
        text: what will be written.

    Example:
        >>> font(12, "Plaça 7 m²").getname()
        ('DejaVu Sans', 'Book')
    """
    lacking = frozenset(letter for letter in text if not letter.isspace() and ord(letter) not in _letters(_dejavu()))
    return _load((_installed_with(lacking) if lacking else None) or _dejavu(), size)


@functools.cache
def _dejavu() -> str:
    import matplotlib

    return str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")


@functools.lru_cache(maxsize=64)
def _load(file: str, size: int) -> ImageFont.FreeTypeFont:
    from PIL import ImageFont

    return ImageFont.truetype(file, size)


@functools.lru_cache(maxsize=64)
def _installed_with(letters: frozenset[str]) -> str | None:
    """File of a font that has these letters and digits, upright and of common weight if there is one."""
    from matplotlib.font_manager import fontManager

    def order(entry):
        return entry.style != "normal", entry.weight not in (400, "normal", "regular", "book"), entry.fname

    wanted = {*map(ord, letters), *map(ord, "0123456789")}
    # The "last resort" of macOS and Matplotlib has a box with the script's name for every letter.
    entries = [entry for entry in fontManager.ttflist if "lastresort" not in entry.name.replace(" ", "").lower()]
    return next((entry.fname for entry in sorted(entries, key=order) if wanted <= _letters(entry.fname)), None)


@functools.lru_cache(maxsize=8)
def _letters(file: str) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(file).get_charmap())
    except (OSError, RuntimeError):  # uninstalled meanwhile, or of a kind that FreeType cannot read
        return frozenset()
