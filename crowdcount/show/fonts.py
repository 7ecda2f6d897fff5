"""The type that captions and labels on pictures are set in."""

from __future__ import annotations

import functools
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import ImageFont


def font(size: int, text: str) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with Matplotlib; for a text whose letters it lacks, an installed font that has more.

    Pillow's own font has English letters and little else, and zones have names in every language. DejaVu Sans has
    Latin with all accents, Greek, Cyrillic, Hebrew, Arabic, and signs as in m². Chinese, Japanese, Korean, Thai and
    others are in fonts of the system; of those the one that lacks the fewest letters of the text is taken. Boxes stand
    for letters that it lacks.

    Args:
        size: height in pixels.
        text: what will be written.

    Example:
        >>> font(12, "Plaça 7 m²").getname()
        ('DejaVu Sans', 'Book')
    """
    letters = frozenset(map(ord, "".join(text.split())))
    file = dejavu() if letters <= letters_in(dejavu()) else best_for(letters | set(map(ord, "0123456789")))
    return _load(file, size)


def literal(text: str) -> str:
    r"""Text for Matplotlib, to be drawn as it is: dollars make formulas, and bytes of a name that are no UTF-8 a trace.

    Example:
        >>> literal("cost$_$.jpg"), literal("\udcdf.jpg")
        ('cost\\$_\\$.jpg', '\\udcdf.jpg')
    """
    return text.replace("$", r"\$").encode("utf-8", "backslashreplace").decode("utf-8")


@functools.cache
def dejavu() -> str:
    import matplotlib

    return str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")


@functools.lru_cache(maxsize=64)
def _load(file: str, size: int) -> ImageFont.FreeTypeFont:
    from PIL import ImageFont

    return ImageFont.truetype(file, size)


@functools.lru_cache(maxsize=64)
def best_for(letters: frozenset[int]) -> str:
    """File of the font that lacks the fewest of these letters: DejaVu, or else upright and of common weight."""
    from matplotlib import font_manager

    known = font_manager.fontManager
    for file in {*font_manager.findSystemFonts()} - {entry.fname for entry in known.ttflist}:
        with suppress(Exception):  # installed since Matplotlib made its list; it cannot read every kind
            known.addfont(file)

    def order(entry):
        return entry.style != "normal", entry.weight not in (400, "normal", "regular", "book"), entry.fname

    # The "last resort" of macOS and Matplotlib has a box with the script's name for every letter.
    entries = [entry for entry in known.ttflist if "lastresort" not in entry.name.replace(" ", "").lower()]
    best = dejavu()
    fewest = len(letters - letters_in(best))
    for entry in sorted(entries, key=order):
        lacking = len(letters - letters_in(entry.fname))
        if lacking < fewest:
            best, fewest = entry.fname, lacking
        if not fewest:
            break
    return best


@functools.lru_cache(maxsize=8)
def letters_in(file: str) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(file).get_charmap())
    except (OSError, RuntimeError):  # uninstalled meanwhile, or of a kind that FreeType cannot read
        return frozenset()
