"""Keras and TensorFlow, imported without what they print at their start, and kept out of forked processes.

Who imports Keras before any module of this wing gets TensorFlow's own lines; so does who sets `TF_CPP_MIN_LOG_LEVEL`
to less than 3.
"""

from __future__ import annotations

import logging
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from crowdcount.errors import CrowdCountError, MissingPackageError, first_line

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
# Lines of absl's log ("E0000 00:00:1795872231.80 ..."), what it says before it is set up, and the older form.
_CHATTER = re.compile(rb"[IWEF]\d{4} \d\d:\d\d:|WARNING: All log messages before absl|\d{4}-\d\d-\d\d \d\d:.*: [IWE] ")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what TensorFlow writes to the standard error at its start; what others write there meanwhile goes on."""
    if os.environ.setdefault(_LEVEL, "3") != "3":  # somebody wants to see it
        yield
        return
    for name in ("absl", "tensorflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        standard_error = os.dup(2)
    except OSError:  # a process without one
        yield
        return
    # What TensorFlow says of CUDA before its log is set up heeds no level.
    with tempfile.TemporaryFile() as notes:
        os.dup2(notes.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            os.dup2(standard_error, 2)
            notes.seek(0)
            told = b"".join(line for line in notes if failed or not _CHATTER.match(line))
            while told:
                told = told[os.write(standard_error, told) :]
            os.close(standard_error)


@contextmanager
def _chosen() -> Iterator[None]:
    """Say which backend it is that Keras cannot be imported with, where somebody has chosen one."""
    try:
        yield
    except (ImportError, ValueError) as error:
        if not (chosen := os.environ.get("KERAS_BACKEND")):
            raise
        raise MissingPackageError(
            f"Keras cannot run on KERAS_BACKEND={chosen} ({first_line(error)}). Set it to tensorflow, torch or jax, "
            "one that is installed."
        ) from error


with _quiet(), _chosen():
    import keras as keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.list_physical_devices()  # the other moment when it speaks

_worked_in: int | None = None


def set_seed(seed: int) -> None:
    """Seed the random numbers of Python, NumPy and Keras.

    On another backend Keras loads TensorFlow for it, where that is installed: as quietly as at the start.
    """
    with _quiet():
        keras.utils.set_random_seed(seed)


def claim() -> None:
    """Say that this process builds networks and counts with them.

    TensorFlow's threads do not live on in a process that is forked after it began to work: there the next operation
    would wait for them for ever.

    Raises:
        CrowdCountError: in such a process.
    """
    global _worked_in
    if _worked_in is None:
        _worked_in = os.getpid()
    elif _worked_in != os.getpid():
        raise CrowdCountError(
            f"This process ({os.getpid()}) was forked from one ({_worked_in}) that had loaded a network already, and "
            "would wait for ever: TensorFlow does not survive a fork. Start processes with multiprocessing's 'spawn', "
            "or load and count in the forked ones only (gunicorn without --preload)."
        )
