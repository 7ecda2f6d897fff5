"""Drawn crowds: the truth is true, the geometry is perspective, and the same seed gives the same pixels."""

import csv
import math

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat

from crowdcount.data.annotations import read_csv, read_shanghaitech
from crowdcount.drawn import crowds as synthetic
from crowdcount.drawn.crowds import SCENES, draw_crowd, draw_sample, head_patches, write_dataset
from crowdcount.drawn.people import HEAD_HEIGHT, HEAD_LENGTH, SKIN, TOP, Canvas, Parts, render_figure
from crowdcount.drawn.places import Camera
from crowdcount.errors import DataError
from crowdcount.files import data_folder

SMALL = (120, 160)


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("people", [0, 17])
def test_as_many_points_as_asked_all_inside_and_in_sight(scene, people):
    drawn = draw_crowd(people, size=SMALL, seed=5, scene=scene)
    assert drawn.picture.shape == (*SMALL, 3) and drawn.picture.dtype == np.uint8
    assert drawn.points.shape == (people, 2) and drawn.points.dtype == np.float64 and drawn.count == people
    assert (drawn.points > 0).all() and (drawn.points < SMALL[::-1]).all()
    assert drawn.perspective.shape == SMALL and drawn.perspective.dtype == np.float32
    assert (drawn.visible >= 0.2).all() and (drawn.visible <= 1).all()
    assert drawn.picture.std() > 5


