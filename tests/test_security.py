"""What `docs/security.md` says: what is opened, written and contacted, and what is refused."""

import json
import re
import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import crowdcount
from crowdcount import cli
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
