"""The checker: each fault is planted once in a sound folder, and has to be the one that is found."""

import json
import re

import numpy as np
import pytest
from PIL import Image
from test_annotations import draw_picture, write_mat

from crowdcount.data.annotations import read_csv, read_json, read_shanghaitech
from crowdcount.data.checking import check_folder
from crowdcount.errors import AnnotationError

POINTS = {"a": [[1.5, 2], [64, 48], [0, 0]], "b": [], "c": [[30, 40]]}


@pytest.fixture(params=["shanghaitech", "csv", "json"])
def crowd(request, tmp_path):
    """A sound folder in each layout, with pictures of 64 x 48, as a function that writes its points anew."""
    layout = request.param
    half = tmp_path / "part_B" / "train_data"
    images = half / "images" if layout == "shanghaitech" else tmp_path / "images"
    for shade, name in enumerate(POINTS):
        draw_picture(images / f"{name}.png", shade=40 * shade)

    def write(points):
        """Returns the file that a fault in picture c is reported for."""
        if layout == "csv":
            rows = [f"{name}.png,{x},{y}" for name, crowd in points.items() for x, y in crowd or [("", "")]]
            (tmp_path / "points.csv").write_text("\n".join(["picture,x,y", *rows]))
            return tmp_path / "points.csv"
        if layout == "json":
            listed = [{"picture": f"{name}.png", "points": crowd} for name, crowd in points.items()]
            (tmp_path / "points.json").write_text(json.dumps({"pictures": listed}))
            return tmp_path / "points.json"
        for file in (half / "ground-truth").glob("*.mat"):
            file.unlink()
        for name, crowd in points.items():
            write_mat(half / "ground-truth" / f"GT_{name}.mat", crowd)
        return half / "ground-truth" / "GT_c.mat"

    write(POINTS)
    write.folder, write.images, write.layout = tmp_path, images, layout
    return write


def the_fault(folder):
    faults = check_folder(folder)
    assert len(faults) == 1, list(map(str, faults))
    return faults[0]


def test_a_sound_folder_has_no_fault(crowd):
    assert check_folder(crowd.folder) == []
    assert check_folder(str(crowd.folder)) == []


def test_missing_picture(crowd):
    (crowd.images / "c.png").unlink()
    fault = the_fault(crowd.folder)
    assert fault.file == crowd(POINTS) and "picture is missing" in fault.problem
    assert str(crowd.images) in fault.problem


def test_missing_annotation(crowd):
    crowd({name: points for name, points in POINTS.items() if name != "b"})
    fault = the_fault(crowd.folder)
    assert fault.file == crowd.images / "b.png" and "has no annotation" in fault.problem


@pytest.mark.parametrize("point", [(64.01, 3), (-0.5, 3), (3, 48.5), (3, -1), (40, 60)])
def test_points_outside(crowd, point):
    file = crowd({**POINTS, "c": [[30, 40], list(point)]})
    fault = the_fault(crowd.folder)
    assert fault.file == file
    assert "1 of 2 points lie outside c.png (64 x 48 pixels)" in fault.problem
    assert f"({point[0]:g}, {point[1]:g})" in fault.problem


def test_points_are_measured_in_the_upright_picture(crowd):
    image = Image.new("RGB", (64, 48), (1, 2, 3))
    exif = image.getexif()
    exif[0x0112] = 8
    image.save(crowd.images / "c.png", exif=exif)  # upright it is 48 wide and 64 high
    crowd({**POINTS, "c": [[47, 63]]})
    assert check_folder(crowd.folder) == []
    crowd({**POINTS, "c": [[63, 47]]})
    assert "outside c.png (48 x 64 pixels)" in the_fault(crowd.folder).problem


def test_duplicate_points(crowd):
    file = crowd({**POINTS, "c": [[1, 2], [3, 4], [1, 2], [1, 2]]})
    fault = the_fault(crowd.folder)
    assert fault.file == file
    assert "2 of 4 points in c.png repeat another one exactly: (1, 2)." in fault.problem


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_points_that_are_not_finite(crowd, value):
    file = crowd({**POINTS, "c": [[30, 40], [value, 5]]})
    fault = the_fault(crowd.folder)
    assert fault.file == file and "finite" in fault.problem


@pytest.mark.parametrize("crowd", ["shanghaitech", "json"], indirect=True)  # CSV has no count
def test_count_that_disagrees(crowd):
    file = crowd(POINTS)
    if crowd.layout == "json":
        content = json.loads(file.read_text())
        content["pictures"][2]["count"] = 5
        file.write_text(json.dumps(content))
    else:
        write_mat(file, POINTS["c"], number=5)
    fault = the_fault(crowd.folder)
    assert fault.file == file and "says that it has 5 heads but holds 1 points" in fault.problem


