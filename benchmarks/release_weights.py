"""Measure a run's weights on validation and file them, with card and learning curve, among the weights that ship.

    python benchmarks/release_weights.py RUN_FOLDER NAME --root FOLDER [--keep best|last] [--on DATASETS]
        [--split val] [--calibrate SPLIT] [--command "crowdcount train ..."]

The run is measured on the validation pictures of what it was trained on, or of the data sets that the weights are
for (`--on`, joined by +), with `crowdcount.evaluate`: whole pictures, scored against the number of head annotations,
each data set apart. Weights that ship under this name are measured on the same pictures: the differences, with their
intervals, are printed. The counts of these pictures go into the card as the calibration of the ranges; how well ranges
hold is tried picture by picture, calibrated on all but one and tried on that one, and told of each data set. A network
that has learned from some of them counts these too well, and ranges would be too narrow: `--calibrate` names the split
that it has not learned from (`val29`, where it goes on from weights that were chosen on the first list of part A).

A run that went on from weights that ship (`--init general`) goes on with their learning curve, too: the curve's
column `run` numbers the runs, and the card lists their commands and hours.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from crowdcount.counting.ranges import COVERAGE, Calibration, leave_one_out, leave_one_out_zones
from crowdcount.data.annotations import load_dataset
from crowdcount.files import atomic_path
from crowdcount.measuring.evaluation import Evaluation, evaluate
from crowdcount.measuring.uncertainty import MEASURES
from crowdcount.network.cards import model_card
from crowdcount.network.loading import load_model
from crowdcount.network.weight_files import SUFFIX, save_weights
from crowdcount.show.plots import plot_learning
from crowdcount.training.callbacks import HISTORY_FIELDS

WEIGHTS = Path(__file__).resolve().parents[1] / "weights"
# Data sets by the name that --on takes -> their name in a sentence.
TITLES = {
    "shanghaitech_a": "ShanghaiTech A",
    "shanghaitech_b": "ShanghaiTech B",
    "ucf_cc_50": "UCF_CC_50",
    "brt": "Beijing-BRT",
    "nobody": "photos of nobody",
    "csv": "drawn crowds",  # by drawn_crowds.py: no other list of points was trained on
}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--root", required=True)
    parser.add_argument("--keep", choices=("best", "last"), default="best")
    parser.add_argument("--on", metavar="DATASETS", help="measured on these, joined by + (default: all trained on)")
    parser.add_argument("--split", default="val", help="of these data sets (default: val)")
    parser.add_argument(
        "--calibrate", metavar="SPLIT", help="the part of these that ranges are calibrated with (default: all)"
    )
    parser.add_argument("--command", metavar="TEXT", help="how the run was made, where its card does not say it")
    arguments = parser.parse_args(argv)

    file = arguments.run / f"{arguments.keep}{SUFFIX}"
    model, card = load_model(file), dict(model_card(file).content)
    card["command"] = arguments.command or card.get("command")
    datasets = trained_on(card) if arguments.on is None else arguments.on.split("+")
    own = read_csv(arguments.run / "history.csv")
    curve, runs = whole_curve(own, card)
    target = WEIGHTS / f"{arguments.name}{SUFFIX}"
    groups = {name: load_dataset(name, arguments.root, arguments.split) for name in datasets}
    result = evaluate(model, groups, maps=True, against=target if target.is_file() else None)
    parts = result.parts or {datasets[0]: result}
    metrics = {f"{name} {arguments.split}": measured(part) for name, part in parts.items()}
    for name, part in {**parts, "all": result}.items():
        print(name, measured(part), flush=True)
        if part.against is not None:
            print(f"  less the {arguments.name} that ships: {told(part)}", flush=True)
    calibration, names = calibrated(parts, arguments.root, arguments.calibrate)
    ranges = tried(calibration, names)
    for name, each in ranges.items():
        print(f"ranges at {COVERAGE}, {name}: {each}")

    # The sizes at which pictures are counted are fitted by benchmarks/scale.py, anew for these weights; until then the
    # ones of the weights that they go on from are nearer than none.
    before = target if target.is_file() else WEIGHTS / f"{card.get('init')}{SUFFIX}"
    shipped = model_card(before).content if before.is_file() else {}
    sizes = {"sizes": shipped["sizes"]} if "sizes" in shipped else {}
    WEIGHTS.mkdir(exist_ok=True)
    save_weights(
        model,
        target,
        {
            "name": arguments.name,
            "dataset": described(runs),
            **card,
            **sizes,
            **epochs_of(own),
            "training_hours": round(sum(run["hours"] for run in runs), 2),
            "runs": runs,
            "metrics": metrics,
            "calibration": {
                **calibration.card(),
                "cross_validated": {"asked": COVERAGE, **ranges.pop("all"), "parts": ranges},
            },
        },
    )
    with atomic_path(WEIGHTS / f"{arguments.name}.csv") as temporary, open(temporary, "w", newline="") as table:
        writer = csv.DictWriter(table, ("run", *HISTORY_FIELDS), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(curve)
    with atomic_path(WEIGHTS / f"{arguments.name}.png") as temporary:
        plot_learning(curve, title=f"{arguments.name}: {described(runs)}", kept=card["kept_epoch"]).savefig(temporary)
    print(
        json.dumps({key: value for key, value in model_card(target).content.items() if key != "calibration"}, indent=2)
    )


def calibrated(parts: dict[str, Evaluation], root: str, split: str | None) -> tuple[Calibration, list[str]]:
    """The calibration that measured pictures make, and the data set of each of its pictures.

    Args:
        parts: what was measured of each data set.
        split: take these pictures of them alone; None: all.
    """
    kept = []
    for name, part in parts.items():
        wanted = None if split is None else {sample.name for sample in load_dataset(name, root, split)}
        for row, seen in zip(part.rows, part.observed, strict=True):
            if wanted is None or row["picture"] in wanted:
                kept.append((name, seen))
    # Tried as the card will hold it, with rounded numbers: whoever tries it there comes to the same.
    calibration = Calibration.from_card({"calibration": Calibration.of(seen for _, seen in kept).card()})
    assert calibration is not None
    return calibration, [name for name, _ in kept]


def tried(calibration: Calibration, names: Sequence[str]) -> dict[str, dict]:
    """How well ranges hold on pictures that they were not calibrated with: of each data set, and of `all`.

    Args:
        calibration: the pictures.
        names: the data set of each.
    """
    held, width = leave_one_out(calibration)
    zones, zone_width = leave_one_out_zones(calibration)
    groups = {name: np.array(names) == name for name in dict.fromkeys(names)}
    return {
        name: {
            "pictures": int(chosen.sum()),
            "held": round(float(held[chosen].mean()), 4),
            "mean_width": round(float(width[chosen].mean()), 1),
            "quarters_held": round(float(zones[chosen].mean()), 4),
            "quarters_mean_width": round(float(zone_width[chosen].mean()), 1),
        }
        for name, chosen in {**groups, "all": np.ones(len(held), bool)}.items()
    }


def told(part: Evaluation) -> str:
    """The differences of one data set in a line."""
    differences = part.against.differences.items()
    text = ", ".join(f"{name} {each.value:+.4g} ({each.low:+.4g} to {each.high:+.4g})" for name, each in differences)
    return f"{text}; nearer in {part.against.nearer} of {part.pictures}, farther in {part.against.other_nearer}"


def trained_on(card: dict) -> list[str]:
    """Names of the data sets that the run learned from, by the command in its card."""
    words = (card.get("command") or "").split()
    if words[:2] != ["crowdcount", "train"] or len(words) < 3:
        raise SystemExit(
            f"The card does not say what the run was trained on. Its command: {card.get('command')!r}. "
            "Release runs of `crowdcount train`, or say it with --command."
        )
    return [name.split("*")[0] for name in words[2].split("+")]


def described(runs: Sequence[dict]) -> str:
    """What the runs learned from, in words: the last one's pictures, and those that only earlier ones had."""
    *before, last = ([TITLES.get(name, name) for name in trained_on(run)] for run in runs)
    earlier = sorted({name for names in before for name in names} - set(last))
    text = f"training pictures of {listed(last)}"
    if any("ShanghaiTech" in name for name in last):
        text += ", less the near-copies of test pictures"
    return f"{text}; in earlier runs also {listed(earlier)}" if earlier else text


