"""Write the mean of weight files of the same network, as a run's folder that release_weights.py files.

    python benchmarks/mean_weights.py RUN_FOLDER WEIGHTS... --out FOLDER [--share S] [--keep best|last]
    python benchmarks/mean_weights.py RUN_FOLDER --add 0.6 AFTER BEFORE --out FOLDER

A network that was fine-tuned and the one that it started from, joined weight by weight, often keep what each is better
at (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022), and so do several that started from the same
one (Wortsman et al., "Model soups", ICML 2022). `--add` gives a network a share of what another has learned between two
files (Ilharco et al., "Editing Models with Task Arithmetic", ICLR 2023). Measure the result before it ships:
`release_weights.py FOLDER NAME ...` counts the validation pictures anew; the card in FOLDER keeps the run's command,
and a remark, and nothing that was measured of the run's own weights.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from crowdcount.network.cards import model_card
from crowdcount.network.loading import load_model
from crowdcount.network.weight_files import SUFFIX, save_weights

MEASURED = ("validation", "metrics", "calibration", "sizes")  # what a card says of the very weights beside it


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a run")
    parser.add_argument("weights", nargs="*", help="names or files of the other weights")
    parser.add_argument("--out", type=Path, required=True, help="folder for the mean")
    parser.add_argument("--share", type=float, help="of the run's weights (default: as much as each other's)")
    parser.add_argument("--add", nargs=3, metavar=("SHARE", "AFTER", "BEFORE"), help="of the difference of two weights")
    parser.add_argument("--keep", choices=("best", "last"), default="last")
    arguments = parser.parse_args(argv)

    file = arguments.run / f"{arguments.keep}{SUFFIX}"
    model = load_model(file)
    card = {key: value for key, value in model_card(file).content.items() if key not in MEASURED}
    remarks = [card.get("remarks")]
    mean = model.get_weights()
    if arguments.weights:
        share = 1 / (1 + len(arguments.weights)) if arguments.share is None else arguments.share
        each = (1 - share) / len(arguments.weights)
        mean = [share * array for array in mean]
        for name in arguments.weights:
            mean = added(mean, each, model, name)
        others = ", ".join(Path(name).name for name in arguments.weights)
        remarks.append(f"{share:.0%} of the run's weights and {each:.0%} of {others}")
    if arguments.add:
        share, (after, before) = float(arguments.add[0]), arguments.add[1:]
        mean = added(added(mean, share, model, after), -share, model, before)
        remarks.append(f"{share:.0%} of what {Path(after).name} has learned since {Path(before).name}")
    model.set_weights(mean)
    card["remarks"] = "; ".join(filter(None, remarks))
    arguments.out.mkdir(parents=True, exist_ok=True)
    save_weights(model, arguments.out / f"{arguments.keep}{SUFFIX}", card)
    shutil.copy(arguments.run / "history.csv", arguments.out)


def added(arrays: Sequence[np.ndarray], share: float, model: keras.Model, name: str) -> list[np.ndarray]:
    """The arrays with a share of other weights, of the same network as the model's."""
    other = load_model(name)
    if layers(other) != layers(model):  # designs differ in rates alone: their arrays have the same shapes
        raise SystemExit(f"{name} is of another design or width than the run.")
    return [array + share * its for array, its in zip(arrays, other.get_weights(), strict=True)]


def layers(model: keras.Model) -> list[tuple]:
    """Name, filters and dilation rate of each convolution."""
    convolutions = (layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D))
    return [(layer.name, layer.filters, layer.dilation_rate) for layer in convolutions]


if __name__ == "__main__":
    main()
