"""Keras optimizers with a rate of its own for each layer."""

from __future__ import annotations

from collections.abc import Callable

import keras


class _LayerRates:
    """Multiplies the learning rate by `factor(layer name, "kernel" or "bias")`."""

    def __init__(self, learning_rate, *, factor: Callable[[str, str], float], **arguments):
        super().__init__(learning_rate, **arguments)
        self.factor = factor

    def update_step(self, gradient, variable, learning_rate):
        # TensorFlow hands over its own variable, which does not know its layer; Keras's, at the same index, does.
        keras_variable = self._trainable_variables[self._get_variable_index(variable)]
        layer, kind = keras_variable.path.split("/")[-2:]
        super().update_step(gradient, variable, learning_rate * self.factor(layer, kind))


class LayerRateSGD(_LayerRates, keras.optimizers.SGD):
    """`keras.optimizers.SGD` with a factor for each layer's rate."""


class LayerRateAdam(_LayerRates, keras.optimizers.Adam):
    """`keras.optimizers.Adam` with a factor for each layer's rate."""
