"""What a teacher gets: slides, assignments, the offline pack and the pages on teaching."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from crowdcount import course
from crowdcount.errors import CrowdCountError
from tools.anew import begin_anew
from tools.assignments import assignment, tasks, write_assignments
from tools.repository import NOTEBOOKS, ROOT


@pytest.fixture
def offline_pack():
    pytest.importorskip("docutils", reason="the pages need pip install '.[site]', and that Python 3.11")
    from tools import offline_pack

    return offline_pack


PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="


@pytest.fixture(scope="module")
def assignments(tmp_path_factory):
    out = tmp_path_factory.mktemp("assignments")
    write_assignments(out)
    return out


def test_every_exercise_is_in_one_assignment(assignments):
    for folder in ("source", "students"):
        text = "".join(path.read_text("utf-8") for path in (assignments / folder).rglob("*.ipynb"))
        assert sorted(re.findall(r'assert course.check\(\\"([\w.]+)\\"', text)) == sorted(course.names())


def test_learners_get_no_solution(assignments):
    for path in (assignments / "students").rglob("*.ipynb"):
        code = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
        assert "SOLUTION" not in code and "course.solution" not in code
        for task in tasks(nbformat.read(NOTEBOOKS / path.name, as_version=4)):
            assert task.exercise.solution.strip() not in code, task.exercise.name


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_solved_ones_pass_and_blank_ones_fail(path, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CROWDCOUNT_PROGRESS", str(tmp_path / "progress.json"))
    notebook = nbformat.read(path, as_version=4)
    for solved in (True, False):
        space, failed = {}, 0
        for cell in assignment(notebook, "T", solved).cells:
            if cell.cell_type != "code":
                continue
            try:
                exec(cell.source, space)
            except AssertionError:
                failed += 1
        assert failed == (0 if solved else len(tasks(notebook)))


@pytest.mark.parametrize(
    ("number", "line"), [("12", "import math"), ("10", "from scipy.spatial import cKDTree"), ("03", None)]
)
def test_an_assignment_imports_what_answers_use_in_the_notebook(number, line):
    """A hint of notebook 12 says `math.ceil`: in the assignment `math` was not defined."""
    (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
    made = assignment(nbformat.read(path, as_version=4), "T", solved=False)
    setup = made.cells[1].source.splitlines()
    assert line in setup if line else setup[:3] == ["import numpy as np", "", "from crowdcount import course"]


def test_questions_stand_above_their_blanks():
    notebook = new_notebook(
        cells=[
            new_markdown_cell("## Part\n\nProse.\n\n### Exercise 1: it\n\nDo it."),
            new_code_cell(
                'def output_size(n, f, p, s):\n    return ...\n\n\ncourse.check("06.output_size", output_size);'
            ),
        ]
    )
    (task,) = tasks(notebook)
    assert task.question == "### Exercise 1: it\n\nDo it."
    assert task.blank == "def output_size(n, f, p, s):\n    return ..."


def test_nbgrader_takes_solutions_out_and_grades(assignments, tmp_path):
    """With nbgrader itself: our source becomes its release; solved, it has all points; blank, it has none."""
    pytest.importorskip("nbgrader", reason="nbgrader is not installed")
    name = "03_python_and_vectorization"
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # it runs its helpers by name
    progress = str(tmp_path / "progress.json")
    environment = {**os.environ, "PATH": programs, "PYTHONPATH": str(ROOT), "CROWDCOUNT_PROGRESS": progress}

    def nbgrader(*words):
        done = subprocess.run(
            [sys.executable, "-m", "nbgrader", *words], cwd=assignments, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    nbgrader("generate_assignment", name)
    release = (assignments / "release" / name / f"{name}.ipynb").read_text("utf-8")
    assert "SOLUTION" not in release and "return ..." in release
    for learner, folder in (("ann", "source"), ("bob", "release")):
        there = assignments / "submitted" / learner / name
        there.mkdir(parents=True)
        (there / f"{name}.ipynb").write_bytes((assignments / folder / name / f"{name}.ipynb").read_bytes())
    nbgrader("autograde", name)
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{assignments / 'gradebook.db'}") as book:
        scores = {learner: book.find_submission(name, learner).score for learner in ("ann", "bob")}
    assert scores == {"ann": len(tasks(nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4))), "bob": 0}


def lesson():
    """A notebook with a prediction, a figure, an exercise and long prose."""
    figure = new_output("display_data", {"image/png": PNG}, metadata={"image/png": {"alt": "a dot"}})
    return new_notebook(
        cells=[
            new_markdown_cell("# 99 · A lesson\n\nWhy $x^2$."),
            new_code_cell("from crowdcount.course import look\nlook.use()"),
            new_markdown_cell(f"## Part one\n\n{'Long prose. ' * 60}\n\n$$y = x$$\n\n**Predict:** how many?"),
            new_code_cell("my_guess = 3"),
            new_code_cell("show(my_guess)", outputs=[figure]),
            new_markdown_cell("### Exercise 1: it\n\nDo it."),
            new_code_cell(
                'answer = ...\ncourse.check("99.it", answer);', outputs=[new_output("stream", text="Not yet")]
            ),
        ]
    )


def test_slides_show_what_is_seen_and_note_what_is_said():
    pytest.importorskip("mdit_py_plugins", reason="slides need pip install '.[site]'")
    from tools.slides.deck import deck

    slides = deck(lesson())
    assert [slide.title for slide in slides] == ["99 · A lesson", *["Part one"] * 3, "Exercise 1: it"]
    assert "Long prose." in slides[1].notes[0] and ("markdown", "$$y = x$$") in slides[1].shown
    assert [kind for kind, _ in slides[-1].shown] == ["markdown", "code"]


def test_what_comes_out_is_on_the_slide_after_the_prediction():
    pytest.importorskip("mdit_py_plugins", reason="slides need pip install '.[site]'")
    from tools.slides.deck import deck

    shown = [[kind for kind, _ in slide.shown] for slide in deck(lesson())]
    assert shown[2] == ["markdown"] and shown[3] == ["image"]


def test_what_comes_out_of_a_cell_with_earlier_answers_is_on_a_slide():
    """Notebook 03 measures with what was written in 02: its figure was missing, and its code was on the slide."""
    pytest.importorskip("mdit_py_plugins", reason="slides need pip install '.[site]'")
    from tools.slides.deck import deck

    notebook = lesson()
    said = new_output("stream", text="02.cost: from here on the reference (none of yours is kept from notebook 02).\n")
    notebook.cells[4].source = 'cost = course.use("02.cost")\n' + "show(cost)\n" * 20
    notebook.cells[4].outputs.insert(0, said)
    assert deck(notebook) == deck(lesson())


def test_slides_lead_to_other_decks_and_to_no_page_that_is_not_there():
    pytest.importorskip("mdit_py_plugins", reason="slides need pip install '.[site]'")
    from tools.slides.deck import deck
    from tools.slides.html import page

    text = "# 98 · A\n\n[Next](99_a.ipynb), [**words**](glossary.md), [range](../docs/how_sure.md#warnings), [far](https://a.org/)"
    made = page(deck(new_notebook(cells=[new_markdown_cell(text)])))
    assert re.findall(r'<a href="([^"]*)"', made) == ["99_a.html", "https://a.org/"]
    assert "<strong>words</strong>, range, " in made and made.count("</a>") == 2


def test_decks_fit_their_slides_and_load_nothing(tmp_path, browser):
    pytest.importorskip("mdit_py_plugins", reason="slides need pip install '.[site]'")
    from tools.slides.__main__ import write_slides

    folder = tmp_path / "notebooks"
    folder.mkdir()
    nbformat.write(lesson(), folder / "99.ipynb")
    (folder / PATHS[4].name).write_bytes(PATHS[4].read_bytes())
    for deck in write_slides(tmp_path / "slides", folder):
        page, elsewhere = browser.new_page(viewport={"width": 1280, "height": 720}), []
        page.on("request", lambda r, seen=elsewhere: r.url.startswith(("file:", "data:")) or seen.append(r.url))
        page.goto(deck.as_uri())
        page.wait_for_function("window.Reveal && Reveal.isReady()")
        for _ in range(page.evaluate("Reveal.getTotalSlides()")):
            assert page.evaluate("Reveal.getCurrentSlide().getBoundingClientRect().bottom") <= 721
            page.evaluate("Reveal.next()")
        assert page.locator("mjx-container").count() > 0 and page.locator("[data-mjx-error]").count() == 0
        page.close()
        assert elsewhere == []


# What the wheels of a pack say that they need, by name.
NEEDS = {
    "crowdcount-csrnet": ['jupyterlab>=4; extra == "notebooks"', 'av; extra == "video"', "tqdm"],
    "jupyterlab": ["terminado", 'tomli>=1.2; python_version < "3.11"'],
    "terminado": ['ptyprocess; os_name != "nt"', 'PyWinPTY>=1.1; os_name == "nt"'],
    "tqdm": ['colorama; platform_system == "Windows"', 'pytest; extra == "dev"'],
    "pywinpty": ['colorama>=0.4; sys_platform == "win32"'],
}


def _wheel(folder, name):
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"Name: {name}", "Version: 9.0", *(f"Requires-Dist: {need}" for need in NEEDS.get(name, []))]
    file = name.replace("-", "_")
    with zipfile.ZipFile(folder / f"{file}-9.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{file}-9.0.dist-info/METADATA", "Metadata-Version: 2.1\n" + "\n".join(lines) + "\n\n")


@pytest.fixture
def packed(tmp_path, monkeypatch, offline_pack):
    """Makes a pack with a pip that has the wheels of `NEEDS`, and asks conditions of Linux and Python 3.12 as pip does;
    returns the folder and pip's commands."""

    def made(platforms, python_version):
        ran, wheels = [], tmp_path / "pack" / "wheels"

        def run(command):
            ran.append(command)
            first = {1: ["crowdcount-csrnet"], 2: ["jupyterlab", "terminado", "ptyprocess", "tqdm"]}
            for name in first.get(len(ran)) or command[len(ran[1]) - 1 :]:
                _wheel(wheels, re.match(r"[\w-]+", name)[0].lower())
            return subprocess.CompletedProcess(command, 0)

        def pages():
            (tmp_path / "html").mkdir()
            return tmp_path / "html"

        monkeypatch.setattr(offline_pack.subprocess, "run", run)
        monkeypatch.setattr(offline_pack, "build", pages)
        monkeypatch.setattr(offline_pack, "write_slides", lambda out: out.mkdir())
        return offline_pack.write_pack(tmp_path / "pack", platforms, python_version), ran

    return made


