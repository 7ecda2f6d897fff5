"""Label Studio: JSON (tasks with their annotations) and JSON-MIN; coordinates in percent of the picture."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TypeGuard

from crowdcount.data.exports.entries import Entry, Pile, is_finite_number
from crowdcount.data.exports.shapes import NoHead, middle, numbers
from crowdcount.data.exports.unmarked import warn_of_unmarked_in
from crowdcount.data.images import PICTURE_SUFFIXES
from crowdcount.data.records import Record, short
from crowdcount.errors import PictureError

# What a polygon has, what was painted with the brush, and a box in a video.
_NO_PLACES = ("points", "rle", "sequence")
_LABELS = ("keypointlabels", "rectanglelabels", "ellipselabels", "labels")


def is_full(content: object) -> bool:
    """Whether a JSON document is a list of tasks."""
    return _all_objects(content) and all(
        isinstance(task.get("data"), dict) and "annotations" in task for task in content
    )


def is_minimal(content: object) -> bool:
    """Whether a JSON document is a list of pictures with regions under the names of the labeling tags."""
    return (
        _all_objects(content)
        and all(_address(task) and "picture" not in task for task in content)
        and any(_regions(task) for task in content)
    )


def _all_objects(content: object) -> TypeGuard[list[dict]]:
    return isinstance(content, list) and bool(content) and all(isinstance(item, dict) for item in content)


def is_notes(file: Path) -> bool:
    """Whether a file is what lies beside Label Studio's YOLO files: categories and a note of the program, no places."""
    if file.name != "notes.json":
        return False
    with suppress(OSError, ValueError, RecursionError):
        content = json.loads(file.read_text("utf-8"))
        return isinstance(content, dict) and set(content) <= {"categories", "info"}
    return False


def read_full(content: list[dict], pile: Pile) -> list[Record]:
    """Read tasks: of each the one annotation that was submitted."""
    for position, task in enumerate(content, start=1):
        where = f"task {task.get('id', position)}"
        given = task["annotations"] if isinstance(task["annotations"], list) else []
        valid = [item for item in given if isinstance(item, dict) and not item.get("was_cancelled")]
        if len(valid) != 1:
            pile.tell(
                pile.file,
                f"{where}: should have one submitted annotation, an empty one where nobody is. It has {len(valid)}.",
            )
            continue
        entry = pile.entry(_address(task["data"]), where, once=True)
        if entry is None:
            continue
        result = valid[0].get("result", [])
        if not isinstance(result, list):
            pile.tell(pile.file, f"{where}: result should be a list. Received {short(result)}.")
            continue
        # One region's place, label and notes are items of one id.
        regions: dict[object, dict] = {}
        for number, item in enumerate(result):
            value = item.get("value") if isinstance(item, dict) else None
            if isinstance(value, dict) and _is_region(value):
                if item.get("image_rotation"):
                    pile.tell(pile.file, f"{where}: the picture was turned in the tool. Turn the file itself.")
                    continue
                _check_size(item, entry, where, pile)
                key = item.get("id")
                regions.setdefault(key if isinstance(key, str) else number, {}).update(value)
        for value in regions.values():
            _add(value, entry, where, pile)
    return pile.records()


def read_minimal(content: list[dict], pile: Pile) -> list[Record]:
    """Read JSON-MIN: regions under the names of the labeling tags."""
    for position, task in enumerate(content, start=1):
        where = f"task {task.get('id', position)}"
        entry = pile.entry(_address(task), where, once=True)
        if entry is not None:
            for value in _regions(task):
                _add(value, entry, where, pile)
    warn_of_unmarked_in(pile)
    return pile.records()


def _check_size(item: Mapping, entry: Entry, where: str, pile: Pile) -> None:
    """Percent hold for a larger or smaller copy of the picture, not for one that is turned or cut."""
    wide, high = item.get("original_width"), item.get("original_height")
    with suppress(PictureError):
        height, width = entry.size()
        if is_finite_number(wide) and is_finite_number(high) and abs(wide * height - high * width) > height + width:
            pile.check_size(entry, wide, high, where)


def _regions(task: dict) -> list[dict]:
    lists = [value for value in task.values() if isinstance(value, list)]
    return [item for value in lists for item in value if isinstance(item, dict) and _is_region(item)]


def _is_region(value: Mapping) -> bool:
    """Whether a value marks something in the picture: a place, a polygon, or what was painted with the brush."""
    return any(key in value for key in ("x", *_NO_PLACES))


def _address(data: Mapping) -> str | None:
    """The value that names the picture: `image`, or the only one that ends as a picture does."""
    if isinstance(data.get("image"), str):
        return data["image"]
    named = [
        value
        for value in data.values()
        if isinstance(value, str) and PurePosixPath(value.partition("?")[0]).suffix.lower() in PICTURE_SUFFIXES
    ]
    return named[0] if len(named) == 1 else None


def _add(value: Mapping, entry: Entry, where: str, pile: Pile) -> None:
    """One region: a keypoint, a rectangle or an ellipse."""
    try:
        height, width = entry.size()
    except PictureError as error:
        pile.tell(entry.picture, str(error).removeprefix(f"{str(entry.picture)!r} "))
        return
    try:
        if any(key in value for key in _NO_PLACES):
            raise NoHead("only keypoints, rectangles and ellipses mark a head")
        x, y = numbers(value, "x", "y")
        x, y = x * width / 100, y * height / 100
        if "height" in value:
            wide, high, turn = numbers({"rotation": 0, **value}, "width", "height", "rotation")
            x, y = middle(x, y, wide * width / 100, high * height / 100, turn)
    except NoHead as error:
        pile.tell(pile.file, f"{where} ({entry.name!r}): {error}. Received {short(dict(value))}.")
        return
    names = next((value[key] for key in _LABELS if isinstance(value.get(key), list) and value[key]), None)
    entry.add(x, y, str(names[0]) if names else None)
