"""Exercises of notebook 08: dilated convolutions."""

from __future__ import annotations

from inspect import getsource

import numpy as np

from crowdcount.course.exercise import Exercise, examine_function


def reach(k, rate):
    """Pixels along one axis from the first to the last weight of a dilated kernel."""
    return k + (k - 1) * (rate - 1)


def dilate(x, w, rate):
    """Dilated convolution of a picture (H, W) with a kernel (k, k), without padding."""
    k = w.shape[0]
    height, width = x.shape[0] - rate * (k - 1), x.shape[1] - rate * (k - 1)
    y = np.zeros((height, width))
    for i in range(k):
        for j in range(k):
            y += w[i, j] * x[rate * i : rate * i + height, rate * j : rate * j + width]
    return y


def padding(k, rate):
    """Zeros on each side that keep the size of the picture, for an odd k."""
    return rate * (k - 1) // 2


def field(layers):
    """Receptive field, in pixels, of layers (kernel, stride, rate), the first layer first."""
    size, step = 1, 1
    for kernel, stride, rate in layers:
        size += (kernel - 1) * rate * step
        step *= stride
    return size


def seen(rates):
    """Share of the cells of its field that one output of stacked 3-wide kernels sees, along one axis."""
    offsets = {0}
    for rate in rates:
        offsets = {offset + move for offset in offsets for move in (-rate, 0, rate)}
    return len(offsets) / (2 * sum(rates) + 1)


_RNG = np.random.default_rng(8)


def _fields(rate_counts: bool = True, step_counts: bool = True, early: bool = False, start: int = 1):
    def wrong(layers):
        size, step = start, 1
        for kernel, stride, rate in layers:
            if early:
                step *= stride
            size += (kernel - 1) * (rate if rate_counts else 1) * (step if step_counts else 1)
            if not early:
                step *= stride
        return size

    return wrong


def _whole_kernels(layers):
    size, step = 1, 1
    for kernel, stride, rate in layers:
        size += (kernel + (kernel - 1) * (rate - 1)) * step
        step *= stride
    return size


def _offsets(rates) -> set[int]:
    offsets = {0}
    for rate in rates:
        offsets = {offset + move for offset in offsets for move in (-rate, 0, rate)}
    return offsets


