"""The shapes that annotation tools draw: which of them mark a head, and where it is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from crowdcount.data.exports.entries import is_finite_number, number
from crowdcount.data.records import short


class NoHead(ValueError):
    """A shape that does not mark one place."""


def middle(left: float, top: float, width: float, height: float, degrees: float = 0.0) -> tuple[float, float]:
    """Middle of a box, turned by an angle around its left upper corner.

    Raises:
        NoHead: if a side is negative.

    Example:
        >>> middle(10, 20, 4, 6)
        (12.0, 23.0)
    """
    if width < 0 or height < 0:
        raise NoHead(f"a box of {width:g} x {height:g}")
    turn = math.radians(degrees)
    x, y = width / 2, height / 2
    return left + x * math.cos(turn) - y * math.sin(turn), top + x * math.sin(turn) + y * math.cos(turn)


def numbers(shape: Mapping, *names: str) -> list[float]:
    """Finite numbers of a shape by their names.

    Raises:
        NoHead: if one is missing or none.
    """
    values = []
    for name in names:
        given = shape.get(name)
        value = number(given) if isinstance(given, str) else float(given) if is_finite_number(given) else None
        if value is None:
            raise NoHead(f"{name} should be a finite number, received {short(given)}")
        values.append(value)
    return values


def pair(point: object) -> tuple[float, float]:
    """A point as two numbers: a list, or an object with x and y; texts may spell them.

    Raises:
        NoHead: if it is none.
    """
    if isinstance(point, Mapping):
        x, y = numbers({str(key).lower(): value for key, value in point.items()}, "x", "y")
        return x, y
    if not isinstance(point, Sequence) or isinstance(point, str) or len(point) != 2:
        raise NoHead(f"a point should be two finite numbers, received {short(point)}")
    x, y = numbers({"x": point[0], "y": point[1]}, "x", "y")
    return x, y
