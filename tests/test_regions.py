"""Regions of interest and boxes to ignore: in the mask, the evaluation, the target and the loss."""

import keras
import numpy as np
import pytest
from test_evaluation import painted, reader_of_red  # noqa: F401 (a fixture)

from crowdcount.counting.kinds import observe
from crowdcount.data.annotations import Sample
from crowdcount.data.regions import Region, boxes_mask, cell_shares, points_inside, within
from crowdcount.errors import AnnotationError, DataError
from crowdcount.measuring.evaluation import evaluate
from crowdcount.training.callbacks import CropMAE
from crowdcount.training.losses import EuclideanLoss, MultiScaleLoss, PoissonLoss
from crowdcount.training.pipeline import Place, RandomCrops, example, training_dataset

TRIANGLE = [[0, 0], [40, 0], [0, 40]]
LEFT_HALF = Region([np.array([[0, 0], [8, 0], [8, 16], [0, 16.0]])])


def test_a_polygon_holds_the_pixels_whose_middles_it_holds():
    mask = Region([np.array(TRIANGLE, float)]).mask((50, 60))
    y, x = np.mgrid[:50, :60] + 0.5
    assert np.array_equal(mask[x + y != 40], (x + y < 40)[x + y != 40])
    two = Region([np.array(TRIANGLE, float), np.array([[50, 40], [60, 40], [60, 50], [50, 50.0]])]).mask((50, 60))
    assert np.array_equal(two[:40], mask[:40]) and two[40:, 50:].all()


@pytest.mark.parametrize(
    "wrong",
    [
        TRIANGLE,
        np.array(TRIANGLE),
        [TRIANGLE[:2]],
        [],
        [[[0, 0], [9, 0], [0, float("nan")]]],
        [[[0, 0], [9, 0], [0, 10**400]]],
        ["a"],
        7,
    ],
)
def test_what_is_no_polygons_is_no_region(wrong):
    """The corners of one polygon in the place of a list of polygons covered nothing: nobody was to be counted."""
    with pytest.raises(AnnotationError, match="list of polygons"):
        Region(wrong)


def test_a_sample_wants_a_region():
    with pytest.raises(AnnotationError, match="a: roi should be a crowdcount.data.regions.Region"):
        Sample("a", np.zeros((8, 8, 3), np.uint8), [], roi=[TRIANGLE])


def test_boxes_points_and_cells():
    assert boxes_mask([[-5, -5, 1e9, 1.6]], (4, 4)).sum(axis=1).tolist() == [4, 4, 0, 0]
    assert boxes_mask([[1, 0, 1, 4], [9, 9, 12, 12]], (4, 4)).sum() == 0
    mask = np.zeros((20, 20), bool)
    mask[:, :12] = True
    assert cell_shares(mask).tolist() == [[1, 0.5, 0]] * 3
    assert points_inside([[11.9, 3], [12, 3], [-4, 25], [99, 0]], mask).tolist() == [True, False, True, False]
    density, points = within(mask, np.ones((3, 3)), np.array([[11.0, 3], [13, 3]]))
    assert density.sum() == 4.5 and points.tolist() == [[11, 3]]
    assert within(None, density, points)[0] is density


def test_only_the_inside_is_scored(reader_of_red):  # noqa: F811
    heads = [(1, 1), (2, 5), (12, 12)]
    whole = painted([[2, 0], [0, 2]], "a", heads)
    half = Sample("b", whole.picture, heads, roi=LEFT_HALF, labels={"scene": "1"})
    boxed = Sample("c", whole.picture, heads, ignore=[[0, 0, 8, 16]], labels={"scene": "2"})
    result = evaluate(reader_of_red, [whole, half, boxed])
    assert [row["true"] for row in result.rows] == [3, 2, 1]
    assert [row["predicted"] for row in result.rows] == pytest.approx([4, 2, 2])
    assert [row["game1"] for row in result.rows] == pytest.approx([1, 0, 1])
    assert result.by_label["scene"]["1"] == {"pictures": 1, "mae": pytest.approx(0), "rmse": pytest.approx(0)}
    assert result.by_label["scene"]["2"]["mae"] == pytest.approx(1)


