"""What `docs/security.md` says: what is opened, written and contacted, and what is refused."""

import csv
import json
import re
import shutil
import socket
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

import crowdcount
from crowdcount import cli
from crowdcount.data.readers.matlab import read_points
from crowdcount.errors import WeightsError

ROOT = Path(__file__).resolve().parents[1]


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def no_network(monkeypatch):
    """Whatever would be contacted is noted, and fails."""
    asked = []

    def refuse(*arguments, **_):
        asked.append(arguments)
        raise OSError("there is no network in this test")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    return asked


def test_counting_contacts_nothing_and_writes_what_was_named(tmp_path, weights, rng, no_network, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    Image.fromarray(rng.integers(0, 256, (64, 96, 3), np.uint8)).save("photos/a.png")
    beside = files_in(Path(weights).parent)
    assert cli.main(["count", "photos", "--model", weights]) == 0
    assert files_in(tmp_path) == ["photos", "photos/a.png"]
    outputs = ["--csv", "out/c.csv", "--heads", "out/h.csv", "--report", "out/r.html", "--overlay", "out"]
    assert cli.main(["count", "photos", "--model", weights, "--resume", *outputs]) == 0
    named = ["out", "out/a_overlay.png", "out/c.csv", "out/h.csv", "out/r.html"]
    assert files_in(tmp_path) == [*named, "photos", "photos/a.png"]
    assert files_in(Path(weights).parent) == beside
    assert no_network == []
    capsys.readouterr()


def test_names_of_pictures_are_no_formulas_nor_commands(tmp_path, weights, monkeypatch, capsys):
    """A spreadsheet would calculate `=1+1.jpg`; an escape would color the terminal, a line break feign a line."""
    monkeypatch.chdir(tmp_path)
    names = ["=1+1.jpg", "+2.jpg", "@3.jpg", "two\nlines.jpg", "\x1b[31mred.jpg", "plain.jpg"]
    for name in names:
        Image.new("RGB", (64, 64)).save(name)
    for file in Path(weights).parent.glob("tiny*"):
        shutil.copy(file, file.name.replace("tiny", "=net"))
    counting = ["count", *names, "--model", "=net.weights.h5", "--csv", "c.csv", "--heads", "h.csv"]
    assert cli.main(counting) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == len(names) and "\x1b" not in out + err and "two\\nlines.jpg" in out
    for table in ("c.csv", "h.csv"):
        pictures = [row["picture"] for row in csv.DictReader(Path(table).open(newline=""))]
        assert list(dict.fromkeys(pictures)) == ["./=1+1.jpg", "./+2.jpg", "./@3.jpg", *names[3:]]
        assert all(Path(picture).is_file() for picture in pictures)
        cells = [cell for row in csv.reader(Path(table).open(newline="")) for cell in row]
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)
    before = Path("c.csv").read_bytes(), Path("h.csv").read_bytes()
    assert cli.main([*counting, "--resume"]) == 0  # they are known again
    assert (Path("c.csv").read_bytes(), Path("h.csv").read_bytes()) == before
    # `--csv *.jpg`: the shell puts the first picture in the table's place.
    assert cli.main(["count", "plain.jpg", "--model", weights, "--csv", "+2.jpg"]) == 1
    assert "--csv would replace the picture +2.jpg" in capsys.readouterr().err
    assert Image.open("+2.jpg").size == (64, 64)


@pytest.mark.parametrize(
    "command", [["describe", "csv", "--root", "."], ["density", "csv", "--root", ".", "--out", "maps"], ["check", "."]]
)
def test_names_of_annotated_pictures_are_no_commands_either(tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    names = ["two\nlines.jpg", "\x1b[31mred.jpg"]
    for name in names:
        Image.new("RGB", (64, 64)).save(name)
    with open("points.csv", "w", newline="") as file:
        rows = [(name, x, 5, "test") for name in names for x in (5, 500)]  # the second lies outside, which is told
        csv.writer(file).writerows([("picture", "x", "y", "split"), *rows])
    cli.main(command)
    out, err = capsys.readouterr()
    assert "two\\nlines.jpg" in out and "\\x1b[31mred.jpg" in out and "\x1b" not in out + err


@pytest.mark.parametrize("kind", ["link", "array", "bomb"])
def test_a_mat_file_that_points_elsewhere_is_refused(tmp_path, kind):
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["points"] = np.ones((2, 2))
    with h5py.File(tmp_path / "GT_a.mat", "w") as file:
        if kind == "link":
            file["annPoints"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/points")
        elif kind == "array":
            file.create_dataset("annPoints", (2, 2), "f8", external=[(str(tmp_path / "secret.h5"), 0, 32)])
        else:
            file.create_dataset("annPoints", (2, 10**9), "f8", chunks=(2, 1000), compression="gzip")
    told = []
    assert read_points(tmp_path / "GT_a.mat", lambda file, problem: told.append(problem)) is None
    assert ("an array of 2000000000 numbers" if kind == "bomb" else "points into another file") in told[0]


def test_weights_are_checked_by_their_sum_each_time(tmp_path):
    from crowdcount.network.weight_files import save_weights

    file = save_weights(crowdcount.CSRNet(width=1 / 64), tmp_path / "tiny.weights.h5", {"network": {"width": 1 / 64}})
    crowdcount.load_model(file)
    data = bytearray(file.read_bytes())
    at = len(data) // 2
    data[at] ^= 1
    file.write_bytes(data)
    for load in (crowdcount.load_model, lambda file: crowdcount.count(np.zeros((64, 64, 3), np.uint8), model=file)):
        with pytest.raises(WeightsError, match="checksum"):
            load(file)


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_names_in_annotations_do_not_decide_where_is_written(tmp_path, kind, capsys):
    (tmp_path / "deep" / "data").mkdir(parents=True)
    Image.new("RGB", (24, 16)).save(tmp_path / "deep" / "elsewhere.png")
    source = tmp_path / "deep" / "data" / f"points.{kind}"
    name = "../elsewhere.png"
    if kind == "csv":
        source.write_text(f"picture,x,y\n{name},1,2\n")
    else:
        source.write_text(json.dumps({"unit": "pixels", "pictures": [{"picture": name, "points": [[1, 2]]}]}))
    before = files_in(tmp_path)
    for layout, out in (("shanghaitech", "out/layout"), ("coco", "out/coco.json")):
        assert cli.main(["convert", str(source), str(tmp_path / out), "--to", layout]) == 0
    assert sorted(set(files_in(tmp_path)) - set(before)) == [
        "out",
        "out/coco.json",
        "out/layout",
        "out/layout/train_data",
        "out/layout/train_data/ground-truth",
        "out/layout/train_data/ground-truth/GT_elsewhere.mat",
        "out/layout/train_data/images",
        "out/layout/train_data/images/elsewhere.png",
    ]
    capsys.readouterr()


def test_nothing_is_unpickled_nor_evaluated():
    """One look at the source: no module of the package runs what a file says. The course runs the learner's own."""
    wanted = re.compile(
        r"\bimport pickle|\bpickle\.|allow_pickle=True|\beval\(|(?<!\.)\bexec\(|os\.system|weights_only=False"
    )
    for path in (ROOT / "crowdcount").rglob("*.py"):
        if "course" not in path.parts:
            assert not wanted.search(path.read_text("utf-8")), path


def test_the_tests_that_the_page_names_are_there():
    named = re.findall(r"\(\.\./(tests/\w+\.py)\)", (ROOT / "docs" / "security.md").read_text("utf-8"))
    assert named and all((ROOT / name).is_file() for name in named)
