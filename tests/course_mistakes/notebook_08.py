"""Wrong answers to the exercises of notebook 08, each with a piece of the message meant for it."""

_SLIDE = """
def plain(x, w):
    k = len(w)
    high, wide = x.shape[0] - k + 1, x.shape[1] - k + 1
    return np.array([[(x[m : m + k, n : n + k] * w).sum() for n in range(wide)] for m in range(high)])
def dilated(x, w, r):
    k = len(w)
    high, wide = x.shape[0] - r * (k - 1), x.shape[1] - r * (k - 1)
    return np.array([
        [(x[m : m + r * (k - 1) + 1 : r, n : n + r * (k - 1) + 1 : r] * w).sum() for n in range(wide)]
        for m in range(high)
    ])
"""
_FIELD = """
def field(layers):
    size, step = {start}, 1
    for kernel, stride, rate in layers:
        {body}
    return size
"""

MISTAKES = {
    "08.reach": [
        ("def reach(k, rate):\n    return k * rate", "not k"),
        ("def reach(k, rate):\n    return rate * (k - 1)", "it is one more"),
        ("def reach(k, rate):\n    return k + (rate - 1)", "only one gap is filled"),
        ("def reach(k, rate):\n    return k + (k - 1) * rate", "at rate 1 there is no gap"),
    ],
    "08.dilate": [
        (_SLIDE + "def dilate(x, w, rate):\n    return plain(x, w)", "the rate does nothing yet"),
        (_SLIDE + "def dilate(x, w, rate):\n    return dilated(x, np.flip(w), rate)", "the kernel is turned around"),
        (_SLIDE + "def dilate(x, w, rate):\n    return dilated(x, w.T, rate)", "rows and columns of the kernel"),
        (_SLIDE + "def dilate(x, w, rate):\n    return plain(x[::rate, ::rate], w)", "thins out the picture first"),
        (_SLIDE + "def dilate(x, w, rate):\n    return plain(x, w)[::rate, ::rate]", "a stride, not a dilation"),
    ],
    "08.padding": [
        ("def padding(k, rate):\n    return rate * (k - 1) / 2", "NumPy wants whole numbers"),
        ("def padding(k, rate):\n    return k // 2", "padding of a plain convolution"),
        ("def padding(k, rate):\n    return (k - 1) * rate", "both sides need together"),
        ("def padding(k, rate):\n    return rate", "right for k = 3 only"),
        ("def padding(k, rate):\n    return k * rate // 2", "k - 1 steps between them"),
    ],
    "08.field": [
        (_FIELD.format(start=1, body="size += (kernel - 1) * step; step *= stride"), "the dilation rate is left out"),
        (_FIELD.format(start=1, body="size += (kernel - 1) * rate"), "the strides are left out"),
        (_FIELD.format(start=1, body="step *= stride; size += (kernel - 1) * rate * step"), "Add first, then multiply"),
        (_FIELD.format(start=0, body="size += (kernel - 1) * rate * step; step *= stride"), "begin with 1"),
        (
            _FIELD.format(start=1, body="size += (kernel + (kernel - 1) * (rate - 1)) * step; step *= stride"),
            "it adds reach - 1",
        ),
    ],
    "08.seen": [
        (
            "def seen(rates):\n"
            "    at = {0}\n"
            "    for r in rates:\n"
            "        at = {a + m for a in at for m in (-r, 0, r)}\n"
            "    return (len(at) / (2 * sum(rates) + 1)) ** 2",
            "the share of the square",
        ),
        ("def seen(rates):\n    return 3 ** len(rates) / (2 * sum(rates) + 1)", "this counts paths"),
        (
            "def seen(rates):\n"
            "    at = {0}\n"
            "    for r in rates:\n"
            "        at = {a + m for a in at for m in (-r, 0, r)}\n"
            "    return len(at) / (2 * sum(rates))",
            "the middle one belongs to it",
        ),
        (
            "def seen(rates):\n"
            "    at = set()\n"
            "    for r in rates:\n"
            "        at |= {-r, 0, r}\n"
            "    return len(at) / (2 * sum(rates) + 1)",
            "the layers stand side by side",
        ),
        (
            "def seen(rates):\n"
            "    at = {0}\n"
            "    for r in rates:\n"
            "        at = {a + m for a in at for m in (-r, 0, r)}\n"
            "    return len(at)",
            "divide by the cells of the field",
        ),
    ],
}
