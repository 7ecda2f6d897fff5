"""A disk that fills up, goes away or takes nothing more in the middle of the work, and a clock that is set back.

What is finished stays, a line tells of what could not be written, nothing half-written has a file's name, and what can
be gone on with ends as if nothing had been. The network is stood for by the brightness of the pictures.
"""

import csv
import os
import shutil
import subprocess
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from crowdcount import cli
from crowdcount.counting.results import CountResult
from crowdcount.data.images import load_picture
from crowdcount.errors import CrowdCountError
from crowdcount.files import held

NUMBERS = range(6)


def system(*words):
    """Whether a command of the system does what it says."""
    return shutil.which(words[0]) and subprocess.run(words, capture_output=True).returncode == 0


class Disk:
    """A folder whose disk has trouble from `strike` on, until `mend`."""

    def __init__(self, folder):
        self.folder, self.kept = folder, folder  # where the outputs go; where what was there lies meanwhile
        folder.mkdir()

    def strike(self): ...
    def mend(self): ...


class ReadOnly(Disk):
    """No file can be made, replaced or removed; what is open can be written to. The administrator may not either."""

    def strike(self):
        if os.geteuid():
            self.folder.chmod(0o555)
        elif not system("chattr", "+i", self.folder):
            pytest.skip("nothing keeps the administrator from writing to this file system")

    def mend(self):
        self.folder.chmod(0o755) if os.geteuid() else system("chattr", "-i", self.folder)


class Gone(Disk):
    """A disk that is pulled out: its folder is not there any more."""

    def strike(self):
        self.kept = self.folder.with_name("pulled out")
        self.folder.rename(self.kept)

    def mend(self):
        if self.kept != self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)  # what was written meanwhile lies beneath the disk
            self.kept = self.kept.rename(self.folder)