EXERCISES = [
    Exercise(
        name="08.reach",
        answer="reach",
        hint="Between two neighboring weights lie rate - 1 cells. How many pairs of neighbors has a row of k weights?",
        more=(
            "A kernel of k weights in a row has k - 1 gaps; each is rate - 1 cells wide. Weights "
            "and gaps together are the reach. (k = 3, rate = 2: 3 weights, 2 gaps of one: 5.)"
        ),
        solution=getsource(reach),
        praise="k weights reach over k + (k - 1)(rate - 1) pixels, for the price of k.",
        examine=examine_function(
            reach,
            [(3, 1), (3, 2), (3, 4), (5, 3), (7, int(_RNG.integers(2, 9)))],
            [
                (
                    lambda k, rate: k * rate,
                    "k x rate also counts gaps behind the last weight. There are k - 1 gaps between k weights, not k.",
                ),
                (
                    lambda k, rate: (k - 1) * rate,
                    "this is the distance from the first weight to the last. As pixels covered it is one more.",
                ),
                (
                    lambda k, rate: k + rate - 1,
                    "only one gap is filled. There are k - 1 gaps, each rate - 1 pixels wide.",
                ),
                (
                    lambda k, rate: k + (k - 1) * rate,
                    "each gap is rate - 1 pixels wide, not rate: at rate 1 there is no gap.",
                ),
            ],
        ),
    ),
    Exercise(
        name="08.dilate",
        answer="dilate",
        hint=(
            "One weight at a time is easier than one output at a time: weight (i, j) meets the whole "
            "picture, shifted. By how much, if neighboring weights are `rate` pixels apart?"
        ),
        more=(
            "Add w[i, j] times the picture shifted by rate * i rows and rate * j columns. All "
            "shifted windows have the size of the output: H - rate * (k - 1) rows, and columns "
            "likewise."
        ),
        solution=getsource(dilate),
        praise="that is the whole operation: k x k shifted pictures, weighted and added.",
        examine=examine_function(
            dilate,
            [
                (_RNG.normal(size=(9, 11)), _RNG.normal(size=(3, 3)), 2),
                (_RNG.normal(size=(8, 7)), _RNG.normal(size=(3, 3)), 1),
                (_RNG.normal(size=(17, 14)), _RNG.normal(size=(5, 5)), 3),
            ],
            [
                (
                    lambda x, w, rate: dilate(x, w, 1),
                    "the rate does nothing yet: this is the plain convolution. Shift by rate * i and rate * j.",
                ),
                (
                    lambda x, w, rate: dilate(x, w[::-1, ::-1], rate),
                    "the kernel is turned around. That is the mathematicians' convolution; deep learning "
                    "does not flip.",
                ),
                (
                    lambda x, w, rate: dilate(x, w.T, rate),
                    "rows and columns of the kernel are exchanged: i goes with rows, j with columns.",
                ),
                (
                    lambda x, w, rate: dilate(x[::rate, ::rate], w, 1),
                    "this thins out the picture first, which is a stride: the output gets smaller. Keep "
                    "every place, and take "
                    "the steps between the weights.",
                ),
                (
                    lambda x, w, rate: dilate(x, w, 1)[::rate, ::rate],
                    "this keeps every rate-th output of a plain convolution: a stride, not a dilation.",
                ),
            ],
        ),
    ),
    Exercise(
        name="08.padding",
        answer="padding",
        hint="Without padding a side loses rate * (k - 1) pixels. Half of that goes on each side.",
        more="Half of rate * (k - 1), as a whole number: //. For k = 3 it is the rate itself.",
        solution=getsource(padding),
        praise="with it the output is as large as the input, at every rate.",
        examine=examine_function(
            padding,
            [(3, 1), (3, 2), (5, 2), (3, 4), (7, int(_RNG.integers(2, 9)))],
            [
                (
                    lambda k, rate: (k - 1) // 2,
                    "that is the padding of a plain convolution. A dilated one reaches rate times as far.",
                ),
                (
                    lambda k, rate: rate * (k - 1),
                    "that is what both sides need together; give the number for one side.",
                ),
                (
                    lambda k, rate: rate,
                    "right for k = 3 only. In general the outermost weight lies rate * (k - 1) / 2 from the middle.",
                ),
                (
                    lambda k, rate: rate * k // 2,
                    "k weights have k - 1 steps between them: it is rate * (k - 1) // 2.",
                ),
            ],
        ),
    ),
    Exercise(
        name="08.field",
        answer="field",
        hint=(
            "Follow one output down to the picture: which two numbers must you carry from layer to "
            "layer? (How large the field is; and how many pixels one step of the layer's input is.)"
        ),
        more=(
            "A kernel adds (kernel - 1) * rate steps to the field, each of the current length in "
            "pixels. Then a stride makes the steps of all later layers longer by its factor."
        ),
        solution=getsource(field),
        praise="two lines of arithmetic tell how much of a picture any such network sees.",
        examine=examine_function(
            field,
            [
                ([(3, 1, 1), (3, 1, 1), (2, 2, 1), (3, 1, 1)],),
                ([(3, 1, 2), (2, 2, 1), (3, 1, 4), (5, 2, 1), (3, 1, 1)],),
                ([(int(k), int(s), int(r)) for k, s, r in _RNG.integers(1, 5, (6, 3))],),
            ],
            [
                (
                    _fields(rate_counts=False),
                    "the dilation rate is left out: a kernel adds (kernel - 1) * rate steps.",
                ),
                (
                    _fields(step_counts=False),
                    "the strides are left out: behind a pool of stride 2 one step is two pixels of the picture.",
                ),
                (
                    _fields(early=True),
                    "a layer's own stride makes the steps of later layers longer, not its own. Add first, "
                    "then multiply.",
                ),
                (
                    _fields(start=0),
                    "one pixel is missing everywhere: without any layer a pixel sees itself, so begin with 1.",
                ),
                (
                    _whole_kernels,
                    "each layer adds its whole reach. The middle weight looks where one has looked already: "
                    "it adds reach - 1.",
                ),
            ],
        ),
    ),
    Exercise(
        name="08.seen",
        answer="seen",
        hint="Begin with the set {0}. Each layer replaces every offset o by o - rate, o and o + rate. A set "
        "counts each cell "
        "once. The field runs from -sum(rates) to +sum(rates).",
        more=(
            "In the loop make a new set: for each offset and each of the moves -rate, 0 and rate "
            "their sum. At the end divide len(offsets) by the width of the field, 2 * sum(rates) + "
            "1."
        ),
        solution=getsource(seen),
        praise="you measured gridding: the share of the field that is looked at at all.",
        examine=examine_function(
            seen,
            [([1, 1, 1],), ([2, 2, 2],), ([1, 2, 3],), ([4, 4],), (_RNG.integers(1, 7, 4).tolist(),)],
            [
                (
                    lambda rates: seen(rates) ** 2,
                    "this is the share of the square; along one axis it is the root of that.",
                ),
                (
                    lambda rates: 3 ** len(rates) / (2 * sum(rates) + 1),
                    "this counts paths. Several paths lead to the same cell, and it is seen once: use a set.",
                ),
                (
                    lambda rates: len(_offsets(rates)) / (2 * sum(rates)),
                    "the field has 2 * sum(rates) + 1 cells: the middle one belongs to it.",
                ),
                (
                    lambda rates: len({move for rate in rates for move in (-rate, 0, rate)}) / (2 * sum(rates) + 1),
                    "the layers stand side by side here. They are stacked: each one starts from all cells "
                    "of the one before.",
                ),
                (
                    lambda rates: len(_offsets(rates)),
                    "this is how many cells are seen; divide by the cells of the field.",
                ),
            ],
        ),
    ),
]
