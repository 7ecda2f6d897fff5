"""Networks that come from elsewhere: PyTorch's weights, Keras models that count nothing, files of other kinds."""

import json
import struct
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

import crowdcount
from crowdcount.errors import CrowdCountError, WeightsError
from crowdcount.network.kinds import kind_of
from crowdcount.network.torch_weights import read_state
from crowdcount.network.weight_files import save_weights
from crowdcount.training.plan import new_plan
from crowdcount.training.start import build

RATES = (2,) * 6
FILTERS = (4, 4, "pool", 8, 8, "pool", 16, 16, 16, "pool", 32, 32, 32)
BACK_END = (32, 32, 32, 16, 8, 4)


def state(rng, first=3):
    """Arrays as PyTorch's CSRNet of a sixteenth of the width keeps them: (out, in, height, width) and biases."""
    arrays, channels = {}, first
    for part, filters in (("frontend", FILTERS), ("backend", BACK_END), ("output_layer", (1,))):
        for index, number in enumerate(each for each in filters if each != "pool"):
            side = 1 if part == "output_layer" else 3
            spread = np.sqrt(2 / (channels * side * side))
            arrays[f"{part}.{index}.weight"] = rng.normal(0, spread, (number, channels, side, side)).astype(np.float32)
            arrays[f"{part}.{index}.bias"] = rng.uniform(0, 0.2, number).astype(np.float32)
            channels = number
    arrays["output_layer.0.weight"] = 0.1 * np.abs(arrays["output_layer.0.weight"])
    return arrays


@pytest.fixture
def stored(rng, tmp_path):
    arrays = state(rng)
    np.savez(tmp_path / "theirs.npz", **arrays)
    return tmp_path / "theirs.npz", arrays


