"""Whether a photo lies on its side: people who lie are counted a third to a half too low, and nothing else shows it.

Where most people are seen, a part of the picture is counted again, turned by a quarter to the left and to the right. In
upright photos both come to less than the part itself; in one that lies on its side, one of them is the upright one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from crowdcount.counting.scale import Look
from crowdcount.grid import STRIDE
from crowdcount.network.prediction import predict_density

if TYPE_CHECKING:
    import keras

# Cells of the part's sides: turned both ways it costs a sixth of a picture of 1024 x 768 pixels.
_SIDE = 32
# People in the part as it is, and turned, below which nothing is said; and how many times as many are too many.
_FEWEST, _FEWEST_TURNED = 5.0, 15.0
_MORE = 1.25


def on_its_side(network: keras.Model, seen: Look) -> str | None:
    """A sentence where a picture seems to lie on its side.

    Args:
        network: what counts.
        seen: the picture as it was counted; half its size is enough.

    Example:
        >>> from crowdcount import CSRNet
        >>> from crowdcount.counting.scale import look
        >>> network = CSRNet(width=1 / 16)
        >>> on_its_side(network, look(network, np.zeros((64, 96, 3), np.uint8), 1.0)) is None
        True
    """
    part, people = fullest_part(seen)
    if people < _FEWEST:
        return None
    for turn in (1, 3):
        turned = float(predict_density(network, np.ascontiguousarray(np.rot90(part, turn))).sum(dtype=np.float64))
        if turned > max(_FEWEST_TURNED, _MORE * people):
            return (
                "The picture seems to lie on its side: turned by a quarter, its fullest part comes to "
                f"{turned / people:.1f} times as many people. Turn it upright and count it again."
            )
    return None


def fullest_part(seen: Look) -> tuple[np.ndarray, float]:
    """The part of a picture in which most people are seen, a square of 256 pixels where it has as many.

    Returns:
        The part, uint8 RGB (h, w, 3), and the people in it.
    """
    rows, columns = seen.density.shape
    height, width = min(_SIDE, rows), min(_SIDE, columns)
    # Sums of all windows by the table of sums (Crow, SIGGRAPH 1984).
    sums = np.pad(seen.density.astype(np.float64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    windows = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    row, column = np.unravel_index(windows.argmax(), windows.shape)
    top, left = STRIDE * int(row), STRIDE * int(column)
    part = seen.picture[top : top + STRIDE * height, left : left + STRIDE * width]
    return part, float(windows[row, column])
