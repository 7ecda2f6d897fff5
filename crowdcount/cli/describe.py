"""`crowdcount describe`: what a data set is like."""

from __future__ import annotations

import argparse
from pathlib import Path

from crowdcount.cli.common import Command, add_dataset, add_split, begin, check_outputs, check_writable, finite, writing


def add(command: Command) -> None:
    parser = command("describe", _describe, "describe a data set: pictures, heads, sizes, spacing, what stands out")
    add_dataset(parser)
    add_split(parser, "all")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--plot", metavar="FILE", help="draw a page of plots to this file (.png, .pdf or .svg)")


def _describe(arguments: argparse.Namespace) -> int:
    from crowdcount.data.annotations import dataset_files, load_dataset
    from crowdcount.errors import CrowdCountError
    from crowdcount.files import atomic_path
    from crowdcount.measuring.description import describe

    if arguments.plot:
        if Path(arguments.plot).suffix.lower() not in (".png", ".pdf", ".svg"):
            raise CrowdCountError(f"The name of the plot should end in .png, .pdf or .svg. Received: {arguments.plot}")
        check_writable(Path(arguments.plot))
    begin()
    samples = load_dataset(arguments.dataset, arguments.root, arguments.split)
    if arguments.plot:
        check_outputs({"--plot": arguments.plot}, dataset_files(arguments.dataset, arguments.root))
    description = describe(samples, title=f"{arguments.dataset}, {arguments.split}")
    if arguments.json:
        import json

        print(json.dumps(finite(description.as_dict())))
    else:
        print(description)
    if arguments.plot:
        with writing(arguments.plot), atomic_path(arguments.plot) as temporary:
            description.figure().savefig(temporary, dpi=120)
    return 0
