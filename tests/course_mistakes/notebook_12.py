"""Wrong answers to the exercises of notebook 12, each with a piece of the message meant for it."""

_CELLS = """
def cells(density, inside):
    rows, columns = density.shape
    return inside.reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3).reshape(rows, columns, 64)
"""
_RANGE = """
def off_by(true, counted, coverage):
    scores = np.sort({scores})
    rank = int(np.ceil({rank}))
    return {answer}
"""
_RIGHT = {
    "scores": "abs(counted - true) / (30 + counted)",
    "rank": "(len(true) + 1) * coverage",
    "answer": "scores[rank - 1]",
}
_WEIGHTS = """
def smooth(times, counts, seconds):
    out = []
    for now in times:
        weights = {weights}
        out.append({answer})
    return np.array(out)
"""
_MEAN = "(weights * counts).sum() / weights.sum()"
_NUMBERS = "\n    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])\n"

MISTAKES = {
    "12.zone": [
        (
            "def zone_count(density, inside):\n"
            "    return (density * inside.reshape(*density.shape, 8, 8).mean(axis=(2, 3))).sum()",
            "the cells are torn",
        ),
        (
            "def zone_count(density, inside):\n"
            "    rows, columns = density.shape\n"
            "    return density[inside.reshape(rows, 8, columns, 8).mean(axis=(1, 3)) > 0.5].sum()",
            "whole or not at all",
        ),
        (
            _CELLS + "def zone_count(d, m):\n    return d[cells(d, m).max(-1)].sum()",
            "as soon as one of its pixels",
        ),
        (
            _CELLS + "def zone_count(d, m):\n    return d[cells(d, m).min(-1)].sum()",
            "only if it lies inside entirely",
        ),
        ("def zone_count(d, m):\n    return (d * m[::8, ::8]).sum()", "the first pixel of each cell"),
        (_CELLS + "def zone_count(d, m):\n    return (d * cells(d, m).sum(-1)).sum()", "count 64 times"),
        ("def zone_count(d, m):\n    return d.sum() * m.sum() / m.size", "share of the picture's area"),
    ],
    "12.range": [
        (_RANGE.format(**{**_RIGHT, "rank": "len(true) * coverage"}), "one of n + 1"),
        (_RANGE.format(**{**_RIGHT, "rank": "round((len(true) + 1) * coverage)"}), "rounded to the nearest"),
        (_RANGE.format(**{**_RIGHT, "rank": "int((len(true) + 1) * coverage)"}), "is rounded down here"),
        (_RANGE.format(**{**_RIGHT, "answer": "scores[rank]"}), "one rank too high"),
        (
            "def off_by(true, counted, coverage):\n"
            "    scores = np.sort(abs(counted - true) / (30 + counted))\n"
            "    return scores[int((len(true) + 1) * coverage)]",
            "int cuts down",
        ),
        (_RANGE.format(**{**_RIGHT, "scores": "(true - counted) / (30 + counted)"}), "without np.abs"),
        (_RANGE.format(**{**_RIGHT, "scores": "abs(counted - true) / (30 + true)"}), "divided by the truth"),
        (_RANGE.format(**{**_RIGHT, "scores": "abs(true / counted - 1)"}), "the 30 is missing"),
        (_RANGE.format(**{**_RIGHT, "answer": "np.quantile(scores, coverage)"}), "between two scores"),
    ],
    "12.smooth": [
        (
            "def smooth(times, counts, seconds):\n"
            "    out = [counts[0]]\n"
            "    for step, count in zip(np.diff(times), counts[1:]):\n"
            "        new = 1 - np.exp(-step / seconds)\n"
            "        out.append(out[-1] + new * (count - out[-1]))\n"
            "    return np.array(out)",
            "leans on the first count",
        ),
        (
            _WEIGHTS.format(weights="np.exp(-abs(now - times) / seconds)", answer=_MEAN),
            "later counts are used",
        ),
        (
            _WEIGHTS.format(
                weights="np.exp(-(now - times) / seconds) * (times <= now)", answer="(weights * counts).sum()"
            ),
            "do not add up to 1",
        ),
        (_WEIGHTS.format(weights="np.exp(times - now) * (times <= now)", answer=_MEAN), "does nothing yet"),
        (_WEIGHTS.format(weights="np.exp((now - times) / seconds) * (times <= now)", answer=_MEAN), "weighs most"),
        (_WEIGHTS.format(weights="np.exp(-times / seconds) * (times <= now)", answer=_MEAN), "now - times"),
        (_WEIGHTS.format(weights="np.exp((times - now) * seconds) * (times <= now)", answer=_MEAN), "multiplied by"),
        (_WEIGHTS.format(weights="1.0 * (times <= now)", answer=_MEAN), "old and new alike"),
        (
            "def smooth(times, counts, seconds):\n"
            "    ages = [np.arange(n)[::-1] for n in range(1, len(times) + 1)]\n"
            "    return np.array([np.average(counts[: len(a)], weights=np.exp(-a / seconds)) for a in ages])",
            "counted in frames",
        ),
        (
            _WEIGHTS.format(weights="(times <= now) & (times >= now - seconds)", answer=_MEAN),
            "plain mean of the last seconds",
        ),
    ],
    "12.restore": [
        (
            "def restore(prepared):\n"
            "    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])\n"
            "    picture = (prepared * std + mean) * 255\n"
            "    return picture.astype(np.uint8)",
            "cut to whole numbers",
        ),
        (
            "def restore(prepared):\n"
            "    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])\n"
            "    picture = (prepared * std + mean) * 255\n"
            "    return np.round(picture)",
            "right, but rounded",
        ),
        (f"def restore(prepared):{_NUMBERS}    return mean + std * prepared", "RGB from 0 to 1"),
        (
            f"def restore(prepared):{_NUMBERS}    return 255 * std * (prepared + mean)",
            "the order is turned around",
        ),
        (f"def restore(prepared):{_NUMBERS}    return 255 * (prepared - mean) / std", "a second time"),
        (f"def restore(prepared):{_NUMBERS}    return prepared * (std * 255) + mean", "times 255 comes last"),
        (f"def restore(prepared):{_NUMBERS}    return prepared * 255", "still in it"),
    ],
}
