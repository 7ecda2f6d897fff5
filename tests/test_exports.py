"""Annotation files as people and tools write them: read right, or refused in one line, never silently wrong."""

import json
import os
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings, strategies as st
from PIL import Image
from test_annotations import draw_picture

from crowdcount import cli
from crowdcount.data import overlay_files
from crowdcount.data.annotations import load_dataset, read_csv, read_export, read_json
from crowdcount.data.checking import check_folder
from crowdcount.data.exports import detect
from crowdcount.data.exports.entries import Options
from crowdcount.data.exports.writing import KINDS, convert
from crowdcount.data.images import load_picture
from crowdcount.data.records import Record, raise_fault
from crowdcount.data.regions import Region
from crowdcount.errors import AnnotationError, AnnotationWarning

SIZE = (400, 304)
HEADS = [[101.5, 88.25], [55, 60]]


@pytest.fixture
def folder(tmp_path):
    """Three pictures of 400 x 304, under `images`."""
    for shade, name in enumerate(("a.jpg", "b.jpg", "Straße.jpg")):
        draw_picture(tmp_path / "images" / name, SIZE, 60 * shade)
    return tmp_path


def heads_of(path, **options):
    """Name of each picture's file -> its heads, rounded as no format is coarser."""
    records = detect.read_any(Path(path), raise_fault, Options(**options))
    return {record.picture.name: np.round(record.points, 6).tolist() for record in records}


# --- CSV ---

CSV_READ = {
    "semicolons and decimal commas": "picture;x;y\nimages/a.jpg;101,5;88,25\na.jpg;55;60\nimages/b.jpg;;\n",
    "quoted decimal commas": 'picture,x,y\na.jpg,"101,5","88,25"\na.jpg,55,60\nb.jpg,,\n',
    "tabs": "picture\tx\ty\na.jpg\t101.5\t88.25\na.jpg\t55\t60\nb.jpg\t\t\n",
    "pipes": "picture|x|y\na.jpg|101.5|88.25\na.jpg|55|60\nb.jpg||\n",
    "sep line": "sep=,\npicture,x,y\na.jpg,101.5,88.25\na.jpg,55,60\nb.jpg,,\n",
    "sep line with a semicolon": "sep=;\r\npicture;x;y\r\na.jpg;101,5;88,25\r\na.jpg;55;60\r\nb.jpg;;\r\n",
    "other order": "y,split,x,picture\n88.25,train,101.5,a.jpg\n60,train,55,a.jpg\n,val,,b.jpg\n",
    "other names": "filename,x_center,y_center\na.jpg,101.5,88.25\na.jpg,55,60\nb.jpg,,\n",
    "capitals and units": "Image Name,X (px),Y [px]\na.jpg,101.5,88.25\na.jpg,55,60\nb.jpg,,\n",
    "rows and columns": "image,row,col\na.jpg,88.25,101.5\na.jpg,60,55\nb.jpg,,\n",
    "ImageJ": " ,Label,X,Y\n1,a.jpg,101.5,88.25\n2,a.jpg,55,60\n3,b.jpg,,\n",
    "no header": "images/a.jpg,101.5,88.25\nimages/a.jpg,55,60\nimages/b.jpg,,\n",
    "no header, nobody first": "images/b.jpg,,\nimages/a.jpg,101.5,88.25\nimages/a.jpg,55,60\n",
    "no header, semicolons": "a.jpg;101,5;88,25\na.jpg;55,0;60,0\nb.jpg;;\n",
    "paths of Windows": "picture,x,y\nC:\\data\\images\\a.jpg,101.5,88.25\nC:\\data\\images\\a.jpg,55,60\n"
    "images\\b.jpg,,\n",
    "paths of another machine": "picture,x,y\n/home/eva/a.jpg,101.5,88.25\n/home/eva/a.jpg,55,60\n/home/eva/b.jpg,,\n",
    "no suffixes": "picture,x,y\na,101.5,88.25\na,55,60\nb,,\n",
    "quoted names": '"picture","x","y"\n"a.jpg","101.5","88.25"\n"a.jpg","55","60"\n"b.jpg","",""\n',
    "boxes": "image,xmin,ymin,xmax,ymax,label\na.jpg,91.5,78.25,111.5,98.25,head\na.jpg,50,50,60,70,head\nb.jpg,,,,,\n",
    "boxes by sides": "filename,left,top,right,bottom\na.jpg,91.5,78.25,111.5,98.25\na.jpg,50,50,60,70\nb.jpg,,,,\n",
    "TensorFlow's boxes": "filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,400,304,head,91.5,78.25,111.5,98.25\n"
    "a.jpg,400,304,head,50,50,60,70\nb.jpg,400,304,,,,,\n",
    "sizes of the pictures": "picture,x,y,width,height\na.jpg,101.5,88.25,400,304\na.jpg,55,60,400,304\n"
    "b.jpg,,,400,304\n",
    "empty columns at the end": "picture,x,y\na.jpg,101.5,88.25,,\na.jpg,55,60,,\nb.jpg,,,,\n",
    "empty lines and spaces": "\n\n picture , x , y \n\n a.jpg , 101.5 , 88.25 \n,,\n a.jpg,55,60\nb.jpg, , \n",
    "exponents": "picture,x,y\na.jpg,1.015e2,8.825E1\na.jpg,5.5e1,6e1\nb.jpg,,\n",
    "text in more columns": 'Bild;X;Y;Bemerkung\r\na.jpg;101,5;88,25;"vorn; links"\r\na.jpg;55;60;"zwei\nZeilen"\r\n'
    "b.jpg;;;leer\r\n",
    "text with quotes": 'Picture,X,Y,Notes\na.jpg,101.5,88.25,"said ""hi"", left"\na.jpg,55,60,\nb.jpg,,,nobody\n',
    "units without brackets": "Dateiname;x in px;y in px\na.jpg;101,5;88,25\na.jpg;55;60\nb.jpg;;\n",
    "Spanish": "imagen;x;y\na.jpg;101,5;88,25\na.jpg;55;60\nb.jpg;;\n",
    "percent in the header": "picture,x (%),y (%)\na.jpg,25.375,29.029605263157894\na.jpg,13.75,19.736842105263158\n"
    "b.jpg,,\n",
    "spaces after names": 'picture,x,y\n"a.jpg ",101.5,88.25\n"a.jpg\u00a0",55,60\n"b.jpg ",,\n',
    "addresses of files": "picture,x,y\nfile:///C:/Eva%20M/a.jpg,101.5,88.25\nfile:///C:/Eva%20M/a.jpg,55,60\n"
    "file:///C:/Eva%20M/b.jpg,,\n",
    "capitals": "picture,x,y\nA.JPG,101.5,88.25\nA.JPG,55,60\nimages/b.JPG,,\n",
    "numbered rows": ",picture,x,y\n0,a.jpg,101.5,88.25\n1,a.jpg,55,60\n2,b.jpg,,\n",
    "old Macs": "picture,x,y\ra.jpg,101.5,88.25\ra.jpg,55,60\rb.jpg,,\r",
}


@pytest.mark.parametrize("name", CSV_READ)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_csv_that_is_read(folder, name, encoding):
    (folder / "points.csv").write_bytes(CSV_READ[name].encode(encoding))
    assert heads_of(folder) == {"a.jpg": HEADS, "b.jpg": []}
    assert {sample.picture.name: sample.count for sample in read_csv(folder)} == {"a.jpg": 2, "b.jpg": 0}


def test_letters_put_together_of_two_are_the_same_letter(folder):
    draw_picture(folder / "images" / "Mu\u0308nchen.jpg", SIZE, 40)  # as Macs name files
    (folder / "points.csv").write_text("picture,x,y\nM\u00fcnchen.jpg,101.5,88.25\n", encoding="utf-8")
    assert list(heads_of(folder).values()) == [HEADS[:1]]


def test_csv_with_western_letters(folder):
    (folder / "points.csv").write_bytes("picture,x,y\nStraße.jpg,101.5,88.25\n".encode("cp1252"))
    assert heads_of(folder) == {"Straße.jpg": HEADS[:1]}


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="such names cannot be there")
def test_a_name_whose_bytes_are_no_utf8(folder):
    draw_picture(folder / "images" / "Fu\udcdf.jpg", SIZE, 40)
    points = folder / "points.csv"
    for text in ("Fuß.jpg".encode("cp1252"), "Fuß.jpg".encode()):  # as it is there, and as another system has it
        points.write_bytes(b"picture,x,y\n%b,101.5,88.25\n" % text)
        assert list(heads_of(folder).values()) == [HEADS[:1]]
    for kind in ("json", "coco"):
        out = folder / f"{kind}.json"
        convert(detect.read_any(points, raise_fault), kind, out)
        (record,) = detect.read_any(out, raise_fault)
        assert record.picture.name == "Fu\udcdf.jpg" and record.points.tolist() == HEADS[:1]
    with pytest.raises(AnnotationError, match="CSV cannot hold the name"):
        convert(detect.read_any(folder / "json.json", raise_fault), "csv", folder / "again.csv")


