"""CSRNet as a Keras functional model."""

from __future__ import annotations

import os
import weakref
from pathlib import Path

from crowdcount.errors import NetworkError, TrainingError, WeightsError, first_line
from crowdcount.network.backend import claim, keras
from crowdcount.network.designs import BACK_END_FILTERS, DESIGNS, FRONT_END, filters_of, is_width
from crowdcount.network.layers import Convolution
from crowdcount.network.precision import choose_precision

# VGG-16's fifth block has the shape of the first three dilated layers. Behind a fourth pool its 3x3 filters look at
# every second cell of our map, which is what dilation 2 does without the pool: it is a start for them, too.
A_TROUS = {"dilated1": "block5_conv1", "dilated2": "block5_conv2", "dilated3": "block5_conv3"}
# The fifth block's features are few and faint (standard deviation 0.05 at our scale, on a photo of a crowd). Ten
# times as large they are a fit input for the fresh layers behind them.
A_TROUS_GAIN = 10.0

# ImageNet's mean colour, as VGG-16 was trained with, here in RGB order.
IMAGENET_MEAN = (123.68, 116.779, 103.939)
# VGG-16 takes 0..255 and reaches activations of hundreds to thousands in block 4, which no fresh layer learns from
# in peace. ReLU is homogeneous: the input and every bias divided by one constant is the same network at unit scale.
INPUT_SCALE = 58.0

IMAGENET_FILE_VARIABLE = "CROWDCOUNT_VGG16"


def CSRNet(
    design: str | None = None,
    width: float | None = None,
    weights: str | os.PathLike | None = None,
    imagenet_file: str | os.PathLike | None = None,
    precision: str | None = None,
    name: str = "csrnet",
) -> keras.Model:
    """CSRNet: VGG-16's first ten convolutions, then dilated convolutions, to a density map whose sum is the count.

    The model takes pictures as they are, RGB from 0 to 255 of any height and width, and holds its normalization.
    Where a side is no multiple of 8 the last cells of the map cover what is left: pooling is padded inside, and no
    padding is counted.

    Args:
        design: back end, `"A"` (rates 1), `"B"` (2, the paper's choice), `"C"` (2, 2, 2, 4, 4, 4) or `"D"` (4). Not
            given: that of the weights by name or from a file, else B.
        width: multiplies the number of filters of every layer; below 1 for small, quick networks. Not given: that of
            the weights by name or from a file, else 1.
        weights: `None` for random weights, `"imagenet"` for VGG-16's in the front end (and its fifth block in the
            first three dilated layers), the name of shipped weights (`"general"`), or a `.weights.h5` file.
        imagenet_file: VGG-16's weights in Keras's layout (`vgg16_..._notop.h5`) for `weights="imagenet"`; without
            it the environment variable `CROWDCOUNT_VGG16` names the file, and without that Keras downloads it.
        precision: `"float32"`, `"mixed_bfloat16"`, `"mixed_float16"`, or `None` to choose what this processor or GPU
            does in hardware.
        name: name of the model.

    Returns:
        A `keras.Model`: (batch, height, width, 3) RGB, 0..255, to (batch, ceil(height / 8), ceil(width / 8), 1)
        heads per cell, float32, not negative. 16,263,489 parameters at width 1.

    Raises:
        NetworkError: for an unknown design, or a width outside 1/64 to 4.
        WeightsError: where the weights are missing, damaged or made for another network.

    Reference:
        Li, Zhang and Chen, "CSRNet: Dilated Convolutional Neural Networks for Understanding the Highly Congested
        Scenes", CVPR 2018, table 3 (arXiv 1802.10062). Our `"imagenet"` start goes beyond it in the dilated layers.

    Example:
        >>> import numpy as np
        >>> model = CSRNet(width=1 / 16)
        >>> model(np.zeros((1, 100, 60, 3), "uint8")).shape
        TensorShape([1, 13, 8, 1])
    """
    if weights not in (None, "imagenet") and None in (design, width):
        from crowdcount.network.weight_files import network_in

        stored = network_in(weights)
        design, width = stored[0] if design is None else design, stored[1] if width is None else width
    design, width = "B" if design is None else design, 1.0 if width is None else width
    if design not in DESIGNS:
        raise NetworkError(f"`design` must be one of {', '.join(DESIGNS)}. Received: design={design!r}")
    if not is_width(width):
        raise NetworkError(f"`width` multiplies the filters and must lie between 1/64 and 4. Received: width={width!r}")
    claim()
    dtype = choose_precision() if precision is None else precision
    # To draw 16 million random numbers takes as long as to read them from the file that replaces them all.
    read = weights not in (None, "imagenet")

    inputs = keras.Input((None, None, 3), name="picture")
    x = keras.layers.Rescaling(
        1 / INPUT_SCALE, [-mean / INPUT_SCALE for mean in IMAGENET_MEAN], name="normalization", dtype="float32"
    )(inputs)
    for layer_name, number in FRONT_END:
        block, layer = layer_name.split("_")
        if layer == "conv1" and block != "block1":
            # "same" lets a last odd row or column through: ceil, not floor.
            x = keras.layers.MaxPooling2D(2, padding="same", name=f"block{int(block[-1]) - 1}_pool", dtype=dtype)(x)
        x = Convolution(
            filters_of(number, width),
            3,
            padding="same",
            activation="relu",
            kernel_initializer="zeros" if read else "he_normal",
            name=layer_name,
            dtype=dtype,
        )(x)
    for position, (number, rate) in enumerate(zip(BACK_END_FILTERS, DESIGNS[design]), start=1):
        x = Convolution(
            filters_of(number, width),
            3,
            dilation_rate=rate,
            padding="same",
            activation="relu",
            kernel_initializer="zeros" if read else "he_normal",
            name=f"dilated{position}",
            dtype=dtype,
        )(x)
    # The map itself stays float32: a sum over thousands of cells has no place in bfloat16. The small positive bias
    # starts every cell alive; a cell whose ReLU is off learns nothing.
    outputs = keras.layers.Conv2D(
        1,
        1,
        activation="relu",
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        bias_initializer=keras.initializers.Constant(0.05),
        name="density",
        dtype="float32",
    )(x)
    model = keras.Model(inputs, outputs, name=name)
    if read:  # a copy of the model begins with random weights, as its configuration says
        for layer in model.layers:
            if isinstance(layer, Convolution):
                layer.kernel_initializer = keras.initializers.HeNormal()
    _refuse_other_maps(model)

    if weights == "imagenet":
        load_imagenet(model, imagenet_file)
    elif weights is not None:
        from crowdcount.network.weight_files import load_weights

        load_weights(model, weights)
    return model


