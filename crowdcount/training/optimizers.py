"""Keras optimizers with a rate of its own for each layer, and the rate that falls over a run of several phases."""

from __future__ import annotations

import math
from collections.abc import Callable

import keras
from keras import ops


class WarmCosine(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that rises from 0 over the first hundred steps of a phase, then falls by one cosine over the whole run.

    A run of one phase has Keras's `CosineDecay` with a warm-up, but that its first step has a rate, too.

    Args:
        peak: the highest rate of a run that had this phase alone.
        steps: steps of the phase; a tenth of them at most warms up.
        before: steps of the run before the phase.
        total: steps of the run.

    Reference:
        Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017, equation 5.

    Example:
        >>> rate = WarmCosine(2e-5, 1000, before=1000, total=2000)
        >>> [round(float(rate(step)) * 1e5, 2) for step in (0, 100, 1000)]
        [0.01, 0.92, 0.0]
    """

    def __init__(self, peak: float, steps: int, *, before: int, total: int):
        self.peak, self.before, self.total = peak, before, total
        self.warmup = min(100, max(1, steps // 10))

    def __call__(self, step):
        step = ops.cast(step, "float32")
        along = (self.before + ops.maximum(step - self.warmup, 0.0)) / max(1, self.total - self.warmup)
        falling = 0.5 * self.peak * (1 + ops.cos(math.pi * ops.minimum(along, 1.0)))
        return falling * ops.minimum((step + 1) / self.warmup, 1.0)  # a step at rate 0 would learn nothing

    def get_config(self) -> dict:
        return {"peak": self.peak, "steps": self.warmup * 10, "before": self.before, "total": self.total}


class _LayerRates:
    """Multiplies the learning rate by `factor(layer name, "kernel" or "bias")`."""

    # Keras's, of the optimizer that this stands before.
    _trainable_variables: list[keras.Variable]
    _get_variable_index: Callable[[object], int]

    def __init__(self, learning_rate, *, factor: Callable[[str, str], float], **arguments):
        super().__init__(learning_rate, **arguments)  # type: ignore[call-arg]  # the optimizer beside it in a class
        self.factor = factor

    def update_step(self, gradient, variable, learning_rate):
        # TensorFlow hands over its own variable, which does not know its layer; Keras's, at the same index, does.
        keras_variable = self._trainable_variables[self._get_variable_index(variable)]
        layer, kind = keras_variable.path.split("/")[-2:]
        rate = learning_rate * self.factor(layer, kind)
        super().update_step(gradient, variable, rate)  # type: ignore[misc]  # as in `__init__`


class LayerRateSGD(_LayerRates, keras.optimizers.SGD):
    """`keras.optimizers.SGD` with a factor for each layer's rate."""


class LayerRateAdam(_LayerRates, keras.optimizers.Adam):
    """`keras.optimizers.Adam` with a factor for each layer's rate."""
