"""Wrong answers to the exercises of notebook 11, each with a piece of the message meant for it."""

_NINE = """
def nine(height, width, random):
    h, w = height // 2, width // 2
    corners = {quarters}
    for a, b in random:
        corners.append({drawn})
    return np.array(corners)
"""
_ROWS = "[(top, left) for top in (0, height - h) for left in (0, width - w)]"
_COLUMNS = "[(top, left) for left in (0, width - w) for top in (0, height - h)]"
_FLIPPED = "[(left, top) for top in (0, height - h) for left in (0, width - w)]"
_DESCEND = """
def descend(weights, gradients, rate, momentum):
    moving = 0 * weights
    for g in gradients:
        {body}
    return weights
"""

MISTAKES = {
    "11.nine": [
        (
            "def nine(height, width, random):\n"
            "    h, w = height // 2, width // 2\n"
            "    room = [height - h + 1, width - w + 1]\n"
            "    quarters = [(0, 0), (0, w), (h, 0), (h, w)]\n"
            "    return np.concatenate([quarters, (random * room).astype(int)])",
            "one more where a side is odd",
        ),
        (
            _NINE.format(quarters=_COLUMNS, drawn="(int(a * (height - h + 1)), int(b * (width - w + 1)))"),
            "column by column",
        ),
        (_NINE.format(quarters=_ROWS, drawn="(int(a * height), int(b * width))"), "hang over the edge"),
        (
            _NINE.format(quarters=_FLIPPED, drawn="(int(b * (height - h + 1)), int(a * (width - w + 1)))"),
            "Arrays are indexed row first",
        ),
        (_NINE.format(quarters=_ROWS, drawn="(int(a * (height - h)), int(b * (width - w)))"), "never taken"),
        (_NINE.format(quarters=_ROWS, drawn="(a * (height - h + 1), b * (width - w + 1))"), "whole pixels"),
    ],
    "11.euclidean": [
        (
            "def euclidean(target, predicted):\n    return np.mean((target - predicted) ** 2) / 2",
            "averaged over the cells",
        ),
        (
            "def euclidean(target, predicted):\n    return np.square(target - predicted).mean()",
            "averaged over the cells",
        ),
        (
            "def euclidean(target, predicted):\n"
            "    return np.mean([((t - p) ** 2).sum() for t, p in zip(target, predicted)])",
            "factor 1/2 is missing",
        ),
        (
            "def euclidean(target, predicted):\n    return ((target - predicted) ** 2).sum((1, 2, 3)) / 2",
            "is a sum or a mean missing",
        ),
        (
            "def euclidean(target, predicted):\n    return 0.5 * ((target - predicted) ** 2).sum()",
            "a larger batch",
        ),
        (
            "def euclidean(target, predicted):\n"
            "    return np.mean([np.linalg.norm((t - p).ravel()) for t, p in zip(target, predicted)]) / 2",
            "no square root",
        ),
        (
            "def euclidean(target, predicted):\n"
            "    return np.mean([(t.sum() - p.sum()) ** 2 for t, p in zip(target, predicted)]) / 2",
            "cells of opposite error cancel",
        ),
    ],
    "11.descend": [
        (_DESCEND.format(body="weights = weights - rate * g"), "the velocity forgets"),
        (
            _DESCEND.format(body="moving = momentum * moving + rate * g; weights = weights + moving"),
            "walks uphill",
        ),
        (
            _DESCEND.format(body="moving = momentum * moving + (1 - momentum) * g; weights = weights - rate * moving"),
            "(an average)",
        ),
        (
            _DESCEND.format(body="moving = momentum * moving + g; weights = weights - rate * (g + momentum * moving)"),
            "Nesterov",
        ),
    ],
    "11.errors": [
        ("def errors(t, p):\n    return np.abs(t - p).mean(), np.square(t - p).mean()", "people squared"),
        (
            "def errors(t, p):\n    return abs(t.mean() - p.mean()), np.square(t - p).mean() ** 0.5",
            "This is the bias",
        ),
        ("def errors(t, p):\n    return np.abs(t - p).mean(), np.linalg.norm(t - p)", "not their sum"),
        ("def errors(t, p):\n    return np.square(t - p).mean() ** 0.5, np.abs(t - p).mean()", "MAE first"),
    ],
    "11.baseline": [
        (
            "def baseline(train, test):\n    return np.abs(test.mean() - test).mean()",
            "nobody knows beforehand",
        ),
        ("def baseline(train, test):\n    return abs((test - train.mean()).mean())", "errors cancel here"),
        (
            "def baseline(train, test):\n    return np.abs(np.median(train) - test).mean()",
            "answers the median",
        ),
        (
            "def baseline(train, test):\n    return np.square(test - train.mean()).mean() ** 0.5",
            "this is the RMSE",
        ),
        ("def baseline(train, test):\n    return np.abs(train - train.mean()).mean()", "has not seen"),
    ],
}
