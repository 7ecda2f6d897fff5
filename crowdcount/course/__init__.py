"""The notebooks' exercises: `check` an answer, `use` it, ask for a `hint`, see the `solution` and your `progress`.

    >>> from crowdcount import course
    >>> course.names()[:1]
    ['00.extrapolate']

An exercise that is still blank, or answered wrongly, prints what is missing and lets the notebook go on.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from dis import get_instructions
from importlib import import_module
from inspect import getsource, isfunction, ismodule
from math import isfinite
from pkgutil import iter_modules
from textwrap import dedent
from types import CodeType
from typing import Any

from crowdcount.course import passed as _passed
from crowdcount.course.exercise import Exercise, Wrong, defined

__all__ = ["check", "find", "hint", "names", "progress", "solution", "use"]

WITHHELD_VARIABLE = "CROWDCOUNT_NO_SOLUTIONS"
"""Environment variable that withholds `solution`, for classes: set to anything but nothing or 0."""

_KEPT = object()
_asked: Counter[str] = Counter()


def check(name: str, answer: object) -> bool:
    """Try an answer on several random inputs and print what came out of it.

    Args:
        name: the exercise, such as `"02.sigmoid"`.
        answer: what the exercise asks for: mostly a function, sometimes a value.

    Returns:
        Whether the answer is right.

    Raises:
        KeyError: for an exercise that does not exist.
    """
    exercise = find(name)
    try:
        exercise.examine(answer)
    except Wrong as wrong:
        print(f"Not yet ({name}): {wrong}")
        return False
    print(f"Right ({name}): {exercise.praise}")
    _passed.keep(name, _code(answer))
    return True


def use(name: str, answer: Any = _KEPT) -> Any:
    """What a notebook goes on with: the learner's answer where it is right, else the reference; says which in one line.

    Args:
        name: the exercise, such as `"04.forward"`.
        answer: the learner's. Left out: the one that passed in an earlier notebook, kept over restarts.

    Returns:
        The answer, or the reference of the same kind: what `solution` shows.

    Raises:
        KeyError: for an exercise that does not exist.

    Example:
        >>> from crowdcount import course
        >>> course.use("06.output_size", lambda n, f, p, s: n)(7, 3, 0, 2)
        06.output_size: from here on the reference (yours is blank or not right yet).
        3
    """
    exercise = find(name)
    own = _recalled(exercise) if answer is _KEPT else answer
    try:
        exercise.examine(own)
    except Wrong as wrong:
        if answer is not _KEPT:
            why = "yours is blank or not right yet"
        elif own is None:
            why = f"none of yours is kept from notebook {name.split('.')[0]}"
        else:
            why = f"yours, as it is kept from notebook {name.split('.')[0]}, does not pass: {wrong}"
        print(f"{name}: from here on the reference ({why}).")
        return defined(exercise.solution, exercise.answer)
    print(f"{name}: from here on yours.")
    _passed.keep(name, _code(own))
    return own


def progress() -> None:
    """Print which exercises are passed, over restarts, notebook by notebook."""
    passed = _passed.kept()
    every = names()
    done = [name for name in every if name in passed]
    if not done:
        print("No exercise passed yet.")
        return
    print(f"{len(done)} of {len(every)} exercises passed.")
    for notebook in dict.fromkeys(name.split(".")[0] for name in done):
        of_it = [name for name in every if name.split(".")[0] == notebook]
        print(f"{notebook}: " + ", ".join(f"{'✓' if name in passed else '·'} {name.split('.')[1]}" for name in of_it))


def hint(name: str) -> None:
    """Print a hint that does not give the answer away; called again for the same exercise, one that says more."""
    exercise = find(name)
    _asked[name] += 1
    print(exercise.hint if _asked[name] == 1 else exercise.more)
    if _asked[name] > 2:
        shown = "" if _withheld() else f' course.solution("{name}") shows one way.'
        print(f"There is no further hint.{shown}")


def solution(name: str) -> None:
    """Print a solution, as code to read or to copy; not where a class withholds them (`CROWDCOUNT_NO_SOLUTIONS`)."""
    exercise = find(name)
    if _withheld():
        print(f'Solutions are withheld here ({WITHHELD_VARIABLE} is set). course.hint("{name}") helps on.')
    else:
        print(exercise.solution)


def _withheld() -> bool:
    return os.environ.get(WITHHELD_VARIABLE, "0") not in ("", "0")


def names() -> list[str]:
    """Names of all exercises, in the order of the notebooks."""
    return list(_exercises())


def find(name: str) -> Exercise:
    """The exercise of this name.

    Raises:
        KeyError: where there is none; names those of the same notebook.
    """
    exercises = _exercises()
    if name not in exercises:
        near = [other for other in exercises if other[:2] == str(name)[:2]] or list(exercises)
        raise KeyError(f"There is no exercise {name!r}. There are: {', '.join(near)}")
    return exercises[name]


def _exercises() -> dict[str, Exercise]:
    """Every module `notebook_NN` of this package lists the exercises of one notebook in `EXERCISES`."""
    modules = sorted(module.name for module in iter_modules(__path__) if module.name.startswith("notebook_"))
    listed = [exercise for name in modules for exercise in import_module(f"{__name__}.{name}").EXERCISES]
    return {exercise.name: exercise for exercise in listed}


def _code(answer: Any, users: tuple = ()) -> str:
    """The code of a function that a learner wrote in a cell, behind what it takes from other lines and cells.

    That is modules, functions of libraries, functions of the learner's own, and numbers. "" for what is no such
    function.

    Args:
        answer: the function.
        users: the functions that it is needed for: theirs is not repeated.
    """
    try:
        own = dedent(getsource(answer))
    except (OSError, TypeError):  # typed into something that keeps no source, or no function at all
        return ""
    around = getattr(answer, "__globals__", {})
    needed = []
    for name in sorted(_names(getattr(answer, "__code__", None))):
        value = around.get(name)
        if isfunction(value) and value.__globals__ is around:
            needed.append("" if value in (answer, *users) else _code(value, (answer, *users)))
        elif value is not None:
            needed.append(_line(name, value))
    return "".join(f"{code.rstrip()}\n\n\n" for code in needed if code) + own


def _names(code: CodeType | None) -> set[str]:
    """The global names that a function uses, and those of the functions within it."""
    if code is None:
        return set()
    own = {each.argval for each in get_instructions(code) if each.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return own.union(*(_names(each) for each in code.co_consts if isinstance(each, CodeType)))


def _line(name: str, value: Any) -> str:
    """The line that gives `value` its name again; "" where none does."""
    if isinstance(value, (int, str)) or (isinstance(value, float) and isfinite(value)):
        return f"{name} = {value!r}"
    if ismodule(value):
        return "" if (name, value.__name__) == ("np", "numpy") else f"import {value.__name__} as {name}"  # np is there
    original = getattr(value, "__name__", None)
    for module in (getattr(value, "__module__", None), "numpy", "scipy.special"):  # NumPy's own kind has no __module__
        if original and module and getattr(sys.modules.get(module), original, None) is value:
            return f"from {module} import {original} as {name}"
    return ""


def _recalled(exercise: Exercise) -> Any:
    """The function kept from an earlier notebook; None where there is none, or none that can be defined.

    It may call what passed beside it, as `gradients` of notebook 02 calls `sigmoid` where a learner wrote it so.
    """
    kept = _passed.kept()
    own = kept.get(exercise.name, "")
    notebook = exercise.name.split(".")[0]
    beside = [find(name) for name in names() if name != exercise.name and name.split(".")[0] == notebook]
    codes = [kept[each.name] for each in beside if _defined(kept.get(each.name, ""), each.answer) is not None]
    return _defined("\n\n".join([*codes, own]), exercise.answer) if own else None


def _defined(code: str, name: str) -> Any:
    """What a learner's code defines under a name; None for code that does not run, or defines it not."""
    try:
        return defined(code, name)
    except Exception:  # whatever a learner's code raises: the reference goes on
        return None
