"""Measure what exported files of a network weigh, and how far their counts lie from crowdcount's.

    python -m pip install ".[export]"
    python benchmarks/export.py [--model NAME_OR_FILE] [--pictures FILE...]

Each file is counted with in its own runtime, as docs/export.md shows. Without pictures it takes the drawn hall that
comes with crowdcount and four drawn crowds.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from crowdcount.data.images import load_picture
from crowdcount.files import data_folder
from crowdcount.network.export import export_model
from crowdcount.network.loading import load_model
from crowdcount.network.prediction import predict_density

FILES = (
    ("saved_model", "float32"),
    *((format, precision) for format in ("onnx", "litert") for precision in ("float32", "float16", "int8")),
)
ENDINGS = {"saved_model": "", "onnx": ".onnx", "litert": ".tflite"}
Counter = Callable[[np.ndarray], float]


def counter(path: Path, format: str) -> Counter:
    """What counts a picture, uint8 (H, W, 3), with an exported file in its own runtime."""
    if format == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return lambda picture: float(session.run(["count"], {"picture": picture[np.newaxis]})[0][0])
    if format == "litert":
        from ai_edge_litert.interpreter import Interpreter

        run = Interpreter(str(path)).get_signature_runner()
        return lambda picture: float(run(picture=picture[np.newaxis])["count"][0])
    import tensorflow as tf

    network = tf.saved_model.load(path)
    return lambda picture: float(network.serve(picture[np.newaxis])["count"][0])


def size_of(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="general")
    parser.add_argument("--pictures", nargs="+", type=Path)
    arguments = parser.parse_args(argv)
    drawn = data_folder("datasets")
    files = arguments.pictures or [drawn / "sample.jpg", *(drawn / f"drawn/images/crowd_{n}.jpg" for n in (3, 5, 6, 8))]
    pictures = [load_picture(file) for file in files]

    model = load_model(arguments.model, precision="float32")
    expected = [float(predict_density(model, picture).sum(dtype=np.float64)) for picture in pictures]
    print(f"| file | size | {' | '.join(file.stem for file in files)} | farthest from crowdcount |")
    print("|---" * (len(files) + 3) + "|")
    print(f"| crowdcount in float32 | | {_row(expected)} | |", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for format, precision in FILES:
            path = Path(folder) / f"{precision}{ENDINGS[format]}"
            export_model(arguments.model, path, format=format, precision=precision)
            run = counter(path, format)
            counts = [run(picture) for picture in pictures]
            farthest = max(abs(count - true) / max(true, 1) for count, true in zip(counts, expected))
            option = "" if precision == "float32" else f" --{precision}"
            size = f"{size_of(path) / 1e6:.1f} MB"
            print(f"| `--format {format}{option}` | {size} | {_row(counts)} | {farthest:.2%} |", flush=True)


def _row(counts: Sequence[float]) -> str:
    return " | ".join(f"{count:.2f}" for count in counts)


if __name__ == "__main__":
    main()
