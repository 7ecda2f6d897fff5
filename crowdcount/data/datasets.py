"""The data sets that are read by name: where each is found, what reads it, and its protocol.

One table, `DATASETS`. Adding a data set is a reader in `crowdcount.data.readers` and an entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from crowdcount.data.dividing import hashed_split, listed_names
from crowdcount.data.images import PICTURE_SUFFIXES
from crowdcount.data.readers import listed, shanghaitech, ucf_cc_50
from crowdcount.data.records import Record, Report, folders_below
from crowdcount.errors import AnnotationError

HALVES = ("train", "val", "test")
# How far below the folder that is named a data set is looked for: mirrors wrap theirs in up to three folders.
_DEPTH = 3


def _val_by_name(record: Record) -> bool:
    return hashed_split(short_name(record)) == "val"


def short_name(record: Record) -> str:
    """The picture's name in the lists: `IMG_7` of `part_A/IMG_7`."""
    return record.name.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class DataSet:
    """A data set of the field.

    Args:
        title: its name in print.
        is_here: whether a folder is the data set's own.
        read: reads one half of it, see `crowdcount.data.readers`.
        layout: what has to lie in its folder, as a sentence's part.
        source: where it comes from: paper and address.
        protocol: how the literature scores it, in a few words.
        thing: what its points mark.
        any_folder: whether a folder that holds pictures is the data set's own where none `is_here`.
        has_val: whether it brings pictures for validation itself.
        val_list: list of the training pictures that are kept for validation, see `crowdcount.data.dividing`.
        older_lists: name of a split -> such a list of an earlier time.
        is_val: of which training pictures the validation consists where there is no list, or none of it is there.
        left_out: training pictures (as the lists name them) that are in `"train"` only for those who ask for them.
        parts: of a data set that is tested in turns, the names of the turns.
        part_of: the turn in which a picture is tested.
    """

    title: str
    is_here: Callable[[Path], bool]
    read: Callable[[Path, str, Report], list[Record] | None]
    layout: str
    source: str
    protocol: str = "MAE, RMSE"
    thing: str = "people"
    any_folder: bool = False
    has_val: bool = False
    val_list: str | None = None
    older_lists: Mapping[str, str] = field(default_factory=dict)
    is_val: Callable[[Record], bool] = _val_by_name
    left_out: frozenset[str] = frozenset()
    parts: tuple[str, ...] = ()
    part_of: Callable[[Record], str] | None = None

    def find(self, root: Path) -> Path:
        """The data set's folder: `root` itself, or the first in it that is.

        Raises:
            AnnotationError: if there is none; says what to put where.
        """
        folders = folders_below(root, _DEPTH) if root.is_dir() else ()
        for folder in folders:
            if self.is_here(folder):
                return folder
        if self.any_folder and root.is_dir() and _holds_pictures(root):
            return root
        raise AnnotationError(
            f"{self.title} is not here: looked in {root} and the folders in it. Wanted: {self.layout}. "
            f"It comes from {self.source}. Name the folder that holds it, or set the environment variable "
            "CROWDCOUNT_DATA to it."
        )

    def records(
        self, root: Path, split: str, report: Report, *, part: str | None = None, everything: bool = False
    ) -> list[Record]:
        """The pictures of one split.

        Args:
            root: where to look for the data set's folder.
            split: `"train"`, `"val"`, `"test"`, `"all"`, or a name of `older_lists`.
            report: called with file and problem for each fault.
            part: one of `parts`, which is then the test.
            everything: keep those that are `left_out` of `"train"`.

        Raises:
            AnnotationError: if the data set or this split of it is not there.
        """
        folder = self.find(root)
        if split == "all":
            return self._all(folder, report)
        if part is not None:
            every = self._all(folder, report)
            if split == "test":
                return [record for record in every if self.part_of(record) == part]
            training = [record for record in every if self.part_of(record) != part]
        elif split == "test":
            return self._half(folder, "test", report)
        elif self.has_val and split != "train":
            return self._half(folder, "val", report)
        else:
            training = self._half(folder, "train", report)
        validation = frozenset() if self.has_val else self._validation(training, split)
        if split != "train":
            return [record for record in training if short_name(record) in validation]
        left_out = validation if everything else validation | self.left_out
        return [record for record in training if short_name(record) not in left_out]

    def _all(self, folder: Path, report: Report) -> list[Record]:
        halves = [self.read(folder, half, report) for half in HALVES]
        if all(half is None for half in halves):
            raise self._missing(folder, "train")
        return [record for half in halves for record in half or ()]

    def _validation(self, training: list[Record], split: str) -> frozenset[str]:
        """Names of the training pictures that are kept for validation."""
        list_name = self.older_lists.get(split, self.val_list)
        if list_name is not None:
            listed = listed_names(list_name) & {short_name(record) for record in training}
            if listed:
                return listed
        # A folder with none of the listed pictures holds others under such names: the drawn set, say.
        return frozenset(short_name(record) for record in training if self.is_val(record))

    def _half(self, folder: Path, half: str, report: Report) -> list[Record]:
        records = self.read(folder, half, report)
        if records is None:
            raise self._missing(folder, half)
        return records

    def _missing(self, folder: Path, half: str) -> AnnotationError:
        what = {"train": "training", "val": "validation", "test": "test"}[half]
        turns = f" It is tested in turns: ask for one of {', '.join(self.parts)}, as NAME:1." if self.parts else ""
        return AnnotationError(
            f"The {what} pictures of {self.title} are not here: looked in {folder}. Wanted: {self.layout}.{turns}"
        )


