"""The notebooks run top to bottom, say what they promise, and were committed with their outputs."""

import ast
import builtins
import importlib
import os
import re
import time
from pathlib import Path

import numpy as np
import pytest

from crowdcount.course.exercise import defined
from crowdcount.network.precision import choose_precision

nbformat = pytest.importorskip("nbformat", reason="the notebooks need pip install '.[test]'")

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
CONCEPTS = Path(__file__).parent / "course_concepts"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
# Two cores that have nothing else to do, and bfloat16 in hardware. Beside another worker a notebook has half of that,
# and without bfloat16 notebook 9 took 182 seconds alone.
MOST_SECONDS = 180 * (2 if "PYTEST_XDIST_WORKER" in os.environ else 1)
MOST_SECONDS *= 1.5 if choose_precision() == "float32" else 1
MOST_BYTES = 1_500_000

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def _cells(path, kind):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def _code(path):
    return "\n".join(
        line for cell in _cells(path, "code") for line in cell.source.splitlines() if not line.startswith(("%", "!"))
    )


def _faults(cells):
    """What no reader should see: errors that are not the lesson, and anything on standard error."""
    for cell in cells:
        for output in cell.get("outputs", []):
            lesson = "raises-exception" in cell.metadata.get("tags", [])
            if output.output_type == "error" and not lesson:
                yield f"{output.ename}: {output.evalue}"
            if output.output_type == "stream" and output.name == "stderr":
                yield output.text


def test_runs_top_to_bottom(path, tmp_path):
    nbclient = pytest.importorskip("nbclient", reason="the notebooks need pip install '.[test]'")
    notebook = nbformat.read(path, as_version=4)
    # Bars are for those who wait, not for the page that is kept.
    inline = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TQDM_DISABLE": "1", **inline}
    client = nbclient.NotebookClient(
        notebook, timeout=int(MOST_SECONDS), kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}
    )
    start = time.monotonic()
    client.execute(env=environment)
    assert time.monotonic() - start < MOST_SECONDS
    assert not list(_faults(notebook.cells))


def test_committed_with_outputs(path):
    code = _cells(path, "code")
    assert path.stat().st_size < MOST_BYTES
    assert sum(bool(cell.outputs) for cell in code) >= len(code) / 3
    assert not list(_faults(code))
    assert any("image/png" in output.get("data", {}) for cell in code for output in cell.outputs)


