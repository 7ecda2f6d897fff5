"""Annotations written in four layouts, so that nothing is lost: reading them again gives the same heads."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import scipy.io
from PIL import Image

from crowdcount.data.dividing import hashed_split
from crowdcount.data.exif import orientation_of
from crowdcount.data.exports.table import column_names
from crowdcount.data.images import load_picture, picture_size
from crowdcount.data.opening import opened, quiet_pillow
from crowdcount.data.records import Record, way_to
from crowdcount.data.tiff import RareTiff
from crowdcount.errors import AnnotationError
from crowdcount.files import as_cell, atomic_folder, atomic_path


def convert(records: Sequence[Record], kind: str, out: str | os.PathLike) -> None:
    """Write annotations.

    Args:
        records: the pictures, each once.
        kind: one of `KINDS`. `"csv"`, `"json"` and `"coco"` write one file, which names the pictures where they lie;
            `"shanghaitech"` makes the folder with copies of the pictures.
        out: the file, or the folder, which must not exist yet or be empty.

    Raises:
        AnnotationError: if there is no picture, or the layout cannot hold what the annotations say.
        OSError: if it cannot be written.
    """
    if not records:
        raise AnnotationError("There is no picture to write. Name a file or folder with annotations.")
    KINDS[kind](records, Path(out))


def changed_sides(records: Sequence[Record], out: str | os.PathLike) -> int:
    """How many pictures without a split a file's names put on the other side of training and validation.

    Args:
        records: as for `convert`.
        out: the CSV, JSON or COCO file.
    """
    unmarked = (record for record in records if record.split is None)
    return sum(hashed_split(record.name) != hashed_split(_name(record, Path(out))) for record in unmarked)


def _write_csv(records: Sequence[Record], out: Path) -> None:
    _refuse(records, "CSV", roi=True, labels=True)
    for record in records:
        if not _is_unicode(_name(record, out)):
            raise AnnotationError(
                f"CSV cannot hold the name {record.name!r}: its bytes are no UTF-8. Rename the picture, or write json."
            )
    with_split = _whole_split(records)
    boxes = any(len(record.ignore) for record in records)
    x, y = column_names(record.points for record in records).values()
    columns = ["picture", x, y, *(["ignore"] if boxes else []), *(["split"] if with_split else [])]
    with atomic_path(out) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        for record in records:
            row = {"picture": as_cell(_name(record, out)), **({"split": record.split} if with_split else {})}
            heads = [{**row, x: repr(across), y: repr(down)} for across, down in record.points.tolist()]
            ignored = [{**row, "ignore": " ".join(map(repr, box))} for box in record.ignore.tolist()]
            writer.writerows(heads + ignored or [row])


def _write_json(records: Sequence[Record], out: Path) -> None:
    with_split = _whole_split(records)
    pictures = []
    for record in records:
        item = {"picture": _name(record, out), "points": record.points.tolist(), "count": len(record.points)}
        if with_split:
            item["split"] = record.split
        pictures.append(item | _extras(record, boxes=True))
    _write_text(out, json.dumps({"unit": "pixels", "pictures": pictures}, ensure_ascii=False, indent=1))


def _write_coco(records: Sequence[Record], out: Path) -> None:
    """A keypoint a head, with a box of one pixel around it; boxes to ignore as crowds."""
    with_split = _whole_split(records)
    images: list[dict] = []
    annotations: list[dict] = []

    def add(**fields) -> None:
        annotations.append({"id": len(annotations) + 1, "image_id": len(images), "category_id": 1, **fields})

    for record in records:
        height, width = picture_size(record.picture)
        image = {"id": len(images) + 1, "file_name": _name(record, out), "width": width, "height": height}
        if with_split:
            image["split"] = record.split
        images.append(image | _extras(record, boxes=False))
        for x, y in record.points.tolist():
            box = [x - 0.5, y - 0.5, 1.0, 1.0]
            add(keypoints=[x, y, 2], num_keypoints=1, bbox=box, area=1.0, iscrowd=0)
        for left, top, right, bottom in record.ignore.tolist():
            box = [left, top, right - left, bottom - top]
            add(bbox=box, area=box[2] * box[3], iscrowd=1, keypoints=[0, 0, 0], num_keypoints=0)
    categories = [{"id": 1, "name": "head", "supercategory": "person", "keypoints": ["head"], "skeleton": []}]
    content = {"info": {"unit": "pixels"}, "images": images, "annotations": annotations, "categories": categories}
    _write_text(out, json.dumps(content, ensure_ascii=False))


def _write_shanghaitech(records: Sequence[Record], out: Path) -> None:
    """`train_data` and, for the pictures of the split test, `test_data`, each with `images` and `ground-truth`."""
    _refuse(records, "ShanghaiTech's layout", roi=True, labels=True, ignore=True)
    if any(record.split == "val" for record in records):
        raise AnnotationError(
            "ShanghaiTech's layout has no pictures for validation, the annotations have. Write json, csv or coco."
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise AnnotationError(f"{out} holds something already. Name a folder that is empty or not there yet.")
    if out.exists() and out.samefile(os.curdir):
        raise AnnotationError(f"{out} is the folder that you are in, which would be replaced. Name a new one in it.")
    stems: dict[tuple[bool, str], Path] = {}
    for record in records:
        # Where upper and lower case are one, as on Windows, so would names be that differ in it alone.
        first = stems.setdefault((record.split == "test", record.picture.stem.casefold()), record.picture)
        if first != record.picture:
            raise AnnotationError(f"{first} and {record.picture} would have the same name. Rename one of them.")
    with atomic_folder(out) as whole:
        for record in records:
            half = whole / ("test_data" if record.split == "test" else "train_data")
            for folder in ("images", "ground-truth"):
                (half / folder).mkdir(parents=True, exist_ok=True)
            _copy_upright(record.picture, half / "images" / record.picture.name)
            truth = half / "ground-truth" / f"GT_{record.picture.stem}.mat"
            scipy.io.savemat(truth, {"image_info": _image_info(record.points)})


def _copy_upright(picture: Path, target: Path) -> None:
    """The points are those of the upright picture, and not every reader of this layout turns it by its EXIF."""
    with quiet_pillow(), opened(picture, None, []) as (image, _):
        if isinstance(image, RareTiff):
            turned, kind = image.orientation != 1, "TIFF"
        else:
            turned, kind = orientation_of(image) != 1, image.format or ""
    if not turned:
        shutil.copyfile(picture, target)
        return
    lossy = {"quality": 95} if kind in ("JPEG", "MPO", "WEBP") else {}
    Image.fromarray(load_picture(picture)).save(target, "JPEG" if kind == "MPO" else kind, **lossy)


def _image_info(points: np.ndarray) -> np.ndarray:
    """The points as ShanghaiTech nests them: a cell with a structure of location and number."""
    inner = np.empty((1, 1), dtype=[("location", object), ("number", object)])
    inner[0, 0] = (points, np.array([[len(points)]], np.uint16 if len(points) < 2**16 else np.uint32))
    outer = np.empty((1, 1), dtype=object)
    outer[0, 0] = inner
    return outer


KINDS: dict[str, Callable[[Sequence[Record], Path], None]] = {
    "csv": _write_csv,
    "json": _write_json,
    "coco": _write_coco,
    "shanghaitech": _write_shanghaitech,
}


def _write_text(out: Path, text: str) -> None:
    with atomic_path(out) as temporary:
        # Bytes of names that are no UTF-8 as JSON's own escapes, which give them back.
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def _name(record: Record, out: Path) -> str:
    """What the file calls the picture."""
    return way_to(record.picture, out)


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _whole_split(records: Sequence[Record]) -> bool:
    """Whether the pictures have splits, all of them or none.

    Raises:
        AnnotationError: if some have one.
    """
    with_split = [record.split is not None for record in records]
    if any(with_split) and not all(with_split):
        raise AnnotationError(
            f"{records[with_split.index(False)].name!r} has no split, others have. Give all one or none."
        )
    return any(with_split)


def _extras(record: Record, *, boxes: bool) -> dict:
    """What else a JSON entry says of a picture."""
    extras: dict = {}
    if boxes and len(record.ignore):
        extras["ignore"] = record.ignore.tolist()
    if record.roi is not None:
        if record.roi.file is not None:
            raise AnnotationError(
                f"The region of {record.name!r} is a mask of pixels, which no JSON holds. Read the data set by name."
            )
        extras["roi"] = [np.asarray(polygon).tolist() for polygon in record.roi.polygons]
    if record.labels:
        extras["labels"] = dict(record.labels)
    return extras


def _refuse(records: Sequence[Record], what: str, **lost: bool) -> None:
    """Raises AnnotationError if a layout would lose something that the annotations say."""
    holds = {
        "roi": lambda record: record.roi is not None,
        "labels": lambda record: bool(record.labels),
        "ignore": lambda record: bool(len(record.ignore)),
    }
    names = {"roi": "regions of interest", "labels": "labels of pictures", "ignore": "boxes to ignore"}
    for key in lost:
        if any(holds[key](record) for record in records):
            raise AnnotationError(f"{what} cannot hold the {names[key]} that the annotations have. Write json instead.")
