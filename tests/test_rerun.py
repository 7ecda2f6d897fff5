"""Notebooks that are run anew are written as they are committed."""

import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from crowdcount.errors import CrowdCountError
from tools.repository import NOTEBOOKS
from tools.rerun import main, rerun

pytest.importorskip("nbclient", reason="running notebooks needs pip install '.[test]'")

SLIDER = "from IPython.display import display\nimport ipywidgets\nbox = ipywidgets.IntSlider()\n"
SHOW = "display({**box._repr_mimebundle_(), 'text/plain': 'a slider'}, raw=True)"
OVERVIEW = "| [02 W](02_w.ipynb) | w | 5 s |\n| [03 X](03_x.ipynb) | x | {} s |\n"
# TensorFlow's own lines, which come where a notebook imports Keras first, are no output of a notebook.
START_UP = (
    "import sys, time\nprint('I0000 00:00:17 1 port.cc:153] oneDNN', file=sys.stderr, flush=True)\ntime.sleep(0.2)\n"
)
PASSED = (
    START_UP
    + "import os\nprint('passed' if os.path.exists(os.environ['CROWDCOUNT_PROGRESS']) else 'nobody has passed')"
)


@pytest.fixture
def small(tmp_path):
    """A notebook with a slider, and an overview of it."""
    cells = [
        new_markdown_cell("# 03 · X\n\n**Time** 9999 seconds of computing on a CPU."),
        new_code_cell(SLIDER + SHOW),
    ]
    nbformat.write(new_notebook(cells=[*cells, new_code_cell(PASSED)]), tmp_path / "03_x.ipynb")
    (tmp_path / "README.md").write_text(
        "| [02 W](02_w.ipynb) | w | 5 s |\n| [03 X](03_x.ipynb) | x | 9999 s |\n", "utf-8"
    )
    return tmp_path / "03_x.ipynb", tmp_path / "README.md"


def test_outputs_and_time_are_kept_and_the_slider_is_a_line(small):
    pytest.importorskip("ipywidgets")
    path, overview = small
    seconds = rerun(path, overview)
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert "widgets" not in notebook.metadata and not any("execution" in cell.metadata for cell in notebook.cells)
    assert [dict(output.data) for output in notebook.cells[1].outputs] == [{"text/plain": "a slider"}]
    assert [output.text for output in notebook.cells[2].outputs] == ["nobody has passed\n"]
    assert f"**Time** {seconds} seconds of computing" in notebook.cells[0].source and seconds < 99
    assert (
        overview.read_text("utf-8") == f"| [02 W](02_w.ipynb) | w | 5 s |\n| [03 X](03_x.ipynb) | x | {seconds} s |\n"
    )


def test_a_notebook_without_a_row_is_refused_and_left_as_it_was(small, monkeypatch):
    path, overview = small
    overview.write_text("nothing\n", "utf-8")
    monkeypatch.setattr("tools.rerun.executed", lambda *_: 3)
    before = path.read_bytes()
    with pytest.raises(CrowdCountError, match="Received: 1 and 0"):
        rerun(path, overview)
    assert path.read_bytes() == before and overview.read_text("utf-8") == "nothing\n"


def test_an_unknown_number_is_told(capsys):
    with pytest.raises(SystemExit):
        main(["99"])
    assert re.search(r"no notebook 99: choose from 00, 01", capsys.readouterr().err)


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_committed_notebooks_hold_no_sliders_that_nothing_moves(path):
    """Jupyter shows an error in the place of one whose state is not there, and the state is as large as ten figures."""
    assert "vnd.jupyter.widget" not in path.read_text("utf-8"), f"run: python -m tools.rerun {path.name[:2]}"
