"""Where weights lie: those that come with the package by their name, others by their file."""

from __future__ import annotations

import os
from pathlib import Path

from crowdcount.errors import WeightsError
from crowdcount.files import data_folder

SUFFIX = ".weights.h5"


def model_names() -> list[str]:
    """Names of the models that come with the package, and of one's own beside them, sorted."""
    return sorted(path.name.removesuffix(SUFFIX) for path in data_folder("weights").glob(f"*{SUFFIX}"))


def find_weights(name_or_file: str | os.PathLike) -> Path:
    """Path of a shipped model's weights or of a file.

    Raises:
        WeightsError: where neither a shipped model nor a file has this name; says which models there are.
    """
    text = os.fspath(name_or_file)
    shipped = data_folder("weights")
    path = shipped / f"{text}{SUFFIX}"
    if os.sep not in text and path.is_file():
        return path
    path = Path(text)
    if path.is_dir():
        raise WeightsError(f"A weight file is wanted, but {path} is a folder. Name the {SUFFIX} file in it.")
    if path.is_file():
        return path
    names = ", ".join(model_names()) or "none"
    raise WeightsError(f"There is no model or file named {text!r}. Models that come with crowdcount: {names}.")
