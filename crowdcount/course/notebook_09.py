"""Exercises of notebook 09: four ways to count."""

from __future__ import annotations

from inspect import getsource

import numpy as np

from crowdcount.course.exercise import Exercise, examine_function


def iou(a, b):
    """Intersection over union of two boxes (left, top, right, bottom)."""
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    shared = width * height
    area_a = (a[2] - a[0]) * (a[3] - a[1])
    area_b = (b[2] - b[0]) * (b[3] - b[1])
    return shared / (area_a + area_b - shared)


def suppress(overlaps, scores, most):
    """Indices of the boxes to keep, the surest first; overlaps[i, j] is the overlap of boxes i and j."""
    kept = []
    for i in np.argsort(-scores):
        if all(overlaps[i, j] <= most for j in kept):
            kept.append(i)
    return kept


def learn(bags, counts, alpha):
    """Weight of each word from histograms (boxes, words) and the counts of the boxes (boxes,)."""
    words = bags.shape[1]
    return np.linalg.solve(bags.T @ bags + alpha * np.eye(words), bags.T @ counts)


def vote(patches):
    """Mean of the overlapping patches: (rows, columns, 3, 3) to a map (rows, columns)."""
    rows, columns = patches.shape[:2]
    total, covering = np.zeros((rows + 2, columns + 2)), np.zeros((rows + 2, columns + 2))
    for i in range(3):
        for j in range(3):
            total[i : i + rows, j : j + columns] += patches[:, :, i, j]
            covering[i : i + rows, j : j + columns] += 1
    return total[1:-1, 1:-1] / covering[1:-1, 1:-1]


def spread(predicted, truth):
    """Mean absolute error of counts (seeds, pictures) and how it differs from seed to seed."""
    errors = np.abs(predicted - truth).mean(axis=1)
    return errors.mean(), errors.std(ddof=1)


_RNG = np.random.default_rng(9)


def _box_pairs() -> list[tuple]:
    pairs = [((0, 0, 10, 10), (5, 0, 15, 10)), ((0, 0, 4, 4), (6, 6, 9, 9)), ((0, 0, 10, 10), (2, 3, 5, 6))]
    pairs += [((0, 0, 4, 4), (6, 1, 9, 5)), ((0, 0, 4, 4), (1, 6, 5, 9))]  # apart along one side only
    for _ in range(3):
        corners = _RNG.uniform(0, 5, (2, 2))
        pairs.append(tuple(tuple(np.concatenate([at, at + _RNG.uniform(6, 12, 2)]).tolist()) for at in corners))
    # As the notebook has them: rows of an array.
    return pairs + [tuple(np.array(box, float) for box in pair) for pair in pairs[:2]]


def _iou_variant(apart: str = "either", over: str = "union"):
    def wrong(a, b):
        width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
        nothing = {"either": min(width, height) <= 0, "both": max(width, height) <= 0, "never": False}[apart]
        shared = 0 if nothing else width * height
        area_a, area_b = (a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])
        whole = {"union": area_a + area_b - shared, "sum": area_a + area_b, "smaller": min(area_a, area_b)}
        return shared / whole[over]

    return wrong


def _overlap_table(boxes: int) -> np.ndarray:
    # Boxes along a line: neighbors overlap, those further off do not.
    at = np.sort(_RNG.uniform(0, boxes * 4, boxes))
    shared = np.clip(10 - np.abs(at[:, None] - at), 0, None)
    return shared / (20 - shared)


def _suppress_variant(order: str = "best", against: str = "kept", equal: bool = False):
    def wrong(overlaps, scores, most):
        ranked = {"best": np.argsort(-scores), "worst": np.argsort(scores), "listed": np.arange(len(scores))}[order]
        kept = []
        for n, i in enumerate(ranked):
            rivals = {"kept": kept, "all": ranked[:n], "last": kept[-1:], "first": kept[:1]}[against]
            if all(overlaps[i, j] < most if equal else overlaps[i, j] <= most for j in rivals):
                kept.append(i)
        return kept

    return wrong


def _pixels(a, b):
    """`iou` of boxes whose right and lower edges are the last pixels that belong to them."""
    return iou(*((left, top, right + 1, bottom + 1) for left, top, right, bottom in (a, b)))


def _around_the_border(patches):
    rows, columns = patches.shape[:2]
    total, covering = np.zeros((rows, columns)), np.zeros((rows, columns))
    for r, c, i, j in np.ndindex(patches.shape):
        if r + i - 1 < rows and c + j - 1 < columns:
            total[r + i - 1, c + j - 1] += patches[r, c, i, j]
            covering[r + i - 1, c + j - 1] += 1
    return total / covering


