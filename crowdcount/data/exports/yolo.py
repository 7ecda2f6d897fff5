"""YOLO boxes: one text file a picture, a line a box: class, middle and size as shares of the picture.

The files of a subset lie in a folder `labels`, or beside their pictures; `classes.txt` or the `data.yaml` of
Ultralytics names the classes. CVAT's "YOLO 1.1" is Darknet's layout: `obj_train_data` with pictures and text files,
beside it `obj.names` with the names of the classes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from crowdcount.data.exports.entries import SUBSETS, Options, Pile
from crowdcount.data.exports.unmarked import warn_of_unmarked
from crowdcount.data.images import PICTURE_SUFFIXES
from crowdcount.data.overlay_files import is_overlay
from crowdcount.data.records import Record, TellFault, files_by_number, folders_below, numbered_lines, short

_NO_LABELS = {"classes.txt", "obj.names", "readme.txt", "notes.txt", "train.txt", "val.txt", "test.txt"}
# CVAT keeps the folders of a task's pictures: so many levels of them are looked into.
_DEPTH = 3
# One name a line, and as Ultralytics has them.
_LISTS, _YAML = ("classes.txt", "obj.names"), ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
# What stands behind "names:", with the lines that belong to it; and in that, one after another, the names, which may
# have their numbers before them.
_NAMES = re.compile(r"^names:(.*(?:\n(?:[ \t\-\]}].*)?)*)", re.MULTILINE)
_NAME = re.compile(
    r"(?:^[ ]*-|[\[{,]|^(?=[ ]*\d+[ ]*:))\s*(?:(\d+)\s*:)?\s*"
    r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s,\[\]{}][^,\[\]{}\n]*)""",
    re.MULTILINE,
)


def label_files(folder: Path, images: Path | None = None) -> list[Path]:
    """The text files of boxes in a folder: those whose first line is five or six numbers, and empty ones.

    Where some are, or the folder is called `labels`, one that is named as a picture is meant as one too, whatever it
    holds.

    Args:
        folder: where they lie.
        images: folder of the pictures; None for the usual one.
    """
    texts = [file for file in files_by_number(folder, (".txt",)) if file.name.lower() not in _NO_LABELS]
    fitting = [file for file in texts if _fits(file)]
    if not fitting and "labels" not in (folder.name, folder.parent.name):
        return []
    named = {picture.stem for picture in files_by_number(images or _images_of(folder), PICTURE_SUFFIXES)}
    return [file for file in texts if file in fitting or file.stem in named]


def _fits(file: Path) -> bool:
    first = next(numbered_lines(file, lambda file, problem: None), (0, ""))[1]
    return not first or _numbers(first) is not None


def read_darknet(root: Path, subset: str, tell: TellFault, options: Options) -> list[Record] | None:
    """Read the folder of a subset, as `obj_train_data`, with the folders in it; None where there are no label files.

    Args:
        root: folder that holds it, and `obj.names`.
        subset: what it is called after, as `"train"`.
        tell: called with file and problem for each fault.
        options: answers to what the files leave unclear. In the folder of the pictures are the same folders, or none.
    """
    folder = root / f"obj_{subset}_data"
    records: list[Record] | None = None
    for place in folders_below(folder, _DEPTH) if folder.is_dir() else ():
        within = place.relative_to(folder)
        images = options.images
        if images is not None and (images / within).is_dir():
            images /= within
        if label_files(place, images):
            found = read(place, tell, replace(options, images=images), _class_names(root))
            records = [*(records or ()), *(replace(each, name=(within / each.name).as_posix()) for each in found)]
    return records


def read(folder: Path, tell: TellFault, options: Options, names: Mapping[int, str] | None = None) -> list[Record]:
    """Read all label files of a folder, the pictures in the folder `images` at the place of `labels`, or beside them.

    A picture without a file is reported: it may hold nobody, which an empty file says, or be left undone.

    Args:
        folder: where they lie.
        tell: called with file and problem for each fault.
        options: answers to what the files leave unclear.
        names: of the classes of Darknet's layout, in which a folder of pictures that is named may be that of several
            subsets: one without a file is another's. None to look for them in and above the folder.
    """
    images = options.images or _images_of(folder)
    whole = names is None or options.images is None
    names = _class_names(folder) if names is None else names
    records, done, marked = [], set(), 0
    for file in label_files(folder, images):
        pile = Pile(file, tell, replace(options, unit="fraction", columns=None, images=images))
        entry = pile.entry(file.stem, "the picture")
        if entry is None:
            continue
        done.add(entry.picture.resolve())
        for number, line in numbered_lines(file, tell):
            values = _numbers(line)
            if values is None:
                tell(
                    file,
                    f"line {number}: should be a box: class, x, y, width, height as shares of 1. Received "
                    f"{short(line)}.",
                )
                continue
            kind = int(values[0])
            entry.add(values[1], values[2], names.get(kind, str(kind)))
        marked += bool(entry.points)
        records += pile.records(unit="fraction")
    warn_of_unmarked(folder, len(records) - marked, len(records))
    for picture in files_by_number(images, PICTURE_SUFFIXES) if whole else ():
        if picture.resolve() not in done and not is_overlay(picture):
            tell(
                picture,
                f"has no labels: looked for {folder / picture.stem}.txt. An empty one says that nobody is there.",
            )
    return records


def _images_of(folder: Path) -> Path:
    """`images/train` for `labels/train`, or the folder itself."""
    parts = list(folder.parts)
    for at in range(len(parts) - 1, -1, -1):
        if parts[at] == "labels":
            parts[at] = "images"
            break
    return Path(*parts) if Path(*parts).is_dir() else folder


def _class_names(folder: Path) -> Mapping[int, str]:
    """The names of the classes by their numbers; none where no file tells them."""
    places = list(_around(folder))
    for file in (place / name for place in places for name in _LISTS):
        if file.is_file():
            return dict(enumerate(line for _, line in numbered_lines(file, lambda file, problem: None)))
    for file in (place / name for place in places for name in _YAML):
        with suppress(OSError):
            return _names_in(file.read_text("utf-8-sig", "replace"))
    return {}


def _around(folder: Path) -> Iterator[Path]:
    """The folder and the one that holds it, and on out of `labels` and of the folders of subsets."""
    yield folder
    yield folder.parent
    while folder.name.lower() in ("labels", *SUBSETS):
        folder = folder.parent
        yield folder


def _names_in(text: str) -> dict[int, str]:
    """The names of the classes in Ultralytics' YAML, a list or numbers with names.

    Example:
        >>> _names_in("nc: 2\\nnames: ['head', 'stop sign']\\npath: x")
        {0: 'head', 1: 'stop sign'}
        >>> _names_in("names:\\n  0: head  # the whole of it\\n  7: hat\\nnc: 2"), _names_in("names:\\n- head\\n- hat")
        ({0: 'head', 7: 'hat'}, {0: 'head', 1: 'hat'})
    """
    found = _NAMES.search(re.sub(r"(?m)(^|\s)#.*$", "", text))
    names: dict[int, str] = {}
    for number, name in _NAME.findall(found[1]) if found else ():
        name = name.strip()
        names[int(number) if number else len(names)] = name[1:-1] if name[:1] in "'\"" else name
    return names


def _numbers(line: str) -> list[float] | None:
    """Class and box of a line, with or without a confidence; None where it is no such line."""
    try:
        values = [float(word) for word in line.split()]
    except ValueError:
        return None
    shares = values[1:5]
    fits = len(values) in (5, 6) and values[0] >= 0 and values[0].is_integer()
    return values if fits and all(0 <= share <= 1 for share in shares) else None
