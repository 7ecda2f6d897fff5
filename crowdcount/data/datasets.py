"""The data sets that are read by name: where each is found, what reads it, and its protocol.

One table, `DATASETS`. Adding a data set is a reader in `crowdcount.data.readers` and an entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from crowdcount.data.dividing import hashed_split, listed_names
from crowdcount.data.images import PICTURE_SUFFIXES
from crowdcount.data.readers import (
    crowdhuman,
    jhu_crowd,
    listed,
    mall,
    nwpu,
    scut_head,
    shanghaitech,
    trancos,
    ucf_cc_50,
    ucf_qnrf,
    ucsd,
    visdrone,
    worldexpo,
)
from crowdcount.data.records import Record, TellFault, folders_below, own_name
from crowdcount.errors import AnnotationError
from crowdcount.files import data_folder

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
        thing: what its points mark, in the plural; None where it has no points.
        any_folder: whether a folder that holds pictures is the data set's own where none `is_here`.
        has_val: whether it brings pictures for validation itself.
        val_list: list of the training pictures that are kept for validation, see `crowdcount.data.dividing`.
        older_lists: name of a split -> such a list of an earlier time.
        is_val: of which training pictures the validation consists where there is no list, or none of it is there.
        left_out: training pictures (as the lists name them) that are in `"train"` only for those who ask for them.
        shared: training picture (as the lists name them) -> data set and turn whose test shows the same scene. Beside
            that turn it is in neither `"train"` nor `"val"`.
        parts: of a data set that is tested in turns, the names of the turns.
        part_of: the turn in which a picture is tested.
    """

    title: str
    is_here: Callable[[Path], bool]
    read: Callable[[Path, str, TellFault], list[Record] | None]
    layout: str
    source: str
    protocol: str = "MAE, RMSE"
    thing: str | None = "people"
    any_folder: bool = False
    has_val: bool = False
    val_list: str | None = None
    older_lists: Mapping[str, str] = field(default_factory=dict)
    is_val: Callable[[Record], bool] = _val_by_name
    left_out: frozenset[str] = frozenset()
    shared: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    parts: tuple[str, ...] = ()
    part_of: Callable[[Record], str] | None = None

    def here(self, root: Path) -> Path | None:
        """The data set's folder: `root` itself, or the first in it that is, or None.

        The drawn pictures that come with the package have ShanghaiTech's layout. They are found where `root` names
        them, and never taken for photos because they lie in the same folder.
        """
        folders = folders_below(root, _DEPTH) if root.is_dir() else ()
        return next((folder for folder in folders if self.is_here(folder) and not _by_chance_drawn(folder, root)), None)

    def find(self, root: Path) -> Path:
        """The data set's folder: `root` itself, the first in it that is, or where any will do the one with pictures.

        Raises:
            AnnotationError: if there is none; says what to put where.
        """
        if (folder := self.here(root)) is not None:
            return folder
        if self.any_folder and root.is_dir() and _holds_pictures(root):
            return root
        raise AnnotationError(
            f"{self.title} is not here: looked in {root} and the folders in it. Wanted: {self.layout}. "
            f"It comes from {self.source}. Name the folder that holds it, or set the environment variable "
            "CROWDCOUNT_DATA to it."
        )

    def records(
        self,
        root: Path,
        split: str,
        tell: TellFault,
        *,
        part: str | None = None,
        everything: bool = False,
        beside: Collection[tuple[str, str | None]] = (),
    ) -> list[Record]:
        """The pictures of one split.

        Args:
            root: where to look for the data set's folder.
            split: `"train"`, `"val"`, `"test"`, `"all"`, or a name of `older_lists`.
            tell: called with file and problem for each fault.
            part: one of `parts`, which is then the test.
            everything: keep those that are `left_out` of `"train"`.
            beside: data sets and turns that are read together with this one.

        Raises:
            AnnotationError: if the data set or this split of it is not there.
        """
        folder = self.find(root)
        if split == "all":
            return self._all(folder, tell)
        if part is not None:
            assert self.part_of is not None  # a data set with parts has it
            every = self._all(folder, tell)
            if split == "test":
                return [record for record in every if self.part_of(record) == part]
            training = [record for record in every if self.part_of(record) != part]
        elif split == "test":
            return self._half(folder, "test", tell)
        elif self.has_val and split != "train":
            return self._half(folder, "val", tell)
        else:
            training = self._half(folder, "train", tell)
        training = [record for record in training if self.shared.get(short_name(record)) not in beside]
        validation = frozenset() if self.has_val else self._validation(training, split)
        if split != "train":
            return [record for record in training if record.name in validation]
        left_out = frozenset() if everything else self.left_out
        return [record for record in training if record.name not in validation and short_name(record) not in left_out]

    def _all(self, folder: Path, tell: TellFault) -> list[Record]:
        halves = [self.read(folder, half, tell) for half in HALVES]
        if all(half is None for half in halves):
            raise self._missing(folder, "train")
        return [record for half in halves for record in half or ()]

    def _validation(self, training: list[Record], split: str) -> frozenset[str]:
        """Names of the training pictures that are kept for validation."""
        list_name = self.older_lists.get(split, self.val_list)
        if list_name is not None:
            names = listed_names(list_name)
            listed = frozenset(record.name for record in training if short_name(record) in names)
            if listed:
                return listed
        # A folder with none of the listed pictures holds others under such names: the drawn set, say.
        return frozenset(record.name for record in training if self.is_val(record))

    def _half(self, folder: Path, half: str, tell: TellFault) -> list[Record]:
        records = self.read(folder, half, tell)
        if records is None:
            raise self._missing(folder, half)
        return records

    def _missing(self, folder: Path, half: str) -> AnnotationError:
        what = {"train": "training", "val": "validation", "test": "test"}[half]
        turns = f" It is tested in turns: ask for one of {', '.join(self.parts)}, as NAME:1." if self.parts else ""
        there = [other for other in HALVES if self.read(folder, other, lambda file, problem: None) is not None]
        if "train" in there and not self.has_val:
            there.insert(1, "val")
        splits = f" The splits that are here: {', '.join([*there, 'all'])}." if there else ""
        return AnnotationError(
            f"The {what} pictures of {self.title} are not here: looked in {folder}. Wanted: {self.layout}.{turns}"
            f"{splits}"
        )


