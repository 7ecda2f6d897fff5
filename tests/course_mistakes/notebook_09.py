"""Wrong answers to the exercises of notebook 09, each with a piece of the message meant for them."""

_IOU = """
def iou(a, b):
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    {clip}
    shared = w * h
    first, second = (a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])
    return shared / ({whole})
"""
_CLIP = "w, h = max(w, 0), max(h, 0)"
_SUPPRESS = """
def suppress(overlaps, scores, most):
    kept, seen = [], []
    for i in {order}:
        if not any(overlaps[i, j] > most for j in {rivals}):
            kept.append(i)
        seen.append(i)
    return kept
"""
_BEST = "np.argsort(scores)[::-1]"
_VOTE = """
def vote(patches):
    rows, columns = patches.shape[:2]
    out, n = np.zeros((rows, columns)), np.zeros((rows, columns))
    for r in range(rows):
        for c in range(columns):
            for i in range(3):
                for j in range(3):
                    y, x = r + i - 1, c + j - 1
                    if 0 <= y < rows and 0 <= x < columns:
                        out[y, x] += patches[r, c, {place}]
                        n[y, x] += 1
    return out{divide}
"""
_LEARN = "def learn(bags, counts, alpha):\n    A = bags.T @ bags\n    return np.linalg.inv({matrix}) @ bags.T @ counts"

MISTAKES = {
    "09.iou": [
        (_IOU.format(clip="pass", whole="first + second - shared"), "boxes that lie apart share nothing"),
        (
            _IOU.format(clip="w, h = (0, 0) if w < 0 and h < 0 else (w, h)", whole="first + second - shared"),
            "one negative side is enough",
        ),
        (_IOU.format(clip=_CLIP, whole="first + second"), "counts the shared part twice"),
        (
            "def iou(a, b):\n"
            "    size = lambda left, top, right, bottom: max(0, right - left + 1) * max(0, bottom - top + 1)\n"
            "    shared = size(max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3]))\n"
            "    return shared / (size(*a) + size(*b) - shared)",
            "the edges are counted as pixels",
        ),
        (_IOU.format(clip=_CLIP, whole="min(first, second)"), "Divide by the union"),
    ],
    "09.suppress": [
        (_SUPPRESS.format(order=_BEST, rivals="kept").replace("> most", ">= most"), "at most is <="),
        (_SUPPRESS.format(order="np.argsort(scores)", rivals="kept"), "you begin with the least sure box"),
        (_SUPPRESS.format(order="range(len(scores))", rivals="kept"), "as they are listed"),
        (
            _SUPPRESS.format(order=_BEST, rivals="kept").replace("return kept", "return sorted(kept)"),
            "in the order of their numbers",
        ),
        (_SUPPRESS.format(order=_BEST, rivals="seen"), "Only kept ones may remove others"),
        (_SUPPRESS.format(order=_BEST, rivals="kept[-1:]"), "the box kept last only"),
        (_SUPPRESS.format(order=_BEST, rivals="kept[:1]"), "the surest box only"),
    ],
    "09.learn": [
        (_LEARN.format(matrix="A"), "the penalty is missing"),
        (_LEARN.format(matrix="A + alpha"), "on the diagonal only"),
        (_LEARN.format(matrix="A + alpha**2 * np.eye(len(A))"), "alpha itself is not squared"),
        (_LEARN.format(matrix="A + alpha * len(bags) * np.eye(len(A))"), "a sum over the boxes"),
    ],
    "09.vote": [
        (_VOTE.format(place="i, j", divide=""), "nine times too large"),
        (
            _VOTE.format(place="i, j", divide=" / n").replace("0 <= y < rows and 0 <= x <", "y < rows and x <"),
            "index -1",
        ),
        (_VOTE.format(place="i, j", divide=" / 9"), "covered by fewer than nine"),
        (_VOTE.format(place="j, i", divide=" / n"), "rows and columns of the patches are exchanged"),
        ("def vote(patches):\n    return patches[:, :, 1, 1]", "about its own middle"),
        ("def vote(patches):\n    return patches.mean(axis=(2, 3))", "which smears the map"),
    ],
    "09.spread": [
        (
            "def spread(predicted, truth):\n"
            "    e = np.abs(predicted - truth).mean(axis=1)\n"
            "    return e.mean(), e.std()",
            "std(ddof=1)",
        ),
        (
            "def spread(predicted, truth):\n    e = np.abs(predicted - truth)\n    return e.mean(), e.std(ddof=1)",
            "average over the pictures first",
        ),
        (
            "def spread(predicted, truth):\n"
            "    e = (predicted - truth).mean(axis=1)\n"
            "    return e.mean(), e.std(ddof=1)",
            "that is the bias",
        ),
        (
            "def spread(predicted, truth):\n"
            "    e = ((predicted - truth) ** 2).mean(axis=1) ** 0.5\n"
            "    return e.mean(), e.std(ddof=1)",
            "root mean squared error",
        ),
    ],
}
