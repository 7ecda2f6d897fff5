"""`crowdcount draw`: crowds with known head positions."""

from __future__ import annotations

import argparse
from pathlib import Path

from crowdcount.cli.common import Command, add_seed, begin, check_folder, positive_int
from crowdcount.errors import CrowdCountError
from crowdcount.files import writing


def add(command: Command) -> None:
    parser = command("draw", _draw, "draw crowds with known head positions")
    parser.add_argument(
        "--out", metavar="FOLDER", required=True, help="folder for images/*.jpg and points.csv, which holds neither yet"
    )
    parser.add_argument(
        "--pictures", metavar="K", type=positive_int, default=10, help="number of pictures (default: 10)"
    )
    parser.add_argument(
        "--people",
        metavar="LOW-HIGH",
        type=_range,
        default=(20, 500),
        help="people a picture (default: 20-500)",
    )
    parser.add_argument(
        "--size",
        metavar="WIDTHxHEIGHT",
        type=_size,
        default=(1024, 768),
        help="size in pixels (default: 1024x768)",
    )
    add_seed(parser)


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


def _draw(arguments: argparse.Namespace) -> int:
    from crowdcount.data.images import MAX_PIXELS
    from crowdcount.drawn.crowds import write_dataset

    begin()
    width, height = arguments.size
    if width * height > MAX_PIXELS:
        raise CrowdCountError(
            f"--size {width}x{height} makes {width * height:,} pixels, more than the {MAX_PIXELS:,} that "
            "crowdcount reads. Choose a smaller size."
        )
    check_folder(Path(arguments.out))
    with writing(arguments.out):
        write_dataset(arguments.out, arguments.pictures, arguments.people, (height, width), arguments.seed)
    print(arguments.out)
    return 0
