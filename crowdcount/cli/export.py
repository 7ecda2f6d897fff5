"""`crowdcount export`: a network as a file for TensorFlow, ONNX Runtime or LiteRT."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from crowdcount.cli.common import Command, add_model, begin, check_writable, import_keras
from crowdcount.files import writing

# The keys of crowdcount.network.export.FORMATS, which cannot be had without Keras.
FORMATS = ("saved_model", "onnx", "litert")


def add(command: Command) -> None:
    parser = command("export", _export, "write a network as a file for TensorFlow, ONNX Runtime or LiteRT")
    add_model(parser)
    parser.add_argument("--format", choices=FORMATS, required=True, help="what will run it")
    bits = parser.add_mutually_exclusive_group()
    bits.add_argument(
        "--float16",
        dest="precision",
        action="store_const",
        const="float16",
        default="float32",
        help="store the weights in half the space (onnx, litert)",
    )
    bits.add_argument(
        "--int8",
        dest="precision",
        action="store_const",
        const="int8",
        help="store the weights in a quarter of the space (onnx, litert)",
    )
    parser.add_argument(
        "--out",
        metavar="PATH",
        required=True,
        help="file to write, named .onnx or .tflite; for saved_model a new folder",
    )


def _export(arguments: argparse.Namespace) -> int:
    from crowdcount.network.locate import find_weights

    find_weights(arguments.model)  # a mistyped name is told now: Keras is imported for seconds
    import_keras()
    from crowdcount.network.export import check_export, export_model

    check_export(arguments.out, arguments.format, arguments.precision)
    if arguments.format != "saved_model":  # which is a folder, and may be there if it is empty
        check_writable(Path(arguments.out))
    begin()
    print(f"crowdcount: converting {arguments.model}, which takes up to a minute", file=sys.stderr)
    with writing(arguments.out):
        path = export_model(arguments.model, arguments.out, format=arguments.format, precision=arguments.precision)
    print(f"{path}\t{_bytes(path) / 1e6:.1f} MB")
    return 0


def _bytes(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(os.path.getsize(os.path.join(place, name)) for place, _, names in os.walk(path) for name in names)
