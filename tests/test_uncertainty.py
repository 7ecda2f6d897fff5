"""Standard errors and paired differences, against simulation and against what is known of both networks."""

import tracemalloc

import numpy as np
import pytest

from crowdcount.errors import DataError
from crowdcount.measuring import metrics, uncertainty
from crowdcount.measuring.uncertainty import MEASURES, compare_counts, counts_of, read_counts, standard_errors


def _counts(rng, pictures, spread):
    true = np.rint(np.exp(rng.normal(4, 0.6, pictures)))
    return true, true * np.exp(rng.normal(0, spread, pictures))


def test_standard_errors_are_how_far_the_measures_swing(rng):
    """The measure over many draws of 60 pictures has the standard deviation that one draw foretells."""
    measured, foretold = {name: [] for name in MEASURES}, {name: [] for name in MEASURES}
    for _ in range(400):
        true, predicted = _counts(rng, 60, 0.2)
        for name in MEASURES:
            bias = float(np.mean(predicted - true))
            measured[name].append(bias if name == "bias" else getattr(metrics, name)(true, predicted))
            foretold[name].append(standard_errors(true, predicted)[name])
    for name in MEASURES:
        # The tails are long: of the RMSE a draw foretells too little in the mean, which is known of such errors.
        assert np.mean(foretold[name]) == pytest.approx(np.std(measured[name]), rel=0.35 if name == "rmse" else 0.15)


def test_intervals_leave_out_zero_where_one_network_is_better(rng):
    true, good = _counts(rng, 80, 0.1)
    bad = true * np.exp(rng.normal(0, 0.3, 80))
    compared = compare_counts(true, good, bad)
    for name in ("mae", "nae", "log_ratio"):
        each = compared.differences[name]
        assert each.low <= each.value <= each.high < 0
        assert each.value == pytest.approx(getattr(metrics, name)(true, good) - getattr(metrics, name)(true, bad))
    assert compared.nearer > compared.other_nearer and compared.nearer + compared.other_nearer == 80
    turned = compare_counts(true, bad, good)
    assert turned.differences["log_ratio"].low == pytest.approx(-compared.differences["log_ratio"].high)


def test_intervals_hold_zero_where_both_are_alike(rng):
    held = 0
    for _ in range(40):
        true, first = _counts(rng, 40, 0.2)
        second = true * np.exp(rng.normal(0, 0.2, 40))
        each = compare_counts(true, first, second).differences["log_ratio"]
        held += each.low <= 0 <= each.high
    assert held >= 34


def test_memory_does_not_grow_with_the_draws(rng, monkeypatch):
    true, first = _counts(rng, 500, 0.1)
    second = true * np.exp(rng.normal(0, 0.1, 500))
    tracemalloc.start()
    compared = compare_counts(true, first, second)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 40e6  # 10,000 draws of 500 pictures are 40 MB
    monkeypatch.setattr(uncertainty, "_NUMBERS", 2**30)
    for name, each in compare_counts(true, first, second).differences.items():
        assert vars(each) == pytest.approx(vars(compared.differences[name]))


@pytest.mark.parametrize("pictures", [2, 3, 5, 6])
def test_few_pictures_hold_no_interval_that_chance_leaves_more_often_than_it_says(rng, pictures):
    """Of two networks that are equally good the pictures must tell one apart in 1 of 20 cases at most, or about so."""
    told = 0
    for _ in range(100):
        true, first = _counts(rng, pictures, 0.2)
        each = compare_counts(true, first, true * np.exp(rng.normal(0, 0.2, pictures))).differences["log_ratio"]
        told += each.low > 0 or each.high < 0
        assert np.isfinite(each.value) and np.isfinite(each.low) == np.isfinite(each.high) == (pictures == 6)
    assert told <= 15


def test_pictures_of_nobody_have_a_say_in_all_but_the_nae():
    compared = compare_counts([0] * 6, [1, 2, 3, 1, 2, 3], [4] * 6)
    assert np.isnan(compared.differences["nae"].value) and np.isnan(compared.differences["nae"].low)
    assert compared.differences["log_ratio"].high < 0 and compared.nearer == 6
    with pytest.raises(DataError, match="same length"):
        compare_counts([1, 2], [1, 2], [1])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("", "no picture"),
        ("a,1,nan\n", "no number"),
        ("a,1,2\na,1,3\n", "have one name"),
        ("a,1,-9\nb,1,-12\n", "'b' has -12 heads"),  # its log ratio would be NaN
    ],
)
def test_a_table_of_counts_that_says_nothing(tmp_path, rows, message):
    (tmp_path / "t.csv").write_text("picture,true,predicted\n" + rows)
    with pytest.raises(DataError, match=message):
        read_counts(tmp_path / "t.csv")


def test_a_table_of_counts_that_says_it(tmp_path):
    (tmp_path / "t.csv").write_text("\ufeffpicture,true,predicted\n./-1.jpg,1,2\n", encoding="utf-8")
    assert counts_of([{"picture": "-1.jpg", "true": 1}], read_counts(tmp_path / "t.csv"), "t.csv") == [2]
    assert np.isnan(compare_counts([1], [2], [5]).differences["mae"].high)