@pytest.mark.parametrize("kind", ["csv", "json", "coco"])
def test_a_name_with_a_space_in_front(folder, kind):
    draw_picture(folder / " b.jpg", SIZE, 40)
    out = folder / f"points.{'csv' if kind == 'csv' else 'json'}"
    convert([Record("b", folder / " b.jpg", np.array(HEADS), folder)], kind, out)
    assert heads_of(out) == {" b.jpg": HEADS}


CSV_REFUSED = {
    "shares": ("picture,x,y\na.jpg,0.25,0.4\na.jpg,0.5,0.41\nb.jpg,,\n", "--unit fraction"),
    "percent": ("picture,x,y\na.jpg,25.1,40.2\na.jpg,50.3,41.1\nb.jpg,,\n", "--unit percent"),
    "thousands or decimals": ('picture,x,y\na.jpg,"1,234","2,345"\n', "the comma may stand before thousands"),
    "commas and points": ('picture,x,y\na.jpg,"101,5",88.25\n', "others with a point"),
    "corners or middles": ("picture,x,y,width,height\na.jpg,101.5,88.25,20,20\n", "middle or a corner of a box"),
    "meters": ("picture,x (m),y (m)\na.jpg,101.5,88.25\n", "line 1: 'x .m.' should be in pixels or percent"),
    "percent signs": ("picture,x,y\na.jpg,25.4%,29%\n", "line 2: x and y should be finite"),
    "shares a little beyond": ("picture,x,y\na.jpg,0.25,1.01\na.jpg,0.5,0.41\n", "--unit fraction"),
    "shares in one picture": (
        "picture,x,y\na.jpg,101.5,88.25\nb.jpg,0.25,0.4\nb.jpg,0.5,0.41\n",
        "all 2 points of 'b.jpg' lie between 0 and 1",
    ),
    "thousands with a point": ("picture;x;y\na.jpg;1.234,5;88,25\n", "others with a point"),
    "thousands with an apostrophe": ("picture,x,y\na.jpg,1'234.5,88.25\n", "line 2: x and y should be finite"),
    "a sum at the end": ("picture,x,y\na.jpg,101.5,88.25\nTotal,101.5,88.25\n", "'Total'.: the picture is missing"),
    "merged cells": ("picture,x,y\na.jpg,101.5,88.25\n,55,60\n", "line 3: the name of the picture is missing"),
    "several labels": ("picture,x,y,label\na.jpg,101.5,88.25,head\na.jpg,55,60,car\n", "several labels: .*--label"),
    "no header, four columns": ("1,a.jpg,101.5,88.25\n", "--columns"),
    "two pictures of one name": ("picture,x,y\nC:\\1\\a.jpg,101.5,88\nC:\\2\\a.jpg,1,2\n", "Tell them apart"),
    "a box that ends before it begins": ("image,xmin,ymin,xmax,ymax\na.jpg,30,20,10,40\n", "line 2: the box ends"),
    "half a box": ("image,xmin,ymin,xmax,ymax\na.jpg,30,20,,40\n", "line 2: the sides of a box"),
    "no columns of points": ("picture,people\na.jpg,12\n", "should name the columns"),
    "a lost picture": ("picture,x,y\nlost.jpg,101.5,88.25\n", "line 2 .'lost.jpg'.: the picture is missing"),
    "words": ("picture,x,y\na.jpg,left,88.25\n", "line 2: x and y should be finite"),
    "one value too many": ("picture,x,y\na.jpg,101.5,88.25,7\n", "line 2: should have 3 values"),
    "a box to ignore of three sides": ("picture,x,y,ignore\na.jpg,,,1 2 3\n", "line 2: ignore should be a box"),
    "an unknown split": ("picture,x,y,split\na.jpg,101.5,88.25,dev\n", "train, val or test"),
}


@pytest.mark.parametrize("name", CSV_REFUSED)
def test_csv_that_is_refused(folder, name):
    text, message = CSV_REFUSED[name]
    (folder / "points.csv").write_text(text)
    with pytest.raises(AnnotationError, match=f"points.csv: .*{message}") as caught:
        heads_of(folder)
    assert "\n" not in str(caught.value)
    assert any(fault.file == folder / "points.csv" for fault in check_folder(folder))


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        (CSV_REFUSED["shares"][0], {"unit": "fraction"}, [[100, 121.6], [200, 124.64]]),
        (CSV_REFUSED["shares"][0], {"unit": "pixels"}, [[0.25, 0.4], [0.5, 0.41]]),
        (CSV_REFUSED["percent"][0], {"unit": "percent"}, [[100.4, 122.208], [201.2, 124.944]]),
        (CSV_REFUSED["several labels"][0], {"label": "head"}, HEADS[:1]),
        (CSV_REFUSED["several labels"][0], {"label": "head, car"}, HEADS),
        (CSV_REFUSED["several labels"][0], {"label": "*"}, HEADS),
        (CSV_REFUSED["no header, four columns"][0], {"columns": ("-", "picture", "x", "y")}, HEADS[:1]),
        (CSV_REFUSED["corners or middles"][0], {"columns": ("picture", "x", "y", "-", "-")}, HEADS[:1]),
        ("a,b,c\n60,a.jpg,55\n", {"columns": ("y", "picture", "x")}, HEADS[1:]),
    ],
)
def test_the_answer_to_what_is_unclear(folder, text, options, expected):
    (folder / "points.csv").write_text(text)
    assert heads_of(folder, **options)["a.jpg"] == expected


@pytest.mark.parametrize("column", ["Type", "LabelName", "class_id", "Category Name", "tag"])
def test_a_column_of_labels_has_many_names(folder, column):
    """Of Fiji's counters, Open Images and others: what is no head was counted as one."""
    (folder / "points.csv").write_text(f"picture,x,y,{column}\na.jpg,101.5,88.25,1\na.jpg,55,60,2\n")
    with pytest.raises(AnnotationError, match=r"several labels: 1 \(1\), 2 \(1\)"):
        heads_of(folder)
    assert heads_of(folder, label="1")["a.jpg"] == HEADS[:1]


@pytest.mark.parametrize("columns", [("picture", "x", "x"), ("x", "y", "-"), ("picture", "x", "-"), ("-", "-", "-")])
def test_columns_that_tell_no_heads_are_refused(columns):
    with pytest.raises(
        AnnotationError, match=f"x and y or the sides of a box, each once. Received: {', '.join(columns)}"
    ):
        Options(columns=columns)


def test_what_we_write_says_that_it_is_pixels(folder):
    """Heads in the corner of a picture, as while somebody dots it, are no question then."""
    (folder / "points.csv").write_text(CSV_REFUSED["shares"][0])
    records = detect.read_any(folder / "points.csv", raise_fault, Options(unit="pixels"))
    convert(records, "json", folder / "points.json")
    assert read_json(folder)[0].points.tolist() == [[0.25, 0.4], [0.5, 0.41]]


def test_of_two_files_of_points_none_is_chosen_silently(folder):
    """As the page of dots leaves them, which goes on from points.csv in points.json."""
    (folder / "points.csv").write_text("picture,x,y\na.jpg,101.5,88.25\n")
    (folder / "guesses.csv").write_text("picture,x,y\na.jpg,1,2\n")
    assert heads_of(folder) == {"a.jpg": HEADS[:1]}
    (folder / "points.json").write_text(json.dumps({"pictures": [{"picture": "a.jpg", "points": HEADS}]}))
    with pytest.raises(AnnotationError, match="several annotation files: points.csv, points.json. Name the one"):
        heads_of(folder)
    assert heads_of(folder / "points.json") == {"a.jpg": HEADS}


def test_a_share_beyond_the_picture_is_refused(folder):
    (folder / "points.csv").write_text("picture,x,y\na.jpg,0.5,1.5\n")
    with pytest.raises(AnnotationError, match="no share of its size"):
        heads_of(folder, unit="fraction")
    with pytest.raises(AnnotationError, match="no label 'person', only: no label"):
        heads_of(folder, label="person")