@pytest.mark.parametrize("content", [b"", b"no picture at all", None])
def test_unreadable_picture(crowd, content):
    picture = crowd.images / "c.png"
    picture.write_bytes(picture.read_bytes()[:60] if content is None else content)
    fault = the_fault(crowd.folder)
    assert fault.file == picture and not fault.problem.startswith("'")


def test_unreadable_annotation(crowd):
    file = crowd(POINTS)
    file.write_bytes(b"\x81\x8d neither text nor MATLAB" * 20)
    fault = the_fault(crowd.folder)
    assert fault.file == file and "is not a readable" in fault.problem


def test_same_picture_under_two_names(crowd):
    # Other bytes, same pixels.
    Image.open(crowd.images / "a.png").save(crowd.images / "c.png", compress_level=0)
    fault = the_fault(crowd.folder)
    assert fault.file == crowd.images / "c.png" and str(crowd.images / "a.png") in fault.problem


def test_every_fault_is_found_at_once(crowd):
    (crowd.images / "a.png").write_bytes(b"")
    crowd({"a": [[1, 1], [1, 1]], "c": [[1, 2], [500, 2], [1, 2]]})
    problems = " ".join(map(str, check_folder(crowd.folder)))
    assert "a.png: is empty" in problems and "b.png: has no annotation" in problems
    assert "a.png repeat" in problems and "outside c.png" in problems and "c.png repeat" in problems


def test_readers_accept_what_the_checker_does(crowd):
    read = {
        "csv": lambda: read_csv(crowd.folder),
        "json": lambda: read_json(crowd.folder),
        "shanghaitech": lambda: read_shanghaitech(crowd.folder, "B", "all"),
    }[crowd.layout]
    assert [sample.count for sample in read()] == [3, 0, 1]
    crowd({**POINTS, "c": [[float("nan"), 1]]})
    with pytest.raises(AnnotationError, match="finite"):
        read()


# --- Layouts ---


def test_part_and_half_are_recognized_too(tmp_path):
    half = tmp_path / "part_A_final" / "test_data"
    draw_picture(half / "images" / "IMG_1.jpg")
    (half / "ground_truth").mkdir()
    for folder in (tmp_path, half.parent, half):
        assert "IMG_1.jpg: has no annotation" in str(the_fault(folder))


def test_folder_without_annotations(tmp_path):
    assert "no annotations in a known layout" in the_fault(tmp_path).problem
    draw_picture(tmp_path / "images" / "a.jpg")
    assert the_fault(tmp_path).file == tmp_path


def test_no_folder(tmp_path):
    assert "is not a folder" in the_fault(tmp_path / "gone").problem
    (tmp_path / "file").touch()
    assert "should name the columns" in the_fault(tmp_path / "file").problem


@pytest.mark.parametrize("crowd", ["csv", "json"], indirect=True)
def test_annotation_file_itself(crowd):
    file = crowd(POINTS)
    file = file.rename(file.with_name(f"mine{file.suffix}"))
    file.with_name("points.csv").write_text("not,the,one\n")
    assert check_folder(file) == []
    (file.parent / "images" / "c.png").unlink()
    assert the_fault(file).file == file


def test_empty_parts(tmp_path):
    (tmp_path / "part_A").mkdir()
    fault = the_fault(tmp_path)
    assert fault.file == tmp_path / "part_A" and "holds nothing of ShanghaiTech part A" in fault.problem
    (tmp_path / "part_A" / "train_data" / "images").mkdir(parents=True)
    assert "ground-truth: this folder is missing" in str(the_fault(tmp_path))
    (tmp_path / "part_A" / "train_data" / "ground-truth").mkdir()
    assert "holds no annotated picture" in the_fault(tmp_path).problem


def test_csv_without_rows(tmp_path):
    (tmp_path / "points.csv").write_text("picture,x,y\n")
    assert "holds no annotated picture" in the_fault(tmp_path).problem


def test_pictures_beside_the_csv_need_rows(tmp_path):
    for shade, name in enumerate("ab"):
        draw_picture(tmp_path / f"{name}.png", shade=shade)
    (tmp_path / "heads.csv").write_text("picture,x,y\na.png,1,1\n")
    assert the_fault(tmp_path).file == tmp_path / "b.png"


def test_a_missing_picture_is_named_once_for_all_its_rows(tmp_path):
    draw_picture(tmp_path / "a.png")
    (tmp_path / "points.csv").write_text("picture,x,y\na.png,1,1\nlost.png,1,1\nlost.png,2,2\n")
    assert "line 3 ('lost.png')" in the_fault(tmp_path).problem


