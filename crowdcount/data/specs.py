"""The words that name data sets, such as `shanghaitech_a*3+ucf_cc_50:1+csv`."""

from __future__ import annotations

from collections.abc import Sequence

from crowdcount.data.datasets import DATASETS
from crowdcount.errors import AnnotationError

NAMES = (*DATASETS, "csv", "json", "export")


def parse_spec(spec: str) -> list[tuple[str, str | None, int]]:
    """Name, turn and number of repetitions of each data set that is asked for.

    Raises:
        AnnotationError: if there is no such data set or turn, or the repetition is no number from 1 up.

    Example:
        >>> parse_spec("shanghaitech_a*3 + ucf_cc_50:1")
        [('shanghaitech_a', None, 3), ('ucf_cc_50', '1', 1)]
    """
    parsed: list[tuple[str, str | None, int]] = []
    for word in spec.split("+"):
        rest, star, times = word.strip().lower().partition("*")
        name, colon, turn = rest.strip().partition(":")
        name, times = name.strip(), times.strip() if star else "1"
        part = turn.strip() if colon else None
        one_of(name, NAMES, "dataset")
        parts = DATASETS[name].parts if name in DATASETS else ()
        if part is not None and part not in parts:
            wanted = f"choose {', '.join(parts)}" if parts else "it is not tested in turns"
            raise AnnotationError(f"Unknown turn of {name}: {wanted}. Received: {word.strip()!r}")
        if not (times.isascii() and times.isdigit() and int(times) >= 1):
            raise AnnotationError(
                f"How often a data set is used is a whole number from 1 up. Received: {word.strip()!r}"
            )
        parsed.append((name, part, int(times)))
    return parsed


def marked_thing(spec: str) -> str | None:
    """What the points of data sets mark, in the plural: people, unless all of them mark one other thing.

    None where all are files of one's own, or have no points: nothing says what these mark.

    Example:
        >>> marked_thing("trancos + nobody"), marked_thing("trancos + csv"), marked_thing("csv + nobody")
        ('vehicles', 'people', None)
    """
    if not any(name in DATASETS and DATASETS[name].thing for name, _, _ in parse_spec(spec)):
        return None
    found = (DATASETS[name].thing if name in DATASETS else "people" for name, _, _ in parse_spec(spec))
    things = {thing for thing in found if thing is not None}
    return things.pop() if len(things) == 1 else "people"


def one_of(value: str, allowed: Sequence[str], what: str) -> str:
    """`value`, if it is one of those that are there.

    Raises:
        AnnotationError: if it is not.
    """
    if value not in allowed:
        raise AnnotationError(f"Unknown {what} {value!r}: choose {', '.join(allowed)}.")
    return value