def _by_chance_drawn(folder: Path, root: Path) -> bool:
    """Whether a folder is one of the bundled drawn set, and `root` is not."""
    drawn = (data_folder("datasets") / "drawn").resolve()
    return folder.resolve().is_relative_to(drawn) and not root.resolve().is_relative_to(drawn)


def _holds_pictures(folder: Path) -> bool:
    return any(file.suffix.lower() in PICTURE_SUFFIXES for file in folder.iterdir())


# Training pictures of part A that show the same scene as a test picture, nearly pixel by pixel: a network that trained
# on them has seen a part of the test.
NEAR_COPIES = frozenset({"IMG_2", "IMG_60", "IMG_97", "IMG_121", "IMG_139", "IMG_154"})
# A training picture of part B whose points are those of another scene.
WRONG_POINTS = frozenset({"IMG_108"})
# Pictures of UCF_CC_50 that show scenes of training pictures of part A.
SHARED_SCENES = {
    "ucf_25": "IMG_287",
    "ucf_28": "IMG_294",
    "ucf_32": "IMG_297",
    "ucf_41": "IMG_283",
    "ucf_46": "IMG_283",
    "ucf_49": "IMG_134",
}

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


def _scut_head(letter: str) -> DataSet:
    return DataSet(
        title=f"SCUT-HEAD part {letter}",
        is_here=lambda folder: scut_head.is_part(folder, letter),
        read=scut_head.read,
        layout=f"the folder SCUT_HEAD_Part_{letter} with JPEGImages, Annotations and ImageSets/Main/train.txt, "
        "val.txt, "
        "test.txt",
        source="Peng et al., Detecting Heads using Feature Refine Net and Cascaded Multi-scale Architecture, ICPR "
        "2018, "
        "https://github.com/HCIILAB/SCUT-HEAD-Dataset-Release",
        has_val=True,
    )


