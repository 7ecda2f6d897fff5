"""The card of weights that a run keeps: what they are and how they came about."""

from __future__ import annotations

import math
import os
import platform
from datetime import datetime, timezone
from pathlib import Path

import keras

from crowdcount.counting.ranges import Calibration
from crowdcount.network.designs import dilation_rates
from crowdcount.training.plan import Plan


def run_card(
    plan: Plan,
    state: dict,
    results: dict,
    calibration: Calibration | None,
    *,
    pictures: int,
    validation: int,
    seconds: float,
) -> dict:
    """The card of the weights of one epoch.

    Args:
        plan: of the run.
        state: of the run, see `crowdcount.training.state`.
        results: `epoch`, and what validation measured in it, if it was validated: names that begin with `val_`.
        calibration: of the ranges, or None.
        pictures: number of pictures that it learns from; of `NAME*3` each once.
        validation: number of validation pictures.
        seconds: that the training has taken.

    Returns:
        What goes into the JSON file beside the weights; no folder of this machine is in it.
    """
    card = {
        "network": network_card(plan.design, plan.width),
        "thing": state.get("thing", "people"),
        "recipe": plan.recipe.name,
        "init": Path(plan.init).name,
        "seed": plan.seed,
        "data": state.get("dataset"),
        "pictures": pictures,
        "validation_pictures": validation,
        "epochs": plan.epochs,
        "kept_epoch": results["epoch"],
        "phase": state["phase"],
        # Pictures of nobody have no NAE, and JSON has no word for that but null.
        "validation": {
            key.removeprefix("val_"): value if math.isfinite(value) else None
            for key, value in results.items()
            if key != "epoch"
        },
        "training_hours": round(seconds / 3600, 2),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.python_implementation()} "
        f"{platform.python_version()}, Keras {keras.version()} on {keras.backend.backend()}",
        "command": state.get("command"),
        "written": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "license": "MIT for the weights; the pictures they were trained on have terms of their own",
    }
    if plan.teacher is not None:
        card["teacher"] = Path(plan.teacher).name
    if calibration is not None:
        card["calibration"] = calibration.card()
    return card


def network_card(design: str, width: float) -> dict:
    """The part of a card that says which network the weights fit."""
    return {"design": design, "width": width, "rates": dilation_rates(design)}
