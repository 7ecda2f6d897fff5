"""Several at once: runs that share a file, threads and processes that share a machine."""

import csv
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

import crowdcount
from crowdcount.annotating.folder import Conflict, Entry, Folder
from crowdcount.counting.counts_file import CountsFile
from crowdcount.errors import CrowdCountError
from crowdcount.files import held
from crowdcount.video.files import CountTable

HOLDER = """
import sys, time
from crowdcount.files import held
with held(sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def other_process():
    """`other_process(path)` is one that holds the file until it is killed."""
    running = []

    def start(path):
        process = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# --- One file, several runs ---------------------------------------------------------------------------------


def test_who_holds_a_file_is_told_and_a_killed_holder_holds_nothing(tmp_path, other_process):
    path = tmp_path / "counts.csv"
    process = other_process(path)
    with pytest.raises(CrowdCountError) as told, held(path):
        pass
    line = rf"process {process.pid} on \S+ since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d"
    assert re.search(line, str(told.value)) and str(path) in str(told.value)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert names(tmp_path) == [".counts.csv.lock"]  # which is nobody's
    with held(path):
        pass
    assert names(tmp_path) == []


def test_only_one_of_many_threads_holds_a_file_and_nothing_is_left(tmp_path):
    path, inside, most = tmp_path / "counts.csv", [], []

    def work(number):
        for _ in range(20):
            with held(path, wait=60):
                inside.append(number)
                most.append(len(inside))
                inside.remove(number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(most) == 160 and max(most) == 1
    assert names(tmp_path) == []


@pytest.mark.parametrize("resume", [False, True])
def test_a_second_count_into_one_csv_is_refused_before_the_work(tmp_path, other_process, weights, resume, capsys):
    path, picture = tmp_path / "counts.csv", tmp_path / "a.png"
    Image.new("RGB", (72, 64), "gray").save(picture)
    process = other_process(path)
    from crowdcount.cli import main

    options = ["--model", weights, "--csv", str(path), *(["--resume"] * resume)]
    assert main(["count", str(picture), *options]) == 1
    told = capsys.readouterr()
    assert told.out == "" and f"process {process.pid} on" in told.err and told.err.count("\n") == 1
    with pytest.raises(CrowdCountError, match=f"process {process.pid} on"):
        next(crowdcount.count_many([picture], weights, csv=path, resume=resume))


def test_a_file_is_free_when_its_run_has_ended_or_failed(tmp_path):
    path = tmp_path / "counts.csv"
    for end in (CountsFile.close, CountsFile.finish):
        counts = CountsFile(path, resume=True, settings={"model": "a"})
        counts.add({"picture": "a.png", "count": 1.0, "model": "a"})
        end(counts)
        counts.close()
    with pytest.raises(CrowdCountError, match="model a"):
        CountsFile(path, resume=True, settings={"model": "b"})
    path.write_text("no table at all\n")
    with pytest.raises(CrowdCountError, match="other columns"):
        CountsFile(path, resume=True, settings={"model": "a"})
    CountsFile(path, settings={}).close()
    assert names(tmp_path) == ["counts.csv"]


def test_two_videos_do_not_share_a_table(tmp_path):
    with CountTable(tmp_path / "hour.csv"), pytest.raises(CrowdCountError, match="another run"):
        CountTable(tmp_path / "hour.csv")
    CountTable(tmp_path / "hour.csv").close()
    assert names(tmp_path) == []


def test_two_trainings_do_not_share_a_folder(tmp_path, other_process):
    from crowdcount.training.run import train

    process = other_process(tmp_path / "checkpoint.h5")
    sample = crowdcount.Sample("a", np.zeros((64, 64, 3), np.uint8), [[20.0, 30.0]])
    with pytest.raises(CrowdCountError, match=f"process {process.pid} on"):
        train([sample], out=tmp_path, epochs=1, width=1 / 64, init="none")
    assert names(tmp_path) == [".checkpoint.h5.lock"]
    with pytest.raises(CrowdCountError, match="nothing to resume"):
        train([sample], out=tmp_path / "typo", resume=True)
    assert not (tmp_path / "typo").exists()


def test_two_annotating_servers_lose_nothing(tmp_path):
    for number in range(8):
        Image.new("RGB", (64, 48), "gray").save(tmp_path / f"{number}.png")
    folders = [Folder(tmp_path) for _ in range(8)]  # as many programs: nothing but the file is shared

    def annotate(number):
        version = ""
        for turn in range(10):
            version = folders[number].save(f"{number}.png", Entry([[float(turn), 1.0]]), version)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(annotate, range(8)))
    assert {name: entry.points for name, entry in Folder(tmp_path).entries().items()} == {
        f"{number}.png": [[9.0, 1.0]] for number in range(8)
    }

    told, ready = [], threading.Barrier(8)

    def compete(number):
        ready.wait()
        try:
            folders[number].save("0.png", Entry([[float(number), 2.0]]), Entry([[9.0, 1.0]]).version)
        except Conflict as conflict:
            told.append(conflict.entry)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(compete, range(8)))
    assert told == [Folder(tmp_path).entries()["0.png"]] * 7


# --- A file of before pictures were counted at a size that is searched for ----------------------------------

OLDER = (
    "picture,count,low,high,coverage,width,height,model,seconds,warnings,error\r\n"
    "a.png,7.5,5.0,9.0,0.9,72,64,general,0.1,,\r\n"
    "b.png,,,,,,,general,,,cut off\r\n"
)


def settings(scale=None):
    return {"model": "general", "coverage": "0.9"} | ({} if scale is None else {"scale": scale})


def test_an_older_file_gets_its_column_when_it_is_gone_on_with(tmp_path):
    path = tmp_path / "counts.csv"
    path.write_text(OLDER, newline="")
    counts = CountsFile(path, resume=True, settings=settings())
    assert [row["picture"] for row in counts.earlier()] == ["a.png"]
    assert counts.take_up(["a.png", "b.png"]) == ["b.png"]
    assert path.read_text() == OLDER.replace("\r", "")  # untouched until there is a row
    counts.add({"picture": "b.png", "count": 3.0, "scale": 0.5, "model": "general", "coverage": 0.9})
    counts.close()
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["picture"], row["count"], row["scale"]) for row in rows] == [
        ("a.png", "7.5", "1.0"),
        ("b.png", "3.0", "0.5"),
    ]
    assert all(None not in row and None not in row.values() for row in rows)


def test_an_older_file_was_counted_at_the_pictures_own_size(tmp_path):
    path = tmp_path / "counts.csv"
    path.write_text(OLDER, newline="")
    with pytest.raises(CrowdCountError, match="scale 1.0; this run has 0.5"):
        CountsFile(path, resume=True, settings=settings("0.5"))
    counts = CountsFile(path, resume=True, settings=settings("1.0"))
    assert len(counts.earlier()) == 1
    counts.close()
    assert path.read_text() == OLDER.replace("\r", "")


def test_zones_of_an_older_file_have_no_ranges(tmp_path):
    path = tmp_path / "counts.csv"
    lines = OLDER.splitlines()
    path.write_text(f"{lines[0]},zone gate,zones\r\n{lines[1]},2.5,abc\r\n", newline="")
    counts = CountsFile(path, ["gate"], resume=True, settings=settings() | {"zones": "abc"})
    counts.finish()
    counts.close()
    with open(path, newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["zone gate"], row["low gate"], row["high gate"], row["zones"]) == ("2.5", "", "", "abc")


# --- One network, several threads and processes -------------------------------------------------------------


def pictures(number):
    """Pictures of several sizes, other ones for each number."""
    rng = np.random.default_rng(number)
    return [rng.integers(0, 256, (64 + 8 * number, 96, 3), np.uint8), rng.integers(0, 256, (40, 56, 3), np.uint8)]


def counted(weights, number):
    found = [crowdcount.count(picture, model=weights, progress=False).count for picture in pictures(number)]
    return os.getpid(), found


@pytest.mark.slow
def test_threads_and_processes_count_each_its_own(weights):
    alone = [counted(weights, number)[1] for number in range(8)]
    assert len({round(count, 4) for counts in alone for count in counts}) == 16  # else they could be mixed up unseen
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(counted, [weights] * 16, list(range(8)) * 2))
    for (_, found), expected in zip(together, alone * 2):
        assert found == pytest.approx(expected, rel=1e-5)
    # Not forked: TensorFlow's threads do not survive that.
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as processes:
        apart = list(processes.map(counted, [weights] * 4, range(4)))
    for (_, found), expected in zip(apart, alone):
        assert found == pytest.approx(expected, rel=1e-5)
    assert os.getpid() not in {process for process, _ in apart}