def listed(names: Sequence[str]) -> str:
    """`A, B and C`."""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def whole_curve(own: Sequence[dict], card: dict) -> tuple[list[dict], list[dict]]:
    """The run's epochs after those of the weights that it went on from, and for the card a line a run."""
    curve, runs = [], []
    if card["init"] not in ("imagenet", "none", "teacher"):
        earlier = WEIGHTS / f"{card['init']}.csv"
        if not earlier.is_file():
            raise SystemExit(
                f"The run went on from {card['init']!r}, and there is no {earlier.name} in {WEIGHTS} with the epochs "
                'before it. Release that run first, and write the name that it got as "init" into this run\'s card.'
            )
        curve, runs = read_csv(earlier), model_card(WEIGHTS / f"{card['init']}{SUFFIX}").content["runs"]
        # Where this run is released again under the name that it went on from, the curve there ends with itself.
        again = next((row["run"] for row in curve if row["loss"] == own[0]["loss"]), None)
        if again is not None:
            curve, runs = ([row for row in rows if int(row["run"]) < int(again)] for rows in (curve, runs))
    number = len(runs) + 1
    curve = curve + [{"run": number, **row} for row in own]
    hours = round(sum(float(row["seconds"]) for row in own) / 3600, 2)
    kept = {key: card[key] for key in ("command", "init", "teacher", "remarks") if key in card}
    return curve, [*runs, {"run": number, "epochs": len(own), "hours": hours, **kept}]


