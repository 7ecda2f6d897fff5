"""Weights of PyTorch's CSRNet, as its authors' code and its descendants save them, put into ours.

The layers are matched by their order and shapes: seventeen convolutions, whatever they are called. PyTorch's network
takes pictures scaled to 0..1 less ImageNet's mean, divided by its standard deviation; ours takes 0..255 and has the
normalization inside (`crowdcount.network.csrnet`), so the first layer's weights are scaled to see the same numbers.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from crowdcount.errors import WeightsError, first_line, needing
from crowdcount.network.designs import LAYERS, width_of

if TYPE_CHECKING:
    import keras

SUFFIXES = (".pth", ".pt", ".tar", ".npz")

# What torchvision's models are normalized by, in shares of the full light, RGB.
_MEAN, _DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
# A checkpoint holds the weights under one of these, beside the optimizer's state.
_NESTED = (
    *("state_dict", "model_state_dict", "model", "net", "network", "weights", "params", "module"),
    *("state_dict_ema", "model_ema", "ema"),
)


def read_state(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a PyTorch `state_dict`, in its order.

    Args:
        path: a file of `torch.save` (needs PyTorch; nothing in it is run, `weights_only=True`), or an `.npz` of arrays.

    Raises:
        MissingPackageError: where PyTorch is missing.
        WeightsError: where the file is damaged or holds something else.
    """
    if path.suffix.lower() == ".npz":
        try:
            with zipfile.ZipFile(path) as archive:  # np.load would also take a single array, or pickles
                names = [name for name in archive.namelist() if name.endswith(".npy")]
                return {name.removesuffix(".npy"): _array_in(archive, name) for name in names}
        except Exception as error:  # zipfile, zlib and NumPy raise whatever they met
            raise WeightsError(f"{path} is cut off or holds no arrays: {first_line(error)}") from None
    arrays = "numpy.savez(file, **{name: value.numpy() for name, value in state_dict.items()})"
    with needing(f"{path} holds weights of PyTorch, which is needed to read it, or to save them as {arrays}", "torch"):
        import torch
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # PyTorch raises whatever its readers met
        reason = first_line(error)
        if "weights_only" in str(error).lower() or "weights only" in str(error).lower():
            # PyTorch's own advice is to run what is in the file.
            reason = "it holds more than arrays, whole objects or a script, which would run code"
        raise WeightsError(
            f"{path} is no file of PyTorch's weights that can be read safely: {reason}. Save model.state_dict()."
        ) from None
    while isinstance(content, Mapping):
        inner = next((key for key in _NESTED if isinstance(content.get(key), Mapping)), None)
        if inner is None:
            break
        content = content[inner]
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path} holds no state_dict. Received: {type(content).__name__}. Save model.state_dict().")
    return {name: value.float().numpy() for name, value in content.items() if isinstance(value, torch.Tensor)}


def _array_in(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(name) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def stored_width(state: Mapping[str, np.ndarray], path: Path) -> float:
    """The width of the network that the arrays are of, by the layers' filters.

    Raises:
        WeightsError: where they are of no CSRNet.
    """
    return width_of([len(weight) for weight, _ in _layers(state, path)])


def load_state(model: keras.Model, state: Mapping[str, np.ndarray], path: Path) -> None:
    """Put the arrays into a CSRNet, in place: the same counts as in PyTorch, for sides that are multiples of 8.

    Its last layer loses its ReLU, since PyTorch's has none: a model that is saved whole keeps that, a weight file does
    not. At the border the two normalizations differ by less than half a level of 255 in what is padded.

    Args:
        model: a CSRNet of the state's width.
        state: what `read_state` gives.
        path: for messages.

    Raises:
        WeightsError: where the arrays fit no CSRNet, or one of another width.
    """
    import keras

    rescaling = model.get_layer("normalization")
    scale, offset = np.asarray(rescaling.scale, float), np.asarray(rescaling.offset, float)
    for name, (weight, bias) in zip(LAYERS, _layers(state, path), strict=True):
        kernel, bias = weight.transpose(2, 3, 1, 0).astype(np.float64), bias.astype(np.float64)
        if name == LAYERS[0]:
            # Ours sees scale * x + offset; theirs (x / 255 - mean) / deviation = factor * ours + shift.
            factor = 1 / (255 * _DEVIATION * scale)
            shift = -_MEAN / _DEVIATION - factor * offset
            bias = bias + (kernel * shift[:, None]).sum(axis=(0, 1, 2))
            kernel = kernel * factor[:, None]
        layer = model.get_layer(name)
        if layer.kernel.shape != kernel.shape:
            raise WeightsError(
                f"{path} does not fit: its layer for {name} has the shape {kernel.shape}, the model's "
                f"{layer.kernel.shape}."
            )
        layer.set_weights([kernel, bias])
    model.get_layer("density").activation = keras.activations.linear


def has_linear_end(model: keras.Model) -> bool:
    """Whether it is a CSRNet as `load_state` leaves it."""
    import keras

    return any(layer.name == "density" and layer.activation is keras.activations.linear for layer in model.layers)


def _layers(state: Mapping[str, np.ndarray], path: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Kernel (out, in, height, width) and bias of the seventeen convolutions, in order."""
    arrays = [array for array in state.values() if array.ndim in (1, 4)]
    pairs = list(zip(arrays[::2], arrays[1::2]))
    fits = len(arrays) == 2 * len(LAYERS) and all(w.ndim == 4 and b.shape == w.shape[:1] for w, b in pairs)
    fits = fits and pairs[0][0].shape[1] == 3 and pairs[-1][0].shape[0] == 1
    if not fits or any(before.shape[0] != after.shape[1] for (before, _), (after, _) in zip(pairs, pairs[1:])):
        shapes = ", ".join(f"{name} {array.shape}" for name, array in list(state.items())[:3]) or "none"
        raise WeightsError(
            f"{path} holds no weights of CSRNet: {len(LAYERS)} convolutions with biases are wanted, each taking what "
            "the one before gives, from 3 colors to 1 map. Received "
            f"{len(state)} arrays: {shapes}{', ...' * (len(state) > 3)}"
        )
    return pairs
