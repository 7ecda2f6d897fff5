"""Exercises of notebook 12: zones, ranges, counts over time, and the preparation of pictures."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from inspect import getsource

import numpy as np

from crowdcount.course.exercise import Exercise, examine_function
from crowdcount.grid import STRIDE

MEAN = np.array([0.485, 0.456, 0.406])
"""Of ImageNet's pictures in red, green and blue, as a share of 255: what other libraries subtract."""
STD = np.array([0.229, 0.224, 0.225])
"""And what they divide by."""


def zone_count(density, inside):
    """People inside a zone, given as a mask of pixels whose sides are multiples of 8."""
    rows, columns = density.shape
    shares = inside.reshape(rows, 8, columns, 8).mean(axis=(1, 3))
    return (density * shares).sum()


def off_by(true, counted, coverage):
    """How far off a count may be, as a share: what a share of `coverage` of the pictures stays below."""
    scores = np.sort(np.abs(true - counted) / (counted + 30))
    rank = math.ceil((len(scores) + 1) * coverage)
    return scores[rank - 1]


def smooth(times, counts, seconds):
    """For each time the mean of all counts so far, weighted by exp(-age / seconds)."""
    smoothed = []
    for number, now in enumerate(times, start=1):
        weights = np.exp(-(now - times[:number]) / seconds)
        smoothed.append((weights * counts[:number]).sum() / weights.sum())
    return np.array(smoothed)


def restore(prepared):
    """RGB from 0 to 255, from a picture that was prepared with ImageNet's mean and standard deviation."""
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    return (prepared * std + mean) * 255


def shrink(picture: np.ndarray, scale: float) -> np.ndarray:
    """A picture made smaller or larger, uint8 RGB."""
    from PIL import Image

    height, width = picture.shape[:2]
    return np.asarray(
        Image.fromarray(picture).resize((round(width * scale), round(height * scale)), Image.Resampling.BICUBIC)
    )


def stones(
    size: tuple[int, int],
    number: int,
    radius: float,
    ground: tuple[int, int, int],
    colors: Sequence[tuple[int, int, int]],
    rng: np.random.Generator,
) -> np.ndarray:
    """Round things, lit from the upper left, that lie on the ground and hide one another: uint8 RGB.

    Cobblestones, apples or oranges, by their colors; nobody is on the picture.
    """
    from PIL import Image, ImageDraw

    height, width = size
    image = Image.new("RGB", (2 * width, 2 * height), ground)  # twice as large, then shrunk: soft edges
    draw = ImageDraw.Draw(image)
    for y in np.sort(rng.uniform(0, 2 * height, number)):
        x, r = rng.uniform(0, 2 * width), 2 * radius * rng.uniform(0.85, 1.15)
        color = np.array(colors[rng.integers(len(colors))])
        draw.ellipse((x - r, y - r, x + r, y + r), fill=tuple(int(each) for each in 0.6 * color))
        draw.ellipse((x - 0.9 * r, y - 0.95 * r, x + 0.7 * r, y + 0.7 * r), fill=tuple(int(each) for each in color))
    pixels = np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))
    return np.uint8(np.clip(pixels + rng.normal(0, 6, pixels.shape), 0, 255))


