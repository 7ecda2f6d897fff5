"""What `crowdcount.train` does between the steps of `model.fit`: validate, keep, warn, show."""

from __future__ import annotations

import csv
import math
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
from keras import ops

from crowdcount.counting.kinds import observe
from crowdcount.counting.ranges import Calibration
from crowdcount.data.annotations import Sample
from crowdcount.data.regions import within
from crowdcount.errors import TrainingError
from crowdcount.files import atomic_path
from crowdcount.measuring import metrics
from crowdcount.network.prediction import predict_density
from crowdcount.progress import bar
from crowdcount.training import losses

# Errors and biases are in heads: of a crop in `mae` and `bias`, of a whole picture in those that begin with `val_`.
HISTORY_FIELDS = (
    *("epoch", "loss", "mae", "bias"),
    *("val_log_ratio", "val_nae", "val_mae", "val_rmse", "val_bias", "val_sum", "seconds"),
)


@keras.saving.register_keras_serializable("crowdcount")
class CropMAE(keras.metrics.Mean):
    """Mean absolute error of the crops' counts, from maps or padded points."""

    def __init__(self, name="mae", **kwargs):
        super().__init__(name=name, **kwargs)

    def update_state(self, y_true, y_pred, sample_weight=None):
        true, predicted = _counts(y_true, y_pred)
        return super().update_state(ops.abs(predicted - true))


@keras.saving.register_keras_serializable("crowdcount")
class CropBias(keras.metrics.Mean):
    """Mean of predicted minus true heads of the crops, from maps or padded points."""

    def __init__(self, name="bias", **kwargs):
        super().__init__(name=name, **kwargs)

    def update_state(self, y_true, y_pred, sample_weight=None):
        true, predicted = _counts(y_true, y_pred)
        return super().update_state(predicted - true)


@keras.saving.register_keras_serializable("crowdcount")
class Drift(keras.metrics.Metric):
    """Relative error of the summed counts of the last hundred or so steps: -0.1 is a tenth too few.

    The map's sum runs away before the loss shows it, so this stands in the progress line.
    """

    def __init__(self, name="drift", **kwargs):
        super().__init__(name=name, **kwargs)
        self.true = self.add_variable((), "zeros", name="true")
        self.predicted = self.add_variable((), "zeros", name="predicted")

    def update_state(self, y_true, y_pred, sample_weight=None):
        true, predicted = _counts(y_true, y_pred)
        self.true.assign(0.99 * self.true + ops.sum(true))
        self.predicted.assign(0.99 * self.predicted + ops.sum(predicted))

    def result(self):
        return (self.predicted - self.true) / (self.true + 1e-6)

    def reset_state(self):
        """Kept over epochs: the window is a hundred steps wherever an epoch ends."""


def _counts(y_true, y_pred):
    """Heads a crop, true and predicted; points are (B, N, 3) with a flag last, maps (B, h, w, 1)."""
    if len(y_true.shape) == 4:
        y_true, y_pred = losses.known_cells(y_true, y_pred)
    predicted = ops.sum(y_pred, axis=(1, 2, 3))
    true = ops.sum(y_true[..., 2], axis=1) if len(y_true.shape) == 3 else ops.sum(y_true, axis=(1, 2, 3))
    return ops.cast(true, predicted.dtype), predicted


