"""Measure how often each warning speaks of good pictures and of pictures with its fault, and what nobody counts as.

    python benchmarks/doubts.py --root FOLDER [--model NAME_OR_FILE] [--pictures N]

Good pictures are ShanghaiTech's validation pictures; the thresholds were chosen on its training pictures. The
bad ones are made of them, or drawn. Below the table: how the counts change where the good pictures are softened or
sharpened a little, which no warning tells, and how many people are counted in parts of the training pictures in which
nobody is. `--pictures` takes that many of each kind at most.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from PIL import Image, ImageFilter
from scipy.spatial import cKDTree
from tqdm import tqdm

from crowdcount.counting import doubts
from crowdcount.data.annotations import Sample, load_dataset
from crowdcount.drawn.crowds import draw_crowd
from crowdcount.network.loading import load_network
from crowdcount.network.prediction import predict_density

# Pixels between a head and the next, in the median: the closest training picture has 4.2.
TOO_CLOSE = 2.0
FREE_SIDE, FREE_MARGIN = 256, 30
# The doubts' names in the table.
NAMES = {
    doubts.Doubt.BLANK: "hardly any contrast",
    doubts.Doubt.DARK: "very dark",
    doubts.Doubt.BLURRED: "blurred or enlarged",
    doubts.Doubt.NOBODY: "few people, or none",
    doubts.Doubt.SMALL: "heads too small",
    doubts.Doubt.CROWDED: "heads too small",
}


def resized(picture: np.ndarray, factor: float) -> np.ndarray:
    height, width = picture.shape[:2]
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def blurred(sigma: float) -> Callable[[Sample], np.ndarray]:
    return lambda sample: np.asarray(Image.fromarray(sample.read()).filter(ImageFilter.GaussianBlur(sigma)))


def sharpened(sample: Sample) -> np.ndarray:
    """What a phone or an editor does: the difference from a blur of 1.5 pixels is strengthened two and a half times."""
    return np.asarray(Image.fromarray(sample.read()).filter(ImageFilter.UnsharpMask(1.5, 150, 0)))


def darkened(light: float) -> Callable[[Sample], np.ndarray]:
    return lambda sample: np.rint(sample.read() * light).astype(np.uint8)


def enlarged(sample: Sample) -> np.ndarray:
    """Three times as large, cut to at most 768 pixels a side around the head in the middle of the list."""
    picture = sample.read()
    left, top = (
        int(np.clip(at - 128, 0, max(0, side - 256)))
        for at, side in zip(sample.points[sample.count // 2], picture.shape[1::-1])
    )
    return resized(np.ascontiguousarray(picture[top : top + 256, left : left + 256]), 3)


def shrunk(sample: Sample) -> np.ndarray:
    spacing = np.median(cKDTree(sample.points).query(sample.points, 2)[0][:, 1])
    return resized(sample.read(), min(1.0, TOO_CLOSE / max(spacing, 1e-3)))


def without_people(samples: Sequence[Sample]) -> Iterator[np.ndarray]:
    """A square of each picture that has one free of heads."""
    rng = np.random.default_rng(1)
    for sample in samples:
        picture = sample.read()
        height, width = picture.shape[:2]
        for _ in range(300 if min(height, width) >= FREE_SIDE else 0):
            corner = rng.integers(0, (width - FREE_SIDE + 1, height - FREE_SIDE + 1))
            near = (sample.points > corner - FREE_MARGIN) & (sample.points < corner + FREE_SIDE + FREE_MARGIN)
            if not near.all(axis=1).any():
                left, top = corner
                yield np.ascontiguousarray(picture[top : top + FREE_SIDE, left : left + FREE_SIDE])
                break


def nothing(number: int) -> Iterator[np.ndarray]:
    """Colors with noise, with a slope, with dark corners, and with clouds, by turns."""
    rng = np.random.default_rng(2)
    for turn in range(number):
        height, width = rng.integers(200, 900, 2)
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        color, kind = rng.integers(0, 256, 3), turn % 4
        if kind == 1:
            color = color + rng.uniform(-60, 60) * x[..., None] + rng.uniform(-60, 60) * y[..., None]
        elif kind == 2:
            color = color * (1 - 0.35 * (x**2 + y**2))[..., None]
        elif kind == 3:
            coarse = rng.normal(0, 15, (height // 64 + 2, width // 64 + 2)).astype(np.float32)
            clouds = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
            color = np.array([120, 160, 220]) + np.asarray(clouds)[..., None]
        noisy = color + rng.normal(0, rng.uniform(0, 10), (height, width, 3))
        yield np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", required=True, help="folder that holds part_A and part_B")
    parser.add_argument("--model", default="general")
    parser.add_argument("--pictures", type=int, default=69, help="most pictures of each kind (default: 69)")
    arguments = parser.parse_args()
    most = arguments.pictures

    network, _ = load_network(arguments.model)
    samples = load_dataset("shanghaitech_a+shanghaitech_b", arguments.root, "val")
    step = -(-len(samples) // most)
    samples = samples[::step]
    crowds = [sample for sample in samples if sample.count > 1]

    def of_picture(look) -> Callable[[np.ndarray], bool]:
        return lambda picture: look(doubts.sample_blocks(picture)) is not None

    def of_map(look) -> Callable[[np.ndarray], bool]:
        return lambda picture: look(picture, predict_density(network, picture)) is not None

    looks = {
        "hardly any contrast": of_picture(doubts.blank),
        "very dark": of_picture(doubts.dark),
        "blurred or enlarged": of_picture(doubts.blurred),
        "few people, or none": of_map(lambda picture, density: doubts.nobody(density)),
        "heads too small": of_map(
            lambda picture, density: (
                doubts.small(picture.shape[:2]) or doubts.crowded(doubts.sample_blocks(picture), density)
            )
        ),
    }
    good, plain = dict.fromkeys(looks, 0), []
    for sample in tqdm(samples, "good pictures"):
        picture = sample.read()
        density = predict_density(network, picture)
        plain.append(density.sum(dtype=np.float64))
        for name in {NAMES[doubt] for doubt in doubts.find_doubts(picture, density)}:
            good[name] += 1

    bad = [
        ("hardly any contrast", "drawn: noise, slopes, dark corners, clouds", nothing(min(most, 40))),
        ("very dark", "a fifth of the light", map(darkened(0.2), samples)),
        ("blurred or enlarged", "Gaussian blur, sigma 2 pixels", map(blurred(2), samples)),
        ("blurred or enlarged", "Gaussian blur, sigma 4 pixels", map(blurred(4), samples)),
        ("blurred or enlarged", "enlarged 3 times", map(enlarged, crowds)),
        ("few people, or none", "parts of the pictures without heads", without_people(samples)),
        (
            "few people, or none",
            "drawn scenes without people",
            (draw_crowd(0, size=(240, 320), seed=seed).picture for seed in range(min(most, 20))),
        ),
        *(
            (
                "heads too small",
                f"part {part}, shrunk to {TOO_CLOSE:g} pixels from head to head",
                map(shrunk, [sample for sample in crowds if sample.name.startswith(f"part_{part}")]),
            )
            for part in "AB"
        ),
    ]
    print(f"| warning | good pictures ({len(samples)}) | bad pictures | told |\n|---|---|---|---|")
    for name, kind, pictures in bad:
        told = [looks[name](picture) for picture in tqdm(pictures, kind, leave=False)]
        rate = f"{np.mean(told):.0%} of {len(told)}" if told else "none made"
        print(f"| {name} | {good[name] / len(samples):.1%} | {kind} | {rate} |", flush=True)

    def counted(picture: np.ndarray) -> float:
        return predict_density(network, picture).sum(dtype=np.float64)

    for kind, change in (("softened by a Gaussian blur of 1 pixel", blurred(1)), ("sharpened", sharpened)):
        shares = [counted(change(sample)) / count for sample, count in zip(tqdm(samples, kind, leave=False), plain)]
        print(f"{len(shares)} good pictures, {kind}: {np.median(shares) - 1:+.0%} in the median", flush=True)
    for part in "ab":
        training = load_dataset(f"shanghaitech_{part}", arguments.root, "train")
        empty = islice(without_people(training), most)
        counts = [counted(picture) for picture in empty]
        print(
            f"{len(counts)} parts without people of part {part.upper()}'s training pictures count "
            f"{np.mean(counts):.2f} in the mean, {np.max(counts):.1f} at most",
            flush=True,
        )


if __name__ == "__main__":
    main()
