"""Try parts of a recipe, each alone, with as many pixels as the recipe as it is, and say what each gained.

    python benchmarks/budget.py DATA --root FOLDER --out FOLDER [--recipe clear] [--init general] [--epochs N]
                                [--seed N] [--changes NAME...] [--split val29]

Each run lies in a folder of its own in `--out`: what is there is measured, not trained again, and a run that was
stopped goes on. The table has whole validation pictures, each data set apart: the error, and the mean log ratio less
that of the recipe as it is, with its 95 % interval (bootstrap over pictures). An interval that holds 0 tells nothing.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from keras import ops

from crowdcount.data.annotations import Sample, load_dataset
from crowdcount.data.specs import parse_spec
from crowdcount.measuring.evaluation import Evaluation, evaluate
from crowdcount.training.losses import PoissonLoss, known_cells
from crowdcount.training.pipeline import epoch_steps
from crowdcount.training.recipes import Phase, Recipe, find_recipe
from crowdcount.training.run import LAST, train
from crowdcount.training.state import NAME

PLAIN = "as it is"
COUNT_WEIGHT = 0.1


@keras.saving.register_keras_serializable("crowdcount.benchmarks")
class WithCount(PoissonLoss):
    """The recipe's loss, and a tenth of the absolute error of the whole count."""

    def call(self, y_true, y_pred):
        true, predicted = known_cells(y_true, y_pred)
        count = ops.abs(ops.sum(true - predicted, axis=(1, 2, 3)))
        return super().call(y_true, y_pred) + COUNT_WEIGHT * count


def of_phases(change: Callable[[Phase], Phase]) -> Callable[[Recipe], Recipe]:
    return lambda recipe: replace(recipe, phases=tuple(map(change, recipe.phases)))


def with_adam(**changes) -> Callable[[Recipe], Recipe]:
    return of_phases(lambda phase: replace(phase, optimizer=replace(phase.optimizer, **changes)))


def batches_of(size: int) -> Callable[[Recipe], Recipe]:
    """Smaller batches, more steps: the rate falls with the root of the size, and the average spans as many examples."""

    def change(phase: Phase) -> Phase:
        share, adam = size / phase.batch, phase.optimizer
        adam = replace(adam, peak=adam.peak * math.sqrt(share), average=adam.average**share)
        return replace(phase, batch=size, optimizer=adam)

    return of_phases(change)


def crops_of(side: int) -> Callable[[Recipe], Recipe]:
    """Larger crops, fewer a step and fewer epochs, so that there are as many steps of nearly as many pixels."""

    def change(phase: Phase) -> Phase:
        share = (phase.crops.size / side) ** 2
        batch = max(1, round(share * phase.batch))
        return replace(phase, crops=replace(phase.crops, size=side), batch=batch)

    return of_phases(change)


def halved_at(heads: float | None) -> Callable[[Recipe], Recipe]:
    """Other weights for dense crops, see `PoissonLoss`."""
    return lambda recipe: replace(recipe, loss=lambda: PoissonLoss(halved_at=heads))


CHANGES: dict[str, Callable[[Recipe], Recipe]] = {
    PLAIN: lambda recipe: recipe,
    "batches of 2": batches_of(2),
    "batches of 1": batches_of(1),
    "block 3 frozen, too": of_phases(lambda phase: replace(phase, frozen=("block1", "block2", "block3"))),
    "nothing frozen": of_phases(lambda phase: replace(phase, frozen=())),
    "crops of 384": crops_of(384),
    "dense crops weigh less": halved_at(20),
    "all crops weigh alike": halved_at(None),
    "a term on the count": lambda recipe: replace(recipe, loss=lambda: WithCount(halved_at=recipe.loss().halved_at)),
    "weight decay of 0.01": with_adam(decay=0.01),
    "average of 0.9": with_adam(average=0.9),
    "average of 0.999": with_adam(average=0.999),
}


def epochs_for(recipe: Recipe, plain: Recipe, epochs: int) -> int:
    """As many epochs as have the pixels of the plain recipe's."""
    sides = [each.phases[0].crops.size for each in (plain, recipe)]
    return max(1, round(epochs * (sides[0] / sides[1]) ** 2))


def trained(recipe: Recipe, out: Path, samples: Sequence[Sample], epochs: int, init: str, seed: int) -> float:
    """Train, or go on, where the run is not there whole. Minutes that it took now."""
    began = time.perf_counter()
    if not (out / NAME).exists():
        train(samples, out=out, recipe=recipe, epochs=epochs, init=init, seed=seed)
    else:
        train(samples, out=out, recipe=recipe, resume=True)
    return (time.perf_counter() - began) / 60


def row(name: str, steps: int, minutes: float, found: Evaluation) -> str:
    cells = [name, str(steps), f"{minutes:.0f}"]
    for part in (found.parts or {"": found}).values():
        told = f"{part.mae:.1f}, {part.log_ratio:.3f}"
        if part.against is not None:
            change = part.against.differences["log_ratio"]
            told += f", {change.value:+.3f} ({change.low:+.3f} to {change.high:+.3f})"
        cells.append(told)
    return f"| {' | '.join(cells)} |"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="as for crowdcount train")
    parser.add_argument("--root", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipe", default="clear")
    parser.add_argument("--init", default="general")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--changes", nargs="+", choices=CHANGES, default=list(CHANGES))
    parser.add_argument("--split", default="val29")
    arguments = parser.parse_args(argv)
    samples = load_dataset(arguments.data, arguments.root, "train")
    names = [name for name, _, _ in parse_spec(arguments.data)]
    kept: Mapping[str, Sequence[Sample]] = {name: load_dataset(name, arguments.root, arguments.split) for name in names}
    plain = find_recipe(arguments.recipe)
    columns = ["change", "steps", "minutes", *(f"{name}: MAE, log ratio, less the recipe's" for name in kept)]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    table = arguments.out / "plain.csv"
    for name in dict.fromkeys([PLAIN, *arguments.changes]):
        recipe, out = CHANGES[name](plain), arguments.out / name.replace(" ", "_").replace(",", "")
        epochs = epochs_for(recipe, plain, arguments.epochs)
        minutes = trained(recipe, out, samples, epochs, arguments.init, arguments.seed)
        against = None if name == PLAIN else table
        found = evaluate(os.fspath(out / LAST), kept, against=against, progress=False)
        if name == PLAIN:
            found.save_csv(table)
        phase = recipe.phases[0]
        steps = epochs * epoch_steps(samples, phase.crops, phase.batch)
        print(row(name, steps, minutes, found), flush=True)


if __name__ == "__main__":
    main()
