"""`crowdcount train`: a network from annotated pictures."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from crowdcount.cli.common import (
    Command,
    add_dataset,
    begin,
    check_folder,
    import_keras,
    positive_int,
    seed,
    telling,
    thing,
    width,
)
from crowdcount.errors import TrainingError
from crowdcount.files import reason

# What shapes a run besides its pictures: the names of the options, and of what `train` takes.
_SETTINGS = ("recipe", "epochs", "design", "width", "init", "seed", "teacher")


def add(command: Command) -> None:
    parser = command("train", _train, "train a network on annotated pictures")
    add_dataset(parser, nargs="?")  # a run that is resumed knows its own
    parser.add_argument(
        "--recipe",
        metavar="NAME",
        help="default, or its phases alone: wide, and clear to go on from trained weights; finish, to go on where "
        "these err; few, for a few dozen pictures of cells and the like; light, for a small network that learns from "
        "--teacher; paper (default: default)",
    )
    parser.add_argument("--out", metavar="FOLDER", required=True, help="folder for weights, logs and checkpoints")
    parser.add_argument(
        "--resume", action="store_true", help="go on from the checkpoint in the folder of --out, with its own settings"
    )
    parser.add_argument("--epochs", metavar="N", type=positive_int, help="number of epochs (default: the recipe's)")
    parser.add_argument(
        "--design",
        choices="ABCD",
        help="the paper's back end by its dilation rates (default: that of --init's weights, or B)",
    )
    parser.add_argument(
        "--width",
        metavar="W",
        type=width,
        help="share of the filters (default: that of --init's weights, or 1; with --recipe light 1/4)",
    )
    parser.add_argument(
        "--init",
        metavar="imagenet|teacher|NAME|none",
        help="start from VGG-16's ImageNet weights, from a model or file, or from random (default: imagenet; for data "
        "of your own general, where ImageNet's weights cannot be had; with --teacher, weights that are fitted to its)",
    )
    parser.add_argument(
        "--teacher",
        metavar="NAME_OR_FILE",
        help="for --recipe light: the network whose maps are half of what is learned, as general",
    )
    parser.add_argument("--imagenet-file", metavar="FILE", help="VGG-16's weights, where there is no network")
    parser.add_argument(
        "--thing",
        metavar="WORD",
        type=thing,
        help="what the annotations mark, in the plural, as cells: counts speak of it (default: what the data set says, "
        "vehicles for trancos; for data of your own what the weights of --init count, or people)",
    )
    parser.add_argument("--seed", metavar="N", type=seed, help="seed of the random numbers (default: 0)")
    parser.add_argument(
        "--strategy",
        metavar="mirrored|multiworker",
        help="train on all GPUs of this machine, or on the machines that TF_CONFIG names (default: one device)",
    )


def _train(arguments: argparse.Namespace) -> int:
    from crowdcount.data.annotations import load_dataset
    from crowdcount.data.specs import marked_thing

    out = Path(arguments.out)
    check_folder(out)
    # TensorFlow leaves oneDNN off on older x86 processors, where the matrix products of crowdcount.network.winograd
    # take about half as long with it. It is read once, when TensorFlow is loaded.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    dataset, root = _pictures(arguments)
    samples = load_dataset(dataset, root, "train")
    validation = load_dataset(dataset, root, "val")
    import_keras()
    from crowdcount.training.run import train
    from crowdcount.training.state import NAME

    begin()
    settings = {name: getattr(arguments, name) for name in _SETTINGS}
    try:
        with redirect_stdout(sys.stderr), _told_of_heads_outside():  # Keras's progress bar
            result = train(
                samples,
                validation,
                out=arguments.out,
                resume=arguments.resume,
                imagenet_file=arguments.imagenet_file,
                dataset=dataset,
                root=root,
                command=_command_line(arguments),
                thing=arguments.thing or (None if arguments.resume else marked_thing(dataset)),
                strategy=arguments.strategy,
                **settings,
            )
    except OSError as error:
        kept = " What earlier epochs kept is there: --resume goes on with it." if (out / NAME).exists() else ""
        raise TrainingError(f"The training in {out} ended: {reason(error)}.{kept}") from error
    if not result.trained:
        print(f"crowdcount: the run in {out} was complete already, nothing was left to do", file=sys.stderr)
    return 0


@contextmanager
def _told_of_heads_outside() -> Iterator[None]:
    """Within, a picture with heads outside of it is told; `import_keras` has turned all warnings off."""
    from crowdcount.data.density import DensityWarning

    with warnings.catch_warnings():
        warnings.simplefilter("always", DensityWarning)
        with telling(DensityWarning):
            yield


def _pictures(arguments: argparse.Namespace) -> tuple[str, str | None]:
    """Name and folder of the data set: as given, or as the run that is resumed has them."""
    if not arguments.resume:
        if arguments.dataset is None:
            raise TrainingError("There is nothing to train on. Name a data set: crowdcount train csv --root FOLDER.")
        return arguments.dataset, arguments.root
    import_keras()
    from crowdcount.training.state import read_state

    state = read_state(arguments.out)
    dataset = arguments.dataset or state.get("dataset")
    if dataset is None:
        raise TrainingError(
            f"The run in {arguments.out} does not say which pictures it was started with: name the data set and --root."
        )
    return dataset, arguments.root or state.get("root")


def _command_line(arguments: argparse.Namespace) -> str:
    """What the card keeps of the command: all that shapes the result, no folders of this machine."""
    words = ["crowdcount train", arguments.dataset or ""]
    for name in _SETTINGS:
        value = getattr(arguments, name)
        if value is not None:
            value = Path(value).name if name in ("init", "teacher") else f"{value:g}" if name == "width" else value
            words += [f"--{name}", str(value)]
    return " ".join(words)
