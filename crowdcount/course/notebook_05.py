"""Exercises of notebook 05, deep networks; its functions are what the notebook goes on with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from crowdcount.course.exercise import Exercise, Wrong, examine_function


def shapes(sizes: Sequence[int], m: int) -> list[tuple]:
    """For each layer after the input the shapes of W, b and Z, with sizes n_0 to n_L and m examples."""
    return [((after, before), (after, 1), (after, m)) for before, after in zip(sizes, sizes[1:])]


def block_forward(A_prev: np.ndarray, W: np.ndarray, b: np.ndarray, activation: str) -> tuple:
    """One layer forward: A of "relu" or "sigmoid", and the cache (A_prev, W, Z)."""
    Z = W @ A_prev + b
    A = np.maximum(Z, 0) if activation == "relu" else 1 / (1 + np.exp(-Z))
    return A, (A_prev, W, Z)


def block_backward(dZ: np.ndarray, cache: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One layer backward: dA_prev, dW, db from dZ and the cache (A_prev, W, Z)."""
    A_prev, W, _ = cache
    m = A_prev.shape[1]
    return W.T @ dZ, dZ @ A_prev.T / m, dZ.sum(axis=1, keepdims=True) / m


def numerical_gradient(cost: Callable, theta: np.ndarray, step: float) -> np.ndarray:
    """Slope of `cost` along each entry of the vector theta, by the two-sided difference."""
    gradient = np.empty(len(theta))
    for i in range(len(theta)):
        up, down = theta.copy(), theta.copy()
        up[i] += step
        down[i] -= step
        gradient[i] = (cost(up) - cost(down)) / (2 * step)
    return gradient


KINDS = {
    "weights W": "parameter",
    "biases b": "parameter",
    "learning rate": "hyperparameter",
    "number of layers": "hyperparameter",
    "units in each layer": "hyperparameter",
    "activation": "hyperparameter",
    "number of steps": "hyperparameter",
}


def _examine_kinds(answer: Any) -> None:
    if not isinstance(answer, dict):
        raise Wrong("a dictionary is wanted: name -> 'parameter' or 'hyperparameter'.")
    if missing := [name for name in KINDS if answer.get(name) in (None, ...)]:
        raise Wrong(f"still open: {', '.join(missing)}.")
    for name, kind in KINDS.items():
        given = str(answer[name]).strip().lower()
        if given == kind:
            continue
        if given not in ("parameter", "hyperparameter"):
            raise Wrong(f"{name!r} is {answer[name]!r}; write 'parameter' or 'hyperparameter'.")
        if kind == "parameter":
            raise Wrong(f"{name!r}: gradient descent changes them at each step, so they are parameters.")
        raise Wrong(f"{name!r}: you choose it before training, gradient descent never touches it.")


def _shapes_with(one: Callable) -> Callable:
    return lambda sizes, m: [one(before, after, m) for before, after in zip(sizes, sizes[1:])]


def _forward_with(what: str) -> Callable:
    def wrong(A_prev, W, b, activation):
        A, (_, _, Z) = block_forward(A_prev, W, b, activation)
        if what == "caches A":
            return A, (A, W, Z)
        if what == "caches output":
            return A, (A_prev, W, A)
        if what == "in place":
            return A, (A_prev, W, A if activation == "relu" else Z)
        if what == "no activation":
            return Z, (A_prev, W, Z)
        A = block_forward(A_prev, W, b, what)[0]
        return A, (A_prev, W, Z)

    return wrong


def _backward_with(what: str) -> Callable:
    def wrong(dZ, cache):
        if what == "slope":
            dZ = dZ * (cache[2] > 0)
        dA, dW, db = block_backward(dZ, cache)
        m = dZ.shape[1]
        if what == "no mean":
            return dA, dW * m, db * m
        if what == "no mean of db":
            return dA, dW, db * m
        if what == "order":
            return dW, db, dA
        if what == "inputs":
            return dA, dW * m / len(cache[0]), db * m / len(cache[0])
        if what == "mean everywhere":
            return dA / m, dW, db
        if what == "flat":
            return dA, dW, db[:, 0]
        if what == "slope":
            return dA, dW, db
        return dA, dW, np.full_like(db, dZ.sum() / m)

    return wrong


def _gradient_with(what: str) -> Callable:
    def wrong(cost, theta, step):
        gradient = np.empty(len(theta))
        moved = theta.copy()
        for i in range(len(theta)):
            up, down = theta.copy(), theta.copy()
            up[i] += step
            down[i] -= step
            moved[i] += step
            gradient[i] = {
                "one side": (cost(up) - cost(theta)) / step,
                "half": (cost(up) - cost(down)) / step,
                "all": (cost(theta + step) - cost(theta - step)) / (2 * step),
                "stays": (cost(moved) - cost(theta)) / step,
                "sign": (cost(down) - cost(up)) / (2 * step),
            }[what]
        return gradient

    return wrong


