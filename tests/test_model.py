"""The network: shapes, arithmetic, an independent forward pass, receptive fields, saving."""

import json
import subprocess
import sys

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.signal import correlate2d

from crowdcount.errors import WeightsError
from crowdcount.grid import map_shape
from crowdcount.network import precision
from crowdcount.network.csrnet import (
    A_TROUS,
    A_TROUS_GAIN,
    DESIGNS,
    FRONT_END,
    IMAGENET_FILE_VARIABLE,
    IMAGENET_MEAN,
    INPUT_SCALE,
    CSRNet,
)
from crowdcount.network.layers import Convolution
from crowdcount.training.losses import EuclideanLoss

TINY = 1 / 16


def _alive(model, seed=0):
    """Give a small network random weights that keep its cells alive, biases included."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, rng.uniform(0, 0.1, bias.shape).astype("float32")])
    kernel, bias = model.get_layer("density").get_weights()
    model.get_layer("density").set_weights([np.abs(kernel), bias])
    return model


def test_parameters_of_design_b():
    assert CSRNet("B").count_params() == 16_263_489


def test_parameters_by_part():
    model = CSRNet("B")
    front = sum(model.get_layer(name).count_params() for name, _ in FRONT_END)
    back = sum(model.get_layer(f"dilated{position}").count_params() for position in range(1, 7))
    assert (front, back, model.get_layer("density").count_params()) == (7_635_264, 8_628_160, 65)


@pytest.mark.parametrize("design", DESIGNS)
def test_designs_differ_in_rates_alone(design):
    model = CSRNet(design, width=TINY)
    rates = tuple(model.get_layer(f"dilated{position}").dilation_rate[0] for position in range(1, 7))
    assert rates == DESIGNS[design]
    assert model.count_params() == CSRNet("B", width=TINY).count_params()


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (1, 1), (100, 61), (64, 129)])
@pytest.mark.parametrize("batch", [1, 3])
def test_any_size_and_batch(size, batch, rng):
    model = _alive(CSRNet(width=TINY))
    pictures = rng.integers(0, 256, (batch, *size, 3), dtype=np.uint8)
    density = model(pictures).numpy()
    assert density.shape == (batch, *map_shape(size), 1)
    assert density.dtype == np.float32
    assert (density >= 0).all()
    # A picture counts the same alone and among others.
    np.testing.assert_allclose(model(pictures[:1]).numpy()[0], density[0], rtol=1e-4, atol=1e-6)


def test_integers_and_floats_are_the_same_picture(rng):
    model = _alive(CSRNet(width=TINY))
    picture = rng.integers(0, 256, (1, 40, 40, 3), dtype=np.uint8)
    np.testing.assert_array_equal(model(picture).numpy(), model(picture.astype("float32")).numpy())


def _numpy_csrnet(model, picture, design):
    """The network written down again with SciPy's correlation: same padding, dilation by zeros in the kernel."""

    def convolution(x, layer, rate=1):
        kernel, bias = (array.astype(np.float64) for array in layer.get_weights())
        side = kernel.shape[0] + (kernel.shape[0] - 1) * (rate - 1)
        spread = np.zeros((side, side, *kernel.shape[2:]))
        spread[::rate, ::rate] = kernel
        out = np.zeros((*x.shape[:2], kernel.shape[3])) + bias
        for i in range(kernel.shape[2]):
            for o in range(kernel.shape[3]):
                out[..., o] += correlate2d(x[..., i], spread[..., i, o], mode="same")
        return np.maximum(out, 0)

    def pool(x):
        rows, columns = -(-x.shape[0] // 2), -(-x.shape[1] // 2)
        return np.array(
            [[x[2 * r : 2 * r + 2, 2 * c : 2 * c + 2].max((0, 1)) for c in range(columns)] for r in range(rows)]
        )

    x = (picture.astype(np.float64) - IMAGENET_MEAN) / INPUT_SCALE
    for name, _ in FRONT_END:
        if name in ("block2_conv1", "block3_conv1", "block4_conv1"):
            x = pool(x)
        x = convolution(x, model.get_layer(name))
    for position, rate in enumerate(DESIGNS[design], start=1):
        x = convolution(x, model.get_layer(f"dilated{position}"), rate)
    return convolution(x, model.get_layer("density"))


@pytest.mark.parametrize("design", DESIGNS)
def test_forward_pass_against_scipy(design, rng):
    model = _alive(CSRNet(design, width=1 / 32, precision="float32"))
    picture = rng.integers(0, 256, (43, 58, 3), dtype=np.uint8)
    expected = _numpy_csrnet(model, picture, design)
    assert expected.max() > 0
    np.testing.assert_allclose(model(picture[None]).numpy()[0], expected, rtol=1e-3, atol=1e-5 * expected.max())


@pytest.mark.parametrize("rate", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(12, 12), (7, 9), (1, 5)])
def test_dilated_layer_is_keras_conv2d_forward(rate, size, rng):
    x = rng.normal(size=(2, *size, 3)).astype("float32")
    ours = Convolution(4, 3, dilation_rate=rate, padding="same")
    ours.build(x.shape)
    plain = keras.layers.Conv2D(4, 3, dilation_rate=rate, padding="same")
    plain.build(x.shape)
    plain.set_weights(ours.get_weights())
    np.testing.assert_allclose(ours(x).numpy(), plain(x).numpy(), rtol=1e-4, atol=1e-5)


