"""What the pages and the widgets of notebooks are made of: scripts, styles, and the texts in each language.

Nothing of a server is needed here: a notebook's widgets have the kernel to ask.
"""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
_IMPORT = re.compile(r'^import [^;]*? from "\./([a-z]+\.js)";\n', re.MULTILINE | re.DOTALL)


@functools.cache
def texts() -> dict[str, dict]:
    """Code of a language -> its texts, from one file each; English first.

    A file of texts is all that a language needs. `"name"` is what the language calls itself, `"dir"` the direction
    that it is written in, `ltr` or `rtl`.
    """
    found = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted((FOLDER / "texts").glob("*.json"))}
    return {"en": found.pop("en"), **found}


def static_file(name: str) -> str:
    """The content of one of the pages' files."""
    return (FOLDER / "static" / name).read_text("utf-8")


def bundle(name: str) -> str:
    """A script with all that it imports, as one: a notebook's widget is one file.

    Imports stand in the files one way: from a file of this folder, before all else, under the names it exports.
    """
    taken: dict[str, str] = {}

    def take(script: str) -> None:
        if script not in taken:
            text = static_file(script)
            for imported in _IMPORT.findall(text):
                take(imported)
            taken[script] = _IMPORT.sub("", text)

    take(name)
    return "\n".join(taken.values())
