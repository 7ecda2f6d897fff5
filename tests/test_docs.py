"""The pages in `docs/` do what they say: their blocks are run in order, each page in a folder of its own.

`bash` blocks hold crowdcount's own commands, one a line (a backslash joins lines), `python` blocks share their
names, and a `json NAME` block is saved as that file, as the page tells its reader to. Others are only shown.
"""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from crowdcount import cli

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = sorted(DOCS.glob("*.md"))
# What some pages need beyond the package itself.
EXTRAS = {"watch_a_square": ["av"], "export": ["onnx", "tf2onnx", "onnxruntime", "ai_edge_litert"]}
_BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def blocks(page):
    """Language, the rest of the opening line and the content of each block."""
    return [
        (language, rest.strip(), content)
        for language, rest, content in _BLOCK.findall(page.read_text("utf-8"))
    ]


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
    assert not re.search(r"/work/|/tmp/|/home/", page.read_text("utf-8"))


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
    assert rows[0] == "time,count,low,high,near,far"
    assert len(rows) == 6
    assert set(names["busiest"].zones) == {"near", "far"}
