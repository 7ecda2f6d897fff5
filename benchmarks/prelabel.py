"""Count the actions that dotting by hand takes, from nothing and from the model's heads, on drawn crowds.

    python benchmarks/prelabel.py [--model NAME_OR_FILE] [--pictures N]

From nothing each head is a click. From the model's heads a click deletes a dot that is on no head, another one adds a
head that was missed, and a drag does both at once: a correction takes as many actions as the larger of the two numbers.
A dot is on a head if it lies within so many pixels of it, each of another one.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from crowdcount.counting.heads import match_heads
from crowdcount.counting.pictures import count
from crowdcount.drawn.crowds import draw_crowd

DISTANCES = (16, 8)
PEOPLE = (60, 300)
SIZE = (768, 1024)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="general")
    parser.add_argument("--pictures", type=int, default=8, help="(default: 8)")
    arguments = parser.parse_args(argv)

    corrections = dict.fromkeys(DISTANCES, 0)
    heads = 0
    for seed, people in enumerate(np.linspace(*PEOPLE, arguments.pictures).round().astype(int).tolist()):
        scene = draw_crowd(people, size=SIZE, seed=seed)
        found = count(scene.picture, model=arguments.model, progress=False).heads()
        heads += people
        told = []
        for distance in DISTANCES:
            right = match_heads(found, scene.points, distance)
            actions = max(len(found), people) - right
            corrections[distance] += actions
            told.append(f"{actions} within {distance} pixels")
        print(f"{people} heads, {len(found)} dots of the model; corrections: {', '.join(told)}", flush=True)
    for distance, actions in corrections.items():
        print(f"within {distance} pixels: {actions} actions instead of {heads}, {1 - actions / heads:.0%} fewer")


if __name__ == "__main__":
    main()
