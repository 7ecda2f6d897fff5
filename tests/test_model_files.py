"""Weight files and cards."""

import json
import os
import shutil
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import keras
import numpy as np
import pytest

import crowdcount
from crowdcount import cli
from crowdcount.errors import WeightsError
from crowdcount.files import data_folder
from crowdcount.network import loading
from crowdcount.network.cards import ModelCard, list_models, model_card
from crowdcount.network.csrnet import CSRNet
from crowdcount.network.designs import NARROWEST, NUMBERS, filters_of, width_of
from crowdcount.network.loading import load_model, shared_model
from crowdcount.network.locate import find_weights
from crowdcount.network.weight_files import checksum, load_weights, save_weights
from crowdcount.training.card import network_card
from crowdcount.web.answers import Models

TINY = 1 / 16


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return CSRNet("C", width=TINY)


@pytest.fixture
def file(model, tmp_path):
    return save_weights(model, tmp_path / "own.weights.h5", {"network": network_card("C", TINY), "note": "x"})


def _density(model):
    return model(np.random.default_rng(0).integers(0, 256, (1, 40, 56, 3), dtype=np.uint8)).numpy()


def test_round_trip_in_half_the_size(model, file, tmp_path):
    loaded = load_model(file)
    assert loaded.get_layer("dilated6").dilation_rate == (4, 4)
    np.testing.assert_allclose(_density(loaded), _density(model), rtol=0.01, atol=1e-4)
    model.save_weights(tmp_path / "whole.weights.h5")
    assert file.stat().st_size < 0.75 * (tmp_path / "whole.weights.h5").stat().st_size
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own.json", "own.weights.h5", "whole.weights.h5"]


def test_compiled_model_is_no_larger(model, file, tmp_path):
    """Keras keeps the optimizer's moments with a compiled model's weights; a shipped file must not."""
    trained = CSRNet("C", width=TINY)
    trained.compile("adam", "mse", jit_compile=False)
    trained.train_on_batch(np.zeros((1, 16, 16, 3), "uint8"), np.zeros((1, 2, 2, 1)))
    saved = save_weights(trained, tmp_path / "trained.weights.h5")
    assert saved.stat().st_size < 1.05 * file.stat().st_size
    np.testing.assert_allclose(_density(CSRNet("C", TINY, weights=saved)), _density(trained), rtol=0.01, atol=1e-4)


def test_keras_reads_the_file_itself(model, file):
    plain = CSRNet("C", width=TINY)
    plain.load_weights(file)
    np.testing.assert_allclose(_density(plain), _density(model), rtol=0.01, atol=1e-4)
    assert plain.get_layer("density").kernel.dtype == "float32"


def test_constructor_takes_a_file(model, file):
    np.testing.assert_allclose(_density(CSRNet("C", TINY, weights=file)), _density(model), rtol=0.01, atol=1e-4)


def test_threads_that_ask_at_once_share_one_network(tmp_path, monkeypatch):
    file = save_weights(CSRNet(width=1 / 64), tmp_path / "tiny.weights.h5")
    loaded, load = [], loading._load

    def slow(path, precision):
        loaded.append(path)
        time.sleep(0.2)
        return load(path, precision)

    monkeypatch.setattr(loading, "_load", slow)
    with ThreadPoolExecutor(4) as threads:
        first, *others = threads.map(shared_model, [file] * 4)
    assert len(loaded) == 1 and all(other is first for other in others)


def test_no_random_numbers_are_drawn_where_weights_are_read_and_a_copy_has_its_own(tmp_path, monkeypatch):
    drawn = CSRNet(width=1 / 16)
    file = save_weights(drawn, tmp_path / "tiny.weights.h5")
    with monkeypatch.context() as patch:
        patch.setattr(keras.initializers.HeNormal, "__call__", None)
        model = CSRNet(weights=file)
    assert model.get_config() == drawn.get_config()
    for layer, copy in zip(model.layers, keras.models.clone_model(model).layers, strict=True):
        if layer.weights:
            assert np.std(copy.get_weights()[0]) > 0 and not np.allclose(copy.get_weights()[0], layer.get_weights()[0])


