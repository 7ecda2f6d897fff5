"""Comparing counts: the same numbers as the results hold, in text and in HTML."""

import re

import keras
import numpy as np
import pytest
from PIL import Image

from crowdcount.counting.comparison import Comparison, compare
from crowdcount.counting.pictures import count, count_many
from crowdcount.counting.results import CountFailure, CountResult
from crowdcount.errors import DataError
from crowdcount.network.csrnet import CSRNet


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(3)
    return CSRNet(width=1 / 64, precision="float32")


def result(name, people, **changes):
    density = np.zeros((10, 20), np.float32)
    density[:8, :8] = people / 64
    array = np.full((80, 160, 3), 90, np.uint8)
    fields = dict(picture=name, width=160, height=80, model="general", seconds=1.0, source=array)
    return CountResult(**{"count": float(people), "density": density, **fields, **changes})


def test_pictures_folders_and_results_are_compared_in_order(model, rng, tmp_path):
    for name in ("b.png", "a.png"):
        Image.fromarray(rng.integers(0, 256, (40, 48, 3), dtype=np.uint8)).save(tmp_path / name)
    array = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    done = count(array, model=model)
    table = compare([tmp_path, done, array], model=model)
    assert [row["picture"] for row in table.rows()] == [
        str(tmp_path / "a.png"),
        str(tmp_path / "b.png"),
        "picture",
        "picture",
    ]
    assert table.results[2] is done
    assert table.rows()[3]["count"] == done.count
    assert len(compare(tmp_path / "a.png", model=model).results) == 1


def test_a_picture_that_cannot_be_counted_is_a_row_with_the_reason(model, rng, tmp_path):
    Image.fromarray(rng.integers(0, 256, (40, 48, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no <picture>")
    table = compare(tmp_path, model=model)
    good, bad = table.rows()
    assert good["error"] is None and good["count"] == table.results[0].count
    assert bad["picture"] == str(tmp_path / "b.png") and "b.png" in bad["error"]
    assert {value for name, value in bad.items() if name not in ("picture", "error")} == {None}
    head, first, second = repr(table).splitlines()
    assert "not counted" in head and "model" not in head and first.endswith(good["warnings"][-1])
    assert second.startswith("b.png") and second.endswith(bad["error"])
    page = table._repr_html_()
    assert page.count("<img") == 1 and page.count("<tr>") == 3
    # What is counted already, or failed already, is taken as it is.
    assert compare(count_many(tmp_path, model)).rows()[1] == bad
    assert repr(compare(CountFailure("c.png", "is broken"))).splitlines()[1].split() == ["c.png", "is", "broken"]


def test_nothing_to_compare_is_an_error():
    with pytest.raises(DataError, match="nothing to compare"):
        compare([])


def test_text_has_a_line_a_picture_with_count_range_and_warning():
    table = Comparison(
        [
            result("photos/noon.jpg", 1243.6, low=980.2, high=1610.9, coverage=0.9),
            result("eve.jpg", 12.2, low=2.0, high=30.0, coverage=0.9, warnings=["It is dark.", "It is small."]),
        ]
    )
    head, noon, eve = repr(table).splitlines()
    assert head.split("  ")[0] == "picture" and "90 % range" in head and "model" not in head
    assert re.split(r"\s{2,}", noon.strip()) == ["noon.jpg", "1,240", "980 to 1,610", "1243.6", "160x80"]
    assert eve.endswith("160x80  It is dark. It is small.")
    assert noon.index("1,240") + 5 == eve.index("12 ") + 2  # numbers end below one another


def test_networks_are_named_where_they_differ_and_what_nobody_has_is_left_out():
    text = repr(Comparison([result("a.jpg", 5), result("a.jpg", 7, model="mine.weights.h5")]))
    assert "mine.weights.h5" in text and "general" in text
    assert "range" not in text and "warnings" not in text


def test_pictures_that_share_a_name_are_told_with_their_folders():
    text = repr(Comparison([result("day 1/a.jpg", 5), result("day 2/a.jpg", 7), result("day 2/b.jpg", 7)]))
    assert [line.split("  ")[0] for line in text.split("\n")[1:]] == ["day 1/a.jpg", "day 2/a.jpg", "b.jpg"]


def test_notebook_shows_overlays_and_escapes_names():
    page = Comparison([result("<b>.jpg", 100), result("b&c.jpg", 3, warnings=["<dark>"])])._repr_html_()
    assert page.count('<img alt="" src="data:image/jpeg;base64,') == 2
    assert "&lt;b&gt;.jpg" in page and "b&amp;c.jpg" in page and "&lt;dark&gt;" in page
    assert "<b>" not in page
    assert page.count("<tr>") == 3


def test_a_picture_that_has_gone_leaves_its_row(tmp_path):
    here, gone = result("here.png", 3), result("gone.png", 4, source=str(tmp_path / "gone.png"))
    Image.new("RGB", (80, 160)).save(tmp_path / "other.png")  # lies where a picture of another size was counted
    replaced = result("replaced.png", 5, source=str(tmp_path / "other.png"))
    page = Comparison([here, gone, replaced])._repr_html_()
    assert page.count("<img") == 1 and page.count("the picture has moved") == 2
    assert ">gone.png<" in page and ">4<" in page
