"""Pictures without a mark in the file of a tool: of nobody, or such as nobody has looked at yet."""

from __future__ import annotations

import warnings
from pathlib import Path

from crowdcount.data.exports.entries import Pile
from crowdcount.data.records import Record
from crowdcount.errors import AnnotationWarning

# So many of them, and more than this share, are more than are annotated on purpose most often.
_ENOUGH, _SHARE = 3, 0.2


def records_of(pile: Pile) -> list[Record]:
    """The records of a tool that lists all pictures of a project, annotated or not; see `Pile.records`."""
    warn_of_unmarked_in(pile)
    return pile.records(sure=False)


def warn_of_unmarked_in(pile: Pile) -> None:
    """`warn_of_unmarked` of what has been gathered, before labels are chosen: those of others are marks, too."""
    marked = [bool(entry.points or entry.ignore) for entry in pile.entries.values()]
    warn_of_unmarked(pile.file, len(marked) - sum(marked), len(marked))


def warn_of_unmarked(source: Path, unmarked: int, pictures: int) -> None:
    """Warn where a large share of the pictures has no annotation: they are taken for pictures of nobody.

    Args:
        source: file or folder that names them.
        unmarked: pictures without an annotation.
        pictures: all of them.

    Example:
        >>> warn_of_unmarked(Path("via.json"), 2, 20)
    """
    if unmarked >= _ENOUGH and unmarked > _SHARE * pictures:
        warnings.warn(
            f"{source}: {unmarked} of {pictures} pictures have no annotation, and count as pictures of nobody. If "
            "some have not been looked at yet, leave these out: write all as CSV (crowdcount convert --to csv), and "
            "delete their lines, in which x and y are empty.",
            AnnotationWarning,
            stacklevel=2,
        )
