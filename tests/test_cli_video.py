"""`crowdcount video`: what it prints and writes, and what is kept when it ends early."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from crowdcount import cli
from crowdcount.counting.results import CountResult
from crowdcount.video import counting as video

av = pytest.importorskip("av", reason="the extra video is not installed")

# They tile the picture.
HALVES = [
    {"name": "left", "polygon": [[0, 0], [0.4, 0], [0.4, 1], [0, 1]]},
    {"name": "right", "polygon": [[0.4, 0], [1, 0], [1, 1], [0.4, 1]]},
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a video of 8 s at 5 frames a second, and zones."""
    rng = np.random.default_rng(3)
    with av.open(str(tmp_path / "square.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        for _ in range(40):
            picture = rng.integers(0, 256, (64, 96, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    (tmp_path / "zones.json").write_text(json.dumps(HALVES))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def comes_to(number):
    return f"It comes to about {number * 1000:,} people instead of {number}."


@pytest.fixture
def network(monkeypatch):
    """Stands in for the network: 10 people in the first frame, 20 in the next, ...; calls its hooks."""
    hooks = {}

    class Fake:
        calls, scale = 0, None

        def __call__(self, picture, *, upright):
            number = Fake.calls = Fake.calls + 1
            if number in hooks:
                hooks[number]()
            height, width = picture.shape[:2]
            density = np.full((-(-height // 8), -(-width // 8)), 10 * number, np.float32)
            density /= density.size
            people = 10.0 * number
            told = hooks["told"](number) if "told" in hooks else [comes_to(number)]
            return CountResult(
                people, density, "picture", width, height, "fake", 0.0, told,
                low=people / 2, high=people * 2, coverage=0.9,
            )  # fmt: skip

    monkeypatch.setattr(video, "Counter", lambda *_: Fake())
    monkeypatch.setattr("crowdcount.cli.video.import_keras", lambda: None)
    return hooks


@pytest.fixture
def run(folder, network, capsys):
    """Exit status, lines of standard output, lines of standard error of `crowdcount video square.mp4 ...`."""

    def run(*argv, source="square.mp4"):
        status = cli.main(["video", source, *argv])
        output = capsys.readouterr()
        return status, output.out.splitlines(), output.err.splitlines()

    return run


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def frames_in(path):
    with av.open(str(path)) as container:
        return [frame.time for frame in container.decode(video=0)]


def test_everything_that_it_writes(run, folder):
    status, lines, err = run(
        "--zones", "zones.json", "--csv", "out.csv", "--chart", "chart.png", "--annotated", "film.mp4",
        "--every", "2", "--smooth", "0",
    )  # fmt: skip
    assert status == 0
    table = rows("out.csv")
    ends = ["low left", "high left", "low right", "high right"]
    assert list(table[0]) == ["time", "count", "low", "high", "left", "right", *ends]
    assert all(row[end] == "" for row in table for end in ends)  # this network has no ranges for zones
    assert [float(row["time"]) for row in table] == [0, 2, 4, 6]
    assert [float(row["count"]) for row in table] == [10, 20, 30, 40]
    for row in table:
        assert float(row["left"]) + float(row["right"]) == pytest.approx(float(row["count"]), abs=1e-4)
        assert float(row["left"]) == pytest.approx(0.4 * float(row["count"]), abs=1e-4)
        assert (float(row["low"]), float(row["high"])) == (float(row["count"]) / 2, float(row["count"]) * 2)
    assert lines[:4] == [
        "0.0\tabout 10\t5 to 20",
        "0.0\tleft\tabout 4",
        "0.0\tright\tabout 6",
        "2.0\tabout 20\t10 to 40",
    ]
    assert (folder / "chart.png").read_bytes().startswith(b"\x89PNG")
    np.testing.assert_allclose(frames_in("film.mp4"), np.arange(40) / 5)
    assert err == [
        "crowdcount: warning: 0.0 s: It comes to about 1,000 people instead of 1.",  # once, not once a frame
        "crowdcount: 4 counts, on average about 25 people, at most about 40 at 6.0 s",
    ]


@pytest.mark.parametrize("silence, times", [(60.0, ["0.0"]), (3.0, ["0.0", "4.0"])])
def test_a_warning_that_comes_and_goes_is_told_again_after_a_while(run, network, monkeypatch, silence, times):
    network["told"] = lambda number: ["It is dark."] if number % 2 else []
    monkeypatch.setattr("crowdcount.cli.video._SILENCE", silence)
    status, lines, err = run("--every", "2")
    assert status == 0 and len(lines) == 4
    assert err[:-1] == [f"crowdcount: warning: {time} s: It is dark." for time in times]


def test_an_interval_shorter_than_any_counts_every_frame(run):
    status, lines, _ = run("--every", "1e-320")
    assert status == 0 and [line.partition("\t")[0] for line in lines[:3]] == ["0.0", "0.2", "0.4"] and len(lines) == 40


def test_ground_gives_people_per_square_meter(run):
    points = [[0, 0, 0, 0], [1, 0, 10, 0], [1, 1, 10, 7], [0, 1, 0, 7]]
    with open("ground.json", "w") as file:
        json.dump({"points": points}, file)
    argv = ("--every", "2", "--smooth", "0", "--csv", "out.csv", "--ground", "ground.json")
    status, lines, _ = run(*argv)
    assert status == 0 and lines[:2] == ["0.0\tabout 10\t5 to 20", "0.0\tground\tabout 10\t0.14 per m2"]
    assert [float(row["per m2 ground"]) for row in rows("out.csv")] == pytest.approx([1 / 7, 2 / 7, 3 / 7, 4 / 7], 1e-3)
    wide = [[x, y, 10 * east, 10 * north] for x, y, east, north in points]
    with open("wide.json", "w") as file:
        json.dump({"points": wide}, file)
    _, lines, _ = run("--every", "2", "--smooth", "0", "--ground", "wide.json")
    assert lines[1].endswith("\t0.007 per m2")  # not 0.01
    run(*argv, "--zones", "zones.json")
    assert {"per m2 left", "per m2 right"} < set(rows("out.csv")[0])


def test_a_ground_that_does_not_fit_replaces_no_film(run, folder):
    points = [[0, 0, 0, 0], [500, 0, 10, 0], [500, 400, 10, 7], [0, 400, 0, 7]]
    (folder / "ground.json").write_text(json.dumps({"points": points}))
    (folder / "film.mp4").write_bytes(b"older")
    status, lines, err = run("--zones", "zones.json", "--ground", "ground.json", "--annotated", "film.mp4")
    assert status == 1 and lines == [] and "A ground point lies outside the picture" in err[-1]
    assert (folder / "film.mp4").read_bytes() == b"older"


def test_without_a_chart_no_counts_are_kept(run, monkeypatch):
    monkeypatch.setattr("crowdcount.video.chart.CountSeries.add", lambda *_: pytest.fail("kept"))
    status, _, err = run("--csv", "out.csv", "--every", "2", "--smooth", "0")
    assert status == 0
    assert err[-1] == "crowdcount: 4 counts, on average about 25 people, at most about 40 at 6.0 s"


@pytest.mark.parametrize("option", ["--csv", "--annotated"])
def test_the_address_of_a_file_is_not_replaced_either(run, folder, option):
    before = (folder / "square.mp4").read_bytes()
    status, lines, err = run(option, "square.mp4", "--seconds", "3", source=(folder / "square.mp4").as_uri())
    assert status == 1 and lines == []
    assert len(err) == 1 and f"{option} would replace square.mp4" in err[0]
    assert (folder / "square.mp4").read_bytes() == before


def test_a_password_is_not_in_the_title_of_the_chart(run, folder, monkeypatch):
    from crowdcount.video import frames as video_frames
    from crowdcount.video.chart import CountSeries

    titles = []
    monkeypatch.setattr(CountSeries, "save_chart", lambda self, path, title: titles.append(title))
    opening = av.open
    monkeypatch.setattr(video_frames, "_open_address", lambda address, timeout: opening("square.mp4"))
    run("--chart", "chart.png", source="http://192.168.1.20/v.mp4?user=admin&pwd=secret")
    assert titles == ["http://192.168.1.20/v.mp4?***"]


def test_counts_are_smoothed_unless_told_otherwise(run):
    run("--csv", "out.csv", "--every", "2", "--seconds", "3")
    first, second = rows("out.csv")
    weight = np.exp(-2 / 5)
    # The fake network counts 10 and 20.
    assert float(second["count"]) == pytest.approx((10 * weight + 20) / (weight + 1), abs=1e-6)
    assert float(first["count"]) == 10


def test_the_table_grows_as_it_counts(run, network, folder):
    (folder / "out.csv").write_text("an older table")
    seen = []
    network.update({number: lambda: seen.append((folder / "out.csv").read_bytes()) for number in (1, 2, 4)})
    run("--csv", "out.csv")
    assert seen[0] == b"an older table"
    assert [content.count(b"\r\n") for content in seen] == [0, 2, 4]
    assert seen[2].startswith(seen[1])
    assert not (folder / "out_earlier.csv").exists()


def test_a_table_of_before_is_kept_until_a_recording_is_counted(run, network, folder):
    def stop():
        raise KeyboardInterrupt

    (folder / "out.csv").write_text("an older table")
    network[3] = stop
    status, _, err = run("--csv", "out.csv")
    assert status == 130 and (folder / "out_earlier.csv").read_text() == "an older table"
    assert len(rows("out.csv")) == 2
    assert any(line.startswith("crowdcount: the table of before is kept as ") for line in err)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_what_was_counted_is_kept_when_the_work_is_ended(run, network, folder, name):
    number = getattr(signal, name)
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)}
    network[4] = lambda: signal.raise_signal(number)
    try:
        status, lines, err = run("--csv", "out.csv", "--chart", "chart.png", "--annotated", "film.mp4")
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    assert status == 128 + number and len(lines) == 3
    assert [float(row["time"]) for row in rows("out.csv")] == [0, 1, 2]
    np.testing.assert_allclose(frames_in("film.mp4"), np.arange(15) / 5)
    assert (folder / "chart.png").exists()
    assert err[-1] == "crowdcount: interrupted" and err[-2].startswith("crowdcount: 3 counts")
    assert sorted(os.listdir(folder)) == ["chart.png", "film.mp4", "out.csv", "square.mp4", "zones.json"]


def test_broken_frames_are_reported_and_the_rest_is_counted(run, folder):
    with av.open("square.mp4") as container:
        position, size = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size][17]
    with open("square.mp4", "r+b") as file:
        file.seek(position)
        file.write(bytes(size))
    status, lines, err = run("--csv", "out.csv")
    assert status == 0 and len(rows("out.csv")) == len(lines) == 8
    assert sum("broken frame" in line for line in err) == 1


def test_a_table_that_cannot_be_written_costs_nothing_else(run, folder, small_disk):
    with small_disk(100):
        status, lines, err = run("--csv", "out.csv")
    assert status == 1 and len(lines) == 8
    given_up = "crowdcount: error: cannot write out.csv: File too large. Counting goes on without it."
    assert err.count(given_up) == 1 and err[-1].startswith("crowdcount: 8 counts")
    assert (folder / "out.csv").read_bytes().endswith(b"\r\n")
    found = [float(row["time"]) for row in rows("out.csv")]
    assert found == list(range(len(found))) and 1 <= len(found) < 8


@pytest.mark.parametrize("older", [None, b"an older table"])
def test_a_table_without_a_row_replaces_nothing(run, folder, small_disk, older):
    if older:
        (folder / "out.csv").write_bytes(older)
    before = sorted(os.listdir(folder))
    with small_disk(30):  # room for the names of the columns, and for no row
        status, lines, _ = run("--csv", "out.csv")
    assert status == 1 and len(lines) == 8
    assert sorted(os.listdir(folder)) == before
    assert older is None or (folder / "out.csv").read_bytes() == older


def test_a_recordings_table_is_not_gone_on_with(run, folder):
    """Told before the work: the chart and the video of before stay, too."""
    files = ["--csv", "out.csv", "--chart", "out.png", "--annotated", "out.mkv"]
    run(*files)
    before = [(folder / name).read_bytes() for name in files[1::2]]
    status, lines, err = run(*files, "--resume")
    assert status == 1 and not lines and "Leave out --resume" in err[-1]
    assert [(folder / name).read_bytes() for name in files[1::2]] == before
    with pytest.raises(SystemExit):
        run("--resume")


def test_a_count_is_printed_before_it_is_written(run, folder, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("crowdcount.video.files.CountTable.add", stop)
    status, lines, _ = run("--csv", "out.csv")
    assert status == 130 and len(lines) == 1


def test_a_pipe_gets_the_rows_as_they_are_counted(run, network, folder):
    os.mkfifo(folder / "pipe")
    run("--csv", "out.csv")
    came = []

    def read():
        with open(folder / "pipe", newline="") as pipe:
            came.extend(pipe)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    status, lines, _ = run("--csv", "pipe")
    reader.join(10)
    assert status == 0 and len(came) == len(lines) + 1 == 9
    assert [line.split(",")[0] for line in came[1:]] == [row["time"] for row in rows("out.csv")]
    assert (folder / "pipe").is_fifo()


def test_an_annotated_video_that_cannot_be_written_costs_nothing_else(run, folder, small_disk):
    with small_disk(50_000):
        status, lines, err = run("--csv", "out.csv", "--annotated", "film.mp4")
    assert status == 1 and len(rows("out.csv")) == len(lines) == 8
    assert sum("Counting goes on" in line for line in err) == 1
    assert err[-1].startswith("crowdcount: error: cannot write film.mp4: File too large")
    assert sorted(os.listdir(folder)) == ["out.csv", "square.mp4", "zones.json"]


@pytest.mark.parametrize(
    "argv, part",
    [
        (["--zones", "missing.json"], "missing.json"),
        (["--csv", "square.mp4"], "--csv would replace square.mp4"),
        (["--annotated", "./square.mp4"], "--annotated would replace ./square.mp4"),
        (["--csv", "a.png", "--chart", "a.png"], "--chart would replace a.png"),
        (["--chart", "chart.mp4"], "chart.mp4"),
        (["--annotated", "film.png"], "film.png"),
        (["--csv", "."], "folder"),
    ],
)
def test_bad_arguments_are_one_clear_error_before_the_work(run, network, folder, argv, part):
    network[1] = lambda: pytest.fail("counted")
    before = (folder / "square.mp4").read_bytes()
    status, lines, err = run(*argv)
    assert status == 1 and lines == []
    assert len(err) == 1 and err[0].startswith("crowdcount: error: ") and part in err[0]
    assert (folder / "square.mp4").read_bytes() == before


def test_no_table_takes_the_place_of_a_recording(run, folder):
    """`--csv *.mp4`, where a shell puts two recordings in its place."""
    shutil.copy("square.mp4", "noon.mp4")
    before = (folder / "noon.mp4").read_bytes()
    status, lines, err = run("--csv", "noon.mp4")
    assert (status, lines) == (1, []) and "--csv would replace the video noon.mp4" in err[0]
    assert (folder / "noon.mp4").read_bytes() == before


def test_a_zone_named_as_a_column_is_refused_for_the_table(run):
    with open("zones.json", "w") as file:
        json.dump([{"name": "time", "polygon": [[0, 0], [1, 0], [1, 1]]}], file)
    status, _, err = run("--zones", "zones.json", "--csv", "out.csv")
    assert status == 1 and "'time'" in err[0]
    assert run("--zones", "zones.json")[0] == 0


@pytest.mark.parametrize("name, part", [("missing.mp4", "does not exist"), ("zones.json", "holds no video")])
def test_what_is_no_video_is_one_clear_error_and_leaves_nothing(run, folder, name, part):
    (folder / "out.csv").write_text("an older table")
    status, lines, err = run("--csv", "out.csv", "--chart", "c.png", "--annotated", "f.mp4", source=name)
    assert status == 1 and lines == []
    assert len(err) == 1 and name in err[0] and part in err[0]
    assert (folder / "out.csv").read_text() == "an older table"
    assert sorted(os.listdir(folder)) == ["out.csv", "square.mp4", "zones.json"]


@pytest.mark.parametrize(
    "option, value, wanted",
    [
        ("--every", "0", "a number above 0"),
        ("--every", "x", "a number above 0"),
        ("--seconds", "-1", "a number above 0"),
        ("--smooth", "-1", "a number, 0 or more"),
        ("--coverage", "1", "a number between 0 and 1, as 0.9"),
        ("--coverage", "90%", "a number between 0 and 1, as 0.9"),
    ],
)
def test_numbers_out_of_range_are_usage_errors(run, capsys, option, value, wanted):
    with pytest.raises(SystemExit) as stop:
        run(option, value)
    told = capsys.readouterr().err.splitlines()[-1]
    assert stop.value.code == 2
    assert told == f"crowdcount video: error: argument {option}: must be {wanted}, received {value}"


def test_no_smoothing_is_zero_however_it_is_written(run):
    run("--csv", "out.csv", "--every", "4", "--smooth", "0.0")
    assert [float(row["count"]) for row in rows("out.csv")] == [10, 20]


def test_without_the_library_the_extra_is_named(folder):
    program = (
        "import sys; sys.modules['av'] = None; from crowdcount.cli import main; sys.exit(main(['video', 'square.mp4']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and 'pip install ".[video]"' in done.stderr


def test_a_real_network_from_the_command_line(folder, tmp_path, capsys):
    import keras

    from crowdcount.network.csrnet import CSRNet
    from crowdcount.network.weight_files import save_weights

    keras.utils.set_random_seed(5)
    card = {
        "name": "tiny",
        "network": {"design": "B", "width": 1 / 16},
        "calibration": {"pictures": 20, "true": [10.0] * 20, "predicted": [12.0] * 20},
    }
    weights = save_weights(CSRNet(width=1 / 16), tmp_path / "tiny.weights.h5", card)
    status = cli.main(["video", "square.mp4", "--every", "4", "--csv", "out.csv", "--model", str(weights)])
    assert status == 0
    first, second = rows("out.csv")
    assert (float(first["time"]), float(second["time"])) == (0, 4)
    for row in (first, second):
        assert 0 <= float(row["low"]) < float(row["count"]) < float(row["high"])
