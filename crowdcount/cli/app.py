"""`crowdcount app`: the page in the browser for those who use no terminal, and the interface for programs."""

from __future__ import annotations

import argparse
import os
import sys

from crowdcount.cli.common import Command, add_model, begin, import_keras
from crowdcount.errors import needing

TOKEN = "CROWDCOUNT_TOKEN"


def add(command: Command) -> None:
    parser = command("app", _app, "open a page in the browser that counts the people in your photos")
    add_model(parser)
    add_server(parser)


def add_server(parser: argparse.ArgumentParser) -> None:
    """The options of a command that serves a page."""
    parser.add_argument(
        "--host",
        metavar="ADDRESS",
        default="127.0.0.1",
        help="where to listen; 0.0.0.0 lets phones in the same network in, with the token in the address that is "
        f"printed, or the one in the environment variable {TOKEN} (default: this machine alone)",
    )
    parser.add_argument(
        "--port", metavar="N", type=_port, help="port to listen at (default: the first free one from 8000 on)"
    )
    parser.add_argument("--no-browser", action="store_true", help="do not open the page in the browser")


def _app(arguments: argparse.Namespace) -> int:
    with_server()
    from crowdcount.network.locate import find_weights
    from crowdcount.web.serve import listen, run, token_for

    find_weights(arguments.model)  # a mistyped name is told now: Keras is imported for seconds
    listener = listen(arguments.host, arguments.port)
    token = token_for(arguments.host, os.environ.get(TOKEN))
    print("Loading the network ...", file=sys.stderr)
    import_keras()
    from crowdcount.web.app import make_app

    app = make_app(arguments.model, host=arguments.host, token=token)
    begin()
    run(app, listener, token=token, browser=not arguments.no_browser, say=say)
    return 0


def with_server() -> None:
    """Find out whether what carries the server is installed.

    Raises:
        MissingPackageError: if it is not.
    """
    with needing("The page needs Starlette and uvicorn", '".[app]"'):
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401


def say(line: str) -> None:
    print(line, flush=True)


def _port(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 65535, received {text}")
    return number
