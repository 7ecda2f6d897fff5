"""What an exercise is, and how answers are examined."""

from __future__ import annotations

import dis
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Any

import numpy as np


class Wrong(Exception):
    """An answer is not right; the message tells the learner what to look at."""


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    Attributes:
        name: notebook and name, such as `"02.sigmoid"`.
        answer: the name that the learner's code defines.
        hint: a nudge, not the answer.
        more: what a second call of `hint` says: nearly there, still not the code.
        solution: code that defines `answer`.
        praise: one sentence that says what the learner has now.
        examine: takes the answer; raises `Wrong` with what to look at.
    """

    name: str
    answer: str
    hint: str
    more: str
    solution: str
    praise: str
    examine: Callable[[Any], None]


def defined(code: str, name: str) -> Any:
    """What `code` defines under `name`; code of exercises stands on its own, with NumPy as `np`.

    Raises:
        KeyError: if it defines nothing of this name.
        Exception: what running the code raises.

    Example:
        >>> defined("def twice(x):\\n    return 2 * x", "twice")(4)
        8
    """
    space: dict[str, Any] = {"np": np}
    exec(code, space)
    return space[name]


def examine_function(
    reference: Callable,
    inputs: Sequence[tuple],
    mistakes: Sequence[tuple[Callable, str]] = (),
    *,
    tolerance: float = 1e-6,
    loops: bool = True,
) -> Callable[[Any], None]:
    """An `examine` for functions: equal to `reference` on every input, known mistakes called by name.

    Args:
        reference: the right function.
        inputs: tuples of arguments, several and different, random ones among them.
        mistakes: wrong functions that learners write, each with what to say to those who wrote it.
        tolerance: relative and absolute difference that passes.
        loops: whether an answer may loop; without, one that gives the right values by a loop is refused.

    Returns:
        A function that takes the learner's function and raises `Wrong`.
    """

    def examine(answer: Any) -> None:
        if not callable(answer):
            raise Wrong(f"a function is wanted, this is {_kind(answer)}.")
        for arguments in inputs:
            expected = reference(*arguments)
            received = call(answer, arguments)
            if _same(received, expected, tolerance):
                continue
            for mistake, message in mistakes:
                if all(_same(_quiet(answer, each), _quiet(mistake, each), tolerance) for each in inputs):
                    raise Wrong(message)
            raise Wrong(_difference(arguments, received, expected))
        if not loops and _has_loop(getattr(answer, "__code__", None)):
            raise Wrong("the values are right, but a loop makes them. Let a product of matrices or an axis do it.")

    return examine


def call(answer: Callable, arguments: tuple) -> Any:
    """The learner's function on copies of the arguments; what it raises, or a missing answer, becomes `Wrong`."""
    copies = tuple(np.copy(item) if isinstance(item, np.ndarray) else item for item in arguments)
    try:
        received = answer(*copies)
    except Exception as error:  # whatever a learner's code raises is shown to the learner
        raise Wrong(f"your function stopped with {type(error).__name__}: {error}") from None
    parts = received if isinstance(received, tuple) else (received,)
    if any(part is None or part is Ellipsis for part in parts):
        raise Wrong("your function returns nothing yet. Fill in the blank and return the result.")
    return received


def _has_loop(code: CodeType | None) -> bool:
    """Whether there is a `for` in a function's code, or in that of a comprehension in it."""
    if code is None:
        return False
    # Not by jumps back, which the handlers of `try` and `with` take, too, since Python 3.12.
    own = any(each.opname == "FOR_ITER" for each in dis.get_instructions(code))
    return own or any(_has_loop(part) for part in code.co_consts if isinstance(part, CodeType))


def _quiet(function: Callable, arguments: tuple) -> Any:
    try:
        return call(function, arguments)
    except Wrong:
        return None


def _same(received: Any, expected: Any, tolerance: float) -> bool:
    if isinstance(expected, (tuple, list)):
        if isinstance(received, np.ndarray) and received.ndim:
            received = list(received)
        return (
            isinstance(received, (tuple, list))
            and len(received) == len(expected)
            and all(_same(a, b, tolerance) for a, b in zip(received, expected))
        )
    if isinstance(expected, dict):
        return (
            isinstance(received, dict)
            and received.keys() == expected.keys()
            and all(_same(received[key], expected[key], tolerance) for key in expected)
        )
    try:
        a, b = np.asarray(received, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    except (TypeError, ValueError):  # text, or parts of unequal shapes
        return not isinstance(expected, np.ndarray) and type(received) is type(expected) and bool(received == expected)
    return a.shape == b.shape and np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)


def _difference(arguments: tuple, received: Any, expected: Any) -> str:
    shape = shape_of(received)
    if not isinstance(expected, (tuple, list, dict)) and shape != np.shape(expected):
        return (
            f"for {_show(arguments)} the shape should be {np.shape(expected)}, yours is {shape or 'that of a number'}."
        )
    return f"for {_show(arguments)} it should be {_show(expected)}, yours is {_show(received)}."


def shape_of(value: Any) -> tuple[int, ...] | str:
    """NumPy's shape, in words where the parts of a list or tuple have different ones."""
    try:
        return np.shape(value)
    except ValueError:
        return f"{len(value)} parts of different shapes"


def _show(value: Any) -> str:
    if isinstance(value, tuple):
        return "(" + ", ".join(_show(item) for item in value) + ")"
    if isinstance(value, np.ndarray) and value.size > 6:
        return f"an array of shape {value.shape} beginning {np.array2string(value.ravel()[:3], precision=4)}"
    if isinstance(value, (float, np.floating)):
        return f"{value:.6g}"
    if isinstance(value, np.ndarray):
        return np.array2string(value, precision=4).replace("\n", "")
    return repr(value)


def _kind(answer: Any) -> str:
    return "nothing yet" if answer is None or answer is Ellipsis else f"a {type(answer).__name__}"