def test_same_seed_same_pixels_other_seed_others():
    first, again, other = (draw_crowd(9, size=SMALL, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.picture, again.picture) and np.array_equal(first.points, again.points)
    assert first.camera_height == again.camera_height
    assert not np.array_equal(first.picture, other.picture) and not np.array_equal(first.points, other.points)


def test_every_point_lies_on_a_drawn_head(monkeypatch):
    """With people only, on a plain gray, head centers are not gray and places without people are."""

    def paint(camera, *_):
        return np.full((*camera.shape, 3), 128, np.float32), np.zeros(camera.shape, bool)

    monkeypatch.setattr(synthetic, "paint_place", paint)
    monkeypatch.setattr(synthetic, "_expose", lambda canvas, *_: np.array(canvas))
    drawn = draw_crowd(25, size=(240, 320), seed=4, scene="square", haze=0.0)
    somebody = (drawn.picture != 128).any(axis=2)
    # Around the center, because one of its own pixels may happen to be as gray as the ground.
    for (x, y), seen in zip(drawn.points, drawn.visible, strict=True):
        if seen > 0.7:
            assert somebody[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2].mean() > 0.6
    # Nothing is drawn higher than an arm's length over the farthest head.
    scale = drawn.perspective[int(drawn.points[:, 1].min()), 0]
    assert not somebody[: max(int(drawn.points[:, 1].min() - scale), 0)].any()


def test_size_falls_with_distance():
    drawn = draw_crowd(20, size=SMALL, seed=8, scene="square", camera_height=6, tilt=20)
    column = drawn.perspective[:, 0]
    ground = column[column > 0]
    assert (np.diff(ground) > 0).all(), "nearer rows are lower in the picture and larger"
    assert (drawn.perspective == column[:, None]).all(), "the camera does not roll"
    assert (drawn.perspective[drawn.points[:, 1].astype(int), 0] > 0).all(), (
        "people stand where the map says that they can"
    )


def test_perspective_map_agrees_with_the_camera():
    camera = Camera(height=7.0, tilt=22.0, focal=300.0, shape=(200, 300))
    scale = camera.perspective(HEAD_HEIGHT, 60.0)
    for z in (8.0, 15.0, 30.0):
        px, py, expected = camera.project(1.0, HEAD_HEIGHT, z)
        assert scale[int(py), int(px)] == pytest.approx(expected, rel=0.03)
        # A head at this place, drawn from its top to its chin, is as long as the map says.
        above, below = (camera.project(1.0, HEAD_HEIGHT + lift, z)[1] for lift in (HEAD_LENGTH / 2, -HEAD_LENGTH / 2))
        lean = math.cos(math.radians(camera.elevation(py)))
        assert below - above == pytest.approx(HEAD_LENGTH * expected * lean, rel=0.1)


@pytest.mark.parametrize("rise", [0.0, 0.5])
def test_ground_inverts_project(rise):
    camera = Camera(height=6.0, tilt=15.0, focal=250.0, shape=(200, 300), start=8.0 if rise else 0.0, rise=rise)
    for x, z in ((-3.0, 9.0), (2.0, 14.0), (0.5, 25.0)):
        px, py, scale = camera.project(x, camera.floor_height(z) + 1.2, z)
        back_x, back_z, depth = camera.ground(px, py, 1.2)
        assert (back_x, back_z) == pytest.approx((x, z)) and camera.focal / depth == pytest.approx(scale)


def test_viewpoint_and_density_are_settable():
    low, high = (draw_crowd(10, size=SMALL, seed=2, scene="square", camera_height=h, tilt=30) for h in (4, 12))
    assert (low.camera_height, low.tilt) == (4, 30)
    assert np.median(low.perspective[low.perspective > 0]) > np.median(high.perspective[high.perspective > 0])
    # Pressed together they need less ground: the area of the box around them, in meters, by the camera.
    areas = []
    for density in (0.1, 2.0):
        drawn = draw_crowd(30, size=(240, 320), seed=2, scene="square", camera_height=9, tilt=30, density=density)
        camera = Camera(drawn.camera_height, drawn.tilt, drawn.focal, (240, 320))
        x, z, _ = camera.ground(*drawn.points.T, HEAD_HEIGHT)
        gaps = np.hypot(x[:, None] - x, z[:, None] - z) + 1e9 * np.eye(len(x))
        areas.append(np.median(gaps.min(axis=1)))
    assert areas[1] < 0.7 * areas[0]


def test_noise_and_jpeg_are_settable():
    clean = draw_crowd(3, size=SMALL, seed=6, scene="hall", noise=0, jpeg_quality=100).picture.astype(float)
    noisy = draw_crowd(3, size=SMALL, seed=6, scene="hall", noise=20, jpeg_quality=100).picture.astype(float)
    coarse = draw_crowd(3, size=SMALL, seed=6, scene="hall", noise=0, jpeg_quality=10).picture.astype(float)
    assert 5 < np.std(noisy - clean) < 40
    assert 1 < np.std(coarse - clean) < 25


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"people": -1}, "people=-1"),
        ({"people": 3001}, "people=3001"),
        ({"people": 2.5}, "people=2.5"),
        ({"size": (20, 300)}, "size="),
        ({"size": 300}, "size=300"),
        ({"size": ("96", "128")}, "size="),
        ({"seed": -1}, "seed=-1"),
        ({"seed": 1.5}, "seed=1.5"),
        ({"scene": "beach"}, "beach"),
        ({"density": 0}, "density=0"),
        ({"camera_height": 1.0}, "camera_height=1.0"),
        ({"tilt": 95}, "tilt=95"),
        ({"jpeg_quality": 5}, "jpeg_quality=5"),
        ({"haze": 1.0}, "haze=1.0"),
        ({"people": 3000, "size": (64, 64), "scene": "square"}, "of 3000 heads"),
    ],
)
def test_bad_values_are_named(arguments, named):
    with pytest.raises(DataError, match=named):
        draw_crowd(**{"size": SMALL, **arguments})


def test_mirrored_and_halved_figures_agree_with_the_original():
    figure, mirrored = (render_figure(7, 3, 1, 112, mirrored=flag) for flag in (False, True))
    assert np.array_equal(figure.material, mirrored.material[:, ::-1])
    assert figure.head_x + mirrored.head_x == pytest.approx(figure.material.shape[1])
    assert np.allclose(figure.normal[..., 0], -mirrored.normal[:, ::-1, 0])
    half = render_figure(7, 3, 1, 56)
    heads = [np.argwhere(np.asarray(f.kind) == 2).mean(axis=0) - (f.head_y, f.head_x) for f in (figure, half)]
    assert np.allclose(heads[0] / 2, heads[1], atol=0.6), "the head center stays on the same part of the head"


