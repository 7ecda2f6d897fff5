"""The data sets that are read by name: each drawn small in the layout that its authors publish, and then damaged."""

import json
import os
import struct
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from PIL import Image
from test_annotations import draw_picture, write_mat
from test_exports import BOX, VOC

from crowdcount.data.annotations import dataset_files, load_dataset
from crowdcount.data.checking import check_folder
from crowdcount.data.datasets import DATASETS, SHARED_SCENES
from crowdcount.data.dividing import hashed_split
from crowdcount.data.readers import matlab
from crowdcount.data.readers.mat5 import read_mat5
from crowdcount.data.readers.matlab import read_points
from crowdcount.errors import AnnotationError

SIZE = (64, 48)
# Heads of the pictures in turn.
POINTS = [[[10.5, 20.25], [40, 30]], [[1, 2]], []]
_shade = iter(range(10**9))


def draw(path):
    """A picture unlike all others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(next(_shade)).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    Image.fromarray(pixels).save(path)


def save(path, **variables):
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, variables)


def write(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("packed", [False, True])
def test_a_damaged_mat_does_not_end_the_process(tmp_path, packed):
    """SciPy looks up a type of data that there is not and reads where nothing is, as fuzzing found."""
    path, outer = tmp_path / "a.mat", np.empty((1, 1), object)
    outer[0, 0] = {"location": np.array([[1.5, 2], [3, 4]]), "number": 2}
    scipy.io.savemat(path, {"note": "whole", "image_info": outer}, do_compression=packed)
    told = []
    assert read_points(path, lambda file, problem: told.append(problem)).tolist() == [[1.5, 2], [3, 4]]
    scipy.io.savemat(path, {"note": "whole", "image_info": outer})
    content, place = path.read_bytes(), path.read_bytes().index(struct.pack("<II", 9, 32))  # the doubles of location
    assert place > 0 and told == []
    content = content[:place] + struct.pack("<I", 0) + content[place + 4 :]
    if packed:
        at = 128 + 8 + struct.unpack_from("<I", content, 132)[0]  # behind the first variable
        inner = zlib.compress(content[at:])
        content = content[:at] + struct.pack("<II", 15, len(inner)) + inner
    path.write_bytes(content)
    assert read_points(path, lambda file, problem: told.append(problem)) is None
    assert len(told) == 1 and "an element is of the type 0, which holds no numbers" in told[0]
    assert scipy.io.loadmat(path, variable_names=["note"])["note"].tolist() == ["whole"]  # what is before is whole
    # A version that there is not: SciPy reads on as if it were 5.
    path.write_bytes(content[:124] + b"\x07\x01" + content[126:])
    assert read_points(path, lambda file, problem: told.append(problem)) is None
    assert len(told) == 2 and "its header is damaged" in told[1]
    scipy.io.savemat(path, {"annPoints": [[1.5, 2.0]]}, format="4")
    assert read_points(path, lambda file, problem: told.append(problem)).tolist() == [[1.5, 2]]


def assert_same(ours, theirs):
    assert ours.shape == theirs.shape and ours.dtype.names == theirs.dtype.names
    if ours.dtype.names:
        for name in ours.dtype.names:
            assert_same(ours[name], theirs[name])
    elif ours.dtype == object:
        for mine, other in zip(ours.ravel(), theirs.ravel()):
            assert_same(mine, other)
    else:
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_mat_files_are_read_as_scipy_reads_them(tmp_path, packed, order):
    structures = np.empty((2, 2), [("loc", object), ("name", object)])
    for index in np.ndindex(2, 2):
        structures[index] = (np.full((index[0] + 1, 2), 1.5), f"frame {index}")
    cells = np.empty((1, 3), object)
    cells[0] = [np.arange(6, dtype=np.uint8).reshape(2, 3), structures, np.zeros((0, 2))]
    variables = {
        "numbers": np.arange(24.0).reshape(2, 3, 4), "small": np.array([[-1, 2]], np.int16), "cells": cells,
        "flags": np.array([[True, False]]), "frames": structures, "text": "of a crowd", "nothing": np.zeros((0, 2)),
    }  # fmt: skip
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, variables, do_compression=packed)
    if order == ">":  # SciPy writes the machine's order of bytes alone
        path = Path(scipy.io.__path__[0]) / "matlab" / "tests" / "data" / "big_endian.mat"
        if not path.exists():
            pytest.skip("SciPy is installed without its tests' data, which hold a file of the other order of bytes")
        variables = {name: None for name, _, _ in scipy.io.whosmat(path)}
    for name in variables:
        assert_same(read_mat5(path.read_bytes(), name), scipy.io.loadmat(path, variable_names=[name])[name])
    with pytest.raises(KeyError, match="elsewhere"):
        read_mat5(path.read_bytes(), "elsewhere")


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps files that are open")
@pytest.mark.parametrize("version", ["4", "5", "7.3"])
def test_a_mat_file_is_opened_once_for_all_names_that_are_tried(tmp_path, monkeypatch, version):
    path, told = tmp_path / "a.mat", []
    if version == "7.3":
        with h5py.File(path, "w") as content:
            content["annPoints"] = np.array([[1.5], [2.0]])
            content["annPoints"].attrs["MATLAB_class"] = np.bytes_("double")
    else:
        scipy.io.savemat(path, {"annPoints": [[1.5, 2.0]]}, format=version)

    def once(file, mode):
        stream = open(file, mode)
        os.unlink(file)
        return stream

    monkeypatch.setattr(matlab, "open", once, raising=False)
    points = read_points(path, lambda file, problem: told.append(problem))
    assert told == [] and points.tolist() == [[1.5, 2]] and not path.exists()


@pytest.mark.parametrize("version", ["4", "5"])
def test_complex_places_are_told(tmp_path, version):
    told = []
    scipy.io.savemat(tmp_path / "a.mat", {"annPoints": [[1.5 + 1j, 2.0]]}, format=version)
    assert read_points(tmp_path / "a.mat", lambda file, problem: told.append(problem)) is None
    assert "complex" in told[0]


def points(turn):
    return np.array(POINTS[turn % 3], np.float64).reshape(-1, 2)


def cell(values):
    """MATLAB's cell array of structures with one field, `loc`."""
    array = np.empty((1, len(values)), object)
    for at, value in enumerate(values):
        inner = np.empty((1, 1), [("loc", object)])
        inner[0, 0] = (value,)
        array[0, at] = inner
    return array


