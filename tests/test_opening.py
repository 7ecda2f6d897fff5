"""Every notebook opens in one click: its first cells are those that `python -m tools.opening` writes."""

import importlib.util
import subprocess
from pathlib import Path

import nbformat
import pytest

from tools.opening import BADGES_ID, INSTALL_ID, READMES, badges, install_code, rewrite, with_opening
from tools.repository import NOTEBOOKS, Repository, SettingError, repository

HERE = Repository("somebody", "crowds")
PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))


@pytest.fixture
def copied(tmp_path):
    """A notebook of the course, copied, and what it was."""
    path = tmp_path / PATHS[2].name
    path.write_text(PATHS[2].read_text("utf-8"), "utf-8")
    return path


def setting(folder, url):
    path = folder / "setup.cfg"
    path.write_text(f"[metadata]\nname = x\n{url}\n", "utf-8")
    return path


@pytest.mark.parametrize("end", ["", "/", ".git"])
def test_the_address_is_one_line_of_setup_cfg(end, tmp_path):
    assert repository(setting(tmp_path, f"url = https://github.com/somebody/crowds{end}")) == HERE


def test_without_an_address_there_is_no_repository(tmp_path):
    assert repository(setting(tmp_path, "")) is None


@pytest.mark.parametrize("url", ["https://example.org/crowds", "github.com/somebody/crowds", "https://github.com/x"])
def test_another_address_is_refused(url, tmp_path):
    with pytest.raises(SettingError, match="Received: url="):
        repository(setting(tmp_path, f"url = {url}"))


def test_badges_name_the_notebook_in_every_place():
    text = badges(HERE, "05b_training_well.ipynb")
    for place in (
        "https://colab.research.google.com/github/somebody/crowds/blob/main/notebooks/05b_training_well.ipynb",
        "?src=https://github.com/somebody/crowds/blob/main/notebooks/05b_training_well.ipynb",
        "https://mybinder.org/v2/gh/somebody/crowds/main?labpath=notebooks%2F05b_training_well.ipynb",
    ):
        assert f"{place})" in text


@pytest.mark.parametrize("where", [None, HERE])
def test_all_other_cells_stay_as_they_were(where, copied):
    before = nbformat.read(copied, as_version=4)
    before.cells = [cell for cell in before.cells if cell.get("id") not in (BADGES_ID, INSTALL_ID)]
    nbformat.write(before, copied)
    assert rewrite(copied, where)
    after = nbformat.read(copied, as_version=4)
    nbformat.validate(after)
    opening = [cell.get("id") for cell in after.cells if cell not in before.cells]
    assert opening == [INSTALL_ID] if where is None else [BADGES_ID, INSTALL_ID]
    assert after.cells[0] == before.cells[0]
    kept = [cell for cell in before.cells if cell.get("id") not in (BADGES_ID, INSTALL_ID)]
    assert [cell for cell in after.cells if cell.get("id") not in (BADGES_ID, INSTALL_ID)] == kept


def test_writing_twice_changes_nothing_and_an_address_can_go(copied):
    rewrite(copied, HERE)
    assert not rewrite(copied, HERE)
    assert rewrite(copied, None)
    assert "mybinder" not in copied.read_text("utf-8")


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_committed_notebooks_agree_with_the_setting(path):
    notebook = nbformat.read(path, as_version=4)
    agrees = with_opening(notebook, path.name, repository()) == notebook
    assert agrees, "run: python -m tools.opening"


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.parent.name)
def test_readmes_show_badges_once_there_is_an_address(readme, tmp_path):
    path = tmp_path / "README.md"
    path.write_text(readme.read_text("utf-8"), "utf-8")
    rewrite(path, None)
    without = path.read_text("utf-8")
    assert "Open in" not in without
    assert rewrite(path, HERE) and not rewrite(path, HERE)
    assert badges(HERE, PATHS[0].name) in path.read_text("utf-8")
    assert rewrite(path, None) and path.read_text("utf-8") == without
    path.write_text(readme.read_text("utf-8"), "utf-8")
    assert not rewrite(path, repository()), "run: python -m tools.opening"


@pytest.fixture
def missing(monkeypatch):
    """crowdcount seems to be missing; the commands that are run are collected, and succeed while `status` is 0."""
    ran = []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    status = {"code": 0}

    def run(command):
        ran.append(command)
        return subprocess.CompletedProcess(command, status["code"])

    monkeypatch.setattr(subprocess, "run", run)
    return ran, status


@pytest.mark.parametrize("where", [None, HERE])
def test_where_crowdcount_is_there_nothing_happens(where, capfd, monkeypatch):
    monkeypatch.setattr(subprocess, "run", None)  # would fail if it were called
    exec(install_code(where), {})
    assert capfd.readouterr() == ("", "")


def test_elsewhere_it_comes_from_the_repository(missing, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(install_code(HERE), {})
    assert missing[0][0][-1] == "crowdcount-csrnet[course] @ git+https://github.com/somebody/crowds"


@pytest.mark.parametrize("where", [None, HERE])
def test_beside_a_checkout_it_comes_from_there(where, missing, monkeypatch):
    monkeypatch.chdir(NOTEBOOKS)
    exec(install_code(where), {})
    assert missing[0][0][-1] == f"{NOTEBOOKS.parent}[course]"


def test_what_cannot_be_installed_is_said_plainly(missing, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="pip install"):
        exec(install_code(None), {})
    missing[1]["code"] = 1
    with pytest.raises(ModuleNotFoundError, match="internet"):
        exec(install_code(HERE), {})


def test_binder_installs_what_notebooks_need():
    folder = Path(NOTEBOOKS.parent, "binder")
    assert ".[notebooks]" in (folder / "requirements.txt").read_text("utf-8").splitlines()
    major, minor = (folder / "runtime.txt").read_text("utf-8").strip().removeprefix("python-").split(".")
    assert (3, 10) <= (int(major), int(minor)) < (3, 14)
