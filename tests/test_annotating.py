"""Dots by hand: the file that they go to, the questions of the page, the widget."""

import io
import json
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image

import crowdcount
from crowdcount.annotating.desk import Desk
from crowdcount.annotating.folder import Conflict, Entry, Folder
from crowdcount.data import overlay_files
from crowdcount.data.annotations import read_csv, read_json
from crowdcount.data.checking import check_folder
from crowdcount.errors import AnnotationError, PictureError

BOX = [[2.0, 2.0], [20.0, 2.0], [20.0, 10.0], [2.0, 10.0]]


@pytest.fixture
def photos(tmp_path, rng):
    """Three pictures of 64 x 48 pixels, one of them in a folder of its own."""
    (tmp_path / "images").mkdir()
    for name in ("a.png", "b.png", "images/c.png"):
        Image.fromarray(rng.integers(0, 256, (48, 64, 3), np.uint8)).save(tmp_path / name)
    return tmp_path


def test_what_is_done_is_what_train_reads_and_what_is_begun_is_not(photos):
    folder = Folder(photos)
    assert folder.names == ["a.png", "b.png", "images/c.png"]
    folder.save("images/c.png", Entry([[1.5, 2.0]], [BOX], done=True), "")
    folder.save("b.png", Entry([], [], done=True), "")
    folder.save("a.png", Entry([[5.0, 5.0]]), "")
    samples = read_json(photos)
    assert {sample.name: sample.points.tolist() for sample in samples} == {"b.png": [], "images/c.png": [[1.5, 2.0]]}
    assert Folder(photos).entries() == {
        "a.png": Entry([[5.0, 5.0]]),
        "b.png": Entry(done=True),
        "images/c.png": Entry([[1.5, 2.0]], [BOX], done=True),
    }
    assert json.loads((photos / "points.json").read_text())["pictures"][1]["ignore"] == [BOX]
    assert sorted(path.name for path in photos.iterdir()) == ["a.png", "b.png", "images", "points.json"]


def test_overlays_that_a_count_has_left_there_are_no_pictures(photos):
    Folder(photos).save("a.png", Entry(done=True), "")
    Folder(photos).save("b.png", Entry(done=True), "")
    overlay_files.save(Image.new("RGB", (64, 48)), photos / "a_overlay.png")
    overlay_files.save(Image.new("RGB", (64, 48)), photos / "images" / "c_overlay.png")
    assert Folder(photos).names == ["a.png", "b.png", "images/c.png"]
    assert [fault.file.name for fault in check_folder(photos)] == ["c.png"]


def test_the_csv_is_what_train_reads_too(photos):
    from crowdcount.data.annotations import read_csv

    for name in ('odd, "name".png', "=1+1.png"):
        (photos / name).write_bytes((photos / "a.png").read_bytes())
    folder = Folder(photos)
    folder.save('odd, "name".png', Entry([[1.5, 2.0], [3.0, 4.25]], done=True), "")
    folder.save("b.png", Entry(done=True), "")
    folder.save("a.png", Entry([[1.0, 1.0]]), "")
    folder.save("=1+1.png", Entry([[1.0, 2.0]], done=True), "")
    assert "\n./=1+1.png,1.0,2.0\r" in folder.csv()  # a spreadsheet would calculate it
    (photos / "points.csv").write_text(folder.csv(), newline="")
    read = {sample.name: sample.points.tolist() for sample in read_csv(photos)}
    assert read == {"b.png": [], 'odd, "name".png': [[1.5, 2.0], [3.0, 4.25]], "./=1+1.png": [[1.0, 2.0]]}


