"""Damaged files of every kind are read or refused with a message: the sound ones of `benchmarks/fuzz.py`, changed at
random by hypothesis, the same changes each time. The benchmark itself is guided by coverage and runs for as long as one
likes."""

import copy
import importlib.util
import json
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

pytest.importorskip("av", reason="videos need PyAV (the extra video)")

_FILE = Path(__file__).resolve().parents[1] / "benchmarks" / "fuzz.py"
_SPEC = importlib.util.spec_from_file_location("benchmarks_fuzz", _FILE)
fuzz = importlib.util.module_from_spec(_SPEC)
sys.modules["benchmarks_fuzz"] = fuzz
_SPEC.loader.exec_module(fuzz)

# What numbers and structures break at, in binary files and in text.
TOKENS = [
    b"\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"NaN",
    b"1e999",
    b"-1",
    b"null",
    b"[[",
    b'"',
    b"\n",
]

CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("cut"), st.floats(0, 1), st.just(b"")),
        st.tuples(st.just("set"), st.floats(0, 1), st.binary(min_size=1, max_size=4) | st.sampled_from(TOKENS)),
        st.tuples(st.just("put"), st.floats(0, 1), st.binary(max_size=8) | st.sampled_from(TOKENS)),
        st.tuples(st.just("drop"), st.floats(0, 1), st.binary(min_size=1, max_size=16)),
    ),
    max_size=6,
)


def changed(data, changes):
    for change, share, piece in changes:
        at = int(share * len(data))
        if change == "cut":
            data = data[:at]
        elif change == "set":
            data = data[:at] + piece + data[at + len(piece) :]
        elif change == "put":
            data = data[:at] + piece + data[at:]
        else:
            data = data[:at] + data[at + len(piece) :]
    return data


@pytest.fixture(scope="module")
def corpora():
    return {name: kind.corpus() for name, kind in fuzz.KINDS.items()}


@pytest.mark.parametrize("name", sorted(fuzz.KINDS))
def test_the_sound_files_are_read(tmp_path, corpora, name):
    for number, data in enumerate(corpora[name]):
        folder = tmp_path / str(number)
        folder.mkdir()
        if name == "zones" and number == len(corpora[name]) - 1 or name == "weights":
            continue  # the ground alone, which has no zones; arrays of one layer
        fuzz.KINDS[name].read(data, folder)


@pytest.mark.parametrize("name", sorted(fuzz.KINDS))
def test_damaged_files_are_read_or_refused(tmp_path, corpora, name):
    files, until = corpora[name], time.monotonic() + 8

    @settings(max_examples=120, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, len(files) - 1), CHANGES)
    def look(number, changes):
        if time.monotonic() > until:  # a busy machine tries fewer
            return
        fuzz.answered(fuzz.KINDS[name], changed(files[number], changes), tmp_path)

    look()


# What a value of a JSON file can be instead.
OTHERS = [None, True, -1, 0.5, 1e308, float("nan"), 10**400, "", "abc", "9" * 5000, [], {}, [1], [[]], [None], {"x": 1}]


def places(content, at=()):
    """The keys and positions that lead to each value."""
    yield at
    entries = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in entries:
        # Lists of numbers of one kind: the first and the last stand for all.
        if not isinstance(content, list) or len(content) < 10 or key in (0, len(content) - 1):
            yield from places(value, (*at, key))


def with_value(content, at, value):
    """A copy in which one value is another; gone, where that is Ellipsis."""
    if not at:
        return value
    content = copy.deepcopy(content)
    inner = content
    for key in at[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[at[-1]]
    else:
        inner[at[-1]] = value
    return content


@pytest.mark.parametrize("name", ["json", "zones", "card"])
def test_each_value_of_a_json_file_may_be_anything(tmp_path, corpora, name):
    """Fuzzing bytes seldom changes the kind of a value: here each in turn is of another kind, or missing."""
    for document in map(json.loads, corpora[name]):
        for at in places(document):
            for value in [*OTHERS, *[...] * bool(at)]:
                data = json.dumps(with_value(document, at, value)).encode()
                try:
                    fuzz.answered(fuzz.KINDS[name], data, tmp_path)
                except Exception as error:
                    raise AssertionError(f"{at} as {value!r:.60}: {data[:300]}") from error
