"""Examples and batches: the same place in picture and target, the same heads, the same order for a seed."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from crowdcount.data.annotations import Sample
from crowdcount.data.density import DensityWarning, sum_pool
from crowdcount.errors import DataError
from crowdcount.grid import STRIDE
from crowdcount.training.feeding import Batches
from crowdcount.training.mining import HardPlaces
from crowdcount.training.pipeline import (
    PADDING_COLOR,
    Examples,
    PaperPatches,
    Place,
    RandomCrops,
    epoch_steps,
    example,
    training_dataset,
)
from crowdcount.training.recipes import RECIPES


def _marked(height, width, heads, seed=0):
    """A black picture with one white pixel at each head: where the heads are can be read from the pixels."""
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(0, height, heads), rng.integers(0, width, heads)
    picture = np.zeros((height, width, 3), np.uint8)
    picture[rows, columns] = 255
    return Sample(f"marked-{seed}", picture, np.stack([columns + 0.5, rows + 0.5], axis=1))


@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    heads=st.integers(0, 30),
    size=st.sampled_from([8, 32, 64]),
    epoch=st.integers(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_points_and_pixels_are_cut_at_the_same_place(height, width, heads, size, epoch):
    sample = _marked(height, width, heads)
    place = RandomCrops(size).place(0, height, width, (1, 2), epoch)
    pixels, target = example(sample.picture, sample.points, place, target="points")
    assert pixels.shape == (size, size, 3)
    columns, rows = np.floor(target[:, :2]).astype(int).T
    marked = np.zeros((size, size), bool)
    marked[rows, columns] = True
    np.testing.assert_array_equal(marked, (pixels == 255).all(-1))
    assert (target[:, 2] == 1).all()


@given(height=st.integers(8, 90), width=st.integers(8, 90), number=st.integers(0, 17))
@settings(max_examples=60, deadline=None)
def test_map_and_pixels_are_cut_at_the_same_place(height, width, number):
    """With a kernel far smaller than a cell the map is the number of white pixels of each cell."""
    sample = _marked(height, width, 12)
    # One head a pixel: heads that share a pixel would be one white pixel.
    sample = Sample("once", sample.picture, np.unique(sample.points, axis=0))
    for crops in (RandomCrops(32), PaperPatches()):
        place = crops.place(number, height, width, (3, 4), 0)
        pixels, target = example(sample.picture, sample.points, place, sigma=0.05)
        white = (pixels == 255).all(-1).astype(float)
        np.testing.assert_allclose(target[..., 0], sum_pool(white), atol=1e-3)
        assert place.top % STRIDE == place.left % STRIDE == 0


def test_crops_of_one_picture_share_its_heads():
    """The four quarters of the paper's patches tile the picture: together they hold every head."""
    sample = _marked(96, 128, 40)
    quarters = [
        example(sample.picture, sample.points, PaperPatches().place(number, 96, 128, (0, 0), 0), sigma=4.0)[1]
        for number in range(4)
    ]
    assert sum(map(np.sum, quarters)) == pytest.approx(40, rel=1e-4)


def test_paper_patches_are_quarters_fixed_and_mirrored():
    sample = _marked(100, 140, 30)
    places = [PaperPatches().place(number, 100, 140, (7,), 0) for number in range(18)]
    assert {(place.height, place.width) for place in places} == {(48, 64)}
    assert len({(place.top, place.left) for place in places}) >= 5
    assert places == [PaperPatches().place(number, 100, 140, (7,), 3) for number in range(18)]
    for plain, mirrored in zip(places[:9], places[9:]):
        a = example(sample.picture, sample.points, plain, sigma=5.0)
        b = example(sample.picture, sample.points, mirrored, sigma=5.0)
        np.testing.assert_array_equal(a[0][:, ::-1], b[0])
        np.testing.assert_allclose(a[1][:, ::-1], b[1], atol=1e-6)


def test_scale_moves_heads_with_the_picture():
    """A bright square around one head stays around it when the picture is resized."""
    picture = np.zeros((120, 160, 3), np.uint8)
    picture[40:60, 80:100] = 255
    points = np.array([[90.0, 50.0]])
    crops = RandomCrops(64, scale=(0.5, 0.9))
    seen = 0
    for number in range(40):
        place = crops.place(number, 120, 160, (0,), 0)
        pixels, target = example(picture, points, place, target="points")
        if len(target):
            seen += 1
            rows, columns = np.nonzero(pixels[..., 0] > 128)
            if rows.min() > 0 and rows.max() < 63 and columns.min() > 0 and columns.max() < 63:
                assert abs(rows.mean() + 0.5 - target[0, 1]) < 1 and abs(columns.mean() + 0.5 - target[0, 0]) < 1
        assert 60 <= place.picture_height <= 108
    assert seen > 5


