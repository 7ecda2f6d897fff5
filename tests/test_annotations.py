"""Samples, the readers of ShanghaiTech, CSV and JSON, and the splits."""

import csv
import dataclasses
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import assume, given, settings, strategies as st
from PIL import Image

from crowdcount.data.annotations import (
    Sample,
    load_dataset,
    read_csv,
    read_json,
    read_shanghaitech,
    split_there,
)
from crowdcount.data.datasets import DATASETS
from crowdcount.data.dividing import SPLITS, hashed_split, listed_names
from crowdcount.errors import AnnotationError, AnnotationWarning, PictureError


def draw_picture(path, size=(64, 48), shade=0):
    """Save a tiny picture, unlike those of other shades; size is (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (shade, 255 - shade, 90)).save(path)


def write_mat(path, points, number=None):
    """Save an annotation, nested as ShanghaiTech's: image_info[0, 0][0, 0] is (points, number)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    inner = np.empty((1, 1), dtype=[("location", object), ("number", object)])
    count = len(points) if number is None else number
    inner[0, 0] = (np.array(points, np.float64), np.array([[count]], np.uint16))
    outer = np.empty((1, 1), dtype=object)
    outer[0, 0] = inner
    scipy.io.savemat(path, {"image_info": outer})


def draw_part(root, numbers, *, folder="part_A", half="train_data", truth="ground-truth"):
    """A part in ShanghaiTech's layout: picture n has n heads."""
    for n in numbers:
        draw_picture(root / folder / half / "images" / f"IMG_{n}.jpg", shade=n % 256)
        points = [[i % 64, i % 48 + 0.25] for i in range(n)]
        write_mat(root / folder / half / truth / f"GT_IMG_{n}.mat", points)


def names(samples):
    return [sample.name for sample in samples]


# --- Sample ---


def test_sample_keeps_its_own_read_only_points():
    given_points = np.array([[1.0, 2.0], [3.0, 4.0]])
    sample = Sample("a", np.zeros((8, 8, 3), np.uint8), given_points)
    given_points[0] = 99
    assert sample.points.dtype == np.float64 and sample.points.tolist() == [[1, 2], [3, 4]]
    with pytest.raises(ValueError, match="read-only"):
        sample.points[0, 0] = 5
    with pytest.raises(dataclasses.FrozenInstanceError):
        sample.name = "b"


@pytest.mark.parametrize("nobody", [[], np.zeros((0, 2)), np.zeros((0, 0)), ()])
def test_sample_with_nobody_has_points_of_shape_0_2(nobody):
    sample = Sample("a", np.zeros((8, 8, 3), np.uint8), nobody)
    assert sample.points.shape == (0, 2) and sample.count == 0


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([[1, 2, 3]], r"shape \(N, 2\).*Received \(1, 3\)"),
        ([1, 2], r"shape \(N, 2\).*Received \(2,\)"),
        ([[1, float("nan")]], "finite"),
        ([[float("inf"), 0]], "finite"),
        ([["here", "there"]], "pairs of numbers"),
        ([[1, 2], [3]], "pairs of numbers"),
        ([[1 + 2j, 3]], "pairs of numbers.*complex"),
        ([[1, 10**400]], "pairs of numbers.*too large"),
    ],
)
def test_sample_refuses_points_that_are_none(points, message):
    with pytest.raises(AnnotationError, match=message):
        Sample("a", np.zeros((8, 8, 3), np.uint8), points)


@pytest.mark.parametrize(
    "ignore", [[[1, 2]], [[0, 0, float("nan"), 5]], [[50, 50, 0, 0]], np.ones((2, 3)), "none", [[0, 0, 1, 10**400]]]
)
def test_boxes_to_ignore_that_are_none_are_refused(ignore):
    """One that ended before it began covered nothing, without a word."""
    with pytest.raises(AnnotationError, match="a: ignore should be boxes of left, top, right and bottom"):
        Sample("a", np.zeros((8, 8, 3), np.uint8), [], ignore=ignore)


