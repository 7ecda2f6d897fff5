"""Wrong answers to the exercises of notebook 04, each with a piece of the message meant for it."""

_FORWARD = """
def sigmoid(z):
    return 1 / (1 + np.exp(-z))

def forward(X, W1, b1, W2, b2):
    A1 = {hidden}
    return A1, {output}
"""

_SLOPES = """
def slopes(z):
    a, t = 1 / (1 + np.exp(-z)), np.tanh(z)
    return {sigmoid}, {tanh}, {relu}, {leaky}
"""
_RIGHT = {
    "sigmoid": "a * (1 - a)",
    "tanh": "1 - t**2",
    "relu": "(z > 0).astype(float)",
    "leaky": "np.where(z > 0, 1, 0.01)",
}

_BACKWARD = """
def backward(X, Y, W2, A1, A2):
    m = {m}
    dZ2 = {dZ2}
    dZ1 = W2.T @ dZ2 {slope}
    return dZ1 @ X.T / m, dZ1.sum(1, keepdims={keep}) / m, dZ2 @ A1.T / m, dZ2.sum(1, keepdims={keep}) / m
"""
_ORDER = """
def backward(*given):
    dW1, db1, dW2, db2 = right(*given)
    return {}
"""


def _forward(hidden="np.tanh(W1 @ X + b1)", output="sigmoid(W2 @ A1 + b2)"):
    return _FORWARD.format(hidden=hidden, output=output)


def _slopes(**changed):
    return _SLOPES.format(**(_RIGHT | changed))


def _backward(m="X.shape[1]", dZ2="A2 - Y", slope="* (1 - A1**2)", keep="True"):
    return _BACKWARD.format(m=m, dZ2=dZ2, slope=slope, keep=keep)


def _initialize(code):
    return f"def initialize(n_0, n_1, n_2, rng):\n    return {code}\n"


MISTAKES = {
    "04.forward": [
        (_forward(hidden="W1 @ X + b1"), "hidden layer has no activation"),
        (_forward(hidden="sigmoid(W1 @ X + b1)"), "hidden layer uses the sigmoid"),
        (_forward(output="np.tanh(W2 @ A1 + b2)"), "output uses tanh"),
        (_forward(output="W2 @ A1 + b2"), "output has no activation"),
        (_forward(hidden="np.maximum(0, W1 @ X + b1)"), "hidden layer uses ReLU"),
        (
            _forward(output="sigmoid(W2 @ A1 + b2)").replace(
                "return A1, sigmoid(W2 @ A1 + b2)", "return sigmoid(W2 @ A1 + b2), A1"
            ),
            "return A1, A2",
        ),
        (_forward("np.tanh(W1 @ X)", "sigmoid(W2 @ A1)"), "left out the biases"),
        (_forward(hidden="np.tanh(X @ W1 + b1)"), "stopped with ValueError"),
    ],
    "04.slopes": [
        (_slopes(sigmoid="z * (1 - z)"), "z * (1 - z)"),
        (_slopes(tanh="1 - z**2"), "1 - z**2"),
        (_slopes(tanh="1 - t"), "the square is missing"),
        (_slopes(relu="np.maximum(0, z)"), "returned its value"),
        (_slopes(leaky="np.where(z > 0, 1, 0.01 * z)"), "but the slope 0.01"),
        (_slopes(leaky="(z > 0).astype(float)"), "does not leak"),
        (_slopes(relu="(z >= 0) * 1.0"), "z > 0, not z >= 0"),
        (_slopes(relu="(z >= 0) * 1.0", leaky="np.where(z >= 0, 1, 0.01)"), "z > 0, not z >= 0"),
    ],
    "04.collapse": [
        ("def collapse(W1, b1, W2, b2):\n    return W1 @ W2, W2 @ b1 + b2", "the order matters"),
        ("def collapse(W1, b1, W2, b2):\n    return W2 @ W1, b1 + b2", "b1 goes through the second layer"),
        ("def collapse(W1, b1, W2, b2):\n    return W2 @ W1, b2", "you lost b1"),
        ("def collapse(W1, b1, W2, b2):\n    return W2 * W1, W2 @ b1 + b2", "element by element"),
    ],
    "04.backward": [
        (_backward(m="1"), "m times too large"),
        (_backward(slope=""), "slope of tanh is missing"),
        (_backward(slope="* A1 * (1 - A1)"), "belongs to the sigmoid"),
        (_backward(slope="* (1 - np.tanh(A1)**2)"), "without another tanh"),
        (_backward(dZ2="Y - A2"), "wrong way"),
        (_backward(dZ2="(A2 - Y) * A2 * (1 - A2)"), "has canceled"),
        (_backward().replace("backward", "right") + _ORDER.format("dW2, db2, dW1, db1"), "in another order"),
        (_backward().replace("backward", "right") + _ORDER.format("dW1, dW2, db1, db2"), "in another order"),
        (_backward().replace("keepdims=True) / m", "keepdims=True)"), "db1 and db2 are means"),
        (_backward(keep="False"), "lost an axis"),
    ],
    "04.initialize": [
        (
            _initialize("np.zeros((n_1, n_0)), np.zeros((n_1, 1)), np.zeros((n_2, n_1)), np.zeros((n_2, 1))"),
            "stay the same for ever",
        ),
        (
            _initialize(
                "rng.standard_normal((n_0, n_1)), np.zeros((n_1, 1)), rng.standard_normal((n_1, n_2)), "
                "np.zeros((n_2, 1))"
            ),
            "turned around",
        ),
        (
            _initialize("rng.random((n_1, n_0)), np.zeros((n_1, 1)), rng.random((n_2, n_1)), np.zeros((n_2, 1))"),
            "not centered on 0",
        ),
        (
            _initialize(
                "rng.standard_normal((n_1, n_0)), np.zeros((n_1, 1)), rng.standard_normal((n_2, n_1)), "
                "np.zeros((n_2, 1))"
            ),
            "standard deviation should be 1 / sqrt(400)",
        ),
        (
            "def initialize(n_0, n_1, n_2, rng):\n    r = np.random.default_rng(0)\n"
            "    return (r.standard_normal((n_1, n_0)) / np.sqrt(n_0), np.zeros((n_1, 1)),\n"
            "            r.standard_normal((n_2, n_1)) / np.sqrt(n_1), np.zeros((n_2, 1)))",
            "from `rng`",
        ),
        (
            _initialize(
                "rng.standard_normal((n_1, n_0)) / np.sqrt(n_0), np.zeros((n_1, 1)), "
                "np.random.default_rng(0).standard_normal((n_2, n_1)) / np.sqrt(n_1), np.zeros((n_2, 1))"
            ),
            "draw W2 from `rng`",
        ),
        (
            "def initialize(n_0, n_1, n_2, rng):\n"
            "    row = lambda n, m: (rng.standard_normal((1, m)) * (1 + 0.01 * rng.random((n, 1)))) / np.sqrt(m)\n"
            "    return row(n_1, n_0), np.zeros((n_1, 1)), row(n_2, n_1), np.zeros((n_2, 1))",
            "nearly the same along",
        ),
    ],
}