class Validation(keras.callbacks.Callback):
    """Keeps the last weights, counts whole validation pictures, keeps the best weights.

    Adds `val_log_ratio`, `val_nae`, `val_mae`, `val_rmse`, `val_bias` and `val_sum` (heads counted in all) to the
    epoch's logs. Counts are scored against the number of head annotations. The best are those of the lowest mean log
    ratio (`crowdcount.measuring.metrics.log_ratio`): over a few dozen pictures the MAE is that of the few densest.

    Args:
        samples: validation pictures.
        every: epochs between two validations; the last epoch is always validated.
        epochs: of the whole run.
        keep: called with `"best"` or `"last"`, the epoch's results and the calibration of ranges (none without
            validation pictures) while the validated weights are in the model.
        best: lowest mean log ratio so far, for a resumed run.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        every: int,
        epochs: int,
        keep: Callable[[str, dict, Calibration | None], None],
        best: float = math.inf,
    ):
        super().__init__()
        self.samples, self.every, self.epochs, self.keep, self.best = samples, every, epochs, keep, best

    def on_epoch_end(self, epoch, logs=None):
        due = epoch + 1 == self.epochs or (epoch + 1) % self.every == 0
        with averaged_weights(self.model):
            results, calibration = self._validate(epoch) if self.samples and due else ({}, None)
            logs.update(results)
            if results and results["val_log_ratio"] < self.best:
                self.best = results["val_log_ratio"]
                self.keep("best", {"epoch": epoch + 1, **results}, calibration)
            self.keep("last", {"epoch": epoch + 1, **results}, calibration)

    def _validate(self, epoch: int) -> tuple[dict[str, float], Calibration]:
        seen = []
        for sample in bar(self.samples, "picture", f"validation {epoch + 1}", leave=False):
            picture = sample.read()
            density = predict_density(self.model, picture)
            counted = sample.counted(picture.shape[:2])
            density, heads = within(counted, density, sample.points)
            seen.append(observe(picture, heads, density, counted))
        true, predicted = (np.array([getattr(each, key) for each in seen]) for key in ("true", "predicted"))
        results = {
            "val_log_ratio": metrics.log_ratio(true, predicted),
            "val_nae": metrics.nae(true, predicted),
            "val_mae": metrics.mae(true, predicted),
            "val_rmse": metrics.rmse(true, predicted),
            "val_bias": float(np.mean(predicted - true)),
            "val_sum": float(np.sum(predicted)),
        }
        return results, Calibration.of(seen)


@contextmanager
def averaged_weights(model: keras.Model):
    """Put the optimizer's averaged weights into the model for the block's duration, where it keeps an average."""
    if not model.optimizer.use_ema:
        yield
        return
    raw = [np.array(ops.convert_to_numpy(variable)) for variable in model.trainable_variables]
    model.optimizer.finalize_variable_values(model.trainable_variables)
    if keras.backend.backend() == "jax":
        # The weights and the average share their memory now, which JAX gives away when it predicts.
        for variable in model.trainable_variables:
            variable.assign(ops.copy(variable))
    try:
        yield
    finally:
        for variable, value in zip(model.trainable_variables, raw):
            variable.assign(value)


class History(keras.callbacks.Callback):
    """Writes `history.csv`, a line an epoch, whole each time; a resumed run goes on below."""

    def __init__(self, path: Path, rows: list[dict]):
        super().__init__()
        self.path, self.rows = path, rows
        self.started = 0.0

    def seconds(self) -> float:
        """What all epochs took, the one that runs included."""
        return sum(row["seconds"] for row in self.rows) + time.monotonic() - self.started

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        row = {"epoch": epoch + 1, **{key: float(value) for key, value in logs.items()}}
        row["seconds"] = round(time.monotonic() - self.started, 1)
        self.rows.append({field: row.get(field, "") for field in HISTORY_FIELDS})
        with atomic_path(self.path) as temporary, open(temporary, "w", newline="") as file:
            writer = csv.DictWriter(file, HISTORY_FIELDS)
            writer.writeheader()
            writer.writerows(self.rows)


class StopOnNaN(keras.callbacks.Callback):
    """Stops a run whose loss or weights are no numbers any more, before they replace what was kept."""

    def on_train_batch_end(self, batch, logs=None):
        if not math.isfinite(logs["loss"]):
            self._stop(f"The loss became {logs['loss']} at step {batch + 1} of this epoch.")

    def on_epoch_end(self, epoch, logs=None):
        for variable in self.model.trainable_variables:
            if not np.isfinite(ops.convert_to_numpy(variable)).all():
                self._stop(f"The weights {variable.path} are no finite numbers after epoch {epoch + 1}.")

    def _stop(self, what: str) -> None:
        raise TrainingError(
            f"{what} What earlier epochs kept is untouched. Train with a smaller learning rate, or look for a broken "
            "picture with `crowdcount check`."
        )


class RunawayWatch:
    """Says, step by step, whether the map's sum runs away: whether its bias leaves what it had settled to.

    A run from new layers begins far off, so it has time to settle first. While the bias stays away that is said
    again, as rarely as that.
    """

    SETTLED, AWAY = 0.1, 0.25
    WINDOW, PATIENCE = 100, 500

    def __init__(self):
        self.step = self.last = 0  # steps of this process; the one that was last spoken of
        self.settled = False

    def __call__(self, bias: float) -> bool:
        """Take a step's `Drift` and say whether to warn now."""
        self.step += 1
        if self.step >= self.WINDOW and abs(bias) < self.SETTLED:
            self.settled = True
        warn = abs(bias) > self.AWAY and (self.settled or self.step - self.last >= self.PATIENCE)
        if warn:
            self.settled, self.last = False, self.step
        return warn


class Progress(keras.callbacks.Callback):
    """A bar for the whole run where somebody watches, a line each minute elsewhere: loss, error, drift, time left.

    Above it a line an epoch, and a warning when the map's sum runs away.

    Args:
        done: steps that the run has behind it.
        total: steps of the run.
        epochs: of the run.
    """

    def __init__(self, done: int, total: int, epochs: int):
        super().__init__()
        self.done, self.total, self.epochs = done, total, epochs
        self.runs_away = RunawayWatch()

    def on_train_begin(self, logs=None):
        self.bar = bar(None, "step", "training", log=True, total=self.total, initial=self.done)

    def on_train_batch_end(self, batch, logs=None):
        self.bar.set_postfix(
            loss=f"{logs['loss']:.4g}", mae=f"{logs['mae']:.1f}", drift=f"{logs['drift']:+.0%}", refresh=False
        )
        self.bar.update()
        if self.runs_away(logs["drift"]):
            self.bar.write(
                f"warning: the map's sum runs away: {logs['drift']:+.0%} over the last hundred steps, which the loss "
                "may not show. If it does not come back, start again with a smaller learning rate.",
                file=sys.stderr,
            )

    def on_epoch_end(self, epoch, logs=None):
        parts = [f"epoch {epoch + 1}/{self.epochs}: loss {logs['loss']:.4g}, bias {logs['bias']:+.2f} a crop"]
        if "val_mae" in logs:
            parts.append(
                f"validation log ratio {logs['val_log_ratio']:.4f}, NAE {logs['val_nae']:.4f}, "
                f"MAE {logs['val_mae']:.2f}, RMSE {logs['val_rmse']:.2f}, bias {logs['val_bias']:+.2f}, "
                f"sum {logs['val_sum']:.0f}"
            )
        self.bar.write("; ".join(parts), file=sys.stderr)

    def on_train_end(self, logs=None):
        self.bar.close()
