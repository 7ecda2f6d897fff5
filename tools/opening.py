"""Write the cells that open a notebook in one click: badges, and one that installs crowdcount where it is missing.

    python -m tools.opening

Both are made from the one address in setup.cfg (see `tools.repository`). As long as that is unset there are no badges,
and the cell installs from the checkout alone. The badges of the first notebook stand in the READMEs, too, below a mark
that nobody sees on the page. Run it again whenever the address changes or a notebook is added.
"""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from crowdcount.files import atomic_path
from tools.repository import NOTEBOOKS, ROOT, Repository, repository

# The cells are found again by their ids, so that running the command twice changes nothing.
BADGES_ID = "open-badges"
INSTALL_ID = "open-install"
READMES = (ROOT / "README.md", NOTEBOOKS / "README.md")
_MARK = "<!-- badges: python -m tools.opening -->\n"

_IMAGES = {
    "Colab": "https://colab.research.google.com/assets/colab-badge.svg",
    "Kaggle": "https://kaggle.com/static/images/open-in-kaggle.svg",
    "Binder": "https://mybinder.org/badge_logo.svg",
}
_INSTALL = """\
# Installs crowdcount where it is missing (Colab, Kaggle, a new environment); does nothing where it is there.
import importlib.util
import pathlib
import subprocess
import sys

if importlib.util.find_spec("crowdcount") is None:
    checkout = pathlib.Path.cwd().parent
{source}
    command = [sys.executable, "-m", "pip", "install", "--quiet", wanted]
    if subprocess.run(command).returncode:
        raise ModuleNotFoundError("crowdcount could not be installed: is this machine online? On Kaggle, "
                                  "switch the internet on in the settings of the notebook.")"""
_FROM_REPOSITORY = """\
    here = (checkout / "crowdcount" / "__init__.py").exists()
    wanted = f"{{checkout}}[course]" if here else "crowdcount-csrnet[course] @ git+{url}"\
"""
_FROM_CHECKOUT = """\
    if not (checkout / "crowdcount" / "__init__.py").exists():
        raise ModuleNotFoundError("crowdcount is missing: run pip install '.[course]' in its checkout.")
    wanted = f"{checkout}[course]"\
"""


def badges(where: Repository, name: str) -> str:
    """Markdown: one badge for each place that runs the notebook called `name`."""
    addresses = where.launchers(f"notebooks/{name}")
    return "\n".join(f"[![Open in {place}]({_IMAGES[place]})]({address})" for place, address in addresses.items())


def install_code(where: Repository | None) -> str:
    """Code of the cell that installs crowdcount where it is missing."""
    source = _FROM_CHECKOUT if where is None else _FROM_REPOSITORY.format(url=where.url)
    return _INSTALL.format(source=source)


def with_opening(notebook: NotebookNode, name: str, where: Repository | None) -> NotebookNode:
    """A copy of a notebook whose second cell and third open it; all other cells and outputs are as they were.

    Args:
        notebook: a notebook of format 4.5 whose first cell is its header.
        name: its file's name.
        where: the repository, or None while its address is unset.
    """
    copy = deepcopy(notebook)
    cells = [cell for cell in copy.cells if cell.get("id") not in (BADGES_ID, INSTALL_ID)]
    opening = [] if where is None else [new_markdown_cell(badges(where, name), id=BADGES_ID)]
    folded = {"jupyter": {"source_hidden": True}, "tags": ["remove-cell"]}
    opening.append(new_code_cell(install_code(where), id=INSTALL_ID, metadata=folded))
    copy.cells = cells[:1] + opening + cells[1:]
    return copy


def readme_with_badges(text: str, first: str, where: Repository | None) -> str:
    """A README whose mark is followed by the badges of the notebook called `first`, or by none."""
    below = "" if where is None else badges(where, first) + "\n"
    return re.sub(rf"{re.escape(_MARK)}(?:\[!\[Open in .*\n)*", lambda _: _MARK + below, text)


def rewrite(path: Path, where: Repository | None) -> bool:
    """Give the notebook or README at `path` its opening; returns whether the file changed."""
    before = path.read_text("utf-8")
    if path.suffix == ".md":
        after = readme_with_badges(before, min(NOTEBOOKS.glob("*.ipynb")).name, where)
    else:
        after = nbformat.writes(with_opening(nbformat.reads(before, as_version=4), path.name, where)) + "\n"
    if after != before:
        with atomic_path(path) as draft:
            draft.write_text(after, "utf-8")
    return after != before


def main() -> None:
    """Rewrite every notebook of the course and both READMEs, and name those that changed."""
    where = repository()
    changed = [
        path.relative_to(ROOT) for path in (*sorted(NOTEBOOKS.glob("*.ipynb")), *READMES) if rewrite(path, where)
    ]
    print("\n".join(f"rewritten: {name}" for name in changed) or "every notebook has its opening already")
    if where is None:
        print("no badges: setup.cfg names no url yet (see tools/README.md)")


if __name__ == "__main__":
    main()
