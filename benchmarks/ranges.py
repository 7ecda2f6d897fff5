"""Measure ranges: other rules than the one that ships, and pictures of kinds that nothing was calibrated with.

    python benchmarks/ranges.py rules [--model NAME]
    python benchmarks/ranges.py unseen --root FOLDER [--model NAME] [--pictures N]

`rules` needs no picture: from the counts in the model's card it tries each rule on every picture, calibrated with all
others. Beside the share that is held and the width it prints the interval score (Winkler's): the width, and twenty
times what a truth lies outside of a 90 % range. It is least in the mean where a range is as narrow as it may be and no
narrower; `all` has it as a share of the count and 30 people, so that large crowds do not rule it. Each has its standard
error over pictures, and so has the difference from the rule that ships.

`unseen` counts validation pictures as they are, made dark (gamma 3, noise of 10 levels), and bent as a fisheye lens
bends them, and drawn crowds; of each it prints how many truths the ranges hold, and how wide they are.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Sequence

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.optimize import linprog
from tqdm import tqdm

from crowdcount.counting.pictures import Counter
from crowdcount.counting.ranges import COVERAGE, Calibration
from crowdcount.data.annotations import Sample, load_dataset
from crowdcount.drawn.crowds import SCENES, draw_crowd
from crowdcount.network.cards import model_card

OFFSET, MISSED = 30.0, 2 / (1 - COVERAGE)
Seen = dict[str, np.ndarray]  # true and predicted counts, and what is told of each picture
Rule = Callable[[Seen, dict[str, float]], tuple[float, float]]
# People in the drawn crowds.
DRAWN = (10, 25, 50, 80, 120, 160, 200, 250, 300, 400)
FISHEYE = np.radians(60)


def quantile(values: np.ndarray, coverage: float = COVERAGE) -> float:
    rank = min(len(values), int(np.ceil((len(values) + 1) * coverage - 1e-9)))
    return float(np.partition(values, rank - 1)[rank - 1])


def around(new: dict[str, float], low: float, high: float) -> tuple[float, float]:
    return max(0.0, new["predicted"] - low), new["predicted"] + high


def errors(seen: Seen) -> np.ndarray:
    return np.abs(seen["true"] - seen["predicted"])


def nearest(number: int) -> Rule:
    """The pictures nearest in density speak."""

    def rule(seen, new):
        chosen = np.argsort(np.abs(seen["density"] - new["density"]), kind="stable")[:number]
        reach = quantile((errors(seen) / (seen["predicted"] + OFFSET))[chosen]) * (new["predicted"] + OFFSET)
        return around(new, reach, reach)

    return rule


def groups(*ends: float) -> Rule:
    """Those of the same group of densities, in people a megapixel, speak (Mondrian)."""

    def rule(seen, new):
        places = np.log(np.array(ends) + 10)
        chosen = np.digitize(seen["density"], places) == np.digitize(new["density"], places)
        reach = quantile((errors(seen) / (seen["predicted"] + OFFSET))[chosen]) * (new["predicted"] + OFFSET)
        return around(new, reach, reach)

    return rule


def power(exponent: float) -> Rule:
    """Width by a power of the count and 10."""

    def rule(seen, new):
        reach = quantile(errors(seen) / (seen["predicted"] + 10) ** exponent) * (new["predicted"] + 10) ** exponent
        return around(new, reach, reach)

    return rule


def standard(seen: Seen, new: dict[str, float], names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Columns of mean 0 and deviation 1 behind one of ones, of the pictures and of the new one."""
    columns = np.stack([seen[name] for name in names], axis=1)
    mean, deviation = columns.mean(axis=0), columns.std(axis=0)
    row = (np.array([new[name] for name in names]) - mean) / deviation
    return np.c_[np.ones(len(columns)), (columns - mean) / deviation], np.r_[1.0, row]


def line(*names: str, sides: bool = False) -> Rule:
    """What score is usual, by a line (ridge) through the logarithms of scores; `sides`: too low and too high apart."""

    def rule(seen, new):
        columns, row = standard(seen, new, names)
        scores = errors(seen) / (seen["predicted"] + OFFSET)
        penalty = np.diag([0.0, *np.ones(len(names))])
        slopes = np.linalg.solve(columns.T @ columns + penalty, columns.T @ np.log(scores + 0.01))
        ratios = (seen["true"] - seen["predicted"]) / (seen["predicted"] + OFFSET) / np.exp(columns @ slopes)
        usual = np.exp(row @ slopes) * (new["predicted"] + OFFSET)
        if sides:
            half = (1 + COVERAGE) / 2
            return around(new, *(usual * max(0.0, quantile(side, half)) for side in (-ratios, ratios)))
        reach = usual * quantile(np.abs(ratios))
        return around(new, reach, reach)

    return rule