def test_a_csv_of_heads_in_the_corner_of_a_large_picture_says_that_they_are_pixels(tmp_path):
    """Its reader asked whether they were percent."""
    from crowdcount.data.annotations import read_csv

    Image.new("RGB", (1000, 800)).save(tmp_path / "a.png")
    folder = Folder(tmp_path)
    folder.save("a.png", Entry([[10.0, 20.0], [30.0, 40.0], [50.0, 90.0]], done=True), "")
    (tmp_path / "points.csv").write_text(folder.csv(), newline="")
    assert read_csv(tmp_path)[0].points.tolist() == [[10, 20], [30, 40], [50, 90]]


def test_the_later_of_two_tabs_is_told_and_nothing_is_lost(photos):
    first, second = Folder(photos), Folder(photos)  # as two programs on one folder, too
    version = first.save("a.png", Entry([[1.0, 1.0]]), "")
    with pytest.raises(Conflict) as told:
        second.save("a.png", Entry([[9.0, 9.0]]), "")
    assert told.value.entry == Entry([[1.0, 1.0]])
    assert second.save("b.png", Entry([[2.0, 2.0]]), "") != ""  # another picture is nobody's conflict
    second.save("a.png", Entry([[1.0, 1.0], [9.0, 9.0]]), version)
    assert {name: entry.points for name, entry in first.entries().items()} == {
        "a.png": [[1.0, 1.0], [9.0, 9.0]],
        "b.png": [[2.0, 2.0]],
    }


def test_an_emptied_picture_leaves_the_file(photos):
    folder = Folder(photos)
    version = folder.save("a.png", Entry([[1.0, 1.0]]), "")
    assert folder.save("a.png", Entry(), version) == ""
    assert json.loads((photos / "points.json").read_text()) == {"unit": "pixels", "pictures": [], "unfinished": []}


def test_what_is_only_begun_is_gone_on_with(photos):
    Folder(photos).save("a.png", Entry([[1.0, 1.0]]), "")
    assert Folder(photos).entries() == {"a.png": Entry([[1.0, 1.0]])}


@pytest.mark.parametrize("count", ["count", "human_num"])
def test_what_else_the_file_holds_stays(photos, count):
    there = {
        "source": "a camera",
        "pictures": [
            {"picture": "c.png", "points": [[3, 3]], "split": "val", count: 1, "by": "Ana"},
            {"picture": "a.png", "points": [], "split": "train"},
        ],
    }
    (photos / "points.json").write_text(json.dumps(there))
    folder = Folder(photos)
    entry = folder.entries()["images/c.png"]  # which the readers find in `images` too
    folder.save("images/c.png", Entry([[3.0, 3.0], [4.0, 4.0]], done=True), entry.version)
    content = json.loads((photos / "points.json").read_text())
    assert content["source"] == "a camera"
    assert content["pictures"][1] == {"picture": "c.png", "split": "val", "by": "Ana", "points": [[3, 3], [4, 4]]}
    assert [sample.count for sample in read_json(photos, "val")] == [2]


def test_a_picture_that_is_emptied_and_marked_anew_keeps_what_else_the_file_holds(photos):
    """A test picture whose dots were all taken away, to begin anew, was learned from then."""
    region = [[[0, 0], [30, 0], [30, 30]]]
    there = {"picture": "a.png", "points": [[1, 2]], "split": "test", "roi": region}
    pictures = [there, {"picture": "b.png", "points": [], "split": "train"}]
    (photos / "points.json").write_text(json.dumps({"pictures": pictures}))
    folder = Folder(photos)
    assert folder.save("a.png", Entry(), folder.entries()["a.png"].version) == ""
    assert list(folder.entries()) == ["b.png"] and list(Folder(photos).entries()) == ["b.png"]
    assert [sample.name for sample in read_json(photos)] == ["b.png"]
    folder.save("a.png", Entry([[5.0, 6.0]], done=True), "")
    (sample,) = read_json(photos, "test")
    assert sample.points.tolist() == [[5, 6]] and sample.roi.polygons[0].tolist() == region[0]


