"""Runs at tiny width on drawn data: learning, files, resume after a kill, failures."""

import argparse
import csv
import dataclasses
import itertools
import json
import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import crowd

from crowdcount.cli.common import thing
from crowdcount.data.annotations import Sample
from crowdcount.data.regions import Region
from crowdcount.errors import DataError, PictureError, TrainingError, WeightsError
from crowdcount.network import csrnet as model
from crowdcount.network.cards import ModelCard, model_card
from crowdcount.network.loading import load_model
from crowdcount.network.prediction import predict_density
from crowdcount.network.weight_files import save_weights
from crowdcount.training import callbacks, mining, recipes
from crowdcount.training.callbacks import CropBias, CropMAE, Drift, RunawayWatch, averaged_weights
from crowdcount.training.losses import BayesianLoss, PoissonLoss
from crowdcount.training.mining import load_hard_places
from crowdcount.training.optimizers import LayerRateAdam, LayerRateSGD, WarmCosine
from crowdcount.training.plan import new_plan
from crowdcount.training.run import train
from crowdcount.training.start import build, first_weights
from crowdcount.training.state import Checkpoint, check_pictures, new_state, read_state

WIDTH = 1 / 16


@pytest.fixture(scope="module")
def quick():
    """The default recipe with steps that suit a tiny network from random weights."""
    plan = recipes.RECIPES["default"]
    phase = dataclasses.replace(
        plan.phases[0],
        crops=recipes.RandomCrops(96),
        optimizer=lambda steps, before, total: keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(5e-3, steps), use_ema=True, ema_momentum=0.5
        ),
        epochs=12,
        frozen=(),
    )
    return dataclasses.replace(plan, name="quick", phases=(phase,), validate_every=2)


