"""Exercises of notebook 10: ground truth, from dots to density maps."""

from __future__ import annotations

from collections.abc import Callable
from inspect import getsource
from typing import Any

import numpy as np

from crowdcount.course.exercise import Exercise, Wrong, call, examine_function, shape_of


def gaussian(x, y, sigma, height, width):
    """A head at (x, y) as a Gaussian on a picture of height x width pixels, with the sum 1."""
    across = np.arange(width) + 0.5 - x
    down = np.arange(height) + 0.5 - y
    kernel = np.exp(-(down[:, None] ** 2 + across[None, :] ** 2) / (2 * sigma**2))
    return kernel / kernel.sum()


def adaptive(points, beta, k):
    """Sigma of each head: beta times the mean distance to its k nearest neighbors."""
    distances = np.linalg.norm(points[:, None] - points[None, :], axis=-1)
    nearest = np.sort(distances, axis=1)[:, 1 : k + 1]  # column 0 is the head itself, at distance 0
    return beta * nearest.mean(axis=1)


def profile(position, sigma, length):
    """Mass of a Gaussian in the pixels of one axis, as a share of its mass inside the picture."""
    from scipy.special import ndtr

    edges = np.arange(length + 1)
    mass = np.diff(ndtr((edges - position) / sigma))
    return mass / mass.sum()


def mirror(points, width):
    """The heads of a picture of this width, after it was mirrored left to right."""
    mirrored = points.copy()
    mirrored[:, 0] = width - points[:, 0]
    return mirrored


