"""Levels of crowds by their number of heads, by which some data sets are scored apart."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence


def level_of(heads: int, upper: Sequence[int]) -> int:
    """Number of the level: 0 for up to `upper[0]` heads, 1 for up to `upper[1]`, and so on.

    Example:
        >>> [level_of(heads, (0, 100, 500)) for heads in (0, 1, 100, 101, 501)]
        [0, 1, 1, 2, 3]
    """
    return bisect_left(upper, heads)
