"""Wrong answers to the exercises of notebook 03, each with a piece of the message meant for it."""

_DOT = "def forward(w, b, X):\n    "
_MAE = "def mean_absolute_error(p, t):\n    return "

MISTAKES = {
    "03.forward": [
        ("def forward(w, b, X):\n    return w.T @ X", "b is missing"),
        ("def forward(w, b, X):\n    return X.T @ w + b", "the other way"),
        ("def forward(w, b, X):\n    return w * X + b", "element by element"),
        ("def forward(w, b, X):\n    return np.squeeze(w.T @ X + b)", "rank-1"),
        (
            "def forward(w, b, X):\n    return np.array([[np.dot(w[:, 0], x) + b for x in X.T]])",
            "but a loop makes them",
        ),
        (
            _DOT + "Z, j = np.zeros((1, X.shape[1])), 0\n    while j < X.shape[1]:\n"
            "        Z[0, j] = w[:, 0] @ X[:, j] + b\n        j += 1\n    return Z",
            "but a loop makes them",
        ),
        (_DOT + "return np.array([list(map(lambda x: w[:, 0] @ x + b, X.T))])", "but a loop makes them"),
        (_DOT + "return np.array([list(map(w[:, 0].dot, X.T))]) + b", "but a loop makes them"),
        (_DOT + "return np.apply_along_axis(lambda x: w[:, 0] @ x + b, 0, X)[np.newaxis]", "but a loop makes them"),
        (_DOT + "return np.array([np.fromiter((w[:, 0] @ x for x in X.T), float)]) + b", "but a loop makes them"),
        (_DOT + "X *= w\n    return X.sum(axis=0, keepdims=True) + b", "changes `X`"),
    ],
    "03.backward": [
        ("def backward(X, dZ):\n    return X @ dZ.T, np.sum(dZ)", "divide both by m"),
        ("def backward(X, dZ):\n    return np.dot(X, dZ.T), dZ.mean()", "db is right; dw was not divided by m"),
        ("def backward(X, dZ):\n    return X @ dZ.T / X.shape[1], np.sum(dZ)", "db was not"),
        ("def backward(X, dZ):\n    return X @ dZ.T / len(X), np.sum(dZ) / len(X)", "number of inputs"),
        ("def backward(X, dZ):\n    return X @ dZ.T / len(X), dZ.mean()", "dw is divided by the number of inputs"),
        ("def backward(X, dZ):\n    return X @ dZ.T / len(dZ[0]), dZ.mean(1, keepdims=True)", "shape (1, 1)"),
        ("def backward(X, dZ):\n    return X @ dZ.T / len(dZ[0]), dZ.mean(1)", "shape (1,)"),
        ("def backward(X, dZ):\n    return X * dZ / X.shape[1], np.mean(dZ)", "keeps all examples apart"),
        ("def backward(X, dZ):\n    return dZ @ X.T / X.shape[1], np.mean(dZ)", "lying as a row"),
        (
            "def backward(X, dZ):\n    dw = np.zeros((len(X), 1))\n    for x, dz in zip(X.T, dZ[0]):\n"
            "        dw[:, 0] += x * dz / X.shape[1]\n    return dw, dZ.mean()",
            "but a loop makes them",
        ),
    ],
    "03.shares": [
        ("def shares(counts):\n    return 100 * counts / counts.sum(axis=1)", "the sum of each row"),
        ("def shares(counts):\n    return 100 * counts / counts.sum(axis=1, keepdims=True)", "rows add up"),
        ("def shares(counts):\n    return 100 * counts / counts.sum()", "whole table"),
        ("def shares(counts):\n    return counts / counts.sum(axis=0)", "fractions"),
    ],
    "03.mae": [
        (_MAE + "np.mean(np.abs(p - t))", "every prediction with every truth"),
        (_MAE + "np.abs(p - t.flatten()).mean()", "only one of the two"),
        (_MAE + "np.abs(p.reshape(-1) - t).mean()", "only one of the two"),
        (_MAE + "np.mean(p.ravel() - t.ravel())", "cancel"),
        (_MAE + "np.abs(p.ravel() - t.ravel()).sum()", "this is the sum"),
        (_MAE + "np.sqrt(np.mean((p.ravel() - t.ravel()) ** 2))", "RMSE"),
    ],
}
