"""Measure how often each warning comes with a whole count, of pictures with and without people, and turned ones.

    python benchmarks/warned.py --root FOLDER [--brt FOLDER] [--nobody FOLDER] [--pictures N] [--model NAME_OR_FILE]

Unlike `benchmarks/doubts.py`, which measures each warning on pictures with its fault, this counts as a user does: at
the size that is searched for, with all warnings. Pictures with people are ShanghaiTech's validation pictures and, with
`--brt`, frames of BRT; pictures without are those of the folder of `--nobody`.

Below the table: how many of the pictures are said to lie on their side as they are, and how many when they do, turned
by a quarter to the left or, every second one, to the right; and how many people are counted then.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from crowdcount.counting.doubts import Doubt
from crowdcount.counting.pictures import count
from crowdcount.counting.results import CountResult
from crowdcount.data.annotations import load_dataset
from crowdcount.data.images import list_pictures, load_picture


def every(items: Sequence, most: int) -> list:
    """At most so many of the items, evenly spread."""
    places = np.unique(np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int))
    return [items[place] for place in places]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", required=True, help="folder that holds part_A and part_B")
    parser.add_argument("--brt", help="folder with points.csv and images of BRT")
    parser.add_argument("--nobody", help="folder of pictures without people")
    parser.add_argument("--pictures", type=int, default=30, help="most pictures of each group (default: 30)")
    parser.add_argument("--model", default="general")
    arguments = parser.parse_args(argv)

    groups = {
        f"ShanghaiTech {part.upper()}": load_dataset(f"shanghaitech_{part}", arguments.root, "val") for part in "ab"
    }
    if arguments.brt:
        groups["BRT"] = load_dataset("csv", arguments.brt, "train")
    pictures = {
        name: [sample.read() for sample in every(samples, arguments.pictures)] for name, samples in groups.items()
    }
    if arguments.nobody:
        paths = every(list_pictures(Path(arguments.nobody)), 2 * arguments.pictures)
        pictures["nobody"] = [load_picture(path) for path in paths]

    print(
        "| pictures | number | count, median and most | warnings, share of the pictures |\n|---|---|---|---|",
        flush=True,
    )
    turned = {name: measured(name, group, arguments.model) for name, group in pictures.items()}
    print(
        "\n| pictures | upright, told to lie | on their side, told | people counted on their side |\n|---|---|---|---|"
    )
    for name, (upright, lying) in turned.items():
        people = sum(result.count for result in lying) / sum(result.count for result in upright) - 1
        print(f"| {name} | {share(map(lies, upright))} | {share(map(lies, lying))} | {people:+.0%} |")


def measured(name: str, pictures: Sequence[np.ndarray], model: str) -> tuple[list[CountResult], list[CountResult]]:
    """Print a group's row; the counts of the pictures as they are and on their side."""
    upright, lying, told = [], [], Counter()
    for number, picture in enumerate(pictures):
        upright.append(count(picture, model=model, progress=False))
        told.update(sorted(doubt.value for doubt in upright[-1].doubts))
        turned = np.ascontiguousarray(np.rot90(picture, 1 if number % 2 else 3))
        lying.append(count(turned, model=model, progress=False))
    warned = "; ".join(f"{doubt} {share_of(number, len(upright))}" for doubt, number in told.most_common()) or "none"
    own = np.array([result.count for result in upright])
    print(f"| {name} | {len(own)} | {np.median(own):.1f}, {own.max():.1f} | {warned} |", flush=True)
    return upright, lying


def lies(result: CountResult) -> bool:
    return Doubt.SIDE in result.doubts


def share(found: Iterable[bool]) -> str:
    found = list(found)
    return share_of(sum(found), len(found))


def share_of(number: int, of: int) -> str:
    return f"{number / of:.0%} ({number})"


if __name__ == "__main__":
    main()
