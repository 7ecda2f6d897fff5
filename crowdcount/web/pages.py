"""The routes of the pages' files: markup, styles, scripts, and the texts in each language.

Only the files that lie in these folders when the server starts can be asked for, by their names: a request never
becomes a path.
"""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crowdcount.web.parts import FOLDER, texts
from crowdcount.web.refusals import Refusal

_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def page_routes(page: str) -> list[Route]:
    """The routes of a page: itself at `/`, its files below `/static/`, the texts at `/texts/`.

    Args:
        page: name of the markup among the files.
    """
    files = {path.name: path for path in (FOLDER / "static").iterdir() if path.suffix in _KINDS}

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