def ucf_cc_50(root):
    for n in range(1, 51):
        draw(root / "UCF_CC_50" / f"{n}.jpg")
        save(root / "UCF_CC_50" / f"{n}_ann.mat", annPoints=points(n))


def ucf_qnrf(root):
    for half in ("Train", "Test"):
        for n in range(3):
            draw(root / "UCF-QNRF_ECCV18" / half / f"img_{n:04d}.jpg")
            save(root / "UCF-QNRF_ECCV18" / half / f"img_{n:04d}_ann.mat", annPoints=points(n))


def nwpu(root):
    for half, numbers in {"train": (1, 2, 3), "val": (4, 5)}.items():
        write(root / "NWPU" / f"{half}.txt", *(f"{n:04d} {n % 2} 1" for n in numbers))
        for n in numbers:
            draw(root / "NWPU" / f"images_part{n}" / f"{n:04d}.jpg")
            content = {"img_id": f"{n:04d}.jpg", "human_num": len(POINTS[n % 3]), "points": POINTS[n % 3], "boxes": []}
            write(root / "NWPU" / "jsons" / f"{n:04d}.json", json.dumps(content))


def jhu_crowd(root):
    for half in ("train", "val", "test"):
        place = root / "jhu_crowd_v2.0" / half
        for n in range(3):
            draw(place / "images" / f"{n:04d}.jpg")
            write(place / "gt" / f"{n:04d}.txt", *(f"{x} {y} 9 9 1 {n % 2}" for x, y in POINTS[n]))
        write(place / "image_labels.txt", *(f"{n:04d},{len(POINTS[n])},street,{n},0" for n in range(3)))


