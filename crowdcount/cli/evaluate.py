"""`crowdcount evaluate`: the errors of a network on annotated pictures."""

from __future__ import annotations

import argparse
import math
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
    number_of,
    settle_split,
    writing,
)

if TYPE_CHECKING:
    from crowdcount.measuring.evaluation import Evaluation
    from crowdcount.measuring.uncertainty import Comparison

# Decimals of each measure, and of its standard error.
_DIGITS = {"mae": 2, "rmse": 2, "nae": 4, "log_ratio": 4, "bias": 2}


def add(command: Command) -> None:
    parser = command("evaluate", _evaluate, "score a network on annotated pictures")
    add_dataset(parser)
    add_split(parser)
    add_model(parser)
    add_coverage(parser)
    parser.add_argument(
        "--against",
        metavar="MODEL_OR_CSV",
        help="compare with another network, or with the table that --csv wrote for it: which errs less on these "
        "pictures, and how sure that is",
    )
    parser.add_argument("--maps", action="store_true", help="compare the density maps too: PSNR and SSIM")
    parser.add_argument(
        "--tta", action="store_true", help="take the mean of each picture and its mirror image, at twice the time"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--csv", metavar="FILE", help="write a line a picture to this file")


def _evaluate(arguments: argparse.Namespace) -> int:
    from crowdcount.data.annotations import dataset_files, load_each
    from crowdcount.measuring.evaluation import evaluate

    if arguments.csv:
        check_writable(Path(arguments.csv))
    settle_split(arguments, learned=True)
    each = load_each(arguments.dataset, arguments.root, arguments.split)
    groups = {name: samples for name, samples in each.items() if samples}
    if arguments.csv:
        used = [arguments.model, arguments.against]
        check_outputs({"--csv": arguments.csv}, [*used, *dataset_files(arguments.dataset, arguments.root)])
    import_keras()
    begin()
    coverage = coverage_of(arguments)
    result = evaluate(
        arguments.model,
        groups,
        against=arguments.against,
        maps=arguments.maps,
        tta=arguments.tta,
        coverage=coverage,
    )
    _print(arguments, result, coverage)
    if arguments.csv:  # after the scores, which a full disk must not take along
        with writing(arguments.csv):
            result.save_csv(arguments.csv)
    return 0


def _print(arguments: argparse.Namespace, result: Evaluation, coverage: float) -> None:
    if arguments.json:
        import json

        head = {name: getattr(arguments, name) for name in ("dataset", "split", "model", "tta")}
        parts = {name: _scores(part, arguments.maps) for name, part in result.parts.items()}
        content = {**head, **_scores(result, arguments.maps), "parts": parts, "seconds": round(result.seconds, 3)}
        print(json.dumps(finite(content)))
        return
    mirrored = ", each with its mirror image" if arguments.tta else ""
    model = f"{mirrored}, model {arguments.model}"
    for name, part in result.parts.items():
        print(f"{name}, {arguments.split}: {number_of(part.pictures, 'picture')}{model}")
        _print_scores(part, coverage, arguments)
        print()
    print(f"{arguments.dataset}, {arguments.split}: {number_of(result.pictures, 'picture')}{model}")
    _print_scores(result, coverage, arguments)


def _scores(result: Evaluation, maps: bool) -> dict:
    """An evaluation as JSON has it."""
    from crowdcount.measuring.uncertainty import MEASURES

    scores = {"pictures": result.pictures, **{name: getattr(result, name) for name in MEASURES}}
    scores |= {"standard_error": result.standard_error, "game": result.game}
    scores |= {"coverage": result.coverage, "mean_width": result.mean_width}
    if result.by_label:
        scores["by_label"] = result.by_label
    if maps:
        scores |= {"psnr": result.psnr, "ssim": result.ssim}
    if result.against is not None:
        from dataclasses import asdict

        scores["against"] = asdict(result.against)
    return scores


def _print_scores(result: Evaluation, coverage: float, arguments: argparse.Namespace) -> None:
    from crowdcount.counting.words import PEOPLE, thing_of

    thing = "heads" if (counted := thing_of(arguments.model)) == PEOPLE else counted
    off = {
        name: "" if math.isnan(error) else f" +- {error:.{_DIGITS[name]}f}"
        for name, error in result.standard_error.items()
    }
    print(f"MAE   {result.mae:9.2f}{off['mae']}  {thing}")
    print(f"RMSE  {result.rmse:9.2f}{off['rmse']}  {thing}")
    nae = "     none  (no picture has heads)" if math.isnan(result.nae) else f"{result.nae:9.4f}{off['nae']}"
    print(f"NAE   {nae}")
    print(f"log   {result.log_ratio:9.4f}{off['log_ratio']}  (mean |log((predicted + 10) / (true + 10))|)")
    print(f"bias  {result.bias:+9.2f}{off['bias']}  {thing} (predicted minus true)")
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
    if result.against is not None:
        _print_against(result.against, arguments.against)


def _print_by_label(result: Evaluation) -> None:
    """The errors of the pictures with each value of each label, and the mean of these errors, as protocols want it."""
    for label, values in result.by_label.items():
        for value, errors in values.items():
            shown = f"MAE {errors['mae']:9.2f}  RMSE {errors['rmse']:9.2f}"
            print(f"{label} {value:<12} {shown}  {number_of(int(errors['pictures']), 'picture')}")
        mean = sum(errors["mae"] for errors in values.values()) / len(values)
        print(f"{label} {'mean':<12} MAE {mean:9.2f}  of the {len(values)} above")


def _print_against(compared: Comparison, other: str) -> None:
    print(f"less  {other}, on the same pictures, with 95 % intervals:")
    for name, each in compared.differences.items():
        digits = _DIGITS[name]
        label = {"log_ratio": "log", "bias": "|bias|"}.get(name, name.upper())
        if math.isnan(each.value):
            print(f"{label:6}     none  (no picture has heads)")
            continue
        numbers = " to ".join(f"{value:+.{digits}f}" for value in (each.low, each.high))
        if math.isnan(each.low):
            numbers = "no interval: too few pictures"
        verdict = "fewer errors" if each.high < 0 else "more errors" if each.low > 0 else "not told apart"
        print(f"{label:6}{each.value:+9.{digits}f}  ({numbers})  {verdict}")
    print(
        f"nearer to the truth in {compared.nearer} of {compared.pictures} pictures, the other in "
        f"{compared.other_nearer}"
    )
