"""Warnings: each speaks of pictures with its fault, made by code, and not of the same pictures without it."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image, ImageFilter

from crowdcount import draw_crowd
from crowdcount.counting.doubts import Doubt, find_doubts, fullest_block, sample_blocks
from crowdcount.counting.scale import Look
from crowdcount.counting.turned import fullest_part, on_its_side


@pytest.fixture(scope="module")
def street():
    return draw_crowd(60, size=(240, 320), seed=3, scene="street").picture


def people(picture, number=40.0):
    """A density map with so many people in the middle."""
    density = np.zeros([-(-side // 8) for side in picture.shape[:2]], np.float32)
    rows, columns = density.shape
    middle = density[rows // 4 : -(-3 * rows // 4), columns // 4 : -(-3 * columns // 4)]
    middle += number / middle.size
    return density


def test_good_picture_is_not_doubted(street):
    assert find_doubts(street, people(street)) == {}


@pytest.mark.parametrize("sigma", [2, 4, 8])
def test_blur_is_told(street, sigma):
    soft = np.asarray(Image.fromarray(street).filter(ImageFilter.GaussianBlur(sigma)))
    assert list(find_doubts(soft, people(soft))) == [Doubt.BLURRED]


def test_enlarging_is_told(street):
    large = np.asarray(Image.fromarray(street).resize((960, 720), Image.Resampling.BICUBIC))
    assert list(find_doubts(large, people(large, 300))) == [Doubt.BLURRED]


@pytest.mark.parametrize("light", [0.05, 0.1, 0.25])
def test_darkness_is_told(street, light):
    night = np.rint(street * light).astype(np.uint8)
    assert list(find_doubts(night, people(night))) == [Doubt.DARK]


@pytest.mark.parametrize("noise", [0, 1, 4, 8])
@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (127, 127, 127), (40, 90, 160)])
def test_blank_pictures_are_told_whatever_their_noise_and_slope(rng, color, noise):
    slope = np.linspace(-30, 30, 300)[:, np.newaxis, np.newaxis]
    for picture in (np.full((300, 200, 3), color, float), color + slope * np.ones((300, 200, 3))):
        picture = np.clip(np.rint(picture + rng.normal(0, noise, picture.shape)), 0, 255).astype(np.uint8)
        (doubt,) = find_doubts(picture, people(picture))
        # Noise on black is told one way or the other.
        assert doubt == Doubt.BLANK or (not any(color) and doubt == Doubt.DARK)


def test_a_wall_with_a_few_people_is_no_blank_picture(street):
    wall = np.full((600, 800, 3), 180, np.uint8)
    wall[300:540, 200:520] = street
    assert Doubt.BLANK not in find_doubts(wall, people(wall))


def test_nobody_in_sight_is_told_by_the_fullest_place_and_not_by_the_sum(street):
    nowhere = np.full((30, 40), 0.8 / 64, np.float32)
    assert nowhere.sum() > 10
    assert list(find_doubts(street, nowhere)) == [Doubt.NOBODY]
    nowhere[10, 20] += 1.0
    assert find_doubts(street, nowhere) == {}


def test_heads_closer_together_than_trained_on_are_told(street):
    everywhere = np.full((30, 40), 0.9, np.float32)
    assert list(find_doubts(street, everywhere)) == [Doubt.CROWDED]
    assert find_doubts(street, everywhere / 3) == {}
    # As dense, but in a corner: a crowd, as there are in training.
    corner = np.zeros((30, 40), np.float32)
    corner[:10, :10] = 0.9
    assert find_doubts(street, corner) == {}


def test_thumbnail_is_told(street):
    small = np.asarray(Image.fromarray(street).resize((169, 127)))
    assert "very small (169x127 pixels)" in find_doubts(small, people(small))[Doubt.SMALL]
    larger = np.asarray(Image.fromarray(street).resize((171, 128)))
    assert Doubt.SMALL not in find_doubts(larger, people(larger))


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 2**31))
def test_any_picture_gives_sentences(height, width, seed):
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    density = rng.random((-(-height // 8), -(-width // 8)), dtype=np.float32)
    assert all(sentence.endswith(".") for sentence in find_doubts(picture, density).values())


@settings(deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**31))
def test_fullest_block_is_the_largest_sum_of_eight_by_eight_cells(rows, columns, seed):
    density = np.random.default_rng(seed).random((rows, columns), dtype=np.float32)
    windows = sliding_window_view(density.astype(float), (min(8, rows), min(8, columns)))
    assert fullest_block(density) == pytest.approx(windows.sum(axis=(2, 3)).max())


def test_large_pictures_are_sampled_from_edge_to_edge():
    picture = np.zeros((3000, 5000, 3), np.uint8)
    picture[-64:, -64:] = 200
    blocks = sample_blocks(picture)
    assert blocks.shape == (144, 64, 64)
    assert blocks[-1].min() == pytest.approx(200) and blocks[:-1].max() == 0


# --- on its side ----------------------------------------------------------------------------------------------------


def lines_counter(network, picture):
    """Counts strokes: an upright one as 3, a lying one as 1."""
    dark = np.pad((picture[..., 0] < 128).astype(np.float32), ((0, 1), (0, 1)))
    seen = dark[:-1, :-1] * (3 * dark[1:, :-1] + dark[:-1, 1:])
    return np.add.reduceat(np.add.reduceat(seen, range(0, len(seen), 8), 0), range(0, seen.shape[1], 8), 1)


def strokes(rng, number):
    """Upright strokes in the right half of a bright picture."""
    picture = np.full((256, 512, 3), 255, np.uint8)
    for row, column in zip(rng.integers(0, 250, number), rng.integers(260, 512, number)):
        picture[row : row + 4, column] = 0
    return picture


@pytest.mark.parametrize("turn", [0, 1, 3])
def test_a_picture_on_its_side_is_told(rng, monkeypatch, turn):
    monkeypatch.setattr("crowdcount.counting.turned.predict_density", lines_counter)
    picture = np.rot90(strokes(rng, 60), turn)
    told = on_its_side(None, Look(1.0, picture, lines_counter(None, picture)))
    assert (told is None) == (turn == 0)


def test_few_people_are_not_said_to_lie(rng, monkeypatch):
    monkeypatch.setattr("crowdcount.counting.turned.predict_density", lines_counter)
    picture = np.rot90(strokes(rng, 1))
    assert on_its_side(None, Look(1.0, picture, lines_counter(None, picture))) is None


def test_the_fullest_part_is_where_the_people_are(rng):
    picture = rng.integers(0, 256, (300, 700, 3), np.uint8)
    density = np.zeros((38, 88), np.float32)
    density[20:30, 60:70] = 1.0
    part, people = fullest_part(Look(1.0, picture, density))
    assert people == 100 and part.shape == (256, 256, 3)
    cells = sliding_window_view(picture, (256, 256, 3))[::8, ::8, 0]
    (place,) = np.argwhere((cells == part).all((2, 3, 4)))
    assert (place <= (20, 60)).all() and (place + 32 >= (30, 70)).all()
