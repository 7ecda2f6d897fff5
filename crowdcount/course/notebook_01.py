"""Exercises of notebook 01, what a neural network is; its functions are what the notebook goes on with."""

from __future__ import annotations

from typing import Any

import numpy as np

from crowdcount.course.exercise import Exercise, Wrong, examine_function

NETWORKS = {
    "size, bedrooms, postal code, wealth -> price of a home": "standard",
    "advertisement, facts about a user -> click or not": "standard",
    "photograph -> which of 1,000 classes": "CNN",
    "recorded speech -> text": "RNN",
    "English sentence -> Chinese sentence": "RNN",
    "photograph, radar -> positions of other cars": "hybrid",
    "photograph of a crowd -> number of people": "CNN",
}
"""Each application of the table, and the crowd, with the network that suits it."""

# Other names of the same, and transformers, which have replaced most recurrent networks for sequences.
_ALSO_RIGHT = {
    "CNN": ("convolutional", "convolutional network"),
    "RNN": ("recurrent", "recurrent network", "lstm", "transformer"),
    "standard": ("dense", "fully connected", "mlp"),
}


def fit_line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of the line with the least squared error through points (m,), (m,)."""
    slope = np.sum((x - x.mean()) * (y - y.mean())) / np.sum((x - x.mean()) ** 2)
    return slope, y.mean() - slope * x.mean()


def neuron(x: np.ndarray, w: float, b: float) -> np.ndarray:
    """One neuron of one input: max(0, w x + b), any shape."""
    return np.maximum(0, w * x + b)


def network(X: np.ndarray, W1: np.ndarray, b1: np.ndarray, w2: np.ndarray, b2: float) -> np.ndarray:
    """A hidden layer of ReLU and a linear output: (m,) of X (m, n), W1 (n, h), b1 (h,), w2 (h,), b2."""
    return np.maximum(0, X @ W1 + b1) @ w2 + b2


def sigmoid(z: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-z)), any shape."""
    return 1 / (1 + np.exp(-z))


def sigmoid_slope(z: np.ndarray) -> np.ndarray:
    """Derivative of the sigmoid at z, any shape."""
    a = sigmoid(z)
    return a * (1 - a)