def _holds_pictures(folder: Path) -> bool:
    return any(file.suffix.lower() in PICTURE_SUFFIXES for file in folder.iterdir())


# Training pictures of part A that show the same scene as a test picture, nearly pixel by pixel: a network that trained
# on them has seen a part of the test.
NEAR_COPIES = frozenset({"IMG_2", "IMG_60", "IMG_97", "IMG_121", "IMG_139", "IMG_154"})
# A training picture of part B whose points are those of another scene.
WRONG_POINTS = frozenset({"IMG_108"})

_SHANGHAITECH = DataSet(
    title="",
    is_here=lambda folder: False,
    read=shanghaitech.read,
    layout="",
    source="Zhang et al., Single-Image Crowd Counting via Multi-Column Convolutional Neural Network, CVPR 2016, "
    "https://github.com/desenzhou/ShanghaiTechDataset",
)


def _part(letter: str, **rest) -> DataSet:
    return replace(
        _SHANGHAITECH,
        title=f"ShanghaiTech part {letter}",
        is_here=lambda folder: shanghaitech.is_part(folder, letter),
        layout=f"the folder part_{letter} (or part_{letter}_final) with train_data/images/IMG_1.jpg, "
        "train_data/ground-truth/GT_IMG_1.mat, ..., and the same in test_data",
        val_list=f"shanghaitech_{letter.lower()}_val",
        **rest,
    )


DATASETS: dict[str, DataSet] = {
    "shanghaitech_a": _part("A", left_out=NEAR_COPIES, older_lists={"val29": "shanghaitech_a_val29"}),
    "shanghaitech_b": _part("B", left_out=WRONG_POINTS),
    "ucf_cc_50": DataSet(
        title="UCF_CC_50",
        is_here=ucf_cc_50.is_here,
        read=ucf_cc_50.read,
        layout="a folder with 1.jpg, 1_ann.mat, ... 50.jpg, 50_ann.mat",
        source="Idrees et al., Multi-Source Multi-Scale Counting in Extremely Dense Crowd Images, CVPR 2013, "
        "https://www.crcv.ucf.edu/data/ucf-cc-50/",
        protocol="MAE, RMSE, mean over five folds",
        val_list="ucf_cc_50_val",
        parts=ucf_cc_50.FOLDS,
        part_of=ucf_cc_50.fold_of,
    ),
    "brt": DataSet(
        title="Beijing-BRT",
        is_here=listed.is_brt,
        read=listed.read_brt,
        layout="a folder with images/brt_*.jpg and points.csv",
        source="Ding et al., A Deeply-Recursive Convolutional Network for Crowd Counting, ICASSP 2018, "
        "https://github.com/XMU-smartdsp/Beijing-BRT-dataset",
    ),
    "nobody": DataSet(
        title="the data set of pictures without people",
        is_here=lambda folder: folder.name == "nobody",
        read=listed.read_nobody,
        layout="a folder of pictures in which nobody is",
        source="your own pictures; BSDS500 (https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/bsds/) has many",
        any_folder=True,
        val_list="nobody_val",
    ),
}
