"""What an exercise is, and how answers are examined."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from inspect import signature
from traceback import extract_tb
from types import FrameType
from typing import Any
from unittest import mock

import numpy as np

_CHANGEABLE = (np.ndarray, list, dict, set, tuple)  # a tuple, too, may hold an array, as the caches of notebook 05 do


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
    exec(compile(code, "<exercise>", "exec"), space)  # Python 3.13 shows another source for what has no name
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
        loops: whether an answer may loop; without, one that gives the right values by a loop is refused. It takes
            more lines of Python for larger arrays, so the inputs must differ in every size that can be looped over.

    Returns:
        A function that takes the learner's function and raises `Wrong`.
    """

    def examine(answer: Any) -> None:
        if not callable(answer):
            raise Wrong(f"a function is wanted, this is {_kind(answer)}.")
        results = []
        for arguments in inputs:
            expected = reference(*arguments)
            received = call(answer, arguments)
            if _same(received, expected, tolerance):
                results.append((received, expected))
                continue
            for mistake, message in mistakes:
                if all(_same(_quiet(answer, each), _quiet(mistake, each), tolerance) for each in inputs):
                    raise Wrong(message)
            raise Wrong(_difference(arguments, received, expected, tolerance))
        for received, expected in results:
            _refuse_other_kinds(received, expected)
        for arguments in inputs:
            _refuse_changes(answer, arguments)
        if not loops and _loops(answer, inputs):
            raise Wrong("the values are right, but a loop makes them. Let a product of matrices or an axis do it.")

    return examine


def call(answer: Callable, arguments: tuple) -> Any:
    """The learner's function on copies of the arguments; what it raises, or a missing answer, becomes `Wrong`."""
    try:
        received = answer(*_copies(arguments))
    except Exception as error:  # whatever a learner's code raises is shown to the learner
        raise Wrong(f"your function stopped with {type(error).__name__}: {error}{_where(answer, error)}") from None
    parts = received if isinstance(received, tuple) else (received,)
    if any(part is None or part is Ellipsis for part in parts):
        raise Wrong("your function returns nothing yet. Fill in the blank and return the result.")
    return received


def _where(answer: Callable, error: Exception) -> str:
    """The line of the learner's cell at which it stopped, as the traceback would have shown it."""
    file = getattr(getattr(answer, "__code__", None), "co_filename", None)
    lines = [frame.line for frame in extract_tb(error.__traceback__) if frame.filename == file]
    return f" (in the line `{lines[-1]}`)" if lines and lines[-1] else ""


def _copies(arguments: tuple) -> tuple:
    return tuple(deepcopy(item) if isinstance(item, _CHANGEABLE) else item for item in arguments)


def _refuse_other_kinds(received: Any, expected: Any) -> None:
    """Right numbers of a kind with which the notebook's next cells stop, or go on wrongly without a word."""
    if isinstance(expected, np.ndarray):
        if not isinstance(received, np.ndarray) and expected.ndim:  # a list, or a tensor of Keras
            raise Wrong(
                f"the numbers are right, but in {_kind(received)}. An array is wanted: np.array(...) around it makes "
                "one."
            )
        if expected.dtype.kind in "iu" and np.asarray(received).dtype.kind == "f":
            raise Wrong(
                "the values are right, but they are floats, and NumPy wants whole numbers for sizes and places: "
                "`.astype(int)`."
            )
        if expected.dtype == bool and np.asarray(received).dtype != bool:
            raise Wrong(
                "these are masks of 0 and 1, and as an index those mean places 0 and 1. True and False are wanted: "
                "`.astype(bool)`."
            )
    elif isinstance(expected, dict):
        for key in expected:
            _refuse_other_kinds(received[key], expected[key])
    elif isinstance(expected, (tuple, list)):
        for one, other in zip(received, expected, strict=True):
            _refuse_other_kinds(one, other)
    elif isinstance(expected, (int, np.integer)) and np.asarray(received).dtype.kind == "f":
        raise Wrong(
            f"the value is right, but {float(received)!r} is a float, and NumPy wants whole numbers for sizes and "
            "places. // divides without a fraction; int(...) makes a whole number."
        )


def _refuse_changes(answer: Callable, arguments: tuple) -> None:
    """A right answer that writes into what it was given would spoil the notebook that goes on with it."""
    given = _copies(arguments)
    answer(*given)
    for place, (before, after) in enumerate(zip(arguments, given, strict=True)):
        if isinstance(before, _CHANGEABLE) and not _same(after, before, 0):
            named = _parameters(answer)
            name = f"`{named[place]}`" if place < len(named) else f"argument {place + 1}"
            raise Wrong(
                f"the values are right, but your function changes {name}, which it was given and which others still "
                "use. Make a new one: `x = x - step`, not `x -= step`; `x.copy()` before you write into it."
            )


def _parameters(answer: Callable) -> list[str]:
    try:
        return list(signature(answer).parameters)
    except (TypeError, ValueError):  # some functions of NumPy tell nothing
        return []


def _loops(answer: Callable, inputs: Sequence[tuple]) -> bool:
    """Whether larger arrays take more lines of Python, in the function or in what it calls, or `map` is in it.

    That is what a loop is, whatever it is written with: `for`, `while`, a comprehension, recursion, `np.vectorize`,
    `np.apply_along_axis`. Only `map` of a function that is not Python's shows no lines.
    """
    if "map" in getattr(getattr(answer, "__code__", None), "co_names", ()):
        return True
    taken = [_lines(answer, _copies(arguments)) for arguments in inputs]
    return max(taken) > min(taken)