# --- JSON and XML of tools ---

COCO = {
    "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "b.jpg"}],
    "annotations": [
        {"image_id": 7, "category_id": 1, "keypoints": [101.5, 88.25, 2], "bbox": [0, 0, 9, 9]},
        {"image_id": 7, "category_id": 1, "bbox": [50, 50, 10, 20]},
    ],
    "categories": [{"id": 1, "name": "head"}],
}
VIA_POINTS = [
    {"name": "point", "cx": 101.5, "cy": 88.25},
    {"name": "rect", "x": 50, "y": 50, "width": 10, "height": 20},
]
VIA = {
    "a.jpg57": {"filename": "a.jpg", "size": 57, "regions": [{"shape_attributes": shape} for shape in VIA_POINTS]},
    "b.jpg50": {"filename": "b.jpg", "size": 50, "regions": []},
}


def percent(x, y, **more):
    return {"x": x / 4, "y": y / 3.04, "keypointlabels": ["head"], **more}


RESULT = [
    {"type": "keypointlabels", "value": percent(101.5, 88.25, width=0.5)},
    {"type": "rectanglelabels", "value": percent(50, 50, width=2.5, height=20 / 3.04)},
    {"type": "choices", "value": {"choices": ["day"]}},
]
NOBODY = {"picture": "b.jpg", "points": []}
PERSON = ["nose", "left_eye", "left_hip"]
JSON_READ = {
    "COCO": COCO,
    "COCO skeletons": {
        "images": COCO["images"],
        "annotations": [
            {"image_id": 7, "category_id": 2, "keypoints": [100, 88, 2, 103, 88.5, 1, 9, 9, 2]},
            {"image_id": 7, "category_id": 2, "keypoints": [55, 60, 2, 0, 0, 0, 9, 9, 2]},
        ],
        "categories": [{"id": 2, "name": "person", "keypoints": PERSON}],
    },
    "VIA": VIA,
    "VIA project": {"_via_settings": {}, "_via_img_metadata": VIA},
    "VIA 1": {
        key: {**item, "regions": {str(n): region for n, region in enumerate(item["regions"])}}
        for key, item in VIA.items()
    },
    "Label Studio": [
        {"id": 1, "data": {"image": "/data/upload/1/9f8e6c1a-a.jpg"}, "annotations": [{"result": RESULT}]},
        {"id": 2, "data": {"photo": "s3://bucket/b.jpg"}, "annotations": [{"result": []}]},
    ],
    "Label Studio, local files": [
        {"id": 1, "data": {"image": "/data/local-files/?d=crowd/a.jpg"}, "annotations": [{"result": RESULT}]},
        {"id": 2, "data": {"image": "/data/local-files/?d=crowd/b.jpg"}, "annotations": [{"result": []}]},
    ],
    "Label Studio, one cancelled": [
        {
            "id": 1,
            "data": {"image": "a.jpg"},
            "annotations": [{"result": [], "was_cancelled": True}, {"result": RESULT}],
        },
        {"id": 2, "data": {"image": "b.jpg"}, "annotations": [{"result": []}]},
    ],
    "Label Studio, minimal": [
        {"image": "a.jpg", "kp-1": [RESULT[0]["value"]], "box": [RESULT[1]["value"]], "id": 3},
        {"image": "b.jpg", "id": 4},
    ],
    "ours": {"pictures": [{"picture": "a.jpg", "points": HEADS}, {"picture": "b.jpg", "points": []}]},
    "ours with texts": {"pictures": [{"picture": "a.jpg", "points": [["101.5", "88.25"], ["55", "60"]]}, NOBODY]},
    "ours with objects": {
        "pictures": [{"picture": "a.jpg", "points": [{"x": 101.5, "y": 88.25}, {"y": 60, "x": 55}]}, NOBODY]
    },
    "a list": [{"image": "a.jpg", "points": HEADS}, {"image": "b.jpg", "points": []}],
    "names and points": {"a.jpg": HEADS, "images/b.jpg": []},
}


@pytest.mark.parametrize("name", JSON_READ)
def test_json_that_is_read(folder, name):
    (folder / "points.json").write_text(json.dumps(JSON_READ[name]), encoding="utf-8-sig")
    assert heads_of(folder) == {"a.jpg": HEADS, "b.jpg": []}
    assert [sample.count for sample in read_json(folder)] == [2, 0]


def changed(content, *path, value):
    """A copy of a JSON document with one value changed."""
    content = json.loads(json.dumps(content))
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return content


JSON_REFUSED = {
    "unknown": ({"shapes": 3}, "of no other kind"),
    "a number": (3, "of no other kind"),
    "shares": ({"pictures": [{"picture": "a.jpg", "points": [[0.25, 0.5], [0.5, 0.5]]}]}, "--unit fraction"),
    # Of few heads the places alone do not tell it.
    "another unit": (
        {"unit": "%", "pictures": [{"picture": "a.jpg", "points": [[10, 20]]}]},
        "\"unit\" should be one of pixels, fraction, percent. Received '%'",
    ),
    "COCO, no image": (changed(COCO, "annotations", 1, "image_id", value=9), "annotation 2: there is no image"),
    "COCO, two images of one number": (changed(COCO, "images", 1, "id", value=7), "image 2: .*same id"),
    "COCO, half a box": (changed(COCO, "annotations", 1, "bbox", value=[1, 2, 3]), "annotation 2 .'a.jpg'.: bbox"),
    "COCO, several categories": (
        changed(COCO, "annotations", 1, "category_id", value=2)
        | {"categories": [*COCO["categories"], {"id": 2, "name": "car"}]},
        "several labels",
    ),
    "COCO, a skeleton without a head": (
        changed(JSON_READ["COCO skeletons"], "categories", 0, "keypoints", value=["hip", "knee", "foot"]),
        "not clear which of its keypoints",
    ),
    "COCO, of a larger picture": (
        changed(COCO, "images", 0, value={"id": 7, "file_name": "a.jpg", "width": 800, "height": 608}),
        "image 1 .*800 x 608 pixels, but it has 400 x 304",
    ),
    "COCO, no images": ({key: COCO[key] for key in ("annotations", "categories")}, "of no other kind"),
    "COCO, a mask without a box": (
        changed(COCO, "annotations", 1, value={"image_id": 7, "iscrowd": 1, "segmentation": {"counts": "a"}}),
        "annotation 2 .*bbox should be",
    ),
    "COCO, ids of two kinds": (changed(COCO, "images", 0, "id", value="7"), "there is no image with the id 7"),
    "VIA 3": ({"project": {}, "file": {}, "view": {}, "metadata": {}}, "of no other kind"),
    "VIA, a polygon": (
        changed(VIA, "a.jpg57", "regions", 0, "shape_attributes", "name", value="polygon"),
        "entry 'a.jpg57' .*only points",
    ),
    "VIA, no number": (changed(VIA, "a.jpg57", "regions", 0, "shape_attributes", "cx", value="left"), "cx should be"),
    "Label Studio, two annotations": (
        changed(JSON_READ["Label Studio"], 0, "annotations", value=[{"result": RESULT}, {"result": []}]),
        "task 1: should have one submitted annotation.*It has 2",
    ),
    "Label Studio, none": (changed(JSON_READ["Label Studio"], 1, "annotations", value=[]), "task 2: .*It has 0"),
    "Label Studio, a polygon": (
        changed(JSON_READ["Label Studio"], 0, "annotations", 0, "result", 0, "value", value={"points": [[1, 2]]}),
        "task 1 .*only keypoints",
    ),
    "Label Studio, painted": (
        changed(JSON_READ["Label Studio"], 0, "annotations", 0, "result", 0, "value", value={"rle": [1, 2]}),
        "task 1 .*only keypoints",
    ),
    "Label Studio, cancelled alone": (
        changed(JSON_READ["Label Studio"], 0, "annotations", 0, "was_cancelled", value=True),
        "task 1: .*It has 0",
    ),
    "Label Studio, turned": (
        changed(JSON_READ["Label Studio"], 0, "annotations", 0, "result", 0, "image_rotation", value=90),
        "turned in the tool",
    ),
    "a count that contradicts": ({"img_id": "a.jpg", "human_num": 3, "points": HEADS}, "says that it has 3 heads"),
    "a box to ignore of three sides": (
        {"pictures": [{"picture": "a.jpg", "points": [], "ignore": [[1, 2, 3]]}]},
        '"ignore" should be',
    ),
    "a polygon of two corners": (
        {"pictures": [{"picture": "a.jpg", "points": [], "roi": [[[1, 2], [3, 4]]]}]},
        "less than 3 corners",
    ),
    "COCO, a polygon of two corners": (
        {"images": [{"id": 1, "file_name": "a.jpg", "roi": [[[1, 2], [3, 4]]]}], "annotations": [], "categories": []},
        "less than 3 corners",
    ),
}


