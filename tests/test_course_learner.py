"""What the learner writes is used where it is right; what is passed is kept over restarts."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot

from crowdcount import course
from crowdcount.course import look, notebook_01

_RIGHT = "def mean_absolute_error(predicted, truth):\n    return np.abs(np.ravel(predicted) - np.ravel(truth)).mean()\n"


def test_a_right_answer_is_used(capsys):
    def mine(p, t):
        return np.mean(np.abs(np.reshape(p, -1) - np.reshape(t, -1)))

    assert course.use("03.mae", mine) is mine
    assert capsys.readouterr().out == "03.mae: from here on yours.\n"


@pytest.mark.parametrize("wrong", [None, ..., lambda p, t: ..., lambda p, t: 0.0, lambda p, t: 1 / 0])
def test_a_wrong_answer_gives_way_to_the_reference_in_one_line(wrong, capsys):
    used = course.use("03.mae", wrong)
    assert used is not wrong
    assert used(np.array([[3.0], [5]]), np.array([4.0, 7])) == 1.5
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "from here on the reference" in said


@pytest.mark.parametrize("name", course.names())
def test_the_reference_is_right(name, capsys):
    assert course.check(name, course.use(name, None))


def test_progress_is_kept_over_restarts(capsys, progress_of_nobody):
    course.progress()
    course.check("03.mae", lambda p, t: 0.0)
    assert not progress_of_nobody.exists()
    course.check("03.mae", lambda p, t: np.abs(np.ravel(p) - np.ravel(t)).mean())
    course.check("05.kinds", course.use("05.kinds", None))
    assert set(json.loads(progress_of_nobody.read_text())) == {"03.mae", "05.kinds"}
    capsys.readouterr()
    course.progress()
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"2 of {len(course.names())} ")
    assert said[1] == "03: · forward, · backward, · shares, ✓ mae"
    assert said[2].startswith("05: ") and "✓ kinds" in said[2] and len(said) == 3


def test_a_function_of_an_earlier_notebook_is_used_again(capsys, progress_of_nobody, tmp_path, monkeypatch):
    """Its code is kept when it passes: here from a module, which has a source as a cell has."""
    (tmp_path / "cell.py").write_text("import numpy as np\n\n\n" + _RIGHT)
    monkeypatch.syspath_prepend(tmp_path)
    import cell

    course.use("03.mae", cell.mean_absolute_error)
    assert json.loads(progress_of_nobody.read_text()) == {"03.mae": _RIGHT}
    again = course.use("03.mae")
    assert again is not cell.mean_absolute_error and again([[1.0], [2.0]], [2.0, 4.0]) == 1.5
    course.check("03.mae", again)  # passing again does not lose the code
    assert json.loads(progress_of_nobody.read_text()) == {"03.mae": _RIGHT}
    assert capsys.readouterr().out.count("from here on yours") == 2


_SIGMOID = "def sigmoid(z):\n    return 1 / (1 + np.exp(-z))\n"
_WITH_IT = """def gradients(w, b, X, Y):
    dZ = sigmoid(w.T @ X + b) - Y
    return X @ dZ.T / X.shape[1], dZ.mean()
"""


@pytest.mark.parametrize("beside", [{"02.sigmoid": _SIGMOID}, {"02.sigmoid": _SIGMOID, "02.graph": "check(graph)"}])
def test_a_kept_function_may_call_one_that_passed_beside_it(beside, capsys, progress_of_nobody):
    """In notebook 02 the learner's `sigmoid` stands above: `gradients` may use it, and is used in notebook 03."""
    progress_of_nobody.write_text(json.dumps({"02.gradients": _WITH_IT} | beside))
    course.use("02.gradients")
    assert capsys.readouterr().out == "02.gradients: from here on yours.\n"


