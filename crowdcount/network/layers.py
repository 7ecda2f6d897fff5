"""Convolutions that train on every processor, and quickly."""

from __future__ import annotations

import functools

from crowdcount.network.backend import keras
from crowdcount.network.precision import multiplies_matrices
from crowdcount.network.repeated import expected

# With fewer the transforms cost more than the multiplications that they save.
_MANY_CHANNELS = {"float32": 128, "bfloat16": 256}


class Convolution(keras.layers.Conv2D):
    """`keras.layers.Conv2D`, 3x3 and "same", on any processor at the speed that it has.

    TensorFlow computes the gradient of a dilated convolution on a GPU and through oneDNN; on other processors (Apple
    silicon, x86 before AVX-512 VNNI) it stops with "Current CPU implementations do not yet support dilation rates
    larger than 1". A dilated convolution is the same thing as plain convolutions of the r x r interleaved
    subsamplings of its input (Yu and Koltun 2016, the "algorithme a trous"), so on a CPU the input is rearranged,
    convolved plainly and rearranged back: the same numbers, everywhere, at the speed of a plain convolution.

    In training, and where many pictures of a size are expected, many channels on a CPU go through
    `crowdcount.network.winograd`, in about half the time. The sizes of the pictures must be known, since each is
    compiled for. Where the processor multiplies matrices by itself, in bfloat16, only the gradients of kernels do.

    It differs from `keras.layers.Conv2D` in nothing that a saved model could hold, so it is saved as one: a `.keras`
    file of CSRNet opens with Keras alone.
    """

    def call(self, inputs, training=False):
        if not self._quick(inputs, training):
            return super().call(inputs)
        from crowdcount.network import winograd

        rate = self.dilation_rate[0]
        direct = self._by_units() and (rate == 1 or _dilates(self.compute_dtype))
        return self.activation(winograd.convolve(inputs, self.kernel, rate, direct) + self.bias)

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
        import tensorflow as tf

        return bool(tf.config.list_physical_devices("GPU"))

    def _by_units(self) -> bool:
        """Whether the processor's own units for matrix products make a direct convolution the quicker one."""
        return self.compute_dtype == "bfloat16" and multiplies_matrices()

    def _quick(self, inputs, training: bool) -> bool:
        many = _MANY_CHANNELS.get(self.compute_dtype)
        if keras.backend.backend() != "tensorflow" or many is None or not (training or expected()):
            return False
        if None in inputs.shape[1:] or min(inputs.shape[-1], self.filters) < many:
            return False
        if self._by_units() and not training:
            return False
        import tensorflow as tf

        from crowdcount.network import winograd

        return not tf.config.list_physical_devices("GPU") and winograd.available()


@functools.cache
def _dilates(dtype: str) -> bool:
    """Whether TensorFlow computes the gradients of a dilated convolution of these numbers here."""
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
