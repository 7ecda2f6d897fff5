"""Wrong answers to the exercises of notebook 05b, each with a piece of the message meant for it."""

_SPLIT = """
def split(crowds, validation, test):
    v, t = np.isin(crowds, list(validation)), np.isin(crowds, list(test))
    {before}
    return {learn}, {validate}, {last}
"""


def _split(learn="~v & ~t", validate="v", last="t", before="pass"):
    return _SPLIT.format(learn=learn, validate=validate, last=last, before=before)


def _error(what):
    return f"def standard_error(values):\n    n = len(values)\n    return {what}\n"


def _softmax(what):
    return f"def softmax(Z):\n    with np.errstate(all='ignore'):\n        return {what}\n"


_ADAM = """
def adam(w, slope, mean, square, t, rate):
    mean = {a} * mean + (1 - {a}) * slope
    square = {b} * square + (1 - {b}) * {squared}
    m, s = {now}
    with np.errstate(all="ignore"):
        return {w}, {kept}
"""
_RIGHT = "mean / (1 - 0.9**t), square / (1 - 0.999**t)"


def _adam(a=0.9, b=0.999, squared="slope**2", now=_RIGHT, w="w - rate * m / (np.sqrt(s) + 1e-8)", kept="mean, square"):
    return _ADAM.format(a=a, b=b, squared=squared, now=now, w=w, kept=kept)


_STOP = """
def stop(costs, patience):
    best = 0
    for epoch, cost in enumerate(costs):
        if cost < costs[best]:
            best = epoch
        if epoch - best == {when}:
            return {kept}, epoch + {one}
    return best + {one}, len(costs) - 1 + {one}
"""


MISTAKES = {
    "05b.split": [
        (_split(learn="1 - v - t", validate="1 * v", last="1 * t"), "masks of 0 and 1"),
        (_split(learn="np.full(len(v), True)"), "validation and test included"),
        (_split(learn="~t"), "the validation crowds are learned from"),
        (_split(learn="~v"), "the test crowds are learned from"),
        (_split(validate="t", last="v"), "are exchanged"),
        (_split(*(f"np.flatnonzero({mask})" for mask in ("~v & ~t", "v", "t"))), "places in the list"),
        (
            _split(before="k = np.arange(len(crowds)); v, t = np.isin(k, list(validation)), np.isin(k, list(test))"),
            "the lists name crowds, not rows",
        ),
    ],
    "05b.standard_error": [
        (_error("np.std(values, ddof=1)"), "how far single values stray"),
        (_error("values.std() / n**0.5"), "n - 1"),
        (_error("values.var(ddof=1) / n"), "Take the root"),
        (_error("values.std(ddof=1) / n"), "root of n, not by n"),
    ],
    "05b.softmax": [
        ("def softmax(Z):\n    return np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)", "your rows add up to 1"),
        ("def softmax(Z):\n    return np.exp(Z) / np.exp(Z).sum()", "And np.exp(1000)"),
        (_softmax("np.exp(Z - np.max(Z)) / np.exp(Z - np.max(Z)).sum(axis=0)"), "each column's own"),
        (_softmax("np.exp(Z) / np.exp(Z).sum(axis=0)"), "np.exp(1000)"),
        (_softmax("np.exp(Z - Z.mean(0)) / np.exp(Z - Z.mean(0)).sum(0)"), "not the mean"),
        (_softmax("np.exp(Z - Z.min(0)) / np.exp(Z - Z.min(0)).sum(0)"), "not the least"),
        (_softmax("Z / Z.sum(0)"), "exponential is missing"),
        (_softmax("1 / (1 + np.exp(-Z))"), "sigmoid of each"),
        (_softmax("(lambda E: E / E.sum(1, keepdims=True))(np.exp(Z - Z.max(1, keepdims=True)))"), "rows add up to 1"),
        (_softmax("(lambda E: E / E.sum())(np.exp(Z - Z.max()))"), "all numbers together"),
    ],
    "05b.adam": [
        (_adam(now="mean, square"), "correction for the start"),
        (_adam(kept="m, s"), "corrects twice"),
        (_adam(w="w + rate * m / (np.sqrt(s) + 1e-8)"), "climbs"),
        (_adam(w="w - rate * m / (s + 1e-8)"), "root is missing"),
        (_adam(w="w - rate * m / np.sqrt(s + 1e-8)"), "beside the root"),
        (_adam(squared="slope"), "squared"),
    ],
    "05b.stop": [
        (
            "def stop(costs, patience):\n    best = int(np.argmin(costs))\n    return best, best + patience",
            "the whole list",
        ),
        (_STOP.format(when="patience", kept="best", one=0).replace("cost < ", "cost <= "), "the earlier one"),
        (
            _STOP.format(when="patience", kept="epoch", one=0).replace("return best", "return len(costs) - 1"),
            "not the last",
        ),
        (_STOP.format(when="patience", kept="best", one=0).replace("return best + 0", "return epoch"), "ends before"),
        (_STOP.format(when="patience + 1", kept="best", one=0), "too late"),
        (_STOP.format(when="patience", kept="best + 1", one=1), "counted from 0"),
        (
            "def stop(costs, patience):\n    return int(np.argmin(costs)), len(costs) - 1\n",
            "never run",
        ),
    ],
}
