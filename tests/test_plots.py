"""Figures: what an overlay shows and what it leaves alone."""

import matplotlib
import numpy as np
import pytest
from PIL import ImageDraw

from crowdcount.errors import DataError
from crowdcount.show import plots
from crowdcount.show.overlays import color_scale, draw_contours, draw_dots
from crowdcount.show.plots import add_caption, heat_layer, overlay, plot_count, plot_learning, top_density

matplotlib.use("Agg")


@pytest.fixture
def gray():
    return np.full((50, 90, 3), 100, np.uint8)


def test_overlay_changes_the_picture_only_where_people_are(gray):
    density = np.zeros((7, 12), np.float32)
    density[2, 3] = 1.0
    changed = (overlay(gray, density) != gray).any(axis=-1)
    assert changed[20, 28]  # the middle of the cell
    rows, columns = np.nonzero(changed)
    assert rows.min() >= 8 and rows.max() < 32 and columns.min() >= 16 and columns.max() < 40


def test_overlay_is_brighter_where_the_crowd_is_denser(gray):
    density = np.repeat(np.linspace(0.05, 1, 12, dtype=np.float32)[np.newaxis], 7, axis=0)
    brightness = overlay(gray, density).astype(float).mean(axis=(0, 2))
    assert brightness[80] > brightness[40] > brightness[10]


def test_overlay_of_faint_noise_stays_faint(gray):
    noise = np.full((7, 12), 1e-4, np.float32)
    assert np.abs(overlay(gray, noise).astype(int) - gray).max() < 8


def test_cells_that_go_over_the_edge_are_cut_and_not_squeezed(gray, rng):
    density = rng.random((7, 12), dtype=np.float32)
    whole = overlay(np.full((56, 96, 3), 100, np.uint8), density)  # as large as the cells
    shown = overlay(gray, density)
    assert shown.shape == gray.shape
    assert np.abs(shown[:45, :85].astype(int) - whole[:45, :85]).max() <= 1


def test_overlay_shrinks_and_never_enlarges(gray):
    density = np.zeros((7, 12), np.float32)
    assert overlay(gray, density, longest_side=45).shape == (25, 45, 3)
    assert overlay(gray, density, longest_side=500).shape == gray.shape


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_painting_in_strips_leaves_no_seams(rng, monkeypatch, rows):
    picture = rng.integers(0, 256, (203, 90, 3), dtype=np.uint8)
    density = rng.random((26, 12), dtype=np.float32)
    for longest_side in (None, 111):
        monkeypatch.setattr(plots, "_ROWS", 10_000)
        whole = overlay(picture, density, longest_side=longest_side)
        monkeypatch.setattr(plots, "_ROWS", rows)
        strips = overlay(picture, density, longest_side=longest_side)
        assert np.abs(strips.astype(int) - whole).max() <= 3


def test_overlay_leaves_the_picture_itself_alone(gray):
    before = gray.copy()
    overlay(gray, np.ones((7, 12), np.float32))
    assert (gray == before).all()


def test_overlay_refuses_the_map_of_another_picture(gray):
    with pytest.raises(ValueError, match=r"shape \(7, 12\).*\(6, 12\)"):
        overlay(gray, np.zeros((6, 12), np.float32))


@pytest.mark.parametrize("width", [8, 90, 1200])
def test_caption_is_written_below_and_fits_any_width(width):
    picture = np.full((40, width, 3), 100, np.uint8)
    shown = add_caption(picture, "about 243 people in square.jpg")
    assert (shown[:40] == picture).all()
    assert shown.shape[1] == width
    if width > 8:
        assert shown[40:].max() > 128
    if width == 1200:
        assert shown[40:, -100:].max() == 0  # room is left: nothing is cut


@pytest.mark.parametrize("sign", "²é–Жλي")
def test_captions_have_the_signs_that_zones_are_named_with(sign):
    """None is shown as the box that stands for a missing one."""
    picture = np.full((40, 90, 3), 200, np.uint8)
    assert (add_caption(picture, sign) != add_caption(picture, "\uffff")).any()


def test_caption_of_several_lines_and_of_a_line_too_long_is_written_in_full():
    picture = np.full((40, 600, 3), 100, np.uint8)
    one = add_caption(picture, "about 243 people")
    two = add_caption(picture, "about 243 people\nThe picture is very dark.")
    assert two.shape[0] > one.shape[0] and (two[: one.shape[0] - 8] == one[:-8]).all()
    assert two[one.shape[0] :].max() > 128
    long = add_caption(picture, "about 243 people " * 12)
    assert long.shape[0] > two.shape[0]
    assert long[40:, -4:].max() < 128  # broken, not cut


def test_color_bar_says_what_it_measures(gray):
    axes = plot_count(gray, np.full((7, 12), 0.5, np.float32), title="about 42 people")
    assert axes.get_title() == "about 42 people"
    bar = next(other for other in axes.figure.axes if other is not axes)
    assert "people per cell" in bar.get_ylabel()
    assert bar.get_ylim() == (0, 0.5)
    matplotlib.pyplot.close("all")


