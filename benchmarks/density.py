"""Time density maps against the textbook way, a `scipy.ndimage.gaussian_filter` of the picture for each head.

    python benchmarks/density.py

Both ways draw the same 500 heads on 1024 x 768 at stride 1. The textbook way is timed on 50 of them, spread
evenly over the range of their sigmas, and multiplied by 10 (`--all` times all 500): what a head costs depends
on its sigma alone. Ours is the median of several whole maps. Only the ratio means anything across machines.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
from scipy.ndimage import gaussian_filter

from crowdcount.data.density import FIXED_SIGMA, adaptive_sigma, density_map

HEADS, SIZE = 500, (768, 1024)


def seconds_of_ours(points: np.ndarray, sigma: float | str, repetitions: int) -> float:
    density_map(points, SIZE, sigma=sigma)  # the first call loads libraries
    seconds = []
    for _ in range(repetitions):
        start = time.perf_counter()
        density_map(points, SIZE, sigma=sigma)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def seconds_of_textbook(points: np.ndarray, sigmas: np.ndarray) -> float:
    density = np.zeros(SIZE, np.float32)
    start = time.perf_counter()
    for (x, y), sigma in zip(points, sigmas):
        dot = np.zeros(SIZE, np.float32)
        dot[int(y), int(x)] = 1
        density += gaussian_filter(dot, sigma, mode="constant")
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="time the textbook way on all heads")
    parser.add_argument("--repetitions", type=int, default=15, help="maps of ours to take the median of")
    arguments = parser.parse_args()

    points = np.random.default_rng(0).random((HEADS, 2)) * (SIZE[1], SIZE[0])
    every = 1 if arguments.all else 10
    print(f"{HEADS} heads on {SIZE[1]} x {SIZE[0]}; textbook way timed on {HEADS // every} heads x {every}")
    for name, sigma, sigmas in (
        (f"fixed {FIXED_SIGMA:g}", FIXED_SIGMA, np.full(HEADS, FIXED_SIGMA)),
        ("adaptive", "adaptive", adaptive_sigma(points)),
    ):
        # Every tenth by sigma, the fifth of each ten: neither the widest nor the narrowest are preferred.
        timed = np.argsort(sigmas, kind="stable")[every // 2 :: every]
        textbook = seconds_of_textbook(points[timed], sigmas[timed]) * every
        ours = seconds_of_ours(points, sigma, arguments.repetitions)
        print(f"{name:>9}: ours {ours:.4f} s, textbook {textbook:.2f} s, ratio {textbook / ours:.0f}")


if __name__ == "__main__":
    main()
