"""Training on several devices and several processes gives what one device gives."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from test_backends import crowd, recipe

from crowdcount.cli import main
from crowdcount.errors import DataError, TrainingError
from crowdcount.network import csrnet
from crowdcount.network.csrnet import CSRNet
from crowdcount.training.devices import find_devices
from crowdcount.training.pipeline import PaperPatches, RandomCrops, training_dataset
from crowdcount.training.run import train

CODE = """
import os, signal, sys
sys.path.insert(0, {tests!r})
import tensorflow as tf
from PIL import Image
from test_backends import crowd, recipe
from crowdcount.network import csrnet
from crowdcount.training import callbacks
from crowdcount.training.run import train

csrnet.choose_precision = lambda: "float32"
strategy, out, weights, resume, die = sys.argv[1:]
if strategy == "mirrored":
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
if die == "die":
    class Die(callbacks.StopOnNaN):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 6:
                os.kill(os.getpid(), signal.SIGKILL)
    callbacks.StopOnNaN = Die
settings = dict(resume=True) if resume == "resume" else dict(width=1 / 16, init=weights)
try:
    train(crowd(), crowd()[:1], out=out, recipe=recipe(), strategy=strategy, **settings)
except callbacks.TrainingError as error:
    sys.exit(str(error))
"""


def start(*arguments: str, config: dict | None = None) -> subprocess.Popen:
    code = CODE.format(tests=str(Path(__file__).parent))
    environment = {**os.environ, **({"TF_CONFIG": json.dumps(config)} if config else {})}
    return subprocess.Popen([sys.executable, "-c", code, *arguments], env=environment, stderr=subprocess.PIPE)


def pair(out: str, weights: str, resume: str, die: str) -> list[subprocess.Popen]:
    """Two workers on this machine; the second may die."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    workers = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    return [
        start(
            *("multiworker", out, weights, resume, die if index else "live"),
            config={"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}},
        )
        for index in range(2)
    ]


def kept(folder: Path) -> dict[str, np.ndarray]:
    """What the checkpoint holds: weights, moments, averages, the window of the drift."""
    with h5py.File(folder / "checkpoint.h5", "r") as file:
        return {f"{group}/{name}": values[()] for group, part in file.items() for name, values in part.items()}


def losses(folder: Path) -> list[str]:
    return [line.split(",")[1] for line in (folder / "history.csv").read_text().splitlines()[1:]]


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> tuple[Path, Path]:
    """A run on one device, and the weights that it began with."""
    folder = tmp_path_factory.mktemp("alone")
    keras.utils.set_random_seed(2)
    weights = folder / "start.weights.h5"
    CSRNet(width=1 / 16, precision="float32").save_weights(weights)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(csrnet, "choose_precision", lambda: "float32")
        train(crowd(), crowd()[:1], out=folder / "run", recipe=recipe(), width=1 / 16, init=str(weights))
    return folder / "run", weights


@pytest.mark.slow
def test_several_devices_and_processes_give_the_weights_of_one(alone, tmp_path):
    """Two logical devices of one process; two processes, of which one is killed and all are started again."""
    run, weights = alone
    mirrored = start("mirrored", str(tmp_path / "mirrored"), str(weights), "new", "live")
    chief, killed = pair(str(tmp_path / "workers"), str(weights), "new", "die")
    assert killed.wait(600) == -signal.SIGKILL, killed.stderr.read().decode()[-2000:]
    _, errors = chief.communicate(timeout=600)
    assert chief.returncode == 1 and "A worker is gone" in errors.decode(), errors.decode()[-2000:]
    assert len(losses(tmp_path / "workers")) == 6
    for process in [*pair(str(tmp_path / "workers"), str(weights), "resume", "live"), mirrored]:
        _, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors.decode()[-3000:]
    expected = kept(run)
    for name in ("mirrored", "workers"):
        found = kept(tmp_path / name)
        assert list(found) == list(expected)
        for key, values in expected.items():
            np.testing.assert_allclose(found[key], values, rtol=1e-3, atol=1e-4, err_msg=f"{name}: {key}")
        assert [float(loss) for loss in losses(tmp_path / name)] == pytest.approx(list(map(float, losses(run))), 1e-4)
        assert (tmp_path / name / "best.weights.h5").exists()
        assert not list((tmp_path / name).glob(".*"))


def test_parts_of_batches_are_the_batches():
    options = {"batch": 4, "sigma": 4.0, "seed": 3, "first_example": 5}
    whole = training_dataset(crowd(), RandomCrops(64), **options).take(2)
    parts = [training_dataset(crowd(), RandomCrops(64), share=(index, 2), **options).take(2) for index in range(2)]
    for batch, first, second in zip(whole, *parts):
        for a, b, c in zip(batch, first, second):
            np.testing.assert_array_equal(a, tf.concat([b, c], axis=0))
    with pytest.raises(DataError, match="shared evenly. Received: batch=1, parts=2"):
        training_dataset(crowd(), PaperPatches(), batch=1, share=(0, 2))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("", "TF_CONFIG is not set"),
        ("{", "TF_CONFIG is not what it should be. Received: {"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}', "name workers alone"),
        ('{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "ps", "index": 0}}', "name workers alone"),
    ],
)
def test_what_is_wrong_with_the_cluster_is_told(config, message, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(TrainingError, match=message):
        find_devices("multiworker")
    rows = ["picture,x,y,split"]
    for split in ("train", "val"):
        Image.new("RGB", (64, 64)).save(tmp_path / f"{split}.png")
        rows.append(f"{split}.png,10,10,{split}")
    (tmp_path / "points.csv").write_text("\n".join(rows) + "\n")
    argv = ["train", "csv", "--root", str(tmp_path), "--out", str(tmp_path / "run"), "--init", "none"]
    assert main([*argv, "--strategy", "multiworker"]) == 1
    assert message in capsys.readouterr().err and not (tmp_path / "run" / "checkpoint.h5").exists()


def test_batches_that_cannot_be_shared_are_refused():
    devices = find_devices("mirrored")  # the one device of this machine, or its GPUs
    devices.check_batch(devices.number * 3)
    devices.number = 3
    with pytest.raises(TrainingError, match="batch of 4 examples cannot be shared evenly by 3"):
        devices.check_batch(4)
    with pytest.raises(TrainingError, match="Received: strategy='all'"):
        find_devices("all")
