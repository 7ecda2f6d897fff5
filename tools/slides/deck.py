"""What of a notebook goes on which slide, and what into the speaker's notes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from nbformat import NotebookNode

# More than this is read out, not read from a slide.
_MOST_LETTERS = 260
_MOST_LINES = 14
_CHECK = re.compile(r"\bcourse\.check\(")
_HANDED_ON = re.compile(r"^\d\w*\.\w+: from here on .*\n?", re.MULTILINE)  # what `course.use` says to each learner


@dataclass
class Slide:
    """One slide.

    Attributes:
        title: its heading, Markdown.
        level: 1 for the deck's title, 2 for the first slide of a section, 3 for those below it.
        shown: what is on it, pairs of kind (`"markdown"`, `"code"`, `"text"` or `"image"`) and content; the content of
            an image is its base64 PNG and its description.
        notes: paragraphs for the speaker, Markdown.
    """

    title: str
    level: int
    shown: list[tuple[str, object]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def deck(notebook: NotebookNode) -> list[Slide]:
    """The slides of a notebook, in order.

    A prediction is the last thing on its slide, and what came out is on the next: nobody sees it too early.
    """
    slides: list[Slide] = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            _add_markdown(slides, cell)
        elif cell.cell_type == "code" and slides and not _setting_up(cell):
            _add_code(slides, cell)
    kept: list[Slide] = []
    for slide in slides:
        if slide.shown or slide.level < 3:
            kept.append(slide)
        else:
            kept[-1].notes.extend(slide.notes)
    return kept


def _add_markdown(slides: list[Slide], cell: NotebookNode) -> None:
    if "solution" in cell.metadata.get("tags", []):
        return
    for kind, text in blocks(cell.source):
        if kind == "heading":
            marks, title = text.split(" ", 1)
            slides.append(Slide(title.strip(), min(len(marks), 3)))
        elif not slides:
            continue
        elif "**Predict" in text:
            _below(slides).shown.append(("markdown", text))
            _below(slides)
        elif kind in ("table", "math") or (kind in ("list", "paragraph") and _room(slides[-1], text)):
            if any(shown != "markdown" for shown, _ in slides[-1].shown):
                _below(slides)
            slides[-1].shown.append(("markdown", text))
        else:
            slides[-1].notes.append(text)


def _add_code(slides: list[Slide], cell: NotebookNode) -> None:
    tags = cell.metadata.get("tags", [])
    if _CHECK.search(cell.source):  # an exercise: with its question on one slide
        slides[-1].shown.append(("code", cell.source))
        return
    if "hide-input" not in tags and "my_guess" not in cell.source and len(cell.source.splitlines()) <= _MOST_LINES:
        _below(slides).shown.append(("code", cell.source))
    for output in cell.outputs:
        shown = _output(output)
        if shown is not None:
            beside = shown[0] == "text" and slides[-1].shown and slides[-1].shown[-1][0] == "code"
            (slides[-1] if beside else _below(slides)).shown.append(shown)


def _setting_up(cell: NotebookNode) -> bool:
    return "remove-cell" in cell.metadata.get("tags", []) or "look.use()" in cell.source


def _output(output: NotebookNode) -> tuple[str, object] | None:
    """What a slide shows of an output: a figure, or a short text."""
    data = output.get("data", {})
    if "image/png" in data:
        return "image", (data["image/png"], output.metadata.get("image/png", {}).get("alt", "figure"))
    if "text/markdown" in data:
        return "markdown", data["text/markdown"]
    text = _HANDED_ON.sub("", output.get("text", "")).rstrip() if output.output_type == "stream" else ""
    return ("text", text) if text and len(text.splitlines()) <= _MOST_LINES else None


def _below(slides: list[Slide]) -> Slide:
    """A slide to put something of its own on: the last one while it is empty, else a new one under the same heading."""
    if slides[-1].shown:
        slides.append(Slide(slides[-1].title, 3))
    return slides[-1]


def _room(slide: Slide, text: str) -> bool:
    return len(text) + sum(len(str(each)) for _, each in slide.shown) <= _MOST_LETTERS


def blocks(text: str) -> list[tuple[str, str]]:
    """Markdown, block by block: kind (`"heading"`, `"paragraph"`, `"list"`, `"table"`, `"math"`, `"other"`) and text.

    >>> blocks("# Title\\n\\nOne $x$.\\n\\n$$y$$")
    [('heading', '# Title'), ('paragraph', 'One $x$.'), ('math', '$$y$$')]
    """
    lines, found = text.splitlines(), []
    for token in MarkdownIt().enable("table").parse(text):
        if token.level == 0 and token.map is not None:
            part = "\n".join(lines[slice(*token.map)]).strip()
            found.append((_kind(token.type, part), part))
    return found


def _kind(token: str, part: str) -> str:
    if part.startswith("$$"):
        return "math"
    kind = token.removesuffix("_open").removeprefix("bullet_").removeprefix("ordered_")
    return kind if kind in ("heading", "paragraph", "list", "table") else "other"
