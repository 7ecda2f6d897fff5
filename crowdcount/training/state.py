"""What a run leaves to be resumed: one checkpoint with weights, optimizer and settings, that each epoch replaces."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
from keras import ops

from crowdcount.data.annotations import Sample
from crowdcount.errors import TrainingError, first_line
from crowdcount.files import atomic_path, clear_leftovers, size_of
from crowdcount.network.designs import LAYERS
from crowdcount.training.optimizers import LayerRateAdam, LayerRateSGD
from crowdcount.training.plan import Plan, refuse_changes

NAME = "checkpoint.h5"
_FORMAT = 2
# What of an optimizer's settings is compared; versions of Keras add others.
_RATES = ("learning_rate", "weight_decay", "momentum", "beta_1", "beta_2", "use_ema", "ema_momentum")


def new_state(plan: Plan, samples: Sequence[Sample], validation: Sequence[Sample], **source: str | None) -> dict:
    """The state of a run before its first epoch.

    Args:
        plan: what it is to do.
        samples, validation: its pictures.
        source: `dataset` and `root` that the pictures were read from, and the `command`, where they are known.
    """
    return {
        "format": _FORMAT,
        **plan.settings(),
        **_pictures(plan, samples, validation),
        **source,
        "epochs": plan.epochs,
        "epoch": 0,
        "phase": plan.recipe.phases[0].name,
        "history": [],
        "best": None,
    }


def check_pictures(state: dict, plan: Plan, samples: Sequence[Sample], validation: Sequence[Sample]) -> None:
    """Raise a TrainingError where a run is to be resumed with other pictures, or maps of them, than it began with."""
    now = _pictures(plan, samples, validation)
    # Runs that began before one of these was kept have none to compare with.
    refuse_changes({key: (state[key], value) for key, value in now.items() if state.get(key, value) != value})


def _pictures(plan: Plan, samples: Sequence[Sample], validation: Sequence[Sample]) -> dict:
    return {
        "pictures": len(samples),
        "annotations": _fingerprint(samples, validation),
        "places": _fingerprint_of_places(samples, validation),
        "kernels": _fingerprint_of_kernels(plan, samples),
        "bytes": _fingerprint_of_bytes(samples, validation),
        "optimizers": _fingerprint_of_optimizers(plan),
    }


def _fingerprint_of_kernels(plan: Plan, samples: Sequence[Sample]) -> str:
    """Digits that change with what the recipe's `sigma`, a function that has no digits of its own, gives for these."""
    kernels = [str(plan.recipe.kernel(sample)) for sample in samples]
    return hashlib.sha256(json.dumps(kernels).encode()).hexdigest()[:12]


def _fingerprint_of_optimizers(plan: Plan) -> str:
    """Digits that change with the rates of the phases' optimizers, as far as these tell them."""
    told: list[dict] = []
    for phase in plan.recipe.phases:
        optimizer = phase.optimizer(1000, 0, 1000)
        told.append({"class": type(optimizer).__name__})
        with suppress(NotImplementedError):  # a schedule of one's own may not say what it does
            config = optimizer.get_config()
            told[-1] |= {key: _settled(config.get(key)) for key in _RATES}
        if isinstance(optimizer, (LayerRateAdam, LayerRateSGD)):
            kinds = itertools.product(LAYERS, ("kernel", "bias"))
            told[-1]["factors"] = [optimizer.factor(layer, kind) for layer, kind in kinds]
    return hashlib.sha256(json.dumps(told, default=lambda value: type(value).__name__).encode()).hexdigest()[:12]


def _settled(value: Any) -> Any:
    """A setting of an optimizer as it is told alike each time: a function is not, and a rate is rounded to float32."""
    if not isinstance(value, dict):
        return f"{value:.4g}" if isinstance(value, float) else value
    config = value.get("config")
    is_schedule = isinstance(config, dict) and value["class_name"] != "__lambda__"
    return config if is_schedule else None


def _fingerprint_of_bytes(*groups: Sequence[Sample]) -> str:
    """Digits that change with the pictures' sizes in bytes, which hardly any other picture has: none is read for it."""
    pictures = [sample.picture for sample in itertools.chain(*groups)]
    sizes = [size_of(each) if isinstance(each, Path) else np.asarray(each).nbytes for each in pictures]
    return hashlib.sha256(json.dumps(sizes).encode()).hexdigest()[:12]


