"""Wrong answers to the exercises of notebook 01, each with a piece of the message meant for it."""

_WHICH = """
from crowdcount.course.notebook_01 import NETWORKS
which = dict(NETWORKS)
which["{name}"] = "{given}"
"""

MISTAKES = {
    "01.line": [
        ("def fit_line(x, y):\n    return (x @ y) / (x @ x), 0.0", "through the origin"),
        (
            "def fit_line(x, y):\n    w = (x @ y) / (x @ x)\n    return w, y.mean() - w * x.mean()",
            "means are missing",
        ),
        ("def fit_line(x, y):\n    w = np.polyfit(x, y, 1)[0]\n    return w, y.mean()", "height at size 0"),
        ("def fit_line(x, y):\n    w, b = np.polyfit(x, y, 1)\n    return b, w", "wrong order"),
        (
            "def fit_line(x, y):\n    w = np.polyfit(y, x, 1)[0]\n    return w, y.mean() - w * x.mean()",
            "size from price",
        ),
    ],
    "01.neuron": [
        ("def neuron(x, w, b):\n    return w * x + b", "Where is the bend"),
        ("def neuron(x, w, b):\n    return w * np.maximum(0, x) + b", "bend the input"),
        ("def neuron(x, w, b):\n    return np.maximum(0, w * x) + b", "belongs inside"),
        ("def neuron(x, w, b):\n    return np.minimum(0, w * x + b)", "maximum, not minimum"),
        ("def neuron(x, w, b):\n    return np.abs(w * x + b)", "turn positive"),
        ("def neuron(x, w, b):\n    z = w * x + b\n    return z[z > 0]", "shape should be"),
    ],
    "01.network": [
        ("def network(X, W1, b1, w2, b2):\n    return (X @ W1 + b1) @ w2 + b2", "straight plane"),
        (
            "def network(X, W1, b1, w2, b2):\n    return np.maximum(0, np.maximum(0, X @ W1 + b1) @ w2 + b2)",
            "output has a ReLU too",
        ),
        (
            "def network(X, W1, b1, w2, b2):\n    return np.maximum(0, (X @ W1 + b1) @ w2 + b2)",
            "ReLU is at the output",
        ),
        ("def network(X, W1, b1, w2, b2):\n    return np.maximum(0, X @ W1) @ w2 + b2", "b1, is missing"),
        ("def network(X, W1, b1, w2, b2):\n    return np.maximum(0, X @ W1 + b1) @ w2", "b2, is missing"),
    ],
    "01.which": [
        (_WHICH.format(name="photograph of a crowd -> number of people", given="standard"), "neighbors"),
        (
            _WHICH.format(name="photograph, radar -> positions of other cars", given="CNN"),
            "two kinds of input",
        ),
        (_WHICH.format(name="recorded speech -> text", given="standard"), "a sequence"),
        (
            _WHICH.format(name="advertisement, facts about a user -> click or not", given="CNN"),
            "row of a table",
        ),
        (_WHICH.format(name="recorded speech -> text", given=""), "still without"),
    ],
    "01.slope": [
        ("def sigmoid_slope(z):\n    return 1 / (1 + np.exp(-z))", "sigmoid itself"),
        ("def sigmoid_slope(z):\n    return z * (1 - z)", "where the value of the sigmoid belongs"),
        ("def sigmoid_slope(z):\n    return 1 - 1 / (1 + np.exp(-z))", "one factor is missing"),
        ("def sigmoid_slope(z):\n    return (z > 0).astype(float)", "slope of ReLU"),
    ],
}