@pytest.fixture(scope="module")
def run(quick, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        # In bfloat16 counts differ by what each processor makes of it, on some by more than is to be told here.
        patch.setattr("crowdcount.network.csrnet.choose_precision", lambda: "float32")
        result = train(crowd(24), crowd(6, 99), out=out, recipe=quick, width=WIDTH, init="none", seed=3, command="a b")
    return out, result


def test_learns_to_count(run):
    _, result = run
    truth = np.array([sample.count for sample in crowd(6, 99)])
    validated = [row for row in result.history if row["val_mae"] != ""]
    assert len(validated) == 6 and result.history[-1]["val_mae"] != ""
    assert min(row["val_mae"] for row in validated) < 0.5 * np.abs(truth - np.median(truth)).mean()
    assert result.history[-1]["loss"] < 0.5 * result.history[0]["loss"]


def test_files_that_a_run_leaves(run):
    out, result = run
    assert sorted(path.name for path in out.iterdir()) == [
        "best.json", "best.weights.h5", "checkpoint.h5", "history.csv", "last.json", "last.weights.h5", "tensorboard",
    ]  # fmt: skip
    with open(out / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == list(range(1, 13))
    assert float(rows[-1]["val_mae"]) == pytest.approx(result.history[-1]["val_mae"])
    assert any((out / "tensorboard").rglob("events.*"))
    card = model_card(out / "best.weights.h5").content
    best = min((float(row["val_log_ratio"]), int(row["epoch"])) for row in rows if row["val_mae"])
    assert (card["validation"]["log_ratio"], card["kept_epoch"]) == pytest.approx(best)
    assert {"nae", "mae", "rmse", "bias"} < set(card["validation"])
    assert card["command"] == "a b" and card["seed"] == 3 and card["pictures"] == 24
    assert json.loads((out / "last.json").read_text())["kept_epoch"] == 12


def test_the_last_weights_are_kept_in_epochs_without_validation(tmp_path, quick):
    kept = []

    class Watch(callbacks.History):
        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, logs)
            card = json.loads((tmp_path / "last.json").read_text())
            kept.append((card["kept_epoch"], "mae" in card["validation"], (tmp_path / "best.json").exists()))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(callbacks, "History", Watch)
        train(crowd(4), crowd(2, 99), out=tmp_path, recipe=quick, width=1 / 64, init="none", epochs=3)
    # Validated every second epoch, and after the last.
    assert kept == [(1, False, False), (2, True, True), (3, True, True)]


def test_the_trained_model_is_saved_and_opens_with_keras_alone(run, tmp_path):
    _, result = run
    picture = crowd(1)[0].picture
    result.model.save(tmp_path / "trained.keras")
    np.save(tmp_path / "picture.npy", picture[None])
    code = (
        "import sys, keras, numpy as np; model = keras.models.load_model('trained.keras');"
        "print(float(model.predict(np.load('picture.npy'), verbose=0).sum())); assert 'crowdcount' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = float(np.sum(result.model(picture[None])))
    assert float(done.stdout.splitlines()[-1]) == pytest.approx(expected, rel=0.02, abs=0.02)


def test_kept_weights_give_the_validated_errors(run):
    out, result = run
    samples = crowd(6, 99)
    kept = load_model(out / "last.weights.h5", precision="float32")
    for network in (kept, result.model):
        # As validation counts: a graph and single operations differ.
        counts = [predict_density(network, sample.picture).sum() for sample in samples]
        error = np.mean([abs(count - sample.count) for count, sample in zip(counts, samples)])
        assert error == pytest.approx(result.history[-1]["val_mae"], rel=0.02, abs=0.02)


def test_a_second_run_does_not_overwrite_the_first(run, quick):
    out, _ = run
    with pytest.raises(TrainingError, match="holds a run already.*--resume"):
        train(crowd(2), out=out, recipe=quick, width=WIDTH, init="none")


def test_resume_refuses_another_run(run, quick):
    out, _ = run
    with pytest.raises(TrainingError, match="seed was 3, is 4"):
        train(crowd(2), out=out, recipe=quick, width=WIDTH, init="none", seed=4, resume=True)
    with pytest.raises(TrainingError, match="pictures was 24, is 2"):
        train(crowd(2), out=out, recipe=quick, resume=True)
    renamed = [Sample(f"other-{sample.name}", sample.picture, sample.points) for sample in crowd(24)]
    for other in ((renamed, crowd(6, 99)), (crowd(24), crowd(5, 99))):
        with pytest.raises(TrainingError, match="annotations was"):
            train(*other, out=out, recipe=quick, width=WIDTH, init="none", seed=3, resume=True)
    with pytest.raises(TrainingError, match="has 12 epochs behind it.*Received: epochs=11"):
        train(crowd(24), crowd(6, 99), out=out, recipe=quick, epochs=11, resume=True)
    with pytest.raises(TrainingError, match="nothing to resume"):
        train(crowd(2), out=out / "empty", recipe=quick, resume=True)
    assert not (out / "empty").exists()
    (out / "broken").mkdir()
    (out / "broken" / "checkpoint.h5").write_bytes(b"no checkpoint")
    with pytest.raises(TrainingError, match="damaged"):
        train(crowd(2), out=out / "broken", recipe=quick, resume=True)


def test_imagenets_file_is_refused_where_nothing_is_taken_from_it(run, quick, tmp_path):
    with pytest.raises(TrainingError, match="from init='none' takes nothing.*imagenet_file='vgg.h5'"):
        train(crowd(24), crowd(6, 99), out=run[0], recipe=quick, resume=True, imagenet_file="vgg.h5")
    with pytest.raises(TrainingError, match="from init='none' takes nothing"):
        train(crowd(2), out=tmp_path / "new", width=1 / 64, init="none", imagenet_file="vgg.h5")
    assert not (tmp_path / "new").exists()


def test_the_state_is_read_once_while_nobody_else_can_write_it(run, quick, monkeypatch):
    out, whole = run
    held = []

    def watched(folder):
        held.append((folder / ".checkpoint.h5.lock").exists())
        return read_state(folder)

    monkeypatch.setattr("crowdcount.training.run.read_state", watched)
    resumed = train(crowd(24), crowd(6, 99), out=out, recipe=quick, resume=True)
    assert held == [True]
    assert (whole.trained, resumed.trained) == (12, 0)


@pytest.mark.parametrize(
    "wrong, told",
    [
        ({"epochs": 1.5}, "whole number of epochs.*epochs=1.5"),
        ({"epochs": 0}, "whole number of epochs.*epochs=0"),
        ({"seed": 1.5}, "seed=1.5"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_numbers_of_a_run_are_whole(wrong, told, tmp_path):
    with pytest.raises(TrainingError, match=told):
        train(crowd(1), out=tmp_path / "run", init="none", width=WIDTH, **wrong)
    assert not (tmp_path / "run").exists()


def test_numbers_of_numpy_are_whole_numbers_too(tmp_path, quick):
    train(crowd(4), out=tmp_path / "run", recipe=quick, width=WIDTH, init="none", epochs=np.int64(1), seed=np.uint8(3))
    resumed = train(crowd(4), out=tmp_path / "run", recipe=quick, resume=True, epochs=np.int32(1), seed=np.int64(3))
    assert (resumed.trained, read_state(tmp_path / "run")["seed"]) == (0, 3)


def test_a_run_goes_on_from_the_path_of_weights(run, quick, tmp_path):
    _, result = run
    started = train(crowd(4), out=tmp_path, recipe=quick, width=WIDTH, init=result.best, epochs=1)
    assert started.trained == 1 and read_state(tmp_path)["init"] == str(result.best)
    assert train(crowd(4), out=tmp_path, recipe=quick, init=result.best, resume=True).trained == 0


@pytest.mark.parametrize("name", ["init", "teacher"])
def test_a_network_in_the_place_of_its_weights_is_told(name, tmp_path):
    with pytest.raises(TrainingError, match=f"`{name}` is the name or the file of weights. Received: Functional"):
        train(crowd(1), out=tmp_path / "run", **{name: model.CSRNet(width=1 / 64)})


def test_no_pictures_are_told_before_weights_are_looked_for(tmp_path, monkeypatch):
    monkeypatch.setattr("crowdcount.training.start.first_weights", None)
    with pytest.raises(DataError, match="the list of samples is empty"):
        train([], out=tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"taught": 2},
        {"hard": -0.1},
        {"phases": ()},
        {"validate_every": 0},
        {"loss": PoissonLoss()},
        {"loss": "mse"},
        {"loss": lambda: "mse"},
        {"loss": BayesianLoss},
    ],
)
def test_a_recipe_of_ones_own_is_checked(wrong):
    with pytest.raises(TrainingError, match=next(iter(wrong))):
        dataclasses.replace(recipes.RECIPES["light"], **wrong)


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"epochs": 0}, {"epochs": 2.5}, {"optimizer": keras.optimizers.SGD()}])
def test_a_phase_of_ones_own_is_checked(wrong):
    with pytest.raises(TrainingError, match=next(iter(wrong))):
        dataclasses.replace(recipes.RECIPES["light"].phases[0], **wrong)


