"""Approximate positions of heads from a density map."""

import csv
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from crowdcount.annotations import read_csv, read_json
from crowdcount.counting import CountResult
from crowdcount.density import density_map
from crowdcount.errors import DataError
from crowdcount.heads import find_heads, match_heads, save_heads


def result_of(picture, density, size):
    count = float(density.sum(dtype=float))
    return CountResult(count, density, str(picture), size[1], size[0], "tiny", 0.1)


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
    density=arrays(
        np.float32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.floats(0, 3, width=32)
    ),
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