_CELLS = """
import math
from math import sqrt as root
import numpy as np
import numpy
from scipy.special import ndtr, expit
from scipy.signal import correlate2d
from crowdcount import course

FACTOR = 2
mean = float("inf")  # of the same name as a method that is called, and not kept

def twice(x):
    return FACTOR * helper(x)

def helper(x):
    return root(x) ** 2 if x > 0 else -helper(-x)

def pool(density, stride):
    rows, columns = (math.ceil(side / stride) for side in density.shape)
    total = lambda block: twice(numpy.sum(block)) / 2
    part = lambda i, j: density[i * stride : (i + 1) * stride, j * stride : (j + 1) * stride]
    return np.array([[total(part(i, j)) for j in range(columns)] for i in range(rows)])

def profile(position, sigma, length):
    mass = np.diff(ndtr((np.arange(length + 1) - position) / sigma))
    return mass / (mass.mean() * length)

def sigmoid(z):
    return expit(z)

def dilate(x, w, rate):
    wide = np.zeros([rate * (len(w) - 1) + 1] * 2)
    wide[::rate, ::rate] = w
    return correlate2d(x, wide, "valid")

pool = course.use("10.pool", pool)
profile = course.use("10.profile", profile)
sigmoid = course.use("02.sigmoid", sigmoid)
dilate = course.use("08.dilate", dilate)
"""


def test_a_kept_function_keeps_what_it_takes_from_other_cells(capsys, progress_of_nobody, tmp_path, monkeypatch):
    """Imports and helpers beside it: it was refused in the next notebook, since `math` was not defined there."""
    (tmp_path / "learners_cells.py").write_text(_CELLS)
    monkeypatch.syspath_prepend(tmp_path)
    import learners_cells  # noqa: F401

    for name in ("10.pool", "10.profile", "02.sigmoid", "08.dilate"):
        course.use(name)
    assert capsys.readouterr().out.count(": from here on yours.\n") == 8
    assert "mean =" not in progress_of_nobody.read_text()
    np.testing.assert_allclose(course.use("10.pool")(np.ones((9, 17)), 8), [[64, 64, 8], [8, 8, 1]])


def test_a_kept_function_that_needs_what_is_not_kept_is_told(capsys, progress_of_nobody):
    progress_of_nobody.write_text(json.dumps({"02.gradients": _WITH_IT}))
    course.use("02.gradients")
    said = capsys.readouterr().out
    assert said.startswith("02.gradients: from here on the reference (yours, as it is kept from notebook 02, ")
    assert "name 'sigmoid' is not defined" in said and "blank" not in said and said.count("\n") == 1


@pytest.mark.parametrize("code", ["", "def other(): pass", "syntax error", "def mean_absolute_error(p, t): return 0"])
def test_what_was_kept_and_does_not_pass_gives_way(code, capsys, progress_of_nobody):
    progress_of_nobody.write_text(json.dumps({"03.mae": code}))
    assert course.use("03.mae")([1.0], [3.0]) == 2
    assert "from here on the reference" in capsys.readouterr().out


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"03.mae": 3}', '"03.mae"', "\udcff"])
def test_a_broken_file_never_fails_a_notebook(broken, capsys, progress_of_nobody):
    progress_of_nobody.write_bytes(broken.encode("utf-8", "surrogateescape"))
    course.progress()
    assert capsys.readouterr().out == "No exercise passed yet.\n"
    assert course.check("05.kinds", course.use("05.kinds", None))
    course.progress()
    assert "✓ kinds" in capsys.readouterr().out