def test_sample_reads_its_picture_upright(tmp_path):
    image = Image.new("RGB", (40, 20), (10, 20, 30))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.png", exif=exif)
    pixels = Sample("turned", str(tmp_path / "turned.png"), []).read()
    assert pixels.shape == (40, 20, 3) and pixels.dtype == np.uint8
    with pytest.raises(PictureError):
        Sample("lost", tmp_path / "lost.png", []).read()


# --- ShanghaiTech ---


@pytest.mark.parametrize("folder", ["part_A", "part_A_final"])
@pytest.mark.parametrize("truth", ["ground-truth", "ground_truth"])
@pytest.mark.parametrize("above", [".", "ShanghaiTech"])
def test_shanghaitech_in_every_naming(tmp_path, folder, truth, above):
    draw_part(tmp_path / above, [1, 3, 10], folder=folder, truth=truth)
    samples = read_shanghaitech(tmp_path, "A", "all")
    assert names(samples) == ["part_A/IMG_1", "part_A/IMG_3", "part_A/IMG_10"]
    assert [sample.count for sample in samples] == [1, 3, 10]
    assert samples[1].points.tolist() == [[0, 0.25], [1, 1.25], [2, 2.25]]
    assert samples[0].read().shape == (48, 64, 3)


def test_shanghaitech_splits_by_the_list(tmp_path):
    listed = sorted(int(name[4:]) for name in listed_names("shanghaitech_a_val"))[:2]
    draw_part(tmp_path, [1, 2, 4, 60, *listed])  # 2 and 60 are near-copies of test pictures
    draw_part(tmp_path, [1, 2], half="test_data")
    val = [f"part_A/IMG_{n}" for n in listed]
    assert names(read_shanghaitech(tmp_path, "A", "val")) == val
    assert names(read_shanghaitech(tmp_path, "A")) == ["part_A/IMG_1", "part_A/IMG_4"]
    back = names(read_shanghaitech(tmp_path, "A", "train", everything=True))
    assert back == [f"part_A/IMG_{n}" for n in (1, 2, 4, 60)]
    assert names(read_shanghaitech(tmp_path, "A", "val", everything=True)) == val
    test = names(read_shanghaitech(tmp_path, "A", "test"))
    assert test == ["part_A/test/IMG_1", "part_A/test/IMG_2"]
    everything = names(read_shanghaitech(tmp_path, "A", "all"))
    assert sorted(everything) == sorted(back + val + test) and len(set(everything)) == len(everything)


def test_shanghaitech_splits_by_hash_where_no_listed_picture_is_there(tmp_path):
    numbers = [n for n in range(1, 20) if f"IMG_{n}" not in listed_names("shanghaitech_a_val")]
    draw_part(tmp_path, numbers)
    train, val = (names(read_shanghaitech(tmp_path, "A", split)) for split in ("train", "val"))
    assert val == [f"part_A/IMG_{n}" for n in numbers if hashed_split(f"IMG_{n}") == "val"]
    assert set(train) == {f"part_A/IMG_{n}" for n in numbers if n != 2} - set(val)


@pytest.mark.parametrize("there", [".", "..", "../..", "train_data/.."])
def test_a_data_set_is_found_from_within(tmp_path, monkeypatch, there):
    draw_part(tmp_path, [7])
    monkeypatch.chdir(
        {"..": tmp_path / "part_A" / "train_data", "../..": tmp_path / "part_A" / "train_data" / "images"}.get(
            there, tmp_path / "part_A"
        )
    )
    assert names(load_dataset("shanghaitech_a", there, "all")) == ["part_A/IMG_7"]


def test_a_folder_that_is_only_called_so_does_not_hide_the_data_set(tmp_path):
    """As that of the maps that `crowdcount density` writes, and what macOS puts into archives."""
    for other in ("maps/part_A", "__MACOSX/part_A/train_data/images"):
        (tmp_path / other).mkdir(parents=True)
        (tmp_path / other / "IMG_7.h5").write_bytes(b"a map")
    draw_part(tmp_path / "zz", [7])
    assert names(load_dataset("shanghaitech_a", tmp_path, "all")) == ["part_A/IMG_7"]