def quantiles(*names: str) -> Rule:
    """The logarithm of the score that nine of ten stay below, by a line (Koenker and Bassett 1978), then conformal."""

    def rule(seen, new):
        columns, row = standard(seen, new, names)
        scores = errors(seen) / (seen["predicted"] + OFFSET)
        pictures, number = columns.shape
        weights = np.r_[0.0, np.ones(number - 1)]  # a little of the slopes' sizes, lest few pictures rule them
        cost = np.r_[weights, weights, np.full(pictures, COVERAGE), np.full(pictures, 1 - COVERAGE)]
        sides = np.c_[columns, -columns, np.eye(pictures), -np.eye(pictures)]
        found = linprog(cost, A_eq=sides, b_eq=np.log(scores + 0.01), method="highs").x
        slopes = found[:number] - found[number : 2 * number]
        reach = np.exp(row @ slopes) * quantile(scores / np.exp(columns @ slopes)) * (new["predicted"] + OFFSET)
        return around(new, reach, reach)

    return rule


RULES: dict[str, Rule] = {
    "one for all": nearest(10**6),
    "20 nearest in density": nearest(20),
    "40 nearest": nearest(40),
    "groups below and above 400": groups(400),
    "groups 0 to 100, to 400, above": groups(100, 400),
    "count and 10 to the power 0.7": power(0.7),
    "count and 10 to the power 0.9": power(0.9),
    "line by the count": line("count"),
    "line by density and count": line("density", "count"),
    "line by density, fineness, brightness": line("density", "fineness", "brightness"),
    "line by density, each side its own": line("density", sides=True),
    "quantiles by density": quantiles("density"),
    "quantiles by density, fineness, brightness": quantiles("density", "fineness", "brightness"),
}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("rules", "unseen"))
    parser.add_argument("--model", default="general")
    parser.add_argument("--root", help="folder of the data sets, for unseen")
    parser.add_argument("--pictures", type=int, default=20, help="of each kind (default: 20)")
    arguments = parser.parse_args(argv)
    if arguments.what == "rules":
        rules(arguments.model)
    elif arguments.root is None:
        parser.error("unseen needs --root")
    else:
        unseen(arguments.model, arguments.root, arguments.pictures)


