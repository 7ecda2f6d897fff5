"""Approximate positions of heads from a density map."""

import csv
import json
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from crowdcount.annotating.folder import Folder
from crowdcount.cli import main
from crowdcount.counting.head_files import picture_name, save_heads
from crowdcount.counting.heads import find_heads, match_heads
from crowdcount.counting.results import CountFailure, CountResult
from crowdcount.data.annotations import read_csv, read_json
from crowdcount.data.density import density_map
from crowdcount.errors import DataError


def result_of(picture, density, size, source=None):
    count = float(density.sum(dtype=float))
    return CountResult(count, density, str(picture), size[1], size[0], "tiny", 0.1, source=source)


@pytest.mark.parametrize("sigma", [5.0, 10.0, 15.0, 20.0])
def test_heads_that_stand_apart_are_found_where_they_are(rng, sigma):
    size = (500, 640)
    grid = np.stack(np.meshgrid(np.arange(60, 600, 120), np.arange(60, 460, 120)), -1).reshape(-1, 2)
    true = grid + rng.uniform(-10, 10, grid.shape)
    found = find_heads(density_map(true, size, sigma=sigma, stride=8), size)
    assert found.shape == true.shape
    assert match_heads(found, true, within=3.5) == len(true)


def test_positions_lie_between_the_middles_of_cells():
    # On the middle of a cell, and a quarter of a cell beside it: rounded to cells they would be 2 pixels off.
    size = (200, 200)
    for offset in (0.0, 2.0):
        (found,) = find_heads(density_map([[100 + offset, 84]], size, sigma=6, stride=8), size)
        assert found == pytest.approx([100 + offset, 84], abs=1.0)


@settings(max_examples=60, deadline=None)
@given(
    density=arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.floats(0, 3, width=32)),
    cut=st.tuples(st.integers(0, 7), st.integers(0, 7)),
)
def test_there_are_as_many_heads_as_the_count_and_all_in_the_picture(density, cut):
    height, width = (8 * cells - less for cells, less in zip(density.shape, cut))
    found = find_heads(density, (height, width))
    assert found.shape == (round(float(density.sum(dtype=np.float64))), 2)
    assert (found >= 0).all() and (found <= (width, height)).all()


def test_the_clearest_head_comes_first():
    size = (160, 320)
    density = density_map([[60, 80], [250, 80]], size, sigma=np.array([12.0, 6.0]), stride=8)
    assert find_heads(density, size)[:, 0].round(-1).tolist() == [250, 60]


def test_people_that_share_a_peak_each_have_a_position_beside_it():
    size, spot = (240, 240), (121.0, 118.0)
    found = find_heads(density_map([spot] * 5, size, sigma=10, stride=8), size)
    assert len(found) == 5 and len(np.unique(found, axis=0)) == 5
    assert (np.hypot(*(found - spot).T) < 30).all()
    assert found.mean(axis=0) == pytest.approx(spot, abs=8)


def test_an_even_crowd_gets_evenly_spread_heads():
    # 400 people on 40 x 40 cells: a quarter of them in each quarter, and nobody on top of another.
    found = find_heads(np.full((40, 40), 0.25, np.float32), (320, 320))
    assert len(found) == 400
    left, above = found[:, 0] < 160, found[:, 1] < 160
    quarters = [np.sum((left == one) & (above == other)) for one in (True, False) for other in (True, False)]
    assert min(quarters) > 85 and max(quarters) < 115
    assert len(np.unique(found.round(), axis=0)) > 380


def test_the_last_cells_may_cover_less_than_8_pixels():
    density = np.zeros((2, 2), np.float32)
    density[1, 1] = 1
    assert find_heads(density, (10, 12)).tolist() == [[10.0, 9.0]]


def test_nobody_has_no_head():
    assert find_heads(np.zeros((4, 5), np.float32), (32, 40)).shape == (0, 2)


