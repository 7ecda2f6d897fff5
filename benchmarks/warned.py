"""Measure how often each warning comes with a whole count, of pictures with and without people, and turned ones.

    python benchmarks/warned.py --root FOLDER [--brt FOLDER] [--nobody FOLDER] [--pictures N] [--model NAME_OR_FILE]

Unlike `benchmarks/doubts.py`, which measures each warning on pictures with its fault, this counts as a user does: at
the size that is searched for, with all warnings. Pictures with people are ShanghaiTech's validation pictures and, with
`--brt`, frames of BRT; pictures without are those of the folder of `--nobody`. Each is counted in its four turns, the
three others at the size that was found for the first.

Below the table: what a rule would do that takes a picture for one that lies on its side where the larger of the counts
of its two quarter turns is more than so many times its own: how many upright pictures it would accuse, and how many of
the same pictures, laid on their side, it would find.
"""

from __future__ import annotations

import argparse
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from crowdcount.counting.pictures import count
from crowdcount.data.annotations import load_dataset
from crowdcount.data.images import list_pictures, load_picture

RATIOS = (1.1, 1.2, 1.3, 1.5, 2.0)
# Below so many people a ratio of counts says nothing.
FEWEST = 10


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
    print("\n| rule | upright accused | on the side found |\n|---|---|---|")
    people = np.concatenate([counts for name, counts in turned.items() if name != "nobody"])
    for ratio in RATIOS:
        accused = [suspected(counts, ratio) for counts in people]
        found = [suspected(np.roll(counts, turn), ratio) for counts in people for turn in (1, 3)]
        print(f"| more than {ratio:g} times | {share(accused)} | {share(found)} |")
        if "nobody" in turned:
            print(f"| the same, nobody | {share([suspected(counts, ratio) for counts in turned['nobody']])} | |")
    lost = people[:, [1, 3]].sum() / 2 / people[:, 0].sum() - 1
    print(
        f"\nOn their side the pictures with people count {lost:+.0%} in all, upside down "
        f"{people[:, 2].sum() / people[:, 0].sum() - 1:+.0%}."
    )


def measured(name: str, pictures: Sequence[np.ndarray], model: str) -> np.ndarray:
    """Print a group's row; its counts, shape (pictures, 4), in the four turns."""
    counts, told = [], Counter()
    for picture in pictures:
        result = count(picture, model=model, progress=False)
        told.update(re.split(r"[:.,]| than| to about", warning)[0] for warning in result.warnings)
        turns = [np.ascontiguousarray(np.rot90(picture, turn)) for turn in (1, 2, 3)]
        others = [count(each, model=model, scale=result.scale, progress=False).count for each in turns]
        counts.append([result.count, *others])
    warned = "; ".join(f"{warning} {share_of(number, len(counts))}" for warning, number in told.most_common()) or "none"
    own = np.array(counts)[:, 0]
    print(f"| {name} | {len(own)} | {np.median(own):.1f}, {own.max():.1f} | {warned} |", flush=True)
    return np.array(counts)


def suspected(counts: np.ndarray, ratio: float) -> bool:
    """Whether a picture with these counts in its four turns, its own first, is taken for one on its side."""
    best = max(counts[1], counts[3])
    return bool(best >= FEWEST and best > ratio * counts[0])


def share(found: Sequence[bool]) -> str:
    return share_of(sum(found), len(found))


def share_of(number: int, of: int) -> str:
    return f"{number / of:.0%} ({number})"


if __name__ == "__main__":
    main()