@pytest.mark.parametrize("spelled", ["./a.png", ".\\a.png", " a.png", "A.PNG", "C:/elsewhere/a.png", "a"])
def test_a_picture_is_known_by_whatever_its_readers_understand(photos, spelled):
    (photos / "points.json").write_text(json.dumps({"pictures": [{"picture": spelled, "points": [[1, 2]]}]}))
    folder = Folder(photos)
    entry = folder.entries()["a.png"]
    assert entry.points == [[1, 2]] and "a.png,1" in folder.csv()
    folder.save("a.png", Entry([[3.0, 4.0]], done=True), entry.version)  # no second entry, which readers refuse
    assert [sample.points.tolist() for sample in read_json(photos)] == [[[3, 4]]]
    assert Folder(photos).entries()["a.png"].points == [[3, 4]]


def test_a_name_with_a_space_in_front_is_read_again(photos):
    (photos / "b.png").rename(photos / " b.png")
    Folder(photos).save(" b.png", Entry([[3.0, 4.0]], done=True), "")
    folder = Folder(photos)
    (photos / "points.csv").write_text(folder.csv())
    assert list(folder.entries()) == [" b.png"] and "./ b.png,3" in folder.csv()
    for read in (read_json, read_csv):
        assert [sample.picture.name for sample in read(photos)] == [" b.png"]


def test_a_csv_that_is_there_is_taken_over_and_left_as_it_is(photos):
    (photos / "points.csv").write_text("picture,x,y\na.png,1,2\nb.png,,\n")
    entries = Folder(photos).entries()
    assert entries == {"a.png": Entry([[1.0, 2.0]], done=True), "b.png": Entry(done=True)}
    assert (photos / "points.csv").read_text() == "picture,x,y\na.png,1,2\nb.png,,\n"


def test_splits_and_boxes_of_a_csv_come_along_and_go_back(photos):
    """Without their splits, test pictures would be learned from."""
    there = "picture,x,y,ignore,split\na.png,1,2,,test\na.png,,,0 0 9.5 8,test\nb.png,,,5 6 12 20,train\n"
    (photos / "points.csv").write_text(there)
    folder = Folder(photos)
    assert folder.entries() == {
        "a.png": Entry([[1.0, 2.0]], [[[0, 0], [9.5, 0], [9.5, 8], [0, 8]]], done=True),
        "b.png": Entry([], [[[5, 6], [12, 6], [12, 20], [5, 20]]], done=True),
    }
    assert [sample.name for sample in read_json(photos, "test")] == ["a.png"]
    folder.save("images/c.png", Entry([[3.0, 3.0]], done=True), "")  # which gets one, as the others have
    assert [sample.name for sample in read_json(photos, "train")] == ["b.png", "images/c.png"]
    assert Folder(photos).entries() == folder.entries()
    (photos / "points.csv").write_text(folder.csv(), newline="")
    from crowdcount.data.annotations import read_csv

    for split in ("train", "test"):
        as_csv, as_json = (
            [(sample.name, sample.points.tolist(), sample.ignore.tolist()) for sample in read(photos, split)]
            for read in (read_csv, read_json)
        )
        assert as_csv == as_json


def test_boxes_that_convert_writes_are_taken_up(photos):
    (photos / "points.json").write_text(
        '{"pictures": [{"picture": "a.png", "points": [], "ignore": [[1, 2, 30, 40]]}]}'
    )
    folder = Folder(photos)
    entry = folder.entries()["a.png"]
    assert entry.ignore == [[[1, 2], [30, 2], [30, 40], [1, 40]]]
    folder.save("a.png", Entry([[50.0, 5.0]], entry.ignore, done=True), entry.version)
    assert [sample.ignore.tolist() for sample in read_json(photos)] == [[[1, 2, 30, 40]]]


def test_a_region_is_not_lost_in_a_csv(photos):
    """Learned from without it, the picture would have nobody where nobody had looked."""
    there = {"picture": "a.png", "points": [[1, 2]], "roi": [[[0, 0], [30, 0], [30, 30]]]}
    (photos / "points.json").write_text(json.dumps({"pictures": [there]}))
    with pytest.raises(AnnotationError, match="a.png: CSV cannot hold the region"):
        Folder(photos).csv()


