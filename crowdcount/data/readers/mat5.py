"""One variable of a MATLAB file of version 5 to 7, read without SciPy.

SciPy 1.17 and older do not ask whether a type of data exists: at one that does not, as in a damaged file, they end the
process (a segmentation fault). Numbers, characters, cells and structures are read here; sparse and complex arrays,
functions and tables, in which no data set keeps its annotations, are refused.
The format: MathWorks, "MAT-File Format", chapter 1, "MAT-File Header Format" to "Compressed Data Elements".
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from math import prod

import numpy as np

_HEADER, _VERSION = 128, 0x0100
_MATRIX, _COMPRESSED = 14, 15
# How numbers are stored, by the type of the element; an array may be stored in smaller ones than its own.
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
# How characters are.
_TEXT = {1: "latin-1", 2: "utf-8", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CELL, _STRUCT, _CHARACTERS = 1, 2, 4
_NUMBERS = dict(zip(range(6, 16), ("f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")))
_COMPLEX = 0x0800
# Annotations of 20,000 heads are 320 kB.
_LONGEST, _BEGINNING = 1 << 28, 1 << 10
_DEEPEST = 16


class UnsoundError(ValueError):
    """The file is damaged, or the variable is of a kind that is not read."""


def is_mat5(start: bytes) -> bool:
    """Whether a file begins as one of version 5 to 7 does.

    Args:
        start: its first 128 bytes.
    """
    return len(start) == _HEADER and _order(start) is not None


def read_mat5(content: bytes, name: str) -> np.ndarray:
    """A variable, as `scipy.io.loadmat` gives it, but that numbers are of MATLAB's own type.

    Args:
        content: of a file of version 5 to 7.
        name: the variable's name. Others are passed over.

    Returns:
        Numbers of two or more axes; a line of text in an array of shape (1,); of a cell array an object array; of
        structures an array with an object field for each of theirs.

    Raises:
        KeyError: if there is no such variable.
        UnsoundError: if it is damaged, or of a kind that is not read.

    Example:
        >>> import io, scipy.io
        >>> file = io.BytesIO()
        >>> scipy.io.savemat(file, {"annPoints": [[1.5, 2.0]]})
        >>> read_mat5(file.getvalue(), "annPoints")
        array([[1.5, 2. ]])
    """
    order = _order(content[:_HEADER])
    if order is None:
        raise UnsoundError("it is no MATLAB file of version 5 to 7")
    for kind, data in _elements(memoryview(content)[_HEADER:], order):
        is_packed = kind == _COMPRESSED
        # The name is near the beginning; of a variable that nobody asked for no more is unpacked.
        begun = memoryview(_inflated(data, _BEGINNING))[8:] if is_packed else data
        if not begun or _header(_elements(begun, order), order)[2] != name:
            continue
        if is_packed:
            kind, data = next(_elements(memoryview(_inflated(data)), order))
        if kind != _MATRIX:
            raise UnsoundError(f"a variable is of the type {kind}, not {_MATRIX}")
        return _array(data, order, _DEEPEST)
    raise KeyError(name)


def _order(start: bytes | memoryview) -> str | None:
    """The order of bytes, as `struct` writes it; None where it is another file."""
    order = {b"IM": "<", b"MI": ">"}.get(bytes(start[-2:]))
    return order if order and struct.unpack(f"{order}H", start[-4:-2]) == (_VERSION,) else None


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
        kind, length = struct.unpack(f"{order}II", content[:8])
        begin, end = 8, 8 + length + -length % 8
        if small := kind >> 16:  # up to four bytes of data beside type and length
            kind, length, begin, end = kind & 0xFFFF, small, 4, 8
        elif kind == _COMPRESSED:  # which is not padded
            end = 8 + length
        if begin + length > len(content) or (small and length > 4):
            raise UnsoundError(f"an element of {length} bytes is cut off")
        yield kind, content[begin : begin + length]
        content = content[end:]


def _header(parts: Iterator[tuple[int, memoryview]], order: str) -> tuple[int, tuple[int, ...], str]:
    """Class, sides and name of a variable; what follows is left in `parts`."""
    flags = _numbers(parts, order)
    sides = tuple(map(int, _numbers(parts, order)))
    name = _numbers(parts, order).astype(np.uint8).tobytes().decode("latin-1")
    if len(flags) != 2 or len(sides) < 2 or min(sides) < 0:
        raise UnsoundError(f"a variable has flags {flags.tolist()} and sides {list(sides)}")
    kind = int(flags[0]) & 0xFF
    if int(flags[0]) & _COMPLEX:
        raise UnsoundError("a variable is complex")
    return kind, sides, name


def _numbers(parts: Iterator[tuple[int, memoryview]], order: str) -> np.ndarray:
    """The numbers of the next element, in one axis."""
    kind, data = next(parts, (0, memoryview(b"")))
    if kind not in _STORED:
        raise UnsoundError(f"an element is of the type {kind}, which holds no numbers")
    stored = np.dtype(order + _STORED[kind])
    if len(data) % stored.itemsize:
        raise UnsoundError(f"{len(data)} bytes hold no numbers of {stored.itemsize} bytes")
    return np.frombuffer(data, stored)


def _array(content: memoryview, order: str, depth: int) -> np.ndarray:
    if not content:  # an empty cell
        return np.zeros((0, 0))
    if not depth:
        raise UnsoundError(f"variables lie in each other more than {_DEEPEST} deep")
    parts = _elements(content, order)
    kind, sides, _ = _header(parts, order)
    if kind in _NUMBERS:
        return _shaped(_numbers(parts, order).astype(_NUMBERS[kind]), sides)
    if kind == _CHARACTERS:
        return _text(parts, order)
    if kind == _CELL:
        return _cells(parts, order, depth, sides)
    if kind == _STRUCT:
        return _structures(parts, order, depth, sides)
    raise UnsoundError(f"a variable is of the class {kind}, which is not read")


def _shaped(values: np.ndarray, sides: tuple[int, ...]) -> np.ndarray:
    """MATLAB stores arrays by columns."""
    if len(values) != prod(sides):
        raise UnsoundError(f"{len(values)} values where {' x '.join(map(str, sides))} should be")
    return values.reshape(sides, order="F")


def _text(parts: Iterator[tuple[int, memoryview]], order: str) -> np.ndarray:
    kind, data = next(parts, (0, memoryview(b"")))
    if kind not in _TEXT:
        raise UnsoundError(f"an element is of the type {kind}, which holds no characters")
    coding = _TEXT[kind] + ({"<": "-le", ">": "-be"}[order] if _TEXT[kind] in ("utf-16", "utf-32") else "")
    return np.array([bytes(data).decode(coding, errors="replace")])


def _cells(parts: Iterator[tuple[int, memoryview]], order: str, depth: int, sides: tuple[int, ...]) -> np.ndarray:
    found = []
    for kind, data in parts:
        if kind != _MATRIX:
            raise UnsoundError(f"a cell or field is of the type {kind}, not {_MATRIX}")
        found.append(_array(data, order, depth - 1))
    values = np.empty(len(found), object)
    values[:] = found
    return _shaped(values, sides)


def _structures(parts: Iterator[tuple[int, memoryview]], order: str, depth: int, sides: tuple[int, ...]) -> np.ndarray:
    longest = _numbers(parts, order)
    letters = _numbers(parts, order).astype(np.uint8).tobytes()
    if longest.size != 1 or longest[0] < 1 or len(letters) % longest[0]:
        raise UnsoundError(f"names of fields are {longest.tolist()} bytes long, {len(letters)} in all")
    step = int(longest[0])
    names = [letters[at : at + step].split(b"\0")[0].decode("latin-1") for at in range(0, len(letters), step)]
    if not all(names) or len(set(names)) < len(names):
        raise UnsoundError(f"fields have the names {names[:5]}")
    # Field by field of one structure, then of the next.
    values = _cells(parts, order, depth, (len(names), prod(sides)))
    structures = np.empty(prod(sides), [(name, object) for name in names])
    for name, column in zip(names, values):
        structures[name] = column
    return _shaped(structures, sides)