def test_hard_recipe_goes_on_from_trained_weights(run, quick, tmp_path, monkeypatch):
    """It looks for hard places once; stopped and resumed it ends as if never stopped."""
    hard = dataclasses.replace(quick, name="quick-hard", goes_on=True, hard=0.5)
    arguments = {"recipe": hard, "width": WIDTH, "seed": 5, "epochs": 2}
    for init in ("imagenet", "none"):
        with pytest.raises(TrainingError, match=f"goes on from trained weights. Received: init='{init}'"):
            train(crowd(4), out=tmp_path / "refused", init=init, **arguments)
    assert not (tmp_path / "refused").exists()

    samples = crowd(8)
    arguments["init"] = str(run[0] / "last.weights.h5")
    whole = train(samples, out=tmp_path / "whole", **arguments)
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "on_epoch_end", _then_interrupt(Checkpoint.on_epoch_end))
        with pytest.raises(KeyboardInterrupt):
            train(samples, out=tmp_path / "stopped", **arguments)
    assert load_hard_places(tmp_path / "stopped" / "hard.npz", 8).picture.tolist() == list(range(8))  # a square each
    monkeypatch.setattr(mining, "find_hard_places", None)  # the weights have moved: it must not look again
    stopped = train(samples, out=tmp_path / "stopped", resume=True, **arguments)
    for a, b in zip(whole.model.get_weights(), stopped.model.get_weights()):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-4)


def _then_interrupt(method):
    def interrupted(*arguments, **options):
        method(*arguments, **options)
        raise KeyboardInterrupt

    return interrupted


def _bytes_in(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_disk_use_does_not_grow_with_the_epochs(tmp_path, quick):
    arguments = {"out": tmp_path, "recipe": quick, "width": 1 / 64, "init": "none"}
    train(crowd(4), crowd(2, 99), epochs=4, **arguments)
    names, before = {path.name for path in tmp_path.iterdir()}, _bytes_in(tmp_path)
    # What a kill in the middle of writing leaves goes away; a hidden file of the user's stays.
    for name in (".checkpoint-0a1b2c3d.h5", ".best.weights-0a1b2c3d.weights.h5", ".nfs000001"):
        (tmp_path / name).write_bytes(b"x")
    train(crowd(4), crowd(2, 99), epochs=12, resume=True, **arguments)
    assert {path.name for path in tmp_path.iterdir()} == names | {".nfs000001"}
    assert _bytes_in(tmp_path) - before < 8 * 2000  # eight epochs' lines in history.csv and TensorBoard's log


_SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
from conftest import crowd
from crowdcount.training.run import train
train(crowd(12), crowd(3, 99), out=sys.argv[1], width=1 / 32, epochs=6, init="none",
      resume=sys.argv[2] == "resume")
"""


def _process(out, *, resume):
    code = _SCRIPT.format(tests=os.path.dirname(__file__))
    return subprocess.Popen(
        [sys.executable, "-c", code, str(out), "resume" if resume else "start"],
        stderr=subprocess.PIPE,
        cwd=os.path.dirname(os.path.dirname(__file__)),
    )


def test_killed_and_resumed_is_as_never_stopped(tmp_path):
    whole = _process(tmp_path / "whole", resume=False)
    killed = _process(tmp_path / "killed", resume=False)
    checkpoint = tmp_path / "killed" / "checkpoint.h5"
    deadline = time.monotonic() + 900  # against hanging: a busy machine may take minutes to begin
    while not checkpoint.exists() and killed.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    _, errors = killed.communicate()
    assert checkpoint.exists(), errors.decode()
    assert killed.returncode == -signal.SIGKILL, "the run ended before it could be killed"
    for days, path in enumerate(sorted((tmp_path / "killed").rglob("*"))):  # a clock that was set back, then forward
        os.utime(path, (time.time() + (-1) ** days * days * 86400,) * 2)
    resumed = _process(tmp_path / "killed", resume=True)
    for process in (whole, resumed):
        _, errors = process.communicate(timeout=900)
        assert process.returncode == 0, errors.decode()

    rows = []
    for name in ("whole", "killed"):
        with open(tmp_path / name / "history.csv", newline="") as file:
            rows.append(list(csv.DictReader(file)))
    assert [row["epoch"] for row in rows[1]] == list("123456")
    for a, b in zip(*rows):
        assert float(a["loss"]) == pytest.approx(float(b["loss"]), rel=1e-4)
    networks = [load_model(tmp_path / name / "last.weights.h5") for name in ("whole", "killed")]
    for a, b in zip(networks[0].get_weights(), networks[1].get_weights()):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-4)  # float16 files, sums in another order
    assert not [path for path in (tmp_path / "killed").iterdir() if path.name.startswith(".")]


def test_nan_stops_with_a_message(tmp_path, quick):
    samples = crowd(4)
    phase = dataclasses.replace(quick.phases[0], optimizer=lambda *steps: keras.optimizers.SGD(float("inf")))
    with pytest.raises(TrainingError, match="no finite numbers after epoch 1|loss became nan"):
        recipe = dataclasses.replace(quick, phases=(phase,))
        train(samples, out=tmp_path / "run", recipe=recipe, width=WIDTH, init="none", epochs=3)
    assert not (tmp_path / "run" / "checkpoint.h5").exists()


def test_two_phases_train_what_each_of_them_says(tmp_path, quick):
    """The front end's third block stays in the first phase and learns in the second; the epochs are shared out."""
    first = dataclasses.replace(quick.phases[0], name="first", frozen=("block",))
    second = dataclasses.replace(quick.phases[0], name="second", batch=2, frozen=("block1", "block2"))
    recipe = dataclasses.replace(quick, phases=(first, second), validate_every=1)
    kept = {}

    class Watch(Checkpoint):
        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, logs)
            kept[epoch] = self.state["phase"], self.model.get_layer("block3_conv1").get_weights()[0]

    arguments = {"width": 1 / 64, "init": "none", "epochs": 4, "seed": 1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("crowdcount.training.run.Checkpoint", Watch)
        whole = train(crowd(8), crowd(2, 99), out=tmp_path / "whole", recipe=recipe, **arguments)
    assert [kept[epoch][0] for epoch in range(4)] == ["first", "first", "second", "second"]
    assert np.array_equal(kept[0][1], kept[1][1]) and not np.array_equal(kept[1][1], kept[3][1])
    # Stopped where the phases meet, and resumed with no more than the folder and the recipe, which has no name.
    for _ in range(2):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Checkpoint, "on_epoch_end", _then_interrupt(Checkpoint.on_epoch_end))
            with pytest.raises(KeyboardInterrupt):
                begun = (tmp_path / "stopped" / "checkpoint.h5").exists()
                options = {"resume": True} if begun else arguments
                train(crowd(8), crowd(2, 99), out=tmp_path / "stopped", recipe=recipe, **options)
    assert read_state(tmp_path / "stopped")["epoch"] == 2
    with pytest.raises(TrainingError, match="of your own, 'quick'"):
        train(crowd(8), crowd(2, 99), out=tmp_path / "stopped", resume=True)
    for other in (quick, dataclasses.replace(recipe, loss=lambda: PoissonLoss(halved_at=5))):
        with pytest.raises(TrainingError, match="phases of the recipe was"):
            train(crowd(8), crowd(2, 99), out=tmp_path / "stopped", recipe=other, resume=True)
    stopped = train(crowd(8), crowd(2, 99), out=tmp_path / "stopped", recipe=recipe, resume=True)
    assert stopped.trained == 2
    for a, b in zip(whole.model.get_weights(), stopped.model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-4)
    assert model_card(tmp_path / "stopped" / "last.weights.h5").content["phase"] == "second"