def poster(picture: np.ndarray, border: int = 24) -> np.ndarray:
    """A picture as a framed print on a wall, whose people are not there: uint8 RGB, larger by the border."""
    framed = np.pad(picture, ((border // 3, border // 3), (border // 3, border // 3), (0, 0)), constant_values=28)
    wall = border - border // 3
    return np.stack(
        [np.pad(framed[..., c], wall, constant_values=value) for c, value in enumerate((196, 188, 172))], -1
    )


def write_video(frames: Sequence[np.ndarray], path: str | os.PathLike) -> None:
    """Write pictures of one size as a video of one picture a second. Needs PyAV."""
    import av

    height, width = frames[0].shape[:2]
    with av.open(str(path), "w") as film:
        stream = film.add_stream("mpeg4", rate=1, options={"qmin": "2", "qmax": "2"})  # all but unharmed
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame in frames:
            film.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        film.mux(stream.encode())


def border_band(size: tuple[int, int], width: int) -> np.ndarray:
    """Which pixels lie within `width` of the picture's border: bool (height, width)."""
    band = np.ones(size, bool)
    band[width:-width, width:-width] = False
    return band


_RNG = np.random.default_rng(12)


def _map_and_mask(rows, columns, left, top, right, bottom):
    inside = np.zeros((STRIDE * rows, STRIDE * columns), bool)
    inside[top:bottom, left:right] = True
    return _RNG.uniform(0, 0.4, (rows, columns)), inside


def _shares_by(rule):
    def wrong(density, inside):
        rows, columns = density.shape
        return (density * rule(inside.reshape(rows, STRIDE, columns, STRIDE))).sum()

    return wrong


def _off(true, counted, coverage, *, rank, add=30.0, sign=False, over=None):
    errors = true - counted if sign else np.abs(true - counted)
    scores = np.sort(errors / ((counted if over is None else over) + add))
    return scores[rank(len(scores), coverage) - 1]


def _rank(n, coverage):
    return math.ceil((n + 1) * coverage)


def _calibration(n):
    true = _RNG.uniform(5, 800, n)
    return true, true * np.exp(_RNG.normal(0.05, 0.3, n))


def _ema(times, counts, seconds):
    value, out = counts[0], []
    for before, now, count in zip(np.concatenate([times[:1], times]), times, counts):
        kept = np.exp(-(now - before) / seconds)
        value = kept * value + (1 - kept) * count
        out.append(value)
    return np.array(out)


def _weighted(times, counts, weight, *, future=False, divide=True):
    ages = times[:, None] - times[None]
    weights = weight(np.abs(ages)) * (1 if future else ages >= 0)
    sums = weights @ counts
    return sums / weights.sum(axis=1) if divide else sums


_MEAN, _STD = MEAN, STD

EXERCISES = [
    Exercise(
        name="12.zone",
        answer="zone_count",
        hint="Reshape the mask to (rows, 8, columns, 8). The mean over the two axes of length 8 is the "
        "share of each "
        "cell that lies inside.",
        more=(
            "inside.reshape(rows, 8, columns, 8).mean(axis=(1, 3)) has the shape of the density map. "
            "Multiply the two cell by cell, and add up."
        ),
        solution=getsource(zone_count),
        praise="each cell counts by the share of its area: zones that tile a picture add up to its count.",
        examine=examine_function(
            zone_count,
            [
                _map_and_mask(4, 6, 3, 5, 29, 21),
                _map_and_mask(3, 3, 0, 0, 24, 24),
                _map_and_mask(6, 5, 12, 9, 37, 43),
            ],
            [
                (
                    _shares_by(lambda cells: cells.any(axis=(1, 3))),
                    "a cell counts whole as soon as one of its pixels is inside: cells on the border of "
                    "two zones "
                    "would count twice.",
                ),
                (
                    _shares_by(lambda cells: cells.all(axis=(1, 3))),
                    "a cell counts only if it lies inside entirely: those on the border of two zones would "
                    "belong "
                    "to neither.",
                ),
                (
                    _shares_by(lambda cells: cells[:, 0, :, 0]),
                    "this looks at the first pixel of each cell. Take the share of all 64.",
                ),
                (
                    _shares_by(lambda cells: cells.sum(axis=(1, 3))),
                    "this counts pixels: a cell inside would count 64 times. Take the mean of its mask, not the sum.",
                ),
                (
                    _shares_by(lambda cells: cells.mean(axis=(1, 3)) > 0.5),
                    "a cell counts whole or not at all here. Weight it by the share of its pixels that lie inside.",
                ),
                (
                    lambda density, inside: (density * inside.reshape(*density.shape, 8, 8).mean(axis=(2, 3))).sum(),
                    "the cells are torn: reshape keeps the reading order, so the axes must be (rows, 8, columns, 8), "
                    "and the mean goes over 1 and 3.",
                ),
                (
                    lambda density, inside: density.sum() * inside.mean(),
                    "this is the zone's share of the picture's area. People are not spread evenly: weight "
                    "the map "
                    "cell by cell.",
                ),
            ],
        ),
    ),
    Exercise(
        name="12.range",
        answer="off_by",
        hint="Scores: np.abs(true - counted) / (counted + 30). Sort them. The rank is "
        "ceil((n + 1) * coverage), and Python counts from 0.",
        more=(
            "With n scores the rank is math.ceil((n + 1) * coverage), and the sorted score of this "
            "rank is at index rank - 1. (np.quantile would mix two scores.)"
        ),
        solution="import math\n\nimport numpy as np\n\n\n" + getsource(off_by),
        praise="this is split-conformal prediction: a promise about new pictures, from counting old ones.",
        examine=examine_function(
            off_by,
            # 30 * 0.9 is whole: there ceil and "one more than int" part. 42 * 0.8 rounds to what ceil makes of it, and
            # 41 * 0.8 up to one less.
            [
                (*_calibration(number), coverage)
                for number, coverage in ((24, 0.9), (33, 0.7), (48, 0.55), (29, 0.9), (41, 0.8))
            ],
            [
                (
                    lambda true, counted, coverage: _off(
                        true, counted, coverage, rank=lambda n, share: math.ceil(n * share)
                    ),
                    "the rank is ceil((n + 1) * coverage): the new picture is one of n + 1. Without the 1 the "
                    "promise is a little too good.",
                ),
                (
                    lambda true, counted, coverage: _off(
                        true, counted, coverage, rank=lambda n, share: round((n + 1) * share)
                    ),
                    "(n + 1) * coverage is rounded to the nearest here. Round up, math.ceil: below it the promise is "
                    "not kept.",
                ),
                (
                    lambda true, counted, coverage: _off(
                        true, counted, coverage, rank=lambda n, share: int((n + 1) * share)
                    ),
                    "(n + 1) * coverage is rounded down here. Round up, math.ceil: below it the promise is not kept.",
                ),
                (
                    lambda true, counted, coverage: _off(
                        true, counted, coverage, rank=lambda n, share: _rank(n, share) + 1
                    ),
                    "one rank too high: Python counts from 0, the k-th smallest is scores[k - 1].",
                ),
                (
                    lambda true, counted, coverage: _off(
                        true, counted, coverage, rank=lambda n, share: int((n + 1) * share) + 1
                    ),
                    "int cuts down, so where (n + 1) * coverage is a whole number this takes the next score. Use "
                    "math.ceil, then minus 1.",
                ),
                (
                    lambda true, counted, coverage: _off(true, counted, coverage, rank=_rank, sign=True),
                    "without np.abs a count that is far too high has the smallest score of all.",
                ),
                (
                    lambda true, counted, coverage: _off(true, counted, coverage, rank=_rank, over=true),
                    "the errors are divided by the truth. Of a new picture nobody knows it: divide by what was "
                    "counted.",
                ),
                (
                    lambda true, counted, coverage: _off(true, counted, coverage, rank=_rank, add=0.0),
                    "the 30 is missing: without it one person counted as two is as bad as 1,000 counted as 2,000.",
                ),
                (
                    lambda true, counted, coverage: np.quantile(np.abs(true - counted) / (counted + 30), coverage),
                    "np.quantile takes a value between two scores, and of n, not of n + 1. Take the score of "
                    "that rank itself.",
                ),
            ],
        ),
    ),
    Exercise(
        name="12.smooth",
        answer="smooth",
        hint="For each moment: the ages of all counts up to it, their weights np.exp(-age / seconds), the "
        "weighted mean.",
        more=(
            "In a loop: `now - times[:number]` are the ages of the first `number` counts. The sum of "
            "weights times counts, divided by the sum of the weights, is one entry of the result."
        ),
        solution="import numpy as np\n\n\n" + getsource(smooth),
        praise="calm curves without a look into the future.",
        examine=examine_function(
            smooth,
            [
                (np.array([0.0, 1, 2, 3]), np.array([10.0, 12, 30, 8]), 2.0),
                (np.array([0.0, 0.5, 4, 5, 9]), np.array([100.0, 80, 90, 300, 20]), 5.0),
                (np.cumsum(_RNG.uniform(0.5, 3, 7)), _RNG.uniform(0, 400, 7), 4.0),
            ],
            [
                (
                    _ema,
                    "this leans on the first count: it starts with its full weight however old it is. "
                    "Divide the "
                    "weighted sum by the sum of the weights.",
                ),
                (
                    lambda times, counts, seconds: _weighted(
                        times, counts, lambda age: np.exp(-age / seconds), future=True
                    ),
                    "later counts are used, too. A camera does not know them yet: take those up to each moment.",
                ),
                (
                    lambda times, counts, seconds: _weighted(
                        times, counts, lambda age: np.exp(-age / seconds), divide=False
                    ),
                    "the weights do not add up to 1: divide by their sum, or the count grows with the "
                    "number of "
                    "frames.",
                ),
                (
                    lambda times, counts, seconds: _weighted(times, counts, lambda age: np.exp(age / seconds)),
                    "the oldest count weighs most. The weight is exp(-age / seconds), with the minus, and the age is "
                    "how long ago a count was: now - times, not times.",
                ),
                (
                    lambda times, counts, seconds: _weighted(times, counts, lambda age: np.exp(-age * seconds)),
                    "the age is multiplied by `seconds`. Divide: the larger `seconds`, the calmer the curve.",
                ),
                (
                    lambda times, counts, seconds: _weighted(times, counts, np.ones_like),
                    "this is the plain mean of all counts so far, old and new alike. Weights: exp(-age / seconds).",
                ),
                (
                    lambda times, counts, seconds: _weighted(
                        np.arange(len(times)), counts, lambda age: np.exp(-age / seconds)
                    ),
                    "the age is counted in frames. The frames do not come evenly: take it from `times`.",
                ),
                (
                    lambda times, counts, seconds: _weighted(times, counts, lambda age: np.exp(-age)),
                    "`seconds` does nothing yet: the age is measured in it.",
                ),
                (
                    lambda times, counts, seconds: _weighted(times, counts, lambda age: (age <= seconds) * 1.0),
                    "this is the plain mean of the last seconds: a count then drops out all at once. Let "
                    "the weight "
                    "fade by exp(-age / seconds).",
                ),
            ],
        ),
    ),
    Exercise(
        name="12.restore",
        answer="restore",
        hint="It was x / 255, minus the mean, divided by the standard deviation. Undo the last step first.",
        more=("Multiply by the standard deviation, then add the mean, then multiply by 255: the last step first."),
        solution="import numpy as np\n\n\n" + getsource(restore),
        praise="undone in the reverse order, and the network gets what it was trained with.",
        examine=examine_function(
            restore,
            [((_RNG.uniform(0, 1, (rows, columns, 3)) - _MEAN) / _STD,) for rows, columns in ((2, 3), (4, 2), (3, 3))],
            [
                (
                    lambda prepared: prepared * _STD + _MEAN,
                    "this is RGB from 0 to 1. The network wants 0 to 255.",
                ),
                (
                    lambda prepared: (prepared + _MEAN) * _STD * 255,
                    "the order is turned around: it was subtract, then divide. So multiply first, then add.",
                ),
                (
                    lambda prepared: ((prepared - _MEAN) / _STD) * 255,
                    "this prepares the picture a second time. Undo it: multiply by the standard deviation, "
                    "add the "
                    "mean.",
                ),
                (
                    lambda prepared: prepared * _STD * 255 + _MEAN,
                    "mean and standard deviation both belong to pictures from 0 to 1: times 255 comes last, for both.",
                ),
                (
                    lambda prepared: np.round((prepared * _STD + _MEAN) * 255),
                    "right, but rounded. The fractions stay: a network takes them, and nothing is lost.",
                ),
                (
                    lambda prepared: ((prepared * _STD + _MEAN) * 255).astype(np.uint8),
                    "right, but cut to whole numbers. The fractions stay: a network takes them, and nothing is lost.",
                ),
                (
                    lambda prepared: prepared * 255,
                    "mean and standard deviation are still in it.",
                ),
            ],
        ),
    ),
]
