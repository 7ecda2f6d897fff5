"""Shared fixtures. TensorFlow's chatter is silenced before anything imports it."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest


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


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20180618)
