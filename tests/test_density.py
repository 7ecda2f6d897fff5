"""Density maps: the sum is the number of heads, whatever the points, the size, the kernel and the stride."""

import subprocess
import sys
import time
import tracemalloc
import warnings

import h5py
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.ndimage import gaussian_filter
from scipy.stats import norm

from crowdcount.data import density as density_module
from crowdcount.data.density import (
    FIXED_SIGMA,
    DensityWarning,
    adaptive_sigma,
    density_map,
    load_density_map,
    save_density_map,
)
from crowdcount.errors import DataError
from crowdcount.grid import STRIDE

unit = st.floats(0, 1)
widths = st.floats(1e-3, 1e4)


@st.composite
def crowds(draw, max_side=90, max_heads=20):
    """Points in a picture (on its border too, some twice), its size, and a kernel."""
    height, width = draw(st.integers(1, max_side)), draw(st.integers(1, max_side))
    heads = draw(st.lists(st.tuples(unit, unit), max_size=max_heads))
    heads += draw(st.sampled_from([[], heads[:3], [(0, 0), (1, 1)]]))
    points = np.reshape(np.array(heads, float), (-1, 2)) * (width, height)
    each = st.lists(widths, min_size=len(points), max_size=len(points)).map(np.array)
    return points, (height, width), draw(st.one_of(widths, each, st.just("adaptive")))