def test_a_folder_that_may_not_be_read_stops_nothing(tmp_path, monkeypatch):
    draw_part(tmp_path / "data", [7])
    (tmp_path / "lost+found").mkdir()
    able, listed = os.access, Path.iterdir

    def iterdir(path):
        if path.name == "lost+found":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "lost+found" and able(path, mode))
    monkeypatch.setattr(Path, "iterdir", iterdir)
    assert names(load_dataset("shanghaitech_a", tmp_path, "all")) == ["part_A/IMG_7"]


def test_shanghaitech_without_a_half_names_the_folder(tmp_path):
    draw_part(tmp_path, [1])
    with pytest.raises(AnnotationError, match=f"test pictures.*{re.escape(str(tmp_path / 'part_A'))}"):
        read_shanghaitech(tmp_path, "A", "test")
    with pytest.raises(AnnotationError, match=r"part B is not here.*part_B \(or part_B_final\)"):
        read_shanghaitech(tmp_path, "B")
    draw_part(tmp_path, [1], folder="part_B", half="test_data")
    with pytest.raises(AnnotationError, match=f"training pictures.*{re.escape(str(tmp_path / 'part_B'))}"):
        read_shanghaitech(tmp_path, "B")
    assert names(read_shanghaitech(tmp_path, "B", "all")) == ["part_B/test/IMG_1"]


def test_shanghaitech_with_nobody(tmp_path):
    draw_part(tmp_path, [0, 1])
    assert [sample.count for sample in read_shanghaitech(tmp_path, "A", "all")] == [0, 1]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda half: (half / "ground-truth" / "GT_IMG_3.mat").unlink(), "IMG_3.jpg: has no annotation"),
        (lambda half: (half / "images" / "IMG_3.jpg").unlink(), "GT_IMG_3.mat: its picture is missing"),
        (lambda half: (half / "ground-truth" / "GT_IMG_3.mat").write_bytes(b"x" * 300), "not a readable"),
        (lambda half: (half / "ground-truth" / "GT_IMG_3.mat").write_bytes(b""), "not a readable"),
        (lambda half: write_mat(half / "ground-truth" / "GT_IMG_3.mat", [[1, 2]], 7), "7 heads but holds 1"),
        (lambda half: write_mat(half / "ground-truth" / "GT_IMG_3.mat", [[1, np.nan]]), "not finite.*nan"),
        (lambda half: write_mat(half / "ground-truth" / "GT_IMG_3.mat", [[1, 2, 3]]), r"\(1, 3\)"),
        (lambda half: draw_picture(half / "images" / "IMG_3.png"), "same name"),
    ],
)
def test_shanghaitech_names_the_faulty_file(tmp_path, spoil, message):
    draw_part(tmp_path, [1, 3])
    spoil(tmp_path / "part_A" / "train_data")
    with pytest.raises(AnnotationError, match=f"IMG_3.*{message}|{message}"):
        read_shanghaitech(tmp_path, "A", "all")


@pytest.mark.parametrize("keep", [10, 130, 200, 300])
def test_shanghaitech_cut_off_annotation(tmp_path, keep):
    draw_part(tmp_path, [40])
    file = tmp_path / "part_A" / "train_data" / "ground-truth" / "GT_IMG_40.mat"
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(AnnotationError, match="GT_IMG_40.mat"):
        read_shanghaitech(tmp_path, "A", "all")


def test_macos_companion_files_are_no_pictures(tmp_path):
    draw_part(tmp_path, [1])
    half = tmp_path / "part_A" / "train_data"
    (half / "images" / "._IMG_1.jpg").write_bytes(b"metadata")
    (half / "ground-truth" / "._GT_IMG_1.mat").write_bytes(b"metadata")
    (half / "images" / "Thumbs.db").write_bytes(b"metadata")
    assert names(read_shanghaitech(tmp_path, "A", "all")) == ["part_A/IMG_1"]


