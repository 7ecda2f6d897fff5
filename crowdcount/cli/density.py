"""`crowdcount density`: the density maps of annotated pictures."""

from __future__ import annotations

import argparse
import re
import warnings
from pathlib import Path, PurePath, PureWindowsPath

from crowdcount.cli.common import Command, add_dataset, add_split, begin, positive, settle_split, warn
from crowdcount.files import portable_name, shown, writing


def add(command: Command) -> None:
    parser = command("density", _density, "write the density maps of annotated pictures, one HDF5 file a picture")
    add_dataset(parser)
    add_split(parser)
    parser.add_argument("--out", metavar="FOLDER", required=True, help="folder for the files PICTURE.h5")
    parser.add_argument(
        "--sigma",
        metavar="PIXELS|adaptive",
        type=_sigma,
        help="standard deviation of the kernels (default: the paper's: adaptive for shanghaitech_a and ucf_cc_50, 10 "
        "for trancos, 3 for worldexpo and ucsd, else 15)",
    )
    parser.add_argument(
        "--stride",
        type=int,
        choices=(1, 8),
        default=1,
        help="pixels a side of one cell of the map (default: 1)",
    )


def _sigma(text: str) -> float | str:
    try:
        return text if text == "adaptive" else positive(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}; or write adaptive") from None


def _density(arguments: argparse.Namespace) -> int:
    from crowdcount.data.annotations import load_dataset
    from crowdcount.data.density import density_map, paper_sigma, save_density_map
    from crowdcount.data.images import picture_size
    from crowdcount.data.regions import cell_shares
    from crowdcount.errors import DataError
    from crowdcount.grid import STRIDE

    begin()
    settle_split(arguments, learned=False)
    samples = load_dataset(arguments.dataset, arguments.root, arguments.split)
    for sample in samples:
        place = place_of(sample.name)
        if ".." in place.parts:
            raise DataError(
                f"The picture {sample.name!r} lies outside the data set's folder. Move it there: its map is "
                f"to lie at the same place in {arguments.out}."
            )
    for sample in samples:
        path = Path(arguments.out, place_of(sample.name))
        size = picture_size(sample.picture)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            density = density_map(
                sample.points,
                size,
                sigma=paper_sigma(sample) if arguments.sigma is None else arguments.sigma,
                stride=arguments.stride,
            )
        for warning in caught:
            warn(f"{sample.name}: {warning.message}")
        counted = sample.counted(size)
        if counted is not None:
            density = density * (cell_shares(counted) if arguments.stride == STRIDE else counted)
        with writing(path):
            save_density_map(path, density)
        print(f"{shown(str(path))}\t{density.sum(dtype=float):.3f}", flush=True)
    return 0


def place_of(name: str) -> PurePath:
    """Where a picture's map lies in the folder of the maps; of a picture that was annotated on Windows, too.

    Example:
        >>> place_of("part_A/IMG_1").as_posix(), place_of("C:" + chr(92) + "a.jpg").as_posix()
        ('part_A/IMG_1.h5', 'C_/a.jpg.h5')
    """
    if "\\" not in name and not re.match(r"[A-Za-z]:/", name):
        return PurePath(f"{name.lstrip('/')}.h5")  # a tool's or another machine's own way to the picture
    windows = PureWindowsPath(name)
    parts = [windows.drive] * bool(windows.drive) + list(windows.relative_to(windows.anchor).parts)
    return PurePath(
        *(part if part == ".." else portable_name(part) for part in parts[:-1]), portable_name(parts[-1], ".h5")
    )
