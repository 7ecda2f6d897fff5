"""The words for what is counted: people and their heads, unless the network's card says another thing."""

from __future__ import annotations

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
