"""The pages in `docs/` do what they say: their blocks are run in order, each page in a folder of its own.

`bash` blocks hold crowdcount's own commands, one a line (a backslash joins lines), `python` blocks share their
names, and a `json NAME` block is saved as that file, as the page tells its reader to. Others are only shown.
"""

import importlib.util
import re
import shlex
import shutil
from pathlib import Path

import pytest
from PIL import Image

from crowdcount import cli

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = sorted(DOCS.glob("*.md"))
# What some pages need beyond the package itself.
EXTRAS = {"watch_a_square": ["av"], "export": ["onnx", "tf2onnx", "onnxruntime", "ai_edge_litert"]}
_BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# A path from the root of a file system, or of a Windows drive, as it stands in a text: not the middle of a relative one
# ("weights/NAME"), nor of an address ("https://...").
_ABSOLUTE = re.compile(r"(?<![\w.:/*)\]}<>~$-])(?:~?/|[A-Za-z]:\\)[\w.~-]+(?:[/\\][\w.~-]*)*")
# Devices are alike on every machine, and so are the addresses of the server that crowdcount runs.
_EVERYWHERE = re.compile(r"/dev/\w+|/api/\w+|/healthz|/openapi\.json")
_LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def blocks(page):
    """Language, the rest of the opening line and the content of each block."""
    return [(language, rest.strip(), content) for language, rest, content in _BLOCK.findall(page.read_text("utf-8"))]


def run_commands(content):
    for line in content.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if not words or words[:2] == ["pip", "install"]:  # the tests run in what that makes
            continue
        assert words[0] == "crowdcount", f"a page runs crowdcount's commands only: {line}"
        if "--version" in words:
            with pytest.raises(SystemExit, match="^0$"):
                cli.main(words[1:])
            continue
        assert cli.main(words[1:]) == 0, line