def test_unknown_part_and_split():
    with pytest.raises(AnnotationError, match="part 'C'.*A, B"):
        read_shanghaitech(".", "C")
    for read in (lambda: read_shanghaitech(".", "A", "valid"), lambda: read_csv(".", "valid")):
        with pytest.raises(AnnotationError, match="split 'valid'.*train, val, test, all"):
            read()


# --- The real data ---


@pytest.mark.parametrize(("part", "pictures", "heads"), [("A", 300, 162_413), ("B", 400, 49_151)])
def test_real_shanghaitech_is_whole(shanghaitech_root, part, pictures, heads):
    samples = [sample for sample in read_shanghaitech(shanghaitech_root, part, "all") if "/test/" not in sample.name]
    assert len(samples) == pictures and sum(sample.count for sample in samples) == heads


# --- CSV ---


def write_points(folder, text, name="points.csv", encoding="utf-8"):
    (folder / name).write_bytes(text.encode(encoding))
    return folder / name


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_as_spreadsheets_write_it(tmp_path, encoding, end):
    draw_picture(tmp_path / "images" / "größe.png")
    draw_picture(tmp_path / "b, c.png")
    draw_picture(tmp_path / "images" / "day" / "d.png")
    rows = ["Picture, X ,y", "größe.png,1.5,2e1", "", '"b, c.png",,', "größe.png, 3 ,4", r"day\d.png,0,0"]
    samples = read_csv(write_points(tmp_path, end.join(rows) + end, encoding=encoding))
    assert names(samples) == ["größe.png", "b, c.png", r"day\d.png"]
    assert [sample.points.tolist() for sample in samples] == [[[1.5, 20], [3, 4]], [], [[0, 0]]]
    assert all(sample.read().shape == (48, 64, 3) for sample in samples)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.png,1", r"line 3: should have 3 values, as line 1 has. Received \['a.png', '1'\]"),
        ("a.png,1,2,3", "line 3: should have 3 values"),
        ("a.png,3,5,4", "line 3: should have 3 values"),
        ("a.png,1,", "line 3: x and y should be finite numbers.*Received '1', ''"),
        ("a.png,,1", "line 3: .*Received '', '1'"),
        ("a.png,left,2", "line 3: .*Received 'left', '2'"),
        ("a.png,1_5,2", "line 3: .*Received '1_5', '2'"),
        ("a.png,nan,2", "line 3: .*Received 'nan', '2'"),
        ("a.png,1,-inf", "line 3: .*Received '1', '-inf'"),
        ("a.png,1,1e999", "line 3: .*Received '1', '1e999'"),
        (",1,2", "line 3: the name of the picture is missing"),
        ("lost.png,1,2", "line 3 .'lost.png'.: the picture is missing: looked for it in"),
        ("x" * 5000 + ",1,2", "line 3 .*the picture is missing"),
        (".,1,2", "line 3 .*the picture is missing"),
        ("a.png,,", "line 3: says that nobody is in 'a.png', but other lines have 1 heads"),
        ('"a.png,1,2', "not a readable CSV"),
    ],
)
def test_csv_names_line_and_value_of_a_malformed_row(tmp_path, row, message):
    draw_picture(tmp_path / "a.png")
    file = write_points(tmp_path, f"picture,x,y\na.png,1,2\n{row}\n")
    with pytest.raises(AnnotationError, match=re.escape(str(file)) + ".*" + message):
        read_csv(tmp_path)


@pytest.mark.parametrize("content", ["", "a.png,left,2\n", "picture,x\na.png,1\n", "picture,x,y,x\n", "\n\n"])
def test_csv_without_its_columns(tmp_path, content):
    draw_picture(tmp_path / "a.png")
    write_points(tmp_path, content)
    with pytest.raises(AnnotationError, match="should name the columns picture, x, y once"):
        read_csv(tmp_path)


def test_csv_in_no_encoding(tmp_path):
    (tmp_path / "points.csv").write_bytes(b"picture,x,y\na\x81\x8d.png,1,2\n")
    with pytest.raises(AnnotationError, match="points.csv: is not a readable CSV file"):
        read_csv(tmp_path)


