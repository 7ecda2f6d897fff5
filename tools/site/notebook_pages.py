"""A notebook of the course as a page: predictions stay secret until the reader opens them."""

from __future__ import annotations

import re
from copy import deepcopy

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from tools.opening import BADGES_ID
from tools.repository import Repository

_GUESS = re.compile(r"^my_guess\w*\s*=", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6} ", re.MULTILINE)
PROMPT = "Your guess first. Then open: what came out"


def as_page(notebook: NotebookNode, name: str, where: Repository | None) -> NotebookNode:
    """A copy of a notebook, ready for the site.

    The cell that answers a prediction is folded away, and the text that explains it is shown with it. Badges, which are
    pictures from elsewhere, become plain links.

    Args:
        notebook: the notebook with its outputs.
        name: its file's name.
        where: the repository, or None while its address is unset.
    """
    page = deepcopy(notebook)
    cells = [cell for cell in page.cells if cell.get("id") != BADGES_ID]
    fold_reveals(cells)
    page.cells = [part for index, cell in enumerate(cells) for part in _explained(cell, cells[index - 1 : index])]
    if where is not None:
        launchers = where.launchers(f"notebooks/{name}").items()
        links = " · ".join(f"[{place}]({address})" for place, address in launchers)
        page.cells.insert(1, new_markdown_cell(f"Open it, ready to run, in {links}."))
    return page


def fold_reveals(cells: list[NotebookNode]) -> None:
    """Tag the cells that answer a prediction: those that use `my_guess`, and those with outputs between it and them.

    Their code is folded with what comes out, since it often says as much.
    """
    open_guess = False
    for cell in cells:
        if cell.cell_type != "code":
            continue
        if _GUESS.search(cell.source):
            open_guess = True
            continue
        reveals = "my_guess" in cell.source
        if cell.outputs and (reveals or open_guess):
            cell.metadata["tags"] = [*cell.metadata.get("tags", []), "hide-cell", "reveal"]
            cell.metadata["mystnb"] = {"code_prompt_show": PROMPT, "code_prompt_hide": PROMPT}
        open_guess = open_guess and not reveals


def _explained(cell: NotebookNode, before: list[NotebookNode]) -> list[NotebookNode]:
    """The cell; where it follows a reveal, its text up to the next heading apart, to be folded with the reveal."""
    follows = bool(before) and "reveal" in before[0].metadata.get("tags", [])
    if cell.cell_type != "markdown" or not follows:
        return [cell]
    heading = _HEADING.search(cell.source)
    end = heading.start() if heading else len(cell.source)
    explanation, rest = cell.source[:end].strip(), cell.source[end:]
    parts = [new_markdown_cell(f"::::{{container}} after-reveal\n{explanation}\n::::")] if explanation else []
    return parts + ([new_markdown_cell(rest)] if rest else [])