def test_few_pictures_take_their_steps_all_the_same(tmp_path, quick):
    """Two phases of one epoch, of one step and of two: nine epochs are the fewest with 13 steps of both alike."""
    phases = [dataclasses.replace(quick.phases[0], epochs=1, batch=batch) for batch in (4, 2)]
    recipe = dataclasses.replace(quick, phases=tuple(phases), least_steps=13)
    assert recipe.epochs_for(crowd(20)) == 2  # 15 steps
    arguments = {"recipe": recipe, "width": 1 / 64, "init": "none"}
    assert len(train(crowd(4), out=tmp_path / "few", **arguments).history) == 9
    assert len(train(crowd(4), out=tmp_path / "asked", epochs=2, **arguments).history) == 2


def test_a_run_of_one_step_learns_and_its_width_may_be_numpys(tmp_path, quick):
    start = save_weights(model.CSRNet(width=1 / 64), tmp_path / "start.weights.h5")
    recipe = dataclasses.replace(quick, phases=(dataclasses.replace(quick.phases[0], batch=4),))
    result = train(crowd(1), out=tmp_path / "run", recipe=recipe, epochs=1, init=start, width=np.float32(1 / 64))
    before, after = (load_model(path).get_weights() for path in (start, result.last))
    assert any(np.any(one != other) for one, other in zip(before, after))


def test_hard_places_need_crops_that_show_them(quick):
    """Told once all pictures had been searched."""
    papers = dataclasses.replace(quick.phases[0], crops=recipes.PaperPatches(), batch=1)
    with pytest.raises(TrainingError, match="Hard places are shown by RandomCrops"):
        dataclasses.replace(quick, hard=0.5, phases=(papers,))


def test_rate_falls_over_the_whole_run():
    alone, reference = (
        WarmCosine(3e-5, 2000, before=0, total=2000),
        keras.optimizers.schedules.CosineDecay(0.0, 1900, alpha=0.0, warmup_target=3e-5, warmup_steps=100),
    )
    assert [float(alone(step)) for step in (0, 49, 98)] == pytest.approx([3e-7, 1.5e-5, 2.97e-5])  # none at rate 0
    for step in (100, 700, 2000):
        assert float(alone(step)) == pytest.approx(float(reference(step)), rel=1e-4, abs=1e-12)
    first, second = (WarmCosine(3e-5, 1000, before=before, total=2000) for before in (0, 1000))
    assert float(first(1000)) == pytest.approx(float(alone(1000)))
    assert [float(second(step)) for step in (200, 600, 1000)] == pytest.approx(
        [float(alone(1200)), float(alone(1600)), 0.0], rel=1e-2, abs=1e-12
    )


