"""Wrong answers to the exercises of notebook 05, each with a piece of the message meant for it."""

from crowdcount.course.notebook_05 import KINDS


def _shapes(one):
    return f"def shapes(sizes, m):\n    return [{one} for p, n in zip(sizes, sizes[1:])]\n"


_FORWARD = """
def block_forward(A_prev, W, b, activation):
    Z = W @ A_prev + b
    relu, sigmoid = np.maximum(Z, 0), 1 / (1 + np.exp(-Z))
    A = {A}
    return A, ({cache})
"""
_RIGHT = "relu if activation == 'relu' else sigmoid"

_BACKWARD = """
def block_backward(dZ, cache):
    A_prev, W, Z = cache
    m = dZ.shape[1]
    return {dA}, {dW}, {db}
"""


def _forward(A=_RIGHT, cache="A_prev, W, Z"):
    return _FORWARD.format(A=A, cache=cache)


def _backward(dA="W.T @ dZ", dW="dZ @ A_prev.T / m", db="dZ.mean(1, keepdims=True)"):
    return _BACKWARD.format(dA=dA, dW=dW, db=db)


_GRADIENT = """
def numerical_gradient(cost, theta, step):
    gradient = np.zeros(len(theta))
    {before}
    for i in range(len(theta)):
        up, down = {copies}
        up[i] += step
        down[i] -= {down}
        gradient[i] = {slope}
    return gradient
"""


def _gradient(slope, copies="theta.copy(), theta.copy()", down="step", before="pass"):
    return _GRADIENT.format(slope=slope, copies=copies, down=down, before=before)


MISTAKES = {
    "05.shapes": [
        (_shapes("((p, n), (n, 1), (n, m))"), "your W are turned around"),
        (_shapes("((n, p), (n, m), (n, m))"), "one bias a unit"),
        (_shapes("((n, p), (n,), (n, m))"), "one axis only"),
        (_shapes("((n, p), (n, 1), (m, n))"), "examples as rows"),
        (_shapes("((n, p), (n, 1), (p, m))"), "size of the layer before"),
    ],
    "05.block_forward": [
        (_forward(A="sigmoid"), "always use the sigmoid"),
        (_forward(A="relu"), "always use ReLU"),
        (_forward(A="Z"), "the activation is missing"),
        (
            "def block_forward(A_prev, W, b, activation):\n"
            "    A = Z = W @ A_prev + b\n"
            "    if activation == 'relu':\n        A[A < 0] = 0\n"
            "    else:\n        A = 1 / (1 + np.exp(-Z))\n"
            "    return A, (A_prev, W, Z)",
            "a second name for the same array",
        ),
        (_forward(cache="A, W, Z"), "dW needs what came in"),
        (_forward(cache="A_prev, W, A"), "taken at Z"),
    ],
    "05.block_backward": [
        (
            "def block_backward(dZ, cache):\n"
            "    A, W, Z = cache\n"
            "    m = len(A)\n"
            "    return W.T @ dZ, dZ @ A.T / m, dZ.sum(axis=1, keepdims=True) / m",
            "number of inputs",
        ),
        (_backward().replace("m = ", "np.maximum(Z, 0, out=Z); m = "), "changes `cache`"),
        (_backward(dW="dZ @ A_prev.T", db="dZ.sum(1, keepdims=True)"), "m times too large"),
        (_backward(db="dZ.sum(1, keepdims=True)"), "dW is right; db is a mean"),
        (_backward("dZ @ A_prev.T / m", "dZ.mean(1, keepdims=True)", "W.T @ dZ"), "in another order"),
        (_backward(dA="W.T @ dZ / m"), "belongs to single examples"),
        (_backward(db="dZ.mean(1)"), "db lost an axis"),
        (_backward().replace("m = ", "dZ = dZ * (Z > 0); m = "), "multiplied in already"),
        (_backward(db="np.full((len(dZ), 1), dZ.sum() / m)"), "not over the units"),
    ],
    "05.numerical_gradient": [
        (_gradient("(cost(up) - cost(theta)) / step"), "one-sided"),
        (_gradient("(cost(up) - cost(down)) / step"), "twice too large"),
        (_gradient("(cost(theta + step) - cost(theta - step)) / (2 * step)"), "only entry i may move"),
        (
            _gradient("(cost(up) - cost(theta)) / step", copies="moved, theta.copy()", before="moved = theta.copy()"),
            "stay moved",
        ),
        (_gradient("(cost(up) - cost(down)) / (2 * step)", copies="theta, theta"), "a second name for the same array"),
        (_gradient("(cost(down) - cost(up)) / (2 * step)"), "sign is turned around"),
    ],
    "05.kinds": [
        (f"kinds = {KINDS | {'learning rate': 'parameter'}}", "you choose it before training"),
        (f"kinds = {KINDS | {'biases b': 'hyperparameter'}}", "gradient descent changes them"),
        (f"kinds = {KINDS | {'activation': ...}}", "still open: activation"),
        (f"kinds = {KINDS | {'activation': 'both'}}", "write 'parameter' or 'hyperparameter'"),
    ],
}
