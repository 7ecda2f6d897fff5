"""Exercises of notebook 11: build and train CSRNet."""

from __future__ import annotations

from inspect import getsource

import numpy as np

from crowdcount.course.exercise import Exercise, examine_function


def nine(height, width, random):
    """Upper left corners (9, 2), top then left, of the paper's patches; `random` (5, 2) lies in 0..1."""
    high, wide = height // 2, width // 2
    quarters = [(0, 0), (0, width - wide), (height - high, 0), (height - high, width - wide)]
    anywhere = np.floor(random * [height - high + 1, width - wide + 1]).astype(int)
    return np.concatenate([quarters, anywhere])


def euclidean(target, predicted):
    """The paper's loss of a batch of maps (B, h, w, 1)."""
    return ((predicted - target) ** 2).sum() / (2 * len(target))


def descend(weights, gradients, rate, momentum):
    """Weights after one step of SGD with momentum for each of the `gradients`."""
    velocity = np.zeros_like(weights)
    for gradient in gradients:
        velocity = momentum * velocity - rate * gradient
        weights = weights + velocity
    return weights


def errors(truth, predicted):
    """MAE and RMSE of the counts of a set of pictures."""
    error = predicted - truth
    return np.abs(error).mean(), np.sqrt((error**2).mean())


def baseline(train_counts, test_counts):
    """MAE on the test pictures of one who always answers the mean of the training counts."""
    return np.abs(test_counts - train_counts.mean()).mean()


def _patches(columns_first=False, overhang=False, swapped=False, short=False, whole=False, middle=False):
    def wrong(height, width, random):
        high, wide = height // 2, width // 2
        bottom, right = height - high, width - wide
        quarters = [(0, 0), (0, right), (bottom, 0), (bottom, right)]
        if middle:
            quarters = [(0, 0), (0, wide), (high, 0), (high, wide)]
        if columns_first:
            quarters = [(0, 0), (bottom, 0), (0, right), (bottom, right)]
        room = [height, width] if overhang else [bottom + 1, right + 1]
        if short:
            room = [bottom, right]
        corners = random * (room[::-1] if swapped else room)
        corners = np.concatenate([quarters, corners if whole else np.floor(corners)])
        return corners[:, ::-1] if swapped else corners

    return wrong


def _descents(keep=True, sign=-1.0, fresh=False, averaged=False):
    def wrong(weights, gradients, rate, momentum):
        velocity = np.zeros_like(weights)
        for gradient in gradients:
            share = (1 - momentum) if averaged else 1.0
            velocity = (momentum * velocity if keep else 0.0) + sign * rate * share * gradient
            weights = weights + (momentum * velocity + sign * rate * gradient if fresh else velocity)
        return weights

    return wrong


_RNG = np.random.default_rng(11)


def _maps(batch, rows, columns):
    return _RNG.gamma(1.0, 0.1, (batch, rows, columns, 1)), _RNG.gamma(1.0, 0.1, (batch, rows, columns, 1))


def _counts(pictures):
    return np.rint(_RNG.gamma(2.0, 40.0, pictures)), _RNG.gamma(2.0, 40.0, pictures)


