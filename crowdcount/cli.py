"""The command line: `crowdcount count | evaluate | train | density | check | models | draw`.

Thin: each command calls what a Python user would call. Results go to standard output and nothing else does;
errors, warnings and progress go to standard error. What a person can get wrong ends in one line and status 1
(2 for the command's own grammar). NumPy, Matplotlib and TensorFlow are imported by the commands that need
them, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from fractions import Fraction
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from crowdcount import __version__
from crowdcount.errors import CrowdCountError

if TYPE_CHECKING:
    from crowdcount.counting import CountFailure, CountResult
    from crowdcount.zones import Ground, Zone

_FAILED = 1
_INTERRUPTED = 130  # 128 + the number of the signal, as shells report it
_PIPE_CLOSED = 141

_DATASETS = "shanghaitech_a, shanghaitech_b, csv or json"
_ROOT_HELP = (
    "folder of the data: the one that holds part_A and part_B, or the one (or the file) of csv and json "
    "(default: the environment variable CROWDCOUNT_DATA, or else the package's folder datasets)"
)
_COLUMNS = ("picture", "count", "width", "height", "model", "seconds", "warnings", "error")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: the arguments after the program's name; those of the process where None.

    Returns:
        Exit status: 0; 1 for bad input or faults found; 130 if interrupted; 141 if nobody reads the output.

    Raises:
        SystemExit: with status 2 for arguments that don't parse, with 0 after `--help` and `--version`.
    """
    try:
        try:
            arguments = _parser().parse_args(argv)
            with suppress(AttributeError):  # a stand-in for the standard output need not have it
                # File names may hold what a terminal cannot show.
                sys.stdout.reconfigure(errors="backslashreplace")
            return arguments.run(arguments)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # here, where a failure can still be told
    except BrokenPipeError:
        _drop_output()
        return _PIPE_CLOSED
    except KeyboardInterrupt:
        print("crowdcount: interrupted", file=sys.stderr)
        return _INTERRUPTED
    except CrowdCountError as error:
        return _fail(str(error))
    except MemoryError:
        return _fail("there is not enough memory. Use smaller pictures, or smaller batches for training.")
    except OSError as error:
        try:
            sys.stdout.flush()
        except OSError:  # a full disk behind the standard output; Python would complain again at its end
            _drop_output()
        place = f"{error.filename}: " if error.filename else ""
        return _fail(f"{place}{error.strerror or error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="crowdcount",
        description="Count the people in crowd photos with CSRNet, and train it on data of your own.",
    )
    parser.add_argument("--version", action="version", version=f"crowdcount {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run, description: str) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name, help=description, description=f"{description[0].upper()}{description[1:]}."
        )
        added.set_defaults(run=run, parser=added)
        return added

    count = command("count", _count, "count the people in pictures")
    count.add_argument(
        "pictures", nargs="*", metavar="PICTURE_OR_FOLDER", help="picture, or folder of pictures"
    )
    count.add_argument(
        "--demo", action="store_true", help="count the drawn picture that comes with crowdcount"
    )
    _add_model(count)
    count.add_argument("--json", action="store_true", help="print one JSON object a line for each picture")
    count.add_argument("--csv", metavar="FILE", help="write a line a picture to this file")
    count.add_argument(
        "--overlay", metavar="DIR", help="save each picture with its density map over it to this folder"
    )
    count.add_argument(
        "--zones", metavar="FILE", help="count by zone too: named polygons in JSON, in pixels or fractions"
    )
    count.add_argument(
        "--ground",
        metavar="FILE",
        help="with --zones, give people per square meter too: four or more points [x, y, X, Y] in JSON, "
        "X and Y in meters on the ground",
    )

    evaluate = command("evaluate", _evaluate, "score a network on annotated pictures")
    _add_dataset(evaluate)
    _add_split(evaluate)
    _add_model(evaluate)
    evaluate.add_argument("--maps", action="store_true", help="compare the density maps too: PSNR and SSIM")
    evaluate.add_argument("--json", action="store_true", help="print one JSON object")
    evaluate.add_argument("--csv", metavar="FILE", help="write a line a picture to this file")

    train = command("train", _train, "train a network on annotated pictures")
    _add_dataset(train)
    train.add_argument(
        "--recipe", metavar="NAME", default="default", help="default or paper (default: default)"
    )
    train.add_argument(
        "--out", metavar="FOLDER", required=True, help="folder for weights, logs and checkpoints"
    )
    train.add_argument(
        "--resume", action="store_true", help="go on from the checkpoint in the folder of --out"
    )
    train.add_argument(
        "--epochs", metavar="N", type=_positive_int, help="number of epochs (default: the recipe's)"
    )
    train.add_argument(
        "--width", metavar="W", type=_positive, default=1.0, help="share of the filters (default: 1)"
    )
    train.add_argument(
        "--init",
        metavar="imagenet|NAME|none",
        default="imagenet",
        help="start from VGG-16's ImageNet weights, from a model or file, or from random (default: imagenet)",
    )
    train.add_argument("--imagenet-file", metavar="FILE", help="VGG-16's weights, where there is no network")
    train.add_argument(
        "--maps", metavar="FOLDER", help="read the targets that crowdcount density wrote to this folder"
    )
    train.add_argument(
        "--seed", metavar="N", type=_seed, default=0, help="seed of the random numbers (default: 0)"
    )

    density = command(
        "density", _density, "write the density maps of annotated pictures, one HDF5 file a picture"
    )
    _add_dataset(density)
    _add_split(density)
    density.add_argument("--out", metavar="FOLDER", required=True, help="folder for the files PICTURE.h5")
    density.add_argument(
        "--sigma",
        metavar="PIXELS|adaptive",
        type=_sigma,
        help="standard deviation of the kernels (default: the paper's, adaptive for shanghaitech_a, else 15)",
    )
    density.add_argument(
        "--stride",
        type=int,
        choices=(1, 8),
        default=1,
        help="pixels a side of one cell of the map (default: 1)",
    )

    check = command("check", _check, "name every fault in a folder of annotated pictures")
    check.add_argument("folder", metavar="FOLDER", help="folder with pictures and their annotations")

    models = command(
        "models", _models, "list the networks that come with crowdcount, with their measured errors"
    )
    models.add_argument("--json", action="store_true", help="print the model cards, one JSON object a line")

    draw = command("draw", _draw, "draw crowds with known head positions")
    draw.add_argument("--out", metavar="FOLDER", required=True, help="folder for images/*.jpg and points.csv")
    draw.add_argument(
        "--pictures", metavar="K", type=_positive_int, default=10, help="number of pictures (default: 10)"
    )
    draw.add_argument(
        "--people",
        metavar="LOW-HIGH",
        type=_range,
        default=(20, 500),
        help="people a picture (default: 20-500)",
    )
    draw.add_argument(
        "--size",
        metavar="WIDTHxHEIGHT",
        type=_size,
        default=(1024, 768),
        help="size in pixels (default: 1024x768)",
    )
    draw.add_argument(
        "--seed", metavar="S", type=_seed, default=0, help="seed of the random numbers (default: 0)"
    )
    return parser


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        metavar="NAME_OR_FILE",
        default="general",
        help="network by name (crowdcount models lists them) or file (default: general)",
    )


