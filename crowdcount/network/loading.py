"""A network from its name or file, built as its card says: a new one, or the one that all counts share."""

from __future__ import annotations

import functools
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Union

from crowdcount.errors import WeightsError
from crowdcount.network.cards import model_card
from crowdcount.network.locate import find_weights

if TYPE_CHECKING:
    import keras

Model = Union[str, os.PathLike, "keras.Model"]


def load_network(model: Model) -> tuple[keras.Model, str]:
    """The network and its name: the name or path that was given, or the `keras.Model`'s own.

    Raises:
        WeightsError: if there is no such network, its file is damaged, or `model` is none of the three.
    """
    if isinstance(model, (str, os.PathLike)):
        return shared_model(model), os.fspath(model)
    import keras

    if not isinstance(model, keras.Model):
        raise WeightsError(
            "A model is a name, the path of a weight file or a keras.Model. Received: "
            f"{type(model).__name__} {repr(model)[:80]}"
        )
    return model, model.name


def load_model(name_or_file: str | os.PathLike = "general", *, precision: str | None = None) -> keras.Model:
    """A model ready to count, or to be trained further.

    Args:
        name_or_file: name of a shipped model, a `.weights.h5` file (its card beside it says the design; without a
            card design B), or a `.keras` file.
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
    return _load_once(path, (stamp.st_mtime_ns, stamp.st_size))


def _model_path(name_or_file: str | os.PathLike) -> Path:
    path = Path(os.fspath(name_or_file))
    if path.suffix == ".keras":
        if not path.is_file():
            raise WeightsError(f"There is no file {path}.")
        if not zipfile.is_zipfile(path):  # of which Keras says that it is not found
            raise WeightsError(f"{path} is cut off or no model that Keras has saved. Get it again.")
    else:
        path = find_weights(name_or_file)
    # Not where a link leads: the card and the name's ending are beside the link.
    return Path(os.path.abspath(path))


@functools.lru_cache(maxsize=4)
def _load_once(path: Path, stamp: tuple[int, int]) -> keras.Model:
    del stamp  # part of the cache's key only: a file that was written again is loaded again
    return _load(path, None)


def _load(path: Path, precision: str | None) -> keras.Model:
    import keras

    if path.suffix == ".keras":
        try:
            model = keras.models.load_model(path, compile=False)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise WeightsError(f"{path} is not a model that Keras can open: {error}") from None
        if len(model.inputs) != 1 or model.input_shape[-1] != 3 or model.output_shape[-1] != 1:
            raise WeightsError(
                f"{path} is no crowd counter: it takes {model.input_shape} and gives {model.output_shape}, wanted are "
                "(batch, height, width, 3) and (batch, rows, columns, 1)."
            )
        return model
    from crowdcount.network.csrnet import CSRNet
    from crowdcount.network.weight_files import load_weights

    card = model_card(path)
    model = CSRNet(card.design, _stored_width(path) if card.width is None else card.width, precision=precision)
    load_weights(model, path)
    return model


def _stored_width(path: Path) -> float:
    """The width that a weight file without a card was made for, by the first layer's filters."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return file["layers/conv2d/vars/0"].shape[-1] / 64
    except (OSError, KeyError):
        raise WeightsError(f"{path} is cut off or no weight file of CSRNet.") from None
