"""Files that were written in part: for the rest a disk gives zeros, of which some decoders make gray."""

from __future__ import annotations

import os
from typing import BinaryIO

# A block of a disk. What an arithmetic coder writes has no such run of zeros; in uncompressed files it is black.
_BLOCK = 512


def is_unwritten(file: BinaryIO, kind: str | None) -> bool:
    """Whether the data of a WebP or AVIF file ends in zeros. (Decoders of other compressed formats see it themselves.)

    Args:
        file: open, its position is kept.
        kind: Pillow's name of the format.

    Reference:
        RFC 9649, section 2.3, for WebP's length; ISO/IEC 14496-12, section 4.2, for AVIF's boxes.
    """
    find_end = {"WEBP": _end_of_webp, "AVIF": _end_of_avif}.get(kind or "")
    if find_end is None:
        return False
    position = file.tell()
    try:
        end = find_end(file)
        file.seek(max(0, end - _BLOCK))
        block = file.read(min(end, _BLOCK))
        return len(block) == _BLOCK and not any(block)
    finally:
        file.seek(position)


def _end_of_webp(file: BinaryIO) -> int:
    file.seek(4)
    return int.from_bytes(file.read(4), "little") + 8


def _end_of_avif(file: BinaryIO) -> int:
    """Where the first box of data ends; 0 where there is none."""
    length, at = file.seek(0, os.SEEK_END), 0
    while at + 8 <= length:
        file.seek(at)
        size, kind = int.from_bytes(file.read(4), "big"), file.read(4)
        if size == 1:
            size = int.from_bytes(file.read(8), "big")
        end = at + size if size else length
        if kind == b"mdat":
            return min(end, length)
        if end <= at:
            break
        at = end
    return 0
