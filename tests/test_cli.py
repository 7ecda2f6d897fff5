"""The command line: what scripts rely on, and what a person sees who got something wrong."""

import csv
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from test_readers import trancos as draw_trancos

from crowdcount import cli
from crowdcount.counting.pictures import count
from crowdcount.counting.words import whole
from crowdcount.data.annotations import load_dataset
from crowdcount.data.density import load_density_map
from crowdcount.files import data_folder
from crowdcount.measuring.evaluation import evaluate
from crowdcount.network.loading import load_model
from crowdcount.training.recipes import RECIPES

COMMANDS = ("count", "video", "evaluate", "train", "export", "density", "check", "models", "draw")


@pytest.fixture
def photos(tmp_path, rng):
    """A folder with two good pictures, a cut off one and a text file."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, (height, width) in {"a.png": (134, 165), "c.jpg": (154, 128)}.items():
        Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(folder / name)
    (folder / "b.jpg").write_bytes((folder / "c.jpg").read_bytes()[:300])
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture
def crowd(tmp_path, rng):
    """A data set in CSV: the four pictures of the split test have 1, 2, 3 and 4 heads."""
    folder = tmp_path / "crowd"
    folder.mkdir()
    lines = ["picture,x,y,split"]
    for heads in range(1, 5):
        name = f"street{heads}.png"
        Image.fromarray(rng.integers(0, 256, (64, 72, 3), dtype=np.uint8)).save(folder / name)
        lines += [f"{name},{10 * head + 5.5},30.25,test" for head in range(heads)]
    (folder / "points.csv").write_text("\n".join(lines) + "\n")
    return folder


def run(capsys, *argv):
    """Exit status, lines of standard output, standard error."""
    status = cli.main([str(argument) for argument in argv])
    output = capsys.readouterr()
    return status, output.out.splitlines(), output.err


def assert_clean_error(status, lines, err, *parts):
    assert status == 1
    assert lines == []
    assert err.startswith("crowdcount: error: ") and err.count("\n") == 1
    for part in parts:
        assert str(part) in err


# --- count --------------------------------------------------------------------------------------------------


def test_count_prints_a_line_a_picture(capsys, photos, weights):
    status, lines, err = run(capsys, "count", photos / "a.png", photos / "c.jpg", "--model", weights)
    assert status == 0 and err == ""
    expected = [count(photos / name, model=weights).count for name in ("a.png", "c.jpg")]
    assert lines == [f"{photos / name}\tabout {whole(number)}" for name, number in zip(("a.png", "c.jpg"), expected)]


def test_count_json_has_the_promised_keys_and_goes_on_after_a_failure(capsys, photos, weights):
    status, lines, err = run(capsys, "count", photos, "--model", weights, "--json")
    first, second, third = map(json.loads, lines)
    assert status == 1
    assert list(first) == ["picture", "count", "width", "height", "scale", "model", "seconds", "warnings"]
    assert first["picture"] == os.path.join(photos, "a.png")
    assert (first["width"], first["height"], first["model"], first["warnings"]) == (165, 134, weights, [])
    assert first["count"] == pytest.approx(count(photos / "a.png", model=weights).count, abs=1e-3)
    assert first["seconds"] > 0
    assert list(second) == ["picture", "error"]
    assert second["picture"] == os.path.join(photos, "b.jpg") and second["error"]
    assert third["picture"] == os.path.join(photos, "c.jpg")
    assert err.startswith("crowdcount: error: ") and "b.jpg" in err


def test_count_names_a_folders_pictures_as_the_folder_was_given(capsys, photos, weights, monkeypatch):
    monkeypatch.chdir(photos)
    _, lines, _ = run(capsys, "count", "./", "a.png", "--model", weights, "--json")
    assert [json.loads(line)["picture"] for line in lines] == ["./a.png", "./b.jpg", "./c.jpg"]


@pytest.mark.parametrize("bad", ["missing.jpg", "empty.jpg", "folder", "text.png"])
def test_count_of_bad_input_is_one_clear_error(capsys, tmp_path, weights, bad):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.png").write_text("this is no picture")
    (tmp_path / "folder").mkdir()
    assert_clean_error(*run(capsys, "count", tmp_path / bad, "--model", weights), tmp_path / bad)


def test_count_shows_warnings_beside_the_result(capsys, tmp_path, weights):
    Image.new("RGB", (100, 80), "gray").save(tmp_path / "gray.png")
    status, lines, err = run(capsys, "count", tmp_path / "gray.png", "--model", weights)
    assert status == 0 and len(lines) == 1
    assert err.startswith(f"crowdcount: warning: {tmp_path / 'gray.png'}: ")
    _, lines, _ = run(capsys, "count", tmp_path / "gray.png", "--model", weights, "--json")
    assert "hardly any contrast" in json.loads(lines[0])["warnings"][0]


def test_count_csv_holds_results_and_failures(capsys, photos, tmp_path, weights):
    status, lines, _ = run(capsys, "count", photos, "--model", weights, "--csv", tmp_path / "new" / "counts.csv")
    assert status == 1 and len(lines) == 2
    with open(tmp_path / "new" / "counts.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        *("picture", "count", "low", "high", "coverage", "width", "height", "scale", "model", "seconds"),
        *("warnings", "error"),
    ]
    assert [row["picture"] for row in rows] == [str(photos / name) for name in ("a.png", "b.jpg", "c.jpg")]
    assert float(rows[0]["count"]) > 0 and rows[0]["error"] == ""
    assert rows[1]["count"] == "" and rows[1]["error"]
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["counts.csv"]


def test_count_overlays_never_replace_each_other_or_a_picture(capsys, photos, tmp_path, weights):
    (photos / "sub").mkdir()
    Image.new("RGB", (64, 64)).save(photos / "sub" / "a.png")
    Image.new("RGB", (80, 80)).save(photos / "a_overlay_2.png")  # a photo that is called so
    before = [(photos / name).read_bytes() for name in ("a.png", "a_overlay_2.png")]
    for _ in range(2):
        status, _, err = run(
            capsys, "count", photos / "a.png", photos / "sub" / "a.png", "--model", weights, "--overlay", photos
        )
        assert status == 0
    assert [(photos / name).read_bytes() for name in ("a.png", "a_overlay_2.png")] == before
    assert Image.open(photos / "a_overlay.png").width == 165
    assert Image.open(photos / "a_overlay_3.png").width == 64
    assert str(photos / "a_overlay.png") in err and not (photos / "a_overlay_4.png").exists()


def test_count_demo_counts_the_bundled_picture(capsys, tmp_path, weights):
    status, lines, err = run(capsys, "count", "--demo", "--model", weights, "--json", "--overlay", tmp_path)
    assert status == 0 and "is drawn; 200 people are in it" in err
    assert json.loads(lines[0])["picture"] == str(data_folder("datasets") / "sample.jpg")
    assert [file.name for file in tmp_path.iterdir()] == ["sample_overlay.png"]


def test_count_without_pictures_is_a_usage_error(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["count"])
    assert stop.value.code == 2
    assert "--demo" in capsys.readouterr().err


def test_count_with_an_unknown_model_is_one_clear_error(capsys, photos):
    assert_clean_error(*run(capsys, "count", photos, "--model", "nonesuch"), "nonesuch")


def test_an_error_with_a_name_of_pages_leaves_out_its_middle(capsys, tmp_path, photos, weights):
    zones = tmp_path / "zones.json"
    zones.write_text(json.dumps([{"name": "n" * 9000, "polygon": [[0, 0], [1, 0]]}]))
    status, lines, err = run(capsys, "count", photos, "--model", weights, "--zones", zones)
    assert_clean_error(status, lines, err, zones, "three corners", "characters left out")
    assert len(err) < 2200


@pytest.mark.parametrize("option", ["--csv", "--overlay"])
def test_count_says_before_the_work_that_a_result_cannot_be_written(capsys, photos, weights, option, monkeypatch):
    monkeypatch.setattr("crowdcount.counting.pictures.count_many", None)  # must not be reached
    place = photos / "notes.txt" / "results"  # a file cannot hold files
    assert_clean_error(*run(capsys, "count", photos, "--model", weights, option, place), "cannot write", place)


def test_count_refuses_a_folder_as_csv_file(capsys, photos, weights):
    assert_clean_error(*run(capsys, "count", photos, "--model", weights, "--csv", photos), photos, "is a folder")


@pytest.mark.parametrize(
    "argv",
    [
        ["count", "a.jpg", "--zones", ""],
        ["count", "a.jpg", "--csv", ""],
        ["video", "a.mp4", "--annotated", ""],
        ["evaluate", "csv", "--against", ""],
        ["check", ""],
    ],
)
def test_what_is_empty_is_not_taken_for_left_out(capsys, argv):
    """As by a variable of the shell that is not set: hours of counting would leave nothing."""
    with pytest.raises(SystemExit) as stop:
        cli.main(argv)
    name = argv[-2].removeprefix("--") if len(argv) > 2 else "folder"
    assert stop.value.code == 2 and f"{name} is empty: name a value" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name",
    [
        "counts.xlsx",
        "counts.JSON",
        "counts.tsv",
        "points.csv",
        "boxes.csv",
        "excel.csv",
        "sep.csv",
        "empty.csv",
        "via.csv",
    ],
)
def test_count_refuses_tables_of_other_kinds_and_those_of_annotations(capsys, photos, weights, name):
    """They were replaced, however a spreadsheet had saved them, and a text named as a workbook opens nowhere."""
    (photos / "points.csv").write_text("Picture;X;Y\ngood.jpg;1,5;2\n")
    (photos / "boxes.csv").write_text("filename,xmin,ymin,xmax,ymax\ngood.jpg,1,2,3,4\n")
    (photos / "excel.csv").write_bytes("\ufeffpicture,x,y\r\ngood.jpg,1,2\r\n".encode("utf-16-le"))
    (photos / "sep.csv").write_bytes(b"sep=;\r\npicture;x;y\r\ngood.jpg;1,5;2\r\n")
    (photos / "empty.csv").write_bytes("\r\npicture,x,y\r\n".encode("utf-16-be"))
    (photos / "via.csv").write_text("filename,region_count,region_shape_attributes\ngood.jpg,0,{}\n")
    before = {path: path.read_bytes() for path in photos.iterdir()}
    reason = "name it FILE.csv" if name.startswith("counts.") else "holds annotations"
    assert_clean_error(*run(capsys, "count", photos, "--model", weights, "--csv", photos / name), name, reason)
    assert {path: path.read_bytes() for path in photos.iterdir()} == before


@pytest.mark.parametrize("name", ["points.csv", "points.json"])
def test_heads_do_not_take_the_place_of_dots_made_by_hand(capsys, photos, weights, name):
    (photos / name).write_text("picture,x,y\na.png,1,2\n")
    command = ("count", photos / "a.png", "--model", weights, "--heads", photos / name)
    assert_clean_error(*run(capsys, *command), name, "dots made by hand")
    assert (photos / name).read_text() == "picture,x,y\na.png,1,2\n"


def test_full_disk_is_one_clear_error(capsys, photos, weights, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("crowdcount.counting.results.CountResult.save_overlay", full)
    status, lines, err = run(capsys, "count", photos / "a.png", "--model", weights, "--overlay", tmp_path / "out")
    assert status == 1 and len(lines) == 1
    assert "cannot write" in err and "No space left on device" in err and "Traceback" not in err


def test_interrupt_is_clean(capsys, photos, weights, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("crowdcount.counting.pictures.count_many", interrupted)
    status, lines, err = run(capsys, "count", photos, "--model", weights, "--csv", tmp_path / "counts.csv")
    assert (status, lines, err) == (130, [], "crowdcount: interrupted\n")
    assert not (tmp_path / "counts.csv").exists()


# --- evaluate -----------------------------------------------------------------------------------------------


def test_evaluate_json_has_the_promised_keys(capsys, crowd, weights, tmp_path):
    argv = ["evaluate", "csv", "--root", crowd, "--split", "test", "--model", weights, "--json"]
    status, (line,), err = run(capsys, *argv, "--csv", tmp_path / "scores.csv")
    found = json.loads(line)
    assert (status, err) == (0, "")
    assert {"dataset", "split", "pictures", "mae", "rmse", "nae", "game", "seconds"} <= set(found)
    assert found["coverage"] is None and found["mean_width"] is None  # these weights have no calibration
    assert (found["dataset"], found["split"], found["pictures"]) == ("csv", "test", 4)
    assert "psnr" not in found
    counts = [count(crowd / f"street{heads}.png", model=weights).count for heads in range(1, 5)]
    errors = [number - heads for heads, number in enumerate(counts, start=1)]
    assert found["mae"] == pytest.approx(np.mean(np.abs(errors)), rel=1e-4)
    assert found["bias"] == pytest.approx(np.mean(errors), rel=1e-4)
    assert len(found["game"]) == 4 and found["game"][0] == pytest.approx(found["mae"])
    with open(tmp_path / "scores.csv", newline="") as file:
        assert [float(row["true"]) for row in csv.DictReader(file)] == [1, 2, 3, 4]
    _, (line,), _ = run(capsys, *argv, "--maps")
    assert -1 <= json.loads(line)["ssim"] <= 1 and json.loads(line)["psnr"]


def test_evaluate_prints_what_json_holds(capsys, crowd, weights):
    argv = ["evaluate", "csv", "--root", crowd, "--split", "test", "--model", weights, "--maps"]
    _, (line,), _ = run(capsys, *argv, "--json")
    found = json.loads(line)
    status, lines, _ = run(capsys, *argv)
    text = "\n".join(lines)
    assert status == 0
    for value in (
        f"{found['mae']:.2f}",
        f"{found['rmse']:.2f}",
        f"{found['bias']:+.2f}",
        f"{found['mae']:.2f} +- {found['standard_error']['mae']:.2f}  heads",  # no finer than the error itself
        f"{found['nae']:.4f} +- {found['standard_error']['nae']:.4f}\n",
        f"{found['psnr']:.2f}",
    ):
        assert value in text


def test_evaluate_compares_with_a_table_or_a_model(capsys, crowd, weights, tmp_path):
    argv = ["evaluate", "csv", "--root", crowd, "--split", "test", "--model", weights]
    table = tmp_path / "scores.csv"
    assert run(capsys, *argv, "--csv", table)[0] == 0
    _, lines, _ = run(capsys, *argv, "--against", table)
    assert lines[-1] == "nearer to the truth in 0 of 4 pictures, the other in 0"
    assert sum("(no interval: too few pictures)  not told apart" in line for line in lines) == 5
    assert any(line.startswith("log ") for line in lines)
    _, (line,), _ = run(capsys, *argv, "--against", weights, "--json")
    found = json.loads(line)
    assert found["against"]["differences"]["log_ratio"] == {"value": 0.0, "low": None, "high": None}
    assert set(found["standard_error"]) == {"mae", "rmse", "nae", "log_ratio", "bias"} and found["parts"] == {}
    assert_clean_error(*run(capsys, *argv, "--against", table, "--csv", table), f"--csv would replace {table}")


def test_evaluate_scores_data_sets_apart(capsys, weights):
    drawn = data_folder("datasets") / "drawn"
    argv = ["evaluate", "shanghaitech_a+shanghaitech_b", "--root", drawn, "--split", "all", "--model", weights]
    _, lines, _ = run(capsys, *argv)
    heads = [line.split(",")[0] for line in lines if re.search(" pictures?, model ", line)]
    assert heads == ["shanghaitech_a", "shanghaitech_b", "shanghaitech_a+shanghaitech_b"]
    _, (line,), _ = run(capsys, *argv, "--json")
    found = json.loads(line)
    parts = found["parts"]
    assert found["pictures"] == sum(part["pictures"] for part in parts.values())
    weighed = sum(part["pictures"] * part["log_ratio"] for part in parts.values()) / found["pictures"]
    assert found["log_ratio"] == pytest.approx(weighed)


def test_evaluate_passes_over_a_data_set_without_validation_pictures(capsys, tmp_path, weights):
    """As `nobody` of a few photos, of which the hash of the names may choose none."""
    (tmp_path / "nobody").mkdir()
    for name in ("a.png", "nobody/b.png"):
        Image.new("RGB", (64, 64)).save(tmp_path / name)
    (tmp_path / "points.csv").write_text("picture,x,y,split\na.png,5,5,val\n")
    argv = ["evaluate", "csv+nobody", "--root", tmp_path, "--model", weights, "--split", "val"]
    status, lines, _ = run(capsys, *argv)
    assert status == 0 and lines[0].startswith("csv+nobody, val: 1 picture, model ")


def test_evaluate_tells_pictures_of_nobody_without_a_nan(capsys, tmp_path, weights):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (64, 64)).save(tmp_path / name)
    argv = ["evaluate", "nobody", "--root", tmp_path, "--split", "all", "--model", weights, "--against", weights]
    status, lines, _ = run(capsys, *argv)
    assert status == 0 and not any("nan" in line for line in lines)
    assert sum("none  (no picture has heads)" in line for line in lines) == 2


def test_evaluate_with_the_mirror_image_says_so(capsys, crowd, weights):
    argv = ["evaluate", "csv", "--root", crowd, "--split", "test", "--model", weights]
    (_, (alone,), _), (_, (both,), _) = run(capsys, *argv, "--json"), run(capsys, *argv, "--json", "--tta")
    alone, both = json.loads(alone), json.loads(both)
    assert (alone["tta"], both["tta"]) == (False, True)
    samples = load_dataset("csv", crowd, "test")
    assert both["bias"] == pytest.approx(evaluate(weights, samples, tta=True).bias, rel=1e-5)
    assert both["bias"] != pytest.approx(alone["bias"], rel=1e-5)
    _, lines, _ = run(capsys, *argv, "--tta")
    assert "4 pictures, each with its mirror image, model" in lines[0]


def test_evaluate_json_has_null_for_what_is_no_number(capsys, tmp_path, weights, rng):
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "points.csv").write_text("picture,x,y\na.png,,\n")
    argv = ["evaluate", "csv", "--root", tmp_path, "--split", "all", "--model", weights, "--json", "--maps"]
    status, (line,), _ = run(capsys, *argv)
    found = json.loads(line, parse_constant=pytest.fail)
    assert status == 0 and found["nae"] is None and found["psnr"] is None


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_evaluate_prints_its_scores_though_the_table_has_no_room(capsys, crowd, weights, tmp_path, small_disk, options):
    argv = ["evaluate", "csv", "--root", crowd, "--split", "test", "--model", weights, *options]
    _, whole, _ = run(capsys, *argv)
    with small_disk(50):
        status, lines, err = run(capsys, *argv, "--csv", tmp_path / "scores.csv")
    assert status == 1 and len(lines) == len(whole) and "MAE" in " ".join(lines).upper()
    assert err.startswith(f"crowdcount: error: cannot write {tmp_path / 'scores.csv'}: File too large")
    assert err.count("\n") == 1 and not list(tmp_path.glob("*scores*"))


@pytest.mark.parametrize("dataset, root", [("csv", "nowhere"), ("shanghaitech_a", "."), ("ucf", ".")])
def test_evaluate_of_data_that_are_not_there_is_one_clear_error(capsys, crowd, weights, dataset, root):
    assert_clean_error(*run(capsys, "evaluate", dataset, "--root", crowd / root, "--model", weights))


@pytest.mark.parametrize("name", ["points.csv", "street4.png", "./street1.png", "link.csv"])
def test_evaluate_replaces_no_annotations_and_no_pictures(capsys, crowd, weights, monkeypatch, name):
    monkeypatch.setattr("crowdcount.measuring.evaluation.evaluate", None)  # must not be reached
    text = (crowd / "points.csv").read_text()
    # The fourth is of another split than the one that is scored.
    (crowd / "points.csv").write_text(re.sub(r"(?m)^(street4.*)test$", r"\1train", text))
    (crowd / "link.csv").symlink_to("points.csv")
    before = {path: path.read_bytes() for path in crowd.iterdir()}
    argv = ["evaluate", "csv", "--root", crowd, "--split", "test", "--model", weights]
    place = os.path.join(crowd, name)
    assert_clean_error(*run(capsys, *argv, "--csv", place), f"--csv would replace {place}", "Choose another file")
    assert {path: path.read_bytes() for path in crowd.iterdir()} == before


def test_evaluate_replaces_no_weights(capsys, crowd, weights, tmp_path):
    mine = Path(shutil.copy(weights, tmp_path))
    before = mine.read_bytes()
    argv = ["evaluate", "csv", "--root", crowd, "--split", "test", "--model", mine, "--csv", mine]
    assert_clean_error(*run(capsys, *argv), f"--csv would replace {mine}")
    assert mine.read_bytes() == before


@pytest.mark.parametrize("name", ["train_data/ground-truth/GT_IMG_1001.mat", "test_data/images/IMG_1001.jpg"])
def test_evaluate_replaces_nothing_of_shanghaitech(capsys, tmp_path, weights, name):
    shutil.copytree(data_folder("datasets") / "drawn" / "part_B", tmp_path / "part_B")
    place = tmp_path / "part_B" / name
    before = place.read_bytes()
    argv = ["evaluate", "shanghaitech_b", "--root", tmp_path, "--split", "test", "--model", weights]
    assert_clean_error(*run(capsys, *argv, "--csv", place), f"--csv would replace {place}")
    assert place.read_bytes() == before


def test_evaluate_replaces_its_own_table_of_before(capsys, crowd, weights):
    (crowd / "errors.csv").write_text("of before")
    argv = ["evaluate", "csv", "--root", crowd, "--split", "test", "--model", weights]
    assert run(capsys, *argv, "--csv", crowd / "errors.csv")[0] == 0
    assert "street4.png" in (crowd / "errors.csv").read_text()


# --- train, density, check, models, draw --------------------------------------------------------------------


@pytest.mark.slow
def test_train_writes_weights_that_count(capfd, tmp_path, crowd):
    points = (crowd / "points.csv").read_text()
    outside = "street1.png,-4,3,train\n"
    (crowd / "points.csv").write_text(points.replace("test", "train", 3).replace("test", "val") + outside)
    out = tmp_path / "run"
    argv = ["train", "csv", "--root", crowd, "--out", out, "--epochs", 1, "--width", "1/64", "--init", "none"]
    argv += ["--recipe", "paper"]
    status, lines, err = run(capfd, *argv)
    assert status == 0 and lines == []
    assert err.count("crowdcount: warning: street1.png: 1 of 2 heads lie outside the picture") == 1
    card = json.loads((out / "last.json").read_text())
    wanted = "crowdcount train csv --recipe paper --epochs 1 --width 0.015625 --init none"
    assert card["command"] == wanted
    assert count(crowd / "street1.png", model=out / "last.weights.h5").density.shape == (8, 9)
    status, lines, err = run(capfd, *argv)
    assert status == 1 and lines == [] and "--resume" in err
    (out / "checkpoint.h5").unlink()
    assert_clean_error(*run(capfd, *argv), "holds the weights of another run: best.weights.h5, last.weights.h5")


@pytest.mark.slow
def test_commands_import_keras_without_what_no_command_calls():
    """Half a second of matplotlib, and as much or more of others where they are installed; they come when asked for."""
    code = (
        "import sys; from crowdcount.cli.common import import_keras; import_keras(); "
        "print('keras' in sys.modules, 'matplotlib' in sys.modules); import matplotlib.pyplot"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "True False\n"), done.stderr


def test_train_resumed_with_nothing_but_its_folder(capfd, tmp_path, crowd):
    points = (crowd / "points.csv").read_text()
    (crowd / "points.csv").write_text(points.replace("test", "train", 3).replace("test", "val"))
    out = tmp_path / "run"
    argv = ["train", "csv", "--root", crowd, "--epochs", 1, "--width", "1/64", "--init", "none", "--design", "A"]
    assert_clean_error(*run(capfd, "train", "--out", tmp_path / "new"), "nothing to train on")
    assert run(capfd, *argv, "--recipe", "wide", "--out", out)[0] == 0
    assert run(capfd, "train", "--resume", "--out", out, "--epochs", 2)[0] == 0
    card = json.loads((out / "last.json").read_text())
    assert (card["kept_epoch"], card["network"]["design"], card["recipe"], card["data"]) == (2, "A", "wide", "csv")
    assert card["command"].endswith("--init none") and str(tmp_path) not in json.dumps(card)
    status, lines, err = run(capfd, "train", "--resume", "--out", out)
    assert (status, lines) == (0, []) and f"the run in {out} was complete already" in err
    refused = run(capfd, "train", "--resume", "--out", out, "--seed", 3, "--design", "B")
    assert_clean_error(*refused, "design was 'A', is 'B', seed was 0, is 3")
    refused = run(capfd, "train", "--resume", "--out", out, "--thing", "cells")
    assert_clean_error(*refused, "thing was 'people', is 'cells'")


@pytest.mark.parametrize(("words", "thing"), [([], "vehicles"), (["--thing", "cars"], "cars")])
def test_train_says_what_the_data_set_marks(capsys, tmp_path, monkeypatch, words, thing):
    """A network that had learned TRANCOS's vehicles counted people."""
    draw_trancos(tmp_path)
    given = {}
    monkeypatch.setattr(
        "crowdcount.training.run.train", lambda *samples, **options: given.update(options) or SimpleNamespace(trained=1)
    )
    assert run(capsys, "train", "trancos", "--root", tmp_path, "--out", tmp_path / "run", *words)[0] == 0
    assert given["thing"] == thing