def _add_dataset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help=f"{_DATASETS}, or several joined by +")
    parser.add_argument("--root", metavar="FOLDER", help=_ROOT_HELP)


def _add_split(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--split", choices=("train", "val", "test", "all"), default="test", help="(default: test)"
    )


def _positive_int(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, received {text}")
    return value


def _seed(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(f"must lie between 0 and {2**32 - 1}, received {text}")
    return value


def _positive(text: str) -> float:
    try:
        value = float(Fraction(text))  # "1/16" is how people write a width
    except (ValueError, ZeroDivisionError, OverflowError):
        value = math.nan
    if not value > 0:
        raise argparse.ArgumentTypeError(f"must be a number above 0, received {text}")
    return value


def _sigma(text: str) -> float | str:
    return text if text == "adaptive" else _positive(text)


def _range(text: str) -> tuple[int, int]:
    low, dash, high = text.partition("-")
    if not (low.isdecimal() and (high.isdecimal() or not dash)) or dash and int(low) > int(high):
        raise argparse.ArgumentTypeError(f"must be LOW-HIGH, as 20-500, received {text}")
    return int(low), int(high or low)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"must be WIDTHxHEIGHT, as 1024x768, received {text}")
    return int(width), int(height)


# --- The commands -------------------------------------------------------------------------------------------


def _count(arguments: argparse.Namespace) -> int:
    from crowdcount.counting import CountFailure, count_many
    from crowdcount.files import data_folder
    from crowdcount.zones import read_ground, read_zones

    pictures = list(arguments.pictures)
    if arguments.demo:
        pictures.append(str(data_folder("datasets") / "sample.jpg"))
    if not pictures:
        arguments.parser.error("name a picture or a folder, or use --demo")
    if arguments.ground and not arguments.zones:
        arguments.parser.error("--ground needs --zones")
    zones = read_zones(arguments.zones) if arguments.zones else []
    ground = read_ground(arguments.ground) if arguments.ground else None
    if arguments.csv:
        _check_writable(Path(arguments.csv))
    if arguments.overlay:
        _check_writable(Path(arguments.overlay) / "overlay.png")

    from tqdm import tqdm

    _import_keras()
    _begin()
    rows, overlays = [], set()
    # On a terminal the results are the progress.
    hidden = sys.stdout.isatty() or not sys.stderr.isatty()
    for result in tqdm(
        count_many(pictures, arguments.model), unit=" pictures", file=sys.stderr, disable=hidden
    ):
        row = _count_row(result)
        rows.append(row)
        failed = isinstance(result, CountFailure)
        if zones and not failed:
            _add_zones(row, result, zones, ground)
        if arguments.json:
            print(json.dumps({key: value for key, value in row.items() if value is not None}), flush=True)
        elif not failed:
            print("\n".join([f"{result.picture}\t{result.count:.1f}", *_zone_lines(row)]), flush=True)
        if failed:
            _fail(f"{result.picture}: {result.error}" if result.picture not in result.error else result.error)
            continue
        for warning in result.warnings:
            _warn(f"{result.picture}: {warning}")
        if arguments.overlay:
            _save_overlay(result, Path(arguments.overlay), overlays, zones if "zones" in row else None)
    if arguments.csv:
        with _writing(arguments.csv):
            _save_counts(rows, arguments.csv)
    return _FAILED if any(row["error"] is not None for row in rows) else 0


def _count_row(result: CountResult | CountFailure) -> dict:
    """What a picture gives in JSON and CSV; None for what it has not got."""
    found = {key: getattr(result, key, None) for key in _COLUMNS}
    for key in ("count", "seconds"):
        if found[key] is not None:
            found[key] = round(found[key], 3)
    return found


def _add_zones(row: dict, result: CountResult, zones: list[Zone], ground: Ground | None) -> None:
    """Add what the zones hold to a picture's row; where they don't fit the picture, the reason."""
    from crowdcount import zones as by_zone

    size = (result.height, result.width)
    try:
        counts = by_zone.count_zones(result.density, zones, size)
        # Digits enough to add up to the count.
        row["zones"] = {name: round(people, 6) for name, people in counts.items()}
        if ground is not None:
            per_m2 = by_zone.people_per_square_meter(counts, zones, ground, size)
            row["per_m2"] = {name: round(people, 6) for name, people in per_m2.items()}
            row["level_of_service"] = {
                name: {use: by_zone.level_of_service(people, use) for use in by_zone.SERVICE_LEVELS}
                for name, people in per_m2.items()
            }
    except CrowdCountError as error:
        row["error"] = str(error)
        _fail(f"{result.picture}: {error}")


def _zone_lines(row: dict) -> Iterator[str]:
    for name, people in row.get("zones", {}).items():
        line = f"{row['picture']}\t{name}\t{people:.1f}"
        if "per_m2" in row:
            levels = ", ".join(f"{use} {level}" for use, level in row["level_of_service"][name].items())
            line += f"\t{row['per_m2'][name]:.2f} per m2\t{levels}"
        yield line


def _save_overlay(result: CountResult, folder: Path, taken: set[str], zones: list[Zone] | None) -> None:
    # Pictures of different folders and formats may share a name; no overlay may replace another or a picture.
    stem = f"{Path(result.picture).stem}_overlay"
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}_{number}"
    taken.add(name)
    path = folder / f"{name}.png"
    with _writing(path):
        result.save_overlay(path, zones)
    print(f"crowdcount: overlay saved as {path}", file=sys.stderr)