def test_dots_beside_the_picture_that_are_there_keep_nothing_from_being_saved(photos):
    """Published data sets have some, and the page shows none of them."""
    (photos / "points.csv").write_text("picture,x,y,ignore\na.png,5,500.25,\na.png,1,2,\na.png,,,50 40 70 60\n")
    desk = Desk(Folder(photos), "general")
    entry = desk.answer({"ask": "entry", "name": "a.png"})
    question = {"ask": "save", "name": "a.png", "done": True, "ignore": entry["ignore"]}
    points = [*entry["points"], [7.0, 8.0]]
    version = desk.answer({**question, "points": points, "version": entry["version"]})["version"]
    assert read_json(photos)[0].points.tolist() == points
    for placed in ([5, 500], [-1, 2]):
        with pytest.raises(AnnotationError, match="outside the picture"):
            desk.answer({**question, "points": [*points, placed], "version": version})
    version = desk.answer({**question, "points": [[1, 2]], "version": version})["version"]
    with pytest.raises(AnnotationError, match="outside the picture"):  # gone is gone
        desk.answer({**question, "points": points, "version": version})


@pytest.mark.parametrize("unit", ["fraction", "percent"])
def test_shares_of_the_picture_are_not_taken_for_pixels(photos, unit):
    text = json.dumps({"unit": unit, "pictures": [{"picture": "a.png", "points": [[0.5, 0.25]]}]})
    (photos / "points.json").write_text(text)
    with pytest.raises(AnnotationError, match="convert points.json pixels.json --to json"):
        Folder(photos)
    assert (photos / "points.json").read_text() == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"pictures": [{"picture": "a.png"}]}',
        '{"pictures": [], "unfinished": [{"picture": 1}]}',
        # Saved beside what other programs wrote, marks were not read, or what had been there was not.
        '{"images": [{"id": 1, "file_name": "a.png"}], "annotations": [], "categories": []}',
        '{"version": "5", "shapes": [], "imagePath": "a.png"}',
        '{"a.png": [[1, 2]]}',
        # Of two lists by one name the first would be gone with the next save.
        '{"pictures": [], "unfinished": [{"picture": "b.png", "points": [[1, 2]]}], "unfinished": []}',
        '{"unit": "Pixels", "pictures": []}',  # which readers refuse
        # What cannot be written again.
        '{"pictures": [{"picture": "a.png", "points": [], "score": NaN}]}',
        '{"pictures": [], "score": 1e999}',
    ],
)
def test_a_file_that_cannot_be_read_is_told_and_not_written_over(photos, text):
    (photos / "points.json").write_text(text)
    with pytest.raises(AnnotationError, match="points.json"):
        Folder(photos)
    assert (photos / "points.json").read_text() == text


def test_a_failed_write_leaves_what_was_there(photos, small_disk):
    folder = Folder(photos)
    version = folder.save("a.png", Entry([[1.0, 1.0]]), "")
    before = (photos / "points.json").read_bytes()
    with small_disk(40), pytest.raises(OSError):
        folder.save("a.png", Entry([[1.0, 1.0]] * 50), version)
    assert (photos / "points.json").read_bytes() == before
    assert len(list(photos.iterdir())) == 4


