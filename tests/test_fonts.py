"""Type for every language: DejaVu where it has the letters, else a font that has."""

from types import SimpleNamespace

import matplotlib.font_manager
import pytest

from crowdcount.show import fonts


@pytest.fixture
def installed(monkeypatch):
    """Stands in for the fonts of a system: name -> letters."""
    fonts.best_for.cache_clear()
    dejavu, known, found = fonts.dejavu(), fonts.letters_in, {}

    def install(letters, **entry):
        entry = {"style": "normal", "weight": 400, "name": entry["fname"], **entry}
        found[entry["fname"]] = frozenset(map(ord, letters))
        entries.append(SimpleNamespace(**entry))

    entries = []
    monkeypatch.setattr(matplotlib.font_manager.fontManager, "ttflist", entries)
    monkeypatch.setattr(matplotlib.font_manager, "findSystemFonts", list)
    monkeypatch.setattr(fonts, "letters_in", lambda file: known(file) if file == dejavu else found[file])
    monkeypatch.setattr(fonts, "_load", lambda file, size: file)
    yield install
    fonts.best_for.cache_clear()


@pytest.mark.parametrize("text", ["Plaça 7, m²", "Площадь", "Πλατεία", "ساحة", "about 12 people\n"])
def test_dejavu_has_most_alphabets(text):
    assert fonts.font(12, text).getname() == ("DejaVu Sans", "Book")


def test_what_dejavu_lacks_comes_from_an_installed_font(installed):
    installed("0123456789", fname="latin.ttf")
    installed("広場0123456789", fname="a-bold.ttf", weight=700)
    installed("広場0123456789", fname="b-slanted.ttf", style="italic")
    installed("広場0123456789", fname="c.ttf")
    installed("広場", fname="a-without-digits.ttf")
    installed("広場0123456789", fname="a-boxes.ttf", name="Last Resort High-Efficiency")
    assert fonts.font(12, "広場 7") == "c.ttf"
    assert fonts.font(12, "ไทย") == fonts.font(12, "Plaza") == fonts.dejavu()


def test_the_font_that_lacks_the_fewest_letters_of_the_text_is_taken(installed):
    """A font with the one sign that DejaVu lacks would make boxes of all others."""
    installed("場0123456789", fname="a-signs.ttf")
    assert fonts.font(12, "Plaza 場") == fonts.dejavu()
    installed("場Forum0123456789", fname="b.ttf")
    assert fonts.font(12, "Forum 場") == "b.ttf"


def test_a_font_installed_after_matplotlib_made_its_list_is_found(installed, monkeypatch):
    monkeypatch.setattr(matplotlib.font_manager, "findSystemFonts", lambda: ["broken.ttf", "new.ttf"])

    def addfont(file):
        if file == "broken.ttf":
            raise RuntimeError("FT2Font: not scalable")
        installed("広場0123456789", fname=file)

    monkeypatch.setattr(matplotlib.font_manager.fontManager, "addfont", addfont)
    assert fonts.font(12, "広場") == "new.ttf"
