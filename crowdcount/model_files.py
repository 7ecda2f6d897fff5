"""Weight files and their cards: what is there, loading, saving.

Weights are Keras `.weights.h5` files with float16 arrays (half the size; counts move by less than 0.1 %). Beside
`NAME.weights.h5` lies its model card, `NAME.json`: the network, how it was trained and what it measured. Reading
either never runs code from the file.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from crowdcount.errors import WeightsError
from crowdcount.files import atomic_path, data_folder

if TYPE_CHECKING:
    import h5py
    import keras

SUFFIX = ".weights.h5"


def list_models() -> list[dict]:
    """The cards of the models that have a name: those that come with the package, and one's own beside them.

    Returns:
        One dictionary a model, see `model_card`; `name` is what `--model` takes.
    """
    names = [path.name.removesuffix(SUFFIX) for path in sorted(data_folder("weights").glob(f"*{SUFFIX}"))]
    return [{**model_card(name), "name": name} for name in names]


def model_card(name_or_file: str | os.PathLike) -> dict:
    """The card of a model: network, training, measured errors, checksum, licence.

    Args:
        name_or_file: name of a shipped model, or a weight file with its card beside it.

    Returns:
        The card; `{}` for a weight file of one's own that has none.

    Raises:
        WeightsError: where there is no such model, or the card is not readable.
    """
    path = find_weights(name_or_file)
    # Of a link the card may lie beside it, under its name, or beside the file that it leads to.
    beside = (each.with_name(each.name.removesuffix(SUFFIX) + ".json") for each in (path, path.resolve()))
    card_path = next((each for each in beside if each.is_file()), None)
    if card_path is None:
        return {}
    try:
        card = json.loads(card_path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"The model card {card_path} cannot be read: {error}") from None
    if not isinstance(card, dict):
        raise WeightsError(f"The model card {card_path} must hold a JSON object. Received: {type(card).__name__}")
    return card


def find_weights(name_or_file: str | os.PathLike) -> Path:
    """Path of a shipped model's weights or of a file.

    Raises:
        WeightsError: where neither a shipped model nor a file has this name; says which models there are.
    """
    text = os.fspath(name_or_file)
    shipped = data_folder("weights")
    path = shipped / f"{text}{SUFFIX}"
    if os.sep not in text and path.is_file():
        return path
    path = Path(text)
    if path.is_dir():
        raise WeightsError(f"A weight file is wanted, but {path} is a folder. Name the {SUFFIX} file in it.")
    if path.is_file():
        return path
    names = ", ".join(sorted(item.name.removesuffix(SUFFIX) for item in shipped.glob(f"*{SUFFIX}"))) or "none"
    raise WeightsError(f"There is no model or file named {text!r}. Models that come with crowdcount: {names}.")


def load_weights(model: keras.Model, name_or_file: str | os.PathLike) -> None:
    """Load a weight file into a model of the same design and width, in place.

    Raises:
        WeightsError: for a file that is missing, cut off, changed or made for another network.
    """
    path = find_weights(name_or_file)
    if not path.name.endswith(SUFFIX):
        raise WeightsError(f"A weight file's name ends in {SUFFIX}. Received: {path}")
    card = model_card(path)
    if "sha256" in card and checksum(path) != card["sha256"]:
        raise WeightsError(f"{path} is cut off or changed: its checksum is not the one in its card. Get it again.")
    network = card.get("network") or {}
    try:
        filters = model.get_layer("block1_conv1").filters
    except ValueError:
        raise WeightsError(f"{path} holds weights of CSRNet. Received another network: {model.name!r}") from None
    if "width" in network and max(1, round(64 * network["width"])) != filters:
        raise WeightsError(
            f"{path} holds a network of width {network['width']:g}, the model has width {filters / 64:g}: build it "
            f"with that width, CSRNet(width={network['width']:g})."
        )
    for layer, rate in network.get("rates", {}).items():
        built = model.get_layer(layer).dilation_rate[0]
        if built != rate:
            raise WeightsError(
                f"{path} was trained with design {card['network'].get('design')!r} ({layer} at rate {rate}), the model "
                f"has rate {built}: build it with CSRNet(design={card['network'].get('design')!r})."
            )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # where a file does not fit, Keras warns of each layer before it raises
            model.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WeightsError(
            f"{path} does not fit: it is cut off, no weight file, or of another width or network ({first_line})"
        ) from None


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

    from crowdcount.model import CSRNet

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
    network = model_card(path).get("network") or {}
    if not isinstance(network, dict):
        raise WeightsError(f"The card of {path} describes no network. Received: {network!r}")
    width = network["width"] if "width" in network else _stored_width(path)
    try:
        model = CSRNet(network.get("design", "B"), width, precision=precision)
    except (ValueError, TypeError) as error:
        raise WeightsError(f"The card of {path} describes no network that can be built: {error}") from None
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


def save_weights(model: keras.Model, path: str | os.PathLike, card: dict | None = None) -> Path:
    """Write a model's weights as float16 and, where one is given, the card with their checksum beside them.

    Args:
        model: any Keras model.
        path: file to write; its name ends in `.weights.h5`.
        card: what is known of the model; `sha256` is added.

    Returns:
        The path.

    Raises:
        WeightsError: for another ending.
    """
    import h5py

    path = Path(path)
    if not path.name.endswith(SUFFIX):
        raise WeightsError(f"A weight file's name ends in {SUFFIX}. Received: {path}")
    with atomic_path(path) as temporary:
        # Keras knows the format by the double ending, which the temporary name must keep.
        whole = temporary.with_name(temporary.name.removesuffix(".h5") + SUFFIX)
        try:
            model.save_weights(whole)
            with h5py.File(whole, "r") as source, h5py.File(temporary, "w") as target:
                _copy_as_float16(source, target)
        finally:
            whole.unlink(missing_ok=True)
        digest = checksum(temporary)
    if card is not None:
        with atomic_path(path.with_name(path.name.removesuffix(SUFFIX) + ".json")) as temporary:
            temporary.write_text(json.dumps({**card, "sha256": digest}, indent=2) + "\n", "utf-8")
    return path


def _copy_as_float16(source: h5py.Group, target: h5py.Group) -> None:
    """Copy a tree of groups, attributes and arrays; floating point arrays become float16."""
    import numpy as np

    target.attrs.update(source.attrs)
    for name, item in source.items():
        if name == "optimizer":  # Keras adds the state of a compiled model's; it is the checkpoint's business
            continue
        if hasattr(item, "dtype"):
            array = item[()]
            target[name] = array.astype(np.float16) if array.dtype.kind == "f" else array
            target[name].attrs.update(item.attrs)
        else:
            _copy_as_float16(item, target.create_group(name))


def checksum(path: str | os.PathLike) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
