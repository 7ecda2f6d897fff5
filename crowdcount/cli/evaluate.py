"""`crowdcount evaluate`: the errors of a network on annotated pictures."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from crowdcount.cli.common import (
    Command,
    add_coverage,
    add_dataset,
    add_model,
    add_split,
    begin,
    check_outputs,
    check_writable,
    coverage_of,
    finite,
    import_keras,
    writing,
)

if TYPE_CHECKING:
    from crowdcount.measuring.evaluation import Evaluation


def add(command: Command) -> None:
    parser = command("evaluate", _evaluate, "score a network on annotated pictures")
    add_dataset(parser)
    add_split(parser)
    add_model(parser)
    add_coverage(parser)
    parser.add_argument("--maps", action="store_true", help="compare the density maps too: PSNR and SSIM")
    parser.add_argument(
        "--tta", action="store_true", help="take the mean of each picture and its mirror image, at twice the time"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--csv", metavar="FILE", help="write a line a picture to this file")


def _evaluate(arguments: argparse.Namespace) -> int:
    from crowdcount.data.annotations import dataset_files, load_dataset
    from crowdcount.measuring.evaluation import evaluate

    if arguments.csv:
        check_writable(Path(arguments.csv))
    samples = load_dataset(arguments.dataset, arguments.root, arguments.split)
    if arguments.csv:
        check_outputs({"--csv": arguments.csv}, [arguments.model, *dataset_files(arguments.dataset, arguments.root)])
    import_keras()
    begin()
    coverage = coverage_of(arguments)
    result = evaluate(arguments.model, samples, maps=arguments.maps, tta=arguments.tta, coverage=coverage)
    _print(arguments, result, coverage)
    if arguments.csv:  # after the scores, which a full disk must not take along
        with writing(arguments.csv):
            result.save_csv(arguments.csv)
    return 0


def _print(arguments: argparse.Namespace, result: Evaluation, coverage: float) -> None:
    from crowdcount.counting.words import PEOPLE, thing_of

    scores = {
        "mae": result.mae,
        "rmse": result.rmse,
        "nae": result.nae,
        "bias": result.bias,
        "game": result.game,
        "coverage": result.coverage,
        "mean_width": result.mean_width,
    }
    if result.by_label:
        scores["by_label"] = result.by_label
    if arguments.maps:
        scores |= {"psnr": result.psnr, "ssim": result.ssim}
    if arguments.json:
        head = {name: getattr(arguments, name) for name in ("dataset", "split", "model", "tta")}
        print(json.dumps(finite({**head, "pictures": result.pictures, **scores, "seconds": round(result.seconds, 3)})))
        return
    thing = "heads" if (counted := thing_of(arguments.model)) == PEOPLE else counted
    mirrored = ", each with its mirror image" if arguments.tta else ""
    print(f"{arguments.dataset}, {arguments.split}: {result.pictures} pictures{mirrored}, model {arguments.model}")
    print(f"MAE   {result.mae:9.2f}  {thing}")
    print(f"RMSE  {result.rmse:9.2f}  {thing}")
    print(f"NAE   {result.nae:9.4f}")
    print(f"bias  {result.bias:+9.2f}  {thing} (predicted minus true)")
    print(f"GAME  {'  '.join(f'{value:.2f}' for value in result.game)}  (levels 0 to 3)")
    if result.coverage is not None:
        print(
            f"range {result.coverage:9.1%}  of the true numbers lie in theirs (asked for: {coverage:.4g}), "
            f"mean width {result.mean_width:.2f} {thing}"
        )
    if arguments.maps and result.psnr is not None:
        print(f"PSNR  {result.psnr:9.2f}  dB")
        print(f"SSIM  {result.ssim:9.4f}")
    _print_by_label(result)


def _print_by_label(result: Evaluation) -> None:
    """The errors of the pictures with each value of each label, and the mean of these errors, as protocols want it."""
    for label, values in result.by_label.items():
        for value, errors in values.items():
            shown = f"MAE {errors['mae']:9.2f}  RMSE {errors['rmse']:9.2f}"
            print(f"{label} {value:<12} {shown}  {errors['pictures']} pictures")
        mean = sum(errors["mae"] for errors in values.values()) / len(values)
        print(f"{label} {'mean':<12} MAE {mean:9.2f}  of the {len(values)} above")
