"""Strips and tiles of a TIFF in compressions that tifffile leaves to another package, unpacked by Pillow's libtiff."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from tifffile import TiffFrame, TiffPage

# Those that pack bytes, whatever they mean: LZW, LZMA, Zstandard.
_PACKINGS = (5, 34925, 50000)
_NONE, _DIFFERENCES = 1, 2


def can_unpack(page: TiffPage) -> bool:
    """Whether a page's pieces are packed so, its samples whole bytes, and predicted by no more than differences."""
    dtype = page.dtype
    if dtype is None or page.compression not in _PACKINGS or page.bitspersample != 8 * dtype.itemsize:
        return False
    return page.predictor == _NONE or page.predictor == _DIFFERENCES and dtype.kind != "f"


def unpacked(page: TiffPage | TiffFrame, described: TiffPage) -> np.ndarray:
    """A page's samples, as its `asarray` gives them.

    Args:
        page: where they lie.
        described: the page whose tags hold for it, itself or another: one that `can_unpack`.

    Reference:
        TIFF 6.0, sections 13 to 15.
    """
    dtype = np.dtype(described.dtype).newbyteorder(described.parent.byteorder)
    apart = described.planarconfig == 2
    samples = np.empty(described.shape, dtype)
    file = described.parent.filehandle
    sides = (1,) * (len(described.chunked) - len(described.chunks)) + tuple(described.chunks)
    places = np.ndindex(*described.chunked)
    for place, offset, size in zip(places, page.dataoffsets, page.databytecounts):
        begins = [at * side for at, side in zip(place, sides)]
        target = samples[tuple(slice(begin, begin + side) for begin, side in zip(begins, sides))]
        # Tiles are whole, also where they reach beyond the picture; the last strip is what is left.
        shape = sides if described.is_tiled else target.shape
        file.seek(offset)
        rows = shape[1] if apart else shape[0]
        packed = _unpacked_bytes(
            file.read(size), int(described.compression), int(np.prod(shape)) * dtype.itemsize, rows
        )
        piece = packed.view(dtype).reshape(shape)
        if described.predictor == _DIFFERENCES:
            piece = np.cumsum(
                piece, axis=len(shape) - 1 if apart or len(shape) == 2 else 1, dtype=dtype.newbyteorder("=")
            )
        target[...] = piece[tuple(map(slice, target.shape))]
    return samples


def _unpacked_bytes(data: bytes, compression: int, size: int, rows: int) -> np.ndarray:
    """A piece's bytes: as the gray pixels of a picture whose only strip it is."""
    tags = {256: size // rows, 257: rows, 258: 8, 259: compression, 262: 1, 273: 0, 277: 1, 278: rows, 279: len(data)}
    tags[273] = 8 + 2 + 12 * len(tags) + 4  # where the strip begins
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    file = struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + bytes(4) + data
    with Image.open(io.BytesIO(file), formats=["TIFF"]) as image:
        return np.asarray(image).reshape(-1)
