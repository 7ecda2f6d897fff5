"""Shared fixtures. TensorFlow's chatter is silenced before anything imports it."""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest

# Below `nohup` the end of a session is ignored, by the commands, too: their tests send it.
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# `tools` lies beside the package and is not installed. At the end of the path: crowdcount itself is the installed one.
sys.path.append(str(Path(__file__).resolve().parents[1]))


@pytest.fixture(scope="session")
def shanghaitech_root() -> Path:
    """Folder that holds ShanghaiTech's `part_A` and `part_B`; skips where the pictures are not there."""
    named = os.environ.get("CROWDCOUNT_DATA")
    folders = [Path(named)] if named else []
    folders.append(Path(__file__).resolve().parents[2] / "shared" / "data")
    for folder in folders:
        for root in (folder, folder / "ShanghaiTech"):
            if (root / "part_A").is_dir() or (root / "part_A_final").is_dir():
                return root
    pytest.skip("ShanghaiTech is not here (set CROWDCOUNT_DATA to the folder that holds it)")


@pytest.fixture(autouse=True)
def progress_of_nobody(tmp_path_factory, monkeypatch) -> Path:
    """The course keeps what is passed in a file of the learner's; tests have one of their own."""
    file = tmp_path_factory.mktemp("course") / "course.json"
    monkeypatch.setenv("CROWDCOUNT_PROGRESS", str(file))
    return file


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20180618)


def crowd(pictures: int, seed: int = 0, heads: tuple[int, ...] = (1, 30)) -> list:
    """Samples of gray pictures of 128x96 pixels with bright blobs for heads: what a tiny network learns in seconds.

    Each has one of the numbers of `heads`.
    """
    from crowdcount.data.annotations import Sample

    rng = np.random.default_rng(seed)
    samples = []
    for number in range(pictures):
        picture = rng.integers(60, 100, (96, 128, 3)).astype(np.uint8)
        points = rng.uniform(6, 90, (rng.choice(heads), 2)) * (1.3, 1.0)
        for x, y in points.astype(int):
            picture[y - 4 : y + 5, x - 4 : x + 5] = (250, 210, 190)
        samples.append(Sample(f"crowd-{seed}-{number}", picture, points))
    return samples


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> str:
    """Path of a network of a sixteenth of the width with random weights: quick, and all that commands need."""
    import keras

    from crowdcount.network.csrnet import CSRNet
    from crowdcount.network.weight_files import save_weights

    keras.utils.set_random_seed(5)
    card = {"name": "tiny", "network": {"design": "B", "width": 1 / 16}}
    return str(save_weights(CSRNet(width=1 / 16), tmp_path_factory.mktemp("weights") / "tiny.weights.h5", card))


@pytest.fixture(scope="session")
def ranged_weights(weights, tmp_path_factory) -> str:
    """The same network with a card whose calibration makes ranges of thousands, of zones too."""
    import json

    kept = {
        "pictures": 9,
        "true": [5000] * 9,
        "predicted": [10] * 9,
        "quarters": [" ".join(["2000/10.0/1000"] * 4)] * 9,
    }
    kept |= {"density": [1000.0] * 9, "fineness": [1.0] * 9, "brightness": [240.0] * 9}
    path = tmp_path_factory.mktemp("ranged") / "ranged.weights.h5"
    shutil.copy(weights, path)
    card = json.loads(Path(weights.removesuffix(".weights.h5") + ".json").read_text("utf-8"))
    path.with_name("ranged.json").write_text(json.dumps({**card, "name": "ranged", "calibration": kept}), "utf-8")
    return str(path)


@pytest.fixture(scope="session")
def browser():
    """Chromium, driven by Playwright; skips where one of them is missing."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="driving a browser needs pip install playwright")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("there is no Chromium here (apt-get install chromium)")
    with sync_api.sync_playwright() as driver:
        # Containers run as root, where Chromium's own sandbox does not work.
        running = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def small_disk() -> Callable[[int], AbstractContextManager]:
    """`with small_disk(100):` no file can grow beyond 100 bytes, which fails as a full disk does.

    Only within: pytest's own output may go to a file.
    """
    resource = pytest.importorskip("resource", reason="limits on the size of files are Unix's")

    @contextmanager
    def limit(most: int):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limit
