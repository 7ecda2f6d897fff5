"""The local page of `crowdcount annotate`, on the server that all pages share."""

from __future__ import annotations

import asyncio
import json
from functools import partial

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from crowdcount.annotating.desk import Desk, entry_content
from crowdcount.annotating.folder import Conflict
from crowdcount.errors import CrowdCountError
from crowdcount.web.bodies import read_json
from crowdcount.web.line import Line
from crowdcount.web.pages import page_routes
from crowdcount.web.refusals import Refusal
from crowdcount.web.serve import guarded


def make_page(desk: Desk, *, host: str = "127.0.0.1", token: str | None = None) -> Starlette:
    """The ASGI application.

    Args:
        desk: answers what the page asks.
        host: where it will listen.
        token: what those who ask must show; None for none, as on the loopback.
    """
    line = Line()

    async def ask(request: Request) -> Response:
        with line.place():
            question = await read_json(request)
            work = partial(desk.answer, question)
            try:
                # Only the network's work waits for its turn.
                heads = question.get("ask") == "heads"
                answer = await (line.run(request, work) if heads else asyncio.to_thread(work))
            except Conflict as conflict:
                body = {"error": str(conflict), "code": "conflict", "entry": entry_content(conflict.entry)}
                return _json(body, 409)
            except CrowdCountError as error:
                told = str(error).encode("utf-8", "backslashreplace").decode()  # names, see `_json`
                raise Refusal(422, "not_usable", told) from error
            except OSError as error:
                raise Refusal(507, "not_written", f"The file cannot be written: {error.strerror or error}.") from error
        return Response(answer, media_type="image/jpeg") if isinstance(answer, bytes) else _json(answer)

    routes = [*page_routes("annotate.html"), Route("/api/annotate", ask, methods=["POST"])]
    return guarded(routes, host=host, token=token)


def _json(content: dict, status: int = 200) -> Response:
    """In ASCII: names of files may hold bytes that are no UTF-8, and come back as they went."""
    return Response(json.dumps(content, allow_nan=False), status, media_type="application/json")
