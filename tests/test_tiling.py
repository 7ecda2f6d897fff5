"""Windows over a large picture: each cell once, seen whole, all of one size, and no more read than needed."""

import numpy as np
import pytest

from crowdcount.network.tiling import windows

CASES = [
    ((2160, 3840), 144, 2_100_000),
    ((3000, 4000), 144, 2_100_000),
    ((3001, 4007), 96, 2_100_000),
    ((1449, 1450), 240, 2_100_000),
    ((10_000, 10_000), 144, 2_100_000),
    ((200, 60_000), 144, 2_100_000),
    ((60_000, 7), 144, 400_000),
    ((2160, 3840), 144, 0),  # no memory at all
    ((601, 1003), 144, 400_000),
]


@pytest.mark.parametrize(("shape", "margin", "most"), CASES)
def test_each_cell_is_one_windows_own_and_seen_whole(shape, margin, most):
    cells = tuple(-(-side // 8) for side in shape)
    given = np.zeros(cells, int)
    for window in windows(shape, margin=margin, most=most):
        given[window.cells] += 1
        for side, length, read, mine, own in zip(
            cells, shape, (window.rows, window.columns), window.cells, window.own, strict=True
        ):
            assert 0 <= read.start < read.stop <= length and read.start % 8 == 0
            assert own.start == mine.start - read.start // 8 and own.stop - own.start == mine.stop - mine.start
            # What reaches its cells is read, but for what lies outside of the picture.
            assert read.start <= max(0, mine.start * 8 - margin)
            assert read.stop == length if mine.stop == side else read.stop >= min(length, mine.stop * 8 + margin)
    assert (given == 1).all()


@pytest.mark.parametrize(("shape", "margin", "most"), CASES)
def test_windows_are_of_one_size_that_fits(shape, margin, most):
    cut = windows(shape, margin=margin, most=most)
    sizes = {(each.rows.stop - each.rows.start, each.columns.stop - each.columns.start) for each in cut}
    assert len(sizes) == 1
    height, width = sizes.pop()
    # Below the least window, of 224 pixels of its own, there is none.
    assert height * width <= max(most, (224 + 2 * margin + 16) ** 2)
    assert len(cut) > 1


def test_a_large_picture_is_read_little_more_than_once():
    for shape, times in (((2160, 3840), 1.35), ((3000, 4000), 1.4), ((10_000, 10_000), 1.6), ((200, 60_000), 1.05)):
        cut = windows(shape, margin=144, most=2_100_000)
        read = sum((each.rows.stop - each.rows.start) * (each.columns.stop - each.columns.start) for each in cut)
        assert read < times * shape[0] * shape[1], shape


def test_a_picture_that_fits_is_one_window():
    (only,) = windows((1083, 1921), margin=144, most=2_100_000)
    assert (only.rows, only.columns) == (slice(0, 1083), slice(0, 1921))
    assert only.cells == only.own == (slice(0, 136), slice(0, 241))
