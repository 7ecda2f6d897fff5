"""Evaluation against counts, maps and regions worked out by hand."""

import csv
import math

import keras
import numpy as np
import pytest

from crowdcount.counting.ranges import Calibration
from crowdcount.data.annotations import Sample, load_dataset
from crowdcount.data.density import density_map, paper_sigma
from crowdcount.errors import DataError, PictureError, WeightsError
from crowdcount.measuring import evaluation
from crowdcount.measuring.description import describe
from crowdcount.measuring.evaluation import evaluate
from crowdcount.measuring.metrics import psnr, ssim
from crowdcount.training.run import train

# The reader of red: a cell's count is the mean of its red pixels over 100.
PEOPLE_A_RED_LEVEL = 1 / 100


@pytest.fixture(scope="module")
def reader_of_red():
    inputs = keras.Input((None, None, 3))
    cells = keras.layers.AveragePooling2D(8, padding="same")(inputs)
    outputs = keras.layers.Conv2D(1, 1, use_bias=False)(cells)
    model = keras.Model(inputs, outputs)
    model.layers[-1].set_weights([np.array([PEOPLE_A_RED_LEVEL, 0, 0], np.float32).reshape(1, 1, 3, 1)])
    return model


def painted(density, name="a", points=()):
    """A sample whose picture makes the reader of red see `density`."""
    red = np.kron(np.asarray(density) / PEOPLE_A_RED_LEVEL, np.ones((8, 8)))
    picture = np.zeros((*red.shape, 3), np.uint8)
    picture[..., 0] = np.rint(red)
    return Sample(name, picture, points)


def test_scores_by_hand(reader_of_red):
    # 2 x 2 cells of 8 pixels. First picture: 3 heads, all in the upper left; 2 seen there and 2 in the lower
    # right.
    first = painted([[2, 0], [0, 2]], "first", [(1, 1), (2, 5), (7, 7)])
    # Second picture: nobody there, 1 seen in the upper right.
    second = painted([[0, 1], [0, 0]], "second")
    # Third picture: 4 heads, 2 seen, all in the lower left.
    third = painted([[0, 0], [2, 0]], "third", [(0, 8), (1, 9), (2, 12), (3, 15)])
    result = evaluate(reader_of_red, [first, second, third])
    assert result.pictures == 3
    assert result.mae == pytest.approx((1 + 1 + 2) / 3)
    assert result.rmse == pytest.approx(math.sqrt((1 + 1 + 4) / 3))
    assert result.nae == pytest.approx((1 / 3 + 2 / 4) / 2)
    assert result.bias == pytest.approx((1 + 1 - 2) / 3, abs=1e-6)
    assert result.log_ratio == pytest.approx((math.log(14 / 13) + math.log(11 / 10) + math.log(14 / 12)) / 3, rel=1e-5)
    assert result.standard_error["mae"] == pytest.approx(np.std([1, 1, 2], ddof=1) / math.sqrt(3), rel=1e-5)
    assert result.parts == {} and result.against is None
    assert result.game[0] == pytest.approx(result.mae)
    assert result.game[1] == pytest.approx(((1 + 2) + 1 + 2) / 3)
    assert len(result.game) == 4 and result.game == sorted(result.game)
    assert (result.psnr, result.ssim) == (None, None)
    assert [row["picture"] for row in result.rows] == ["first", "second", "third"]
    assert [row["true"] for row in result.rows] == [3, 0, 4]
    assert [row["predicted"] for row in result.rows] == pytest.approx([4, 1, 2])
    assert [row["error"] for row in result.rows] == pytest.approx([1, 1, -2])
    assert [row["game1"] for row in result.rows] == pytest.approx([3, 1, 2])


def test_data_sets_are_scored_apart_and_together(reader_of_red):
    groups = {
        "left": [painted([[2, 0], [0, 0]], "a", [(1, 1)]), painted([[1, 0], [0, 0]], "b", [(1, 1)])],
        "right": [painted([[0, 2.5], [0, 0]], "c", [(9, 1)])],
    }
    result = evaluate(reader_of_red, groups)
    assert {name: part.mae for name, part in result.parts.items()} == pytest.approx({"left": 0.5, "right": 1.5})
    assert (result.pictures, result.mae) == (3, pytest.approx(2.5 / 3))
    assert [row["picture"] for row in result.rows] == ["a", "b", "c"]
    assert math.isnan(result.parts["right"].standard_error["mae"])  # of one picture there is no telling
    with pytest.raises(DataError, match="no pictures"):
        evaluate(reader_of_red, {"left": groups["left"], "right": []})


