"""Metrics against hand-computed values, slow definitions and scikit-image."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from crowdcount.errors import DataError
from crowdcount.measuring.metrics import enlarge, game, mae, nae, psnr, rmse, ssim

TRUTH, PREDICTED = [10, 40, 0], [13, 36, 5]  # errors 3, 4 and 5
SSIM_SETTINGS = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}


def test_mae_by_hand():
    assert mae(TRUTH, PREDICTED) == 4.0


def test_rmse_by_hand():
    assert rmse(TRUTH, PREDICTED) == pytest.approx(math.sqrt(50 / 3))


def test_nae_by_hand_leaves_out_pictures_without_heads():
    assert nae(TRUTH, PREDICTED) == pytest.approx((0.3 + 0.1) / 2)


def test_nae_of_empty_pictures_only_is_undefined():
    assert math.isnan(nae([0, 0], [1, 2]))


@pytest.mark.parametrize("metric", [mae, rmse, nae])
def test_a_nan_count_is_not_hidden(metric):
    assert math.isnan(metric([1, 2], [1, math.nan]))


@pytest.mark.parametrize("metric", [mae, rmse, nae])
@pytest.mark.parametrize("truth, predicted", [([], []), ([1, 2], [1]), ([[1], [2]], [1, 2]), (3, 4)])
def test_counts_of_unequal_form_are_refused(metric, truth, predicted):
    with pytest.raises(DataError, match="two lists of the same length"):
        metric(truth, predicted)


def game_by_subpixels(density, points, height, width, level, stride, fine):
    """The same by brute force: every cell split into squares so small that none lies across a border."""
    parts = 2**level
    predicted = np.zeros((parts, parts))
    step = 1 / fine
    for y in np.arange(step / 2, height, step):
        for x in np.arange(step / 2, width, step):
            i, j = int(y // stride), int(x // stride)
            area = (min((i + 1) * stride, height) - i * stride) * (min((j + 1) * stride, width) - j * stride)
            predicted[int(y * parts // height), int(x * parts // width)] += density[i, j] * step**2 / area
    truth = np.zeros((parts, parts))
    for x, y in points:
        truth[min(int(y * parts // height), parts - 1), min(int(x * parts // width), parts - 1)] += 1
    return np.abs(predicted - truth).sum()


def test_game_by_hand_with_a_border_inside_a_cell():
    # 12 pixels wide: the cells are 8 and 4 wide, the halves 6 and 6, so the first cell gives 3/4 and 1/4.
    density = np.array([[4.0, 1.0]])
    heads = np.array([[1.0, 1.0], [5.9, 7.0], [6.0, 7.0]])  # the last, on the border, counts to the right
    size = (8, 12)
    assert game(density, heads, size, 0) == pytest.approx(2.0)
    # The regions' predictions: left 3, right 2, each halved between top and bottom. True: 1, 0 above; 1, 1
    # below.
    assert game(density, heads, size, 1) == pytest.approx(0.5 + 1 + 0.5 + 0)


@pytest.mark.parametrize("height, width", [(24, 32), (20, 28), (17, 30)])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_game_equals_brute_force(rng, height, width, level):
    density = rng.random((-(-height // 8), -(-width // 8)))
    points = rng.random((12, 2)) * (width, height)
    expected = game_by_subpixels(density, points, height, width, level, stride=8, fine=4)
    assert game(density, points, (height, width), level) == pytest.approx(expected, abs=1e-9)


@settings(deadline=None, max_examples=60)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    stride=st.sampled_from([1, 8]),
    heads=st.integers(0, 20),
    seed=st.integers(0, 2**32 - 1),
)
def test_game_0_is_the_count_error_and_levels_never_fall(height, width, stride, heads, seed):
    rng = np.random.default_rng(seed)
    density = rng.random((-(-height // stride), -(-width // stride)))
    points = (rng.random((heads, 2)) * 1.4 - 0.2) * (width, height)  # some outside
    levels = [game(density, points, (height, width), level, stride=stride) for level in range(4)]
    assert levels[0] == pytest.approx(abs(density.sum() - heads), abs=1e-8)
    assert all(b >= a - 1e-8 for a, b in zip(levels, levels[1:]))


def test_game_takes_no_heads_and_a_map_with_a_channel():
    assert game(np.full((1, 2, 1), 1.5), [], (8, 16), 1) == pytest.approx(3.0)
    assert game(np.zeros((1, 2)), np.empty((0, 2)), (8, 16), 3) == 0.0


def test_game_keeps_heads_at_and_over_the_border():
    heads = np.array([[16.0, 8.0], [99.0, 3.0], [-1.0, -1.0]])
    assert game(np.zeros((1, 2)), heads, (8, 16), 2) == 3.0


@pytest.mark.parametrize(
    "density, points, size, level, message",
    [
        (np.zeros((1, 2)), [], (16, 8), 0, r"density map of shape \(2, 1\)"),
        (np.zeros((2, 2, 2)), [], (16, 16), 0, r"\(h, w\) or \(h, w, 1\), received \(2, 2, 2\)"),
        (np.zeros((1, 1)), [[1.0, np.nan]], (8, 8), 0, "finite"),
        (np.zeros((1, 1)), [[1.0, 2.0, 3.0]], (8, 8), 0, r"\(1, 3\)"),
        (np.zeros((1, 1)), [], (8, 8), -1, "received -1"),
        (np.zeros((1, 1)), [], (8, 8), 0.5, "received 0.5"),
        *((np.zeros((1, 1)), [], (8, 8), level, f"received {level!r}") for level in ("1", np.nan, 40)),
    ],
)
def test_game_refuses(density, points, size, level, message):
    with pytest.raises(DataError, match=message):
        game(density, points, size, level)


def test_enlarge_by_hand_in_two_directions():
    np.testing.assert_allclose(
        enlarge(np.array([[16.0, 0.0], [0.0, 0.0]]), 2),
        np.outer([1, 0.75, 0.25, 0], [1, 0.75, 0.25, 0]) * 16 / 4,
    )


def test_enlarge_equals_keras_bilinear(rng):
    image = pytest.importorskip("keras").ops.image
    density = rng.random((3, 5))
    theirs = image.resize(density[..., None].astype("float32"), (24, 40), interpolation="bilinear")
    np.testing.assert_allclose(enlarge(density, 8), np.asarray(theirs)[..., 0] / 64, rtol=1e-5)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 8), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=40)
def test_enlarge_keeps_the_sum(height, width, factor, seed):
    density = np.random.default_rng(seed).random((height, width))
    large = enlarge(density, factor)
    assert large.shape == (height * factor, width * factor)
    assert large.sum() == pytest.approx(density.sum())


@pytest.mark.parametrize("factor", [0, -1, 1.5])
def test_enlarge_refuses_a_factor(factor):
    with pytest.raises(DataError, match=f"received {factor}"):
        enlarge(np.zeros((2, 2)), factor)


@pytest.fixture
def maps(rng):
    truth = rng.random((5, 7)) ** 3
    return truth, np.clip(truth + rng.normal(0, 0.1, truth.shape), 0, None)


def test_psnr_by_hand():
    truth = np.array([[2.0, 0.0], [1.0, 1.0]])
    predicted = truth + [[0.2, 0.0], [0.0, -0.2]]
    # Mean squared error 0.02 against a peak of 2: 10 log10(4 / 0.02)
    assert psnr(truth, predicted, factor=1) == pytest.approx(23.0103, abs=1e-4)


@pytest.mark.parametrize("factor", [1, 8])
def test_psnr_equals_scikit_image(maps, factor):
    truth, predicted = (enlarge(values, factor) for values in maps)
    expected = peak_signal_noise_ratio(truth, predicted, data_range=truth.max())
    assert psnr(*maps, factor=factor) == pytest.approx(expected, rel=1e-12)


def test_ssim_by_hand_of_even_maps():
    # Without variation only the means speak: (2 * 1 * 0.5 + 1e-4) / (1 + 0.25 + 1e-4)
    assert ssim(np.full((2, 2), 3.0), np.full((2, 2), 1.5)) == pytest.approx(1.0001 / 1.2501, rel=1e-9)


def test_ssim_equals_scikit_image(maps):
    truth, predicted = (enlarge(values) for values in maps)
    expected = structural_similarity(truth, predicted, data_range=truth.max(), **SSIM_SETTINGS)
    assert ssim(*maps) == pytest.approx(expected, rel=1e-9)
    assert 0.1 < expected < 0.99  # else the comparison would say little


def test_ssim_equals_scikit_image_without_enlarging(rng):
    truth, predicted = rng.random((2, 11, 20))
    expected = structural_similarity(truth, predicted, data_range=truth.max(), **SSIM_SETTINGS)
    assert ssim(truth, predicted, factor=1) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_quality_does_not_depend_on_a_common_scale(maps, metric):
    truth, predicted = maps
    assert metric(truth * 1e-3, predicted * 1e-3) == pytest.approx(metric(truth, predicted), rel=1e-9)


def test_equal_maps_are_perfect(maps):
    truth, _ = maps
    assert psnr(truth, truth) == math.inf
    assert ssim(truth, truth) == pytest.approx(1.0)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_quality_of_an_empty_truth_is_undefined(metric):
    assert math.isnan(metric(np.zeros((2, 2)), np.zeros((2, 2))))
    assert math.isnan(metric(np.zeros((2, 2)), np.ones((2, 2))))


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_maps_of_different_shapes_are_refused(metric):
    with pytest.raises(DataError, match=r"\(2, 3\) and \(3, 2\)"):
        metric(np.ones((2, 3)), np.ones((3, 2)))


def test_ssim_refuses_a_map_smaller_than_its_window():
    with pytest.raises(DataError, match="at least 11 x 11"):
        ssim(np.ones((1, 4)), np.ones((1, 4)))


def test_metrics_load_no_keras():
    code = "import sys, crowdcount.measuring.metrics; sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
