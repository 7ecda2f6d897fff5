"""Train on few pictures of other things than people, and measure how the error falls with their number.

    python benchmarks/few_dots.py --root CELLS --out FOLDER [--thing cells] [--pictures 4 8 16 32] [--seed 1]
        [--figure docs/few_dots.png]

CELLS holds pictures and `points.csv`, as `crowdcount train csv` reads them. Of the first N, by their names, seven
eighths train `general` on with the recipe `few`, one eighth (at least one) chooses the epoch. The same pictures are
counted with each: those after the first 32, or after the largest number. A number whose run has ended in the folder is
counted without training it again; one that was stopped goes on.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from crowdcount.data.annotations import Sample, load_dataset
from crowdcount.files import atomic_path
from crowdcount.measuring.evaluation import Evaluation, evaluate
from crowdcount.training.run import BEST, train
from crowdcount.training.state import NAME

KEPT = 32


def divide(samples: Sequence[Sample], number: int, first: int) -> tuple[list[Sample], list[Sample], list[Sample]]:
    """The pictures that train, that choose, and that are counted: those after so many first ones."""
    ordered = sorted(samples, key=lambda sample: sample.name)
    if len(ordered) <= first or number < 2:
        raise SystemExit(f"--pictures must be from 2 to {len(ordered) - 1} of these pictures. Received: {number}")
    chosen = max(1, number // 8)
    return ordered[: number - chosen], ordered[number - chosen : number], ordered[first:]


def trained(out: Path, parts: Sequence[Sequence[Sample]], thing: str, seed: int) -> tuple[Path, float]:
    """The best weights of a run, and the minutes that it took; 0 where it was there."""
    began, begun = time.perf_counter(), out.with_name(f"{out.name}.begun")
    if not out.exists():  # the folder has its name once the run has ended
        resume = (begun / NAME).exists()
        train(*parts[:2], out=begun, recipe="few", init="general", thing=thing, seed=seed, resume=resume)
        begun.rename(out)
    return out / BEST, (time.perf_counter() - began) / 60


def draw(results: Sequence[tuple[int, Evaluation]], thing: str, file: Path) -> None:
    """The error by the number of pictures, with its standard error."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(5.5, 3.4), layout="constrained")
    numbers = [number for number, _ in results]
    axes.errorbar(
        numbers,
        [each.mae for _, each in results],
        [each.standard_error["mae"] for _, each in results],
        marker="o",
        capsize=3,
    )
    axes.set_xscale("log", base=2)
    axes.set_xticks(numbers, [str(number) for number in numbers])
    axes.set_ylim(bottom=0)
    axes.set_xlabel("pictures with dots")
    axes.set_ylabel(f"MAE, {thing}")
    axes.grid(alpha=0.3)
    with atomic_path(file) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
    plt.close(figure)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--thing", default="cells")
    parser.add_argument("--pictures", type=int, nargs="+", default=[4, 8, 16, 32])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args(argv)
    samples = load_dataset("csv", arguments.root, "all")
    first = max(KEPT, *arguments.pictures)
    parts = {number: divide(samples, number, first) for number in sorted(set(arguments.pictures))}
    print("| pictures with dots | counted | MAE | RMSE | bias | minutes of training |\n|---|---|---|---|---|---|")
    results = []
    for number, divided in parts.items():
        weights, minutes = trained(arguments.out / f"c{number}", divided, arguments.thing, arguments.seed)
        found = evaluate(os.fspath(weights), divided[2], progress=False)
        results.append((number, found))
        told = " | ".join(
            f"{getattr(found, name):.2f} ± {found.standard_error[name]:.2f}" for name in ("mae", "rmse", "bias")
        )
        print(f"| {number} | {len(divided[2])} | {told} | {minutes:.0f} |", flush=True)
    if arguments.figure:
        draw(results, arguments.thing, arguments.figure)


if __name__ == "__main__":
    main()
