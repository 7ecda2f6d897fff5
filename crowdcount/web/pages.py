"""The files of the pages: markup, styles, scripts, and the texts in each language.

Only the files that lie in these folders when the server starts can be asked for, by their names: a request never
becomes a path.
"""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crowdcount.web.refusals import Refusal

_HERE = Path(__file__).resolve().parent
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_IMPORT = re.compile(r'^import [^;]*? from "\./([a-z]+\.js)";\n', re.MULTILINE | re.DOTALL)


@functools.cache
def texts() -> dict[str, dict]:
    """Code of a language -> its texts, from one file each; English first.

    A file of texts is all that a language needs. `"name"` is what the language calls itself, `"dir"` the direction
    that it is written in, `ltr` or `rtl`.
    """
    found = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted((_HERE / "texts").glob("*.json"))}
    return {"en": found.pop("en"), **found}


def static_file(name: str) -> str:
    """The content of one of the pages' files."""
    return (_HERE / "static" / name).read_text("utf-8")


def bundle(name: str) -> str:
    """A script with all that it imports, as one: a notebook's widget is one file.

    Imports stand in the files one way: from a file of this folder, before all else, under the names it exports.
    """
    taken: dict[str, str] = {}

    def take(script: str) -> None:
        if script not in taken:
            text = static_file(script)
            for imported in _IMPORT.findall(text):
                take(imported)
            taken[script] = _IMPORT.sub("", text)

    take(name)
    return "\n".join(taken.values())


def page_routes(page: str) -> list[Route]:
    """The routes of a page: itself at `/`, its files below `/static/`, the texts at `/texts/`.

    Args:
        page: name of the markup among the files.
    """
    files = {path.name: path for path in (_HERE / "static").iterdir() if path.suffix in _KINDS}

    def answer(path: Path) -> Response:
        return Response(path.read_bytes(), media_type=_KINDS[path.suffix])

    async def index(request: Request) -> Response:
        return answer(files[page])

    async def file(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in files:
            raise Refusal(404, "not_found", "There is no such file.")
        return answer(files[name])

    async def languages(request: Request) -> Response:
        return JSONResponse(texts())

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    return [
        Route("/", index),
        Route("/static/{name}", file),
        Route("/texts", languages),
        Route("/healthz", health),
    ]