@pytest.mark.parametrize("name", JSON_REFUSED)
def test_json_that_is_refused(folder, name):
    content, message = JSON_REFUSED[name]
    (folder / "points.json").write_text(json.dumps(content))
    with pytest.raises(AnnotationError, match=f"points.json: .*{message}") as caught:
        heads_of(folder)
    assert "\n" not in str(caught.value)
    assert any(fault.file == folder / "points.json" for fault in check_folder(folder))


def nodes(content, path=()):
    """The ways to all values within a JSON document."""
    if path:
        yield path
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        yield from nodes(value, (*path, key))


@pytest.mark.parametrize("name", JSON_READ)
def test_any_value_at_any_place_is_read_or_told(folder, name):
    told = []
    for path in nodes(JSON_READ[name]):
        for value in (5, {"a": []}):
            (folder / "points.json").write_text(json.dumps(changed(JSON_READ[name], *path, value=value)))
            records = detect.read_any(folder / "points.json", lambda file, problem: told.append(problem))
            assert all(np.isfinite(record.points).all() for record in records)
    assert told and not any("\n" in problem for problem in told)


def test_a_coco_image_without_an_id_is_told(folder):
    without = {"images": [{"file_name": "a.jpg"}], "annotations": [{"bbox": [1, 2, 3, 4]}]}
    (folder / "points.json").write_text(json.dumps(without))
    with pytest.raises(AnnotationError, match="image 1: id should be a number or a word"):
        heads_of(folder)


def test_flags_of_coco_may_be_text(folder):
    """Taken for true, "0" made every head a crowd in which nothing is counted."""
    boxes = [{"id": at, "image_id": 1, "bbox": [at, 15, 10, 10], "iscrowd": flag} for at, flag in enumerate("001")]
    boxes += [{"id": 3, "image_id": 1, "keypoints": ["3", "4", "2", "5", "6", "0"]}]
    coco = {"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": boxes}
    (folder / "points.json").write_text(json.dumps(coco))
    (record,) = detect.read_any(folder, raise_fault)
    assert record.points.tolist() == [[5, 20], [6, 20], [3, 4]] and record.ignore.tolist() == [[2, 15, 12, 25]]
    boxes[0]["iscrowd"] = "no"
    (folder / "points.json").write_text(json.dumps(coco))
    with pytest.raises(AnnotationError, match="iscrowd should be a finite number, received 'no'"):
        heads_of(folder)


def test_a_picture_that_stands_twice_in_an_object_is_refused(folder):
    """Readers of JSON keep the last and say nothing."""
    twice = '{"a.jpg": [[101.5, 88.25]], "a.jpg": [[55, 60]]}'
    (folder / "points.json").write_text(twice)
    with pytest.raises(AnnotationError, match=r"points.json: .*'a.jpg' stands twice"):
        heads_of(folder)
    (folder / "points.json").rename(folder / "points.jsonl")
    (folder / "points.jsonl").write_text(f'{{"picture": "b.jpg", "points": []}}\n{twice}\n')
    with pytest.raises(AnnotationError, match=r"points.jsonl: .*'a.jpg' stands twice"):
        heads_of(folder)


def test_an_archive_as_tools_export_it_is_told_to_be_unpacked(tmp_path):
    """It was told to save its sheet as CSV."""
    with zipfile.ZipFile(tmp_path / "task.zip", "w") as archive:
        archive.writestr("annotations.xml", CVAT)
    with pytest.raises(AnnotationError, match=r"task.zip: is an archive. Unpack it"):
        read_export(tmp_path / "task.zip")


def test_a_workbook_is_told_to_be_saved_as_csv(folder):
    (folder / "points.xlsx").write_bytes(b"PK\x03\x04" + bytes(range(256)))
    with pytest.raises(AnnotationError, match=r"Save the sheet of points.xlsx as CSV"):
        heads_of(folder)
    (folder / "points.xlsx").rename(folder / "points.csv")
    with pytest.raises(AnnotationError, match=r"points.csv: is a workbook"):
        heads_of(folder)


def test_boxes_to_ignore_by_their_sides_and_by_their_corners(folder):
    item = {"picture": "a.jpg", "points": HEADS, "ignore": [[1, 2, 30, 40], [[1, 2], [30, 2], [30, 40], [1, 40]]]}
    (folder / "points.json").write_text(json.dumps([item]))
    assert read_json(folder)[0].ignore.tolist() == [[1, 2, 30, 40]] * 2
    item["ignore"] = [[[1, 2], [30, 5], [30, 40], [1, 40]]]
    (folder / "points.json").write_text(json.dumps([item]))
    with pytest.raises(AnnotationError, match="sides are not upright"):
        read_json(folder)


def test_json_lines(folder):
    lines = [json.dumps({"picture": "a.jpg", "points": HEADS}), "", json.dumps({"picture": "b.jpg", "points": []})]
    (folder / "points.jsonl").write_text("\n".join(lines))
    assert heads_of(folder) == {"a.jpg": HEADS, "b.jpg": []}
    (folder / "points.jsonl").write_text("\n".join([lines[0], '{"picture": ']))
    with pytest.raises(AnnotationError, match="points.jsonl: .*line 2"):
        heads_of(folder)


LABELME = {
    "version": "5.4.1",
    "shapes": [
        {"label": "head", "points": [[101.5, 88.25]], "shape_type": "point"},
        {"label": "head", "points": [[50, 50], [60, 70]], "shape_type": "rectangle"},
    ],
}


@pytest.mark.parametrize("place", ["images", "annotations"])
def test_labelme(folder, place):
    (folder / place).mkdir(exist_ok=True)
    for name in "ab":
        shapes = LABELME["shapes"] if name == "a" else []
        content = {
            **LABELME,
            "shapes": shapes,
            "imagePath": f"../images/{name}.jpg" if place != "images" else f"{name}.jpg",
        }
        (folder / place / f"{name}.json").write_text(json.dumps(content))
    assert heads_of(folder) == {"a.jpg": HEADS, "b.jpg": []}
    circle = {"label": "head", "points": [[55, 60], [58, 60]], "shape_type": "circle"}
    content = {**LABELME, "imagePath": "a.jpg", "shapes": [circle]}
    (folder / place / "a.json").write_text(json.dumps(content))
    assert heads_of(folder)["a.jpg"] == HEADS[1:]
    newer = {"version": "5.10.1", "imageData": None, "imageHeight": 304, "imageWidth": 400}
    corners = {
        "label": "head",
        "points": [[50, 50], [60, 50], [60, 70], [50, 70]],
        "shape_type": "rectangle",
        "mask": None,
    }
    (folder / place / "a.json").write_text(json.dumps({**content, **newer, "shapes": [corners]}))
    assert heads_of(folder)["a.jpg"] == HEADS[1:]
    (folder / place / "a.json").write_text(json.dumps({**content, **newer, "imageWidth": 4000}))
    assert any("4000 x 304 pixels, but it has 400 x 304" in fault.problem for fault in check_folder(folder))
    content["shapes"][0]["shape_type"] = "polygon"
    (folder / place / "a.json").write_text(json.dumps(content))
    assert any(fault.file.name == "a.json" and "shape 1" in fault.problem for fault in check_folder(folder))


CVAT = """<annotations><version>1.1</version>
<image id="0" name="images/a.jpg" width="400" height="304">
 <points label="head" points="101.5,88.25" occluded="0"/><box label="head" xtl="50" ytl="50" xbr="60" ybr="70"/>
</image><image id="1" name="b.jpg" width="400" height="304"><tag label="night"/></image></annotations>"""
VOC = "<annotation><filename>{}</filename>{}</annotation>"
BOX = "<object><name>head</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object>"


