"""Assignments for a class, made from the exercises of the course: one for each notebook.

    python -m tools.assignments

build/assignments/students holds what learners get, build/assignments/source the same with the solutions, for the
teacher. Both are in nbgrader's format, and nbgrader_config.py lies beside them, so that `nbgrader` runs there as it is;
one that is there already stays.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from crowdcount import course
from crowdcount.course.exercise import Exercise
from crowdcount.files import atomic_path
from tools.repository import NOTEBOOKS, ROOT

OUT = ROOT / "build" / "assignments"
_CHECK = re.compile(r"\bcheck\(\"(\d\w*\.\w+)\"")
_CALL = re.compile(r"\b(check|use|hint|solution)\(\"")
_RECALLED = re.compile(r"^\w+ = course\.use\(\"[\w.]+\"\)", re.MULTILINE)
_IMPORT = re.compile(r"^(?:import math|from (?:math|scipy)[\w.]* import \w+(?:, \w+)*)$", re.MULTILINE)
_HEADING = re.compile(r"^#{2,4} ", re.MULTILINE)
_CONFIG = '''\
"""nbgrader's settings. The blank of an exercise stays in place where nbgrader takes out its solution."""

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "crowdcount"
c.ClearSolutions.code_stub = {"python": "# Your answer stands above this line."}
'''


@dataclass(frozen=True)
class Task:
    """An exercise as it stands in a notebook.

    Attributes:
        exercise: from `crowdcount.course`.
        question: what is asked, Markdown.
        blank: the code to fill in.
    """

    exercise: Exercise
    question: str
    blank: str


def tasks(notebook: NotebookNode) -> list[Task]:
    """The exercises of a notebook, in order, each with the text above it."""
    found, text = [], ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            text = cell.source
            continue
        for name in _CHECK.findall(cell.source):
            lines = cell.source.splitlines()
            end = next(number for number, line in enumerate(lines) if _CALL.search(line))
            found.append(Task(course.find(name), _question(text), "\n".join(lines[:end]).strip()))
    return found


def _question(text: str) -> str:
    """The last section of the text above an exercise."""
    headings = list(_HEADING.finditer(text))
    return text[headings[-1].start() :].strip() if headings else text.strip()


def assignment(notebook: NotebookNode, title: str, solved: bool) -> NotebookNode:
    """An assignment of all exercises of a notebook, one point each.

    Args:
        notebook: the notebook.
        title: its title, for the first line.
        solved: with the solutions, for the teacher, or without.

    Returns:
        A notebook in nbgrader's format.
    """
    every = tasks(notebook)
    # What the notebook imports an answer may use there, and so here.
    imports = dict.fromkeys(line for cell in notebook.cells for line in _IMPORT.findall(cell.source))
    setup = ["import numpy as np", *imports, "", "from crowdcount import course"]
    if any("reference" in task.question + task.blank for task in every):
        number = every[0].exercise.name.split(".")[0]
        setup.append(f"from crowdcount.course import notebook_{number} as reference")
    setup += dict.fromkeys(line for cell in notebook.cells for line in _RECALLED.findall(cell.source))
    cells = [
        new_markdown_cell(f"# {title}\n\nFill in the blanks. Read the notebook of this title first.", id="title"),
        new_code_cell("\n".join(setup), id="setup"),
    ]
    for task in every:
        cells += _cells(task, solved)
    made = new_notebook(cells=cells, metadata=notebook.metadata)
    nbformat.validate(made)
    return made


def _cells(task: Task, solved: bool) -> list[NotebookNode]:
    name = task.exercise.name.replace(".", "-")
    solution = f"\n\n### BEGIN SOLUTION\n{task.exercise.solution.strip()}\n### END SOLUTION" if solved else ""
    check = f'assert course.check("{task.exercise.name}", {task.exercise.answer})'
    return [
        _graded(new_markdown_cell(task.question), f"question-{name}", locked=True),
        _graded(new_code_cell(task.blank + solution), f"answer-{name}", solution=True),
        _graded(new_code_cell(check), f"check-{name}", locked=True, grade=True, points=1),
    ]


def _graded(cell: NotebookNode, name: str, **what: object) -> NotebookNode:
    """The cell with nbgrader's metadata, schema version 3."""
    plain = {"grade": False, "solution": False, "locked": False, "task": False}
    cell.id = name
    cell.metadata["nbgrader"] = {"schema_version": 3, "grade_id": name, **plain, **what}
    return cell


def write_assignments(out: Path = OUT, notebooks: Path = NOTEBOOKS) -> list[Path]:
    """Write an assignment for every notebook that has exercises; returns those for the learners."""
    written = []
    for path in sorted(notebooks.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        if not tasks(notebook):
            continue
        title = notebook.cells[0].source.splitlines()[0].lstrip("# ")
        for folder, solved in (("source", True), ("students", False)):
            target = out / folder / path.stem / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(target) as draft:
                nbformat.write(assignment(notebook, title, solved), draft)
        written.append(target)
    config = out / "nbgrader_config.py"
    if not config.exists():  # a teacher may have edited it
        config.write_text(_CONFIG, "utf-8")
    return written


def main() -> None:
    """The command: `python -m tools.assignments [--out FOLDER]`."""
    parser = argparse.ArgumentParser(prog="python -m tools.assignments", description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT, help="folder for the assignments (default: build/assignments)")
    for path in write_assignments(parser.parse_args().out):
        print(path)


if __name__ == "__main__":
    main()
