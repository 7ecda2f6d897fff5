"""The classical ways to count: their promises as estimators, and parts that others compute, too."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the baselines need pip install '.[test]'")
pytest.importorskip("skimage", reason="the baselines need pip install '.[test]'")

from skimage.feature import hog
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV

from crowdcount.baselines import (
    ForestDensity,
    LinearDensity,
    MeanCount,
    PatchRegressor,
    SlidingWindowDetector,
    cell_features,
    hog_blocks,
    non_maximum_suppression,
    patch_features,
)
from crowdcount.data.annotations import Sample
from crowdcount.data.regions import Region
from crowdcount.errors import DataError

HEAD = 12
EMPTY = np.full((40, 56, 3), 200, np.uint8)


def _scene(seed: int, size: tuple[int, int] = (80, 100)) -> Sample:
    """Dark disks on a light, noisy ground, well apart: a crowd that every method learns from few pictures."""
    rng = np.random.default_rng(seed)
    picture = rng.normal(190, 4, (*size, 3))
    corners = [(x, y) for y in range(2, size[0] - 18, 18) for x in range(2, size[1] - 18, 18)]
    chosen = rng.choice(len(corners), rng.integers(2, len(corners)), replace=False)
    points = np.array([corners[i] for i in chosen], float) + rng.uniform(7, 10, (len(chosen), 2))
    rows, columns = np.mgrid[: size[0], : size[1]] + 0.5
    for x, y in points:
        picture[(columns - x) ** 2 + (rows - y) ** 2 < (HEAD / 2) ** 2] -= 120
    return Sample(f"disks_{seed}", np.clip(picture, 0, 255).astype(np.uint8), points)


TRAIN = [_scene(seed) for seed in range(8)]
TEST = [_scene(seed) for seed in range(100, 106)]
TRUTH = np.array([sample.count for sample in TEST])
ESTIMATORS = {
    "mean": MeanCount(),
    "detector": SlidingWindowDetector((9.0, 16.0), random_state=0),
    "patches": PatchRegressor(),
    "linear": LinearDensity(words=24, sigma=4.0, random_state=0),
    "forest": ForestDensity(trees=6, sigma=4.0, random_state=0),
}
MAPS = ("linear", "forest")
every = pytest.mark.parametrize("name", ESTIMATORS)


@pytest.fixture(scope="module")
def fitted():
    return {name: clone(estimator).fit(TRAIN) for name, estimator in ESTIMATORS.items()}


@pytest.mark.parametrize("name", [name for name in ESTIMATORS if name != "mean"])
def test_error_is_far_below_that_of_the_mean(fitted, name):
    error = np.abs(fitted[name].predict(TEST) - TRUTH).mean()
    mean = np.abs(fitted["mean"].predict(TEST) - TRUTH).mean()
    assert error < mean / 2.5


def test_mean_is_the_mean(fitted):
    assert fitted["mean"].predict([EMPTY]) == pytest.approx(np.mean([sample.count for sample in TRAIN]))


@every
def test_counts_are_floats_one_a_picture_and_not_negative(fitted, name):
    counts = fitted[name].predict([EMPTY, TEST[0].picture, TEST[1]])
    assert counts.shape == (3,) and counts.dtype == np.float64 and (counts >= 0).all()


@every
def test_samples_and_arrays_teach_the_same(fitted, name):
    other = clone(ESTIMATORS[name]).fit([s.picture for s in TRAIN], [s.points for s in TRAIN])
    np.testing.assert_array_equal(other.predict(TEST[:2]), fitted[name].predict(TEST[:2]))


@every
def test_clone_has_the_settings_and_nothing_learned(fitted, name):
    copy = clone(fitted[name])
    assert copy.get_params() == ESTIMATORS[name].get_params()
    with pytest.raises(NotFittedError):
        copy.predict(TEST)


@pytest.mark.parametrize("name", ["detector", "linear", "forest"])
def test_random_state_decides(name):
    first, second, other = (clone(ESTIMATORS[name]).set_params(random_state=seed).fit(TRAIN[:3]) for seed in (1, 1, 2))
    read = {
        "detector": lambda e: e.weights_,
        "linear": lambda e: e.weights_,
        "forest": lambda e: e.predict_map(TEST[0]),
    }
    np.testing.assert_array_equal(read[name](first), read[name](second))
    assert not np.array_equal(read[name](first), read[name](other))


def test_grid_search_chooses_by_the_error_of_the_count():
    search = GridSearchCV(PatchRegressor(regressor=Ridge()), {"regressor__alpha": [1.0, 1e9]}, cv=2)
    search.fit([s.picture for s in TRAIN], [s.points for s in TRAIN])
    assert search.best_params_ == {"regressor__alpha": 1.0}
    errors = np.abs(search.predict(TEST) - TRUTH)
    assert search.score(TEST, [s.points for s in TEST]) == pytest.approx(-errors.mean())


# Maps


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("size", [(64, 64), (41, 67), (33, 90)])
def test_sum_of_the_map_is_the_count(fitted, name, size):
    picture = _scene(7, size).picture
    density = fitted[name].predict_map(picture)
    assert density.shape == (-(-size[0] // 8), -(-size[1] // 8)) and density.dtype == np.float32
    assert (density >= 0).all()
    assert fitted[name].predict([picture])[0] == pytest.approx(density.sum(), rel=1e-5)


@pytest.mark.parametrize("name", MAPS)
def test_map_is_high_where_the_heads_are(fitted, name):
    density = fitted[name].predict_map(TEST[0])
    columns, rows = (TEST[0].points // 8).astype(int).T
    assert density[rows, columns].mean() > 2 * density.mean()


def test_linear_density_is_the_histogram_of_words_times_weights(fitted):
    linear = fitted["linear"]
    for sample in TEST[:2]:
        index = linear.word_map(sample)
        assert index.shape == (20, 25)
        histogram = np.bincount(index.ravel(), minlength=24)
        assert histogram @ linear.weights_ == pytest.approx(linear.predict([sample])[0])
    assert (linear.weights_ >= 0).all()


def test_forest_averages_the_patches_that_cover_a_cell(fitted):
    forest = clone(ESTIMATORS["forest"]).fit(TRAIN[:2])

    class Ones:
        def predict(self, features):
            return np.tile(np.arange(9.0), (len(features), 1))

    forest.forest_ = Ones()
    density = forest.predict_map(np.zeros((32, 40, 3), np.uint8))
    assert (density[1:-1, 1:-1] == 4).all()  # the mean of 0..8
    assert density[0, 0] == np.mean([0, 1, 3, 4])  # covered by itself and the neighbors to the right and below


def test_memory_keeps_features_and_changes_nothing(fitted, monkeypatch):
    memory = {}
    for name in ("patches", "linear", "forest"):
        estimator = clone(ESTIMATORS[name]).set_params(memory=memory).fit(TRAIN)
        np.testing.assert_array_equal(estimator.predict(TEST), fitted[name].predict(TEST))
    assert len(memory) == 3 * (len(TRAIN) + len(TEST))
    monkeypatch.setattr("crowdcount.baselines.density.filtered", None)  # nothing is computed again
    ForestDensity(trees=1, memory=memory).fit(TRAIN).predict(TEST)
    assert len(memory) == 3 * (len(TRAIN) + len(TEST))


# Detection


@pytest.mark.parametrize("name", ["patches", "linear", "forest"])
def test_clones_share_the_memory(name):
    memory = {}
    estimator = clone(ESTIMATORS[name]).set_params(memory=memory)
    twin = clone(estimator)
    assert twin.memory is memory
    assert estimator.memory is memory
    twin.fit(TRAIN[:4])
    assert len(memory) == 4
    assert twin.get_params() == estimator.get_params()


@pytest.mark.parametrize("size", [(1, 40), (40, 1), (1, 1)])
@pytest.mark.parametrize("name", ["patches", "linear", "forest"])
def test_lines_of_pixels_are_told(fitted, name, size):
    height, width = size
    with pytest.raises(DataError, match=f"2 x 2 pixels at least. Received: one of {width} x {height} pixels"):
        fitted[name].predict([np.zeros((*size, 3), np.uint8)])


@pytest.mark.parametrize("name", ["mean", "detector"])
def test_lines_of_pixels_are_counted_without_edges(fitted, name):
    assert fitted[name].predict([np.zeros((1, 40, 3), np.uint8)]) >= 0


def test_detected_boxes_lie_on_heads(fitted):
    found = fitted["detector"].detect(TEST[0])
    centers = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    distance = np.linalg.norm(centers[:, None] - TEST[0].points, axis=2)
    assert len(found) and np.mean(distance.min(axis=1) < HEAD / 2) > 0.8
    assert (np.diff(found.scores) <= 0).all() and found.scores[-1] >= fitted["detector"].threshold_


def test_higher_threshold_never_finds_more(fitted):
    counts = [len(fitted["detector"].detect(TEST[0], threshold=each)) for each in (-0.8, -0.3, 0.2, 0.7, 50.0)]
    assert counts == sorted(counts, reverse=True) and counts[0] > counts[-1] == 0


def test_counts_at_all_thresholds_follow_from_one_search(fitted):
    detector = fitted["detector"]
    scores = detector.detect(TEST[1], threshold=-0.5).scores
    for threshold in (-0.2, 0.0, 0.4):
        assert len(detector.detect(TEST[1], threshold=threshold)) == (scores >= threshold).sum()


def test_threshold_is_the_best_of_its_curve(fitted):
    detector = fitted["detector"]
    thresholds, errors = detector.curve_.T
    assert errors[np.flatnonzero(thresholds == detector.threshold_)[0]] == errors.min()
    given = SlidingWindowDetector((9.0, 16.0), threshold=0.3, mined=1, random_state=0).fit(TRAIN[:2])
    assert given.threshold_ == 0.3 and not len(given.curve_)


def test_scores_are_those_of_the_cut_out_window(fitted):
    """The correlation over the whole picture equals the classifier on one window cut out by hand."""
    detector = fitted["detector"]
    boxes, scores, places = detector.candidates(TEST[0].picture, -10.0)
    for place in (0, 40, len(boxes) - 1):
        blocks, i, j = places[place]
        by_hand = blocks[i : i + 5, j : j + 5].ravel() @ detector.weights_ + detector.bias_
        assert scores[place] == pytest.approx(by_hand, abs=1e-4)
    smallest = boxes[:, 2] - boxes[:, 0]
    assert smallest.min() == pytest.approx(9.0) and 16 <= smallest.max() < 16 * 1.25


def test_sizes_set_the_scale():
    right = SlidingWindowDetector((6.0, 24.0), random_state=0).fit(TRAIN, sizes=[[HEAD] * s.count for s in TRAIN])
    boxes = np.concatenate([right.detect(s).boxes for s in TEST])
    assert abs(np.median(boxes[:, 2] - boxes[:, 0]) - HEAD) < 4


def test_hog_equals_scikit_image(rng):
    gray = rng.integers(0, 256, (45, 61)).astype(np.uint8)
    for cell, orientations in ((4, 9), (8, 6)):
        expected = hog(gray, orientations, (cell, cell), (2, 2), feature_vector=False)
        ours = hog_blocks(gray, cell=cell, orientations=orientations)
        np.testing.assert_allclose(ours, expected.reshape(ours.shape), atol=2e-4)


def test_suppression_keeps_the_surest_of_each_group(rng):
    corners = rng.uniform(0, 60, (80, 2))
    boxes, scores = np.concatenate([corners, corners + rng.uniform(5, 15, (80, 2))], axis=1), rng.random(80)
    kept = non_maximum_suppression(boxes, scores, 0.3)

    def overlap(a, b):
        shared = np.prod(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None))
        return shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared)

    for i in range(80):
        surer = [j for j in kept if scores[j] > scores[i] and overlap(boxes[i], boxes[j]) > 0.3]
        assert (i in kept) == (not surer)
    assert (np.diff(scores[kept]) <= 0).all()
    assert non_maximum_suppression(np.zeros((0, 4)), np.zeros(0)).shape == (0,)


# Features


def test_patches_add_up_and_count_each_head_once(fitted):
    grid = fitted["patches"].predict_patches(TEST[0])
    assert grid.shape == (2, 3) and grid.sum() == pytest.approx(fitted["patches"].predict([TEST[0]])[0])


def test_patch_features_tell_what_they_say():
    picture = np.full((32, 64, 3), 255, np.uint8)
    picture[8:16, 36:44] = 0
    plain, marked = patch_features(picture, np.array([0, 32]), np.array([0, 32, 64]))[0]
    assert plain[1] == 0 and marked[1] == pytest.approx(64 / 32**2)
    assert plain[3] == 0 < marked[3] and plain[10] == 0 < marked[10]
    assert marked[12:22].sum() == pytest.approx(1)  # the histogram of patterns


def test_cell_features_are_local_means(rng):
    picture = np.zeros((64, 64, 3), np.uint8)
    before = cell_features(picture)
    picture[:4, :4] = 255
    after = cell_features(picture)
    assert np.abs(after[0, 0] - before[0, 0]).max() > 0.1
    assert np.abs(after[-1, -1] - before[-1, -1]).max() < 1e-6


# Wrong input


@every
@pytest.mark.parametrize(
    ("pictures", "points", "message"),
    [
        ([], [], "empty"),
        ([EMPTY], None, "must be a Sample"),
        ([EMPTY, EMPTY], [[(1, 1)]], "2 pictures, 1"),
        (EMPTY, [[(1, 1)]], "list of pictures"),
    ],
)
def test_wrong_input_is_named(name, pictures, points, message):
    with pytest.raises(DataError, match=message):
        clone(ESTIMATORS[name]).fit(pictures, points)


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (SlidingWindowDetector((0, 5)), "heads="),
        (SlidingWindowDetector(overlap=2), "overlap=2"),
        (SlidingWindowDetector(mined=0), "mined=0"),
        (PatchRegressor(3), "patch=3"),
        (LinearDensity(0), "words=0"),
        (LinearDensity(alpha=0), "alpha=0"),
        (ForestDensity(trees=0), "trees=0"),
    ],
)
def test_wrong_settings_are_named(estimator, message):
    with pytest.raises(DataError, match=message):
        estimator.fit(TRAIN[:1])


def test_detector_needs_heads_and_their_sizes():
    with pytest.raises(DataError, match="no head"):
        SlidingWindowDetector(random_state=0).fit([EMPTY], [[]])
    with pytest.raises(DataError, match="one length for each head"):
        SlidingWindowDetector().fit(TRAIN[:1], sizes=[[3.0]])
    for wrong in (np.nan, -1.0, 0.0):
        with pytest.raises(DataError, match=f"above 0. Received: {wrong}"):
            SlidingWindowDetector().fit(TRAIN[:1], sizes=[[wrong] * len(TRAIN[0].points)])


def test_detector_takes_a_head_annotated_outside_of_its_picture():
    sample = TRAIN[0]
    height, width = sample.read().shape[:2]
    outside = np.concatenate([sample.points, [[width + 70.0, height / 2]]])
    assert SlidingWindowDetector(random_state=0).fit([sample.read()] * 4, [outside] * 4).predict([sample]).shape == (1,)


@pytest.mark.parametrize("name", [name for name in ESTIMATORS if name != "detector"])
def test_nobody_in_training_gives_zero(name):
    noisy = np.random.default_rng(0).integers(0, 255, (48, 48, 3)).astype(np.uint8)
    assert clone(ESTIMATORS[name]).fit([noisy], [[]]).predict([noisy])[0] == pytest.approx(0, abs=0.3)


def test_missing_packages_are_named():
    program = "import sys; sys.modules['sklearn'] = None; import crowdcount; import crowdcount.baselines"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode and 'pip install ".[notebooks]"' in done.stderr.splitlines()[-1]


# Regions of interest


def _left_half(sample: Sample, **changes) -> Sample:
    """The sample, of which only the left half is counted."""
    height, width = sample.picture.shape[:2]
    half = np.array([[0, 0], [width / 2, 0], [width / 2, height], [0, height]])
    return replace(sample, roi=Region([half]), **changes)


@every
def test_of_samples_with_a_region_only_what_is_inside_counts(fitted, name):
    """All that is learned and counted stays when heads outside are lost, and counts of the two halves add up."""
    halves = [_left_half(sample) for sample in TRAIN]
    fewer = [replace(half, points=half.points[half.points[:, 0] < 50]) for half in halves]
    assert sum(half.count for half in halves) > 1.5 * sum(half.count for half in fewer) > 0
    taught, same = (clone(ESTIMATORS[name]).fit(samples) for samples in (halves, fewer))
    inside = [_left_half(sample) for sample in TEST]
    np.testing.assert_array_equal(taught.predict(inside), same.predict(inside))
    true = [int((sample.points[:, 0] < 50).sum()) for sample in TEST]
    assert taught.score(inside) == pytest.approx(-np.abs(taught.predict(inside) - true).mean())

    if name == "mean":
        assert taught.mean_ == np.mean([half.count for half in fewer])
        return
    outside = [replace(sample, ignore=[[0, 0, 50, 80]]) for sample in TEST]
    both = fitted[name].predict(inside) + fitted[name].predict(outside)
    np.testing.assert_allclose(both, fitted[name].predict(TEST), rtol=1e-5)


@pytest.mark.parametrize("name", [name for name in ESTIMATORS if name != "mean"])
def test_a_region_is_learned_from_as_well_as_a_whole_picture(name):
    """Dots are missing outside, where as many disks are: whoever learns from there counts half."""
    halves = [_left_half(sample, points=sample.points[sample.points[:, 0] < 50]) for sample in TRAIN]
    estimator = clone(ESTIMATORS[name]).fit(halves)
    assert np.abs(estimator.predict(TEST) - TRUTH).mean() < 0.25 * TRUTH.mean()


@pytest.mark.parametrize("name", [name for name in ESTIMATORS if name != "mean"])
def test_regions_in_which_nothing_is_to_be_seen_are_told(name):
    nothing = replace(TRAIN[0], ignore=[[0, 0, 100, 80]])
    with pytest.raises(DataError, match=r"learn"):
        clone(ESTIMATORS[name]).fit([nothing])


def test_more_words_than_places_are_told():
    with pytest.raises(DataError, match="128 words"):
        LinearDensity().fit([np.zeros((24, 24, 3), np.uint8)], [[(3, 3)]])


def test_a_detector_without_a_window_free_of_heads_is_told():
    grid = [[x, y] for x in range(0, 32, 4) for y in range(0, 32, 4)]
    with pytest.raises(DataError, match="Heads stand everywhere"):
        SlidingWindowDetector((6.0, 16.0), threshold=0.0).fit([Sample("a", np.zeros((32, 32, 3), np.uint8), grid)])
