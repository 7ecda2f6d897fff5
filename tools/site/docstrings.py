"""A small Sphinx extension: docstrings are plain text, and in plain text |x| is an absolute value."""

from __future__ import annotations

import re

from sphinx.application import Sphinx

_ABSOLUTE = re.compile(r"\|([^|`]+)\|")


def _escape(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Keep Sphinx from taking |x| for the name of a substitution. Called before docstrings are parsed."""
    lines[:] = [line if ">>>" in line else _ABSOLUTE.sub(r"\|\1\|", line) for line in lines]


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _escape)
    return {"parallel_read_safe": True}
