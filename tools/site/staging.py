"""Gather the pages under one folder, laid out as the repository is, so that links between them stay as they are."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat

from tools.repository import ROOT, Repository
from tools.site.alt_texts import collect
from tools.site.links import Links
from tools.site.notebook_pages import as_page

# Everything that is a page, and the pictures that pages show.
_PAGES = ("README.md", "docs/*.md", "notebooks/README.md", "datasets/README.md")
_PICTURES = ("docs/*.png", "docs/*.jpg", "docs/pictures/*")


def stage(source: Path, where: Repository | None) -> None:
    """Copy pages, pictures and notebooks into `source`, ready for Sphinx.

    Args:
        source: Sphinx's source folder.
        where: the repository, for links to files that are no pages; None while its address is unset.
    """
    links = Links(ROOT, where, {path.relative_to(ROOT) for path in (*_found(*_PAGES), *_found("notebooks/*.ipynb"))})
    for path in _found(*_PICTURES):
        shutil.copy(path, _target(path, source))
    for path in _found(*_PAGES):
        _target(path, source).write_text(links.rewritten(path.read_text("utf-8"), path), "utf-8")
    notebooks = {path: nbformat.read(path, as_version=4) for path in _found("notebooks/*.ipynb")}
    collect(list(notebooks.values()), source)
    for path, notebook in notebooks.items():
        page = as_page(notebook, path.name, where)
        for cell in page.cells:
            if cell.cell_type == "markdown":
                cell.source = links.rewritten(cell.source, path)
        nbformat.write(page, _target(path, source))


def _found(*patterns: str) -> list[Path]:
    return sorted(path for pattern in patterns for path in ROOT.glob(pattern))


def _target(path: Path, source: Path) -> Path:
    target = source / path.relative_to(ROOT)
    target.parent.mkdir(parents=True, exist_ok=True)
    return target
