"""Counting: one picture, many pictures, large pictures, and what a result shows of itself."""

import gc
import io
import json
import os
import weakref
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import keras
import matplotlib
import numpy as np
import pytest
from PIL import Image

import crowdcount
from crowdcount.counting.comparison import compare
from crowdcount.counting.doubts import Doubt
from crowdcount.counting.pictures import Counter, count, count_many
from crowdcount.counting.results import CountFailure, CountResult
from crowdcount.errors import CrowdCountError, DataError, PictureError, WeightsError
from crowdcount.network import prediction
from crowdcount.network.csrnet import CSRNet
from crowdcount.network.prediction import predict_density
from crowdcount.network.room import free_memory
from crowdcount.network.weight_files import save_weights

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(3)
    return CSRNet(width=1 / 16, precision="float32")


def picture(rng, height=70, width=101):
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("height, width", [(70, 101), (64, 64), (1, 1), (9, 200), (127, 8)])
def test_count_is_the_sum_of_the_networks_own_map(model, rng, height, width):
    array = picture(rng, height, width)
    result = count(array, model=model)
    expected = keras.ops.convert_to_numpy(model(array[np.newaxis].astype("float32")))[0, ..., 0]
    assert result.density.shape == (-(-height // 8), -(-width // 8))
    assert result.density.dtype == np.float32
    np.testing.assert_allclose(result.density, expected, atol=1e-5)
    assert result.count == pytest.approx(expected.sum(), rel=1e-4)
    assert (result.width, result.height, result.model) == (width, height, "csrnet")
    assert result.seconds > 0


def test_any_form_of_a_picture_gives_the_same_count(model, rng, tmp_path):
    array = picture(rng)
    path = tmp_path / "square.png"
    Image.fromarray(array).save(path)
    with open(path, "rb") as file:
        forms = [path, str(path), path.read_bytes(), file, Image.open(path), array]
        counts = [count(form, model=model).count for form in forms]
    assert counts == [counts[0]] * 6


def test_list_of_pictures_of_different_sizes(model, rng):
    arrays = [picture(rng, 70, 101), picture(rng, 16, 40), picture(rng, 33, 90)]
    for given in (arrays, tuple(arrays)):
        results = count(given, model=model)
        assert [(result.height, result.width) for result in results] == [(70, 101), (16, 40), (33, 90)]
    assert [result.count for result in results] == [count(array, model=model).count for array in arrays]


def test_folder_is_counted_with_its_subfolders_in_the_order_of_paths(model, rng, tmp_path):
    (tmp_path / "b" / "sub").mkdir(parents=True)
    for name in ("b.png", "a.jpg", "b/sub/z.png", "c.PNG"):
        Image.fromarray(picture(rng, 16, 24)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    expected = [str(tmp_path / name) for name in ("a.jpg", "b/sub/z.png", "b.png", "c.PNG")]
    assert [result.picture for result in count(tmp_path, model=model)] == expected
    assert [result.picture for result in count_many([tmp_path], model)] == expected


def test_folder_without_pictures_is_an_error(model, tmp_path):
    with pytest.raises(PictureError, match="holds no pictures"):
        count(tmp_path, model=model)


def test_all_sizes_share_one_graph(rng):
    calls = []

    class Spy(keras.layers.Layer):
        def call(self, inputs):
            calls.append(inputs.shape)
            return inputs

    inputs = keras.Input((None, None, 3))
    outputs = keras.layers.Conv2D(1, 8, strides=8, padding="same", activation="relu")(Spy()(inputs))
    network = keras.Model(inputs, outputs)
    calls.clear()
    for height in (16, 24, 33, 48, 57):
        count(picture(rng, height, 40), model=network)
    assert sum(shape[1] is None for shape in calls) == 1  # the other is the check of what it gives


def test_a_network_is_not_kept_alive_by_having_counted(rng):
    network = CSRNet(width=1 / 64, precision="float32")
    count(picture(rng, 16, 16), model=network)
    alive = weakref.ref(network)
    del network
    gc.collect()
    assert alive() is None


@pytest.mark.parametrize("height, width", [(601, 1003), (200, 1400), (1100, 130)])
def test_tiles_give_the_same_map_as_the_whole(model, rng, monkeypatch, height, width):
    array = picture(rng, height, width)
    whole = predict_density(model, array)
    seen = []
    forward = prediction.compiled(model)
    monkeypatch.setattr(prediction, "compiled", lambda _: lambda tile: seen.append(tile.shape) or forward(tile))
    monkeypatch.setattr(prediction, "WHOLE_PIXELS", 130_000)
    tiled = predict_density(model, array)
    assert len(seen) > 1
    assert len(set(seen)) == 1  # of one size, for which a network can be compiled
    np.testing.assert_allclose(tiled, whole, atol=1e-5)
    assert tiled.sum(dtype=float) == pytest.approx(whole.sum(dtype=float), rel=1e-3)


@pytest.mark.parametrize("design, margin", [("A", 96), ("B", 144), ("D", 240)])
def test_tiles_overlap_by_what_the_network_sees_and_no_more(rng, monkeypatch, design, margin):
    network = CSRNet(design, width=1 / 64, precision="float32")
    assert prediction.margin_of(network) == margin
    # What a cell in the middle depends on, by changing all that lies further away than the margin.
    cell = margin // 8 + 2
    side = 8 * (2 * cell + 1)
    array = picture(rng, side, side)
    changed = picture(rng, side, side)
    inside = slice(8 * cell - margin, 8 * cell + 8 + margin)
    changed[inside, inside] = array[inside, inside]
    assert predict_density(network, changed)[cell, cell] == pytest.approx(
        predict_density(network, array)[cell, cell], abs=1e-6
    )


def test_tiles_of_a_network_of_other_layers_overlap_by_the_most(model):
    inputs = keras.Input((None, None, 3))
    assert prediction.margin_of(keras.Model(inputs, model(inputs))) == 240


def test_tiles_show_a_progress_bar_on_a_terminal_only(model, rng, monkeypatch, capsys):
    monkeypatch.setattr(prediction, "WHOLE_PIXELS", 80 * 340)
    array = picture(rng, 80, 1000)
    count(array, model=model)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    count(array, model=model, progress=False)
    assert capsys.readouterr() == ("", "")
    count(array, model=model)
    out, err = capsys.readouterr()
    # How often the bar is drawn depends on the machine's speed: it begins with all three tiles to come.
    assert out == "" and "large picture" in err and "0/3" in err


def test_a_photo_of_24_megapixels_never_meets_the_network_whole(model, monkeypatch):
    largest = []

    def forward(tile):
        largest.append(tile.shape[0] * tile.shape[1])
        return np.ones((-(-tile.shape[0] // 8), -(-tile.shape[1] // 8)), np.float32)

    monkeypatch.setattr(prediction, "compiled", lambda _: forward)
    density = predict_density(model, np.zeros((4000, 6000, 3), np.uint8))
    assert max(largest) <= prediction.WHOLE_PIXELS
    assert (density == 1).all()


@pytest.mark.parametrize(("free", "most"), [(None, 2_100_000), (2 << 30, 2_100_000), (24 << 20, 400_000), (0, 300_000)])
def test_where_memory_is_short_the_network_sees_less_at_once(model, monkeypatch, free, most):
    """Of a sixteenth of the width, with 4 filters in float32: 64 bytes a pixel."""
    seen = []

    def forward(tile):
        seen.append(tile.shape[0] * tile.shape[1])
        return np.ones((-(-tile.shape[0] // 8), -(-tile.shape[1] // 8)), np.float32)

    monkeypatch.setattr(prediction, "compiled", lambda _: forward)
    monkeypatch.setattr(prediction, "free_memory", lambda: free)
    for height, width in ((3024, 4032), (1080, 1920), (400, 300)):
        assert (predict_density(model, np.zeros((height, width, 3), np.uint8)) == 1).all()
    assert 0.5 * most < max(seen) <= most


def test_free_memory_is_what_machine_and_control_groups_leave(tmp_path):
    def files(folder, **contents):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (tmp_path / folder / name.replace("__", ".")).write_text(content)

    assert free_memory(tmp_path) is None
    files("proc", meminfo="MemTotal:  2000 kB\nMemAvailable:    1500 kB\n")
    assert free_memory(tmp_path) == 1500 * 1024
    files("proc/self", cgroup="4:cpu,memory:/box/inner\n1:name=systemd:/\n0::/pod\n")
    group = "sys/fs/cgroup/memory"
    files(
        group,
        memory__limit_in_bytes=str(2**63 - 4096),
        memory__usage_in_bytes="9",
        memory__stat="total_inactive_file 5",
    )
    assert free_memory(tmp_path) == 1500 * 1024
    files(f"{group}/box", memory__limit_in_bytes="900000", memory__usage_in_bytes="500000")
    files(f"{group}/box", memory__stat="cache 7\ntotal_inactive_file 100000\n")
    assert free_memory(tmp_path) == 500000
    files("sys/fs/cgroup/pod", memory__max="max\n", memory__current="1", memory__stat="inactive_file 1")
    assert free_memory(tmp_path) == 500000
    files("sys/fs/cgroup", memory__max="300000\n", memory__current="400000", memory__stat="inactive_file 50000")
    assert free_memory(tmp_path) == 0


@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (127, 127, 127), (200, 30, 90)])
def test_blank_picture_is_warned_about(model, rng, color):
    blank = np.full((100, 100, 3), color, np.uint8)
    noisy = np.clip(blank + rng.normal(0, 1, blank.shape), 0, 255).astype(np.uint8)
    for array in (blank, noisy):
        result = count(array, model=model)
        assert any("hardly any contrast" in warning for warning in result.warnings) and result.doubts == {Doubt.BLANK}


def test_small_picture_is_warned_about(model, rng):
    warnings = count(picture(rng, 63, 200), model=model).warnings
    assert any("very small (200x63 pixels)" in text for text in warnings)


def calibrated(folder, **numbers):
    """Weights with a card whose calibration makes ranges that reach as far as the count and 30."""
    kept = {"pictures": 9, "true": [50] * 9, "predicted": [10] * 9, **numbers}
    card = {"network": {"design": "B", "width": 1 / 64}, "calibration": kept}
    return save_weights(CSRNet(width=1 / 64), folder / "mine.weights.h5", card)


def test_count_has_a_range_from_the_card(rng, tmp_path):
    result = count(picture(rng), model=calibrated(tmp_path))
    assert (result.low, result.high) == pytest.approx((0, 2 * result.count + 30))
    assert result.coverage == 0.9
    assert f"({round(result.low)} to {round(result.high)}, 90 % range)" in repr(result)
    (many,) = count_many([picture(rng)], calibrated(tmp_path), coverage=0.5)
    assert many.coverage == 0.5 and many.low <= many.count <= many.high


def test_a_dark_picture_has_no_range_and_says_so(rng, tmp_path):
    result = count(picture(rng) // 8, model=calibrated(tmp_path))
    assert result.low is result.high is result.coverage is None
    assert any("very dark" in text for text in result.warnings) and "no range" in result.warnings[-1]
    assert {"dark", "unknown"} <= result.doubts  # as their names, without an import
    assert result.zone_ranges(HALVES) == {"left": None, "right": None}


def test_a_picture_that_is_known_to_stand_upright_is_not_said_to_lie(rng, tmp_path, monkeypatch):
    monkeypatch.setattr("crowdcount.counting.pictures.on_its_side", lambda network, seen: "It lies on its side.")
    counter = Counter(str(calibrated(tmp_path)), 0.9, None, "rgb", None, False)
    told, known = counter(picture(rng)), counter(picture(rng), upright=True)
    assert told.doubts - known.doubts == {Doubt.SIDE, Doubt.UNKNOWN} and told.low is None
    assert "It lies on its side." in told.warnings and "It lies on its side." not in known.warnings
    assert known.low is not None


HALVES = [
    {"name": "left", "polygon": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]},
    {"name": "right", "polygon": [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]},
]


def test_zones_have_ranges_of_their_own(rng, tmp_path):
    quarters = ["20/10.0/1000 20/10.0/1000 20/10.0/1000 20/10.0/1000"] * 9
    kinds = {"density": [1000.0] * 9, "fineness": [1.0] * 9, "brightness": [240.0] * 9}
    result = count(picture(rng), model=calibrated(tmp_path, quarters=quarters, **kinds))
    ranges, counts = result.zone_ranges(HALVES), result.zones(HALVES)
    for name, (low, high) in ranges.items():
        assert 0 <= low < counts[name] < high
    # Where another size comes to four times as many, they reach there, as the picture's does.
    farther = replace(result, other=4 * result.count).zone_ranges(HALVES)
    for name, (low, high) in farther.items():
        assert low == ranges[name][0] and high > max(ranges[name][1], 4 * counts[name])
    nobody = replace(result, count=0.0, density=0 * result.density, other=40.0).zone_ranges(HALVES)
    assert all(high > 20 for _, high in nobody.values())
    speck = [{"name": "speck", "polygon": [[0, 0], [0.1, 0], [0.1, 0.1]]}]
    assert result.zone_ranges(speck) == {"speck": None}
    assert count(picture(rng), model=calibrated(tmp_path)).zone_ranges(HALVES) == {"left": None, "right": None}


def test_count_has_no_range_where_the_card_cannot_carry_it(model, rng, tmp_path):
    for result in (
        count(picture(rng), model=model),
        count(picture(rng), model=calibrated(tmp_path), coverage=0.95),
        count(picture(rng), model=save_weights(model, tmp_path / "other.weights.h5")),
    ):
        assert result.low is result.high is result.coverage is None
        assert "% range" not in repr(result)
        small = any("9 calibration pictures carry a coverage of at most 0.900" in text for text in result.warnings)
        assert small == str(result.model).endswith("mine.weights.h5")


def test_impossible_coverage_is_an_error_before_anything_is_counted(model, rng):
    for given in (picture(rng), [picture(rng)]):
        for coverage in (90, "0.9", None):
            with pytest.raises(DataError, match="between 0 and 1"):
                count(given, model=model, coverage=coverage)
    with pytest.raises(DataError, match="between 0 and 1"):
        list(count_many([], model, coverage=0))


def test_a_damaged_network_does_not_give_a_count(rng):
    network = CSRNet(width=1 / 64, precision="float32")
    network.get_layer("density").set_weights([np.full((1, 1, 1, 1), np.nan), np.zeros(1)])
    with pytest.raises(CrowdCountError, match="NaN"):
        count(picture(rng), model=network)


def test_a_network_that_was_spoiled_after_its_first_count_does_not_count_nobody(rng):
    """As by a training that went wrong in between: the processor's ReLU makes 0 of NaN."""
    network = CSRNet(width=1 / 64, precision="float32")
    assert count(picture(rng), model=network).count > 0
    network.set_weights([np.full(each.shape, np.nan) for each in network.get_weights()])
    with pytest.raises(CrowdCountError, match="NaN"):
        count(picture(rng), model=network)


@pytest.mark.parametrize("coverage", [np.float32(0.9), Fraction(9, 10), np.float64(0.9)])
def test_coverage_may_be_any_number(rng, coverage):
    result = count(picture(rng), model="light", coverage=coverage)
    assert type(result.coverage) is float and repr(result) and json.loads(result.to_json())["coverage"]


def test_no_table_of_counts_takes_the_place_of_a_picture_or_of_annotations(rng, tmp_path, model):
    Image.fromarray(picture(rng)).save(tmp_path / "a.png")
    (tmp_path / "points.csv").write_text("picture,x,y\na.png,1,2\n")
    for name, what in (("a.png", "a picture"), ("points.csv", "annotations")):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(DataError, match=f"would replace .*{name}, which holds {what}"):
            next(count_many([tmp_path / "a.png"], model, csv=tmp_path / name))
        assert (tmp_path / name).read_bytes() == before


@pytest.mark.parametrize("stop", [KeyboardInterrupt, CrowdCountError])
def test_count_many_that_is_stopped_keeps_what_was_counted(rng, tmp_path, model, monkeypatch, stop):
    for name in "abc":
        Image.fromarray(picture(rng, 16, 16)).save(tmp_path / f"{name}.png")
    tried = Counter.tried

    def stopped(counter, source):
        if "c.png" in str(source):
            raise stop("now")
        return tried(counter, source)

    monkeypatch.setattr(Counter, "tried", stopped)
    table = tmp_path / "counts.csv"
    for kept in (table, tmp_path / "counts_interrupted.csv"):
        with pytest.warns(UserWarning, match=f"{kept.name} holds what was counted"), pytest.raises(stop):
            list(count_many(tmp_path, model, csv=table))
        assert len(kept.read_text().splitlines()) == 3
        table.write_text("of another day")
    assert table.read_text() == "of another day"


def test_a_loop_that_ends_before_its_pictures_keeps_what_was_counted(rng, tmp_path, model):
    for name in "abc":
        Image.fromarray(picture(rng, 16, 16)).save(tmp_path / f"{name}.png")
    table = tmp_path / "counts.csv"

    def work(results):
        next(results)
        next(results)
        raise KeyboardInterrupt  # in the body of the loop the generator does not see it: it is closed

    with (
        pytest.warns(UserWarning, match="counts.csv holds what was counted"),
        pytest.raises(KeyboardInterrupt),
        closing(count_many(tmp_path, model, csv=table)) as results,
    ):
        work(results)
    assert len(table.read_text().splitlines()) == 3
    assert [Path(result.picture).name for result in count_many(tmp_path, model, csv=table, resume=True)] == ["c.png"]


def test_pictures_from_files_are_known_again_and_nameless_ones_are_told(rng, tmp_path, model, monkeypatch):
    Image.fromarray(picture(rng)).save(tmp_path / "a.png")
    table = tmp_path / "counts.csv"
    for _ in range(2):
        with Image.open(tmp_path / "a.png") as image:
            list(count_many([image], model, csv=table, resume=True))
    assert len(table.read_text().splitlines()) == 2
    (tmp_path / "a.png").rename(tmp_path / "picture")  # what those are called that have no name
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        list(count_many("picture", model, csv="other.csv", resume=True))
    assert len((tmp_path / "other.csv").read_text().splitlines()) == 2
    with pytest.warns(UserWarning, match="1 of the pictures come without a path"):
        list(count_many([picture(rng)], model, csv=table, resume=True))


def test_network_by_file_is_loaded_once_and_named_as_given(rng, tmp_path, monkeypatch):
    path = save_weights(CSRNet(width=1 / 64), tmp_path / "mine.weights.h5")
    first = count(picture(rng), model=path)
    monkeypatch.setattr(keras.Model, "load_weights", None)  # a second load would fail
    second = count([picture(rng)], model=str(path))[0]
    assert first.model == second.model == str(path)


def test_unknown_network_is_an_error(rng):
    with pytest.raises(WeightsError, match="nonesuch"):
        count(picture(rng), model="nonesuch")


@pytest.mark.parametrize("given, named", [(None, "NoneType None"), (3, "int 3"), (len, "builtin_function")])
def test_what_is_no_model_is_told(rng, given, named):
    with pytest.raises(WeightsError, match=f"keras.Model. Received: {named}"):
        count(picture(rng), model=given)


def test_result_whose_picture_has_gone_shows_its_text(rng, tmp_path):
    path = tmp_path / "square.png"
    Image.fromarray(picture(rng)).save(path)
    result = CountResult(12.0, np.zeros((9, 13), np.float32), "square.png", 101, 70, "m", 0.1, source=str(path))
    assert result._repr_png_()[0].startswith(b"\x89PNG") and "about 12 people" in result._repr_png_()[1]["alt"]
    Image.fromarray(picture(rng, 50, 101)).save(path)  # a camera's newest picture takes the place of the last
    assert result._repr_png_() is None
    with pytest.raises(PictureError, match="was 101x70 pixels .* is 101x50 now"):
        result.save_overlay(tmp_path / "overlay.png")
    path.unlink()
    assert result._repr_png_() is None and "about 12 people" in repr(result)
    with pytest.raises(PictureError, match="does not exist"):
        result.save_overlay(tmp_path / "overlay.png")


def test_count_many_goes_on_after_failures(model, rng, tmp_path):
    folder, empty = tmp_path / "folder", tmp_path / "empty"
    folder.mkdir()
    empty.mkdir()
    Image.fromarray(picture(rng)).save(folder / "a.png")
    (folder / "b.png").write_bytes((folder / "a.png").read_bytes()[:500])
    Image.fromarray(picture(rng)).save(folder / "c.png")
    results = list(count_many([str(tmp_path / "missing.jpg"), str(empty), str(folder), picture(rng)], model))
    assert [type(result) for result in results] == [CountFailure] * 2 + [CountResult, CountFailure] + [CountResult] * 2
    assert [result.picture for result in results] == [
        str(tmp_path / "missing.jpg"),
        str(empty),
        str(folder / "a.png"),
        str(folder / "b.png"),
        str(folder / "c.png"),
        "picture",
    ]
    assert all(result.error for result in results if isinstance(result, CountFailure))


def test_count_many_reports_want_of_memory_as_one_pictures_failure(model, rng, monkeypatch):
    def forward(tile):
        if tile.shape[0] > 50:
            raise MemoryError
        return np.zeros((-(-tile.shape[0] // 8), -(-tile.shape[1] // 8)), np.float32)

    monkeypatch.setattr(prediction, "compiled", lambda _: forward)
    large, small = count_many([picture(rng, 60, 60), picture(rng, 40, 40)], model)
    assert "memory" in large.error
    assert small.count == 0


def test_count_many_is_public_and_takes_a_folder_or_a_picture_alone(model, rng, tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(picture(rng, 16, 24)).save(path)
    data = path.read_bytes()
    for alone in (str(tmp_path), tmp_path, str(path), data, io.BytesIO(data), Image.open(path)):
        (result,) = crowdcount.count_many(alone, model)
        assert (result.width, result.height) == (24, 16)
    tensor = keras.ops.convert_to_tensor(picture(rng, 16, 24))  # of rows, which are no pictures
    (result,) = crowdcount.count_many(tensor, model)
    assert (result.width, result.height) == (24, 16)
    batch = np.stack([picture(rng, 16, 24)] * 2)
    for several in (keras.ops.stack([tensor, tensor]), batch, np.array([str(path)] * 2)):
        assert len(list(crowdcount.count_many(several, model))) == 2 == len(crowdcount.count(several, model=model))
    (tmp_path / "b.png").write_bytes(b"no picture")
    assert isinstance(list(crowdcount.count_many(tmp_path, model))[1], crowdcount.CountFailure)
    with pytest.raises(PictureError, match="b.png"):
        count(tmp_path, model=model)


def test_a_variable_of_tensorflow_is_one_picture(model, rng):
    """It has no `ndim`, and can be gone through by its rows, which were pictures."""
    tf = pytest.importorskip("tensorflow", exc_type=ImportError)
    variable = tf.Variable(picture(rng, 16, 24))
    assert count(variable, model=model).count == count(variable.numpy(), model=model).count
    assert len(count(tf.Variable(np.stack([variable.numpy()] * 2)), model=model)) == 2


def result_of(density, array, **changes):
    fields = dict(
        count=float(density.sum()),
        density=density,
        picture="photos/square.jpg",
        width=array.shape[1],
        height=array.shape[0],
        model="general",
        seconds=2.14,
        source=array,
    )
    return CountResult(**{**fields, **changes})


def test_repr_reads_like_a_sentence(rng):
    density, array = np.full((96, 128), 243.4 / (96 * 128), np.float32), picture(rng, 768, 1024)
    assert repr(result_of(density, array)) == "about 240 people in square.jpg (1024x768), model general, 2.1 s"
    assert repr(result_of(density, array, count=0.7)).startswith("about 1 person in")
    assert repr(result_of(density, array, count=0.2)).startswith("about 0 people in")


@pytest.mark.parametrize(
    "people, told", [(0.4, "0"), (99.4, "99"), (104.0, "100"), (1389.2, "1,400"), (23_456.0, "23,000")]
)
def test_a_count_without_a_range_is_told_with_two_digits_and_kept_with_all(people, told, rng):
    result = result_of(np.zeros((1, 1), np.float32), picture(rng, 8, 8), count=people)
    assert repr(result).startswith(f"about {told} people in ")
    assert result.to_dict()["count"] == people
    assert compare([result]).rows()[0]["count"] == people and f"  {told}  " in repr(compare([result]))


def test_people_per_square_meter_are_those_of_the_zones_over_their_ground(rng, tmp_path):
    result = result_of(rng.uniform(0, 1, (9, 13)).astype(np.float32), picture(rng))
    zones = [
        {"name": "left", "polygon": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]},
        {"name": "right", "polygon": [[60, 0], [101, 0], [101, 70]]},
    ]
    points = [[0, 0, 0, 0], [1, 0, 20.2, 0], [1, 1, 20.2, 7], [0, 1, 0, 7]]  # a fifth of a meter, a tenth of one
    (tmp_path / "ground.json").write_text(json.dumps({"points": points}))
    people = result.zones(zones)
    for ground in (tmp_path / "ground.json", {"points": points}, crowdcount.Ground.from_points(points)):
        found = result.per_square_meter(zones, ground)
        assert found == pytest.approx({"left": people["left"] / 70.7, "right": people["right"] / 28.7})
    with pytest.raises(DataError, match="'far' lies outside the picture"):
        result.per_square_meter([{"name": "far", "polygon": [[0, 0], [500, 0], [500, 9]]}], {"points": points})


def test_overlay_file_shows_the_picture_at_its_size_with_a_caption(rng, tmp_path):
    array = picture(rng, 120, 201)
    path = tmp_path / "new" / "overlay.png"
    result_of(np.zeros((15, 26), np.float32), array).save_overlay(path)
    shown = np.array(Image.open(path))
    assert (shown[:120] == array).all()
    assert shown.shape[0] > 120 and shown.shape[1:] == (201, 3)
    assert len(np.unique(shown[120:])) > 1  # something is written in the strip
    assert [file.name for file in path.parent.iterdir()] == ["overlay.png"]


def test_overlay_is_an_array_in_each_style(rng, tmp_path):
    density = np.zeros((15, 26), np.float32)
    density[3:9, 5:15] = 0.5
    array = picture(rng, 120, 201)
    result = result_of(density, array)
    shown = {style: result.overlay(style=style) for style in ("heat", "contour", "dots")}
    assert {each.shape for each in shown.values()} == {array.shape}
    assert len({each.tobytes() for each in [*shown.values(), array]}) == 4
    np.testing.assert_array_equal(shown["heat"], result.overlay())
    assert result.overlay(style="dots", longest_side=50).shape == (30, 50, 3)
    corner = [{"name": "corner", "unit": "pixels", "polygon": [[101, 60], [201, 60], [201, 120], [101, 120]]}]
    small = result.overlay(zones=corner, longest_side=100).astype(int)
    outside = small[:25] - result.overlay(longest_side=100)[:25] // 3
    assert small.shape == (60, 100, 3) and (outside == 0).all(), "the zone lies where it lies on the picture itself"
    with pytest.raises(DataError, match="heat, contour, dots.*'cold'"):
        result.overlay(style="cold")
    for side in (0, -1, "50", float("nan")):
        with pytest.raises(DataError, match="longest_side="):
            result.overlay(longest_side=side)
    result.save_overlay(tmp_path / "dots.png", style="dots")
    result.save_overlay(tmp_path / "heat.png")
    dots, heat = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in ("dots", "heat"))
    np.testing.assert_array_equal(dots[:120], shown["dots"])
    np.testing.assert_array_equal(heat[:120], shown["heat"])
    assert len(heat) > len(dots)  # by the color scale


def test_overlay_of_another_format_and_of_none(rng, tmp_path):
    result = result_of(np.zeros((9, 13), np.float32), picture(rng))
    result.save_overlay(tmp_path / "overlay.jpg")
    assert Image.open(tmp_path / "overlay.jpg").format == "JPEG"
    for name in ("overlay.txt", "overlay"):
        with pytest.raises(PictureError, match=r"\.png or \.jpg"):
            result.save_overlay(tmp_path / name)
    assert [file.name for file in tmp_path.iterdir()] == ["overlay.jpg"]


def test_an_overlay_does_not_replace_its_own_picture(model, rng, tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(picture(rng)).save(path)
    before = path.read_bytes()
    (tmp_path / "link.png").symlink_to("a.png")
    with Image.open(path) as image, open(path, "rb") as file:
        for source in (path, image, file):
            result = count(source, model=model)
            for place in (path, tmp_path / "link.png"):
                with pytest.raises(PictureError, match="would replace its own picture"):
                    result.save_overlay(place)
    assert path.read_bytes() == before


def test_result_from_a_relative_path_is_shown_from_any_folder(model, rng, tmp_path, monkeypatch):
    Image.fromarray(picture(rng)).save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    result = count("a.png", model=model)
    assert result.picture == "a.png"
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    result.save_overlay("overlay.png")
    assert (tmp_path / "other" / "overlay.png").exists()


def test_notebook_picture_is_a_png_of_bounded_size(rng):
    shown = Image.open(io.BytesIO(result_of(np.zeros((25, 375), np.float32), picture(rng, 200, 3000))._repr_png_()[0]))
    assert shown.format == "PNG"
    assert shown.width == 1024


def test_notebook_picture_writes_the_range_and_the_warnings_below(rng):
    density, array = np.zeros((25, 75), np.float32), picture(rng, 200, 600)
    plain = Image.open(io.BytesIO(result_of(density, array)._repr_png_()[0]))
    ranged = dict(low=0.0, high=12.0, coverage=0.9)
    warned = result_of(density, array, warnings=["The picture is very dark."], **ranged)
    shown = Image.open(io.BytesIO(warned._repr_png_()[0]))
    assert shown.height > plain.height
    # The range makes the first line longer.
    assert np.array(shown)[205:225].sum() > np.array(plain)[205:225].sum()
    assert repr(warned).startswith("about 0 people (0 to 12, 90 % range) in square.jpg")


def test_plot_is_titled_with_the_result(rng):
    result = result_of(np.full((9, 13), 0.1, np.float32), picture(rng))
    assert result.plot().get_title() == repr(result)
    _, axes = matplotlib.pyplot.subplots()
    assert result.plot(axes) is axes
    smaller = replace(result, scale=0.25)  # its heads are spread over more cells, and seen as on its overlay
    assert np.array_equal(smaller.plot().images[0].get_array(), smaller.overlay())
    matplotlib.pyplot.close("all")


@pytest.mark.parametrize("name", ["cost$_$.jpg", "one $.jpg", "Fu\udcdf.jpg"])
def test_plot_draws_the_pictures_name_whatever_is_in_it(rng, name):
    from matplotlib.figure import Figure

    figure = Figure()
    named = replace(result_of(np.full((9, 13), 0.1, np.float32), picture(rng)), picture=name)
    title = named.plot(figure.add_subplot()).get_title()
    figure.savefig(io.BytesIO())
    assert title.replace("\\$", "$") == repr(named).replace("\udcdf", "\\udcdf")


@pytest.mark.parametrize("planes", [3, 4])
def test_colors_in_opencvs_order(model, rng, planes):
    array = rng.integers(0, 256, (64, 96, planes), dtype=np.uint8)
    array[..., 3:] = 255
    swapped = array.copy()
    swapped[..., :3] = array[..., 2::-1]
    right = count(array, model=model).count
    assert count(swapped, model=model, channels="bgr").count == right != count(swapped, model=model).count
    (result,) = count_many([swapped], model, channels="bgr")
    assert result.count == right
    np.testing.assert_array_equal(result.overlay(style="dots").shape, (64, 96, 3))


def test_colors_of_a_file_are_in_its_own_order(model, rng, tmp_path):
    Image.fromarray(picture(rng)).save(tmp_path / "a.png")
    for file in (tmp_path / "a.png", (tmp_path / "a.png").read_bytes(), Image.open(tmp_path / "a.png")):
        with pytest.raises(PictureError, match="channels='bgr' is for arrays"):
            count(file, model=model, channels="bgr")
    with pytest.raises(DataError, match="rgb, bgr.*'gbr'"):
        count(picture(rng), model=model, channels="gbr")


def test_counts_warnings_and_failures_are_logged_and_printed_nowhere(model, rng, caplog, capsys):
    with caplog.at_level("INFO", logger="crowdcount"):
        list(count_many([picture(rng), np.zeros((64, 64, 3), np.uint8), b"no picture"], model))
    levels = [record.levelname for record in caplog.records if record.name == "crowdcount"]
    assert levels[0] == "INFO" and levels[-1] == "ERROR" and levels.count("INFO") == 2 and "WARNING" in levels
    assert "people in picture" in caplog.records[0].getMessage()
    assert capsys.readouterr() == ("", "")


def test_a_page_is_counted_and_shown_and_what_was_chosen_is_told(tmp_path, weights, rng):
    light = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((64, 96), (72, 104))]
    pages = [Image.fromarray(page) for page in light]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:])
    largest = crowdcount.count(tmp_path / "scan.tif", model=weights)
    assert (largest.height, largest.width) == (72, 104) and any("2 pages" in told for told in largest.warnings)
    first = crowdcount.count(tmp_path / "scan.tif", model=weights, page=1)
    assert (first.height, first.width) == (64, 96) and not any("pages" in told for told in first.warnings)
    assert first.count == pytest.approx(crowdcount.count(light[0], model=weights).count)
    first.save_overlay(tmp_path / "overlay.png")  # reads the page again
    with Image.open(tmp_path / "overlay.png") as overlay:
        assert overlay.width == 96
    second = crowdcount.count((tmp_path / "scan.tif").read_bytes(), model=weights, page=2)
    assert second.overlay().shape == (72, 104, 3)  # of what came without a path there is that page alone
    twelve = crowdcount.count(light[0].astype(np.uint16) * 16, model=weights)
    assert any("12 are used" in told for told in twelve.warnings)


def test_counts_of_two_pages_are_not_mixed(tmp_path, weights, rng):
    pages = [Image.fromarray(rng.integers(0, 256, (64, 96, 3), dtype=np.uint8)) for _ in range(2)]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:])
    table = tmp_path / "counts.csv"
    options = {"model": weights, "csv": table, "resume": True}
    for _ in range(2):
        assert len(list(crowdcount.count_many([tmp_path / "scan.tif"], page=2, **options))) in (0, 1)
    with pytest.raises(DataError, match="the page 2; this run has 1"):
        next(crowdcount.count_many([tmp_path / "scan.tif"], page=1, **options))


def test_what_goes_on_tells_what_the_command_tells(rng, tmp_path, monkeypatch):
    network, table = CSRNet(width=1 / 16, precision="float32"), tmp_path / "counts.csv"
    monkeypatch.chdir(tmp_path)
    Path("march").mkdir()
    for name in ("march/a.png", "march/b.png"):
        Image.fromarray(picture(rng, 16, 16)).save(name)
    list(count_many(["march/a.png"], network, csv=table, resume=True))
    os.utime("march/a.png", (2e9, 2e9))
    with pytest.warns(UserWarning, match="1 of the pictures in .*counts.csv were written after it, march/a.png among"):
        list(count_many(["march/b.png"], network, csv=table, resume=True))
    monkeypatch.chdir("march")
    with pytest.warns(UserWarning, match="march/a.png among them, are not found from"):
        list(count_many([Path("a.png")], network, csv=table, resume=True))