def test_runs_that_showed_other_examples_are_not_gone_on_with(tmp_path, monkeypatch):
    """One of before recipes had phases, and one whose crops were drawn otherwise: neither goes on unnoticed."""
    import h5py

    arguments = {"out": tmp_path, "width": 1 / 64, "init": "none", "seed": 2}
    with monkeypatch.context() as before:
        before.setattr(recipes.RandomCrops, "drawn_by", recipes.RandomCrops.drawn_by - 1)
        train(crowd(4), recipe="wide", epochs=1, **arguments)
    with pytest.raises(TrainingError, match="phases of the recipe was '[0-9a-f]+', is '[0-9a-f]+'"):
        train(crowd(4), epochs=2, resume=True, **arguments)
    with h5py.File(tmp_path / "checkpoint.h5", "r+") as file:
        state = json.loads(file.attrs["state"])
        file.attrs["state"] = json.dumps({key: state[key] for key in ("design", "width", "seed", "epoch")})
    with pytest.raises(TrainingError, match="earlier version of crowdcount.*--init takes the weights"):
        train(crowd(4), epochs=2, resume=True, **arguments)


def test_start_without_a_network(tmp_path, monkeypatch):
    def offline(**_):
        raise OSError("no network")

    monkeypatch.setattr(keras.applications, "VGG16", offline)
    monkeypatch.delenv("CROWDCOUNT_VGG16", raising=False)
    for dataset in (None, "shanghaitech_a", "csv+shanghaitech_b"):
        with pytest.raises(WeightsError, match="no network.*--init general.*--init none"):
            train(crowd(2), out=tmp_path / "run", dataset=dataset)
    assert not (tmp_path / "run").exists()
    assert first_weights("B", 1.0, None, own_data=True) == "general"
    for design, width, file in (("A", 1.0, None), ("B", 0.5, None), ("B", 1.0, "missing.h5")):
        with pytest.raises(WeightsError, match="--init none") as told:  # general does not fit, or a file was named
            first_weights(design, width, file, own_data=True)
        assert ("--init general" in str(told.value)) == (file is not None)


def test_full_size_maps_are_refused_with_the_right_call():
    network = model.CSRNet(width=1 / 64)
    for loss in ("mse", PoissonLoss()):
        network.compile("sgd", loss, jit_compile=False)
        with pytest.raises(TrainingError, match="64 x 96 cells, the network's 8 x 12.*stride=8"):
            network.fit(np.zeros((2, 64, 96, 3), "uint8"), np.zeros((2, 64, 96, 1), "float32"), verbose=0)
        network.compile("sgd", loss, jit_compile=False)
        with pytest.raises(TrainingError, match="64 x 96 cells, the network's 8 x 12.*stride=8"):
            # As numpy.stack puts the maps of density_map together.
            network.fit(np.zeros((2, 64, 96, 3), "uint8"), np.zeros((2, 64, 96), "float32"), verbose=0)
        network.compile("sgd", loss, jit_compile=False)
        network.fit(np.zeros((2, 64, 96, 3), "uint8"), np.zeros((2, 8, 12, 1), "float32"), verbose=0)


def test_maps_of_another_number_of_axes_than_before_are_told():
    network, pictures = model.CSRNet(width=1 / 64), np.zeros((2, 64, 96, 3), "uint8")
    network.compile("sgd", "mse", jit_compile=False)
    network.fit(pictures, np.zeros((2, 8, 12, 1), "float32"), verbose=0)
    with pytest.raises(TrainingError, match="another number of axes.*compile the network anew"):
        network.fit(pictures, np.zeros((2, 8, 12), "float32"), verbose=0)
    network.compile("sgd", "mse", jit_compile=False)
    network.fit(pictures, np.zeros((2, 8, 12), "float32"), verbose=0)


def test_without_validation_pictures(tmp_path, quick):
    result = train(crowd(4), out=tmp_path / "run", recipe=quick, width=WIDTH, init="none", epochs=1)
    assert result.best is None and result.last.exists()


def test_the_card_counts_pictures_that_are_shown_several_times_once(tmp_path, quick):
    """Of `NAME*3` it told three times as many as there are."""
    result = train(crowd(4) * 3, out=tmp_path, recipe=quick, width=WIDTH, init="none", epochs=1)
    assert model_card(result.last).content["pictures"] == 4
    assert read_state(tmp_path)["pictures"] == 12  # what a run that is resumed is compared with


def test_the_card_is_json_where_nobody_is_validated_with(tmp_path, quick):
    """Pictures of nobody have no NAE: it was NaN, which only Python reads."""
    nobody = [Sample("wall", np.zeros((64, 64, 3), np.uint8), [])]
    result = train(crowd(4), nobody, out=tmp_path, recipe=quick, width=WIDTH, init="none", epochs=1)
    card = json.loads(result.best.with_name("best.json").read_text(), parse_constant=pytest.fail)
    assert card["validation"]["nae"] is None and card["validation"]["mae"] >= 0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"recipe": "best"}, TrainingError, "no recipe named 'best'. Recipes: paper, default"),
        ({"epochs": -1}, TrainingError, "Received: epochs=-1"),
        ({"design": "Z"}, TrainingError, "Received: design='Z'"),
        ({"thing": " "}, TrainingError, "Received: thing=' '"),
    ],
)
def test_bad_settings(arguments, error, message, tmp_path):
    with pytest.raises(error, match=message):
        train(crowd(2), out=tmp_path / "run", width=WIDTH, init="none", **arguments)


