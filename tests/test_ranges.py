"""Ranges: what they promise, on numbers whose errors are known, and what cards keep of them."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from crowdcount.counting.ranges import Calibration, calibration_of, cross_validate, usable_calibration, why_no_range
from crowdcount.errors import DataError, WeightsError
from crowdcount.files import data_folder

COUNTS = st.lists(st.floats(0, 5000), min_size=1, max_size=60)


def crowds(rng, number):
    """True counts from a handful to thousands, and counts that are off by a factor, and by some people."""
    true = np.rint(10 ** rng.uniform(0.5, 3.5, number))
    return true, np.maximum(0, true * rng.lognormal(0.05, 0.25, number) + rng.normal(0, 5, number))


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9])
def test_ranges_hold_as_many_truths_as_they_promise(rng, coverage):
    held = []
    for _ in range(300):
        true, predicted = crowds(rng, 70)
        calibration = Calibration(true[:69], predicted[:69])
        low, high = calibration.range(predicted[69], coverage)
        held.append(low <= true[69] <= high)
    assert abs(np.mean(held) - coverage) < 0.06


def test_range_ends_at_the_score_that_the_finite_sample_asks_for():
    # Nine pictures off by 0.1 to 0.9 of the count and 30: of ten places the ninth is the last score.
    calibration = Calibration([70 + 100 * score for score in np.arange(1, 10) / 10], [70] * 9)
    assert calibration.range(170, 0.9) == pytest.approx((0, 350))
    assert calibration.range(170, 0.5) == pytest.approx((70, 270))
    assert calibration.range(170, 0.51) == pytest.approx((50, 290))
    assert Calibration([60, 50, 40], [70] * 3).range(0, 0.75) == pytest.approx((0, 9))


@given(COUNTS, st.floats(0, 1e5), st.floats(0.01, 0.99), st.randoms())
def test_range_holds_the_count_and_is_never_negative(true, count, share, random):
    calibration = Calibration(true, [random.uniform(0, 5000) for _ in true])
    low, high = calibration.range(count, share * calibration.most)
    assert 0 <= low <= count * (1 + 1e-9) + 1e-9 and count * (1 - 1e-9) - 1e-9 <= high < math.inf


@given(COUNTS, st.floats(0, 5000))
def test_more_coverage_is_never_narrower(true, count):
    calibration = Calibration(true, [200.0] * len(true))
    ends = [calibration.range(count, share * calibration.most) for share in (0.2, 0.5, 0.8, 1.0)]
    lows, highs = zip(*ends)
    assert list(lows) == sorted(lows, reverse=True) and list(highs) == sorted(highs)


def test_coverage_that_so_few_pictures_cannot_carry_is_refused():
    calibration = Calibration([100] * 8, [110] * 8)
    assert calibration.most == 8 / 9
    calibration.range(100, 8 / 9)
    with pytest.raises(DataError, match=r"8 calibration pictures .* at most 0.889.*coverage=0.9"):
        calibration.range(100, 0.9)


@pytest.mark.parametrize("coverage", [0, 1, -0.1, 90, math.nan])
def test_coverage_is_a_share(coverage):
    with pytest.raises(DataError, match="between 0 and 1"):
        Calibration([1, 2], [1, 2]).range(3, coverage)
    with pytest.raises(DataError, match="between 0 and 1"):
        usable_calibration("general", coverage)


@pytest.mark.parametrize(
    "true, predicted",
    [([], []), ([1, 2], [1]), ([[1]], [[1]]), ([math.nan], [1]), ([1], [-1]), ([1], [math.inf])],
)
def test_counts_that_cannot_calibrate_are_refused(true, predicted):
    with pytest.raises(DataError):
        Calibration(true, predicted)


def test_card_keeps_the_ranges(rng):
    first = Calibration(*crowds(rng, 50))
    card = json.loads(json.dumps({"name": "mine", "calibration": first.card()}))
    second = Calibration.from_card(card)
    assert card["calibration"]["pictures"] == len(second) == 50
    assert second.range(321.0, 0.9) == pytest.approx(first.range(321.0, 0.9), abs=0.2)
    assert Calibration.from_card({"name": "mine"}) is None


@pytest.mark.parametrize(
    "kept", [[], 3, {"true": [1]}, {"true": [1], "predicted": ["x"]}, {"true": [1], "predicted": [1, 2]}]
)
def test_damaged_calibration_in_a_card_is_named(kept):
    with pytest.raises(WeightsError, match="calibration in the model card"):
        Calibration.from_card({"calibration": kept})


def test_weights_without_a_calibration_say_so(rng, tmp_path):
    file = tmp_path / "mine.weights.h5"
    file.touch()
    assert calibration_of(file) is None and usable_calibration(file, 0.9) is None
    assert "no calibration" in why_no_range(file, 0.9)
    card = {"calibration": Calibration(*crowds(rng, 8)).card()}
    (tmp_path / "mine.json").write_text(json.dumps(card))
    assert len(calibration_of(file)) == 8
    assert usable_calibration(file, 0.9) is None
    assert "8 calibration pictures" in why_no_range(file, 0.9)
    assert usable_calibration(file, 0.8) is not None and why_no_range(file, 0.8) is None
    assert calibration_of(object()) is None  # a network that may have learned since


def test_cross_validation_never_tries_a_picture_that_it_calibrated_with(rng):
    true = np.rint(10 ** rng.uniform(1, 3, 60))
    right = cross_validate(true, true, splits=20)
    assert right == (1.0, 0.0)
    held, width = cross_validate(*crowds(rng, 70), splits=200)
    assert 0.85 <= held <= 0.97 and width > 0
    # One picture in ten is off by more than any other: calibration sets without such pictures miss them.
    true, predicted = np.full(40, 100.0), np.full(40, 100.0)
    predicted[:4] = [400, 800, 1600, 3200]
    held, _ = cross_validate(true, predicted, 0.85, splits=200)
    assert 0.8 < held < 0.99


def test_shipped_weights_keep_their_promise_on_pictures_that_they_were_not_calibrated_with():
    card = json.loads((data_folder("weights") / "general.json").read_text())
    calibration = Calibration.from_card(card)
    assert len(calibration) == sum(part["pictures"] for part in card["metrics"].values())
    held, _ = cross_validate(calibration.true, calibration.predicted, 0.9)
    assert 0.85 <= held <= 0.95
