"""A small network learns from a large one: its first weights, its targets, its runs."""

import dataclasses
import functools
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import crowd as drawn_crowd
from PIL import Image

from crowdcount.data.annotations import Sample
from crowdcount.data.density import density_map
from crowdcount.errors import TrainingError
from crowdcount.network.cards import model_card
from crowdcount.network.csrnet import CSRNet
from crowdcount.network.prediction import predict_density
from crowdcount.network.weight_files import save_weights
from crowdcount.training import recipes, teacher as teaching
from crowdcount.training.losses import PoissonLoss
from crowdcount.training.narrowing import narrow
from crowdcount.training.pipeline import Place, RandomCrops, example
from crowdcount.training.plan import new_plan
from crowdcount.training.recipes import RECIPES
from crowdcount.training.run import train
from crowdcount.training.state import Checkpoint
from crowdcount.training.teacher import Lessons, digest_of, learn_maps

crowd = functools.partial(drawn_crowd, heads=(3, 30))


@pytest.fixture(scope="module")
def quick():
    """The recipe with steps that suit a tiny network."""
    phase = dataclasses.replace(
        RECIPES["light"].phases[0],
        crops=recipes.RandomCrops(96),
        batch=4,
        epochs=6,
        optimizer=lambda steps, before, total: keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(4e-3, total), use_ema=True, ema_momentum=0.5
        ),
    )
    # All crops weigh alike: what a few steps teach is all in the dense ones.
    return dataclasses.replace(RECIPES["light"], name="quick", phases=(phase,), loss=PoissonLoss, width=1 / 16)


@pytest.fixture(scope="module")
def teacher(quick, tmp_path_factory) -> str:
    """A network of twice the student's width that has learned to count."""
    plain = dataclasses.replace(quick, name="teacher", taught=0.0, width=1 / 8)
    out = tmp_path_factory.mktemp("teacher")
    return str(train(crowd(24), out=out, recipe=plain, init="none", seed=2, epochs=8).last)


def distance(student: keras.Model, teacher: keras.Model) -> float:
    """Heads, of a picture that neither has seen, that lie in other cells than the teacher's."""
    pictures = [sample.picture for sample in crowd(8, seed=9) if sample.count == 30]
    assert len(pictures) > 2
    return float(np.mean([np.abs(predict_density(student, p) - predict_density(teacher, p)).sum() for p in pictures]))


# --- First weights ------------------------------------------------------------------------------------------


def test_fitted_first_weights_are_nearer_to_the_teacher_than_random_ones(teacher):
    network = CSRNet(width=1 / 8, weights=teacher, precision="float32")
    keras.utils.set_random_seed(1)
    students = [CSRNet(width=1 / 16, precision="float32") for _ in range(3)]
    before = min(distance(student, network) for student in students)
    narrow(students[0], network, crowd(6))
    assert distance(students[0], network) < 0.7 * before


def test_a_student_of_the_teachers_width_begins_as_the_teacher(teacher):
    network, student = (CSRNet(width=1 / 8, weights=each, precision="float32") for each in (teacher, None))
    narrow(student, network, crowd(6))
    for sample in crowd(3, seed=9):
        assert predict_density(student, sample.picture).sum() == pytest.approx(
            predict_density(network, sample.picture).sum(), rel=0.02, abs=0.1
        )


def test_a_teacher_of_other_layers_gives_no_first_weights():
    inputs = keras.Input((None, None, 3))
    other = keras.Model(inputs, keras.layers.Conv2D(1, 8, strides=8, padding="same")(inputs), name="other")
    with pytest.raises(TrainingError, match="'other' has other layers.*--init"):
        narrow(CSRNet(width=1 / 64), other, crowd(1))


def test_a_narrower_teacher_gives_no_first_weights():
    with pytest.raises(TrainingError, match="narrower than the network that learns from it.*--width.*--init"):
        narrow(CSRNet(width=1 / 32), CSRNet(width=1 / 64), crowd(1))


# --- Targets ------------------------------------------------------------------------------------------------


