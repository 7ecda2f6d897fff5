"""Run notebooks of the course anew and keep what comes out, as it is committed.

    python -m tools.rerun 03 09        # those two; without a number, all

Each runs in a kernel of its own, as for a reader who has passed no exercise. Sliders leave the line that stands for
them, not their state: a page that is read has no kernel to move them. The processor time goes into the header and the
overview: run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nbclient
import nbformat
from nbformat import NotebookNode

from crowdcount.errors import CrowdCountError
from crowdcount.files import atomic_path
from tools.opening import INSTALL_ID
from tools.repository import NOTEBOOKS

OVERVIEW = NOTEBOOKS / "README.md"
_LONGEST = 900  # seconds that a cell may take, on a machine that is busy all the same
_VIEW = "application/vnd.jupyter.widget-view+json"
_START_UP = re.compile(r"before absl::InitializeLog|^[IWE]0000 |^To enable the following instructions", re.MULTILINE)
_TIME = re.compile(r"\d+( seconds of computing)")


def executed(notebook: NotebookNode, folder: Path, progress: Path) -> int:
    """Run a notebook, in place; returns the seconds of processor time that it took.

    Args:
        notebook: a notebook of format 4.5.
        folder: where its kernel runs.
        progress: the file that keeps what exercises have passed; not there yet.
    """
    settings = {"TQDM_DISABLE": "1", "CROWDCOUNT_PROGRESS": str(progress)}
    inline = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    # Where it is set, crowdcount leaves TensorFlow's start-up lines where they are, and they would be committed.
    around = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    resources = {"metadata": {"path": str(folder)}}
    client = nbclient.NotebookClient(
        notebook, timeout=_LONGEST, kernel_name="python3", resources=resources, store_widget_state=False
    )
    before = os.times()
    client.execute(env={**around, **settings, **inline})
    after = os.times()
    return round(after.children_user + after.children_system - before.children_user - before.children_system)


def cleaned(notebook: NotebookNode) -> None:
    """Take out, in place, what says nothing to a reader.

    Times of cells, sliders that nothing moves, and TensorFlow's start-up lines where Keras is imported first.
    """
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.get("id") == INSTALL_ID:
            cell.execution_count = None  # as `tools.opening` leaves it
        if "outputs" in cell:
            cell.outputs = [output for output in cell.outputs if not _is_start_up(output)]
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(_VIEW, None)


def _is_start_up(output: NotebookNode) -> bool:
    return output.get("name") == "stderr" and _START_UP.search(output.text) is not None


def timed(notebook: NotebookNode, overview: str, name: str, seconds: int) -> str:
    """Write the time into a notebook's header, in place; returns the overview with the same time in its row.

    Raises:
        CrowdCountError: where the header or the overview has no place for it.

    >>> from nbformat.v4 import new_markdown_cell, new_notebook
    >>> notebook = new_notebook(cells=[new_markdown_cell("# 03 · X\\n\\n**Time** 9 seconds of computing")])
    >>> timed(notebook, "| [03 X](03_x.ipynb) | what | 9 s |\\n", "03_x.ipynb", 12)
    '| [03 X](03_x.ipynb) | what | 12 s |\\n'
    """
    header, there = _TIME.subn(rf"{seconds}\1", notebook.cells[0].source)
    row = re.compile(rf"^(\| \[[^\n]*\]\({re.escape(name)}\) \|[^\n]*\| )\d+ s \|$", re.MULTILINE)
    overview, listed = row.subn(rf"\g<1>{seconds} s |", overview)
    if there != 1 or listed != 1:
        raise CrowdCountError(
            f"{name} needs 'N seconds of computing' in its header, and a row of the overview that ends with 'N s'. "
            f"Received: {there} and {listed} of them."
        )
    notebook.cells[0].source = header
    return overview


def rerun(path: Path, overview: Path = OVERVIEW) -> int:
    """Run the notebook at `path`, and write it and its time; returns the seconds of processor time."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        seconds = executed(notebook, path.parent, Path(folder) / "course.json")
    cleaned(notebook)
    pages = {overview: timed(notebook, overview.read_text("utf-8"), path.name, seconds)}
    pages[path] = nbformat.writes(notebook) + "\n"
    for page, text in pages.items():
        with atomic_path(page) as draft:
            draft.write_text(text, "utf-8")
    return seconds


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    numbers = {path.name.split("_")[0]: path for path in sorted(NOTEBOOKS.glob("*.ipynb"))}
    parser.add_argument("numbers", nargs="*", metavar="NUMBER", help=f"of {', '.join(numbers)}; none: all")
    chosen = parser.parse_args(argv).numbers or list(numbers)
    unknown = [each for each in chosen if each not in numbers]
    if unknown:
        parser.error(f"there is no notebook {', '.join(unknown)}: choose from {', '.join(numbers)}")
    for number in chosen:
        seconds = rerun(numbers[number])
        print(f"{number}: {seconds} s, {numbers[number].stat().st_size:,} bytes", flush=True)


if __name__ == "__main__":
    main()