def _lines(function: Callable, arguments: tuple) -> int:
    """Lines of Python that a call runs."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Callable | None:
        nonlocal count
        # NumPy needs more lines of Python to print a larger array, in a print or an f-string that was left in: no loop.
        if frame.f_code.co_filename.endswith("arrayprint.py"):
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    with mock.patch("builtins.print", lambda *_, **__: None):
        sys.settrace(trace)
        try:
            function(*arguments)
        finally:
            sys.settrace(before)
    return count


def _quiet(function: Callable, arguments: tuple) -> Any:
    try:
        with np.errstate(all="ignore"):  # learners see the warnings of their own answers, not those of known mistakes
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
            and all(_same(a, b, tolerance) for a, b in zip(received, expected, strict=True))
        )
    if isinstance(expected, dict):
        return (
            isinstance(received, dict)
            and received.keys() == expected.keys()
            and all(_same(received[key], expected[key], tolerance) for key in expected)
        )
    a, b = _numbers(received), _numbers(expected)
    if a is None or b is None:
        return not isinstance(expected, np.ndarray) and type(received) is type(expected) and bool(received == expected)
    return a.shape == b.shape and np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)


def _numbers(value: Any) -> np.ndarray | None:
    """As an array of numbers; None for text, and for parts of unequal shapes."""
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return None


def _difference(arguments: tuple, received: Any, expected: Any, tolerance: float) -> str:
    """What to say of a wrong result: the first place where it differs, with its index, not just how both begin."""
    if isinstance(expected, tuple) and _parts(received) != len(expected):
        yours = f"{len(received)}" if isinstance(received, (tuple, list)) else f"one, {_kind(received)}"
        return f"your function should return {len(expected)} values, separated by commas. Yours returns {yours}."
    where, received, expected = _first_part(received, expected, tolerance)
    result = f"the result{where}" if where else "it"
    about = f"for {_show(arguments)}"
    a, b = _numbers(received), _numbers(expected)
    if a is None or b is None:
        return f"{about} {result} should be {_show(expected)}, yours is {_show(received)}."
    if a.shape != b.shape:
        wanted, given = (str(each.shape) if each.shape else "that of a number" for each in (b, a))
        shape = f"the shape{f' of {result}' if where else ''} should be {wanted}, yours is {given}."
        return f"{about} {shape}{_of_other_shape(a, b, tolerance)}"
    differs = ~np.isclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)
    if a.size <= 6 or differs.sum() == 0:
        return f"{about} {result} should be {_show(expected)}, yours is {_show(received)}."
    first = tuple(int(axis) for axis in np.argwhere(differs)[0])
    return (
        f"{about} {differs.sum()} of the {a.size} numbers{f' of {result}' if where else ''} differ. The first is at "
        f"[{', '.join(map(str, first))}]: it should be {_one(b[first])}, yours is {_one(a[first])}."
    )


def _of_other_shape(received: np.ndarray, expected: np.ndarray, tolerance: float) -> str:
    """What else can be said of an array that has not the shape which it should have."""

    def right(values: np.ndarray) -> bool:
        return values.size == expected.size and _same(values.ravel(), expected.ravel(), tolerance)

    if not expected.shape and received.size != 1:
        return " One number is wanted: is a sum or a mean missing, or an axis too much?"
    if not expected.shape:
        return " The value is right: .item() behind the array takes it out." if right(received) else ""
    if received.T.shape == expected.shape and right(received.T):
        return " The values are right, but rows and columns are exchanged: .T"
    return " The values are right, only the shape is not." if right(received) else ""


def _parts(value: Any) -> int:
    """How many values a function returned: those of a tuple or list, or of an array that stands for one."""
    return len(value) if isinstance(value, (tuple, list)) or (isinstance(value, np.ndarray) and value.ndim) else 1


def _first_part(received: Any, expected: Any, tolerance: float, where: str = "") -> tuple[str, Any, Any]:
    """Where in a tuple, list or dict the first part that differs is, and both of it."""
    if isinstance(expected, (tuple, list)) and isinstance(received, np.ndarray) and received.ndim:
        received = list(received)
    if isinstance(expected, dict) and isinstance(received, dict) and received.keys() == expected.keys():
        keys: Sequence = list(expected)
    elif isinstance(expected, (tuple, list)) and isinstance(received, (tuple, list)) and len(received) == len(expected):
        keys = range(len(expected))
    else:
        return where, received, expected
    for key in keys:
        if not _same(received[key], expected[key], tolerance):
            return _first_part(received[key], expected[key], tolerance, f"{where}[{key!r}]")
    return where, received, expected


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
        return _one(value)
    if isinstance(value, np.generic):
        return repr(value.item())  # 3, not np.int64(3)
    if isinstance(value, np.ndarray):
        return np.array2string(value, precision=4).replace("\n", "")
    return repr(value)


def _one(value: Any) -> str:
    return f"{value:.6g}"


def _kind(answer: Any) -> str:
    if answer is None or answer is Ellipsis:
        return "nothing yet"
    name = type(answer).__name__
    return f"{'an' if name[0] in 'aeiou' or name == 'ndarray' else 'a'} {name}"
