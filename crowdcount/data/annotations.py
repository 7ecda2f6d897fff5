"""Pictures with their head annotations: `Sample`, the readers by format and the splits.

Three layouts are read:

* **ShanghaiTech** parts A and B: `part_A/train_data/images/IMG_1.jpg` with
  `part_A/train_data/ground-truth/GT_IMG_1.mat`. Copies in the wild also write `part_A_final` and
  `ground_truth`; both are found.
* **CSV**: the columns `picture,x,y`, one row a head. Empty `x` and `y` mean a picture with nobody in it.
* **JSON**: `{"pictures": [{"picture": "a.jpg", "points": [[x, y], ...], "count": 2, "split":
  "train"}, ...]}`; `count` and `split` may be left out.

In CSV and JSON a picture is named relative to the folder of the file, or to the folder `images` beside the
file. An optional column (field) `split` with the values `train`, `val` and `test` decides which picture
belongs where.

Coordinates are pixels of the upright picture, x to the right and y down. A picture of width `w` spans the `x`
from 0 to `w`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from crowdcount.data.annotation_files import Record, find_annotation_file, parse_csv, parse_json, parse_shanghaitech
from crowdcount.data.images import load_picture
from crowdcount.errors import AnnotationError
from crowdcount.files import data_folder

SPLITS = ("train", "val", "test", "all")
DATASETS = ("shanghaitech_a", "shanghaitech_b", "csv", "json")

# Training pictures of part A that show the same scene as a test picture, nearly pixel by pixel: a network
# that trained on them has seen a part of the test. They stay out of "train" and "val" unless somebody asks
# for them.
NEAR_COPIES = {
    "A": frozenset({"IMG_2", "IMG_60", "IMG_97", "IMG_121", "IMG_139", "IMG_154"}),
    "B": frozenset(),
}

_SPLIT_LISTS = Path(__file__).resolve().parent / "splits"


@dataclass(frozen=True, eq=False)
class Sample:
    """A picture and the heads in it.

    Args:
        name: name of the picture, unique in its data set, such as `"part_A/IMG_1"`.
        picture: path of the picture file, or the picture itself, uint8 RGB of shape (H, W, 3).
        points: head positions in pixels of the upright picture, shape (N, 2), x then y; (0, 2) or an empty
            list when nobody is there. Kept as a read-only float64 copy.

    Raises:
        AnnotationError: if the points are not N pairs of finite numbers.

    Example:
        >>> sample = Sample("square", np.zeros((8, 8, 3), np.uint8), [[1.5, 2.0], [4.0, 4.0]])
        >>> sample.count
        2
        >>> sample.read().shape
        (8, 8, 3)
    """

    name: str
    picture: Path | np.ndarray
    points: np.ndarray

    def __post_init__(self):
        if isinstance(self.picture, str):
            object.__setattr__(self, "picture", Path(self.picture))
        try:
            points = np.array(self.points, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise AnnotationError(
                f"{self.name}: points must be N pairs of numbers (x, y). {str(error).capitalize()}."
            ) from error
        if points.size == 0:
            points = points.reshape(0, 2)
        if points.ndim != 2 or points.shape[1] != 2:
            raise AnnotationError(f"{self.name}: points must have the shape (N, 2), x then y. Received {points.shape}.")
        if not np.isfinite(points).all():
            raise AnnotationError(f"{self.name}: points must be finite numbers. Received NaN or infinity.")
        points.flags.writeable = False
        object.__setattr__(self, "points", points)

    @property
    def count(self) -> int:
        """Number of annotated heads."""
        return len(self.points)

    def read(self) -> np.ndarray:
        """The picture as uint8 RGB, shape (H, W, 3), turned upright.

        Raises:
            PictureError: if the file is missing or is no readable picture.
        """
        return load_picture(self.picture)


def read_shanghaitech(
    root: str | os.PathLike | None, part: str, split: str = "train", *, near_copies: bool = False
) -> list[Sample]:
    """Read part A or B of ShanghaiTech.

    `"val"` is a fixed tenth of the training pictures, listed by name in `crowdcount/splits` (by
    `hashed_split` where none of the listed pictures is there, as in the drawn set); `"train"` is the rest.
    The training pictures of part A that are near-copies of test pictures belong to neither, unless
    `near_copies` puts them back into `"train"`, as the literature does. `"test"` is the folder `test_data`,
    `"all"` every picture there is.

    Args:
        root: folder that holds `part_A` or `part_A_final`, or holds a folder `ShanghaiTech` that does. None:
            the environment variable `CROWDCOUNT_DATA`, or else the package's folder `datasets`.
        part: `"A"` or `"B"`.
        split: one of `SPLITS`.
        near_copies: whether the near-copies of test pictures are among the training pictures.

    Returns:
        Samples in the order of their numbers, named `"part_A/IMG_1"`, those of the test half
        `"part_A/test/IMG_1"`.

    Raises:
        AnnotationError: if a folder is missing, a picture has no annotation, an annotation no picture, a file
            is damaged or holds a count that contradicts its points, or the split is empty.

    Reference:
        Zhang et al., Single-Image Crowd Counting via Multi-Column Convolutional Neural Network, CVPR 2016.
    """
    part = _one_of(part, tuple(NEAR_COPIES), "part")
    split = _one_of(split, SPLITS, "split")
    root = data_root(root)
    folders = part_folders(root, part)
    if not folders:
        raise AnnotationError(
            f"ShanghaiTech part {part} is not here: looked in {root} and {root / 'ShanghaiTech'} for "
            f"part_{part} and part_{part}_final. Name the folder that holds it, or set the environment "
            "variable CROWDCOUNT_DATA to it."
        )
    folder = folders[0]
    train_half, test_half = folder / "train_data", folder / "test_data"
    if split == "test" and not test_half.is_dir():
        raise AnnotationError(
            f"The test pictures of ShanghaiTech part {part} are not here: looked for the folder {test_half}. "
            "Put the data set's test_data there, or use another split."
        )
    if split != "test" and not train_half.is_dir():
        raise AnnotationError(
            f"The training pictures of ShanghaiTech part {part} are not here: looked for the folder "
            f"{train_half}. Put the data set's train_data there."
        )
    if split == "test":
        records = parse_shanghaitech(test_half, f"part_{part}/test", raise_fault)
    else:
        records = parse_shanghaitech(train_half, f"part_{part}", raise_fault)
        stems = {record.picture.stem for record in records}
        # A folder with none of the listed pictures holds others under such names: the drawn set, say.
        validation = validation_names(part) & stems or {stem for stem in stems if hashed_split(stem) == "val"}
        if split == "train":
            left_out = validation if near_copies else validation | NEAR_COPIES[part]
            records = [record for record in records if record.picture.stem not in left_out]
        elif split == "val":
            records = [record for record in records if record.picture.stem in validation]
        elif test_half.is_dir():
            records += parse_shanghaitech(test_half, f"part_{part}/test", raise_fault)
    return _samples(records, f"{folder}, split {split!r}")


def read_csv(file_or_folder: str | os.PathLike, split: str = "all") -> list[Sample]:
    """Read head annotations from a CSV file with the columns `picture`, `x` and `y`, one row a head.

    A row with empty `x` and `y` stands for a picture with nobody in it. A picture without any row is not in
    the data set: `crowdcount.data.checking.check_folder` names it. The file is UTF-8, with or without a byte order
    mark; further columns are ignored, except `split`, which decides the split of each picture. Without it
    about a tenth of the pictures, chosen by a hash of their names, is `"val"`, and the rest `"train"`.

    Args:
        file_or_folder: the CSV file, or a folder with one CSV file in it or with one named `points.csv`.
        split: one of `SPLITS`.

    Returns:
        Samples in the order of the file, named as the file names the pictures.

    Raises:
        AnnotationError: with file, line number and value, if a row is malformed or its picture is missing; if
            the split is empty, or is `"test"` and the file has no column `split`.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> folder = Path(tempfile.mkdtemp())
        >>> Image.new("RGB", (32, 32)).save(folder / "a.png")
        >>> _ = (folder / "points.csv").write_text("picture,x,y\\na.png,3.5,4\\na.png,20,9.25\\n")
        >>> read_csv(folder)[0].points.tolist()
        [[3.5, 4.0], [20.0, 9.25]]
    """
    split = _one_of(split, SPLITS, "split")
    file = find_annotation_file(file_or_folder, ".csv")
    records = _of_split(parse_csv(file, raise_fault), split, file, "column")
    return _samples(records, f"{file}, split {split!r}")


def read_json(file_or_folder: str | os.PathLike, split: str = "all") -> list[Sample]:
    """Read head annotations from a JSON file.

    The format is one object with the list `pictures`; each entry has `picture` (file name), `points` (a list
    of `[x, y]`, empty when nobody is there) and, if wanted, `count` (must equal the number of points) and
    `split` (`"train"`, `"val"` or `"test"`). Without `split` the pictures are divided as `read_csv` divides
    them.

    Args:
        file_or_folder: the JSON file, or a folder with one JSON file in it or with one named `points.json`.
        split: one of `SPLITS`.

    Returns:
        Samples in the order of the file, named as the file names the pictures.

    Raises:
        AnnotationError: with file, entry and value, if an entry is malformed or its picture is missing; if
            the split is empty, or is `"test"` and no entry has a field `split`.
    """
    split = _one_of(split, SPLITS, "split")
    file = find_annotation_file(file_or_folder, ".json")
    records = _of_split(parse_json(file, raise_fault), split, file, "field")
    return _samples(records, f"{file}, split {split!r}")


def load_dataset(spec: str, root: str | os.PathLike | None = None, split: str = "train") -> list[Sample]:
    """Read a data set by name, or several joined by `+`.

    Args:
        spec: `"shanghaitech_a"`, `"shanghaitech_b"`, `"csv"`, `"json"`, or several such as
            `"shanghaitech_a+shanghaitech_b"`.
        root: folder of the data; for `csv` and `json` also the file itself. None: the environment variable
            `CROWDCOUNT_DATA`, or else the package's folder `datasets`.
        split: one of `SPLITS`.

    Returns:
        Samples of every data set, in the order of `spec`; no name and no file is there twice.

    Raises:
        AnnotationError: if a name is unknown, a data set cannot be read, or one picture is in two of them.
    """
    root = data_root(root)
    samples: list[Sample] = []
    for name in spec.split("+"):
        name = _one_of(name.strip().lower(), DATASETS, "dataset")
        if name == "csv":
            samples += read_csv(root, split)
        elif name == "json":
            samples += read_json(root, split)
        else:
            samples += read_shanghaitech(root, name[-1].upper(), split)
    seen = set()
    for sample in samples:
        if sample.picture in seen:
            raise AnnotationError(f"{spec!r} has the picture {sample.name!r} twice: leave one of the data sets out.")
        seen.add(sample.picture)
    return samples


def data_root(root: str | os.PathLike | None = None) -> Path:
    """Folder of the data: `root`, or the environment variable `CROWDCOUNT_DATA`, or the package's `datasets`.

    Raises:
        AnnotationError: if it does not exist.
    """
    if root is not None:
        folder, origin = Path(root), ""
    elif os.environ.get("CROWDCOUNT_DATA"):
        folder, origin = Path(os.environ["CROWDCOUNT_DATA"]), " (the environment variable CROWDCOUNT_DATA)"
    else:
        return data_folder("datasets")
    if not folder.exists():
        raise AnnotationError(f"There is no folder {folder}{origin}. Name the folder that holds the data.")
    return folder


def validation_names(part: str) -> frozenset[str]:
    """Names (`"IMG_7"`) of the training pictures of ShanghaiTech's part that are kept for validation.

    Example:
        >>> len(validation_names("A")), len(validation_names("B"))
        (29, 40)
    """
    text = (_SPLIT_LISTS / f"shanghaitech_{part.lower()}_val.txt").read_text(encoding="utf-8")
    return frozenset(line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))


def hashed_split(name: str) -> str:
    """`"val"` for about a tenth of all names, `"train"` for the others: for one name always the same.

    A picture keeps its split when others are added, which no draw by rank or by random numbers would ensure.
    The folder `images` in front does not count, because the same picture may be named with it or without.

    Example:
        >>> hashed_split("street.jpg") == hashed_split("images/street.jpg")
        True
    """
    name = str(PurePosixPath(name.replace("\\", "/")))
    digest = hashlib.sha256(name.removeprefix("images/").encode("utf-8", "surrogatepass")).digest()
    return "val" if int.from_bytes(digest[:8], "big") % 10 == 0 else "train"


def part_folders(root: Path, part: str) -> list[Path]:
    """The folders of ShanghaiTech's part `"A"` or `"B"` in `root`, by the names that copies of it have."""
    names = (f"part_{part}", f"part_{part}_final")
    return [base / name for base in (root, root / "ShanghaiTech") for name in names if (base / name).is_dir()]


