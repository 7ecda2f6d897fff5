"""Measure a run's weights on validation and file them, with card and learning curve, among the weights that ship.

    python benchmarks/release_weights.py RUN_FOLDER NAME --root FOLDER [--keep best|last] [--on DATASET]

The run is measured on the validation pictures of what it was trained on, or of the part of it that the weights are
for (`--on`), with `crowdcount.evaluate`: whole pictures, scored against the number of head annotations. The counts of
all these pictures go into the card as the calibration of the ranges; how well ranges hold is tried on halves of them:
calibrated on one half, tried on the other, 1000 times.

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

from crowdcount.counting.ranges import COVERAGE, Calibration, cross_validate
from crowdcount.data.annotations import load_dataset
from crowdcount.files import atomic_path
from crowdcount.measuring.evaluation import Evaluation, evaluate
from crowdcount.network.cards import model_card
from crowdcount.network.loading import load_model
from crowdcount.network.weight_files import SUFFIX, save_weights
from crowdcount.show.plots import plot_learning
from crowdcount.training.callbacks import HISTORY_FIELDS

WEIGHTS = Path(__file__).resolve().parents[1] / "weights"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--root", required=True)
    parser.add_argument("--keep", choices=("best", "last"), default="best")
    parser.add_argument("--on", metavar="DATASET", help="measured on its validation pictures (default: all trained on)")
    arguments = parser.parse_args(argv)

    file = arguments.run / f"{arguments.keep}{SUFFIX}"
    model, card = load_model(file), model_card(file)
    datasets = trained_on(card) if arguments.on is None else [arguments.on]
    own = read_csv(arguments.run / "history.csv")
    curve, runs = whole_curve(own, card)
    metrics, rows = {}, []
    for dataset in datasets:
        result = evaluate(model, load_dataset(dataset, arguments.root, "val"), maps=True)
        metrics[f"{dataset} val"] = measured(result)
        print(dataset, metrics[f"{dataset} val"], flush=True)
        rows += result.rows
    true, predicted = ([row[key] for row in rows] for key in ("true", "predicted"))
    held, width = cross_validate(true, predicted)
    print(f"ranges at {COVERAGE}: hold {held:.3f} of the truths of other pictures, mean width {width:.0f}")

    target = WEIGHTS / f"{arguments.name}{SUFFIX}"
    save_weights(
        model,
        target,
        {
            "name": arguments.name,
            "dataset": described(runs),
            **card,
            "best_epoch": min((row for row in map(epoch_of, own) if "mae" in row), key=lambda row: row["mae"]),
            "last_epoch": epoch_of(own[-1]),
            "training_hours": round(sum(run["hours"] for run in runs), 2),
            "runs": runs,
            "metrics": metrics,
            "calibration": {
                **Calibration(true, predicted).card(),
                "cross_validated": {"asked": COVERAGE, "held": round(held, 4), "mean_width": round(width, 1)},
            },
        },
    )
    with atomic_path(WEIGHTS / f"{arguments.name}.csv") as temporary, open(temporary, "w", newline="") as table:
        writer = csv.DictWriter(table, ("run", *HISTORY_FIELDS), lineterminator="\n")
        writer.writeheader()
        writer.writerows(curve)
    with atomic_path(WEIGHTS / f"{arguments.name}.png") as temporary:
        plot_learning(curve, title=f"{arguments.name}: {described(runs)}", kept=card["kept_epoch"]).savefig(temporary)
    print(json.dumps(model_card(target), indent=2))


def trained_on(card: dict) -> list[str]:
    """Names of the data sets that the run learned from, by the command in its card."""
    words = (card.get("command") or "").split()
    if words[:2] != ["crowdcount", "train"]:
        raise SystemExit(
            f"The card does not say what the run was trained on. Its command: {card.get('command')!r}. "
            "Release runs of `crowdcount train`."
        )
    return words[2].split("+")


def described(runs: Sequence[dict]) -> str:
    """What the runs learned from, in words: the last one's pictures, and those that only earlier ones had."""
    *before, last = ({name[-1].upper() for name in trained_on(run)} for run in runs)
    earlier = set().union(*before) - last
    text = f"training pictures of ShanghaiTech {' and '.join(sorted(last))}, less the near-copies of test pictures"
    return f"{text}; in earlier runs also {' and '.join(sorted(earlier))}" if earlier else text


def whole_curve(own: Sequence[dict], card: dict) -> tuple[list[dict], list[dict]]:
    """The run's epochs after those of the weights that it went on from, and for the card a line a run."""
    curve, runs = [], []
    if card["init"] not in ("imagenet", "none"):
        earlier = WEIGHTS / f"{card['init']}.csv"
        if not earlier.is_file():
            raise SystemExit(
                f"The run went on from {card['init']!r}, and there is no {earlier.name} in {WEIGHTS} with the epochs "
                'before it. Release that run first, and write the name that it got as "init" into this run\'s card.'
            )
        curve, runs = read_csv(earlier), model_card(WEIGHTS / f"{card['init']}{SUFFIX}")["runs"]
        # Where this run is released again under the name that it went on from, the curve there ends with itself.
        again = next((row["run"] for row in curve if row["loss"] == own[0]["loss"]), None)
        if again is not None:
            curve, runs = ([row for row in rows if int(row["run"]) < int(again)] for rows in (curve, runs))
    number = len(runs) + 1
    curve = curve + [{"run": number, **row} for row in own]
    hours = round(sum(float(row["seconds"]) for row in own) / 3600, 2)
    kept = {key: card[key] for key in ("command", "init", "remarks") if key in card}
    return curve, [*runs, {"run": number, "epochs": len(own), "hours": hours, **kept}]


def epoch_of(row: dict) -> dict:
    """What a row of the curve says of its epoch, for the card."""
    validation = {key: round(float(row[f"val_{key}"]), 2) for key in ("mae", "rmse", "bias") if row[f"val_{key}"]}
    return {"epoch": int(row["epoch"]), "loss": round(float(row["loss"]), 3), **validation}


def measured(result: Evaluation) -> dict:
    return {
        "pictures": result.pictures,
        "mae": round(result.mae, 2),
        "rmse": round(result.rmse, 2),
        "nae": round(result.nae, 4),
        "bias": round(result.bias, 2),
        "game": [round(value, 2) for value in result.game],
        "psnr": round(result.psnr, 2),
        "ssim": round(result.ssim, 4),
    }


def read_csv(path: Path) -> list[dict]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
