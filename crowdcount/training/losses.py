"""Training losses for density maps, on any Keras backend.

All are registered under `crowdcount`, so a model compiled with one of them is saved and loaded without naming
it. Each returns one value a crop, and Keras averages over the batch. Maps have the shape (B, h, w, 1), and a
map's sum is a count of heads. Cells of a target map that are NaN (outside a region of interest) have no part in it.

| loss | `y_true` | for |
|---|---|---|
| `EuclideanLoss` | density map | the paper's recipe |
| `BayesianLoss` | head annotations | training on points, without a blurred target |
| `PoissonLoss` | density map | sparse and dense crowds together |
| `MultiScaleLoss` | density map | counts that must be right over wider regions as well |
"""

from __future__ import annotations

import keras
from keras import ops

from crowdcount.errors import TrainingError
from crowdcount.grid import STRIDE

_FAR = 1e12  # squared pixels: further off than any head of a picture, and far from float32's limit


def _positive(name: str, value: float) -> float:
    if not value > 0:
        raise TrainingError(f"{name} must be greater than 0, received {value!r}.")
    return float(value)


def known_cells(y_true, y_pred):
    """Both maps with 0 in the cells of which the target says nothing (NaN): outside a region of interest.

    There the difference is 0 whatever is predicted, and so is its gradient.

    Args:
        y_true: target maps (B, h, w, 1) in heads a cell, NaN where nothing is known.
        y_pred: predicted maps of the same shape.

    Raises:
        TrainingError: if the shapes differ: (B, h, w) against (B, h, w, 1) would broadcast to a meaningless loss.
    """
    true_shape, pred_shape = tuple(y_true.shape), tuple(y_pred.shape)
    agree = len(true_shape) == len(pred_shape) == 4 and all(
        a is None or b is None or a == b for a, b in zip(true_shape, pred_shape, strict=True)
    )
    if not agree:
        raise TrainingError(
            "The target and the predicted density map must have the same shape (batch, height, width, 1), "
            f"received {true_shape} and {pred_shape}."
        )
    unknown = ops.isnan(y_true)
    return ops.where(unknown, ops.zeros_like(y_true), y_true), ops.where(unknown, ops.zeros_like(y_pred), y_pred)


class KnownCells(keras.losses.Loss):
    """Another loss of two maps, both 0 in cells of unknown target (NaN): for losses that know nothing of regions.

    Args:
        loss: takes maps (B, h, w, 1).

    Example:
        >>> import numpy as np
        >>> target, predicted = np.array([[[[1.0], [np.nan]]]]), np.array([[[[3.0], [5.0]]]])
        >>> float(KnownCells(keras.losses.MeanSquaredError())(target, predicted))
        2.0
    """

    def __init__(self, loss: keras.losses.Loss):
        super().__init__(name=loss.name, reduction=loss.reduction)
        self.loss = loss

    def call(self, y_true, y_pred):
        return self.loss.call(*known_cells(y_true, y_pred))


@keras.saving.register_keras_serializable("crowdcount")
class EuclideanLoss(keras.losses.Loss):
    """The paper's loss: half the squared Euclidean distance between two maps, averaged over the batch.

    `L = 1 / (2 B) * sum over the batch of ||y_true - y_pred||^2`. The square is summed over the cells of a
    map, not averaged, so a larger crop weighs more. No square root is taken, so that the gradient is 0, not
    NaN, at zero error.

    Args:
        reduction: how Keras joins the losses of a batch.
        name: name of the loss.

    Raises:
        TrainingError: if the two maps do not have one and the same shape of rank 4.

    Reference:
        Li, Zhang, Chen: CSRNet, CVPR 2018, equation 2. https://arxiv.org/abs/1802.10062

    Example:
        >>> import numpy as np
        >>> float(EuclideanLoss()(np.zeros((2, 1, 2, 1)), np.array([3.0, 4.0, 0.0, 0.0]).reshape(2, 1, 2, 1)))
        6.25
    """

    def __init__(self, reduction="sum_over_batch_size", name="euclidean_loss"):
        super().__init__(name=name, reduction=reduction)

    def call(self, y_true, y_pred):
        y_true, y_pred = known_cells(y_true, y_pred)
        return 0.5 * ops.sum(ops.square(y_true - y_pred), axis=(1, 2, 3))


