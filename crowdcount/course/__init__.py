"""The notebooks' exercises: `check` an answer, ask for a `hint`, see the `solution`.

    >>> from crowdcount import course
    >>> course.names()[:1]  # doctest: +SKIP
    ['01.line']

An exercise that is still blank, or answered wrongly, prints what is missing and lets the notebook go on.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from crowdcount.course.exercise import Exercise, Wrong

__all__ = ["check", "find", "hint", "names", "solution"]


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
    return True


def hint(name: str) -> None:
    """Print a hint that does not give the answer away."""
    print(find(name).hint)


def solution(name: str) -> None:
    """Print a solution, as code to read or to copy."""
    print(find(name).solution)


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
        near = [other for other in exercises if other[:2] == name[:2]] or list(exercises)
        raise KeyError(f"There is no exercise {name!r}. There are: {', '.join(near)}")
    return exercises[name]


def _exercises() -> dict[str, Exercise]:
    """Every module `notebook_NN` of this package lists the exercises of one notebook in `EXERCISES`."""
    modules = sorted(module.name for module in iter_modules(__path__) if module.name.startswith("notebook_"))
    listed = [exercise for name in modules for exercise in import_module(f"{__name__}.{name}").EXERCISES]
    return {exercise.name: exercise for exercise in listed}
