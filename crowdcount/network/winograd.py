"""3x3 convolutions in fewer multiplications, for training on processors that have no fast short floats.

Winograd's minimal filtering F(4 x 4, 3 x 3): a tile of 4 x 4 outputs costs 36 multiplications a pair of channels
instead of 144. The transforms around them are additions on every channel, which pay where there are many channels, and
only fused into few passes over memory: XLA does that. TensorFlow's own convolutions multiply directly on such
processors.

Reference:
    Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, sections 4.1 and 4.3
    (arXiv 1509.09308).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import tensorflow as tf

TILE = 4
# Lavin and Gray, section 4.3: input, filter and output transforms of F(4, 3), applied to rows, then to columns.
_INPUT = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
_FILTER = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
_OUTPUT = (
    (1, 1, 1, 1, 1, 0),
    (0, 1, -1, 2, -2, 0),
    (0, 1, 1, 4, 4, 0),
    (0, 1, -1, 8, -8, 1),
)
_POINTS = len(_INPUT)


def convolve(inputs: tf.Tensor, kernel: tf.Tensor, rate: int = 1) -> tf.Tensor:
    """A 3x3 convolution with zero padding to the same size, and its gradients, the quick way.

    Args:
        inputs: float32 (batch, height, width, channels); XLA compiles anew for every height and width.
        kernel: float32 (3, 3, channels, filters).
        rate: dilation rate.

    Returns:
        float32 (batch, height, width, filters): `tf.nn.conv2d(inputs, kernel, 1, "SAME", dilations=rate)` to about
        1e-4 of its standard deviation.

    Example:
        >>> pictures, kernel = tf.random.normal((1, 9, 10, 8)), tf.random.normal((3, 3, 8, 4))
        >>> quick, direct = convolve(pictures, kernel), tf.nn.conv2d(pictures, kernel, 1, "SAME")
        >>> bool(tf.reduce_max(abs(quick - direct)) < 1e-3)
        True
    """
    return _compiled(rate)(tf.convert_to_tensor(inputs), tf.convert_to_tensor(kernel))


@functools.cache
def available() -> bool:
    """Whether this TensorFlow can compile with XLA for the processor."""
    try:
        tf.function(lambda x: x + x, jit_compile=True)(tf.ones(1))
    except (tf.errors.OpError, ValueError):
        return False
    return True


@functools.cache
def _compiled(rate: int) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    # Three programs, not one differentiated: each reads what the forward pass had anyway, so that no transformed
    # tiles (2.25 times the inputs) are kept for the way back.
    forward = tf.function(lambda x, kernel: _forward(x, kernel, rate), jit_compile=True)
    to_inputs = tf.function(
        lambda d, kernel: _forward(d, tf.transpose(kernel[::-1, ::-1], (0, 1, 3, 2)), rate), jit_compile=True
    )
    to_kernel = tf.function(lambda x, d: _kernel_gradient(x, d, rate), jit_compile=True)

    @tf.custom_gradient
    def convolution(x, kernel):
        def gradients(d):
            return to_inputs(d, kernel), to_kernel(x, d)

        return forward(x, kernel), gradients

    return convolution


def _forward(x: tf.Tensor, kernel: tf.Tensor, rate: int) -> tf.Tensor:
    height, width = x.shape[1:3]
    channels, filters = kernel.shape[2:]
    tiles, grid = _input_tiles(x, rate)
    products = tf.matmul(tiles, tf.reshape(_both(_FILTER, kernel, 0, 1), (_POINTS**2, channels, filters)))
    # points, points, batch, tiles down, phase, tiles across, phase, filters
    products = tf.reshape(products, (_POINTS, _POINTS, *grid, filters))
    rows = _combine(_OUTPUT, tf.unstack(products, axis=0))
    outputs = tf.stack([tf.stack(_combine(_OUTPUT, tf.unstack(row, axis=0)), axis=4) for row in rows], axis=2)
    high, wide = _padded(height, rate), _padded(width, rate)
    return tf.reshape(outputs, (-1, high, wide, filters))[:, :height, :width]


def _kernel_gradient(x: tf.Tensor, d: tf.Tensor, rate: int) -> tf.Tensor:
    height, width = x.shape[1:3]
    channels, filters = x.shape[3], d.shape[3]
    tiles, (batch, down, _, across, _) = _input_tiles(x, rate)
    d = tf.pad(d, ((0, 0), (0, _padded(height, rate) - height), (0, _padded(width, rate) - width), (0, 0)))
    d = tf.reshape(d, (batch, down, TILE, rate, across, TILE, rate, filters))
    transposed = tuple(zip(*_OUTPUT))
    rows = _combine(transposed, tf.unstack(d, axis=2))
    outputs = tf.stack([tf.stack(_combine(transposed, tf.unstack(row, axis=4))) for row in rows])
    outputs = tf.reshape(outputs, (_POINTS**2, -1, filters))
    products = tf.matmul(tiles, outputs, transpose_a=True)
    return _both(tuple(zip(*_FILTER)), tf.reshape(products, (_POINTS, _POINTS, channels, filters)), 0, 1)


def _input_tiles(x: tf.Tensor, rate: int) -> tuple[tf.Tensor, tuple]:
    """Transformed tiles (36, tiles, channels), and their grid (batch, down, phase, across, phase).

    A dilated convolution is a plain one on each of rate x rate interleaved phases: the phases are an axis of their own.
    """
    (height, width, channels), batch = x.shape[1:], tf.shape(x)[0]
    block = TILE * rate
    high, wide = _padded(height, rate), _padded(width, rate)
    x = tf.pad(x, ((0, 0), (rate, high - height + block - rate), (rate, wide - width + block - rate), (0, 0)))
    down, across = high // block, wide // block
    x = tf.reshape(x, (batch, down + 1, TILE, rate, across + 1, TILE, rate, channels))
    # Six rows a tile: four of its own block, two of the next.
    rows = [x[:, :-1, i] for i in range(TILE)] + [x[:, 1:, i] for i in range(_POINTS - TILE)]
    tiles = []
    for row in _combine(_INPUT, rows):
        columns = [row[:, :, :, :-1, i] for i in range(TILE)] + [row[:, :, :, 1:, i] for i in range(_POINTS - TILE)]
        tiles.append(tf.stack(_combine(_INPUT, columns)))
    return tf.reshape(tf.stack(tiles), (_POINTS**2, -1, channels)), (batch, down, rate, across, rate)


def _padded(length: int, rate: int) -> int:
    return -(-length // (TILE * rate)) * TILE * rate


def _both(matrix: Sequence[Sequence[float]], x: tf.Tensor, first: int, second: int) -> tf.Tensor:
    """The matrix applied to two axes of `x`."""
    for axis in (first, second):
        x = tf.stack(_combine(matrix, tf.unstack(x, axis=axis)), axis=axis)
    return x


def _combine(matrix: Sequence[Sequence[float]], parts: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Weighted sums of `parts`, one a row of the matrix. Written out: XLA fuses sums, not small matrices' products."""
    sums = []
    for row in matrix:
        terms = [part if weight == 1 else part * float(weight) for weight, part in zip(row, parts) if weight]
        sums.append(functools.reduce(tf.add, terms))
    return sums
