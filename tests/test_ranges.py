"""Ranges: what they promise, on numbers whose errors are known, and what cards keep of them."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from crowdcount.counting.kinds import Kind, observe
from crowdcount.counting.ranges import (
    Calibration,
    calibration_of,
    leave_one_out,
    leave_one_out_zones,
    sum_range,
    usable_calibration,
    why_no_range,
)
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
    ends = [calibration.range(count, share * calibration.most) for share in (1e-12, 0.2, 0.5, 0.8, 1.0)]
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


def mixed(rng, number):
    """Sparse crowds counted to a twelfth and dense ones to a quarter, in equal parts, with quarters alike."""
    density = np.where(np.arange(number) % 2, 1500.0, 100.0) * rng.lognormal(0, 0.3, number)
    true = np.rint(density * 0.8)
    predicted = true * np.exp(np.where(density > 400, 0.25, 0.08) * rng.normal(0, 1, number))
    kinds = [Kind(count / 0.8, rng.uniform(0.5, 0.8), rng.uniform(140, 240)) for count in predicted]
    quarters = [[(t / 4, p / 4, p / 0.8)] * 4 for t, p in zip(true, predicted, strict=True)]
    return Calibration(true, predicted, kinds, quarters)


def test_ranges_of_dense_and_of_sparse_crowds_are_as_wide_as_their_errors(rng):
    def by_density(each):
        return np.mean(np.concatenate([values.reshape(-1, 2) for values in each]), axis=0)

    calibrations = [mixed(rng, 80) for _ in range(12)]
    alone = [Calibration(calibration.true, calibration.predicted) for calibration in calibrations]
    held, width = (by_density(each) for each in zip(*map(leave_one_out, calibrations)))
    held_alone, width_alone = (by_density(each) for each in zip(*map(leave_one_out, alone)))
    assert 0.86 <= held[0] <= 0.98 and 0.82 <= held[1] <= 0.92
    # One range for both holds nearly every sparse crowd, is far too wide for it, and misses more dense ones.
    assert held_alone[0] > 0.98 and held_alone[1] < held[1] - 0.02
    assert width[0] < 0.6 * width_alone[0] and width[1] > width_alone[1]


def test_ranges_grow_with_the_density_no_further_than_it_is_known(rng):
    calibration = mixed(rng, 60)
    widths = [np.ptp(calibration.range(80, 0.9, Kind(density, 0.65, 200.0))) for density in (60, 300, 1000)]
    assert widths == sorted(widths) and widths[2] > 1.5 * widths[0]
    # Of pictures that are all alike there is no line; the same range stands everywhere.
    alike = Calibration([100] * 12, [110] * 12, [Kind(80.0, 0.65, 200.0)] * 12)
    assert alike.range(110, 0.9, Kind(80.0, 0.65, 200.0)) == pytest.approx(
        Calibration(alike.true, alike.predicted).range(110, 0.9)
    )


def test_kinds_that_were_not_calibrated_with_have_wider_ranges(rng):
    calibration = mixed(rng, 60)
    known = Kind(100.0, 0.65, 200.0)
    low, high = calibration.range(80, 0.9, known)
    for changed in (Kind(100.0, 1.2, 200.0), Kind(100.0, 0.65, 20.0), Kind(100.0, 0.2, 200.0)):
        wider = calibration.range(80, 0.9, changed)
        assert wider[1] - 80 > 1.5 * (high - 80)
    far = calibration.range(80, 0.9, Kind(50000.0, 0.65, 200.0))
    dense = calibration.range(80, 0.9, Kind(max(kind.density for kind in calibration.kinds), 0.65, 200.0))
    assert far[1] > dense[1] and far[0] <= dense[0]
    assert Calibration(calibration.true, calibration.predicted).range(80, 0.9, known) == Calibration(
        calibration.true, calibration.predicted
    ).range(80, 0.9)


def test_zones_have_ranges_where_quarters_give_ground_for_one(rng):
    calibration = mixed(rng, 60)
    held, width = leave_one_out_zones(calibration)
    assert held.shape == width.shape == (60, 4) and 0.82 <= held.mean() <= 0.98
    low, high = calibration.zone_range(40, 0.25, 160.0, 0.9, Kind(120.0, 0.65, 200.0))
    assert 0 <= low < 40 < high
    assert calibration.zone_range(40, 0.05, 160.0) is None  # smaller than any that was measured
    assert Calibration(calibration.true, calibration.predicted).zone_range(40, 0.25, 160.0) is None


def test_sum_of_ranges():
    assert sum_range([(0, 10), (5, 9)]) == (5, 19)
    assert sum_range([(0, 10), (None, None)]) is None and sum_range([]) is None


def test_zones_have_ranges_also_where_no_kinds_are_known(rng):
    calibration = Calibration([10.0] * 12, [11.0] * 12, None, [[(2.5, 2.7, 10.0)] * 4] * 12)
    low, high = calibration.zone_range(5.0, 0.25, 20.0, 0.9, Kind(10.0, 0.5, 200.0))
    assert low < 5 < high


def test_card_keeps_kinds_and_quarters(rng):
    first = mixed(rng, 20)
    second = Calibration.from_card(json.loads(json.dumps({"calibration": first.card()})))
    kind = first.kinds[3]
    assert second.range(80, 0.9, kind) == pytest.approx(first.range(80, 0.9, kind), abs=0.5)
    zone = (20, 0.25, 90, 0.9, kind)
    assert second.zone_range(*zone) == pytest.approx(first.zone_range(*zone), abs=0.5)
    for key, value in (("quarters", ["1/2"] * 20), ("quarters", [7]), ("density", [1.0]), ("fineness", None)):
        with pytest.raises(WeightsError, match="calibration in the model card"):
            Calibration.from_card({"calibration": {**first.card(), key: value}})


def test_observation_of_a_picture_and_its_quarters(rng):
    picture = rng.integers(0, 256, (36, 44, 3), dtype=np.uint8)
    density = rng.uniform(0, 1, (5, 6))
    points = [(1, 1), (21.9, 17.9), (22, 17), (43, 35), (44, 36)]
    seen = observe(picture, np.array(points), density)
    assert [true for true, _, _ in seen.quarters] == [2, 1, 0, 2] and seen.true == 5
    assert sum(counted for _, counted, _ in seen.quarters) == pytest.approx(seen.predicted) == density.sum()
    assert seen.kind.density == pytest.approx(density.sum() / (36 * 44 / 1e6))
    nobody = observe(picture, np.zeros((0, 2)), density)
    assert nobody.true == 0 and len(Calibration.of([seen, nobody])) == 2


def test_shipped_weights_keep_their_promise_on_pictures_that_they_were_not_calibrated_with():
    card = json.loads((data_folder("weights") / "general.json").read_text())
    calibration = Calibration.from_card(card)
    tried = card["calibration"]["cross_validated"]
    assert len(calibration) == sum(part["pictures"] for part in tried["parts"].values())
    held, width = leave_one_out(calibration, tried["asked"])
    assert 0.85 <= held.mean() <= 0.95
    assert held.mean() == pytest.approx(tried["held"], abs=1e-3)
    assert width.mean() == pytest.approx(tried["mean_width"], abs=0.1)
    for part in ("shanghaitech_a", "shanghaitech_b"):
        assert 0.87 <= tried["parts"][part]["held"] <= 0.935