@pytest.mark.parametrize("word", ["", " ", "\t\n"])
def test_command_training_and_card_refuse_the_same_words_for_what_is_counted(tmp_path, word):
    with pytest.raises(argparse.ArgumentTypeError, match="must be a word"):
        thing(word)
    with pytest.raises(WeightsError, match="'thing' must be a word"):
        ModelCard.parse({"thing": word}, "a.json")
    with pytest.raises(TrainingError, match="`thing` must be a word"):
        train([], out=tmp_path / "run", width=WIDTH, init="none", thing=word)
    assert thing("cells") == ModelCard.parse({"thing": "cells"}, "a.json").thing == "cells"


def test_weights_that_go_on_count_what_they_counted(run, quick, tmp_path):
    """Trained on once more, weights that counted cells counted people in every caption."""
    cells = save_weights(run[1].model, tmp_path / "cells.weights.h5", {"network": {"width": WIDTH}, "thing": "cells"})
    began = {"recipe": quick, "width": WIDTH, "epochs": 1, "init": cells}
    assert model_card(train(crowd(4), out=tmp_path / "a", **began).last).thing == "cells"
    assert model_card(train(crowd(4), out=tmp_path / "b", thing="people", **began).last).thing == "people"


def test_no_pictures(tmp_path):
    with pytest.raises(DataError, match="empty"):
        train([], out=tmp_path / "run", width=WIDTH, init="none")


def test_frozen_layers_keep_their_weights(tmp_path):
    result = train(crowd(8), out=tmp_path / "run", width=1 / 64, init="none", recipe="wide", epochs=2, seed=0)
    keras.utils.set_random_seed(0)
    first = build(new_plan([], width=1 / 64, init="none"))
    same = {
        layer.name: np.array_equal(layer.get_weights()[0], result.model.get_layer(layer.name).get_weights()[0])
        for layer in first.layers
        if layer.weights
    }
    assert {name for name, equal in same.items() if equal} == {
        name for name in same if name.startswith(("block1", "block2", "block3"))
    }


def test_paper_recipe_takes_the_paper_s_steps(monkeypatch, rng):
    """At VGG-16's own scale and at ours, plain gradient descent gives the same network after several steps."""
    picture = rng.integers(0, 256, (1, 48, 64, 3)).astype("float32")
    target = rng.uniform(0, 0.3, (1, 6, 8, 1)).astype("float32")
    counts = {}
    monkeypatch.setattr(model, "choose_precision", lambda: "float32")
    for scale in (1.0, model.INPUT_SCALE):
        monkeypatch.setattr(model, "INPUT_SCALE", scale)
        monkeypatch.setattr(recipes, "INPUT_SCALE", scale)
        plan = recipes.RECIPES["paper"]
        keras.utils.set_random_seed(1)
        network = build(new_plan([], "paper", width=WIDTH, init="none"))
        biases = np.random.default_rng(0)
        for name, _ in model.FRONT_END:
            kernel, bias = network.get_layer(name).get_weights()
            network.get_layer(name).set_weights([kernel, biases.uniform(0, 20, bias.shape) / scale])
        network.compile(plan.phases[0].optimizer(5, 0, 5), plan.loss(), jit_compile=False)
        network.optimizer.learning_rate = 3e-4  # the network is tiny; the equivalence holds at any rate
        before = network(picture).numpy()
        for _ in range(5):
            network.train_on_batch(picture, target)
        counts[scale] = before, network(picture).numpy()
    (before_paper, after_paper), (before_ours, after_ours) = counts.values()
    np.testing.assert_allclose(before_ours, before_paper, rtol=1e-3)
    assert np.abs(after_paper - before_paper).max() > 1e-4
    np.testing.assert_allclose(after_ours, after_paper, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("optimizer", "plain"), [(LayerRateSGD, keras.optimizers.SGD), (LayerRateAdam, keras.optimizers.Adam)]
)
def test_layer_rates(optimizer, plain):
    def move(make):
        inputs = keras.Input((2,))
        hidden = keras.layers.Dense(2, name="slow", kernel_initializer="ones")(inputs)
        network = keras.Model(inputs, keras.layers.Dense(1, name="quick", kernel_initializer="ones")(hidden))
        network.compile(make, "mse")
        network.train_on_batch(np.ones((4, 2)), np.zeros((4, 1)))
        return {layer.name: 1 - layer.get_weights()[0] for layer in network.layers if layer.weights}

    ours = move(optimizer(1e-3, factor=lambda layer, kind: 5.0 if (layer, kind) == ("quick", "kernel") else 1.0))
    reference = move(plain(1e-3))
    np.testing.assert_allclose(ours["slow"], reference["slow"], rtol=1e-3)
    np.testing.assert_allclose(ours["quick"], 5 * reference["quick"], rtol=1e-3)


