"""JSON documents: a name that stands twice in one object is an error, where Python takes the last in silence."""

from __future__ import annotations

import json

_SHOWN = 60  # characters of a name


class NamedTwice(ValueError):
    """A name stands twice in one object, and only one of the values would be read."""


def parse(text: str) -> object:
    """What a JSON document holds.

    Raises:
        NamedTwice: if a name stands twice in one object.
        ValueError, RecursionError: if it is no JSON.

    Example:
        >>> parse('{"name": "stage", "name": "square"}')
        Traceback (most recent call last):
        crowdcount.data.documents.NamedTwice: the name 'name' stands twice in one object
    """
    return json.loads(text, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NamedTwice(f"the name {twice[:_SHOWN]!r} stands twice in one object")
    return content