@pytest.mark.parametrize(
    ("question", "error"),
    [
        ({"ask": "nothing"}, AnnotationError),
        ({}, AnnotationError),
        ({"ask": []}, AnnotationError),
        ({"ask": "picture", "name": "../conftest.py"}, PictureError),
        ({"ask": "picture", "name": "/etc/passwd"}, PictureError),
        ({"ask": "entry"}, PictureError),
        ({"ask": "save", "name": "none.png", "points": [], "version": ""}, PictureError),
        ({"ask": "save", "name": "a.png", "points": [[1, 2, 3]], "version": ""}, AnnotationError),
        ({"ask": "save", "name": "a.png", "points": [[float("nan"), 2]], "version": ""}, AnnotationError),
        ({"ask": "save", "name": "a.png", "points": [["1", 2]], "version": ""}, AnnotationError),
        ({"ask": "save", "name": "a.png", "points": [[65, 2]], "version": ""}, AnnotationError),
        ({"ask": "save", "name": "a.png", "points": [], "ignore": [[[1, 1], [2, 2]]], "version": ""}, AnnotationError),
        ({"ask": "save", "name": "a.png", "points": [], "ignore": 5, "version": ""}, AnnotationError),
        ({"ask": "save", "name": "a.png", "points": [[1, 1]] * 100_001, "version": ""}, AnnotationError),
    ],
)
def test_what_a_page_cannot_mean_is_refused_and_nothing_is_written(photos, question, error):
    with pytest.raises(error):
        Desk(Folder(photos), "general").answer(question)
    assert not (photos / "points.json").exists()


def test_a_picture_travels_whole_and_upright_and_begins_with_the_models_heads(photos, rng, weights):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned to the right
    Image.fromarray(rng.integers(0, 256, (48, 64, 3), np.uint8)).save(photos / "turned.jpg", exif=exif)
    desk = Desk(Folder(photos), weights)
    assert Image.open(io.BytesIO(desk.answer({"ask": "picture", "name": "turned.jpg"}))).size == (48, 64)
    entry = desk.answer({"ask": "entry", "name": "turned.jpg"})
    assert (entry["width"], entry["height"], entry["version"]) == (48, 64, "")
    heads = desk.answer({"ask": "heads", "name": "turned.jpg"})["heads"]
    expected = crowdcount.count(photos / "turned.jpg", model=weights).heads()
    np.testing.assert_allclose(np.reshape(heads, (-1, 2)), expected, atol=0.06)


def test_too_little_memory_for_a_picture_is_told(photos, monkeypatch):
    """The page said that something went wrong; in a notebook it waited for ever."""
    monkeypatch.setattr("crowdcount.counting.pictures.count", Mock(side_effect=MemoryError))
    with pytest.raises(PictureError, match="not enough memory"):
        Desk(Folder(photos), "light").answer({"ask": "heads", "name": "a.png"})


def test_the_widget_asks_the_same_questions(photos, weights):
    pytest.importorskip("anywidget", reason="annotating in a notebook needs pip install '.[notebooks]'")
    annotator = crowdcount.annotate(photos, model=weights)
    sent = []
    annotator.widget.send = lambda content, buffers=None: sent.append((content, buffers))

    def ask(number, **question):
        content = {"data": {"method": "custom", "content": {"id": number, "question": question}}}
        annotator.widget._handle_msg({"content": content, "buffers": []})
        return sent.pop()

    answer, _ = ask(1, ask="folder")
    assert answer["id"] == 1 and [picture["name"] for picture in answer["answer"]["pictures"]][0] == "a.png"
    _, (picture,) = ask(2, ask="picture", name="a.png")
    assert Image.open(io.BytesIO(picture)).size == (64, 48)
    answer, _ = ask(3, ask="save", name="a.png", version="", points=[[1, 1]], ignore=[], done=True)
    assert answer["answer"]["version"]
    answer, _ = ask(4, ask="save", name="a.png", version="", points=[], ignore=[], done=False)
    assert answer["problem"]["code"] == "conflict" and answer["problem"]["entry"]["points"] == [[1, 1]]
    answer, _ = ask(5, ask="save", name="../a.png", version="", points=[])
    assert answer["problem"]["code"] == "not_usable"
    assert repr(annotator).startswith("1 of 3 pictures annotated")
    script = annotator.widget._esm
    assert "class Annotator" in script and "class Stage" in script and "\nimport " not in script