def test_progress_metrics():
    truth = np.full((2, 2, 2, 1), 1.0, "float32")
    mae, bias, drift = CropMAE(), CropBias(), Drift()
    for metric in (mae, bias, drift):
        metric.update_state(truth, 1.5 * truth)
    assert float(mae.result()) == pytest.approx(2.0)
    assert float(bias.result()) == pytest.approx(2.0)
    assert float(drift.result()) == pytest.approx(0.5)
    points = np.array([[[1, 1, 1], [2, 2, 1], [0, 0, 0]]], "float32")
    mae.reset_state()
    mae.update_state(points, truth[:1])
    assert float(mae.result()) == pytest.approx(2.0)
    for _ in range(800):  # an old error is forgotten after some hundreds of steps
        drift.update_state(truth, truth)
    assert abs(float(drift.result())) < 1e-2


def _warned(biases):
    watch = RunawayWatch()
    return [step for step, bias in enumerate(biases) if watch(bias)]


def test_runaway_is_warned_of_once_it_had_settled():
    assert _warned([-1.0] * 300 + [-0.05] * 300 + [0.2] * 300) == []  # new layers settle, and swing a little
    assert _warned([-1.0] * 300 + [0.05] * 100 + [0.3] * 400) == [400]  # told once...
    assert _warned([0.0] * 200 + [-0.3] * 1100) == [200, 700, 1200]  # ...and rarely again
    assert _warned([0.0] * 200 + [0.3] * 50 + [0.0] + [0.3] * 50) == [200, 251]
    assert _warned([0.0] * 5 + [0.9] * 200) == []  # the first steps are no hundred
    assert _warned([3.0] * 600) == [499]  # never settles


def test_runaway_is_told_above_the_progress_line(tmp_path, quick, capsys, monkeypatch):
    monkeypatch.setattr(RunawayWatch, "WINDOW", 1)
    monkeypatch.setattr(RunawayWatch, "SETTLED", 1e9)  # takes any bias for settled
    train(crowd(4), out=tmp_path, recipe=quick, width=1 / 64, init="none", epochs=1)
    lines = capsys.readouterr().err.replace("\r", "\n").splitlines()
    (warning,) = [line for line in lines if "runs away" in line]
    assert "over the last hundred steps" in warning and "learning rate" in warning
    bar = [line for line in lines if line.startswith("training:")]
    assert "drift=" in bar[-1] and "<" in bar[-1]  # elapsed<left


