"""Write the mean of two weight files of the same network, as a run's folder that release_weights.py files.

    python benchmarks/mean_weights.py RUN_FOLDER WEIGHTS OUT_FOLDER [--share 0.5] [--keep best|last]

A network that was fine-tuned and the one that it started from, joined weight by weight, often keep what each is better
at (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022). Measure it before it ships:
`release_weights.py OUT_FOLDER NAME ...` counts the validation pictures anew; the card of OUT_FOLDER keeps the run's
command, and a remark.
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
    parser.add_argument("weights", help="name or file of the other weights")
    parser.add_argument("out", type=Path, help="folder for the mean")
    parser.add_argument("--share", type=float, default=0.5, help="of the run's weights (default: 0.5)")
    parser.add_argument("--keep", choices=("best", "last"), default="last")
    arguments = parser.parse_args(argv)

    file = arguments.run / f"{arguments.keep}{SUFFIX}"
    model, other = load_model(file), load_model(arguments.weights)
    card = dict(model_card(file).content)
    model.set_weights(
        [
            arguments.share * mine + (1 - arguments.share) * theirs
            for mine, theirs in zip(model.get_weights(), other.get_weights(), strict=True)
        ]
    )
    remark = (
        f"{arguments.share:.0%} of the run's weights and {1 - arguments.share:.0%} of {Path(arguments.weights).name}"
    )
    card["remarks"] = "; ".join(filter(None, [card.get("remarks"), remark]))
    arguments.out.mkdir(parents=True, exist_ok=True)
    save_weights(model, arguments.out / f"{arguments.keep}{SUFFIX}", card)
    shutil.copy(arguments.run / "history.csv", arguments.out)


if __name__ == "__main__":
    main()
