"""What `describe` says of a data set, in Python and by the command; and `convert` by the command."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from test_annotations import draw_picture
from test_exports import CSV_READ, CSV_REFUSED

import crowdcount
from crowdcount.cli import main
from crowdcount.data.annotations import Sample
from crowdcount.errors import DataError
from crowdcount.files import data_folder


@pytest.fixture
def crowd(tmp_path):
    """Twelve alike pictures with four heads each, and one that is crowded, larger, with a point outside."""
    rows = []
    for n in range(12):
        draw_picture(tmp_path / "images" / f"{n}.png", (160, 120), 10 * n)
        rows += [f"{n}.png,{20 + x},{100 + x}" for x in (0, 3 + n / 10, 9, 15)]
    draw_picture(tmp_path / "images" / "odd.png", (640, 480), 200)
    rows += [f"odd.png,{x},{y}" for x in range(0, 640, 8) for y in range(0, 480, 8)] + ["odd.png,700,1"]
    (tmp_path / "points.csv").write_text("\n".join(["picture,x,y", *rows]))
    return tmp_path


def test_the_table_and_what_stands_out(crowd):
    description = crowdcount.describe("csv", crowd)
    table = dict(description.rows)
    assert table["pictures"] == "13" and table["heads"] == "4,849" and table["without heads"] == "0"
    assert table["heads a picture"].startswith("4 to 4,801, median 4")
    assert table["sizes"] == "2, 160 x 120 most often (12)"
    names = {name for name, _ in description.outliers}
    assert names == {"odd.png"}
    reasons = " ".join(reason for _, reason in description.outliers)
    assert "heads a megapixel" in reasons and "1 of 4801 points lie outside" in reasons
    assert "odd.png" in str(description) and "odd.png" in description._repr_html_()
    assert description.places.shape == (32, 32) and description.places.sum() == pytest.approx(1)


def test_samples_are_described_too():
    walls = [Sample(str(n), np.zeros((50, 60, 3), np.uint8), [], labels={"weather": "fog"}) for n in range(3)]
    description = crowdcount.describe(walls)
    assert dict(description.rows)["spacing (pixels)"] == "none" and dict(description.rows)["weather"] == "fog 3"
    assert description.outliers == [] and description.figure().axes
    with pytest.raises(DataError, match="no pictures to describe"):
        crowdcount.describe([])


def test_names_are_drawn_whatever_is_in_them():
    outside = Sample("Fu\udcdf $_$.jpg", np.zeros((50, 60, 3), np.uint8), [[700, 1]])
    description = crowdcount.describe([outside], title="cost $_$")
    assert [name for name, _ in description.outliers] == [outside.name]
    description.figure().savefig(io.BytesIO())


def test_the_command_describes_and_draws(crowd, capsys):
    plot = crowd / "page.png"
    assert main(["describe", "csv", "--root", str(crowd), "--plot", str(plot)]) == 0
    assert "heads a megapixel" in capsys.readouterr().out
    height, width = crowdcount.load_picture(plot).shape[:2]
    assert (width, height) == (1404, 996)
    assert main(["describe", "csv", "--root", str(crowd), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pictures"][0]["heads"] == 4
    assert main(["describe", "csv", "--root", str(crowd), "--plot", "page.doc"]) == 1
    assert ".png, .pdf or .svg" in capsys.readouterr().err
    assert main(["describe", "csv", "--root", str(crowd), "--plot", str(crowd / "images" / "odd.png")]) == 1
    assert "would replace" in capsys.readouterr().err


def test_what_a_named_data_set_does_not_take_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["convert", "datasets", str(tmp_path / "a.csv"), "--to", "csv", "--dataset", "trancos", "--label", "car"])
    assert "--label is for files of tools" in capsys.readouterr().err


def test_the_command_converts(tmp_path, capsys):
    for shade, name in enumerate("ab"):
        draw_picture(tmp_path / "photos" / f"{name}.jpg", (400, 304), 60 * shade)
    source, out = tmp_path / "odd.csv", tmp_path / "out" / "points.json"
    source.write_text(CSV_READ["semicolons and decimal commas"] + "lost.jpg;1;1\n")
    options = ["--images", str(tmp_path / "photos")]
    assert main(["convert", str(source), str(out), "--to", "json", *options]) == 1
    assert "the picture is missing" in capsys.readouterr().err and not out.exists()
    source.write_text(CSV_READ["semicolons and decimal commas"])
    assert main(["convert", str(source), str(out), "--to", "json", *options]) == 0
    assert "2 pictures, 2 heads" in capsys.readouterr().out
    assert [sample.count for sample in crowdcount.load_dataset("json", out, "all")] == [2, 0]
    written = out.read_bytes()  # into which somebody may have put more dots since
    assert main(["convert", str(source), str(out), "--to", "json", *options]) == 1
    assert "may hold dots made by hand" in capsys.readouterr().err and out.read_bytes() == written
    source.write_text(CSV_REFUSED["shares"][0])
    assert main(["convert", str(source), str(out), "--to", "csv", *options]) == 1
    assert "--unit fraction" in capsys.readouterr().err
    assert main(["convert", str(source), str(tmp_path / "b.csv"), "--to", "csv", "--unit", "fraction", *options]) == 0
    assert "a.jpg,100.0,121.6" in (tmp_path / "b.csv").read_text()
    assert main(["convert", str(source), str(source), "--to", "csv", "--unit", "fraction", *options]) == 1
    assert "would replace" in capsys.readouterr().err
    assert main(["convert", str(source), str(out), "--to", "csv", "--columns", "picture,x,z"]) == 1
    assert "columns must be of" in capsys.readouterr().err


def test_convert_tells_which_pictures_change_between_training_and_validation(tmp_path, capsys):
    (tmp_path / "photos").mkdir()
    names = [f"{number}.png" for number in range(40)]
    for name in names:
        draw_picture(tmp_path / "photos" / name, (40, 30))
    source, near, far = tmp_path / "photos" / "points.csv", tmp_path / "photos" / "a.json", tmp_path / "b.json"
    source.write_text("picture,x,y\n" + "".join(f"{name},,\n" for name in names))
    assert main(["convert", str(source), str(near), "--to", "json"]) == 0 and capsys.readouterr().err == ""
    assert main(["convert", str(source), str(far), "--to", "json"]) == 0
    sides = [{sample.picture for sample in crowdcount.load_dataset("json", file, "val")} for file in (near, far)]
    changed = len(sides[0] ^ sides[1])
    assert changed > 0
    assert f"{changed} of 40 pictures go from training to validation, or back" in capsys.readouterr().err


def test_the_words_for_what_is_counted(weights, tmp_path, capsys):
    """A card that names cells: caption, warnings, report and scores speak of cells."""
    card = json.loads(Path(weights.replace(".weights.h5", ".json")).read_text())
    file = tmp_path / "cells.weights.h5"
    file.write_bytes(Path(weights).read_bytes())
    file.with_name("cells.json").write_text(json.dumps({**card, "thing": "cells"}))
    result = crowdcount.count(np.random.default_rng(0).integers(0, 255, (40, 300, 3), np.uint8), model=str(file))
    assert result.thing == "cells" and "cells in" in repr(result) and "people" not in repr(result)
    assert any("cells" in text for text in result.warnings) and not any("heads" in text for text in result.warnings)
    crowdcount.write_report(tmp_path / "report.html", [result])
    text = (tmp_path / "report.html").read_text()
    assert "Cells counted" in text and "Most cells in one picture" in text and "sees people" not in text
    file.with_name("cells.json").write_text(json.dumps({**card, "thing": 3}))
    assert main(["count", str(data_folder("datasets") / "sample.jpg"), "--model", str(file)]) == 1
    assert "'thing' must be a word" in capsys.readouterr().err
