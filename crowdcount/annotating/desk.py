"""What an annotating page asks, and what it is answered: the same on the local page and in a notebook."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from crowdcount.annotating.folder import Entry, Folder, points_of
from crowdcount.data.images import load_picture
from crowdcount.errors import AnnotationError, PictureError

if TYPE_CHECKING:
    from crowdcount.network.loading import Model

# Good enough that no head is lost; a picture of 20 megapixels has about 8 MB.
_QUALITY = 92


class Desk:
    """Answers the questions of a page about one folder.

    Args:
        folder: the folder.
        model: the network whose heads a picture begins with, as `crowdcount.count` takes it.
    """

    def __init__(self, folder: Folder, model: Model):
        self._folder = folder
        self._model = model

    def answer(self, question: Mapping) -> dict | bytes:
        """Answer a question.

        Args:
            question: `ask`, with what it needs:
                `folder`: the pictures, how far each is, and the file's name.
                `picture`, `name`: the picture as a JPEG, upright, of its own size.
                `entry`, `name`: what is annotated in it, its version and its size.
                `save`, `name`, `version`, `points`, `ignore`, `done`: writes; answers the new version.
                `heads`, `name`: the heads that the model finds.
                `csv`: all that is done as CSV.

        Raises:
            Conflict: for `save`, if the picture was changed elsewhere.
            CrowdCountError: for anything else that is not as it should be.
        """
        asks: dict[str, Callable[[Mapping], dict | bytes]] = {
            "folder": self._pictures,
            "picture": self._picture,
            "entry": self._entry,
            "save": self._save,
            "heads": self._heads,
            "csv": self._csv,
        }
        ask = question.get("ask")
        if not isinstance(ask, str) or ask not in asks:
            raise AnnotationError(f"There is nothing to answer to {ask!r:.40}.")
        return asks[ask](question)

    def _pictures(self, question: Mapping) -> dict:
        entries = self._folder.entries()
        found = [
            {"name": name, "done": entries[name].done if name in entries else False, "begun": name in entries}
            for name in self._folder.names
        ]
        return {"pictures": found, "file": self._folder.file.name}

    def _picture(self, question: Mapping) -> bytes:
        picture = load_picture(self._folder.picture(_name(question)))
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, format="JPEG", quality=_QUALITY)
        return buffer.getvalue()

    def _entry(self, question: Mapping) -> dict:
        name = _name(question)
        height, width = self._folder.size(name)
        return {**entry_content(self._folder.entries().get(name, Entry())), "width": width, "height": height}

    def _save(self, question: Mapping) -> dict:
        ignore = question.get("ignore", [])
        if not isinstance(ignore, list):
            raise AnnotationError("ignore should be a list of polygons.")
        entry = Entry(
            points_of(question.get("points")), [points_of(polygon) for polygon in ignore], question.get("done") is True
        )
        return {"version": self._folder.save(_name(question), entry, str(question.get("version", "")))}

    def _heads(self, question: Mapping) -> dict:
        from crowdcount.counting.pictures import count

        try:
            result = count(self._folder.picture(_name(question)), model=self._model, progress=False)
        except MemoryError as error:  # as `crowdcount app` tells it
            raise PictureError("There is not enough memory for this picture. Make it smaller.") from error
        return {"heads": np.round(result.heads(), 1).tolist()}

    def _csv(self, question: Mapping) -> dict:
        return {"csv": self._folder.csv()}


def _name(question: Mapping) -> str:
    return str(question.get("name", ""))


def entry_content(entry: Entry) -> dict:
    """An entry as the page takes it."""
    return {"points": entry.points, "ignore": entry.ignore, "done": entry.done, "version": entry.version}
