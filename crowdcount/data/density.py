"""From head annotations to density maps: a Gaussian a head, each adding exactly 1 to the map's sum.

Points are continuous: a picture of width `w` spans `0 <= x <= w` and its pixel `i` covers `i <= x < i + 1`,
so mirroring is `w - x`, scaling is a product, and no head is rounded to a pixel. The maps need NumPy and
SciPy, and no TensorFlow.
"""

from __future__ import annotations

import operator
import os
import warnings
from collections.abc import Iterator
from numbers import Real

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import ndtr

from crowdcount.data.annotations import Sample
from crowdcount.data.records import check_points
from crowdcount.errors import DataError, first_line
from crowdcount.files import atomic_path
from crowdcount.grid import STRIDE

FIXED_SIGMA = 15.0
"""Standard deviation, in pixels, of the paper's fixed kernel (ShanghaiTech part B)."""

# The paper's kernels of other data sets, by what their pictures' names begin with.
_PAPER_SIGMA: dict[str, float | str] = {
    "part_A": "adaptive",
    "UCF_CC_50": "adaptive",
    "TRANCOS": 10.0,
    "WorldExpo": 3.0,
    "UCSD": 3.0,
}
# A kernel beyond 6 sigma holds 2e-9 of a head, less than float32 resolves: what lies there is left out.
_REACH = 6.0
# Beyond this many times the picture's longer side a kernel is flat over the picture to a part in a million,
# while the differences of the normal distribution function begin to lose digits: wider ones are drawn with
# this width.
_WIDEST = 1000.0
# Numbers in the profiles of one group of heads, which are multiplied together. This bounds the memory,
# whatever the number of heads and the size, and a small group of neighbors skips most of the picture, which
# none of them reaches.
_GROUP_NUMBERS = 2**16
# Multiplications in one matrix product. OpenBLAS shares larger ones out among threads, and where other work
# keeps the cores busy (a training run that this feeds) waiting for those costs 3 to 15 times what the product
# does (measured).
_PRODUCT_NUMBERS = 2**19 - 1
# The reference's kernels end after this many sigma (SciPy's default `truncate`).
_TRUNCATE = 4.0


class DensityWarning(UserWarning):
    """Heads were annotated outside their picture."""


