"""Picture -> density map: the network compiled once for every size, large pictures in tiles.

Tiles overlap by more than the network can see, so that tiling changes memory and nothing else.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from crowdcount.errors import CrowdCountError, WeightsError
from crowdcount.grid import STRIDE, map_shape
from crowdcount.network.room import free_memory
from crowdcount.network.tiling import windows
from crowdcount.progress import bar

if TYPE_CHECKING:
    import keras

# Above this many pixels a picture runs in tiles: the first layers at full resolution need about 0.8 GB a
# megapixel in float32, and a phone's 12 megapixels would not fit into a laptop. Full HD runs whole.
WHOLE_PIXELS = 2_100_000
# Of the first layers: what goes in, what comes out, and more than as much again for the work between, the tiles of
# Winograd's convolutions and what else grows.
_COPIES = 5
# What is read around a tile of a network that cannot be measured: half the receptive field of the widest
# design (D: 476 pixels), rounded up to whole cells.
_MARGIN = 240

# More heads than this on a pixel are none: the smallest that anybody annotates have four.
_MOST_A_PIXEL = 0.25
# PyTorch's CSRNet has no ReLU at its end and gives a few negative cells where nobody is: this share of what it sees.
_MOST_NEGATIVE = 0.25

_WANTED = "a crowd counter takes (batch, height, width, 3) and gives (batch, height / 8, width / 8, 1)"

_compiled: weakref.WeakKeyDictionary[keras.Model, Callable] = weakref.WeakKeyDictionary()
_checked: weakref.WeakSet[keras.Model] = weakref.WeakSet()
_lock = threading.Lock()  # several threads may count at once


def predict_density(model: keras.Model, picture: np.ndarray, *, progress: bool = False) -> np.ndarray:
    """Run the network over one picture of any size.

    The network is compiled at its first picture, for every size at once. A picture of more than 2.1
    megapixels, or of fewer where less memory is left, runs in tiles that overlap by what the network can see, so
    that the map is the same to rounding. (Of a network with layers other than convolutions and poolings a receptive
    field of up to 480 pixels is assumed.)

    Args:
        model: a network as `CSRNet` makes it.
        picture: uint8 RGB, shape (H, W, 3).
        progress: show a bar of the tiles, on a terminal and in a notebook.

    Returns:
        float32 density map (ceil(H / 8), ceil(W / 8)), people a cell.

    Raises:
        CrowdCountError: if the network gives numbers that are not finite, negative, or more than one head on 4 pixels;
            in a process that was forked after a network was loaded.
    """
    from crowdcount.network.backend import claim

    claim()
    height, width = picture.shape[:2]
    forward = compiled(model)
    fitting = pixels_that_fit(model)
    if height * width <= min(WHOLE_PIXELS, fitting):
        density = forward(picture)
    else:
        density = np.empty(map_shape((height, width)), np.float32)
        cut = windows((height, width), margin=margin_of(model), most=min(WHOLE_PIXELS, fitting))
        for window in bar(cut, "tile", "large picture", wanted=progress, leave=False):
            density[window.cells] = forward(picture[window.rows, window.columns])[window.own]
    if not density.any():  # nobody at all; or weights that were spoiled since `compiled` looked at them
        _check_weights(model)
    return _checked_map(density, model.name)


def compiled(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """A function from one picture to its map, made once for each network.

    Raises:
        CrowdCountError: if the network's weights are not all finite. Its map need not show it: on some processors
            a ReLU makes 0 of NaN.
    """
    with _lock:
        if model not in _compiled:
            _check_weights(model)
            _compiled[model] = _compile(model)
        return _compiled[model]


def _check_weights(model: keras.Model) -> None:
    if not all(np.isfinite(weights).all() for weights in model.get_weights()):
        raise CrowdCountError(
            f"The network {model.name!r} has weights that are NaN or infinite: it is damaged, or its training went "
            "wrong. Use other weights."
        )


def check_network(model: keras.Model, what: str) -> None:
    """Find out whether a network counts: one picture of 3 colors in, one map at an eighth of its size out.

    Args:
        model: any Keras model.
        what: how the message calls it.

    Raises:
        WeightsError: if it takes or gives something else.
    """
    if model in _checked or not getattr(model, "inputs", None):
        return  # a model that is no graph of layers tells nothing before it has seen a picture
    wanted = _WANTED
    shapes = f"it takes {_shapes(model.inputs)} and gives {_shapes(model.outputs)}"
    taken, given = model.inputs[0].shape, model.outputs[0].shape
    if (len(model.inputs), len(model.outputs), len(taken), taken[-1], len(given), given[-1]) != (1, 1, 4, 3, 4, 1):
        raise WeightsError(f"{what} is no crowd counter: {shapes}; {wanted}.")
    if taken[1] is not None or taken[2] is not None:
        raise WeightsError(f"{what} takes pictures of one size alone: {shapes}; {wanted}, for any height and width.")
    size = (8 * STRIDE, 10 * STRIDE)
    given = model.compute_output_shape((1, *size, 3))
    if len(given) != 4:  # a tensor that lies in a list or has a name
        raise WeightsError(f"{what} gives its map in a {type(given).__name__}; {wanted}, alone.")
    last = getattr(getattr(model.layers[-1], "activation", None), "__name__", "")
    if last in ("sigmoid", "softmax"):
        raise WeightsError(f"{what} is no crowd counter: its last layer is a {last}, which gives shares, not people.")
    found = given[1:3]
    if tuple(found) != map_shape(size):
        raise WeightsError(
            f"{what} is no crowd counter: of a picture of {size[1]}x{size[0]} pixels it makes a map of {found[0]} rows "
            f"and {found[1]} columns; {wanted}."
        )
    _checked.add(model)


def _shapes(tensors: list) -> str:
    return " and ".join(str(tuple(tensor.shape)) for tensor in tensors)


def _checked_map(density: np.ndarray, name: str) -> np.ndarray:
    """The map, if it can be one of people; without the negative cells that a network without a ReLU at its end gives.

    Raises:
        CrowdCountError: if it holds numbers that are not finite, more than one head on 4 pixels, or less than nobody.
    """
    advice = "Its weights are damaged, or it was trained for something else."
    if not np.isfinite(density).all():
        raise CrowdCountError(
            f"The network {name!r} gave a density map with NaN or infinite values. "
            "Its weights are damaged, or its precision is too low: load it with precision='float32'."
        )
    total, seen = (float(values.sum(dtype=np.float64)) for values in (density, np.maximum(density, 0)))
    if total > _MOST_A_PIXEL * density.size * STRIDE**2:
        raise CrowdCountError(
            f"The network {name!r} counts {total:.0f} people on {density.size * STRIDE**2} pixels, more than one on "
            f"four. {advice}"
        )
    if seen - total > max(1.0, _MOST_NEGATIVE * seen):
        raise CrowdCountError(f"The network {name!r} gave a map with {total - seen:.1f} people in it. {advice}")
    # The sum stays: what was negative is taken from where people are seen.
    return (
        density
        if total == seen
        else (np.maximum(density, 0) * (max(total, 0.0) / seen if seen else 0.0)).astype(np.float32)
    )


def _compile(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    import keras

    network: Callable[[], keras.Model] = weakref.ref(model)  # the cache must not keep alive what it is the cache of
    if keras.backend.backend() != "tensorflow":
        return lambda picture: _map_in(
            network().predict_on_batch(picture[np.newaxis].astype(np.float32)), picture, network().name
        )

    import tensorflow as tf

    from crowdcount.network.layers import to_count

    # One graph for all sizes: `predict` would trace, and may compile, a new one for each, at seconds apiece.
    @tf.function(input_signature=[tf.TensorSpec((1, None, None, 3), tf.float32)], autograph=False)
    def graph(pictures):
        with to_count():
            return network()(pictures, training=False)

    def forward(picture: np.ndarray) -> np.ndarray:
        pictures = tf.constant(picture[np.newaxis], tf.float32)
        try:
            output = graph(pictures)
        except tf.errors.ResourceExhaustedError as error:
            raise MemoryError(str(error)) from error
        return _map_in(output, picture, network().name)

    return forward


def _map_in(output: Any, picture: np.ndarray, name: str) -> np.ndarray:
    """The map (rows, columns) in what a network gave: of one that is no graph of layers only this shows what it is."""
    shape = tuple(getattr(output, "shape", ()))
    if shape != (1, *map_shape(picture.shape[:2]), 1):
        given = shape or f"a {type(output).__name__}"
        size = f"{picture.shape[1]}x{picture.shape[0]} pixels"
        raise WeightsError(f"The network {name!r} is no crowd counter: of {size} it gives {given}; {_WANTED}.")
    return np.asarray(output)[0, ..., 0]


def pixels_that_fit(model: keras.Model) -> int:
    """How many pixels the network can see at once with the memory that is left now."""
    room = free_memory()
    if room is None:
        return sys.maxsize
    import keras

    first = next((layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)), None)
    filters, numbers = (64, "float32") if first is None else (first.filters, first.compute_dtype)
    return room // (_COPIES * filters * (4 if numbers == "float32" else 2))


def margin_of(model: keras.Model) -> int:
    """Pixels around a tile that reach its cells: half the receptive field, rounded up to whole cells."""
    import keras

    seen, step = 1, 1
    for layer in model.layers:
        if isinstance(layer, (keras.layers.InputLayer, keras.layers.Rescaling)):
            continue
        if isinstance(layer, keras.layers.Conv2D):
            seen += (max(layer.kernel_size) - 1) * max(layer.dilation_rate) * step
        elif isinstance(layer, keras.layers.MaxPooling2D):
            seen += (max(layer.pool_size) - 1) * step
        else:
            return _MARGIN
        step *= max(layer.strides)
    return -(-seen // (2 * STRIDE)) * STRIDE
