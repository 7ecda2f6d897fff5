"""Who sees how far the work is: people on a terminal and in a notebook, and nobody who has switched it off."""

import sys
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from crowdcount import CSRNet, count, count_many
from crowdcount.progress import bar, is_watched


@pytest.fixture(scope="module")
def model():
    return CSRNet(width=1 / 16)


@pytest.fixture
def notebook(monkeypatch):
    """As in a kernel: there is a shell with a kernel, and the standard error is no terminal."""
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    shell = SimpleNamespace(kernel=object(), config={})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))


def test_nobody_watches_a_pipe(monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: False, raising=False)
    assert not is_watched()


def test_a_notebook_and_a_terminal_are_watched(notebook):
    assert is_watched()


@pytest.mark.parametrize("value, shown", [("1", False), ("true", False), ("0", True), ("", True)])
def test_one_switch_hides_every_bar(monkeypatch, capsys, value, shown):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TQDM_DISABLE", value)
    assert list(bar([1, 2], "picture")) == [1, 2]
    assert bool(capsys.readouterr().err) == shown


def test_work_of_hours_leaves_a_log_where_nobody_watches(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: False, raising=False)
    assert list(bar([1, 2], "picture", "hard places", log=True)) == [1, 2]
    err = capsys.readouterr().err
    assert "hard places" in err and err.isascii()


def test_several_pictures_have_a_bar_a_small_one_has_none(notebook, model, rng, capsys):
    pictures = [rng.integers(0, 256, (48, 64, 3), np.uint8) for _ in range(3)]
    assert count(pictures[0], model=model).count >= 0
    assert capsys.readouterr() == ("", "")
    for several in (lambda **options: count(pictures, model=model, **options), partial(_all, pictures, model)):
        assert len(several()) == 3
        out, err = capsys.readouterr()
        assert out == "" and "/3" in err
        assert len(several(progress=False)) == 3 and capsys.readouterr() == ("", "")


def _all(pictures, model, **options):
    return list(count_many(pictures, model, **options))


def test_a_generator_is_counted_as_it_comes(model, rng):
    """A camera's pictures have no end: none is asked for before the last one is counted."""
    asked = []

    def camera():
        while True:
            asked.append(1)
            yield rng.integers(0, 256, (48, 64, 3), np.uint8)

    results = count_many(camera(), model)
    next(results)
    assert len(asked) == 1
    results.close()