def epochs_of(own: Sequence[dict]) -> dict:
    """The run's best validated epoch, where one was validated, and its last one, for the card."""
    each = [epoch_of(row) for row in own]
    measure = "log_ratio" if any("log_ratio" in row for row in each) else "mae"
    best = min((row for row in each if measure in row), key=lambda row: row[measure], default=None)
    return {**({} if best is None else {"best_epoch": best}), "last_epoch": each[-1]}


def epoch_of(row: dict) -> dict:
    """What a row of the curve says of its epoch, for the card."""
    digits = {"log_ratio": 4, "nae": 4, "mae": 2, "rmse": 2, "bias": 2}
    validation = {key: round(float(row[f"val_{key}"]), count) for key, count in digits.items() if row.get(f"val_{key}")}
    return {"epoch": int(row["epoch"]), "loss": round(float(row["loss"]), 3), **validation}


def measured(result: Evaluation) -> dict:
    def rounded(name: str, value: float) -> float | None:
        # Photos of nobody have no error as a share of their people, and JSON has no NaN.
        return None if np.isnan(value) else round(value, {"nae": 4, "log_ratio": 4}.get(name, 2))

    maps = {} if result.psnr is None else {"psnr": round(result.psnr, 2), "ssim": round(result.ssim, 4)}
    return {
        "pictures": result.pictures,
        **{name: rounded(name, getattr(result, name)) for name in MEASURES},
        "standard_error": {name: rounded(name, result.standard_error[name]) for name in MEASURES},
        "game": [round(value, 2) for value in result.game],
        **maps,
    }


def read_csv(path: Path) -> list[dict]:
    """The rows of a curve, in the columns of today: before they had a log ratio, the crops' bias was a share."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    fields = ("run", *HISTORY_FIELDS)
    return [
        {key: "" if key == "bias" and "val_log_ratio" not in row else row[key] for key in fields if key in row}
        for row in rows
    ]


if __name__ == "__main__":
    main()
