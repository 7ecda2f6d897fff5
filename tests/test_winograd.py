"""The quick convolutions against TensorFlow's own, in double precision."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from crowdcount.network import layers, winograd
from crowdcount.network.csrnet import CSRNet
from crowdcount.network.layers import Convolution, to_count
from crowdcount.network.prediction import predict_density

pytestmark = pytest.mark.skipif(not winograd.available(), reason="this TensorFlow has no XLA for the processor")


def _direct(x, kernel, rate):
    x = tf.pad(x, [[0, 0], [rate, rate], [rate, rate], [0, 0]])
    high, wide = x.shape[1] - 2 * rate, x.shape[2] - 2 * rate
    parts = [
        tf.einsum("bhwc,co->bhwo", x[:, i * rate : i * rate + high, j * rate : j * rate + wide], kernel[i, j])
        for i in range(3)
        for j in range(3)
    ]
    return tf.add_n(parts)


@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("rate, height, width", [(1, 5, 11), (2, 9, 13)])
def test_convolution_and_gradients(rate, height, width, direct):
    if direct and not layers._dilates("float32"):
        pytest.skip("this TensorFlow computes no gradients of dilated convolutions on this processor")
    rng = np.random.default_rng(height * width)
    x, kernel, seen = (
        tf.constant(rng.normal(size=size)) for size in ((2, height, width, 5), (3, 3, 5, 7), (2, height, width, 7))
    )
    with tf.GradientTape() as tape:
        tape.watch([x, kernel])
        expected = _direct(x, kernel, rate)
        error = tf.reduce_sum(expected * seen)
    expected_gradients = tape.gradient(error, [x, kernel])
    x, kernel, seen = (tf.cast(value, tf.float32) for value in (x, kernel, seen))
    with tf.GradientTape() as tape:
        tape.watch([x, kernel])
        outputs = winograd.convolve(x, kernel, rate, direct)
        error = tf.reduce_sum(outputs * seen)
    for ours, theirs in zip([outputs, *tape.gradient(error, [x, kernel])], [expected, *expected_gradients]):
        np.testing.assert_allclose(ours, theirs, atol=2e-5 * float(tf.math.reduce_std(theirs)) * 10)


@pytest.mark.parametrize("rate, height, width", [(1, 5, 11), (2, 9, 13), (1, 1, 1), (2, 40, 3)])
def test_what_compiles_nothing_is_the_same_convolution_at_any_size(monkeypatch, rate, height, width):
    rng = np.random.default_rng(height * width)
    x, kernel = (tf.constant(rng.normal(size=size)) for size in ((1, height, width, 5), (3, 3, 5, 7)))
    expected = _direct(x, kernel, rate)
    x, kernel = tf.cast(x, tf.float32), tf.cast(kernel, tf.float32)

    @tf.function(input_signature=[tf.TensorSpec((1, None, None, 5))])
    def any_size(pictures):
        return winograd.convolve_any(pictures, kernel, rate)

    def compiled_by_xla(*arguments, **options):
        raise AssertionError("a transform was compiled")

    monkeypatch.setattr(winograd, "_input_tiles", compiled_by_xla)
    for outputs in (winograd.convolve_any(x, kernel, rate), any_size(x)):
        np.testing.assert_allclose(outputs, expected, atol=2e-4)


def test_a_picture_alone_is_quick_where_it_is_counted_and_plain_where_it_is_exported(monkeypatch):
    calls = []
    real = winograd.convolve_any
    monkeypatch.setattr(winograd, "convolve_any", lambda *arguments: calls.append(arguments) or real(*arguments))
    layer = Convolution(256, 3, dilation_rate=2, padding="same", activation="relu", dtype="float32")
    inputs = keras.Input((None, None, 128), batch_size=1)
    x = np.random.default_rng(0).normal(size=(1, 9, 10, 128)).astype("float32")
    plain = layer(x)
    keras.Model(inputs, layer(inputs))(x)
    assert not calls
    with to_count():
        monkeypatch.setattr(layers, "_dilates", lambda numbers: False)
        layer(x)
        assert not calls  # without oneDNN it would take longer
        monkeypatch.setattr(layers, "_dilates", lambda numbers: True)
        quick = layer(x)
        assert len(calls) == 1
        layer(x, training=True)
        layer(np.concatenate([x, x]))
        Convolution(128, 3, padding="same", dtype="float32")(x)  # the transforms cost more than they save
        Convolution(128, 3, padding="same", dtype="mixed_bfloat16")(x)
        assert len(calls) == 1
        monkeypatch.setattr(layers, "multiplies_matrices", lambda: True)
        Convolution(512, 3, padding="same", dtype="mixed_bfloat16")(np.ones((1, 4, 4, 512), "float32"))
        assert len(calls) == 1
    np.testing.assert_allclose(quick, plain, atol=1e-3)
    assert float(tf.reduce_min(quick)) == 0
    layer(x)
    assert len(calls) == 1


def test_maps_of_a_picture_alone_are_those_of_plain_convolutions(monkeypatch):
    calls = []
    real = winograd.convolve_any
    monkeypatch.setattr(winograd, "convolve_any", lambda *arguments: calls.append(arguments) or real(*arguments))
    monkeypatch.setattr(layers, "_dilates", lambda numbers: True)
    keras.utils.set_random_seed(3)
    network = CSRNet(precision="float32")
    picture = np.random.default_rng(4).integers(0, 255, (50, 70, 3), dtype=np.uint8)
    found = predict_density(network, picture)
    assert len(calls) >= 8
    plain = network(picture[np.newaxis].astype("float32"))[0, ..., 0]
    assert found.any()
    np.testing.assert_allclose(found, plain, atol=1e-4 * found.max())


def test_bfloat16_is_off_by_little_more_than_a_direct_convolution():
    rng = np.random.default_rng(5)
    x, kernel = (tf.constant(rng.normal(size=size)) for size in ((1, 18, 21, 32), (3, 3, 32, 24)))
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        expected = _direct(x, kernel, 1)
        error = tf.reduce_sum(expected**2)
    gradient = tape.gradient(error, kernel)
    short, short_kernel = tf.cast(x, tf.bfloat16), tf.cast(kernel, tf.bfloat16)
    with tf.GradientTape() as tape:
        tape.watch(short_kernel)
        outputs = winograd.convolve(short, short_kernel)
        error = tf.reduce_sum(tf.cast(outputs, tf.float32) ** 2)
    found, alone = tape.gradient(error, short_kernel), winograd.convolve_any(short, short_kernel)
    assert outputs.dtype == found.dtype == alone.dtype == tf.bfloat16
    for ours, theirs in ((outputs, expected), (alone, expected), (found, gradient)):
        # 2**-8 are the digits of bfloat16; the transforms lose four times as much, other points ten times.
        assert float(tf.math.reduce_std(tf.cast(ours, tf.float64) - theirs) / tf.math.reduce_std(theirs)) < 0.017


def test_layer_takes_the_quick_way_only_where_it_pays(monkeypatch):
    calls = []
    real = winograd.convolve
    monkeypatch.setattr(winograd, "convolve", lambda *arguments: calls.append(arguments) or real(*arguments))
    layer = Convolution(128, 3, dilation_rate=2, padding="same", activation="relu", dtype="float32")
    x = np.random.default_rng(0).normal(size=(1, 8, 8, 128)).astype("float32")
    direct = layer(x)
    assert not calls
    quick = layer(x, training=True)
    assert len(calls) == 1
    np.testing.assert_allclose(quick, direct, atol=1e-3)
    assert float(tf.reduce_min(quick)) == 0  # the activation is there
    narrow = Convolution(64, 3, padding="same", dtype="float32")
    narrow(x, training=True)
    short = Convolution(128, 3, padding="same", dtype="mixed_bfloat16")
    short(x, training=True)
    layer(x)

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 128))])
    def any_size(pictures):
        return layer(pictures, training=True)

    any_size(x)
    assert len(calls) == 1


def test_bias_is_added():
    layer = Convolution(128, 3, padding="same", bias_initializer=keras.initializers.Constant(3.0), dtype="float32")
    outputs = layer(np.zeros((1, 4, 4, 128), "float32"), training=True)
    np.testing.assert_allclose(outputs, 3.0)


def test_matrix_units_leave_the_gradient_of_the_kernel_alone_to_the_quick_way(monkeypatch):
    calls = []
    real = winograd.convolve
    monkeypatch.setattr(winograd, "convolve", lambda *arguments: calls.append(arguments[2:]) or real(*arguments))
    monkeypatch.setattr(layers, "_dilates", lambda dtype: True)
    layer = Convolution(256, 3, padding="same", dtype="mixed_bfloat16")
    x = np.ones((1, 4, 4, 256), "float32")
    for units, expected in ((True, (1, True)), (False, (1, False))):
        monkeypatch.setattr(layers, "multiplies_matrices", lambda units=units: units)
        layer(x, training=True)
        assert calls.pop() == expected
    full = Convolution(128, 3, padding="same", dtype="float32")
    monkeypatch.setattr(layers, "multiplies_matrices", lambda: True)
    full(np.ones((1, 4, 4, 128), "float32"), training=True)
    assert calls.pop() == (1, False)  # the units have no float32


def test_where_nothing_trains_a_dilated_convolution_it_is_found_out_within_a_graph():
    code = """
import tensorflow as tf
from crowdcount.network import layers
found = tf.function(lambda: tf.constant([layers._dilates(dtype) for dtype in ("float32", "bfloat16")]))()
print(found.numpy())
"""
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0", "CUDA_VISIBLE_DEVICES": "-1"}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["[False", "False]"]