def test_counting_loads_once_until_the_file_changes(model, file):
    first = shared_model(file)
    assert shared_model(file) is first
    save_weights(CSRNet("D", width=TINY), file, {"network": network_card("D", TINY)})
    assert shared_model(file) is not first


def test_a_model_that_is_trained_further_leaves_the_counts_by_its_file_alone(file):
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    before = crowdcount.count(picture, model=file).count
    loaded = load_model(file)
    loaded.set_weights([1.1 * weights for weights in loaded.get_weights()])
    assert crowdcount.count(picture, model=loaded).count != pytest.approx(before)
    assert crowdcount.count(picture, model=file).count == before


@pytest.mark.parametrize(
    "network",
    [
        None,
        {"width": None},
        {"design": "E"},
        {"design": ["B"]},
        {"width": "wide"},
        {"width": True},
        {"width": 0},
        ["B"],
        "B",
        {"design": "C", "rates": {"dilated9": 2}},
        {"design": "C", "rates": [2, 2, 2, 4, 4, 4]},
        {"design": "B", "rates": {"dilated1": 1}},
    ],
)
def test_a_card_that_describes_no_network_is_told(model, file, network):
    card_file = file.with_name("own.json")
    card_file.write_text(json.dumps({**json.loads(card_file.read_text()), "network": network}))
    if network in (None, {"width": None}):  # as without a card: design B of the stored width
        assert load_model(file).count_params() == model.count_params()
    else:
        with pytest.raises(WeightsError, match=r"own\.json: '(network|design|width|rates)' must be .* Received: "):
            load_model(file)


def test_file_without_a_card_is_design_b_of_its_width(model, file):
    file.with_name("own.json").unlink()
    loaded = load_model(file)
    assert loaded.get_layer("dilated6").dilation_rate == (2, 2)
    assert loaded.count_params() == model.count_params()
    assert model_card(file) == ModelCard()


@pytest.mark.parametrize("width", [1 / 64, 0.1, 0.13, 0.3, 1 / 3])
def test_weights_that_keras_saved_are_of_any_width(width, tmp_path):
    """The filters of the first layer alone tell a width that is no whole number of 64ths wrongly."""
    model = CSRNet(width=width)
    model.save_weights(tmp_path / "plain.weights.h5")
    np.testing.assert_array_equal(_density(load_model(tmp_path / "plain.weights.h5")), _density(model))


def test_the_filters_of_a_network_tell_its_width():
    for width in np.geomspace(NARROWEST, 1, 300):
        filters = [filters_of(number, width) for number in NUMBERS]
        assert [filters_of(number, width_of(filters)) for number in NUMBERS] == filters


def test_keras_file(model, tmp_path):
    model.save(tmp_path / "x.keras")
    np.testing.assert_allclose(_density(load_model(tmp_path / "x.keras")), _density(model), rtol=1e-5)


def test_keras_file_of_something_else(tmp_path):
    inputs = keras.Input((4,))
    keras.Model(inputs, keras.layers.Dense(2)(inputs)).save(tmp_path / "dense.keras")
    with pytest.raises(WeightsError, match="no crowd counter"):
        load_model(tmp_path / "dense.keras")
    (tmp_path / "text.keras").write_text("no model")
    with pytest.raises(WeightsError, match="text.keras is cut off or no model"):
        load_model(tmp_path / "text.keras")
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as file:
        file.writestr("readme.txt", "no model")
    with pytest.raises(WeightsError, match="not a model that Keras can open"):
        load_model(tmp_path / "other.keras")


def test_a_link_has_the_card_beside_it(file, tmp_path):
    """As where a store keeps its files by their checksums and links to them by name."""
    store = tmp_path / "blobs"
    store.mkdir()
    file.rename(store / "abcd1234")
    file.symlink_to(store / "abcd1234")
    assert load_model(file).get_layer("dilated6").dilation_rate == (4, 4)


