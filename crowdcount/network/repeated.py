"""Whether many pictures of one size are to come: then it pays to compile the network for that size."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator

_expected: contextvars.ContextVar[bool] = contextvars.ContextVar("expected", default=False)


@contextlib.contextmanager
def many_of_a_size(expected: bool = True) -> Iterator[None]:
    """Within, a network is compiled for the size of each picture that it gets, which takes some ten seconds a size.

    After that it needs about half the time, on a CPU, for the same maps to rounding: see
    `crowdcount.network.winograd`.

    Args:
        expected: False: as if there were no such statement.

    Example:
        >>> with many_of_a_size():
        ...     expected()
        True
    """
    token = _expected.set(expected)
    try:
        yield
    finally:
        _expected.reset(token)


def expected() -> bool:
    """Whether many pictures of a size are expected here."""
    return _expected.get()
