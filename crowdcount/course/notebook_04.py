"""Exercises of notebook 04, shallow networks; its functions are what the notebook goes on with."""

from __future__ import annotations

from typing import Any

import numpy as np

from crowdcount.course.exercise import Exercise, Wrong, call, examine_function

LEAK = 0.01
"""Slope of leaky ReLU on the negative side."""


def sigmoid(z: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-z)), any shape."""
    return 1 / (1 + np.exp(-z))


def slopes(z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Derivatives of sigmoid, tanh, ReLU and leaky ReLU at z, each of z's shape."""
    a = sigmoid(z)
    return a * (1 - a), 1 - np.tanh(z) ** 2, np.where(z > 0, 1.0, 0.0), np.where(z > 0, 1.0, LEAK)


def forward(
    X: np.ndarray, W1: np.ndarray, b1: np.ndarray, W2: np.ndarray, b2: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Hidden layer of tanh, output of sigmoid: A1 (n_1, m) and A2 (n_2, m) of X (n_0, m)."""
    A1 = np.tanh(W1 @ X + b1)
    return A1, sigmoid(W2 @ A1 + b2)


def collapse(W1: np.ndarray, b1: np.ndarray, W2: np.ndarray, b2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The one layer W (n_2, n_0), b (n_2, 1) that does what two layers without activation do."""
    return W2 @ W1, W2 @ b1 + b2


def backward(
    X: np.ndarray, Y: np.ndarray, W2: np.ndarray, A1: np.ndarray, A2: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The six equations: dW1, db1, dW2, db2 of the mean cross-entropy of the network of `forward`."""
    m = X.shape[1]
    dZ2 = A2 - Y
    dW2 = dZ2 @ A1.T / m
    db2 = dZ2.sum(axis=1, keepdims=True) / m
    dZ1 = W2.T @ dZ2 * (1 - A1**2)
    dW1 = dZ1 @ X.T / m
    db1 = dZ1.sum(axis=1, keepdims=True) / m
    return dW1, db1, dW2, db2


def initialize(n_0: int, n_1: int, n_2: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """W1, b1, W2, b2: random weights of standard deviation 1 / sqrt(inputs), and biases of 0."""
    W1 = rng.standard_normal((n_1, n_0)) / np.sqrt(n_0)
    W2 = rng.standard_normal((n_2, n_1)) / np.sqrt(n_1)
    return W1, np.zeros((n_1, 1)), W2, np.zeros((n_2, 1))


def train_linear(X: np.ndarray, Y: np.ndarray, units: int) -> tuple[np.ndarray, ...]:
    """W1, b1, W2, b2 of a network whose hidden layer has no activation, trained from `initialize`."""
    W1, b1, W2, b2 = initialize(len(X), units, len(Y), np.random.default_rng(0))
    rate = 0.1
    for _ in range(1000):
        A1 = W1 @ X + b1
        dZ2 = (sigmoid(W2 @ A1 + b2) - Y) / X.shape[1]
        dZ1 = W2.T @ dZ2
        W1, b1 = W1 - rate * dZ1 @ X.T, b1 - rate * dZ1.sum(axis=1, keepdims=True)
        W2, b2 = W2 - rate * dZ2 @ A1.T, b2 - rate * dZ2.sum(axis=1, keepdims=True)
    return W1, b1, W2, b2


def _network(sizes: tuple[int, int, int], m: int, seed: int) -> tuple[np.ndarray, ...]:
    """X, Y, W1, b1, W2, b2, all random."""
    rng = np.random.default_rng(seed)
    n_0, n_1, n_2 = sizes
    X, Y = rng.standard_normal((n_0, m)), rng.integers(0, 2, (n_2, m)).astype(float)
    weights = [rng.standard_normal(shape) for shape in ((n_1, n_0), (n_1, 1), (n_2, n_1), (n_2, 1))]
    return X, Y, *weights


def _forward_inputs() -> list[tuple]:
    cases = [_network((2, 2, 1), 5, 0), _network((3, 4, 1), 7, 1), _network((5, 3, 2), 1, 2)]
    return [(X, *weights) for X, _, *weights in cases]


def _backward_inputs() -> list[tuple]:
    inputs = []
    for sizes, m, seed in (((2, 3, 1), 6, 3), ((4, 2, 1), 9, 4), ((3, 5, 2), 4, 5)):
        X, Y, *weights = _network(sizes, m, seed)
        A1, A2 = forward(X, *weights)
        inputs.append((X, Y, weights[2], A1, A2))
    return inputs


def _slopes_with(which: int, wrong: Any) -> Any:
    """`slopes` with one of its four replaced."""
    return lambda z: tuple(wrong(z) if i == which else right for i, right in enumerate(slopes(z)))


def _forward_with(hidden: Any, output: Any, biases: float = 1.0) -> Any:
    def wrong(X, W1, b1, W2, b2):
        A1 = hidden(W1 @ X + biases * b1)
        return A1, output(W2 @ A1 + biases * b2)

    return wrong


def _backward_with(change: str) -> Any:
    def wrong(X, Y, W2, A1, A2):
        m = 1 if change == "no mean" else X.shape[1]
        keep = change != "flat"
        dZ2 = Y - A2 if change == "sign" else A2 - Y
        if change == "slope at the output":
            dZ2 = dZ2 * A2 * (1 - A2)
        slope = {"no slope": 1.0, "sigmoid slope": A1 * (1 - A1), "tanh twice": 1 - np.tanh(A1) ** 2}
        dZ1 = W2.T @ dZ2 * slope.get(change, 1 - A1**2)
        return (
            dZ1 @ X.T / m,
            dZ1.sum(axis=1, keepdims=keep) / m,
            dZ2 @ A1.T / m,
            dZ2.sum(axis=1, keepdims=keep) / m,
        )

    return wrong


def _biases_times(m: int, dW1: np.ndarray, db1: np.ndarray, dW2: np.ndarray, db2: np.ndarray) -> tuple:
    return dW1, m * db1, dW2, m * db2


def _examine_initialize(answer: Any) -> None:
    if not callable(answer):
        raise Wrong("a function is wanted.")
    for n_0, n_1, n_2, seed in ((400, 300, 200, 0), (256, 64, 100, 1), (64, 400, 100, 2), (2, 4, 1, 3)):
        received = call(answer, (n_0, n_1, n_2, np.random.default_rng(seed)))
        if not isinstance(received, (tuple, list)) or len(received) != 4:
            raise Wrong("return four arrays: W1, b1, W2, b2.")
        W1, b1, W2, b2 = (np.asarray(item) for item in received)
        wanted = {"W1": (n_1, n_0), "b1": (n_1, 1), "W2": (n_2, n_1), "b2": (n_2, 1)}
        if W1.shape == (n_0, n_1) != (n_1, n_0):
            raise Wrong(
                f"W1 is {W1.shape}: turned around. A row holds the weights of one unit, so it is "
                f"(units, inputs) = {(n_1, n_0)}."
            )
        for (name, shape), item in zip(wanted.items(), (W1, b1, W2, b2)):
            if item.shape != shape:
                raise Wrong(f"with sizes {n_0}, {n_1}, {n_2} {name} should be {shape}, yours is {item.shape}.")
        if any(np.ptp(W, axis=0).max() == 0 for W in (W1, W2) if len(W) > 1):
            raise Wrong("all units of a layer start with the same weights: they will stay the same for ever.")
        if b1.any() or b2.any():
            raise Wrong("the biases may start at 0: the weights already make the units different.")
        again, other = (call(answer, (n_0, n_1, n_2, np.random.default_rng(start))) for start in (seed, seed + 50))
        for name, W, same, new in zip(("W1", "W2"), (W1, W2), again[::2], other[::2]):
            if not np.array_equal(W, same) or np.array_equal(W, new):
                raise Wrong(f"draw {name} from `rng`, which the function was given: rng.standard_normal(shape).")
        if min(n_0, n_1, n_2) >= 50:  # enough to measure a spread
            _examine_spread(W1, W2, n_0, n_1)


def _examine_spread(W1: np.ndarray, W2: np.ndarray, n_0: int, n_1: int) -> None:
    if any(abs(W.mean()) > 0.3 * W.std() for W in (W1, W2)):
        raise Wrong("your weights are not centered on 0: half of them should be negative (standard_normal).")
    for name, W, inputs in (("W1", W1, n_0), ("W2", W2, n_1)):
        if min(W.std(axis=0).mean(), W.std(axis=1).mean()) < 0.8 * W.std():
            raise Wrong(
                f"the weights of {name} are nearly the same along a row or a column: draw each of them by itself."
            )
        if abs(W.std() * np.sqrt(inputs) - 1) > 0.15:
            raise Wrong(
                f"{name} has {inputs} inputs, so its standard deviation should be 1 / sqrt({inputs}) = "
                f"{inputs**-0.5:.4f}; yours is {W.std():.4f}."
            )


_Z = np.array([-2.0, -0.5, 0.0, 0.25, 1.0, 3.0])
_AT_ZERO = "at exactly 0 we take the slope of the left side, 0 (leaky: 0.01): z > 0, not z >= 0."

EXERCISES = [
    Exercise(
        name="04.forward",
        answer="forward",
        hint=(
            "Two layers, two lines: each multiplies by its W, adds its b, and bends. Which bend "
            "belongs to the hidden layer, which to the output?"
        ),
        more=(
            "np.tanh around the first sum, W1 @ X + b1. The second sum takes A1 in place of X, and "
            "the sigmoid, 1 / (1 + np.exp(-z)), goes around it."
        ),
        solution=(
            "def forward(X, W1, b1, W2, b2):\n"
            "    A1 = np.tanh(W1 @ X + b1)\n"
            "    A2 = 1 / (1 + np.exp(-(W2 @ A1 + b2)))\n"
            "    return A1, A2\n"
        ),
        praise="that is a whole neural network. All the others only have more lines like these.",
        examine=examine_function(
            forward,
            _forward_inputs(),
            [
                (
                    _forward_with(lambda z: z, sigmoid),
                    "your hidden layer has no activation: put np.tanh around W1 @ X + b1.",
                ),
                (
                    _forward_with(sigmoid, sigmoid),
                    "your hidden layer uses the sigmoid; here it is tanh. The sigmoid is for the output.",
                ),
                (
                    _forward_with(np.tanh, np.tanh),
                    "your output uses tanh, which runs from -1 to 1: no probability. Use the sigmoid there.",
                ),
                (
                    _forward_with(np.tanh, lambda z: z),
                    "your output has no activation: put the sigmoid around W2 @ A1 + b2 to get a probability.",
                ),
                (_forward_with(np.tanh, sigmoid, 0.0), "you left out the biases b1 and b2."),
                (
                    lambda *given: forward(*given)[::-1],
                    "both are right, in another order: return A1, A2.",
                ),
                (
                    _forward_with(lambda z: np.maximum(z, 0), sigmoid),
                    "your hidden layer uses ReLU; here it is tanh: the six equations below take its slope.",
                ),
            ],
        ),
    ),
    Exercise(
        name="04.slopes",
        answer="slopes",
        hint=(
            "For sigmoid and tanh look at the output a rather than at z: both slopes are short "
            "formulas of a. For the other two draw the curve: its slope is one constant on either "
            "side of zero."
        ),
        more=(
            "sigmoid: a times (1 minus a). tanh: 1 minus the square of the output. The last two: "
            "np.where(z > 0, slope on the right, slope on the left)."
        ),
        solution=(
            "def slopes(z):\n"
            "    a = 1 / (1 + np.exp(-z))\n"
            "    d_sigmoid = a * (1 - a)\n"
            "    d_tanh = 1 - np.tanh(z) ** 2\n"
            "    d_relu = np.where(z > 0, 1.0, 0.0)\n"
            "    d_leaky = np.where(z > 0, 1.0, 0.01)\n"
            "    return d_sigmoid, d_tanh, d_relu, d_leaky\n"
        ),
        praise="these four lines are all that back-propagation must know about an activation.",
        examine=examine_function(
            slopes,
            [
                (_Z,),
                (np.random.default_rng(6).normal(0, 2, (3, 4)),),
                (np.random.default_rng(7).normal(0, 5, 20),),
            ],
            [
                (
                    _slopes_with(0, lambda z: z * (1 - z)),
                    "for the sigmoid you wrote z * (1 - z): the formula wants the output, a * (1 - a).",
                ),
                (
                    _slopes_with(1, lambda z: 1 - z**2),
                    "for tanh you wrote 1 - z**2: the formula wants the output, 1 - np.tanh(z)**2.",
                ),
                (_slopes_with(1, lambda z: 1 - np.tanh(z)), "for tanh the square is missing: 1 - a**2."),
                (_slopes_with(2, lambda z: np.where(z >= 0, 1.0, 0.0)), _AT_ZERO),
                (_slopes_with(3, lambda z: np.where(z >= 0, 1.0, LEAK)), _AT_ZERO),
                (
                    lambda z: (*slopes(z)[:2], np.where(z >= 0, 1.0, 0.0), np.where(z >= 0, 1.0, LEAK)),
                    _AT_ZERO,
                ),
                (
                    _slopes_with(2, lambda z: np.maximum(z, 0)),
                    "for ReLU you returned its value max(z, 0). Its slope is 1 where z is positive, else 0.",
                ),
                (
                    _slopes_with(3, lambda z: np.where(z > 0, 1.0, LEAK * z)),
                    "left of zero leaky ReLU has the value 0.01 z, but the slope 0.01.",
                ),
                (
                    _slopes_with(3, lambda z: np.where(z > 0, 1.0, 0.0)),
                    "your leaky ReLU does not leak: left of zero its slope is 0.01, not 0.",
                ),
            ],
        ),
    ),
    Exercise(
        name="04.collapse",
        answer="collapse",
        hint="Put Z1 = W1 X + b1 into Z2 = W2 Z1 + b2, multiply out. What stands before X? What is left?",
        more=(
            "Z2 = W2 W1 X + W2 b1 + b2. The matrix before X is W; all that has no X is b. In NumPy "
            "each of these products is @."
        ),
        solution="def collapse(W1, b1, W2, b2):\n    return W2 @ W1, W2 @ b1 + b2\n",
        praise="however many linear layers you stack, one matrix and one bias can do the same.",
        examine=examine_function(
            collapse,
            [_network(sizes, 1, seed)[2:] for sizes, seed in (((2, 2, 2), 8), ((3, 4, 1), 9), ((2, 5, 3), 10))],
            [
                (
                    lambda W1, b1, W2, b2: (W1 @ W2, W2 @ b1 + b2),
                    "the order matters: X meets W1 first, so W1 stands nearest to X: W2 @ W1.",
                ),
                (
                    lambda W1, b1, W2, b2: (W2 @ W1, b1 + b2),
                    "b1 goes through the second layer too: W2 @ b1 + b2, not b1 + b2.",
                ),
                (
                    lambda W1, b1, W2, b2: (W2 @ W1, b2),
                    "you lost b1: the second layer turns it into W2 @ b1.",
                ),
                (lambda W1, b1, W2, b2: (W2 * W1, W2 @ b1 + b2), "* multiplies element by element; use @."),
            ],
        ),
    ),
    Exercise(
        name="04.backward",
        answer="backward",
        hint=(
            "Write the six equations one below the other, in the order 1 to 6, and below each the "
            "shapes. Which need a sum over the examples, which a transpose?"
        ),
        more=(
            "Equation 2 is dZ2 @ A1.T / m, equation 3 the mean over the examples (axis=1, "
            "keepdims=True). In equation 4 W2.T carries dZ2 back, then the slope of tanh, from A1. 5 "
            "and 6 are 2 and 3 again, with X in place of A1."
        ),
        solution=(
            "def backward(X, Y, W2, A1, A2):\n"
            "    m = X.shape[1]\n"
            "    dZ2 = A2 - Y\n"
            "    dW2 = dZ2 @ A1.T / m\n"
            "    db2 = dZ2.sum(axis=1, keepdims=True) / m\n"
            "    dZ1 = W2.T @ dZ2 * (1 - A1**2)\n"
            "    dW1 = dZ1 @ X.T / m\n"
            "    db1 = dZ1.sum(axis=1, keepdims=True) / m\n"
            "    return dW1, db1, dW2, db2\n"
        ),
        praise="six lines, and every weight knows which way to go.",
        examine=examine_function(
            backward,
            _backward_inputs(),
            [
                (
                    _backward_with("no mean"),
                    "your gradients are m times too large: the cost is a mean, divide by m.",
                ),
                (
                    _backward_with("no slope"),
                    "on the way back through the hidden layer the slope of tanh is missing: * (1 - A1**2).",
                ),
                (
                    _backward_with("sigmoid slope"),
                    "the hidden layer is tanh: its slope is 1 - A1**2. A1 * (1 - A1) belongs to the sigmoid.",
                ),
                (
                    _backward_with("tanh twice"),
                    "A1 already is tanh(Z1): its slope is 1 - A1**2, without another tanh.",
                ),
                (
                    _backward_with("slope at the output"),
                    "dZ2 is A2 - Y alone: for sigmoid with cross-entropy its slope A2 * (1 - A2) has canceled.",
                ),
                (
                    lambda *given: backward(*given)[2:] + backward(*given)[:2],
                    "the four are right, in another order: return dW1, db1, dW2, db2.",
                ),
                (
                    lambda *given: tuple(backward(*given)[each] for each in (0, 2, 1, 3)),
                    "the four are right, in another order: return dW1, db1, dW2, db2.",
                ),
                (_backward_with("sign"), "your gradients point the wrong way: dZ2 is A2 - Y, not Y - A2."),
                (
                    lambda *given: _biases_times(given[0].shape[1], *backward(*given)),
                    "dW1 and dW2 are right; db1 and db2 are means over the examples, too: divide their sums by m.",
                ),
                (
                    _backward_with("flat"),
                    "db1 and db2 lost an axis: sum with axis=1, keepdims=True, so that they stay columns.",
                ),
            ],
        ),
    ),
    Exercise(
        name="04.initialize",
        answer="initialize",
        hint=(
            "One row a unit, one column an input: write the two shapes first. Then make the spread right by a factor."
        ),
        more=(
            "rng.standard_normal((rows, columns)) has standard deviation 1: divide it by the square "
            "root of the number of columns, the layer's inputs. np.zeros((rows, 1)) for the biases."
        ),
        solution=(
            "def initialize(n_0, n_1, n_2, rng):\n"
            "    W1 = rng.standard_normal((n_1, n_0)) / np.sqrt(n_0)\n"
            "    W2 = rng.standard_normal((n_2, n_1)) / np.sqrt(n_1)\n"
            "    return W1, np.zeros((n_1, 1)), W2, np.zeros((n_2, 1))\n"
        ),
        praise="every unit starts different, and none starts saturated.",
        examine=_examine_initialize,
    ),
]