def test_averaged_weights_are_put_back():
    network = model.CSRNet(width=1 / 32)
    network.compile(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9), "mse", jit_compile=False)
    picture = np.zeros((1, 16, 16, 3), "uint8")
    for _ in range(3):
        network.train_on_batch(picture, np.ones((1, 2, 2, 1)))
    raw = network.get_weights()
    with averaged_weights(network):
        inside = network.get_weights()
    assert any((a != b).any() for a, b in zip(raw, inside))
    for a, b in zip(raw, network.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_hours_in_the_card_hold_the_epoch_that_is_kept(tmp_path, quick, monkeypatch):
    monkeypatch.setattr(callbacks.time, "monotonic", itertools.count(0.0, 1800.0).__next__)
    train(crowd(4), crowd(1, 99), out=tmp_path, recipe=quick, epochs=1, width=WIDTH, init="none")
    assert model_card(tmp_path / "last.weights.h5").content["training_hours"] >= 0.5


def test_out_of_memory_is_told_as_such(tmp_path, quick, monkeypatch):
    def fit(*_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(keras.Model, "fit", fit)
    with pytest.raises(MemoryError, match="OOM"):
        train(crowd(4), [], out=tmp_path, recipe=quick, epochs=1, width=WIDTH, init="none")


def test_damaged_picture_is_named(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    samples = [Sample("broken", tmp_path / "broken.jpg", [[1.0, 1.0]])]
    with pytest.raises(TrainingError, match="cannot be trained on.*broken.jpg"):
        train(samples, out=tmp_path / "run", width=1 / 64, init="none", epochs=1)


def test_a_validation_picture_that_cannot_be_read_is_told_before_the_first_step(tmp_path, quick):
    """It was opened after the epochs before the first validation, and a picture that is replaced is another run."""
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    validation = [Sample("broken", tmp_path / "broken.jpg", [[1.0, 1.0]])]
    with pytest.raises(PictureError, match="broken.jpg"):
        train(crowd(4), validation, out=tmp_path / "run", recipe=quick, width=1 / 64, init="none", epochs=2)
    assert not (tmp_path / "run" / "checkpoint.h5").exists()


def test_validation_pictures_that_are_learned_from_are_told(tmp_path, quick, capsys):
    pictures = crowd(4)
    settings = {"recipe": quick, "width": 1 / 64, "init": "none", "epochs": 1}
    train(pictures, [pictures[1], *crowd(2, 99)], out=tmp_path / "both", **settings)
    assert "warning: 1 of the 3 validation pictures are learned from, too." in capsys.readouterr().err
    train(pictures, crowd(2, 99), out=tmp_path / "apart", **settings)
    assert "learned from" not in capsys.readouterr().err


def test_a_network_has_the_width_of_the_weights_that_it_goes_on_from():
    """`--init light` was refused with every recipe but its own: the width stood in the message."""
    assert new_plan([], "clear", init="light").width == 0.25 and new_plan([], "clear", init="general").width == 1
    assert new_plan([], "clear", init="light", width=0.5).width == 0.5  # which is told with the weights
    assert new_plan([], "default", init="none").width == 1


def test_moved_heads_are_another_run():
    def samples(x, ignore=()):
        return [Sample("a", np.zeros((8, 8, 3), np.uint8), [[x, 2.0]], ignore=np.reshape(ignore, (-1, 4)))]

    plan = new_plan(samples(1))
    state = new_state(plan, samples(1), [])
    check_pictures(state, plan, samples(1), [])
    for other in (samples(3), samples(1, [0, 0, 4, 4])):
        with pytest.raises(TrainingError, match="places was"):
            check_pictures(state, plan, other, [])


def test_replaced_pictures_are_another_run(tmp_path):
    def samples(file):
        return [Sample("a", tmp_path / file, [[1.0, 2.0]])]

    (tmp_path / "a.jpg").write_bytes(bytes(20))
    plan = new_plan(samples("a.jpg"))
    states = [new_state(plan, *pictures) for pictures in ((samples("a.jpg"), []), ([], samples("a.jpg")))]
    (tmp_path / "moved.jpg").write_bytes(bytes(20))
    check_pictures(states[0], plan, samples("moved.jpg"), [])
    (tmp_path / "a.jpg").write_bytes(bytes(21))
    for state, pictures in zip(states, ((samples("a.jpg"), []), ([], samples("a.jpg")))):
        with pytest.raises(TrainingError, match="bytes was"):
            check_pictures(state, plan, *pictures)
    with pytest.raises(TrainingError, match="bytes was"):
        check_pictures(states[0], plan, samples("gone.jpg"), [])


def test_a_replaced_mask_is_another_run(tmp_path):
    mask = tmp_path / "roi.png"
    mask.write_bytes(bytes(20))
    samples = [Sample("a", np.zeros((8, 8, 3), np.uint8), [], roi=Region(file=mask, read=lambda path: None))]
    plan = new_plan(samples)
    state = new_state(plan, samples, [])
    check_pictures(state, plan, samples, [])
    mask.write_bytes(bytes(21))
    with pytest.raises(TrainingError, match="places was"):
        check_pictures(state, plan, samples, [])


def test_other_kernels_are_another_run(quick):
    """The recipe's digits say nothing of a function: a run went on with other maps."""
    samples = crowd(2)
    state = new_state(new_plan(samples, quick), samples, [])
    wider = dataclasses.replace(quick, sigma=lambda sample: 12.0)
    assert wider.digest == quick.digest
    check_pictures(state, new_plan(samples, quick), samples, [])
    with pytest.raises(TrainingError, match="kernels was"):
        check_pictures(state, new_plan(samples, wider), samples, [])


def test_other_rates_are_another_run(quick):
    """A recipe that was changed under its name went on with the rates of the one that comes with crowdcount."""

    class Mine(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            return 1e-3

    samples = crowd(2)
    makers = [
        recipes.WarmAdam(2e-5, average=0.99),
        recipes.WarmAdam(1e-5, average=0.99),
        recipes.WarmAdam(2e-5, average=0.99, last=1.0),
        lambda steps, before, total: keras.optimizers.Adam(1e-4),
        lambda steps, before, total: keras.optimizers.SGD(1e-4),
        lambda steps, before, total: keras.optimizers.Adam(lambda: 1e-4),
        lambda steps, before, total: keras.optimizers.AdamW(Mine()),
    ]
    mine = [
        dataclasses.replace(quick, phases=(dataclasses.replace(quick.phases[0], optimizer=each),)) for each in makers
    ]
    states = [new_state(new_plan(samples, recipe), samples, []) for recipe in mine]
    for number, state in enumerate(states):
        check_pictures(state, new_plan(samples, mine[number]), samples, [])
        for other in mine[:number] + mine[number + 1 :]:
            with pytest.raises(TrainingError, match="optimizers was"):
                check_pictures(state, new_plan(samples, other), samples, [])


def test_a_loss_without_a_name_is_the_same_each_time(quick):
    """Keras numbers them, and a run was not gone on with where it had begun in the same session."""

    class Plain(keras.losses.Loss):
        def call(self, y_true, y_pred):
            return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=(1, 2, 3))

    mine = dataclasses.replace(quick, loss=Plain)
    assert mine.digest == mine.digest != quick.digest


def test_a_loss_of_keras_learns_from_a_region(tmp_path, quick):
    """Cells outside are unknown, NaN: the loss was none."""
    mine = dataclasses.replace(quick, loss=keras.losses.MeanSquaredError)
    samples = [dataclasses.replace(sample, ignore=[[0, 0, 48, 96]]) for sample in crowd(2)]
    result = train(samples, out=tmp_path, recipe=mine, width=1 / 64, init="none", epochs=1)
    assert 0 < result.history[0]["loss"] < np.inf


def test_a_recipe_has_one_kernel_for_all_pictures_or_each_its_own(quick):
    samples = crowd(2)
    of_each = dataclasses.replace(quick, sigma=lambda sample: 12.0)
    state = new_state(new_plan(samples, of_each), samples, [])
    check_pictures(state, new_plan(samples, dataclasses.replace(quick, sigma=12.0)), samples, [])
    adaptive = dataclasses.replace(quick, sigma="adaptive")
    assert adaptive.kernel(samples[0]) == "adaptive"
    with pytest.raises(TrainingError, match="kernels was"):
        check_pictures(state, new_plan(samples, adaptive), samples, [])
