"""Training with `model.fit`, from a recipe's name to weights with a card."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

import keras

from crowdcount import errors
from crowdcount.counting.ranges import Calibration
from crowdcount.data.annotations import Sample
from crowdcount.errors import TrainingError
from crowdcount.network import weight_files as model_files
from crowdcount.network.csrnet import CSRNet
from crowdcount.network.designs import DESIGNS
from crowdcount.training import callbacks, mining, pipeline
from crowdcount.training.recipes import Recipe, find_recipe


@dataclass(frozen=True)
class TrainingResult:
    """What a run left.

    Attributes:
        model: the network with its last weights (averaged ones where the recipe averages), not compiled: `compile`
            it to train on in Python, or `save` it.
        history: one dictionary an epoch, as in `history.csv`.
        best: weight file of the lowest validation MAE, `None` without validation pictures.
        last: weight file of the last epoch.
    """

    model: keras.Model
    history: list[dict]
    best: Path | None
    last: Path


def train(
    samples: Sequence[Sample],
    validation: Sequence[Sample] = (),
    *,
    out: str | os.PathLike,
    recipe: str = "default",
    resume: bool = False,
    epochs: int | None = None,
    design: str = "B",
    width: float = 1.0,
    init: str = "imagenet",
    imagenet_file: str | os.PathLike | None = None,
    maps: str | os.PathLike | None = None,
    seed: int = 0,
    command: str | None = None,
    thing: str = "people",
) -> TrainingResult:
    """Train CSRNet on head annotations.

    `out` receives `best.weights.h5` and `last.weights.h5` with their cards, `history.csv`, TensorBoard's log and, for
    `resume`, one checkpoint that each epoch replaces.

    Args:
        samples: pictures to learn from.
        validation: pictures to choose the best epoch on, counted whole and never learned from.
        out: folder to write to.
        recipe: `"default"`, `"paper"`, or `"finish"` to go on from trained weights, see `crowdcount.training.recipes`.
        resume: go on with the run whose checkpoint lies in `out`, to the result that it would have had.
        epochs: instead of the recipe's. The learning rate of `"default"` decays over all of them: another number on
            resuming is another result.
        design, width: see `crowdcount.CSRNet`.
        init: `"imagenet"`, `"none"` for random weights, or the name or file of weights to start from.
        imagenet_file: see `crowdcount.CSRNet`.
        maps: folder of density maps prepared by `crowdcount density --stride 1`; made on the fly without it. Prepared
            maps are not resized, so pictures are not either.
        seed: of the first weights, the crops and their order.
        command: the command line, for the card.
        thing: what the annotations mark, in the plural, for the card: captions, warnings and reports of counts speak
            of it.

    Returns:
        A `TrainingResult`.

    Raises:
        TrainingError: where the run cannot start, be resumed, or its loss is no number any more.
        DataError: where `samples` are empty or a prepared map does not fit.
        WeightsError: where the first weights are missing or do not fit.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> crowd = [Sample("a", np.zeros((64, 64, 3), np.uint8), [[20.0, 30.0]])]
        >>> result = train(crowd, crowd, out=tempfile.mkdtemp(), epochs=1, width=1 / 64, init="none")
        >>> result.last.name
        'last.weights.h5'
    """
    plan = find_recipe(recipe)
    out = Path(out)
    checkpoint = out / "checkpoint.h5"
    state = callbacks.read_checkpoint(checkpoint) if resume else None
    if state is None and checkpoint.exists():
        raise TrainingError(
            f"{out} holds a run already. Go on with it (resume=True, --resume) or choose another folder."
        )
    settings = {
        "recipe": recipe,
        "design": design,
        "width": width,
        "seed": seed,
        "pictures": len(samples),
        "annotations": _fingerprint(samples, validation),
        "maps": None if maps is None else Path(maps).name,
    }
    if state is not None:
        changed = {key: (state[key], value) for key, value in settings.items() if state.get(key) != value}
        if changed:
            text = ", ".join(f"{key} was {old!r}, is {new!r}" for key, (old, new) in changed.items())
            raise TrainingError(f"The run in {out} was started otherwise: {text}. Resume it as it was started.")
    else:
        state = {**settings, "init": init, "epoch": 0, "history": [], "best": None}
    epochs = epochs or state.get("epochs") or plan.epochs
    if epochs < 1:
        raise TrainingError(f"At least one epoch is needed. Received: epochs={epochs}")
    state["epochs"] = epochs

    if plan.goes_on and state["init"] in ("imagenet", "none"):
        raise TrainingError(
            f"The recipe {recipe!r} goes on from trained weights. Received: init={state['init']!r}. Give the name or the "
            "file of weights (init=, --init), or begin with the recipe 'default'."
        )

    keras.utils.set_random_seed(seed)
    model = build(plan, design, width, init if state["epoch"] == 0 else "none", imagenet_file)
    crops = plan.crops
    if maps is not None and isinstance(crops, pipeline.RandomCrops):
        crops = replace(crops, scale=(1.0, 1.0))
    steps = pipeline.epoch_steps(samples, crops, plan.batch)
    hard = None
    if plan.hard:
        start = time.monotonic()
        hard = _hard_places(out, model, samples, found=state["epoch"] > 0), plan.hard
        state["looked"] = state.get("looked", 0.0) + time.monotonic() - start
    bias = callbacks.CropBias()
    model.compile(
        plan.optimizer(steps * epochs),
        plan.loss(),
        metrics=[callbacks.CropMAE(), bias],
        jit_compile=False,  # XLA compiles anew for every size of crop, and its CPU convolutions are slower
    )
    if state["epoch"]:
        callbacks.restore_checkpoint(checkpoint, model, bias)

    history = callbacks.History(out / "history.csv", state["history"])

    def keep(which: str, results: dict, calibration: Calibration | None) -> None:
        card = {
            "network": network_card(design, width),
            "thing": thing,
            "recipe": recipe,
            "init": Path(state["init"]).name,
            "seed": seed,
            "pictures": len(samples),
            "validation_pictures": len(validation),
            "epochs": epochs,
            "kept_epoch": results["epoch"],
            "validation": {key.removeprefix("val_"): value for key, value in results.items() if key != "epoch"},
            "training_hours": round((state.get("looked", 0.0) + history.seconds()) / 3600, 2),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.python_implementation()} "
            f"{platform.python_version()}, Keras {keras.version()} on {keras.backend.backend()}",
            "command": command,
            "written": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "license": "MIT for the weights; the pictures they were trained on have terms of their own",
        }
        if calibration is not None:
            card["calibration"] = calibration.card()
        if which == "best":
            state["best"] = results["val_mae"]
        model_files.save_weights(model, out / f"{which}.weights.h5", card)

    dataset = pipeline.training_dataset(
        samples,
        crops,
        batch=plan.batch,
        sigma=plan.sigma,
        maps=maps,
        seed=seed,
        first_example=state["epoch"] * steps * plan.batch,
        hard=hard,
    )
    best = float("inf") if state["best"] is None else state["best"]
    with _readable_errors():
        model.fit(
            dataset,
            steps_per_epoch=steps,
            initial_epoch=state["epoch"],
            epochs=epochs,
            shuffle=False,  # the data set has its own order
            verbose=0,
            callbacks=[
                callbacks.StopOnNaN(),
                callbacks.Validation(validation, plan.validate_every, keep, best),
                history,
                callbacks.Checkpoint(checkpoint, state, bias),
                callbacks.Progress(steps, state["epoch"]),
                keras.callbacks.TensorBoard(out / "tensorboard", write_graph=False),
            ],
        )
    if model.optimizer.use_ema:
        model.optimizer.finalize_variable_values(model.trainable_variables)
    # Without the recipe's optimizer, whose rates are functions: a saved model could not name them, and would not open.
    plain = CSRNet(design, width)
    plain.set_weights(model.get_weights())
    best_file = out / f"best{model_files.SUFFIX}"
    return TrainingResult(
        plain, state["history"], best_file if best_file.exists() else None, out / f"last{model_files.SUFFIX}"
    )


def _hard_places(out: Path, model: keras.Model, samples: Sequence[Sample], found: bool) -> mining.HardPlaces:
    """The places that the run's first weights have trouble with, found once and kept for resuming."""
    file = out / "hard.npz"
    if found:
        return mining.load_hard_places(file, len(samples))
    places = mining.find_hard_places(model, samples)
    places.save(file)
    return places