def _save_counts(rows: list[dict], path: str) -> None:
    import csv

    from crowdcount.files import atomic_path

    with atomic_path(path) as temporary:
        with open(temporary, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            lines = [_flat(row) for row in rows]
            # A picture that failed has no zones; the others name their columns.
            writer = csv.DictWriter(file, list(dict.fromkeys(column for line in lines for column in line)))
            writer.writeheader()
            writer.writerows(lines)


def _flat(row: dict) -> dict:
    """A picture's row as a line of CSV: a column for each zone, and one for its people per square meter."""
    cells = {key: row[key] for key in _COLUMNS} | {"warnings": " ".join(row["warnings"] or ())}
    for key, title in (("zones", "zone"), ("per_m2", "per m2")):
        cells |= {f"{title} {name}": value for name, value in row.get(key, {}).items()}
    return cells


def _evaluate(arguments: argparse.Namespace) -> int:
    from crowdcount.annotations import load_dataset
    from crowdcount.evaluation import evaluate

    if arguments.csv:
        _check_writable(Path(arguments.csv))
    samples = load_dataset(arguments.dataset, arguments.root, arguments.split)
    _import_keras()
    _begin()
    result = evaluate(arguments.model, samples, maps=arguments.maps)
    if arguments.csv:
        with _writing(arguments.csv):
            result.save_csv(arguments.csv)
    scores = {
        "mae": result.mae,
        "rmse": result.rmse,
        "nae": result.nae,
        "bias": result.bias,
        "game": result.game,
    }
    if arguments.maps:
        scores |= {"psnr": result.psnr, "ssim": result.ssim}
    if arguments.json:
        head = {"dataset": arguments.dataset, "split": arguments.split, "model": arguments.model}
        print(
            json.dumps(
                _finite({**head, "pictures": result.pictures, **scores, "seconds": round(result.seconds, 3)})
            )
        )
        return 0
    print(f"{arguments.dataset}, {arguments.split}: {result.pictures} pictures, model {arguments.model}")
    print(f"MAE   {result.mae:9.2f}  heads")
    print(f"RMSE  {result.rmse:9.2f}  heads")
    print(f"NAE   {result.nae:9.4f}")
    print(f"bias  {result.bias:+9.2f}  heads (predicted minus true)")
    print(f"GAME  {'  '.join(f'{value:.2f}' for value in result.game)}  (levels 0 to 3)")
    if arguments.maps and result.psnr is not None:
        print(f"PSNR  {result.psnr:9.2f}  dB")
        print(f"SSIM  {result.ssim:9.4f}")
    return 0


def _train(arguments: argparse.Namespace) -> int:
    from crowdcount.annotations import load_dataset

    samples = load_dataset(arguments.dataset, arguments.root, "train")
    validation = load_dataset(arguments.dataset, arguments.root, "val")
    _import_keras()
    from crowdcount.training import train

    _begin()
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
            command=f"crowdcount train {arguments.dataset} --recipe {arguments.recipe}"
            + (f" --epochs {arguments.epochs}" if arguments.epochs else "")
            + f" --width {arguments.width:g} --seed {arguments.seed}",
        )
    return 0


