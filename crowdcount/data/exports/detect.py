"""What kind of annotation file it is, told by what is inside."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from crowdcount.data import documents
from crowdcount.data.exports import coco, cvat, label_studio, labelme, pictures, via, voc, yolo
from crowdcount.data.exports.entries import SUBSETS, UNITS, Options, Pile, annotation_files, check_labels
from crowdcount.data.exports.table import decoded, read_table
from crowdcount.data.records import Record, TellFault, short

_JSON: tuple[tuple[Callable[[object], bool], Callable[..., list[Record]]], ...] = (
    (via.is_via, via.read_json),
    (labelme.is_labelme, labelme.read),
    (coco.is_coco, coco.read),
    (label_studio.is_full, label_studio.read_full),
    (label_studio.is_minimal, label_studio.read_minimal),
)
_JSON_KINDS = "ours, Label Studio, COCO, LabelMe, VIA, NWPU-Crowd"
_TABLES, _DOCUMENTS = (".csv", ".tsv", ".txt"), (".json", ".jsonl", ".ndjson", ".xml")
# Where tools put their files, below the folder that is named.
_SPLIT_LABELS = ("labels/train", "labels/val", "labels/valid", "labels/test")
_FOLDERS = ("", "annotations", "Annotations", "labels", *_SPLIT_LABELS, "images", "jsons")
# A file of one subset, as COCO's instances_val2017.json.
_OF_SUBSET = re.compile(rf"(?:^|[^A-Za-z])(({'|'.join(SUBSETS)})(?:\d{{4}})?)$", re.IGNORECASE)


def read_any(path: Path, tell: TellFault, options: Options | None = None) -> list[Record]:
    """Read annotations of whatever kind.

    Args:
        path: a file, or the folder that a tool exported.
        tell: called with file and problem for each fault.
        options: answers to what the files leave unclear.

    Returns:
        The pictures that are named and there.
    """
    options = options or Options()
    if path.is_file():
        return _reader(path)(path, tell, options)
    # A file may have one label, and its neighbour another: cars are no heads.
    gathered: dict[Path, Counter[str | None]] = {}
    records = _read_all(path, tell, replace(options, gathered=gathered))
    place = next(iter(gathered)) if len(gathered) == 1 else path
    check_labels(place, sum(gathered.values(), Counter()), options.label, tell)
    return records


def _read_all(path: Path, tell: TellFault, options: Options) -> list[Record]:
    """What a tool exported into a folder."""
    if not path.is_dir():
        tell(path, "is no file or folder. Name the annotation file, or the folder with the annotations.")
        return []
    for name in _FOLDERS:
        place = path / name
        if place.is_dir() and (records := _read_folder(place, tell, options)) is not None:
            records = voc.with_listed_splits(records, path, tell) if name.lower() == "annotations" else records
            return _with_other_subsets(records, path, name, tell, options)
    subsets = [(name, _read_subset(path, name, tell, options)) for name in SUBSETS]
    found = [(name, records) for name, records in subsets if records is not None]
    if found:
        return _apart(found)
    sheet = next(iter(annotation_files(path, (".xlsx", ".xls", ".ods"))), None)
    hint = f" Save the sheet of {sheet.name} as CSV." if sheet else ""
    tell(path, f"holds no annotations that are known: looked for CSV, JSON, XML and YOLO's text files.{hint}")
    return []


def _read_subset(path: Path, name: str, tell: TellFault, options: Options) -> list[Record] | None:
    """The annotations of a folder as `train`, with its pictures or apart from them; None where there are none."""
    for place in (path / name / "labels", path / name):
        if place.is_dir() and (records := _read_folder(place, tell, options)) is not None:
            return records
    return yolo.read_darknet(path, name, tell, options)


def read_json(file: Path, tell: TellFault, options: Options | None = None) -> list[Record]:
    """Read a JSON document or JSON lines of whatever kind."""
    pile = Pile(file, tell, options or Options())
    try:
        content = _parsed(decoded(file.read_bytes()))
    except (OSError, ValueError, RecursionError) as error:
        tell(file, f"is not a readable JSON file in UTF-8: {error}.")
        return []
    for is_kind, read in _JSON:
        if is_kind(content):
            return read(content, pile)
    items = pictures.listed(content)
    if items is not None:
        stated = content.get("unit") if isinstance(content, dict) else None
        if stated is not None and stated not in UNITS:
            tell(file, f'"unit" should be one of {", ".join(UNITS)}. Received {short(stated)}.')
            return []
        return pictures.read(items, pile, stated)
    tell(
        file,
        f'has no list "pictures": {{"pictures": [{{"picture": "a.jpg", "points": [[x, y], ...]}}]}}, and is of no '
        f"other kind that is known ({_JSON_KINDS}).",
    )
    return []


def read_xml(file: Path, tell: TellFault, options: Options | None = None) -> list[Record]:
    """Read an XML file of CVAT or Pascal VOC."""
    pile = Pile(file, tell, options or Options())
    try:
        data = file.read_bytes()
        if b"<!ENTITY" in data:  # may grow without end; no tool writes them
            raise ValueError("it declares entities")
        root = ElementTree.fromstring(data)
    except (OSError, ValueError, ElementTree.ParseError) as error:
        tell(file, f"is not a readable XML file: {error}.")
        return []
    kinds = {"annotations": cvat.read, "annotation": voc.read}
    if root.tag not in kinds:
        tell(file, f"is neither CVAT's (annotations) nor Pascal VOC's (annotation). Received <{root.tag}>.")
        return []
    return kinds[root.tag](root, pile)


def _parsed(text: str) -> object:
    """A JSON document, or a list of the objects that stand on a line each."""
    try:
        return documents.parse(text)
    except documents.NamedTwice:
        raise
    except ValueError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2:
            raise
        objects = []
        for number, line in enumerate(lines, start=1):
            try:
                objects.append(documents.parse(line))
            except documents.NamedTwice:
                raise
            except ValueError:
                # Of JSON lines each is an object; anything else is one broken document.
                raise error if number == 1 else ValueError(f"line {number}: {line[:60]!r}") from None
        return objects


def _reader(file: Path) -> Callable[[Path, TellFault, Options], list[Record]]:
    if file.suffix.lower() == ".xml":
        return read_xml
    return read_json if file.suffix.lower() in _DOCUMENTS else read_table


def _read_folder(folder: Path, tell: TellFault, options: Options) -> list[Record] | None:
    """The annotations right in a folder, or None where there are none: one file for all pictures, or one for each."""
    documents = [file for file in annotation_files(folder, _DOCUMENTS) if not label_studio.is_notes(file)]
    tables = annotation_files(folder, (".csv", ".tsv"))
    files = [*tables, *documents]
    # Both points.csv and points.json: the page of dots takes the first over into the second, and goes on there.
    preferred = [file for file in files if file.stem == "points"] or files
    if len(preferred) == 1:
        return _reader(preferred[0])(preferred[0], tell, options)
    if preferred is files and documents and len({file.suffix.lower() for file in documents}) == 1 and not tables:
        return _read_many(documents, tell, options)
    if files:
        names = ", ".join(file.name for file in preferred[:5])
        tell(folder, f"holds several annotation files: {names}. Name the one to read.")
        return []
    return yolo.read(folder, tell, options) if yolo.label_files(folder) else None


def _read_many(files: list[Path], tell: TellFault, options: Options) -> list[Record]:
    """Read files with a picture each, or with a subset each; no picture is in two of them."""
    subsets = [_OF_SUBSET.search(file.stem) for file in files]
    apart = all(subsets)
    read: list[tuple[str, list[Record]]] = []
    seen: dict[Path, Path] = {}
    for file, subset in zip(files, subsets, strict=True):
        records: list[Record] = []
        for record in _reader(file)(file, tell, _beside(file, subset[1], options) if apart and subset else options):
            first = seen.setdefault(record.picture, file)
            if first != file:
                tell(file, f"{record.name!r} is in {first.name} already: name the one file to read.")
            else:
                records.append(record)
        read.append((subset[2].lower() if apart and subset else "", records))
    return _apart(read) if apart else [record for _, records in read for record in records]


def _beside(file: Path, subset: str, options: Options) -> Options:
    """Where a subset's pictures lie in a folder of its own, those alone are looked for there."""
    above = file.parent.parent
    places = (place / subset for place in (above / "images", above, file.parent / "images", file.parent))
    images = next((place for place in places if place.is_dir()), None)
    return options if options.images or images is None else replace(options, images=images)


def _with_other_subsets(
    records: list[Record], path: Path, name: str, tell: TellFault, options: Options
) -> list[Record]:
    """YOLO's other folders beside `labels/train`."""
    if name not in _SPLIT_LABELS:
        return records
    read = [(name, records)]
    for other in _SPLIT_LABELS[_SPLIT_LABELS.index(name) + 1 :]:
        if os.path.isdir(path / other):
            read.append((other, _read_folder(path / other, tell, options) or []))
    return _apart([(name.rpartition("/")[2], found) for name, found in read])


def _apart(subsets: list[tuple[str, list[Record]]]) -> list[Record]:
    """The pictures of several folders, each with its folder's split, and its folder's name before its own."""
    if len(subsets) == 1:
        return subsets[0][1]
    return [
        replace(record, name=f"{name}/{record.name}", split=SUBSETS[name])
        for name, records in subsets
        for record in records
    ]
