"""Keras and what it computes with: quiet at the start, not in forked processes, other backends than TensorFlow."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest

COUNT = """
import json, os, sys
import numpy as np
import crowdcount
picture = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
count = lambda model: crowdcount.count(picture, model=model).count
"""
FORKED = """
import multiprocessing
number = count(sys.argv[1])

def work(told):
    try:
        told.put(count(sys.argv[1]))
    except crowdcount.CrowdCountError as error:
        told.put(str(error))

context = multiprocessing.get_context("fork")
told = context.Queue()
process = context.Process(target=work, args=(told,), daemon=True)
process.start()
print(json.dumps(told.get(timeout=300)))
os.write(2, b"a line of its own\\n")
"""


def script(program, weights, **settings):
    """Standard output and error of a script that counts."""
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"} | settings
    done = subprocess.run(
        [sys.executable, "-c", program, weights], capture_output=True, text=True, env=environment, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_forked_process_says_that_it_cannot_count_and_nothing_else_is_printed(weights):
    told, errors = script(COUNT + FORKED, weights)
    assert "spawn" in json.loads(told)
    assert errors == "a line of its own\n"


def test_ones_own_level_of_tensorflows_log_wins(weights):
    program = "import crowdcount.network.backend, os; print(os.environ['TF_CPP_MIN_LOG_LEVEL'])"
    assert script(program, weights, TF_CPP_MIN_LOG_LEVEL="1")[0] == "1\n"


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_tensorflow_is_quiet_where_another_backend_loads_it_for_its_seed(weights, backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    program = "import sys, crowdcount.network.backend as b; b.set_seed(1); print('tensorflow' in sys.modules)"
    assert script(program, weights, KERAS_BACKEND=backend) == ("True\n", "")


def test_a_backend_that_is_not_there_is_told_in_one_line(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    command = [sys.executable, "-m", "crowdcount", "count", "--demo"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment | {"KERAS_BACKEND": "pytorch"})
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert "KERAS_BACKEND=pytorch" in done.stderr and "torch or jax" in done.stderr


def test_what_others_print_while_keras_is_imported_goes_on(tmp_path):
    """Also where the import fails, with all that TensorFlow had to say."""
    (tmp_path / "keras.py").write_text(
        "import os\n"
        "os.write(2, b'E0000 00:00:1795872231.805441 15094 cuda.cc:52] failed\\nfrom elsewhere\\n')\n"
        "if 'BROKEN' in os.environ: raise ImportError('broken')\n"
        "class backend: backend = staticmethod(lambda: 'none')\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), *sys.path])
    command = [sys.executable, "-c", "import crowdcount.network.backend"]
    for level in ({}, {"TF_CPP_MIN_LOG_LEVEL": "3"}):  # who sets 3 wants to see nothing
        told = subprocess.run(command, capture_output=True, env=environment | level).stderr
        assert told == b"from elsewhere\n"
    told = subprocess.run(command, capture_output=True, env=environment | {"TF_CPP_MIN_LOG_LEVEL": "1"}).stderr
    assert told.startswith(b"E0000")
    told = subprocess.run(command, capture_output=True, env=environment | {"BROKEN": "1"}).stderr
    assert told.startswith(b"E0000") and b"from elsewhere" in told and b"ImportError: broken" in told


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_count_the_same(weights, backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed (pip install {backend})")
    import numpy as np

    import crowdcount

    told, _ = script(COUNT + "print(count(sys.argv[1]))", weights, KERAS_BACKEND=backend)
    picture = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    assert float(told) == pytest.approx(crowdcount.count(picture, model=weights).count, rel=0.01)
