"""The shipped weights: what anybody can see of them without a data set."""

import numpy as np
import pytest
from PIL import Image

import crowdcount
from crowdcount.data.images import load_picture
from crowdcount.files import data_folder
from crowdcount.network.cards import model_card


@pytest.mark.parametrize("value", [0, 128, 255])
def test_blank_pictures_are_warned_of(value):
    result = crowdcount.count(np.full((240, 320, 3), value, np.uint8))
    assert any("nothing to count" in warning for warning in result.warnings)


@pytest.mark.parametrize("size", [(240, 320), (333, 201)])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_blank_pictures_hold_nobody(value, size):
    assert crowdcount.count(np.full((*size, 3), value, np.uint8)).count < 1


def test_bundled_picture_is_counted_where_its_people_are():
    """The drawn hall was never trained on; its heads are known."""
    folder = data_folder("datasets")
    result = crowdcount.count(folder / "sample.jpg")
    heads = np.loadtxt(folder / "sample.csv", delimiter=",", skiprows=1, usecols=(1, 2))
    assert result.count == pytest.approx(len(heads), rel=0.15) and result.low < len(heads) < result.high
    assert not result.warnings
    truth = crowdcount.density_map(heads, (result.height, result.width), sigma=15.0, stride=8)
    rows, columns = (np.arange(0, side, 16) for side in truth.shape)  # blocks of 128 x 128 pixels
    blocks = [np.add.reduceat(np.add.reduceat(each, rows, 0), columns, 1) for each in (truth, result.density)]
    assert np.corrcoef(blocks[0].ravel(), blocks[1].ravel())[0, 1] > 0.8


@pytest.mark.parametrize("turn", [1, 3])
def test_a_hall_on_its_side_is_told_and_has_no_range(turn):
    picture = load_picture(data_folder("datasets") / "sample.jpg")
    result = crowdcount.count(np.ascontiguousarray(np.rot90(picture, turn)))
    assert any("lie on its side" in warning for warning in result.warnings) and result.low is None


def test_count_does_not_depend_on_the_size_of_the_file():
    picture = load_picture(data_folder("datasets") / "sample.jpg")
    height, width = picture.shape[:2]
    large = Image.fromarray(picture).resize((4 * width, 4 * height), Image.Resampling.LANCZOS)
    small, large = crowdcount.count(picture), crowdcount.count(large)
    assert large.scale == pytest.approx(small.scale / 4, rel=0.05)
    assert large.count == pytest.approx(small.count, rel=0.1)
    assert large.density.shape == (-(-4 * height // 8), -(-4 * width // 8))


def test_short_floats_count_the_same():
    """Within half a percent, whatever this processor computes in."""
    picture = data_folder("datasets") / "sample.jpg"
    short, exact = (
        crowdcount.count(picture, model=crowdcount.load_model("general", precision=precision)).count
        for precision in ("mixed_bfloat16", "float32")
    )
    assert short == pytest.approx(exact, rel=0.005)


def test_card_says_what_was_measured():
    card = model_card("general").content
    assert card["network"]["width"] == 1 and card["network"]["design"] == "B"
    sets = ("shanghaitech_a", "shanghaitech_b", "ucf_cc_50", "brt", "nobody")
    assert set(card["metrics"]) == {f"{name} val" for name in sets}
    for measured in card["metrics"].values():
        assert measured["mae"] <= measured["rmse"]
        assert measured["game"][0] == pytest.approx(measured["mae"], abs=0.01)
        assert measured["game"] == sorted(measured["game"])


def test_weights_of_part_b_are_better_than_the_papers():
    measured = model_card("shanghaitech_b").content["metrics"]["shanghaitech_b val"]
    assert measured["mae"] < 10.6 and measured["rmse"] < 16.0  # CSRNet, CVPR 2018, there on the test half


@pytest.mark.parametrize("name", ["general", "shanghaitech_b"])
def test_validation_pictures_are_counted_as_the_card_says(name, shanghaitech_root):
    """The smallest pictures of part B's validation list, against the error that the card names for all of it."""
    samples = crowdcount.load_dataset("shanghaitech_b", shanghaitech_root, "val")
    samples = sorted(samples, key=lambda sample: sample.count)[:4]
    result = crowdcount.evaluate(name, samples, progress=False)
    assert result.mae < 1.5 * model_card(name).content["metrics"]["shanghaitech_b val"]["mae"]


def test_parked_motorcycles_are_nobody(shanghaitech_root):
    """A validation picture in which an earlier `general` counted 207, 70 of them motorcycles."""
    samples = crowdcount.load_dataset("shanghaitech_b", shanghaitech_root, "val")
    (sample,) = (sample for sample in samples if sample.name == "part_B/IMG_388")
    assert crowdcount.count(sample.picture, model="shanghaitech_b").count == pytest.approx(sample.count, rel=0.25)
