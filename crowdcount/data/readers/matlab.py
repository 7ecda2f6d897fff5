"""Head positions in MATLAB files, by the names under which the field's data sets keep them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.io.matlab

from crowdcount.data.readers.mat5 import is_mat5, read_mat5
from crowdcount.data.records import TellFault
from crowdcount.files import link_outside

_HDF5 = b"MATLAB 7.3 MAT-file"
# Compressed zeros of any number take a few bytes. A data set of 60 x 2000 frames in one file has some millions.
_MOST_NUMBERS = 50_000_000


def load_mat(file: Path, name: str) -> np.ndarray:
    """One variable of a MATLAB file, as SciPy gives it; of version 7.3, which is HDF5, plain numbers only.

    Raises:
        KeyError: if there is no such variable.
        Exception: damaged files make SciPy (which reads version 4) and h5py raise a dozen unrelated ones.
    """
    with open(file, "rb") as stream:
        start = stream.read(128)
        newer = start.startswith(_HDF5) or _is_hdf5(stream)
    if is_mat5(start) and not newer:
        return read_mat5(file, name)
    if not newer:
        # SciPy takes more for version 5 than has its header.
        if scipy.io.matlab.matfile_version(file, appendmat=False)[0] != 0:
            raise ValueError("its header is damaged")
        return scipy.io.loadmat(file, variable_names=[name])[name]
    import h5py

    with h5py.File(file, "r") as content:
        if outside := link_outside(content):
            raise ValueError(f"it points into another file, {outside!r}, which is not opened")
        return _from_hdf5(content[name], content)


def _is_hdf5(stream) -> bool:
    stream.seek(0)
    return stream.read(8) == b"\x89HDF\r\n\x1a\n"


def _from_hdf5(item, content) -> np.ndarray:
    """A dataset, or the first dataset in a group or behind references; MATLAB writes its arrays transposed."""
    import h5py

    if isinstance(item, h5py.Group):
        return _from_hdf5(item[next(iter(item))], content)
    if item.size is not None and item.size > _MOST_NUMBERS:
        raise ValueError(f"an array of {item.size} numbers, more than any picture has heads")
    value = item[()]
    if value.dtype == object:
        return _from_hdf5(content[value.flat[0]], content)
    if item.attrs.get("MATLAB_empty", 0):
        return np.zeros((0, 2))
    # MATLAB's own files say of what class a variable is; it is stored by columns, which HDF5 shows as rows.
    return np.asarray(value).T if "MATLAB_class" in item.attrs else np.asarray(value)


def read_points(file: Path, tell: TellFault) -> np.ndarray | None:
    """Points, shape (N, 2), in one annotation file; None where it cannot be read.

    `image_info` (ShanghaiTech, DroneCrowd) holds the points and their number, `annPoints` (UCF_CC_50, UCF-QNRF) the
    points alone.
    """
    problems = []
    for name, of in _VARIABLES.items():
        try:
            points, number = of(load_mat(file, name))
            points = np.asarray(points, np.float64)
        except KeyError:
            continue
        except Exception as error:  # damaged files make SciPy raise a dozen unrelated exceptions
            problems.append(repr(error))
            break
        return _checked(file, points if points.size else points.reshape(0, 2), number, tell)
    tell(
        file,
        "is not a readable annotation: image_info with points and their number, or annPoints"
        f"{': ' + problems[0] if problems else ', is not in it'}.",
    )
    return None


def _image_info(value: np.ndarray) -> tuple[np.ndarray, int | None]:
    if value.dtype != object:  # the points themselves
        return value, None
    info = value[0, 0][0, 0]
    return info[0], int(np.asarray(info[1]).item())


_VARIABLES: dict[str, Callable[[np.ndarray], tuple[np.ndarray, int | None]]] = {
    "image_info": _image_info,
    "annPoints": lambda value: (value, None),
}


def _checked(file: Path, points: np.ndarray, number: int | None, tell: TellFault) -> np.ndarray | None:
    if points.ndim != 2 or points.shape[1] != 2:
        tell(file, f"its points should have the shape (N, 2), x then y. Received {points.shape}.")
        return None
    bad = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if len(bad):
        x, y = points[bad[0]]
        tell(file, f"{len(bad)} of {len(points)} points are not finite: the first is ({x:g}, {y:g}).")
    if number is not None and number != len(points):
        tell(file, f"says that it has {number} heads but holds {len(points)} points.")
    return points


def cells(array: np.ndarray, field: str) -> list[np.ndarray]:
    """One field of each structure in a cell array: the points of each frame, float64 (N, 2), x then y."""
    frames = []
    for cell in np.asarray(array, object).ravel():
        value = np.asarray(cell[field][0, 0], np.float64)
        # UCSD has a third column, which is no coordinate.
        frames.append(value[:, :2] if value.size else value.reshape(0, 2))
    return frames