@pytest.mark.parametrize("elevation", [0.0, 0.7])
def test_parts_are_where_they_should_be_and_hide_one_another(elevation):
    """A ball, the same ball again, a rod before it and one behind it, by what geometry says of each."""
    canvas = Canvas(0.0, elevation, 100)
    middle, toward = np.array([0, 0, 1.0]), canvas.view[2]
    parts = Parts()
    for _ in range(2):
        parts.ellipsoid(middle, (0.3, 0.3, 0.3), TOP)
    for away in (0.5, -0.5):
        parts.limb(middle + away * toward, middle + away * toward, 0.1, 0.1, SKIN)
    at, depth, normal, part = canvas.draw(parts)
    assert (np.diff(at) > 0).all()
    assert set(part) == {0, 2}, "of two in one place the first is seen, and nothing of what lies behind"
    rows, columns = np.divmod(at, canvas.width)
    place = np.stack([canvas.u[columns], canvas.v[rows], depth], -1) - canvas.view @ middle
    ball, rod = part == 0, part == 2
    assert np.allclose(np.linalg.norm(place[ball], axis=1), 0.3, atol=1e-4)
    assert np.allclose(normal[ball], place[ball] / 0.3, atol=2e-3)
    assert np.allclose(normal[rod], (place[rod] - (0, 0, 0.5)) / 0.1, atol=2e-3)
    assert rod.sum() == pytest.approx(np.pi * 10**2, rel=0.03)
    assert len(at) == pytest.approx(np.pi * 30**2, rel=0.02)


def test_a_figure_is_rendered_once_however_it_is_used():
    """Rendering is what a first picture costs: mirrored and halved figures share the one that they come from."""
    render_figure.cache_clear()
    for scale, mirrored in ((28, True), (28, False), (56, True), (56, False)):
        render_figure(3, 2, 1, scale, False, mirrored)
    assert render_figure.cache_info().misses == 4


def test_head_patches_are_heads_and_not_heads():
    patches, labels, crowds = head_patches(31, size=24, seed=1)
    assert patches.shape == (31, 24, 24, 3) and patches.dtype == np.uint8
    assert labels.sum() == 15 and set(labels) == {0, 1}
    again, _, same_crowds = head_patches(31, size=24, seed=1)
    other, _, _ = head_patches(31, size=24, seed=2)
    assert np.array_equal(crowds, same_crowds)
    assert np.array_equal(patches, again) and not np.array_equal(patches, other)
    # A head patch has a middle that differs from its rim more than a patch of ground, wall or cloth has.
    gray = patches.mean(axis=3)
    contrast = np.abs(gray[:, 8:16, 8:16].mean((1, 2)) - np.median(gray.reshape(31, -1), axis=1))
    assert np.median(contrast[labels == 1]) > 1.3 * np.median(contrast[labels == 0])
    for arguments in ({"n": 0}, {"n": 3, "size": 4}, {"n": 3, "each": 0}):
        with pytest.raises(DataError):
            head_patches(**arguments)


def test_every_crowd_gives_as_many_heads_as_others_and_few_of_either():
    """So a split by crowd has half heads on each side, and no set hangs on one crowd."""
    _, labels, crowds = head_patches(40, size=12, seed=3, each=6)
    assert sorted(set(crowds)) == list(range(crowds.max() + 1)) and len(set(crowds)) >= 4
    for crowd in set(crowds):
        assert 2 * labels[crowds == crowd].sum() == (crowds == crowd).sum() <= 12


def test_written_data_set_is_read_back(tmp_path):
    file = write_dataset(tmp_path, 3, people=(0, 6), size=(96, 128), seed=3)
    assert file == tmp_path / "points.csv"
    samples = read_csv(tmp_path)
    assert [sample.name for sample in samples] == [f"images/IMG_{k}.jpg" for k in (1, 2, 3)]
    assert all(0 <= sample.count <= 6 and sample.read().shape == (96, 128, 3) for sample in samples)
    before = file.read_bytes(), (tmp_path / "images" / "IMG_2.jpg").read_bytes()
    again = write_dataset(tmp_path / "again", 3, people=(0, 6), size=(96, 128), seed=3)
    assert before == (again.read_bytes(), (tmp_path / "again" / "images" / "IMG_2.jpg").read_bytes())
    assert sorted(path.name for path in again.parent.iterdir()) == ["images", "points.csv"], "no temporary file is left"


