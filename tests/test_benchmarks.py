"""The programs in `benchmarks/` that write what the repository ships: weights with their curves, the error page."""

import csv
import importlib.util
import json
import math
import re
import shutil
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crowdcount.counting.kinds import Kind
from crowdcount.counting.pictures import count
from crowdcount.counting.ranges import Calibration
from crowdcount.data.annotations import Sample, load_dataset
from crowdcount.drawn.crowds import draw_crowd
from crowdcount.files import data_folder
from crowdcount.grid import map_shape
from crowdcount.measuring.evaluation import evaluate
from crowdcount.network import prediction
from crowdcount.network.cards import model_card
from crowdcount.network.csrnet import CSRNet
from crowdcount.network.loading import load_network
from crowdcount.network.weight_files import save_weights
from crowdcount.training.card import network_card
from crowdcount.training.recipes import RECIPES


def program(name):
    path = Path(__file__).resolve().parents[1] / "benchmarks" / f"{name}.py"
    if not path.exists():
        pytest.skip("the tests don't run from a checkout")
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- release_weights ----------------------------------------------------------------------------------------


@pytest.fixture
def release(tmp_path, monkeypatch, rng):
    """Releases runs into a folder of its own: `release(run folder, name)` gives the card and the curve's rows."""
    module = program("release_weights")
    asked = []

    def pictures(dataset, root, split):
        asked.append((dataset, split))
        picture = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        pictures = 14 if split == "val29" else 18
        return [Sample(f"{dataset}/{n}", picture, rng.uniform(0, 64, (n + 1, 2))) for n in range(pictures)]

    monkeypatch.setattr(module, "WEIGHTS", tmp_path / "weights")
    monkeypatch.setattr(module, "load_dataset", pictures)

    def call(run, name, *options):
        asked.clear()
        module.main([str(run), name, "--root", "nowhere", *options])
        with open(tmp_path / "weights" / f"{name}.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        return model_card(tmp_path / "weights" / f"{name}.weights.h5").content, rows, list(asked)

    return call


def write_run(folder, datasets, init, losses, validated):
    """A run's folder as `train` leaves it; each epoch took half an hour."""
    card = {
        "network": {"design": "B", "width": 1 / 64},
        "recipe": "default",
        "init": init,
        "kept_epoch": min(validated, key=validated.get),
        "training_hours": 0.1,
        "command": f"crowdcount train {datasets} --recipe default --init {init}",
    }
    save_weights(CSRNet(width=1 / 64), folder / "best.weights.h5", card)
    lines = ["epoch,loss,mae,bias,val_mae,val_rmse,val_bias,val_sum,seconds"]
    for epoch, loss in enumerate(losses, start=1):
        measured = f"{validated[epoch]},{validated[epoch] + 5},-1.5,900" if epoch in validated else ",,,"
        lines.append(f"{epoch},{loss},3.5,0.01,{measured},1800")
    (folder / "history.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_release_of_one_part_goes_on_with_the_curve_of_the_weights_before(release, tmp_path):
    both = write_run(tmp_path / "both", "shanghaitech_a+shanghaitech_b", "imagenet", [9.5, 8.5], {2: 40.0})
    card, rows, asked = release(both, "general")
    assert asked == [("shanghaitech_a", "val"), ("shanghaitech_b", "val")]
    assert set(card["metrics"]) == {"shanghaitech_a val", "shanghaitech_b val"}
    assert card["calibration"]["pictures"] == 36 and card["training_hours"] == 1.0
    assert [row["run"] for row in rows] == ["1", "1"] and "history" not in card

    losses, validated = [7.5, 6.5, 5.5], {1: 30.0, 2: 20.0, 3: 25.0}
    part = write_run(tmp_path / "part", "shanghaitech_a", "general", losses, validated)
    card, rows, asked = release(part, "shanghaitech_a")
    assert asked == [("shanghaitech_a", "val")] and set(card["metrics"]) == {"shanghaitech_a val"}
    assert card["calibration"]["pictures"] == 18
    assert [(row["run"], row["epoch"], float(row["loss"])) for row in rows] == [
        *(("1", "1", 9.5), ("1", "2", 8.5), ("2", "1", 7.5), ("2", "2", 6.5), ("2", "3", 5.5))
    ]
    assert (card["best_epoch"]["epoch"], card["best_epoch"]["mae"], card["best_epoch"]["rmse"]) == (2, 20.0, 25.0)
    assert (card["last_epoch"]["epoch"], card["last_epoch"]["mae"]) == (3, 25.0)
    assert [(run["epochs"], run["hours"]) for run in card["runs"]] == [(2, 1.0), (3, 1.5)]
    assert card["training_hours"] == 2.5
    assert card["runs"][0]["command"].startswith("crowdcount train shanghaitech_a+shanghaitech_b")
    assert re.match("training pictures of ShanghaiTech A, .*in earlier runs also ShanghaiTech B$", card["dataset"])
    assert Image.open(tmp_path / "weights" / "shanghaitech_a.png").width >= 600

    # Under the name that it went on from, twice: the run is in the curve once.
    for _ in range(2):
        card, rows, _ = release(part, "general")
        assert [row["run"] for row in rows] == ["1", "1", "2", "2", "2"] and card["training_hours"] == 2.5


def test_release_for_one_part_of_what_was_learned_from(release, tmp_path):
    run = write_run(tmp_path / "both", "shanghaitech_a+shanghaitech_b", "imagenet", [9.5, 8.5], {2: 40.0})
    card, _, asked = release(run, "for_b", "--on", "shanghaitech_b")
    assert asked == [("shanghaitech_b", "val")] and set(card["metrics"]) == {"shanghaitech_b val"}
    assert card["calibration"]["pictures"] == 18 and "ShanghaiTech A and ShanghaiTech B" in card["dataset"]


def test_release_on_several_data_sets_of_a_run_without_validation(release, tmp_path, capsys):
    """A run that validated nothing and does not know its command; released twice, the second time against the first."""
    run = write_run(tmp_path / "run", "shanghaitech_a", "imagenet", [9.5, 8.5], {2: 40.0})
    card = json.loads((run / "best.json").read_text())
    (run / "best.json").write_text(json.dumps({**card, "command": None}))
    history = (run / "history.csv").read_text().splitlines()
    (run / "history.csv").write_text(
        "\n".join([history[0], *(re.sub("40.0.*,900", ",,,", row) for row in history[1:])])
    )
    options = ["--on", "shanghaitech_a+nobody", "--split", "val", "--calibrate", "val29", "--command"]
    options.append("crowdcount train shanghaitech_a*3+ucf_cc_50*2+nobody --recipe clear")
    for _ in range(2):
        card, rows, asked = release(run, "general", *options)
    assert asked == [(name, split) for split in ("val", "val29") for name in ("shanghaitech_a", "nobody")]
    assert card["dataset"].startswith("training pictures of ShanghaiTech A, UCF_CC_50 and photos of nobody, less")
    assert "best_epoch" not in card and card["last_epoch"] == {"epoch": 2, "loss": 8.5}
    assert [row["bias"] for row in rows] == ["", ""]  # it was a share then
    metrics = card["metrics"]["nobody val"]
    assert metrics["pictures"] == 18
    assert {"log_ratio", "standard_error"} < set(metrics) and set(metrics["standard_error"]) > {"mae", "bias"}
    ranges = card["calibration"]["cross_validated"]
    assert set(ranges["parts"]) == {"shanghaitech_a", "nobody"} and ranges["pictures"] == 28
    assert np.mean([part["held"] for part in ranges["parts"].values()]) == pytest.approx(ranges["held"], abs=1e-3)
    printed = capsys.readouterr().out
    assert "ranges at 0.9, nobody: " in printed and "less the general that ships: mae " in printed
    kept = Calibration.from_card(card)
    assert len(kept) == 28 and kept.kinds is not None and kept.quarters is not None


def test_release_wants_to_know_what_was_before_and_what_was_learned_from(release, tmp_path):
    unknown = write_run(tmp_path / "unknown", "shanghaitech_a", "best.weights.h5", [9.5], {1: 40.0})
    with pytest.raises(SystemExit, match="went on from 'best.weights.h5'.*Release that run first"):
        release(unknown, "general")
    card = json.loads((unknown / "best.json").read_text())
    (unknown / "best.json").write_text(json.dumps({**card, "command": None}))
    with pytest.raises(SystemExit, match="trained on. Its command: None"):
        release(unknown, "general")
    assert not (tmp_path / "weights").exists()


# --- ranges -------------------------------------------------------------------------------------------------


def test_ranges_are_tried_by_the_rule_that_ships_and_others(rng):
    module = program("ranges")
    density = rng.uniform(20, 3000, 30)
    true = np.rint(density * rng.lognormal(0, 0.2, 30))
    kinds = [Kind(each, 0.65, 200.0) for each in density]
    calibration = Calibration(true, density, kinds)
    seen = {"true": true, "predicted": density, "density": np.log(density + 10)}
    new = {"predicted": 500.0, "density": math.log(510)}
    ships = calibration.range(500.0, 0.9, Kind(500.0, 0.65, 200.0))
    assert module.line("density")(seen, new) == pytest.approx(ships)
    for rule in (module.nearest(20), module.groups(400), module.power(0.8), module.quantiles("density")):
        low, high = rule(seen, new)
        assert 0 <= low < 500 < high
    # Of a width of 100, and 10 people outside: twenty times those are added.
    score = module.interval_scores(np.array([[0.0, 100.0], [0.0, 100.0]]), np.array([50.0, 110.0]))
    assert score == pytest.approx([100, 300])


def test_fisheye_bends_heads_with_the_picture():
    picture = np.zeros((60, 80, 3), np.uint8)
    points = np.array([(40, 30), (55, 20), (1, 1)])
    for x, y in points[:2]:
        picture[y - 1 : y + 2, x - 1 : x + 2] = 255
    bent, heads = program("ranges").fisheye(picture, points.astype(float))
    assert bent.shape == picture.shape and bent[0, 0].max() == 0 and len(heads) == 3
    for x, y in np.rint(heads[:2]).astype(int):
        assert bent[y, x].min() > 200


# --- errors -------------------------------------------------------------------------------------------------


def test_error_page_of_drawn_pictures(weights, tmp_path, monkeypatch):
    module = program("errors")
    monkeypatch.setattr(module, "DOCS", tmp_path)
    monkeypatch.setattr(module, "WORST", 2)
    monkeypatch.setattr(module, "load_dataset", lambda data, root, split: load_dataset(data, root, "all"))
    drawn = data_folder("datasets") / "drawn"
    section = f"{module.LAST_SECTION}\nmeasured elsewhere\n"
    (tmp_path / "errors.md").write_text(f"# An older page\n\n{section}", "utf-8")
    with module.matplotlib.rc_context():
        module.main(["--root", str(drawn), "--model", weights])
    page = (tmp_path / "errors.md").read_text("utf-8")
    assert page.endswith(section) and page.count("# An older page") == 0
    linked = re.findall(r"\]\(([^)]*)\)", page)
    names = ["by_count", "by_density", "by_megapixels", "worst_1", "worst_2"]
    assert linked == [f"errors_{name}.png" for name in names]
    assert {path.name for path in tmp_path.iterdir()} == {"errors.md", *linked}

    samples = load_dataset(module.DATA, drawn, "all")
    result = evaluate(weights, samples)
    for part in "ab":
        alone = evaluate(weights, load_dataset(f"shanghaitech_{part}", drawn, "all"))
        people = sum(row["true"] for row in alone.rows)
        line = f"| {part.upper()} | {alone.pictures} | {people} | {alone.mae:.1f} | {alone.rmse:.1f} |"
        assert line in page
    ranked = sorted(result.rows, key=lambda row: -abs(row["error"]))
    assert re.findall(r"^### \d+\. (.*)$", page, re.MULTILINE) == [row["picture"] for row in ranked[:2]]
    # Each picture is in one group of the density table and one of the sizes.
    for unit in ("people a megapixel", "megapixels"):
        section = page.split(f"## Bias by {unit}")[1].split("##")[0]
        groups = [line.split("|") for line in section.splitlines() if re.match(r"\| [\d.,e+-]+ to", line)]
        assert len(groups) > 1
        assert sum(int(group[2]) for group in groups) == len(samples)
        assert sum(int(group[3].replace(",", "")) for group in groups) == sum(sample.count for sample in samples)


def test_error_page_says_where_the_error_is(weights, tmp_path, monkeypatch):
    module = program("errors")
    monkeypatch.setattr(module, "DOCS", tmp_path)
    counted = np.zeros((8, 12), np.float32)
    counted[1, 2], counted[6, 9] = 4.0, 9.0  # upper left and lower right
    monkeypatch.setattr(module, "predict_density", lambda network, picture: counted)
    monkeypatch.setitem(module.WORDS, "part_A/IMG_9", "Balloons.")
    heads = [(60.0 + 6 * number, 50.0) for number in range(6)]
    sample = Sample("part_A/IMG_9", np.zeros((64, 96, 3), np.uint8), heads)
    row = {"picture": sample.name, "true": 6, "predicted": 13.0, "error": 7.0, "density": 976.6}
    text = "\n".join(module.one_picture(1, row, sample, [100.0, 200.0, 300.0, 2000.0], weights))
    assert "- 7 too many: 13 counted of 6 (+117%)." in text
    assert "- The upper left quarter holds 57% of the quarters' errors: 4 counted of 0." in text
    assert "- 977 people a megapixel, more than in 75% of the training pictures" in text
    assert "- From a head to the next: 6.0 pixels" in text
    assert "hardly any contrast" in text and "Balloons." in text
    assert (tmp_path / "errors_worst_1.png").exists()


# --- export -------------------------------------------------------------------------------------------------


def test_exported_files_are_measured_in_their_runtimes(capsys, monkeypatch, weights):
    """One file a runtime, of a tiny network; the counts are those of crowdcount."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("ai_edge_litert")
    module = program("export")
    monkeypatch.setattr(module, "FILES", [(format, "float32") for format in module.ENDINGS])
    pictures = [str(data_folder("datasets") / f"drawn/images/crowd_{number}.jpg") for number in (1, 2)]
    module.main(["--model", weights, "--pictures", *pictures])
    head, _, *rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()]
    assert head[2:4] == ["crowd_1", "crowd_2"] and len(rows) == 4
    for row in rows[1:]:
        assert row[1].endswith(" MB") and float(row[4].rstrip("%")) < 0.1


# --- doubts -------------------------------------------------------------------------------------------------


def test_parts_without_people_keep_away_from_heads(rng):
    """Heads are painted white with some ground around them: a part is black to its edges, or there is none."""
    samples = []
    for number in range(12):
        picture, points = np.zeros((400, 520, 3), np.uint8), rng.uniform(0, 1, (number, 2)) * (520, 400)
        for x, y in points:
            picture[max(0, int(y) - 25) : int(y) + 25, max(0, int(x) - 25) : int(x) + 25] = 255
        samples.append(Sample(f"s{number}", picture, points))
    parts = list(program("doubts").without_people(samples))
    assert all(pixels.shape == (256, 256, 3) and not pixels.any() for pixels in parts)
    assert 1 <= len(parts) < 12  # in some pictures heads are everywhere


def test_real_parts_without_people_are_counted_as_nearly_empty(shanghaitech_root):
    """By `general`: at most two people in the mean of parts of training pictures in which no head is annotated."""
    parts = []
    for dataset in ("shanghaitech_a", "shanghaitech_b"):
        parts += islice(program("doubts").without_people(load_dataset(dataset, shanghaitech_root, "train")), 12)
    assert len(parts) >= 20
    assert np.mean([count(pixels).count for pixels in parts]) <= 2


# --- scale --------------------------------------------------------------------------------------------------


def test_sizes_are_fitted_written_and_measured(weights, tmp_path, monkeypatch, capsys):
    module = program("scale")
    monkeypatch.setattr(module, "load_dataset", lambda data, root, split: load_dataset(data, root, "all"))
    monkeypatch.setattr(module, "SIZES", ((64, 80), (96, 128), (192, 256)))
    monkeypatch.setattr(module, "FROM", 80)
    monkeypatch.setattr(module, "TO", 256)
    model = tmp_path / "tiny.weights.h5"
    shutil.copy(weights, model)
    shutil.copy(weights.replace(".weights.h5", ".json"), tmp_path / "tiny.json")
    drawn = str(data_folder("datasets") / "drawn")
    with pytest.raises(SystemExit, match="has no sizes"):
        module.main(["drawn", "--model", str(model)])
    module.main(["fit", "--root", drawn, "--model", str(model), "--pictures", "3", "--write"])
    sizes = model_card(model).content["sizes"]
    assert 0 < sizes["shrinks"] <= sizes["grows"] and model_card(model).width == 1 / 16
    for what, scenes, columns in (("measure", 2, 4), ("drawn", 1, 4)):
        capsys.readouterr()
        module.main([what, "--root", drawn, "--model", str(model), "--pictures", str(scenes)])
        text = capsys.readouterr().out
        assert text.count("(x") == columns * scenes and f"{scenes} scenes; change of the count" in text
        assert "from 80 px to 256 px" in text and ("from as it is to 80 px" in text) == (what == "measure")
        assert ("from 256 px shrunk to 80 to 256 px" in text) == (what == "drawn")


@pytest.mark.parametrize("size", [(96, 128), (1000, 4000)])
def test_forward_pixels_are_those_that_the_network_sees(weights, monkeypatch, size):
    seen = []

    def forward(picture):
        seen.append(picture.shape[0] * picture.shape[1])
        return np.zeros(map_shape(picture.shape[:2]), np.float32)

    monkeypatch.setattr(prediction, "compiled", lambda model: forward)
    model = load_network(weights)[0]
    prediction.predict_density(model, np.zeros((*size, 3), np.uint8))
    assert program("scale").forward_pixels(size, prediction.margin_of(model)) == sum(seen)


# --- all ----------------------------------------------------------------------------------------------------


def test_all_parts_at_tiny_sizes_fill_the_page(weights, tmp_path, monkeypatch, capsys):
    """Without cold processes and compilers: what these would run is run here once."""
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[1] / "benchmarks"))
    module = program("all")
    asked = []

    def quiet(command):
        asked.append(command)
        return "[0.5, 100, 200]\n"

    monkeypatch.setattr(module, "quiet", quiet)
    if importlib.util.find_spec("torch") is not None:
        monkeypatch.setattr("torch.compile", lambda *_, **__: lambda values: 1 / 0)
    page, record = tmp_path / "performance.md", tmp_path / "performance.json"
    shutil.copy(Path(__file__).resolve().parents[1] / "docs" / "performance.md", page)
    options = "--repeats 1 --width 0.015625 --sizes 80x64 --batches 1 2 --against-size 80x64 --crop 64 --heads 3 20"
    more = f"--pictures 1 --sides 16 32 --lots 1 2 --model {weights} --page {page} --json {record}"
    module.main([*options.split(), *more.split(), "--numbers", "float32", "bfloat16"])
    text, numbers = page.read_text("utf-8"), json.loads(record.read_text("utf-8"))
    assert "Not measured yet" not in text and set(numbers["parts"]) == set(module.PARTS)
    assert [row["pictures"] for row in numbers["parts"]["predict"][0]["rows"]] == [1] * 2 + [2] * 2
    rivals = {row["what"]: row["as a multiple of crowdcount's"] for row in numbers["parts"]["against"][0]["rows"]}
    assert rivals["crowdcount float32"] == rivals["crowdcount bfloat16"] == 1
    for package, name in (("torch", "PyTorch bfloat16"), ("onnxruntime", "ONNX Runtime float32")):
        assert (name in rivals) == (importlib.util.find_spec(package) is not None)
    assert {row["seconds a unit"] for row in numbers["parts"]["growth"][1]["rows"]} == {0.5, 0.25}
    assert (tmp_path / "performance_growth.png").exists() and "load before the first timing" in text
    printed = capsys.readouterr().out
    assert all(part + " took" in printed for part in module.PARTS)

    # What the processes would run: each command's grammar, and the counting of pictures.
    assert ["--help"] in [command[3:] for command in asked]
    monkeypatch.setattr(module.sys, "argv", ["", *next(c for c in asked if c[2] == module._COUNTING)[3:]])
    exec(module._COUNTING, {})
    seconds, before, most = json.loads(capsys.readouterr().out)
    assert seconds > 0 and most >= before > 0
    with pytest.raises(SystemExit):
        module.main(["speed"])


# --- budget -------------------------------------------------------------------------------------------------


def test_changes_of_a_recipe_have_its_budget(tmp_path, monkeypatch, capsys):
    module = program("budget")
    plain = RECIPES["clear"]
    changed = {name: change(plain) for name, change in module.CHANGES.items()}
    for name, recipe in changed.items():
        (phase,) = recipe.phases
        pixels = module.epochs_for(recipe, plain, 9) * phase.crops.size**2
        assert pixels == pytest.approx(9 * plain.phases[0].crops.size ** 2, rel=0.01), name
        assert phase.batch * phase.crops.size**2 <= 1.13 * 4 * 256**2
    assert [changed[f"batches of {size}"].phases[0].batch for size in (2, 1)] == [2, 1]
    single = changed["batches of 1"].phases[0].optimizer
    assert (single.peak, single.average**4) == pytest.approx((1e-5, 0.99))
    losses = [
        changed[name].loss().halved_at for name in ("as it is", "dense crops weigh less", "all crops weigh alike")
    ]
    assert losses == [100, 20, None]
    assert changed["weight decay of 0.01"].phases[0].optimizer(9, 0, 9).weight_decay == 0.01
    true, predicted = np.zeros((1, 2, 2, 1)), np.full((1, 2, 2, 1), 0.5)
    loss = changed["a term on the count"].loss()(true, predicted) - plain.loss()(true, predicted)
    assert float(loss) == pytest.approx(0.2, abs=1e-4)

    tiny = replace(plain, goes_on=False, width=1 / 64)
    monkeypatch.setattr(module, "find_recipe", lambda name: tiny)
    samples = [Sample(str(n), draw_crowd(5, size=(64, 96), seed=n).picture, [[9, 9], [20, 30]]) for n in range(3)]
    asked = []
    monkeypatch.setattr(module, "load_dataset", lambda *arguments: asked.append(arguments) or samples)
    arguments = ["csv", "--root", "x", "--out", str(tmp_path), "--init", "none", "--epochs", "1"]
    tables = []
    for _ in range(2):  # the second time what is there is measured
        module.main([*arguments, "--changes", "a term on the count"])
        tables.append([row.split(" | ") for row in capsys.readouterr().out.splitlines()[2:]])
    assert [row[0] for row in tables[0]] == ["| as it is", "| a term on the count"]
    assert [row[3] for row in tables[0]] == [row[3] for row in tables[1]] and " to " in tables[0][1][3]
    assert [row[2] for row in tables[1]] == ["0", "0"]
    assert asked[:2] == [("csv", "x", "train"), ("csv", "x", "val29")]


# --- mean_weights, precise, textures ---------------------------------------------------------------------------------


def test_a_mean_has_its_shares_of_each_network(tmp_path):
    """At a share of half of the run's, the two others have a quarter each; without one all have as much."""
    for name, value in (("run", 1), ("low", 2), ("high", 6)):
        network = CSRNet(width=1 / 64)
        network.set_weights([np.full_like(weight, value) for weight in network.get_weights()])
        save_weights(network, tmp_path / name / "last.weights.h5", {"command": "crowdcount train csv"})
    (tmp_path / "run" / "history.csv").write_text("epoch\n1\n")
    others = [str(tmp_path / name / "last.weights.h5") for name in ("low", "high")]
    for options, value, shares in (
        (["--share", "0.5"], 2.5, "50% of the run's weights and 25% of last.weights.h5, last.weights.h5"),
        ([], 3, "33% of the run's weights and 33% of last.weights.h5, last.weights.h5"),
    ):
        out = tmp_path / f"mean {value}"
        program("mean_weights").main([str(tmp_path / "run"), *others, "--out", str(out), *options])
        mean, _ = load_network(str(out / "last.weights.h5"))
        assert all(np.allclose(weight, value, rtol=1e-2) for weight in mean.get_weights())
        card = model_card(out / "last.weights.h5").content
        assert (card["command"], card["remarks"]) == ("crowdcount train csv", shares)
        assert (out / "history.csv").is_file()


def test_a_mean_has_no_measures_of_one_and_no_other_design(tmp_path):
    """Its ranges were the run's own; of designs whose rates differ the arrays fit."""
    measured = {"validation": {"mae": 1.0}, "calibration": Calibration([1] * 9, [1] * 9).card()}
    for design in "BC":
        card = {"network": network_card(design, 1 / 64), **measured}
        save_weights(CSRNet(design, width=1 / 64), tmp_path / design / "last.weights.h5", card)
        (tmp_path / design / "history.csv").write_text("epoch\n1\n")
    b, c = (str(tmp_path / design / "last.weights.h5") for design in "BC")
    program("mean_weights").main([str(tmp_path / "B"), b, "--out", str(tmp_path / "mean")])
    assert sorted(model_card(tmp_path / "mean" / "last.weights.h5").content) == ["network", "remarks", "sha256"]
    with pytest.raises(SystemExit, match="another design or width"):
        program("mean_weights").main([str(tmp_path / "B"), c, "--out", str(tmp_path / "none")])


def test_a_network_gets_a_share_of_what_another_learned(tmp_path):
    for name, value in (("last", 1), ("after", 6), ("before", 2)):
        network = CSRNet(width=1 / 64)
        network.set_weights([np.full_like(weight, value) for weight in network.get_weights()])
        save_weights(network, tmp_path / f"{name}.weights.h5", {"command": "crowdcount train csv"})
    (tmp_path / "history.csv").write_text("epoch\n1\n")
    difference = [str(tmp_path / f"{name}.weights.h5") for name in ("after", "before")]
    program("mean_weights").main([str(tmp_path), "--add", "0.5", *difference, "--out", str(tmp_path / "out")])
    file = tmp_path / "out" / "last.weights.h5"
    assert all(np.allclose(weight, 3, rtol=1e-2) for weight in load_network(str(file))[0].get_weights())
    told = "50% of what after.weights.h5 has learned since before.weights.h5"
    assert model_card(file).content["remarks"] == told


def test_precise_measures_each_mean_against_the_plain_count(monkeypatch, capsys, rng):
    module = program("precise")
    samples = [
        Sample(str(n), rng.integers(0, 256, (64, 64, 3), np.uint8), rng.uniform(0, 64, (10, 2))) for n in "abcdef"
    ]
    monkeypatch.setattr(module, "load_dataset", lambda *arguments: samples)
    monkeypatch.setattr(module, "load_network", lambda name: (None, None))
    monkeypatch.setattr(module, "looks", lambda network, picture: [12.0, 10.0, 9.0, 9.0])
    module.main(["--root", "nowhere", "--dataset", "csv"])
    rows = [row.split(" | ") for row in capsys.readouterr().out.splitlines()[2:]]
    # Means of 12, of 12 and 10, of 12, 9 and 9, of all: 2, 1, 0 and 0 off 10.
    assert [row[3] for row in rows] == ["2.00", "1.00", "0.00", "0.00"]
    assert [row[5] for row in rows[1:]] == ["-1 (-1 to -1)", "-2 (-2 to -2)", "-2 (-2 to -2)"]


def test_few_dots_train_choose_and_count_pictures_apart(weights, tmp_path, monkeypatch, capsys, rng):
    module = program("few_dots")
    samples = [
        Sample(f"{number:02}", rng.integers(0, 256, (40, 48, 3), np.uint8), rng.uniform(0, 40, (number, 2)))
        for number in range(36)
    ]
    monkeypatch.setattr(module, "load_dataset", lambda *_: samples[::-1])
    runs = []

    def train(learned, chosen, *, out, recipe, init, thing, resume, seed):
        runs.append([*(len(part) for part in (learned, chosen)), recipe, init, thing, resume])
        assert max(sample.name for sample in learned) < min(sample.name for sample in chosen)
        out.mkdir(parents=True)
        shutil.copy(weights, out / "best.weights.h5")

    monkeypatch.setattr(module, "train", train)
    figure = tmp_path / "few.png"
    arguments = ["--root", "x", "--out", str(tmp_path / "runs"), "--thing", "dots", "--figure", str(figure)]
    module.main([*arguments, "--pictures", "16", "4"])
    assert runs == [[3, 1, "few", "general", "dots", False], [14, 2, "few", "general", "dots", False]]
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [row.split(" | ")[:2] for row in rows] == [["| 4", "4"], ["| 16", "4"]]
    assert Image.open(figure).width > 300
    module.main([*arguments, "--pictures", "4"])
    assert len(runs) == 2  # what was trained is counted again
    with pytest.raises(SystemExit):
        module.main([*arguments, "--pictures", "36"])


def test_textures_repeat_without_a_seam(tmp_path, monkeypatch, rng):
    """Each listed file becomes pictures of 640x512, the first in three sizes; every seventh is kept apart."""
    module = program("textures")
    names = [f"package/{number}.png" for number in range(8)]
    (tmp_path / "textures.txt").write_text("\n".join(names))
    (tmp_path / "package").mkdir()
    for name in names:
        Image.fromarray(rng.integers(0, 256, (256, 128, 3), np.uint8)).save(tmp_path / name)
    monkeypatch.setattr(module, "LIST", tmp_path / "textures.txt")
    module.main([str(tmp_path), str(tmp_path / "nobody")])
    made = sorted(path.name for path in (tmp_path / "nobody").iterdir())
    assert made == ["texture_001_0.5.jpg", "texture_001_1.jpg", "texture_001_2.jpg"] + [
        f"texture_{number:03}_1.jpg" for number in range(2, 7)
    ]
    kept = sorted(path.name for path in (tmp_path / "nobody_kept").iterdir())
    assert kept == ["texture_000_0.5.jpg", "texture_000_1.jpg", "texture_000_2.jpg", "texture_007_1.jpg"]
    picture = np.asarray(Image.open(tmp_path / "nobody_kept" / "texture_000_1.jpg"), float)
    assert picture.shape == (512, 640, 3)
    assert abs(picture[:256] - picture[256:]).mean() < 5 < abs(picture[:256, :128] - picture[:256, 64:192]).mean()


def test_drawn_crowds_are_a_data_set(tmp_path):
    module = program("drawn_crowds")
    module.main([str(tmp_path), "--pictures", "2"])
    samples = load_dataset("csv", tmp_path, "all")
    assert sorted(sample.read().shape for sample in samples) == [(480, 640, 3), (768, 1024, 3)]
    assert all(module.FEWEST <= sample.count <= module.MOST for sample in samples)
