"""Write the mean of weight files of the same network, as a run's folder that release_weights.py files.

    python benchmarks/mean_weights.py RUN_FOLDER WEIGHTS... --out FOLDER [--share S] [--keep best|last]

A network that was fine-tuned and the one that it started from, joined weight by weight, often keep what each is better
at (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022), and so do several that started from the same
one (Wortsman et al., "Model soups", ICML 2022). Measure it before it ships: `release_weights.py FOLDER NAME ...` counts
the validation pictures anew; the card in FOLDER keeps the run's command, and a remark.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from crowdcount.network.cards import model_card
from crowdcount.network.loading import load_model
from crowdcount.network.weight_files import SUFFIX, save_weights


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a run")
    parser.add_argument("weights", nargs="+", help="names or files of the other weights")
    parser.add_argument("--out", type=Path, required=True, help="folder for the mean")
    parser.add_argument("--share", type=float, help="of the run's weights (default: as much as each other's)")
    parser.add_argument("--keep", choices=("best", "last"), default="last")
    arguments = parser.parse_args(argv)

    file = arguments.run / f"{arguments.keep}{SUFFIX}"
    model = load_model(file)
    card = dict(model_card(file).content)
    share = 1 / (1 + len(arguments.weights)) if arguments.share is None else arguments.share
    each = (1 - share) / len(arguments.weights)
    mean = [share * array for array in model.get_weights()]
    for name in arguments.weights:
        mean = [kept + each * array for kept, array in zip(mean, load_model(name).get_weights(), strict=True)]
    model.set_weights(mean)
    others = ", ".join(Path(name).name for name in arguments.weights)
    remark = f"{share:.0%} of the run's weights and {each:.0%} of {others}"
    card["remarks"] = "; ".join(filter(None, [card.get("remarks"), remark]))
    arguments.out.mkdir(parents=True, exist_ok=True)
    save_weights(model, arguments.out / f"{arguments.keep}{SUFFIX}", card)
    shutil.copy(arguments.run / "history.csv", arguments.out)


if __name__ == "__main__":
    main()