@pytest.mark.parametrize("own", ["points.csv", "images/IMG_1.jpg", "images/mine.jpg", "images/.hidden", "images"])
def test_somebodys_pictures_and_dots_are_not_replaced(tmp_path, own):
    (tmp_path / own).parent.mkdir(exist_ok=True)
    (tmp_path / own).write_bytes(b"mine")
    with pytest.raises(DataError, match="exists already"):
        write_dataset(tmp_path, 1, people=(1, 1), size=(64, 64))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / own]
    assert (tmp_path / own).read_bytes() == b"mine"


def test_a_data_set_that_cannot_be_drawn_to_its_end_leaves_nothing(tmp_path, monkeypatch):
    """Pictures without dots were in the way of the next try."""
    draw = synthetic.draw_crowd

    def stop_at_third(*given, **options):
        if len(list(tmp_path.rglob("*.jpg"))) == 2:
            raise KeyboardInterrupt
        return draw(*given, **options)

    with monkeypatch.context() as patch:
        patch.setattr(synthetic, "draw_crowd", stop_at_third)
        with pytest.raises(KeyboardInterrupt):
            write_dataset(tmp_path, 3, (1, 2), (64, 96))
    assert list(tmp_path.iterdir()) == []
    write_dataset(tmp_path, 1, (1, 2), (64, 96))


def test_a_data_set_may_come_into_a_folder_with_other_things(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "notes.txt").touch()
    file = write_dataset(tmp_path, 1, people=(1, 1), size=(64, 64))
    assert len(read_csv(file)) == 1


def test_nobody_is_one_row_with_empty_coordinates(tmp_path):
    file = write_dataset(tmp_path, 2, people=(0, 0), size=(64, 64))
    with open(file, newline="") as stream:
        assert list(csv.reader(stream)) == [
            ["picture", "x", "y"],
            ["images/IMG_1.jpg", "", ""],
            ["images/IMG_2.jpg", "", ""],
        ]


@pytest.mark.parametrize(
    "arguments", [{"pictures": 0}, {"pictures": 1, "people": (5, 2)}, {"pictures": 1, "people": (0, 9999)}]
)
def test_data_set_refuses_nonsense(tmp_path, arguments):
    with pytest.raises(DataError):
        write_dataset(tmp_path / "set", **arguments)
    assert not (tmp_path / "set").exists()


def test_bundled_set_is_whole():
    drawn = data_folder("datasets") / "drawn"
    for part in "AB":
        for split in ("train", "val", "test"):
            samples = read_shanghaitech(drawn, part, split)
            assert samples and all(sample.count for sample in samples)
    assert {sample.count for sample in read_csv(drawn)} >= {0, 1, 120}
    assert read_csv(drawn, "val")
    info = loadmat(drawn / "part_A" / "train_data" / "ground-truth" / "GT_IMG_1003.mat")["image_info"]
    assert info[0, 0][0, 0][0].shape == (25, 2) and int(info[0, 0][0, 0][1].item()) == 25
    sample = read_csv(data_folder("datasets") / "sample.csv")[0]
    # What lies there is what is drawn today: who changes the drawing draws the bundled set anew.
    np.testing.assert_allclose(sample.points, draw_sample().points, atol=0.02)
    with Image.open(sample.picture) as picture:
        assert picture.size == (1024, 768)


def test_bundled_files_stay_small():
    sizes = [path.stat().st_size for path in (data_folder("datasets") / "drawn").rglob("*") if path.is_file()]
    assert sum(sizes) < 600_000
    assert (data_folder("datasets") / "sample.jpg").stat().st_size < 256_000
