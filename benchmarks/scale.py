"""Fit the sizes in a network's card, and measure how the count of a scene changes with the size of its file.

    python benchmarks/scale.py fit --root FOLDER [--dataset DATASET] [--model NAME_OR_FILE] [--pictures N] [--write]
    python benchmarks/scale.py measure --root FOLDER [--dataset DATASET] [--model NAME_OR_FILE] [--pictures N]
    python benchmarks/scale.py drawn [--model NAME_OR_FILE] [--pictures N]

`fit` counts validation pictures at half and at their own size, and prints the pixels of all but the largest tenth and
the factors between which the counts of nine of ten grow (those of training pictures, known by heart, grow less);
`--write` writes them into the card beside the weights. `measure` counts validation pictures as they are and resized
(Lanczos) to longest sides of 512, 1024, 2048 and 4032 pixels, `drawn` the same scenes drawn so wide, and the widest
drawing shrunk to 1024 pixels: between these two the count alone can change, between the others the drawing does, too.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterable, Sequence

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from PIL import Image
from tqdm import tqdm

from crowdcount.counting.scale import Sizes, growth, look, search, sizes_of
from crowdcount.data.annotations import Sample, load_dataset
from crowdcount.data.images import picture_size
from crowdcount.drawn.crowds import draw_crowd
from crowdcount.files import atomic_path
from crowdcount.network.loading import load_network
from crowdcount.network.locate import SUFFIX, find_weights
from crowdcount.network.prediction import WHOLE_PIXELS, margin_of
from crowdcount.network.tiling import windows

SIZES = ((384, 512), (768, 1024), (1536, 2048), (3024, 4032))
# Between these two the count of a scene should stay.
FROM, TO = 1024, 4032
AS_IT_IS = "as it is"
# A count of few people may change by one or two without the size being wrong.
FEW = 10

Scene = tuple[str, int, list[np.ndarray]]
Pair = tuple[str, str]


def fit(network, samples: Sequence[Sample], most: int) -> dict:
    """What the card says: pixels of all the pictures but the largest tenth, and how nine of ten counts grow."""
    pixels = int(np.percentile([np.prod(picture_size(sample.picture)) for sample in samples], 90))
    grown = []
    for sample in tqdm(evenly(samples, most), "pictures"):
        picture = sample.read()
        grown.append(growth([look(network, picture, scale) for scale in (0.5, 1)]))
    shrinks, grows = np.percentile(grown, (5, 95))
    return {"pixels": pixels, "shrinks": round(shrinks, 3), "grows": round(grows, 3)}


def write(model: str, sizes: dict) -> None:
    path = find_weights(model)
    path = path.with_name(path.name.removesuffix(SUFFIX) + ".json")
    card = json.loads(path.read_text("utf-8"))
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(card | {"sizes": sizes}, indent=2) + "\n", "utf-8")
    print(f"{path} has them")


def resized(picture: np.ndarray, longest: int) -> np.ndarray:
    height, width = (round(side * longest / max(picture.shape[:2])) for side in picture.shape[:2])
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))


def forward_pixels(shape: Sequence[int], margin: int) -> int:
    """Pixels that go through the network for one prediction: in tiles more than the picture has."""
    cut = windows(tuple(shape[:2]), margin=margin, most=WHOLE_PIXELS)
    return sum((each.rows.stop - each.rows.start) * (each.columns.stop - each.columns.start) for each in cut)


def measure(network, sizes: Sizes, scenes: Iterable[Scene], names: Sequence[str], pairs: Sequence[Pair]) -> None:
    """Print a table of counts, a scene a line, and how much they change with the size of the file.

    Args:
        network: what counts.
        sizes: from its card.
        scenes: name, people, and its pictures; the first is counted plainly, too, if it is the data set's own.
        names: of each scene's pictures.
        pairs: of these, between which it is told how much the count changes.
    """
    plain = names[0] == AS_IT_IS
    print(f"| scene | people | {' | '.join(names)} |\n|{'---|' * (len(names) + 2)}")
    margin = margin_of(network)
    true, counts, plainly, cost = [], [], [], []
    for name, people, pictures in scenes:
        found, spent = [], []
        for picture in pictures:
            looks = search(network, picture, sizes)
            found.append(looks[-1])
            seen = sum(forward_pixels(each.picture.shape, margin) for each in looks)
            spent.append(seen / forward_pixels(picture.shape, margin))
            if plain and len(found) == 1:
                own = [each.people for each in looks if each.scale == 1]
                plainly.append(own[0] if own else look(network, picture, 1).people)
        cells = [f"{each.people:.0f} (x{each.scale:.2g})" for each in found]
        print(f"| {name} | {people} | {' | '.join(cells)} |", flush=True)
        true.append(people)
        counts.append([each.people for each in found])
        cost.append(spent)
    table = np.array(counts)
    print(f"\n{len(true)} scenes; change of the count as a share of it and {FEW}, median and worst twentieth:")
    for start, end in pairs:
        before, after = (table[:, names.index(name)] for name in (start, end))
        change = np.abs(after - before) / (before + FEW)
        print(f"from {start} to {end}: {np.median(change):.1%}, {np.percentile(change, 95):.1%}")
    if plain:
        chosen, own = (np.abs(np.array(found) - true).mean() for found in (table[:, 0], plainly))
        print(f"MAE as they are: {chosen:.2f}, counted plainly {own:.2f}")
    shares = ", ".join(f"{name} {share:.2f}" for name, share in zip(names, np.mean(cost, axis=0)))
    print(f"pixels through the network, as a multiple of one plain prediction of the same file: {shares}")


def drawings(people: int, seed: int) -> list[np.ndarray]:
    """A scene drawn at each size, and the largest drawing shrunk."""
    pictures = [draw_crowd(people, size=size, seed=seed).picture for size in SIZES]
    return [*pictures, resized(pictures[-1], FROM)]


def evenly(items: Sequence, most: int) -> list:
    return [items[index * len(items) // most] for index in range(most)] if len(items) > most else list(items)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("fit", "measure", "drawn"))
    parser.add_argument("--root", help="folder of the data, for fit and measure")
    parser.add_argument("--dataset", default="shanghaitech_a+shanghaitech_b")
    parser.add_argument("--model", default="general")
    parser.add_argument("--pictures", type=int, default=40, help="most pictures, evenly by their counts (default: 40)")
    parser.add_argument("--write", action="store_true", help="write what is fitted into the card")
    arguments = parser.parse_args(argv)
    network, _ = load_network(arguments.model)
    if arguments.what != "drawn":
        samples = sorted(load_dataset(arguments.dataset, arguments.root, "val"), key=lambda sample: sample.count)
    if arguments.what == "fit":
        sizes = fit(network, samples, arguments.pictures)
        print(f"sizes: {json.dumps(sizes)}, from {min(len(samples), arguments.pictures)} pictures")
        if arguments.write:
            write(arguments.model, sizes)
        return
    sizes = sizes_of(arguments.model)
    if sizes is None:
        raise SystemExit(f"The card of {arguments.model} has no sizes. Run `fit --write` first.")
    widths = [width for _, width in SIZES]
    names, first, last = [f"{width} px" for width in widths], f"{FROM} px", f"{TO} px"
    if arguments.what == "measure":
        pictures = ((sample, sample.read()) for sample in evenly(samples, arguments.pictures))
        scenes = (
            (sample.name, sample.count, [picture, *(resized(picture, width) for width in widths)])
            for sample, picture in pictures
        )
        measure(network, sizes, scenes, [AS_IT_IS, *names], [(AS_IT_IS, first), (first, last)])
        return
    crowds = [(people, seed) for seed in range(10) for people in (40, 100, 200, 400)][: arguments.pictures]
    scenes = ((f"{people} people, seed {seed}", people, drawings(people, seed)) for people, seed in crowds)
    shrunk = f"{last} shrunk to {FROM}"
    measure(network, sizes, scenes, [*names, shrunk], [(first, last), (shrunk, last)])


if __name__ == "__main__":
    main()
