"""The exercises: every solution passes, every blank fails, planted wrong answers get the message meant for them.

`tests/course_mistakes/notebook_NN.py` holds, for each exercise, wrong answers as code with a piece of the message.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from crowdcount import course
from crowdcount.course.exercise import Wrong

_MISTAKES = Path(__file__).parent / "course_mistakes"


def _defined(code: str, name: str):
    space = {"np": np}
    exec(code, space)
    return space[name]


def _planted() -> dict[str, list[tuple[str, str]]]:
    planted = {}
    for path in sorted(_MISTAKES.glob("notebook_*.py")):
        spec = importlib.util.spec_from_file_location(f"course_mistakes_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        planted.update(module.MISTAKES)
    return planted


PLANTED = _planted()


@pytest.mark.parametrize("name", course.names())
def test_solution_passes(name, capsys):
    exercise = course.find(name)
    assert course.check(name, _defined(exercise.solution, exercise.answer))
    assert capsys.readouterr().out.startswith(f"Right ({name})")


@pytest.mark.parametrize("name", course.names())
@pytest.mark.parametrize("blank", [None, ..., lambda *_: None, lambda *_: ...])
def test_blank_fails(name, blank, capsys):
    assert not course.check(name, blank)
    assert capsys.readouterr().out.startswith(f"Not yet ({name})")


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [(name, code, message) for name, answers in PLANTED.items() for code, message in answers],
)
def test_planted_mistake_is_recognized(name, code, message):
    exercise = course.find(name)
    with pytest.raises(Wrong) as wrong:
        exercise.examine(_defined(code, exercise.answer))
    assert message in str(wrong.value)


_ODD = [(np.zeros(2), np.zeros((3, 1))), [[1, 2], [3]], "text", {"a": 1}, (1.5,), np.zeros((2, 3, 4)), float("nan")]


@pytest.mark.parametrize("value", _ODD, ids=[type(value).__name__ + str(number) for number, value in enumerate(_ODD)])
@pytest.mark.parametrize("name", course.names())
def test_whatever_is_returned_is_told_without_a_traceback(name, value):
    for answer in (lambda *_, **__: value, value):
        with pytest.raises(Wrong):
            course.find(name).examine(answer)


def test_what_is_no_loop_may_jump():
    """Since Python 3.12 `with` and `try` have jumps back in their code."""

    def forward(w, b, X):
        try:
            with np.errstate(over="ignore"):
                Z = w.T @ X
        except ValueError:
            Z = np.zeros((1, X.shape[1]))
        return Z + b

    course.find("03.forward").examine(forward)


def test_an_array_of_the_right_numbers_is_as_good_as_a_tuple():
    course.find("02.graph").examine(lambda a, b, c: np.array([3, 3 * c, 3 * b]))
    with pytest.raises(Wrong):
        course.find("02.graph").examine(lambda a, b, c: np.array([3, 3 * b, 3 * c]))
    with pytest.raises(Wrong):
        course.find("02.graph").examine(lambda a, b, c: np.array(3.0))


def test_each_exercise_has_two_planted_mistakes():
    assert set(PLANTED) == set(course.names())
    assert min(len(answers) for answers in PLANTED.values()) >= 2


def test_hints_and_solutions_are_printed(capsys):
    name = course.names()[0]
    course.hint(name)
    course.solution(name)
    shown = capsys.readouterr().out
    assert course.find(name).hint in shown and course.find(name).solution in shown


def test_unknown_exercise_names_its_neighbors():
    name = course.names()[0]
    with pytest.raises(KeyError, match=name):
        course.find(f"{name[:2]}.nothing")
