"""Write the mean of weight files of the same network, as a run's folder that release_weights.py files.

    python benchmarks/mean_weights.py RUN_FOLDER WEIGHTS... --out FOLDER [--share S] [--keep best|last]
    python benchmarks/mean_weights.py RUN_FOLDER --add 0.6 AFTER BEFORE --out FOLDER

A network that was fine-tuned and the one that it started from, joined weight by weight, often keep what each is better
at (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022), and so do several that started from the same
one (Wortsman et al., "Model soups", ICML 2022). `--add` gives a network a share of what another has learned between two
files (Ilharco et al., "Editing Models with Task Arithmetic", ICLR 2023). Measure the result before it ships:
`release_weights.py FOLDER NAME ...` counts the validation pictures anew; the card in FOLDER keeps the run's command,
and a remark.
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
    card = dict(model_card(file).content)
    remarks = [card.get("remarks")]
    mean = model.get_weights()
    if arguments.weights:
        share = 1 / (1 + len(arguments.weights)) if arguments.share is None else arguments.share
        each = (1 - share) / len(arguments.weights)
        mean = [share * array for array in mean]
        for name in arguments.weights:
            mean = added(mean, each, load_model(name))
        others = ", ".join(Path(name).name for name in arguments.weights)
        remarks.append(f"{share:.0%} of the run's weights and {each:.0%} of {others}")
    if arguments.add:
        share, (after, before) = float(arguments.add[0]), arguments.add[1:]
        mean = added(added(mean, share, load_model(after)), -share, load_model(before))
        remarks.append(f"{share:.0%} of what {Path(after).name} has learned since {Path(before).name}")
    model.set_weights(mean)
    card["remarks"] = "; ".join(filter(None, remarks))
    arguments.out.mkdir(parents=True, exist_ok=True)
    save_weights(model, arguments.out / f"{arguments.keep}{SUFFIX}", card)
    shutil.copy(arguments.run / "history.csv", arguments.out)


def added(arrays: Sequence[np.ndarray], share: float, model: keras.Model) -> list[np.ndarray]:
    return [array + share * other for array, other in zip(arrays, model.get_weights(), strict=True)]


if __name__ == "__main__":
    main()
