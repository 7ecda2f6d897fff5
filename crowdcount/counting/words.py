"""The words for what is counted: people and their heads, unless the network's card says another thing; and digits."""

from __future__ import annotations

import math
import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

PEOPLE = "people"


def thing_of(model: str | os.PathLike | keras.Model) -> str:
    """What a network counts, in the plural: the word in its card, or people.

    Args:
        model: name of a network that comes with the package, a weight file, or a `keras.Model`, which has no card.

    Raises:
        WeightsError: if there is no such network, or its card is damaged.

    Example:
        >>> thing_of("general")
        'people'
    """
    from crowdcount.network.cards import model_card

    if not isinstance(model, (str, os.PathLike)) or os.fspath(model).endswith(".keras"):
        return PEOPLE
    return model_card(model).thing


def width_of(number: float, low: float | None, high: float | None) -> float:
    """How wide the range of a number is; without one, how wide it is taken to be: as the number itself.

    Example:
        >>> width_of(143.0, 101.0, 185.0), width_of(143.0, None, None)
        (84.0, 143.0)
    """
    return number if low is None or high is None else high - low


def whole(number: float, low: float | None = None, high: float | None = None) -> str:
    """A number of people as it is told to people: whole, with digits no finer than a hundredth to a tenth of the range.

    Of a number without a range nobody knows how far off it is. It has two digits, as many as it would have beside a
    range as wide as the number itself. What is somebody is never told as nobody, however wide the range: it keeps its
    first digit.

    Args:
        number: of people; an end of the range, too.
        low, high: the range of the count, or None.

    Example:
        >>> whole(1393.4, 1048.2, 1738.6), whole(1048.2, 1048.2, 1738.6), whole(143.2, 101.0, 185.4)
        ('1,390', '1,050', '143')
        >>> whole(1393.4), whole(143.2), whole(99.4), whole(0.4), whole(47.1, 0.0, 1027.0)
        ('1,400', '140', '99', '0', '50')
    """
    width = width_of(number, low, high)
    unit = 10 ** (math.floor(math.log10(width)) - 1) if width >= 100 else 1
    if number >= 1 and round(number / unit) == 0:
        unit = 10 ** math.floor(math.log10(number))
    return f"{round(number / unit) * unit:,}"


def span(low: float, high: float) -> str:
    """A range of people as it is told to people.

    Example:
        >>> span(1048.2, 1738.6)
        '1,050 to 1,740'
    """
    return f"{whole(low, low, high)} to {whole(high, low, high)}"


def dense(per_m2: float) -> str:
    """People per square meter as they are told to people: in hundredths, of a sparse square as fine as its first digit.

    Example:
        >>> dense(2.344), dense(0.144), dense(0.00168), dense(0.0)
        ('2.34', '0.14', '0.002', '0.00')
    """
    digits = -math.floor(math.log10(per_m2)) if per_m2 > 0 else 0
    return f"{per_m2:.{min(4, max(2, digits))}f}"


def amount(number: str, thing: str) -> str:
    """A number with the word for what was counted.

    Example:
        >>> amount("12", "cells"), amount("1", "people"), amount("1", "cells")
        ('12 cells', '1 person', '1 of the cells')
    """
    if number != "1":
        return f"{number} {thing}"
    return "1 person" if thing == PEOPLE else f"1 of the {thing}"


def about(text: str, thing: str) -> str:
    """A sentence of ours about people or heads, about another thing.

    Example:
        >>> about("Heads are small: many people are missed.", "cells")
        'Cells are small: many cells are missed.'
    """
    if thing == PEOPLE:
        return text
    text = re.sub(r"\b(Heads|People)\b", lambda match: thing[:1].upper() + thing[1:], text)
    return re.sub(r"\b(heads|people)\b", lambda match: thing, text)