def density_map(
    points: np.ndarray,
    size: tuple[int, int],
    *,
    sigma: float | str | np.ndarray = FIXED_SIGMA,
    stride: int = 1,
    border: str = "keep",
) -> np.ndarray:
    """Draw the density map of annotated heads: its sum is their number.

    Every head is a Gaussian that is the product of a profile along y and one along x, so the map is one
    matrix product, `Ky^T Kx`, with a row a head in `Ky` (heads, rows) and `Kx` (heads, columns). With
    `border="keep"` a profile holds the Gaussian's exact mass in each cell, divided by its mass in the
    picture: nothing is lost at the border or by choosing a stride, and a map at stride 8 is the map at stride
    1 summed over blocks of 8 x 8.

    Args:
        points: float array (N, 2), x then y of each head in pixels; N may be 0 and heads may coincide. A head
            outside the picture is counted at the nearest point of the border, with a warning.
        size: height and width of the picture in pixels.
        sigma: standard deviation of the kernels in pixels: a number, an array (N,) with one for each head, or
            `"adaptive"` for `adaptive_sigma(points)`. The paper uses 15 for ShanghaiTech part B, `"adaptive"`
            for part A.
        stride: pixels a side of one cell of the map.
        border: `"keep"` keeps every head whole. `"cut"` does as the reference code does, for comparison with
            it: the head goes to the middle of its pixel, the kernel is sampled out to 4 sigma, and what falls
            over the border is lost (a head in a corner keeps about a quarter).

    Returns:
        float32 array (ceil(height / stride), ceil(width / stride)) in heads a cell. Where the stride does not
        divide a side, the last cell covers what is left.

    Raises:
        DataError: if a point is NaN or infinite, or an argument has the wrong shape or an impossible value.

    Warns:
        DensityWarning: once a call, if heads lie outside the picture; says how many and where.

    Reference:
        Li, Zhang, Chen, "CSRNet: Dilated Convolutional Neural Networks for Understanding the Highly Congested
        Scenes", CVPR 2018, section 3.2 (https://arxiv.org/abs/1802.10062).

    Example:
        >>> density = density_map([[0.0, 0.0], [50.5, 20.25], [50.5, 20.25]], (60, 100), sigma=4.0, stride=8)
        >>> density.shape
        (8, 13)
        >>> round(float(density.sum()), 4)
        3.0
    """
    height, width = _check_size(size)
    stride = _check_integer("stride", stride)
    if border not in ("keep", "cut"):
        raise DataError(f'border must be "keep" or "cut". Received: border={border!r}')
    points = _move_inside(check_points(points), height, width)
    widths = np.minimum(_check_sigma(sigma, points), _WIDEST * max(height, width))

    profiles = _whole_profiles if border == "keep" else _cut_profiles
    density = np.zeros((-(-height // stride), -(-width // stride)), np.float32)
    for group in _groups(points, size=(height, width), heads=max(16, _GROUP_NUMBERS // sum(density.shape))):
        x, y = points[group].T
        top, rows = profiles(y, widths[group], height, stride)
        left, columns = profiles(x, widths[group], width, stride)
        step = max(1, _PRODUCT_NUMBERS // columns.size)
        for start in range(0, rows.shape[1], step):
            part = rows[:, start : start + step]
            window = density[top + start : top + start + part.shape[1], left : left + columns.shape[1]]
            window += part.T @ columns
    return density


def adaptive_sigma(
    points: np.ndarray, *, beta: float = 0.3, k: int = 3, bounds: tuple[float, float] = (1.0, 100.0)
) -> np.ndarray:
    """Width of each head's geometry-adaptive kernel: `beta` times the mean distance to its `k` nearest heads.

    In a crowd the distance between neighbors stands for the size of a head on the picture. Where it does
    not, there is a rule: with `k` heads or fewer, the mean goes over the neighbors there are; a single head
    has none and gets the fixed kernel, `FIXED_SIGMA`.

    Args:
        points: float array (N, 2), x then y in pixels.
        beta: share of the distance; 0.3 in the paper.
        k: number of neighbors; 3 in the paper.
        bounds: smallest and largest sigma in pixels. Heads annotated at one spot would have sigma 0, which is
            no kernel, and below a pixel's width the map cannot show it anyway: hence 1 (0.5 % of ShanghaiTech
            part A lies below). The neighbors of a person who stands alone tell nothing about their head, and
            would smear it over the whole picture: hence 100 (no head of part A lies above, 0.2 % of part B).

    Returns:
        float64 array (N,), in pixels.

    Raises:
        DataError: if a point is NaN or infinite, or an argument has the wrong shape or an impossible value.

    Reference:
        Zhang et al., "Single-Image Crowd Counting via Multi-Column Convolutional Neural Network", CVPR 2016,
        section 2.2; with beta 0.3 and k 3 in CSRNet, section 3.2 (https://arxiv.org/abs/1802.10062).

    Example:
        >>> adaptive_sigma([[0, 0], [10, 0], [20, 0], [30, 0]])
        array([6., 4., 4., 6.])
        >>> adaptive_sigma([[5, 5]])
        array([15.])
    """
    points = check_points(points)
    k = _check_integer("k", k)
    try:
        smallest, largest = map(float, bounds)
        if not 0 < smallest <= largest:
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise DataError(f"bounds must be two numbers, 0 < smallest <= largest. Received: bounds={bounds!r}") from None
    if not (isinstance(beta, Real) and 0 < beta < np.inf):
        raise DataError(f"beta must be a finite number above 0. Received: beta={beta!r}")
    neighbors = min(k, len(points) - 1)
    if neighbors < 1:
        return np.full(len(points), FIXED_SIGMA)
    # The nearest of the k + 1 is the head itself, or one at the same spot: at distance 0 either way.
    distances, _ = cKDTree(points).query(points, neighbors + 1)
    return np.clip(beta * distances[:, 1:].mean(axis=1), smallest, largest)


def paper_sigma(sample: Sample) -> float | str:
    """The paper's kernel for a sample's density map, by its data set.

    Adaptive for ShanghaiTech part A and UCF_CC_50, 10 pixels for TRANCOS, 3 for WorldExpo'10 and UCSD, 15 for part B
    and for what the paper does not name.

    Reference:
        Li, Zhang, Chen, "CSRNet", CVPR 2018, table 2 (arXiv 1802.10062).

    Example:
        >>> paper_sigma(Sample("part_B/IMG_1", np.zeros((8, 8, 3), np.uint8), []))
        15.0
    """
    return _PAPER_SIGMA.get(sample.name.partition("/")[0], FIXED_SIGMA)


def save_density_map(path: str | os.PathLike, density: np.ndarray) -> None:
    """Write a density map as HDF5, as the field does: one dataset, `density`, float32, compressed with gzip.

    Args:
        path: the file to write; the name usually ends in `.h5`. Missing folders are made, an existing file is
            replaced.
        density: array (rows, columns) of finite numbers.

    Raises:
        DataError: if `density` is not such an array.

    Example:
        >>> import tempfile
        >>> path = tempfile.mkdtemp() + "/IMG_1.h5"
        >>> save_density_map(path, density_map([[3.0, 4.0]], (20, 30)))
        >>> round(float(load_density_map(path).sum()), 4)
        1.0
    """
    import h5py  # only here and in load_density_map: drawing maps needs NumPy and SciPy only

    density = _check_density("a density map", density)
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        file.create_dataset("density", data=density, compression="gzip")


def load_density_map(path: str | os.PathLike) -> np.ndarray:
    """Read a density map from HDF5: the dataset `density` of a file of ours or of the field's.

    Args:
        path: an HDF5 file that holds a dataset `density` with 2 axes, rows and columns.

    Returns:
        float32 array (rows, columns).

    Raises:
        DataError: if the file is missing, no HDF5 file, damaged, or holds no such dataset.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            if not isinstance(file.get("density"), h5py.Dataset):
                raise DataError(
                    f"{os.fspath(path)} holds no dataset named 'density' (it holds: "
                    f"{', '.join(file) or 'nothing'}). Give a file whose density map has that name."
                )
            density = file["density"][()]
    except (OSError, KeyError, RuntimeError) as error:
        # A missing file, a folder and another format come as OSError, damage inside as any of the three.
        raise DataError(
            f"{os.fspath(path)} cannot be read as an HDF5 file: {first_line(error)}. Check the path, or "
            "write the map again."
        ) from error
    return _check_density(f"the dataset 'density' of {os.fspath(path)}", density)


def sum_pool(density: np.ndarray, stride: int = STRIDE) -> np.ndarray:
    """Sum a map (H, W, ...) over `stride` x `stride` cells; the last cells cover what is left, the total stays.

    Example:
        >>> sum_pool(np.ones((9, 16), "float32"))
        array([[64., 64.],
               [ 8.,  8.]], dtype=float32)
    """
    rows, columns = (np.arange(0, side, stride) for side in density.shape[:2])
    return np.add.reduceat(np.add.reduceat(density, rows, axis=0), columns, axis=1)


def _groups(points: np.ndarray, size: tuple[int, int], heads: int) -> Iterator[np.ndarray]:
    """Yield the indices of `heads` heads at a time that lie near each other, in all every head once."""
    height, width = size
    downwards = np.argsort(points[:, 1], kind="stable")
    # Bands with the same number of heads, as many as make a group's share of a band about square.
    groups = len(points) / heads
    bands = max(1, round(min((groups * height / width) ** 0.5, groups)))
    for band in np.array_split(downwards, bands):
        rightwards = band[np.argsort(points[band, 0], kind="stable")]
        for start in range(0, len(band), heads):
            yield rightwards[start : start + heads]


def _whole_profiles(position: np.ndarray, sigma: np.ndarray, length: int, stride: int) -> tuple[int, np.ndarray]:
    """Mass of each head's Gaussian in the cells of one axis, as a share of its mass inside the picture.

    Returns:
        The first cell that any head reaches, and a float32 array (heads, cells from there on).
    """
    last_cell = (length - 1) // stride
    first = np.clip((position - _REACH * sigma) // stride, 0, last_cell).astype(np.int64)
    last = np.clip((position + _REACH * sigma) // stride, 0, last_cell).astype(np.int64)
    # The cells that a head reaches have one edge more than there are cells.
    head, edge = _ragged(first, last + 2)
    with np.errstate(over="ignore"):  # an immensely narrow kernel: infinitely far away is the right answer
        below = ndtr((np.minimum(edge * stride, length) - position[head]) / sigma[head])
    mass = np.diff(below)
    ends = np.cumsum(last + 2 - first)
    total = below[ends - 1] - below[ends - (last + 2 - first)]
    base = first.min()
    dense = np.zeros((len(position), last.max() + 2 - base), np.float32)
    # `mass` also holds the differences between one head's last edge and the next head's first, which mean
    # nothing. They land in the column after the head's last cell, and are cleared there.
    dense[head[:-1], edge[:-1] - base] = mass / total[head[:-1]]
    dense[np.arange(len(position)), last + 1 - base] = 0
    return int(base), dense[:, :-1]


def _cut_profiles(position: np.ndarray, sigma: np.ndarray, length: int, stride: int) -> tuple[int, np.ndarray]:
    """The same for the reference's kernels: `gaussian_filter` of one pixel, with zeros beyond the border."""
    pixel = np.minimum(position.astype(np.int64), length - 1)
    radius = (_TRUNCATE * sigma + 0.5).astype(np.int64)
    widths, which = np.unique(sigma, return_inverse=True)
    sums = np.array([_kernel_sum(width) for width in widths])
    head, at = _ragged(np.maximum(pixel - radius, 0), np.minimum(pixel + radius, length - 1) + 1)
    with np.errstate(over="ignore"):
        mass = np.exp(-0.5 * np.square((at - pixel[head]) / sigma[head])) / sums[which[head]]
    cell = at // stride
    base = cell.min()
    cells = cell.max() + 1 - base
    dense = np.bincount(head * cells + cell - base, weights=mass, minlength=len(position) * cells)
    return int(base), dense.reshape(len(position), cells).astype(np.float32)


def _kernel_sum(sigma: float) -> float:
    """Sum of the weights of the reference's kernel before it is normalized."""
    radius = int(_TRUNCATE * sigma + 0.5)
    return 1.0 + 2.0 * float(np.exp(-0.5 * np.square(np.arange(1, radius + 1) / sigma)).sum())


def _ragged(first: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lay the ranges `first[i], ..., end[i] - 1` behind one another: the i of each value, and the values."""
    lengths = end - first
    row = np.repeat(np.arange(len(first)), lengths)
    starts = np.cumsum(lengths) - lengths
    return row, np.arange(len(row)) - (starts - first)[row]


def _move_inside(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """Put heads outside the picture on the border, with one warning for all of them."""
    inside = np.clip(points, 0.0, (width, height))
    outside = np.flatnonzero((inside != points).any(axis=1))
    if len(outside):
        shown = ", ".join(f"({x:g}, {y:g})" for x, y in points[outside[:5]])
        more = f" and {len(outside) - 5} more" if len(outside) > 5 else ""
        warnings.warn(
            f"{len(outside)} of {len(points)} heads lie outside the picture of width {width} and height "
            f"{height}, at (x, y) = {shown}{more}. Each is counted at the nearest point of the border. "
            "Correct the annotations if that is not what you want.",
            DensityWarning,
            stacklevel=3,
        )
    return inside


def _check_size(size: tuple[int, int]) -> tuple[int, int]:
    try:
        height, width = map(operator.index, size)
    except (TypeError, ValueError):
        height = width = 0
    if height < 1 or width < 1:
        raise DataError(f"size must be two integers above 0, height and width. Received: size={size!r}")
    return height, width


def _check_integer(name: str, value: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if number < 1:
        raise DataError(f"{name} must be an integer, 1 or more. Received: {name}={value!r}")
    return number


def _check_sigma(sigma: float | str | np.ndarray, points: np.ndarray) -> np.ndarray:
    if isinstance(sigma, str):
        if sigma != "adaptive":
            raise DataError(f'sigma must be a number, an array or "adaptive". Received: sigma={sigma!r}')
        return adaptive_sigma(points)
    try:
        array = np.asarray(sigma, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"sigma must be a number or an array of numbers. Received: {sigma!r}") from error
    if array.shape not in ((), (len(points),)):
        raise DataError(
            f"sigma must be one number, or one for each of the {len(points)} heads. Received: shape {array.shape}"
        )
    wrong = array[~(np.isfinite(array) & (array > 0))]
    if wrong.size:
        raise DataError(f"sigma must be finite and above 0, in pixels. Received: {wrong[0]:g}")
    return np.broadcast_to(array, len(points))


def _check_density(what: str, density: np.ndarray) -> np.ndarray:
    array = np.asarray(density)
    if array.ndim != 2 or array.size == 0 or array.dtype.kind not in "fiu":
        raise DataError(
            f"{what} must be an array of numbers with 2 axes, rows and columns. "
            f"Received: shape {array.shape}, dtype {array.dtype}"
        )
    array = array.astype(np.float32)
    faulty = np.count_nonzero(~np.isfinite(array))
    if faulty:
        raise DataError(f"{what} must be finite. Received: NaN or infinity in {faulty} of {array.size} cells")
    return array