def mall(root):
    frames = root / "mall_dataset" / "frames"
    frames.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (811, 4, 6, 3), np.uint8)
    for n in range(1, 811):
        Image.fromarray(pixels[n]).save(frames / f"seq_{n:06d}.jpg", "PNG", compress_level=1)
    values = [points(n) / 20 for n in range(1, 811)]
    counts = np.array([[len(value)] for value in values])
    save(root / "mall_dataset" / "mall_gt.mat", frame=cell(values), count=counts)


def ucsd(root):
    for clip in range(10):
        for n in (1, 130):
            draw(root / "ucsdpeds" / "vidf" / f"vidf1_33_{clip:03d}.y" / f"vidf1_33_{clip:03d}_f{n:03d}.png")
        values = [np.array([[10.5, 20.25, 0], [60, 30, 0]]), np.zeros((0, 3))]
        save(root / "vidf-cvpr" / f"vidf1_33_{clip:03d}_frame_full.mat", frame=cell(values))
    mask = np.zeros(SIZE[::-1], np.uint8)
    mask[:, :32] = 1
    save(root / "vidf-cvpr" / "vidf1_33_roi_mainwalkway.mat", roi={"mask": mask, "xi": [0], "yi": [0]})


def worldexpo(root):
    for half, scenes in {"train": ("100100", "100200", "100300"), "test": ("104207", "200608")}.items():
        for scene in scenes:
            place = root / "WorldExpo" / f"{half}_label" / scene
            x, y = np.array([[0], [32], [32], [0]]), np.array([[0], [0], [48], [48]])
            save(place / "roi.mat", maskVerticesXCoordinates=x, maskVerticesYCoordinates=y)
            for n in range(2):
                name = f"{scene}_1-04-S2010{n}"
                folder = root / "WorldExpo" / f"{half}_frame"
                draw((folder / scene if half == "test" else folder) / f"{name}.jpg")
                save(place / f"{name}.mat", point_position=points(n), point_num=len(POINTS[n]))


def trancos(root):
    place = root / "TRANCOS_v3"
    for number, (name, n) in enumerate({"training": 3, "validation": 2, "test": 2}.items(), start=1):
        names = [f"image-{number}-{k:06d}" for k in range(n)]
        write(place / "image_sets" / f"{name}.txt", *(f"{stem}.jpg" for stem in names))
        for stem in names:
            draw(place / "images" / f"{stem}.jpg")
            dots = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
            dots[20, 10, 0] = dots[30, 40, 0] = 255
            Image.fromarray(dots).save(place / "images" / f"{stem}dots.png")
            mask = np.zeros(SIZE[::-1], bool)
            mask[:, :32] = True
            save(place / "images" / f"{stem}mask.mat", BW=mask)


def visdrone_cc(root):
    place = root / "VisDrone2020-CC"
    for half, sequences in {"train": ("00001", "00002", "00011"), "test": ("00003",)}.items():
        write(place / f"{half}list.txt", *sequences)
        for sequence in sequences:
            for n in (1, 2, 3):
                draw(place / "sequences" / sequence / f"{n:05d}.jpg")
            lines = [f"{n + 1},{x},{y}" for n in range(3) for x, y in POINTS[n]]
            write(place / "annotations" / f"{sequence}.txt", *lines)


def dronecrowd(root):
    for half in ("train", "val", "test"):
        for n in range(3):
            draw(root / "DroneCrowd" / f"{half}_data" / "images" / f"img00{n}001.jpg")
            write_mat(root / "DroneCrowd" / f"{half}_data" / "ground_truth" / f"GT_img00{n}001.mat", points(n))


def scut_head_a(root):
    place = root / "SCUT_HEAD_Part_A"
    for half, numbers in {"train": (0, 1, 2), "val": (3, 4), "test": (5,)}.items():
        write(place / "ImageSets" / "Main" / f"{half}.txt", *(f"PartA_{n:05d}" for n in numbers))
        for n in numbers:
            draw(place / "JPEGImages" / f"PartA_{n:05d}.jpg")
            boxes = "".join(BOX.format(x - 1, y - 2, x + 1, y + 2) for x, y in POINTS[n % 3])
            write(place / "Annotations" / f"PartA_{n:05d}.xml", VOC.format("x.jpg", boxes))


