"""docs/browser_count.html: an exported network counts in a browser, with nothing but files beside the page."""

import os
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from crowdcount.network.csrnet import CSRNet
from crowdcount.network.export import export_model

PATIENCE = 100_000  # milliseconds: WebAssembly of 14 MB is compiled, on a machine that may be busy
ROOT = Path(__file__).resolve().parents[1]
ORT_FILES = ("ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")


@pytest.fixture(scope="module")
def onnxruntime_web() -> Path:
    """The folder with onnxruntime-web's files, as npm installs it in the checkout; skips where it is not there."""
    folder = Path(os.environ.get("ONNXRUNTIME_WEB") or ROOT / "node_modules" / "onnxruntime-web" / "dist")
    if not all((folder / name).is_file() for name in ORT_FILES):
        pytest.skip("onnxruntime-web is not here (npm install --no-save onnxruntime-web in the checkout)")
    return folder


@pytest.fixture(scope="module")
def folder(onnxruntime_web, tmp_path_factory) -> Path:
    """What a user puts on a web space: the page, three files of onnxruntime-web and a network."""
    pytest.importorskip("tf2onnx", reason='exporting to ONNX needs pip install ".[export]"')
    folder = tmp_path_factory.mktemp("space")
    shutil.copy(ROOT / "docs" / "browser_count.html", folder)
    for name in ORT_FILES:
        shutil.copy(onnxruntime_web / name, folder)
    keras.utils.set_random_seed(7)
    network = CSRNet(width=1 / 16, precision="float32")
    kernel, bias = network.get_layer("density").get_weights()
    network.get_layer("density").set_weights([np.abs(kernel), bias])
    export_model(network, folder / "light.onnx", format="onnx", precision="float16")
    return folder


@pytest.fixture(scope="module")
def address(folder):
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


def _photo(path: Path, height: int, width: int) -> np.ndarray:
    picture = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(picture).save(path)
    return picture


def test_a_picture_is_counted_in_the_browser(browser, address, folder, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(folder / "light.onnx", providers=["CPUExecutionProvider"])
    page, asked = browser.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address + "browser_count.html")
    page.wait_for_selector("#file:enabled", timeout=PATIENCE)
    for height, width in ((67, 93), (128, 200)):  # one after the other; a side that is no multiple of 8
        picture = _photo(tmp_path / f"photo{width}.png", height, width)
        page.evaluate("delete document.getElementById('count').dataset.count")
        page.set_input_files("#file", tmp_path / f"photo{width}.png")
        page.wait_for_selector("#count[data-count], #count.error", timeout=PATIENCE)
        assert page.get_attribute("#count", "class") in (None, ""), page.inner_text("#count")
        (expected,) = session.run(["count"], {"picture": picture[None]})
        assert float(page.get_attribute("#count", "data-count")) == pytest.approx(float(expected[0]), rel=1e-3)
        assert page.inner_text("#count").startswith("about ")
        assert page.evaluate("[heat.width, heat.height]") == [-(-width // 8), -(-height // 8)]
    assert asked and all(url.startswith((address, "blob:")) for url in asked)  # nothing from elsewhere
    page.close()


def test_what_cannot_be_counted_is_told(browser, address, tmp_path):
    page = browser.new_page()
    page.goto(address + "browser_count.html?model=gone.onnx")
    page.wait_for_selector("#count.error", timeout=PATIENCE)
    assert page.inner_text("#count").startswith("gone.onnx cannot be loaded: ") and page.is_disabled("#file")
    page.goto(address + "browser_count.html")
    page.wait_for_selector("#file:enabled", timeout=PATIENCE)
    (tmp_path / "notes.png").write_text("no picture")
    page.set_input_files("#file", tmp_path / "notes.png")
    page.wait_for_selector("#count.error", timeout=PATIENCE)
    assert page.inner_text("#count").startswith("This picture cannot be counted: ") and page.is_enabled("#file")
    _photo(tmp_path / "photo.png", 64, 64)
    page.set_input_files("#file", tmp_path / "photo.png")
    page.wait_for_selector("#seen:visible", timeout=PATIENCE)
    page.set_input_files("#file", tmp_path / "notes.png")
    page.wait_for_selector("#count.error", timeout=PATIENCE)
    assert not page.is_visible("#seen"), "nothing of the picture before stays below the message"
    page.close()


def test_a_page_opened_as_a_file_says_what_to_do(browser, folder):
    page = browser.new_page()
    page.goto((folder / "browser_count.html").as_uri())
    page.wait_for_selector("#count.error", timeout=PATIENCE)
    assert "python -m http.server" in page.inner_text("#count")
    page.close()