def _refuse_other_maps(model: keras.Model) -> None:
    """Let `fit` and `evaluate` say what is wrong with maps that are not of the network's size, in place.

    Set on the model itself, not in a class of ours: a saved model opens with Keras alone.
    """
    network = weakref.ref(model)

    def compute_loss(x=None, y=None, y_pred=None, sample_weight=None, training=True):
        shapes = [getattr(each, "shape", ()) for each in (x, y, y_pred)]
        if any(getattr(shape, "rank", 0) is None for shape in shapes):
            # What TensorFlow makes of it, and Keras then fails at.
            raise TrainingError(
                "The density maps to learn from have another number of axes than those of an earlier fit. Give all as "
                "(batch, rows, columns) or all as (batch, rows, columns, 1), or compile the network anew."
            )
        pictures, true, predicted = map(tuple, shapes)
        # Of three axes others may be points, for losses that take these: (batch, N, 3).
        full_size = len(true) == 3 and true[1:] == pictures[1:3]
        maps = len(predicted) == 4 and (len(true) == 4 or full_size)
        sides = zip(true[1:3], predicted[1:3], strict=True) if maps else ()
        if any(None not in side and side[0] != side[1] for side in sides):
            raise TrainingError(
                f"The density maps to learn from have {true[1]} x {true[2]} cells, the network's {predicted[1]} x "
                f"{predicted[2]}: an eighth of the picture's size. Make them with "
                "crowdcount.density_map(points, (height, width), stride=8)."
            )
        return keras.Model.compute_loss(network(), x, y, y_pred, sample_weight, training)

    model.compute_loss = compute_loss


def load_imagenet(model: keras.Model, imagenet_file: str | os.PathLike | None = None) -> None:
    """Load VGG-16's ImageNet weights into a CSRNet's front end and first three dilated layers, in place.

    Args:
        model: a CSRNet of width 1.
        imagenet_file: see `CSRNet`.

    Raises:
        WeightsError: for a model of another width, or a file that is missing, cut off or not VGG-16's.
    """
    if model.get_layer("block1_conv1").filters != FRONT_END[0][1]:
        raise WeightsError(
            "ImageNet weights fit a CSRNet of width 1 only. Received: a model with "
            f"{model.get_layer('block1_conv1').filters} filters in its first layer; use width=1 or start from random."
        )
    kernels = _read_vgg16(imagenet_file)
    for layer_name in [name for name, _ in FRONT_END] + list(A_TROUS):
        kernel, bias = kernels[A_TROUS.get(layer_name, layer_name)]
        if layer_name == "block1_conv1":
            kernel = kernel[:, :, ::-1, :]  # VGG-16's first layer takes BGR, ours RGB: flipped once, here
        scale = A_TROUS_GAIN if layer_name == "dilated3" else 1.0
        model.get_layer(layer_name).set_weights([scale * kernel, scale * bias / INPUT_SCALE])


def _read_vgg16(imagenet_file: str | os.PathLike | None) -> dict:
    import h5py

    wanted = [name for name, _ in FRONT_END] + list(A_TROUS.values())
    imagenet_file = imagenet_file or os.environ.get(IMAGENET_FILE_VARIABLE)
    if imagenet_file is None:
        try:
            vgg16 = keras.applications.VGG16(include_top=False, weights="imagenet")
        except Exception as error:  # Keras raises whatever its downloader met
            raise WeightsError(
                f"VGG-16's ImageNet weights could not be downloaded ({first_line(error)}). Download "
                "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5 where there is a network and name the file with "
                f"imagenet_file=... (--imagenet-file) or the environment variable {IMAGENET_FILE_VARIABLE}."
            ) from None
        return {name: vgg16.get_layer(name).get_weights() for name in wanted}
    path = Path(imagenet_file)
    if not path.is_file():
        raise WeightsError(f"VGG-16's ImageNet weights: no such file. Received: {path}")
    kernels: dict = {}

    def visit(_, item) -> None:
        # Keras has written this file in several nestings (`block1_conv1/kernel`, `block1_conv1/block1_conv1_W_1:0`,
        # ...): a layer's kernel is its 4-dimensional array, its bias the 1-dimensional one.
        if isinstance(item, h5py.Dataset):
            layer = next((part for part in item.name.split("/") if part in wanted), None)
            if layer is not None:
                kernels.setdefault(layer, {})[item.ndim] = item[()]

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except OSError as error:
        raise WeightsError(
            f"VGG-16's ImageNet weights: {path} is not a whole HDF5 file ({first_line(error)})."
        ) from None
    missing = [name for name in wanted if set(kernels.get(name, ())) != {1, 4}]
    if missing:
        raise WeightsError(f"VGG-16's ImageNet weights: {path} has no kernel and bias for {', '.join(missing)}.")
    return {name: (arrays[4], arrays[1]) for name, arrays in kernels.items()}
