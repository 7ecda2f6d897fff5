"""`crowdcount annotate`: dots on heads by hand, on a page in the browser."""

from __future__ import annotations

import argparse
import os

from crowdcount.cli.app import TOKEN, add_server, say, with_server
from crowdcount.cli.common import Command, add_model, begin, import_keras, number_of


def add(command: Command) -> None:
    parser = command("annotate", _annotate, "place dots on heads by hand, on a page in the browser")
    parser.add_argument(
        "folder", metavar="FOLDER", help="folder of pictures; what is placed is saved in its file points.json as you go"
    )
    add_model(parser)
    add_server(parser)


def _annotate(arguments: argparse.Namespace) -> int:
    with_server()
    from crowdcount.annotating.desk import Desk
    from crowdcount.annotating.folder import Folder
    from crowdcount.annotating.page import make_page
    from crowdcount.network.locate import find_weights
    from crowdcount.web.serve import listen, run, token_for

    folder = Folder(arguments.folder)
    find_weights(arguments.model)  # a mistyped name is told now, not at the first picture
    listener = listen(arguments.host, arguments.port)
    token = token_for(arguments.host, os.environ.get(TOKEN))
    import_keras()
    app = make_page(Desk(folder, arguments.model), host=arguments.host, token=token)
    begin()
    say(f"{number_of(len(folder.names), 'picture')}; the dots go to {folder.file}")
    run(app, listener, token=token, browser=not arguments.no_browser, say=say)
    return 0
