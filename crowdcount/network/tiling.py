"""A large picture in windows of one size that overlap by what the network sees, and the cells that each gives.

Windows of one size and not tiles with a border around each: at the picture's edges nothing is read twice, and a network
that is compiled for a size is compiled once.
"""

from __future__ import annotations

from dataclasses import dataclass

from crowdcount.grid import STRIDE

# Pixels a side that a window has of its own, at least: with smaller ones a picture is read more than five times over.
_LEAST_OWN = 224


@dataclass(frozen=True)
class Window:
    """A part of a picture that the network looks at.

    Attributes:
        rows, columns: the pixels that it reads.
        cells: (rows, columns) of the picture's density map that it gives.
        own: the same cells in the window's density map.
    """

    rows: slice
    columns: slice
    cells: tuple[slice, slice]
    own: tuple[slice, slice]


def windows(shape: tuple[int, int], *, margin: int, most: int) -> list[Window]:
    """Cut a picture into windows, all of one size, that read as few pixels together as can be.

    Args:
        shape: the picture's (height, width).
        margin: pixels around a cell that reach it, whole cells.
        most: pixels of a window. Where a window of 224 pixels and its margins has more, windows are of that size.

    Returns:
        Windows row by row. Each cell of the map is one window's own, and lies `margin` pixels inside of that window or
        where the picture ends.

    Example:
        >>> cut = windows((2160, 3840), margin=144, most=2_100_000)
        >>> len(cut), cut[0].rows, cut[0].columns
        (6, slice(0, 1224, None), slice(0, 1472, None))
    """
    down, across = (_ways(length, margin) for length in shape)
    fitting = [(rows, columns) for rows in down for columns in across if rows[0].length * columns[0].length <= most]
    rows, columns = (
        min(fitting, key=lambda way: len(way[0]) * way[0][0].length * len(way[1]) * way[1][0].length)
        if fitting
        else (down[-1], across[-1])
    )
    return [
        Window(row.pixels, column.pixels, (row.cells, column.cells), (row.own, column.own))
        for row in rows
        for column in columns
    ]


@dataclass(frozen=True)
class _Piece:
    """A window along one side: its pixels, the cells of the map that are its own, and these counted from its start."""

    start: int
    length: int
    cells: slice

    @property
    def pixels(self) -> slice:
        return slice(self.start, self.start + self.length)

    @property
    def own(self) -> slice:
        first = self.start // STRIDE
        return slice(self.cells.start - first, self.cells.stop - first)


def _ways(length: int, margin: int) -> list[list[_Piece]]:
    """A side in one piece, in two, and so on, each time of the least length that will do."""
    cells, around = length // STRIDE, margin // STRIDE
    ways, pieces = [[_Piece(0, length, slice(0, -(-length // STRIDE)))]], 2
    while True:
        # So long that where two pieces meet each has its margin; the last cell may be a part of one.
        size = -(-(cells + 2 * around * (pieces - 1)) // pieces)
        if (size - 2 * around) * STRIDE < _LEAST_OWN:
            return ways
        starts = [(cells - size) * piece // (pieces - 1) for piece in range(pieces)]
        cuts = [(before + size + after) // 2 for before, after in zip(starts, starts[1:])]
        edges = [0, *cuts, -(-length // STRIDE)]
        ways.append(
            [
                _Piece(start * STRIDE, size * STRIDE + length % STRIDE, slice(first, last))
                for start, first, last in zip(starts, edges, edges[1:])
            ]
        )
        pieces += 1
