"""What there is to count: one picture or many, folders opened, each with its name."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeGuard

from crowdcount.counting.results import CountFailure
from crowdcount.data.images import Source, is_searched, list_pictures
from crowdcount.errors import PictureError
from crowdcount.files import natural

NAMELESS = "picture"
"""What a picture is called that came without a path."""


def is_one(items: object) -> bool:
    """Whether something to count is one picture or folder, not several: one rule for all that count.

    Example:
        >>> is_one("march.jpg"), is_one(["march.jpg"]), is_one(name for name in ["a.jpg", "b.jpg"])
        (True, False, False)
    """
    # These can be gone through as well: by letters, bytes, lines and rows.
    single = isinstance(items, (str, bytes, bytearray, memoryview, os.PathLike)) or hasattr(items, "read")
    # Of arrays and tensors: a column of paths has one axis, a batch of pictures four.
    single |= getattr(items, "ndim", len(getattr(items, "shape", (0,)))) not in (1, 4)  # a tf.Variable has no ndim
    return single or not isinstance(items, Iterable)


def listed(items: object) -> Iterable:
    """Several things to count as they are, a single one in a list.

    Example:
        >>> listed("march.jpg"), listed(("a.jpg", "b.jpg"))
        (['march.jpg'], ('a.jpg', 'b.jpg'))
    """
    return [items] if is_one(items) else items  # type: ignore[return-value]


def pictures_in(folder: str | os.PathLike) -> list[str]:
    """Paths of the pictures in a folder and its subfolders, sorted; see `list_pictures`.

    Args:
        folder: the folder.

    Returns:
        For each the folder as it was given, joined with the path in it.

    Raises:
        PictureError: if the folder cannot be read or holds no pictures.
    """
    paths = [
        os.path.join(os.fspath(folder), path.relative_to(folder)) for path in list_pictures(folder, recursive=True)
    ]
    if not paths:
        raise PictureError(f"The folder {os.fspath(folder)!r} holds no pictures. Name a folder of JPEG or PNG files.")
    return paths


def matching(pattern: str) -> list[str]:
    """The paths that a pattern such as `march/*.jpg` names, sorted; itself where it is a path, or names nothing.

    Shells put the paths in place of a pattern; that of Windows does not, and passes the pattern on.

    Example:
        >>> matching("no/*.jpg"), matching("march.jpg")
        (['no/*.jpg'], ['march.jpg'])
    """
    if os.path.lexists(pattern):
        return [pattern]
    return sorted(glob.glob(pattern, recursive=True), key=lambda path: natural(Path(path))) or [pattern]


def linked_folders(paths: Sequence[str]) -> list[str]:
    """The links in folders and their subfolders that lead to folders elsewhere, which `pictures_in` does not follow.

    Not those that lead to what is counted anyway: to one of these folders, or into it.

    Args:
        paths: folders; of pictures among them there is nothing to tell.
    """
    places = [os.path.realpath(path) for path in paths if os.path.isdir(path)]
    links = []
    for path in paths:
        for parent, folders, _ in os.walk(path):
            folders[:] = filter(is_searched, folders)
            links += [link for name in folders if os.path.islink(link := os.path.join(parent, name))]
    return [link for link in links if not any(_lies_in(os.path.realpath(link), place) for place in places)]


def _lies_in(folder: str, place: str) -> bool:
    """Whether a folder is searched together with another one; both without links."""
    inside = folder.removeprefix(os.path.join(place, ""))
    return folder == place or inside != folder and all(map(is_searched, inside.split(os.sep)))


def expanded(sources: Iterable[Source]) -> Iterator[Source | CountFailure]:
    """The pictures, with those of a folder in its place; a `CountFailure` for a folder without pictures."""
    for source in sources:
        if not is_folder(source):
            yield source
            continue
        try:
            yield from pictures_in(source)
        except PictureError as error:
            yield CountFailure(name_of(source), str(error))


def is_folder(source: object) -> TypeGuard[str | os.PathLike]:
    """Whether it is the path of a folder."""
    return isinstance(source, (str, os.PathLike)) and os.path.isdir(source)


def place_of(path: str | os.PathLike) -> str:
    """Where a picture lies: one path for all that lead there through linked folders; a link to a picture is its own.

    The current folder has no links in its path, and a path that was typed may.
    """
    folder, name = os.path.split(os.path.abspath(os.fsdecode(path)))
    with suppress(ValueError):  # a table may hold what is no path
        folder = os.path.realpath(folder)
    return os.path.join(folder, name)


def short_names(pictures: Iterable[str]) -> dict[str, str]:
    """What pictures are called where they stand together: without their folders, if no other one is called so too.

    Cameras begin their numbers again: there is an IMG_0001.jpg of each day.

    Example:
        >>> short_names(["day 1/a.jpg", "day 2/a.jpg", "day 2/b.jpg"])
        {'day 1/a.jpg': 'day 1/a.jpg', 'day 2/a.jpg': 'day 2/a.jpg', 'day 2/b.jpg': 'b.jpg'}
    """
    short = {picture: os.path.basename(picture) or picture for picture in pictures}
    often = Counter(short.values())
    return {picture: name if often[name] == 1 else picture for picture, name in short.items()}


def name_of(source: Source) -> str:
    """A picture's path, or `\"picture\"` where it came without one."""
    if isinstance(source, (str, os.PathLike)):
        return os.fsdecode(source)
    # PIL images and file objects know their files; an open socket's name is a number.
    name = getattr(source, "filename", None) or getattr(source, "name", None)
    return name if isinstance(name, str) and name else NAMELESS
