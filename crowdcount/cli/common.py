"""What the commands of the command line share."""

from __future__ import annotations

import argparse
import logging
import math
import os
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path

from crowdcount.errors import CrowdCountError

FAILED = 1

# Adds a parser for a command of this name, run by this function, with this description.
Command = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]

_DATASETS = "shanghaitech_a, shanghaitech_b, csv or json"
_ROOT_HELP = (
    "folder of the data: the one that holds part_A and part_B, or the one (or the file) of csv and json "
    "(default: the environment variable CROWDCOUNT_DATA, or else the package's folder datasets)"
)


# --- Arguments ----------------------------------------------------------------------------------------------


def add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        metavar="NAME_OR_FILE",
        default="general",
        help="network by name (crowdcount models lists them) or file (default: general)",
    )


def add_coverage(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--coverage",
        metavar="P",
        type=_share,
        help="share of the ranges, low to high, that are to hold the truth (default: 0.9)",
    )


def add_dataset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help=f"{_DATASETS}, or several joined by +")
    parser.add_argument("--root", metavar="FOLDER", help=_ROOT_HELP)


def add_split(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--split", choices=("train", "val", "test", "all"), default="test", help="(default: test)"
    )


def positive_int(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, received {text}")
    return value


def seed(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(f"must lie between 0 and {2**32 - 1}, received {text}")
    return value


def positive(text: str) -> float:
    try:
        value = float(Fraction(text))  # "1/16" is how people write a width
    except (ValueError, ZeroDivisionError, OverflowError):
        value = math.nan
    if not value > 0:
        raise argparse.ArgumentTypeError(f"must be a number above 0, received {text}")
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"must lie between 0 and 1, as 0.9, received {text}")
    return value


# --- Work ---------------------------------------------------------------------------------------------------


def finite(value):
    """NaN and infinity as null: JSON has no word for them."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def check_writable(path: Path) -> None:
    """Find out before the work, not after it, that its result has no place to go."""
    with writing(path):
        if path.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass


@contextmanager
def writing(path: str | os.PathLike) -> Iterator[None]:
    """Say of a failed write what was to be written, where the system names a temporary file."""
    try:
        yield
    except OSError as error:
        raise CrowdCountError(
            f"cannot write {path}: {error.strerror or error}. Choose another place."
        ) from error


def import_keras() -> None:
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


def begin() -> None:
    """All imports are done: from here on Ctrl-C is a KeyboardInterrupt, which cleans up (see `__main__`)."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


def drop_output() -> None:
    """Let what is still to be written vanish; Python would try to write it at its end, and complain."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def warn(message: str) -> None:
    print(f"crowdcount: warning: {message}", file=sys.stderr)


def fail(message: str) -> int:
    print(f"crowdcount: error: {message}", file=sys.stderr)
    return FAILED
