"""The layout that most data sets have: a folder of pictures, and an annotation file for each of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from crowdcount.data.images import PICTURE_SUFFIXES
from crowdcount.data.records import Record, TellFault, files_by_number


def read_pairs(
    images: Path,
    truths: Path,
    prefix: str,
    tell: TellFault,
    *,
    stem_of: Callable[[str], str | None],
    file_of: Callable[[str], str],
    parse: Callable[[Path, TellFault], np.ndarray | None],
    split: str | None = None,
) -> list[Record]:
    """Read the pictures of a folder, each with the annotation file of its own.

    Args:
        images: folder of the pictures.
        truths: folder of the annotation files; may be the same.
        prefix: what comes before a picture's name in the name of its record.
        tell: called with file and problem for each fault.
        stem_of: gives the stem of the picture of an annotation file's name, or None for a file that is none.
        file_of: gives the name of the annotation file of a picture's stem.
        parse: reads the points of one annotation file; None where it cannot.
        split: of these pictures, where the data set gives it.

    Returns:
        The pictures whose annotation could be read, `IMG_2` before `IMG_10`.
    """
    suffix = Path(file_of("a")).suffix
    files = {}
    for file in files_by_number(truths, (suffix,)):
        stem = stem_of(file.name)
        if stem is not None:
            files[stem] = file
    records = []
    pictures: dict[str, Path] = {}
    for picture in files_by_number(images, PICTURE_SUFFIXES):
        stem = picture.stem
        if stem in pictures:
            tell(picture, f"{pictures[stem].name} has the same name: both would have the same annotation.")
            continue
        pictures[stem] = picture
        if stem not in files:
            tell(picture, f"has no annotation: looked for {truths / file_of(stem)}.")
            continue
        points = parse(files[stem], tell)
        if points is not None:
            records.append(Record(f"{prefix}{stem}", picture, points, files[stem], split))
    for stem, file in files.items():
        if stem not in pictures:
            tell(file, f"its picture is missing: looked for {images / f'{stem}.jpg'}.")
    return records