def _density(arguments: argparse.Namespace) -> int:
    from crowdcount.annotations import load_dataset
    from crowdcount.density import density_map, save_density_map
    from crowdcount.errors import DataError
    from crowdcount.evaluation import paper_sigma
    from crowdcount.images import picture_size

    _begin()
    samples = load_dataset(arguments.dataset, arguments.root, arguments.split)
    for sample in samples:
        name = PurePath(sample.name)
        if name.is_absolute() or ".." in name.parts:
            raise DataError(
                f"The picture {sample.name!r} lies outside the data set's folder. Move it there: its map is "
                f"to lie at the same place in {arguments.out}."
            )
    for sample in samples:
        path = Path(arguments.out, f"{sample.name}.h5")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            density = density_map(
                sample.points,
                picture_size(sample.picture),
                sigma=paper_sigma(sample) if arguments.sigma is None else arguments.sigma,
                stride=arguments.stride,
            )
        for warning in caught:
            _warn(f"{sample.name}: {warning.message}")
        with _writing(path):
            save_density_map(path, density)
        print(f"{path}\t{density.sum(dtype=float):.3f}", flush=True)
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from crowdcount.checking import check_folder

    _begin()
    faults = check_folder(arguments.folder)
    for fault in faults:
        print(fault)
    if faults:
        return _fail(f"{len(faults)} {'fault' if len(faults) == 1 else 'faults'} in {arguments.folder}")
    print(f"{arguments.folder}: no faults")
    return 0


