"""Scraps that are strewn: how much they cover, and that nothing else changes."""

import numpy as np
import pytest

from crowdcount.training.nobody import strew


@pytest.mark.parametrize("seed", range(30))
def test_scraps_cover_no_more_than_they_may(seed):
    ground = np.random.default_rng(seed).integers(0, 256, (128, 160, 3), np.uint8)
    before = ground.copy()
    strewn = strew(ground, seed, thickest=0.4)
    assert strewn.shape == ground.shape and strewn.dtype == np.uint8
    np.testing.assert_array_equal(ground, before)
    # A scrap's soft edge reaches into pixels that it covers in part: the smallest are all edge.
    assert 0 < (strewn != ground).any(axis=-1).mean() < 0.8
    # The color of the ground comes through by the share that lies bare: what is strewn does not depend on it.
    black, white = (strew(np.full_like(ground, level), seed, thickest=0.4).astype(float) for level in (0, 255))
    bare = (white - black) / 255
    assert bare.min() >= 0 and bare.max() <= 1 and np.ptp(bare, axis=-1).max() < 0.01
    assert 1 - bare.mean() < 0.45


def test_seeds_strew_other_scraps():
    ground = np.full((64, 64, 3), 90, np.uint8)
    assert len({strew(ground, seed, 0.5).tobytes() for seed in range(1, 9)}) == 8
    np.testing.assert_array_equal(strew(ground, 3, 0.5), strew(ground, 3, 0.5))