def test_csv_with_no_row_is_an_error(tmp_path):
    write_points(tmp_path, "picture,x,y\n")
    with pytest.raises(AnnotationError, match="no picture there"):
        read_csv(tmp_path)


def test_csv_pictures_without_rows_are_left_out(tmp_path):
    for name in "ab":
        draw_picture(tmp_path / "images" / f"{name}.png")
    write_points(tmp_path, "picture,x,y\na.png,1,2\n")
    assert names(read_csv(tmp_path)) == ["a.png"]


def test_csv_one_picture_under_two_spellings_is_one_sample(tmp_path):
    draw_picture(tmp_path / "images" / "a.png")
    write_points(tmp_path, "picture,x,y\na.png,1,2\nimages/a.png,3,4\n./images/a.png,5,6\n")
    (sample,) = read_csv(tmp_path)
    assert sample.points.tolist() == [[1, 2], [3, 4], [5, 6]]


def test_finding_the_annotation_file(tmp_path):
    draw_picture(tmp_path / "a.png")
    with pytest.raises(AnnotationError, match="Found: none"):
        read_csv(tmp_path)
    with pytest.raises(AnnotationError, match="There is no file or folder"):
        read_csv(tmp_path / "nowhere")
    write_points(tmp_path, "picture,x,y\na.png,1,2\n", name="heads.csv")
    assert read_csv(tmp_path)[0].points.tolist() == [[1, 2]]
    write_points(tmp_path, "picture,x,y\na.png,3,4\n", name="others.csv")
    with pytest.raises(AnnotationError, match="Found: heads.csv, others.csv"):
        read_csv(tmp_path)
    write_points(tmp_path, "picture,x,y\na.png,5,6\n")
    assert read_csv(tmp_path)[0].points.tolist() == [[5, 6]]
    assert read_csv(tmp_path / "others.csv")[0].points.tolist() == [[3, 4]]


_file_names = st.text(
    st.characters(blacklist_categories=("Cs", "Cc", "Zs", "Zl", "Zp"), blacklist_characters="/\\:*?<>|."),
    min_size=1,
    max_size=12,
).map(lambda stem: f"{stem}, 1.png")
_coordinates = st.floats(allow_nan=False, allow_infinity=False)
_points = st.lists(st.tuples(_coordinates, _coordinates), max_size=4)
_crowds = st.dictionaries(_file_names, _points, min_size=1, max_size=5)