@pytest.mark.parametrize(
    "density, part",
    [
        (np.zeros((4, 4)), r"shape \(4, 5\)"),
        (np.full((4, 5), -0.1), "below 0"),
        (np.full((4, 5), np.nan), "finite"),
    ],
)
def test_a_map_that_is_none_is_refused(density, part):
    with pytest.raises(DataError, match=part):
        find_heads(density, (32, 40))


def test_a_result_gives_its_heads():
    density = density_map([[20, 12], [70, 40]], (60, 90), sigma=5, stride=8)
    result = result_of("a.png", density, (60, 90))
    assert np.array_equal(result.heads(), find_heads(density, (60, 90)))


def test_matching_pairs_each_head_once_and_as_many_as_possible():
    assert match_heads([[0, 0], [1, 0]], [[0, 0]], within=5) == 1
    # The nearest of the first is the only one in reach of the second.
    assert match_heads([[0, 0], [6, 0]], [[2, 0], [-4, 0]], within=4) == 2
    assert match_heads([[0, 0]], [[3, 4]], within=5) == 1
    assert match_heads([[0, 0]], [[3, 4]], within=4.9) == 0
    assert match_heads(np.empty((0, 2)), [[3, 4]], within=5) == 0
    assert match_heads([[3, 4]], [], within=5) == 0
    for within in (-5, float("nan")):
        with pytest.raises(DataError, match="within must be a distance"):
            match_heads([[0, 0]], [[3, 4]], within)
    for heads, message in (([[0, float("nan")]], "NaN or infinite"), ([0, 1, 2], "shape"), ([["a", "b"]], "numbers")):
        with pytest.raises(DataError, match=message):
            match_heads(heads, [[3, 4]], within=5)


@pytest.mark.parametrize("suffix, read", [("csv", read_csv), ("json", read_json)])
def test_saved_heads_are_annotations(tmp_path, suffix, read):
    size = (60, 90)
    results = []
    for name, points in {"two, here.png": [[20, 12], [70, 40]], "nobody.png": []}.items():
        Image.new("RGB", (90, 60)).save(tmp_path / name)
        results.append(result_of(name, density_map(points, size, sigma=5, stride=8), size))
    path = tmp_path / f"heads.{suffix}"
    save_heads(path, results)
    samples = read(path, "all")
    assert [sample.name for sample in samples] == ["two, here.png", "nobody.png"]
    assert samples[0].points == pytest.approx(results[0].heads(), abs=0.005)
    assert len(samples[1].points) == 0
    if suffix == "csv":
        with open(path, newline="") as file:
            assert next(csv.reader(file)) == ["picture", "x", "y"]
    else:
        assert [entry["picture"] for entry in json.loads(path.read_text())["pictures"]] == [
            "two, here.png",
            "nobody.png",
        ]


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_saved_heads_do_not_replace_dots_made_by_hand(tmp_path, suffix):
    density = np.zeros((2, 3), np.float32)
    dots = tmp_path / f"points.{suffix}"
    dots.write_text("made by hand")
    with pytest.raises(DataError, match=r"points\.\w+, which may hold dots made by hand"):
        save_heads(dots, result_of("a.png", density, (16, 24), np.zeros((16, 24, 3), np.uint8)))
    assert dots.read_text() == "made by hand"


@pytest.mark.parametrize("header", ["picture,count,low,high", "time,count,low,high", "picture,true,predicted"])
def test_saved_heads_do_not_replace_a_table_of_counts(tmp_path, header):
    """As `--heads counts.csv` in the place of `--csv` did."""
    table = tmp_path / "counts.csv"
    table.write_text(f"{header}\na.png,3,1,9\n")
    with pytest.raises(DataError, match=r"would replace .*counts\.csv, which is a table of counts"):
        save_heads(table, result_of("a.png", np.zeros((2, 3)), (16, 24), np.zeros((16, 24, 3), np.uint8)))
    assert table.read_text().startswith(header)


