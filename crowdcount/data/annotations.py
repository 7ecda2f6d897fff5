"""Pictures with their head annotations: `Sample`, and the readers by name.

`load_dataset` reads the data sets of `crowdcount.data.datasets` by their names, and files of one's own:

* **csv**: the columns `picture,x,y`, one row a head. Empty `x` and `y` mean a picture with nobody in it. Spreadsheets'
  ways are understood: semicolons, tabs, decimal commas, UTF-16, other usual names of the columns, boxes.
* **json**: `{"pictures": [{"picture": "a.jpg", "points": [[x, y], ...], "count": 2, "split": "train"}, ...]}`; `count`
  and `split` may be left out. The JSON of annotation tools is understood, too.
* **export**: a file or a folder of an annotation tool.

In CSV and JSON a picture is named relative to the folder of the file, or to the folder `images` beside it. An optional
column (field) `split` with the values `train`, `val` and `test` decides which picture belongs where.

Coordinates are pixels of the upright picture, x to the right and y down. A picture of width `w` spans the `x`
from 0 to `w`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from crowdcount.data.datasets import DATASETS
from crowdcount.data.dividing import OLDER_SPLITS, SPLITS, hashed_split
from crowdcount.data.exports import detect
from crowdcount.data.exports.entries import find_annotation_file
from crowdcount.data.exports.table import read_table
from crowdcount.data.images import load_picture
from crowdcount.data.records import Record, TellFault, raise_fault, short
from crowdcount.data.regions import Region, boxes_mask
from crowdcount.data.specs import one_of, parse_spec
from crowdcount.errors import AnnotationError, AnnotationWarning, DataError
from crowdcount.files import data_folder


@dataclass(frozen=True, eq=False)
class Sample:
    """A picture and the heads in it.

    Args:
        name: name of the picture, unique in its data set, such as `"part_A/IMG_1"`.
        picture: path of the picture file, or the picture itself, uint8 RGB of shape (H, W, 3).
        points: head positions in pixels of the upright picture, shape (N, 2), x then y; (0, 2) or an empty
            list when nobody is there. Kept as a read-only float64 copy.
        roi: the only part of the picture in which is counted; None for all of it.
        ignore: boxes in which nothing is counted, shape (M, 4): left, top, right, bottom in pixels.
        labels: what else the data set says of the picture, such as `{"weather": "fog"}`.

    Raises:
        AnnotationError: if the points are not N pairs of finite numbers, `roi` is no `Region`, or `ignore` no boxes.

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
    roi: Region | None = None
    ignore: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self):
        if isinstance(self.picture, str):
            object.__setattr__(self, "picture", Path(self.picture))
        try:
            if np.iscomplexobj(self.points):  # NumPy would leave out the imaginary part
                raise TypeError("they are complex")
            points = np.array(self.points, dtype=np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise AnnotationError(
                f"{self.name}: points must be N pairs of numbers (x, y). {str(error).capitalize()}."
            ) from error
        if points.size == 0:
            points = points.reshape(0, 2)
        if points.ndim != 2 or points.shape[1] != 2:
            raise AnnotationError(f"{self.name}: points must have the shape (N, 2), x then y. Received {points.shape}.")
        if not np.isfinite(points).all():
            raise AnnotationError(f"{self.name}: points must be finite numbers. Received NaN or infinity.")
        if self.roi is not None and not isinstance(self.roi, Region):
            raise AnnotationError(
                f"{self.name}: roi should be a crowdcount.data.regions.Region, as Region([polygon]). Received "
                f"{short(self.roi)}."
            )
        points.flags.writeable = False
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "ignore", self._checked_boxes())

    def _checked_boxes(self) -> np.ndarray:
        try:
            boxes = np.asarray(self.ignore, np.float64).reshape(-1, 4)
        except (TypeError, ValueError, OverflowError):
            boxes = np.full((1, 4), np.nan)
        if not np.isfinite(boxes).all() or (boxes[:, 2:] < boxes[:, :2]).any():
            received = self.ignore.tolist() if isinstance(self.ignore, np.ndarray) else self.ignore
            raise AnnotationError(
                f"{self.name}: ignore should be boxes of left, top, right and bottom in pixels, shape (M, 4). Received "
                f"{short(received)}."
            )
        return boxes

    @property
    def count(self) -> int:
        """Number of annotated heads, wherever they are."""
        return len(self.points)

    @property
    def has_region(self) -> bool:
        """Whether only a part of the picture is counted, see `counted`."""
        return self.roi is not None or len(self.ignore) > 0

    def counted(self, size: tuple[int, int]) -> np.ndarray | None:
        """Where in the picture is counted: inside `roi` and outside every box of `ignore`.

        Args:
            size: height and width of the picture in pixels.

        Returns:
            bool (height, width), or None where all of the picture counts.

        Raises:
            AnnotationError: if the region's file cannot be read or is that of another picture.

        Example:
            >>> sample = Sample("a", np.zeros((4, 6, 3), np.uint8), [], ignore=[[0, 0, 6, 1]])
            >>> int(sample.counted((4, 6)).sum())
            18
        """
        if not self.has_region:
            return None
        inside = np.ones(size, bool) if self.roi is None else self.roi.mask(size)
        return inside & ~boxes_mask(self.ignore, size)

    def read(self) -> np.ndarray:
        """The picture as uint8 RGB, shape (H, W, 3), turned upright.

        Raises:
            PictureError: if the file is missing or is no readable picture.
        """
        return load_picture(self.picture)


