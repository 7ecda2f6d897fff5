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


@pytest.mark.parametrize("shown", ["Z", "Z.shape, w, X", "f'{w=} {X} {Z!r}'", "'Z ' + str(Z)", "np.array2string(X)"])
def test_a_print_that_was_left_in_is_no_loop(shown):
    """NumPy takes more lines of Python to print a larger array."""
    answer = _defined(f"def forward(w, b, X):\n    Z = w.T @ X + b\n    print({shown})\n    return Z", "forward")
    course.find("03.forward").examine(answer)


def test_places_are_whole_numbers():
    nine = course.use("11.nine", None)
    with pytest.raises(Wrong, match="they are floats"):
        course.find("11.nine").examine(lambda *given: nine(*given).astype(float))


def test_an_array_of_the_right_numbers_is_as_good_as_a_tuple():
    course.find("02.graph").examine(lambda a, b, c: np.array([3, 3 * c, 3 * b]))
    with pytest.raises(Wrong):
        course.find("02.graph").examine(lambda a, b, c: np.array([3, 3 * b, 3 * c]))
    with pytest.raises(Wrong):
        course.find("02.graph").examine(lambda a, b, c: np.array(3.0))


@pytest.mark.parametrize("wrap", [list, np.array])
def test_a_size_that_is_compared_with_shapes_is_a_tuple(wrap):
    map_size = course.use("07.map_size", None)
    with pytest.raises(Wrong, match="the numbers are right, but in an? (list|array)"):
        course.find("07.map_size").examine(lambda *given: wrap(map_size(*given)))


def test_a_tensor_is_told_to_be_no_array():
    """Keras's layers give tensors: the notebook stopped some cells later, where one has no `ravel`."""
    import keras

    with pytest.raises(Wrong, match=r"the numbers are right, but in an? \w*Tensor. An array is wanted: np.array"):
        course.find("06.max_pool").examine(lambda x, size: keras.layers.MaxPooling2D(size)(x[None])[0])


def test_numbers_of_numpy_are_shown_plainly():
    suppress = course.use("09.suppress", None)
    with pytest.raises(Wrong, match=r"the result\[0\] should be \d+, yours is \d+\.$"):
        course.find("09.suppress").examine(lambda *given: suppress(*given)[::-1])


def test_an_error_is_told_with_its_line():
    def forward(w, b, X):
        Z = w.T @ X
        return np.add(Z, np.zeros(X.shape[1] + 1))

    with pytest.raises(
        Wrong, match=r"stopped with ValueError: .*\(in the line `return np.add\(Z, np.zeros\(X.shape\[1\]"
    ):
        course.find("03.forward").examine(forward)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("02.cost", lambda cost: np.array([[cost]]), r"yours is \(1, 1\). The value is right: .item\(\)"),
        ("02.cost", lambda cost: np.array([[2 * cost]]), r"that of a number, yours is \(1, 1\).$"),
        ("00.error", lambda error: np.array([error, error]), r"One number is wanted: is a sum or a mean missing"),
        ("10.mirror", lambda points: points.T, r"rows and columns are exchanged: .T$"),
        (
            "01.network",
            lambda answers: answers[:, None],
            r"yours is \(5, 1\). The values are right, only the shape is not",
        ),
        ("01.network", lambda answers: 2 * answers[:, None], r"yours is \(5, 1\).$"),
    ],
)
def test_of_another_shape_is_told_what_is_right(name, change, message):
    right = course.use(name, None)
    with pytest.raises(Wrong, match=message):
        course.find(name).examine(lambda *given: change(right(*given)))


def _last_off(result):
    result = np.array(result, dtype=float)
    result.flat[-1] += 1
    return result


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        # The first numbers are the same on both sides: the message shows the first that is not, and where it stands.
        ("06.correlate", _last_off, r"1 of the \d+ numbers differ. The first is at \[\d+, \d+\]: it should be "),
        ("11.nine", _last_off, r"1 of the 18 numbers differ. The first is at \[8, 1\]"),
        (
            "05.block_forward",
            lambda r: (r[0], (r[1][0], _last_off(r[1][1]), r[1][2])),
            r"numbers of the result\[1\]\[1\]",
        ),
        (
            "04.backward",
            lambda r: (*r[:3], r[3][:, 0]),
            r"shape of the result\[3\] should be \(1, 1\), yours is \(1,\)",
        ),
        ("02.graph", lambda r: (*r[:2], r[2] + 1), r"the result\[2\] should be "),
        ("04.backward", lambda r: r[:3], "should return 4 values, separated by commas. Yours returns 3"),
        ("02.gradients", lambda r: r[1], "should return 2 values, separated by commas. Yours returns one, a float"),
    ],
)
def test_the_message_shows_the_first_difference(name, change, message):
    exercise = course.find(name)
    right = course.use(name, None)
    with pytest.raises(Wrong, match=message):
        exercise.examine(lambda *given: change(right(*given)))


def test_a_function_that_changes_its_arguments_is_refused():
    def gradient(cost, theta, step):
        slopes = np.zeros(len(theta))
        for i in range(len(theta)):
            theta[i] += step
            above = cost(theta)
            theta[i] -= 2 * step
            slopes[i] = (above - cost(theta)) / (2 * step)
            theta[i] += step
        theta += 1
        return slopes

    with pytest.raises(Wrong, match="changes `theta`"):
        course.find("05.numerical_gradient").examine(gradient)


@pytest.mark.parametrize("answer", ["transformer", "Transformer", "RNN", "recurrent"])
def test_other_names_for_the_right_network(answer):
    which = {name: answer if kind == "RNN" else kind for name, kind in course.use("01.which", None).items()}
    course.find("01.which").examine(which)


def test_capital_letters_are_no_mistake():
    kinds = {name: kind.capitalize() + " " for name, kind in course.use("05.kinds", None).items()}
    course.find("05.kinds").examine(kinds)


def test_each_exercise_has_two_planted_mistakes():
    assert set(PLANTED) == set(course.names())
    assert min(len(answers) for answers in PLANTED.values()) >= 2


def test_unknown_exercise_names_its_neighbors():
    name = course.names()[0]
    with pytest.raises(KeyError, match=name):
        course.find(f"{name[:2]}.nothing")
    for other in (None, 0):
        with pytest.raises(KeyError, match=f"no exercise {other}"):
            course.hint(other)