def rules(model: str) -> None:
    card = model_card(model).content
    calibration = Calibration.from_card(card)
    if calibration is None or calibration.kinds is None:
        raise SystemExit(f"The card of {model} has no calibration that knows the kinds of its pictures.")
    kinds, everyone = calibration.kinds, np.arange(len(calibration))
    seen = {
        "true": np.array(calibration.true, float),
        "predicted": np.array(calibration.predicted, float),
        "count": np.log(np.array(calibration.predicted) + 10),
        "density": np.log(np.array([kind.density for kind in kinds]) + 10),
        "fineness": np.array([kind.fineness for kind in kinds]),
        "brightness": np.array([kind.brightness for kind in kinds]),
    }
    ships = np.array(
        [calibration.without(n).range(seen["predicted"][n], COVERAGE, kinds[n]) for n in everyone]  # type: ignore[arg-type]
    )
    ends = {"line by density (ships)": ships}
    for name, rule in RULES.items():
        each = [
            rule({k: v[everyone != n] for k, v in seen.items()}, {k: v[n] for k, v in seen.items()}) for n in everyone
        ]
        ends[name] = np.array(each)
    parts = card["calibration"]["cross_validated"]["parts"]
    sets = np.repeat(list(parts), [part["pictures"] for part in parts.values()])
    print("| rule | A: held | width (middle) | score | B: held | width (middle) | score | all: held | score |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, low_high in ends.items():
        print(f"| {name} | {' | '.join(columns_of(low_high, ships, seen, sets))} |", flush=True)
    for part in ("shanghaitech_a", "shanghaitech_b"):
        narrowest, off = floor(seen, sets == part)
        print(f"{part}: {off:.1f} off in the mean; holding {COVERAGE:.0%}, all truths known, {narrowest:.0f} wide")


def floor(seen: Seen, chosen: np.ndarray) -> tuple[float, float]:
    """Mean width of the narrowest ranges by one power of the count that hold enough known truths; the MAE."""
    counts, off = seen["predicted"][chosen], errors(seen)[chosen]
    last = int(np.ceil(COVERAGE * len(off))) - 1
    widths = []
    for some in (0.1, 3.0, 10.0, 30.0, 100.0):
        for exponent in (0.0, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2):
            unit = (counts + some) ** exponent
            reach = np.sort(off / unit)[last] * unit
            widths.append((np.minimum(counts, reach) + reach).mean())
    return min(widths), float(off.mean())


def columns_of(ends: np.ndarray, ships: np.ndarray, seen: Seen, sets: np.ndarray) -> Iterator[str]:
    """Held, width and score of part A, of part B, and of all pictures."""
    held, width = (ends[:, 0] <= seen["true"]) & (seen["true"] <= ends[:, 1]), np.ptp(ends, axis=1)
    score, less = interval_scores(ends, seen["true"]), interval_scores(ships, seen["true"])
    for part in ("shanghaitech_a", "shanghaitech_b"):
        chosen = sets == part
        yield from (f"{held[chosen].mean():.0%}", f"{width[chosen].mean():.0f} ({np.median(width[chosen]):.0f})")
        yield f"{with_error(score[chosen], '.0f')}, {with_error((score - less)[chosen], '+.0f')}"
    share = 1 / (seen["predicted"] + OFFSET)
    yield f"{held.mean():.0%}"
    yield f"{with_error(score * share, '.2f')}, {with_error((score - less) * share, '+.2f')}"


def interval_scores(ends: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Gneiting and Raftery, "Strictly Proper Scoring Rules, Prediction, and Estimation", JASA 2007, equation 43."""
    low, high = ends.T
    return high - low + MISSED * (np.maximum(0, low - true) + np.maximum(0, true - high))


def with_error(values: np.ndarray, form: str) -> str:
    """The mean and its standard error over pictures, by bootstrap."""
    drawn = np.random.default_rng(0).integers(0, len(values), (2000, len(values)))
    return f"{values.mean():{form}} ± {values[drawn].mean(axis=1).std():{form.strip('+')}}"


def unseen(model: str, root: str, most: int) -> None:
    counter = Counter(model, COVERAGE, None, "rgb", None, False)
    samples = [*load_dataset("shanghaitech_a", root, "val29"), *load_dataset("shanghaitech_b", root, "val")]
    samples = samples[:: -(-len(samples) // most)]
    kinds: dict[str, Iterator[tuple[np.ndarray, int]]] = {
        "as they are": ((sample.read(), sample.count) for sample in samples),
        "dark": ((dark(sample.read()), sample.count) for sample in samples),
        "fisheye": (bent(sample) for sample in samples),
        "drawn": (drawn(number) for number in range(most)),
    }
    print("| pictures | MAE | count / truth | held | held or no range | width / (count + 30) | warned |")
    print("|---|---|---|---|---|---|---|")
    for name, pictures in kinds.items():
        seen = [(counter(picture), true) for picture, true in tqdm(list(pictures), name, leave=False)]
        ranged = [(result, true) for result, true in seen if result.low is not None]
        held = [result.low <= true <= result.high for result, true in ranged]
        width = [(result.high - result.low) / (result.count + OFFSET) for result, _ in ranged]
        print(
            f"| {name}, {len(seen)} | {np.mean([abs(result.count - true) for result, true in seen]):.1f} "
            f"| {np.median([result.count / true for result, true in seen if true]):.2f} "
            f"| {sum(held)} of {len(held)} | {sum(held) + len(seen) - len(held)} of {len(seen)} "
            f"| {np.median(width) if width else float('nan'):.2f} | {sum(bool(r.warnings) for r, _ in seen)} |",
            flush=True,
        )


def bent(sample: Sample) -> tuple[np.ndarray, int]:
    picture, heads = fisheye(sample.read(), sample.points)
    return picture, len(heads)


def dark(picture: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 10, picture.shape)
    return np.clip(np.rint(255 * (picture / 255) ** 3 + noise), 0, 255).astype(np.uint8)


def fisheye(picture: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As an equidistant lens shows it, 60 degrees from the middle to the corners, with the heads that stay inside.

    The sides of the new picture are filled, its corners stay black.
    """
    height, width = picture.shape[:2]
    middle, far = np.array([width - 1, height - 1]) / 2, np.hypot(height, width) / 2
    short = min(height, width) / 2 * 1.15  # pixels from the middle to where 60 degrees lie
    across, down = (axis - at for axis, at in zip(np.meshgrid(np.arange(width), np.arange(height)), middle))
    radius = np.hypot(across, down)
    shrunk = np.tan(np.minimum(radius / short, 1) * FISHEYE) / np.tan(FISHEYE) * far / np.maximum(radius, 1e-9)
    at = [middle[1] + down * shrunk, middle[0] + across * shrunk]
    colors = [map_coordinates(picture[..., color].astype(np.float32), at, order=1) for color in range(3)]
    seen = np.where((radius < short)[..., None], np.stack(colors, axis=-1), 0)
    apart = points - middle
    radius = np.hypot(*apart.T)
    reach = np.arctan(radius / far * np.tan(FISHEYE)) / FISHEYE * short
    places = middle + apart * (reach / np.maximum(radius, 1e-9))[:, None]
    inside = ((places >= 0) & (places < (width, height))).all(axis=1)
    return np.clip(np.rint(seen), 0, 255).astype(np.uint8), places[inside]


def drawn(number: int) -> tuple[np.ndarray, int]:
    scene = draw_crowd(
        DRAWN[number % len(DRAWN)], size=(480, 640), seed=100 + number, scene=SCENES[number % len(SCENES)]
    )
    return scene.picture, scene.count


if __name__ == "__main__":
    main()
