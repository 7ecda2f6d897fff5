"""Pictures are counted at the size at which the network knows the heads, whatever the size of their file."""

import json

import numpy as np
import pytest
from PIL import Image

import crowdcount
from crowdcount.cli import main
from crowdcount.counting import scale as sizing
from crowdcount.counting.pictures import count
from crowdcount.counting.scale import Look, Sizes, look, on_grid, other_count, search
from crowdcount.errors import DataError, WeightsError
from crowdcount.grid import map_shape
from crowdcount.network.weight_files import save_weights

SIZES = {"pixels": 96 * 128, "shrinks": 0.7, "grows": 1.5}
TRUE = {"true": [100.0] * 19, "predicted": [110.0] * 19}


class Known:
    """In place of a network: sees all of 120 people in pictures at least so wide, fewer in smaller ones."""

    def __init__(self, monkeypatch, wide):
        self.wide, self.widths = wide, []
        monkeypatch.setattr(sizing, "predict_density", self)

    def __call__(self, network, picture, *, progress=False):
        height, width = picture.shape[:2]
        self.widths.append(width)
        density = np.ones(map_shape((height, width)), np.float32)
        return density * (120 * min(1.0, width / self.wide) / density.size)


@pytest.fixture(scope="module")
def sized(tmp_path_factory):
    """A tiny network whose card tells its sizes and has a calibration."""
    card = {"network": {"design": "B", "width": 1 / 16}, "sizes": SIZES, "calibration": TRUE}
    path = tmp_path_factory.mktemp("sized") / "sized.weights.h5"
    return str(save_weights(crowdcount.CSRNet(width=1 / 16), path, card))


def blank(width, height):
    return np.zeros((height, width, 3), np.uint8)


@pytest.mark.parametrize("size", [(96, 128), (384, 512), (333, 501), (3, 900)])
@pytest.mark.parametrize("scale", [0.25, 0.4, 1, 2])
def test_map_on_the_pictures_own_grid_keeps_the_count(rng, size, scale):
    counted = tuple(max(1, round(side * scale)) for side in size)
    density = rng.random(map_shape(counted), np.float32)
    moved = on_grid(density, counted, size)
    assert moved.shape == map_shape(size) and moved.dtype == np.float32 and moved.min() >= 0
    assert moved.sum(dtype=np.float64) == pytest.approx(density.sum(dtype=np.float64), rel=1e-5)


def test_people_stay_where_they_are_on_the_pictures_own_grid():
    density = np.zeros((12, 16), np.float32)
    density[2, 3] = 1  # covers rows 64 to 96, columns 96 to 128 of the picture
    moved = on_grid(density, (96, 128), (384, 512))
    assert moved[8:12, 12:16].sum() == pytest.approx(1)
    assert np.allclose(on_grid(moved, (384, 512), (96, 128)), density)


@pytest.mark.parametrize("wide, scales", [(64, [0.125, 0.25]), (128, [0.125, 0.25, 0.5]), (400, [0.125, 0.25, 0.5, 1])])
def test_large_picture_is_looked_at_larger_while_its_count_grows(monkeypatch, wide, scales):
    known = Known(monkeypatch, wide)
    looks = search(None, blank(512, 384), Sizes(**SIZES))
    assert [each.scale for each in looks] == scales
    assert known.widths == [512 * each for each in scales]


def test_look_that_sees_fewer_does_not_count(monkeypatch):
    people = {64: 40, 128: 100, 256: 80}
    monkeypatch.setattr(
        sizing,
        "predict_density",
        lambda network, picture, progress: np.full((10, 10), people[picture.shape[1]] / 100, np.float32),
    )
    assert [each.people for each in search(None, blank(512, 384), Sizes(**SIZES))] == pytest.approx([40, 100])


