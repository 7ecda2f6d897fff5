"""`crowdcount check`: the faults in a folder of annotated pictures."""

from __future__ import annotations

import argparse

from crowdcount.cli.common import Command, begin, fail, number_of
from crowdcount.files import shown


def add(command: Command) -> None:
    parser = command("check", _check, "name every fault in a folder of annotated pictures")
    parser.add_argument(
        "folder", metavar="FOLDER", help="folder with pictures and their annotations, or the annotation file in it"
    )
    parser.add_argument("--dataset", metavar="NAME", help="check only this data set in the folder, as jhu_crowd")


def _check(arguments: argparse.Namespace) -> int:
    from crowdcount.data.checking import check_folder

    begin()
    faults = check_folder(arguments.folder, arguments.dataset)
    for fault in faults:
        print(shown(str(fault)))
    if faults:
        return fail(f"{number_of(len(faults), 'fault')} in {arguments.folder}")
    print(f"{arguments.folder}: no faults")
    return 0