def read_back(folder):
    """Names of the files that a page's blocks left."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def page_run(tmp_path_factory):
    """Run a page once: what its Python blocks have named, and the folder."""
    done = {}

    def run(stem):
        if stem not in done:
            for needed in EXTRAS.get(stem, ()):
                pytest.importorskip(needed, reason=f"docs/{stem}.md needs {needed}")
            folder = tmp_path_factory.mktemp(stem)
            names = {"__name__": "__main__"}
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(folder)
                for language, rest, content in blocks(DOCS / f"{stem}.md"):
                    if language == "bash":
                        run_commands(content)
                    elif language == "python":
                        exec(compile(content, f"{stem}.md", "exec"), names)
                    elif language == "json" and rest:
                        Path(rest).write_text(content, "utf-8")
            done[stem] = names, folder
        return done[stem]

    yield run
    for _, folder in done.values():
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_blocks_run(page, page_run):
    page_run(page.stem)


@pytest.mark.parametrize(
    "page", [*PAGES, *(DOCS.parent / name for name in ("README.md", "datasets/README.md"))], ids=lambda page: page.name
)
def test_commands_that_are_only_shown_are_understood(page, capsys):
    for language, _, content in blocks(page):
        for line in content.replace("\\\n", " ").splitlines() if language in ("bash", "console", "text") else ():
            if line.startswith("crowdcount ") and "..." not in line:
                command = re.split(r" [|>&]|;", line)[0]
                try:
                    cli._parser().parse_args(shlex.split(command, comments=True)[1:])
                except SystemExit as end:
                    pytest.fail(f"{command}: {capsys.readouterr().err}") if end.code else None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    targets = [target for target in _LINK.findall(page.read_text("utf-8")) if "://" not in target]
    missing = [target for target in targets if not (DOCS / target).exists()]
    assert not missing


def test_index_names_every_page():
    index = (DOCS / "README.md").read_text("utf-8")
    assert [page.name for page in PAGES if page.name != "README.md" and f"({page.name})" not in index] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_says_nothing_of_the_machine(page):
    assert machine_paths(page.read_text("utf-8")) == []


def machine_paths(text):
    return [path for path in _ABSOLUTE.findall(text) if not _EVERYWHERE.fullmatch(path)]


@pytest.mark.parametrize("folders", [["srv", "x"], ["var", "folders", "a.csv"], ["root"]])
@pytest.mark.parametrize("around", ["in {}", "`{}`", "({})", '"{}"', "--out {}", "--out={}", "a\n{}"])
def test_a_path_of_the_machine_is_seen_wherever_it_stands(folders, around):
    for path in ("/" + "/".join(folders), "~/" + "/".join(folders), "D:\\" + "\\".join(folders)):
        assert machine_paths(around.format(path)) == [path]


@pytest.mark.parametrize(
    "text",
    [
        *("docs/how_sure.md", "[page](../notebooks/README.md)", "rtsp://user:password@192.168.1.20/stream1"),
        *("https://arxiv.org/abs/1802.10062", "height / 8", "⌈height / 8⌉", "1/16", "/dev/video0", "a//b", "and/or"),
    ],
)
def test_what_is_no_path_of_the_machine_is_left_alone(text):
    assert machine_paths(text) == []


PICTURES = DOCS / "pictures"


@pytest.fixture(scope="module")
def make_pictures():
    """The program `docs/make_pictures.py`."""
    for needed in ("av", "anywidget"):
        pytest.importorskip(needed, reason=f"docs/make_pictures.py needs {needed}")
    spec = importlib.util.spec_from_file_location("make_pictures", DOCS / "make_pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pictures_are_small_and_in_the_readme(make_pictures):
    assert {path.name for path in PICTURES.iterdir()} == set(make_pictures.PICTURES)
    readme = (DOCS.parent / "README.md").read_text("utf-8")
    for path in PICTURES.iterdir():
        assert path.stat().st_size < 25_000
        assert Image.open(path).width == 240
        assert f"](docs/pictures/{path.name})" in readme


def test_pictures_can_be_made_anew(make_pictures, weights, tmp_path, monkeypatch, capsys):
    """With a tiny network and a small street; the pages are made, and no browser shows them."""
    monkeypatch.setattr(make_pictures, "SIZE", (192, 256))
    monkeypatch.setattr(make_pictures, "PEOPLE", 20)
    monkeypatch.setattr(make_pictures, "tiles", lambda crowd: crowd.small())
    monkeypatch.setitem(make_pictures.PICTURES, "tiles.jpg", make_pictures.tiles)
    shown = []

    def browser(command, **_):
        source, shot = command[-1], next(word for word in command if word.startswith("--screenshot="))
        shown.append(Path(source.removeprefix("file://")).read_text("utf-8"))
        Image.new("RGB", (500, 400)).save(shot.removeprefix("--screenshot="))

    monkeypatch.setattr(make_pictures.subprocess, "run", browser)
    make_pictures.main(["--model", weights, "--out", str(tmp_path), "--browser", "chromium"])
    assert {path.name for path in tmp_path.iterdir()} == set(make_pictures.PICTURES)
    assert all(Image.open(path).width == 240 for path in tmp_path.iterdir())
    report, table, widget = shown
    assert "People by time" in report and table.count("<img") == 2 and '"name": "near"' in widget
    monkeypatch.setattr(make_pictures.shutil, "which", lambda _: None)
    (tmp_path / "none").mkdir()
    make_pictures.main(["--model", weights, "--out", str(tmp_path / "none")])
    assert not (tmp_path / "none" / "report.png").exists()
    assert "report.png needs a browser" in capsys.readouterr().err


def test_march_leaves_table_report_and_heat_maps(page_run):
    _, folder = page_run("count_a_march")
    left = read_back(folder)
    assert {"counts.csv", "report.html", *(f"heat/IMG_{number}_overlay.png" for number in (1, 2, 3))} <= left
    rows = (folder / "counts.csv").read_text("utf-8").splitlines()
    assert rows[0].startswith("picture,count,low,high")
    assert len(rows) == 4  # --resume counted nothing twice


def test_own_weights_page_leaves_a_keras_file_that_counts_alike(page_run):
    names, folder = page_run("own_weights")
    assert {
        "mine.keras",
        "runs/tiny/best.weights.h5",
        "runs/tiny/best.json",
        "runs/tiny/history.csv",
    } <= read_back(folder)
    assert names["result"].count == pytest.approx(float(names["density"].sum()), rel=1e-4)


def test_own_dots_page_measures_the_trained_network(page_run):
    _, folder = page_run("own_dots")
    assert {"runs/mine/best.weights.h5", "errors.csv"} <= read_back(folder)


def test_square_page_leaves_table_chart_and_video(page_run):
    names, folder = page_run("watch_a_square")
    assert {"square.csv", "square.png", "square_counted.mp4"} <= read_back(folder)
    rows = (folder / "square.csv").read_text("utf-8").splitlines()
    assert rows[0] == "time,count,low,high,near,far,low near,high near,low far,high far"
    assert len(rows) == 6
    assert set(names["busiest"].zones) == {"near", "far"}