def test_train_refuses_an_empty_word_for_what_is_marked(capsys):
    with pytest.raises(SystemExit) as ended:
        run(capsys, "train", "csv", "--out", "run", "--thing", " ")
    assert ended.value.code == 2 and "--thing: must be a word" in capsys.readouterr().err


def test_train_without_validation_pictures_is_one_clear_error(capsys, crowd, tmp_path):
    assert_clean_error(*run(capsys, "train", "csv", "--root", crowd, "--out", tmp_path / "runs" / "first"))
    assert not (tmp_path / "runs").exists()


def test_density_writes_a_map_a_picture_whose_sum_is_the_count(capsys, crowd, tmp_path):
    status, lines, err = run(capsys, "density", "csv", "--root", crowd, "--split", "test", "--out", tmp_path / "maps")
    assert (status, err) == (0, "")
    assert lines == [f"{tmp_path / 'maps' / f'street{heads}.png.h5'}\t{heads:.3f}" for heads in range(1, 5)]
    for heads in range(1, 5):
        density = load_density_map(tmp_path / "maps" / f"street{heads}.png.h5")
        assert density.shape == (64, 72)
        assert density.sum() == pytest.approx(heads, rel=1e-4)


def test_density_options_reach_the_maps(capsys, crowd, tmp_path):
    peaks = {}
    for name, options in {
        "narrow": ["--sigma", 3],
        "wide": ["--sigma", 20],
        "adaptive": ["--sigma", "adaptive"],
    }.items():
        run(capsys, "density", "csv", "--root", crowd, "--out", tmp_path / name, "--stride", 8, *options)
        density = load_density_map(tmp_path / name / "street4.png.h5")
        assert density.shape == (8, 9)
        peaks[name] = density.max()
    assert peaks["narrow"] > peaks["wide"] and len(set(peaks.values())) == 3