def pool(density, stride):
    """Sums over stride x stride blocks; the last blocks hold what is left."""
    rows, columns = density.shape
    padded = np.pad(density, [(0, -rows % stride), (0, -columns % stride)])
    blocks = padded.reshape(padded.shape[0] // stride, stride, padded.shape[1] // stride, stride)
    return blocks.sum(axis=(1, 3))


_RNG = np.random.default_rng(10)


def _wrong_kernel(
    factor: float = 2.0, power: int = 2, swap: bool = False, scale: str = "sum", middle: float = 0.5
) -> Callable:
    def kernel(x, y, sigma, height, width):
        x, y = (y, x) if swap else (x, y)
        across, down = np.arange(width) + middle - x, np.arange(height) + middle - y
        bell = np.exp(-(down[:, None] ** 2 + across**2) / (factor * sigma**power))
        return bell / {"sum": bell.sum(), "none": 1, "peak": bell.max(), "plane": 2 * np.pi * sigma**2}[scale]

    return kernel


def _sampled(position, sigma, length):
    bell = np.exp(-0.5 * ((np.arange(length) + 0.5 - position) / sigma) ** 2)
    return bell / bell.sum()


def _cut(position, sigma, length):
    from scipy.special import ndtr

    return np.diff(ndtr((np.arange(length + 1) - position) / sigma))


def _distances(points) -> np.ndarray:
    return np.sort(np.linalg.norm(points[:, None] - points[None, :], axis=-1), axis=1)


def _blocks(density, stride) -> np.ndarray:
    rows, columns = (side // stride for side in density.shape)
    whole = density[: rows * stride, : columns * stride]
    return whole.reshape(rows, stride, columns, stride)


def _examine_pool(answer: Any) -> None:
    _POOL_WHOLE(answer)
    odd = (_RNG.random((13, 21)), 8)
    try:
        received = call(answer, odd)
    except Wrong as wrong:
        raise Wrong(
            f"blocks that fit are right, but a map of 13 x 21 cells and stride 8 fails: {wrong} "
            "Pad with zeros first, so that both sides become multiples of the stride."
        ) from None
    if shape_of(received) == (1, 2):
        raise Wrong(
            "a map of 13 x 21 cells and stride 8 should give 2 x 3 blocks, yours gives 1 x 2: the rows and "
            "columns that "
            "fill no whole block were dropped, and the people in them. Round the number of blocks up."
        )
    _POOL_ODD(answer)


_POOL_MISTAKES = [
    (
        lambda density, stride: _blocks(density, stride).mean(axis=(1, 3)),
        "these are the blocks' means. A mean divides the count by stride x stride; people are summed.",
    ),
    (
        lambda density, stride: _blocks(density, stride).max(axis=(1, 3)),
        "these are the blocks' largest cells. Max-pooling is for features; people are summed.",
    ),
    (
        lambda density, stride: np.pad(pool(density, stride), [(0, 1), (0, 1)]),
        "a row and a column of blocks too many, with nobody in them: a side that is a multiple of the stride needs "
        "no further block. `-rows % stride` rows are missing, and -(-rows // stride) rounds up.",
    ),
    (
        lambda density, stride: density[::stride, ::stride],
        "this keeps one cell of each block and drops the others, with the people in them. Sum the block.",
    ),
    (
        lambda density, stride: density[::stride, ::stride] * stride**2,
        "this takes one cell of each block for all of them. It is right on a flat map only. Sum the block.",
    ),
    (
        lambda density, stride: density.reshape(
            density.shape[0] // stride, density.shape[1] // stride, stride, stride
        ).sum(axis=(2, 3)),
        "the shape is right and the total, too, but the blocks are torn: reshape keeps the reading order, "
        "so the axes "
        "must be (rows, stride, columns, stride), summed over 1 and 3.",
    ),
]
_POOL_WHOLE = examine_function(
    pool, [(_RNG.random((16, 24)), 8), (_RNG.random((6, 9)), 3), (_RNG.random((32, 16)), 4)], _POOL_MISTAKES
)
_POOL_ODD = examine_function(pool, [(_RNG.random((13, 21)), 8), (_RNG.random((5, 7)), 3)])


EXERCISES = [
    Exercise(
        name="10.gaussian",
        answer="gaussian",
        hint=(
            "What is the squared distance of each pixel's center from (x, y)? One row for the "
            "columns and one column for the rows are enough: broadcasting makes the rest. Mind that "
            "pixel 0 has its center at 0.5."
        ),
        more=(
            "Make a row of (j + 0.5 - x)^2 and a column of (i + 0.5 - y)^2; their sum is the squared "
            "distance. np.exp of minus that, divided by 2 sigma^2. At the end divide by what the "
            "kernel sums to."
        ),
        solution=getsource(gaussian),
        praise="a dot has become a hill of volume 1. A map of such hills sums to the number of heads.",
        examine=examine_function(
            gaussian,
            [(10.0, 8.0, 3.0, 20, 30), (2.3, 17.1, 5.0, 24, 16), (*_RNG.uniform(4, 12, 2), 1.7, 16, 16)],
            [
                (
                    _wrong_kernel(scale="none"),
                    "the hill has the right shape and the height 1, but its sum must be 1: divide by the sum.",
                ),
                (
                    _wrong_kernel(scale="plane"),
                    "2 pi sigma^2 is the volume over the whole plane. What lies outside this picture is "
                    "lost: divide by "
                    "the sum of the pixels that there are.",
                ),
                (
                    _wrong_kernel(middle=0.0),
                    "the hill lies half a pixel off: pixel j reaches from j to j + 1, so its center is at j + 0.5.",
                ),
                (
                    _wrong_kernel(swap=True),
                    "x and y are exchanged: x goes along the columns (axis 1), y along the rows (axis 0).",
                ),
                (
                    _wrong_kernel(power=1),
                    "the exponent divides by 2 sigma; it must be 2 sigma squared.",
                ),
                (
                    _wrong_kernel(factor=1.0),
                    "the exponent divides by sigma squared; the factor 2 is missing, so the hill is too narrow.",
                ),
            ],
        ),
    ),
    Exercise(
        name="10.adaptive",
        answer="adaptive",
        hint="points[:, None] - points[None, :] holds the difference of every pair. Sort each row of "
        "distances: the first "
        "is the head itself.",
        more=(
            "The length of each difference is the root of dx^2 + dy^2: np.linalg.norm(..., axis=-1). "
            "After sorting along axis 1 take the columns 1 to k, their mean in each row, times beta."
        ),
        solution=getsource(adaptive),
        praise="each head has its own sigma, from nothing but its neighbors.",
        examine=examine_function(
            adaptive,
            [
                (_RNG.uniform(0, 100, (12, 2)), 0.3, 3),
                (_RNG.uniform(0, 500, (30, 2)), 0.5, 4),
                (np.array([[0.0, 0.0], [10, 0], [20, 0], [30, 0]]), 0.3, 1),
                (np.array([[0.0, 0.0], [0, 0], [10, 0], [25, 0]]), 0.3, 2),
            ],
            [
                (
                    lambda points, beta, k: beta * (_distances(points)[:, 1 : k + 1] ** 2).mean(axis=1),
                    "these are squared distances: the root of dx^2 + dy^2 is missing.",
                ),
                (
                    lambda points, beta, k: beta * _distances(points)[:, :k].mean(axis=1),
                    "the head itself is among its neighbors, with distance 0. Leave it out and take the next k.",
                ),
                (
                    lambda points, beta, k: beta * _distances(points)[:, : k + 1].mean(axis=1),
                    "k + 1 distances are averaged, the head's own 0 among them. Leave the first out.",
                ),
                (
                    lambda points, beta, k: (
                        beta
                        * np.sort(np.where(_distances(points) == 0, np.inf, _distances(points)))[:, :k].mean(axis=1)
                    ),
                    "two heads at one spot are neighbors at distance 0. Leave out the head itself only.",
                ),
                (
                    lambda points, beta, k: beta * _distances(points)[:, 1 : k + 1].sum(axis=1),
                    "this is beta times the sum of the k distances; the mean is wanted.",
                ),
                (
                    lambda points, beta, k: _distances(points)[:, 1 : k + 1].mean(axis=1),
                    "the mean distances are right; multiply them by beta.",
                ),
                (
                    lambda points, beta, k: np.full(len(points), beta * _distances(points)[:, 1 : k + 1].mean()),
                    "all heads have one sigma. Average over the neighbors of each head (axis 1), not over everybody.",
                ),
                (
                    lambda points, beta, k: beta * _distances(points)[:, k],
                    "only the k-th neighbor counts here; the mean of the nearest k is wanted.",
                ),
            ],
        ),
    ),
    Exercise(
        name="10.profile",
        answer="profile",
        hint=(
            "How much of a bell lies left of an edge is what `ndtr` gives, if the edge is measured "
            "in sigmas from the center. A pixel holds what lies between its two edges."
        ),
        more=(
            "ndtr((edge - position) / sigma) is the mass left of an edge. A picture of `length` "
            "pixels has length + 1 edges, and np.diff gives what lies between neighbors. Then make "
            "the sum 1."
        ),
        solution=getsource(profile),
        praise="no head is lost at the border. Two such profiles, multiplied, are a head.",
        examine=examine_function(
            profile,
            [
                (0.0, 15.0, 40),
                (3.2, 0.6, 12),
                (float(_RNG.uniform(20, 30)), 6.0, 31),
                (float(_RNG.uniform(0, 9)), 2.0, 9),
            ],
            [
                (
                    _cut,
                    "what falls over the border is lost: at the border the sum is 0.5, not 1. Divide by the sum.",
                ),
                (
                    _sampled,
                    "this is the height of the bell in the middle of each pixel. For narrow kernels that is "
                    "not the mass "
                    "in the pixel: take the difference of ndtr at its two edges.",
                ),
                (
                    lambda position, sigma, length: profile(position + 0.5, sigma, length),
                    "the edges are half a pixel off: pixel i reaches from i to i + 1.",
                ),
            ],
        ),
    ),
    Exercise(
        name="10.mirror",
        answer="mirror",
        hint="The left edge, x = 0, becomes the right edge, x = width. What does the right edge become?",
        more=(
            "x becomes width - x; y stays. Copy the points first, so that those that you were given stay as they were."
        ),
        solution=getsource(mirror),
        praise="picture and heads turn together, to the fraction of a pixel.",
        examine=examine_function(
            mirror,
            [
                (_RNG.uniform(0, 60, (5, 2)), 64),
                (_RNG.uniform(0, 20, (9, 2)), 20),
                (np.array([[0.0, 3.0], [31.0, 5.5]]), 31),
            ],
            [
                (
                    lambda points, width: np.c_[width - 1 - points[:, 0], points[:, 1]],
                    "width - 1 - x is for whole pixel numbers. A position x runs from 0 to width, so every "
                    "head is one pixel "
                    "too far left: it is width - x.",
                ),
                (
                    lambda points, width: np.c_[width - points[:, 0], width - points[:, 1]],
                    "y is mirrored, too. Left to right leaves the heights as they are.",
                ),
                (
                    lambda points, width: np.c_[points[:, 0], width - points[:, 1]],
                    "y is mirrored instead of x. Column 0 of the points is x.",
                ),
                (
                    lambda points, width: np.c_[-points[:, 0], points[:, 1]],
                    "-x lies outside the picture: shift it back by the width.",
                ),
                (
                    lambda points, width: points[::-1],
                    "this turns the list around, not the picture: the same heads at the same places. Change x.",
                ),
            ],
        ),
    ),
    Exercise(
        name="10.pool",
        answer="pool",
        hint=(
            "A block is stride x stride cells, and its people are added up. What do you do with rows "
            "that fill no whole block, so that nobody is lost?"
        ),
        more=(
            "Pad rows and columns with zeros to multiples of the stride (`-rows % stride` says how "
            "many are missing), reshape to (rows, stride, columns, stride), sum over axes 1 and 3."
        ),
        solution=getsource(pool),
        praise="a map 64 times smaller at stride 8, with not a person less.",
        examine=_examine_pool,
    ),
]
