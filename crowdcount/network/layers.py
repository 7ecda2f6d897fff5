"""Convolutions that train on every processor, and quickly."""

from __future__ import annotations

import contextlib
import contextvars
import functools
from collections.abc import Iterator

from crowdcount.network.backend import keras
from crowdcount.network.precision import multiplies_matrices, visible_gpus

# With fewer channels and filters the transforms cost more than the multiplications that they save.
_CHANNELS = {"float32": 128, "bfloat16": 256}
# Where they are not compiled they cost more: as channels and filters together, and save as the two multiplied.
_WORTH_IT = {"float32": 80, "bfloat16": 120}

_counting: contextvars.ContextVar[bool] = contextvars.ContextVar("counting", default=False)


@contextlib.contextmanager
def to_count() -> Iterator[None]:
    """Within, what is run or traced for one picture of any size saves multiplications, too, where that pays on a CPU.

    Outside it is plain convolutions: what is exported holds the layers that other programs know.

    Example:
        >>> with to_count():
        ...     maps = Convolution(4, 3, padding="same")(keras.ops.zeros((1, 8, 8, 3)))
    """
    token = _counting.set(True)
    try:
        yield
    finally:
        _counting.reset(token)


class Convolution(keras.layers.Conv2D):
    """`keras.layers.Conv2D`, 3x3 and "same", on any processor at the speed that it has.

    TensorFlow computes the gradient of a dilated convolution on a GPU and through oneDNN; on other processors (Apple
    silicon, x86 before AVX-512 VNNI) it stops with "Current CPU implementations do not yet support dilation rates
    larger than 1". A dilated convolution is the same thing as plain convolutions of the r x r interleaved
    subsamplings of its input (Yu and Koltun 2016, the "algorithme a trous"), so on a CPU the input is rearranged,
    convolved plainly and rearranged back: the same numbers, everywhere, at the speed of a plain convolution.

    Many channels on a CPU go through `crowdcount.network.winograd`: in training, where the size of the examples is
    known, since it is compiled for, and where a picture is counted (`to_count`). Where the processor multiplies
    matrices by itself, in bfloat16, only the gradients of kernels do.

    It differs from `keras.layers.Conv2D` in nothing that a saved model could hold, so it is saved as one: a `.keras`
    file of CSRNet opens with Keras alone.
    """

    def call(self, inputs, training=False):
        quick = self._quick(inputs, training)
        return super().call(inputs) if quick is None else self.activation(quick + self.bias)

    def convolution_op(self, inputs, kernel):
        if self._native():
            return super().convolution_op(inputs, kernel)
        import tensorflow as tf

        rate, reach = self.dilation_rate[0], self.dilation_rate[0] * (self.kernel_size[0] // 2)
        height, width = tf.shape(inputs)[1], tf.shape(inputs)[2]
        # `reach` is the "same" padding; after it each side grows to a multiple of the rate, and shrinks back.
        extra = [-(height + 2 * reach) % rate, -(width + 2 * reach) % rate]
        paddings = [[reach, reach + extra[0]], [reach, reach + extra[1]]]
        phases = tf.space_to_batch(inputs, [rate, rate], paddings)
        phases = tf.nn.conv2d(phases, kernel, strides=1, padding="VALID")
        crops = [[0, extra[0]], [0, extra[1]]]
        output = tf.batch_to_space(phases, [rate, rate], crops)
        return tf.ensure_shape(output, inputs.shape[:-1] + [kernel.shape[-1]])

    def _native(self) -> bool:
        """Whether Keras's own convolution serves: other backends, no dilation, or a GPU."""
        if keras.backend.backend() != "tensorflow" or self.dilation_rate == (1, 1):
            return True
        return bool(visible_gpus())

    def _quick(self, inputs, training: bool):
        """The convolution in fewer multiplications; None where these are not to be had, or do not pay."""
        numbers, channels, filters, rate = self.compute_dtype, inputs.shape[-1], self.filters, self.dilation_rate[0]
        if not (training or _counting.get()) or keras.backend.backend() != "tensorflow" or numbers not in _CHANNELS:
            return None
        if visible_gpus():
            return None
        from crowdcount.network import winograd

        by_units = numbers == "bfloat16" and multiplies_matrices()
        if training:
            if None in inputs.shape[1:] or min(channels, filters) < _CHANNELS[numbers] or not winograd.available():
                return None
            direct = by_units and (rate == 1 or _dilates(numbers))
            return winograd.convolve(inputs, self.kernel, rate, direct)
        if inputs.shape[0] != 1 or by_units or channels * filters < _WORTH_IT[numbers] * (channels + filters):
            return None
        if not _dilates("float32"):  # without oneDNN it takes longer to arrange the tiles than it saves
            return None
        return winograd.convolve_any(inputs, self.kernel, rate)


@functools.cache
def _dilates(dtype: str) -> bool:
    """Whether TensorFlow computes the gradients of a dilated convolution of these numbers here: oneDNN does."""
    import tensorflow as tf

    def gradients(x, kernel):
        of_inputs = tf.nn.conv2d_transpose(x, kernel, x.shape, 1, "SAME", dilations=2)
        settings = {"strides": [1, 1, 1, 1], "padding": "SAME", "dilations": [1, 2, 2, 1]}
        return of_inputs, tf.raw_ops.Conv2DBackpropFilter(
            input=x, filter_sizes=kernel.shape, out_backprop=of_inputs, **settings
        )

    # A graph that is being made would take the operations in, and run none. No tape records here.
    with tf.init_scope():
        try:
            tf.function(gradients)(tf.ones((1, 8, 8, 16), dtype), tf.ones((3, 3, 16, 16), dtype))
        except tf.errors.OpError:
            return False
    return True


# How Keras names the class in a saved model: see the docstring.
Convolution.__module__, Convolution.__name__ = "keras.layers", "Conv2D"
