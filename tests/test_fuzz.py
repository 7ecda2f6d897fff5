"""Damaged files of every kind are read or refused with a message: the sound ones of `benchmarks/fuzz.py`, changed at
random by hypothesis, the same changes each time. The benchmark itself is guided by coverage and runs for as long as one
likes."""

import importlib.util
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
