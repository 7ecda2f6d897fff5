"""Exported networks: each format counts the same in its own runtime, and what goes wrong is said."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
import pytest

from crowdcount import cli
from crowdcount.errors import CrowdCountError, DataError
from crowdcount.network import export
from crowdcount.network.csrnet import CSRNet
from crowdcount.network.export import export_model

DOCS = Path(__file__).resolve().parents[1] / "docs" / "export.md"
# Sides that are multiples of 8 and of 16 and that are not, one after the other through the same loaded file.
SIZES = ((64, 64), (67, 93), (7, 9), (40, 128))


@pytest.fixture(scope="module")
def model():
    """Design C has both dilation rates; bfloat16, as on machines that have it; every cell alive."""
    keras.utils.set_random_seed(11)
    model = CSRNet("C", width=1 / 16, precision="mixed_bfloat16")
    rng = np.random.default_rng(11)
    for layer in model.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, rng.uniform(0, 0.1, bias.shape)])
    kernel, bias = model.get_layer("density").get_weights()
    model.get_layer("density").set_weights([np.abs(kernel), bias])
    return model


@pytest.fixture(scope="module")
def truth(model):
    """The network itself, in float32."""
    network = CSRNet("C", width=1 / 16, precision="float32")
    network.set_weights(model.get_weights())
    return lambda pictures: network(pictures).numpy()[..., 0]


def pictures(height, width, batch=1):
    return np.random.default_rng(height).integers(0, 256, (batch, height, width, 3), dtype=np.uint8)


def assert_same(found, truth, batch, share):
    """The same count to `share` of it; the map is its own sum."""
    expected = truth(batch)
    assert found["density"].shape == expected.shape
    assert found["density"].dtype == found["count"].dtype == np.float32
    np.testing.assert_allclose(found["count"], expected.sum((1, 2)), rtol=share)
    np.testing.assert_allclose(found["density"].sum((1, 2)), found["count"], rtol=1e-5)
    np.testing.assert_allclose(found["density"], expected, atol=4 * share * expected.max())


# --- Each format in its own runtime -------------------------------------------------------------------------


def test_saved_model_counts_the_same(tmp_path, model, truth):
    import tensorflow as tf

    path = export_model(model, tmp_path / "tiny", format="saved_model")
    loaded = tf.saved_model.load(path)  # TensorFlow lets go of the weights with it
    for size in SIZES:
        found = {name: value.numpy() for name, value in loaded.serve(pictures(*size)).items()}
        assert_same(found, truth, pictures(*size), 1e-4)
    batch = pictures(16, 24, batch=3)
    assert_same({name: value.numpy() for name, value in loaded.serve(batch).items()}, truth, batch, 1e-4)
    assert [item.name for item in tmp_path.iterdir()] == ["tiny"]
    (stored,) = path.glob("variables/variables.data*")
    assert stored.stat().st_size < 1.1 * 4 * model.count_params()  # each weight once


@pytest.fixture(scope="module")
def onnx_files(tmp_path_factory, model):
    """One conversion, the slow part, for the three precisions: the rest works on the converted graph."""
    import tf2onnx

    folder, convert, made = tmp_path_factory.mktemp("onnx"), tf2onnx.convert.from_function, []

    def once(*arguments, **options):
        made[:] = made or [convert(*arguments, **options)[0].SerializeToString()]
        import onnx

        return onnx.load_from_string(made[0]), None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf2onnx.convert, "from_function", once)
        return {
            precision: export_model(model, folder / f"{precision}.onnx", format="onnx", precision=precision)
            for precision in export.PRECISIONS
        }


@pytest.mark.parametrize("precision, share", [("float32", 1e-4), ("float16", 0.005), ("int8", 0.03)])
def test_onnx_counts_the_same(onnx_files, truth, precision, share):
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(onnx_files[precision], providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == ["batch", "height", "width", 3]
    names = [item.name for item in session.get_outputs()]
    for batch in (*(pictures(*size) for size in SIZES), pictures(16, 24, batch=3)):
        assert_same(dict(zip(names, session.run(None, {"picture": batch}))), truth, batch, share)


@pytest.mark.parametrize("precision, share", [("float32", 1e-4), ("float16", 0.005), ("int8", 0.03)])
def test_litert_counts_the_same(tmp_path, model, truth, precision, share):
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    path = export_model(model, tmp_path / "tiny.tflite", format="litert", precision=precision)
    run = interpreter.Interpreter(str(path)).get_signature_runner()
    for batch in (*(pictures(*size) for size in SIZES), pictures(16, 24, batch=3)):
        assert_same(run(picture=batch), truth, batch, share)


def test_fewer_bits_make_smaller_files(onnx_files):
    whole, half, quarter = (onnx_files[precision].stat().st_size for precision in export.PRECISIONS)
    assert half < 0.62 * whole
    assert quarter < 0.45 * whole


def test_a_filter_of_zeros_stays_zero_in_int8():
    onnx = pytest.importorskip("onnx")
    kernel = np.random.default_rng(3).normal(0, 1, (4, 2, 3, 3)).astype("float32")
    kernel[1] = 0
    node = onnx.helper.make_node("Conv", ["x", "kernel"], ["y"])
    graph = onnx.helper.make_graph([node], "g", [], [], [onnx.numpy_helper.from_array(kernel, "kernel")])
    export.shrink(graph, "int8")
    stored = {item.name: onnx.numpy_helper.to_array(item) for item in graph.initializer}
    assert stored["kernel"].dtype == np.int8
    restored = stored["kernel"] * stored["kernel/scale"][:, None, None, None]
    assert (restored[1] == 0).all()
    # Rounded to the nearest of 255 steps of each filter's own range.
    assert (np.abs(restored - kernel).max((1, 2, 3)) <= np.abs(kernel).max((1, 2, 3)) / 254 + 1e-6).all()


# --- Where it is written ------------------------------------------------------------------------------------


def test_a_file_is_replaced_and_a_full_folder_is_not(tmp_path, model, monkeypatch):
    file, folder = tmp_path / "a.tflite", tmp_path / "kept"
    file.write_bytes(b"old")
    folder.mkdir()
    (folder / "photo.jpg").touch()
    monkeypatch.setattr(export, "_litert", lambda *_: b"new")
    export_model(model, file, format="litert")
    assert file.read_bytes() == b"new"
    with pytest.raises(DataError, match="not empty"):
        export_model(model, folder)
    assert [item.name for item in folder.iterdir()] == ["photo.jpg"]


@pytest.mark.parametrize("format, name", [("saved_model", "new"), ("litert", "new.tflite")])
def test_a_failure_leaves_nothing(tmp_path, model, monkeypatch, format, name):
    def fail(model, folder):
        (folder / "half").touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "_write_saved_model", fail)
    with pytest.raises(OSError, match="No space"):
        export_model(model, tmp_path / name, format=format)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format, name", [("saved_model", "new"), ("litert", "new.tflite")])
def test_a_full_disk_is_one_clear_error(tmp_path, weights, monkeypatch, capsys, small_disk, format, name):
    """TensorFlow writes with errors of its own; a LiteRT file begins as a SavedModel elsewhere."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with small_disk(20_000):
        status = cli.main(["export", "--model", weights, "--format", format, "--out", str(tmp_path / name)])
    output = capsys.readouterr()
    *_, last = output.err.splitlines()
    assert (status, output.out) == (1, "")
    assert last.startswith(f"crowdcount: error: cannot write {tmp_path / name}: File too large")
    assert (f"the folder for temporary files, {temporary} (set TMPDIR" in last) == (format == "litert")
    assert "Op:" not in last
    # TensorFlow removes the code that it generates when the process ends.
    left = [path for path in temporary.iterdir() if not path.name.startswith("__autograph_generated_file")]
    assert list(tmp_path.iterdir()) == [temporary] and left == []


