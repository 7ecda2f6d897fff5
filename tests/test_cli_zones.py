"""`crowdcount count --zones --ground`, and what a result tells about zones."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from crowdcount import cli
from crowdcount.counting.pictures import count
from crowdcount.counting.words import dense, whole
from crowdcount.errors import DataError

HALVES = [
    {"name": "left", "polygon": [[0, 0], [0.37, 0], [0.55, 1], [0, 1]]},
    {"name": "right", "polygon": [[0.37, 0], [1, 0], [1, 1], [0.55, 1]]},
]
# 202 x 140 pixels seen from straight above, 20 pixels a meter.
GROUND = {"points": [[0, 0, 0, 0], [200, 0, 10, 0], [200, 140, 10, 7], [0, 140, 0, 7]]}


@pytest.fixture
def folder(tmp_path, rng):
    for name, (height, width) in {"large.png": (140, 202), "small.png": (128, 160)}.items():
        picture = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(picture).save(tmp_path / name)
    (tmp_path / "zones.json").write_text(json.dumps(HALVES))
    (tmp_path / "ground.json").write_text(json.dumps(GROUND))
    (tmp_path / "corner.json").write_text(
        json.dumps([{"name": "corner", "polygon": [[180, 0], [202, 0], [202, 140], [180, 140]]}])
    )
    return tmp_path


@pytest.fixture
def run(folder, weights, capsys, monkeypatch):
    """Exit status, lines of standard output, standard error of `crowdcount count` in the folder."""
    monkeypatch.chdir(folder)

    def run(*argv):
        status = cli.main(["count", *argv, "--model", weights])
        output = capsys.readouterr()
        return status, output.out.splitlines(), output.err

    return run


def test_zones_of_every_picture_add_up_to_its_count(run):
    status, lines, err = run("large.png", "small.png", "--zones", "zones.json", "--json")
    assert (status, err) == (0, "")
    for line in map(json.loads, lines):
        assert list(line["zones"]) == ["left", "right"] and "per_m2" not in line
        assert sum(line["zones"].values()) == pytest.approx(line["count"], abs=1e-3)
        assert min(line["zones"].values()) > 0


def test_ground_gives_people_per_square_meter_and_levels(run):
    status, lines, _ = run("large.png", "--zones", "zones.json", "--ground", "ground.json", "--json")
    (line,) = map(json.loads, lines)
    assert status == 0
    areas = {"left": (0.37 + 0.55) / 2 * 10.1 * 7, "right": (0.63 + 0.45) / 2 * 10.1 * 7}
    for name, area in areas.items():
        assert line["per_m2"][name] == pytest.approx(line["zones"][name] / area, rel=1e-4)
        assert set(line["level_of_service"][name]) == {"standing", "walking"}
    _, lines, _ = run("large.png", "--zones", "zones.json", "--ground", "ground.json")
    told = dense(line["per_m2"]["left"])
    expected = f"large.png\tleft\tabout {whole(line['zones']['left'])}\t{told} per m2\tstanding "
    assert len(lines) == 3 and lines[1].startswith(expected)


def test_a_picture_that_the_zones_do_not_fit_is_still_counted(run):
    status, lines, err = run("large.png", "small.png", "--zones", "corner.json", "--json", "--csv", "out.csv")
    large, small = map(json.loads, lines)
    assert status == 1
    assert 0 < large["zones"]["corner"] < large["count"]
    assert small["count"] > 0 and "zones" not in small
    assert "160x128" in small["error"] and "'corner'" in small["error"]
    assert err.count("\n") == 1 and "small.png" in err
    with open("out.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[-5:] == ["error", "zone corner", "low corner", "high corner", "zones"]
    assert [row["zone corner"] for row in rows] == [str(large["zones"]["corner"]), ""]
    assert float(rows[1]["count"]) == small["count"]


def test_zones_of_labelme_fit_copies_of_its_picture_at_any_size(run, folder):
    """And a picture in another proportion is counted without them, and told."""
    with Image.open(folder / "large.png") as picture:
        picture.resize((404, 280)).save(folder / "twice.png")
    drawn = {"label": "corner", "points": [[101, 0], [202, 0], [202, 140], [101, 140]], "shape_type": "polygon"}
    file = {"shapes": [drawn], "imagePath": "large.png", "imageWidth": 202, "imageHeight": 140}
    (folder / "labelme.json").write_text(json.dumps(file))
    half = [{"name": "corner", "polygon": [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]}]
    (folder / "half.json").write_text(json.dumps(half))
    status, lines, err = run("large.png", "twice.png", "small.png", "--zones", "labelme.json", "--json")
    large, twice, small = map(json.loads, lines)
    assert status == 1 and err.count("\n") == 1
    assert small["count"] > 0 and "zones" not in small
    assert "202x140" in small["error"] and "160x128" in small["error"]
    _, lines, _ = run("large.png", "twice.png", "--zones", "half.json", "--json")
    for found, expected in zip((large, twice), map(json.loads, lines)):
        assert found["zones"]["corner"] == pytest.approx(expected["zones"]["corner"], abs=1e-5)


def test_csv_has_a_column_for_each_zone(run):
    argv = ["large.png", "--zones", "zones.json", "--ground", "ground.json", "--csv", "out.csv", "--json"]
    _, (line,), _ = run(*argv)
    with open("out.csv", newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    levels = [f"level {use} {name}" for use in ("standing", "walking") for name in ("left", "right")]
    ends = [f"{end} {name}" for name in ("left", "right") for end in ("low", "high")]
    assert list(row)[-13:] == ["zone left", "zone right", *ends, "per m2 left", "per m2 right", *levels, "zones"]
    for name, found in json.loads(line)["level_of_service"].items():
        assert {use: row[f"level {use} {name}"] for use in found} == found
    assert float(row["zone left"]) + float(row["zone right"]) == pytest.approx(float(row["count"]), abs=1e-3)


def test_overlay_shows_the_zones(run, folder):
    run("large.png", "--overlay", "plain")
    run("large.png", "--overlay", "zoned", "--zones", "corner.json")
    plain, zoned = (np.asarray(Image.open(folder / name / "large_overlay.png")) for name in ("plain", "zoned"))
    assert plain.shape == zoned.shape
    np.testing.assert_array_equal(zoned[:140, :120], plain[:140, :120] // 3)


@pytest.mark.parametrize(
    "argv, part",
    [
        (["--zones", "missing.json"], "missing.json"),
        (["--zones", "large.png"], "no JSON"),
        (["--zones", "ground.json"], "ground.json"),
        (["--zones", "zones.json", "--ground", "zones.json"], "meters"),
    ],
)
def test_bad_files_are_one_clear_error_before_the_work(run, monkeypatch, argv, part):
    monkeypatch.setattr("crowdcount.counting.pictures.count_many", None)  # must not be reached
    status, lines, err = run("large.png", *argv)
    assert status == 1 and lines == []
    assert err.startswith("crowdcount: error: ") and err.count("\n") == 1 and part in err


def test_ground_without_zones_is_measured_between_its_points(run):
    _, (line,), _ = run("large.png", "--ground", "ground.json", "--json", "--csv", "out.csv")
    found = json.loads(line)
    assert 0 < found["zones"]["ground"] < found["count"]
    assert found["per_m2"]["ground"] == pytest.approx(found["zones"]["ground"] / (10 * 7), rel=1e-4)
    with open("out.csv", newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert float(row["per m2 ground"]) == found["per_m2"]["ground"]


def test_zones_with_ground_for_a_range_have_one(run, monkeypatch):
    ends = {"left": (1.5, 9.25), "right": None}
    monkeypatch.setattr("crowdcount.counting.results.CountResult.zone_ranges", lambda self, zones: ends)
    _, (line,), _ = run("large.png", "--zones", "zones.json", "--json", "--csv", "out.csv")
    assert json.loads(line)["zone_ranges"] == {"left": [1.5, 9.25]}
    with open("out.csv", newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert [row[f"{end} {name}"] for name in ("left", "right") for end in ("low", "high")] == ["1.5", "9.25", "", ""]
    _, (_, left, right), _ = run("large.png", "--zones", "zones.json")
    assert left.endswith("\t2 to 9") and right.count("\t") == 2


def test_a_result_counts_zones_from_a_file_or_a_list(folder, weights):
    result = count(folder / "large.png", model=weights)
    counts = result.zones(folder / "zones.json")
    assert counts == result.zones(HALVES)
    assert sum(counts.values()) == pytest.approx(result.count, abs=1e-6)
    with pytest.raises(DataError, match="outside the picture"):
        count(folder / "small.png", model=weights).zones(folder / "corner.json")