def test_split_that_is_there_is_taken_where_none_is_named(capsys, crowd, weights, tmp_path):
    """Of data of one's own; it is told where that is no test split."""
    argv = ["evaluate", "csv", "--root", crowd, "--model", weights, "--json"]
    _, (line,), err = run(capsys, *argv)
    assert (json.loads(line)["split"], err) == ("test", "")
    marked = (crowd / "points.csv").read_text()
    (crowd / "points.csv").write_text(
        marked.replace(",test", ",train")
        .replace("2.png,5.5,30.25,train", "2.png,5.5,30.25,val")
        .replace("2.png,15.5,30.25,train", "2.png,15.5,30.25,val")
    )
    _, (line,), err = run(capsys, *argv)
    assert (json.loads(line)["split"], json.loads(line)["pictures"]) == ("val", 1) and "the split is val" in err
    (crowd / "points.csv").write_text(marked.replace(",split", "").replace(",test", ""))  # by their names all train
    _, (line,), err = run(capsys, *argv)
    assert (json.loads(line)["split"], json.loads(line)["pictures"]) == ("all", 4)
    status, lines, err = run(capsys, "density", "csv", "--root", crowd, "--out", tmp_path / "maps")
    assert status == 0 and len(lines) == 4 and "the split is all" in err


@pytest.mark.parametrize("stride", [1, 8])
def test_density_is_nothing_where_nothing_is_counted(capsys, tmp_path, stride):
    """As heads are scored: of four far from each other two lie in the region, and one of these in a box to ignore."""
    Image.new("RGB", (160, 160)).save(tmp_path / "a.png")
    item = {"picture": "a.png", "points": [[30, 30], [130, 30], [30, 130], [130, 130]]}
    item |= {"roi": [[[0, 0], [80, 0], [80, 160], [0, 160]]], "ignore": [[0, 100, 80, 160]]}
    (tmp_path / "points.json").write_text(json.dumps([item]))
    argv = ["density", "json", "--root", tmp_path, "--split", "all", "--out", tmp_path / "maps"]
    status, lines, err = run(capsys, *argv, "--sigma", 4, "--stride", stride)
    assert (status, err) == (0, "") and lines == [f"{tmp_path / 'maps' / 'a.png.h5'}\t1.000"]
    density = load_density_map(tmp_path / "maps" / "a.png.h5")
    assert density[:, 80 // stride :].sum() == density[104 // stride :].sum() == 0


def test_density_reports_heads_outside_their_picture(capsys, tmp_path):
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    (tmp_path / "points.csv").write_text("picture,x,y\na.png,80,10\n")
    status, lines, err = run(capsys, "density", "csv", "--root", tmp_path, "--split", "all", "--out", tmp_path / "maps")
    assert status == 0 and lines == [f"{tmp_path / 'maps' / 'a.png.h5'}\t1.000"]
    assert err.startswith("crowdcount: warning: a.png: ")


def test_density_writes_nothing_outside_its_folder(capsys, tmp_path):
    (tmp_path / "data").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    (tmp_path / "data" / "points.csv").write_text("picture,x,y\n../a.png,8,10\n")
    argv = ["density", "csv", "--root", tmp_path / "data", "--split", "all", "--out", tmp_path / "maps"]
    assert_clean_error(*run(capsys, *argv), "../a.png")
    assert not list(tmp_path.glob("*.h5")) and not (tmp_path / "maps").exists()


def test_check_names_every_fault_and_ends_non_zero(capsys, crowd):
    assert run(capsys, "check", crowd) == (0, [f"{crowd}: no faults"], "")
    (crowd / "street1.png").unlink()
    (crowd / "street2.png").write_bytes(b"")
    status, lines, err = run(capsys, "check", crowd)
    assert status == 1
    assert any("street1.png" in line for line in lines) and any("street2.png" in line for line in lines)
    assert err == f"crowdcount: error: {len(lines)} faults in {crowd}\n"


def test_check_of_a_missing_folder_is_a_fault(capsys, tmp_path):
    status, lines, _ = run(capsys, "check", tmp_path / "nowhere")
    assert status == 1 and "nowhere" in lines[0]


def test_models_lists_cards_with_their_measured_errors(capsys, monkeypatch):
    card = {
        "name": "general",
        "dataset": "shanghaitech_a+shanghaitech_b",
        "recipe": "default",
        "metrics": {"shanghaitech_b val": {"mae": 12.345, "rmse": 20.0, "nae": float("nan"), "game": [1.0, 2.0]}},
    }
    card["metrics"]["nobody val"] = {
        "mae": 0.67,
        "log_ratio": 0.0468,
        "standard_error": {"mae": 164.3, "log_ratio": None},
    }
    monkeypatch.setattr("crowdcount.network.cards.list_models", lambda: [card])
    status, lines, _ = run(capsys, "models")
    assert status == 0
    assert "general" in lines[0] and "shanghaitech_a+shanghaitech_b" in lines[0]
    assert (
        "shanghaitech_b val" in lines[1]
        and "MAE 12.3" in lines[1]
        and "1.00 / 2.00" in lines[1]
        and "NAE" not in lines[1]
    )
    assert lines[2].strip() == "nobody val: MAE 0.67 ± 160, log ratio 0.0468"
    _, (line,), _ = run(capsys, "models", "--json")
    assert json.loads(line, parse_constant=pytest.fail) == {
        **card,
        "metrics": {
            "shanghaitech_b val": {"mae": 12.345, "rmse": 20.0, "nae": None, "game": [1.0, 2.0]},
            "nobody val": card["metrics"]["nobody val"],
        },
    }


def test_models_lists_weights_of_one_s_own(capsys, monkeypatch, tmp_path):
    """In the folder of the shipped weights they have a name; what training wrote in their card is enough."""
    monkeypatch.setattr("crowdcount.network.locate.data_folder", lambda _: tmp_path)
    (tmp_path / "mine.weights.h5").touch()
    assert run(capsys, "models")[1] == ["mine: trained on pictures that no card names, recipe unknown"]
    card = {"pictures": 24, "recipe": "finish", "validation": {"mae": 3.25}}
    (tmp_path / "mine.json").write_text(json.dumps(card))
    assert run(capsys, "models")[1] == ["mine: trained on 24 pictures, recipe finish", "    validation: MAE 3.25"]


def test_draw_writes_what_evaluate_reads(capsys, tmp_path, weights):
    out = tmp_path / "drawn"
    argv = ["draw", "--out", out, "--pictures", 2, "--people", "3-6", "--size", "128x96", "--seed", 4]
    assert run(capsys, *argv) == (0, [str(out)], "")
    pictures = sorted((out / "images").iterdir())
    assert [Image.open(path).size for path in pictures] == [(128, 96)] * 2
    assert run(capsys, "check", out)[0] == 0
    _, (line,), _ = run(capsys, "evaluate", "csv", "--root", out, "--split", "all", "--model", weights, "--json")
    assert json.loads(line)["pictures"] == 2


@pytest.mark.parametrize("own", ["points.csv", "images/IMG_1.jpg", "images/mine.jpg"])
def test_draw_replaces_nothing_and_mixes_with_nothing(capsys, tmp_path, own):
    (tmp_path / own).parent.mkdir(exist_ok=True)
    (tmp_path / own).write_bytes(b"mine")
    argv = ["draw", "--out", tmp_path, "--pictures", 1, "--people", 1, "--size", "64x64"]
    expected = f"{tmp_path / own.partition('/')[0]} exists already"
    assert_clean_error(*run(capsys, *argv), expected, "Choose another folder")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / own]
    assert (tmp_path / own).read_bytes() == b"mine"


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["nonesuch"],
        ["evaluate"],
        ["evaluate", "csv", "--split", "dev"],
        ["train", "csv"],
        ["train", "csv", "--out", "x", "--epochs", "0"],
        ["train", "csv", "--out", "x", "--width", "1/0"],
        ["train", "csv", "--out", "x", "--width", "100"],
        ["train", "csv", "--out", "x", "--width", "0.001"],
        ["density", "csv", "--out", "x", "--stride", "4"],
        ["density", "csv", "--out", "x", "--sigma", "-3"],
        ["draw", "--out", "x", "--people", "9-3"],
        ["draw", "--out", "x", "--size", "1024"],
        ["draw", "--out", "x", "--seed", "-1"],
        ["draw", "--out", "x", "--pictures", "many"],
        ["density", "csv", "--out", "x", "--sigma", "adaptve"],
    ],
)
def test_usage_errors_end_with_status_2(capsys, argv):
    with pytest.raises(SystemExit) as stop:
        cli.main(argv)
    output = capsys.readouterr()
    assert stop.value.code == 2 and output.out == "" and "usage: crowdcount" in output.err
    # What Python's parser says by itself of a value names our functions: "invalid positive_int value".
    assert "invalid " not in output.err or "invalid choice" in output.err