def raise_fault(file: Path, problem: str) -> None:
    """The readers' way to deal with a fault.

    Raises:
        AnnotationError: always.
    """
    raise AnnotationError(f"{file}: {problem}")


def _samples(records: Sequence[Record], what: str) -> list[Sample]:
    if not records:
        raise AnnotationError(f"{what}: no picture there. Use another split or another folder.")
    return [Sample(record.name, record.picture, record.points) for record in records]


def _one_of(value: str, allowed: Sequence[str], what: str) -> str:
    if value not in allowed:
        raise AnnotationError(f"Unknown {what} {value!r}: choose {', '.join(allowed)}.")
    return value


def _of_split(records: list[Record], split: str, file: Path, what: str) -> list[Record]:
    if split == "all":
        return records
    marked = {record.split for record in records if record.split is not None}
    if marked:
        if split not in marked:
            raise AnnotationError(
                f"{file}: its {what} 'split' marks no picture {split!r}, only {' and '.join(sorted(marked))}. Mark some, "
                "or use another split."
            )
        return [record for record in records if record.split == split]
    if split == "test":
        raise AnnotationError(
            f"{file}: no picture is marked as a test picture. Add a {what} 'split' with train, val or test "
            "for each picture, or use the split 'all' for a file that holds test pictures only."
        )
    chosen = [record for record in records if hashed_split(record.name) == split]
    if records and not chosen:
        share = {"train": "nine tenths", "val": "a tenth"}[split]
        raise AnnotationError(
            f"{file}: none of its pictures ({len(records)}) is in the split {split!r}, which takes about {share} of them, by "
            f"their names. Annotate more, or add a {what} 'split' with train or val for each picture."
        )
    return chosen