def crowdhuman(root):
    for half in ("train", "val"):
        lines = []
        for n in range(3):
            name = f"27{n},{half}"
            draw(root / "CrowdHuman" / "Images" / f"{name}.jpg")
            boxes = [{"tag": "person", "hbox": [x - 2, y - 2, 4, 4], "head_attr": {"ignore": 0}} for x, y in POINTS[n]]
            boxes.append({"tag": "mask", "hbox": [0, 0, 1, 1], "fbox": [50, 0, 10, 20], "extra": {"ignore": 1}})
            lines.append(json.dumps({"ID": name, "gtboxes": boxes}))
        write(root / "CrowdHuman" / f"annotation_{half}.odgt", *lines)


def brt(root):
    for n in range(20):
        draw(root / "BRT" / "images" / f"brt_{n}.jpg")
    rows = [f"brt_{n}.jpg,{x},{y}" for n in range(20) for x, y in POINTS[n % 3] or [("", "")]]
    write(root / "BRT" / "points.csv", "picture,x,y", *rows)


def nobody(root):
    for n in range(20):
        draw(root / "nobody" / f"{n}.jpg")


# Data set -> what draws it, pictures in train, val, test, a damage, and what the checker says of it: file and words.
FIELD = {
    "ucf_cc_50": (ucf_cc_50, None, "UCF_CC_50/7_ann.mat", b"damaged", "7_ann.mat", "not a readable"),
    "ucf_qnrf": (
        ucf_qnrf, (None, None, 3), "UCF-QNRF_ECCV18/Test/img_0001.jpg", None,
        "img_0001_ann.mat", "is missing",
    ),
    "nwpu": (nwpu, (3, 2, None), "NWPU/jsons/0002.json", b'{"points": [], "human_num": 4}', "0002.json", "4 heads",),
    "jhu_crowd": (
        jhu_crowd, (3, 3, 3), "jhu_crowd_v2.0/val/gt/0001.txt", b"1 2 9 9 1 0\n1 2 3\n",
        "0001.txt", "line 2",
    ),
    "mall": (mall, (720, 80, 10), "mall_dataset/mall_gt.mat", b"damaged", "mall_gt.mat", "not a readable"),
    "ucsd": (
        ucsd, (7, 1, 12), "vidf-cvpr/vidf1_33_004_frame_full.mat", b"",
        "vidf1_33_004_frame_full.mat", "readable",
    ),
    "worldexpo": (worldexpo, None, "WorldExpo/test_label/104207/roi.mat", b"x", "roi.mat", "region of interest"),
    "trancos": (
        trancos, (3, 2, 2), "TRANCOS_v3/images/image-1-000001mask.mat", b"",
        "image-1-000001mask.mat", "region",
    ),
    "visdrone_cc": (visdrone_cc, None, "VisDrone2020-CC/annotations/00002.txt", b"1,2\n", "00002.txt", "line 1"),
    "dronecrowd": (
        dronecrowd, (3, 3, 3), "DroneCrowd/val_data/ground_truth/GT_img001001.mat", None,
        "img001001.jpg", "no annot",
    ),
    "scut_head_a": (
        scut_head_a, (3, 2, 1), "SCUT_HEAD_Part_A/Annotations/PartA_00001.xml", b"<a",
        "PartA_00001.xml", "readable",
    ),
    "crowdhuman": (
        crowdhuman, (3, 3, None), "CrowdHuman/annotation_val.odgt", b"{}\n",
        "annotation_val.odgt", "line 1",
    ),
    "brt": (brt, None, "BRT/points.csv", b"picture,x,y\nbrt_1.jpg,1,left\n", "points.csv", "line 2"),
    "nobody": (nobody, None, "nobody/3.jpg", b"damaged", "3.jpg", "picture"),
}  # fmt: skip