def test_the_pack_holds_wheels_pages_slides_and_notebooks(packed):
    pack, (own, fetch) = packed(["manylinux_2_28_x86_64"], "3.12")
    made = {path.name for path in pack.iterdir() if not path.name.startswith(".")}
    assert made == {"wheels", "pages", "slides", "notebooks", "docs", "README.txt"}
    led_to = {"glossary.md", "notation.md"}
    assert {path.name for path in (pack / "notebooks").iterdir()} == {path.name for path in PATHS} | led_to
    assert own[-1] == str(ROOT) and "--no-deps" in own
    options = ["--platform", "manylinux_2_28_x86_64", "--python-version", "3.12"]
    assert fetch[-5:] == [*options, "crowdcount-csrnet[notebooks]"]
    said = (pack / "README.txt").read_text("utf-8")
    assert "--no-index --find-links wheels" in said
    assert "Python 3.12 on manylinux_2_28_x86_64" in said and "py -3.12 -m venv" in said


def test_the_pages_that_notebooks_lead_to_are_in_the_pack(packed):
    pack, _ = packed([], None)
    for path in (pack / "notebooks").iterdir():
        for target in re.findall(r"\]\((\.\./[^)#\\]+)", path.read_text("utf-8")):
            assert (pack / "notebooks" / target).exists(), target


