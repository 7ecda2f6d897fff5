"""What speaks against going on with a table of counts: for the command and for `count_many` alike."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from crowdcount.counting.counts_file import CountsFile
from crowdcount.errors import WeightsError
from crowdcount.network.loading import Model
from crowdcount.network.locate import find_weights


def doubts_of(counts: CountsFile, model: Model, left: Sequence) -> list[str]:
    """A sentence for each reason to doubt that what is counted now belongs with what a table holds.

    Args:
        counts: the table that is gone on with.
        model: the network that counts now.
        left: what is to be counted still, see `CountsFile.take_up`.
    """
    doubts = (_of_weights(counts, model), _of_pictures(counts), _of_folder(counts, left))
    return [doubt for doubt in doubts if doubt is not None]


def _of_weights(counts: CountsFile, model: Model) -> str | None:
    """The weights are newer than the counts: their name alone is compared."""
    if not isinstance(model, (str, os.PathLike)):
        return None
    with suppress(WeightsError):  # which is told when it is loaded, if it is
        weights = find_weights(model)
        if counts.earlier() and weights.stat().st_mtime > Path(counts.path).stat().st_mtime:
            return (
                f"the weights {weights} were written after {counts.path}: if they are others than before, counts of "
                "two networks come together in it. Name another file to keep them apart."
            )
    return None


def _of_pictures(counts: CountsFile) -> str | None:
    """Pictures were written after the counts: their counts may be of others."""
    newer, earlier = [], counts.earlier()
    written = Path(counts.path).stat().st_mtime if earlier else 0.0
    for row in earlier:
        with suppress(OSError, ValueError):
            if os.stat(row["picture"]).st_mtime > written:
                newer.append(row["picture"])
    if not newer:
        return None
    return (
        f"{len(newer)} of the pictures in {counts.path} were written after it, {newer[0]} among them: if they are "
        "others than before, take out their rows, and they are counted again."
    )


def _of_folder(counts: CountsFile, left: Sequence) -> str | None:
    """Pictures seem to be in the table by a path that leads nowhere from here: they would count twice."""
    coming = {_end_of(os.path.abspath(os.fsdecode(path))) for path in left if isinstance(path, (str, os.PathLike))}
    names = {name for _, name in coming}
    twice = []
    for row in counts.earlier():
        folder, name = _end_of(os.path.normpath(row["picture"]))
        known = (folder, name) in coming if folder else name in names
        if known and not os.path.lexists(row["picture"]):
            twice.append(row["picture"])
    if not twice:
        return None
    return (
        f"{len(twice)} of the pictures in {counts.path}, {twice[0]} among them, are not found from {os.getcwd()!r}, "
        "and others of their names are counted now. If they are the same, they stand in the table twice: go on from "
        "the folder where it was begun, or name another file."
    )


def _end_of(path: str) -> tuple[str, str]:
    """A picture's name and that of its folder, without those around it; the folder first, empty where there is none."""
    folder, name = os.path.split(path)
    return os.path.basename(folder), name
