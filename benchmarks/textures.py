"""Make people-free training pictures of textures, from files of Debian's packages that textures.txt beside this lists.

    mkdir packages; apt-get download $(grep -o '^[^/]*' benchmarks/textures.txt | sort -u)
    for file in *.deb; do dpkg-deb -x $file packages/${file%%_*}; done      # then unzip each .pk3, .zip and .jar to z/
    python benchmarks/textures.py packages/ FOLDER/nobody

Gravel, stone, carpets, leaves, brick and bark: grain that networks take for far crowds. Each texture is repeated to at
least 640x512 pixels, and the first quarter of the list, those that were counted highest, is made in half and in twice
its size as well. Every seventh goes to `FOLDER/nobody_kept`, to measure with.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

LIST = Path(__file__).with_name("textures.txt")
WIDTH, HEIGHT, KEPT = 640, 512, 7


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packages", type=Path, help="folder with a folder for each unpacked package")
    parser.add_argument("out", type=Path, help="folder for the pictures")
    arguments = parser.parse_args(argv)
    names = LIST.read_text(encoding="utf-8").splitlines()
    kept = arguments.out.with_name(f"{arguments.out.name}_kept")
    for folder in (arguments.out, kept):
        folder.mkdir(parents=True, exist_ok=True)
    for position, name in enumerate(names):
        texture = Image.open(arguments.packages / name).convert("RGB")
        texture.thumbnail((1024, 1024))
        folder = arguments.out if position % KEPT else kept
        for factor in (1.0, 0.5, 2.0) if 4 * position < len(names) else (1.0,):
            repeated(texture, factor).save(folder / f"texture_{position:03}_{factor:g}.jpg", quality=92)


def repeated(texture: Image.Image, factor: float) -> Image.Image:
    """The texture at `factor` of its size, beside and below itself until the picture is large enough."""
    size = [max(1, round(side * factor)) for side in texture.size]
    pixels = np.asarray(texture.resize(size, Image.Resampling.BICUBIC))
    times = math.ceil(HEIGHT / size[1]), math.ceil(WIDTH / size[0])
    return Image.fromarray(np.tile(pixels, (*times, 1))[:HEIGHT, :WIDTH])


if __name__ == "__main__":
    main()