def test_a_gpu_that_a_program_hides_is_none(monkeypatch, rng):
    """After `tf.config.set_visible_devices([], "GPU")` the processor was given what only a GPU computes."""
    gpu = tf.config.PhysicalDevice("/physical_device:GPU:0", "GPU")
    details = {"compute_capability": (7, 0)}
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [gpu])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda device: details)
    monkeypatch.setattr(precision, "_processor_flags", lambda: {"avx512_bf16"})
    layer = Convolution(3, 3, dilation_rate=2, padding="same")
    found = []
    for visible in ([gpu], []):
        monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind=None, visible=visible: visible)
        found.append((layer._native(), precision.choose_precision.__wrapped__()))
    assert found == [(True, "float32"), (False, "mixed_bfloat16")]


def test_dilated_layer_trains_on_this_processor(rng):
    """Its gradient is that of the same convolution with zeros written into a larger kernel."""
    x = tf.constant(rng.normal(size=(1, 9, 11, 2)).astype("float32"))
    layer = Convolution(3, 3, dilation_rate=2, padding="same", use_bias=False)
    layer.build(x.shape)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(layer(x) ** 2)
    by_x, by_kernel = tape.gradient(loss, [x, layer.kernel.value])

    spread = np.zeros((5, 5, 2, 3), "float32")
    spread[::2, ::2] = layer.get_weights()[0]
    spread = tf.Variable(spread)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(tf.nn.conv2d(x, spread, 1, "SAME") ** 2)
    expected_x, expected_kernel = tape.gradient(loss, [x, spread])
    np.testing.assert_allclose(by_x, expected_x, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(by_kernel, expected_kernel[::2, ::2], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("design", "field"), [("A", 188), ("B", 284), ("C", 380), ("D", 476)])
def test_receptive_field_by_gradient(design, field):
    """The pixels that one cell depends on span what the arithmetic says: 92 for the front end, 16 a rate behind it."""
    model = CSRNet(design, width=1 / 64)
    for layer in model.layers:
        if layer.weights:  # everything positive: no ReLU hides a path
            kernel, bias = layer.get_weights()
            layer.set_weights([np.full_like(kernel, 1 / kernel[..., 0].size), bias])
    # A rising picture, so that each pool lets one pixel through: over all, the last of each window.
    side = 8 * (2 * (-(-field // 16)) + 3)
    picture = tf.Variable(np.random.default_rng(0).uniform(200, 255, (1, side, side, 3)).astype("float32"))
    with tf.GradientTape() as tape:
        density = model(picture)
        middle = density[0, density.shape[1] // 2, density.shape[2] // 2, 0]
    touched = np.abs(tape.gradient(middle, picture).numpy()[0]).sum(-1) > 0
    rows, columns = np.flatnonzero(touched.any(1)), np.flatnonzero(touched.any(0))
    spans = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    # Max-pooling lets through one of two pixels, which may be the inner one, at each of three poolings.
    for span in spans:
        assert field - 14 <= span <= field


@pytest.mark.parametrize("loss", [None, EuclideanLoss()])
def test_keras_saves_and_loads_it_without_crowdcount(tmp_path, rng, loss):
    """A model compiled with a loss of ours too, where Keras is told not to compile it."""
    model = _alive(CSRNet("C", width=TINY, precision="float32"))
    if loss is not None:
        model.compile("adam", loss)
    path = tmp_path / "x.keras"
    model.save(path)
    picture = rng.integers(0, 256, (1, 30, 50, 3), dtype=np.uint8)
    np.save(tmp_path / "picture.npy", picture)
    code = (
        "import sys, json, numpy as np, keras\n"
        f"model = keras.models.load_model({str(path)!r}, safe_mode=True, compile={loss is None})\n"
        f"density = model.predict(np.load({str(tmp_path / 'picture.npy')!r}), verbose=0)\n"
        "assert not any(name.startswith('crowdcount') for name in sys.modules)\n"
        "print(json.dumps(density.tolist()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    density = np.array(json.loads(done.stdout.strip().splitlines()[-1]))
    np.testing.assert_allclose(density, model(picture).numpy(), rtol=1e-5, atol=1e-7)


def test_fit_as_keras_users_do(rng):
    model = CSRNet(width=TINY)
    model.compile("adam", "mse")
    history = model.fit(
        rng.integers(0, 256, (4, 32, 32, 3), dtype=np.uint8), np.full((4, 4, 4, 1), 0.2), epochs=2, verbose=0
    )
    assert np.isfinite(history.history["loss"]).all()


def test_bfloat16_counts_like_float32(rng):
    exact = _alive(CSRNet(width=TINY, precision="float32"))
    short = CSRNet(width=TINY, precision="mixed_bfloat16")
    short.set_weights(exact.get_weights())
    picture = rng.integers(0, 256, (1, 96, 96, 3), dtype=np.uint8)
    count = exact(picture).numpy().sum()
    assert short(picture).dtype == "float32"
    assert short(picture).numpy().sum() == pytest.approx(count, rel=0.02)


@pytest.mark.parametrize("design", ["E", "b"])
def test_unknown_design(design):
    with pytest.raises(ValueError, match=r"A, B, C, D\. Received: design="):
        CSRNet(design)


@pytest.mark.parametrize("width", [0, -1, 100])
def test_impossible_width(width):
    with pytest.raises(ValueError, match="Received: width="):
        CSRNet(width=width)


@pytest.fixture(scope="module")
def vgg16_file(tmp_path_factory):
    """A file in the layout of Keras's VGG-16 weights, with random numbers in it."""
    rng = np.random.default_rng(1)
    path = tmp_path_factory.mktemp("vgg16") / "vgg16_notop.h5"
    channels = 3
    with h5py.File(path, "w") as file:
        for name, filters in (*FRONT_END, *((layer, 512) for layer in A_TROUS.values())):
            file[f"{name}/kernel"] = rng.normal(0, 0.05, (3, 3, channels, filters)).astype("float32")
            file[f"{name}/bias"] = rng.normal(size=filters).astype("float32")
            channels = filters
    return path


def test_imagenet_weights_are_vgg16s(vgg16_file, rng):
    """The front end gives 1 / 58 of what VGG-16 gives for the BGR picture less its mean."""
    model = CSRNet(weights="imagenet", imagenet_file=vgg16_file, precision="float32")
    picture = rng.integers(0, 256, (1, 16, 24, 3), dtype=np.uint8)
    front = keras.Model(model.input, model.get_layer("block4_conv3").output)
    x = picture[..., ::-1].astype("float32") - IMAGENET_MEAN[::-1]
    with h5py.File(vgg16_file) as file:
        for name, _ in FRONT_END:
            if name in ("block2_conv1", "block3_conv1", "block4_conv1"):
                x = tf.nn.max_pool2d(x, 2, 2, "VALID")
            x = tf.nn.relu(tf.nn.conv2d(x, file[name]["kernel"][()], 1, "SAME") + file[name]["bias"][()])
        last = file["block5_conv3/kernel"][()]
    np.testing.assert_allclose(front(picture) * INPUT_SCALE, x, rtol=1e-3, atol=1e-3 * np.max(x))
    np.testing.assert_allclose(model.get_layer("dilated3").get_weights()[0], A_TROUS_GAIN * last, rtol=1e-6)


def test_imagenet_file_by_environment(vgg16_file, monkeypatch):
    monkeypatch.setenv(IMAGENET_FILE_VARIABLE, str(vgg16_file))
    by_variable = CSRNet(weights="imagenet").get_layer("block1_conv1").get_weights()[0]
    with h5py.File(vgg16_file) as file:
        np.testing.assert_array_equal(by_variable, file["block1_conv1/kernel"][()][:, :, ::-1])


def test_imagenet_needs_width_one(vgg16_file):
    with pytest.raises(WeightsError, match="width 1 only.*4 filters"):
        CSRNet(width=TINY, weights="imagenet", imagenet_file=vgg16_file)


def test_imagenet_file_missing_or_damaged(vgg16_file, tmp_path):
    with pytest.raises(WeightsError, match="no such file.*nowhere.h5"):
        CSRNet(weights="imagenet", imagenet_file=tmp_path / "nowhere.h5")
    cut = tmp_path / "cut.h5"
    cut.write_bytes(vgg16_file.read_bytes()[:1000])
    with pytest.raises(WeightsError, match="not a whole HDF5 file"):
        CSRNet(weights="imagenet", imagenet_file=cut)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["block1_conv1/kernel"] = np.zeros((3, 3, 3, 64))
    with pytest.raises(WeightsError, match="no kernel and bias for block1_conv1, block1_conv2"):
        CSRNet(weights="imagenet", imagenet_file=tmp_path / "other.h5")