@settings(max_examples=50, deadline=None)
@given(crowds=_crowds, bom=st.booleans())
def test_csv_round_trip(tmp_path_factory, crowds, bom):
    # Shares of a picture's size, also a little beside it, are refused.
    assume(not any(points and all(-0.05 <= value <= 1.05 for value in sum(points, ())) for points in crowds.values()))
    folder = tmp_path_factory.mktemp("round")
    with open(folder / "points.csv", "w", encoding="utf-8-sig" if bom else "utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["picture", "x", "y"])
        for name, points in crowds.items():
            (folder / name).touch()
            writer.writerows([name, repr(x), repr(y)] for x, y in points)
            if not points:
                writer.writerow([name, "", ""])
    samples = read_csv(folder)
    assert {sample.name: [tuple(point) for point in sample.points] for sample in samples} == crowds


# --- JSON ---


def write_json(folder, pictures):
    (folder / "points.json").write_text(json.dumps({"pictures": pictures}), encoding="utf-8")


def test_json(tmp_path):
    draw_picture(tmp_path / "a.png")
    draw_picture(tmp_path / "images" / "b.png")
    pictures = [
        {"picture": "a.png", "points": [[1, 2.5], [3, 4]], "count": 2},
        {"picture": "b.png", "points": [], "count": None},
    ]
    write_json(tmp_path, pictures)
    samples = read_json(tmp_path)
    assert names(samples) == ["a.png", "b.png"]
    assert [sample.points.tolist() for sample in samples] == [[[1, 2.5], [3, 4]], []]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"picture": "b.png", "points": [[1, 2]], "count": 3}, "says that it has 3 heads but holds 1"),
        ({"picture": "b.png", "points": [[1, 2]], "count": True}, "says that it has True heads"),
        ({"picture": "b.png", "points": [[1, 2, 3]]}, r"two finite numbers. Received \[1, 2, 3\]"),
        ({"picture": "b.png", "points": [["1_5", 2]]}, "two finite numbers"),
        ({"picture": "b.png", "points": [[True, 2]]}, "two finite numbers"),
        ({"picture": "b.png", "points": [[1, float("nan")]]}, "two finite numbers"),
        ({"picture": "b.png", "points": [[1, 10**400]]}, "two finite numbers"),
        ({"picture": "b.png", "points": [1, 2]}, "two finite numbers. Received 1"),
        ({"picture": "b.png", "count": 3}, 'should have "points"'),
        ({"picture": "lost.png", "points": []}, "the picture is missing"),
        ({"picture": "a.png", "points": []}, "an earlier entry has the same picture"),
        ({"picture": "b.png", "points": [], "split": "dev"}, "train, val or test. Received 'dev'"),
        ({"picture": "b.png", "points": [], "split": []}, "train, val or test"),
        ({"points": []}, "name of a picture"),
        ("b.png", "name of a picture. Received 'b.png'"),
    ],
)
def test_json_names_the_malformed_entry(tmp_path, entry, message):
    draw_picture(tmp_path / "a.png")
    draw_picture(tmp_path / "b.png")
    write_json(tmp_path, [{"picture": "a.png", "points": [[1, 2]]}, entry])
    with pytest.raises(AnnotationError, match=rf"points\.json: entry 2.*{message}"):
        read_json(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"pictures": {}}', "[" * 100_000, "null"])
def test_json_that_is_none(tmp_path, content):
    (tmp_path / "points.json").write_text(content)
    with pytest.raises(AnnotationError, match="points.json: (is not a readable JSON|has no list)"):
        read_json(tmp_path)


# --- Splits of CSV and JSON, joined data sets, the default root ---


def test_hashed_split_is_fixed_and_about_a_tenth():
    many = [f"crowd_{n}.jpg" for n in range(5000)]
    share = sum(hashed_split(name) == "val" for name in many) / len(many)
    assert 0.08 < share < 0.12
    assert not any(hashed_split(name) == "val" for name in DATASETS["shanghaitech_a"].left_out)
    # Written down once: another hash would move pictures between training and validation.
    assert [n for n in range(60) if hashed_split(f"IMG_{n}") == "val"] == [12, 13, 25, 35, 39, 45, 46, 58]
    for name in many:
        assert hashed_split(name) == hashed_split(f"images/{name}") == hashed_split(f"images\\{name}")


def test_csv_and_json_split_by_hash_alike(tmp_path):
    pictures = [f"p{n}.png" for n in range(40)]
    for name in pictures:
        draw_picture(tmp_path / "images" / name, size=(4, 4))
    write_points(tmp_path, "picture,x,y\n" + "".join(f"{name},1,1\n" for name in pictures))
    write_json(tmp_path, [{"picture": f"images/{name}", "points": []} for name in reversed(pictures)])
    train, val = (set(names(read_csv(tmp_path, split))) for split in ("train", "val"))
    assert val and not train & val and train | val == set(pictures) == set(names(read_csv(tmp_path, "all")))
    assert {name.removeprefix("images/") for name in names(read_json(tmp_path, "val"))} == val
    for read, what in ((read_csv, "column"), (read_json, "field")):
        with pytest.raises(AnnotationError, match=f"no picture is marked .* Add a {what} 'split'"):
            read(tmp_path, "test")


