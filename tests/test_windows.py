"""Names and paths of Windows, on every system: those that come in annotations, and those that crowdcount makes up."""

import json
import os
import re
from pathlib import Path, PureWindowsPath

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from crowdcount import cli
from crowdcount.counting.results import CountResult
from crowdcount.data.annotations import load_dataset
from crowdcount.files import atomic_path, portable_name

DEVICE = re.compile(r"(con|prn|aux|nul|(com|lpt)\d)\s*(\.|$)", re.IGNORECASE)


def fits_windows(name):
    """Whether this is the name of one file there: no device, nothing that is cut off or taken for something else."""
    path = PureWindowsPath("C:/folder", name)
    whole = path.name == name and path.parent == PureWindowsPath("C:/folder")
    return whole and not re.search(r'[<>:"/\\|?*\x00-\x1f]|[. ]$', name) and not DEVICE.match(name) and len(name) <= 255


@settings(deadline=None)  # another program may have the processor
@given(st.text(min_size=1, max_size=300), st.sampled_from(["", ".h5", "_overlay.png"]))
def test_any_name_becomes_one_that_windows_takes(stem, ending):
    name = portable_name(stem, ending)
    assert fits_windows(name) and name.endswith(ending) and len(os.fsencode(name)) <= 255
    assert portable_name(name) == name


@pytest.mark.parametrize("name", ["march.jpg", "IMG 1 (2).h5", "Bühne.png", "concert.png", "a.b.c", ".hidden"])
def test_a_good_name_stays(name):
    assert fits_windows(name) and portable_name(name) == name


@pytest.mark.parametrize("name", ["CON", "nul.txt", "Aux .h5", "com1", "a:b", "a.", "a ", "..", "a/b", "a\\b", "what?"])
def test_what_windows_does_not_take_is_changed(name):
    assert not fits_windows(name) and fits_windows(portable_name(name))


def test_a_file_with_the_longest_name_is_written(tmp_path):
    path = tmp_path / ("a" * 251 + ".txt")
    with atomic_path(path) as temporary:
        temporary.write_text("whole")
    assert path.read_text() == "whole" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pictures of such names")
def test_overlays_can_be_taken_to_windows(tmp_path, monkeypatch):
    """Pictures of a Linux machine; no overlay has a name that Windows refuses, none replaces another there."""
    names = ["CON.png", "12:30.png", "what?.png", "Road.png", "road.png", "a.png.png", "x" * 251 + ".png"]
    (tmp_path / "photos").mkdir()
    for name in names:
        Image.new("RGB", (16, 8)).save(tmp_path / "photos" / name)

    def counted(sources, *_, **__):
        for source in sources:
            yield CountResult(
                2.0, np.ones((1, 2), np.float32), source, 16, 8, "general", 0.1, [], os.path.abspath(source)
            )

    monkeypatch.setattr("crowdcount.counting.pictures.count_many", counted)
    monkeypatch.setattr("crowdcount.cli.count.import_keras", lambda: None)
    monkeypatch.setattr("crowdcount.counting.ranges.why_no_range", lambda *_: None)
    command = ["count", str(tmp_path / "photos"), "--overlay", str(tmp_path / "shown")]
    assert cli.main([*command, "--csv", str(tmp_path / "counts.csv"), "--resume"]) == 0
    made = [path.name for path in (tmp_path / "shown").iterdir()]
    assert len(made) == len({name.casefold() for name in made}) == len(names)
    assert all(map(fits_windows, made)), made


PATHS = {
    "drive": r"C:\data\images\a.jpg",
    "drive, slashes": "c:/data/images/a.jpg",
    "share": r"\\server\share\a.jpg",
    "long path": "\\\\?\\C:\\" + "folder\\" * 40 + "a.jpg",
    "relative": r"images\a.jpg",
    "here": r".\images\a.jpg",
}


@pytest.mark.parametrize("name", PATHS.values(), ids=PATHS)
def test_annotations_made_on_windows_find_their_pictures(tmp_path, name, capsys):
    (tmp_path / "images").mkdir()
    Image.new("RGB", (64, 48)).save(tmp_path / "images" / "a.jpg")
    for kind, text in {
        "csv": f'picture,x,y\r\n"{name}",5,6\r\n',
        "json": json.dumps([{"picture": name, "points": [[5, 6]]}]),
    }.items():
        (tmp_path / f"points.{kind}").write_text(text, newline="")
        (sample,) = load_dataset(kind, tmp_path, "all")
        assert sample.count == 1 and Path(sample.picture).name == "a.jpg"
        out = tmp_path / "maps"
        assert cli.main(["density", kind, "--root", str(tmp_path), "--split", "all", "--out", str(out)]) == 0
        made = [path.relative_to(out) for path in out.rglob("*") if path.is_file()]
        assert len(made) == 1 and made[0].name == "a.jpg.h5" and all(map(fits_windows, made[0].parts)), made


def test_maps_of_pictures_that_another_machine_named_lie_in_the_folder_of_maps(tmp_path):
    """As `/data/upload/1/1f2e3d4c-a.jpg`, which Label Studio calls what was uploaded."""
    Image.new("RGB", (64, 48)).save(tmp_path / "a.jpg")
    (tmp_path / "points.csv").write_text("picture,x,y\n/home/ana/a.jpg,5,6\n")
    out = tmp_path / "maps"
    assert cli.main(["density", "csv", "--root", str(tmp_path), "--split", "all", "--out", str(out)]) == 0
    assert [path.relative_to(out).as_posix() for path in out.rglob("*.h5")] == ["home/ana/a.jpg.h5"]


def test_a_name_of_windows_does_not_lead_out_of_the_folder_of_maps(tmp_path, capsys):
    Image.new("RGB", (64, 48)).save(tmp_path / "a.jpg")
    (tmp_path / "points.csv").write_text('picture,x,y\n"..\\..\\a.jpg",5,6\n')
    command = ["density", "csv", "--root", str(tmp_path), "--split", "all", "--out", str(tmp_path / "maps" / "inner")]
    assert cli.main(command) == 1 and "outside the data set" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.h5"))
