"""Measure a run's weights on validation and file them, with their card, among the weights that ship.

    python benchmarks/release_weights.py RUN_FOLDER NAME --root FOLDER [--keep best|last]

The figures in the card are those of `crowdcount.evaluate`: whole pictures, scored against the number of head
annotations. The counts of all these pictures go into the card as the calibration of the ranges; how well
ranges hold is tried on halves of them: calibrated on one half, tried on the other, 1000 times.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from crowdcount.annotations import load_dataset
from crowdcount.evaluation import evaluate
from crowdcount.model_files import load_model, model_card, save_weights
from crowdcount.ranges import COVERAGE, Calibration, cross_validate

DATASETS = ("shanghaitech_a", "shanghaitech_b")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--root", required=True)
    parser.add_argument("--keep", choices=("best", "last"), default="best")
    arguments = parser.parse_args()

    file = arguments.run / f"{arguments.keep}.weights.h5"
    model, card = load_model(file), model_card(file)
    metrics, rows = {}, []
    for dataset in DATASETS:
        result = evaluate(model, load_dataset(dataset, arguments.root, "val"), maps=True)
        metrics[f"{dataset} val"] = {
            "pictures": result.pictures,
            "mae": round(result.mae, 2),
            "rmse": round(result.rmse, 2),
            "nae": round(result.nae, 4),
            "bias": round(result.bias, 2),
            "game": [round(value, 2) for value in result.game],
            "psnr": round(result.psnr, 2),
            "ssim": round(result.ssim, 4),
        }
        print(dataset, metrics[f"{dataset} val"], flush=True)
        rows += result.rows
    true, predicted = ([row[key] for row in rows] for key in ("true", "predicted"))
    held, width = cross_validate(true, predicted)
    print(f"ranges at {COVERAGE}: hold {held:.3f} of the truths of other pictures, mean width {width:.0f}")
    history = (arguments.run / "history.csv").read_text().splitlines()
    target = Path(__file__).resolve().parents[1] / "weights" / f"{arguments.name}.weights.h5"
    save_weights(
        model,
        target,
        {
            "name": arguments.name,
            "dataset": "training pictures of ShanghaiTech A and B, less the near-copies of test pictures",
            **card,
            "metrics": metrics,
            "calibration": {
                **Calibration(true, predicted).card(),
                "cross_validated": {"asked": COVERAGE, "held": round(held, 4), "mean_width": round(width, 1)},
            },
            "history": history,
        },
    )
    print(json.dumps(model_card(target), indent=2))


if __name__ == "__main__":
    main()