def sum_pooled(density, stride):
    """Blocks of `stride` x `stride` cells added, the last ones with fewer: a loop, unlike the code."""
    rows, columns = -(-density.shape[0] // stride), -(-density.shape[1] // stride)
    return np.array(
        [
            [
                density[i * stride : (i + 1) * stride, j * stride : (j + 1) * stride].sum(dtype=np.float64)
                for j in range(columns)
            ]
            for i in range(rows)
        ]
    )


def textbook(points, size, sigmas):
    """The reference's way: one filter over the whole picture for each head."""
    total = np.zeros(size)
    for (x, y), sigma in zip(points, sigmas):
        dot = np.zeros(size)
        dot[min(int(y), size[0] - 1), min(int(x), size[1] - 1)] = 1
        total += gaussian_filter(dot, sigma, mode="constant")
    return total


# ---- the sum is the count ---------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(crowds(), st.integers(1, 20))
def test_sum_is_number_of_heads(crowd, stride):
    points, size, sigma = crowd
    density = density_map(points, size, sigma=sigma, stride=stride)
    assert density.shape == (-(-size[0] // stride), -(-size[1] // stride))
    assert density.dtype == np.float32
    assert (density >= 0).all()
    assert density.sum(dtype=np.float64) == pytest.approx(len(points), rel=1e-4, abs=0)


@settings(max_examples=60, deadline=None)
@given(crowds(max_side=60), st.sampled_from([2, 3, 8]), st.sampled_from(["keep", "cut"]))
def test_map_at_a_stride_is_the_sum_pooled_map(crowd, stride, border):
    points, size, sigma = crowd
    whole = density_map(points, size, sigma=sigma, border=border)
    pooled = density_map(points, size, sigma=sigma, stride=stride, border=border)
    np.testing.assert_allclose(pooled, sum_pooled(whole, stride), rtol=1e-5, atol=1e-6)


def test_sum_of_a_large_crowd_in_a_large_picture(rng):
    points = rng.random((5000, 2)) * (4096, 2160)
    density = density_map(points, (2160, 4096), sigma="adaptive", stride=STRIDE)
    assert density.sum(dtype=np.float64) == pytest.approx(5000, rel=1e-5)


def test_memory_does_not_grow_with_the_number_of_heads(rng):
    points = rng.random((3000, 2)) * (1920, 1080)
    tracemalloc.start()
    try:
        # Each head reaches the whole picture: the profiles of all would take 9 MB, and more in float64.
        density_map(points, (1080, 1920), sigma=2000.0, stride=4)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5e6


# ---- what is drawn ----------------------------------------------------------------------------------------


def test_cells_hold_the_mass_of_the_normal_distribution():
    density = density_map([[30.3, 20.7]], (48, 64), sigma=2.5)
    rows = np.diff(norm.cdf(np.arange(49), loc=20.7, scale=2.5))
    columns = np.diff(norm.cdf(np.arange(65), loc=30.3, scale=2.5))
    np.testing.assert_allclose(density, np.outer(rows, columns), atol=1e-8)


def test_head_at_the_border_is_cut_and_rescaled():
    density = density_map([[0.0, 20.0]], (40, 50), sigma=4.0)
    columns = 2 * np.diff(norm.cdf(np.arange(51), scale=4.0))  # half of it lies outside: twice the rest
    np.testing.assert_allclose(density.sum(axis=0), columns, atol=1e-7)


def test_500_heads_cost_less_than_a_500th_of_one_filter_a_head(rng):
    """Processor time, the least of some runs: a busy machine makes both slower, not one."""

    def seconds(run, repeats):
        times = []
        for _ in range(repeats):
            start = time.process_time()
            run()
            times.append(time.process_time() - start)
        return min(times)

    points = rng.uniform(0, (1024, 768), (500, 2))
    dot = np.zeros((768, 1024), np.float32)
    dot[300, 400] = 1
    textbook = 500 * seconds(lambda: gaussian_filter(dot, 15.0, mode="constant"), 3)
    assert seconds(lambda: density_map(points, (768, 1024), sigma=15.0), 5) < textbook / 500


def test_positions_are_not_rounded_to_pixels():
    columns = np.arange(100) + 0.5
    for x in (50.1, 50.5, 50.9):
        density = density_map([[x, 30.0]], (60, 100), sigma=3.0)
        assert (density * columns).sum(dtype=np.float64) == pytest.approx(x, abs=1e-4)


def test_heads_at_one_spot_add_up():
    once = density_map([[10.2, 11.9]], (30, 40), sigma=3.0)
    many = density_map([[10.2, 11.9]] * 7, (30, 40), sigma=3.0)
    np.testing.assert_allclose(many, 7 * once, rtol=1e-6)


def test_each_head_has_its_own_sigma(rng):
    points = rng.random((150, 2)) * (64, 48)
    sigmas = rng.uniform(0.5, 20, 150)
    one_by_one = sum(density_map(p[None], (48, 64), sigma=s).astype(float) for p, s in zip(points, sigmas))
    np.testing.assert_allclose(density_map(points, (48, 64), sigma=sigmas), one_by_one, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(crowds(), st.sampled_from([1, 4]))
def test_mirrored_points_give_the_mirrored_map(crowd, stride):
    points, (height, width), sigma = crowd
    # `width - (width - x)` is not x to the last digit in floating point, which a needle would show.
    sigma = sigma if isinstance(sigma, str) else np.maximum(sigma, 0.1)
    width = -(-width // stride) * stride  # a narrower last cell would come first in the mirror
    density = density_map(points, (height, width), sigma=sigma, stride=stride)
    mirrored = density_map(points * (-1, 1) + (width, 0), (height, width), sigma=sigma, stride=stride)
    np.testing.assert_allclose(mirrored, density[:, ::-1], atol=1e-5)


def test_groups_do_not_show(rng, monkeypatch):
    points = rng.random((400, 2)) * (160, 120)
    together = density_map(points, (120, 160), sigma="adaptive")
    monkeypatch.setattr(density_module, "_GROUP_NUMBERS", 0)  # groups of 16
    monkeypatch.setattr(density_module, "_PRODUCT_NUMBERS", 10_000)  # products of a few rows
    np.testing.assert_allclose(density_map(points, (120, 160), sigma="adaptive"), together, atol=1e-6)


@pytest.mark.parametrize("points", [[], np.zeros((0, 2)), np.zeros(0)])
@pytest.mark.parametrize("sigma", [15.0, "adaptive", np.zeros(0)])
@pytest.mark.parametrize("border", ["keep", "cut"])
def test_no_heads_give_zeros(points, sigma, border):
    density = density_map(points, (17, 30), sigma=sigma, stride=8, border=border)
    assert density.shape == (3, 4)
    assert density.dtype == np.float32
    assert not density.any()


@pytest.mark.parametrize("sigma", [1e-300, 1e-9, 1e12, 1e300])
def test_absurd_sigmas_stay_finite_and_sum_to_the_count(sigma):
    points = [[0, 0], [16, 16], [40, 20], [12.5, 3.7]]
    for stride in (1, 8):
        density = density_map(points, (20, 40), sigma=sigma, stride=stride)
        assert density.sum(dtype=np.float64) == pytest.approx(4, rel=1e-5)
    if sigma > 1:
        np.testing.assert_allclose(density_map(points, (20, 40), sigma=sigma), 4 / 800, rtol=1e-5)


def test_import_needs_no_tensorflow():
    code = "import sys, crowdcount.data.density; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- over the border --------------------------------------------------------------------------------------


def test_heads_outside_are_reported_once_and_counted_at_the_border():
    points = [[120.5, 20], [50, 20], [-3, -7.25]] + [[10, 200]] * 5
    with pytest.warns(DensityWarning) as caught:
        density = density_map(points, (60, 100), sigma=5.0)
    assert len(caught) == 1
    message = str(caught[0].message)
    assert "7 of 8 heads lie outside the picture of width 100 and height 60" in message
    assert "(120.5, 20), (-3, -7.25), (10, 200)" in message
    assert "and 2 more" in message
    assert caught[0].filename == __file__  # the caller's line, not ours
    inside = [[100, 20], [50, 20], [0, 0]] + [[10, 60]] * 5
    np.testing.assert_array_equal(density, density_map(inside, (60, 100), sigma=5.0))
    assert density.sum(dtype=np.float64) == pytest.approx(8, rel=1e-5)


def test_heads_on_the_border_are_inside():
    corners = [[0, 0], [100, 0], [0, 60], [100, 60]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        density = density_map(corners, (60, 100), sigma=15.0)
    assert density.sum(dtype=np.float64) == pytest.approx(4, rel=1e-5)


# ---- the reference's way ----------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [0.1, 0.7, 4.0, 15.0, 60.0])
def test_cut_border_equals_one_filter_a_head(rng, sigma):
    points = rng.random((12, 2)) * (90, 61)
    points[:4] = [[0, 0], [90, 61], [90, 30.5], [33.3, 0]]
    points[5] = points[6]
    expected = textbook(points, (61, 90), [sigma] * len(points))
    density = density_map(points, (61, 90), sigma=sigma, border="cut")
    np.testing.assert_allclose(density, expected, rtol=1e-5, atol=1e-6)


def test_cut_border_with_a_sigma_for_each_head_equals_one_filter_a_head(rng):
    points = rng.random((40, 2)) * (120, 77)
    expected = textbook(points, (77, 120), adaptive_sigma(points))
    density = density_map(points, (77, 120), sigma="adaptive", border="cut")
    np.testing.assert_allclose(density, expected, rtol=1e-5, atol=1e-6)
    assert density.sum() < 39.9  # it does lose heads
    shrunk = density_map(points, (77, 120), sigma="adaptive", border="cut", stride=8)
    np.testing.assert_allclose(shrunk, sum_pooled(expected, 8), atol=1e-5)


def test_cut_border_keeps_about_a_quarter_of_a_corner_head():
    cut = density_map([[0, 0]], (200, 200), sigma=15.0, border="cut")
    assert cut.sum() == pytest.approx(0.26, abs=0.01)
    whole = density_map([[0, 0]], (200, 200), sigma=15.0)
    assert whole.sum() == pytest.approx(1, rel=1e-5)


def test_cut_border_stays_finite_for_absurd_sigmas():
    assert density_map([[12.5, 3.7]], (20, 40), sigma=1e-300, border="cut")[3, 12] == 1
    assert density_map([[12.5, 3.7]], (20, 40), sigma=1e300, border="cut").sum() < 1e-6


# ---- adaptive kernels -------------------------------------------------------------------------------------


def test_adaptive_sigma_is_beta_times_the_mean_distance_to_k_neighbors(rng):
    points = rng.random((40, 2)) * (200, 100)
    distances = np.sort(np.linalg.norm(points[:, None] - points, axis=2), axis=1)
    np.testing.assert_allclose(adaptive_sigma(points), 0.3 * distances[:, 1:4].mean(axis=1))
    np.testing.assert_allclose(adaptive_sigma(points, beta=0.5, k=1), 0.5 * distances[:, 1])


def test_adaptive_sigma_of_few_heads():
    assert adaptive_sigma([]).shape == (0,)
    np.testing.assert_allclose(adaptive_sigma([[5, 6]]), [FIXED_SIGMA])
    np.testing.assert_allclose(adaptive_sigma([[0, 0], [30, 40]]), [15, 15])
    np.testing.assert_allclose(adaptive_sigma([[0, 0], [30, 0], [50, 0]]), [12, 7.5, 10.5])


def test_adaptive_sigma_is_bounded():
    np.testing.assert_allclose(adaptive_sigma([[7, 7]] * 6), 1)
    np.testing.assert_allclose(adaptive_sigma([[0, 0], [9000, 0]]), 100)
    np.testing.assert_allclose(adaptive_sigma([[0, 0], [9000, 0]], bounds=(1, np.inf)), 2700)


def test_adaptive_map_uses_the_sigma_of_each_head(rng):
    points = rng.random((50, 2)) * (100, 80)
    expected = density_map(points, (80, 100), sigma=adaptive_sigma(points))
    np.testing.assert_array_equal(density_map(points, (80, 100), sigma="adaptive"), expected)
    assert not np.allclose(expected, density_map(points, (80, 100)))


# ---- wrong arguments --------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("function", [adaptive_sigma, lambda points: density_map(points, (20, 20))])
def test_points_that_are_no_numbers_are_refused(value, function):
    with pytest.raises(DataError, match=r"2 of 3 points are NaN or infinite. Received: points\[1\]"):
        function([[1, 2], [value, 3], [4, value]])


@pytest.mark.parametrize(
    "points", [[1.0, 2.0], [[1, 2, 3]], np.zeros((0, 3)), [["a", "b"]], [[1, 2], [3]], 5, [[1 + 2j, 3]], [[1, 10**400]]]
)
def test_points_of_a_wrong_shape_are_refused(points):
    with pytest.raises(DataError, match=r"points must .*shape \(N, 2\)"):
        density_map(points, (20, 20))


@pytest.mark.parametrize("size", [(0, 10), (10, -1), (10,), (10, 10, 3), 10, (10.5, 10), "ab", None])
def test_impossible_sizes_are_refused(size):
    with pytest.raises(DataError, match="size must be two integers above 0"):
        density_map([[1, 1]], size)


@pytest.mark.parametrize("stride", [0, -8, 2.5, "8", None])
def test_impossible_strides_are_refused(stride):
    with pytest.raises(DataError, match="stride must be an integer, 1 or more. Received: stride="):
        density_map([[1, 1]], (20, 20), stride=stride)


@pytest.mark.parametrize(
    "sigma, message",
    [
        (0, "above 0"),
        (-1.0, "above 0"),
        (np.nan, "finite"),
        (np.inf, "finite"),
        ([1.0, 0.0], "above 0"),
        ([1.0], "one for each of the 2 heads"),
        (np.ones((2, 2)), "one for each of the 2 heads"),
        ("fixed", "adaptive"),
        (None, "sigma"),
        ([[1], [1, 2]], "sigma must be a number"),
    ],
)
def test_impossible_sigmas_are_refused(sigma, message):
    with pytest.raises(DataError, match=message):
        density_map([[1, 1], [2, 2]], (20, 20), sigma=sigma)


def test_unknown_border_is_refused():
    with pytest.raises(DataError, match="border must be"):
        density_map([[1, 1]], (20, 20), border="reflect")


@pytest.mark.parametrize(
    "options", [{"k": 0}, {"k": 1.5}, {"beta": 0}, {"beta": np.nan}, {"beta": "a"}, {"bounds": (0, 5)}, {"bounds": 5}]
)
def test_impossible_options_of_adaptive_sigma_are_refused(options):
    with pytest.raises(DataError, match=next(iter(options))):
        adaptive_sigma([[1, 1], [2, 2]], **options)


# ---- files ------------------------------------------------------------------------------------------------


def test_saved_map_is_read_back(tmp_path, rng):
    density = rng.random((33, 47)).astype(np.float32)
    path = tmp_path / "new" / "IMG_1.h5"
    save_density_map(path, density)
    save_density_map(path, density)  # replaces
    read = load_density_map(path)
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, density)
    with h5py.File(path) as file:
        assert list(file) == ["density"]
        assert file["density"].dtype == np.float32
        assert file["density"].compression == "gzip"
    assert [p.name for p in path.parent.iterdir()] == ["IMG_1.h5"]


def test_map_of_the_field_in_float64_is_read(tmp_path):
    with h5py.File(tmp_path / "GT.h5", "w") as file:
        file["density"] = np.full((5, 6), 0.25)
    read = load_density_map(str(tmp_path / "GT.h5"))
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, 0.25)


def test_wrong_files_are_refused(tmp_path, rng):
    with pytest.raises(DataError, match="missing.h5 cannot be read"):
        load_density_map(tmp_path / "missing.h5")
    with pytest.raises(DataError, match="cannot be read"):
        load_density_map(tmp_path)
    (tmp_path / "text.h5").write_text("not HDF5")
    with pytest.raises(DataError, match="text.h5 cannot be read as an HDF5 file"):
        load_density_map(tmp_path / "text.h5")
    whole = tmp_path / "whole.h5"
    save_density_map(whole, rng.random((200, 200)))
    (tmp_path / "cut.h5").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(DataError, match="cut.h5 cannot be read"):
        load_density_map(tmp_path / "cut.h5")
    damaged = bytearray(whole.read_bytes())
    damaged[len(damaged) // 2 : len(damaged) // 2 + 4000] = bytes(4000)
    (tmp_path / "damaged.h5").write_bytes(damaged)
    with pytest.raises(DataError, match="damaged.h5 cannot be read"):
        load_density_map(tmp_path / "damaged.h5")


@pytest.mark.parametrize(
    "contents, message",
    [
        ({"dens": np.zeros((3, 3))}, r"no dataset named 'density' \(it holds: dens\)"),
        ({}, "it holds: nothing"),
        ({"density/map": np.zeros((3, 3))}, "no dataset named 'density'"),
        ({"density": np.zeros((3, 3, 1))}, r"2 axes, rows and columns. Received: shape \(3, 3, 1\)"),
        ({"density": "text"}, "array of numbers"),
        ({"density": np.array([[1.0, np.nan]])}, "NaN or infinity in 1 of 2 cells"),
    ],
)
def test_files_without_a_map_are_refused(tmp_path, contents, message):
    with h5py.File(tmp_path / "odd.h5", "w") as file:
        for name, value in contents.items():
            file[name] = value
    with pytest.raises(DataError, match=message):
        load_density_map(tmp_path / "odd.h5")


@pytest.mark.parametrize("density", [np.zeros(3), np.zeros((0, 3)), [["a"]], [[np.nan]], np.ones((2, 2), complex)])
def test_arrays_that_are_no_map_are_not_saved(tmp_path, density):
    with pytest.raises(DataError, match="a density map must be"):
        save_density_map(tmp_path / "x.h5", density)
    assert not list(tmp_path.iterdir())


# ---- real data --------------------------------------------------------------------------------------------


def test_real_crowds_keep_their_count(shanghaitech_root):
    from scipy.io import loadmat

    tested = 0
    for path in sorted(shanghaitech_root.glob("part_*/train_data/ground*/*.mat"))[::35]:
        points = loadmat(path)["image_info"][0, 0][0, 0][0].astype(float)
        size = tuple(int(side) + 1 for side in points.max(axis=0)[::-1])
        for sigma in (15.0, "adaptive"):
            density = density_map(points, size, sigma=sigma, stride=STRIDE)
            assert density.sum(dtype=np.float64) == pytest.approx(len(points), rel=1e-4), path
            tested += 1
    assert tested