def test_pytorchs_weights_count_as_in_pytorch(stored, rng, tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is not here: what it computes cannot be compared")
    file, arrays = stored
    picture = rng.integers(0, 256, (64, 80, 3), dtype=np.uint8)
    mean, deviation = (torch.tensor(each)[:, None, None] for each in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    values = ((torch.from_numpy(picture).permute(2, 0, 1) / 255 - mean) / deviation)[None]
    tensors = iter([torch.from_numpy(array) for array in arrays.values()])
    convolve = torch.nn.functional.conv2d
    with torch.no_grad():
        for filters in FILTERS:
            if filters == "pool":
                values = torch.nn.functional.max_pool2d(values, 2)
            else:
                values = torch.relu(convolve(values, next(tensors), next(tensors), padding=1))
        for rate in RATES:
            values = torch.relu(convolve(values, next(tensors), next(tensors), padding=rate, dilation=rate))
        theirs = convolve(values, next(tensors), next(tensors))[0, 0].numpy()
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    for name, content in {
        "plain": tensors,
        "a": {"state_dict": tensors, "epoch": 3},
        "inner": {"model": {"state_dict": tensors}},
        "average": {"model_ema": {"module": tensors}},
    }.items():
        torch.save(content, tmp_path / f"{name}.pth")
        found = read_state(tmp_path / f"{name}.pth")
        assert found.keys() == arrays.keys()
    for path in (file, tmp_path / "a.pth"):
        model = crowdcount.CSRNet(width=1 / 16, weights=path, precision="float32")
        np.testing.assert_allclose(model(picture[None]).numpy()[0, ..., 0], theirs, rtol=1e-3, atol=1e-4)
        assert crowdcount.count(picture, model=model).count == pytest.approx(theirs.sum(), rel=1e-3)
        assert crowdcount.count(picture, model=path).count == pytest.approx(theirs.sum(), rel=0.02)  # perhaps bfloat16


def test_training_from_pytorchs_weights_counts_nobody_below_zero(stored, rng, tmp_path):
    """It learned without a ReLU at its end: the loss became NaN, and what was saved counted otherwise than it had."""
    file, arrays = stored
    arrays["output_layer.0.bias"] -= 0.5
    np.savez(file, **arrays)
    pictures = rng.integers(0, 256, (2, 64, 80, 3), dtype=np.uint8)
    plan = new_plan([], "clear", width=1 / 16, init=str(file))
    model = build(plan)
    found = model(pictures).numpy()
    assert found.min() == 0 < found.max() and crowdcount.CSRNet(weights=file)(pictures).numpy().min() < 0
    assert np.isfinite(plan.recipe.loss()(np.zeros_like(found), found))
    kept = crowdcount.CSRNet(weights=save_weights(model, tmp_path / "kept.weights.h5"))
    assert kept(pictures).numpy().sum() == pytest.approx(found.sum(), rel=0.05)  # perhaps bfloat16


def test_pytorchs_network_is_saved_whole(stored, rng, tmp_path):
    """A weight file does not hold its linear end: opened again it had a ReLU there, and counted otherwise."""
    file, arrays = stored
    arrays["output_layer.0.bias"] -= 0.5
    np.savez(file, **arrays)
    pictures = rng.integers(0, 256, (1, 64, 80, 3), dtype=np.uint8)
    model = crowdcount.load_model(file, precision="float32")
    with pytest.raises(WeightsError, match=r"linear end.*model.save\('kept.keras'\)"):
        save_weights(model, tmp_path / "kept.weights.h5")
    model.save(tmp_path / "kept.keras")
    found = model(pictures).numpy()
    assert found.min() < 0
    np.testing.assert_allclose(crowdcount.load_model(tmp_path / "kept.keras")(pictures).numpy(), found, rtol=1e-4)


def test_weights_of_another_network_say_what_is_wanted(stored, tmp_path, rng):
    file, arrays = stored
    with pytest.raises(WeightsError, match=r"its layer for block1_conv1 has the shape \(3, 3, 3, 4\)"):
        crowdcount.CSRNet(width=1 / 8, weights=file)
    np.savez(tmp_path / "half.npz", **dict(list(arrays.items())[:20]))
    np.savez(tmp_path / "gray.npz", **state(rng, first=1))
    for name in ("half.npz", "gray.npz"):
        with pytest.raises(WeightsError, match="holds no weights of CSRNet: 17 convolutions"):
            crowdcount.load_model(tmp_path / name)
    (tmp_path / "cut.npz").write_bytes(file.read_bytes()[:3000])
    with pytest.raises(WeightsError, match="cut off"):
        crowdcount.load_model(tmp_path / "cut.npz")


def test_nothing_in_a_file_of_pytorch_is_run(tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is not here: its files cannot be made")

    class Harm:
        def __reduce__(self):
            return (open, (str(tmp_path / "harmed"), "w"))

    torch.save({"state_dict": Harm()}, tmp_path / "harm.pth")
    with pytest.raises(WeightsError, match="cannot be read safely|can be read safely"):
        crowdcount.load_model(tmp_path / "harm.pth")
    assert not (tmp_path / "harmed").exists()
    for content in (torch.nn.Linear(2, 2), {"epoch": 3}, [1]):
        torch.save(content, tmp_path / "none.pth")
        with pytest.raises(
            WeightsError, match="none.pth .*(which would run code|no weights of CSRNet|no state_dict)"
        ) as e:
            crowdcount.load_model(tmp_path / "none.pth")
        # PyTorch's own advice is to run what is in the file.
        assert "weights_only" not in str(e.value) and "\x1b" not in str(e.value)


def network(layer, shape=(None, None, 3)):
    inputs = keras.Input(shape)
    return keras.Model(inputs, layer(inputs))


@pytest.mark.parametrize(
    "model, message",
    [
        (lambda: network(keras.layers.Conv2D(1, 3, padding="same")), "80x64 pixels it makes a map of 64 rows"),
        (lambda: network(keras.layers.Conv2D(2, 8, strides=8)), r"gives \(None, None, None, 2\)"),
        (lambda: network(keras.layers.Conv2D(1, 8, strides=8), (None, None, 1)), r"takes \(None, None, None, 1\)"),
        (lambda: network(keras.layers.Conv2D(1, 8, strides=8), (64, 64, 3)), "pictures of one size alone"),
        (lambda: network(keras.layers.GlobalAveragePooling2D()), "no crowd counter"),
        (lambda: network(lambda inputs: {"map": keras.layers.Conv2D(1, 8, strides=8)(inputs)}), "its map in a dict"),
        (lambda: network(lambda inputs: [keras.layers.Conv2D(1, 8, strides=8)(inputs)]), "its map in a list"),
        (lambda: network(keras.layers.Conv2D(1, 8, strides=8, activation="sigmoid")), "last layer is a sigmoid"),
    ],
)
def test_a_network_that_does_not_count_is_refused_everywhere(model, message, rng, tmp_path):
    picture = rng.integers(0, 256, (64, 80, 3), dtype=np.uint8)
    given = model()
    given.save(tmp_path / "other.keras")
    sample = crowdcount.Sample("a", picture, [])
    for each in (given, tmp_path / "other.keras"):
        with pytest.raises(WeightsError, match=message):
            crowdcount.count(picture, model=each)
        with pytest.raises(WeightsError, match=message):
            crowdcount.evaluate(each, [sample], progress=False)
        with pytest.raises(WeightsError, match=message):
            crowdcount.export_model(each, tmp_path / "out")
    with pytest.raises(WeightsError, match=message):
        crowdcount.load_model(tmp_path / "other.keras")


@pytest.mark.parametrize(
    "given, message",
    [
        (lambda values: keras.ops.mean(values, axis=(1, 2, 3)), r"it gives \(1,\)"),
        (lambda values: [values], "it gives a list"),
        (lambda values: keras.ops.concatenate([values, values], axis=-1), r"it gives \(1, 8, 10, 2\)"),
        (lambda values: values[:, 1:], r"it gives \(1, 7, 10, 1\)"),
    ],
)
def test_what_only_its_map_shows_is_refused_then(given, message, rng):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.layer = keras.layers.Conv2D(1, 8, strides=8, padding="same")

        def call(self, pictures, training=False):
            return given(self.layer(pictures))

    with pytest.raises(WeightsError, match=f"no crowd counter: of 80x64 pixels {message}"):
        crowdcount.count(rng.integers(0, 256, (64, 80, 3), dtype=np.uint8), model=Own())


@pytest.mark.parametrize(
    "bias, message", [(-3.0, "-240.0 people"), (17.0, "1360 people on 5120 pixels, more than one on four")]
)
def test_counts_that_cannot_be_are_no_numbers(bias, message, rng):
    layer = keras.layers.Conv2D(
        1, 8, strides=8, padding="same", kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(bias)
    )
    with pytest.raises(CrowdCountError, match=message):
        crowdcount.count(rng.integers(0, 256, (64, 80, 3), dtype=np.uint8), model=network(layer))


def test_a_few_negative_cells_leave_the_sum_and_make_a_map_of_people(rng):
    """As PyTorch's CSRNet gives them, which has no ReLU at its end."""
    layer = keras.layers.Conv2D(1, 8, strides=8, padding="same", use_bias=False)
    model = network(layer)
    layer.set_weights([np.full((8, 8, 3, 1), 1e-5, np.float32) * rng.choice([1, -0.1], (8, 8, 3, 1))])
    picture = rng.integers(0, 256, (64, 80, 3), dtype=np.uint8)
    raw = model(picture[None].astype(np.float32)).numpy()
    result = crowdcount.count(picture, model=model)
    assert result.density.min() >= 0 and result.count == pytest.approx(raw.sum(), rel=1e-4)


def test_files_of_other_kinds_are_named(tmp_path, weights):
    (tmp_path / "a.onnx").write_bytes(b"\x08\x07\x12\x04onnx")
    (tmp_path / "a.tflite").write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(20))
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file.attrs["layer_names"] = ["a"]
    with zipfile.ZipFile(tmp_path / "texts.zip", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with h5py.File(tmp_path / "named.weights.h5", "w") as file:  # a name that is no text
        h5py.h5g.create(file.create_group("a").id, b"layer\x8c")
    crowdcount.CSRNet(width=1 / 64).save(tmp_path / "whole.keras")
    (tmp_path / "whole.keras").rename(tmp_path / "whole.weights.h5")
    for name, content in (
        ("lfs.pth", b"version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 5\n"),
        ("page.weights.h5", b"<!DOCTYPE html><html>Not found</html>"),
        ("weights.tar.gz", b"\x1f\x8b" + bytes(40)),
        ("photo.jpg", b"\xff\xd8\xff" + bytes(40)),
        ("a.safetensors", b"\x02\0\0\0\0\0\0\0{}"),
        ("a.pkl", b"\x80\x04N."),
    ):
        (tmp_path / name).write_bytes(content)
    for name, message in (
        ("whole.weights.h5", "a name that ends in .keras"),
        ("lfs.pth", "pointer of Git LFS"),
        ("page.weights.h5", "web page"),
        ("weights.tar.gz", "compressed file"),
        ("photo.jpg", "a picture, no network"),
        ("a.safetensors", "state_dict"),
        ("a.pkl", "no network that can be opened"),
        ("named.weights.h5", "no weight file of CSRNet"),
        ("a.onnx", "ONNX model"),
        ("a.tflite", "LiteRT model"),
        ("old.h5", "saved by Keras 2"),
        ("texts.zip", "archive without a network"),
    ):
        with pytest.raises(WeightsError, match=message):
            crowdcount.load_model(tmp_path / name)
    assert kind_of(Path(weights)) == "weights"


def test_an_archive_that_was_packed_anew_and_is_damaged_or_locked_is_told(tmp_path):
    """Keras packs nothing: what unpacks raises errors of its own."""
    whole = tmp_path / "whole.keras"
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps({"config": list(range(500))}))
        archive.writestr("model.weights.h5", b"")
    assert kind_of(whole) == "keras"
    data = whole.read_bytes()
    # The first byte of what is packed, and the flag of a password.
    places = {"damaged": data.index(b"config.json") + len(b"config.json"), "locked": data.index(b"PK\1\2") + 8}
    for name, at in places.items():
        changed = data[:at] + (b"\xff" if name == "damaged" else b"\1") + data[at + 1 :]
        assert changed != data
        (tmp_path / f"{name}.keras").write_bytes(changed)
        with pytest.raises(WeightsError, match=f"{name}.keras is not a model that Keras can open"):
            kind_of(tmp_path / f"{name}.keras")


def test_files_that_could_harm_are_not_opened(tmp_path, monkeypatch):
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["a"] = np.zeros(3)
    with h5py.File(tmp_path / "link.weights.h5", "w") as file:
        file["layers"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/a")
    with pytest.raises(WeightsError, match="points into another file"):
        crowdcount.load_model(tmp_path / "link.weights.h5")
    with h5py.File(tmp_path / "outside.weights.h5", "w") as file:
        file.create_dataset("a", (8,), "u1", external=[(str(tmp_path / "secret.h5"), 0, 8)])
    with pytest.raises(WeightsError, match="points into another file"):
        crowdcount.load_model(tmp_path / "outside.weights.h5")
    crowdcount.CSRNet(width=1 / 64).save(tmp_path / "sound.keras")
    crowdcount.load_model(tmp_path / "sound.keras")
    with zipfile.ZipFile(tmp_path / "sound.keras") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    changes = {
        "code": {"config.json": parts["config.json"].replace(b'"module": "keras.layers"', b'"module": "os"', 1)},
        "lambda": {
            "config.json": parts["config.json"].replace(b'"class_name": "Conv2D"', b'"class_name": "Lambda"', 1)
        },
        "links": {"model.weights.h5": (tmp_path / "link.weights.h5").read_bytes()},
        "nothing": {"config.json": b"[" * 100_000},
    }
    messages = {"code": "layer of os", "lambda": "Lambda", "links": "points into another", "nothing": "not a model"}
    for name, changed in changes.items():
        assert parts != parts | changed
        with zipfile.ZipFile(tmp_path / f"{name}.keras", "w") as archive:
            for member, content in (parts | changed).items():
                archive.writestr(member, content)
        with pytest.raises(WeightsError, match=messages[name]):
            crowdcount.load_model(tmp_path / f"{name}.keras")
    # A name that claims to be as long as the file: Python's message shows all of it, bytes and all.
    damaged = bytearray((tmp_path / "sound.keras").read_bytes())
    struct.pack_into("<H", damaged, damaged.index(b"config.json") - 4, 20_000)
    (tmp_path / "damaged.keras").write_bytes(damaged)
    with pytest.raises(WeightsError, match="not a model") as refused:
        crowdcount.load_model(tmp_path / "damaged.keras")
    assert len(str(refused.value)) < 400 + len(str(tmp_path))
    with zipfile.ZipFile(tmp_path / "bomb.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("zeros", bytes(1 << 21))
    monkeypatch.setattr("crowdcount.network.kinds.MOST_UNPACKED", 1 << 20)
    with pytest.raises(WeightsError, match="would unpack to 0.0 GiB"):
        crowdcount.load_model(tmp_path / "bomb.keras")
