"""Exercises of notebook 06, convolutions; its functions are what the notebook goes on with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from crowdcount.course.exercise import Exercise, examine_function


def correlate(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Slide the filter w (f, f) over x (H, W), only where it fits: (H - f + 1, W - f + 1)."""
    f = len(w)
    out = np.empty((x.shape[0] - f + 1, x.shape[1] - f + 1))
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = np.sum(x[i : i + f, j : j + f] * w)
    return out


def output_size(n: int, f: int, p: int, s: int) -> int:
    """Cells of the result for n pixels, a filter of f, p zeros on both sides, stride s."""
    return (n + 2 * p - f) // s + 1


def parameters(f: int, channels: int, filters: int) -> int:
    """Weights and biases of a layer of `filters` filters of f x f over `channels` channels."""
    return (f * f * channels + 1) * filters


def convolve(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Volume x (H, W, C) through filters w (f, f, C, F) and biases b (F,): (H - f + 1, W - f + 1, F)."""
    f = len(w)
    out = np.empty((x.shape[0] - f + 1, x.shape[1] - f + 1, w.shape[3]))
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            window = x[i : i + f, j : j + f, :, np.newaxis]
            out[i, j] = np.sum(window * w, axis=(0, 1, 2)) + b
    return out


def max_pool(x: np.ndarray, size: int) -> np.ndarray:
    """Largest value of each size x size window of x (H, W, C), side by side; what is left over is dropped."""
    rows, columns = x.shape[0] // size, x.shape[1] // size
    windows = x[: rows * size, : columns * size].reshape(rows, size, columns, size, x.shape[2])
    return windows.max(axis=(1, 3))


def _each_channel(reduce: Callable) -> Callable:
    def wrong(x, w, b):
        maps = [correlate(x[:, :, c], reduce(w)[:, :, c, k]) for k in range(w.shape[3]) for c in range(x.shape[2])]
        return sum(maps)[..., None] + b

    return wrong


def _pool_with(reduce: Callable) -> Callable:
    def wrong(x, size):
        rows, columns = x.shape[0] // size, x.shape[1] // size
        return reduce(x[: rows * size, : columns * size].reshape(rows, size, columns, size, x.shape[2]))

    return wrong


def _slide_pool(x: np.ndarray, size: int) -> np.ndarray:
    rows, columns = x.shape[0] - size + 1, x.shape[1] - size + 1
    return np.array([[x[i : i + size, j : j + size].max(axis=(0, 1)) for j in range(columns)] for i in range(rows)])


def _correlate_inputs() -> list[tuple]:
    rng = np.random.default_rng(0)
    return [
        (rng.standard_normal(size), rng.standard_normal((f, f))) for size, f in (((6, 6), 3), ((5, 8), 2), ((7, 4), 3))
    ]


def _convolve_inputs() -> list[tuple]:
    inputs = []
    for (height, width, channels), f, filters, seed in (
        ((5, 5, 3), 3, 2, 1),
        ((4, 6, 2), 2, 4, 2),
        ((6, 3, 1), 3, 3, 3),
    ):
        rng = np.random.default_rng(seed)
        arrays = ((height, width, channels), (f, f, channels, filters), (filters,))
        inputs.append(tuple(rng.standard_normal(shape) for shape in arrays))
    return inputs


EXERCISES = [
    Exercise(
        name="06.correlate",
        answer="correlate",
        hint=(
            "How many places can a window of f x f take, down and across? For each, one number: multiply and add up."
        ),
        more="The window at i, j is x[i:i+f, j:j+f]. Multiply it by w, cell by cell, and add it all up.",
        solution=(
            "def correlate(x, w):\n"
            "    f = len(w)\n"
            "    out = np.zeros((x.shape[0] - f + 1, x.shape[1] - f + 1))\n"
            "    for i in range(out.shape[0]):\n"
            "        for j in range(out.shape[1]):\n"
            "            out[i, j] = np.sum(x[i:i + f, j:j + f] * w)\n"
            "    return out\n"
        ),
        praise="this is what every convolutional layer does, only faster.",
        examine=examine_function(
            correlate,
            _correlate_inputs(),
            [
                (
                    lambda x, w: correlate(x, w[::-1, ::-1]),
                    "you turned the filter around: that is the mathematician's convolution. Networks cross-correlate.",
                ),
                (lambda x, w: correlate(x, w.T), "your filter is transposed: rows of w go with rows of x."),
                (
                    lambda x, w: correlate(x, w)[:-1, :-1],
                    "the last row and column are missing: the filter fits at n - f + 1 places, not n - f.",
                ),
                (
                    lambda x, w: correlate(x, w) / w.size,
                    "you take the mean of the products; the filter wants their sum.",
                ),
                (
                    lambda x, w: correlate(x, np.ones_like(w)) * w.sum(),
                    "multiply cell by cell first and then add up; you added up each part alone.",
                ),
            ],
        ),
    ),
    Exercise(
        name="06.output_size",
        answer="output_size",
        hint="There are n + 2p pixels. The first place is at 0, the last at n + 2p - f, in steps of s.",
        more=(
            "From place 0 to the last one it is n + 2p - f pixels: divide by s and round down (//). "
            "Then count the first place, too."
        ),
        solution="def output_size(n, f, p, s):\n    return (n + 2 * p - f) // s + 1\n",
        praise="with this you can follow the size of a picture through any network.",
        examine=examine_function(
            output_size,
            [(7, 3, 0, 2), (10, 3, 1, 2), (6, 3, 1, 1), (224, 7, 3, 2), (32, 5, 0, 1), (11, 4, 2, 3)],
            [
                (lambda n, f, p, s: (n + 2 * p - f) // s, "one too few: the first place counts too, + 1."),
                (lambda n, f, p, s: (n + p - f) // s + 1, "padding stands on both sides: 2 * p."),
                (
                    lambda n, f, p, s: (n + 2 * p - f) / s + 1,
                    "not a whole number: where the filter would stick out it is not placed. Round down with //.",
                ),
                (
                    lambda n, f, p, s: -(-(n + 2 * p - f) // s) + 1,
                    "you round up: the last filter would stick out of the picture. Round down.",
                ),
                (
                    lambda n, f, p, s: round((n + 2 * p - f) / s + 1),
                    "you round to the nearest: where that is up, the last filter sticks out. Round down with //.",
                ),
                (lambda n, f, p, s: n + 2 * p - f + 1, "the stride is missing: only each s-th place counts."),
            ],
        ),
    ),
    Exercise(
        name="06.convolve",
        answer="convolve",
        hint=(
            "As in exercise 1, but a window has C channels, and there are F filters: each place "
            "gives F numbers. How large is the result?"
        ),
        more=(
            "At row i, column j: x[i:i+f, j:j+f, :, None] * w has the shape (f, f, C, F). Sum over "
            "the first three axes\nand add b: F numbers, one of each filter."
        ),
        solution=(
            "def convolve(x, w, b):\n"
            "    f = len(w)\n"
            "    out = np.zeros((x.shape[0] - f + 1, x.shape[1] - f + 1, w.shape[3]))\n"
            "    for i in range(out.shape[0]):\n"
            "        for j in range(out.shape[1]):\n"
            "            window = x[i:i + f, j:j + f, :, None]\n"
            "            out[i, j] = np.sum(window * w, axis=(0, 1, 2)) + b\n"
            "    return out\n"
        ),
        praise="this is keras.layers.Conv2D, in seven lines.",
        examine=examine_function(
            convolve,
            _convolve_inputs(),
            [
                (lambda x, w, b: convolve(x, w, 0 * b), "the biases b are missing: one number a filter."),
                (
                    lambda x, w, b: convolve(x, w[::-1, ::-1], b),
                    "you turned the filters around; networks cross-correlate: leave them as they are.",
                ),
                (
                    lambda x, w, b: convolve(x, w, b * x.shape[2]),
                    "you add b for each channel; it is added once, after the sum over the channels.",
                ),
                (
                    lambda x, w, b: convolve(x[:, :, :1], w[:, :, :1], b),
                    "you look at the first channel only: a filter is as deep as its input, sum over all channels.",
                ),
                (
                    _each_channel(lambda w: w),
                    "you added the filters together: each filter makes a channel of its own in the output.",
                ),
            ],
        ),
    ),
    Exercise(
        name="06.parameters",
        answer="parameters",
        hint="One filter is a block of f x f x channels weights, with one bias. How many filters are there?",
        more=(
            "A filter has f * f * channels weights and 1 bias. Multiply what one filter has by the number of filters."
        ),
        solution="def parameters(f, channels, filters):\n    return (f * f * channels + 1) * filters\n",
        praise="the picture's size does not come into it: that is why CSRNet takes pictures of any size.",
        examine=examine_function(
            parameters,
            [(3, 3, 64), (5, 1, 8), (1, 512, 1), (3, 64, 128)],
            [
                (lambda f, c, k: f * f * c * k, "the biases are missing: one for each filter."),
                (
                    lambda f, c, k: (f * f + 1) * k,
                    "a filter is as deep as its input: f * f * channels weights.",
                ),
                (lambda f, c, k: f * f * c * k + 1, "each filter has its own bias: add `filters`, not 1."),
                (
                    lambda f, c, k: (f * f + 1) * c * k,
                    "a filter has one bias altogether, not one for each channel.",
                ),
                (
                    lambda f, c, k: f * f * c * k + c,
                    "there is one bias for each filter, not for each channel that comes in.",
                ),
                (lambda f, c, k: (f * c + 1) * k, "a filter is square: f * f, not f."),
            ],
        ),
    ),
    Exercise(
        name="06.max_pool",
        answer="max_pool",
        hint=(
            "Windows that do not overlap: where does the window of row i, column j begin? A pool "
            "treats each channel by itself."
        ),
        more=(
            "The window at row i, column j of the result is x[i*size:(i+1)*size, j*size:(j+1)*size]; "
            "take its largest\nvalue in each channel, .max(axis=(0, 1)). The result has H // size "
            "rows and W // size columns."
        ),
        solution=(
            "def max_pool(x, size):\n"
            "    out = np.zeros((x.shape[0] // size, x.shape[1] // size, x.shape[2]))\n"
            "    for i in range(out.shape[0]):\n"
            "        for j in range(out.shape[1]):\n"
            "            window = x[i * size:(i + 1) * size, j * size:(j + 1) * size]\n"
            "            out[i, j] = window.max(axis=(0, 1))\n"
            "    return out\n"
        ),
        praise="three of these make CSRNet's map eight times smaller than the picture.",
        examine=examine_function(
            max_pool,
            [
                (np.random.default_rng(4).standard_normal((8, 6, 3)), 2),
                (np.random.default_rng(5).standard_normal((12, 6, 2)), 3),
                (np.random.default_rng(6).standard_normal((7, 9, 1)), 2),
            ],
            [
                (
                    _pool_with(lambda v: v.mean(axis=(1, 3))),
                    "that is average pooling; take the largest value.",
                ),
                (
                    _pool_with(lambda v: v.sum(axis=(1, 3))),
                    "that is the sum of each window; take the largest value.",
                ),
                (
                    _pool_with(lambda v: v.max(axis=(1, 3, 4))),
                    "channels are pooled one by one: keep them apart.",
                ),
                (
                    _pool_with(lambda v: np.broadcast_to(v.max(axis=(1, 3, 4))[..., None], v.max(axis=(1, 3)).shape)),
                    "all channels get the largest value of all: each has its own, .max(axis=(0, 1)) of a window.",
                ),
                (
                    lambda x, size: _slide_pool(x, size)[: x.shape[0] // size, : x.shape[1] // size],
                    "your windows overlap: the next one starts where the last one ended, at i * size.",
                ),
                (
                    _slide_pool,
                    "your windows overlap: the next one starts where the last one ended, at i * size.",
                ),
                (
                    _pool_with(lambda v: v[:, 0, :, 0]),
                    "you keep each window's first value; take the largest.",
                ),
            ],
        ),
    ),
]