@pytest.mark.parametrize("enlarged, scales", [(True, [0.5]), (False, [0.5, 1])])
def test_enlarged_picture_that_shows_fewer_is_counted_at_half_its_size(monkeypatch, rng, enlarged, scales):
    """It holds no more detail than that; a sharp picture of as many is counted as it is, and doubted."""
    small = Image.fromarray(rng.integers(0, 256, (16, 21, 3), dtype=np.uint8))
    picture = np.asarray(small.resize((128, 96), Image.Resampling.LANCZOS))
    if not enlarged:
        picture = rng.integers(0, 256, picture.shape, dtype=np.uint8)
    monkeypatch.setattr(
        sizing,
        "predict_density",
        lambda network, picture, progress: np.full((10, 10), 1.0 if picture.shape[1] < 100 else 0.5, np.float32),
    )
    assert [each.scale for each in search(None, picture, Sizes(**SIZES))] == scales
    assert len(search(None, picture, Sizes(**SIZES), scale=1)) == 2  # set by hand it is kept


@pytest.mark.parametrize("enlarged, scales", [(True, [0.125, 0.25]), (False, [0.125, 0.25, 0.5, 1])])
def test_large_picture_in_which_nobody_is_seen_is_looked_at_to_its_own_size(monkeypatch, rng, enlarged, scales):
    """Where it was enlarged a larger look shows no more, whatever the network makes of it."""
    people = {512: 200.0} if enlarged else {}
    picture = rng.integers(0, 256, (384, 512, 3), dtype=np.uint8)
    if enlarged:
        small = Image.fromarray(picture).resize((64, 48))
        picture = np.asarray(small.resize((512, 384), Image.Resampling.LANCZOS))
    monkeypatch.setattr(
        sizing,
        "predict_density",
        lambda network, picture, progress: np.full(
            (12, 16), people.get(picture.shape[1], 20 / picture.shape[1]) / 192, np.float32
        ),
    )
    assert [each.scale for each in search(None, picture, Sizes(**SIZES))] == scales


def test_picture_of_the_training_pictures_size_is_counted_as_it_is(monkeypatch):
    Known(monkeypatch, 400)
    for width, height in ((128, 96), (100, 60), (140, 105)):  # the last one is hardly larger
        assert [each.scale for each in search(None, blank(width, height), Sizes(**SIZES))] == [0.5, 1]


def test_result_has_the_pictures_own_grid(monkeypatch, sized):
    Known(monkeypatch, 64)
    result = count(blank(501, 333), model=sized)
    assert result.scale == pytest.approx((96 * 128 / (501 * 333)) ** 0.5)
    assert result.density.shape == map_shape((333, 501)) and (result.width, result.height) == (501, 333)
    assert result.count == pytest.approx(120, rel=1e-4) == pytest.approx(result.density.sum(), rel=1e-4)
    left = [{"name": "left", "polygon": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}]
    assert result.zones(left)["left"] == pytest.approx(60, rel=0.05)
    assert len(result.heads()) == 120


def test_scale_set_by_hand_is_used(monkeypatch, sized):
    known = Known(monkeypatch, 400)
    result = count(blank(512, 384), model=sized, scale=np.float32(0.5))
    assert result.scale == 0.5 and known.widths == [128, 256]
    assert result.count == pytest.approx(120 * 256 / 400, rel=1e-4)


def test_network_without_sizes_counts_at_the_pictures_own_size(weights, rng):
    picture = rng.integers(0, 256, (96, 160, 3), dtype=np.uint8)
    plain, doubled = count(picture, model=weights), count(picture, model=weights, scale=2)
    assert (plain.scale, doubled.scale) == (1, 2)
    whole = np.asarray(Image.fromarray(picture).resize((320, 192), Image.Resampling.LANCZOS))
    assert doubled.count == pytest.approx(count(whole, model=weights).count, rel=1e-4)


def test_sizes_that_agree_are_not_doubted(monkeypatch, sized):
    monkeypatch.setattr("crowdcount.counting.pictures.carries_range", lambda doubts: True)  # of a blank picture, too
    Known(monkeypatch, 64)
    result = count(blank(128, 96), model=sized)
    assert not any("larger or smaller" in warning for warning in result.warnings)
    assert result.high == pytest.approx(120 + 150 * 10 / 140)


