"""Exercises of notebook 05b, training well, and the real validation set that it takes apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from crowdcount.course.exercise import Exercise, examine_function

# ShanghaiTech part A's validation split, 29 pictures: people by hand, counted by the `general` that shipped then, and
# by a network trained on from it on clear pictures (not shipped). By `crowdcount evaluate`, rounded to people.
REAL_VALIDATION = (  # fmt: skip
    (85, 80, 77),
    (111, 130, 124),
    (129, 175, 175),
    (141, 144, 145),
    (166, 173, 189),
    (204, 246, 257),
    (228, 237, 228),
    (245, 300, 260),
    (256, 268, 261),
    (271, 273, 260),
    (284, 464, 370),
    (312, 421, 392),
    (341, 346, 291),
    (354, 272, 189),
    (371, 454, 327),
    (408, 512, 488),
    (432, 358, 374),
    (462, 466, 468),
    (501, 538, 508),
    (562, 646, 651),
    (606, 654, 578),
    (652, 621, 632),
    (687, 728, 623),
    (777, 1184, 901),
    (899, 860, 808),
    (1082, 1001, 943),
    (1205, 1060, 1131),
    (1956, 1820, 1587),
    (2164, 1352, 1199),
)


def split(crowds: np.ndarray, validation: Sequence[int], test: Sequence[int]) -> tuple:
    """Masks (n,) of the training, the validation and the test set: whole crowds go to one of them."""
    to_validation, to_test = np.isin(crowds, list(validation)), np.isin(crowds, list(test))
    return ~to_validation & ~to_test, to_validation, to_test


def standard_error(values: np.ndarray) -> float:
    """Standard error of the mean of n values."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def softmax(Z: np.ndarray) -> np.ndarray:
    """Probabilities (classes, m) of logits Z (classes, m): every column adds up to 1."""
    E = np.exp(Z - Z.max(axis=0))
    return E / E.sum(axis=0)


def adam(w: np.ndarray, slope: np.ndarray, mean: np.ndarray, square: np.ndarray, t: int, rate: float) -> tuple:
    """Step t = 1, 2, ... of Adam on weights w: the new w, mean and square (Kingma and Ba 2015, algorithm 1)."""
    mean = 0.9 * mean + 0.1 * slope
    square = 0.999 * square + 0.001 * slope**2
    mean_now, square_now = mean / (1 - 0.9**t), square / (1 - 0.999**t)
    return w - rate * mean_now / (np.sqrt(square_now) + 1e-8), mean, square


def stop(costs: Sequence[float], patience: int) -> tuple[int, int]:
    """The epoch to keep and the last epoch run, counted from 0, when training stops after `patience` without a gain."""
    best = 0
    for epoch, cost in enumerate(costs):
        if cost < costs[best]:
            best = epoch
        if epoch - best == patience:
            return best, epoch
    return best, len(costs) - 1


def _split_with(what: str) -> Callable:
    def wrong(crowds, validation, test):
        learn, first, second = split(crowds, validation, test)
        if what == "all":
            return np.ones(len(crowds), bool), first, second
        if what == "keeps validation":
            return ~second, first, second
        if what == "keeps test":
            return ~first, first, second
        if what == "places":
            return tuple(np.flatnonzero(mask) for mask in (learn, first, second))
        if what == "rows":
            places = np.arange(len(crowds))
            first, second = np.isin(places, list(validation)), np.isin(places, list(test))
            return ~first & ~second, first, second
        return learn, second, first

    return wrong


def _adam_with(first: float = 0.9, second: float = 0.999, corrected: bool = True, what: str = "") -> Callable:
    def wrong(w, slope, mean, square, t, rate):
        mean = first * mean + (1 - first) * slope
        square = second * square + (1 - second) * (slope if what == "no square" else slope**2)
        now = (mean / (1 - first**t), square / (1 - second**t)) if corrected else (mean, square)
        with np.errstate(invalid="ignore"):
            root = now[1] if what == "no root" else np.sqrt(now[1])
        step = rate * now[0] / (np.sqrt(now[1] + 1e-8) if what == "inside" else root + 1e-8)
        if what == "returns corrected":
            return w - step, *now
        return (w + step if what == "climbs" else w - step), mean, square

    return wrong


