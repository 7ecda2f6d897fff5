"""Wrong answers to the exercises of notebook 06, each with a piece of the message meant for it."""

_CORRELATE = """
def correlate(x, w):
    f = len(w)
    out = np.zeros(({rows}, {columns}))
    for i in range(len(out)):
        for j in range(out.shape[1]):
            out[i, j] = {cell}
    return out
"""

_CONVOLVE = """
def convolve(x, w, b):
    f = len(w)
    out = np.zeros((x.shape[0] - f + 1, x.shape[1] - f + 1, w.shape[3]))
    for i in range(len(out)):
        for j in range(out.shape[1]):
            v = x[i:i + f, j:j + f, :, None]
            out[i, j] = {cell}
    return out
"""

_POOL = """
def max_pool(x, size):
    out = np.zeros((x.shape[0] // size, x.shape[1] // size, x.shape[2]))
    for i in range(len(out)):
        for j in range(out.shape[1]):
            v = x[i * size:(i + 1) * size, j * size:(j + 1) * size]
            out[i, j] = {cell}
    return {result}
"""

_SLIDE = """
def max_pool(x, size):
    rows, columns = x.shape[0] - size + 1, x.shape[1] - size + 1
    return np.array([[x[i:i + size, j:j + size].max((0, 1)) for j in range(columns)] for i in range(rows)])
"""


_SIZE_ROWS = """
def max_pool(x, size):
    columns = x.shape[1] // size
    return x[:size * size, :columns * size].reshape(size, size, columns, size, -1).max(axis=(1, 3))
"""


def _correlate(cell, rows="x.shape[0] - f + 1", columns="x.shape[1] - f + 1"):
    return _CORRELATE.format(cell=cell, rows=rows, columns=columns)


def _size(result):
    return f"def output_size(n, f, p, s):\n    return {result}\n"


def _parameters(result):
    return f"def parameters(f, channels, filters):\n    return {result}\n"


def _pool(cell, result="out"):
    return _POOL.format(cell=cell, result=result)


MISTAKES = {
    "06.correlate": [
        (_correlate("np.sum(x[i:i + f, j:j + f] * w)").replace("return out", "return out.tolist()"), "in a list"),
        (_correlate("np.sum(x[i:i + f, j:j + f] * w[::-1, ::-1])"), "turned the filter around"),
        (_correlate("np.sum(x[i:i + f, j:j + f] * w.T)"), "filter is transposed"),
        (
            _correlate("np.sum(x[i:i + f, j:j + f] * w)", "x.shape[0] - f", "x.shape[1] - f"),
            "last row and column are missing",
        ),
        (_correlate("np.mean(x[i:i + f, j:j + f] * w)"), "wants their sum"),
        (_correlate("np.sum(x[i:i + f, j:j + f]) * np.sum(w)"), "cell by cell first"),
    ],
    "06.output_size": [
        ("def output_size(n, f, p, s):\n    return round((n + 2 * p - f) / s + 1)", "round to the nearest"),
        (_size("(n + 2 * p - f) // s"), "first place counts too"),
        (_size("(n + p - f) // s + 1"), "on both sides"),
        (_size("(n + 2 * p - f) / s + 1"), "Round down with //"),
        (_size("int(np.ceil((n + 2 * p - f) / s)) + 1"), "you round up"),
        (_size("n + 2 * p - f + 1"), "stride is missing"),
    ],
    "06.convolve": [
        (_CONVOLVE.format(cell="np.sum(v * w, axis=(0, 1, 2))"), "biases b are missing"),
        (_CONVOLVE.format(cell="np.sum(v * w[::-1, ::-1], axis=(0, 1, 2)) + b"), "turned the filters around"),
        (_CONVOLVE.format(cell="np.sum(np.sum(v * w, axis=(0, 1)) + b, axis=0)"), "add b for each channel"),
        (_CONVOLVE.format(cell="np.sum(v[:, :, 0] * w[:, :, 0], axis=(0, 1)) + b"), "first channel only"),
        (_CONVOLVE.format(cell="np.sum(v * w) + b"), "a channel of its own"),
    ],
    "06.parameters": [
        (
            "def parameters(f, channels, filters):\n    return f**2 * channels * filters + channels",
            "for each filter, not for each channel",
        ),
        (_parameters("f * f * channels * filters"), "biases are missing"),
        (_parameters("(f * f + 1) * filters"), "as deep as its input"),
        (_parameters("f * f * channels * filters + 1"), "its own bias"),
        (_parameters("(f * f + 1) * channels * filters"), "one bias altogether"),
        (_parameters("(f * channels + 1) * filters"), "a filter is square"),
    ],
    "06.max_pool": [
        (_pool("v.mean(axis=(0, 1))"), "average pooling"),
        (_pool("v.sum(axis=(0, 1))"), "the sum of each window"),
        (_pool("v.max()", "out[:, :, 0]"), "keep them apart"),
        (_pool("v.max()"), "all channels get the largest"),
        (_pool("x[i:i + size, j:j + size].max(axis=(0, 1))"), "windows overlap"),
        (_SLIDE, "windows overlap"),
        (_SIZE_ROWS, "the shape should be"),
        (_pool("v[0, 0]"), "first value"),
    ],
}