EXERCISES = [
    Exercise(
        name="11.nine",
        answer="nine",
        hint="A patch is height // 2 by width // 2, so its top may be anything from 0 to height - "
        "height // 2, the "
        "last one included, and its left likewise. Write the four quarters as they are read: upper "
        "left, upper "
        "right, lower left, lower right. np.floor makes whole pixels of the random corners.",
        more=(
            "With high = height // 2 there are height - high + 1 possible tops. np.floor(random * "
            "[tops, lefts]).astype(int) gives the five, np.concatenate puts the four quarters before "
            "them."
        ),
        solution=getsource(nine),
        praise="nine patches, none of which leaves the picture. Mirrored they are eighteen.",
        examine=examine_function(
            nine,
            [
                (96, 128, _RNG.random((5, 2))),
                (100, 64, _RNG.random((5, 2))),
                (81, 61, np.concatenate([_RNG.random((3, 2)), [[0.0, 0.9999], [0.9999, 0.0]]])),
            ],
            [
                (
                    _patches(columns_first=True),
                    "the quarters come column by column here. Take them as one reads: the upper two, "
                    "then the lower two.",
                ),
                (
                    _patches(overhang=True),
                    "the random patches hang over the edge: a corner may lie no further than height "
                    "- height // 2, "
                    "or a part of the patch is outside the picture.",
                ),
                (
                    _patches(swapped=True),
                    "this is (left, top). Arrays are indexed row first: return (top, left).",
                ),
                (
                    _patches(short=True),
                    "the last place is never taken: there are height - height // 2 + 1 tops from 0 "
                    "on, so multiply "
                    "by one more.",
                ),
                (
                    _patches(middle=True),
                    "the quarters on the right and below begin where the picture ends less their size, width - width "
                    "// 2 and height - height // 2: one more where a side is odd.",
                ),
                (_patches(whole=True), "corners must be whole pixels: round the random ones down."),
            ],
        ),
    ),
    Exercise(
        name="11.euclidean",
        answer="euclidean",
        hint="Subtract, square, and add up every cell of every map in the batch. Then divide once, "
        "by 2 B, where B is "
        "how many maps there are.",
        more=(
            "((predicted - target) ** 2).sum() is the sum. B is len(target). One half belongs to the paper's formula."
        ),
        solution=getsource(euclidean),
        praise="this is what the paper makes small: half the squared distance, averaged over the pictures only.",
        examine=examine_function(
            euclidean,
            [_maps(3, 6, 4), _maps(1, 4, 5), _maps(int(_RNG.integers(4, 9)), 3, 7)],
            [
                (
                    lambda target, predicted: ((predicted - target) ** 2).mean(),
                    "this is averaged over the cells. The paper adds the cells up and averages over "
                    "the pictures of "
                    "the batch only.",
                ),
                (
                    lambda target, predicted: ((predicted - target) ** 2).mean() / 2,
                    "this is averaged over the cells. The paper adds the cells up and averages over the pictures of "
                    "the batch only.",
                ),
                (
                    lambda target, predicted: ((predicted - target) ** 2).sum() / len(target),
                    "the factor 1/2 is missing. It makes the derivative simply predicted - target.",
                ),
                (
                    lambda target, predicted: ((predicted - target) ** 2).sum() / 2,
                    "the whole batch is added up: divide by the number of maps, or a larger batch takes larger steps.",
                ),
                (
                    lambda target, predicted: np.sqrt(((predicted - target) ** 2).sum(axis=(1, 2, 3))).mean() / 2,
                    "no square root: the paper's loss is the squared distance, and the root has no "
                    "slope at zero error.",
                ),
                (
                    lambda target, predicted: ((predicted - target).sum(axis=(1, 2, 3)) ** 2).mean() / 2,
                    "this compares the counts only: cells of opposite error cancel. Square each cell, then add up.",
                ),
            ],
        ),
    ),
    Exercise(
        name="11.descend",
        answer="descend",
        hint="The velocity begins at zero. For each gradient: the new velocity is momentum times "
        "the old one, minus "
        "rate times the gradient; then the weights move by the velocity.",
        more=(
            "velocity = np.zeros_like(weights). In the loop two lines: first the velocity, then "
            "weights plus velocity, in a new array."
        ),
        solution=getsource(descend),
        praise="with momentum 0 this is plain SGD, the paper's; Keras's optimizer takes the same steps.",
        examine=examine_function(
            descend,
            [
                (_RNG.normal(size=3), _RNG.normal(size=(4, 3)), 0.1, 0.9),
                (_RNG.normal(size=2), _RNG.normal(size=(3, 2)), 0.5, 0.0),
                (_RNG.normal(size=5), _RNG.normal(size=(6, 5)), 0.02, float(_RNG.uniform(0.3, 0.8))),
            ],
            [
                (
                    _descents(keep=False),
                    "the velocity forgets: keep momentum times the old one and add to it.",
                ),
                (
                    _descents(sign=1.0),
                    "this walks uphill: the gradient points to where the loss grows. Go against it.",
                ),
                (
                    _descents(averaged=True),
                    "here the gradient is also multiplied by 1 - momentum (an average). SGD's "
                    "momentum adds rate times "
                    "the whole gradient.",
                ),
                (
                    _descents(fresh=True),
                    "this is Nesterov's momentum, which looks one step ahead. The plain one moves by "
                    "the velocity itself.",
                ),
            ],
        ),
    ),
    Exercise(
        name="11.errors",
        answer="errors",
        hint="MAE: the size of each error, then the mean. RMSE: square each error, then the mean, "
        "then the root. Return "
        "the two as a tuple, MAE first.",
        more=(
            "The error of each picture first. np.abs, then .mean(); and for the second: square, .mean(), "
            "np.sqrt, in this order."
        ),
        solution=getsource(errors),
        praise="MAE says how wrong a typical picture is, RMSE how bad the bad ones are. Tables call the second MSE.",
        examine=examine_function(
            errors,
            [_counts(6), _counts(9), _counts(int(_RNG.integers(12, 30)))],
            [
                (
                    lambda truth, predicted: (
                        np.abs(predicted - truth).mean(),
                        ((predicted - truth) ** 2).mean(),
                    ),
                    "the second is the mean squared error in people squared. Tables of this field "
                    "print its root, even "
                    "where they write MSE.",
                ),
                (
                    lambda truth, predicted: (
                        abs((predicted - truth).mean()),
                        np.sqrt(((predicted - truth) ** 2).mean()),
                    ),
                    "for the MAE take the size of each error first, then the mean. This is the bias: "
                    "too many here and "
                    "too few there cancel.",
                ),
                (
                    lambda truth, predicted: (
                        np.abs(predicted - truth).mean(),
                        np.sqrt(((predicted - truth) ** 2).sum()),
                    ),
                    "inside the root stands the mean of the squares, not their sum: twice as many "
                    "pictures would be twice "
                    "as wrong.",
                ),
                (
                    lambda truth, predicted: (
                        np.sqrt(((predicted - truth) ** 2).mean()),
                        np.abs(predicted - truth).mean(),
                    ),
                    "both are right, in the wrong order: MAE first.",
                ),
            ],
        ),
    ),
    Exercise(
        name="11.baseline",
        answer="baseline",
        hint="The answer is the same for every picture: the mean of train_counts. Its error on a "
        "test picture is the "
        "distance from the true count.",
        more=(
            "np.abs(test_counts - that one number), then the mean over the test pictures. The test "
            "counts must not have a say in the answer."
        ),
        solution=getsource(baseline),
        praise="any network must beat this one, which does not even look.",
        examine=examine_function(
            baseline,
            [
                _counts(8),
                (_RNG.gamma(2.0, 40.0, 7), _RNG.gamma(2.0, 60.0, 11)),
                _counts(int(_RNG.integers(5, 20))),
            ],
            [
                (
                    lambda train_counts, test_counts: np.abs(test_counts - test_counts.mean()).mean(),
                    "this takes the mean of the test counts, which nobody knows beforehand. Only the "
                    "training counts "
                    "may be used.",
                ),
                (
                    lambda train_counts, test_counts: abs(test_counts.mean() - train_counts.mean()),
                    "errors cancel here: take the distance for each picture, then the mean.",
                ),
                (
                    lambda train_counts, test_counts: np.abs(test_counts - np.median(train_counts)).mean(),
                    "this answers the median. It is a fair baseline too (a better one for the MAE), "
                    "but the mean is asked.",
                ),
                (
                    lambda train_counts, test_counts: np.sqrt(((test_counts - train_counts.mean()) ** 2).mean()),
                    "this is the RMSE; the MAE is asked.",
                ),
                (
                    lambda train_counts, test_counts: np.abs(train_counts - train_counts.mean()).mean(),
                    "this measures on the training pictures. A model is judged on pictures that it has not seen.",
                ),
            ],
        ),
    ),
]
