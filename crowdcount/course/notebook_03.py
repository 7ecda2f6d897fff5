"""Exercises of notebook 03, vectorization; its functions are what the notebook goes on with."""

from __future__ import annotations

import numpy as np

from crowdcount.course.exercise import Exercise, examine_function


def forward(w: np.ndarray, b: float, X: np.ndarray) -> np.ndarray:
    """Z = w.T X + b, (1, m), of w (n_x, 1), b and X (n_x, m)."""
    return w.T @ X + b


def backward(X: np.ndarray, dZ: np.ndarray) -> tuple[np.ndarray, float]:
    """dw = X dZ.T / m, (n_x, 1), and db, the mean of dZ, of X (n_x, m) and dZ (1, m)."""
    return X @ dZ.T / X.shape[1], float(dZ.mean())


def shares(counts: np.ndarray) -> np.ndarray:
    """Each column of counts (zones, hours) in percent of its sum."""
    return 100 * counts / counts.sum(axis=0, keepdims=True)


def mean_absolute_error(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Mean of |predicted - truth| for m counts, each (m,) or (m, 1) or (1, m)."""
    return float(np.abs(np.ravel(predicted) - np.ravel(truth)).mean())


def _layers() -> list[tuple]:
    inputs = []
    for n, m, seed in ((3, 5, 0), (4, 4, 1), (7, 2, 2)):
        rng = np.random.default_rng(seed)
        inputs.append((rng.standard_normal((n, 1)), float(rng.normal(1, 0.5)), rng.standard_normal((n, m))))
    return inputs


def _slopes() -> list[tuple]:
    inputs = []
    for n, m, seed in ((3, 5, 3), (4, 4, 4), (7, 2, 5)):
        rng = np.random.default_rng(seed)
        inputs.append((rng.standard_normal((n, m)), rng.standard_normal((1, m))))
    return inputs


def _tables() -> list[tuple]:
    # Square tables among them: there the wrong axis raises no error.
    shapes = ((4, 4), (3, 5), (6, 6))
    return [(np.random.default_rng(seed).integers(1, 200, shape),) for seed, shape in enumerate(shapes)]


def _counts() -> list[tuple]:
    rng = np.random.default_rng(6)
    inputs = []
    shapes = (((4,), (4, 1)), ((7, 1), (7,)), ((1, 5), (5, 1)), ((6, 1), (1, 6)), ((1, 3), (3,)))
    for m, (one, other) in zip((4, 7, 5, 6, 3), shapes):
        truth = rng.integers(10, 500, m).astype(float)
        inputs.append(((truth + rng.normal(0, 30, m)).reshape(one), truth.reshape(other)))
    return inputs


_ONE_SHAPE = "only one of the two is brought to one shape. The other may be a column or a row, too: np.ravel for both."

EXERCISES = [
    Exercise(
        name="03.forward",
        answer="forward",
        hint="w has shape (n_x, 1), X has (n_x, m), Z should have (1, m). Which of the two must be "
        "transposed? b is added to all by itself.",
        more="w.T has shape (1, n_x): its product with X, written with @, is (1, m).",
        solution="""def forward(w, b, X):
    return w.T @ X + b
""",
        praise="one line for all examples, and b was broadcast.",
        examine=examine_function(
            forward,
            _layers(),
            [
                (lambda w, b, X: w.T @ X, "the bias b is missing."),
                (
                    lambda w, b, X: X.T @ w + b,
                    "the values are right, lying the other way: Z is a row (1, m), w.T first.",
                ),
                (
                    lambda w, b, X: w * X + b,
                    "* multiplies element by element and adds nothing up. The product of matrices is @.",
                ),
                (
                    lambda w, b, X: (w.T @ X + b)[0],
                    "this is a rank-1 array of shape (m,). Z should stay a row of shape (1, m).",
                ),
                (lambda w, b, X: w.T @ (X + b), "b is added to the inputs. Add it after the product."),
            ],
            loops=False,
        ),
    ),
    Exercise(
        name="03.backward",
        answer="backward",
        hint="dw adds up x dz over the examples. X (n_x, m) times what of shape (m, 1) gives (n_x, 1)?",
        more=(
            "dZ.T is that column. @ adds up over the examples; the mean divides by m, the number of "
            "columns of X, not of its rows. db is the mean of dZ, one number."
        ),
        solution="""def backward(X, dZ):
    m = X.shape[1]
    return X @ dZ.T / m, np.sum(dZ) / m
""",
        praise="the loop over the examples is inside the matrix product.",
        examine=examine_function(
            backward,
            _slopes(),
            [
                (
                    lambda X, dZ: (X @ dZ.T, np.sum(dZ)),
                    "these are sums. The cost is a mean: divide both by m.",
                ),
                (lambda X, dZ: (X @ dZ.T / X.shape[1], np.sum(dZ)), "dw is right; db was not divided by m."),
                (
                    lambda X, dZ: (X @ dZ.T, np.mean(dZ)),
                    "db is right; dw was not divided by m: @ adds up, and the cost is a mean.",
                ),
                (
                    lambda X, dZ: (X @ dZ.T / X.shape[0], np.sum(dZ) / X.shape[0]),
                    "you divide by the number of inputs. m is the number of examples, X.shape[1].",
                ),
                (
                    lambda X, dZ: (X @ dZ.T / X.shape[0], np.mean(dZ)),
                    "db is right; dw is divided by the number of inputs. m is the number of examples, X.shape[1].",
                ),
                (
                    lambda X, dZ: (X @ dZ.T / X.shape[1], np.mean(dZ, axis=1, keepdims=True)),
                    "dw is right; db is an array of shape (1, 1). Here it is one number, as b is: without axis.",
                ),
                (
                    lambda X, dZ: (X @ dZ.T / X.shape[1], np.mean(dZ, axis=1)),
                    "dw is right; db is an array of shape (1,). Here it is one number, as b is: without axis.",
                ),
                (
                    lambda X, dZ: (X * dZ / X.shape[1], np.sum(dZ) / X.shape[1]),
                    "X * dZ broadcasts and keeps all examples apart. The sum over them is what @ does.",
                ),
                (
                    lambda X, dZ: (dZ @ X.T / X.shape[1], np.sum(dZ) / X.shape[1]),
                    "the values are right, lying as a row. dw should be (n_x, 1) as w is: X @ dZ.T.",
                ),
            ],
            loops=False,
        ),
    ),
    Exercise(
        name="03.shares",
        answer="shares",
        hint="The sum of each column runs down the rows: axis=0. Its shape (hours,) or (1, hours) "
        "broadcasts over the rows.",
        more="counts.sum(axis=0, keepdims=True) has the shape (1, hours). Divide counts by it, times 100.",
        solution="""def shares(counts):
    return 100 * counts / counts.sum(axis=0, keepdims=True)
""",
        praise="every column adds up to 100, without a loop.",
        examine=examine_function(
            shares,
            _tables(),
            [
                (
                    lambda counts: 100 * counts / counts.sum(axis=1, keepdims=True),
                    "here the rows add up to 100. axis=1 sums along a row; a column is summed by axis=0.",
                ),
                (
                    lambda counts: 100 * counts / counts.sum(axis=1),
                    "axis=1 gives the sum of each row. Each column is wanted: axis=0.",
                ),
                (
                    lambda counts: 100 * counts / counts.sum(),
                    "this is the share of the whole table. Sum each column by itself.",
                ),
                (lambda counts: counts / counts.sum(axis=0), "these are fractions: times 100 for percent."),
                (
                    lambda counts: 100 * counts / counts.max(axis=0),
                    "you divide by the largest of each column, not by its sum.",
                ),
            ],
            loops=False,
        ),
    ),
    Exercise(
        name="03.mae",
        answer="mean_absolute_error",
        hint="Print (predicted - truth).shape for shapes (4,) and (4, 1). Bring both to one shape first: np.ravel.",
        more="Subtract np.ravel(truth) from np.ravel(predicted); then absolute values; then their mean.",
        solution="""def mean_absolute_error(predicted, truth):
    return np.mean(np.abs(np.ravel(predicted) - np.ravel(truth)))
""",
        praise="safe against the bug that has flattered and spoiled many tables of results.",
        examine=examine_function(
            mean_absolute_error,
            _counts(),
            [
                (
                    lambda p, t: np.mean(np.abs(p - t)),
                    "shapes (m,) and (m, 1) broadcast to (m, m): you compare every "
                    "prediction with every truth. Bring both to one shape first.",
                ),
                (lambda p, t: np.mean(np.abs(p - np.ravel(t))), _ONE_SHAPE),
                (lambda p, t: np.mean(np.abs(np.ravel(p) - t)), _ONE_SHAPE),
                (
                    lambda p, t: np.mean(np.ravel(p) - np.ravel(t)),
                    "errors of both signs cancel here: the absolute value is missing.",
                ),
                (lambda p, t: np.sum(np.abs(np.ravel(p) - np.ravel(t))), "this is the sum. MAE is the mean."),
                (
                    lambda p, t: np.sqrt(np.mean((np.ravel(p) - np.ravel(t)) ** 2)),
                    "this is RMSE, the root of the mean square. MAE takes absolute values.",
                ),
            ],
        ),
    ),
]