@pytest.mark.parametrize("there", [True, False])
def test_the_target_of_a_link_becomes_the_saved_model(tmp_path, model, monkeypatch, there):
    if there:
        (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to("target")
    monkeypatch.setattr(export, "_write_saved_model", lambda model, folder: (folder / "saved_model.pb").touch())
    export_model(model, tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "target" / "saved_model.pb").exists()


def test_the_folder_that_one_is_in_is_not_replaced(tmp_path, model, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="the folder that you are in"):
        export_model(model, ".")
    assert tmp_path.is_dir()


def test_an_empty_folder_becomes_the_saved_model(tmp_path, model, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(export, "_write_saved_model", lambda model, folder: (folder / "saved_model.pb").touch())
    export_model(model, tmp_path / "empty")
    assert [str(item.relative_to(tmp_path)) for item in tmp_path.rglob("*.pb")] == ["empty/saved_model.pb"]


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("a.pb", {"format": "coreml"}, "one of saved_model, onnx, litert.*'coreml'"),
        ("a.onnx", {"format": "onnx", "precision": "int4"}, "one of float32, float16, int8.*'int4'"),
        ("a", {"precision": "int8"}, "float32 only.*onnx or litert"),
        ("a.onnx", {"format": "saved_model"}, "folder.*a.onnx"),
        ("a.tflite", {"format": "onnx"}, r"ends in \.onnx.*a\.tflite"),
        ("a", {"format": "litert"}, r"ends in \.tflite"),
        ("folder.tflite", {"format": "litert"}, "is a folder"),
        ("file", {"format": "saved_model"}, "is a file"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, name, options, message):
    (tmp_path / "folder.tflite").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=message):
        export_model("no network is loaded", tmp_path / name, **options)
    assert len(list(tmp_path.iterdir())) == 2


def test_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(CrowdCountError, match=re.escape('pip install ".[export]"')):
        export_model("no network is loaded", tmp_path / "a.onnx", format="onnx")


def test_a_network_that_is_no_graph_of_layers_is_refused(tmp_path):
    class Counter(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(CrowdCountError, match="layer by layer"):
        export_model(Counter(), tmp_path / "a")


def test_a_layer_that_onnx_has_no_operation_for_is_refused(tmp_path):
    pytest.importorskip("tf2onnx")
    inputs = keras.Input((None, None, 3))
    hidden = keras.layers.Conv2D(4, 8, strides=8, padding="same", activation="gelu")(inputs)
    network = keras.Model(inputs, keras.layers.Conv2D(1, 1)(hidden), name="mine")
    with pytest.raises(CrowdCountError, match="'mine' cannot be written as ONNX: No Op registered for Erfc"):
        export_model(network, tmp_path / "a.onnx", format="onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format", ["saved_model", "litert"])
def test_a_layer_that_needs_to_know_the_size_is_refused(tmp_path, format):
    inputs = keras.Input((None, None, 3))
    hidden = keras.layers.Conv2D(1, 16, strides=16, padding="same")(inputs)
    network = keras.Model(inputs, keras.layers.UpSampling2D(2, interpolation="bicubic")(hidden), name="mine")
    with pytest.raises(CrowdCountError, match="'mine' cannot be written for pictures of any size: .*UpSampling2D"):
        export_model(network, tmp_path / ("a" if format == "saved_model" else "a.tflite"), format=format)
    assert list(tmp_path.iterdir()) == []


def test_a_layer_that_cannot_tell_its_configuration_is_refused(tmp_path):
    class Applied(keras.layers.Layer):
        def __init__(self, function):
            super().__init__()
            self.function = function

        def call(self, inputs):
            return self.function(inputs)

    inputs = keras.Input((None, None, 3))
    outputs = keras.layers.Conv2D(1, 8, strides=8)(Applied(lambda values: values / 255)(inputs))
    with pytest.raises(CrowdCountError, match="layer by layer"):
        export_model(keras.Model(inputs, outputs), tmp_path / "a")


# --- The command --------------------------------------------------------------------------------------------


def test_command_writes_quietly(tmp_path, weights):  # noqa: F811
    """In a process of its own, where TensorFlow has everything to say."""
    out = tmp_path / "tiny.tflite"
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    command = ["export", "--model", weights, "--format", "litert", "--int8", "--out", str(out)]
    done = subprocess.run(
        [sys.executable, "-m", "crowdcount", *command],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{out}\t{out.stat().st_size / 1e6:.1f} MB\n"
    assert done.stderr.splitlines() == [f"crowdcount: converting {weights}, which takes up to a minute"]


def test_command_passes_everything_on(tmp_path, capsys, monkeypatch):
    asked = []
    monkeypatch.setattr(export, "_onnx", lambda model, precision: asked.append((model.name, precision)) or b"12345678")
    monkeypatch.setattr(export, "load_network", lambda name: (CSRNet(width=1 / 64, name=name), name))
    for option, precision in (("", "float32"), ("--float16", "float16"), ("--int8", "int8")):
        arguments = ["export", "--model", "light", "--format", "onnx", "--out", str(tmp_path / "a.onnx")]
        assert cli.main(arguments + option.split()) == 0
        assert asked.pop() == ("light", precision)
    assert capsys.readouterr().out.splitlines() == [f"{tmp_path / 'a.onnx'}\t0.0 MB"] * 3


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions as POSIX has them")
def test_command_tells_what_went_wrong(tmp_path, capsys, weights):  # noqa: F811
    file = tmp_path / "file"
    file.touch()
    for arguments, message in (
        (["--format", "litert", "--out", tmp_path / "a.onnx"], "ends in .tflite"),
        (["--format", "litert", "--out", file / "a.tflite"], f"cannot write {file / 'a.tflite'}"),
        (["--format", "saved_model", "--int8", "--out", tmp_path / "a"], "float32 only"),
        (["--format", "litert", "--out", tmp_path / "a.tflite", "--model", "nobody"], "'nobody'"),
    ):
        assert cli.main(["export", "--model", weights, *map(str, arguments)]) == 1
        output = capsys.readouterr()
        assert output.out == ""
        assert message in output.err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == [file]


def test_command_tells_a_mistyped_name_before_it_imports_keras(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("crowdcount.cli.export.import_keras", lambda: pytest.fail("which takes seconds"))
    assert cli.main(["export", "--model", "genral", "--format", "onnx", "--out", str(tmp_path / "a.onnx")]) == 1
    assert "named 'genral'" in capsys.readouterr().err


def test_command_knows_the_formats(capsys):
    from crowdcount.cli.export import FORMATS

    assert tuple(export.FORMATS) == FORMATS
    with pytest.raises(SystemExit, match="2"):
        cli.main(["export", "--format", "coreml", "--out", "a"])
    assert "coreml" in capsys.readouterr().err


# --- The page -----------------------------------------------------------------------------------------------


def test_the_page_counts_the_same_in_every_runtime(tmp_path, model, truth, onnx_files, monkeypatch, capsys):
    """Its blocks in order, `general` being a tiny network that is converted to ONNX already."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("ai_edge_litert")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(export, "load_network", lambda name: (model, name))
    monkeypatch.setattr(export, "_onnx", lambda _, precision: onnx_files[precision].read_bytes())
    names, counts = {}, []
    for language, block in re.findall(r"```(bash|python)\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL):
        if language == "bash":
            for line in block.splitlines()[1:]:
                assert cli.main(line.split()[1:]) == 0
            capsys.readouterr()
        else:
            exec(compile(block, DOCS.name, "exec"), names)  # noqa: S102
            counts += capsys.readouterr().out.splitlines()
    expected = truth(names["picture"][np.newaxis]).sum()
    assert [float(count) for count in counts[:-1]] == pytest.approx([expected] * 3, rel=0.03)
    assert counts[-1] == "general_half.tflite"
