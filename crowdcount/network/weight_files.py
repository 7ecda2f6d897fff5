"""Weight files: loading them into a network, and saving them with their card.

Weights are Keras `.weights.h5` files with float16 arrays (half the size; counts move by less than 0.1 %). Beside
`NAME.weights.h5` lies its model card, `NAME.json`: the network, how it was trained and what it measured. Reading
either never runs code from the file.
"""

from __future__ import annotations

import json
import os
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from crowdcount.errors import WeightsError, first_line
from crowdcount.files import atomic_path
from crowdcount.network.cards import BEFORE, checksum, model_card
from crowdcount.network.designs import NUMBERS, dilation_rates, filters_of, width_of
from crowdcount.network.kinds import kind_of
from crowdcount.network.locate import SUFFIX, find_weights
from crowdcount.network.torch_weights import has_linear_end, load_state, read_state, stored_width as torch_width

if TYPE_CHECKING:
    import h5py
    import keras


def load_weights(model: keras.Model, name_or_file: str | os.PathLike) -> None:
    """Load a weight file into a model of the same design and width, in place.

    Args:
        model: a CSRNet.
        name_or_file: name of a shipped model, a `.weights.h5` file, or weights of PyTorch's CSRNet (`.pth`, `.npz`),
            see `crowdcount.network.torch_weights`.

    Raises:
        WeightsError: for a file that is missing, cut off, changed or made for another network.
    """
    path = find_weights(name_or_file)
    kind = kind_of(path)
    if kind == "torch":
        load_state(model, read_state(path), path)
        return
    if kind == "keras":
        raise _whole_model(path)
    if not path.name.endswith(SUFFIX):
        raise WeightsError(f"A weight file's name ends in {SUFFIX}. Received: {path}")
    card = model_card(path)
    if card.sha256 is not None and checksum(path) != card.sha256:
        raise WeightsError(
            f"{path} is cut off or changed: its checksum is not the one in its card. Get both again, the file and the "
            "card that lies beside it."
        )
    try:
        filters = model.get_layer("block1_conv1").filters
    except ValueError:
        raise WeightsError(f"{path} holds weights of CSRNet. Received another network: {model.name!r}") from None
    if card.width is not None and filters_of(64, card.width) != filters:
        raise WeightsError(
            f"{path} holds a network of width {card.width:g}, the model has width {filters / 64:g}: build it "
            f"with that width, CSRNet(width={card.width:g}), --width {card.width:g}."
        )
    if "rates" in (card.content.get("network") or {}):
        for layer, rate in dilation_rates(card.design).items():
            if model.get_layer(layer).dilation_rate[0] != rate:
                raise WeightsError(
                    f"{path} was trained with design {card.design!r} ({layer} at rate {rate}), the model has rate "
                    f"{model.get_layer(layer).dilation_rate[0]}: build it with CSRNet(design={card.design!r}), "
                    f"--design {card.design}."
                )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # where a file does not fit, Keras warns of each layer before it raises
            model.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        raise WeightsError(
            f"{path} does not fit: it is cut off, no weight file, or of another width or network ({first_line(error)})"
        ) from None


def network_in(name_or_file: str | os.PathLike) -> tuple[str, float]:
    """Design and width of the network that weights are of: as their card says, the width else by the file.

    Raises:
        WeightsError: for a file that is missing, damaged or no weights.

    Example:
        >>> network_in("general")
        ('B', 1.0)
    """
    path = find_weights(name_or_file)
    kind = kind_of(path)
    if kind == "keras":
        raise _whole_model(path)
    card = model_card(path)
    if card.width is not None:
        return card.design, card.width
    return card.design, torch_width(read_state(path), path) if kind == "torch" else _stored_width(path)


def _whole_model(path: Path) -> WeightsError:
    return WeightsError(f"{path} is a whole model, not weights: open it with crowdcount.load_model.")


def _stored_width(path: Path) -> float:
    """The width that a weight file without a card was made for, by the layers' filters."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            layers = [f"layers/conv2d{f'_{number}' if number else ''}/vars/0" for number in range(len(NUMBERS))]
            return width_of([file[layer].shape[-1] for layer in layers])
    except (OSError, KeyError, AttributeError, IndexError):
        raise WeightsError(f"{path} is cut off or no weight file of CSRNet.") from None


def save_weights(model: keras.Model, path: str | os.PathLike, card: dict | None = None) -> Path:
    """Write a model's weights as float16 and, where one is given, the card with their checksum beside them.

    Args:
        model: any Keras model.
        path: file to write; its name ends in `.weights.h5`.
        card: what is known of the model; `sha256` is added. Without one, the card of what was there before goes.

    Returns:
        The path.

    Raises:
        WeightsError: for another ending, or a CSRNet of PyTorch's, whose end a weight file does not hold.
    """
    import h5py

    path = Path(path)
    if not path.name.endswith(SUFFIX):
        raise WeightsError(f"A weight file's name ends in {SUFFIX}. Received: {path}")
    if has_linear_end(model):
        raise WeightsError(
            f"The network {model.name!r} has PyTorch's linear end. A weight file holds numbers alone, and opened again "
            f"it would count otherwise. Save it whole: model.save({path.name.removesuffix(SUFFIX) + '.keras'!r})."
        )
    beside = path.with_name(path.name.removesuffix(SUFFIX) + ".json")
    with atomic_path(path) as temporary:
        # Keras knows the format by the double ending, which the temporary name must keep.
        whole = temporary.with_name(temporary.name.removesuffix(".h5") + SUFFIX)
        try:
            model.save_weights(whole)
            with h5py.File(whole, "r") as source, h5py.File(temporary, "w") as target:
                _copy_as_float16(source, target)
        finally:
            whole.unlink(missing_ok=True)
        if card is not None:
            # Two files cannot be replaced at once. Until both are, and where the process ends in between, the card has
            # that of the weights of before in it: whichever lie there have theirs.
            card = {**card, "sha256": checksum(temporary)}
            before = _card_there(path)
            _write_card(beside, {**card, BEFORE: before} if before else card)
    if card is None:
        beside.unlink(missing_ok=True)  # that of the weights of before, with which these could not be opened
    elif before:
        _write_card(beside, card)
    return path


def _card_there(path: Path) -> dict | None:
    """The card of the weights that are to be replaced, where there are any and it can be read, with their checksum."""
    with suppress(WeightsError):
        if path.is_file():
            there = model_card(path)
            return {**there.content, "sha256": there.sha256 or checksum(path)}
    return None


def _write_card(path: Path, card: dict) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(card, indent=2) + "\n", "utf-8")


def _copy_as_float16(source: h5py.Group, target: h5py.Group) -> None:
    """Copy a tree of groups, attributes and arrays; floating point arrays become float16, if they do not overflow."""
    import numpy as np

    target.attrs.update(source.attrs)
    for name, item in source.items():
        if name == "optimizer":  # Keras adds the state of a compiled model's; it is the checkpoint's business
            continue
        if hasattr(item, "dtype"):
            array = item[()]
            small = array.dtype.kind == "f" and np.abs(array).max(initial=0) <= np.finfo(np.float16).max
            target[name] = array.astype(np.float16) if small else array
            target[name].attrs.update(item.attrs)
        else:
            _copy_as_float16(item, target.create_group(name))
