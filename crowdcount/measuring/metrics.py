"""Measures of counts and of density maps, in NumPy: no Keras is loaded here.

The literature's tables say "MSE" for what is a root mean squared error: it is `rmse` here. The order of
arguments is truth first, then prediction. The truth of a count is the number of head annotations, not the sum
of a blurred map.
"""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import gaussian_filter

from crowdcount.data.records import check_points
from crowdcount.errors import DataError
from crowdcount.grid import STRIDE, check_map, shares

_LOG_OFFSET = 10.0  # people
_HIGHEST_LEVEL = 10  # a million regions
_SSIM_SIGMA = 1.5
_SSIM_TRUNCATE = 3.5
_SSIM_RADIUS = 5  # int(3.5 * 1.5 + 0.5): a window of 11 x 11


def mae(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Mean absolute error of the counts, in heads.

    Args:
        truth: numbers of heads, one a picture, shape (P,).
        predicted: predicted counts, shape (P,).

    Returns:
        The mean of |truth - predicted|; NaN if a count is NaN.

    Raises:
        DataError: if there is no picture or if the lengths differ. The same holds for `rmse` and `nae`.

    Example:
        >>> mae([10, 20], [13, 19])
        2.0
    """
    truth, predicted = _counts(truth, predicted)
    return float(np.mean(np.abs(truth - predicted)))


def rmse(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Root mean squared error of the counts, in heads. Arguments and errors as for `mae`.

    Example:
        >>> rmse([10, 20], [11, 27])
        5.0
    """
    truth, predicted = _counts(truth, predicted)
    return float(np.sqrt(np.mean(np.square(truth - predicted))))


def nae(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Normalized absolute error: the mean of |truth - predicted| / truth. Arguments and errors as for `mae`.

    Pictures without heads have no relative error and are left out, as NWPU-Crowd's benchmark does; without
    any other picture the result is NaN.

    Reference:
        Wang, Gao, Lin, Li: NWPU-Crowd, TPAMI 2020. https://arxiv.org/abs/2001.03360

    Example:
        >>> nae([10, 20, 0], [13, 19, 5])
        0.175
    """
    truth, predicted = _counts(truth, predicted)
    peopled = truth > 0
    if not peopled.any():
        return float("nan")
    return float(np.mean(np.abs(truth - predicted)[peopled] / truth[peopled]))


def log_ratio(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Mean of |log((predicted + 10) / (truth + 10))|: by what factor counts are off. Arguments and errors as for `mae`.

    Every picture has a say, a dense one no more than a quiet one; 10 people are added so that a picture of nobody has
    one, too, and two or three people more or less in it mean little. 0.1 is about a tenth too many or too few. Over few
    pictures this tells which of two networks is better where the MAE, the sum of the few densest, does not.

    Example:
        >>> round(log_ratio([10, 90, 0], [10, 100, 0]), 4)
        0.0318
    """
    truth, predicted = _counts(truth, predicted)
    return float(np.mean(np.abs(log_ratios(truth, predicted))))


def log_ratios(truth: ArrayLike, predicted: ArrayLike) -> np.ndarray:
    """log((predicted + 10) / (truth + 10)) of each picture, in arrays of any shape; see `log_ratio`.

    Example:
        >>> log_ratios([0, 10], [0, 30]).round(3).tolist()
        [0.0, 0.693]
    """
    truth, predicted = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    return np.log((predicted + _LOG_OFFSET) / (truth + _LOG_OFFSET))


def game(
    density_map: np.ndarray, points: np.ndarray, size: tuple[int, int], level: int, *, stride: int = STRIDE
) -> float:
    """Grid average mean absolute error of one picture, GAME(level): are the heads where the map says?

    The picture is cut into 2^level x 2^level regions of equal size, and the absolute errors of the regions'
    counts are added up. GAME(0) is the absolute error of the count; a higher level is never less. The mean
    over pictures is the data set's GAME.

    Borders of regions rarely fall on borders of cells, so a cell that lies across one is split by area, its
    mass taken as even over its part of the picture. A head on a border belongs to the region to the right or
    below; a head outside the picture belongs to the nearest region.

    Args:
        density_map: predicted map, shape (h, w) or (h, w, 1), with h = ceil(height / stride) and
            w = ceil(width / stride).
        points: head annotations x, y in pixels, shape (N, 2).
        size: height and width of the picture in pixels.
        level: 0 to 10.
        stride: pixels of the picture along the side of a cell.

    Returns:
        The sum of absolute errors over the regions, in heads.

    Raises:
        DataError: if the map does not fit the size, the points are not finite pairs, or the level is none.

    Reference:
        Guerrero-Gómez-Olmedo et al.: Extremely Overlapping Vehicle Counting, IbPRIA 2015.

    Example:
        >>> import numpy as np
        >>> density = np.array([[1.0, 0.0]])  # one head, predicted in the left half
        >>> head = np.array([[12.0, 4.0]])  # it is in the right half
        >>> [game(density, head, (8, 16), level) for level in (0, 1)]
        [0.0, 2.0]
    """
    density = _one_map("The density map", density_map)
    height, width = size
    check_map(density, size, stride)
    if not isinstance(level, Real) or not 0 <= level <= _HIGHEST_LEVEL or level != int(level):
        raise DataError(f"level must be a whole number from 0 to {_HIGHEST_LEVEL}, received {level!r}.")
    points = check_points(points)

    parts = 2 ** int(level)
    rows = shares(height, parts, stride)
    columns = shares(width, parts, stride)
    predicted = rows @ density @ columns.T

    truth = np.zeros((parts, parts))
    column = np.clip(np.floor(points[:, 0] * parts / width).astype(int), 0, parts - 1)
    row = np.clip(np.floor(points[:, 1] * parts / height).astype(int), 0, parts - 1)
    np.add.at(truth, (row, column), 1)
    return float(np.abs(truth - predicted).sum())


def enlarge(density_map: np.ndarray, factor: int = STRIDE) -> np.ndarray:
    """Enlarge a density map bilinearly, its sum kept: each cell becomes factor x factor pixels.

    Pixel centers lie at half positions and values beyond the border repeat the border's, as in most image
    libraries. Each cell then gives off exactly factor^2 weights of its value in all, at the border too, so
    dividing by factor^2 keeps the count.

    Args:
        density_map: shape (h, w) or (h, w, 1).
        factor: whole number from 1 up.

    Returns:
        float64 array of shape (h * factor, w * factor).

    Raises:
        DataError: if the map or the factor is of another form.

    Example:
        >>> import numpy as np
        >>> enlarge(np.array([[8.0, 0.0]]), 2)
        array([[2. , 1.5, 0.5, 0. ],
               [2. , 1.5, 0.5, 0. ]])
    """
    density = _one_map("The density map", density_map)
    if factor < 1 or factor != int(factor):
        raise DataError(f"factor must be a whole number from 1 up, received {factor!r}.")
    rows, columns = (_bilinear(length, int(factor)) for length in density.shape)
    return rows @ density @ columns.T / factor**2


def psnr(truth: np.ndarray, predicted: np.ndarray, *, factor: int = STRIDE) -> float:
    """Peak signal-to-noise ratio of a density map in decibels, higher is better.

    Both maps are enlarged bilinearly by `factor`, as in the paper, and measured against the peak of the
    enlarged truth, which is the same as dividing both maps by it. The paper names a normalization of both
    maps without its formula, and its code has none, so compare figures of one program only.

    Args:
        truth: density map of the head annotations, shape (h, w) or (h, w, 1).
        predicted: density map of the same shape.
        factor: enlargement; 1 for maps that are at the picture's size already.

    Returns:
        10 log10(peak^2 / mean squared error): infinity for equal maps, NaN for a truth without heads, which
        has no peak to measure by.

    Raises:
        DataError: if the shapes differ or are no maps.

    Reference:
        Li, Zhang, Chen: CSRNet, CVPR 2018, section 4.2. https://arxiv.org/abs/1802.10062

    Example:
        >>> import numpy as np
        >>> round(psnr(np.array([[1.0, 0.0]]), np.array([[0.9, 0.1]]), factor=1), 6)
        20.0
    """
    truth, predicted = _normalized(truth, predicted, factor)
    with np.errstate(divide="ignore"):  # equal maps: infinity is the answer
        return float(-10 * np.log10(np.mean(np.square(truth - predicted))))


def ssim(truth: np.ndarray, predicted: np.ndarray, *, factor: int = STRIDE) -> float:
    """Mean structural similarity of a density map, 1 for equal maps.

    Enlarged and normalized as for `psnr`, then with the settings of Wang et al.: a Gaussian window of sigma
    1.5 (11 x 11 pixels), K1 = 0.01, K2 = 0.03, population covariances, and the mean over the pixels whose
    window lies inside. scikit-image gives the same with `gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False` and `data_range` the peak of the truth.

    Args:
        truth: density map of the head annotations, shape (h, w) or (h, w, 1).
        predicted: density map of the same shape.
        factor: enlargement; 1 for maps that are at the picture's size already.

    Returns:
        The mean similarity; NaN for a truth without heads.

    Raises:
        DataError: if the shapes differ or are no maps, or if the enlarged map is less than 11 pixels wide or
            high.

    Reference:
        Wang, Bovik, Sheikh, Simoncelli: Image quality assessment: from error visibility to structural
        similarity, IEEE Transactions on Image Processing 13 (4), 2004.

    Example:
        >>> import numpy as np
        >>> ssim(np.eye(4), np.eye(4))
        1.0
    """
    truth, predicted = _normalized(truth, predicted, factor)
    radius = _SSIM_RADIUS
    if min(truth.shape) < 2 * radius + 1:
        raise DataError(
            f"SSIM needs maps of at least {2 * radius + 1} x {2 * radius + 1} pixels, received "
            f"{truth.shape} after enlarging by {factor}."
        )

    def window_mean(values: np.ndarray) -> np.ndarray:
        return gaussian_filter(values, _SSIM_SIGMA, truncate=_SSIM_TRUNCATE)[radius:-radius, radius:-radius]

    mean_t, mean_p = window_mean(truth), window_mean(predicted)
    var_t = window_mean(truth * truth) - mean_t**2
    var_p = window_mean(predicted * predicted) - mean_p**2
    covariance = window_mean(truth * predicted) - mean_t * mean_p
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * mean_t * mean_p + c1) * (2 * covariance + c2)
    similarity /= (mean_t**2 + mean_p**2 + c1) * (var_t + var_p + c2)
    return float(similarity.mean())


def _counts(truth: ArrayLike, predicted: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    truth, predicted = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if truth.shape != predicted.shape or truth.ndim != 1 or truth.size == 0:
        raise DataError(
            "Counts must be two lists of the same length, one number a picture and at least one picture, "
            f"received shapes {truth.shape} and {predicted.shape}."
        )
    return truth, predicted


def _one_map(what: str, values: np.ndarray) -> np.ndarray:
    """One map as float64 (h, w); a last axis of length 1 is dropped."""
    values = np.asarray(values, dtype=np.float64)
    if values.ndim == 3 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.ndim != 2 or values.size == 0:
        raise DataError(f"{what} must have the shape (h, w) or (h, w, 1), received {values.shape}.")
    return values


def _normalized(truth: np.ndarray, predicted: np.ndarray, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Both maps enlarged and divided by the truth's peak; NaN where the truth is empty."""
    truth, predicted = _one_map("The true map", truth), _one_map("The predicted map", predicted)
    if truth.shape != predicted.shape:
        raise DataError(f"Both maps must have the same shape, received {truth.shape} and {predicted.shape}.")
    truth, predicted = enlarge(truth, factor), enlarge(predicted, factor)
    peak = truth.max() if truth.max() > 0 else np.nan
    return truth / peak, predicted / peak


def _bilinear(length: int, factor: int) -> np.ndarray:
    """Matrix that enlarges an axis by `factor` with linear interpolation, shape (length * factor, length)."""
    positions = np.clip((np.arange(length * factor) + 0.5) / factor - 0.5, 0, length - 1)
    return np.maximum(1 - np.abs(positions[:, None] - np.arange(length)), 0)
