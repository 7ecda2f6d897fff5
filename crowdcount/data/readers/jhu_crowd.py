"""JHU-CROWD++ (Sindagi et al., TPAMI 2020).

`train`, `val` and `test` each hold `images/0001.jpg`, `gt/0001.txt` (a line a head: x, y, width, height, occlusion,
blur) and `image_labels.txt` (a line a picture: number, heads, scene, weather, distractor).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from crowdcount.data.images import PICTURE_SUFFIXES
from crowdcount.data.readers.levels import level_of
from crowdcount.data.records import Record, TellFault, files_by_number, numbered_lines

WEATHER = {"0": "none", "1": "fog", "2": "rain", "3": "snow"}
_LEVELS = {0: "low", 1: "medium", 2: "high"}  # up to 50, up to 500, above


def is_here(folder: Path) -> bool:
    """Whether a folder holds halves with the labels of their pictures."""
    return any((folder / half / "image_labels.txt").is_file() for half in ("train", "val", "test"))


def read(folder: Path, half: str, tell: TellFault) -> list[Record] | None:
    """Read one half, named `JHU/train/0001`, with the labels `level`, `scene`, `weather`, `distractor` and `blur`."""
    place = folder / half
    if not (place / "images").is_dir():
        return None
    described = _image_labels(place / "image_labels.txt", tell)
    records = []
    for picture in files_by_number(place / "images", PICTURE_SUFFIXES):
        file = place / "gt" / f"{picture.stem}.txt"
        if not file.is_file():
            tell(picture, f"has no annotation: looked for {file}.")
            continue
        heads = _heads(file, tell)
        labels = dict(described.pop(picture.stem, {}))
        stated = labels.pop("heads", None)
        if stated is not None and stated != str(len(heads)):
            tell(file, f"holds {len(heads)} heads, but image_labels.txt says {stated}.")
        labels["level"] = _LEVELS[level_of(len(heads), (50, 500))]
        if len(heads):
            labels["blur"] = "most" if heads[:, 5].mean() > 0.5 else "few"
        records.append(Record(f"JHU/{half}/{picture.stem}", picture, heads[:, :2], file, half, labels=labels))
    for stem in described:
        tell(place / "image_labels.txt", f"names the picture {stem!r}, which is missing in {place / 'images'}.")
    return records


def _heads(file: Path, tell: TellFault) -> np.ndarray:
    """Rows (N, 6) of an annotation: x, y, width, height, occlusion, blur."""
    rows = []
    for number, line in numbered_lines(file, tell):
        try:
            row = [float(value) for value in line.replace(",", " ").split()]
        except ValueError:
            row = []
        if len(row) != 6 or not np.isfinite(row).all():
            tell(file, f"line {number}: should be x, y, width, height, occlusion, blur. Received {line!r}.")
            continue
        rows.append(row)
    return np.array(rows, np.float64).reshape(-1, 6)


def _image_labels(file: Path, tell: TellFault) -> dict[str, dict[str, str]]:
    labels = {}
    for number, line in numbered_lines(file, tell):
        values = [value.strip() for value in line.split(",")]
        if len(values) != 5 or values[3] not in WEATHER:
            tell(
                file,
                f"line {number}: should be picture, heads, scene, weather (0 to 3), distractor. Received {line!r}.",
            )
            continue
        stem, heads, scene, weather, distractor = values
        labels[stem.removesuffix(".jpg")] = {
            "heads": heads,
            "scene": scene,
            "weather": WEATHER[weather],
            "distractor": "yes" if distractor == "1" else "no",
        }
    return labels