@pytest.fixture(params=FIELD)
def drawn(request, tmp_path):
    FIELD[request.param][0](tmp_path)
    return request.param, tmp_path


def test_every_data_set_is_drawn_here():
    assert set(DATASETS) - set(FIELD) == {"shanghaitech_a", "shanghaitech_b", "scut_head_b"}


DEEP = pytest.param("[" * 100_000, id="deep")


@pytest.mark.parametrize("line", ['{"ID": "a", "gtboxes": [1]}', '{"ID": null, "gtboxes": []}', "[]", DEEP])
def test_a_malformed_line_of_crowdhuman_is_named(tmp_path, line):
    crowdhuman(tmp_path)
    write(tmp_path / "CrowdHuman" / "annotation_val.odgt", line)
    assert [str(fault).count("line 1: is not a readable") for fault in check_folder(tmp_path)] == [1]


HUGE = pytest.param(f'{{"points": [[1, 1{"0" * 400}]], "human_num": 1}}', id="huge")


@pytest.mark.parametrize("text", ['{"points": [], "human_num": Infinity}', HUGE, DEEP])
def test_a_malformed_annotation_of_nwpu_is_named(tmp_path, text):
    nwpu(tmp_path)
    (tmp_path / "NWPU" / "jsons" / "0002.json").write_text(text)
    assert [fault.file.name for fault in check_folder(tmp_path)] == ["0002.json"]


def test_the_table_of_data_sets_gives_names_that_are_read():
    text = (Path(__file__).parents[1] / "datasets" / "README.md").read_text("utf-8")
    rows = text.split("| read by |\n|")[1].split("\n\n")[0].splitlines()[1:]
    assert len(rows) == 8 and {row.rsplit("|", 2)[1].strip(" `") for row in rows} <= set(DATASETS)


def test_splits_of_a_data_set(drawn):
    name, root = drawn
    every = load_dataset(name, root, "all")
    assert {str(sample.picture) for sample in every} < set(dataset_files(name, root)) or name == "nobody"
    assert len({sample.name for sample in every}) == len(every) == len({sample.picture for sample in every})
    assert all(sample.read().dtype == np.uint8 for sample in every[:2])
    split = {}
    for which in ("train", "val", "test"):
        try:
            split[which] = {sample.name for sample in load_dataset(name, root, which)}
        except AnnotationError:
            split[which] = set()
    expected = FIELD[name][1]
    if expected is not None:
        for which, number in zip(("train", "val", "test"), expected, strict=True):
            assert number is None or len(split[which]) == number
    assert not split["train"] & split["val"] and not split["test"] & (split["train"] | split["val"])
    assert set.union(*split.values()) == {sample.name for sample in every} and split["train"]


def test_a_data_set_is_not_taken_for_another(drawn):
    """UCF-QNRF's pictures were read as UCF_CC_50's where only they were there: both have `*_ann.mat`."""
    name, root = drawn
    assert [other for other, each in DATASETS.items() if each.here(root) is not None] == [name]


def test_a_sound_data_set_has_no_fault(drawn):
    name, root = drawn
    faults = check_folder(root, name)
    assert list(map(str, faults)) == []
    assert check_folder(root) == []


def test_a_damaged_data_set_names_the_file(drawn):
    name, root = drawn
    _, _, place, content, file, words = FIELD[name]
    if content is None:
        (root / place).unlink()
    else:
        (root / place).write_bytes(content)
    for faults in (check_folder(root, name), check_folder(root)):
        assert any(fault.file.name == file and words in fault.problem for fault in faults), list(map(str, faults))


def test_what_is_not_there_says_where_it_comes_from(tmp_path):
    for name, found in DATASETS.items():
        with pytest.raises(AnnotationError, match="is not here: looked in .* Wanted: .* It comes from ") as caught:
            load_dataset(name, tmp_path, "all")
        assert found.title in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(AnnotationError, match="Unknown dataset 'lost'"):
        check_folder(tmp_path, "lost")