def test_cells_outside_are_in_neither_target_nor_loss():
    picture = np.zeros((32, 32, 3), np.uint8)
    counted = np.zeros((32, 32), bool)
    counted[:, :19] = True  # three of eight columns of the third cells
    place = Place(32, 32, 0, 0, 32, 32, mirrored=False)
    heads = np.array([[4.0, 4.0], [28.0, 28.0]])
    _, cells = example(picture, heads, place, sigma=2.0, counted=counted)
    assert np.isnan(cells[:, 2:]).all() and np.isfinite(cells[:, :2]).all()
    assert np.nansum(cells) == pytest.approx(1, abs=1e-3)
    _, mirrored = example(picture, heads, Place(32, 32, 0, 0, 32, 32, mirrored=True), sigma=2.0, counted=counted)
    assert np.array_equal(mirrored, cells[:, ::-1], equal_nan=True)
    # Enlarged, the region's border falls on other cells.
    _, larger = example(picture, heads, Place(64, 64, 0, 0, 64, 64, mirrored=False), sigma=4.0, counted=counted)
    assert np.isfinite(larger[0, :, 0]).tolist() == [True] * 5 + [False] * 3
    with pytest.raises(DataError, match="cannot leave out a region"):
        example(picture, heads, place, target="points", counted=counted)

    truth = cells[None]
    for loss in (EuclideanLoss(), PoissonLoss(), MultiScaleLoss()):
        quiet, loud = np.full_like(truth, 0.5), np.full_like(truth, 0.5)
        loud[:, :, 2:] = 70
        assert float(loss(truth, quiet)) == float(loss(truth, loud)) > 0
        if loss.__class__ is EuclideanLoss:
            assert float(loss(truth, quiet)) == pytest.approx(0.5 * np.nansum((truth - quiet) ** 2), rel=1e-5)
    metric = CropMAE()
    metric.update_state(truth, loud)
    assert float(metric.result()) == pytest.approx(abs(np.nansum(truth) - 0.5 * 8), rel=1e-4)


def test_a_network_learns_inside_a_region():
    sample = Sample("a", np.full((64, 64, 3), 128, np.uint8), [[8.0, 8.0]], roi=Region([np.array(TRIANGLE, float)]))
    batches = training_dataset([sample], RandomCrops(64), batch=1, sigma=4.0)
    _, target = next(iter(batches))
    assert np.isnan(target.numpy()).any() and np.nansum(target.numpy()) == pytest.approx(1, abs=0.05)
    model = keras.Sequential([keras.Input((64, 64, 3)), keras.layers.AveragePooling2D(8), keras.layers.Conv2D(1, 1)])
    model.compile("sgd", EuclideanLoss())
    history = model.fit(batches, steps_per_epoch=2, verbose=0)
    assert np.isfinite(history.history["loss"][0])
    assert all(np.isfinite(weights).all() for weights in model.get_weights())


def test_ranges_learn_nothing_from_where_nobody_is_counted(rng):
    """Quarters outside of a region were right about nothing, and the ranges of zones too narrow."""
    picture, mask = rng.integers(0, 255, (64, 96, 3), np.uint8), np.zeros((64, 96), bool)
    mask[:, :48] = True
    density, points = within(mask, rng.random((8, 12)), rng.random((40, 2)) * (96, 64))
    half, seen = observe(picture[:, :48], points, density[:, :6]), observe(picture, points, density, mask)
    assert (seen.true, seen.kind.density) == (half.true, pytest.approx(half.kind.density))
    inside = [seen.quarters[0], seen.quarters[2]]
    assert [quarter[0] for quarter in inside] == [sum(x[0] for x in half.quarters[i : i + 2]) for i in (0, 2)]
    assert sum(quarter[1] for quarter in inside) == pytest.approx(seen.predicted)
    assert np.mean([quarter[2] for quarter in inside]) == pytest.approx(seen.kind.density)
    assert seen.quarters[1] == seen.quarters[3] == (seen.true, seen.predicted, seen.kind.density)
    assert observe(picture, points, density, np.ones((64, 96), bool)) == observe(picture, points, density)
    nowhere = observe(picture, np.zeros((0, 2)), 0 * density, np.zeros((64, 96), bool))
    assert nowhere.kind.density == 0 and set(nowhere.quarters) == {(0.0, 0.0, 0.0)}