def test_a_split_column_rules(tmp_path):
    for name in "abc":
        draw_picture(tmp_path / f"{name}.png")
    splits = {"a.png": "test", "b.png": "train", "c.png": "val"}
    rows = "".join(f"{split},{name},1,1\n" for name, split in splits.items())
    write_points(tmp_path, "split,picture,x,y\n" + rows)
    write_json(tmp_path, [{"picture": name, "points": [], "split": split} for name, split in splits.items()])
    for read in (read_csv, read_json):
        for name, split in splits.items():
            assert names(read(tmp_path, split)) == [name]
        assert len(read(tmp_path, "all")) == 3


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a.png,1,1,train\na.png,2,2,val\n", "line 3: 'a.png' is in split 'val', but in 'train' further up"),
        ("a.png,1,1,train\nb.png,2,2,\n", "line 3: the split should be train, val or test. Received ''"),
    ],
)
def test_a_split_column_must_be_whole(tmp_path, rows, message):
    for name in "ab":
        draw_picture(tmp_path / f"{name}.png")
    write_points(tmp_path, "picture,x,y,split\n" + rows)
    with pytest.raises(AnnotationError, match=message):
        read_csv(tmp_path)


def test_a_split_field_must_be_whole(tmp_path):
    for name in "ab":
        draw_picture(tmp_path / f"{name}.png")
    entries = [{"picture": "a.png", "points": [], "split": "val"}, {"picture": "b.png", "points": []}]
    write_json(tmp_path, entries)
    with pytest.raises(AnnotationError, match="'b.png' has no \"split\", others have"):
        read_json(tmp_path)


def test_too_few_pictures_for_a_split_by_names_are_an_error(tmp_path):
    """Somebody's first six photos: the message says what decides, and how to decide otherwise."""
    names = [f"{number}.png" for number in (0, *range(2, 7))]
    assert {hashed_split(name) for name in names} == {"train"}
    for name in names:
        draw_picture(tmp_path / name)
    write_points(tmp_path, "picture,x,y\n" + "".join(f"{name},1,1\n" for name in names))
    with pytest.raises(AnnotationError, match=r"\(6\) is in the split 'val', .* a tenth .*column 'split'"):
        read_csv(tmp_path, "val")
    assert len(read_csv(tmp_path, "train")) == 6


def test_a_file_of_the_other_kind_says_the_data_set_to_name(tmp_path):
    draw_picture(tmp_path / "a.png")
    write_points(tmp_path, "picture,x,y\na.png,1,1\n")
    write_json(tmp_path, [{"picture": "a.png", "points": []}])
    with pytest.raises(AnnotationError, match="is no .csv file: name the data set json instead of csv"):
        load_dataset("csv", tmp_path / "points.json", "all")
    with pytest.raises(AnnotationError, match="is no .json file: name the data set csv instead of json"):
        load_dataset("json", tmp_path / "points.csv", "all")


def test_a_split_without_pictures_is_an_error(tmp_path):
    draw_picture(tmp_path / "a.png")
    write_points(tmp_path, "picture,x,y,split\na.png,1,1,train\n")
    with pytest.raises(AnnotationError, match="column 'split' marks no picture 'test', only train"):
        read_csv(tmp_path, "test")
    write_points(tmp_path, "picture,x,y,split\na.png,1,1,test\n")
    for split in ("train", "val"):
        with pytest.raises(AnnotationError, match=f"column 'split' marks no picture '{split}', only test"):
            read_csv(tmp_path, split)