@keras.saving.register_keras_serializable("crowdcount")
class BayesianLoss(keras.losses.Loss):
    """Bayesian loss with point supervision, with background ("Bayesian+") or without.

    Each cell's mass is shared out among the heads, by the posterior probability that the cell belongs to a
    head under a Gaussian of width `sigma` around each. The mass that a head receives should be 1:

        L = sum over heads n of |1 - E[c_n]| + |0 - E[c_0]|
        E[c_n] = sum over cells m of p(n | x_m) * y_pred(x_m)

    averaged over the batch. The background 0 acts as one more head, at the distance `|d - d_min|` from a cell
    whose nearest head is `d_min` away, with `d = background_ratio * shorter side of the crop`: cells further
    than `d / 2` from every head belong mostly to it. A crop without heads has the loss `|sum of the map|`.

    `y_true` has the shape (B, N, 3): x and y in pixels of the crop and a flag, 1 for a head and 0 for
    padding, whose coordinates are ignored. N may be 0. `y_pred` has the shape (B, h, w, 1); cell (i, j) has
    its center at y = (i + 0.5) * stride, x = (j + 0.5) * stride.

    Memory: a few float32 arrays of B * h * w * (N + 2) values, one of them kept for the gradient. Four crops
    of 384 pixels with up to 1000 heads take 37 MB an array.

    Args:
        sigma: width of a head's Gaussian, in pixels.
        background_ratio: distance `d` of the background as a share of the crop's shorter side. The authors
            measure the shorter side of the whole picture; a loss sees only the crop. The paper has 0.15, the
            authors' present code 1.0.
        stride: pixels of the picture along the side of a cell.
        use_background: False leaves out the background ("Bayesian").
        reduction: how Keras joins the losses of a batch.
        name: name of the loss.

    Raises:
        TrainingError: if `sigma`, `background_ratio` or `stride` is not positive, or if `y_true` is not
            (B, N, 3).

    Reference:
        Ma, Wei, Hong, Gong: Bayesian Loss for Crowd Count Estimation with Point Supervision, ICCV 2019.
        https://arxiv.org/abs/1908.03684, https://github.com/ZhihengCV/Bayesian-Crowd-Counting

    Example:
        >>> import numpy as np
        >>> head, padding = [4.0, 4.0, 1.0], [0.0, 0.0, 0.0]
        >>> points = np.array([[head, padding], [padding, padding]])
        >>> loss = BayesianLoss(use_background=False)
        >>> float(loss(points, np.full((2, 2, 2, 1), 0.5)))  # sums of 2, for 1 head and for none
        1.5
    """

    def __init__(
        self,
        sigma: float = 8.0,
        background_ratio: float = 0.15,
        stride: int = STRIDE,
        use_background: bool = True,
        reduction="sum_over_batch_size",
        name="bayesian_loss",
    ):
        super().__init__(name=name, reduction=reduction)
        self.sigma = _positive("sigma", sigma)
        self.background_ratio = _positive("background_ratio", background_ratio)
        if _positive("stride", stride) != int(stride):
            raise TrainingError(f"stride must be a whole number of pixels, received {stride!r}.")
        self.stride = int(stride)
        self.use_background = bool(use_background)

    def call(self, y_true, y_pred):
        if len(y_true.shape) != 3 or y_true.shape[-1] != 3:
            raise TrainingError(
                "BayesianLoss takes head annotations of the shape (batch, N, 3), each x, y and a flag "
                f"(1 head, 0 padding), received {tuple(y_true.shape)}."
            )
        density = ops.squeeze(y_pred, axis=-1)
        _, height, width = ops.shape(density)
        # One row of padding more, so that a batch without any head (N = 0) needs no path of its own.
        y_true = ops.pad(y_true, [[0, 0], [0, 1], [0, 0]])
        is_head = y_true[:, :, 2] > 0.5

        centers_x = (ops.arange(width, dtype=self.dtype) + 0.5) * self.stride
        centers_y = (ops.arange(height, dtype=self.dtype) + 0.5) * self.stride
        square_x = ops.square(centers_x[None, :, None] - y_true[:, None, :, 0])  # (B, w, N)
        square_y = ops.square(centers_y[None, :, None] - y_true[:, None, :, 1])  # (B, h, N)
        square = square_y[:, :, None, :] + square_x[:, None, :, :]  # (B, h, w, N)
        square = ops.where(is_head[:, None, None, :], square, _FAR)
        target = ops.cast(is_head, self.dtype)

        if self.use_background:
            nearest = ops.sqrt(ops.min(square, axis=-1, keepdims=True))
            shorter_side = ops.cast(ops.minimum(height, width), self.dtype) * self.stride
            background = ops.square(self.background_ratio * shorter_side - nearest)
            square = ops.concatenate([square, background], axis=-1)
            target = ops.pad(target, [[0, 0], [0, 1]])

        posterior = ops.softmax(-square / (2.0 * self.sigma**2), axis=-1)
        mass = ops.einsum("bhw,bhwn->bn", density, posterior)
        # Padding gets the posterior 0 beside a head. In a crop without heads the shares are the same in every
        # cell, whatever they are, and add up to 1: the terms below then sum to |sum of the map|.
        return ops.sum(ops.abs(target - mass), axis=-1)

    def get_config(self):
        return {
            **super().get_config(),
            "sigma": self.sigma,
            "background_ratio": self.background_ratio,
            "stride": self.stride,
            "use_background": self.use_background,
        }