def test_a_link_alone_has_the_card_of_what_it_leads_to(file, tmp_path):
    link = tmp_path / "elsewhere" / "mine.weights.h5"
    link.parent.mkdir()
    link.symlink_to(file)
    assert model_card(link).content["note"] == "x"
    assert load_model(link).get_layer("dilated6").dilation_rate == (4, 4)


def test_weights_of_csrnet_fit_no_other_network(file):
    other = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(1, 3)])
    with pytest.raises(WeightsError, match="Received another network"):
        load_weights(other, file)


def test_cut_off_file(file):
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="cut off or changed"):
        load_model(file)
    file.with_name("own.json").unlink()
    with pytest.raises(WeightsError, match="cut off or no weight file"):
        load_model(file)


def test_wrong_width_and_design(file):
    with pytest.raises(
        WeightsError, match=r"width 0.0625, the model has width 0.125: .*\(width=0.0625\), --width 0.0625"
    ):
        load_weights(CSRNet("C", width=1 / 8), file)
    with pytest.raises(WeightsError, match=r"design 'C'.*CSRNet\(design='C'\), --design C\."):
        load_weights(CSRNet("B", width=TINY), file)


def test_missing_model_names_those_there_are(monkeypatch, tmp_path, file):
    monkeypatch.setattr("crowdcount.network.locate.data_folder", lambda name: tmp_path)
    with pytest.raises(WeightsError, match="'nobody'. Models that come with crowdcount: own"):
        load_model("nobody")
    assert [card["note"] for card in list_models()] == ["x"]
    assert find_weights("own") == file


def test_a_named_model_of_another_width_and_design_opens_everywhere(monkeypatch, tmp_path, model, capsys):
    """As `light`: nobody who names it says how wide it is."""
    card = {"name": "light", "network": network_card("C", TINY), "pictures": 3, "recipe": "light"}
    save_weights(model, tmp_path / "light.weights.h5", card)
    monkeypatch.setattr("crowdcount.network.locate.data_folder", lambda name: tmp_path)
    wanted, picture = _density(model), np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)
    for opened in (CSRNet(weights="light"), load_model("light"), CSRNet("C", TINY, weights="light")):
        np.testing.assert_allclose(_density(opened), wanted, rtol=0.02, atol=1e-3)
    assert crowdcount.count(picture, model="light", scale=1).count == pytest.approx(float(wanted.sum()), rel=0.02)
    with pytest.raises(WeightsError, match=r"CSRNet\(width=0.0625\)"):
        CSRNet(width=1 / 32, weights="light")
    with pytest.raises(WeightsError, match=r"CSRNet\(design='C'\)"):
        CSRNet("B", weights="light")
    assert cli.main(["models"]) == 0
    assert capsys.readouterr().out.startswith("light: trained on 3 pictures, recipe light")


def test_folder_and_wrong_ending(tmp_path, model):
    with pytest.raises(WeightsError, match="is a folder"):
        load_model(tmp_path)
    with pytest.raises(WeightsError, match="ends in .weights.h5"):
        save_weights(model, tmp_path / "x.h5")
    (tmp_path / "x.bin").write_bytes(b"")
    with pytest.raises(WeightsError, match="no network that can be opened.*Wanted is a file .weights.h5"):
        load_weights(model, tmp_path / "x.bin")


def test_a_card_that_was_edited_on_windows(file):
    card_file = file.with_name("own.json")
    card = json.loads(card_file.read_text())
    card_file.write_text(json.dumps({**card, "sha256": f" {card['sha256'].upper()}\n"}), "utf-8-sig")
    load_model(file)


def test_damaged_card(file):
    file.with_name("own.json").write_text("{")
    with pytest.raises(WeightsError, match="own.json cannot be read"):
        load_model(file)
    file.with_name("own.json").write_text("[]")
    with pytest.raises(WeightsError, match="must be a JSON object"):
        load_model(file)