def test_a_target_is_mixed_of_annotation_and_teacher_at_the_same_place():
    """The teacher sees the heads elsewhere, and half as many: the target has three quarters, in both places."""
    sample = Sample("a", np.zeros((64, 96, 3), np.uint8), [[20.0, 20.0], [20.0, 20.0]])
    seen = density_map(np.array([[76.0, 44.0]]), (64, 96), sigma=1.0, stride=8)
    lessons = Lessons({"a": seen.astype(np.float16)}, 0.5)
    for size, place in {
        (64, 96): Place(64, 96, 0, 0, 64, 96, mirrored=False),
        (128, 192): Place(128, 192, 0, 0, 128, 192, mirrored=False),
        (48, 72): Place(48, 72, 0, 0, 48, 72, mirrored=True),
    }.items():
        _, target = example(
            sample.picture,
            sample.points,
            place,
            sigma=0.5,
            taught=lambda cells, resized: lessons.mixed("a", cells, (64, 96), resized),
        )
        cells = target[..., 0] if not place.mirrored else target[:, ::-1, 0]
        assert cells.sum() == pytest.approx(1.5, rel=1e-3)
        rows, columns = cells.shape
        assert cells[: rows // 2, : columns // 2].sum() == pytest.approx(1.0, rel=1e-3), size
        assert cells[rows // 2 :, columns // 2 :].sum() == pytest.approx(0.5, rel=1e-3), size


def test_cells_that_nobody_knows_stay_unknown():
    cells = np.array([[np.nan, 1.0]], np.float32)
    mixed = Lessons({"a": np.ones((1, 2), np.float16)}, 0.5).mixed("a", cells, (8, 16), (8, 16))
    assert np.isnan(mixed[0, 0]) and mixed[0, 1] == 1.0


def test_where_nobody_is_annotated_the_teacher_is_not_asked(teacher, tmp_path):
    samples = crowd(2, heads=(0,))
    assert learn_maps(teacher, digest_of(teacher), samples, tmp_path / "maps") == {}
    assert not (tmp_path / "maps").exists()
    truth = np.zeros((12, 16), np.float32)
    assert Lessons({}, 0.5).mixed(samples[0].name, truth, (96, 128), (96, 128)) is truth


def test_maps_are_the_teachers_made_once_a_picture_and_kept(teacher, tmp_path, monkeypatch):
    samples, digest = crowd(3), digest_of(teacher)
    maps = learn_maps(teacher, digest, [*samples, *samples], tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
    network = CSRNet(width=1 / 8, weights=teacher)
    for sample in samples:
        expected = predict_density(network, sample.picture)
        np.testing.assert_allclose(maps[sample.name], expected, rtol=2e-3, atol=1e-3)
    # What was cut off is made again, and nothing else.
    broken = sorted(tmp_path.iterdir())[0]
    broken.write_bytes(broken.read_bytes()[:90])
    made = []
    monkeypatch.setattr(teaching, "predict_density", lambda *args: made.append(args) or predict_density(*args))
    again = learn_maps(teacher, digest, samples, tmp_path)
    assert len(made) == 1 and all((again[name] == maps[name]).all() for name in maps)
    monkeypatch.setattr(teaching, "shared_model", None)  # all are there: the teacher may have gone
    assert learn_maps("gone", digest, samples, tmp_path).keys() == maps.keys()


def test_a_map_is_that_of_its_picture_not_of_another_one_of_its_name(tmp_path, monkeypatch):
    """A run that was stopped in its first epoch may be followed, in its folder, by one on other pictures."""
    monkeypatch.setattr(teaching, "check_teacher", lambda *_: None)
    monkeypatch.setattr(teaching, "shared_model", lambda _: None)
    monkeypatch.setattr(teaching, "predict_density", lambda _, picture: np.full((1, 1), picture[0, 0, 0]))
    file = tmp_path / "a.bmp"
    for level in (3, 30, 3):  # of 8 x 1, 8 x 2 and 8 x 1 pixels
        array = np.full((1 + (level > 3), 8, 3), level, np.uint8)
        Image.fromarray(array).save(file)
        for sample in (Sample("a\udcdf", array, [[1, 1]]), Sample("a\udcdf", file, [[1, 1]])):
            assert learn_maps("general", "", [sample], tmp_path / "maps")["a\udcdf"].item() == level
    assert len(list((tmp_path / "maps").iterdir())) == 4


def test_two_pictures_of_one_name_are_refused(tmp_path):
    """Folders of one's own have an IMG_1 each: both were taught the map of the one that came last."""
    paths = [Path("north/IMG_1.jpg"), Path("south/IMG_1.jpg")]
    arrays = [np.zeros((64, 64, 3), np.uint8) for _ in range(2)]
    for pictures in (paths, arrays, [paths[0], arrays[0]], [arrays[0], paths[0]]):
        samples = [Sample("IMG_1.jpg", picture, []) for picture in pictures]
        with pytest.raises(TrainingError, match="Two pictures have the name 'IMG_1.jpg'.*a name of its own"):
            learn_maps("general", "", samples, tmp_path)
        assert learn_maps("general", "", [samples[0], samples[0]], tmp_path) == {}
    assert learn_maps("general", "", [Sample("a", Path("a.jpg"), []), Sample("a", Path("a.jpg"), [])], tmp_path) == {}


# --- Runs ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large(teacher, tmp_path_factory) -> Path:
    """The teacher in a file of its own, which may go."""
    path = tmp_path_factory.mktemp("large") / "large.weights.h5"
    return save_weights(CSRNet(weights=teacher), path, {"network": {"width": 1 / 8}})


@pytest.fixture(scope="module")
def arguments(quick) -> dict:
    return {"samples": crowd(12, 1), "validation": crowd(3, 99), "recipe": quick, "seed": 4, "epochs": 3}


@pytest.fixture(scope="module")
def taught(arguments, large, tmp_path_factory):
    return train(**arguments, teacher=large, out=tmp_path_factory.mktemp("taught"))


def test_a_taught_student_is_nearer_to_its_teacher_than_one_that_learns_alone(arguments, taught, large, tmp_path):
    network = CSRNet(weights=large)
    plain = dataclasses.replace(arguments["recipe"], name="alone", taught=0.0)
    alone = train(**arguments | {"recipe": plain}, init="none", out=tmp_path)
    assert distance(taught.model, network) < 0.8 * distance(alone.model, network)
    card = model_card(taught.best).content
    assert (card["teacher"], card["init"], card["network"]["width"]) == ("large.weights.h5", "teacher", 1 / 16)
    assert len(list((taught.best.parent / "teacher").iterdir())) == 12


def test_a_stopped_run_goes_on_to_the_same_weights_without_its_teacher(arguments, taught, large, tmp_path, monkeypatch):
    plain = Checkpoint.on_epoch_end

    def stop(*given, **options):
        plain(*given, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "on_epoch_end", stop)
        with pytest.raises(KeyboardInterrupt):
            train(**arguments, teacher=large, out=tmp_path)
    large.rename(large.with_name("gone"))
    try:
        with pytest.raises(TrainingError, match="teacher was 'large.weights.h5', is 'other'"):
            train(**arguments, teacher="other", out=tmp_path, resume=True)
        namesake = tmp_path / "other" / large.name
        save_weights(CSRNet(width=1 / 64), namesake)
        with pytest.raises(TrainingError, match="is not the network that the run began with"):
            train(**arguments, teacher=namesake, out=tmp_path, resume=True)
        stopped = train(**arguments, out=tmp_path, resume=True)
    finally:
        large.with_name("gone").rename(large)
    for a, b in zip(taught.model.get_weights(), stopped.model.get_weights()):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-4)


def test_a_teacher_and_a_recipe_that_learns_from_one_go_together(tmp_path):
    with pytest.raises(TrainingError, match="'light' learns from a larger network. Name it.*--teacher general"):
        train(crowd(1), out=tmp_path / "run", recipe="light")
    with pytest.raises(TrainingError, match="'default' learns from no teacher. Received: teacher='general'"):
        train(crowd(1), out=tmp_path / "run", teacher="general")
    assert not (tmp_path / "run" / "checkpoint.h5").exists()
    plan = new_plan([], "light", teacher="general")
    assert (plan.width, plan.init, plan.design) == (0.25, "teacher", "B")


def test_a_teacher_that_changed_is_told(teacher, tmp_path):
    with pytest.raises(TrainingError, match="is not the network that the run began with"):
        learn_maps(teacher, "0" * 64, crowd(1), tmp_path)


def test_older_recipes_keep_their_digits():
    """A run of before teachers can be resumed."""
    taught = dataclasses.replace(RECIPES["wide"], taught=0.5)
    assert RECIPES["wide"].digest != taught.digest


def test_the_light_recipe_shows_what_the_others_show():
    """What a crop is stays one decision: its phases are those of `default`."""
    light, default = RECIPES["light"], RECIPES["default"]
    assert [phase.crops for phase in light.phases] == [phase.crops for phase in default.phases]
    assert isinstance(light.phases[0].crops, RandomCrops) and not any(phase.frozen for phase in light.phases)
