"""Slides as one HTML page for reveal.js."""

from __future__ import annotations

import re
from html import escape
from itertools import groupby
from pathlib import Path
from string import Template

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from tools.slides.deck import Slide

_FORMATTER = HtmlFormatter(noclasses=True, style="friendly")


def page(slides: list[Slide]) -> str:
    """The whole page of a deck: sections side by side, the slides of a section below each other."""
    template = Template((Path(__file__).parent / "template.html").read_text("utf-8"))
    sections = []
    for slide in slides:
        if slide.level < 3 or not sections:
            sections.append([])
        sections[-1].append(_slide(slide))
    body = "\n".join(f"<section>\n{chr(10).join(section)}\n</section>" for section in sections)
    return template.substitute(title=escape(slides[0].title), slides=body)


def _slide(slide: Slide) -> str:
    heading = "h1" if slide.level == 1 else "h2"
    title = _MARKDOWN.renderInline(slide.title)
    shown = "\n".join(_RENDERERS[kind](content) for kind, content in slide.shown)
    notes = "\n\n".join(text for text, _ in groupby(slide.notes))
    aside = f'<aside class="notes">{_MARKDOWN.render(notes)}</aside>' if notes else ""
    return f"<section>\n<{heading}>{title}</{heading}>\n{shown}\n{aside}\n</section>"


def _code(source: str) -> str:
    return highlight(source, PythonLexer(), _FORMATTER)


def _markdown() -> MarkdownIt:
    options = {"html": True, "highlight": lambda source, language, _: _code(source) if language == "python" else ""}
    renderer = MarkdownIt("commonmark", options).enable("table")
    renderer.use(dollarmath_plugin, renderer=_math, allow_space=False, allow_digits=False)
    renderer.core.ruler.push("links", _lead_where_decks_are)
    return renderer


def _lead_where_decks_are(state: StateCore) -> None:
    """A link to another notebook leads to its deck; one to a page that no deck lies beside is plain words."""
    for token in state.tokens:
        for each in token.children or ():
            if each.type == "link_open":
                opening = each
                address = str(each.attrs["href"])
                if re.fullmatch(r"[\w-]+\.ipynb", address):
                    each.attrs["href"] = address.removesuffix("ipynb") + "html"
                else:
                    each.hidden = not re.match(r"https?:", address)
            elif each.type == "link_close":
                each.hidden = opening.hidden  # links are not nested


def _math(formula: str, options: dict) -> str:
    opening, closing = (r"\[", r"\]") if options["display_mode"] else (r"\(", r"\)")
    return f"{opening}{escape(formula)}{closing}"


def _image(content: tuple[str, str]) -> str:
    data, description = content
    return f'<img src="data:image/png;base64,{data.strip()}" alt="{escape(description)}">'


_MARKDOWN = _markdown()
_RENDERERS = {
    "markdown": _MARKDOWN.render,
    "code": _code,
    "text": lambda text: f"<pre>{escape(text)}</pre>",
    "image": _image,
}