def listed_samples(samples: Iterable[Sample]) -> list[Sample]:
    """Samples as a list.

    Raises:
        DataError: if they are a single one, the name of a data set, or hold something else.

    Example:
        >>> listed_samples("brt")
        Traceback (most recent call last):
        crowdcount.errors.DataError: Pictures are a list of samples, as load_dataset gives it. Received: 'brt'
    """
    try:
        found: list = [samples] if isinstance(samples, str) else list(samples)
    except TypeError:
        found = [samples]
    else:
        if all(isinstance(each, Sample) for each in found):
            return found
    other = next((each for each in found if not isinstance(each, Sample)), found[0])
    raise DataError(f"Pictures are a list of samples, as load_dataset gives it. Received: {short(other)}")


def read_shanghaitech(
    root: str | os.PathLike | None, part: str, split: str = "train", *, everything: bool = False
) -> list[Sample]:
    """Read part A or B of ShanghaiTech.

    `"val"` is a fixed list of training pictures in `crowdcount/data/splits` (60 of part A's 300, 40 of part B's 400;
    by `hashed_split` where none of the listed pictures is there, as in the drawn set); `"train"` is the rest.
    `"val29"` is the list of part A that the first networks were chosen on, a part of today's. Left out of both
    are the training pictures of part A that are near-copies of test pictures, and the one of part B that has the
    points of another scene, unless `everything` puts them back into `"train"`, as the literature does. `"test"` is
    the folder `test_data`, `"all"` every picture there is.

    Args:
        root: folder that holds `part_A` or `part_A_final`, at most three folders below. None: the environment
            variable `CROWDCOUNT_DATA`, or else the package's folder `datasets`.
        part: `"A"` or `"B"`.
        split: one of `SPLITS`, or `"val29"`.
        everything: whether what is left out is among the training pictures.

    Returns:
        Samples in the order of their numbers, named `"part_A/IMG_1"`, those of the test half
        `"part_A/test/IMG_1"`.

    Raises:
        AnnotationError: if a folder is missing, a picture has no annotation, an annotation no picture, a file
            is damaged or holds a count that contradicts its points, or the split is empty.

    Reference:
        Zhang et al., Single-Image Crowd Counting via Multi-Column Convolutional Neural Network, CVPR 2016.
    """
    part = one_of(part, ("A", "B"), "part")
    split = one_of(split, (*SPLITS, *OLDER_SPLITS), "split")
    root = data_root(root)
    records = DATASETS[f"shanghaitech_{part.lower()}"].records(root, split, raise_fault, everything=everything)
    return _samples(records, f"{root}, split {split!r}")


