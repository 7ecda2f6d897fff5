"""What kind of file holds a network, told by what is inside; files that could harm are not opened."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from crowdcount.errors import WeightsError, first_line
from crowdcount.files import link_outside
from crowdcount.network.torch_weights import SUFFIXES as TORCH_SUFFIXES

# CSRNet has 65 MB in float32; a network four times as wide, with the optimizer's state, some 3 GB.
MOST_UNPACKED = 4 << 30
# What a model that Keras saved may be built of, and what is in these modules. Keras imports the modules that the file
# names, and calls what they hold: others would run code.
_PARTS = ("layers", "models", "ops", "initializers", "regularizers", "constraints", "activations", "dtype_policies")
_MODULES = tuple(f"keras.{inner}{part}." for inner in ("", "src.") for part in _PARTS) + ("crowdcount.",)

# How files begin that people take for a network: what they are, and what to do.
_AGAIN = "Download the file itself."
_NO_NETWORKS = (
    (b"version https://git-lfs", "a pointer of Git LFS", "Fetch the file itself: git lfs pull."),
    (b"<", "a web page", _AGAIN),
    (b"\x1f\x8b", "a compressed file", "Unpack it, and name the file in it."),
    (b"\xff\xd8\xff", "a picture", "Give the file of the model."),
    (b"\x89PNG", "a picture", "Give the file of the model."),
)


def kind_of(path: Path) -> str:
    """`"weights"` (Keras's `.weights.h5`), `"keras"` (a model that Keras 3 saved) or `"torch"` (weights of PyTorch).

    Raises:
        WeightsError: for any other kind, named for what it is, with what to do; for an archive that would unpack to
            more than 4 GiB, for an HDF5 file that points into other files, and for a model that names code to be run.
    """
    with open(path, "rb") as file:
        start = file.read(40)
    for signature, kind, advice in _NO_NETWORKS:
        if start.startswith(signature):
            raise WeightsError(f"{path} is {kind}, no network. {advice}")
    if start.startswith(b"PK"):
        return _kind_of_archive(path)
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        return _kind_of_hdf5(path)
    if path.suffix == ".keras":
        raise WeightsError(f"{path} is cut off or no model that Keras has saved. Get it again.")
    if path.suffix.lower() in TORCH_SUFFIXES:
        return "torch"  # the older format of torch.save, which only PyTorch can tell
    if path.suffix.lower() == ".onnx" or b"onnx" in start:
        raise WeightsError(f"{path} is an ONNX model. Counting takes the weights it was exported from (.weights.h5).")
    if path.suffix.lower() == ".safetensors":
        raise WeightsError(
            f"{path} holds weights as safetensors, in no order of layers. Load them in PyTorch and save "
            "model.state_dict() as .pth."
        )
    if start[4:8] == b"TFL3":
        raise WeightsError(f"{path} is a LiteRT model. Counting takes the weights it was exported from (.weights.h5).")
    if not path.name.endswith((".h5", ".hdf5")):
        kinds = ".weights.h5, .keras, or PyTorch's .pth and .npz"
        raise WeightsError(f"{path} is no network that can be opened, or is cut off. Wanted is a file {kinds}.")
    return "weights"  # damaged, most likely: its reader says so


def _kind_of_archive(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise WeightsError(
            f"{path} is cut off: its archive cannot be read ({first_line(error)}). Get it again."
        ) from None
    unpacked = sum(member.file_size for member in members)
    if unpacked > MOST_UNPACKED:
        raise WeightsError(f"{path} would unpack to {unpacked / 2**30:.1f} GiB, which no CSRNet has. It is not opened.")
    names = [member.filename for member in members]
    if "config.json" in names or path.suffix == ".keras":
        _check_keras(path)
        return "keras"
    if any(name.endswith(("data.pkl", ".npy")) for name in names):
        return "torch"
    received = ", ".join(names[:3])[:200] or "nothing"
    raise WeightsError(f"{path} is an archive without a network in it. Received: {received}")


def _check_keras(path: Path) -> None:
    """Refuse a model that names code of other modules, or whose arrays lie in other files."""
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
            weights = io.BytesIO(archive.read("model.weights.h5"))
        found = list(_code_in(config))
    except Exception as error:  # zipfile and what unpacks for it raise whatever they met
        raise WeightsError(f"{path} is not a model that Keras can open: {first_line(error)}") from None
    if found:
        raise WeightsError(
            f"{path} holds a layer of {found[0]}: opening it would run code that the file names. If you trust it, open "
            "it yourself, with keras.models.load_model, and give the model instead of its name."
        )
    _check_hdf5(weights, path)


def _code_in(config: object) -> Iterator[str]:
    """What in a model's configuration is no layer or part of Keras's or ours."""
    if isinstance(config, list):
        for item in config:
            yield from _code_in(item)
    elif isinstance(config, dict):
        module, name = config.get("module"), config.get("class_name")
        if name == "Lambda" or isinstance(module, str) and not _is_part(module):
            yield f"{module}.{name}"
        for key, value in config.items():
            if key != "compile_config":  # which is left alone: `compile=False`
                yield from _code_in(value)


def _is_part(module: str) -> bool:
    return module == "keras" or f"{module}.".startswith(_MODULES)


def _kind_of_hdf5(path: Path) -> str:
    old = _check_hdf5(path, path)
    if old:
        raise WeightsError(
            f"{path} was saved by Keras 2, or in its format, which this version does not open. Save it with Keras 3 "
            "as model.save('name.keras')."
        )
    return "weights"


def _check_hdf5(file: Path | BinaryIO, path: Path) -> bool:
    """Refuse arrays in other files; whether Keras 2 has written it. Of what is cut off its reader says so."""
    import h5py

    try:
        with h5py.File(file, "r") as content:
            if outside := link_outside(content):
                raise WeightsError(f"{path} points into another file, {outside!r}. It is not opened.")
            return "model_config" in content.attrs or "layer_names" in content.attrs
    except (OSError, RuntimeError, KeyError, UnicodeDecodeError):
        return False
