"""Hard places: the network's errors are found where they are, weighed, drawn and kept."""

import numpy as np
import pytest

from crowdcount.data.annotations import Sample
from crowdcount.data.density import density_map
from crowdcount.errors import TrainingError
from crowdcount.grid import STRIDE
from crowdcount.training import mining
from crowdcount.training.mining import HardPlaces, find_hard_places, load_hard_places


def _sample(name, points, size=(256, 384)):
    return Sample(name, np.zeros((*size, 3), np.uint8), np.array(points, float).reshape(-1, 2))


@pytest.fixture
def network(monkeypatch):
    """A network that is right but for what is added to the map of the picture of a certain size."""
    added = {}

    def predict(network, picture):
        assert network is added
        size = picture.shape[:2]
        density = density_map(added["points", size], size, sigma=4.0, stride=STRIDE)
        for row, column, people in added.get(size, ()):
            density[row, column] += people
        return density

    monkeypatch.setattr(mining, "predict_density", predict)
    return added


def test_places_are_where_the_network_errs(network):
    first, second = _sample("a", [[64, 64]] * 8), _sample("b", [[300, 40]], (200, 330))
    network["points", (128, 192)], network["points", (100, 165)] = first.points / 2, second.points / 2
    network[128, 192] = [(3, 3, 6.0)]  # where the eight heads are
    network[100, 165] = [(12, 20, -2.0), (9, 9, 3.0)]  # the last, narrow square, and one without heads
    places = find_hard_places(network, [first, second])
    assert np.bincount(places.picture).tolist() == [2 * 3, 2 * 3]
    assert places.weight.sum() == pytest.approx(1)
    # Pearson's chi squared, one head added: 36 / 9 where eight are, 4 / 1 and 9 / 1 where none is.
    found = {
        (int(picture), *np.floor(center * np.array([[3, 2], [330 / 128, 200 / 128]])[picture]).astype(int)): weight
        for picture, center, weight in zip(places.picture, places.center, places.weight)
        if weight > 0.01
    }
    assert found == {
        (0, 0, 0): pytest.approx(4 / 17, rel=0.02),
        (1, 2, 1): pytest.approx(4 / 17, rel=0.02),
        (1, 1, 1): pytest.approx(9 / 17, rel=0.02),
    }
    assert (places.center >= 0).all() and (places.center <= 1).all()


def test_where_heads_stand_close_a_part_is_looked_at_at_its_own_size(monkeypatch):
    """Half their size would be too small for the network, which would err there and nowhere else."""
    grid = np.mgrid[8:512:16, 8:512:16].reshape(2, -1).T + 0.5
    picture = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)
    whole = density_map(grid, (512, 512), sigma=8.0, stride=STRIDE)
    whole[40, 36] += 5  # around pixel (292, 324), x and y
    seen = []

    def predict(network, part):
        found = np.argwhere((picture[:257:8, :257:8] == part[0, 0]).all(axis=-1))
        ((top, left),) = found.tolist()
        assert (picture[8 * top : 8 * top + 256, 8 * left : 8 * left + 256] == part).all()
        seen.append((8 * left, 8 * top))
        return whole[top : top + 32, left : left + 32]

    monkeypatch.setattr(mining, "predict_density", predict)
    places = find_hard_places(None, [Sample(str(number), picture, grid) for number in range(12)])
    assert len(set(seen)) > 8 and len(places.weight) == 12 * 4
    for number, (left, top) in enumerate(seen):
        weight, center = (values[places.picture == number] for values in (places.weight, places.center))
        if left + 256 > 288 and top + 256 > 320:
            assert np.abs(center[weight.argmax()] * 512 - (292, 324)).max() <= 64 + 8
        else:
            assert weight.sum() == pytest.approx(0, abs=1e-9)


def test_a_picture_alone_counts_with_a_share_of_all_errors(network):
    """A picture with another's annotation must not be half of what is shown."""
    samples = [_sample(str(number), [], (64, 64)) for number in range(150)] + [_sample("wrong", [], (64, 72))]
    network["points", (32, 32)] = network["points", (32, 36)] = np.zeros((0, 2))
    network[32, 32], network[32, 36] = [(1, 1, 2.0)], [(1, 1, 40.0)]  # 150 times 4, and 1600
    weight = find_hard_places(network, samples).weight
    assert weight[-1] == pytest.approx(0.03, rel=0.001)
    assert weight[:-1] == pytest.approx(np.full(150, 0.97 / 150), rel=0.01)


@pytest.mark.parametrize(
    "errors, shares", [((400.0, 1.0, 1.0, 1.0), (0.4, 0.2, 0.2, 0.2)), ((9.0, 5.0, 0.0), (0.5, 0.5, 0.0))]
)
def test_the_limit_holds_however_large_an_error_is(errors, shares):
    """Taking from one raises the others; where too few err for the limit, they share evenly."""
    assert mining.limited(np.array(errors), np.arange(len(errors)), 0.4) == pytest.approx(shares, rel=0.001)


def test_a_network_that_never_errs_has_no_place_harder_than_another(network):
    sample = _sample("a", [])
    network["points", (128, 192)] = sample.points
    assert find_hard_places(network, [sample]).weight.tolist() == [pytest.approx(1 / 6)] * 6


def test_places_are_drawn_as_often_as_they_weigh():
    places = HardPlaces(np.array([0, 0, 5]), np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]), np.array([0.1, 0.3, 0.6]))
    rng = np.random.default_rng(0)
    drawn = [places.draw(rng) for _ in range(2000)]
    for picture, center, share in ((0, (0.1, 0.2), 0.1), (0, (0.3, 0.4), 0.3), (5, (0.5, 0.6), 0.6)):
        assert drawn.count((picture, center)) / 2000 == pytest.approx(share, abs=0.04)


def test_places_are_kept(tmp_path):
    places = HardPlaces(np.array([0, 3]), np.array([[0.5, 0.25], [1.0, 0.0]]), np.array([0.25, 0.75]))
    places.save(tmp_path / "hard.npz")
    again = load_hard_places(tmp_path / "hard.npz", 4)
    for name in ("picture", "center", "weight"):
        np.testing.assert_array_equal(getattr(again, name), getattr(places, name))
    with pytest.raises(TrainingError, match="not of these 3 pictures"):
        load_hard_places(tmp_path / "hard.npz", 3)
    with pytest.raises(TrainingError, match="cannot be read from .*none.npz"):
        load_hard_places(tmp_path / "none.npz", 4)
    whole = (tmp_path / "hard.npz").read_bytes()
    for damaged in (b"", b"no arrays", whole[:60], whole[: len(whole) // 2]):
        (tmp_path / "broken.npz").write_bytes(damaged)
        with pytest.raises(TrainingError, match="cannot be read from .*anew"):
            load_hard_places(tmp_path / "broken.npz", 4)


def test_no_pictures_are_said():
    with pytest.raises(TrainingError, match="No pictures"):
        find_hard_places(None, [])
