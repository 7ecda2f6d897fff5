"""Counting by several workers of Ray on this machine."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest
from PIL import Image

from crowdcount.cli import main
from crowdcount.counting.cluster import _connect, _share, count_by_workers
from crowdcount.counting.counts_file import CountsFile, settings_of
from crowdcount.counting.parquet import write_parquet
from crowdcount.counting.pictures import count_many
from crowdcount.errors import DataError

CODE = "import sys; from crowdcount.cli import main; sys.exit(main(sys.argv[1:]))"


def rows_of(path: Path) -> dict[str, dict[str, str]]:
    with open(path, newline="") as file:
        return {os.path.basename(row["picture"]): row for row in csv.DictReader(file)}


def workers_of(parent: int) -> list[int]:
    """Process numbers of Ray's workers that keep a network, among the descendants of a process."""
    psutil = pytest.importorskip("psutil")
    try:
        family = psutil.Process(parent).children(recursive=True)
        return [each.pid for each in family if "MapWorker" in " ".join(each.cmdline()[:1])]
    except psutil.Error:
        return []


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(weights, tmp_path, rng):
    """200 pictures and a broken one by two workers; one is killed after the first row. Then more pictures, resumed."""
    pytest.importorskip("ray", reason="several workers need pip install 'ray[data]'")
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(200):
        Image.fromarray(rng.integers(0, 256, (400, 600, 3), dtype=np.uint8)).save(folder / f"{number:03}.png")
    (folder / "broken.jpg").write_bytes(b"no picture")
    table, parquet = tmp_path / "counts.csv", tmp_path / "counts.parquet"
    command = ["count", str(folder), "--model", weights, "--workers", "2", "--csv", str(table), "--resume"]
    running = subprocess.Popen(
        [sys.executable, "-c", CODE, *command, "--parquet", str(parquet)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 300
    while not (table.exists() and rows_of(table)) and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    alive = workers_of(running.pid)
    assert len(alive) == 2 and len(rows_of(table)) < 201, running.communicate(timeout=300)
    os.kill(alive[0], signal.SIGKILL)
    printed, errors = running.communicate(timeout=300)
    assert running.returncode == 1 and "broken.jpg" in errors, errors
    rows = rows_of(table)
    with open(table, newline="") as file:
        assert len(list(csv.DictReader(file))) == len(rows) == 201
    assert sum(line.startswith(str(folder)) for line in printed.splitlines()) == 200
    assert "broken.jpg" in rows["broken.jpg"]["error"] and not rows["broken.jpg"]["count"]
    for result in count_many(sorted(str(path) for path in folder.glob("00[0-4].png")), weights, progress=False):
        assert float(rows[os.path.basename(result.picture)]["count"]) == pytest.approx(result.count, rel=1e-3, abs=2e-3)

    pandas = pytest.importorskip("pandas")
    frame = pandas.read_parquet(parquet)
    assert len(frame) == 201 and frame["count"].notna().sum() == 200 and frame["width"].dropna().eq(600).all()


def test_parquet_holds_the_rows_of_the_table(weights, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet needs pip install pyarrow")
    table = tmp_path / "counts.csv"
    (tmp_path / "bad\nname.jpg").write_bytes(b"no picture")
    pictures = [np.zeros((64, 80, 3), np.uint8), str(tmp_path / "bad\nname.jpg")]
    list(count_many(pictures, weights, csv=table, progress=False))
    write_parquet(table, tmp_path / "counts.parquet")
    found = parquet.read_table(tmp_path / "counts.parquet").to_pylist()
    assert [row["width"] for row in found] == [80, None] and found[1]["picture"].endswith("bad\nname.jpg")
    assert isinstance(found[0]["count"], float) and found[0]["error"] is None and "no" in found[1]["error"]


@pytest.mark.parametrize(
    "options",
    [
        ["--workers", "2"],
        ["--csv", "a.csv", "--workers", "2", "--heads", "h.csv"],
        ["--csv", "a.csv", "--workers", "2", "--ground", "ground.json"],
    ],
)
def test_what_workers_cannot_do_is_refused(options, capsys):
    with pytest.raises(SystemExit):
        main(["count", "--demo", *options])
    assert "--workers" in capsys.readouterr().err


def test_the_demo_tells_how_many_people_are_in_it_with_workers_too(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("crowdcount.counting.cluster.count_by_workers", lambda *_, **__: iter(()))
    assert main(["count", "--demo", "--workers", "2", "--csv", str(tmp_path / "counts.csv")]) == 0
    assert "is drawn; 200 people are in it" in capsys.readouterr().err


def test_workers_in_another_folder_find_the_weights(monkeypatch, tmp_path, weights):
    """Ray's part is played here: a cluster's workers are where it was started, and not where the command is."""
    tensorflow = pytest.importorskip("tensorflow")
    monkeypatch.setattr(tensorflow.config.threading, "set_intra_op_parallelism_threads", lambda number: None)
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    shutil.copy(weights, here / "own.weights.h5")
    Image.new("RGB", (64, 64)).save(here / "a.png")

    class Data:
        ActorPoolStrategy = DataContext = MagicMock()

        def from_items(self, items, **_):
            self.items = items
            return self

        def map_batches(self, worker, fn_constructor_args, **_):
            monkeypatch.chdir(there)
            answered = worker(*fn_constructor_args)({key: [item[key] for item in self.items] for key in self.items[0]})
            self.rows = [{"result": each} for each in answered["result"]]
            return self

        def iter_rows(self):
            return iter(self.rows)

    ray = SimpleNamespace(nodes=lambda: [{"Alive": True, "Resources": {"CPU": 2.0}}], data=Data())
    monkeypatch.setattr("crowdcount.counting.cluster._connect", lambda: ray)
    monkeypatch.chdir(here)
    (row,) = count_by_workers(["a.png"], "own.weights.h5", workers=1)
    assert row["picture"] == "a.png" and row["model"] == "own.weights.h5" and "count" in row


def test_workers_that_end_are_told_in_a_line_and_their_rows_stay(monkeypatch, tmp_path, capsys):
    """Ray's part is played here: its exceptions are of many kinds, with pages of traces in them."""

    def rows():
        yield {"result": '{"picture": "a.png", "count": 1.5, "model": "general"}'}
        raise RuntimeError("The actor died, ray::Map()\n  File a.py\ncrowdcount.errors.WeightsError: it is cut off.")

    ray = MagicMock(nodes=lambda: [{"Alive": True, "Resources": {"CPU": 2.0}}])
    ray.data.from_items.return_value.map_batches.return_value.iter_rows = rows
    monkeypatch.setattr("crowdcount.counting.cluster._connect", lambda: ray)
    table = tmp_path / "counts.csv"
    assert main(["count", "--demo", "--csv", str(table), "--workers", "1"]) == 1
    told = capsys.readouterr().err
    assert "Ray's workers have ended (it is cut off.)" in told and "Traceback" not in told
    assert list(rows_of(table)) == ["a.png"]
    assert "counts.csv holds 1 picture; --resume goes on with it" in told
    table.write_text("of before")
    assert main(["count", "--demo", "--csv", str(table), "--workers", "1"]) == 1
    assert table.read_text() == "of before" and list(rows_of(tmp_path / "counts_interrupted.csv")) == ["a.png"]


@pytest.mark.parametrize(
    ("machines", "workers", "expected"),
    [
        ([(8, 0)], 3, (2, 0.0)),
        ([(2, 0)] * 3, 2, (2, 0.0)),  # three cores, a half of all, are on no machine
        ([(8, 0), (2, 0)], 2, (4, 0.0)),
        ([(8, 3)], 2, (4, 1.0)),  # Ray takes no one and a half
        ([(8, 2)], 3, (2, 0.5)),  # two thirds are there twice only
        ([(8, 1)], 7, (1, 0.1428)),
        ([(8, 0), (4, 1)], 2, (2, 0.5)),
    ],
)
def test_each_worker_finds_a_place(machines, workers, expected):
    assert _share([{"CPU": float(cores), "GPU": float(gpus)} for cores, gpus in machines], workers) == expected


@pytest.mark.parametrize(("named", "address"), [(None, "local"), ("10.0.0.1:6379", None)])
def test_the_cluster_is_the_one_that_is_named_or_a_new_one(monkeypatch, named, address):
    # Left to itself Ray looks for one that was begun here once, and waits for one that died.
    ray = MagicMock(is_initialized=lambda: False)
    for name in ("ray", "ray.data"):
        monkeypatch.setitem(sys.modules, name, ray)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if named:
        monkeypatch.setenv("RAY_ADDRESS", named)
    _connect()
    assert ray.init.call_args.kwargs.get("address") == address


def test_workers_that_are_none_are_refused(weights):
    for workers in (0, -1, 1.5, "2"):
        with pytest.raises(DataError, match="whole number"):
            next(count_by_workers(["a.png"], weights, workers=workers))
    with pytest.raises(DataError, match="on a machine with a GPU; there are 2"):
        _share([{"CPU": 2.0, "GPU": 1.0}, {"CPU": 8.0}], 3)
    assert list(count_by_workers([], weights, workers=1)) == []


def test_what_is_missing_is_told(monkeypatch, tmp_path, capsys, weights):
    table = str(tmp_path / "counts.csv")
    picture = str(tmp_path / "a.png")
    Image.new("RGB", (64, 64)).save(picture)
    command = ["count", picture, "--csv", table, "--workers", "1", "--model"]
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main([*command, weights]) == 1 and 'pip install ".[ray]"' in capsys.readouterr().err
    assert main([*command, "nobody"]) == 1 and "nobody" in capsys.readouterr().err
    assert not os.path.exists(table)


@pytest.mark.parametrize(("place", "message"), [("no-package.parquet", "pyarrow"), (".", "is a folder")])
def test_parquet_that_cannot_be_written_is_told_before_the_work(place, message, tmp_path, monkeypatch, capsys):
    if place == ".":
        pytest.importorskip("pyarrow", reason="Parquet needs pip install pyarrow")
    else:
        monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.chdir(tmp_path)
    assert main(["count", "--demo", "--csv", "counts.csv", "--parquet", place]) == 1
    told = capsys.readouterr()
    assert message in told.err and told.out == "" and list(tmp_path.iterdir()) == []


def test_a_picture_called_na_keeps_its_name_in_parquet(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    counts = CountsFile(tmp_path / "c.csv", settings=settings_of("general", 0.9, None))
    for name in ("NA", "bad\udcff.jpg"):
        counts.add({"picture": name, "count": 1.0, "model": "general"})
    counts.finish()
    counts.close()
    write_parquet(tmp_path / "c.csv", tmp_path / "c.parquet")
    assert parquet.read_table(tmp_path / "c.parquet")["picture"].to_pylist() == ["NA", "bad\\xff.jpg"]


@pytest.mark.parametrize("zones", ["015926832590", "26592e830010", "4ea5b19a4ec8"])
def test_a_column_of_parquet_has_one_type_whatever_it_holds(tmp_path, zones):
    parquet = pytest.importorskip("pyarrow.parquet")
    settings = {**settings_of("general", 0.9, None, 2), "zones": zones}
    with closing(CountsFile(tmp_path / "c.csv", ["a"], per_m2=True, settings=settings)) as counts:
        counts.add({"picture": "a.jpg", "count": 1.0, "zones": {"a": 1}, "model": "general"})
        counts.finish()
    write_parquet(tmp_path / "c.csv", tmp_path / "c.parquet")
    table = parquet.read_table(tmp_path / "c.parquet")
    types = {column: str(table.schema.field(column).type) for column in table.column_names}
    assert {types[name] for name in ("count", "zone a", "low a", "high a", "per m2 a")} == {"double"}
    assert {types[name] for name in ("zones", "level standing a", "level walking a")} == {"string"}
    assert table["zones"].to_pylist() == [zones] and table["page"].to_pylist() == [2]


def test_a_table_whose_numbers_were_changed_is_told_when_it_becomes_parquet(tmp_path):
    """Pandas writes whole numbers with a fraction where some rows have none, as those of pictures that failed."""
    pytest.importorskip("pyarrow", reason="Parquet needs pip install pyarrow")
    (tmp_path / "c.csv").write_text("picture,count,width\na.jpg,1.0,1024.0\nb.jpg,,\n")
    with pytest.raises(DataError, match=r"c\.csv cannot be written as Parquet .*'1024\.0'"):
        write_parquet(tmp_path / "c.csv", tmp_path / "c.parquet")
    assert not (tmp_path / "c.parquet").exists()