@keras.saving.register_keras_serializable("crowdcount")
class PoissonLoss(keras.losses.Loss):
    """Generalized Kullback-Leibler divergence of two maps: half the deviance of Poisson counts.

    With t the target, p the prediction and e `epsilon`, summed over the cells of a crop and averaged over the
    batch:

        L = sum (t + e) * log((t + e) / (p + e)) - t + p

    It is never negative, 0 only where the maps agree, and convex in p. Its gradient, `(p - t) / (p + e)` a
    cell, says why to use it:

    - An error is measured against the spread that a count of that size has anyway (a variance equal to the
      mean), so a cell of a dense crowd does not rule the loss as it does under a squared error.
    - Multiplying a prediction by 1 + s changes the loss by s * sum(p - t) in first order (epsilon aside).
      Where training has settled, the predicted sum therefore equals the true one on average: the count is
      unbiased. A squared error settles `sum(p * (p - t))` instead and leaves the sum free to drift.

    `epsilon` keeps the gradient finite where nothing is predicted (-t / e at p = 0) and makes differences far
    below it count little.

    Real counts are off by a share of themselves, more than Poisson counts are: among crops of 20 heads one of 1,000
    rules the step, and steps become rough. With `halved_at` k, the loss of a crop in which P heads are predicted is
    divided by 1 + P / k, as the variance P + P^2 / k of a negative binomial count has it: a crop of k heads weighs half
    of what it did. P is taken as it is, without a gradient. By the true count instead, crops that hold fewer heads than
    they look like would weigh more than those that hold more, and counts would settle too low.

    Args:
        epsilon: density, in heads a cell, below which cells count as about empty.
        halved_at: predicted heads in a crop at which it weighs half; `None` for no such weights.
        reduction: how Keras joins the losses of a batch.
        name: name of the loss.

    Raises:
        TrainingError: if `epsilon` or `halved_at` is not positive, or if the two maps do not have one and the same
            shape of rank 4.

    Note:
        Both maps must be at least 0, as CSRNet's are. A prediction of -epsilon or less gives infinity or NaN.

    Reference:
        Csiszár: Why least squares and maximum entropy?, Annals of Statistics 19 (4), 1991 ("I-divergence").
        McCullagh and Nelder: Generalized Linear Models, 1989, section 9.2 (quasi-likelihood).

    Example:
        >>> import numpy as np
        >>> loss = PoissonLoss(epsilon=1.0)
        >>> round(float(loss(np.full((1, 1, 1, 1), 1.0), np.zeros((1, 1, 1, 1)))), 4)  # 2 log 2 - 1
        0.3863
    """

    def __init__(
        self,
        epsilon: float = 1e-2,
        halved_at: float | None = None,
        reduction="sum_over_batch_size",
        name="poisson_loss",
    ):
        super().__init__(name=name, reduction=reduction)
        self.epsilon = _positive("epsilon", epsilon)
        self.halved_at = None if halved_at is None else _positive("halved_at", halved_at)

    def call(self, y_true, y_pred):
        y_true, y_pred = known_cells(y_true, y_pred)
        # The docstring's formula, arranged so that rounding cannot make it negative where the maps are close.
        scale = y_true + self.epsilon
        excess = (y_pred - y_true) / scale
        loss = ops.sum(scale * (excess - ops.log1p(excess)), axis=(1, 2, 3))
        if self.halved_at is None:
            return loss
        return loss / (1.0 + ops.stop_gradient(ops.sum(y_pred, axis=(1, 2, 3))) / self.halved_at)

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon, "halved_at": self.halved_at}