def _vote_variant(divide: str = "covering", turned: bool = False):
    def wrong(patches):
        rows, columns = patches.shape[:2]
        total, covering = np.zeros((rows + 2, columns + 2)), np.zeros((rows + 2, columns + 2))
        for i in range(3):
            for j in range(3):
                total[i : i + rows, j : j + columns] += patches[:, :, j, i] if turned else patches[:, :, i, j]
                covering[i : i + rows, j : j + columns] += 1
        whole = {"covering": covering, "nine": np.full_like(covering, 9), "nothing": np.ones_like(covering)}[divide]
        return total[1:-1, 1:-1] / whole[1:-1, 1:-1]

    return wrong


EXERCISES = [
    Exercise(
        name="09.iou",
        answer="iou",
        hint="The shared box runs from the larger of the two lefts to the smaller of the two rights, and may be "
        "empty. The union is both areas minus what would be counted twice.",
        more=(
            "Its width is min(a[2], b[2]) - max(a[0], b[0]), but never below 0 (max with 0); its "
            "height likewise with 1 and 3. Then shared / (area of a + area of b - shared)."
        ),
        solution=getsource(iou),
        praise="0 for boxes apart, 1 for equal ones: a measure that does not depend on their size.",
        examine=examine_function(
            iou,
            _box_pairs(),
            [
                (
                    _iou_variant(apart="never"),
                    "boxes that lie apart share nothing: a negative width or height of the shared box must "
                    "become 0, or two of them multiply to something.",
                ),
                (
                    _iou_variant(apart="both"),
                    "boxes that lie apart along one side only share nothing, too: one negative side is enough.",
                ),
                (
                    _iou_variant(over="sum"),
                    "the sum of both areas counts the shared part twice. The union is the sum minus the shared area.",
                ),
                (
                    _pixels,
                    "with + 1 the edges are counted as pixels. Here they are places: a box from 0 to 10 is 10 wide.",
                ),
                (
                    _iou_variant(over="smaller"),
                    "this divides by the smaller box: a small box inside a large one would count as equal to "
                    "it. Divide by the union.",
                ),
            ],
        ),
    ),
    Exercise(
        name="09.suppress",
        answer="suppress",
        hint="Go through the boxes from the surest to the least sure. Keep a box if it overlaps at most `most` "
        "with each box that you have kept so far.",
        more=(
            "np.argsort(-scores) gives the order. For each i ask all(overlaps[i, j] <= most for j in "
            "kept): overlaps with boxes that were dropped do not count."
        ),
        solution=getsource(suppress),
        praise="one head, one box: that is non-maximum suppression.",
        examine=examine_function(
            suppress,
            [
                (_overlap_table(count), _RNG.permutation(count) / count, most)
                for count, most in ((9, 0.2), (14, 0.3), (20, 0.1))
            ]
            + [(np.array([[1, 0.25], [0.25, 1]]), np.array([0.9, 0.5]), 0.25)],
            [
                (
                    _suppress_variant(equal=True),
                    "a box that overlaps by exactly `most` may stay: at most is <=.",
                ),
                (
                    _suppress_variant(order="worst"),
                    "you begin with the least sure box. Sort by falling score: np.argsort(-scores).",
                ),
                (
                    _suppress_variant(order="listed"),
                    "you go through the boxes as they are listed. The surest must come first, or a weak box "
                    "removes a sure one.",
                ),
                (
                    lambda *given: sorted(suppress(*given)),
                    "the boxes are right, in the order of their numbers. The surest first, as they were kept.",
                ),
                (
                    _suppress_variant(against="all"),
                    "you also compare with boxes that were removed before. Only kept ones may remove others.",
                ),
                (
                    _suppress_variant(against="last"),
                    "you compare with the box kept last only. Any kept box may overlap this one.",
                ),
                (
                    _suppress_variant(against="first"),
                    "you compare with the surest box only. Any kept box may overlap this one.",
                ),
            ],
        ),
    ),
    Exercise(
        name="09.learn",
        answer="learn",
        hint="Least squares with a penalty: set the derivative of |bags w - counts|^2 + alpha |w|^2 to zero and "
        "solve for w. np.linalg.solve(A, b) solves A w = b.",
        more=(
            "The derivative is zero where (bags.T @ bags + alpha * identity) w = bags.T @ counts. "
            "np.eye(n) is the identity; n is the number of words, bags.shape[1]."
        ),
        solution=getsource(learn),
        praise="one system of equations, as large as there are words, however many boxes there are.",
        examine=examine_function(
            learn,
            [
                (_RNG.poisson(2, (boxes, words)).astype(float), _RNG.uniform(0, 9, boxes), alpha)
                for boxes, words, alpha in ((30, 4, 1.0), (12, 6, 0.3), (50, 5, 20.0))
            ],
            [
                (
                    lambda bags, counts, alpha: learn(bags, counts, 0.0),
                    "the penalty is missing: add alpha times the identity matrix to bags.T @ bags.",
                ),
                (
                    lambda bags, counts, alpha: np.linalg.solve(bags.T @ bags + alpha, bags.T @ counts),
                    "alpha belongs on the diagonal only: alpha * np.eye(words). A bare number is added everywhere.",
                ),
                (
                    lambda bags, counts, alpha: learn(bags, counts, alpha**2),
                    "the penalty is alpha times the squared weights; alpha itself is not squared.",
                ),
                (
                    lambda bags, counts, alpha: learn(bags, counts, alpha * len(bags)),
                    "you weigh the penalty by the number of boxes. Here the error is a sum over the boxes, not a mean.",
                ),
            ],
        ),
    ),
    Exercise(
        name="09.vote",
        answer="vote",
        hint="patches[r, c, i, j] is what the patch around cell (r, c) says about cell (r + i - 1, c + j - 1). Add "
        "up on a map with a rim of one cell, count how many patches cover each cell, divide, cut off the rim.",
        more=(
            "For each i and j of the nine: total[i : i + rows, j : j + columns] gets patches[:, :, "
            "i, j], and a second map of the same size gets 1. Begin both as zeros of (rows + 2, "
            "columns + 2)."
        ),
        solution=getsource(vote),
        praise="nine opinions a cell (fewer at the border): their mean is calmer than any of them.",
        examine=examine_function(
            vote,
            [(_RNG.uniform(0, 1, (rows, columns, 3, 3)),) for rows, columns in ((4, 5), (6, 3), (3, 3))],
            [
                (
                    _vote_variant(divide="nothing"),
                    "you add the opinions without dividing by how many there are: the count would be nine times "
                    "too large.",
                ),
                (
                    _vote_variant(divide="nine"),
                    "cells at the border are covered by fewer than nine patches: count how many.",
                ),
                (
                    _around_the_border,
                    "index -1 is the last row, or the last column, for NumPy: opinions about cells above and left of "
                    "the map land on its other side. Leave them out, or add up on a map with a rim.",
                ),
                (
                    lambda patches: patches[:, :, 1, 1],
                    "you take only what each patch says about its own middle. The neighbors' opinions count, too.",
                ),
                (
                    lambda patches: patches.mean(axis=(2, 3)),
                    "you average each patch within itself, which smears the map. Average what different patches "
                    "say about the same cell.",
                ),
                (
                    _vote_variant(turned=True),
                    "rows and columns of the patches are exchanged: i goes with rows, j with columns.",
                ),
            ],
        ),
    ),
    Exercise(
        name="09.spread",
        answer="spread",
        hint="First one number a seed: the mean over the pictures of |predicted - truth|. Then the mean and the "
        "standard deviation of these numbers; with few of them, divide by one less than their number (ddof=1).",
        more=(
            "np.abs(...).mean(axis=1) gives one number for each seed (axis 1 are the pictures). Of "
            "these take .mean() and .std(ddof=1)."
        ),
        solution=getsource(spread),
        praise="a difference between two methods means something if it is larger than this.",
        examine=examine_function(
            spread,
            [
                (truth + _RNG.normal(1, 6, (seeds, len(truth))), truth)
                for seeds, truth in (
                    (3, _RNG.uniform(20, 90, 8)),
                    (5, _RNG.uniform(20, 60, 6)),
                    (4, _RNG.uniform(20, 30, 12)),
                )
            ],
            [
                (
                    lambda predicted, truth: (
                        np.abs(predicted - truth).mean(),
                        np.abs(predicted - truth).mean(axis=1).std(),
                    ),
                    "the spread divides by the number of seeds. With so few take one less: std(ddof=1).",
                ),
                (
                    lambda predicted, truth: (
                        np.abs(predicted - truth).mean(),
                        np.abs(predicted - truth).std(ddof=1),
                    ),
                    "this is the spread over all pictures. Asked for is how much the result changes from seed to "
                    "seed: average over the pictures first.",
                ),
                (
                    lambda predicted, truth: (
                        (predicted - truth).mean(),
                        (predicted - truth).mean(axis=1).std(ddof=1),
                    ),
                    "without the absolute value too many here and too few there cancel: that is the bias, not "
                    "the error.",
                ),
                (
                    lambda predicted, truth: (
                        np.sqrt(((predicted - truth) ** 2).mean(axis=1)).mean(),
                        np.sqrt(((predicted - truth) ** 2).mean(axis=1)).std(ddof=1),
                    ),
                    "this is the root mean squared error. Asked for is the mean absolute one.",
                ),
            ],
        ),
    ),
]
