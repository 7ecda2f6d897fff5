"""What an ordinary install gets, and that the examples in the documentation run."""

import configparser
import doctest
import importlib
import os
import pkgutil
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import crowdcount

CHECKOUT = Path(__file__).resolve().parents[1]
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(crowdcount.__path__, "crowdcount.")
    if not module.name.startswith(("crowdcount.__main__", "crowdcount._", "crowdcount.course."))
)
TEST_COMMAND = 'pip install -e ".[test]" && pytest'


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of a copy of the checkout where somebody also keeps photos that may not be passed on."""
    if not (CHECKOUT / "setup.cfg").exists():
        pytest.skip("the tests don't run from a checkout")
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("crowdcount", "weights"):
        shutil.copytree(CHECKOUT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    # Only our own: data sets of others may lie there too, and be large. They are stood for by files below.
    shutil.copytree(CHECKOUT / "datasets" / "drawn", copy / "datasets" / "drawn")
    for path in (CHECKOUT / "datasets").glob("sample.*"):
        shutil.copy(path, copy / "datasets")
    for name in ("setup.cfg", "setup.py", "pyproject.toml", "MANIFEST.in", "LICENSE", "README.md"):
        if (CHECKOUT / name).exists():
            shutil.copy(CHECKOUT / name, copy / name)
    private = copy / "datasets" / "ShanghaiTech" / "part_A" / "train_data" / "images"
    private.mkdir(parents=True)
    (private / "IMG_1.jpg").touch()
    (copy / "datasets" / "mine.jpg").touch()
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        "out",
        ".",
    ]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (path,) = (copy / "out").glob("*.whl")
    return path


@pytest.mark.slow
def test_wheel_has_what_the_commands_need(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    files = [path for path in (CHECKOUT / "crowdcount").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    # Code, and beside it the stub, lists of splits, the report's page, and what a browser gets.
    expected = {path.relative_to(CHECKOUT).as_posix() for path in files}
    assert {".py", ".pyi", ".txt", ".html", ".js", ".css", ".json"} <= {path.suffix for path in files}
    weights = CHECKOUT / "weights"
    expected |= {f"crowdcount/_weights/{path.name}" for path in weights.iterdir() if path.suffix in (".h5", ".json")}
    expected |= {"crowdcount/_datasets/sample.jpg", "crowdcount/_datasets/sample.csv"}
    drawn = [path for path in (CHECKOUT / "datasets" / "drawn").rglob("*") if path.is_file()]
    expected |= {f"crowdcount/_datasets/{path.relative_to(CHECKOUT / 'datasets').as_posix()}" for path in drawn}
    assert drawn and expected <= names


@pytest.mark.slow
def test_wheel_has_no_pictures_of_others_and_no_tests(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert not [name for name in names if "ShanghaiTech/part_A/train_data/images/IMG_1.jpg" in name or "mine" in name]
    tops = {name.split("/")[0] for name in names}
    assert {name for name in tops if not name.endswith(".dist-info")} == {"crowdcount"}


@pytest.mark.slow
def test_wheel_runs_from_another_folder(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    (tmp_path / "elsewhere").mkdir()
    program = (
        "import crowdcount, sys; from crowdcount import files; from crowdcount.data import dividing, images, datasets; "
        "assert crowdcount.__file__.startswith(sys.argv[1]), crowdcount.__file__; "
        "assert str(files.data_folder('weights')).startswith(sys.argv[1]); "
        "print(images.picture_size(files.data_folder('datasets') / 'sample.jpg'), "
        "len(dividing.listed_names('shanghaitech_a_val')))"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "site")],
        cwd=tmp_path / "elsewhere",
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    height, width = (int(side) for side in done.stdout[1 : done.stdout.index(")")].split(","))
    assert height > 100 and width > 100 and done.stdout.split()[-1] == "60"


def test_source_distribution_has_what_an_installation_needs_and_no_tests(tmp_path):
    """It had the tests, and nothing of the docs, notebooks and tools that they read: most of them failed there."""
    for name in ("setup.cfg", "setup.py", "pyproject.toml", "MANIFEST.in", "LICENSE", "README.md"):
        shutil.copy(CHECKOUT / name, tmp_path / name)
    only_names = {"weights": ("a.weights.h5", "a.json"), "tests": ("test_a.py", "conftest.py", "lower-bounds.txt")}
    for folder, names in {**only_names, "datasets": ("sample.jpg", "mine.jpg"), "docs": ("a.md",)}.items():
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).touch()
    shutil.copytree(CHECKOUT / "crowdcount", tmp_path / "crowdcount", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "setup.py", "-q", "egg_info"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (listed,) = tmp_path.glob("*.egg-info/SOURCES.txt")
    files = listed.read_text().splitlines()
    needed = {"weights/a.weights.h5", "weights/a.json", "datasets/sample.jpg", "crowdcount/web/static/app.js"}
    assert needed < set(files)
    assert not [file for file in files if file.startswith(("tests/", "docs/")) or "mine" in file]


def test_lower_bounds_are_those_of_setup_cfg():
    config = configparser.ConfigParser()
    config.read(CHECKOUT / "setup.cfg")
    extras = config["options.extras_require"]
    options = "\n".join([config["options"]["install_requires"], extras["test"], extras["app"]])
    lines = options.replace(" ", "").splitlines()
    bounds = dict(line.split(">=") for line in lines if ">=" in line and not line.startswith("crowdcount-csrnet["))
    text = (CHECKOUT / "tests" / "lower-bounds.txt").read_text()
    pinned = dict(line.split("==") for line in text.splitlines() if "==" in line)
    assert pinned.keys() == bounds.keys()
    for name, bound in bounds.items():
        assert f"{pinned[name]}.".startswith(f"{bound}."), name


def test_readme_and_ci_install_and_run_the_tests_the_same_way():
    assert TEST_COMMAND in (CHECKOUT / "README.md").read_text(encoding="utf-8")
    script = (CHECKOUT / ".ci" / "run").read_text()
    assert TEST_COMMAND in script
    assert "pip install crowdcount" not in script


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name):
    module = importlib.import_module(name)
    results = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert results.failed == 0


def test_the_stub_and_the_package_say_the_same():
    """Editors read `__init__.pyi`, Python makes its names of it: each is there, public, and has its documentation."""
    for name in crowdcount.__all__:
        value = getattr(crowdcount, name)
        assert value.__doc__, name
    assert set(crowdcount.__all__) <= set(dir(crowdcount))
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = crowdcount.no_such_name
    assert (CHECKOUT / "crowdcount" / "py.typed").exists()


def test_import_and_help_load_neither_tensorflow_nor_numpy():
    program = "import sys, crowdcount; from crowdcount import cli; " + (
        "\ntry: cli.main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'matplotlib', 'PIL'}\n"
        # Of Python's own library what took most of the time: a shell asks for help, and for completions, at every tab.
        "heavy |= {'logging', 'tempfile', 'hashlib', 'json', 'fractions', 'uuid', 'dataclasses'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_no_module_is_too_long_to_be_read_at_once():
    """500 lines at most, but for the drawn crowds, whose figures are tables more than code."""
    long = {
        path.relative_to(CHECKOUT).as_posix(): lines
        for path in (CHECKOUT / "crowdcount").rglob("*.py")
        if path.parent.name != "drawn" and (lines := len(path.read_text(encoding="utf-8").splitlines())) > 500
    }
    assert not long


def test_no_wing_has_the_name_of_a_public_function():
    wings = {path.parent.name for path in (CHECKOUT / "crowdcount").glob("*/__init__.py")}
    assert not wings & set(crowdcount.__all__)
