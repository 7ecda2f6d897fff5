"""Which sizes of pictures come so often that the network is worth compiling for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

from crowdcount.data.images import picture_size
from crowdcount.errors import CrowdCountError

# A larger picture is mostly looked at where it has about so many pixels.
_LOOKED_AT = 786_432
# Compiling for a size takes 10 to 15 seconds on two cores, and as much again for the look at half of it. In bfloat16
# 0.8 seconds a megapixel are won, in float32 2.
_ENOUGH = 50_000_000


class Repeats:
    """How many pictures there are of each size.

    Args:
        sources: pictures. Where they are few, or file objects, or cannot be read, they count for nothing: what is
            wrong with them is told where they are counted.
        times: how often each is counted.

    Example:
        >>> import numpy as np
        >>> repeats = Repeats([np.zeros((768, 1024, 3), np.uint8)] * 70)
        >>> repeats.many((768, 1024)), repeats.many((480, 640))
        (True, False)
    """

    def __init__(self, sources: Sequence = (), times: int = 1):
        self._times = times
        self._pictures: Counter[tuple[int, int]] = Counter()
        for source in sources if len(sources) * times * _LOOKED_AT >= _ENOUGH else ():
            if not hasattr(source, "read"):
                with suppress(CrowdCountError, OSError):
                    self.add(picture_size(source))

    def add(self, size: tuple[int, int]) -> None:
        """One more picture of this height and width."""
        self._pictures[size] += self._times

    def many(self, size: tuple[int, int]) -> bool:
        """Whether there are so many of this height and width that compiling pays."""
        height, width = size
        return self._pictures[size] * min(height * width, _LOOKED_AT) >= _ENOUGH
