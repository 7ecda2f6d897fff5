"""`crowdcount models`: the networks that come with crowdcount."""

from __future__ import annotations

import argparse

from crowdcount.cli.common import FAILED, Command, begin, finite, number_of, warn


def add(command: Command) -> None:
    parser = command("models", _models, "list the networks that come with crowdcount, with their measured errors")
    parser.add_argument("--json", action="store_true", help="print the model cards, one JSON object a line")


def _models(arguments: argparse.Namespace) -> int:
    from crowdcount.network.cards import list_models

    begin()
    cards = list_models()
    for card in cards:
        if "fault" in card:
            warn(card["fault"])
            continue
        if arguments.json:
            import json

            print(json.dumps(finite(card)))
            continue
        pictures = number_of(card["pictures"], "picture") if "pictures" in card else "pictures that no card names"
        print(f"{card['name']}: trained on {card.get('dataset', pictures)}, recipe {card.get('recipe', 'unknown')}")
        # Training leaves what it validated with; a release has it measured by data set.
        kept = {"validation": card["validation"]} if card.get("validation") else {}
        for dataset, measured in (card.get("metrics") or kept).items():
            errors = finite(measured.get("standard_error", {}))
            told = {
                key: value for key, value in finite(measured).items() if value is not None and key != "standard_error"
            }
            print(f"    {dataset}: " + ", ".join(_measure(key, value, errors.get(key)) for key, value in told.items()))
    return FAILED if any("fault" in card for card in cards) else 0


def _measure(key: str, value: object, error: float | None) -> str:
    name = key.upper() if key in ("mae", "rmse", "nae", "psnr", "ssim", "game") else key.replace("_", " ")
    if error is not None:
        return f"{name} {value:.4g} ± {float(format(error, '.2g')):g}"  # 1.6e+02 is 160
    if isinstance(value, list):
        return f"{name} {' / '.join(format(item, '.2f') for item in value)}"
    return f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
