"""Head positions in MATLAB files, by the names under which the field's data sets keep them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import numpy as np
import scipy.io.matlab

from crowdcount.data.readers.mat5 import is_mat5, read_mat5
from crowdcount.data.records import TellFault
from crowdcount.files import link_outside

Variables = Callable[[str], np.ndarray]
"""A variable of a MATLAB file by its name; raises a KeyError where there is no such one."""

# How files of version 7.3 begin: MATLAB's have a text before what makes them HDF5.
_HDF5 = (b"MATLAB 7.3 MAT-file", b"\x89HDF\r\n\x1a\n")
# Compressed zeros of any number take a few bytes. A data set of 60 x 2000 frames in one file has some millions.
_MOST_NUMBERS = 50_000_000


@contextmanager
def open_mat(file: Path) -> Iterator[Variables]:
    """Open a MATLAB file to look up its variables.

    They are as SciPy gives them; of version 7.3, which is HDF5, plain numbers only.

    Raises:
        Exception: damaged files make SciPy (which reads version 4) and h5py raise a dozen unrelated ones, here or where
            a variable is looked up.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "mall_gt.mat"
        >>> scipy.io.savemat(file, {"frame": [[1.5, 2.0]], "count": [[1]]})
        >>> with open_mat(file) as variable:
        ...     variable("frame"), variable("count").item()
        (array([[1.5, 2. ]]), 1)
    """
    with open(file, "rb") as stream:
        start = stream.read(128)
        stream.seek(0)
        if start.startswith(_HDF5):
            import h5py

            with h5py.File(stream, "r") as content:
                if outside := link_outside(content):
                    raise ValueError(f"it points into another file, {outside!r}, which is not opened")
                yield lambda name: _from_hdf5(content[name], content)
        elif is_mat5(start):
            yield partial(read_mat5, stream.read())
        # SciPy takes more for version 5 than has its header.
        elif scipy.io.matlab.matfile_version(stream)[0] != 0:
            raise ValueError("its header is damaged")
        else:
            yield lambda name: scipy.io.loadmat(stream, variable_names=[name])[name]


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
    problem = ", is not in it"
    try:
        with open_mat(file) as variable:
            found = _named_points(variable)
    except Exception as error:  # damaged files make SciPy raise a dozen unrelated exceptions
        found, problem = None, f": {error!r}"
    if found is None:
        tell(
            file,
            f"is not a readable annotation: image_info with points and their number, or annPoints{problem}.",
        )
        return None
    points, number = found
    return _checked(file, points if points.size else points.reshape(0, 2), number, tell)


def _named_points(variable: Variables) -> tuple[np.ndarray, int | None] | None:
    """Points, and their number where it is told, by the first of the names that is there; None where none is."""
    for name, of in _VARIABLES.items():
        with suppress(KeyError):
            points, number = of(variable(name))
            if np.iscomplexobj(points):  # NumPy would leave out the imaginary part
                raise ValueError("its numbers are complex")
            return np.asarray(points, np.float64), number
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