@pytest.mark.parametrize("others", [["test"] * 3, []])
def test_some_of_the_marked_are_for_validation_where_none_is_marked_so(tmp_path, others):
    """Such data could not be trained on: the command asked for marks."""
    rows = ["picture,x,y,split"]
    for number, split in enumerate(["train"] * 30 + others):
        draw_picture(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,1,1,{split}")
    write_points(tmp_path, "\n".join(rows) + "\n")
    train = names(read_csv(tmp_path, "train"))
    with pytest.warns(AnnotationWarning, match=rf"no picture is marked 'val', so {30 - len(train)} of the 30 that are"):
        val = names(read_csv(tmp_path, "val"))
    assert val == [f"{number}.png" for number in range(30) if hashed_split(f"{number}.png") == "val"] != []
    assert sorted([*train, *val]) == sorted(f"{number}.png" for number in range(30))
    assert split_there("csv", tmp_path) == ("test" if others else "val")
    assert split_there("csv", tmp_path, learned=False) == ("test" if others else "all")


def test_joined_data_sets(tmp_path):
    draw_part(tmp_path, [1, 3])
    draw_part(tmp_path, [1, 5], folder="part_B")
    draw_picture(tmp_path / "a.png")
    write_points(tmp_path, "picture,x,y\na.png,1,1\n")
    write_json(tmp_path, [{"picture": "./a.png", "points": []}])
    joined = names(load_dataset("shanghaitech_b + CSV+shanghaitech_a", tmp_path, "all"))
    assert joined == ["part_B/IMG_1", "part_B/IMG_5", "a.png", "part_A/IMG_1", "part_A/IMG_3"]
    for twice in ("csv+csv", "csv+json", "shanghaitech_a+shanghaitech_a"):
        with pytest.raises(AnnotationError, match="twice"):
            load_dataset(twice, tmp_path, "all")
    for unknown in ("shanghaitech", "", "csv+", "coco"):
        with pytest.raises(AnnotationError, match="Unknown dataset .*: choose shanghaitech_a"):
            load_dataset(unknown, tmp_path, "all")


def test_root_from_the_environment(tmp_path, monkeypatch):
    draw_part(tmp_path / "here" / "ShanghaiTech", [7])
    monkeypatch.setenv("CROWDCOUNT_DATA", str(tmp_path / "here"))
    assert names(load_dataset("shanghaitech_a", split="all")) == ["part_A/IMG_7"]
    assert names(read_shanghaitech(None, "A", "all")) == ["part_A/IMG_7"]
    draw_part(tmp_path / "named", [9])
    assert names(load_dataset("shanghaitech_a", tmp_path / "named", "all")) == ["part_A/IMG_9"]
    monkeypatch.setenv("CROWDCOUNT_DATA", str(tmp_path / "gone"))
    with pytest.raises(AnnotationError, match="no folder .*gone .*CROWDCOUNT_DATA"):
        load_dataset("shanghaitech_a")
    monkeypatch.delenv("CROWDCOUNT_DATA")
    monkeypatch.setattr("crowdcount.data.annotations.data_folder", lambda name: tmp_path / "named")
    assert names(load_dataset("shanghaitech_a", split="all")) == ["part_A/IMG_9"]


def test_splits_are_the_documented_ones():
    assert SPLITS == ("train", "val", "test", "all")


def test_the_way_up_out_of_a_folder_that_is_a_link(tmp_path, monkeypatch):
    draw_picture(tmp_path / "deep" / "a.png")
    draw_picture(tmp_path / "a.png")  # where the name, without the link, would lead
    (tmp_path / "deep" / "kept").mkdir()
    write_points(tmp_path / "deep" / "kept", "picture,x,y\n../a.png,1,1\n./../a.png,2,2\n")
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "kept")
    monkeypatch.chdir(tmp_path)
    (sample,) = read_csv("link")
    assert sample.picture.resolve() == tmp_path / "deep" / "a.png" and sample.count == 2


def test_the_bundled_drawings_are_no_photos(tmp_path, monkeypatch):
    """They lie in ShanghaiTech's layout beside real data: found where they are named, and only there."""
    draw_part(tmp_path / "datasets" / "drawn", [7])
    draw_part(tmp_path / "datasets" / "mine", [9])
    monkeypatch.setattr("crowdcount.data.datasets.data_folder", lambda name: tmp_path / name)
    assert names(read_shanghaitech(tmp_path / "datasets", "A", "all")) == ["part_A/IMG_9"]
    assert names(read_shanghaitech(tmp_path / "datasets" / "drawn", "A", "all")) == ["part_A/IMG_7"]
    shutil.rmtree(tmp_path / "datasets" / "mine")
    with pytest.raises(AnnotationError, match="is not here"):
        read_shanghaitech(tmp_path / "datasets", "A", "all")