@pytest.mark.parametrize(
    ("platform", "python_version", "rounds"),
    [
        ("win_amd64", "3.12", [{"colorama", "PyWinPTY>=1.1"}]),
        ("win_amd64", "310", [{"colorama", "PyWinPTY>=1.1", "tomli>=1.2"}]),
        ("macosx_12_0_arm64", "3.10", [{"tomli>=1.2"}]),
        ("macosx_12_0_arm64", "3.12.4", []),
    ],
)
def test_a_pack_for_another_machine_has_what_that_needs(packed, platform, python_version, rounds):
    """pip asks the conditions of this machine: without colorama and pywinpty nothing installed on Windows."""
    _, (_, fetch, *more) = packed([platform], python_version)
    assert [set(command[len(fetch) - 1 :]) for command in more] == rounds
    assert all(command[: len(fetch) - 1] == fetch[:-1] for command in more)


@pytest.mark.parametrize("there", ["holiday.jpg", "notebooks/mine.ipynb", "README.txt"])
def test_a_folder_of_somebody_else_loses_nothing(tmp_path, there):
    stick = tmp_path / "stick"
    (stick / there).parent.mkdir(parents=True)
    (stick / there).write_text("mine")
    with pytest.raises(CrowdCountError, match="holds something already"):
        begin_anew(stick, ["notebooks", "README.txt"])
    with pytest.raises(CrowdCountError, match="holds something already"):
        begin_anew(stick / there, ["notebooks"])
    assert (stick / there).read_text() == "mine"