def _softmax_less(subtracted: Callable[[np.ndarray], np.ndarray | int]) -> Callable[[np.ndarray], np.ndarray]:
    def wrong(Z):
        E = np.exp(Z - subtracted(Z))
        return E / E.sum(axis=0)

    return wrong


def _stop_with(what: str) -> Callable:
    def wrong(costs, patience):
        best, last = stop(costs, patience)
        if what == "last":
            return last, last
        if what == "last at the end":
            return (best if last - best == patience else last), last
        if what == "whole":
            return int(np.argmin(costs)), len(costs) - 1
        if what == "rise":
            rises = [epoch for epoch in range(1, len(costs)) if costs[epoch] > costs[epoch - 1]]
            return (rises[0] - 1, rises[0]) if rises else (best, len(costs) - 1)
        if what == "late":
            return stop(costs, patience + 1)
        return best + 1, last + 1

    return wrong


def _later_of_equals(costs: Sequence[float], patience: int) -> tuple[int, int]:
    best = 0
    for epoch, cost in enumerate(costs):
        if cost <= costs[best]:
            best = epoch
        if epoch - best == patience:
            return best, epoch
    return best, len(costs) - 1


def _groups() -> list[tuple]:
    inputs = []
    for seed, many in ((0, 6), (1, 9), (2, 12)):
        rng = np.random.default_rng(seed)
        order = [int(crowd) for crowd in rng.permutation(many)]
        inputs.append((rng.integers(0, many, 5 * many), order[: many // 3], order[many // 3 : many // 2]))
    return inputs


def _steps() -> list[tuple]:
    inputs = []
    # Of slopes as small as the last ones 1e-8 in the root would be no longer next to nothing.
    for seed, t, size in ((3, 1, 1.0), (4, 2, 1.0), (5, 7, 1.0), (6, 1, 1e-4)):
        rng = np.random.default_rng(seed)
        w, slope, mean = rng.standard_normal((3, 3, 2))
        started = float(t > 1)
        inputs.append((w, size * slope, started * mean, started * rng.uniform(0.1, 1, (3, 2)), t, 0.01))
    return inputs


_COSTS = [
    ([0.9, 0.7, 0.6, 0.65, 0.64, 0.66, 0.5], 3),
    ([0.8, 0.6, 0.61, 0.55, 0.5, 0.52, 0.53, 0.54, 0.4, 0.3], 2),
    ([0.7, 0.71, 0.6, 0.62, 0.5, 0.45, 0.44], 3),
    ([0.8, 0.6, 0.6, 0.7, 0.65, 0.64, 0.3], 3),  # two are equal: the earlier one is the best
    ([0.9, 0.5, 0.6, 0.7], 8),  # the list ends before patience does
]

EXERCISES = [
    Exercise(
        name="05b.split",
        answer="split",
        hint="Whole crowds move, not patches. Ask of each patch whether its crowd is in a list: np.isin.",
        more="np.isin(crowds, list(test)) is the mask of the test set, and so for validation. The rest, neither the "
        "one nor the other (~ and &), is to learn from.",
        solution="""def split(crowds, validation, test):
    to_validation = np.isin(crowds, list(validation))
    to_test = np.isin(crowds, list(test))
    return ~to_validation & ~to_test, to_validation, to_test
""",
        praise="no crowd is on two sides.",
        examine=examine_function(
            split,
            _groups(),
            [
                (_split_with("all"), "everything is learned from here, validation and test included: a leak."),
                (_split_with("keeps validation"), "the validation crowds are learned from, too: a leak."),
                (_split_with("keeps test"), "the test crowds are learned from, too: a leak."),
                (
                    _split_with("places"),
                    "these are places in the list. Masks are wanted: True or False for each patch.",
                ),
                (
                    _split_with("rows"),
                    "the lists name crowds, not rows: ask `crowds` which crowd each patch is from.",
                ),
                (
                    _split_with("swapped"),
                    "validation and test are exchanged: first training, then validation, then test.",
                ),
            ],
        ),
    ),
    Exercise(
        name="05b.standard_error",
        answer="standard_error",
        hint="Two steps: how far single values stray (their standard deviation), and how much of that is left in the "
        "mean of n of them.",
        more="np.std(values, ddof=1) divides by n - 1, because the mean was taken from the same values. Then divide by "
        "the root of n.",
        solution="""def standard_error(values):
    return np.std(values, ddof=1) / np.sqrt(len(values))
""",
        praise="four times as many examples halve it.",
        examine=examine_function(
            standard_error,
            [
                (np.array([3.0, 5.0, 4.0, 8.0]),),
                (np.random.default_rng(0).exponential(60, 29),),
                ((np.random.default_rng(1).random(12) < 0.8).astype(float),),
            ],
            [
                (
                    lambda v: np.std(v, ddof=1),
                    "this is how far single values stray. The mean of n strays less: divide by the root of n.",
                ),
                (lambda v: np.std(v), "this is how far single values stray. Divide by the root of n, and take n - 1."),
                (
                    lambda v: np.std(v) / np.sqrt(len(v)),
                    "nearly: the mean was taken from the same values, so the squares are divided by n - 1: ddof=1.",
                ),
                (
                    lambda v: np.var(v, ddof=1) / len(v),
                    "this is the square of it (the variance of the mean). Take the root.",
                ),
                (lambda v: np.std(v, ddof=1) / len(v), "divide by the root of n, not by n."),
                (
                    lambda v: np.var(v, ddof=1) / np.sqrt(len(v)),
                    "the standard deviation is the root of the variance.",
                ),
            ],
        ),
    ),
    Exercise(
        name="05b.softmax",
        answer="softmax",
        hint="np.exp makes all numbers positive; dividing by their sum makes them add up to 1. The classes of one "
        "example stand in a column.",
        more="Subtract from each column its largest logit first: nothing changes, since numerator and sum are divided "
        "by the same, and no exponential is too large. Sum with axis=0.",
        solution="""def softmax(Z):
    E = np.exp(Z - Z.max(axis=0))
    return E / E.sum(axis=0)
""",
        praise="any number of classes, and no logit is too large.",
        examine=examine_function(
            softmax,
            [
                (np.random.default_rng(0).normal(0, 2, (3, 4)),),
                (np.random.default_rng(1).normal(0, 3, (2, 5)),),
                # The numbers of the last column lie so far apart that subtracting their mean is not enough.
                (np.array([[1000.0, 1.0, 3.0, 1000.0], [1001.0, 1.0, 3.5, 0.0], [998.0, 1.0, -2.0, -1000.0]]),),
            ],
            [
                (
                    lambda Z: np.exp(Z - Z.max()) / np.exp(Z - Z.max()).sum(),
                    "all numbers together add up to 1 here; each column is to do so by itself: axis=0.",
                ),
                (
                    lambda Z: np.exp(Z) / np.exp(Z).sum(),
                    "all numbers together add up to 1 here; each column is to do so by itself: axis=0. And "
                    "np.exp(1000) is infinite: subtract each column's largest logit first.",
                ),
                (
                    lambda Z: np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True),
                    "your rows add up to 1. An example is a column: axis=0. And np.exp(1000) is infinite: subtract "
                    "each column's largest logit first.",
                ),
                (
                    lambda Z: (
                        np.exp(Z - Z.max(axis=1, keepdims=True))
                        / np.exp(Z - Z.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True)
                    ),
                    "your rows add up to 1. An example is a column: axis=0.",
                ),
                (
                    _softmax_less(lambda Z: 0),
                    "right for small logits, but np.exp(1000) is infinite, and infinity through infinity is nan. "
                    "Subtract each column's largest logit first.",
                ),
                (
                    _softmax_less(np.max),
                    "the largest logit of all is subtracted everywhere, and a column far below it becomes 0 through 0. "
                    "Subtract each column's own: axis=0.",
                ),
                (
                    _softmax_less(lambda Z: Z.mean(axis=0)),
                    "subtract the largest of each column, not the mean: what is left must be at most 0, or np.exp "
                    "may be infinite.",
                ),
                (
                    _softmax_less(lambda Z: Z.min(axis=0)),
                    "subtract the largest of each column, not the least: what is left must be at most 0, or np.exp "
                    "may be infinite.",
                ),
                (lambda Z: Z / Z.sum(axis=0), "the exponential is missing: logits may be negative, probabilities not."),
                (lambda Z: 1 / (1 + np.exp(-Z)), "this is the sigmoid of each: the columns do not add up to 1."),
                (lambda Z: np.exp(Z - Z.max(axis=0)), "the sum is missing: the columns do not add up to 1."),
            ],
        ),
    ),
    Exercise(
        name="05b.adam",
        answer="adam",
        hint="Five lines, in the order of the formulas: mean, square, the two corrected ones, w. What is returned "
        "beside w is the mean and the square before they are corrected.",
        more="Corrected for the start at 0: mean / (1 - 0.9 ** t) and square / (1 - 0.999 ** t). The step is rate "
        "times the first over (the root of the second, plus 1e-8), against the slope.",
        solution="""def adam(w, slope, mean, square, t, rate):
    mean = 0.9 * mean + 0.1 * slope
    square = 0.999 * square + 0.001 * slope**2
    mean_now = mean / (1 - 0.9**t)
    square_now = square / (1 - 0.999**t)
    return w - rate * mean_now / (np.sqrt(square_now) + 1e-8), mean, square
""",
        praise="every weight has a step of its own, about as long as the rate.",
        examine=examine_function(
            adam,
            _steps(),
            [
                (_adam_with(corrected=False), "the correction for the start at 0 is missing: divide by 1 - 0.9 ** t."),
                (
                    _adam_with(what="returns corrected"),
                    "return the mean and the square as they are, not corrected: else the next step corrects twice.",
                ),
                (_adam_with(what="climbs"), "this climbs: the step goes against the slope, w - ..."),
                (_adam_with(what="no root"), "the root is missing: divide by the root of the square."),
                (_adam_with(what="inside"), "1e-8 stands beside the root, not in it: np.sqrt(...) + 1e-8."),
                (_adam_with(what="no square"), "`square` is the mean of the *squared* slopes: slope ** 2."),
                (_adam_with(first=0.999, second=0.9), "0.9 and 0.999 are exchanged: the mean forgets faster."),
            ],
            tolerance=1e-9,
        ),
    ),
    Exercise(
        name="05b.stop",
        answer="stop",
        hint="Walk through the epochs as if the later ones were not known yet. Remember the best so far. Stop when it "
        "is `patience` epochs old.",
        more="At each epoch: if its cost is below that of the best, it is the new best. If epoch - best == patience, "
        "return (best, epoch). Behind the loop: (best, len(costs) - 1).",
        solution="""def stop(costs, patience):
    best = 0
    for epoch, cost in enumerate(costs):
        if cost < costs[best]:
            best = epoch
        if epoch - best == patience:
            return best, epoch
    return best, len(costs) - 1
""",
        praise="training ends by itself, and the best network is kept, not the last.",
        examine=examine_function(
            stop,
            _COSTS,
            [
                (_stop_with("last"), "keep the best epoch, not the last: the ones after it were worse."),
                (
                    _stop_with("whole"),
                    "this looks at the whole list. While training, the epochs after the stop are never run.",
                ),
                (
                    lambda costs, patience: (int(np.argmin(costs)), int(np.argmin(costs)) + patience),
                    "this looks at the whole list. While training, the epochs after the stop are never run.",
                ),
                (_stop_with("rise"), "it stops at the first rise. Costs wobble: wait `patience` epochs."),
                (
                    _stop_with("last at the end"),
                    "where the list ends before the patience does, the best epoch is kept, too, not the last.",
                ),
                (_stop_with("late"), "one epoch too late: stop when the best is `patience` epochs old."),
                (_stop_with("from one"), "epochs are counted from 0."),
                (
                    _later_of_equals,
                    "of equal costs the earlier one is the best: what is only as good is no gain. `<`, not `<=`.",
                ),
            ],
        ),
    ),
]
