"""SCUT-HEAD (Peng et al., ICPR 2018): boxes around heads, in the layout of Pascal VOC.

`SCUT_HEAD_Part_A` and `SCUT_HEAD_Part_B` each hold `JPEGImages`, `Annotations` and the lists `train.txt`, `val.txt` and
`test.txt` in `ImageSets/Main`. A head is the middle of its box.
"""

from __future__ import annotations

from pathlib import Path

from crowdcount.data.exports.voc import read_boxes
from crowdcount.data.records import Record, TellFault, numbered_lines, own_name


def is_part(folder: Path, part: str) -> bool:
    """Whether a folder is that of part `"A"` or `"B"`."""
    return own_name(folder).lower() == f"scut_head_part_{part.lower()}" and (folder / "JPEGImages").is_dir()


def read(folder: Path, half: str, tell: TellFault) -> list[Record] | None:
    """Read the pictures of one list, named `SCUT_HEAD_Part_A/PartA_00000`."""
    lines = folder / "ImageSets" / "Main" / f"{half}.txt"
    if not lines.is_file():
        return None
    records = []
    for number, stem in numbered_lines(lines, tell):
        picture, file = folder / "JPEGImages" / f"{stem}.jpg", folder / "Annotations" / f"{stem}.xml"
        lost = next((path for path in (picture, file) if not path.is_file()), None)
        if lost is not None:
            tell(lines, f"line {number} ({stem!r}): {lost} is missing.")
            continue
        points = read_boxes(file, tell)
        if points is not None:
            records.append(Record(f"{own_name(folder)}/{stem}", picture, points, file, half))
    return records
