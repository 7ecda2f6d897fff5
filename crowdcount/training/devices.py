"""On which devices a run trains: as Keras chooses, on all GPUs of a machine, or on several machines.

All of them see the same batches: the batch of the recipe is shared evenly, so a run's result is that of one device, to
rounding.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras

from crowdcount.errors import TrainingError, first_line

STRATEGIES = ("mirrored", "multiworker")


class Devices:
    """The device that Keras chooses: a GPU where there is one.

    Attributes:
        chief: whether this process writes what the run leaves.
        number: devices that share a batch.
        feeding: what `crowdcount.training.feeding.batches` needs to know.
    """

    chief = True
    number = 1
    feeding: dict[str, Any] = {}

    def scope(self) -> AbstractContextManager:
        """For making the network and its optimizer."""
        return nullcontext()

    def metrics_scope(self) -> AbstractContextManager:
        """For making metrics."""
        return self.scope()

    def fit(
        self,
        model: keras.Model,
        examples: Any,
        *,
        steps: int,
        first: int,
        end: int,
        metrics: Sequence[keras.metrics.Metric],
        callbacks: Sequence[keras.callbacks.Callback],
    ) -> None:
        """Train a compiled model.

        Args:
            model: compiled under `scope`.
            examples: endless, from `crowdcount.training.feeding.batches`.
            steps: an epoch.
            first, end: epochs `first` to `end - 1`.
            metrics: that it was compiled with.
            callbacks: as for `model.fit`.
        """
        model.fit(
            examples,
            steps_per_epoch=steps,
            initial_epoch=first,
            epochs=end,
            shuffle=False,  # the data set has its own order
            verbose=0,
            callbacks=list(callbacks),
        )

    def check_batch(self, batch: int) -> None:
        """Raise a TrainingError where a batch cannot be shared evenly."""
        if batch % self.number:
            raise TrainingError(
                f"A batch of {batch} examples cannot be shared evenly by {self.number} devices. Train on a number of "
                "them that divides it, or by a recipe of your own with larger batches (docs/scale_out.md)."
            )


class Mirrored(Devices):
    """All GPUs of this machine (without one, its logical CPU devices), each with a part of every batch."""

    def __init__(self) -> None:
        import tensorflow as tf

        found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        self.strategy = tf.distribute.MirroredStrategy([device.name for device in found])
        self.number = self.strategy.num_replicas_in_sync

    def scope(self) -> AbstractContextManager:
        return self.strategy.scope()


class Workers(Devices):
    """Several machines, each a process with `TF_CONFIG`, and the GPUs of each.

    Raises:
        TrainingError: without a `TF_CONFIG` that names the workers and this one of them.
    """

    def __init__(self) -> None:
        workers, index = _cluster(os.environ.get("TF_CONFIG"))
        import tensorflow as tf

        try:
            self.strategy = tf.distribute.MultiWorkerMirroredStrategy()
        except (RuntimeError, ValueError, tf.errors.OpError) as error:
            raise TrainingError(
                f"The {workers} workers of TF_CONFIG did not come together ({first_line(error)}). Start one "
                "process for each of them, all at about the same time, at addresses that the others reach."
            ) from None
        self.number = self.strategy.num_replicas_in_sync
        self.chief = index == 0
        self.feeding = {"share": (index, workers)}

    def scope(self) -> AbstractContextManager:
        return self.strategy.scope()

    def metrics_scope(self) -> AbstractContextManager:
        # Each process has the metrics of the whole batch to itself: reading them waits for nobody.
        return nullcontext()

    def fit(self, model, examples, *, steps, first, end, metrics, callbacks):
        from crowdcount.training.loop import fit

        fit(model, examples, self.strategy, steps=steps, first=first, end=end, metrics=metrics, callbacks=callbacks)


def find_devices(strategy: str | None) -> Devices:
    """The devices of `--strategy`; call it before anything else uses TensorFlow.

    Args:
        strategy: None, `"mirrored"` or `"multiworker"`.

    Raises:
        TrainingError: for another name, on another backend than TensorFlow, or where the workers do not find each
            other.

    Example:
        >>> find_devices(None).number
        1
    """
    if strategy is None:
        return Devices()
    if strategy not in STRATEGIES:
        raise TrainingError(f"`strategy` must be one of {', '.join(STRATEGIES)}. Received: strategy={strategy!r}")
    if keras.backend.backend() != "tensorflow":
        raise TrainingError(
            f"Training on several devices needs Keras on TensorFlow; it runs on {keras.backend.backend()}. Set "
            "KERAS_BACKEND=tensorflow, or leave the strategy out."
        )
    return Mirrored() if strategy == "mirrored" else Workers()


def _cluster(config: str | None) -> tuple[int, int]:
    """The number of workers in `TF_CONFIG`, and which of them this process is."""
    advice = (
        'Set it in each process, as {"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", '
        '"index": 0}} (docs/scale_out.md).'
    )
    if not config:
        raise TrainingError(f"TF_CONFIG is not set: it says which machines train together. {advice}")
    try:
        found = json.loads(config)
        workers, task = found["cluster"]["worker"], found["task"]
        index, right = int(task["index"]), task["type"] == "worker" and list(found["cluster"]) == ["worker"]
    except (ValueError, KeyError, TypeError):
        raise TrainingError(f"TF_CONFIG is not what it should be. Received: {config}. {advice}") from None
    if not (right and isinstance(workers, list) and 0 <= index < len(workers)):
        raise TrainingError(f"TF_CONFIG must name workers alone and one of them. Received: {config}. {advice}")
    return len(workers), index