@pytest.mark.parametrize(
    ("name", "split", "there"),
    [
        *(("brt", "test", "train, val, all"), ("nobody", "test", "train, val, all")),
        *(("crowdhuman", "test", "train, val, all"), ("ucf_qnrf", "train", "test, all")),
    ],
)
def test_a_split_that_is_not_there_says_which_are(tmp_path, name, split, there):
    """Of a data set without test pictures the message named as missing what was there."""
    FIELD[name][0](tmp_path)
    for place in tmp_path.glob("*/Train"):
        place.rename(tmp_path / "elsewhere")
    with pytest.raises(AnnotationError, match=rf"pictures of .* are not here: .* The splits that are here: {there}\.$"):
        load_dataset(name, tmp_path, split)
    assert all(load_dataset(name, tmp_path, each) for each in there.split(", "))


def heads(name, root, split="all"):
    return {sample.name: sample.points.tolist() for sample in load_dataset(name, root, split)}


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("ucf_qnrf", "UCF-QNRF/Train/img_0000"),
        ("jhu_crowd", "JHU/train/0000"),
        ("visdrone_cc", "VisDrone/00001/00001"),
        ("dronecrowd", "DroneCrowd/train/img000001"),
        ("scut_head_a", "SCUT_HEAD_Part_A/PartA_00000"),
        ("crowdhuman", "CrowdHuman/270,train"),
        ("worldexpo", "WorldExpo/104207_1-04-S20100"),
        ("brt", "BRT/brt_0.jpg"),
    ],
)
def test_heads_are_where_they_were_drawn(tmp_path, name, first):
    FIELD[name][0](tmp_path)
    assert heads(name, tmp_path)[first] == POINTS[0]


def test_the_five_folds_of_ucf_cc_50(tmp_path):
    ucf_cc_50(tmp_path)
    for fold, first in ((1, 1), (5, 41)):
        test, training, validation = (
            set(heads(f"ucf_cc_50:{fold}", tmp_path, split)) for split in ("test", "train", "val")
        )
        assert test == {f"UCF_CC_50/ucf_{n}" for n in range(first, first + 10)}
        assert len(training | validation) == 40 and not test & (training | validation)
    with pytest.raises(AnnotationError, match="tested in turns"):
        load_dataset("ucf_cc_50", tmp_path, "test")


def test_a_scene_that_a_fold_tests_is_not_learned_from_part_a(tmp_path):
    ucf_cc_50(tmp_path)
    part = tmp_path / "part_A" / "train_data"
    numbers = {int(name.removeprefix("IMG_")) for name in SHARED_SCENES.values()}
    for n in (1, 5, *numbers):  # 5 is for validation
        draw(part / "images" / f"IMG_{n}.jpg")
        save(part / "ground-truth" / f"GT_IMG_{n}.mat", annPoints=points(n))

    def learned(spec):
        return {name.rsplit("/", 1)[-1] for split in ("train", "val") for name in heads(spec, tmp_path, split)}

    for turn in range(1, 6):
        tested = {name.rsplit("/", 1)[-1] for name in heads(f"ucf_cc_50:{turn}", tmp_path, "test")}
        shown = {there for here, there in SHARED_SCENES.items() if here in tested}
        both = learned(f"shanghaitech_a+ucf_cc_50:{turn}")
        assert not both & (tested | shown)
        assert both | shown == learned("shanghaitech_a") | learned(f"ucf_cc_50:{turn}")
    assert learned("ucf_cc_50+shanghaitech_a") >= {f"IMG_{n}" for n in numbers}
    assert len(heads("shanghaitech_a+ucf_cc_50:5", tmp_path, "all")) == 2 + len(numbers) + 50


def test_labels_are_kept(tmp_path):
    jhu_crowd(tmp_path)
    fog = next(sample for sample in load_dataset("jhu_crowd", tmp_path, "all") if sample.name == "JHU/val/0001")
    assert fog.labels == {"scene": "street", "weather": "fog", "distractor": "no", "level": "low", "blur": "most"}
    nwpu(tmp_path)
    levels = {sample.name: sample.labels for sample in load_dataset("nwpu", tmp_path, "all")}
    assert levels["NWPU/0003"] == {"level": "S1", "luminance": "1"} and levels["NWPU/0002"]["level"] == "S0"


