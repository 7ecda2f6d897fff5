"""Exercises of notebook 02, logistic regression; its functions are what the notebook goes on with."""

from __future__ import annotations

import numpy as np

from crowdcount.course.exercise import Exercise, examine_function


def flatten(pictures: np.ndarray) -> np.ndarray:
    """Columns of 0..1, (height * width * channels, m), of uint8 pictures (m, height, width, channels)."""
    return pictures.reshape(len(pictures), -1).T / 255


def sigmoid(z: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-z)), any shape."""
    return 1 / (1 + np.exp(-z))


def cost(A: np.ndarray, Y: np.ndarray) -> float:
    """Mean cross-entropy of answers A (1, m) to the truth Y (1, m), in nats."""
    return float(-np.mean(Y * np.log(A) + (1 - Y) * np.log(1 - A)))


def graph(a: float, b: float, c: float) -> tuple[float, float, float]:
    """Slopes of J = 3 (a + b c) for a, b and c."""
    return 3.0, 3 * c, 3 * b


def gradients(w: np.ndarray, b: float, X: np.ndarray, Y: np.ndarray) -> tuple[np.ndarray, float]:
    """Slopes dw (n_x, 1) and db of the mean cross-entropy of sigmoid(w.T X + b)."""
    dZ = sigmoid(w.T @ X + b) - Y
    return X @ dZ.T / X.shape[1], float(dZ.mean())


def _pictures() -> list[tuple]:
    shapes = ((5, 4, 4, 3), (7, 3, 2, 3), (2, 6, 5, 3))
    return [(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8),) for seed, shape in enumerate(shapes)]


def _answers() -> list[tuple]:
    inputs = []
    for m, seed in ((4, 0), (9, 1), (15, 2)):
        rng = np.random.default_rng(seed)
        truth = rng.permutation(np.arange(m) % 2)[np.newaxis].astype(float)
        inputs.append((rng.uniform(0.05, 0.95, (1, m)), truth))
    return inputs


def _neurons() -> list[tuple]:
    inputs = []
    for n, m, seed in ((3, 5, 3), (2, 8, 4), (6, 4, 5)):
        rng = np.random.default_rng(seed)
        inputs.append(
            (
                rng.standard_normal((n, 1)),
                float(rng.normal()),
                rng.standard_normal((n, m)),
                rng.integers(0, 2, (1, m)).astype(float),
            )
        )
    return inputs


def _scaled(factor, inputs: tuple) -> tuple[np.ndarray, float]:
    dw, db = gradients(*inputs)
    return factor * dw, factor * db


EXERCISES = [
    Exercise(
        name="02.flatten",
        answer="flatten",
        hint=(
            "First make one row a picture, without mixing pictures; only then turn rows into "
            "columns. And which values does a uint8 have?"
        ),
        more=(
            "reshape(m, -1) gives one row a picture, with m = len(pictures). Then .T turns rows into "
            "columns. Last, divide by 255."
        ),
        solution="""def flatten(pictures):
    return pictures.reshape(len(pictures), -1).T / 255
""",
        praise="each column is one whole picture, and you could turn it back into one.",
        examine=examine_function(
            flatten,
            _pictures(),
            [
                (
                    lambda p: p.reshape(-1, len(p)) / 255,
                    "the shape fits, the values do not: this column holds numbers of many pictures. reshape "
                    "fills in the order of memory; make one row a picture, then transpose.",
                ),
                (
                    lambda p: p.reshape(-1, len(p)),
                    "two things: columns mix the pictures, and the values are not 0..1 yet.",
                ),
                (
                    lambda p: p.reshape(len(p), -1).T // 255,
                    "// cuts the fractions off: only 0 and 1 are left. Divide with /.",
                ),
                (
                    lambda p: p.reshape(len(p), -1).T / p.max(),
                    "you divide by the brightest value that these pictures happen to have. Divide by 255, the "
                    "most that a uint8 holds, or a dark picture becomes a bright one.",
                ),
                (
                    lambda p: p.reshape(len(p), -1) / 255,
                    "these are pictures as rows. One is wanted a column: .T",
                ),
                (
                    lambda p: p.reshape(len(p), -1).T,
                    "the order is right, the values still run from 0 to 255.",
                ),
            ],
        ),
    ),
    Exercise(
        name="02.sigmoid",
        answer="sigmoid",
        hint="np.exp works on whole arrays. Mind the minus: for large z the answer is near 1.",
        more=(
            "One divided by (1 plus e to the minus z). np.exp(-z) is an array of z's shape, and so "
            "is everything you make of it."
        ),
        solution="""def sigmoid(z):
    return 1 / (1 + np.exp(-z))
""",
        praise="any number becomes a probability.",
        examine=examine_function(
            sigmoid,
            [
                (np.array([-8.0, -1.0, 0.0, 1.0, 8.0]),),
                (np.random.default_rng(0).normal(0, 3, (1, 6)),),
                (np.random.default_rng(1).normal(0, 3, (3, 2)),),
            ],
            [
                (
                    lambda z: 1 / (1 + np.exp(z)),
                    "upside down: large z should give nearly 1. Mind the sign of the exponent.",
                ),
                (np.tanh, "this is tanh: it runs from -1 to 1. A probability runs from 0 to 1."),
                (lambda z: np.exp(-z) / (1 + np.exp(-z)), "this is 1 minus the sigmoid: the numerator is 1."),
                (
                    lambda z: 1 / 1 + np.exp(-z),
                    "brackets are missing: the whole sum 1 + exp(-z) belongs below the line.",
                ),
            ],
        ),
    ),
    Exercise(
        name="02.cost",
        answer="cost",
        hint=(
            "For an example with y = 1 the loss is -log a, for one with y = 0 it is -log(1 - a). One "
            "formula holds both, because y or 1 - y is 0."
        ),
        more=(
            "np.log is the natural logarithm. Y * np.log(A) switches off the examples with y = 0; "
            "write the other half likewise, add, take the mean, mind the minus."
        ),
        solution="""def cost(A, Y):
    return -np.mean(Y * np.log(A) + (1 - Y) * np.log(1 - A))
