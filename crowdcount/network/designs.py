"""CSRNet's layers as tables: names, filters and dilation rates of each design. Loads neither Keras nor TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real

FRONT_END = (
    ("block1_conv1", 64),
    ("block1_conv2", 64),
    ("block2_conv1", 128),
    ("block2_conv2", 128),
    ("block3_conv1", 256),
    ("block3_conv2", 256),
    ("block3_conv3", 256),
    ("block4_conv1", 512),
    ("block4_conv2", 512),
    ("block4_conv3", 512),
)
BACK_END_FILTERS = (512, 512, 512, 256, 128, 64)
# Filters of all layers but the last, at width 1.
NUMBERS = (*(number for _, number in FRONT_END), *BACK_END_FILTERS)
LAYERS = (*(name for name, _ in FRONT_END), *(f"dilated{at + 1}" for at in range(len(BACK_END_FILTERS))), "density")
DESIGNS = {
    "A": (1, 1, 1, 1, 1, 1),
    "B": (2, 2, 2, 2, 2, 2),
    "C": (2, 2, 2, 4, 4, 4),
    "D": (4, 4, 4, 4, 4, 4),
}
NARROWEST, WIDEST = 1 / 64, 4.0


def dilation_rates(design: str) -> dict[str, int]:
    """Layer's name -> dilation rate of the back end of a design.

    Reference:
        Li, Zhang and Chen, "CSRNet", CVPR 2018, table 3 (arXiv 1802.10062).

    Example:
        >>> dilation_rates("C")["dilated6"]
        4
    """
    return {f"dilated{position}": rate for position, rate in enumerate(DESIGNS[design], start=1)}


def filters_of(number: int, width: float) -> int:
    """Filters of a layer that has `number` of them at width 1.

    Example:
        >>> filters_of(64, 1 / 16), filters_of(64, 0.01)
        (4, 1)
    """
    return max(1, round(number * width))


def width_of(filters: Sequence[int]) -> float:
    """The width of a network by the filters of its layers, of front and back end in order.

    Many widths round to the same filters; each layer says between which two it lies. This is the middle of them.

    Example:
        >>> width_of([filters_of(number, 0.25) for number in NUMBERS])
        0.25
    """
    low = max((found - 0.5) / number for found, number in zip(filters, NUMBERS))
    high = min((found + 0.5) / number for found, number in zip(filters, NUMBERS))
    return (low + high) / 2


def is_width(value: object) -> bool:
    """Whether a network can be that wide: a number from 1/64 to 4.

    Example:
        >>> is_width(0.5), is_width("wide"), is_width(True), is_width(9)
        (True, False, False, False)
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    return bool(value <= WIDEST and not value < NARROWEST)  # which neither infinity nor NaN is
