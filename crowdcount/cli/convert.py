"""`crowdcount convert`: annotations of any kind as CSV, JSON, COCO or in ShanghaiTech's layout."""

from __future__ import annotations

import argparse
from pathlib import Path

from crowdcount.cli.common import Command, begin, check_outputs, check_writable, number_of, warn, writing

_KINDS = ("csv", "json", "coco", "shanghaitech")
_UNITS = ("pixels", "fraction", "percent")


def add(command: Command) -> None:
    parser = command(
        "convert", _convert, "write the annotations of a tool or a data set as CSV, JSON, COCO or ShanghaiTech's"
    )
    parser.add_argument("source", metavar="SOURCE", help="annotation file, or the folder that a tool exported")
    parser.add_argument("out", metavar="OUT", help="file to write; for shanghaitech a new folder")
    parser.add_argument("--to", choices=_KINDS, required=True, help="layout to write")
    parser.add_argument("--unit", choices=_UNITS, help="of the coordinates, where a CSV or JSON file does not show it")
    parser.add_argument(
        "--label", metavar="NAME", help="the label that is counted: a name, several with commas, or * for all"
    )
    parser.add_argument(
        "--columns",
        metavar="NAMES",
        help="what the columns of a CSV file hold, as picture,x,y; - for one that is not read",
    )
    parser.add_argument(
        "--images", metavar="FOLDER", help="folder of the pictures, where they do not lie beside SOURCE"
    )
    parser.add_argument("--dataset", metavar="NAME", help="SOURCE holds this data set, as jhu_crowd")


def _convert(arguments: argparse.Namespace) -> int:
    from crowdcount.counting.head_files import check_ending, keep_dots
    from crowdcount.data.annotations import data_root
    from crowdcount.data.datasets import named
    from crowdcount.data.exports import detect
    from crowdcount.data.exports.entries import Options
    from crowdcount.data.exports.writing import changed_sides, convert
    from crowdcount.data.records import raise_fault

    begin()
    unused = [name for name in ("unit", "label", "columns", "images") if getattr(arguments, name)]
    if arguments.dataset and unused:
        arguments.parser.error(f"--{unused[0]} is for files of tools: a data set that is named knows its own")
    if arguments.to != "shanghaitech":
        check_ending(arguments.out, "OUT")
        check_writable(Path(arguments.out))
    columns = tuple(name.strip() for name in arguments.columns.split(",")) if arguments.columns else None
    images = Path(arguments.images) if arguments.images else None
    options = Options(arguments.unit, arguments.label, columns, images)
    if arguments.dataset:
        records = named(arguments.dataset).records(data_root(arguments.source), "all", raise_fault)
    else:
        records = detect.read_any(Path(arguments.source), raise_fault, options)
    check_outputs({"OUT": arguments.out}, {str(path) for record in records for path in (record.source, record.picture)})
    keep_dots(arguments.out, "OUT")
    with writing(arguments.out):
        convert(records, arguments.to, arguments.out)
    heads = sum(len(record.points) for record in records)
    print(f"{arguments.out}: {number_of(len(records), 'picture')}, {number_of(heads, 'head')}")
    if arguments.to != "shanghaitech" and (moved := changed_sides(records, arguments.out)):
        warn(
            f"{moved} of {number_of(len(records), 'picture')} go from training to validation, or back: without splits "
            f"their names tell, and {arguments.out} spells them otherwise. Train and validate with one of them."
        )
    return 0