def test_two_networks_on_the_same_pictures(reader_of_red, looker_to_the_left, tmp_path):
    samples = [painted([[number, 0], [0, 0]], f"{number}", [(1, 1)] * (number + 1)) for number in (1, 2, 2, 1)]
    samples = [Sample(f"{i}", sample.picture, sample.points) for i, sample in enumerate(samples)]
    # The looker to the left sees in the left column what would be in the cell beyond the edge: nobody, elsewhere all.
    compared = evaluate(reader_of_red, samples, against=looker_to_the_left).against
    evaluate(looker_to_the_left, samples).save_csv(tmp_path / "other.csv")
    assert evaluate(reader_of_red, samples, against=tmp_path / "other.csv").against == compared
    other = evaluate(looker_to_the_left, samples)
    assert compared.differences["mae"].value == pytest.approx(1 - other.mae, abs=1e-6)
    assert compared.pictures == 4 and compared.nearer + compared.other_nearer <= 4
    with pytest.raises(DataError, match="no count of 1 of the 5 pictures; the first is 'new'"):
        new = painted([[1, 0], [0, 0]], "new")
        evaluate(reader_of_red, [*samples, new], against=tmp_path / "other.csv")
    with pytest.raises(DataError, match="the first is 'lost'"):  # told before anything is counted
        evaluate(reader_of_red, [Sample("lost", tmp_path / "lost.jpg", [])], against=tmp_path / "other.csv")
    with pytest.raises(DataError, match="other annotations: '0' has 2 heads there, 1 here"):
        evaluate(reader_of_red, [Sample("0", samples[0].picture, [(1, 1)])], against=tmp_path / "other.csv")
    (tmp_path / "no.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"no table that crowdcount evaluate .*it has no column 'picture'"):
        evaluate(reader_of_red, samples, against=tmp_path / "no.csv")


def test_csv_holds_a_line_a_picture(reader_of_red, tmp_path):
    result = evaluate(reader_of_red, [painted([[1.5]], "x,1", [(2, 2)]), painted([[0.5]], "y", [])])
    result.save_csv(tmp_path / "deep" / "scores.csv")
    with open(tmp_path / "deep" / "scores.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [*(["picture", "true", "predicted", "error", "game1", "game2", "game3", "low", "high"])]
    assert rows[0]["low"] == rows[0]["high"] == ""  # a network of one's own has no calibration
    assert [row["picture"] for row in rows] == ["x,1", "y"]
    assert float(rows[0]["error"]) == pytest.approx(0.5)
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["scores.csv"]


def test_coverage_and_width_of_the_ranges(reader_of_red, tmp_path, monkeypatch):
    # Nine pictures off by as much as the count and 30.
    calibration = Calibration([10 + (10 + 30)] * 9, [10] * 9)
    monkeypatch.setattr(evaluation, "usable_calibration", lambda model, coverage: calibration)
    monkeypatch.setattr(evaluation, "find_doubts", lambda picture, density: {})  # of these painted squares
    # 10 people seen: from 0 to 50. A truth of 10 lies within, one of 60 does not.
    seen = [[2.5, 2.5], [2.5, 2.5]]
    heads = [(1.0, 1.0)] * 60
    samples = [painted(seen, "within", heads[:10]), painted(seen, "above", heads)]
    result = evaluate(reader_of_red, samples, coverage=0.9)
    assert result.coverage == 0.5
    assert result.mean_width == pytest.approx(50)
    assert [(row["low"], row["high"]) for row in result.rows] == [pytest.approx((0, 50))] * 2
    monkeypatch.undo()
    result = evaluate(reader_of_red, samples)
    assert (result.coverage, result.mean_width) == (None, None)
    with pytest.raises(DataError, match="between 0 and 1"):
        evaluate(reader_of_red, samples, coverage=90)


def test_a_picture_of_one_cell_costs_the_others_no_score(reader_of_red):
    """SSIM's window does not fit into its map."""
    pictures = [np.zeros((size, size, 3), np.uint8) for size in (8, 64)]
    tiny, other = (Sample(str(len(each)), each, [[4.0, 4.0]]) for each in pictures)
    both = evaluate(reader_of_red, [tiny, other], maps=True, progress=False)
    assert both.ssim == evaluate(reader_of_red, [other], maps=True, progress=False).ssim is not None
    assert evaluate(reader_of_red, [tiny], maps=True, progress=False).ssim is None


def test_maps_are_compared_with_the_papers_kernel(reader_of_red):
    points = [(40.0, 40.0), (44.0, 40.0), (40.0, 46.0), (90.0, 70.0)]
    size = (104, 120)
    for name, sigma in (("part_A/IMG_1", "adaptive"), ("part_B/IMG_1", 15.0), ("own.jpg", 15.0)):
        truth = density_map(points, size, sigma=sigma, stride=8)
        sample = painted(np.minimum(truth * 1.1, 2.5), name, points)
        seen = np.rint(np.minimum(truth * 1.1, 2.5) * 100) / 100
        result = evaluate(reader_of_red, [sample, painted(np.zeros((4, 4)), "nobody")], maps=True)
        assert result.psnr == pytest.approx(psnr(truth, seen), rel=1e-3)
        assert result.ssim == pytest.approx(ssim(truth, seen), rel=1e-3)
    fixed = evaluate(reader_of_red, [sample], maps=True, sigma=5.0)
    assert fixed.psnr < result.psnr - 1


def test_another_network_counts_the_same_pictures_even_where_names_come_twice(reader_of_red):
    """Folders of one's own have an IMG_1 each: the other network's count of the last stood for all of them."""
    groups = {"north": [painted([[2.0]], "IMG_1.jpg", [(1, 1)])], "south": [painted([[0.5]], "IMG_1.jpg", [(1, 1)])]}
    result = evaluate(reader_of_red, groups, against=reader_of_red)
    for each in (result, *result.parts.values()):
        assert {difference.value for difference in each.against.differences.values()} == {0.0}


def test_a_table_of_one_folder_is_none_of_another_with_the_same_names(reader_of_red, tmp_path):
    """Both have an IMG_1 with one head: the north's count was taken for the south's, too."""
    north = [painted([[2.0]], "IMG_1.jpg", [(1, 1)])]
    south = [painted([[0.5]], "IMG_1.jpg", [(1, 1)])]
    evaluate(reader_of_red, north).save_csv(tmp_path / "north.csv")
    for both in ({"north": north, "south": south}, north + south):
        with pytest.raises(DataError, match=r"Two different pictures are called 'IMG_1.jpg'.*Compare with the model"):
            evaluate(reader_of_red, both, against=tmp_path / "north.csv")
    again = evaluate(reader_of_red, {"all": north, "by night": north}, against=tmp_path / "north.csv")
    assert again.parts["by night"].against.differences["mae"].value == 0


@pytest.mark.parametrize(
    ("name", "kernel"),
    [
        *(("part_A/IMG_1", "adaptive"), ("part_A/test/IMG_1", "adaptive"), ("part_B/IMG_1", 15.0)),
        *(("part_A.jpg", 15.0), ("UCF_CC_50/ucf_1", "adaptive"), ("TRANCOS/image-1-000001", 10.0)),
        *(("WorldExpo/104207_1-04-S20100", 3.0), ("UCSD/vidf1_33_000_f001", 3.0), ("UCF-QNRF/Train/img_0001", 15.0)),
    ],
)
def test_papers_kernel_is_that_of_the_data_set(name, kernel):
    """Table 2 of the paper."""
    assert paper_sigma(Sample(name, np.zeros((8, 8, 3), np.uint8), [])) == kernel


def test_data_set_without_heads_has_no_relative_error(reader_of_red):
    result = evaluate(reader_of_red, [painted([[0.25]])], maps=True)
    assert math.isnan(result.nae)
    assert result.mae == pytest.approx(0.25)
    assert (result.psnr, result.ssim) == (None, None)


@pytest.fixture(scope="module")
def looker_to_the_left():
    """Counts in a cell what the reader of red sees in the next cell to the left: no mirror image counts alike."""
    inputs = keras.Input((None, None, 3))
    cells = keras.layers.AveragePooling2D(8, padding="same")(inputs)
    outputs = keras.layers.Conv2D(1, (1, 3), padding="same", use_bias=False)(cells)
    model = keras.Model(inputs, outputs)
    kernel = np.zeros((1, 3, 3, 1), np.float32)
    kernel[0, 0, 0] = PEOPLE_A_RED_LEVEL
    model.layers[-1].set_weights([kernel])
    return model


def test_mirror_image_is_averaged_in_and_put_back_in_its_place(looker_to_the_left):
    density = np.zeros((2, 6))
    density[0, 1], density[1, 5] = 2.0, 1.0
    sample = painted(density, "a", [(20, 4)] * 3)
    mirror = Sample("mirror", np.ascontiguousarray(sample.picture[:, ::-1]), [(0, 0)])
    alone = [evaluate(looker_to_the_left, [each]).rows[0]["predicted"] for each in (sample, mirror)]
    assert alone == pytest.approx([2, 3])  # the head at the right edge has no cell to its right
    result = evaluate(looker_to_the_left, [sample], tta=True, maps=True, sigma=5.0)
    assert result.rows[0]["predicted"] == pytest.approx(np.mean(alone))
    expected = np.zeros((2, 6))
    expected[0, 2], expected[0, 0], expected[1, 4] = 1.0, 1.0, 0.5  # half of each, to both sides
    truth = density_map(sample.points, (16, 48), sigma=5.0, stride=8)
    assert result.psnr == pytest.approx(psnr(truth, expected), rel=1e-5)
    assert result.ssim == pytest.approx(ssim(truth, expected), rel=1e-5)
    assert result.game[1] == pytest.approx(3 - 2 + 0.5)


@pytest.mark.parametrize("width", [41, 47, 48])
def test_mirror_image_of_any_width_keeps_its_count_and_its_place(looker_to_the_left, width, rng):
    sample = painted(rng.uniform(0, 2, (3, 6)))
    picture = np.ascontiguousarray(sample.picture[:, :width])
    counts = [
        evaluate(looker_to_the_left, [Sample("a", each, [])], tta=tta).mae
        for each, tta in ((picture, False), (picture[:, ::-1], False), (picture, True))
    ]
    assert counts[0] != pytest.approx(counts[1], rel=1e-2)
    assert counts[2] == pytest.approx(np.mean(counts[:2]), rel=1e-5)
    # A person at a place, seen in the mirror image, is at that place: in the mean of the cells, to the pixel.
    cells = np.zeros((1, 6), np.float32)
    cells[0, 2] = 1.0
    middles = (np.minimum(np.arange(1, 7) * 8, width) + np.arange(6) * 8) / 2
    back = evaluation.mirrored_back(cells, width)
    assert float(back.sum()) == pytest.approx(1)
    assert float((back * middles).sum()) == pytest.approx(width - 20, abs=1e-4)


def test_pictures_that_training_sees_twice_are_scored_once(reader_of_red, tmp_path):
    """`NAME*2` had standard errors that were too small, and a table that `against` refused."""
    samples = [painted([[number]], f"{number}", [(1, 1)]) for number in (0.5, 2.0, 1.5)]
    once, twice = evaluate(reader_of_red, samples), evaluate(reader_of_red, samples * 2)
    assert (twice.rows, twice.standard_error) == (once.rows, once.standard_error)
    twice.save_csv(tmp_path / "twice.csv")
    assert evaluate(reader_of_red, iter(samples), against=tmp_path / "twice.csv").against.nearer == 0


def test_what_cannot_be_read_is_told_before_anything_is_counted(reader_of_red, tmp_path, monkeypatch):
    """It was told where its turn came, one picture a run, after hours; so was another network that is not there."""
    monkeypatch.setattr(evaluation, "predict_density", lambda *_: pytest.fail("counted"))
    for name in ("b.jpg", "d.jpg"):
        (tmp_path / name).write_bytes(b"no picture")
    good, lost = painted([[1.0]]), Sample("lost", tmp_path / "lost.jpg", [])
    broken = [Sample(name, tmp_path / name, []) for name in ("b.jpg", "d.jpg")]
    with pytest.raises(PictureError, match=r"^3 of 4 pictures cannot be read\. .*b\.jpg.*lost\.jpg.*d\.jpg"):
        evaluate(reader_of_red, {"one": [good, broken[0], lost], "other": [broken[1], good]})
    with pytest.raises(PictureError, match=r"^'.*lost\.jpg' does not exist"):
        evaluate(reader_of_red, [good, lost])
    with pytest.raises(WeightsError, match="nothing_of_this_name"):
        evaluate(reader_of_red, [good], against="nothing_of_this_name")


def test_no_samples_is_an_error(reader_of_red):
    with pytest.raises(DataError, match="no pictures"):
        evaluate(reader_of_red, [])


def test_real_pictures_are_scored_against_their_heads(reader_of_red, shanghaitech_root):
    samples = load_dataset("shanghaitech_a+shanghaitech_b", shanghaitech_root, "val")[56:64]
    assert {sample.name[:6] for sample in samples} == {"part_A", "part_B"}
    result = evaluate(reader_of_red, samples, maps=True)
    assert [row["true"] for row in result.rows] == [len(sample.points) for sample in samples]
    reds = [sample.read()[..., 0] for sample in samples]
    for row, red in zip(result.rows, reds):
        height, width = (side // 8 * 8 for side in red.shape)
        if red.shape == (height, width):
            assert row["predicted"] == pytest.approx(red.mean(dtype=float) * red.size / 64 / 100, rel=1e-4)
    assert 0 < result.ssim < 1


@pytest.mark.parametrize("wrong", ["shanghaitech_a", Sample("a", np.zeros((8, 8, 3), np.uint8), []), ["a.jpg"], 7])
def test_what_is_no_list_of_samples_is_told(reader_of_red, tmp_path, wrong):
    good = painted([[1]])
    calls = [
        lambda: evaluate(reader_of_red, wrong),
        lambda: evaluate(reader_of_red, {"one": [good], "other": wrong}),
        lambda: train(wrong, [good], out=tmp_path / "run"),
        lambda: train([good], wrong, out=tmp_path / "run"),
    ]
    if not isinstance(wrong, str):  # the name of a data set is read
        calls.append(lambda: describe(wrong))
    for call in calls:
        with pytest.raises(DataError, match="a list of samples, as load_dataset gives it. Received: "):
            call()
    assert not (tmp_path / "run").exists()
