"""Model cards: what is known of a network, in `NAME.json` beside `NAME.weights.h5`."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from crowdcount.errors import WeightsError, first_line
from crowdcount.network.designs import DESIGNS, dilation_rates, is_width
from crowdcount.network.locate import SUFFIX, find_weights, model_names

# In a card that is written just now: the card of the weights that it replaces, which may lie there still.
BEFORE = "before"


@dataclass(frozen=True)
class ModelCard:
    """What a card says that the code relies on, checked once, beside all else that it holds.

    Args:
        design: back end of the network, a key of `DESIGNS`.
        width: share of the filters, see `CSRNet`; None where the card does not say it.
        sha256: checksum of the weight file, hexadecimal; None where the card does not say it.
        thing: what the network counts, in the plural.
        content: the card as it is in the file: training, measured errors, licence, calibration.
    """

    design: str = "B"
    width: float | None = None
    sha256: str | None = None
    thing: str = "people"
    content: Mapping = field(default_factory=dict)

    @classmethod
    def parse(cls, content: object, where: str | os.PathLike) -> ModelCard:
        """The card that a JSON file holds.

        Args:
            content: what the file holds.
            where: the file, for messages.

        Raises:
            WeightsError: with the field and its value, where a field is not what it should be.

        Example:
            >>> ModelCard.parse({"network": {"design": "A", "width": 0.5}}, "small.json").design
            'A'
        """

        def refuse(what: str, wanted: str, value: object) -> WeightsError:
            return WeightsError(
                f"The model card {os.fspath(where)}: {what} must be {wanted}. Received: {repr(value)[:80]}. Get the "
                "card again, or take the field out."
            )

        if not isinstance(content, dict):
            raise refuse("its content", "a JSON object", content)
        network = content.get("network")
        network = {} if network is None else network
        if not isinstance(network, dict):
            raise refuse("'network'", "an object with 'design' and 'width'", network)
        design, width = network.get("design", "B"), network.get("width")
        if not isinstance(design, str) or design not in DESIGNS:
            raise refuse("'design'", f"one of {', '.join(DESIGNS)}", design)
        if width is not None and not is_width(width):
            raise refuse("'width'", "a number from 1/64 to 4", width)
        rates = network.get("rates", {})
        if not isinstance(rates, dict) or rates and rates != dilation_rates(design):
            raise refuse("'rates'", f"those of design {design}, {dilation_rates(design)}", rates)
        digest = content.get("sha256")
        if digest is not None and not isinstance(digest, str):
            raise refuse("'sha256'", "a text of hexadecimal digits", digest)
        thing = content.get("thing", "people")
        if not is_thing(thing):
            raise refuse("'thing'", "a word for what is counted", thing)
        return cls(design, width, digest.strip().lower() if digest else digest, thing, content)


def is_thing(value: object) -> bool:
    """Whether it can be what a network counts: a word, in the plural.

    Example:
        >>> is_thing("cells"), is_thing(" "), is_thing(None)
        (True, False, False)
    """
    return isinstance(value, str) and bool(value.strip())


def list_models() -> list[dict]:
    """The cards of the models that have a name: those that come with the package, and one's own beside them.

    Returns:
        One dictionary a model, see `ModelCard.content`; `name` is what `--model` takes. Of a card that cannot be
        read, `name` and `fault`, which says why: one damaged file hides no other model.
    """
    cards: list[dict] = []
    for name in model_names():
        try:
            cards.append({**model_card(name).content, "name": name})
        except WeightsError as error:
            cards.append({"name": name, "fault": str(error)})
    return cards


def model_card(name_or_file: str | os.PathLike) -> ModelCard:
    """The card of a model: network, training, measured errors, checksum, licence.

    Args:
        name_or_file: name of a shipped model, or a weight file with its card beside it.

    Returns:
        The card; an empty one for a weight file of one's own that has none.

    Raises:
        WeightsError: where there is no such model, or the card is not readable.
    """
    path = find_weights(name_or_file)
    # Of a link the card may lie beside it, under its name, or beside the file that it leads to.
    beside = (each.with_name(each.name.removesuffix(SUFFIX) + ".json") for each in (path, path.resolve()))
    card_path: Path | None = next((each for each in beside if each.is_file()), None)
    if card_path is None:
        return ModelCard()
    try:
        content = json.loads(card_path.read_text("utf-8-sig"))  # some editors of Windows put a mark before it
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"The model card {card_path} cannot be read: {first_line(error)}") from None
    before = content.pop(BEFORE, None) if isinstance(content, dict) else None
    if isinstance(before, dict) and checksum(path) == before.get("sha256"):
        content = before
    return ModelCard.parse(content, card_path)


def checksum(path: str | os.PathLike) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