def _fingerprint(*groups: Sequence[Sample]) -> str:
    """Digits that change with the pictures' names, their number of heads, and which of them are for validation."""
    names = [[(sample.name, sample.count) for sample in samples] for samples in groups]
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()[:12]


@contextmanager
def _readable_errors() -> Iterator[None]:
    """tf.data wraps what goes wrong while it prepares an example: say the reason, without the wrapping."""
    import tensorflow as tf

    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        raise MemoryError(str(error)) from error
    except tf.errors.OpError as error:
        reasons = re.findall(r"^(?:\w+\.)*(\w*Error): (.+)$", error.message or "", re.MULTILINE)
        if not any(kind in vars(errors) for kind, _ in reasons):
            raise
        raise TrainingError(f"A picture cannot be trained on. {reasons[0][1]}") from None


def build(
    plan: Recipe, design: str, width: float, init: str, imagenet_file: str | os.PathLike | None = None
) -> keras.Model:
    """The network as a recipe starts it: first weights, frozen layers."""
    model = CSRNet(design, width, weights=None if init == "none" else init, imagenet_file=imagenet_file)
    if init in ("imagenet", "none"):
        plan.start(model)
    for layer in model.layers:
        layer.trainable = not layer.name.startswith(plan.frozen)
    return model


def network_card(design: str, width: float) -> dict:
    """The part of a card that says which network the weights fit."""
    rates = {f"dilated{position}": rate for position, rate in enumerate(DESIGNS[design], start=1)}
    return {"design": design, "width": width, "rates": rates}