def test_what_is_made_anew_loses_its_own_parts_alone(tmp_path):
    pack = tmp_path / "a" / "pack"
    begin_anew(pack, ["notebooks", "README.txt"])
    (pack / "notebooks").mkdir()
    for name in ("notebooks/old.ipynb", "README.txt", "plan.txt"):
        (pack / name).write_text("text")
    begin_anew(pack, ["notebooks", "README.txt"])
    assert [path.name for path in pack.iterdir() if not path.name.startswith(".")] == ["plan.txt"]


def test_a_wheel_that_is_missing_stops_the_pack(tmp_path, monkeypatch, offline_pack):
    monkeypatch.setattr(offline_pack.subprocess, "run", lambda command: subprocess.CompletedProcess(command, 1))
    with pytest.raises(offline_pack.PackError, match="Received: .*pip wheel"):
        offline_pack.write_pack(tmp_path / "pack", [])


def sections():
    text = (ROOT / "docs" / "teach_notebooks.md").read_text("utf-8")
    return {part.split(" ", 1)[0]: part for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_teachers_find_goals_questions_mistakes_and_a_quiz_of_five(path):
    section = sections()[path.stem.split("_")[0]]
    for heading in ("**Goals.**", "**Discuss.**", "**Wrong predictions to expect.**", "**Quiz.**"):
        assert heading in section
    quiz, _, answers = section.partition("**Quiz.**")[2].partition("<details>")
    for numbered in (quiz, answers):
        assert re.findall(r"^(\d)\. \S", numbered, re.MULTILINE) == list("12345")


def test_the_syllabus_plans_every_notebook_and_all_its_hours():
    text = (ROOT / "docs" / "teach.md").read_text("utf-8")
    twelve, three = text.partition("## Twelve hours")[2].partition("## Three hours")[::2]
    assert re.findall(r"^\| (\d+) \|", twelve, re.MULTILINE) == [str(hour) for hour in range(1, 13)]
    assert all(re.search(rf"\b{path.stem.split('_')[0]}\b", twelve) for path in PATHS)
    spans = [tuple(map(int, span)) for span in re.findall(r"^\| (\d+)-(\d+) \|", three, re.MULTILINE)]
    assert spans[0][0] == 0 and spans[-1][1] == 180
    assert all(before[1] == after[0] for before, after in zip(spans, spans[1:], strict=False))


@pytest.mark.skipif(os.name == "nt", reason="the commands are a shell's")
def test_copies_without_solutions_lead_to_pages_that_are_there(tmp_path):
    """Links to `../docs` led out of the folder that a class got."""
    text = (ROOT / "docs" / "teach.md").read_text("utf-8")
    copying = text[text.index("jupyter nbconvert") :].partition("```")[0].splitlines()
    made = tmp_path / re.search(r"--output-dir (\S+)", copying[0])[1]
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks", ignore=shutil.ignore_patterns(".*"))
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("*.png", "*.jpg"))
    shutil.copytree(ROOT / "notebooks", made, ignore=shutil.ignore_patterns(".*", "*.md"))  # as nbconvert does it
    for command in copying[1:]:
        subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    for path in made.iterdir():
        text = path.read_text("utf-8")
        if path.suffix == ".ipynb":
            cells = nbformat.reads(text, as_version=4).cells
            text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        links = re.findall(r"\]\((?!https?:|#|attachment:)([^)#\s]+)", text)
        assert not [link for link in links if not (made / link).exists()], path


def test_edited_settings_of_nbgrader_stay(tmp_path):
    (tmp_path / "nbgrader_config.py").write_text("# mine", "utf-8")
    write_assignments(tmp_path)
    assert (tmp_path / "nbgrader_config.py").read_text("utf-8") == "# mine"
