"""`crowdcount train`: a network from annotated pictures."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path

from crowdcount.cli.common import Command, add_dataset, add_seed, begin, check_folder, import_keras, positive_int, width


def add(command: Command) -> None:
    parser = command("train", _train, "train a network on annotated pictures")
    add_dataset(parser)
    parser.add_argument(
        "--recipe",
        metavar="NAME",
        default="default",
        help="default or paper, or finish to go on from trained weights (default: default)",
    )
    parser.add_argument("--out", metavar="FOLDER", required=True, help="folder for weights, logs and checkpoints")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in the folder of --out")
    parser.add_argument("--epochs", metavar="N", type=positive_int, help="number of epochs (default: the recipe's)")
    parser.add_argument("--width", metavar="W", type=width, default=1.0, help="share of the filters (default: 1)")
    parser.add_argument(
        "--init",
        metavar="imagenet|NAME|none",
        default="imagenet",
        help="start from VGG-16's ImageNet weights, from a model or file, or from random (default: imagenet)",
    )
    parser.add_argument("--imagenet-file", metavar="FILE", help="VGG-16's weights, where there is no network")
    parser.add_argument(
        "--maps", metavar="FOLDER", help="read the targets that crowdcount density wrote to this folder"
    )
    parser.add_argument(
        "--thing",
        metavar="WORD",
        default="people",
        help="what the annotations mark, in the plural, as cells: counts speak of it (default: people)",
    )
    add_seed(parser)


def _train(arguments: argparse.Namespace) -> int:
    from crowdcount.data.annotations import load_dataset

    check_folder(Path(arguments.out))
    # TensorFlow leaves oneDNN off on older x86 processors, where the matrix products of crowdcount.network.winograd take about
    # half as long with it. It is read once, when TensorFlow is loaded.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    samples = load_dataset(arguments.dataset, arguments.root, "train")
    validation = load_dataset(arguments.dataset, arguments.root, "val")
    import_keras()
    from crowdcount.training.run import train

    begin()
    with redirect_stdout(sys.stderr):  # Keras's progress bar
        train(
            samples,
            validation,
            recipe=arguments.recipe,
            out=arguments.out,
            resume=arguments.resume,
            epochs=arguments.epochs,
            width=arguments.width,
            init=arguments.init,
            imagenet_file=arguments.imagenet_file,
            maps=arguments.maps,
            seed=arguments.seed,
            command=_command_line(arguments),
            thing=arguments.thing,
        )
    return 0


def _command_line(arguments: argparse.Namespace) -> str:
    """What the card keeps of the command: all that shapes the result, no folders of this machine."""
    words = ["crowdcount train", arguments.dataset, "--recipe", arguments.recipe]
    if arguments.epochs:
        words += ["--epochs", str(arguments.epochs)]
    words += ["--width", f"{arguments.width:g}", "--init", Path(arguments.init).name]
    if arguments.maps:
        words += ["--maps", Path(arguments.maps).name]
    return " ".join([*words, "--seed", str(arguments.seed)])
