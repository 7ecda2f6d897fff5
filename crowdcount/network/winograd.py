"""3x3 convolutions in fewer multiplications on a CPU.

Winograd's minimal filtering F(4 x 4, 3 x 3): a tile of 4 x 4 outputs costs 36 multiplications a pair of channels
instead of 144. The transforms around them are additions on every channel, which pay where there are many channels, and
where they take few passes over memory. `convolve` has them fused by XLA, which compiles them anew for every size: for
training. `convolve_any` writes them as products of a small matrix with all tiles, which costs up to half as much again
and compiles nothing: for pictures that are counted.

References:
    Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, section 4.1 (arXiv 1509.09308).
    Barabasz, Anderson, Soodhalter and Gregg, "Error Analysis and Improving the Accuracy of Winograd Convolution for
    Deep Neural Networks", ACM Transactions on Mathematical Software 46, 2020 (arXiv 1803.10986): the points.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

TILE = 4
_REACH = 3  # taps of the kernel, a side
_POINTS = TILE + _REACH - 1
# Polynomials are told from their values at these points and at infinity. Those of Lavin and Gray, 0, 1, -1, 2 and -2,
# lose twice as many digits: matrices whose numbers lie far apart add large numbers to cancel them again. With quarters
# the matrices are nearly what they are in bfloat16, too.
_VALUES_AT = (0.0, 3 / 4, -3 / 4, 3 / 2, -3 / 2)


def _powers(count: int) -> np.ndarray:
    """The powers 0 to count - 1 of each point, one a row; of infinity the highest alone."""
    return np.vstack([np.vander(_VALUES_AT, count, increasing=True), np.eye(count)[-1]])


def _rows(matrix: ArrayLike) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, np.asarray(matrix, float).round(12).tolist()))


# Input, filter and output transforms of F(4, 3), applied to rows, then to columns. A row of the first is the polynomial
# that is 0 at all points but one; what it is there is taken out of the second.
_OTHERS = [[other for other in _VALUES_AT if other != point] for point in _VALUES_AT]
_INPUT = _rows([[*np.poly(others)[::-1], 0.0] for others in _OTHERS] + [[*np.poly(_VALUES_AT)[::-1]]])
_THERE = [np.prod(np.subtract(point, others)) for point, others in zip(_VALUES_AT, _OTHERS)] + [1.0]
_FILTER = _rows(_powers(_REACH) / np.array(_THERE)[:, np.newaxis])
_OUTPUT = _rows(_powers(TILE).T)


def convolve(inputs: tf.Tensor, kernel: tf.Tensor, rate: int = 1, direct: bool = False) -> tf.Tensor:
    """A 3x3 convolution with zero padding to the same size, and its gradients, the quick way.

    Args:
        inputs: float32 or bfloat16 (batch, height, width, channels); XLA compiles anew for every height and width.
        kernel: of the same type (3, 3, channels, filters).
        rate: dilation rate.
        direct: TensorFlow's own convolution, and only the gradient of the kernel the quick way: for processors that
            multiply matrices so fast that the transforms cost more than they save, but for that gradient.

    Returns:
        Of the same type (batch, height, width, filters): `tf.nn.conv2d(inputs, kernel, 1, "SAME", dilations=rate)` to
        2e-6 of its standard deviation in float32 and 0.014 in bfloat16, where a direct convolution is off by 0.003.

    Example:
        >>> pictures, kernel = tf.random.normal((1, 9, 10, 8)), tf.random.normal((3, 3, 8, 4))
        >>> quick, direct = convolve(pictures, kernel), tf.nn.conv2d(pictures, kernel, 1, "SAME")
        >>> bool(tf.reduce_max(abs(quick - direct)) < 1e-3)
        True
    """
    return _compiled(rate, direct)(tf.convert_to_tensor(inputs), tf.convert_to_tensor(kernel))


def convolve_any(inputs: tf.Tensor, kernel: tf.Tensor, rate: int = 1) -> tf.Tensor:
    """The same convolution of one picture of any size, with nothing compiled for it; without gradients.

    Args:
        inputs: float32 or bfloat16 (1, height, width, channels).
        kernel: of the same type (3, 3, channels, filters).
        rate: dilation rate.

    Returns:
        As `convolve`, to rounding.

    Example:
        >>> picture, kernel = tf.random.normal((1, 9, 10, 8)), tf.random.normal((3, 3, 8, 4))
        >>> bool(tf.reduce_max(abs(convolve_any(picture, kernel) - convolve(picture, kernel))) < 1e-3)
        True
    """
    picture, kernel = tf.convert_to_tensor(inputs)[0], tf.convert_to_tensor(kernel)
    channels, filters = kernel.shape[2:]
    height, width = tf.unstack(tf.shape(picture)[:2])
    block = TILE * rate
    down, across = -(-height // block), -(-width // block)
    after = [[rate, (down + 1) * block - height - rate], [rate, (across + 1) * block - width - rate]]
    blocks = tf.reshape(tf.pad(picture, [*after, [0, 0]]), (down + 1, TILE, rate, across + 1, TILE, rate * channels))
    with tf.control_dependencies([picture]):  # or those of all layers would be made first, and lie in memory
        kernels = _transformed(_FILTER, tf.reshape(kernel, (_REACH**2, -1)))
    kernels = tf.reshape(kernels, (_POINTS**2, channels, filters))
    parts = tf.transpose(blocks, (1, 4, 0, 2, 3, 5))
    # Six rows a tile: four of its own block, two of the next; and columns.
    over = _POINTS - TILE
    rows = tf.concat([parts[:, :, :-1], parts[:over, :, 1:]], 0)
    tiles = tf.concat([rows[:, :, :, :, :-1], rows[:, :over, :, :, 1:]], 1)
    values = _transformed(_INPUT, tf.reshape(tiles, (_POINTS**2, -1)))
    products = tf.matmul(tf.reshape(values, (_POINTS**2, -1, channels)), kernels)
    whole = _transformed(_OUTPUT, tf.reshape(products, (_POINTS**2, -1)))
    whole = tf.reshape(whole, (TILE, TILE, down, rate, across, rate * filters))
    whole = tf.reshape(tf.transpose(whole, (2, 0, 3, 4, 1, 5)), (1, down * block, across * block, filters))
    return tf.ensure_shape(whole[:, :height, :width], (1, *inputs.shape[1:3], filters))


def _transformed(rows: Sequence[Sequence[float]], x: tf.Tensor) -> tf.Tensor:
    """A transform applied to the rows and the columns of tiles (points, all else), by one matrix for both."""
    return tf.matmul(tf.constant(np.kron(rows, rows), x.dtype), x)


@functools.cache
def available() -> bool:
    """Whether this TensorFlow can compile with XLA for the processor."""
    with tf.init_scope():  # a graph that is being made would take the operation in, and run nothing
        try:
            tf.function(lambda x: x + x, jit_compile=True)(tf.ones(1))
        except (tf.errors.OpError, ValueError):
            return False
    return True


@functools.cache
def _compiled(rate: int, direct: bool) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    forward, back = (_direct, _direct_back) if direct else (_product, _back)

    # The way back reads what the forward pass had anyway: no transformed tiles, 2.25 times the inputs, are kept.
    @tf.custom_gradient
    def convolution(x, kernel):
        def gradients(d):
            return back(d, kernel, rate), _kernel_gradient(x, d, rate)

        return forward(x, kernel, rate), gradients

    return convolution


def _direct(x: tf.Tensor, kernel: tf.Tensor, rate: int) -> tf.Tensor:
    return tf.nn.conv2d(x, kernel, 1, "SAME", dilations=rate)


def _direct_back(d: tf.Tensor, kernel: tf.Tensor, rate: int) -> tf.Tensor:
    shape = tf.concat([tf.shape(d)[:3], [kernel.shape[2]]], 0)
    return tf.nn.conv2d_transpose(d, kernel, shape, 1, "SAME", dilations=rate)


def _back(d: tf.Tensor, kernel: tf.Tensor, rate: int) -> tf.Tensor:
    return _product(d, tf.transpose(kernel[::-1, ::-1], (0, 1, 3, 2)), rate)


def _fused(function: Callable) -> Callable:
    """Compiled for each shape, and for each number that stands after the tensors."""
    return tf.function(function, jit_compile=True)


def _product(x: tf.Tensor, kernel: tf.Tensor, rate: int) -> tf.Tensor:
    # Between the transforms a plain matrix product: TensorFlow's own is quicker than XLA's, and has bfloat16.
    products = tf.matmul(_input_tiles(x, rate), _kernel_tiles(kernel))
    return _from_tiles(products, *x.shape[1:3], rate)


def _kernel_gradient(x: tf.Tensor, d: tf.Tensor, rate: int) -> tf.Tensor:
    return _to_kernel(tf.matmul(_input_tiles(x, rate), _output_tiles(d, rate), transpose_a=True))


@_fused
def _kernel_tiles(kernel: tf.Tensor) -> tf.Tensor:
    """The kernel transformed: (36, channels, filters)."""
    tiles = _both(_FILTER, tf.cast(kernel, tf.float32), 0, 1)
    return tf.cast(tf.reshape(tiles, (_POINTS**2, *kernel.shape[2:])), kernel.dtype)


@_fused
def _to_kernel(products: tf.Tensor) -> tf.Tensor:
    """Products (36, channels, filters) as the gradient of a kernel (3, 3, channels, filters)."""
    whole = tf.reshape(tf.cast(products, tf.float32), (_POINTS, _POINTS, *products.shape[1:]))
    return tf.cast(_both(tuple(zip(*_FILTER)), whole, 0, 1), products.dtype)


@_fused
def _input_tiles(x: tf.Tensor, rate: int) -> tf.Tensor:
    """Transformed tiles (36, batch x down x phase x across x phase, channels).

    A dilated convolution is a plain one on each of rate x rate interleaved phases: the phases are an axis of their own.
    """
    (height, width, channels), batch = x.shape[1:], tf.shape(x)[0]
    block = TILE * rate
    high, wide = _padded(height, rate), _padded(width, rate)
    padded = tf.pad(x, ((0, 0), (rate, high - height + block - rate), (rate, wide - width + block - rate), (0, 0)))
    down, across = high // block, wide // block
    blocks = tf.reshape(tf.cast(padded, tf.float32), (batch, down + 1, TILE, rate, across + 1, TILE, rate, channels))
    # Six rows a tile: four of its own block, two of the next.
    rows = [blocks[:, :-1, i] for i in range(TILE)] + [blocks[:, 1:, i] for i in range(_POINTS - TILE)]
    tiles = []
    for row in _combine(_INPUT, rows):
        columns = [row[:, :, :, :-1, i] for i in range(TILE)] + [row[:, :, :, 1:, i] for i in range(_POINTS - TILE)]
        tiles.append(tf.stack(_combine(_INPUT, columns)))
    return tf.cast(tf.reshape(tf.stack(tiles), (_POINTS**2, -1, channels)), x.dtype)


@_fused
def _output_tiles(d: tf.Tensor, rate: int) -> tf.Tensor:
    """Gradients of the outputs as those of the products: (36, tiles, filters), tiles in the order of the inputs'."""
    height, width, filters = d.shape[1:]
    high, wide = _padded(height, rate), _padded(width, rate)
    padded = tf.pad(tf.cast(d, tf.float32), ((0, 0), (0, high - height), (0, wide - width), (0, 0)))
    blocks = tf.reshape(padded, (-1, high // (TILE * rate), TILE, rate, wide // (TILE * rate), TILE, rate, filters))
    transposed = tuple(zip(*_OUTPUT))
    rows = _combine(transposed, tf.unstack(blocks, axis=2))
    tiles = tf.stack([tf.stack(_combine(transposed, tf.unstack(row, axis=4))) for row in rows])
    return tf.cast(tf.reshape(tiles, (_POINTS**2, -1, filters)), d.dtype)


@_fused
def _from_tiles(products: tf.Tensor, height: int, width: int, rate: int) -> tf.Tensor:
    """Products (36, tiles, filters) put together to outputs (batch, height, width, filters)."""
    filters = products.shape[2]
    high, wide = _padded(height, rate), _padded(width, rate)
    grid = (-1, high // (TILE * rate), rate, wide // (TILE * rate), rate)
    points = tf.reshape(tf.cast(products, tf.float32), (_POINTS, _POINTS, *grid, filters))
    rows = _combine(_OUTPUT, tf.unstack(points, axis=0))
    outputs = tf.stack([tf.stack(_combine(_OUTPUT, tf.unstack(row, axis=0)), axis=4) for row in rows], axis=2)
    return tf.cast(tf.reshape(outputs, (-1, high, wide, filters))[:, :height, :width], products.dtype)


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
