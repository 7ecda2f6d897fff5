"""A network from its name or file, built as its card says: a new one, or the one that all counts share."""

from __future__ import annotations

import functools
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Union

from crowdcount.errors import WeightsError, first_line
from crowdcount.network.kinds import kind_of
from crowdcount.network.locate import find_weights
from crowdcount.network.prediction import check_network

if TYPE_CHECKING:
    import keras

Model = Union[str, os.PathLike, "keras.Model"]

_lock = threading.Lock()  # several threads may ask for one network at once


def load_network(model: Model) -> tuple[keras.Model, str]:
    """The network and its name: the name or path that was given, or the `keras.Model`'s own.

    Raises:
        WeightsError: if there is no such network, its file is damaged, or `model` is none of the three.
        CrowdCountError: in a process that was forked after a network was loaded.
    """
    from crowdcount.network.backend import claim, keras

    claim()
    if isinstance(model, (str, os.PathLike)):
        return shared_model(model), os.fspath(model)
    if not isinstance(model, keras.Model):
        raise WeightsError(
            "A model is a name, the path of a weight file or a keras.Model. Received: "
            f"{type(model).__name__} {repr(model)[:80]}"
        )
    check_network(model, f"The model {model.name!r}")
    return model, model.name


def load_model(name_or_file: str | os.PathLike = "general", *, precision: str | None = None) -> keras.Model:
    """A model ready to count, or to be trained further.

    Args:
        name_or_file: name of a shipped model, a `.weights.h5` file (its card beside it says the design; without a
            card design B), weights of PyTorch's CSRNet (`.pth`, `.npz`), or a `.keras` file.
        precision: see `crowdcount.CSRNet`; a `.keras` file holds its own.

    Returns:
        The model, a new one each time.

    Raises:
        WeightsError: where the file is missing, damaged or made for another network.
    """
    return _load(_model_path(name_or_file), precision)


def shared_model(name_or_file: str | os.PathLike) -> keras.Model:
    """As `load_model`, loaded once a process while its file stays the same. Not to be changed: all counts share it.

    Raises:
        WeightsError: as `load_model`.
    """
    path = _model_path(name_or_file)
    stamp = path.stat()
    with _lock:
        return _load_once(path, (stamp.st_dev, stamp.st_ino, stamp.st_mtime_ns, stamp.st_size))


def _model_path(name_or_file: str | os.PathLike) -> Path:
    # Not where a link leads: the card and the name's ending are beside the link.
    return Path(os.path.abspath(find_weights(name_or_file)))


@functools.lru_cache(maxsize=4)
def _load_once(path: Path, stamp: tuple[int, ...]) -> keras.Model:
    # Part of the cache's key only: a file that was written again is loaded again. The moment of that need not differ,
    # where a clock was set back or a file copied with its own; the file itself does.
    del stamp
    return _load(path, None)


def _load(path: Path, precision: str | None) -> keras.Model:
    from crowdcount.network.csrnet import CSRNet

    if kind_of(path) == "keras":
        return _keras_model(path)
    return CSRNet(weights=path, precision=precision)


def _keras_model(path: Path) -> keras.Model:
    from crowdcount.network.backend import keras

    if path.suffix != ".keras":  # Keras knows them by it
        raise WeightsError(f"{path} is a whole model of Keras. Give it a name that ends in .keras.")
    try:
        model = keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises whatever the layers of the file met
        raise WeightsError(f"{path} is not a model that Keras can open: {first_line(error)}") from None
    check_network(model, str(path))
    return model