def test_answers_are_called_by_position(path):
    """A learner may name the arguments otherwise: the check passes, and the notebook stopped at its own names."""
    blanks = [cell for cell in _cells(path, "code") if "course.check(" in cell.source]
    given = {node.name for cell in blanks for node in ast.parse(cell.source).body if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(ast.parse(_code(path))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in given:
            assert not node.keywords, ast.unparse(node)


def test_names_it_imports_exist(path):
    for node in ast.walk(ast.parse(_code(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                importlib.import_module(alias.name)
        elif isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module)
            for alias in node.names:
                if not hasattr(module, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")


def test_exercises_are_checked(path):
    from crowdcount import course

    number = path.name.split("_")[0] + "."
    checked = {name for name in course.names() if f'check("{name}"' in _code(path)}
    assert checked == {name for name in course.names() if name.startswith(number)}
    assert 3 <= len(checked) <= 5


def test_concepts_are_under_their_headings(path):
    headings = {
        line.lstrip("#").strip()
        for cell in _cells(path, "markdown")
        for line in cell.source.splitlines()
        if line.startswith("#")
    }
    rows = [
        line for line in (CONCEPTS / f"{path.name.split('_')[0]}.txt").read_text("utf-8").splitlines() if line.strip()
    ]
    assert rows
    for row in rows:
        concept, _, heading = row.rpartition("|")
        assert heading.strip() in headings, concept


def test_header_and_ending_are_those_of_the_course(path):
    cells = _cells(path, "markdown")
    first, last = cells[0].source, cells[-1].source
    assert first.startswith(f"# {path.name.split('_')[0]} · ") and "CPU" in first
    assert all(f"**{each}**" in first for each in ("You will be able to", "You need", "Time"))
    later = NOTEBOOKS[NOTEBOOKS.index(path) + 1 :]
    assert not later or f"]({later[0].name})" in last


def test_header_and_overview_agree_on_the_time(path):
    header = re.search(r"(\d+) seconds of computing", _cells(path, "markdown")[0].source)
    row = next(line for line in (FOLDER / "README.md").read_text("utf-8").splitlines() if f"]({path.name})" in line)
    assert header and row.endswith(f"| {header[1]} s |")


def test_lines_can_be_read(path):
    """No line is cut off, or must be scrolled to: but for rows of tables, and links."""
    for cell in _cells(path, "markdown") + _cells(path, "code"):
        for line in cell.source.splitlines():
            assert len(line) <= 110 or line.startswith("|") or "](" in line or "http" in line, line


def test_figures_are_told_in_words(path):
    for cell in _cells(path, "code"):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                assert output.metadata.get("image/png", {}).get("alt"), cell.source


def test_folded_solutions_are_those_of_the_package(path):
    from crowdcount import course

    folded = [cell.source for cell in _cells(path, "markdown") if "solution" in cell.metadata.get("tags", [])]
    own = [name for name in course.names() if name.split(".")[0] == path.name.split("_")[0]]
    assert len(folded) == len(own)
    for source in folded:
        name, code = re.fullmatch(
            r"<details><summary>One solution of ([\w.]+)</summary>\n\n```python\n(.*)\n```\n\n</details>",
            source,
            re.DOTALL,
        ).groups()
        assert name.split(".")[0] == path.name.split("_")[0]
        assert code == course.find(name).solution.strip()


def test_what_the_learner_writes_goes_on(path):
    """Each check is followed by `course.use`, which hands on what passed, and by the two lines of help."""
    from crowdcount import course

    code = _code(path)
    for name in (name for name in course.names() if name.split(".")[0] == path.name.split("_")[0]):
        answer = course.find(name).answer
        goes_on = f'{answer} = course.use("{name}", {answer})\n'
        help_ = f'# course.hint("{name}")\n# course.solution("{name}")\n'
        check = f'course.check("{name}", {answer})'
        if answer in ("which", "kinds"):  # answers in words: nothing runs with them
            assert f"{check};\n{help_}" in code
            continue
        assert f"{check}\n{goes_on}{help_}" in code
        after = code.split(goes_on)[1]
        assert re.search(rf"\b{answer}\b", after), f"{name} is used nowhere"
        assert f"reference.{answer}(" not in after


def test_a_blank_holds_all_that_is_kept_of_it(path):
    """Later notebooks get the function alone: what is imported above it in its cell would be missing there."""
    for cell in _cells(path, "code"):
        if "course.check(" in cell.source and "course.use(" in cell.source:
            before = ast.parse(cell.source[: cell.source.index("course.check(")]).body
            assert [type(each) for each in before] == [ast.FunctionDef], cell.source


def _read_by(trees):
    """Names that cells take from the cells before them."""
    taken = set()
    for tree in trees:
        here = set()
        for line in tree.body:
            value = line.value if isinstance(line, ast.Assign) else line
            reads = {
                each.id for each in ast.walk(value) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)
            }
            taken |= reads - here - (set() if isinstance(line, (ast.Assign, ast.AugAssign)) else _set_by(line))
            here |= _set_by(line)
    return taken


def _set_by(tree):
    inside = {
        id(name) for each in ast.walk(tree) if isinstance(each, ast.comprehension) for name in ast.walk(each.target)
    }
    names = [each for each in ast.walk(tree) if isinstance(each, ast.Name) and id(each) not in inside]
    return {each.id for each in names if isinstance(each.ctx, ast.Store)}


def _only_draws(tree, later):
    """Whether a cell calls nothing but what draws and formats, and leaves nothing for later cells."""
    kinds = (ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.Assert)
    if any(isinstance(each, kinds) for each in ast.walk(tree)) or (_set_by(tree) - {"figure", "axes"}) & later:
        return False
    own = _set_by(tree) | {"figures", "look", "plt", "Markdown", "display"} | set(dir(builtins))
    for call in (each.func for each in ast.walk(tree) if isinstance(each, ast.Call)):
        while isinstance(call, ast.Attribute | ast.Subscript | ast.Call):
            call = call.func if isinstance(call, ast.Call) else call.value
        if isinstance(call, ast.Name) and call.id not in own:
            return False
    return True


def test_cells_that_only_draw_are_folded(path):
    """A reader on the web sees the code of the ideas, not that of the pictures; folded cells define nothing."""
    cells = _cells(path, "code")
    trees = [
        ast.parse("\n".join(row for row in c.source.splitlines() if not row.startswith(("%", "!")))) for c in cells
    ]
    for number, (cell, tree) in enumerate(zip(cells, trees, strict=True)):
        folded = "hide-input" in cell.metadata.get("tags", [])
        assert folded == ("source_hidden" in cell.metadata.get("jupyter", {})) or "remove-cell" in cell.metadata["tags"]
        if any("image/png" in output.get("data", {}) for output in cell.outputs):
            assert folded or not _only_draws(tree, _read_by(trees[number + 1 :])), cell.source
        if folded:
            assert not any(isinstance(each, ast.FunctionDef | ast.ClassDef) for each in ast.walk(tree)), cell.source


def _crowds_and_masks(path):
    """What a notebook makes of the crowds of `head_patches`, with made-up crowds: names -> arrays of True and False."""
    from crowdcount import course

    space = {"np": np, "split": defined(course.find("05b.split").solution, "split")}
    for node in ast.parse(_code(path)).body:
        if not isinstance(node, ast.Assign):
            continue
        names = {each.id for each in ast.walk(node.value) if isinstance(each, ast.Name)}
        into = [each.id for each in ast.walk(node.targets[0]) if isinstance(each, ast.Name)]
        if "head_patches" in names and "crowds" in into:
            space["crowds"] = np.random.default_rng(0).permutation(ast.literal_eval(node.value.args[0])) // 16
        elif "crowds" in names and names <= {*space, "list", "range"}:
            exec(compile(ast.Module([node], []), str(path), "exec"), space)
    crowds = space.get("crowds")
    return crowds, {k: v for k, v in space.items() if isinstance(v, np.ndarray) and v.dtype == bool}


def test_training_and_test_share_no_crowd(path):
    if "head_patches(" not in _code(path):
        return
    crowds, masks = _crowds_and_masks(path)
    assert masks, "the patches are not split by crowd"
    for name, mask in masks.items():
        for crowd in set(crowds):
            assert len(set(mask[crowds == crowd])) == 1, f"crowd {crowd} is on both sides of {name}"
    for one, other in ((a, b) for a in masks for b in masks if a < b and {a, b} <= {"learn", "validation", "test"}):
        assert not (masks[one] & masks[other]).any(), f"{one} and {other} overlap"