@pytest.mark.parametrize("name", ["heads.tsv", "heads.XLSX", "heads.parquet"])
def test_saved_heads_have_no_name_of_another_kind_of_file(tmp_path, name):
    """They were written with commas: a table called as one with tabs is a single column in a spreadsheet."""
    Image.new("RGB", (24, 16)).save(tmp_path / "a.png")
    (tmp_path / "points.csv").write_text("picture,x,y\na.png,3,4\n")
    with pytest.raises(DataError, match=r"FILE\.json or FILE\.csv\. Received: .*heads\."):
        save_heads(tmp_path / name, counted(tmp_path / "a.png"))
    before = os.listdir(tmp_path)
    heads, anew = ("count", str(tmp_path / "a.png"), "--heads"), ("convert", str(tmp_path / "points.csv"))
    for command in ((*heads, str(tmp_path / name)), (*anew, str(tmp_path / name), "--to", "csv")):
        assert main(command) == 1
    assert os.listdir(tmp_path) == before


def test_a_single_head_in_the_corner_of_a_large_photo_is_read_without_a_question(tmp_path):
    size = (1500, 2000)
    Image.new("RGB", size[::-1]).save(tmp_path / "a.png")
    density = density_map([[70, 44]], size, sigma=5, stride=8)
    path = tmp_path / "heads.csv"
    save_heads(path, result_of("a.png", density, size, str(tmp_path / "a.png")))
    assert path.read_bytes().splitlines()[0] == b"picture,x (px),y (px)"
    assert read_csv(path, "all")[0].points == pytest.approx(np.array([[70, 44]]), abs=1)


@pytest.mark.parametrize(
    "heads, header",
    [
        ([[[70.0, 44.0]], [[1900.0, 30.0]]], "picture,x,y"),  # convert wrote (px), the others did not
        ([[[70.5, 44.0], [3.0, 9.0]], []], "picture,x (px),y (px)"),
        ([[[0.2, 0.9], [0.75, 0.5]], [[1900.0, 30.0]]], "picture,x (px),y (px)"),
    ],
)
def test_all_that_writes_dots_says_their_unit_in_the_same_cases(tmp_path, heads, header):
    entries = []
    for name, points in zip("ab", heads):
        Image.new("RGB", (2000, 1500)).save(tmp_path / f"{name}.png")
        entries.append({"picture": f"{name}.png", "points": points})
    (tmp_path / "points.json").write_text(json.dumps({"unit": "pixels", "pictures": entries}))
    assert main(["convert", str(tmp_path / "points.json"), str(tmp_path / "made.csv"), "--to", "csv"]) == 0
    (tmp_path / "page.csv").write_text(Folder(tmp_path).csv())
    for name in ("made.csv", "page.csv"):
        file = tmp_path / name
        assert file.read_text().splitlines()[0] == header
        for sample, points in zip(read_csv(file, "all"), heads):
            np.testing.assert_array_equal(sample.points, np.reshape(points, (-1, 2)))


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_heads_of_a_single_result_and_beside_failures_are_saved(tmp_path, suffix):
    density = np.zeros((2, 3), np.float32)
    density[1, 1] = 1
    Image.new("RGB", (24, 16)).save(tmp_path / "a.png")
    result = result_of("a.png", density, (16, 24), os.path.abspath(tmp_path / "a.png"))
    for name, results in (("one", result), ("some", iter([CountFailure("b.png", "it is gone"), result]))):
        save_heads(tmp_path / f"{name}.{suffix}", results)
        text = (tmp_path / f"{name}.{suffix}").read_text()
        assert "a.png" in text and "b.png" not in text


READERS = {"csv": read_csv, "json": read_json}


