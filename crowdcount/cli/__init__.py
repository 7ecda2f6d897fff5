"""The command line: `crowdcount app | annotate | count | video | evaluate | train | export | density | describe |
check | convert | models | draw`.

Thin: each command calls what a Python user would call. Results go to standard output and nothing else does;
errors, warnings and progress go to standard error. What a person can get wrong ends in one line and status 1
(2 for the command's own grammar). NumPy, Matplotlib and TensorFlow are imported by the commands that need
them, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

from crowdcount import __version__
from crowdcount.cli import (
    annotate,
    app,
    check,
    convert,
    count,
    density,
    describe,
    draw,
    evaluate,
    export,
    models,
    train,
    video,
)
from crowdcount.cli.common import Stopped, drop_output, fail, telling_of_annotations
from crowdcount.errors import CrowdCountError
from crowdcount.files import reason

# In the order of the help. Each holds `add`, which makes its parser.
_COMMANDS = (app, annotate, count, video, evaluate, train, export, density, describe, check, convert, models, draw)

_SIGNALLED = 128  # and the number of the signal, as shells report it
_PIPE_CLOSED = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: the arguments after the program's name; those of the process where None.

    Returns:
        Exit status: 0; 1 for bad input or faults found; 130 if interrupted, 143 if asked to end; 141 if nobody reads
        the output.

    Raises:
        SystemExit: with status 2 for arguments that don't parse, with 0 after `--help` and `--version`.
    """
    try:
        try:
            arguments = _parser().parse_args(argv)
            _refuse_empty(arguments)
            with suppress(AttributeError):  # a stand-in for the standard output need not have it
                # File names may hold what a terminal cannot show.
                sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # of text files
            with telling_of_annotations():
                return arguments.run(arguments)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # here, where a failure can still be told
    except BrokenPipeError:
        drop_output()
        return _PIPE_CLOSED
    except KeyboardInterrupt as stop:
        with suppress(OSError):  # the terminal may be gone
            print("crowdcount: interrupted", file=sys.stderr)
        return _SIGNALLED + (stop.number if isinstance(stop, Stopped) else signal.SIGINT)
    except CrowdCountError as error:
        return fail(str(error))
    except MemoryError:
        return fail("there is not enough memory. Use smaller pictures, or train with a smaller --width.")
    except OSError as error:
        try:
            sys.stdout.flush()
        except OSError:  # a full disk behind the standard output; Python would complain again at its end
            drop_output()
        place = f"{error.filename}: " if error.filename else ""
        return fail(f"{place}{reason(error)}")


def _refuse_empty(arguments: argparse.Namespace) -> None:
    """End with a usage error where an option is empty, as by a variable of the shell that is not set: it would be taken
    for left out."""
    for name, value in vars(arguments).items():
        if value == "":
            arguments.parser.error(f"{name.replace('_', '-')} is empty: name a value, or leave it out")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="crowdcount",
        description="Count the people in crowd photos with CSRNet, and train it on data of your own.",
    )
    parser.add_argument("--version", action="version", version=f"crowdcount {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run, description: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=description, description=f"{description[0].upper()}{description[1:]}.")
        added.set_defaults(run=run, parser=added)
        return added

    for module in _COMMANDS:
        module.add(command)
    return parser