def _fingerprint_of_places(*groups: Sequence[Sample]) -> str:
    """Digits that change with where heads, boxes to ignore and corners of regions are, and with the size of masks."""
    digest = hashlib.sha256()
    for sample in itertools.chain(*groups):
        if sample.roi and sample.roi.file:
            digest.update(f"{size_of(sample.roi.file)}|".encode())
        for places in (sample.points, sample.ignore, *(sample.roi.polygons if sample.roi else ())):
            digest.update(np.asarray(places, np.float64).tobytes() + b"|")
    return digest.hexdigest()[:12]


def _fingerprint(*groups: Sequence[Sample]) -> str:
    """Digits that change with the pictures' names, their number of heads, and which of them are for validation."""
    names = [[(sample.name, sample.count) for sample in samples] for samples in groups]
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()[:12]


def read_state(out: str | os.PathLike) -> dict:
    """What the checkpoint in a run's folder says of the run: settings, epoch, history, where its pictures lie.

    Raises:
        TrainingError: where there is no checkpoint, it is damaged, or of a run that can no longer be gone on with.
    """
    path = Path(out) / NAME
    try:
        with h5py.File(path, "r") as file:
            state = json.loads(file.attrs["state"])
    except FileNotFoundError:
        raise TrainingError(f"There is nothing to resume: {path} does not exist. Start without --resume.") from None
    except (OSError, KeyError, ValueError) as error:
        raise TrainingError(
            f"The checkpoint {path} is damaged ({first_line(error)}). Start another run in another folder; "
            "--init takes the weights that this one kept."
        ) from None
    if state.get("format") != _FORMAT:
        raise TrainingError(
            f"The run in {path.parent} began with an earlier version of crowdcount, which showed other examples. Start "
            "another run in another folder; --init takes the weights that this one kept."
        )
    return state


class Checkpoint(keras.callbacks.Callback):
    """Writes everything that a run needs to go on, each epoch, in one file that replaces the one before.

    The file holds the weights, the optimizer's state (moments, averages, step), the epoch and `state`, as float32 and
    JSON. The data need no state of their own: example n is a function of the seed and n.
    """

    def __init__(self, path: Path, state: dict, metric: keras.metrics.Metric):
        super().__init__()
        self.path, self.state, self.metric = path, state, metric

    def on_train_begin(self, logs=None):
        clear_leftovers(self.path.parent)  # up to a whole checkpoint a kill

    def on_epoch_end(self, epoch, logs=None):
        self.state["epoch"] = epoch + 1
        with atomic_path(self.path) as temporary, h5py.File(temporary, "w") as file:
            for group, variables in _groups(self.model, self.metric).items():
                for index, variable in enumerate(variables):
                    file[f"{group}/{index}"] = ops.convert_to_numpy(variable)
            file.attrs["state"] = json.dumps(self.state)


def restore_checkpoint(path: str | os.PathLike, model: keras.Model, metric: keras.metrics.Metric) -> None:
    """Load a checkpoint's weights and optimizer state into a compiled model, in place.

    Args:
        path: the file.
        model: compiled as the run's was.
        metric: the one whose window goes on over epochs, `crowdcount.training.callbacks.Drift`.

    Raises:
        TrainingError: for a checkpoint of another network or optimizer.
    """
    model.optimizer.build(model.trainable_variables)
    with h5py.File(path, "r") as file:
        for group, variables in _groups(model, metric).items():
            stored = file[group]
            shapes = [stored[str(index)].shape for index in range(len(stored))]
            if shapes != [tuple(variable.shape) for variable in variables]:
                raise TrainingError(
                    f"The checkpoint {path} was written by another network or optimizer ({group} differ): resume with "
                    "the design, width, recipe and number of epochs that the run began with."
                )
            for index, variable in enumerate(variables):
                variable.assign(stored[str(index)][()])


def _groups(model: keras.Model, metric: keras.metrics.Metric) -> dict[str, list]:
    return {"model": model.variables, "optimizer": model.optimizer.variables, "bias": metric.variables}
