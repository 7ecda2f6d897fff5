"""Measure how exact the positions of heads are, on validation pictures of ShanghaiTech part B.

    python benchmarks/heads.py --root FOLDER [--model NAME_OR_FILE] [--pictures N]

A position is right if it lies within so many pixels of an annotated head, each of another one.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from crowdcount.counting.heads import match_heads
from crowdcount.counting.pictures import count
from crowdcount.data.annotations import load_dataset

DISTANCES = (16, 8)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", required=True)
    parser.add_argument("--model", default="general")
    parser.add_argument("--pictures", type=int, default=6, help="so many, evenly spread over the list (default: 6)")
    arguments = parser.parse_args(argv)

    samples = load_dataset("shanghaitech_b", arguments.root, "val")
    number = min(arguments.pictures, len(samples))
    chosen = [samples[index * len(samples) // number] for index in range(number)]
    found = true = 0
    right = dict.fromkeys(DISTANCES, 0)
    for sample in chosen:
        heads = count(sample.picture, model=arguments.model).heads()
        found, true = found + len(heads), true + sample.count
        for distance in DISTANCES:
            right[distance] += match_heads(heads, sample.points, distance)
        print(f"{sample.name}: {len(heads)} positions, {sample.count} annotated heads", flush=True)
    for distance, pairs in right.items():
        print(
            f"within {distance} pixels: {pairs / max(found, 1):.1%} of the {found} positions have an annotated head, "
            f"{pairs / max(true, 1):.1%} of the {true} annotated heads a position"
        )


if __name__ == "__main__":
    main()
