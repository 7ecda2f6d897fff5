"""What `model.fit` reads, by the backend that Keras runs on: `tf.data` on TensorFlow, a `PyDataset` on the others.

Both call `crowdcount.training.pipeline.Examples` with the same numbers, so every backend sees the same batches.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from crowdcount import errors
from crowdcount.errors import CrowdCountError, TrainingError
from crowdcount.training.pipeline import Examples, training_dataset

_AHEAD = 4  # batches that are made while the network learns, as with tf.data


@contextmanager
def batches(samples, crops, *, batch: int, first_example: int = 0, **options: Any) -> Iterator[Any]:
    """Endless batches for `model.fit` with `steps_per_epoch`; what prepares them ends with the block.

    Args:
        samples, crops, options: see `crowdcount.training.pipeline.Examples`.
        batch: examples a batch.
        first_example: number of examples that an earlier part of this run has read.

    Raises:
        TrainingError: from within the block, where an example cannot be made; says which picture and why.
        MemoryError: from within the block.

    Example:
        >>> from crowdcount.data.annotations import Sample
        >>> from crowdcount.training.pipeline import RandomCrops
        >>> crowd = [Sample("a", np.zeros((64, 64, 3), np.uint8), [[20.0, 30.0]])]
        >>> with batches(crowd, RandomCrops(32), batch=2) as examples:
        ...     pictures, maps = next(iter(examples))
        >>> tuple(pictures.shape), tuple(maps.shape)
        ((2, 32, 32, 3), (2, 4, 4, 1))
    """
    if keras.backend.backend() == "tensorflow":
        with _readable_errors():
            yield training_dataset(samples, crops, batch=batch, first_example=first_example, **options)
        return
    examples = Examples(samples, crops, **options)
    examples.check_batch(batch)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        fed = Batches(examples, batch, first_example, threads)
        try:
            yield fed
        except CrowdCountError as error:
            if error is not fed.failure:
                raise
            raise TrainingError(f"A picture cannot be trained on. {error}") from None
        except RuntimeError as error:  # PyTorch's and JAX's way to say it
            if not re.search("out of memory|can't allocate memory|RESOURCE_EXHAUSTED", str(error)):
                raise
            raise MemoryError(str(error)) from error
        finally:
            threads.shutdown(cancel_futures=True)


class Batches(keras.utils.PyDataset):
    """Batches by their number, endless; the next ones are made by other threads while one is learned from.

    Keras's own workers throw batches away at the end of an epoch, and a run that is resumed would see others. Here a
    batch is a function of its number.

    Args:
        examples: made by their numbers.
        batch: examples a batch.
        first_example: number of the first batch's first example.
        threads: that make them.
    """

    def __init__(self, examples: Examples, batch: int, first_example: int, threads: ThreadPoolExecutor):
        super().__init__()
        self.examples, self.batch, self.first_example, self.threads = examples, batch, first_example, threads
        self.failure: CrowdCountError | None = None
        self._waiting: dict[int, list[Future]] = {}

    @property
    def num_batches(self) -> None:
        """None: Keras's word for endless."""
        return None

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        for number in range(index, index + 1 + _AHEAD):
            if number not in self._waiting:
                first = self.first_example + number * self.batch
                self._waiting[number] = [
                    self.threads.submit(self.examples, example) for example in range(first, first + self.batch)
                ]
        try:
            made = [future.result() for future in self._waiting.pop(index)]
        except CrowdCountError as error:
            self.failure = error
            raise
        pictures, targets = zip(*made)
        return np.stack(pictures), np.stack(_padded(targets))


def _padded(targets: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """Maps as they are; lists of heads (N, 3) filled up with zeros to the longest, as tf.data does it."""
    if targets[0].ndim != 2:
        return targets
    most = max(map(len, targets))
    return tuple(np.pad(heads, ((0, most - len(heads)), (0, 0))) for heads in targets)


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