def _models(arguments: argparse.Namespace) -> int:
    from crowdcount.model_files import list_models

    _begin()
    for card in list_models():
        if arguments.json:
            print(json.dumps(_finite(card)))
            continue
        print(f"{card.get('name')}: trained on {card.get('dataset')}, recipe {card.get('recipe')}")
        for dataset, measured in (card.get("metrics") or {}).items():
            print(f"    {dataset}: " + ", ".join(_measure(key, value) for key, value in measured.items()))
    return 0


def _measure(key: str, value: object) -> str:
    name = key.upper() if key in ("mae", "rmse", "nae", "psnr", "ssim", "game") else key
    if isinstance(value, list):
        return f"{name} {' / '.join(format(item, '.2f') for item in value)}"
    return f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"


def _draw(arguments: argparse.Namespace) -> int:
    from crowdcount.synthetic import write_dataset

    _begin()
    width, height = arguments.size
    with _writing(arguments.out):
        write_dataset(arguments.out, arguments.pictures, arguments.people, (height, width), arguments.seed)
    print(arguments.out)
    return 0


# --- What the commands share --------------------------------------------------------------------------------


def _finite(value):
    """NaN and infinity as null: JSON has no word for them."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _check_writable(path: Path) -> None:
    """Find out before the work, not after it, that its result has no place to go."""
    with _writing(path):
        if path.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass


@contextmanager
def _writing(path: str | os.PathLike) -> Iterator[None]:
    """Say of a failed write what was to be written, where the system names a temporary file."""
    try:
        yield
    except OSError as error:
        raise CrowdCountError(
            f"cannot write {path}: {error.strerror or error}. Choose another place."
        ) from error


def _import_keras() -> None:
    """Import Keras and TensorFlow; quietly, unless the user has set TensorFlow's own variable for its log."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    for name in ("absl", "tensorflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # What TensorFlow says of CUDA before its log is set up heeds no level: it is shown if the import fails.
    with tempfile.TemporaryFile() as notes:
        standard_error = os.dup(2)
        os.dup2(notes.fileno(), 2)
        try:
            import keras

            if keras.backend.backend() == "tensorflow":
                import tensorflow as tf

                tf.config.list_physical_devices()  # the other moment when it speaks
        except BaseException:
            notes.seek(0)
            os.write(standard_error, notes.read())
            raise
        finally:
            os.dup2(standard_error, 2)
            os.close(standard_error)


def _begin() -> None:
    """All imports are done: from here on Ctrl-C is a KeyboardInterrupt, which cleans up (see `__main__`)."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _drop_output() -> None:
    """Let what is still to be written vanish; Python would try to write it at its end, and complain."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _warn(message: str) -> None:
    print(f"crowdcount: warning: {message}", file=sys.stderr)


def _fail(message: str) -> int:
    print(f"crowdcount: error: {message}", file=sys.stderr)
    return _FAILED
