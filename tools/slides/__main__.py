"""`python -m tools.slides`: make a deck of every notebook."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import nbformat

from crowdcount.files import atomic_path
from tools.repository import NOTEBOOKS, ROOT
from tools.shipped import mathjax, reveal
from tools.slides.deck import deck
from tools.slides.html import page

OUT = ROOT / "build" / "slides"
_REVEAL = ("dist/reset.css", "dist/reveal.css", "dist/reveal.js", "dist/theme/white.css", "plugin/notes/notes.js")


def write_slides(out: Path = OUT, notebooks: Path = NOTEBOOKS) -> list[Path]:
    """Write a deck of every notebook in a folder, with the scripts that show it beside it.

    Args:
        out: folder for the decks.
        notebooks: folder of the notebooks.

    Returns:
        The decks, in the order of the notebooks.
    """
    for name in _REVEAL:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(reveal() / name, out / name)
    shutil.copytree(reveal() / "dist" / "theme" / "fonts", out / "dist" / "theme" / "fonts", dirs_exist_ok=True)
    shutil.copy(mathjax(), out / "mathjax.js")
    shutil.copy(Path(__file__).parent / "slides.css", out)
    decks = []
    for path in sorted(notebooks.glob("*.ipynb")):
        decks.append(out / f"{path.stem}.html")
        with atomic_path(decks[-1]) as draft:
            draft.write_text(page(deck(nbformat.read(path, as_version=4))), "utf-8")
    return decks


def main() -> None:
    """The command: `python -m tools.slides [--out FOLDER]`."""
    parser = argparse.ArgumentParser(prog="python -m tools.slides", description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT, help="folder for the decks (default: build/slides)")
    for path in write_slides(parser.parse_args().out):
        print(path)


if __name__ == "__main__":
    main()
