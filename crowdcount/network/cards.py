"""Model cards: what is known of a network, in `NAME.json` beside `NAME.weights.h5`."""

from __future__ import annotations

import json
import os

from crowdcount.errors import WeightsError
from crowdcount.files import data_folder
from crowdcount.network.locate import SUFFIX, find_weights


def list_models() -> list[dict]:
    """The cards of the models that have a name: those that come with the package, and one's own beside them.

    Returns:
        One dictionary a model, see `model_card`; `name` is what `--model` takes.
    """
    names = [path.name.removesuffix(SUFFIX) for path in sorted(data_folder("weights").glob(f"*{SUFFIX}"))]
    return [{**model_card(name), "name": name} for name in names]


def model_card(name_or_file: str | os.PathLike) -> dict:
    """The card of a model: network, training, measured errors, checksum, licence.

    Args:
        name_or_file: name of a shipped model, or a weight file with its card beside it.

    Returns:
        The card; `{}` for a weight file of one's own that has none.

    Raises:
        WeightsError: where there is no such model, or the card is not readable.
    """
    path = find_weights(name_or_file)
    # Of a link the card may lie beside it, under its name, or beside the file that it leads to.
    beside = (each.with_name(each.name.removesuffix(SUFFIX) + ".json") for each in (path, path.resolve()))
    card_path = next((each for each in beside if each.is_file()), None)
    if card_path is None:
        return {}
    try:
        card = json.loads(card_path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"The model card {card_path} cannot be read: {error}") from None
    if not isinstance(card, dict):
        raise WeightsError(f"The model card {card_path} must hold a JSON object. Received: {type(card).__name__}")
    return card
