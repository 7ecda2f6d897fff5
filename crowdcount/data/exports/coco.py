"""COCO: keypoints, or boxes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from crowdcount.data.exports.entries import Entry, Pile, set_split
from crowdcount.data.exports.shapes import NoHead, middle, numbers, pair
from crowdcount.data.exports.unmarked import records_of
from crowdcount.data.records import Record, short

# So many keypoints has the skeleton of a person in COCO; of these lie on the head:
_SKELETON = 17
_ON_HEAD = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")


def is_coco(content: object) -> bool:
    """Whether a JSON document has COCO's lists."""
    return (
        isinstance(content, dict)
        and isinstance(content.get("images"), list)
        and isinstance(content.get("annotations"), list)
    )


def read(content: dict, pile: Pile) -> list[Record]:
    """Read pictures with their annotations: the keypoint, the mean of those on the head, or the middle of the box."""
    entries: dict[object, Entry | None] = {}
    for number, image in enumerate(content["images"], start=1):
        where = f"image {number}"
        image = image if isinstance(image, dict) else {}
        key = _id(image.get("id"))
        if key is None:
            pile.tell(pile.file, f"{where}: id should be a number or a word. Received {short(image)}.")
            continue
        if key in entries:
            pile.tell(pile.file, f"{where}: an earlier one has the same id, {key!r}.")
            continue
        entry = entries[key] = pile.entry(image.get("file_name"), where, once=True)
        if entry is not None:
            _describe(image, entry, where, pile)
    listed = content.get("categories")
    known = listed if isinstance(listed, list) else []
    categories = {_id(item.get("id")): item for item in known if isinstance(item, dict)}
    for number, item in enumerate(content["annotations"], start=1):
        where = f"annotation {number}"
        item = item if isinstance(item, dict) else {}
        key = _id(item.get("image_id"))
        if key not in entries:
            pile.tell(pile.file, f"{where}: there is no image with the id {short(item.get('image_id'))}.")
            continue
        entry = entries[key]
        if entry is not None:
            _add(item, categories.get(_id(item.get("category_id")), {}), entry, where, pile)
    info = content.get("info")
    ours = isinstance(info, dict) and info.get("unit") == "pixels"  # nobody is there, where it says so
    return pile.records() if ours else records_of(pile)


def _id(value: object) -> float | str | None:
    """An id, a number or a word; None for what is neither."""
    return value if isinstance(value, (int, float, str)) else None


def _describe(image: Mapping, entry: Entry, where: str, pile: Pile) -> None:
    """What our own COCO files say besides: split, labels and region of interest."""
    pile.check_size(entry, image.get("width"), image.get("height"), where)
    if "split" in image:
        set_split(entry, image["split"], pile, where)
    try:
        for polygon in image.get("roi", []):
            corners = np.array([pair(point) for point in polygon])
            if len(corners) < 3:
                raise NoHead(f"the polygon {polygon} has less than 3 corners")
            entry.roi.append(corners)
    except (NoHead, TypeError) as error:
        pile.tell(pile.file, f"{where}: roi should be a list of polygons: {error}.")
    if isinstance(image.get("labels"), dict):
        entry.described = {str(key): str(value) for key, value in image["labels"].items()}


def _add(item: Mapping, category: Mapping, entry: Entry, where: str, pile: Pile) -> None:
    label = category.get("name")
    try:
        if _is_set(item, "iscrowd"):
            left, top, width, height = _box(item)
            entry.ignore.append((left, top, left + width, top + height))
            return
        for place in _places(item, category):
            entry.add(*place, label if isinstance(label, str) else None)
    except NoHead as error:
        pile.tell(pile.file, f"{where} ({entry.name!r}): {error}. Received {short(dict(item))}.")


def _places(item: Mapping, category: Mapping) -> list[tuple[float, float]]:
    """Where the head or the heads of an annotation are."""
    flat = item.get("keypoints")
    if not flat:
        return [middle(*_box(item))]
    if not isinstance(flat, list) or len(flat) % 3:
        raise NoHead("keypoints should be a list of x, y, visibility")
    points = [
        (pair(flat[i : i + 2]), _is_set({"visibility": flat[i + 2]}, "visibility")) for i in range(0, len(flat), 3)
    ]
    if any(not visible and place != (0, 0) for place, visible in points) and not any(visible for _, visible in points):
        raise NoHead("its keypoints have places, but all the visibility 0, which says that none is marked: write 2")
    seen = [place for place, visible in points if visible]
    listed = category.get("keypoints")
    names = [str(name) for name in listed] if isinstance(listed, list) else []
    if len(points) == _SKELETON and len(names) <= 1:
        raise NoHead(f"{_SKELETON} keypoints without names may be a person's skeleton: categories should name them")
    if len(points) == 1 or len(names) <= 1:  # a dot each
        return seen
    for wanted in (("head",), _ON_HEAD):
        on_head = [place for name, (place, visible) in zip(names, points, strict=False) if name in wanted and visible]
        if on_head:
            return [tuple(np.mean(on_head, axis=0).tolist())]
    if set(names) & {"head", *_ON_HEAD}:
        raise NoHead("none of the keypoints on the head is visible")
    raise NoHead("it is not clear which of its keypoints is the head")


def _is_set(item: Mapping, name: str) -> bool:
    """Whether a flag is not 0, which some programs write as text; where it is missing, it is."""
    value = item.get(name)
    return bool(value) if value is None or isinstance(value, bool) else numbers(item, name) != [0]


def _box(item: Mapping) -> list[float]:
    box = item.get("bbox")
    if not isinstance(box, list) or len(box) != 4:
        raise NoHead("bbox should be left, top, width, height")
    return numbers(dict(zip("abcd", box, strict=True)), *"abcd")