def _layer(n_in: int, n_out: int, m: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n_in, m)), rng.standard_normal((n_out, n_in)), rng.standard_normal((n_out, 1))


def _backward_inputs() -> list[tuple]:
    inputs = []
    for n_in, n_out, m, seed in ((3, 2, 5, 5), (2, 4, 7, 6), (6, 3, 4, 7)):
        A_prev, W, b = _layer(n_in, n_out, m, seed)
        inputs.append((np.random.default_rng(seed + 50).standard_normal((n_out, m)), (A_prev, W, W @ A_prev + b)))
    return inputs


def _wave(theta: np.ndarray) -> float:
    return float(np.sum(np.sin(theta) * np.arange(1, len(theta) + 1)) + np.prod(theta))


def _bowl(theta: np.ndarray) -> float:
    return float(np.sum(theta**3) + theta[0] * theta[-1])


EXERCISES = [
    Exercise(
        name="05.shapes",
        answer="shapes",
        hint=(
            "Each layer knows only two sizes: the units before it and its own. Go through the pairs "
            "of neighbors in `sizes`."
        ),
        more=(
            "zip(sizes, sizes[1:]) gives the units before and after each layer. W has a row for each "
            "unit after and a\ncolumn for each before; b is one column; Z has one column an example."
        ),
        solution=(
            "def shapes(sizes, m):\n"
            "    return [((after, before), (after, 1), (after, m)) for before, after in zip(sizes, "
            "sizes[1:])]\n"
        ),
        praise="with this table most bugs in a network can be found on paper.",
        examine=examine_function(
            shapes,
            [([4, 3, 2, 1], 10), ([768, 20, 7, 5, 1], 400), ([2, 2], 3)],
            [
                (
                    _shapes_with(lambda before, after, m: ((before, after), (after, 1), (after, m))),
                    "your W are turned around: rows for the layer's own units, columns for those before.",
                ),
                (
                    _shapes_with(lambda before, after, m: ((after, before), (after, m), (after, m))),
                    "your b have a column for each example. There is one bias a unit, (n, 1): broadcasting repeats it.",
                ),
                (
                    _shapes_with(lambda before, after, m: ((after, before), (after,), (after, m))),
                    "your b have one axis only, and (n,) meets Z as a row. A column is wanted: (n, 1).",
                ),
                (
                    _shapes_with(lambda before, after, m: ((after, before), (after, 1), (m, after))),
                    "your Z have examples as rows; here an example is a column.",
                ),
                (
                    _shapes_with(lambda before, after, m: ((after, before), (after, 1), (before, m))),
                    "your Z have the size of the layer before; Z has a row for each unit of its own layer.",
                ),
            ],
        ),
    ),
    Exercise(
        name="05.block_forward",
        answer="block_forward",
        hint=(
            "The two lines of exercise 1 of notebook 04, for any layer; and a tuple of what the way "
            "back will need: what came in, the weights, and where the slope is taken."
        ),
        more=(
            "The weighted sum is W @ A_prev + b. np.maximum(Z, 0) where activation is 'relu', else "
            "the sigmoid. Return A and\nthe tuple (A_prev, W, Z)."
        ),
        solution=(
            "def block_forward(A_prev, W, b, activation):\n"
            "    Z = W @ A_prev + b\n"
            "    A = np.maximum(Z, 0) if activation == 'relu' else 1 / (1 + np.exp(-Z))\n"
            "    return A, (A_prev, W, Z)\n"
        ),
        praise="a block that can be stacked as high as you like.",
        examine=examine_function(
            block_forward,
            [
                (*_layer(3, 3, 4, 0), "relu"),
                (*_layer(3, 3, 4, 1), "sigmoid"),
                (*_layer(5, 2, 6, 2), "relu"),
            ],
            [
                (
                    _forward_with("sigmoid"),
                    "you always use the sigmoid; look at `activation`: 'relu' or 'sigmoid'.",
                ),
                (_forward_with("relu"), "you always use ReLU; look at `activation`: 'relu' or 'sigmoid'."),
                (_forward_with("no activation"), "you return Z; the activation is missing."),
                (
                    _forward_with("in place"),
                    "A is right, but for ReLU the Z in your cache has lost what was below 0: A = Z is a second name "
                    "for the same array, and what is written into A stands in Z. np.maximum(Z, 0) makes a new one.",
                ),
                (
                    _forward_with("caches A"),
                    "your cache holds A, the output. dW needs what came in: (A_prev, W, Z).",
                ),
                (
                    _forward_with("caches output"),
                    "your cache ends with A; the slope of the activation is taken at Z: (A_prev, W, Z).",
                ),
            ],
        ),
    ),
    Exercise(
        name="05.block_backward",
        answer="block_backward",
        hint=(
            "It is equations 2, 3 and the first half of 4 of notebook 04, with A_prev for what came "
            "in. Which of the three are means over the examples? The shapes tell the transposes: "
            "each result has the shape of what it belongs to."
        ),
        more=(
            "dW: dZ times A_prev turned around, as a mean over the m examples. db: the mean of dZ "
            "over the examples, kept as a\ncolumn (axis=1, keepdims=True). dA_prev: the weights "
            "turned around times dZ, not divided by m."
        ),
        solution=(
            "def block_backward(dZ, cache):\n"
            "    A_prev, W, Z = cache\n"
            "    m = A_prev.shape[1]\n"
            "    dW = dZ @ A_prev.T / m\n"
            "    db = dZ.sum(axis=1, keepdims=True) / m\n"
            "    dA_prev = W.T @ dZ\n"
            "    return dA_prev, dW, db\n"
        ),
        praise="the same three lines serve every layer of every dense network.",
        examine=examine_function(
            block_backward,
            _backward_inputs(),
            [
                (
                    _backward_with("no mean"),
                    "dW and db are m times too large: the cost is a mean, divide both by m.",
                ),
                (
                    _backward_with("no mean of db"),
                    "dW is right; db is a mean over the examples, too: divide its sum by m.",
                ),
                (_backward_with("order"), "the three are right, in another order: return dA_prev, dW, db."),
                (
                    _backward_with("inputs"),
                    "you divide by the number of inputs. m is the number of examples, A_prev.shape[1].",
                ),
                (
                    _backward_with("mean everywhere"),
                    "dA_prev belongs to single examples: only dW and db are divided by m, else it "
                    "shrinks in each layer.",
                ),
                (
                    _backward_with("slope"),
                    "the slope of the activation was multiplied in already: dZ is behind it, on the side of the sum.",
                ),
                (_backward_with("flat"), "db lost an axis: keepdims=True keeps it a column like b."),
                (
                    _backward_with("one bias"),
                    "all your db are the same number: sum over the examples only (axis=1), not over the units.",
                ),
            ],
        ),
    ),
    Exercise(
        name="05.numerical_gradient",
        answer="numerical_gradient",
        hint=("The slope along one entry: nudge this entry alone up and down, and see how much the cost changes."),
        more=(
            "For each i: copy theta twice, add `step` to entry i of one, take it from entry i of the "
            "other. The difference of the\ntwo costs is over a distance of 2 * step."
        ),
        solution=(
            "def numerical_gradient(cost, theta, step):\n"
            "    gradient = np.zeros(len(theta))\n"
            "    for i in range(len(theta)):\n"
            "        up, down = theta.copy(), theta.copy()\n"
            "        up[i] += step\n"
            "        down[i] -= step\n"
            "        gradient[i] = (cost(up) - cost(down)) / (2 * step)\n"
            "    return gradient\n"
        ),
        praise="a judge for every gradient that you will ever derive.",
        examine=examine_function(
            numerical_gradient,
            [
                (_wave, np.array([0.3, -1.2, 2.0]), 0.1),
                (_bowl, np.random.default_rng(8).standard_normal(5), 0.01),
                (_wave, np.random.default_rng(9).standard_normal(4), 0.01),
            ],
            [
                (
                    _gradient_with("one side"),
                    "that is the one-sided difference: its error is far larger. Use both sides.",
                ),
                (
                    _gradient_with("half"),
                    "twice too large: from theta - step to theta + step it is 2 * step.",
                ),
                (_gradient_with("all"), "you move all entries at once: only entry i may move."),
                (
                    _gradient_with("stays"),
                    "entries that you moved stay moved: take a fresh copy of theta for each i.",
                ),
                (
                    lambda cost, theta, step: np.zeros(len(theta)),
                    "all slopes are 0, as if nothing had moved: up = theta is a second name for the same array, and "
                    "what goes up goes down again with it. theta.copy() makes a new one.",
                ),
                (_gradient_with("sign"), "the sign is turned around: cost(up) - cost(down)."),
            ],
        ),
    ),
    Exercise(
        name="05.kinds",
        answer="kinds",
        hint="Ask of each: does gradient descent change it, or did somebody choose it before the first step?",
        more=(
            "Gradient descent changes two of the seven. Everything that decides the shape of the "
            "network or how it is trained was chosen before."
        ),
        solution=(
            "kinds = {\n"
            "    'weights W': 'parameter',\n"
            "    'biases b': 'parameter',\n"
            "    'learning rate': 'hyperparameter',\n"
            "    'number of layers': 'hyperparameter',\n"
            "    'units in each layer': 'hyperparameter',\n"
            "    'activation': 'hyperparameter',\n"
            "    'number of steps': 'hyperparameter',\n"
            "}\n"
        ),
        praise="parameters are learned, hyperparameters are chosen, and measured on data kept aside.",
        examine=_examine_kinds,
    ),
]
