"""A network as a file that other programs run: TensorFlow SavedModel, ONNX or LiteRT.

What is written takes pictures as they are, uint8 RGB of any height and width, and gives their density maps and counts:
the normalization is inside, and so is the sum. It computes in float32 even where the network was loaded in bfloat16,
because the machine that will run it is another one.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from crowdcount.errors import CrowdCountError, DataError, first_line, needing
from crowdcount.files import atomic_folder, atomic_path
from crowdcount.network.backend import keras
from crowdcount.network.loading import Model, load_network

if TYPE_CHECKING:
    import onnx
    import tensorflow as tf

#: Format -> how its file's name ends. A SavedModel is a folder.
FORMATS = {"saved_model": "", "onnx": ".onnx", "litert": ".tflite"}
#: How the weights can be stored. A SavedModel has float32 only.
PRECISIONS = ("float32", "float16", "int8")

# The newest version that tf2onnx 1.17 chooses by itself; ONNX Runtime reads it since 2021.
_OPSET = 15


def export_model(
    model: Model, path: str | os.PathLike, *, format: str = "saved_model", precision: str = "float32"
) -> Path:
    """Write a network to a file, or a folder, that runs without crowdcount.

    Every format has one input, `picture`: uint8 RGB (batch, height, width, 3); and two outputs, `density`: float32
    (batch, ceil(height / 8), ceil(width / 8)) people in each cell, and `count`: float32 (batch,) its sum.

    Args:
        model: name of a network that comes with the package, a `.weights.h5` or `.keras` file, or a functional
            `keras.Model` that maps (batch, height, width, 3) RGB, 0..255, to a density map (batch, rows, columns, 1).
        path: where to write: a name that ends in `.onnx` or `.tflite`, or a folder for a SavedModel. A file of this
            name is replaced once the new one is whole. A folder that holds something is never replaced.
        format: `"saved_model"`, `"onnx"` (needs tf2onnx) or `"litert"`.
        precision: how the weights are stored: `"float32"`; `"float16"`, half the size; `"int8"`, a quarter, with a
            scale for each filter. A SavedModel has float32 only. ONNX computes in float32 from all three; so does
            LiteRT from the first two, and from int8 it quantizes the layers' inputs as it runs, which needs no
            calibration pictures. docs/export.md has the counts.

    Returns:
        The path.

    Raises:
        DataError: for an unknown format or precision, or a path that does not go with them.
        WeightsError: if there is no such network, or its file is damaged.
        CrowdCountError: if a package is missing, Keras does not run on TensorFlow, or the format has no operation for a
            layer of the network.
        OSError: if the file cannot be written.

    Example:
        >>> from crowdcount import CSRNet
        >>> folder = tempfile.mkdtemp()
        >>> export_model(CSRNet(width=1 / 16), f"{folder}/tiny.tflite", format="litert").name
        'tiny.tflite'
    """
    path = Path(path)
    check_export(path, format, precision)
    if keras.backend.backend() != "tensorflow":
        raise CrowdCountError(
            f"Exporting needs Keras on TensorFlow; it runs on {keras.backend.backend()}. Set KERAS_BACKEND=tensorflow."
        )
    network, _ = load_network(model)
    if format == "saved_model":
        with atomic_folder(path) as temporary:
            _write_saved_model(network, temporary)
        return path
    with atomic_path(path) as temporary:
        temporary.touch()  # a place that cannot be written to is found now, not after the work
        temporary.write_bytes(_onnx(network, precision) if format == "onnx" else _litert(network, precision))
    return path


def check_export(path: str | os.PathLike, format: str, precision: str = "float32") -> None:
    """Refuse what `export_model` would refuse, without loading a network.

    Raises:
        DataError: for an unknown format or precision, or a path that does not go with them.
        CrowdCountError: if a package is missing.
    """
    path = Path(path)
    if format not in FORMATS:
        raise DataError(f"The format must be one of {', '.join(FORMATS)}. Received: format={format!r}")
    if precision not in PRECISIONS:
        raise DataError(f"The precision must be one of {', '.join(PRECISIONS)}. Received: precision={precision!r}")
    if format == "saved_model":
        if precision != "float32":
            raise DataError(f"A SavedModel is written in float32 only. For {precision} use onnx or litert.")
        if path.suffix in (".onnx", ".tflite"):
            raise DataError(f"A SavedModel is a folder. Received the name of a file: {path}")
        if path.is_dir() and any(path.iterdir()):
            raise DataError(f"The folder {path} exists and is not empty. Remove it, or choose another name.")
        if path.is_dir() and path.samefile(os.curdir):
            raise DataError(
                f"{path} is the folder that you are in, and a SavedModel replaces it. Name a new one in it."
            )
        if path.exists() and not path.is_dir():
            raise DataError(f"A SavedModel is a folder, and {path} is a file. Choose another name.")
        return
    if path.suffix != FORMATS[format]:
        raise DataError(f"The name of a file for {format} ends in {FORMATS[format]}. Received: {path}")
    if path.is_dir():
        raise DataError(f"{path} is a folder. Name a file in it.")
    if format == "onnx":
        _import_tf2onnx()


def _import_tf2onnx():
    with needing("ONNX needs tf2onnx", '".[export]"'):
        import tf2onnx
    return tf2onnx


# --- What is exported ---------------------------------------------------------------------------------------


def _portable(model: keras.Model, *, explicit_padding: bool = False) -> keras.Model:
    """The same network in float32, with dilated convolutions as the one operation that every format knows.

    While it trains, crowdcount's layer takes a dilated convolution apart, and so does Keras's own where it runs on a
    CPU. ONNX Runtime has no automatic padding for dilated ones, so there the padding is written out.
    """
    import tensorflow as tf

    class Convolution(keras.layers.Conv2D):
        def convolution_op(self, inputs, kernel):
            if self.dilation_rate == (1, 1):
                return super().convolution_op(inputs, kernel)
            padding = self.padding.upper()
            if explicit_padding and padding == "SAME":
                reach = [rate * (size - 1) for rate, size in zip(self.dilation_rate, self.kernel_size)]
                padding = [[0, 0], *([total // 2, total - total // 2] for total in reach), [0, 0]]
            return tf.nn.conv2d(inputs, kernel, strides=1, padding=padding, dilations=self.dilation_rate)

    def clone(layer: keras.Layer) -> keras.Layer:
        kind = Convolution if isinstance(layer, keras.layers.Conv2D) else type(layer)
        return kind.from_config(layer.get_config() | {"dtype": "float32"})

    try:
        copy = keras.models.clone_model(model, clone_function=clone)
    # NotImplementedError is how Keras says that a layer of one's own has no `get_config`.
    except (ValueError, TypeError, NotImplementedError) as error:
        raise CrowdCountError(
            f"The network {model.name!r} cannot be copied layer by layer: {error} Build it with Keras's functional API."
        ) from error
    copy.set_weights(model.get_weights())
    return copy


def _endpoint(network: keras.Model) -> tuple[Callable, list[tf.TensorSpec]]:
    """The function that is exported, and what it takes."""
    import tensorflow as tf

    def serve(picture):
        try:
            density = network(tf.cast(picture, tf.float32), training=False)
        except tf.errors.OperatorNotAllowedInGraphError as error:  # as bicubic upsampling to a size that is not known
            raise CrowdCountError(
                f"The network {network.name!r} cannot be written for pictures of any size: {first_line(error)} Build "
                "it from other layers."
            ) from error
        density = tf.squeeze(density, -1)
        return {"count": tf.reduce_sum(density, [1, 2]), "density": density}

    return serve, [tf.TensorSpec((None, None, None, 3), tf.uint8, name="picture")]


# --- The formats --------------------------------------------------------------------------------------------


def _write_saved_model(model: keras.Model, folder: Path) -> None:
    """Write the network to a folder that is there.

    Raises:
        OSError: if it cannot be written, as on a full disk.
    """
    import tensorflow as tf

    network = _portable(model)
    serve, signature = _endpoint(network)
    archive = keras.export.ExportArchive()
    # The endpoint's variables come with it; `archive.track(network)` would store every one twice.
    archive.add_endpoint("serve", serve, input_signature=signature)
    try:
        with redirect_stdout(io.StringIO()):  # older versions of Keras tell what they wrote all the same
            archive.write_out(os.fspath(folder), verbose=False)
    except tf.errors.OpError as error:  # which is how TensorFlow tells of a failed write
        # "... temporary file; No space left on device [Op:SaveV2]"
        raise OSError(error.message.rpartition("; ")[2].partition(" [Op:")[0]) from error


def _litert(model: keras.Model, precision: str) -> bytes:
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        try:
            _write_saved_model(model, Path(folder))
        except OSError as error:
            raise OSError(
                f"{error.strerror or error} in the folder for temporary files, {tempfile.gettempdir()} (set TMPDIR to "
                "use another)"
            ) from error
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        return converter.convert()


def _onnx(model: keras.Model, precision: str) -> bytes:
    import onnx
    import tensorflow as tf

    tf2onnx = _import_tf2onnx()
    serve, signature = _endpoint(_portable(model, explicit_padding=True))
    converted, _ = tf2onnx.convert.from_function(
        tf.function(serve, autograph=False), input_signature=signature, opset=_OPSET
    )
    for value, sides in (
        (converted.graph.input[0], ("batch", "height", "width")),
        *((output, ("batch", "rows", "columns")) for output in converted.graph.output),
    ):
        for side, name in zip(value.type.tensor_type.shape.dim, sides):
            side.dim_param = name  # in place of unk__1208
    if precision != "float32":
        shrink(converted.graph, precision)
    try:  # tf2onnx logs what ONNX has no operation for, and leaves it in the file
        onnx.checker.check_model(converted)
    except onnx.checker.ValidationError as error:
        raise CrowdCountError(
            f"The network {model.name!r} cannot be written as ONNX: {first_line(error)}. Write it as litert or "
            "saved_model, or build it from other layers."
        ) from error
    return converted.SerializeToString()


def shrink(graph: onnx.GraphProto, precision: str) -> None:
    """Store the convolutions' kernels in fewer bits, in place, and let the graph bring them back to float32."""
    from onnx import TensorProto, helper, numpy_helper

    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    names = {node.input[1] for node in convolutions}
    widened = []
    for stored in [item for item in graph.initializer if item.name in names]:
        kernel, name, wide = numpy_helper.to_array(stored), stored.name, f"{stored.name}/float32"
        graph.initializer.remove(stored)
        if precision == "float16":
            graph.initializer.append(numpy_helper.from_array(kernel.astype(np.float16), name))
            widened.append(helper.make_node("Cast", [name], [wide], to=TensorProto.FLOAT))
        else:
            # One scale for each filter; the largest weight becomes 127, and a filter of zeros stays zeros.
            largest = np.abs(kernel).max(axis=(1, 2, 3))
            scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
            small = np.rint(kernel / scale[:, None, None, None]).astype(np.int8)
            graph.initializer.extend(
                [
                    numpy_helper.from_array(small, name),
                    numpy_helper.from_array(scale, f"{name}/scale"),
                    numpy_helper.from_array(np.zeros(len(scale), np.int8), f"{name}/zero"),
                ]
            )
            inputs = [name, f"{name}/scale", f"{name}/zero"]
            widened.append(helper.make_node("DequantizeLinear", inputs, [wide], axis=0))
        for node in convolutions:
            if node.input[1] == name:
                node.input[1] = wide
    for node in reversed(widened):
        graph.node.insert(0, node)
