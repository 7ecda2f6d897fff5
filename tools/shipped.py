"""JavaScript that travels inside Python packages: nothing is downloaded when pages are built, or when they are read."""

from __future__ import annotations

from importlib.metadata import files
from pathlib import Path


def mathjax() -> Path:
    """MathJax in a single file that draws without fonts.

    Browsers refuse fonts from file:// addresses, and so would show none of the other kind's formulas.
    """
    return _find("sphinx-mathjax-offline", "tex-svg-full.js")


def reveal() -> Path:
    """The folder of reveal.js, which shows slides: `dist/` and `plugin/` are in it."""
    return _find("sphinx-revealjs", "reveal.js").parents[1]


def _find(package: str, name: str) -> Path:
    """The file of this name that an installed package brought.

    Raises:
        PackageNotFoundError: where the package is missing: `pip install ".[site]"`.
    """
    return Path(next(each for each in files(package) or [] if each.name == name).locate())