def test_regions_of_interest(tmp_path):
    for name in ("ucsd", "worldexpo", "trancos"):
        FIELD[name][0](tmp_path / name)
        for sample in load_dataset(name, tmp_path / name, "test"):
            counted = sample.counted(SIZE[::-1])
            assert counted[:, :32].all() and not counted[:, 32:].any(), name
    crowdhuman(tmp_path)
    counted = load_dataset("crowdhuman", tmp_path, "val")[0].counted(SIZE[::-1])
    assert not counted[:20, 50:60].any() and (~counted).sum() == 200
    draw_picture(tmp_path / "small.png", (32, 32))
    with pytest.raises(AnnotationError, match="its mask is 64 x 48 pixels, its picture 32 x 32"):
        load_dataset("trancos", tmp_path / "trancos", "test")[0].counted((32, 32))


def test_renamed_frames_of_ucsd_are_read(tmp_path):
    ucsd(tmp_path)
    for frame in (tmp_path / "ucsdpeds" / "vidf" / "vidf1_33_006.y").iterdir():
        frame.rename(frame.with_name(frame.stem[-3:] + ("" if frame.stem.endswith("130") else "_a") + ".png"))
    assert [sample.name for sample in load_dataset("ucsd", tmp_path, "val")] == ["UCSD/130"]
    assert len(load_dataset("ucsd", tmp_path, "train")) == 7


def test_several_data_sets_under_one_root(tmp_path, monkeypatch):
    for build in (brt, nobody, ucf_qnrf):
        build(tmp_path)
    together = load_dataset("ucf_qnrf + brt*2 + nobody", tmp_path, "train")
    alone = {name: len(load_dataset(name, tmp_path, "train")) for name in ("ucf_qnrf", "brt", "nobody")}
    assert len(together) == alone["ucf_qnrf"] + 2 * alone["brt"] + alone["nobody"]
    # The names of a few pictures may choose none of them for validation: a joint training could not begin.
    for picture in (tmp_path / "nobody").iterdir():
        if hashed_split(picture.stem) == "val":
            picture.unlink()
    joint, brts = (load_dataset(spec, tmp_path, "val") for spec in ("brt+nobody", "brt"))
    assert [sample.name for sample in joint] == [sample.name for sample in brts]
    monkeypatch.setattr("crowdcount.data.datasets.hashed_split", lambda name: "train")
    for spec in ("nobody", "brt+nobody"):
        with pytest.raises(AnnotationError, match="no picture there"):
            load_dataset(spec, tmp_path, "val")
    # Any folder of pictures can be one of nobody.
    (tmp_path / "nobody").rename(tmp_path / "walls")
    assert {sample.count for sample in load_dataset("nobody", tmp_path / "walls", "all")} == {0}


def test_pictures_of_nobody_may_differ_in_their_suffix_alone(tmp_path):
    """The error spoke of two data sets, and `check` found no fault."""
    for name in ("wall.jpg", "wall.png", "tree.jpg"):
        draw(tmp_path / "nobody" / name)
    found = {sample.name: sample.picture.name for sample in load_dataset("nobody", tmp_path, "all")}
    assert found == {"nobody/tree": "tree.jpg", "nobody/wall.jpg": "wall.jpg", "nobody/wall.png": "wall.png"}


def test_a_number_of_heads_that_is_none_is_told(tmp_path):
    for n in (1, 2):
        draw(tmp_path / "frames" / f"seq_{n:06d}.jpg")
    save(tmp_path / "mall_gt.mat", frame=cell([points(0), points(1)]), count=np.array([[np.nan], [len(points(1))]]))
    with pytest.raises(AnnotationError, match=f"says that frame 1 has nan heads but holds {len(points(0))} points"):
        load_dataset("mall", tmp_path, "all")
