"""Whether a MATLAB file of version 5 to 7 is sound, before SciPy reads it.

SciPy 1.17 and older do not ask whether a type of data exists: at one that does not, as in a damaged file, they end the
process (a segmentation fault). What is looked at here is how the file's elements lie in each other, and their types.
The format: MathWorks, "MAT-File Format", chapter 1, "MAT-File Header Format" to "Compressed Data Elements".
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

_HEADER, _VERSION = 128, 0x0100
_MATRIX, _COMPRESSED = 14, 15
# int8 to uint32, single, double, int64, uint64, UTF-8, UTF-16 and UTF-32.
_NUMBERS = frozenset((*range(1, 8), 9, 12, 13, 16, 17, 18))
_CELL, _STRUCT, _OBJECT, _SPARSE = 1, 2, 3, 5
_PLAIN = frozenset((4, *range(6, 16)))  # characters and numbers
_COMPLEX = 0x0800
# Annotations of 20,000 heads are 320 kB.
_LONGEST, _BEGINNING = 1 << 28, 1 << 10
_DEEPEST = 16


class UnsoundError(ValueError):
    """The file's elements do not lie in each other as they should, or are of types that there are not."""


def check_mat5(file: Path, name: str) -> None:
    """Do nothing if a variable of a file is sound, is not in it, or the file is of another version.

    Args:
        file: the file.
        name: the variable's name. Others are passed over, as SciPy does.

    Raises:
        UnsoundError: if it is damaged.
        OSError: if the file cannot be read.

    Example:
        >>> import tempfile, scipy.io
        >>> file = Path(tempfile.mkdtemp()) / "GT_1.mat"
        >>> scipy.io.savemat(file, {"annPoints": [[1.5, 2.0]]})
        >>> check_mat5(file, "annPoints")
    """
    content = memoryview(file.read_bytes())
    order = {b"IM": "<", b"MI": ">"}.get(bytes(content[_HEADER - 2 : _HEADER]))
    if order is None or struct.unpack(f"{order}H", content[_HEADER - 4 : _HEADER - 2]) != (_VERSION,):
        return
    for kind, data in _elements(content[_HEADER:], order):
        is_packed = kind == _COMPRESSED
        # The name is near the beginning; of a variable that nobody asked for no more is unpacked.
        begun = memoryview(_inflated(data, _BEGINNING)) if is_packed else data
        if _name(begun[8:] if is_packed else begun, order) != name.encode():
            continue
        if is_packed:
            kind, data = next(_elements(memoryview(_inflated(data)), order))
        if kind != _MATRIX:
            raise UnsoundError(f"a variable is of the type {kind}, not {_MATRIX}")
        _check_matrix(data, order, _DEEPEST)


def _name(content: memoryview, order: str) -> bytes:
    """The name of a variable, from its beginning."""
    parts = _elements(content, order)
    for _ in ("flags", "sides"):
        _numbers(parts)
    return bytes(_numbers(parts))


def _inflated(data: memoryview, most: int = _LONGEST) -> bytes:
    """What is compressed, or its beginning."""
    unpacker = zlib.decompressobj()
    try:
        content = unpacker.decompress(data, most)
    except zlib.error as error:
        raise UnsoundError(f"a compressed variable is damaged ({error})") from None
    if most == _LONGEST and not unpacker.eof:
        raise UnsoundError(f"a compressed variable is cut off, or larger than {_LONGEST:,} bytes")
    return content


def _elements(content: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Type and data of each element that follows, the last one too where nothing pads it."""
    while content:
        if len(content) < 8:
            raise UnsoundError(f"{len(content)} bytes are left where an element begins")
        first, length = struct.unpack(f"{order}II", content[:8])
        if small := first >> 16:  # up to four bytes of data beside type and length
            kind, length, begin, end = first & 0xFFFF, small, 4, 8
        else:
            # What is compressed is not padded.
            kind, begin, end = first, 8, 8 + (length if first == _COMPRESSED else length + -length % 8)
        if begin + length > len(content) or (small and length > 4):
            raise UnsoundError(f"an element of {length} bytes is cut off")
        yield kind, content[begin : begin + length]
        content = content[end:]


def _check_matrix(content: memoryview, order: str, depth: int) -> None:
    if not content:  # an empty cell
        return
    if not depth:
        raise UnsoundError(f"variables lie in each other more than {_DEEPEST} deep")
    parts = _elements(content, order)
    flags = struct.unpack(f"{order}II", _numbers(parts, 8)[:8])[0]
    kind, is_complex = flags & 0xFF, bool(flags & _COMPLEX)
    values = _product(_numbers(parts, 8), order)
    _numbers(parts)  # its name
    if kind in (_CELL, _STRUCT, _OBJECT):
        _check_cells(parts, order, depth, values * _fields(parts, order, kind))
    elif kind in _PLAIN or kind == _SPARSE:
        for _ in range((2 if kind == _SPARSE else 0) + 1 + is_complex):
            _numbers(parts)
    else:
        raise UnsoundError(f"a variable is of the class {kind}, which holds no numbers")


def _product(sides: memoryview, order: str) -> int:
    """How many values an array of these sides has."""
    values = 1
    for side in struct.unpack(f"{order}{len(sides) // 4}i", sides[: len(sides) // 4 * 4]):
        if side < 0:
            raise UnsoundError(f"a variable has a side of {side}")
        values *= side
    return values


def _fields(parts: Iterator[tuple[int, memoryview]], order: str, kind: int) -> int:
    """How many fields each value has; a cell is one."""
    if kind == _CELL:
        return 1
    if kind == _OBJECT:
        _numbers(parts)  # its class
    longest = struct.unpack(f"{order}i", _numbers(parts, 4)[:4])[0]
    if longest < 1:
        raise UnsoundError(f"names of fields are {longest} bytes long")
    return len(_numbers(parts)) // longest


def _check_cells(parts: Iterator[tuple[int, memoryview]], order: str, depth: int, values: int) -> None:
    found = 0
    for kind, data in parts:
        if kind != _MATRIX:
            raise UnsoundError(f"a cell or field is of the type {kind}, not {_MATRIX}")
        _check_matrix(data, order, depth - 1)
        found += 1
    if found != values:
        raise UnsoundError(f"{found} cells or fields where {values} should be")


def _numbers(parts: Iterator[tuple[int, memoryview]], least: int = 0) -> memoryview:
    """The data of the next element, which holds numbers or characters."""
    kind, data = next(parts, (0, memoryview(b"")))
    if kind not in _NUMBERS:
        raise UnsoundError(f"an element is of the type {kind}, which there is not")
    if len(data) < least:
        raise UnsoundError(f"an element of {len(data)} bytes should have {least}")
    return data
