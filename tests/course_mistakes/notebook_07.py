"""Wrong answers to the exercises of notebook 07, each with a piece of the message meant for it."""

_COUNT = """
def parameters(layers, side, channels):
    total = 0
    for layer in layers:
        if layer[0] == "conv":
            {conv}
        elif layer[0] == "pool":
            {pool}
        else:
            {dense}
    return total
"""
_CONV = "total += layer[1] ** 2 * channels * layer[2] + layer[2]; channels = layer[2]"
_POOL = "side = side // 2"
_DENSE = "total += side ** 2 * channels * layer[1] + layer[1]; side = 1; channels = layer[1]"

_STEP = """
def train_step(weights, gradients, rate, frozen):
    for name in {names}:
        weights[name] = {value}
    return weights
"""

MISTAKES = {
    "07.parameters": [
        (
            _COUNT.format(
                conv="total += layer[1] ** 2 * channels * layer[2]; channels = layer[2]",
                pool=_POOL,
                dense="total += side ** 2 * channels * layer[1]; side = 1; channels = layer[1]",
            ),
            "the biases are left out",
        ),
        (
            _COUNT.format(conv=_CONV.split(";")[0], pool=_POOL, dense=_DENSE),
            "A layer's filters are the channels of the next one",
        ),
        (_COUNT.format(conv=_CONV, pool="pass", dense=_DENSE), "the pools do nothing yet"),
        (_COUNT.format(conv=_CONV, pool="side = side // 4", dense=_DENSE), "but half of the side"),
        (
            _COUNT.format(conv=_CONV, pool=_POOL, dense="total += channels * layer[1] + layer[1]; channels = layer[1]"),
            "It sees the flattened map",
        ),
        (
            _COUNT.format(conv=_CONV, pool=_POOL, dense=_DENSE.replace("side = 1; ", "")),
            "set the side to 1 behind a dense layer",
        ),
    ],
    "07.mix": [
        ("def mix(x, w, b):\n    return np.tensordot(x, w, 1)", "the biases are missing"),
        ("def mix(x, w, b):\n    return np.einsum('hwc,kc->hwk', x, w) + b", "w is turned around"),
        ("def mix(x, w, b):\n    y = x @ w + b\n    return y * (y > 0)", "the ReLU comes after"),
        ("def mix(x, w, b):\n    return x.sum(axis=(0, 1)) @ w + b", "the pixels are added up"),
        ("def mix(x, w, b):\n    return x.mean(0).mean(0) @ w + b", "averages the pixels first"),
    ],
    "07.map_size": [
        ("def map_size(h, w, n):\n    return np.ceil(h / 2**n), np.ceil(w / 2**n)", "NumPy wants whole numbers"),
        ("def map_size(h, w, n):\n    return h >> n, w >> n", "round up"),
        ("def map_size(h, w, n):\n    return int(np.ceil(h / (2 * n))), int(np.ceil(w / (2 * n)))", "not by 2 x pools"),
        (
            "def map_size(h, w, n):\n    return int(np.ceil(w / 2**n)), int(np.ceil(h / 2**n))",
            "rows and columns are exchanged",
        ),
        ("def map_size(h, w, n):\n    return int(np.ceil(h / 4**n)), int(np.ceil(w / 4**n))", "half of each side"),
        ("def map_size(h, w, n):\n    return (h + 1) // 2, (w + 1) // 2", "once for each"),
    ],
    "07.train_step": [
        (
            "def train_step(weights, gradients, rate, frozen):\n"
            "    for name in set(weights) - set(frozen):\n"
            "        weights[name] -= rate * gradients[name]\n"
            "    return weights",
            "changes `weights`",
        ),
        (_STEP.format(names="weights", value="weights[name] - rate * gradients[name]"), "every layer moves"),
        (_STEP.format(names="frozen", value="weights[name] - rate * gradients[name]"), "the other way round"),
        (
            _STEP.format(names="set(weights) - set(frozen)", value="weights[name] + rate * gradients[name]"),
            "take the step against it",
        ),
        (
            _STEP.format(names="set(weights) - set(frozen)", value="weights[name] - gradients[name]"),
            "the rate is not used",
        ),
        (
            "def train_step(weights, gradients, rate, frozen):\n"
            "    return {n: weights[n] - rate * gradients[n] for n in weights if n not in frozen}",
            "return them unchanged",
        ),
        (
            "def train_step(weights, gradients, rate, frozen):\n"
            "    return {n: (n not in frozen) * (weights[n] - rate * gradients[n]) for n in weights}",
            "unchanged, not zero",
        ),
    ],
    "07.dense_to_conv": [
        (
            "def dense_to_conv(w, height, width, channels):\n"
            "    return np.moveaxis(w.reshape(channels, height, width, -1), 0, 2)",
            "channels of a pixel stand side by side",
        ),
        (
            "def dense_to_conv(w, height, width, channels):\n"
            "    return np.swapaxes(w.reshape(width, height, channels, -1), 0, 1)",
            "Flatten goes row by row",
        ),
        (
            "def dense_to_conv(w, height, width, channels):\n"
            "    return np.flip(w.reshape(height, width, channels, -1), (0, 1))",
            "does not flip",
        ),
        (
            "def dense_to_conv(w, height, width, channels):\n    return w.T.reshape(height, width, channels, -1)",
            "turned around before it is reshaped",
        ),
        (
            "def dense_to_conv(w, height, width, channels):\n    return w.T.reshape(-1, height, width, channels)",
            "the units come first here",
        ),
    ],
}