def test_malformed_rows_are_each_named(tmp_path):
    draw_picture(tmp_path / "a.png")
    (tmp_path / "points.csv").write_text("picture,x,y\na.png,one,1\na.png,1\na.png,1,1\na.png,,\n")
    assert [fault.problem.split(":")[0] for fault in check_folder(tmp_path)] == ["line 2", "line 3", "line 5"]


def test_a_damaged_picture_whose_size_is_stated_is_one_fault(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"damaged")
    draw_picture(tmp_path / "b.png")
    (tmp_path / "points.csv").write_text(
        "picture,x,y,width,height\na.jpg,3,4,64,48\nb.png,3,4,64,48\nb.png,3,left,64,48\n"
    )
    assert [fault.file.name for fault in check_folder(tmp_path)] == ["points.csv", "a.jpg"]


def test_several_annotation_files(tmp_path):
    draw_picture(tmp_path / "a.png")
    for name in ("old.csv", "new.csv"):
        (tmp_path / name).write_text("picture,x,y\na.png,1,1\n")
    assert "several .csv files: new.csv, old.csv" in the_fault(tmp_path).problem
    (tmp_path / "old.csv").rename(tmp_path / "points.csv")
    assert check_folder(tmp_path) == []


def test_every_layout_in_a_folder_is_checked(tmp_path):
    draw_picture(tmp_path / "images" / "a.png", shade=9)
    half = tmp_path / "part_A" / "train_data"
    draw_picture(half / "images" / "IMG_1.jpg")
    write_mat(half / "ground-truth" / "GT_IMG_1.mat", [[99, 0]])
    (tmp_path / "points.csv").write_text("picture,x,y\na.png,77,0\n")
    (tmp_path / "points.json").write_text('{"pictures": [{"picture": "a.png", "points": [[88, 0]]}]}')
    (tmp_path / "notes.json").write_text("something else")
    text = " ".join(map(str, check_folder(tmp_path)))
    assert "(99, 0)" in text and "(77, 0)" in text and "(88, 0)" in text and "notes.json" not in text


# --- The real data ---


def test_real_shanghaitech_has_only_repeated_points(shanghaitech_root):
    faults = check_folder(shanghaitech_root)
    faults = [fault for fault in faults if "train_data" in fault.file.parts]
    assert all("repeat another one exactly" in fault.problem for fault in faults), list(map(str, faults))
    repeated = {"part_A": 0, "part_B": 0}
    for fault in faults:
        part = next(part for part in repeated if part in str(fault.file))
        repeated[part] += int(fault.problem.split()[0])
    assert repeated == {"part_A": 63, "part_B": 38}


@pytest.mark.parametrize(
    "header",
    [
        *("picture,count,low,high", "picture,true,predicted,error", "time,count,low,high"),
        *("\ufeffpicture,count,low,high", "picture;count;low;high"),  # as the page writes it, and a spreadsheet
    ],
)
def test_tables_of_counts_are_no_annotations(crowd, tmp_path, header):
    """What `count --csv`, `evaluate --csv` and `video --csv` leave beside the pictures."""
    crowd(POINTS)
    (tmp_path / "errors.csv").write_text(f"{header}\na.png,3,2.5,0.5\n", "utf-8")
    assert check_folder(tmp_path) == []
    named = tmp_path / "points.csv"
    if named.exists():
        named.rename(tmp_path / "heads.csv")
        assert check_folder(tmp_path) == []
        assert len(read_csv(tmp_path, "all")) == 3


def test_points_of_smaller_copies_and_damaged_pictures_are_named(tmp_path):
    """Both trained on heads where there are none, without a word."""
    for name in "ab":
        pixels = np.random.default_rng(ord(name)).integers(0, 256, (200, 300, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.jpg", quality=95)
    places = [(name, 7 * at % 300, 11 * at % 200) for name in "ab" for at in range(60)]

    def written(scale):
        rows = [f"{name}.jpg,{x * scale},{y * scale}" for name, x, y in places]
        (tmp_path / "points.csv").write_text("\n".join(["picture,x,y", *rows]))
        return [str(fault) for fault in check_folder(tmp_path)]

    assert written(1) == []
    (fault,) = written(0.5)
    assert re.search(r"all 120 points of all pictures lie within 4\d % of the width and [45]\d % of the height", fault)
    data = (tmp_path / "b.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(data[:20000] + data[21000:])
    (fault,) = written(1)
    assert "b.jpg: the file seems damaged" in fault