def test_heads_outside_are_told_once_a_picture_not_at_each_size():
    """A run on a data set with dots outside had a line of them for each example, about a size that no file has."""
    outside = [Sample(name, np.zeros((70, 90, 3), np.uint8), [[95.0, 20.0], [30.0, 30.0]]) for name in "ab"]
    examples = Examples(outside, RandomCrops(96, scale=(0.5, 0.9)), sigma=2.0)
    with pytest.warns(DensityWarning) as told:
        targets = [examples(number)[1] for number in range(12)]
    assert sorted(str(each.message)[:80] for each in told) == [
        f"{name}: 1 of 2 heads lie outside the picture of width 90 and height 70. Each is counted"[:80] for name in "ab"
    ]
    assert [target.sum() for target in targets] == pytest.approx([2] * 12, rel=1e-5)


def test_small_picture_is_padded_not_enlarged():
    sample = _marked(20, 30, 5)
    pixels, target = example(sample.picture, sample.points, RandomCrops(64).place(0, 20, 30, (0,), 0), sigma=2.0)
    inside = (pixels != PADDING_COLOR).any(-1)
    assert inside.sum() == 20 * 30
    assert target.sum() == pytest.approx(5, rel=1e-4)


@given(height=st.integers(1, 70), width=st.integers(1, 70), stride=st.sampled_from([1, 3, 8]))
@settings(max_examples=40, deadline=None)
def test_sum_pool_keeps_the_sum(height, width, stride):
    density = np.random.default_rng(0).random((height, width))
    pooled = sum_pool(density, stride)
    assert pooled.shape == (-(-height // stride), -(-width // stride))
    assert pooled.sum() == pytest.approx(density.sum())
    assert pooled[0, 0] == pytest.approx(density[:stride, :stride].sum())


def _batches(samples, number, **arguments):
    dataset = training_dataset(samples, arguments.pop("crops", RandomCrops(32)), **arguments)
    return [(pixels.numpy(), target.numpy()) for pixels, target in dataset.take(number)]


@pytest.fixture(scope="module")
def crowd():
    return [_marked(50 + 7 * number, 80, 3 * number, number) for number in range(5)]


def test_batches_repeat_for_a_seed_and_go_on_where_they_stopped(crowd):
    whole = _batches(crowd, 6, batch=2, seed=5)
    again = _batches(crowd, 6, batch=2, seed=5)
    later = _batches(crowd, 3, batch=2, seed=5, first_example=6)
    other = _batches(crowd, 6, batch=2, seed=6)
    for (a, b), (c, d) in zip(whole + whole[3:], again + later):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)
    assert any((a != c).any() for (a, _), (c, _) in zip(whole, other))


def test_an_epoch_holds_every_picture_once(crowd):
    colored = [Sample(str(n), np.full((40, 40, 3), 40 * n, np.uint8), []) for n in range(5)]
    for epoch in range(2):
        batches = _batches(colored, 5, batch=1, first_example=5 * epoch)
        assert sorted(int(pixels[0, 0, 0, 0]) for pixels, _ in batches) == [0, 40, 80, 120, 160]
    assert epoch_steps(colored, RandomCrops(32, per_picture=3), batch=4) == 4


def test_points_are_padded_to_the_batch(crowd):
    ((_, target),) = _batches(crowd, 1, batch=5, target="points", crops=RandomCrops(88))
    assert target.shape[0] == 5 and target.shape[2] == 3
    assert set(np.unique(target[..., 2])) <= {0.0, 1.0}
    assert target[..., 2].sum(1).max() == target.shape[1]
    with ThreadPoolExecutor(2) as threads:  # what other backends than TensorFlow are fed by
        fed = Batches(Examples(crowd, RandomCrops(88), target="points"), 5, 0, threads)
        np.testing.assert_array_equal(fed[0][1], target)


def test_turned_crops_show_their_heads_where_they_are(rng):
    """Heads are painted: each of the eight ways that a crop can lie shows them at its own points and cells."""
    points = np.array([[8.5, 20.5], [40.5, 20.5], [44.5, 60.5]])
    picture = np.zeros((72, 72, 3), np.uint8)
    for x, y in points.astype(int):
        picture[y, x] = 255
    seen = set()
    for epoch in range(60):
        place = RandomCrops(64, turned=True).place(0, 72, 72, (3, 1), epoch)
        seen.add((place.mirrored, place.turns))
        pixels, target = example(picture, points, place, target="points")
        assert all(pixels[int(y), int(x), 0] == 255 for x, y, _ in target)
        _, cells = example(picture, points, place, sigma=0.5)
        white = (pixels[..., 0] == 255).astype(float)
        np.testing.assert_allclose(cells[..., 0], white.reshape(8, 8, 8, 8).sum(axis=(1, 3)), atol=0.2)
    assert len(seen) == 8


def test_heads_on_the_border_and_outside_are_counted_in_points_as_in_maps():
    picture, points = np.zeros((32, 64, 3), np.uint8), np.array([[64.0, 32.0], [0.0, 0.0], [70.0, -3.0], [30.0, 9.0]])
    for mirrored in (False, True):
        whole = Place(32, 64, 0, 0, 32, 64, mirrored)
        assert example(picture, points, whole)[1].sum() == pytest.approx(4)
        heads = example(picture, points, whole, target="points")[1]
        assert len(heads) == 4 and (heads[:, :2] >= 0).all() and (heads[:, :2] <= (64, 32)).all()


def test_soft_crops_lose_detail_and_keep_their_heads(crowd):
    picture, points = np.random.default_rng(0).integers(0, 256, (96, 96, 3)).astype(np.uint8), crowd[0].points
    sharp = RandomCrops(64).place(0, 96, 96, (0, 0), 0)
    soft = RandomCrops(64, soft=1.0).place(0, 96, 96, (0, 0), 0)
    assert soft.soft and not sharp.soft
    (a, one), (b, two) = (example(picture, points % 96, place) for place in (sharp, soft))
    assert np.abs(np.diff(b.astype(int), axis=1)).mean() < 0.8 * np.abs(np.diff(a.astype(int), axis=1)).mean()
    np.testing.assert_array_equal(one, two)


def test_blank_crops_show_nothing_and_hold_nobody(crowd):
    picture, points = crowd[0].read(), crowd[0].points
    places = [RandomCrops(64, blank=0.25).place(0, *picture.shape[:2], (0, 0), epoch) for epoch in range(400)]
    blank = [place for place in places if place.blank]
    assert 60 <= len(blank) <= 140  # a quarter of 400, give or take five standard deviations
    for place in blank[:20]:
        pixels, cells = example(picture, points, place)
        assert pixels.shape == (64, 64, 3) and not cells.any()
        # No structure: each row, or each column, is one color but for noise.
        noise = min(np.diff(pixels.astype(float), axis=axis).std() for axis in (0, 1)) / 2**0.5
        plain = min(np.diff(pixels.astype(float).mean(axis=axis), n=2, axis=0).std() for axis in (0, 1))
        # Independent noise in the mean of 64 pixels, and in its second differences (1, -2, 1).
        assert plain < 2 + 1.2 * noise * 6**0.5 / 64**0.5
        assert not len(example(picture, points, place, target="points")[1])
    assert len({example(picture, points, place)[0].tobytes() for place in blank[:20]}) > 15
    first = example(picture, points, blank[0])[0]
    np.testing.assert_array_equal(first, example(picture, points, blank[0])[0])


def test_light_and_colors_change_and_the_heads_stay():
    rng = np.random.default_rng(0)
    picture, points = rng.integers(0, 256, (64, 96, 3), np.uint8), rng.uniform(0, 60, (9, 2))
    crops = RandomCrops(32, gamma=(0.5, 2.0), gray=0.25)
    places = [crops.place(0, *picture.shape[:2], (0, 0), epoch) for epoch in range(400)]
    assert 60 <= sum(place.gray for place in places) <= 140
    logs = np.log2([place.gamma for place in places])
    assert -1 <= logs.min() < -0.9 and 0.9 < logs.max() <= 1 and abs(logs.mean()) < 0.15
    for place in places[:20]:
        pixels, cells = example(picture, points, place)
        plain_pixels, plain_cells = example(picture, points, replace(place, gamma=1.0, gray=False))
        np.testing.assert_array_equal(cells, plain_cells)
        expected = 255 * (plain_pixels / 255) ** place.gamma
        if place.gray:
            assert (pixels == pixels[..., :1]).all()
            expected = expected @ (0.299, 0.587, 0.114)  # luma of ITU-R 601-2
            pixels = pixels[..., 0]
        assert abs(pixels - expected).max() <= 1.6  # one rounding of the levels, one of the luma
    # What is not asked for is not done.
    plain = RandomCrops(32).place(0, *picture.shape[:2], (0, 0), 7)
    assert (plain.gamma, plain.gray, plain.haze[0], plain.clutter) == (1.0, False, 0.0, 0)


def test_haze_moves_every_pixel_toward_a_light_gray_and_the_heads_stay(crowd):
    rng = np.random.default_rng(0)
    picture, points = rng.integers(0, 256, (64, 96, 3), np.uint8), rng.uniform(0, 60, (9, 2))
    crops = RandomCrops(32, haze=0.5)  # no crop reaches over the edge, where padding keeps its color
    places = [crops.place(0, *picture.shape[:2], (0, 0), epoch) for epoch in range(200)]
    shares, grays = np.transpose([place.haze for place in places])
    assert shares.min() >= 0 and 0.4 < shares.max() < 0.5 and np.median(shares) < 0.2  # mostly clear air
    assert grays.min() >= 128 and grays.max() <= 255
    for place in places[:20]:
        pixels, cells = example(picture, points, place)
        clear, clear_cells = example(picture, points, replace(place, haze=(0.0, 255)))
        share, gray = place.haze
        assert abs(pixels - ((1 - share) * clear + share * gray)).max() <= 0.51
        np.testing.assert_array_equal(cells, clear_cells)


def test_clutter_lies_over_the_picture_and_the_heads_stay(crowd):
    picture, points = np.full((90, 90, 3), 128, np.uint8), crowd[2].points
    crops = RandomCrops(64, blank=0.3, clutter=0.25)
    places = [crops.place(0, 90, 90, (0, 0), epoch) for epoch in range(400)]
    strewn = [place for place in places if place.clutter]
    assert 60 <= len(strewn) <= 140
    covered = {True: [], False: []}
    for place in strewn:
        pixels, cells = example(picture, points, place)
        bare, bare_cells = example(picture, points, replace(place, clutter=0))
        np.testing.assert_array_equal(cells, bare_cells)
        covered[place.blank > 0].append((pixels != bare).any(axis=-1).mean())
        np.testing.assert_array_equal(pixels, example(picture, points, place)[0])
    # Heads stay in sight; where there are none the ground may disappear.
    assert min(covered[False]) > 0 and max(covered[False]) < 0.6 < max(covered[True])
    assert len(covered[True]) > 10


@pytest.mark.parametrize(("height", "width"), [(768, 1024), (765, 1017)])
def test_the_edge_of_a_picture_is_shown_half_as_often_as_its_middle(height, width):
    places = [RandomCrops(256).place(0, height, width, (1,), epoch) for epoch in range(3000)]
    rows, columns = np.zeros(height), np.zeros(width)
    for place in places:
        rows[place.top : place.top + 256] += 1 / len(places)
        columns[place.left : place.left + 256] += 1 / len(places)
    # A crop of a third of the height shows a row in the middle in every third example, one at the edge in every sixth.
    for shown, share in ((rows, 256 / height), (columns, 256 / width)):
        middle = len(shown) // 2
        assert shown[middle - 64 : middle + 64].mean() == pytest.approx(share, rel=0.1)
        assert shown[[0, -1]] == pytest.approx(share / 2, rel=0.2)
        assert shown.min() == pytest.approx(share / 2, rel=0.2)


@given(x=st.floats(0, 1), y=st.floats(0, 1), epoch=st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_a_crop_around_a_point_shows_it(x, y, epoch):
    crops = RandomCrops(64, scale=(0.5, 2.0))
    place = crops.place(0, 120, 200, (5,), epoch, around=(x, y))
    plain = crops.place(0, 120, 200, (5,), epoch)
    assert (place.picture_height, place.picture_width) == (plain.picture_height, plain.picture_width)
    for begin, side, share in ((place.top, place.picture_height, y), (place.left, place.picture_width, x)):
        assert begin % STRIDE == 0 and 0 <= begin < max(1, side - 64 + STRIDE)
        offset = share * side - begin
        assert 0 <= offset <= max(64, side) + STRIDE
        if 64 * 0.75 < share * side < side - 64 * 0.75 - STRIDE:  # away from the edges: in the middle half
            assert 16 - STRIDE / 2 <= offset <= 48 + STRIDE / 2


def test_a_share_of_the_examples_shows_hard_places():
    """Pictures of one color each: an example's color says which picture it is of, its brightness where."""
    down, across = np.mgrid[:256, :256]
    ramp = np.stack([across, down], axis=-1).astype(np.uint8)
    colors = [np.full((256, 256), 40 * number, np.uint8) for number in range(6)]
    samples = [Sample(f"color-{number}", np.dstack([ramp, color]), []) for number, color in enumerate(colors)]
    places = HardPlaces(np.array([4]), np.array([[0.8, 0.3]]), np.array([1.0]))
    arguments = {"batch": 1, "sigma": 4.0, "seed": 1}

    def read(first, number, **options):
        data = training_dataset(samples, RandomCrops(64), first_example=first, **arguments, **options)
        return [pixels.numpy()[0] for pixels, _ in data.take(number)]

    examples = read(0, 240, hard=(places, 0.5))
    pictures = np.array([pixels[0, 0, 2] // 40 for pixels in examples])
    # Half of all, and a sixth of the others.
    assert (pictures == 4).mean() == pytest.approx(0.5 + 0.5 / 6, abs=0.08)
    assert all(np.mean(pictures == number) > 0.04 for number in range(6))
    shown = [pixels for pixels, picture in zip(examples, pictures) if picture == 4]
    low, high = (np.array([edge(pixels[..., :2], axis=(0, 1)) for pixels in shown]) for edge in (np.min, np.max))
    assert np.mean(((low <= (205, 77)) & (high >= (205, 77))).all(axis=1)) > 0.8
    assert len({pixels.tobytes() for pixels in shown}) > 40  # of some 4 x 4 offsets, mirrored or not, and other crops
    # As an uninterrupted run would have read them; the examples that show no hard place are what they are without.
    for a, b in zip(read(100, 20, hard=(places, 0.5)), examples[100:120]):
        np.testing.assert_array_equal(a, b)
    plain = read(0, 240)
    assert np.mean([np.array_equal(a, b) for a, b in zip(plain, examples)]) == pytest.approx(0.5, abs=0.08)


def test_the_papers_patches_show_no_hard_places(crowd):
    places = HardPlaces(np.array([0]), np.array([[0.5, 0.5]]), np.array([1.0]))
    with pytest.raises(DataError, match="RandomCrops.*PaperPatches.*0.5"):
        training_dataset(crowd, PaperPatches(), batch=1, hard=(places, 0.5))


def test_crops_have_a_known_size(crowd):
    pictures, maps = training_dataset(crowd, RandomCrops(64), batch=2).element_spec
    assert pictures.shape[1:] == (64, 64, 3) and maps.shape[1:] == (8, 8, 1)
    pictures, maps = training_dataset(crowd, PaperPatches(), batch=1).element_spec
    assert pictures.shape[1:] == (None, None, 3) and maps.shape[1:] == (None, None, 1)


def test_bad_settings(crowd):
    with pytest.raises(DataError, match="multiple of 8. Received: size=20"):
        RandomCrops(20)
    with pytest.raises(DataError, match="scale"):
        RandomCrops(16, scale=(2.0, 1.0))
    with pytest.raises(DataError, match="scale=0.5"):
        RandomCrops(32, scale=0.5)
    with pytest.raises(DataError, match="gamma"):
        RandomCrops(16, gamma=(0.0, 1.0))
    with pytest.raises(DataError, match="gray=1.5"):
        RandomCrops(16, gray=1.5)
    with pytest.raises(DataError, match="haze=1"):
        RandomCrops(16, haze=1)
    with pytest.raises(DataError, match="clutter=-0.1"):
        RandomCrops(16, clutter=-0.1)
    with pytest.raises(DataError, match="per_picture=0"):
        RandomCrops(16, per_picture=0)
    with pytest.raises(DataError, match="one example or more. Received: batch=0"):
        training_dataset(crowd, RandomCrops(16), batch=0)
    with pytest.raises(DataError, match="batches of one. Received: batch=2"):
        training_dataset(crowd, PaperPatches(), batch=2)
    with pytest.raises(DataError, match="empty"):
        training_dataset([], RandomCrops(16), batch=2)


def test_preparing_is_quicker_than_the_recipe_needs(shanghaitech_root):
    """The recipe's crop of a real part A picture, strewn with scraps, is ready in a third of the fastest step's 0.3 s.

    Crops are prepared beside the step before: what counts is to be ready in time. How long steps wait is measured by
    benchmarks/all.py.
    """
    from crowdcount.data.annotations import read_shanghaitech

    samples = read_shanghaitech(shanghaitech_root, "A")[:6]
    seconds = []
    for number, sample in enumerate(samples):
        start = time.thread_time()
        picture = sample.read()
        place = replace(RECIPES["wide"].phases[0].crops, clutter=1.0).place(0, *picture.shape[:2], (number,), 0)
        example(picture, sample.points, place, sigma=8.0)
        seconds.append(time.thread_time() - start)
    assert np.median(seconds) < 0.1
