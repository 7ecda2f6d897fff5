"""Draw crowds to train with, with their head annotations: for heads larger than photos of crowds have.

    python benchmarks/drawn_crowds.py FOLDER [--pictures 110]

Writes FOLDER/points.csv and FOLDER/drawn/: 8 to 500 people, in pictures 640 to 2,048 pixels wide.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from crowdcount.drawn.crowds import draw_crowd
from crowdcount.errors import DataError

SIZES = ((768, 1024), (480, 640), (1152, 1536), (768, 1024), (1536, 2048))
FEWEST, MOST = 8, 500
# Far from the seeds that notebooks, pages and tests draw with.
FIRST_SEED = 50_000


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=110)
    arguments = parser.parse_args(argv)
    (arguments.folder / "drawn").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    with open(arguments.folder / "points.csv", "w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["picture", "x", "y"])
        for number in range(arguments.pictures):
            people = int(np.exp(rng.uniform(np.log(FEWEST), np.log(MOST))))
            try:
                scene = draw_crowd(people, size=SIZES[number % len(SIZES)], seed=FIRST_SEED + number)
            except DataError:  # so many heads do not fit into this view
                continue
            name = f"drawn/d{number:03}.jpg"
            Image.fromarray(scene.picture).save(arguments.folder / name, quality=95)
            rows.writerows([name, round(float(x), 1), round(float(y), 1)] for x, y in scene.points)


if __name__ == "__main__":
    main()