DATASETS: dict[str, DataSet] = {
    "shanghaitech_a": _part(
        "A",
        left_out=NEAR_COPIES,
        shared={there: ("ucf_cc_50", ucf_cc_50.fold_of_stem(here)) for here, there in SHARED_SCENES.items()},
        older_lists={"val29": "shanghaitech_a_val29"},
    ),
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
    "ucf_qnrf": DataSet(
        title="UCF-QNRF",
        is_here=ucf_qnrf.is_here,
        read=ucf_qnrf.read,
        layout="a folder with Train/img_0001.jpg, Train/img_0001_ann.mat, ..., and the same in Test",
        source="Idrees et al., Composition Loss for Counting, Density Map Estimation and Localization in Dense Crowds, "
        "ECCV 2018, https://www.crcv.ucf.edu/data/ucf-qnrf/",
    ),
    "nwpu": DataSet(
        title="NWPU-Crowd",
        is_here=nwpu.is_here,
        read=nwpu.read,
        layout="a folder with images/0001.jpg (or images_part1 to images_part5), jsons/0001.json, train.txt and "
        "val.txt; "
        "the annotations of the test are not published",
        source="Wang et al., NWPU-Crowd, TPAMI 2020, https://www.crowdbenchmark.com/nwpucrowd.html",
        protocol="MAE, RMSE, NAE; MAE by level of the scene and by luminance",
        has_val=True,
    ),
    "jhu_crowd": DataSet(
        title="JHU-CROWD++",
        is_here=jhu_crowd.is_here,
        read=jhu_crowd.read,
        layout="a folder with train/images/0001.jpg, train/gt/0001.txt, train/image_labels.txt, and the same in val "
        "and test",
        source="Sindagi et al., JHU-CROWD++, TPAMI 2020, http://www.crowd-counting.com/",
        protocol="MAE, RMSE; by number of heads (low, medium, high) and by weather",
        has_val=True,
    ),
    "mall": DataSet(
        title="Mall",
        is_here=mall.is_here,
        read=mall.read,
        layout="a folder with frames/seq_000001.jpg, ... and mall_gt.mat",
        source="Chen et al., Feature Mining for Localised Crowd Counting, BMVC 2012, "
        "https://personal.ie.cuhk.edu.hk/~ccloy/downloads_mall_dataset.html",
        protocol="MAE, RMSE; frames 1 to 800 train, 801 to 2000 test",
        is_val=mall.is_val,
    ),
    "ucsd": DataSet(
        title="UCSD pedestrians",
        is_here=ucsd.is_here,
        read=ucsd.read,
        layout="a folder with vidf/vidf1_33_000.y/vidf1_33_000_f001.png, ... and vidf-cvpr (or gt/vidf) with "
        "vidf1_33_000_frame_full.mat, ... and vidf1_33_roi_mainwalkway.mat",
        source="Chan et al., Privacy Preserving Crowd Monitoring, CVPR 2008, "
        "http://www.svcl.ucsd.edu/projects/peoplecnt/",
        protocol="MAE, RMSE inside the region of interest; frames 601 to 1400 train, the others test",
        is_val=ucsd.is_val,
    ),
    "worldexpo": DataSet(
        title="WorldExpo'10",
        is_here=worldexpo.is_here,
        read=worldexpo.read,
        layout="a folder with train_frame/*.jpg, train_label/SCENE/*.mat and roi.mat, test_frame/SCENE/*.jpg and "
        "test_label/SCENE/*.mat and roi.mat",
        source="Zhang et al., Cross-scene Crowd Counting via Deep Convolutional Neural Networks, CVPR 2015, "
        "http://www.ee.cuhk.edu.hk/~xgwang/expo.html (on request)",
        protocol="MAE of each of the five test scenes inside its region of interest, and their mean",
        is_val=worldexpo.is_val,
    ),
    "trancos": DataSet(
        title="TRANCOS",
        is_here=trancos.is_here,
        read=trancos.read,
        layout="a folder with images/image-1-000001.jpg, image-1-000001dots.png, image-1-000001mask.mat, ... and "
        "image_sets "
        "with training.txt, validation.txt and test.txt",
        source="Guerrero-Gomez-Olmedo et al., Extremely Overlapping Vehicle Counting, IbPRIA 2015, "
        "https://gram.web.uah.es/data/datasets/trancos/",
        protocol="GAME at levels 0 to 3 inside the region of interest",
        thing="vehicles",
        has_val=True,
    ),
    "visdrone_cc": DataSet(
        title="VisDrone 2020 crowd counting",
        is_here=visdrone.is_challenge,
        read=visdrone.read_challenge,
        layout="a folder with sequences/00001/00001.jpg, annotations/00001.txt, trainlist.txt and testlist.txt",
        source="Du et al., VisDrone-CC2020, ECCV workshops 2020, https://github.com/VisDrone/DroneCrowd",
        is_val=visdrone.is_val,
    ),
    "dronecrowd": DataSet(
        title="DroneCrowd",
        is_here=visdrone.is_dronecrowd,
        read=visdrone.read_dronecrowd,
        layout="a folder with train_data/images/img001001.jpg, train_data/ground_truth/GT_img001001.mat, and the "
        "same in "
        "val_data and test_data",
        source="Wen et al., Detection, Tracking, and Counting Meets Drones in Crowds, CVPR 2021, "
        "https://github.com/VisDrone/DroneCrowd",
        has_val=True,
    ),
    "scut_head_a": _scut_head("A"),
    "scut_head_b": _scut_head("B"),
    "crowdhuman": DataSet(
        title="CrowdHuman",
        is_here=crowdhuman.is_here,
        read=crowdhuman.read,
        layout="a folder with Images/ID.jpg, annotation_train.odgt and annotation_val.odgt; the test has no "
        "annotations, the "
        "literature scores on val",
        source="Shao et al., CrowdHuman, 2018 (arXiv 1805.00123), https://www.crowdhuman.org/",
        has_val=True,
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
        is_here=lambda folder: own_name(folder) == "nobody" and _holds_pictures(folder),
        read=listed.read_nobody,
        layout="a folder of pictures in which nobody is",
        source="your own pictures; BSDS500 (https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/bsds/) has many",
        thing=None,
        any_folder=True,
        val_list="nobody_val",
    ),
}


def named(name: str) -> DataSet:
    """The data set of this name.

    Raises:
        AnnotationError: if there is none.
    """
    if name not in DATASETS:
        raise AnnotationError(f"Unknown dataset {name!r}: choose {', '.join(DATASETS)}.")
    return DATASETS[name]