def test_a_place_that_cannot_be_written_never_fails_a_notebook(capsys, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CROWDCOUNT_PROGRESS", str(tmp_path / "file" / "course.json"))
    assert course.check("05.kinds", course.use("05.kinds", None))
    assert "cannot be kept" in capsys.readouterr().out
    course.progress()


def test_hint_called_again_says_more(capsys):
    for name in course.names():
        said = []
        for _ in range(3):
            course.hint(name)
            said.append(capsys.readouterr().out)
        exercise = course.find(name)
        assert said[0] == exercise.hint + "\n" and said[1] == exercise.more + "\n" and said[0] != said[1]
        assert said[2].startswith(said[1]) and "course.solution" in said[2]


def test_a_hint_is_not_the_solution():
    for name in course.names():
        exercise = course.find(name)
        body = [line.strip() for line in exercise.solution.splitlines()[1:]]
        statements = [line.removeprefix("return ") for line in body if "=" in line or line.startswith("return ")]
        for text in (exercise.hint, exercise.more):
            given = [line for line in statements if len(line) > 12 and line in text]
            assert len(given) < max(1, len(statements) / 2), (name, given)


@pytest.mark.parametrize("value", ["1", "yes"])
def test_solutions_can_be_withheld(value, capsys, monkeypatch):
    monkeypatch.setenv("CROWDCOUNT_NO_SOLUTIONS", value)
    course.solution("03.mae")
    said = capsys.readouterr().out
    assert "return" not in said and "CROWDCOUNT_NO_SOLUTIONS" in said
    for _ in range(3):
        course.hint("02.sigmoid")
    assert capsys.readouterr().out.rstrip().endswith("There is no further hint.")  # none that is withheld
    monkeypatch.setenv("CROWDCOUNT_NO_SOLUTIONS", "0")
    course.solution("03.mae")
    assert "return" in capsys.readouterr().out


def _run_with(function, *, until, number="03"):
    """A notebook as far as `until`, with a learner's function in place of the blank one; what its cells define."""
    nbformat = pytest.importorskip("nbformat", reason="the notebooks need pip install '.[test]'")
    pytest.importorskip("IPython", reason="the notebooks need pip install '.[test]'")
    (path,) = (Path(__file__).resolve().parents[1] / "notebooks").glob(f"{number}_*.ipynb")
    blank = re.search(r"def \w+\(", function)[0]
    space = {}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        source = cell.source
        if blank in source and "course.check(" in source:
            source = function + "\n\n" + source[source.index("course.check(") :]
        exec(source, space)
        if until in source:
            return space
    raise AssertionError(f"no cell holds {until}")


def test_what_a_learner_wrote_is_what_trains(capsys):
    own = """
called = []
def forward(w, b, X):
    called.append(X.shape)
    return np.einsum("io,im->om", w, X) + b
"""
    space = _run_with(own, until="costs.append")
    assert "03.forward: from here on yours." in capsys.readouterr().out
    assert space["called"].count(space["X"].shape) >= 300 and space["costs"][-1] < space["costs"][0] / 1.1


def test_a_notebook_goes_on_without_a_learners_mistake(capsys):
    wrong = """
called = []
def forward(w, b, X):
    called.append(X.shape)
    return w.T @ X
"""
    space = _run_with(wrong, until="costs.append")
    said = capsys.readouterr().out
    assert "03.forward: from here on the reference" in said and "the bias b is missing" in said
    assert space["X"].shape not in space["called"] and space["costs"][-1] < space["costs"][0] / 1.1


def test_a_loop_goes_on_as_an_axis_does(capsys):
    """The estimates of notebook 00 lie in rows and columns: a loop over them would have given a number a column."""
    own = """
def mean_error(estimates, truth):
    total = 0
    for estimate in estimates:
        total += abs(estimate - truth)
    return total / len(estimates) / truth
"""
    space = _run_with(own, until="error = mean_error(", number="00")
    assert "00.error: from here on yours." in capsys.readouterr().out
    assert np.ndim(space["error"]) == 0 and space["error"] == pytest.approx(1.06, abs=0.005)


@pytest.mark.parametrize("scaled", [".astype(np.float32) / 255", " * (1 / 255)"])
def test_columns_that_differ_in_the_last_digit_go_on(scaled, capsys):
    own = f"def flatten(pictures):\n    return pictures.reshape(len(pictures), -1).T{scaled}\n"
    _run_with(own, until="flatten(patches)", number="02")
    assert "02.flatten: from here on yours." in capsys.readouterr().out


def test_a_slope_that_asks_for_the_shape_goes_on():
    """The check gives arrays: so does the notebook, which asked for single numbers. Its cell alone is run."""
    nbformat = pytest.importorskip("nbformat", reason="the notebooks need pip install '.[test]'")
    (path,) = (Path(__file__).resolve().parents[1] / "notebooks").glob("01_*.ipynb")
    sources = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    own = """
def sigmoid_slope(z):
    a = np.ones(z.shape) / (1 + np.exp(-z))
    return a * (1 - a)
"""
    space = {"np": np, "look": look, "reference": notebook_01, "Markdown": str}
    exec(own, space)
    (source,) = [source for source in sources if "# the formula is what nudging measures" in source]
    exec(source, space)
    assert [round(float(space[name]), 5) for name in ("at_0", "at_4", "at_8")] == [0.25, 0.01766, 0.00034]
    pyplot.close("all")
