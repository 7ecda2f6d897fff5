"""VGG Image Annotator (VIA) 1 and 2: JSON (annotations, or a whole project) and CSV."""

from __future__ import annotations

import json
from collections.abc import Mapping

from crowdcount.data.exports.entries import Entry, Pile, number
from crowdcount.data.exports.shapes import NoHead, middle, numbers
from crowdcount.data.exports.unmarked import records_of
from crowdcount.data.records import Record, short

# Names of the attribute that says what a region is.
_KINDS = ("label", "class", "category", "type", "kind", "object", "name")


def is_via(content: object) -> bool:
    """Whether a JSON document is VIA's: a project, or an object with an entry a picture."""
    if not isinstance(content, dict):
        return False
    entries = content.get("_via_img_metadata", content)
    return (
        isinstance(entries, dict)
        and bool(entries)
        and all(isinstance(item, dict) and "filename" in item and "regions" in item for item in entries.values())
    )


def read_json(content: dict, pile: Pile) -> list[Record]:
    """Read VIA's JSON."""
    for key, item in content.get("_via_img_metadata", content).items():
        where = f"entry {key!r}"
        entry = pile.entry(item["filename"], where, once=True)
        if entry is None:
            continue
        regions = item["regions"]
        listed = list(regions.values()) if isinstance(regions, dict) else regions  # VIA 1 numbers them
        if not isinstance(listed, list):
            pile.tell(pile.file, f"{where}: regions should be a list. Received {short(regions)}.")
            continue
        for region in listed:
            region = region if isinstance(region, dict) else {}
            _add(region.get("shape_attributes"), region.get("region_attributes"), entry, where, pile)
    return records_of(pile)


def read_rows(lines: list[tuple[int, list[str]]], pile: Pile) -> list[Record]:
    """Read VIA's CSV: a row a region, or a row with `region_count` 0."""
    header = [value.strip().lstrip("#") for value in lines[0][1]]
    stated: dict[str, list[int]] = {}
    for line, row in lines[1:]:
        where = f"line {line}"
        if len(row) != len(header):
            pile.tell(pile.file, f"{where}: should have {len(header)} values. Received {short(row)}.")
            continue
        values = dict(zip(header, row, strict=True))
        entry = pile.entry(values.get("filename"), where)
        if entry is None or values.get("region_count", "").strip() == "0":
            continue
        count = number(values.get("region_count", ""))
        if count is not None:
            stated.setdefault(entry.name, []).append(int(count))
        try:
            shape = json.loads(values["region_shape_attributes"])
            attributes = json.loads(values.get("region_attributes") or "{}")
        except (ValueError, RecursionError) as error:
            pile.tell(pile.file, f"{where}: its attributes are no JSON: {error}.")
            continue
        _add(shape, attributes, entry, where, pile)
    for name, counts in stated.items():
        if max(counts) != len(counts):
            told = f"should have {max(counts)} regions by its region_count, but has {len(counts)} lines"
            pile.tell(pile.file, f"{name!r}: {told}.")
    return records_of(pile)


def _add(shape: object, attributes: object, entry: Entry, where: str, pile: Pile) -> None:
    shape = shape if isinstance(shape, Mapping) else {}
    try:
        if shape.get("name") in ("point", "circle", "ellipse"):
            x, y = numbers(shape, "cx", "cy")
        elif shape.get("name") == "rect":
            x, y = middle(*numbers(shape, "x", "y", "width", "height"))
        else:
            raise NoHead("only points, circles, ellipses and rectangles mark a head")
    except NoHead as error:
        pile.tell(pile.file, f"{where} ({entry.name!r}): {error}. Received {short(dict(shape))}.")
        return
    entry.add(x, y, label_of(attributes))


def label_of(attributes: object) -> str | None:
    """What a region's attributes call it: the one that is named as a kind, or all that there are."""
    given = attributes.items() if isinstance(attributes, Mapping) else ()
    words = {str(key): word for key, value in given if (word := _word(value))}
    kinds = [word for key, word in words.items() if key.lower() in _KINDS]
    if len(kinds) == 1 or len(words) == 1:
        return (kinds or list(words.values()))[0]
    return " ".join(f"{key}={word}" for key, word in words.items()) or None


def _word(value: object) -> str:
    """A text, or the boxes that are ticked."""
    if isinstance(value, Mapping):
        return "+".join(str(key) for key, ticked in value.items() if ticked)
    return value if isinstance(value, str) else ""
