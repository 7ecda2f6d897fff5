"""What the commands of the command line share."""

from __future__ import annotations

import argparse
import math
import os
import signal
import stat
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, TypeVar

from crowdcount.data.dividing import OLDER_SPLITS, SPLITS
from crowdcount.errors import AnnotationWarning, CrowdCountError
from crowdcount.files import is_stream, shown, target_of, writing

if TYPE_CHECKING:
    from crowdcount.area.ground import Ground
    from crowdcount.area.zones import Zone

FAILED = 1

# What Keras imports where it is installed, for functions that no command calls: two fifths of the time that the import
# of TensorFlow and Keras takes.
_EXTRAS = ("sklearn", "pandas", "matplotlib", "IPython")

# Adds a parser for a command of this name, run by this function, with this description.
Command = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]

_ROOT_HELP = (
    "folder of the data, which holds all the data sets, or the file of csv and json "
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


def add_scale(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scale",
        metavar="FACTOR",
        type=_scale,
        help="count at so many times the size, 1/16 to 16: 1 as it is (default: at the size at which the network knows "
        "the heads)",
    )


def add_zones(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--zones", metavar="FILE", help="count by zone too: named polygons in JSON, in pixels or fractions"
    )


def add_ground(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ground",
        metavar="FILE",
        help="people per square meter, too: in the zones or, without --zones, between the points of this file; four "
        "or more [x, y, X, Y] in JSON, X and Y in meters on the ground",
    )


def add_seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", metavar="N", type=seed, default=0, help="seed of the random numbers (default: 0)")


def add_dataset(parser: argparse.ArgumentParser, nargs: str | None = None) -> None:
    parser.add_argument(
        "dataset",
        metavar="DATASET",
        nargs=nargs,
        help="name of a data set, as shanghaitech_a, csv or json (docs/datasets.md lists them), or several joined by +",
    )
    parser.add_argument("--root", metavar="FOLDER", help=_ROOT_HELP)


def add_split(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    shown = default or "test, or what data of one's own has in its place"
    parser.add_argument("--split", choices=(*SPLITS, *OLDER_SPLITS), default=default, help=f"(default: {shown})")


def positive_int(text: str) -> int:
    return _checked(text, int, lambda value: value >= 1, "a whole number, 1 or more")


def seed(text: str) -> int:
    return _checked(text, int, lambda value: 0 <= value < 2**32, f"a whole number between 0 and {2**32 - 1}")


def positive(text: str) -> float:
    return _checked(text, _number, lambda value: value > 0, "a number above 0")


def width(text: str) -> float:
    return _checked(text, _number, lambda value: 1 / 64 <= value <= 4, "a number between 1/64 and 4")


def not_negative(text: str) -> float:
    return _checked(text, _number, lambda value: value >= 0, "a number, 0 or more")


def thing(text: str) -> str:
    from crowdcount.network.cards import is_thing

    if not is_thing(text):
        raise argparse.ArgumentTypeError("must be a word, received nothing")
    return text


def _share(text: str) -> float:
    return _checked(text, _number, lambda value: 0 < value < 1, "a number between 0 and 1, as 0.9")


def _scale(text: str) -> float:
    return _checked(text, _number, lambda value: 1 / 16 <= value <= 16, "a number between 1/16 and 16")


def _number(text: str) -> float:
    from fractions import Fraction

    return float(Fraction(text))  # "1/16" is how people write a width


_Number = TypeVar("_Number", int, float)


def _checked(text: str, convert: Callable[[str], _Number], allowed: Callable[[_Number], bool], wanted: str) -> _Number:
    with suppress(ValueError, ZeroDivisionError, OverflowError):
        value = convert(text)
        if allowed(value):
            return value
    raise argparse.ArgumentTypeError(f"must be {wanted}, received {text}")


# --- Work ---------------------------------------------------------------------------------------------------


def finite(value):
    """NaN and infinity as null: JSON has no word for them."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def coverage_of(arguments: argparse.Namespace) -> float:
    """The coverage that is asked for, or the usual one; warns where it is asked for of weights without ranges."""
    from crowdcount.counting.ranges import COVERAGE, calibration_of, why_no_range

    if arguments.coverage is None:
        return COVERAGE
    reason = why_no_range(arguments.model, arguments.coverage)
    if reason and calibration_of(arguments.model) is None:  # of a calibration too small for it each count says so
        warn(reason)
    return arguments.coverage


def zones_and_ground(arguments: argparse.Namespace) -> tuple[list[Zone], Ground | None]:
    """What `--zones` and `--ground` name; of a ground alone the zone between its points.

    Raises:
        DataError: if one of the files cannot be read or used.
    """
    from crowdcount.area.ground import read_ground
    from crowdcount.area.zone_files import read_zones

    ground = read_ground(arguments.ground) if arguments.ground else None
    if arguments.zones:
        return read_zones(arguments.zones), ground
    return ([] if ground is None else [ground.measured()]), ground


def settle_split(arguments: argparse.Namespace, *, learned: bool) -> None:
    """Choose the split where none is named, see `split_there`, and tell which where that is no test split."""
    from crowdcount.data.annotations import split_there

    if arguments.split is None:
        arguments.split = split_there(arguments.dataset, arguments.root, learned=learned)
        if arguments.split != "test":
            print(
                f"crowdcount: no picture is marked as a test picture: the split is {arguments.split} "
                "(--split chooses another)",
                file=sys.stderr,
            )


# Options that write pictures.
_PICTURES = ("--plot", "--chart", "--annotated")
_VIDEOS = dict.fromkeys(
    (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".wmv", ".mpg", ".mpeg", ".ts", ".mts"), "video"
)


def check_outputs(
    outputs: Mapping[str, str | None], inputs: Iterable[str | None], folders: Mapping[str, str | None] | None = None
) -> None:
    """Find out before the work that one of its files would replace another.

    Args:
        outputs: option -> the file that it names, or None.
        inputs: what the work reads; of these only files that are there can be replaced.
        folders: option -> the folder that it names, or None.

    Raises:
        CrowdCountError: if a file that is written is read, or written by another option, too, if a table would
            replace a picture or annotations, or has the name of another kind of file; if a file would stand where
            another option needs a folder; for "-", which elsewhere stands for what is printed.
    """
    from crowdcount.counting.tables import check_table  # neither for --help: they need NumPy
    from crowdcount.data.images import PICTURE_SUFFIXES

    kinds = {**dict.fromkeys(PICTURE_SUFFIXES, "picture"), **_VIDEOS}
    used = {os.path.realpath(path) for path in inputs if path and os.path.isfile(path)}
    for option, path in outputs.items():
        if path == "-":
            raise CrowdCountError(
                f"{option} needs the name of a file. Received: -. Name it ./- if it is to be called so; on Linux and "
                "macOS, /dev/stdout is what is printed."
            )
        if not path or is_stream(path):  # a pipe or a device is not replaced
            continue
        if os.path.realpath(path) in used:
            raise CrowdCountError(
                f"{option} would replace {path}, which this run reads or writes too. Choose another file."
            )
        kind = kinds.get(Path(path).suffix.lower())
        if option not in _PICTURES and kind and os.path.isfile(path):
            # As `--csv *.jpg` means it, where a shell puts the first picture in its place.
            raise CrowdCountError(f"{option} would replace the {kind} {path}. Name a file of its own.")
        if option == "--csv":
            check_table(path, option)
        used.add(os.path.realpath(path))
    _check_folders(outputs, folders or {})


def _check_folders(outputs: Mapping[str, str | None], folders: Mapping[str, str | None]) -> None:
    """Refuse a file in the place of a folder that the work makes: the later of the two could not be written."""
    files = {
        os.path.realpath(path): option
        for option, path in outputs.items()
        if path and not is_stream(path) and not os.path.isdir(path)  # which is told by itself
    }
    needed = {path: option for option, path in folders.items() if path}
    needed |= {os.path.dirname(os.path.realpath(path)): option for path, option in files.items()}
    for path, option in needed.items():
        place = Path(os.path.realpath(path))
        for folder in (place, *place.parents):
            if str(folder) in files:
                raise CrowdCountError(
                    f"{option} needs the folder {folder}, where {files[str(folder)]} writes a file. Choose another "
                    "place for one of them."
                )


def check_writable(path: Path) -> None:
    """Find out before the work, not after it, that its result has no place to go."""
    with writing(path):
        if path.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        if is_stream(path):
            if not os.access(path, os.W_OK):
                raise PermissionError(None, "permission denied")
            return
        if _is_printed_to(path):
            raise OSError(None, "what this run prints goes to that file")
        _try_folder(target_of(path).parent)


def check_folder(path: Path) -> None:
    """The same for a folder that results are to go to."""
    with writing(path):
        _try_folder(path)


def _is_printed_to(path: Path) -> bool:
    """Whether the standard output or error goes to this file: replaced, it would lose what is printed."""
    for number in (1, 2):
        with suppress(OSError):
            there = os.fstat(number)
            if stat.S_ISREG(there.st_mode) and os.path.samestat(there, os.stat(path)):
                return True
    return False


def _try_folder(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(None, f"{path} is a file, not a folder")
    import tempfile

    new = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    finally:  # what is refused after this leaves nothing behind; what goes on makes its folder itself
        for folder in new:
            with suppress(OSError):
                folder.rmdir()


def import_keras() -> None:
    """Import Keras and TensorFlow without their warnings, unless the user has asked for warnings."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    with _left_out(_EXTRAS):
        import crowdcount.network.backend  # noqa: F401


@contextmanager
def _left_out(names: Iterable[str]) -> Iterator[None]:
    """Within, packages that are not imported yet count as not installed (None stands for that in `sys.modules`)."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


class Stopped(KeyboardInterrupt):
    """A signal has asked for the end, as a service that is stopped or a closed session does it."""

    def __init__(self, number: int):
        super().__init__()
        self.number = number


def begin() -> None:
    """All imports are done: from here on Ctrl-C is a KeyboardInterrupt, which cleans up (see `__main__`).

    So is SIGTERM, by which services and containers are stopped, and SIGHUP, which comes with the end of a session;
    where that is ignored, as under nohup, it stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _stop)


def _stop(number: int, _: object) -> None:
    raise Stopped(number)


def drop_output() -> None:
    """Let what is still to be written vanish; Python would try to write it at its end, and complain."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def number_of(count: int, thing: str) -> str:
    """`1 picture`, `2 pictures`."""
    return f"{count} {thing}{'s' * (count != 1)}"


def warn(message: str) -> None:
    """Tell in a line, whatever the names in it hold."""
    print(f"crowdcount: warning: {shown(message)}", file=sys.stderr)


@contextmanager
def telling(kind: type[Warning], tell: Callable[[str], None] = warn) -> Iterator[None]:
    """Within, warnings of this kind are lines as all others."""
    others = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, kind):
            tell(str(message))
        else:
            others(message, category, filename, lineno, file, line)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = others


@contextmanager
def telling_of_annotations() -> Iterator[None]:
    """Within, an `AnnotationWarning` is a line as all others, and told once."""
    told = set[str]()

    def once(message: str) -> None:
        if message not in told:
            told.add(message)
            warn(message)

    with telling(AnnotationWarning, once):
        yield


def fail(message: str) -> int:
    """As `warn`, of what ends the work or a part of it; the exit status that says so."""
    print(f"crowdcount: error: {shown(message)}", file=sys.stderr)
    return FAILED