def counted(path, size=(16, 24)):
    """A picture of one person at a path from the current folder, as `count` gives it back."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1]).save(path)
    density = np.zeros((2, 3), np.float32)
    density[1, 1] = 1
    return result_of(path, density, size, os.path.abspath(path))


@pytest.mark.parametrize("suffix", READERS)
@pytest.mark.parametrize("folder", [".", "my", "my/images", "my/dots/first", "elsewhere"])
def test_heads_name_pictures_so_that_the_readers_find_them(tmp_path, monkeypatch, folder, suffix):
    monkeypatch.chdir(tmp_path)
    names = ("my/images/IMG_1.png", "my/images/day 2/IMG_1.png", "my/ two, here.png", " my/x.png", "other/y.png")
    results = [counted(Path(name)) for name in names]
    file = Path(folder, f"points.{suffix}")
    save_heads(file, results)
    found = READERS[suffix](file)
    assert [os.path.relpath(sample.picture) for sample in found] == list(names)
    assert [sample.count for sample in found] == [1] * 5


@pytest.mark.parametrize("suffix", READERS)
def test_heads_of_a_folder_move_with_it(tmp_path, monkeypatch, suffix):
    monkeypatch.chdir(tmp_path)
    save_heads(f"my/points.{suffix}", [counted(tmp_path / "my" / "images" / "IMG_1.png")])
    shutil.move("my", "moved")
    (sample,) = READERS[suffix](tmp_path / "moved")
    assert sample.name == "images/IMG_1.png" and sample.picture == tmp_path / "moved" / "images" / "IMG_1.png"


def test_no_name_of_a_picture_is_a_formula_wherever_heads_go(tmp_path):
    density = np.zeros((2, 3), np.float32)
    save_heads(tmp_path / "points.csv", [result_of("=1+1.jpg", density, (16, 24), np.zeros((16, 24, 3), np.uint8))])
    assert (tmp_path / "points.csv").read_text().splitlines() == ["picture,x,y", "./=1+1.jpg,,"]
    assert picture_name("=1+1.jpg", os.devnull) == "./=1+1.jpg"


def test_heads_in_a_folder_that_is_a_link_name_pictures_outside_it_by_their_whole_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deep" / "kept").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "kept")
    results = [counted(tmp_path / "photos" / "a.png"), counted(tmp_path / "link" / "b.png")]
    save_heads("link/points.csv", results)
    for folder in ("link", "deep/kept"):
        assert [sample.picture.resolve() for sample in read_csv(folder)] == [
            tmp_path / "photos" / "a.png",
            tmp_path / "deep" / "kept" / "b.png",
        ]
    assert [sample.name for sample in read_csv("link")] == [str(tmp_path / "photos" / "a.png"), "b.png"]


def test_heads_on_another_drive_than_the_picture_name_its_whole_path(tmp_path, monkeypatch):
    def relpath(*_):
        raise ValueError("path is on mount 'C:', start on mount 'D:'")

    monkeypatch.setattr(os.path, "relpath", relpath)
    assert picture_name(tmp_path / "a.png", "points.csv") == str(tmp_path / "a.png")


def test_heads_of_a_picture_without_a_path_keep_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = counted(tmp_path / "photos" / "a.png")
    pixels = np.zeros((16, 24, 3), np.uint8)
    results = [result_of(name, file.density, (16, 24), pixels) for name in ("picture", "photos/a.png", "b.png")]
    save_heads("my/points.json", results)
    entries = json.loads((tmp_path / "my" / "points.json").read_text())["pictures"]
    # The second is an image that Pillow has opened: it knows where it lies.
    assert [entry["picture"] for entry in entries] == ["picture", "../photos/a.png", "b.png"]


def test_heads_through_a_pipe_name_pictures_as_they_were_given(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert picture_name("photos/a.png", tmp_path / "pipe") == "photos/a.png"
    came = []
    reader = threading.Thread(target=lambda: came.append((tmp_path / "pipe").read_text()), daemon=True)
    reader.start()
    result = counted(tmp_path / "a.png")
    save_heads(tmp_path / "pipe", [result])
    reader.join(10)
    assert came[0].splitlines()[1].startswith(str(tmp_path / "a.png"))