def read_csv(file_or_folder: str | os.PathLike, split: str = "all") -> list[Sample]:
    """Read head annotations from a CSV file with the columns `picture`, `x` and `y`, one row a head.

    A row with empty `x` and `y` stands for a picture with nobody in it. A picture without any row is not in
    the data set: `crowdcount.data.checking.check_folder` names it. The file is UTF-8, with or without a byte order
    mark; further columns are ignored, except `split`, which decides the split of each picture. Without it
    about a tenth of the pictures, chosen by a hash of their names, is `"val"`, and the rest `"train"`; so are those
    that are marked `"train"` divided where none is marked `"val"`.

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
    split = one_of(split, SPLITS, "split")
    file = find_annotation_file(file_or_folder, ".csv")
    records = _of_split(read_table(file, raise_fault), split, file, "column")
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
    split = one_of(split, SPLITS, "split")
    file = find_annotation_file(file_or_folder, ".json")
    records = _of_split(detect.read_json(file, raise_fault), split, file, "field")
    return _samples(records, f"{file}, split {split!r}")


def read_export(file_or_folder: str | os.PathLike, split: str = "all") -> list[Sample]:
    """Read what an annotation tool exported: Label Studio, CVAT, LabelMe, VIA, COCO, Pascal VOC, YOLO, JSON lines, CSV.

    What it is, is told by what is inside. Of boxes, circles and ellipses the middle is the head. What the files leave
    unclear (the unit of the coordinates, which of several labels) is refused; `crowdcount convert` takes the answer.

    Args:
        file_or_folder: the file, or the folder that the tool made.
        split: one of `SPLITS`; without splits in the files the pictures are divided as `read_csv` divides them.

    Returns:
        Samples in the order of the files.

    Raises:
        AnnotationError: with file, place and value, if something is malformed, unclear, or a picture is missing; if
            the split is empty.
    """
    split = one_of(split, SPLITS, "split")
    path = Path(file_or_folder)
    records = _of_split(detect.read_any(path, raise_fault), split, path, "field")
    return _samples(records, f"{path}, split {split!r}")


def load_dataset(spec: str, root: str | os.PathLike | None = None, split: str = "train") -> list[Sample]:
    """Read a data set by name, or several joined by `+`.

    Args:
        spec: a name of `crowdcount.data.datasets.DATASETS`, `"csv"`, `"json"`, or several such as
            `"shanghaitech_a+shanghaitech_b"`. Of a data set that is tested in turns, `NAME:TURN` is one turn, as
            `"ucf_cc_50:1"` for the first fold; pictures of ShanghaiTech part A that show a scene of its test are in
            neither `"train"` nor `"val"` beside it. `NAME*3` has its training pictures three times.
        root: folder of the data, which holds all the data sets, at most three folders below; for `csv` and `json` also
            the file itself. None: the environment variable `CROWDCOUNT_DATA`, or else the package's folder `datasets`.
        split: one of `SPLITS`, or `"val29"`, see `read_shanghaitech`.

    Returns:
        Samples of every data set, in the order of `spec`; no name and no file is there twice, unless it is asked for.
        Of several, a data set of the field may have none for validation, as `nobody` of a few pictures.

    Raises:
        AnnotationError: if a name is unknown, a data set cannot be read, or one picture is in two of them.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> folder = Path(tempfile.mkdtemp()) / "nobody"
        >>> folder.mkdir()
        >>> for name in ("wall.png", "tree.png"):
        ...     Image.new("RGB", (32, 32)).save(folder / name)
        >>> [(sample.name, sample.count) for sample in load_dataset("nobody", folder.parent, "all")]
        [('nobody/tree', 0), ('nobody/wall', 0)]
        >>> len(load_dataset("nobody*2", folder, "train"))
        4
    """
    return [sample for group in load_each(spec, root, split).values() for sample in group]


def load_each(spec: str, root: str | os.PathLike | None = None, split: str = "train") -> dict[str, list[Sample]]:
    """The same samples by the data set that they come from: `NAME` or `NAME:TURN`, as the words of `spec` say it.

    Args:
        spec, root, split: as for `load_dataset`.

    Raises:
        AnnotationError: as for `load_dataset`.
    """
    split = one_of(split, (*SPLITS, *OLDER_SPLITS), "split")
    root = data_root(root)
    groups: dict[str, list[Sample]] = {}
    seen: set = set()  # files and names
    asked = parse_spec(spec)
    for name, part, times in asked:
        found = _named(name, part, root, split, beside=[(name, part) for name, part, _ in asked])
        for sample in found:
            if seen & {sample.picture, sample.name}:
                raise AnnotationError(
                    f"{spec!r} has the picture {sample.name!r} twice: leave one of the data sets out, or write NAME*2 "
                    "to train on one twice as often."
                )
            seen |= {sample.picture, sample.name}
        word = name if part is None else f"{name}:{part}"
        groups[word] = groups.get(word, []) + found * (times if split == "train" else 1)
    if not any(groups.values()):
        _samples([], f"{root}, {spec}, split {split!r}")  # says that there are none
    return groups


def _named(
    name: str, part: str | None, root: Path, split: str, *, beside: Sequence[tuple[str, str | None]]
) -> list[Sample]:
    """The samples of one of the data sets that are asked for together."""
    if name in DATASETS:
        records = DATASETS[name].records(root, split, raise_fault, part=part, beside=beside)
        if not records and len(beside) > 1 and split in ("val", *OLDER_SPLITS):
            return []  # of a few pictures the hash of their names may choose none, and nobody can mark one
        return _samples(records, f"{root}, {name}, split {split!r}")
    split = "val" if split in OLDER_SPLITS else split
    return {"csv": read_csv, "json": read_json, "export": read_export}[name](root, split)


def split_there(spec: str, root: str | os.PathLike | None = None, *, learned: bool = True) -> str:
    """The split to take where none is named: `"test"`, or what data of one's own has in its place.

    Args:
        spec, root: as for `load_dataset`.
        learned: whether a network may have learned from the data: where no pictures are marked, those are left out
            that `train` trains on, unless that leaves none.

    Returns:
        `"test"` where data sets of the field are among them, or pictures are marked so; else `"val"`, or `"all"`.

    Raises:
        AnnotationError: as for `load_dataset`.

    Example:
        >>> split_there("shanghaitech_a")
        'test'
    """
    names = [name for name, _, _ in parse_spec(spec)]
    if any(name in DATASETS for name in names):
        return "test"
    samples = [record for name in names for record in _own_records(name, data_root(root), raise_fault)]
    marked = {record.split for record in samples if record.split is not None}
    if not marked:
        marked = {hashed_split(record.name) for record in samples} if learned else set()
    elif learned and "val" not in marked:
        marked |= {hashed_split(record.name) for record in samples if record.split == "train"}
    return next((split for split in ("test", "val") if split in marked), "all")


def _own_records(name: str, root: Path, tell: TellFault) -> list[Record]:
    """The pictures of `csv`, `json` or `export`."""
    return detect.read_any(root if name == "export" else find_annotation_file(root, f".{name}"), tell)


def dataset_files(spec: str, root: str | os.PathLike | None = None) -> list[str]:
    """The files of data sets, pictures and annotations of all splits: what must not be written over.

    Faults in the data are passed over.

    Raises:
        AnnotationError: as `load_dataset`, if a data set is not there.
    """
    root = data_root(root)
    files: dict[str, None] = {}
    for name, _, _ in parse_spec(spec):
        if name in DATASETS:
            records = DATASETS[name].records(root, "all", lambda file, problem: None)
        else:
            records = _own_records(name, root, lambda file, problem: None)
        files |= dict.fromkeys(str(file) for record in records for file in (record.picture, record.source))
    return list(files)


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


def _samples(records: Sequence[Record], what: str) -> list[Sample]:
    if not records:
        raise AnnotationError(f"{what}: no picture there. Use another split or another folder.")
    return [
        Sample(record.name, record.picture, record.points, record.roi, record.ignore, record.labels)
        for record in records
    ]


def _of_split(records: list[Record], split: str, file: Path, what: str) -> list[Record]:
    if split == "all":
        return records
    marked = {record.split for record in records if record.split is not None}
    if marked:
        without = [record.name for record in records if record.split is None]
        if without:
            raise AnnotationError(
                f"{file}: {len(without)} of {len(records)} pictures have no split, as {without[0]!r}, others have. "
                "Give all one or none, or use the split 'all'."
            )
        divided = split in ("train", "val") and "train" in marked and "val" not in marked
        if split not in marked and not divided:
            raise AnnotationError(
                f"{file}: its {what} 'split' marks no picture {split!r}, only {' and '.join(sorted(marked))}. "
                "Mark some, or use another split."
            )
        records = [record for record in records if record.split == ("train" if divided else split)]
        if not divided:
            return records
    elif split == "test":
        raise AnnotationError(
            f"{file}: no picture is marked as a test picture. Add a {what} 'split' with train, val or test "
            "for each picture, or use the split 'all' for a file that holds test pictures only."
        )
    chosen = [record for record in records if hashed_split(record.name) == split]
    if records and not chosen:
        share = {"train": "nine tenths", "val": "a tenth"}[split]
        raise AnnotationError(
            f"{file}: none of its pictures ({len(records)}) is in the split {split!r}, which takes about "
            f"{share} of them, by their names. Annotate more, or add a {what} 'split' with train or val for each "
            "picture."
        )
    if marked and split == "val":
        warnings.warn(
            f"{file}: no picture is marked 'val', so {len(chosen)} of the {len(records)} that are marked 'train' are "
            "for validation, by their names.",
            AnnotationWarning,
            stacklevel=2,
        )
    return chosen
