"""What the prose of notebooks 08 to 12 claims is what their committed outputs say."""

import re
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="the notebooks need pip install '.[test]'")

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
OWN = ("08", "09", "10", "11", "12")


def _notebook(number):
    return nbformat.read(next(FOLDER.glob(f"{number}_*.ipynb")), as_version=4)


def _said(number):
    """All text that a notebook's cells gave: printed, or shown as Markdown, a line each."""
    parts = []
    for cell in _notebook(number).cells:
        for output in cell.get("outputs", []):
            parts.append(output.get("text", "") or output.get("data", {}).get("text/markdown", ""))
    return "\n".join(parts)


def _prose(number):
    return " ".join(" ".join(cell.source.split()) for cell in _notebook(number).cells if cell.cell_type == "markdown")


def _number(pattern, text):
    found = re.search(pattern, text)
    assert found, pattern
    return float(found.group(1))


def _row(name, text):
    """The numbers of the first row of a table that begins with this name."""
    found = re.search(rf"^\| {re.escape(name)} \|(.*)$", text, flags=re.MULTILINE)
    assert found, name
    return [float(value) for value in re.findall(r"-?\d+\.\d+", found.group(1))]


@pytest.mark.parametrize("number", OWN)
def test_no_line_is_too_long_to_read(number):
    for cell in _notebook(number).cells:
        for line in cell.source.splitlines():
            assert len(line) <= 110 or line.startswith("|") or "](" in line, line


@pytest.mark.parametrize("number", OWN)
def test_what_a_learner_wrote_goes_into_the_notebook(number):
    """After each check the notebook goes on with `course.use`, and with the reference nowhere."""
    from crowdcount import course

    code = "\n".join(cell.source for cell in _notebook(number).cells if cell.cell_type == "code")
    for name in (name for name in course.names() if name.startswith(number)):
        answer = course.find(name).answer
        assert f'course.check("{name}", {answer})\n{answer} = course.use("{name}", {answer})' in code
        assert f"reference.{answer}(" not in code
        assert code.count(f"{answer}(") > 1, f"{name} is used nowhere"


def test_08_gridding_and_fields():
    said, prose = _said("08"), _prose("08")
    assert "by gradient  : {'A': 188, 'B': 284, 'C': 380, 'D': 476}" in said
    assert "designs A to D 188, 284, 380, 476 pixels" in prose
    share = _number(r"Rates 2, 2, 2 see \*\*(\d+) %\*\*", said)
    assert share == round(100 * 49 / 169) and f"about {share:.0f} % of theirs (49 of 169 cells)" in prose


def test_09_what_transfer_gives():
    said = _said("09")
    mean, transfer, scratch = (_row(name, said)[0] for name in ("mean count", "CSRNet, transfer", "CSRNet"))
    assert transfer < scratch < mean, "the prose says what transfer is worth against random weights"
    assert _row("general, as it is", said)[0] < mean
    few = _number(r"With 3 pictures .* errs by \*\*([\d.]+) heads\*\*", said)
    assert few < _row("regression", said)[0], "three pictures do with transfer what 24 do without"
    for method in ("regression", "linear density", "forest density"):
        assert re.search(rf"^- {method}: (more than )?\d+ pictures$", said, flags=re.MULTILINE)


def test_10_values_and_borders():
    said, prose = _said("10"), _prose("10")
    assert round(_number(r"highest value ([\d.]+) people per pixel", said), 4) == 0.0025 and "only 0.0025" in prose
    assert 0.2 < _number(r"A corner head keeps \*\*([\d.]+)\*\*", said) < 0.3 and "a quarter of itself" in prose
    assert "220 heads" in said and "220 hills" in prose


def test_11_one_picture_by_heart():
    said = _said("11")
    assert "'SGD at 0.02': 0.0" in said and "SGD at 0.02 leaps too far" in _prose("11")


def test_11_the_losses_and_the_small_number():
    said = _said("11")
    assert _number(r"With the Euclidean loss it is \*\*(\d+)\*\*", said) == 400
    assert _number(r"With the Poisson loss it is (\d+), as many times", said) == 20
    assert _number(r"the package adds to every cell, (\d+)\.", said) > 20


def test_11_game_sees_what_mae_does_not():
    said = _said("11")
    own, mirrored = _row("the network", said), _row("its maps, mirrored", said)
    assert own[0] == mirrored[0] and own[3] < mirrored[3]
    assert own == sorted(own) and mirrored == sorted(mirrored)


def test_11_a_fails_and_b_wins_where_context_decides():
    said = _said("11")
    errors = {design: _number(rf"\*\*{design} ([\d.]+)\*\*", said) for design in "ABCD"}
    level = _number(r"people; always the mean count ([\d.]+)\.", said)
    assert errors["A"] > 0.8 * level
    found_out = re.search(r"error with every seed: ([A-D, ]+|none)\.", said).group(1).split(", ")
    assert "B" in found_out and "A" not in found_out and errors["B"] < level / 2


def test_12_the_gallery_fools_the_network():
    said = _said("12")
    counted = {name: _row(name, said)[0] for name in ("gravel", "a poster of the crowd", "at night", "out of focus")}
    assert counted["gravel"] > 5 and counted["a poster of the crowd"] > 5
    assert _number(r"more than five people on \*\*(\d+) of 10\*\*", said) >= 3
    assert _number(r"it does not warn on (\d+) of them", said) >= 1
    assert _number(r"more than half of the people on \*\*(\d+) of 4\*\*", said) >= 2
