"""Killed (SIGKILL) at each moment at which a file gets its name, or a row: what is there is whole, and gone on with.

`benchmarks/kill.py` kills the real commands at random moments; here forks of a small process are killed at all that
matter, with the brightness of the pictures for a network. Of a training see test_training.py.
"""

import csv
import itertools
import os
import signal
import subprocess
import sys

import pytest
from PIL import Image
from test_faults import draw_photos, film_street, in_sight, rows_of, stand_for_network

from crowdcount import cli

if not hasattr(os, "fork"):
    pytest.skip("only Unix forks", allow_module_level=True)

FEW = range(3)
OUTPUTS = {
    "folder": ("counts.csv", "heads.csv", "report.html", "heat"),
    "report": ("report.html",),
    "video": ("counts.csv", "chart.png", "film.mp4"),
}


def command(work, out):
    argv = ["video", "street.mp4"] if work == "video" else ["count", "photos"]
    options = {"counts.csv": "csv", "heads.csv": "heads", "report.html": "report", "heat": "overlay"}
    options |= {"chart.png": "chart", "film.mp4": "annotated"}
    argv += [word for name in OUTPUTS[work] for word in (f"--{options[name]}", str(out / name))]
    return [*argv, "--resume"] if work == "folder" else argv


def in_fork(argv, moment=-1):
    """Exit status of a command in a fork, which is killed at this one of its moments."""
    child = os.fork()
    if child == 0:
        status = 99
        try:
            strike_at(moment)
            status = cli.main(argv)
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def strike_at(moment):
    """Let this process be killed just before the file with this number gets its name, or in the middle of its row."""
    from crowdcount.counting import tables
    from crowdcount.video import files

    moments, replace, append = itertools.count(), os.replace, tables.append_whole

    def replaced(*arguments):
        if next(moments) == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(*arguments)

    def appended(file, data, path):
        if next(moments) == moment:
            file.write(data[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        append(file, data, path)

    os.replace, tables.append_whole, files.append_whole = replaced, appended, appended


def assert_whole(out):
    """What has its name is all there; of a table the last row may be cut off, which who goes on with it sees."""
    for path in out.rglob("[!.]*"):
        if path.suffix == ".png":
            with Image.open(path) as image:
                image.load()
        elif path.suffix == ".html":
            assert path.read_text().rstrip().endswith("</html>")
        elif path.suffix == ".csv":
            rows = list(csv.DictReader(path.read_text().rpartition("\n")[0].splitlines()))
            assert all(None not in row.values() for row in rows)
        elif path.suffix == ".mp4":
            import av

            with av.open(str(path)) as container:
                assert sum(1 for _ in container.decode(video=0)) == len(FEW)


def end(out):
    rows = [{**row, "seconds": ""} for path in sorted(out.glob("[!.]*.csv")) for row in rows_of(path)]
    files = sorted(path.name for path in out.rglob("*") if not path.name.startswith("."))
    return rows, files, (out / "report.html").read_text().count(".png") if "report.html" in files else 0


def kill_everywhere(work, folder):
    """Print how many moments there are; raise where one of them left something else than the undisturbed command."""
    os.chdir(folder)
    stand_for_network(pytest.MonkeyPatch(), {})
    whole = folder / "whole"
    assert in_fork(command(work, whole)) == 0
    for moment in itertools.count():
        out = folder / f"killed-{moment}"
        status = in_fork(command(work, out), moment)
        if status == 0:  # it has no such moment any more
            print(moment)
            return
        assert status == -signal.SIGKILL, status
        assert_whole(out)
        assert in_fork(command(work, out)) == 0
        assert_whole(out)
        assert end(out) == end(whole) and in_sight(out) == set(OUTPUTS[work]), moment


CODE = "import pathlib, sys; sys.path.insert(0, sys.argv[1]); from test_killed import kill_everywhere; "
CODE += "kill_everywhere(sys.argv[2], pathlib.Path(sys.argv[3]))"
# Names of files, and rows.
MOMENTS = {"folder": 3 + 3 * len(FEW), "report": 1, "video": 3 + len(FEW)}


@pytest.mark.parametrize("work", OUTPUTS)
def test_killed_anywhere_it_is_gone_on_with(work, tmp_path):
    draw_photos(tmp_path / "photos", FEW)
    if work == "video":
        film_street(tmp_path / "street.mp4", FEW)
    # A process of its own: here TensorFlow may have worked, which no fork survives.
    words = [sys.executable, "-c", CODE, os.path.dirname(__file__), work, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) == MOMENTS[work]