@pytest.mark.parametrize(
    "argv, place",
    [
        (["count", "a.png", "--overlay", "notes.txt"], "notes.txt"),
        (["draw", "--out", "notes.txt"], "notes.txt"),
        (["train", "csv", "--root", ".", "--out", "notes.txt"], "notes.txt"),
    ],
)
def test_a_file_in_the_place_of_a_folder_is_told_before_the_work(capsys, photos, monkeypatch, argv, place):
    monkeypatch.chdir(photos)
    monkeypatch.setattr("crowdcount.counting.pictures.count_many", None)  # neither may be reached
    monkeypatch.setattr("crowdcount.drawn.crowds.write_dataset", None)
    expected = f"cannot write {place}: {place} is a file, not a folder. Choose another place."
    assert_clean_error(*run(capsys, *argv), expected)


def test_draw_refuses_pictures_that_nothing_could_read(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("crowdcount.drawn.crowds.write_dataset", None)
    argv = ["draw", "--out", tmp_path / "x", "--size", "99999999x99999999"]
    assert_clean_error(*run(capsys, *argv), "--size 99999999x99999999", "250,000,000")
    assert not (tmp_path / "x").exists()


# --- As a process of its own --------------------------------------------------------------------------------

CROWDCOUNT = [sys.executable, "-m", "crowdcount"]


def environment():
    """Nothing of the test run's own quieting, and the package found from any folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    package = Path(cli.__file__).resolve().parents[2]
    return {**kept, "PYTHONPATH": os.pathsep.join([str(package), *filter(None, [kept.get("PYTHONPATH")])])}


def process(*argv, **options):
    return subprocess.run([*CROWDCOUNT, *map(str, argv)], capture_output=True, env=environment(), **options)


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_is_quick(command):
    argv = [*filter(None, [command]), "--help"]
    # Processor time, not the clock on the wall: other programs share the machine.
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = process(*argv)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0 and b"usage: crowdcount" in done.stdout and done.stderr == b""
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


def test_help_of_train_names_every_recipe():
    """The help is written out, so that it need not load Keras."""
    text = process("train", "--help", text=True).stdout
    assert [name for name in RECIPES if name not in text.split("--recipe NAME")[-1].split("--out")[0]] == []


def run_and_tell_heavy(*argv):
    """What the command printed as errors; then which of the heavy packages it imported, and its exit status."""
    program = (
        "import sys; from crowdcount.cli import main; status = main(sys.argv[1:]); "
        "print([name for name in ('tensorflow', 'keras') if name in sys.modules], status, file=sys.stderr)"
    )
    argv = [sys.executable, "-c", program, *map(str, argv)]
    *errors, last = subprocess.run(argv, capture_output=True, text=True, env=environment()).stderr.splitlines()
    return errors, last


def test_light_commands_load_no_tensorflow(crowd, tmp_path):
    for argv in (
        ["models"],
        ["check", crowd],
        ["density", "csv", "--root", crowd, "--out", tmp_path / "maps"],
        ["draw", "--out", tmp_path / "drawn", "--pictures", 1, "--people", 1, "--size", "64x64"],
    ):
        assert run_and_tell_heavy(*argv) == ([], "[] 0"), argv


def test_misspelled_names_are_told_before_tensorflow_is_loaded(tmp_path):
    for argv in (
        ["count", "missing.jpg"],
        ["count", "missing.jpg", tmp_path / "missing too.jpg", "--csv", tmp_path / "counts.csv"],
        ["video", "missing.mp4"],
        ["evaluate", "csv", "--root", tmp_path / "missing"],
        ["train", "csv", "--root", tmp_path / "missing", "--out", tmp_path / "run"],
    ):
        errors, last = run_and_tell_heavy(*argv)
        assert (
            last == "[] 1"
            and "missing" in errors[0]
            and all(error.startswith("crowdcount: error: ") for error in errors)
        ), argv
    assert "missing too.jpg,,,,," in (tmp_path / "counts.csv").read_text()


def test_process_prints_results_and_nothing_else(photos, weights):
    done = process("count", photos / "a.png", "--model", weights, text=True)
    number = count(photos / "a.png", model=load_model(weights)).count
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{photos / 'a.png'}\tabout {whole(number)}\n"


def test_file_name_that_no_terminal_can_show(tmp_path, weights):
    name = os.path.join(os.fsencode(tmp_path), b"caf\xe9.png")
    try:
        Image.new("RGB", (64, 64)).save(open(name, "wb"), "PNG")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    done = process("count", tmp_path, "--model", weights, "--csv", tmp_path / "out.csv", "--overlay", tmp_path / "out")
    assert done.returncode == 0 and b"Traceback" not in done.stderr
    assert rb"caf\udce9.png" in done.stdout


@pytest.mark.parametrize("place", ["out.txt", "link"])
def test_no_file_takes_the_place_of_what_is_printed(photos, tmp_path, place):
    (tmp_path / "link").symlink_to("out.txt")  # as /dev/stdout is one to where the output goes
    with open(tmp_path / "out.txt", "wb") as printed:
        done = subprocess.run(
            [*CROWDCOUNT, "count", str(photos), "--csv", place],
            stdout=printed,
            stderr=subprocess.PIPE,
            env=environment(),
            cwd=tmp_path,
        )
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1
    assert f"cannot write {place}: what this run prints goes to that file" in done.stderr.decode()


def test_reader_that_goes_away_is_no_traceback(crowd, tmp_path):
    command = [*CROWDCOUNT, "density", "csv", "--root", str(crowd), "--out", str(tmp_path / "maps")]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    started.stdout.close()
    assert started.stderr.read() == b""
    assert started.wait() == 141


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_full_standard_output_is_one_clear_error(crowd):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*CROWDCOUNT, "check", str(crowd)], stdout=full, stderr=subprocess.PIPE, env=environment()
        )
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == ["crowdcount: error: No space left on device"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for a process")
def test_ctrl_c_while_libraries_are_imported_is_clean(photos):
    # A library that takes the interrupt for a failed import, as some do.
    program = (
        "import os, signal, sys, crowdcount.__main__ as start\n"
        "def interrupted(*_):\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "    except KeyboardInterrupt:\n"
        "        raise ImportError\n"
        "import crowdcount.cli.count\n"
        "crowdcount.cli.count.import_keras = interrupted\n"
        "sys.argv[1:] = ['count', 'a.png']\n"
        "sys.exit(start.run())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, env=environment(), cwd=photos)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"crowdcount: interrupted\n")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for a process")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_what_ends_a_running_count_leaves_its_table(photos, weights, tmp_path, name):
    """Ctrl-C; `systemctl stop`, `docker stop` and `timeout`; a session that is closed."""
    pictures = [str(photos / f"{number}a.png") for number in range(5000)]  # far more than are counted until the signal
    for picture in pictures:
        os.symlink("a.png", picture)
    command = [*CROWDCOUNT, "count", *pictures, "--model", weights, "--csv", "counts.csv"]
    pipes = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "bufsize": 0,
    }  # `communicate` loses what was buffered
    started = subprocess.Popen(command, env=environment(), cwd=tmp_path, **pipes)
    for _ in range(2):  # the first picture's row is there for sure when the second is printed
        assert b"a.png" in started.stdout.readline()
    started.send_signal(getattr(signal, name))
    out, err = started.communicate(timeout=60)
    assert started.returncode == 128 + getattr(signal, name) and out.count(b"\n") < 4998
    with open(tmp_path / "counts.csv", newline="", encoding="utf-8") as file:
        kept = sum(1 for _ in csv.DictReader(file))
    assert kept - 2 <= out.count(b"\n") <= kept - 1 and kept > 0  # stopped before or after a line was printed
    told = rb"crowdcount: counts.csv holds %d pictures?; --resume goes on with it\ncrowdcount: interrupted\n" % kept
    assert re.fullmatch(told, err)
