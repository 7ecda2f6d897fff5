"""Folders that a command makes anew each time, which may lie wherever its user says: on a stick, among other files."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from crowdcount.errors import CrowdCountError
from tools.repository import ROOT

_MARK = ".crowdcount"


def begin_anew(folder: Path, names: Iterable[str]) -> None:
    """Take out of a folder what the command has made there before, and nothing else.

    Args:
        folder: the folder; made if it is not there.
        names: of the files and folders in it that the command makes.

    Raises:
        CrowdCountError: if it holds something and the command has never made it: those are somebody's files.
    """
    mark = folder / _MARK
    ours = mark.exists() or folder.resolve().is_relative_to(ROOT / "build")
    if folder.exists() and not ours and (not folder.is_dir() or any(folder.iterdir())):
        raise CrowdCountError(f"{folder} holds something already. Name a folder that is empty or not there yet.")
    for name in names:
        shutil.rmtree(folder / name, ignore_errors=True)
        with suppress(FileNotFoundError):
            (folder / name).unlink()
    folder.mkdir(parents=True, exist_ok=True)
    mark.touch()
