"""Training on Keras's other backends, without TensorFlow: the same pictures, the same losses."""

import csv
import dataclasses
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from crowdcount.data.annotations import Sample
from crowdcount.errors import TrainingError
from crowdcount.network import csrnet
from crowdcount.network.csrnet import CSRNet
from crowdcount.training.optimizers import LayerRateAdam
from crowdcount.training.recipes import RECIPES, RandomCrops, Recipe
from crowdcount.training.run import train

CODE = """
import importlib.machinery
import sys

class NoTensorFlow:  # as where it is not installed
    def find_spec(self, name, path=None, target=None):
        return importlib.machinery.ModuleSpec(name, self) if name.split(".")[0] == "tensorflow" else None

    def create_module(self, spec):
        raise ModuleNotFoundError(spec.name)

    def exec_module(self, module):
        raise ModuleNotFoundError(module.__name__)

sys.meta_path.insert(0, NoTensorFlow())
sys.path.insert(0, {tests!r})
from test_backends import losses, refusal
losses({out!r}, {weights!r})
refusal({out!r})
"""


def crowd() -> list[Sample]:
    rng = np.random.default_rng(4)
    pictures = rng.integers(0, 256, (4, 80, 96, 3), dtype=np.uint8)
    return [Sample(f"crowd-{n}", picture, rng.uniform(5, 75, (8 + n, 2))) for n, picture in enumerate(pictures)]


def recipe() -> Recipe:
    """The recipe clear with small crops and quick steps; its optimizer keeps rates a layer and an average."""
    clear = RECIPES["clear"]
    phase = dataclasses.replace(
        clear.phases[0],
        crops=RandomCrops(64, scale=(0.8, 1.25), gray=0.2),
        epochs=10,
        optimizer=lambda steps, before, total: LayerRateAdam(
            1e-3, factor=lambda layer, kind: 2.0 if layer == "density" else 1.0, use_ema=True, ema_momentum=0.9
        ),
    )
    return dataclasses.replace(clear, name="ten steps", phases=(phase,), validate_every=5)


def losses(out: str, weights: str) -> list[float]:
    """Ten steps in ten epochs, in two runs of which the second goes on with the first; and the last weights' mean."""
    csrnet.choose_precision = lambda: "float32"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("crowdcount.training.callbacks.History.on_epoch_begin", _stop_once(Path(out) / "checkpoint.h5"))
        with pytest.raises(KeyboardInterrupt):
            train(crowd(), crowd()[:1], out=out, recipe=recipe(), width=1 / 16, init=weights)
    train(crowd(), crowd()[:1], out=out, recipe=recipe(), resume=True)
    with open(Path(out) / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return [float(row["loss"]) for row in rows] + [float(rows[-1]["val_sum"])]


def _stop_once(checkpoint: Path):
    """Instead of noting when an epoch began: ends the run before its seventh, as Ctrl-C would."""

    def begin(self, epoch, logs=None):
        if epoch == 6 and checkpoint.exists():
            raise KeyboardInterrupt

    return begin


def refusal(out: str) -> None:
    """A picture that cannot be read ends the training with its name."""
    broken = Path(out) / "broken.jpg"
    broken.write_bytes(b"no picture")
    with pytest.raises(TrainingError, match="cannot be trained on.*broken.jpg"):
        train([Sample("broken", broken, [[1.0, 1.0]])], out=Path(out) / "b", width=1 / 64, init="none", epochs=1)


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> tuple[str, dict[str, subprocess.Popen]]:
    """First weights, and the processes that train on other backends meanwhile."""
    folder = tmp_path_factory.mktemp("backends")
    keras.utils.set_random_seed(2)
    weights = str(folder / "start.weights.h5")
    CSRNet(width=1 / 16, precision="float32").save_weights(weights)
    tests = str(Path(__file__).parent)
    started = {}
    for backend in ("torch", "jax"):
        if importlib.util.find_spec(backend) is None:
            continue
        out = folder / backend
        out.mkdir()
        code = CODE.format(tests=tests, out=str(out), weights=weights)
        started[backend] = subprocess.Popen(
            [sys.executable, "-c", code], env={**os.environ, "KERAS_BACKEND": backend}, stderr=subprocess.PIPE
        )
    return weights, started


@pytest.fixture(scope="module")
def expected(start, tmp_path_factory) -> list[float]:
    """TensorFlow's losses."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(csrnet, "choose_precision", csrnet.choose_precision)  # is set, and is put back
        return losses(str(tmp_path_factory.mktemp("tensorflow")), start[0])


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_ten_steps_give_the_losses_of_tensorflow(start, expected, backend):
    weights, started = start
    if backend not in started:
        pytest.skip(f"there is no {backend} here (pip install {backend})")
    _, errors = started[backend].communicate(timeout=600)
    assert started[backend].returncode == 0, errors.decode()[-3000:]
    with open(Path(weights).parent / backend / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    found = [float(row["loss"]) for row in rows] + [float(rows[-1]["val_sum"])]
    assert len(found) == 11 and expected[9] < expected[0]
    assert found == pytest.approx(expected, rel=1e-3)
