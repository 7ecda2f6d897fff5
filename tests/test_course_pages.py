"""The course's pages beside the notebooks: every word and symbol leads to a notebook that is there."""

import re
from pathlib import Path

import numpy as np
import pytest

from crowdcount.counting.ranges import Calibration

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
PAGES = sorted(FOLDER.glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#]+)", page.read_text("utf-8"))
    assert targets and not [each for each in targets if "://" not in each and not (FOLDER / each).exists()]


def test_greek_letters_are_on_the_page_of_notation():
    """Notebook 04 says that all symbols of the course are on it."""
    nbformat = pytest.importorskip("nbformat", reason="the notebooks need pip install '.[test]'")
    letters = re.compile(r"\\(alpha|beta|gamma|delta|varepsilon|epsilon|theta|lambda|mu|sigma|tau|phi|ell|rho|eta)\b")
    told = set(letters.findall((FOLDER / "notation.md").read_text("utf-8")))
    for path in sorted(FOLDER.glob("*.ipynb")):
        texts = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
        assert set(letters.findall(" ".join(texts))) <= told, path.stem


def test_words_are_found_in_the_notebooks_they_name():
    """In a glossary an entry that its notebook never uses misleads."""
    for line in (FOLDER / "glossary.md").read_text("utf-8").splitlines():
        if not line.startswith("| **"):
            continue
        words = re.search(r"\*\*(.+?)\*\*", line)[1].split(", ")
        for file in re.findall(r"\]\((\w+\.ipynb)\)", line):
            text = (FOLDER / file).read_text("utf-8").lower()
            assert any(word.lower() in text for word in words), f"{words} in {file}"


def test_the_capstone_tells_what_three_validation_pictures_carry():
    """It asks for a range, and its own network has none of 90 %."""
    text = " ".join((FOLDER.parent / "docs" / "capstone.md").read_text("utf-8").split())
    most = Calibration(np.array([10.0, 20, 30]), np.array([12.0, 19, 33])).most
    assert "3 are for validation" in text and f"three carry {100 * most:.0f} % at most" in text
    assert f"--coverage {most:g}" in text
