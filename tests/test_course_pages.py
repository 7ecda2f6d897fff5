"""The course's pages beside the notebooks: every word and symbol leads to a notebook that is there."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
PAGES = sorted(FOLDER.glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#]+)", page.read_text("utf-8"))
    assert targets and not [each for each in targets if "://" not in each and not (FOLDER / each).exists()]


def test_words_are_found_in_the_notebooks_they_name():
    """In a glossary an entry that its notebook never uses misleads."""
    for line in (FOLDER / "glossary.md").read_text("utf-8").splitlines():
        if not line.startswith("| **"):
            continue
        words = re.search(r"\*\*(.+?)\*\*", line)[1].split(", ")
        for file in re.findall(r"\]\((\w+\.ipynb)\)", line):
            text = (FOLDER / file).read_text("utf-8").lower()
            assert any(word.lower() in text for word in words), f"{words} in {file}"