""",
        praise="sure and wrong costs without limit, sure and right costs nothing.",
        examine=examine_function(
            cost,
            _answers(),
            [
                (
                    lambda A, Y: -cost(A, Y),
                    "the sign: logarithms of probabilities are negative, a cost is not.",
                ),
                (
                    lambda A, Y: cost(A, Y) * A.size,
                    "this is the sum. The cost is the mean, so that it does not grow with the data.",
                ),
                (
                    lambda A, Y: -np.mean(Y * np.log(A)),
                    "the examples with y = 0 cost nothing here. The term (1 - Y) * np.log(1 - A) is missing.",
                ),
                (
                    lambda A, Y: cost(A, Y) / np.log(10),
                    "this is log10. Cross-entropy uses the natural logarithm, np.log.",
                ),
                (lambda A, Y: np.mean((A - Y) ** 2), "this is the squared error, which is not convex here."),
                (lambda A, Y: cost(1 - A, Y), "the two cases are swapped: y = 1 goes with log(a)."),
            ],
        ),
    ),
    Exercise(
        name="02.graph",
        answer="graph",
        hint="dJ/dv is 3, and every slope has it as a factor. How much does v move when b is nudged? "
        "By c times as much.",
        more="dJ/da is 3. dJ/db = dJ/dv * dv/du * du/db = 3 * 1 * c; do c in the same way.",
        solution="""def graph(a, b, c):
    dv = 3
    da = dv
    du = dv
    db = du * c
    dc = du * b
    return da, db, dc
""",
        praise="back-propagation is this, with more nodes.",
        examine=examine_function(
            graph,
            [(5.0, 3.0, 2.0), (-1.5, 0.5, 4.0), tuple(np.random.default_rng(2).normal(0, 3, 3))],
            [
                (
                    lambda a, b, c: (1.0, c, b),
                    "the factor 3 is missing: v moves by this much, and J moves 3 times as much as v.",
                ),
                (
                    lambda a, b, c: (3.0, 3 * b, 3 * c),
                    "db and dc are swapped: a nudge of b is multiplied by c, not by b.",
                ),
                (lambda a, b, c: (3.0, c, b), "da is right. On the way to b and c the factor 3 got lost."),
                (
                    lambda a, b, c: (3 * a, 3 * b * c, 3 * b * c),
                    "these are values, not slopes. By how much does J move if a grows by 1?",
                ),
            ],
        ),
    ),
    Exercise(
        name="02.gradients",
        answer="gradients",
        hint="Example i is the column X[:, i:i+1]. For each: z, a, dz = a - y; add x * dz to dw "
        "and dz to db. At the end divide both by m.",
        more=(
            "Inside the loop: z is the sum of w * x plus b, a its sigmoid, dz = a - y. Start dw as "
            "np.zeros((n_x, 1)) and db as 0.0, and divide after the loop, not in it."
        ),
        solution="""def gradients(w, b, X, Y):
    n_x, m = X.shape
    dw, db = np.zeros((n_x, 1)), 0.0
    for i in range(m):
        x, y = X[:, i : i + 1], Y[0, i]
        z = np.sum(w * x) + b
        a = 1 / (1 + np.exp(-z))
        dz = a - y
        dw += x * dz
        db += dz
    return dw / m, db / m
""",
        praise="this is the whole of learning for one neuron.",
        examine=examine_function(
            gradients,
            _neurons(),
            [
                (
                    lambda *inputs: _scaled(-1, inputs),
                    "the sign: dz = a - y, not y - a. Downhill would become uphill.",
                ),
                (
                    lambda w, b, X, Y: _scaled(X.shape[1], (w, b, X, Y)),
                    "these are sums over the examples. The cost is a mean: divide by m.",
                ),
                (
                    lambda w, b, X, Y: (gradients(w, b, X, Y)[0], gradients(w, b, X, Y)[1] * X.shape[1]),
                    "dw is right; db was not divided by m.",
                ),
                (
                    lambda w, b, X, Y: (
                        gradients(w, b, X, Y)[0] * X.shape[1] / X.shape[0],
                        gradients(w, b, X, Y)[1],
                    ),
                    "db is right; dw is divided by the number of inputs. m is the number of examples, X.shape[1].",
                ),
                (
                    lambda w, b, X, Y: _scaled(X.shape[1] / X.shape[0], (w, b, X, Y)),
                    "you divide by the number of inputs. m is the number of examples, X.shape[1].",
                ),
                (lambda w, b, X, Y: gradients(w, 0.0, X, Y), "the bias b is missing in z."),
                (
                    lambda w, b, X, Y: (
                        X @ (w.T @ X + b - Y).T / X.shape[1],
                        float((w.T @ X + b - Y).mean()),
                    ),
                    "the sigmoid is missing: dz = a - y with a = sigmoid(z).",
                ),
                (
                    lambda w, b, X, Y: (gradients(w, b, X, Y)[0].ravel(), gradients(w, b, X, Y)[1]),
                    "the values are right, but dw must have w's shape (n_x, 1), or w - rate * dw goes wrong.",
                ),
            ],
        ),
    ),
]
