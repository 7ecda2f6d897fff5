"""The training loop over several machines, where Keras's `model.fit` does not work (keras-team/keras issue 20585).

The same network, optimizer, loss, metrics and callbacks as with `fit`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from crowdcount.errors import TrainingError

# What a collective operation ends with when another process is gone.
_GONE = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)


def fit(
    model: keras.Model,
    examples: tf.data.Dataset,
    strategy: tf.distribute.Strategy,
    *,
    steps: int,
    first: int,
    end: int,
    metrics: Sequence[keras.metrics.Metric],
    callbacks: Sequence[keras.callbacks.Callback],
) -> None:
    """Train a model that was compiled under the strategy, as `model.fit` would on one device.

    Args:
        model: with an optimizer and a loss that is a mean over the batch.
        examples: endless batches, of this process's part of each batch.
        strategy: of several processes, each of which calls this.
        steps: an epoch.
        first, end: epochs `first` to `end - 1`.
        metrics: made outside the strategy: of the whole batch, in each process.
        callbacks: of this process; what waits for others must be in all of them.

    Raises:
        TrainingError: where another process is gone.
    """
    called = keras.callbacks.CallbackList(list(callbacks), model=model)
    mean = keras.metrics.Mean("loss")
    # Of one process with several devices, each takes an equal part.
    batches = iter(
        strategy.distribute_datasets_from_function(
            lambda context: _parts(examples, context.num_replicas_in_sync // context.num_input_pipelines)
        )
    )
    step = _step(model, strategy, mean, metrics)
    called.on_train_begin()
    for epoch in range(first, end):
        for metric in [mean, *metrics]:
            metric.reset_state()
        called.on_epoch_begin(epoch)
        for number in range(steps):
            called.on_train_batch_begin(number)
            try:
                logs = {name: float(value) for name, value in step(batches).items()}
            except _GONE as error:
                raise TrainingError(
                    f"A worker is gone, and the others cannot go on without it ({type(error).__name__}). Start all of "
                    "them again with --resume (resume=True)."
                ) from error
            called.on_train_batch_end(number, logs)
        called.on_epoch_end(epoch, logs)
    called.on_train_end(logs)


def _parts(examples: tf.data.Dataset, devices: int) -> tf.data.Dataset:
    """The process's batches, cut for its devices, in order."""
    if devices == 1:
        return examples
    size = next(iter(examples))[0].shape[0] // devices
    return examples.unbatch().batch(size)


def _step(
    model: keras.Model,
    strategy: tf.distribute.Strategy,
    mean: keras.metrics.Mean,
    metrics: Sequence[keras.metrics.Metric],
) -> Callable[[Any], dict[str, tf.Tensor]]:
    """One step of all processes: takes the batches, gives the logs of the epoch so far."""

    def replica(batch):
        pictures, targets = batch
        with tf.GradientTape() as tape:
            predicted = model(pictures, training=True)
            # Keras has divided the mean over a device's part by their number; the optimizer adds their gradients.
            loss = model.compute_loss(pictures, targets, predicted)
        model.optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss, targets, predicted

    @tf.function
    def step(batches):
        loss, targets, predicted = strategy.run(replica, args=(next(batches),))
        mean.update_state(strategy.reduce(tf.distribute.ReduceOp.SUM, loss, axis=None))
        # Maps are small: each process has all of them, and its metrics are those of the whole batch.
        targets, predicted = strategy.gather(targets, axis=0), strategy.gather(predicted, axis=0)
        for metric in metrics:
            metric.update_state(targets, predicted)
        return {metric.name: metric.result() for metric in [mean, *metrics]}

    return step
