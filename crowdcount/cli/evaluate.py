"""`crowdcount evaluate`: the errors of a network on annotated pictures."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
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
    from crowdcount.data.annotations import load_dataset
    from crowdcount.measuring.evaluation import evaluate

    if arguments.csv:
        check_writable(Path(arguments.csv))
    samples = load_dataset(arguments.dataset, arguments.root, arguments.split)
    if arguments.csv:
        check_outputs({"--csv": arguments.csv}, [arguments.model, *_files_of(arguments.dataset, arguments.root)])
    import_keras()
    begin()
    coverage = coverage_of(arguments)
    result = evaluate(arguments.model, samples, maps=arguments.maps, tta=arguments.tta, coverage=coverage)
    _print(arguments, result, coverage)
    if arguments.csv:  # after the scores, which a full disk must not take along
        with writing(arguments.csv):
            result.save_csv(arguments.csv)
    return 0


def _files_of(dataset: str, root: str | None) -> Iterator[str]:
    """Paths of a data set's pictures and annotations, in whatever split: nobody has them a second time."""
    from crowdcount.data.annotation_files import find_annotation_file
    from crowdcount.data.annotations import data_root, load_dataset, part_folders
    from crowdcount.data.images import PICTURE_SUFFIXES

    folder = data_root(root)
    for name in (part.strip().lower() for part in dataset.split("+")):
        if name in ("csv", "json"):
            yield str(find_annotation_file(folder, f".{name}"))
            yield from (str(sample.picture) for sample in load_dataset(name, folder, "all"))
            continue
        for part in part_folders(folder, name[-1].upper()):
            yield from (str(file) for file in part.rglob("*") if file.suffix.lower() in {".mat", *PICTURE_SUFFIXES})


def _print(arguments: argparse.Namespace, result: Evaluation, coverage: float) -> None:
    scores = {
        "mae": result.mae,
        "rmse": result.rmse,
        "nae": result.nae,
        "bias": result.bias,
        "game": result.game,
        "coverage": result.coverage,
        "mean_width": result.mean_width,
    }
    if arguments.maps:
        scores |= {"psnr": result.psnr, "ssim": result.ssim}
    if arguments.json:
        head = {name: getattr(arguments, name) for name in ("dataset", "split", "model", "tta")}
        print(json.dumps(finite({**head, "pictures": result.pictures, **scores, "seconds": round(result.seconds, 3)})))
        return
    mirrored = ", each with its mirror image" if arguments.tta else ""
    print(f"{arguments.dataset}, {arguments.split}: {result.pictures} pictures{mirrored}, model {arguments.model}")
    print(f"MAE   {result.mae:9.2f}  heads")
    print(f"RMSE  {result.rmse:9.2f}  heads")
    print(f"NAE   {result.nae:9.4f}")
    print(f"bias  {result.bias:+9.2f}  heads (predicted minus true)")
    print(f"GAME  {'  '.join(f'{value:.2f}' for value in result.game)}  (levels 0 to 3)")
    if result.coverage is not None:
        print(
            f"range {result.coverage:9.1%}  of the true numbers lie in theirs (asked for: {coverage:.4g}), "
            f"mean width {result.mean_width:.2f} heads"
        )
    if arguments.maps and result.psnr is not None:
        print(f"PSNR  {result.psnr:9.2f}  dB")
        print(f"SSIM  {result.ssim:9.4f}")
