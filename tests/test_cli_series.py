"""`crowdcount count` over folders: recursive, gone on with after a stop, heads and report.

The network is stood for by the brightness of the pictures, so that only the command line is at work.
"""

import csv
import json
import os
import re
import shutil
import stat
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crowdcount import cli
from crowdcount.counting.results import CountFailure, CountResult
from crowdcount.counting.tables import GrowingTable
from crowdcount.data.annotations import read_csv, read_json
from crowdcount.data.images import load_picture
from crowdcount.errors import CrowdCountError

NAMES = ["a.png", "b.jpg", "day 2/c.png", 'day 2/d, "last".png']
ALL = [os.path.join("photos", name) for name in NAMES]


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A folder with pictures in it and in a subfolder; b.jpg is cut off. The current folder is around it."""
    for number, name in enumerate(NAMES):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (72, 64), (100 + 20 * number,) * 3).save(path)
    whole = (tmp_path / "photos" / "b.jpg").read_bytes()
    (tmp_path / "photos" / "b.jpg").write_bytes(whole[:300])
    (tmp_path / "photos" / "notes.txt").touch()
    (tmp_path / "whole.jpg").write_bytes(whole)
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Network:
    """Stands for `count_many`: counts, remembers what, and may be stopped."""

    def __init__(self):
        self.counted = []
        self.before_each = lambda: None
        self.ranges = True

    def __call__(self, sources, model, *, coverage, scale, page, progress):
        for source in sources:
            self.before_each()
            self.counted.append(os.path.relpath(source))
            try:
                picture = load_picture(source)
            except CrowdCountError as error:
                yield CountFailure(source, str(error))
                continue
            rows, columns = (-(-length // 8) for length in picture.shape[:2])
            density = np.full((rows, columns), picture.mean() / 1000, np.float32)
            count = float(density.sum())
            ends = (count - 2, count + 3, coverage) if self.ranges else (None, None, None)
            size = picture.shape[1::-1]
            yield CountResult(count, density, source, *size, model, 0.1, [], os.path.abspath(source), *ends)


@pytest.fixture
def network(monkeypatch):
    stand_in = Network()
    monkeypatch.setattr("crowdcount.counting.pictures.count_many", stand_in)
    monkeypatch.setattr("crowdcount.cli.count.import_keras", lambda: None)
    monkeypatch.setattr("crowdcount.counting.ranges.why_no_range", lambda *_: None)
    return stand_in


@pytest.fixture
def run(photos, network, capsys):
    """Exit status, lines of standard output, standard error of `crowdcount count`."""

    def run(*argv):
        network.counted.clear()
        status = cli.main(["count", *argv])
        output = capsys.readouterr()
        return status, output.out.splitlines(), output.err

    return run


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# --- Folders ------------------------------------------------------------------------------------------------


def test_subfolders_are_counted_and_a_broken_file_stops_nothing(run, network):
    status, lines, err = run("photos", "--json")
    found = [json.loads(line) for line in lines]
    assert status == 1
    assert [row["picture"] for row in found] == ALL
    assert ["error" in row for row in found] == [False, True, False, False]
    assert err.count("\n") == 1 and "b.jpg" in err


def test_overlays_of_an_earlier_run_are_no_pictures(run, network, photos):
    for options in (["--overlay", "photos/day 2"], ["--overlay", "photos/day 2"], ["--overlay", "out"], []):
        run("photos", *options)
        assert network.counted == ALL
    # A picture that only has such a name is one, and so is what is named by itself.
    Image.new("RGB", (64, 64)).save(photos / "photos" / "x_overlay.png")
    run("photos", "photos/day 2/c_overlay.png", "--overlay", "photos/day 2")
    assert os.path.join("photos", "x_overlay.png") in network.counted
    assert os.path.join("photos", "day 2", "c_overlay.png") in network.counted


def test_a_pipe_among_the_pictures_is_not_waited_for(run, network, photos):
    os.mkfifo(photos / "photos" / "pipe.png")
    counting = threading.Thread(target=run, args=["photos"], daemon=True)
    counting.start()
    counting.join(10)
    assert not counting.is_alive() and os.path.join("photos", "pipe.png") in network.counted


def test_ranges_are_told_where_there_are_any(run, network):
    _, (line,), _ = run("photos/a.png", "--json", "--coverage", "0.8")
    found = json.loads(line)
    assert (found["low"], found["high"], found["coverage"]) == (
        pytest.approx(found["count"] - 2, abs=0.002),
        pytest.approx(found["count"] + 3, abs=0.002),
        0.8,
    )
    _, (line,), _ = run("photos/a.png")
    picture, count, ends = line.split("\t")
    assert (count, ends) == (f"about {found['count']:.0f}", f"{found['low']:.0f} to {found['high']:.0f}")
    network.ranges = False
    _, (line,), _ = run("photos/a.png", "--json")
    assert "low" not in json.loads(line) and "coverage" not in json.loads(line)
    assert run("photos/a.png")[1] == [f"{picture}\t{count}"]


# --- Going on -----------------------------------------------------------------------------------------------


def test_a_second_run_counts_only_what_failed(run, network, photos):
    run("photos", "--csv", "out.csv", "--resume")
    assert network.counted == ALL
    first = rows_of("out.csv")
    status, lines, err = run("./photos", "--csv", "out.csv", "--resume")
    assert status == 1 and lines == []
    assert network.counted == [os.path.join("photos", "b.jpg")]
    assert "3 of 4" in err
    (photos / "photos" / "b.jpg").write_bytes((photos / "whole.jpg").read_bytes())
    status, lines, _ = run("photos", "--csv", "out.csv", "--resume")
    assert status == 0 and len(lines) == 1 and network.counted == [os.path.join("photos", "b.jpg")]
    rows = rows_of("out.csv")
    assert {row["picture"]: row for row in rows if "b.jpg" not in row["picture"]} == {
        row["picture"]: row for row in first if "b.jpg" not in row["picture"]
    }
    assert len(rows) == 4 and all(row["count"] and not row["error"] for row in rows)
    before = (photos / "out.csv").read_bytes()
    status, _, _ = run("photos", "--csv", "out.csv", "--resume")
    assert status == 0 and network.counted == [] and (photos / "out.csv").read_bytes() == before


def test_a_folder_that_was_empty_leaves_no_row_once_it_holds_pictures(run, photos):
    (photos / "new" / "day 1").mkdir(parents=True)
    options = ("new", "photos", "--csv", "out.csv", "--resume")
    assert run(*options)[0] == 1 and "holds no pictures" in rows_of("out.csv")[0]["error"]
    shutil.copy(photos / "photos" / "a.png", photos / "new" / "day 1" / "a.png")
    run(*options)
    assert sorted(row["picture"] for row in rows_of("out.csv")) == sorted([os.path.join("new", "day 1", "a.png"), *ALL])


def test_rows_of_other_pictures_stay(run, network, photos):
    run("photos/b.jpg", "photos/a.png", "--csv", "out.csv", "--resume")
    run("photos/day 2", "--csv", "out.csv", "--resume")
    assert sorted(row["picture"] for row in rows_of("out.csv")) == sorted(
        os.path.join("photos", name) for name in NAMES
    )


def test_pictures_that_other_links_lead_to_are_not_counted_again(run, network, photos, tmp_path_factory):
    away = tmp_path_factory.mktemp("away") / "march"
    away.symlink_to(photos, target_is_directory=True)
    run(str(away / "photos"), "--csv", "out.csv", "--resume")
    status, _, err = run("photos", "--csv", "out.csv", "--resume")
    assert network.counted == ["photos/b.jpg"] and "3 of 4 pictures are in out.csv already" in err
    assert len(rows_of("out.csv")) == len(ALL)
    assert "4 of 8 pictures are named again" in run("photos", str(away / "photos"))[2]


def test_a_table_that_was_begun_from_another_folder_is_told(run, network, photos, monkeypatch):
    argv = ("--csv", str(photos / "out.csv"), "--resume")
    assert "not found from" not in run("photos/day 2", *argv)[2] + run("photos/day 2", *argv)[2]
    monkeypatch.chdir(photos / "photos")
    err = run("day 2", *argv)[2]
    assert "2 of the pictures in" in err and "photos/day 2/c.png among them, are not found from" in err
    monkeypatch.chdir(photos)
    (photos / "other").mkdir()  # a picture that is gone, and one of its name elsewhere: another one
    shutil.move("photos/day 2/c.png", "other/c.png")
    assert "not found from" not in run("other", "--csv", "new.csv", "--resume")[2]
    (photos / "other" / "c.png").rename(photos / "photos" / "day 2" / "c.png")
    run("photos/day 2", "--csv", "kept.csv", "--resume")
    shutil.move("photos/day 2/c.png", "other/c.png")
    assert "not found from" not in run("other", "--csv", "kept.csv", "--resume")[2]


def test_each_row_is_in_the_file_before_the_next_picture(run, network):
    seen = []

    def look():
        seen.append([row["picture"] for row in rows_of("out.csv")] if os.path.exists("out.csv") else [])

    network.before_each = look
    run("photos", "--csv", "out.csv", "--resume")
    assert seen == [ALL[:number] for number in range(4)]


def test_a_run_that_is_stopped_is_gone_on_with(run, network):
    def stop():
        if len(network.counted) == 2:
            raise KeyboardInterrupt

    network.before_each = stop
    status, lines, err = run("photos", "--csv", "out.csv", "--heads", "heads.csv", "--resume")
    assert status == 130 and err.endswith("crowdcount: interrupted\n")
    assert len(rows_of("out.csv")) == 2
    network.before_each = lambda: None
    run("photos", "--csv", "out.csv", "--heads", "heads.csv", "--resume")
    assert network.counted == ALL[1:]
    rows = rows_of("out.csv")
    assert sorted(row["picture"] for row in rows) == sorted(ALL)
    assert_heads_fit(rows, rows_of("heads.csv"))


def assert_heads_fit(rows, heads):
    """As many heads of each picture as it counts, and none of what failed."""
    for row in rows:
        found = [head for head in heads if head["picture"] == row["picture"]]
        assert len(found) == (round(float(row["count"])) if row["count"] else 0)


def test_ctrl_c_keeps_what_was_counted_to_be_gone_on_with(run, network, photos):
    def stop():
        if len(network.counted) == 3:
            raise KeyboardInterrupt

    network.before_each = stop
    argv = ("photos", "--csv", "./out.csv", "--heads", "./heads.csv", "--report", "r.html")
    status, lines, err = run(*argv)
    assert status == 130 and len(lines) == 2 and "stays as it was" not in err
    assert err.endswith("crowdcount: out.csv holds 3 pictures; --resume goes on with it\ncrowdcount: interrupted\n")
    rows = rows_of("out.csv")
    assert [row["picture"] for row in rows] == ALL[:3]
    assert_heads_fit(rows, rows_of("heads.csv"))
    page = (photos / "r.html").read_text()
    assert "a.png" in page and "c.png" in page and "d, " not in page.partition("<main")[2]
    network.before_each = lambda: None
    run(*argv, "--resume")
    assert network.counted == [ALL[1], ALL[3]]  # the one that failed, and the one that was left
    assert sorted(row["picture"] for row in rows_of("out.csv")) == sorted(ALL)


def test_ctrl_c_puts_what_was_counted_beside_what_an_earlier_run_has_left(run, network, photos):
    argv = ("photos", "--csv", "out.csv", "--report", "r.html", "--heads")
    for heads in ("heads.csv", "heads.json"):
        run(*argv, heads)
        before = {path: path.read_bytes() for path in photos.iterdir() if path.is_file()}

        def stop():
            if len(network.counted) == 3:
                raise KeyboardInterrupt

        network.before_each = stop
        (photos / "r_interrupted.html").write_text("of another day")
        status, _, err = run(*argv, heads)
        assert status == 130
        assert {path: path.read_bytes() for path in before} == before
        beside = heads.replace(".", "_interrupted.")
        assert f"{heads} stays as it was; what was counted is in {beside}\n" in err
        assert "r.html stays as it was; what was counted is in r_interrupted_2.html\n" in err
        assert (photos / "r_interrupted_2.html").stat().st_size and (photos / beside).stat().st_size
        told = "out.csv stays as it was; out_interrupted.csv holds 3 pictures: --csv out_interrupted.csv --resume goes"
        assert told in err
        assert [row["picture"] for row in rows_of("out_interrupted.csv")] == ALL[:3]
        network.before_each = lambda: None
        run("photos", "--csv", "out_interrupted.csv", "--resume")
        assert network.counted == [ALL[1], ALL[3]]
        for path in photos.glob("*_interrupted*"):
            path.unlink()


def test_what_cannot_be_replaced_in_the_end_is_kept_beside_it(run, photos, monkeypatch):
    """On Windows a table that a spreadsheet has open; all that was counted was lost."""
    outputs = ["out.csv", "heads.csv", "r.html"]
    for name in outputs:
        (photos / name).write_text("open elsewhere")
    replace = os.replace

    def fails(source, target):
        if Path(target).name in outputs:
            raise PermissionError(13, "Permission denied", target)
        replace(source, target)

    monkeypatch.setattr("crowdcount.files.os.replace", fails)
    status, lines, err = run("photos", "--csv", "out.csv", "--heads", "heads.csv", "--report", "r.html")
    assert status == 1 and len(lines) == 3
    for name in outputs:
        assert f"cannot write {name}: Permission denied" in err and (photos / name).read_text() == "open elsewhere"
    assert "heads_interrupted.csv\n" in err and "r_interrupted.html\n" in err
    assert "out_interrupted.csv holds 4 pictures: --csv out_interrupted.csv --resume goes on with it" in err
    assert [row["picture"] for row in rows_of("out_interrupted.csv")] == ALL
    assert_heads_fit(rows_of("out_interrupted.csv"), rows_of("heads_interrupted.csv"))


@pytest.mark.parametrize("header", ["picture,x,y", "picture,x (px),y (px)", "picture,x (p"])
def test_heads_whose_header_tells_the_unit_are_gone_on_with(run, photos, header):
    (photos / "heads.csv").write_bytes(f"{header}\r\nother.png,3,4\r\n".encode() if "y" in header else header.encode())
    assert run(ALL[0], "--csv", "out.csv", "--heads", "heads.csv", "--resume")[0] == 0
    assert {row["picture"] for row in rows_of("heads.csv")} == {ALL[0], *(["other.png"] if "y" in header else [])}
    (photos / "heads.csv").write_bytes(b'picture,x,y\r\nother.png,"3,5",4\r\n')  # edited
    assert run(ALL[2], "--csv", "out.csv", "--heads", "heads.csv", "--resume")[0] == 0


def test_ctrl_c_before_the_first_picture_replaces_nothing(run, network, photos):
    def stop():
        raise KeyboardInterrupt

    network.before_each = stop
    for name in ("out.csv", "heads.csv", "r.html"):
        (photos / name).write_text("older")
    status, _, err = run("photos", "--csv", "out.csv", "--heads", "heads.csv", "--report", "r.html")
    assert status == 130 and err == "crowdcount: interrupted\n"
    assert [(photos / name).read_text() for name in ("out.csv", "heads.csv", "r.html")] == ["older"] * 3


def test_counts_that_cannot_be_gone_on_with_end_the_run_and_nothing_else(run, network, photos, monkeypatch):
    """A full disk below the counts: heads and report are finished, and the rest is counted another time."""
    add, full = GrowingTable.add, []

    def fails(table, rows):
        if table.path == "out.csv" and len(network.counted) == 3 and not full:
            raise CrowdCountError("cannot write out.csv: No space left on device.")
        add(table, rows)

    monkeypatch.setattr(GrowingTable, "add", fails)
    argv = ("photos", "--csv", "out.csv", "--resume", "--heads", "heads.csv", "--report", "r.html")
    status, _, err = run(*argv)
    assert status == 1 and network.counted == ALL[:3]
    assert err.endswith("crowdcount: error: cannot write out.csv: No space left on device.\n")
    assert "report saved as r.html" in err and "c.png" in (photos / "r.html").read_text()
    assert {row["picture"] for row in rows_of("heads.csv")} == {ALL[0], ALL[2]}
    full.append("no more")
    run(*argv)
    assert network.counted == [ALL[1], *ALL[2:]]
    assert_heads_fit(rows_of("out.csv"), rows_of("heads.csv"))


def test_weights_that_were_written_after_the_counts_are_told(run, network, photos):
    weights = photos / "mine.weights.h5"
    weights.touch()
    argv = ("photos", "--csv", "out.csv", "--resume", "--model", str(weights))
    assert "two networks" not in run(*argv)[2]
    written = os.stat("out.csv").st_mtime
    for later, told in ((-60, False), (60, True)):
        os.utime(weights, (written, written + later))
        os.utime("out.csv", (written, written))
        err = run(*argv)[2]
        assert ("warning: the weights " in err and "two networks" in err) == told


def test_pictures_newer_than_the_counts_are_warned_of(run, photos):
    argv = ("photos", "--csv", "out.csv", "--resume")
    run(*argv)
    written = os.stat("out.csv").st_mtime
    for later, told in ((-60, False), (60, True)):
        for name in ALL:
            os.utime(name, (written, written + later))
        os.utime("out.csv", (written, written))
        err = run(*argv)[2]
        assert ("of the pictures in out.csv were written after it" in err) == told


def test_a_scale_by_hand_is_the_whole_tables(run):
    """Counts of sizes that were found and of one that was set do not come together in one table."""
    run("photos", "--csv", "out.csv", "--scale", "1")
    status, _, err = run("photos", "--csv", "out.csv", "--resume")
    assert status == 1 and "other columns" in err
    assert "already" in run("photos", "--csv", "out.csv", "--resume", "--scale", "1")[2]


def test_zones_in_pixels_on_pictures_of_several_sizes_are_told_once(run, photos):
    """On a larger copy they hold a part of what they held, and nothing showed it."""
    for number, size in enumerate([(400, 300), (800, 600), (800, 600)]):
        Image.new("RGB", size, "gray").save(photos / f"{number}.png")
    polygon = [[10, 10], [390, 10], [390, 290], [10, 290]]
    pixels, share = {"name": "a", "polygon": polygon}, {"name": "a", "polygon": [[0, 0], [1, 0], [1, 1]]}
    told = "1.png has 800x600 pixels, and 0.png 400x300: pixels of zones and ground are other places in it"
    ground = {"points": [[x, y, x / 20, y / 20] for x, y in polygon]}
    for zone, beside, tells in ((pixels, {}, True), (pixels | {"width": 400, "height": 300}, {}, False),
                                (share, {}, False), (share, ground, True)):  # fmt: skip
        (photos / "zones.json").write_text(json.dumps([zone]))
        (photos / "ground.json").write_text(json.dumps(beside))
        options = ["--zones", "zones.json", *(["--ground", "ground.json"] if beside else [])]
        _, _, err = run("0.png", "1.png", "2.png", *options)
        assert err.count(told) == err.count("other places") == tells, (zone, beside)
    (photos / "zones.json").write_text(json.dumps([pixels]))
    run("0.png", "--csv", "out.csv", "--zones", "zones.json")
    assert told in run("0.png", "1.png", "--csv", "out.csv", "--resume", "--zones", "zones.json")[2]


def test_a_picture_that_is_named_twice_is_counted_once(run, network, photos):
    _, lines, err = run("photos", ALL[0], str(photos / ALL[0]), "--heads", "heads.csv")
    assert network.counted == ALL and len(lines) == len(ALL) - 1  # one is broken
    assert "2 of 6 pictures are named again" in err


def test_a_file_that_is_cut_off_anywhere_is_gone_on_with(run, photos):
    name = "line\nbreak, \u2028 and café.png"
    Image.new("RGB", (72, 64), "gray").save(photos / "photos" / name)
    argv = ("photos", "--csv", "out.csv", "--heads", "heads.csv", "--resume")
    run(*argv)
    whole, heads = (photos / "out.csv").read_bytes(), (photos / "heads.csv").read_bytes()
    rows = rows_of("out.csv")
    assert len(rows) == 5 and sum("\n" in row["picture"] for row in rows) == 1
    for cut in [*range(0, len(whole), 5), len(whole) - 1]:
        (photos / "out.csv").write_bytes(whole[:cut])
        (photos / "heads.csv").write_bytes(heads[: cut * 2])  # also shorter than the counts, and longer
        run(*argv)
        again = rows_of("out.csv")
        assert sorted(row["picture"] for row in again) == sorted(row["picture"] for row in rows), cut


def test_nothing_is_lost_with_the_last_line_end(run, photos):
    """As an editor takes it away: the last head was lost, and the last picture where it was not counted again."""
    options = ("--csv", "out.csv", "--heads", "heads.csv", "--resume")
    run(ALL[0], *options)
    counts, heads = rows_of("out.csv"), rows_of("heads.csv")
    for name in ("out.csv", "heads.csv"):
        (photos / name).write_bytes((photos / name).read_bytes().removesuffix(b"\r\n"))
    run(ALL[2], *options)
    assert rows_of("out.csv")[:1] == counts and len(rows_of("out.csv")) == 2
    assert rows_of("heads.csv")[: len(heads)] == heads and len(rows_of("heads.csv")) > len(heads) > 1


def test_heads_of_a_picture_without_a_row_are_counted_anew(run, photos):
    argv = ("photos", "--csv", "out.csv", "--heads", "heads.csv", "--resume")
    run(*argv)
    lines = (photos / "out.csv").read_text().splitlines(keepends=True)
    (photos / "out.csv").write_text("".join(lines[:-1]))
    _, _, err = run(*argv)
    assert_heads_fit(rows_of("out.csv"), rows_of("heads.csv"))
    assert "lacks" not in err
    os.remove("heads.csv")
    assert "lacks 3 of the pictures" in run(*argv)[2]


def test_heads_of_a_picture_that_the_zones_do_not_fit_stay(run, photos):
    Image.new("RGB", (32, 32), (120,) * 3).save(photos / "small.png")
    polygon = [[0, 0], [70, 0], [70, 60], [0, 60]]
    (photos / "zones.json").write_text(json.dumps([{"name": "all", "polygon": polygon, "unit": "pixels"}]))
    options = ("--zones", "zones.json", "--csv", "out.csv", "--resume", "--heads", "heads.csv")
    status, _, err = run("small.png", *options)
    assert status == 1 and "outside the picture" in err and rows_of("out.csv")[0]["count"]
    before = rows_of("heads.csv")
    assert {row["picture"] for row in before} == {"small.png"}
    run("photos/a.png", *options)
    assert rows_of("heads.csv")[: len(before)] == before  # its row of counts stays as well
    run("small.png", *options)  # counted anew, and not twice
    assert sum(row["picture"] == "small.png" for row in rows_of("heads.csv")) == len(before)


def test_overlays_of_an_earlier_run_stay_where_pictures_share_a_name(run, network, photos):
    """Zones in pixels that do not fit one of them: it fails, and comes again behind the others, each time."""
    for folder, size in (("d1", (72, 64)), ("d2", (200, 200)), ("d3", (200, 200))):
        (photos / folder).mkdir()
        Image.new("RGB", size, "gray").save(photos / folder / "DJI_1.jpg")
    zone = {"name": "all", "polygon": [[0, 0], [199, 0], [199, 199], [0, 199]]}
    (photos / "zones.json").write_text(json.dumps([zone]))
    options = ("--csv", "o.csv", "--zones", "zones.json", "--resume", "--overlay", "over")
    known = {}
    for number in range(4):
        status, _, err = run("d1", "d2", *(["d3"] if number else []), *options)
        assert status == 1 and os.path.join("d1", "DJI_1.jpg") in network.counted and "zone" in err
        shown = {path.name: path.read_bytes() for path in (photos / "over").iterdir()}
        assert {name: shown[name] for name in known} == known
        known = shown
        saved = [line.rpartition(" ")[2] for line in err.splitlines() if "overlay saved as" in line]
        assert len(saved) == len(network.counted)
        assert Image.open(saved[0]).width == 72
    assert sum(Image.open(photos / "over" / name).width == 200 for name in known) == 2


def test_a_picture_that_shares_its_name_with_none_replaces_its_own_overlay(run, network, photos):
    options = ("--csv", "out.csv", "--resume", "--overlay", "over")
    run("photos", *options)
    lines = (photos / "out.csv").read_text().splitlines(keepends=True)
    (photos / "out.csv").write_text("".join(lines[:-1]))  # stopped before the last picture's row was there
    before = sorted(os.listdir("over"))
    run("photos", *options)
    assert network.counted == [ALL[1], ALL[3]] and sorted(os.listdir("over")) == before


def test_heads_of_other_tables_and_dots_by_hand_stay_when_heads_are_gone_on_with(run, network, photos):
    def heads():
        return {row["picture"] for row in rows_of("heads.csv")}

    run("photos/a.png", "--csv", "one.csv", "--resume", "--heads", "heads.csv")
    run("whole.jpg", "--csv", "two.csv", "--resume", "--heads", "heads.csv")
    assert heads() == {"photos/a.png", "whole.jpg"}
    (photos / "points.csv").write_text("picture,x,y\nphotos/a.png,1,2\n")
    status, lines, err = run("photos/a.png", "--csv", "three.csv", "--resume", "--heads", "points.csv")
    assert (status, lines) == (1, []) and "dots made by hand" in err
    assert (photos / "points.csv").read_text() == "picture,x,y\nphotos/a.png,1,2\n"


def test_a_report_that_is_gone_on_with_has_all_of_the_table(run, network, photos):
    """Pictures that could not be counted, or that the zones did not fit, were left out, and their people."""
    (photos / "zones.json").write_text(json.dumps([{"name": "far", "polygon": [[0, 0], [70, 0], [70, 63], [0, 63]]}]))
    Image.new("RGB", (40, 40), (90, 90, 90)).save("small.png")
    options = ("--csv", "out.csv", "--resume", "--zones", "zones.json", "--report", "out.html")
    run("small.png", "photos/b.jpg", *options)
    small, broken = rows_of("out.csv")
    assert small["count"] and small["error"] and broken["error"] and not broken["count"]
    run("photos/a.png", *options)
    page = Path("out.html").read_text()
    assert "small.png" in page and "b.jpg" in page
    total = sum(float(row["count"] or 0) for row in rows_of("out.csv"))
    tile = re.search(r"Sum of all pictures.*?([\d,]+)", page, re.S)
    assert abs(int(tile[1]) - total) <= 1


def test_a_page_that_pandas_has_saved_is_told_in_a_report(run, network, photos):
    """Whole numbers beside empty cells are saved with a point: 1 as 1.0."""
    run("photos/a.png", "--page", "1", "--csv", "out.csv")
    (row,) = rows_of("out.csv")
    lines = Path("out.csv").read_text().splitlines()
    cells = [f"{cell}.0" if name == "page" else cell for name, cell in zip(row, lines[1].split(","), strict=True)]
    Path("out.csv").write_text(f"{lines[0]}\n{','.join(cells)}\n")
    status, _, err = run("photos/a.png", "--page", "1", "--csv", "out.csv", "--resume", "--report", "out.html")
    assert status == 0 and "a.png" in Path("out.html").read_text(), err


def test_a_table_that_a_spreadsheet_has_saved_is_gone_on_with(run, network, photos):
    run("photos/a.png", "--csv", "out.csv", "--scale", "1")
    text = Path("out.csv").read_text()
    assert ",1.0," in text
    Path("out.csv").write_text(text.replace(",1.0", ",1"), newline="")
    status, _, err = run("photos/a.png", "--csv", "out.csv", "--scale", "1", "--resume")
    assert status == 0 and "1 of 1 pictures are in out.csv already" in err
    assert run("photos/a.png", "--csv", "out.csv", "--scale", "2", "--resume")[0] == 1
    for sign, name in ((";", "semicolons"), ("\t", "tabs")):  # it was told to have other columns
        Path("out.csv").write_text(text.replace(",", sign).replace(".0", ",0"), newline="")
        status, _, err = run("photos/a.png", "--csv", "out.csv", "--scale", "1", "--resume")
        assert status == 1 and f"out.csv has {name} between its columns" in err


def test_without_resume_a_file_is_replaced_and_only_at_the_end(run, network):
    run("photos", "--csv", "out.csv")
    before = open("out.csv", "rb").read()
    seen = []
    network.before_each = lambda: seen.append(open("out.csv", "rb").read())
    run("photos/a.png", "--csv", "out.csv")
    assert seen == [before] and len(rows_of("out.csv")) == 1


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        *(("count", "about 12"), ("count", "-5"), ("count", "nan"), ("high", "1e400"), ("high", ""), ("scale", "x")),
        ("low left", "-"),
    ],
)
def test_a_row_that_was_edited_so_that_it_tells_no_count_is_refused(run, network, photos, column, cell):
    """A report that was gone on with ended with a trace."""
    (photos / "zones.json").write_text(json.dumps([{"name": "left", "polygon": [[0, 0], [1, 0], [1, 1], [0, 1]]}]))
    options = ("photos", "--csv", "out.csv", "--zones", "zones.json", "--resume", "--report", "out.html")
    run(*options)
    rows = rows_of("out.csv")
    name = next(row["picture"] for row in rows if row["count"])
    edited = [{**row, column: cell} if row["picture"] == name else row for row in rows]
    with open("out.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(edited)
    status, _, err = run(*options)
    assert status == 1 and not network.counted
    assert f"of {name!r} {column!r} should be a number, as it was written. Received {cell!r}" in err


@pytest.mark.parametrize(
    "options, part",
    [
        (["--model", "other"], "the model"),
        (["--coverage", "0.8"], "the coverage"),
        (["--zones", "zones.json"], "other columns"),
    ],
)
def test_counts_of_another_sort_are_not_mixed(run, network, photos, options, part):
    (photos / "zones.json").write_text(json.dumps([{"name": "all", "polygon": [[0, 0], [1, 0], [1, 1], [0, 1]]}]))
    run("photos", "--csv", "out.csv", "--resume")
    before = (photos / "out.csv").read_bytes()
    status, lines, err = run("photos", "--csv", "out.csv", "--resume", *options)
    assert status == 1 and lines == [] and network.counted == []
    assert part in err and err.count("\n") == 1
    assert (photos / "out.csv").read_bytes() == before


def test_counts_in_zones_that_were_moved_are_not_mixed(run, network, photos):
    def zones(right, file="zones.json"):
        polygon = [[0, 0], [right, 0], [right, 1], [0, 1]]
        (photos / file).write_text(json.dumps([{"name": "all", "polygon": polygon}]))
        return file

    options = ("--csv", "out.csv", "--resume", "--zones")
    run("photos", *options, zones(1.0))
    # The same zones under another name go on; moved ones under the same name do not.
    status, _, err = run("photos", *options, zones(1.0, "copy.json"))
    assert "already" in err and network.counted == ["photos/b.jpg"]  # which failed
    before = (photos / "out.csv").read_bytes()
    status, lines, err = run("photos", *options, zones(0.5))
    assert status == 1 and lines == [] and "the same zones" in err and err.count("\n") == 1
    assert (photos / "out.csv").read_bytes() == before and network.counted == []


@pytest.mark.skipif(not os.path.isdir("/dev/fd"), reason="no pipes that have names")
def test_zones_from_a_pipe_are_read_once(run, network, photos):
    """For the table they were read again, when nothing was left in the pipe: all zones passed for the same."""

    def counted(right):
        reading, writing = os.pipe()
        polygon = [[0, 0], [right, 0], [right, 1], [0, 1]]
        os.write(writing, json.dumps([{"name": "all", "polygon": polygon}]).encode())
        os.close(writing)
        try:
            return run("photos/a.png", "--csv", "out.csv", "--resume", "--zones", f"/dev/fd/{reading}")
        finally:
            os.close(reading)

    assert counted(1.0)[0] == 0
    assert "already" in counted(1.0)[2]
    status, _, err = counted(0.5)
    assert status == 1 and "the same zones" in err


@pytest.mark.parametrize("content", [b"no table", b"a,b\r\n1,2\r\n", b"\x89PNG\0\0\n\xff", b'"x"y,\r\n1\r\n2\r\n'])
def test_a_file_that_holds_something_else_is_left_alone(run, network, photos, content):
    (photos / "out.csv").write_bytes(content)
    status, _, err = run("photos", "--csv", "out.csv", "--resume")
    assert status == 1 and network.counted == [] and "out.csv" in err and err.count("\n") == 1
    assert (photos / "out.csv").read_bytes() == content


@pytest.mark.parametrize(
    "argv, part",
    [
        (["--resume"], "--csv"),
        (["--csv", "o.csv", "--resume", "--heads", "h.json"], "--heads"),
        (["--coverage", "1"], "between 0 and 1"),
        (["--overlay-style", "dots"], "needs --overlay"),
    ],
)
def test_usage_errors(run, capsys, argv, part):
    with pytest.raises(SystemExit) as stop:
        run("photos", *argv)
    assert stop.value.code == 2 and part in capsys.readouterr().err.splitlines()[-1]


def test_patterns_that_no_shell_has_put_paths_for_are_followed(run, network, photos):
    """As from the prompt of Windows."""
    (photos / "photos" / "[1].png").write_bytes((photos / "photos" / "a.png").read_bytes())
    status, lines, _ = run("photos/*.png")
    named = [line.split("\t")[0] for line in lines]
    assert os.path.join("photos", "a.png") in named and os.path.join("photos", "[1].png") in named
    assert not any("day 2" in name for name in named)
    _, (line,), err = run("photos/[1].png")  # a name of its own, though it looks like a pattern
    assert line.startswith("photos/[1].png") and err == ""
    status, lines, err = run("photos/*.bmp")
    assert (status, lines) == (1, []) and "photos/*.bmp' does not exist" in err


def test_links_to_folders_are_told(run, network, photos):
    (photos / "elsewhere").mkdir()
    shutil.copy(photos / "photos" / "a.png", photos / "elsewhere" / "far.png")
    _, before, err = run("photos")
    assert "link" not in err
    (photos / "photos" / "more").symlink_to(photos / "elsewhere", target_is_directory=True)
    status, lines, err = run("photos")
    assert lines == before and "1 link to folders, photos/more among them" in err and "name those folders" in err
    _, lines, err = run("photos/more")
    assert [line.split("\t")[0] for line in lines] == ["photos/more/far.png"] and "link" not in err


def test_links_to_what_is_counted_anyway_or_not_looked_for_are_not_told(run, photos):
    for folder in ("elsewhere", "photos/.hidden", "photos/@eaDir"):
        (photos / folder).mkdir()
    shutil.copy(photos / "photos" / "a.png", photos / "elsewhere" / "far.png")
    for name in (".hidden/lib", "@eaDir/small"):
        (photos / "photos" / name).symlink_to(photos / "elsewhere", target_is_directory=True)
    (photos / "photos" / "latest").symlink_to("day 2", target_is_directory=True)
    assert "link" not in run("photos")[2]
    (photos / "photos" / "more").symlink_to(photos / "elsewhere", target_is_directory=True)
    (photos / "photos" / "secret").symlink_to(".hidden", target_is_directory=True)
    assert "2 links to folders" in run("photos")[2]
    (photos / "photos" / "secret").unlink()
    for named in ("photos/more", "elsewhere"):  # as the warning advises
        _, lines, err = run("photos", named)
        assert any(line.startswith(f"{named}/far.png") for line in lines) and "link" not in err


@pytest.mark.parametrize(
    "argv, part",
    [
        (["--csv", "./photos/a.png"], "--csv would replace ./photos/a.png"),
        (["--csv", "photos/day 2/c.png"], "--csv would replace photos/day 2/c.png"),
        (["--heads", "link.png"], "--heads would replace link.png"),
        (["--csv", "o.csv", "--heads", "o.csv"], "--heads would replace o.csv"),
        (["--csv", "-"], "--csv needs the name of a file"),
        (["--csv", "out", "--overlay", "out"], "--overlay needs the folder"),
        (["--csv", "out", "--report", "out/day 1/r.html"], "--report needs the folder"),
        (["--zones", "zones.json", "--report", "zones.json"], "--report would replace zones.json"),
        (["--model", "whole.jpg", "--report", "whole.jpg"], "--report would replace whole.jpg"),
    ],
)
def test_no_output_replaces_what_the_run_reads_or_writes(run, network, photos, argv, part):
    (photos / "link.png").symlink_to(photos / "photos" / "a.png")
    whole = [{"name": "all", "polygon": [[0, 0], [1, 0], [1, 1], [0, 1]]}]
    (photos / "zones.json").write_text(json.dumps(whole))
    before = {path: path.read_bytes() for path in photos.rglob("*") if path.is_file()}
    status, lines, err = run("photos", *argv)
    assert (status, lines, network.counted) == (1, [], [])
    assert err.startswith(f"crowdcount: error: {part}") and err.count("\n") == 1
    assert {path: path.read_bytes() for path in photos.rglob("*") if path.is_file()} == before


def test_a_row_that_no_longer_fits_leaves_no_part_of_it(tmp_path, small_disk):
    path = tmp_path / "out.csv"
    table = GrowingTable(path, ["picture", "count"])
    table.add([{"picture": "a.png", "count": 1}])
    before = path.read_bytes()
    with small_disk(len(before) + 20), pytest.raises(CrowdCountError, match="cannot write"):
        table.add([{"picture": "b" * 50, "count": 2}])
    assert path.read_bytes() == before
    table.add([{"picture": "c.png", "count": 3}])
    table.close()
    assert [row["picture"] for row in rows_of(path)] == ["a.png", "c.png"]


def test_what_cannot_be_written_is_given_up_and_the_rest_kept(run, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("crowdcount.counting.results.CountResult.save_overlay", full)
    monkeypatch.setattr("crowdcount.counting.report.write_report", full)
    status, lines, err = run(
        *("photos/a.png", "photos/day 2", "--csv", "out.csv", "--overlay", "over", "--report", "r.html")
    )
    assert status == 1 and len(lines) == 3
    assert len(rows_of("out.csv")) == 3
    assert err.count("No space left on device") == 2  # the overlays once, the report once


def test_parquet_is_not_made_from_the_table_of_an_earlier_run(run, photos, monkeypatch):
    pytest.importorskip("pyarrow", reason="Parquet needs pip install pyarrow")
    options = ("--csv", "out.csv", "--parquet", "out.parquet")
    run("photos/a.png", *options)
    before = (photos / "out.csv").read_bytes()
    (photos / "out.parquet").unlink()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("crowdcount.counting.tables._write", full)
    status, lines, err = run("photos/day 2", *options)
    assert status == 1 and len(lines) == 2 and "cannot write out.csv: No space left on device" in err
    assert (photos / "out.csv").read_bytes() == before and not (photos / "out.parquet").exists()


def test_parquet_of_a_table_that_keeps_nothing_is_refused_before_the_work(run, network):
    status, lines, err = run("photos", "--csv", os.devnull, "--parquet", "out.parquet")
    assert (status, lines, network.counted) == (1, [], [])
    assert f"--csv, and {os.devnull} is a pipe or a device" in err and err.count("\n") == 1


# --- Pipes, devices and links ---------------------------------------------------------------------------------


@pytest.fixture
def node(photos):
    """`node(name, kind, device)` makes a device of its own, such as /dev has, in the folder of the photos."""

    def make(name, kind, device=(0, 0)):
        try:
            os.mknod(photos / name, kind | 0o600, os.makedev(*device))
        except (AttributeError, PermissionError):
            pytest.skip("only root may make devices here")
        return name

    return make


def test_a_pipe_gets_the_table(run, photos):
    came, readers = {}, []

    def read(name):
        came[name] = (photos / name).read_bytes()

    for name in ("counts", "heads"):
        os.mkfifo(photos / name)
        readers.append(threading.Thread(target=read, args=[name], daemon=True))
        readers[-1].start()
    run("photos", "--csv", "counts", "--heads", "heads")
    run("photos", "--csv", "counts.csv", "--heads", "heads.csv")  # the same into files
    for reader in readers:
        reader.join(10)
    assert came == {name: (photos / f"{name}.csv").read_bytes() for name in ("counts", "heads")}
    assert (photos / "counts").is_fifo() and (photos / "heads").is_fifo()


def test_a_device_is_written_to_and_stays(run, photos, node):
    nothing = node("null", stat.S_IFCHR, (1, 3))
    before = sorted(os.listdir(photos))
    status, lines, _ = run("photos/a.png", "--csv", nothing, "--heads", nothing, "--report", nothing)
    assert status == 0 and len(lines) == 1
    assert stat.S_ISCHR(os.stat(nothing).st_mode) and sorted(os.listdir(photos)) == before


def test_a_report_is_a_web_page(run, network, capsys):
    with pytest.raises(SystemExit):
        run("photos", "--report", "r.txt")
    assert "name it FILE.html. Received: r.txt" in capsys.readouterr().err and not network.counted


@pytest.mark.parametrize("option", ["--csv", "--heads", "--report"])
@pytest.mark.parametrize("kind", ["disk", "socket"])
def test_a_disk_or_a_socket_is_refused_before_the_work(run, network, node, option, kind):
    # A number that no driver has taken.
    name = node("place", stat.S_IFBLK, (240, 99)) if kind == "disk" else node("place", stat.S_IFSOCK)
    status, lines, err = run("photos", option, name)
    assert (status, lines, network.counted) == (1, [], [])
    assert err.startswith("crowdcount: error: cannot write place: place is a disk or a socket") and err.count("\n") == 1
    assert not stat.S_ISREG(os.stat(name).st_mode)


@pytest.mark.parametrize("option", ["--csv", "--heads"])
def test_a_pipe_cannot_be_gone_on_with(run, network, photos, option):
    os.mkfifo(photos / "pipe")
    argv = ["--csv", "out.csv", "--resume"] if option == "--heads" else ["--resume"]
    status, lines, err = run("photos", *argv, option, "pipe")
    assert (status, lines, network.counted) == (1, [], [])
    assert "pipe is a pipe or a device" in err and err.count("\n") == 1


@pytest.mark.parametrize("there", [True, False])
def test_the_target_of_a_link_is_replaced_and_the_link_stays(run, photos, there):
    (photos / "kept").mkdir()
    if there:
        (photos / "kept" / "counts.csv").write_text("older")
    (photos / "link.csv").symlink_to(os.path.join("kept", "counts.csv"))
    for options in ([], ["--resume"]):
        run("photos", "--csv", "link.csv", *options)
        assert (photos / "link.csv").is_symlink()
        assert [row["picture"] for row in rows_of("kept/counts.csv")][0] == ALL[0]
        assert os.listdir("kept") == ["counts.csv"]


# --- Heads and report ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, read", [("heads.csv", read_csv), ("heads.JSON", read_json)])
def test_heads_are_as_many_as_the_count(run, name, read):
    status, lines, _ = run("photos/a.png", "photos/b.jpg", "photos/day 2", "--json", "--heads", name)
    found = [json.loads(line) for line in lines]
    assert status == 1
    samples = {sample.name: sample for sample in read(name, "all")}
    assert len(samples) == 3
    for row in found:
        if "count" in row:
            assert samples[row["picture"]].count == round(row["count"])


@pytest.mark.parametrize("name", ["points.csv", "points.json"])
@pytest.mark.parametrize("folder", ["photos", "new/dots"])
def test_heads_lie_where_the_readers_find_their_pictures(run, photos, folder, name):
    (photos / "photos" / "b.jpg").write_bytes((photos / "whole.jpg").read_bytes())
    _, lines, _ = run("photos", "--json", "--heads", os.path.join(folder, name))
    counts = {row["picture"]: round(row["count"]) for row in map(json.loads, lines)}
    read = read_csv if name.endswith("csv") else read_json
    assert {os.path.relpath(sample.picture): sample.count for sample in read(folder)} == counts
    assert cli.main(["check", folder]) == 0


def test_heads_beside_other_pictures_are_gone_on_with(run, network, photos):
    options = ("--csv", "out.csv", "--resume", "--heads", "new/points.csv")
    run("photos", *options)
    lines = (photos / "out.csv").read_text().splitlines(keepends=True)
    (photos / "out.csv").write_text("".join(lines[:-1]))
    _, _, err = run("./photos", *options)
    assert network.counted == ["photos/b.jpg", ALL[3]] and "lacks" not in err
    found = {os.path.relpath(sample.picture): sample.count for sample in read_csv("new")}
    assert found == {
        os.path.relpath(row["picture"]): round(float(row["count"])) for row in rows_of("out.csv") if row["count"]
    }


def test_the_report_tells_of_every_picture(run, photos, monkeypatch):
    status, _, err = run("photos", "--report", "report.html", "--csv", "out.csv", "--resume")
    page = (photos / "report.html").read_text(encoding="utf-8")
    assert status == 1 and "report saved as report.html" in err
    assert page.count("<article") == 3 and page.count("data:image/jpeg") == 3
    assert page.count("with its heat map") == 3 and "b.jpg" in page and "cut off or damaged" in page
    counts = [row["count"] for row in rows_of("out.csv")]
    # What an earlier run has counted is told too, from the file.
    run("photos", "--report", "again.html", "--csv", "out.csv", "--resume")
    again = (photos / "again.html").read_text(encoding="utf-8")
    assert again.count("<article") == 3 and again.count("without heat map") == 3
    for count in filter(None, counts):
        assert f">{round(float(count))} people<" in page and f">{round(float(count))} people<" in again
    assert "(90 % range)" in page and "(90 % range)" in again
    monkeypatch.setattr("crowdcount.counting.words.thing_of", lambda model: "cells")
    run("photos", "--report", "again.html", "--csv", "out.csv", "--resume")
    again = (photos / "again.html").read_text(encoding="utf-8")
    assert "<h1>Cells counted</h1>" in again and "people<" not in again


def test_a_report_that_has_no_place_is_told_before_the_work(run, network):
    status, lines, err = run("photos", "--report", "photos/notes.txt/report.html")
    assert status == 1 and lines == [] and network.counted == []
    assert "cannot write photos/notes.txt/report.html" in err