def test_cvat(folder):
    file = folder / "annotations.xml"
    file.write_text(CVAT)
    assert heads_of(folder) == {"a.jpg": HEADS, "b.jpg": []}
    file.write_text(
        CVAT.replace("101.5,88.25", "101.5,88.25;55,60").replace("<box", "<!--").replace('"70"/>', '"70"-->')
    )
    assert heads_of(folder)["a.jpg"] == HEADS
    file.write_text(CVAT.replace("<box", '<points label="head" points="1,2" outside="1"/><box rotation="30"'))
    assert heads_of(folder)["a.jpg"] == HEADS
    for broken, message in (
        (CVAT.replace('xtl="50"', 'xtl="left"'), "image 1 .*xtl should be"),
        (CVAT.replace("<points", "<polygon"), "image 1 .*only points"),
        (CVAT.replace("<version>", "<track/><version>"), "tracks of a video"),
        (CVAT[:90], "not a readable XML"),
        ('<!DOCTYPE x [<!ENTITY a "b">]>' + CVAT, "entities"),
        ("<html/>", "neither CVAT's"),
        (CVAT.replace('width="400" height="304">', 'width="800" height="608">', 1), "image 1 .*800 x 608 pixels"),
        (CVAT.replace("<box", "<skeleton"), "image 1 .*only points"),
    ):
        file.write_text(broken)
        with pytest.raises(AnnotationError, match=f"annotations.xml: .*{message}"):
            heads_of(folder)
        assert any(fault.file == file for fault in check_folder(folder))


def test_pascal_voc(folder):
    (folder / "Annotations").mkdir()
    boxes = BOX.format(91.5, 78.25, 111.5, 98.25) + BOX.format(50, 50, 60, 70)
    (folder / "Annotations" / "a.xml").write_text(VOC.format("a.jpg", boxes))
    (folder / "Annotations" / "b.xml").write_text(VOC.format("b.jpg", ""))
    assert heads_of(folder) == {"a.jpg": HEADS, "b.jpg": []}
    size = "<size><width>{}</width><height>{}</height><depth>3</depth></size>"
    (folder / "Annotations" / "b.xml").write_text(VOC.format("b.jpg", size.format(0, 0)))
    assert heads_of(folder) == {"a.jpg": HEADS, "b.jpg": []}, "0 is what tools write that do not know the size"
    (folder / "Annotations" / "b.xml").write_text(VOC.format("b.jpg", size.format(304, 400)))
    assert any("304 x 400 pixels, but it has 400 x 304" in fault.problem for fault in check_folder(folder))
    (folder / "Annotations" / "b.xml").write_text(VOC.format("b.jpg", BOX.format(1, 2, "", 4)))
    assert any("b.xml" in str(fault) and "object 1: xmax" in fault.problem for fault in check_folder(folder))


def test_yolo(folder):
    (folder / "images" / "Straße.jpg").unlink()
    labels = folder / "labels"
    labels.mkdir()
    (labels / "classes.txt").write_text("head\n")
    lines = [f"0 {x / 400} {y / 304} 0.05 0.05" for x, y in HEADS]
    (labels / "a.txt").write_text("\n".join(lines))
    (labels / "b.txt").write_text("")
    overlay_files.save(Image.new("RGB", SIZE), folder / "images" / "a_overlay.png")  # which a count has left there
    assert heads_of(folder) == {"a.jpg": HEADS, "b.jpg": []}
    (labels / "b.txt").write_text("0 0.5 0.5 0.1 0.1\n0 150 0.5 0.1 0.1\n")
    assert any(fault.file == labels / "b.txt" and "line 2" in fault.problem for fault in check_folder(folder))
    for other in ("0 0.1 0.1 0.2 0.1 0.2 0.2", "0 200 150 20 20", "0,0.5,0.5,0.1,0.1"):  # polygon, pixels, commas
        (labels / "a.txt").write_text(other)
        faults = [fault.problem for fault in check_folder(folder) if fault.file == labels / "a.txt"]
        assert ["line 1: should be a box" in problem for problem in faults] == [True], other
    (labels / "a.txt").write_text("")
    (labels / "b.txt").unlink()
    with pytest.raises(AnnotationError, match=r"b.jpg: has no labels.*An empty one says"):
        heads_of(folder)


@pytest.mark.parametrize(
    "names", ["['head', 'hard hat']", "\n- head\n- hard hat", "\n  0: head  # in all\n  1: hard hat"]
)
@pytest.mark.parametrize("labels", ["labels/train", "train/labels"])
def test_yolos_classes_have_the_names_of_its_yaml(folder, labels, names):
    """They were numbers: `--label head` was refused, and a list of labels told nobody which 0 is."""
    labels = folder / labels
    labels.mkdir(parents=True)
    (folder / "images").rename(folder / "pictures")
    (folder / "pictures" / "Straße.jpg").unlink()
    (folder / "data.yaml").write_text(f"train: ../train/images\nnc: 2\nnames: {names}\nroboflow:\n  license: MIT\n")
    (labels / "a.txt").write_text("0 0.5 0.25 0.1 0.1\n0 0.5 0.5 0.1 0.1\n1 0.5 0.75 0.1 0.1\n2 0.1 0.1 0.1 0.1\n")
    (labels / "b.txt").write_text("")
    with pytest.raises(AnnotationError, match=r"several labels: head \(2\), hard hat \(1\), 2 \(1\)"):
        detect.read_any(folder, raise_fault, Options(images=folder / "pictures"))
    records = detect.read_any(folder, raise_fault, Options(images=folder / "pictures", label="hard hat"))
    assert [record.points.tolist() for record in records] == [[[200, 228]], []]


def test_notes_of_label_studio_beside_yolos_files_are_no_annotations(folder):
    """They were refused as a JSON file of no kind that is known."""
    (folder / "labels").mkdir()
    for name in ("a", "b", "Straße"):
        (folder / "labels" / f"{name}.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    (folder / "classes.txt").write_text("head\n")
    note = {"categories": [{"id": 0, "name": "head"}], "info": {"year": 2026, "contributor": "Label Studio"}}
    (folder / "notes.json").write_text(json.dumps(note))
    assert len(read_export(folder, "all")) == 3
    assert check_folder(folder) == []
    (folder / "notes.json").write_text(json.dumps([{"picture": "a.jpg", "points": HEADS}]))
    assert [sample.count for sample in read_export(folder, "all")] == [2]


def test_an_export_is_a_data_set(folder):
    (folder / "annotations.xml").write_text(CVAT)
    assert [sample.count for sample in load_dataset("export", folder, "all")] == [2, 0]
    assert [sample.count for sample in read_export(folder / "annotations.xml")] == [2, 0]
    shutil.rmtree(folder / "images")
    (folder / "annotations.xml").unlink()
    with pytest.raises(AnnotationError, match="no annotations that are known"):
        load_dataset("export", folder, "all")


# --- Round trips ---

coordinate = st.floats(0, 300, allow_nan=False).map(lambda value: float(np.float64(value)))
boxes = st.lists(st.tuples(coordinate, coordinate, coordinate, coordinate), max_size=2)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    points=st.lists(st.tuples(coordinate, coordinate), max_size=6),
    ignored=boxes,
    split=st.sampled_from([None, "train", "test"]),
    kind=st.sampled_from(sorted(KINDS)),
)
def test_nothing_is_lost_in_a_round_trip(folder, points, ignored, split, kind):
    ignored = [[min(a, c), min(b, d), max(a, c), max(b, d)] for a, b, c, d in ignored] if kind != "shanghaitech" else []
    source = folder / "none"
    # The second picture's heads leave no doubt that all are pixels.
    heads, ignored = np.reshape(points, (-1, 2)), np.reshape(ignored, (-1, 4))
    given_records = [
        Record("a", folder / "images" / "a.jpg", heads, source, split, ignore=ignored),
        Record("b", folder / "images" / "b.jpg", np.array([[399.5, 1 / 3]]), source, split),
        Record("c", folder / "images" / "Straße.jpg", np.zeros((0, 2)), source, split),
    ]
    out = folder / "out" / {"csv": "points.csv", "shanghaitech": "part_A"}.get(kind, "points.json")
    shutil.rmtree(folder / "out", ignore_errors=True)
    convert(given_records, kind, out)
    if kind == "shanghaitech":
        back = load_dataset("shanghaitech_a", folder / "out", "all")
        back = {sample.picture.name: sample for sample in back}
    else:
        back = {record.picture.name: record for record in detect.read_any(out, raise_fault)}
        assert {record.split for record in back.values()} == {split}
    for record in given_records:
        read = back[record.picture.name]
        assert read.points.tolist() == record.points.tolist()
        assert np.allclose(read.ignore, record.ignore, rtol=0, atol=1e-9)
    assert check_folder(folder / "out") == [] or points or len(ignored)