@pytest.mark.parametrize(
    ("before", "last", "other"), [(103, 100, None), (2, 1, None), (130, 100, 130), (95, 100, None)]
)
def test_counts_that_hardly_differ_do_not_disagree(before, last, other):
    seen = [Look(scale, blank(64, 48), np.full((1, 1), people)) for scale, people in ((0.5, before), (1, last))]
    assert other_count(seen, Sizes(pixels=3072, shrinks=0.99, grows=1.01)) == other


def test_heads_that_stay_too_small_widen_the_range_and_are_told(monkeypatch, sized):
    monkeypatch.setattr("crowdcount.counting.pictures.carries_range", lambda doubts: True)  # of a blank picture, too
    Known(monkeypatch, 400)
    result = count(blank(256, 192), model=sized)
    assert any("larger or smaller" in warning for warning in result.warnings)
    assert result.low < result.count < 120 < result.high
    assert result.other == pytest.approx(result.count * (result.count + 10) / (result.count / 2 + 10))
    assert any("Take the range" in warning for warning in result.warnings)


def test_a_count_without_range_does_not_point_to_one(monkeypatch, sized):
    Known(monkeypatch, 400)
    result = count(blank(256, 192), model=sized)
    assert result.low is None
    assert any("Take a picture from nearer or farther" in warning for warning in result.warnings)


def test_heads_that_are_too_large_widen_the_range_and_are_told(monkeypatch, sized, rng):
    def fewer_in_larger(network, picture, *, progress=False):
        density = np.ones(map_shape(picture.shape[:2]), np.float32)
        return density * (100 if picture.shape[1] < 100 else 30) / density.size

    monkeypatch.setattr(sizing, "predict_density", fewer_in_larger)
    result = count(rng.integers(0, 256, (96, 128, 3), dtype=np.uint8), model=sized)  # sharp: not enlarged
    assert any("larger or smaller" in warning for warning in result.warnings)
    assert result.low < 30 and result.high > 100


@pytest.mark.parametrize("scale", [0, -1, 17, 0.01, float("nan"), "half", True])
def test_scale_out_of_range_is_an_error(weights, scale):
    with pytest.raises(DataError, match="Received: scale="):
        count(blank(64, 64), model=weights, scale=scale)


def test_scale_that_makes_a_picture_too_large_is_an_error():
    with pytest.raises(DataError, match="more than the limit"):
        look(None, blank(4000, 3000), 16)


@pytest.mark.parametrize(
    "sizes",
    [3, {}, {**SIZES, "grows": "1"}, {**SIZES, "pixels": 0}, {**SIZES, "shrinks": 2}, {**SIZES, "grows": 1e999}],
)
def test_damaged_sizes_in_a_card_are_an_error(sizes):
    with pytest.raises(WeightsError, match="sizes in the model card"):
        Sizes.from_card({"sizes": sizes})


def test_command_line_tells_the_scale(monkeypatch, sized, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(blank(512, 384)).save("square.png")
    Known(monkeypatch, 64)
    assert main(["count", "square.png", "--model", sized, "--json", "--csv", "out.csv", "--report", "out.html"]) == 0
    assert json.loads(capsys.readouterr().out)["scale"] == 0.25
    names, values = (line.split(",") for line in (tmp_path / "out.csv").read_text().splitlines())
    assert dict(zip(names, values))["scale"] == "0.25"
    assert "counted at 0.25 times its size" in (tmp_path / "out.html").read_text()
    assert main(["count", "square.png", "--model", sized, "--json", "--scale", "1/2"]) == 0
    assert json.loads(capsys.readouterr().out)["scale"] == 0.5


@pytest.mark.parametrize("value", ["0", "17", "big", "nan"])
@pytest.mark.parametrize("command", ["count", "video"])
def test_command_line_refuses_other_scales(capsys, command, value):
    with pytest.raises(SystemExit) as ended:
        main([command, "x", "--scale", value])
    assert ended.value.code == 2
    assert f"must be a number between 1/16 and 16, received {value}" in capsys.readouterr().err
