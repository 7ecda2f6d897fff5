"""Exercises of notebook 07: VGG-16, transfer, fully convolutional networks."""

from __future__ import annotations

from collections.abc import Callable
from inspect import getsource
from typing import Any

import numpy as np

from crowdcount.course.exercise import Exercise, Wrong, call, examine_function


def parameters(layers, side, channels):
    """Weights and biases of a network on square pictures; convolutions keep the size, pools halve it."""
    total = 0
    for kind, *numbers in layers:
        if kind == "conv":
            kernel, filters = numbers
            total += (kernel * kernel * channels + 1) * filters
            channels = filters
        elif kind == "pool":
            side = side // 2
        elif kind == "dense":
            (units,) = numbers
            total += (side * side * channels + 1) * units
            side, channels = 1, units
    return total


def mix(x, w, b):
    """1x1 convolution of a volume (H, W, C) with weights (C, K) and biases (K,): (H, W, K)."""
    return x @ w + b


def map_size(height, width, pools):
    """Rows and columns left of a picture after pools of 2 x 2 that keep a last odd row or column."""
    for _ in range(pools):
        height, width = -(-height // 2), -(-width // 2)
    return height, width


def train_step(weights, gradients, rate, frozen):
    """One step of gradient descent that leaves the layers named in `frozen` as they are."""
    step = {name: 0 if name in frozen else rate * gradients[name] for name in weights}
    return {name: weights[name] - step[name] for name in weights}


def dense_to_conv(w, height, width, channels):
    """Kernel (height, width, channels, units) of the convolution that is a dense layer's w behind Flatten."""
    return w.reshape(height, width, channels, w.shape[1])


_RNG = np.random.default_rng(7)
_LAYERS = ("block1_conv1", "block1_conv2", "block2_conv1", "head")


def _wrong_parameters(
    bias: int = 1, passed_on: bool = True, pooled: bool = True, flat: bool = True, quarter: bool = False
) -> Callable:
    def wrong(layers, side, channels):
        total = 0
        for kind, *numbers in layers:
            if kind == "conv":
                kernel, filters = numbers
                total += (kernel * kernel * channels + bias) * filters
                channels = filters if passed_on else channels
            elif kind == "pool":
                side = (side // 4 if quarter else side // 2) if pooled else side
            else:
                total += ((side * side if flat else 1) * channels + bias) * numbers[0]
                side, channels = 1, numbers[0]
        return total

    return wrong


def _dense_keeps_side(layers, side, channels):
    total = 0
    for kind, *numbers in layers:
        if kind == "conv":
            total += (numbers[0] ** 2 * channels + 1) * numbers[1]
            channels = numbers[1]
        elif kind == "pool":
            side //= 2
        else:
            total += (side * side * channels + 1) * numbers[0]
            channels = numbers[0]
    return total


def _networks() -> list[tuple]:
    def random_network():
        a, b, c, d = (int(number) for number in _RNG.integers(2, 9, 4))
        return [("conv", 5, a), ("pool",), ("conv", 3, b), ("conv", 1, a + b), ("pool",), ("dense", c), ("dense", d)]

    return [
        ([("conv", 3, 4), ("pool",), ("conv", 3, 6), ("pool",), ("dense", 10), ("dense", 2)], 16, 3),
        (random_network(), 24, 3),
        (random_network(), 36, 1),
    ]


def _volumes() -> list[tuple]:
    # The first is square in its channels: a kernel turned around runs there, and can be told.
    return [
        (_RNG.normal(size=(h, w, c)), _RNG.normal(size=(c, k)), _RNG.normal(size=k))
        for h, w, c, k in ((3, 4, 3, 3), (5, 2, 4, 6), (2, 6, 5, 2))
    ]


def _steps() -> list[tuple]:
    return [
        (
            {name: _RNG.normal(size=3) for name in _LAYERS},
            {name: _RNG.normal(size=3) for name in _LAYERS},
            rate,
            frozen,
        )
        for rate, frozen in ((0.5, _LAYERS[:2]), (0.1, _LAYERS[:3]), (0.25, _LAYERS[1:2]))
    ]


def _as_a_tuple(examine: Callable[[Any], None]) -> Callable[[Any], None]:
    """`examine`, and no list or array in the tuple's place: the notebook compares it with shapes of arrays."""

    def both(answer: Any) -> None:
        examine(answer)
        received = call(answer, (24, 40, 3))
        if not isinstance(received, tuple):
            raise Wrong(
                f"the numbers are right, but in {'an array' if isinstance(received, np.ndarray) else 'a list'}. A size "
                "is a tuple, as the shape of an array: `return rows, columns`."
            )

    return both


EXERCISES = [
    Exercise(
        name="07.parameters",
        answer="parameters",
        hint=(
            "Go through the layers from the picture on, with three numbers: the total so far, the "
            "side of the maps, and their channels. Which kind of layer changes which?"
        ),
        more=(
            "A filter of a convolution has kernel x kernel x channels weights and one bias; then "
            "`channels` is the number of filters. A pool halves the side. A unit of the first dense "
            "layer has a weight for each of side x side x channels values, and one bias; behind it "
            "there is one value a unit: side 1."
        ),
        solution=getsource(parameters),
        praise="this function counts LeNet-5, AlexNet and VGG-16 alike.",
        examine=examine_function(
            parameters,
            _networks(),
            [
                (
                    _wrong_parameters(bias=0),
                    "the biases are left out: one for each filter and each dense unit.",
                ),
                (
                    _wrong_parameters(passed_on=False),
                    "every convolution sees the picture's channels here. A layer's filters are the channels of the "
                    "next one.",
                ),
                (
                    _wrong_parameters(pooled=False),
                    "the pools do nothing yet. They have no parameters, but they halve the side, and the first dense "
                    "layer counts every value that is left.",
                ),
                (
                    _wrong_parameters(quarter=True),
                    "a pool of 2 x 2 leaves a quarter of the values, but half of the side.",
                ),
                (
                    _wrong_parameters(flat=False),
                    "the dense layer gets one value a channel here. It sees the flattened map: side x side x channels.",
                ),
                (
                    _dense_keeps_side,
                    "a second dense layer sees the units of the first, nothing else: set the side to 1 behind a dense "
                    "layer.",
                ),
            ],
        ),
    ),
    Exercise(
        name="07.mix",
        answer="mix",
        hint="x[i, j] is one pixel's list of C values, and x[i, j] @ w gives its K new ones. NumPy's @ does that for "
        "all pixels at once.",
        more="No loop and no reshape: x (H, W, C) @ w (C, K) is (H, W, K). b (K,) is broadcast.",
        solution=getsource(mix),
        praise="a 1x1 convolution is one small dense layer, the same at every pixel.",
        examine=examine_function(
            mix,
            _volumes(),
            [
                (lambda x, w, b: x @ w, "the biases are missing."),
                (
                    lambda x, w, b: x @ w.T + b,
                    "w is turned around: it has a row for each channel that comes in, a column for each that goes out.",
                ),
                (
                    lambda x, w, b: np.maximum(x @ w + b, 0),
                    "the ReLU comes after the convolution. Return the sum as it is, also below zero.",
                ),
                (
                    lambda x, w, b: np.einsum("hwc,ck->k", x, w) + b,
                    "the pixels are added up, too. Each keeps its own answer: only the channels are mixed.",
                ),
                (
                    lambda x, w, b: x.mean(axis=(0, 1)) @ w + b,
                    "this averages the pixels first. Each keeps its own answer: only the channels are mixed.",
                ),
            ],
        ),
    ),
    Exercise(
        name="07.map_size",
        answer="map_size",
        hint="One pool: 5 rows become 3, because the last, odd one gets a window of its own: (rows + 1) // 2. Do that "
        "once for each pool.",
        more=(
            "In a loop over the pools set both sides to (side + 1) // 2. (Dividing once by 2 ** pools and rounding up "
            "gives the same; rounding down loses the last row.)"
        ),
        solution=getsource(map_size),
        praise="three pools give 1/8, five give 1/32: the size of the map is the number of pools, nothing else.",
        examine=_as_a_tuple(
            examine_function(
                map_size,
                [
                    (768, 1024, 3),
                    (101, 37, 3),
                    (224, 225, 5),
                    (int(_RNG.integers(40, 900)) * 2 + 1, int(_RNG.integers(40, 900)), int(_RNG.integers(1, 6))),
                ],
                [
                    (
                        lambda height, width, pools: (height // 2**pools, width // 2**pools),
                        "a last odd row or column is lost. CSRNet's pools keep it: round up.",
                    ),
                    (
                        lambda height, width, pools: (-(-height // (2 * pools)), -(-width // (2 * pools))),
                        "every pool halves what the one before left: divide by 2 to the power of the pools, not by 2 x "
                        "pools.",
                    ),
                    (
                        lambda height, width, pools: map_size(width, height, pools),
                        "rows and columns are exchanged: the height comes first.",
                    ),
                    (
                        lambda height, width, pools: map_size(height, width, 2 * pools),
                        "a pool leaves a quarter of the values, but half of each side.",
                    ),
                    (
                        lambda height, width, pools: map_size(height, width, 1),
                        "this is one pool. Do it once for each.",
                    ),
                ],
            )
        ),
    ),
    Exercise(
        name="07.train_step",
        answer="train_step",
        hint="Build a new dict: for a name in `frozen` the old weights, for every other the weights minus rate times "
        "gradient.",
        more=(
            "Go through weights.items(). `name in frozen` asks for one layer; gradients[name] is its "
            "gradient. Do not change the dict that you were given."
        ),
        solution=getsource(train_step),
        praise="freezing is no more than this: the gradient of some layers is not used.",
        examine=examine_function(
            train_step,
            _steps(),
            [
                (
                    lambda weights, gradients, rate, frozen: train_step(weights, gradients, rate, ()),
                    "every layer moves. Those in `frozen` must stay as they are.",
                ),
                (
                    lambda weights, gradients, rate, frozen: train_step(
                        weights, gradients, rate, [name for name in weights if name not in frozen]
                    ),
                    "it is the other way round: the frozen layers move here, and the others stay.",
                ),
                (
                    lambda weights, gradients, rate, frozen: train_step(weights, gradients, -rate, frozen),
                    "this climbs: the loss grows along its gradient, so take the step against it.",
                ),
                (
                    lambda weights, gradients, rate, frozen: train_step(weights, gradients, 1, frozen),
                    "the rate is not used: a step is rate times gradient.",
                ),
                (
                    lambda weights, gradients, rate, frozen: {
                        name: value - rate * gradients[name] for name, value in weights.items() if name not in frozen
                    },
                    "the frozen layers are gone. They still do their work going forward: return them unchanged.",
                ),
                (
                    lambda weights, gradients, rate, frozen: {
                        name: 0 * value if name in frozen else value - rate * gradients[name]
                        for name, value in weights.items()
                    },
                    "the frozen layers are wiped out. Frozen means unchanged, not zero.",
                ),
            ],
        ),
    ),
    Exercise(
        name="07.dense_to_conv",
        answer="dense_to_conv",
        hint="Flatten writes row after row, in each row pixel after pixel, of each pixel channel after channel. "
        "`reshape` reads in the same order; the units are w's last axis and stay it.",
        more=(
            "w has the shape (height * width * channels, units). Ask `reshape` for the four numbers "
            "of the kernel's shape, in the order of the question; nothing is transposed."
        ),
        solution=getsource(dense_to_conv),
        praise="no weight is new: a dense layer always was a convolution as large as its input.",
        examine=examine_function(
            dense_to_conv,
            [
                (_RNG.normal(size=(h * w * c, units)), h, w, c)
                for h, w, c, units in ((3, 3, 3, 3), (2, 4, 3, 5), (5, 2, 2, 1))
            ],
            [
                (
                    lambda w, height, width, channels: w.reshape(channels, height, width, w.shape[1]).transpose(
                        1, 2, 0, 3
                    ),
                    "this takes the channels first, one whole map after the other (so flatten some other "
                    "libraries). Here the channels of a pixel stand side by side.",
                ),
                (
                    lambda w, height, width, channels: w.reshape(width, height, channels, w.shape[1]).transpose(
                        1, 0, 2, 3
                    ),
                    "this goes through the map column by column. Flatten goes row by row.",
                ),
                (
                    lambda w, height, width, channels: dense_to_conv(w, height, width, channels)[::-1, ::-1],
                    "the kernel is turned around. Deep learning's convolution does not flip: leave it as it is.",
                ),
                (
                    lambda w, height, width, channels: w.T.reshape(height, width, channels, w.shape[1]),
                    "w is turned around before it is reshaped: its rows are the inputs, and they come first already.",
                ),
                (
                    lambda w, height, width, channels: w.T.reshape(w.shape[1], height, width, channels),
                    "the units come first here, as in some other libraries. In Keras they are the last axis.",
                ),
            ],
        ),
    ),
]