def test_what_a_layout_cannot_hold_is_refused(folder):
    picture = folder / "images" / "a.jpg"
    record = Record("a", picture, np.array(HEADS), picture, roi=Region([np.array([[0, 0], [300, 0], [0, 300.0]])]))
    for kind in ("csv", "shanghaitech"):
        with pytest.raises(AnnotationError, match="cannot hold the regions of interest"):
            convert([record], kind, folder / "out")
    for kind in ("json", "coco"):
        convert([record], kind, folder / "out.json")
        (read,) = detect.read_any(folder / "out.json", raise_fault)
        assert np.array_equal(read.roi.polygons[0], record.roi.polygons[0])
    with pytest.raises(AnnotationError, match="no pictures for validation"):
        convert([Record("a", picture, np.array(HEADS), picture, "val")], "shanghaitech", folder / "part_A")
    with pytest.raises(AnnotationError, match="holds something already"):
        convert([Record("a", picture, np.array(HEADS), picture)], "shanghaitech", folder)
    with pytest.raises(AnnotationError, match="no picture to write"):
        convert([], "csv", folder / "out.csv")


def test_what_lies_in_the_corner_of_a_large_picture_is_no_share_of_it(tmp_path):
    Image.new("1", (4000, 3000)).save(tmp_path / "a.png")
    record = Record("a.png", tmp_path / "a.png", np.array([[60.0, 80.0]]), tmp_path)
    convert([record], "csv", tmp_path / "points.csv")
    assert read_csv(tmp_path)[0].points.tolist() == [[60, 80]]


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_pictures_that_are_copied_for_other_programs_lie_upright_beside_their_points(tmp_path, suffix):
    pixels = np.zeros((48, 80, 3), np.uint8)
    pixels[:, :40] = 200
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / f"a{suffix}", exif=turned)
    record = Record("a", tmp_path / f"a{suffix}", np.array([[10.0, 70.0]]), tmp_path)
    convert([record], "shanghaitech", tmp_path / "part_A")
    with Image.open(tmp_path / "part_A" / "train_data" / "images" / f"a{suffix}") as image:
        assert image.size == (48, 80)
        upright = np.asarray(image)
    np.testing.assert_allclose(upright, load_picture(tmp_path / f"a{suffix}"), atol=3 if suffix == ".jpg" else 0)


def test_pictures_that_pillow_does_not_know_are_copied_too(tmp_path):
    pixels = np.full((48, 80, 3), 0.5, np.float32)
    options = {"photometric": "rgb", "extratags": [(274, "H", 1, 6, True)]}
    for name, more in {"a.tif": {}, "b.tif": options}.items():
        tifffile.imwrite(tmp_path / name, pixels, **{"photometric": "rgb", **more})
    records = [Record(name, tmp_path / name, np.array([[10.0, 40.0]]), tmp_path) for name in ("a.tif", "b.tif")]
    convert(records, "shanghaitech", tmp_path / "part_A")
    images = tmp_path / "part_A" / "train_data" / "images"
    assert (images / "a.tif").read_bytes() == (tmp_path / "a.tif").read_bytes()
    with Image.open(images / "b.tif") as image:
        assert image.size == (48, 80)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_a_name_with_a_space_behind(folder):
    draw_picture(folder / "images" / "trail.jpg", SIZE)
    (folder / "images" / "trail.jpg").rename(folder / "images" / "trail.jpg ")
    (folder / "points.csv").write_text("picture,x,y\nimages/trail.jpg ,303,204\n a.jpg ,305,206\n")
    assert heads_of(folder) == {"trail.jpg ": [[303, 204]], "a.jpg": [[305, 206]]}


def test_pictures_that_windows_takes_for_one_are_refused_where_they_are_copied(tmp_path):
    places = [tmp_path / "one" / "IMG_1.jpg", tmp_path / "two" / "img_1.jpg"]
    splits = (None, "train")  # both go to train_data
    records = [Record(place.name, place, np.array([[3.0, 4.0]]), place, split) for place, split in zip(places, splits)]
    with pytest.raises(AnnotationError, match="IMG_1.jpg and .*img_1.jpg would have the same name"):
        convert(records, "shanghaitech", tmp_path / "part_A")
    assert not (tmp_path / "part_A").exists()


@pytest.mark.parametrize("there", [False, True])
def test_pictures_are_copied_all_or_none(folder, monkeypatch, there):
    records = [Record(name, folder / "images" / name, np.array(HEADS), folder) for name in ("a.jpg", "b.jpg")]
    out = folder / "new" / "part_A"
    out.parent.mkdir()
    if there:
        out.mkdir()
    copied = []

    def copy(source, target):
        copied.append(target)
        if len(copied) == 2:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", copy)
        with pytest.raises(OSError, match="No space"):
            convert(records, "shanghaitech", out)
    assert len(copied) == 2 and list(out.parent.rglob("*")) == [out] * there
    convert(records, "shanghaitech", out)
    assert len(load_dataset("shanghaitech_a", out.parent, "all")) == 2
    monkeypatch.chdir(out.parent)
    Path("empty").mkdir()
    monkeypatch.chdir("empty")
    with pytest.raises(AnnotationError, match="the folder that you are in"):
        convert(records, "shanghaitech", ".")


@pytest.mark.parametrize("kind", ["csv", "json", "coco"])
def test_what_is_written_into_a_folder_that_is_a_link_names_pictures_so_that_they_are_found(folder, kind):
    (folder / "deep" / "kept").mkdir(parents=True)
    (folder / "link").symlink_to(folder / "deep" / "kept")
    records = [Record("a.jpg", folder / "images" / "a.jpg", np.array(HEADS), folder)]
    out = folder / "link" / f"ours.{'csv' if kind == 'csv' else 'json'}"
    convert(records, kind, out)
    for place in (out, folder / "deep" / "kept" / out.name):
        (record,) = detect.read_any(place, raise_fault)
        assert record.picture.samefile(folder / "images" / "a.jpg")


def test_x_and_y_exchanged(folder):
    (folder / "images" / "Straße.jpg").unlink()
    (folder / "points.csv").write_text("picture,x,y\na.jpg,120,390\na.jpg,10,20\nb.jpg,15,380\n")
    assert any("x and y seem to be in each other's place" in fault.problem for fault in check_folder(folder))
    (folder / "points.csv").write_text("picture,x,y\na.jpg,390,120\na.jpg,20,10\nb.jpg,380,15\n")
    assert check_folder(folder) == []


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.one_of(
        st.binary(max_size=80),
        st.text(max_size=80).map(lambda text: text.encode("utf-8", "surrogatepass")),
        st.sampled_from(sorted(CSV_READ)).flatmap(
            lambda name: st.integers(0, len(CSV_READ[name])).map(lambda at: CSV_READ[name][:at].encode())
        ),
        st.sampled_from(sorted(JSON_READ)).flatmap(
            lambda name: st.integers(0, 300).map(lambda at: json.dumps(JSON_READ[name])[:at].encode())
        ),
    ),
    suffix=st.sampled_from([".csv", ".json", ".xml", ".jsonl"]),
)
def test_whatever_a_file_holds_there_is_an_answer(folder, data, suffix):
    file = folder / f"odd{suffix}"
    file.write_bytes(data)
    faults = []
    records = detect.read_any(file, lambda file, problem: faults.append(problem))
    assert all("\n" not in problem for problem in faults)
    assert all(np.isfinite(record.points).all() for record in records)


# --- Read right, or refused in one line ---

POINT = {"name": "point", "cx": 101.5, "cy": 88.25}


def via(*regions):
    return {"a.jpg5": {"filename": "a.jpg", "size": 5, "regions": list(regions)}}


def task(*items):
    return [{"id": 1, "data": {"image": "a.jpg"}, "annotations": [{"result": list(items)}]}]