def _houses(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    size = rng.uniform(20, 200, count)
    return size, 3 * size - 80 + rng.normal(0, 30, count)


def _networks() -> list[tuple]:
    inputs = []
    for m, n, h, seed in ((5, 4, 3, 0), (8, 2, 6, 1), (3, 5, 4, 2)):
        rng = np.random.default_rng(seed)
        # The output's bias is low, so that some outputs are negative, as a price's difference may be.
        inputs.append(
            (
                rng.standard_normal((m, n)),
                rng.standard_normal((n, h)),
                rng.standard_normal(h),
                rng.standard_normal(h),
                float(rng.normal(-1, 0.5)),
            )
        )
    return inputs


def _examine_networks(answer: Any) -> None:
    if not isinstance(answer, dict) or not answer:
        raise Wrong("a dictionary is wanted that gives each application its network.")
    missing = [name for name in NETWORKS if answer.get(name) in (None, ..., "")]
    if missing:
        raise Wrong(f"{len(missing)} of {len(NETWORKS)} are still without a network; first: {missing[0]!r}.")
    for name, right in NETWORKS.items():
        given = str(answer[name]).strip().lower()
        if given == right.lower() or given in _ALSO_RIGHT.get(right, ()):
            continue
        if "photograph" in name and given == "standard":
            raise Wrong(
                f"{name!r}: a standard network forgets which pixels are neighbors. What network looks at "
                "small neighborhoods?"
            )
        if "photograph, radar" in name:
            raise Wrong(f"{name!r}: two kinds of input come together here; one type alone does not do.")
        if right == "RNN":
            raise Wrong(f"{name!r}: the input is a sequence, and its order carries the meaning.")
        if right == "standard":
            raise Wrong(f"{name!r}: a row of a table has no neighbors and no order. The plainest network will do.")
        raise Wrong(f"{name!r}: think of what is next to what in the input; {answer[name]!r} does not use it.")


EXERCISES = [
    Exercise(
        name="01.line",
        answer="fit_line",
        hint=(
            "The best line passes through the point of the two means. So look at everything from "
            "there: subtract the means."
        ),
        more=(
            "With dx = x - x.mean() and dy likewise, the slope is the sum of dx * dy divided by the "
            "sum of dx * dx. Put the point of the means into y = slope x + intercept to get the "
            "intercept."
        ),
        solution="""def fit_line(x, y):
    dx, dy = x - x.mean(), y - y.mean()
    slope = np.sum(dx * dy) / np.sum(dx * dx)
    intercept = y.mean() - slope * x.mean()
    return slope, intercept
""",
        praise="no other straight line has a smaller squared error on these points.",
        examine=examine_function(
            fit_line,
            [_houses(6, 0), _houses(12, 1), _houses(30, 2)],
            [
                (
                    lambda x, y: (np.sum(x * y) / np.sum(x * x), 0.0),
                    "this is the best line through the origin. Subtract the means first; a line may start "
                    "above or below zero.",
                ),
                (
                    lambda x, y: (
                        np.sum(x * y) / np.sum(x * x),
                        y.mean() - np.sum(x * y) / np.sum(x * x) * x.mean(),
                    ),
                    "the means are missing in the slope: use x - x.mean() and y - y.mean().",
                ),
                (
                    lambda x, y: (
                        np.sum((x - x.mean()) * (y - y.mean())) / np.sum((y - y.mean()) ** 2),
                        y.mean() - np.sum((x - x.mean()) * (y - y.mean())) / np.sum((y - y.mean()) ** 2) * x.mean(),
                    ),
                    "you divide by the spread of the prices. That predicts size from price; divide by the "
                    "spread of the sizes.",
                ),
                (
                    lambda x, y: (fit_line(x, y)[0], y.mean()),
                    "the slope is right. The intercept is the height at size 0, not at the mean size.",
                ),
                (
                    lambda x, y: fit_line(x, y)[::-1],
                    "the two numbers are right, in the wrong order: slope first.",
                ),
            ],
        ),
    ),
    Exercise(
        name="01.neuron",
        answer="neuron",
        hint="Two steps: the straight line, then the bend. What is the larger of 0 and a number?",
        more=(
            "z is w times x plus b; np.maximum compares every element of z with 0, which Python's max and np.max "
            "do not."
        ),
        solution="""def neuron(x, w, b):
    return np.maximum(0, w * x + b)
""",
        praise="that is one whole neuron: a weighted sum, a bias, and a bend.",
        examine=examine_function(
            neuron,
            [
                (np.array([-2.0, -0.5, 0.0, 0.5, 2.0]), 1.0, 0.0),
                (np.random.default_rng(3).normal(0, 2, 7), -1.5, 0.75),
                (np.random.default_rng(4).normal(0, 2, (2, 4)), 2.0, -1.0),
            ],
            [
                (lambda x, w, b: w * x + b, "this is the straight line only. Where is the bend at zero?"),
                (
                    lambda x, w, b: np.maximum(0, x) * w + b,
                    "you bend the input. Bend the sum: first w * x + b, then the maximum with 0.",
                ),
                (
                    lambda x, w, b: np.maximum(0, w * x) + b,
                    "the bias comes after the bend. It belongs inside: it decides where the bend lies.",
                ),
                (
                    lambda x, w, b: np.minimum(0, w * x + b),
                    "this keeps the negative half: maximum, not minimum.",
                ),
                (lambda x, w, b: np.abs(w * x + b), "negative values should become 0; yours turn positive."),
            ],
        ),
    ),
    Exercise(
        name="01.network",
        answer="network",
        hint=(
            "A hidden layer is many neurons at once: one matrix product, a bias for each unit, ReLU. "
            "Then the output unit adds up, without a bend."
        ),
        more=(
            "Write the shapes: X (m, n) @ W1 (n, h) gives (m, h). After np.maximum with 0 the "
            "product with w2 (h,) leaves (m,); b2 is one number."
        ),
        solution="""def network(X, W1, b1, w2, b2):
    hidden = np.maximum(0, X @ W1 + b1)
    return hidden @ w2 + b2
""",
        praise="a hidden layer is the same neuron several times, side by side.",
        examine=examine_function(
            network,
            _networks(),
            [
                (
                    lambda X, W1, b1, w2, b2: (X @ W1 + b1) @ w2 + b2,
                    "the hidden layer has no ReLU, and without it two layers are one straight plane again.",
                ),
                (
                    lambda X, W1, b1, w2, b2: np.maximum(0, np.maximum(0, X @ W1 + b1) @ w2 + b2),
                    "the output has a ReLU too. Here only the hidden layer bends; the output is linear.",
                ),
                (
                    lambda X, W1, b1, w2, b2: np.maximum(0, (X @ W1 + b1) @ w2 + b2),
                    "the ReLU is at the output. It belongs to the hidden layer, before the second sum.",
                ),
                (
                    lambda X, W1, b1, w2, b2: np.maximum(0, X @ W1) @ w2 + b2,
                    "the bias of the hidden layer, b1, is missing.",
                ),
                (
                    lambda X, W1, b1, w2, b2: np.maximum(0, X @ W1 + b1) @ w2,
                    "the bias of the output, b2, is missing.",
                ),
            ],
        ),
    ),
    Exercise(
        name="01.which",
        answer="which",
        hint="Ask of the input: is it a row of a table (standard), a picture whose neighbors belong "
        "together (CNN), a sequence whose order matters (RNN), or two of these at once (hybrid)?",
        more=(
            "The two rows of a table: standard. The two photographs alone: CNN. Speech and "
            "sentences: a network for sequences. Photograph and radar are two kinds of input: what "
            "joins branches?"
        ),
        solution="which = {\n" + "".join(f'    "{name}": "{right}",\n' for name, right in NETWORKS.items()) + "}\n",
        praise="the shape of the input chooses the network; the task of this course is a CNN.",
        examine=_examine_networks,
    ),
    Exercise(
        name="01.slope",
        answer="sigmoid_slope",
        hint=(
            "Choose a z and measure: nudge it by 0.001 and see how much the sigmoid a changes. At z "
            "= 0 you get 1/4, and there a is 1/2; far out you get nearly 0, and there a is nearly 0 "
            "or nearly 1. Which formula of a alone does that?"
        ),
        more=(
            "The slope is a times something that is 1/2 where a = 1/2, near 0 where a is near 1, and "
            "near 1 where a is near 0. Compute a first: 1 / (1 + np.exp(-z))."
        ),
        solution="""def sigmoid_slope(z):
    a = 1 / (1 + np.exp(-z))
    return a * (1 - a)
""",
        praise="never more than 1/4, and next to nothing far from 0: that is saturation.",
        examine=examine_function(
            sigmoid_slope,
            [
                (np.array([-6.0, -1.0, 0.0, 1.0, 6.0]),),
                (np.random.default_rng(5).normal(0, 3, 8),),
                (np.random.default_rng(6).normal(0, 3, (3, 3)),),
            ],
            [
                (sigmoid, "this is the sigmoid itself, not how steep it is."),
                (
                    lambda z: z * (1 - z),
                    "you use z where the value of the sigmoid belongs: a * (1 - a) with a = sigmoid(z).",
                ),
                (lambda z: 1 - sigmoid(z), "one factor is missing: a * (1 - a)."),
                (
                    lambda z: np.where(z > 0, 1.0, 0.0),
                    "this is the slope of ReLU. The sigmoid's is smooth, and never more than 1/4.",
                ),
            ],
        ),
    ),
]