@keras.saving.register_keras_serializable("crowdcount")
class MultiScaleLoss(keras.losses.Loss):
    """Euclidean loss of the maps and of their block sums, and the absolute error of the whole count.

    For each scale s, both maps are summed over blocks of s x s cells, and half the squared distance of the
    sums is added up over the blocks; `count_weight * |sum(y_true) - sum(y_pred)|` is added once. A block that
    reaches over the border takes the missing cells as 0, so no cell is lost. Errors that cancel within a
    block (a head drawn a cell off) weigh less at the wider scales, errors of one sign weigh more.

    `scales=(1,)` with `count_weight=0` is `EuclideanLoss`.

    Args:
        scales: sides of the blocks, in cells.
        count_weight: weight of the absolute error of the count, at least 0.
        reduction: how Keras joins the losses of a batch.
        name: name of the loss.

    Raises:
        TrainingError: if `scales` is empty or holds anything but whole numbers from 1 up, if `count_weight`
            is negative, or if the two maps do not have one and the same shape of rank 4.

    Example:
        >>> import numpy as np
        >>> error = np.array([1.0, -1.0, 0.0, 2.0]).reshape(1, 2, 2, 1)
        >>> loss = MultiScaleLoss(scales=(1, 2), count_weight=0.5)
        >>> float(loss(error, np.zeros_like(error)))  # 6 / 2 + 2^2 / 2 + 0.5 * 2
        6.0
    """

    def __init__(
        self,
        scales: tuple[int, ...] = (1, 2, 4),
        count_weight: float = 0.1,
        reduction="sum_over_batch_size",
        name="multi_scale_loss",
    ):
        super().__init__(name=name, reduction=reduction)
        if not scales or any(scale != int(scale) or scale < 1 for scale in scales):
            raise TrainingError(f"scales must be whole numbers from 1 up, at least one, received {scales!r}.")
        if not count_weight >= 0:
            raise TrainingError(f"count_weight must be at least 0, received {count_weight!r}.")
        self.scales = tuple(int(scale) for scale in scales)
        self.count_weight = float(count_weight)

    def call(self, y_true, y_pred):
        y_true, y_pred = known_cells(y_true, y_pred)
        error = y_true - y_pred  # sums are linear: pool the difference once, not both maps
        loss = self.count_weight * ops.abs(ops.sum(error, axis=(1, 2, 3)))
        for scale in self.scales:
            loss = loss + 0.5 * ops.sum(ops.square(_block_sums(error, scale)), axis=(1, 2, 3))
        return loss

    def get_config(self):
        return {**super().get_config(), "scales": list(self.scales), "count_weight": self.count_weight}


def _block_sums(maps, scale: int):
    """Sums over blocks of `scale` x `scale` cells, shape (B, ceil(h / scale), ceil(w / scale), 1)."""
    if scale == 1:
        return maps
    # `scale - 1` rows and columns of zeros complete the last block whatever the size is, which may be unknown
    # here; the pooling leaves out what of them is not needed.
    padded = ops.pad(maps, [[0, 0], [0, scale - 1], [0, scale - 1], [0, 0]])
    return scale**2 * ops.average_pool(
        padded, pool_size=scale, strides=scale, padding="valid", data_format="channels_last"
    )