PLACE = RESULT[0]["value"]
REFUSED = {
    "coco shares": (
        COCO | {"annotations": [{"image_id": 7, "category_id": 1, "bbox": [x, 0.2, 0.1, 0.1]} for x in (0.1, 0.6)]},
        "--unit fraction",
    ),
    "coco visibility 0": (changed(COCO, "annotations", 0, "keypoints", value=[101.5, 88.25, 0]), "visibility 0"),
    "coco skeleton without names": (changed(COCO, "annotations", 0, "keypoints", value=[9, 9, 2] * 17), "skeleton"),
    "via several attributes": (
        via(*({"shape_attributes": POINT, "region_attributes": {"class": c, "n": c}} for c in ("head", "car"))),
        "several labels",
    ),
    "label studio turned": (
        task({"id": "q", "original_width": 304, "original_height": 400, "value": PLACE}),
        "was made for a picture of 304 x 400",
    ),
    "label studio video": (task({"id": "q", "value": {"sequence": [{"x": 1, "y": 2}]}}), "only keypoints"),
    "labels of points": (
        [{"picture": "a.jpg", "points": [{"x": 300, "y": 9, "label": name} for name in ("head", "car")]}],
        "several labels",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(folder, name):
    content, message = REFUSED[name]
    (folder / "points.json").write_text(json.dumps(content))
    with pytest.raises(AnnotationError, match=message):
        heads_of(folder)


CSV = {
    "thousands": ("picture;x;y\na.jpg;1.234;567\na.jpg;2.001;1.100\n", "thousands or before a fraction"),
    "boxes of another size": ("filename,width,height,xmin,ymin,xmax,ymax\na.jpg,800,608,9,9,99,99\n", "made for"),
    "a row cut off": ("filename,xmin,ymin,xmax,ymax,width,height\na.jpg,9,9,99,99,800\n", "picture of 800 x . pixels"),
    "percent a little beyond": ("picture,x,y\n" + "a.jpg,50.5,60\n" * 5 + "a.jpg,99,100.2\n", "--unit percent"),
    "a year before the name": ("picture,x,y\n2023-a.jpg,300,280\n", "is missing"),
    "VIA cut off": (
        "filename,region_count,region_shape_attributes,region_attributes\n"
        'a.jpg,2,"{""name"":""point"",""cx"":9,""cy"":9}","{}"\n',
        "2 regions by its region_count, but has 1",
    ),
    "VIA that nests for ever": (
        f"filename,region_count,region_shape_attributes,region_attributes\na.jpg,1,{100_000 * '['},{{}}\n",
        "its attributes are no JSON",
    ),
}


@pytest.mark.parametrize("name", CSV)
def test_csv_refused(folder, name):
    text, message = CSV[name]
    (folder / "points.csv").write_text(text)
    with pytest.raises(AnnotationError, match=message):
        heads_of(folder)


def test_a_point_is_the_head_whatever_box_is_around_it(folder):
    (folder / "points.csv").write_text("image,x,y,xmin,ymin,xmax,ymax\na.jpg,101.5,88.25,90,80,130,180\n")
    assert heads_of(folder) == {"a.jpg": HEADS[:1]}


def test_items_of_one_region_are_one_head(folder):
    items = [{"id": "q", "value": PLACE}, {"id": "q", "value": {**PLACE, "text": ["blurred"]}}]
    (folder / "points.json").write_text(json.dumps(task(*items)))
    assert heads_of(folder) == {"a.jpg": HEADS[:1]}


def test_the_unit_is_that_of_boxes_and_regions_too(folder):
    entry = {"picture": "a.jpg", "points": [[0.5, 0.5]], "ignore": [[0, 0, 0.5, 1]], "roi": [[[0, 0], [1, 0], [1, 1]]]}
    (folder / "points.json").write_text(json.dumps({"unit": "fraction", "pictures": [entry]}))
    (record,) = detect.read_any(folder / "points.json", raise_fault, Options())
    assert record.ignore.tolist() == [[0, 0, 200, 304]]
    assert record.roi.polygons[0].tolist() == [[0, 0], [400, 0], [400, 304]]


@pytest.mark.parametrize("val", ["val", "valid"])
@pytest.mark.parametrize("place", ["labels/{}", "{}/labels"])
def test_folders_of_yolo_are_splits(tmp_path, place, val):
    folders = {"train": "train", "val": val, "test": "test"}
    for shade, split in enumerate(folders.values()):
        labels = tmp_path / place.format(split)
        labels.mkdir(parents=True)
        (labels / "0.txt").write_text("0 0.5 0.5 0.1 0.1\n")
        draw_picture(tmp_path / place.format(split).replace("labels", "images") / "0.jpg", SIZE, 60 * shade)
    for split, name in folders.items():
        assert [sample.name for sample in read_export(tmp_path, split)] == [f"{name}/0"]


def test_lists_of_pascal_voc_are_splits(tmp_path):
    """Its pictures for the test were learned from."""
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
    for shade, name in enumerate("abcd"):
        (tmp_path / "Annotations" / f"{name}.xml").write_text(VOC.format(f"{name}.jpg", BOX.format(1, 2, 3, 4)))
        draw_picture(tmp_path / "JPEGImages" / f"{name}.jpg", SIZE, 60 * shade)
    lists = tmp_path / "ImageSets" / "Main"
    (lists / "trainval.txt").write_text("a\nb\nc\n")
    (lists / "train.txt").write_text("a\nb\n")
    assert len(read_export(tmp_path, "all")) == 4
    (lists / "val.txt").write_text("c\n")
    (lists / "test.txt").write_text("d\n")
    for split, names in {"train": ["a", "b"], "val": ["c"], "test": ["d"]}.items():
        assert [sample.picture.stem for sample in read_export(tmp_path, split)] == names
    (lists / "test.txt").write_text("c\n")
    with pytest.raises(AnnotationError, match=r"test.txt: line 1: 'c' is in the list of the split 'val', too"):
        read_export(tmp_path, "train")
    (lists / "test.txt").write_text("")
    with pytest.raises(AnnotationError, match="1 of 4 pictures have no split, as 'd.jpg'"):
        read_export(tmp_path, "train")


@pytest.mark.parametrize("apart", [False, True])
def test_darknets_layout_of_cvat(tmp_path, apart):
    """CVAT's "YOLO 1.1" was refused as no annotations that are known."""
    (tmp_path / "export").mkdir()
    pictures = {"obj_train_data": ("a", "Day 1/a", "b"), "obj_valid_data": ("c",)}
    (tmp_path / "export" / "obj.names").write_text("head\nhat\n")
    (tmp_path / "export" / "obj.data").write_text("classes = 2\ntrain = data/train.txt\nnames = data/obj.names\n")
    for shade, (folder, names) in enumerate(pictures.items()):
        listed = "".join(f"data/{folder}/{name}.jpg\n" for name in names)
        (tmp_path / "export" / f"{folder.split('_')[1]}.txt").write_text(listed)
        for number, name in enumerate(names):
            labels = tmp_path / "export" / folder / f"{name}.txt"
            labels.parent.mkdir(parents=True, exist_ok=True)
            labels.write_text("" if name == "b" else "0 0.5 0.25 0.1 0.1\n0 0.25 0.5 0.1 0.1\n")
            draw_picture(
                (tmp_path / "photos" / name if apart else labels).with_suffix(".jpg"), SIZE, 60 * shade + number
            )
    options = Options(images=tmp_path / "photos" if apart else None)
    records = detect.read_any(tmp_path / "export", raise_fault, options)
    assert [(record.name, record.split, len(record.points)) for record in records] == [
        ("train/a", "train", 2), ("train/b", "train", 0), ("train/Day 1/a", "train", 2), ("valid/c", "val", 2)
    ]  # fmt: skip
    assert records[0].points.tolist() == [[200, 76], [100, 152]]
    (tmp_path / "export" / "obj_train_data" / "a.txt").write_text("0 0.5 0.25 0.1 0.1\n1 0.25 0.5 0.1 0.1\n")
    with pytest.raises(AnnotationError, match=r"several labels: head \(5\), hat \(1\)"):
        detect.read_any(tmp_path / "export", raise_fault, options)
    options = Options(images=options.images, label="hat")
    assert [len(record.points) for record in detect.read_any(tmp_path / "export", raise_fault, options)] == [1, 0, 0, 0]


def test_a_picture_of_darknets_layout_without_labels_is_told(tmp_path):
    for name in "ab":
        draw_picture(tmp_path / "obj_train_data" / f"{name}.jpg", SIZE)
    (tmp_path / "obj_train_data" / "a.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    with pytest.raises(AnnotationError, match=r"b.jpg: has no labels"):
        read_export(tmp_path, "all")
    (tmp_path / "obj_train_data" / "b.txt").write_text("")
    assert [(sample.name, sample.count) for sample in read_export(tmp_path, "all")] == [("a", 1), ("b", 0)]
    assert ["same picture" in fault.problem for fault in check_folder(tmp_path)] == [True]


def coco_of(name, x):
    image = {"id": 1, "file_name": name, "width": SIZE[0], "height": SIZE[1]}
    head = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [x, 20, 4, 4]}
    return json.dumps({"images": [image], "annotations": [head], "categories": [{"id": 1, "name": "head"}]})


@pytest.mark.parametrize(
    ("file", "pictures"),
    [
        ("annotations/instances_{}2017.json", "{}2017"),  # as COCO itself
        ("annotations/instances_{}.json", "images/{}"),  # as CVAT
        ("{}.json", "{}"),
        ("{}/_annotations.coco.json", "{}"),  # as Roboflow
    ],
)
def test_files_of_subsets_are_splits(tmp_path, file, pictures):
    """Read as one heap, pictures for validation were learned from."""
    for number, split in enumerate(("train", "val", "test")):
        place = tmp_path / file.format(split)
        place.parent.mkdir(exist_ok=True)
        place.write_text(coco_of("0.jpg", 10 * number))
        (tmp_path / pictures.format(split)).mkdir(parents=True, exist_ok=True)
        draw_picture(tmp_path / pictures.format(split) / "0.jpg", SIZE, 60 * number)
    for number, split in enumerate(("train", "val", "test")):
        (sample,) = read_export(tmp_path, split)
        assert (sample.name, sample.points.tolist()) == (f"{split}/0.jpg", [[10 * number + 2, 22]])
        assert np.array_equal(sample.read(), load_picture(tmp_path / pictures.format(split) / "0.jpg"))


def test_one_picture_in_two_subsets_is_told(tmp_path):
    for split in ("train", "val"):
        (tmp_path / f"{split}.json").write_text(coco_of("0.jpg", 10))
    draw_picture(tmp_path / "0.jpg", SIZE)
    with pytest.raises(AnnotationError, match="val.json: '0.jpg' is in train.json already"):
        read_export(tmp_path, "train")


@pytest.mark.parametrize("name", ["a[1]", "really?", "IMG_1.heic"])
def test_a_picture_of_yolo_may_have_any_name(tmp_path, name):
    """Signs that mean something in patterns; a second suffix, as converters of HEIC leave it."""
    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
    draw_picture(tmp_path / "images" / f"{name}.png", SIZE)
    (tmp_path / "labels" / f"{name}.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    (sample,) = read_export(tmp_path, "all")
    assert (sample.name, sample.points.tolist()) == (name, [[200, 152]])


def test_the_pictures_of_yolo_are_listed_once(tmp_path, monkeypatch):
    """Once for each file of labels, 15,000 pictures took minutes."""
    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
    draw_picture(tmp_path / "images" / "0.png", SIZE)
    for number in range(30):
        (tmp_path / "labels" / f"{number}.txt").write_text("0 0.5 0.5 0.1 0.1\n")
        if number:
            (tmp_path / "images" / f"{number}.png").symlink_to("0.png")
    listed = []
    iterdir, scandir = Path.iterdir, os.scandir
    monkeypatch.setattr(Path, "iterdir", lambda path: (listed.append(path), iterdir(path))[1])
    monkeypatch.setattr(os, "scandir", lambda *path: (listed.append(path), scandir(*path))[1])
    assert len(read_export(tmp_path, "all")) == 30 and len(listed) < 30


def via_of(heads):
    shape = {"name": "point", "cx": 30, "cy": 40}
    return {
        f"{name}99": {
            "filename": name,
            "size": 99,
            "regions": [{"shape_attributes": shape, "region_attributes": {}}] * n,
        }
        for name, n in heads.items()
    }


def cvat_of(heads):
    point = '<points label="head" points="30,40"/>'
    images = "".join(f'<image name="{name}" width="64" height="48">{point * n}</image>' for name, n in heads.items())
    return f"<annotations>{images}</annotations>"


@pytest.mark.parametrize("tool", ["VIA", "CVAT", "COCO", "YOLO"])
def test_pictures_that_nobody_has_annotated_yet_are_warned_of(tmp_path, capsys, tool):
    """In silence they were pictures of nobody to learn from."""
    heads = {f"{number}.jpg": int(number > 2) for number in range(8)}
    for number, name in enumerate(heads):
        draw_picture(tmp_path / "images" / name, shade=20 * number)
    if tool == "YOLO":
        (tmp_path / "labels").mkdir()
        for name, n in heads.items():
            (tmp_path / "labels" / f"{name[0]}.txt").write_text("0 0.5 0.5 0.1 0.1\n" * n)
    elif tool == "COCO":
        images = [{"id": name, "file_name": name} for name in heads]
        marks = [{"image_id": name, "bbox": [9, 9, 9, 9], "category_id": 1} for name, n in heads.items() if n]
        (tmp_path / "a.json").write_text(json.dumps({"images": images, "annotations": marks}))
    else:
        name, text = {"VIA": ("a.json", json.dumps(via_of(heads))), "CVAT": ("a.xml", cvat_of(heads))}[tool]
        (tmp_path / name).write_text(text)
    with pytest.warns(AnnotationWarning, match="3 of 8 pictures have no annotation") as told:
        assert len(read_export(tmp_path, "all")) == 8
    assert len(told) == 1
    assert cli.main(["check", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert err.count("crowdcount: warning:") == 1 and "3 of 8 pictures" in err and "no faults" in out
    assert cli.main(["convert", str(tmp_path), str(tmp_path / "points.csv"), "--to", "csv"]) == 0
    capsys.readouterr()
    lines = (tmp_path / "points.csv").read_text().splitlines(keepends=True)
    (tmp_path / "points.csv").write_text("".join(line for line in lines if ",," not in line))
    assert len(read_csv(tmp_path / "points.csv")) == 5
    assert cli.main(["describe", "csv", "--root", str(tmp_path / "points.csv")]) == 0
    assert not capsys.readouterr().err, "of what is ours each line says what it says"


def test_splits_of_some_pictures_alone_are_told(folder):
    """The others would be in neither training nor test, without a word."""
    names = {"a.jpg": "train", "b.jpg": "test"}
    records = [Record(name, folder / "images" / name, np.array(HEADS), folder, split) for name, split in names.items()]
    convert(records, "coco", folder / "coco.json")
    assert len(read_export(folder / "coco.json", "train")) == 1
    content = json.loads((folder / "coco.json").read_text())
    del content["images"][1]["split"]
    (folder / "coco.json").write_text(json.dumps(content))
    with pytest.raises(AnnotationError, match="1 of 2 pictures have no split, as '.*b.jpg', others have"):
        read_export(folder / "coco.json", "train")
    assert len(read_export(folder / "coco.json", "all")) == 2


def test_a_picture_without_its_file_is_told(tmp_path):
    shapes = {"shapes": [{"shape_type": "point", "points": [[300, 9]], "label": "head"}]}
    for shade, name in enumerate("abc"):
        draw_picture(tmp_path / f"{name}.jpg", SIZE, 60 * shade)
        if name != "c":
            (tmp_path / f"{name}.json").write_text(json.dumps({**shapes, "imagePath": f"{name}.jpg"}))
    assert [(fault.file.name, "has no annotation" in fault.problem) for fault in check_folder(tmp_path)] == [
        ("c.jpg", True)
    ]


@pytest.mark.parametrize("tool", ["YOLO", "YOLO in parts", "LabelMe", "Pascal VOC"])
def test_labels_are_chosen_among_those_of_all_files(tmp_path, tool):
    """Each file of a picture has one label alone: the cars of one were heads, and files without heads were refused."""
    heads, cars = ("0", "1") if "YOLO" in tool else ("head", "car")
    for name, label in (("a", heads), ("b", cars)):
        part = {"a": "train/", "b": "val/"}[name] if tool == "YOLO in parts" else ""
        draw_picture(tmp_path / f"images/{part}{name}.jpg", SIZE, 90)
        box = "<xmin>90</xmin><ymin>60</ymin><xmax>110</xmax><ymax>80</ymax>"
        point = {"label": label, "points": [[100, 70]], "shape_type": "point"}
        file, content = {
            "LabelMe": (f"images/{name}.json", json.dumps({"imagePath": f"{name}.jpg", "shapes": [point]})),
            "Pascal VOC": (
                f"Annotations/{name}.xml",
                f"<annotation><filename>{name}.jpg</filename><object><name>{label}</name><bndbox>{box}</bndbox>"
                "</object></annotation>",
            ),
        }.get(tool, (f"labels/{part}{name}.txt", f"{label} 0.25 0.25 0.1 0.1\n"))
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(content)
    with pytest.raises(AnnotationError, match=rf"several labels: {heads} \(1\), {cars} \(1\).*--label"):
        heads_of(tmp_path)
    with pytest.raises(AnnotationError, match=rf"no label 'cat', only: {heads} \(1\), {cars} \(1\)"):
        heads_of(tmp_path, label="cat")
    found = heads_of(tmp_path, label=heads)
    assert len(found["a.jpg"]) == 1 and found["b.jpg"] == []