def test_failed_save_leaves_the_old_file(file, monkeypatch, model):
    before = file.read_bytes()

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr("crowdcount.network.weight_files._copy_as_float16", full)
    with pytest.raises(OSError, match="No space"):
        save_weights(model, file)
    assert file.read_bytes() == before
    assert sorted(path.name for path in file.parent.iterdir()) == ["own.json", "own.weights.h5"]


def test_weights_saved_without_a_card_leave_none_that_is_not_theirs(model, tmp_path):
    path = save_weights(model, tmp_path / "mine.weights.h5", {"network": network_card("C", TINY)})
    other = CSRNet(width=1 / 32)
    save_weights(other, path)
    assert not (tmp_path / "mine.json").exists()
    assert load_model(path).count_params() == other.count_params()


def test_a_weight_too_large_for_half_precision_is_kept(tmp_path):
    network = CSRNet(width=1 / 64)
    kernel, bias = network.get_layer("dilated1").get_weights()
    kernel[0, 0, 0, 0] = 1e5
    network.get_layer("dilated1").set_weights([kernel, bias])
    again = load_model(save_weights(network, tmp_path / "mine.weights.h5"))
    assert again.get_layer("dilated1").get_weights()[0][0, 0, 0, 0] == 1e5


@pytest.mark.parametrize("with_card", [True, False])
@pytest.mark.parametrize("moment", [1, 2, 3])
def test_weights_that_are_replaced_have_their_card_at_every_moment(tmp_path, monkeypatch, moment, with_card):
    """A run that was killed between the two files left weights that were refused as cut off."""
    path = tmp_path / "best.weights.h5"
    networks = [CSRNet("B", 1 / 64), CSRNet("B", 1 / 32)]
    save_weights(networks[0], path, {"note": "first", "network": {"width": 1 / 64}})
    if not with_card:
        path.with_name("best.json").unlink()
    replaced = []

    def killed(source, target, replace=os.replace):
        if len(replaced) == moment:
            raise KeyboardInterrupt
        replaced.append(Path(target).name)
        replace(source, target)

    monkeypatch.setattr("crowdcount.files.os.replace", killed)
    with pytest.raises(KeyboardInterrupt) if moment < 3 else nullcontext():
        save_weights(networks[1], path, {"note": "second", "network": {"width": 1 / 32}})
    assert replaced == ["best.json", "best.weights.h5", "best.json"][:moment]
    loaded, content = load_model(path), model_card(path).content
    first = moment == 1
    assert loaded.get_layer("block1_conv1").filters == (1 if first else 2)
    assert content.get("note") == (("first" if with_card else None) if first else "second")
    assert "before" not in content
    assert ("before" in json.loads(path.with_name("best.json").read_text())) == (moment < 3)


def test_shipped_weights_match_their_cards():
    folder = data_folder("weights")
    for path in sorted(folder.glob("*.weights.h5")):
        card = json.loads(path.with_name(path.name.replace(".weights.h5", ".json")).read_text())
        assert card["sha256"] == checksum(path)
        assert card["name"] == path.name.removesuffix(".weights.h5")


def test_shipped_model_survives_a_move(tmp_path):
    """Found by file name, wherever it lies."""
    source = data_folder("weights") / "general.weights.h5"
    shutil.copy(source, tmp_path / "moved.weights.h5")
    assert load_model(tmp_path / "moved.weights.h5").count_params() == 16_263_489


def test_one_unreadable_card_hides_no_other_model(monkeypatch, tmp_path, file, capsys):
    monkeypatch.setattr("crowdcount.network.locate.data_folder", lambda name: tmp_path)
    shutil.copy(file, tmp_path / "broken.weights.h5")
    (tmp_path / "broken.json").write_text("{", "utf-8")
    broken, own = list_models()
    assert own["note"] == "x" and broken["name"] == "broken" and "broken.json" in broken["fault"]
    assert cli.main(["models"]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("own:") and "broken.json cannot be read" in err
    assert [card["name"] for card in Models("own").cards] == ["own"]
    with pytest.raises(WeightsError, match="broken.json"):
        Models("broken")
