"""Wrong answers to the exercises of notebook 02, each with a piece of the message meant for it."""

_GRADIENTS = """
def gradients(w, b, X, Y):
    m = X.shape[1]
    A = 1 / (1 + np.exp(-(w.T @ X + b)))
    return {dw}, {db}
"""

MISTAKES = {
    "02.flatten": [
        ("def flatten(pictures):\n    return pictures.reshape(len(pictures), -1).T / pictures.max()", "happen to have"),
        ("def flatten(pictures):\n    return pictures.reshape(len(pictures), -1).T // 255", "only 0 and 1 are left"),
        ("def flatten(pictures):\n    return pictures.reshape(-1, len(pictures)) / 255", "order of memory"),
        ("def flatten(pictures):\n    return pictures.reshape(-1, len(pictures))", "two things"),
        ("def flatten(pictures):\n    return pictures.reshape(len(pictures), -1) / 255", "pictures as rows"),
        ("def flatten(pictures):\n    return pictures.reshape(len(pictures), -1).T", "from 0 to 255"),
    ],
    "02.sigmoid": [
        ("def sigmoid(z):\n    return 1 / (1 + np.exp(z))", "upside down"),
        ("def sigmoid(z):\n    return np.tanh(z)", "this is tanh"),
        ("def sigmoid(z):\n    return 1 / 1 + np.exp(-z)", "brackets are missing"),
    ],
    "02.cost": [
        ("def cost(A, Y):\n    return np.mean(Y * np.log(A) + (1 - Y) * np.log(1 - A))", "the sign"),
        ("def cost(A, Y):\n    return -np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A))", "this is the sum"),
        ("def cost(A, Y):\n    return -np.mean(Y * np.log(A))", "y = 0 cost nothing"),
        ("def cost(A, Y):\n    return -np.mean(Y * np.log10(A) + (1 - Y) * np.log10(1 - A))", "log10"),
        ("def cost(A, Y):\n    return np.mean((A - Y) ** 2)", "squared error"),
        ("def cost(A, Y):\n    return -np.mean(Y * np.log(1 - A) + (1 - Y) * np.log(A))", "swapped"),
    ],
    "02.graph": [
        ("def graph(a, b, c):\n    return 1, c, b", "factor 3 is missing"),
        ("def graph(a, b, c):\n    return 3, 3 * b, 3 * c", "swapped"),
        ("def graph(a, b, c):\n    return 3, c, b", "got lost"),
        ("def graph(a, b, c):\n    return 3 * a, 3 * b * c, 3 * b * c", "values, not slopes"),
    ],
    "02.gradients": [
        (
            "def gradients(w, b, X, Y):\n"
            "    dZ = 1 / (1 + np.exp(-(w.T @ X + b))) - Y\n"
            "    return X @ dZ.T / len(X), dZ.sum() / len(X)",
            "you divide by the number of inputs",
        ),
        (
            "def gradients(w, b, X, Y):\n"
            "    dZ = 1 / (1 + np.exp(-(w.T @ X + b))) - Y\n"
            "    return X @ dZ.T / len(X), dZ.mean()",
            "db is right; dw is divided by the number of inputs",
        ),
        (_GRADIENTS.format(dw="X @ (Y - A).T / m", db="np.mean(Y - A)"), "the sign"),
        (_GRADIENTS.format(dw="X @ (A - Y).T", db="np.sum(A - Y)"), "divide by m"),
        (_GRADIENTS.format(dw="X @ (A - Y).T / m", db="np.sum(A - Y)"), "db was not divided"),
        (_GRADIENTS.format(dw="(X @ (A - Y).T / m)[:, 0]", db="np.mean(A - Y)"), "w's shape"),
        (
            "def gradients(w, b, X, Y):\n    d = w.T @ X + b - Y\n    return X @ d.T / X.shape[1], np.mean(d)",
            "sigmoid is missing",
        ),
    ],
}