def test_learning_curve_goes_on_over_runs():
    rows = [
        {"run": "1", "loss": "9", "val_mae": "", "val_rmse": ""},
        {"run": "1", "loss": "7", "val_mae": "30", "val_rmse": "40"},
        {"run": "2", "loss": "8", "val_mae": "20", "val_rmse": "35"},
        {"run": "2", "loss": "5", "val_mae": "", "val_rmse": ""},
        {"run": "2", "loss": "4", "val_mae": "25", "val_rmse": "36"},
    ]
    figure = plot_learning(rows, title="tiny", kept=1)
    losses, errors = figure.axes
    first, second, start = (line.get_xydata().tolist() for line in losses.lines)
    assert (first, second) == ([[1, 9], [2, 7]], [[3, 8], [4, 5], [5, 4]])
    assert [x for x, _ in start] == [2.5, 2.5]
    drawn = {line.get_label(): line.get_xydata().tolist() for line in errors.lines}
    assert drawn["MAE"] == [[2, 30], [3, 20], [5, 25]] and drawn["RMSE"] == [[2, 40], [3, 35], [5, 36]]
    assert [x for x, _ in drawn["weights kept"]] == [3, 3]  # the second run's first epoch
    assert losses.get_title() == "tiny"


def test_learning_curve_of_one_run_without_validation(tmp_path):
    rows = [{"epoch": epoch, "loss": 1 / epoch, "val_mae": "", "val_rmse": ""} for epoch in (1, 2, 3)]
    figure = plot_learning(rows)
    assert len(figure.axes[0].lines) == 1
    figure.savefig(tmp_path / "curve.png")
    with pytest.raises(DataError, match="at least one epoch"):
        plot_learning([])


def test_dots_and_contours_leave_the_heads_in_sight(gray):
    """Where the crowd is, colors would cover all of it."""
    density = np.zeros((12, 16), np.float32)
    density[2:10, 3:13] = 1
    heads = np.array([[40.0, 40.0], [90.0, 60.0]])
    picture = np.full((96, 128, 3), 128, np.uint8)
    inside = (slice(24, 72), slice(32, 96))
    for shown in (draw_dots(picture, heads), draw_contours(picture, density)):
        changed = (shown != picture).any(axis=-1)
        assert (
            changed.sum() > 0 and changed[inside].mean() < 0.3 < (overlay(picture, density) != picture)[inside].mean()
        )
    assert all(draw_dots(picture, heads)[int(y), int(x)].tolist() != [128] * 3 for x, y in heads)


def test_contour_closes_where_the_crowd_goes_over_the_edge():
    shown = draw_contours(np.zeros((64, 64, 3), np.uint8), np.ones((8, 8), np.float32))
    assert shown[:, :8].any() and shown[:, -8:].any() and shown[:8].any() and shown[-8:].any()


def test_heads_of_a_large_picture_are_seen_as_those_of_the_size_that_was_counted():
    """Spread over sixteen times as many cells, each has a sixteenth of the people."""
    density = np.array([[0, 0.02], [0.3, 1.5]], np.float32)
    large = np.repeat(np.repeat(density, 4, axis=0), 4, axis=1) / 16
    np.testing.assert_array_equal(heat_layer(large, 0.25)[::4, ::4, 3], heat_layer(density)[..., 3])
    assert heat_layer(large)[..., 3].max() < heat_layer(density)[..., 3].max()
    black = np.zeros((64, 64, 3), np.uint8)
    np.testing.assert_array_equal(overlay(black, large, scale=0.25), overlay(black, large * 16))
    np.testing.assert_array_equal(heat_layer(density, 4.0), heat_layer(density))
    axes = plot_count(black, large, title="large", scale=0.25)
    np.testing.assert_array_equal(axes.images[0].get_array(), overlay(black, large, scale=0.25))
    assert axes.figure.axes[-1].get_ylim()[1] == pytest.approx(top_density(large, 0.25))
    axes = plot_count(black, large, title="cells", thing="cells")
    assert axes.figure.axes[-1].get_ylabel() == "cells per cell of 8 x 8 pixels"
    assert not np.array_equal(color_scale(640, large), color_scale(640, large, thing="cells"))


def test_numbers_of_the_color_scale_have_no_exponents(monkeypatch):
    written = []
    monkeypatch.setattr(ImageDraw.ImageDraw, "text", lambda self, at, text, **how: written.append(text))
    for people, most in ((2.0, "130"), (0.2, "13"), (0.06, "3.8")):
        written.clear()
        color_scale(640, np.full((6, 8), people, np.float32))
        assert written[-1].strip() == most


@pytest.mark.parametrize("width", [40, 200, 1024, 5000])
def test_color_scale_fits_any_width_and_has_the_colors_in_order(width):
    strip = color_scale(width, np.full((40, 60), 0.5, np.float32))
    assert strip.shape[1] == width
    colored = np.ptp(strip.astype(int), axis=-1).max(axis=0) > 40
    if width > 100:
        light = strip[strip.shape[0] // 2, colored].astype(int).sum(axis=-1)
        assert light[-1] > light[0] and colored.sum() > 0.05 * width
