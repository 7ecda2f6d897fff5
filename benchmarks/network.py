"""Times prediction and a training step against the same network in PyTorch, in turn, in one run.

    python -m pip install ".[benchmarks]"
    python benchmarks/network.py

Prints the median of each and the ratio PyTorch / ours, pair by pair: above 1, ours is quicker. Both run the network of
design B at width 1 with random weights; the result does not depend on them. Also prints what share of a training step
goes into waiting for data.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
import torch
from PIL import Image

from crowdcount.data.annotations import Sample
from crowdcount.drawn.crowds import draw_crowd
from crowdcount.network.csrnet import BACK_END_FILTERS, DESIGNS, FRONT_END, CSRNet
from crowdcount.network.prediction import predict_density
from crowdcount.training.losses import EuclideanLoss
from crowdcount.training.pipeline import training_dataset
from crowdcount.training.plan import new_plan
from crowdcount.training.start import build, freeze


def torch_csrnet() -> torch.nn.Module:
    """The same network as PyTorch users write it, channels last."""
    layers, channels = [], 3
    for name, filters in FRONT_END:
        if name in ("block2_conv1", "block3_conv1", "block4_conv1"):
            layers.append(torch.nn.MaxPool2d(2, ceil_mode=True))
        layers += [torch.nn.Conv2d(channels, filters, 3, padding=1), torch.nn.ReLU(inplace=True)]
        channels = filters
    for filters, rate in zip(BACK_END_FILTERS, DESIGNS["B"]):
        layers += [torch.nn.Conv2d(channels, filters, 3, padding=rate, dilation=rate), torch.nn.ReLU(inplace=True)]
        channels = filters
    layers += [torch.nn.Conv2d(channels, 1, 1), torch.nn.ReLU(inplace=True)]
    return torch.nn.Sequential(*layers).to(memory_format=torch.channels_last)


def in_turn(ours, theirs, repeats: int) -> tuple[float, float, float]:
    """Median seconds of both and the median ratio theirs / ours, after one warm-up each."""
    pairs = []
    for repeat in range(repeats + 1):
        seconds = []
        for run in (ours, theirs):
            start = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - start)
        if repeat:
            pairs.append(seconds)
    return (*map(statistics.median, zip(*pairs)), statistics.median(b / a for a, b in pairs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    scene = draw_crowd(200, size=(768, 1024), seed=1)
    picture, crop = scene.picture, scene.picture[:384, :384]
    target = np.full((1, 48, 48, 1), 0.05, np.float32)
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, TensorFlow {tf.__version__}, Keras {keras.__version__}, "
        f"PyTorch {torch.__version__}"
    )
    for ours_dtype, theirs_dtype in (("float32", torch.float32), ("mixed_bfloat16", torch.bfloat16)):
        against_torch(picture, crop, target, ours_dtype, theirs_dtype, repeats)
    waiting(scene, repeats)


def against_torch(
    picture: np.ndarray, crop: np.ndarray, target: np.ndarray, ours_dtype: str, theirs_dtype: torch.dtype, repeats: int
) -> None:
    """A prediction and a training step, ours and PyTorch's in turn."""
    model, other = CSRNet(precision=ours_dtype), torch_csrnet()
    as_torch = (
        torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float().contiguous(memory_format=torch.channels_last)
    )

    def torch_prediction():
        with torch.inference_mode(), torch.autocast("cpu", theirs_dtype, enabled=theirs_dtype != torch.float32):
            other(as_torch).float().sum().item()

    report(
        f"prediction, 1024x768, {theirs_dtype}",
        in_turn(lambda: predict_density(model, picture), torch_prediction, repeats),
    )

    model.compile(keras.optimizers.SGD(1e-7), EuclideanLoss(), jit_compile=False)
    optimizer = torch.optim.SGD(other.parameters(), 1e-7)
    torch_crop = as_torch[:, :, :384, :384].contiguous(memory_format=torch.channels_last)
    torch_target = torch.from_numpy(target).permute(0, 3, 1, 2)

    def torch_step():
        optimizer.zero_grad()
        with torch.autocast("cpu", theirs_dtype, enabled=theirs_dtype != torch.float32):
            density = other(torch_crop)
        (0.5 * ((density.float() - torch_target) ** 2).sum()).backward()
        optimizer.step()

    report(
        f"training step, 384x384 crop, {theirs_dtype}",
        in_turn(lambda: model.train_on_batch(crop[None], target), torch_step, repeats),
    )


def waiting(scene, repeats: int) -> None:
    """Share of a training step of the default recipe that is spent waiting for its batch, from JPEG files to crops."""
    plan = new_plan("default", init="none")
    phase = plan.recipe.phases[0]
    model = build(plan)
    freeze(model, phase.frozen)
    model.compile(phase.optimizer(100, 0, 100), plan.recipe.loss(), jit_compile=False)
    waited, total = 0.0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        samples = []
        for number in range(8):
            file = Path(folder) / f"scene-{number}.jpg"
            Image.fromarray(scene.picture).save(file, quality=90)
            samples.append(Sample(file.stem, file, scene.points))
        batches = iter(training_dataset(samples, phase.crops, batch=phase.batch, sigma=plan.recipe.sigma))
        model.train_on_batch(*next(batches))
        for _ in range(repeats):
            start = time.perf_counter()
            batch = next(batches)
            waited += time.perf_counter() - start
            model.train_on_batch(*batch)
            total += time.perf_counter() - start
    print(f"waiting for data: {waited / total:.2%} of a step ({total / repeats:.2f} s)")


def report(what: str, times: tuple[float, float, float]) -> None:
    ours, theirs, ratio = times
    print(f"{what:50s} ours {ours:7.3f} s   PyTorch {theirs:7.3f} s   ratio {ratio:5.2f}", flush=True)


if __name__ == "__main__":
    main()
