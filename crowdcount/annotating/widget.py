"""The annotating page as a widget in a notebook: the same script, which asks the kernel instead of a server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crowdcount.annotating.canvas import canvas_class
from crowdcount.annotating.desk import Desk, entry_content
from crowdcount.annotating.folder import Conflict, Folder
from crowdcount.errors import CrowdCountError
from crowdcount.web.parts import texts

if TYPE_CHECKING:
    import anywidget

    from crowdcount.network.loading import Model


def annotate(folder: str | os.PathLike, *, model: Model = "general") -> Annotator:
    """Show a folder's pictures to place dots on heads; for notebooks. `crowdcount annotate` is the same as a page.

    A picture begins with the heads that a model finds; what is placed, moved or deleted is saved as you go, into the
    file `points.json` in the folder. `load_dataset("json", folder)` reads what is done, and so does `crowdcount train
    json --root FOLDER`.

    Args:
        folder: folder of pictures; those of its subfolders are among them.
        model: the network whose heads a picture begins with, as `count` takes it.

    Returns:
        What shows itself as the last line of a cell.

    Raises:
        MissingPackageError: where anywidget is missing.
        PictureError: if the folder cannot be read or holds no pictures.
        AnnotationError: if its annotation file cannot be read; it is not written over.

    Example:
        >>> crowdcount.annotate("photos/")  # doctest: +SKIP
        >>> samples = crowdcount.load_dataset("json", "photos/", split="all")  # doctest: +SKIP
    """
    return Annotator(folder, model)


class Annotator:
    """A folder that is being annotated in a notebook; `annotate` makes it.

    Args:
        folder: see `annotate`.
        model: see `annotate`.

    Attributes:
        widget: the Jupyter widget, to put it beside others.
    """

    def __init__(self, folder: str | os.PathLike, model: Model):
        canvas = canvas_class("Annotating", "annotator")  # before the work of looking for pictures
        self._folder = Folder(folder)
        self._desk = Desk(self._folder, model)
        self.widget: anywidget.AnyWidget = canvas(texts=texts())
        self.widget.on_msg(self._answer)

    def __repr__(self) -> str:
        entries = self._folder.entries().values()
        done = sum(entry.done for entry in entries)
        return f"{done} of {len(self._folder.names)} pictures annotated in {self._folder.file}"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """What Jupyter shows: the widget; where there are no widgets, how far the folder is."""
        bundle_ = self.widget._repr_mimebundle_(**options)
        data, metadata = bundle_ if isinstance(bundle_, tuple) else (bundle_ or {}, {})
        return {**data, "text/plain": repr(self)}, metadata

    def _answer(self, widget: Any, message: Mapping, buffers: Any) -> None:
        """Answer a message of the page: {id, question} -> {id, answer}, a picture in the buffers."""
        number, question = message.get("id"), message.get("question")
        try:
            answer = self._desk.answer(question if isinstance(question, dict) else {})
        except Conflict as conflict:
            problem = {"error": str(conflict), "code": "conflict", "entry": entry_content(conflict.entry)}
            widget.send({"id": number, "problem": problem})
        except (CrowdCountError, OSError) as error:
            widget.send({"id": number, "problem": {"error": str(error), "code": "not_usable"}})
        else:
            picture = isinstance(answer, bytes)
            widget.send({"id": number, "answer": None if picture else answer}, [answer] if picture else None)