class Full(Disk):
    """A disk of 1 MiB, of which nothing is left."""

    def __init__(self, folder):
        super().__init__(folder)
        if not system("mount", "-t", "tmpfs", "-o", "size=1m", "none", folder):
            pytest.skip("only the administrator may mount a small disk")

    def strike(self):
        with open(self.folder / "filler", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

    def mend(self):
        (self.folder / "filler").unlink(missing_ok=True)


@pytest.fixture(params=[ReadOnly, Gone, Full])
def disk(request, tmp_path):
    disk = request.param(tmp_path / "disk")
    yield disk
    disk.mend()
    system("umount", "-l", disk.folder)


def draw_photos(folder, numbers=NUMBERS):
    folder.mkdir()
    for number in numbers:
        Image.new("RGB", (72, 64), (100 + 20 * number,) * 3).save(folder / f"{number}.png")


def film_street(path, numbers=NUMBERS):
    av = pytest.importorskip("av", reason="the extra video is not installed")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=1)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        for number in numbers:
            picture = np.full((64, 96, 3), 40 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture
def photos(tmp_path, monkeypatch):
    draw_photos(tmp_path / "photos")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def counting(monkeypatch):
    """`counting[3] = work` does something when the fourth picture or frame is to be counted."""
    hooks = {}
    stand_for_network(monkeypatch, hooks)
    return hooks


def stand_for_network(monkeypatch, hooks):
    counted = []

    def stand_in(picture, model="general", **_):
        hooks.get(len(counted), lambda: None)()
        counted.append(picture)
        pixels = load_picture(picture)
        height, width = pixels.shape[:2]
        density = np.full((-(-height // 8), -(-width // 8)), pixels.mean() / 1000, np.float32)
        people = float(density.sum())
        source = os.path.abspath(picture) if isinstance(picture, str) else None
        return CountResult(people, density, str(picture), width, height, "general", 0.1, [], source)

    def many(sources, *_, **__):
        yield from map(stand_in, sources)

    monkeypatch.setattr("crowdcount.counting.pictures.count_many", many)
    stand_in.scale = None
    monkeypatch.setattr("crowdcount.video.counting.Counter", lambda *_: stand_in)
    monkeypatch.setattr("crowdcount.counting.ranges.why_no_range", lambda *_: None)
    for command in ("count", "video"):
        monkeypatch.setattr(f"crowdcount.cli.{command}.import_keras", lambda: None)


@pytest.fixture
def run(capsys):
    """Exit status, lines of standard output, errors that a command tells."""

    def run(*argv):
        status = cli.main(list(map(str, argv)))
        output = capsys.readouterr()
        assert "Traceback" not in output.err
        return status, output.out.splitlines(), [line for line in output.err.splitlines() if ": error: " in line]

    return run


def rows_of(path):
    """The rows of a table, all of them whole."""
    data = path.read_bytes()
    assert data.endswith(b"\n")
    rows = list(csv.DictReader(data.decode().splitlines()))
    assert all(None not in row.values() for row in rows)
    return rows


def in_sight(folder):
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")} - {"filler"}


def test_a_folder_count_is_gone_on_with(disk, photos, counting, run):
    table, heads, report = (disk.folder / name for name in ("counts.csv", "heads.csv", "report.html"))
    argv = ("count", "photos", "--csv", table, "--resume", "--heads", heads, "--report", report)
    report.write_text("an older report")
    counting[3] = disk.strike
    status, lines, errors = run(*argv)
    assert status == 1 and 1 <= len(errors) <= 3 and all("cannot write" in error for error in errors)
    assert len(lines) >= 3 and len(rows_of(disk.kept / "counts.csv")) >= 3
    assert in_sight(disk.kept) == {"counts.csv", "heads.csv", "report.html"}
    assert (disk.kept / "report.html").read_text() == "an older report"
    disk.mend()
    counting.clear()
    assert run(*argv)[0] == 0
    assert [row["picture"] for row in rows_of(table)] == [os.path.join("photos", f"{n}.png") for n in NUMBERS]
    assert {row["picture"] for row in rows_of(heads)} == {f"../photos/{n}.png" for n in NUMBERS}
    assert report.read_text().rstrip().endswith("</html>")


def test_counts_that_are_written_at_the_end_are_printed(disk, photos, counting, run):
    table = disk.folder / "counts.csv"
    table.write_text("an older table")
    counting[3] = disk.strike
    status, lines, errors = run("count", "photos", "--csv", table)
    assert len(lines) == len(NUMBERS)
    assert (disk.kept / "counts.csv").read_text() == "an older table"
    if status == 0:  # a disk that has gone leaves its place, where the table lies now
        assert errors == [] and len(rows_of(table)) == len(NUMBERS)
    else:
        assert status == 1 and len(errors) == 1 and f"cannot write {table}" in errors[0]


def test_a_folder_that_takes_nothing_is_told_before_the_work(tmp_path, photos, counting, run):
    disk = ReadOnly(tmp_path / "disk")
    disk.strike()
    try:
        counting[0] = pytest.fail
        for option, name in (("--csv", "a.csv"), ("--heads", "a.csv"), ("--report", "a.html"), ("--overlay", "new")):
            status, lines, errors = run("count", "photos", option, disk.folder / name)
            assert (status, lines, len(errors)) == (1, [], 1) and f"cannot write {disk.folder / name}" in errors[0]
    finally:
        disk.mend()


def test_a_video_keeps_its_rows(disk, tmp_path, counting, run):
    film = tmp_path / "street.mp4"
    film_street(film)
    table, chart, annotated = (disk.folder / name for name in ("counts.csv", "chart.png", "film.mp4"))
    argv = ("video", film, "--csv", table, "--chart", chart, "--annotated", annotated)
    counting[3] = disk.strike
    status, lines, errors = run(*argv)
    assert status == 1 and errors and all("cannot write" in error for error in errors)
    if isinstance(disk, Gone):
        assert sum(f"cannot write {table}: it was removed, moved or replaced" in error for error in errors) == 1
    assert len(lines) == len(NUMBERS), "counting goes on without the files"
    assert 3 <= len(rows_of(disk.kept / "counts.csv")) <= len(NUMBERS)
    assert in_sight(disk.kept) == {"counts.csv"}
    disk.mend()
    counting.clear()
    assert run(*argv)[0] == 0
    assert len(rows_of(table)) == len(NUMBERS) and in_sight(disk.folder) == {"counts.csv", "chart.png", "film.mp4"}


def test_a_training_keeps_its_checkpoint(disk, monkeypatch, run):
    """The steps between are left out: only what an epoch writes is written."""
    import keras

    from crowdcount.network.csrnet import CSRNet
    from crowdcount.network.weight_files import save_weights
    from crowdcount.training.callbacks import Drift
    from crowdcount.training.state import NAME, Checkpoint, read_state, restore_checkpoint

    network, drift = CSRNet(width=1 / 64), Drift()
    network.compile(keras.optimizers.Adam())
    network.optimizer.build(network.trainable_variables)

    def train(*_, out, **__):
        checkpoint = Checkpoint(disk.folder / NAME, {"format": 2}, drift)
        checkpoint.set_model(network)
        for epoch in range(3):
            if epoch == 2:
                disk.strike()
            checkpoint.on_epoch_end(epoch)
            save_weights(network, disk.folder / "last.weights.h5")
        return SimpleNamespace(trained=3)

    monkeypatch.setattr("crowdcount.training.run.train", train)
    monkeypatch.setattr("crowdcount.data.annotations.load_dataset", lambda *_: [])
    status, _, errors = run("train", "csv", "--out", disk.folder)
    assert read_state(disk.kept)["epoch"] == 2
    restore_checkpoint(disk.kept / NAME, network, drift)
    network.load_weights(disk.kept / "last.weights.h5")
    if isinstance(disk, Gone):  # what a run needs to go on lies at its place, all of it
        assert (status, read_state(disk.folder)["epoch"]) == (0, 3)
    else:
        assert status == 1 and len(errors) == 1 and errors[0].endswith("--resume goes on with it.")
        assert "No space left on device" in errors[0] or "ermi" in errors[0]


# --- A clock that is set back, or far forward ---------------------------------------------------------------

DAY = 86400


@pytest.fixture(params=[-DAY, DAY], ids=["back", "forward"])
def leap(request, monkeypatch):
    """Each time that somebody looks, the clock of the wall has been set by another day."""
    leaps, now = iter(range(2000)), time.time  # who waits by it is stopped in the end
    monkeypatch.setattr(time, "time", lambda: now() + next(leaps) * request.param)
    monkeypatch.setattr(time, "time_ns", lambda: int(time.time() * 1e9))
    return request.param


def test_a_lock_heeds_no_clock(tmp_path, leap):
    """Neither how long is waited for it, nor what is thought of a holder, or of what a killed one left."""
    table, beside = tmp_path / "counts.csv", tmp_path / ".counts.csv.lock"
    with held(table):
        os.utime(beside, (time.time() + 1000 * leap,) * 2)
        began = time.monotonic()
        with pytest.raises(CrowdCountError, match=f"process {os.getpid()}"), held(table, wait=0.2):
            pass
        assert 0.2 <= time.monotonic() - began < 5
    holder = held(table)
    holder.__enter__()
    freed = threading.Timer(0.2, holder.__exit__, (None, None, None))
    freed.start()
    with held(table, wait=60):
        freed.join()
    beside.write_text("process 1 on another machine since 2031-01-01 00:00:00")
    os.utime(beside, (time.time() + 1000 * leap,) * 2)
    with held(table):
        pass


def test_a_folder_count_heeds_no_clock(tmp_path, photos, counting, leap, run):
    def stop():
        raise KeyboardInterrupt

    def argv(out):
        outputs = (
            ("--csv", "counts.csv"),
            ("--heads", "heads.csv"),
            ("--report", "report.html"),
            ("--overlay", "heat"),
        )
        return ("count", "photos", "--resume", *(word for option, name in outputs for word in (option, out / name)))

    assert run(*argv(tmp_path / "whole"))[0] == 0
    for stopped_at in (2, 4, None):
        counting.clear()
        if stopped_at:
            counting[len(NUMBERS) + stopped_at] = stop
        assert run(*argv(tmp_path / "stopped"))[0] == (130 if stopped_at else 0)
        for number, path in enumerate(sorted((tmp_path / "stopped").rglob("*"))):
            os.utime(path, (time.time() + number * leap,) * 2)
    ends = []
    for name in ("whole", "stopped"):
        out = tmp_path / name
        rows = [{**row, "seconds": ""} for row in rows_of(out / "counts.csv")]
        ends.append((rows, rows_of(out / "heads.csv"), in_sight(out / "heat"), in_sight(out)))
    assert ends[0] == ends[1] and len(ends[0][0]) == len(NUMBERS)


def test_weights_of_the_same_moment_and_size_are_loaded_anew(tmp_path):
    import keras

    from crowdcount.network.csrnet import CSRNet
    from crowdcount.network.loading import shared_model
    from crowdcount.network.weight_files import save_weights

    path, stamp, kernels = tmp_path / "mine.weights.h5", (1e9, 1e9), []
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)
        save_weights(CSRNet(width=1 / 64), path, {"name": "mine", "network": {"design": "B", "width": 1 / 64}})
        os.utime(path, stamp)
        kernels.append(shared_model(path).get_weights()[0])
        assert shared_model(path) is shared_model(path)
    assert not np.allclose(*kernels)
