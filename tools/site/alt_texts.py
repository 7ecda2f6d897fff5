"""A small Sphinx extension: figures of notebooks keep the words that stand for them.

The notebook reader drops the text beside a figure; it names the figure's file by the hash of its bytes, by which the
text is found again.
"""

from __future__ import annotations

import json
from binascii import a2b_base64
from hashlib import sha256
from pathlib import Path

from docutils import nodes
from nbformat import NotebookNode
from sphinx.application import Sphinx

_FILE = "alt_texts.json"


def collect(notebooks: list[NotebookNode], source: Path) -> None:
    """Write the texts of all figures in `notebooks` into Sphinx's source folder."""
    texts = {}
    for output in (o for each in notebooks for cell in each.cells for o in cell.get("outputs", [])):
        text = output.get("metadata", {}).get("image/png", {}).get("alt")
        if text:
            texts[sha256(a2b_base64(output.data["image/png"])).hexdigest()] = text
    (source / _FILE).write_text(json.dumps(texts), "utf-8")


def _add(app: Sphinx, doctree: nodes.document) -> None:
    texts = json.loads((Path(app.srcdir) / _FILE).read_text("utf-8"))
    for image in doctree.findall(nodes.image):
        text = texts.get(Path(image["uri"]).stem)
        if text:
            image["alt"] = text


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("doctree-read", _add)
    return {"parallel_read_safe": True}
