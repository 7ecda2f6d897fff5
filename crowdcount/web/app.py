"""The application of `crowdcount app`: the page, and the interface for programs behind it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial

import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crowdcount.counting.ranges import COVERAGE
from crowdcount.errors import CrowdCountError
from crowdcount.network.loading import load_network
from crowdcount.network.prediction import predict_density
from crowdcount.web import answers
from crowdcount.web.bodies import MOST_BYTES, read_body, read_json
from crowdcount.web.line import MOST_WAITING, Line
from crowdcount.web.openapi import description
from crowdcount.web.pages import page_routes
from crowdcount.web.refusals import Refusal
from crowdcount.web.serve import guarded

_PARAMETERS = {"name", "model", "coverage", "details"}


def make_app(
    model: str = "general", *, host: str = "127.0.0.1", token: str | None = None, most_waiting: int = MOST_WAITING
) -> Starlette:
    """The ASGI application.

    Args:
        model: name or file of the network that counts where none is asked for.
        host: where it will listen: which names in a request are ours depends on it.
        token: what those who ask must show; None for none, as on the loopback.
        most_waiting: requests in line at once.

    Raises:
        WeightsError: if there is no such network.
    """
    server = _Server(answers.Models(model), most_waiting)
    routes = [
        *page_routes("app.html"),
        Route("/example.jpg", server.example),
        Route("/openapi.json", server.openapi),
        Route("/api/models", server.models),
        Route("/api/count", server.count, methods=["POST"]),
        Route("/api/zones", server.zones, methods=["POST"]),
        Route("/api/report", server.report, methods=["POST"]),
    ]
    return guarded(routes, host=host, token=token, lifespan=server.life)


class _Server:
    """The endpoints, with the line before the network."""

    def __init__(self, models: answers.Models, most_waiting: int):
        self._models = models
        self._line = Line(most_waiting)

    @asynccontextmanager
    async def life(self, app: Starlette) -> AsyncIterator[None]:
        # The network is loaded while the first visitor still looks for a photo.
        warming = asyncio.create_task(self._line.run(None, self._warm_up))
        yield
        warming.cancel()
        with suppress(asyncio.CancelledError, CrowdCountError):
            await warming
        self._line.close()

    def _warm_up(self) -> None:
        # A picture that cannot be counted with this network says so when it comes.
        with suppress(CrowdCountError, MemoryError):
            network, _ = load_network(self._models.place(self._models.default))
            predict_density(network, np.zeros((64, 64, 3), np.uint8))

    async def count(self, request: Request) -> Response:
        query = request.query_params
        _check_parameters(query)
        name = answers.tidy_name(query.get("name", ""))
        model = query.get("model") or self._models.default
        coverage = _share(query.get("coverage", ""))
        with self._line.place():
            data = await read_body(request, MOST_BYTES, _is_picture, "image/* or application/octet-stream")
            work = partial(
                answers.count_picture, data, name, self._models, model, coverage, details=query.get("details") == "1"
            )
            record, counted = await self._line.run(request, work)
        return JSONResponse(record, 200 if counted else 422)

    async def zones(self, request: Request) -> Response:
        return JSONResponse(await self._from_json(request, partial(answers.count_in_zones, models=self._models)))

    async def report(self, request: Request) -> Response:
        page = await self._from_json(request, partial(answers.report, models=self._models))
        headers = {"content-disposition": 'attachment; filename="crowdcount.html"'}
        return Response(page.encode("utf-8", "backslashreplace"), media_type="text/html", headers=headers)

    async def _from_json(self, request: Request, work):
        with self._line.place():
            content = await read_json(request)
            try:
                # Not in the line's thread: it is quick, and need not wait for pictures.
                return await asyncio.to_thread(work, content)
            except CrowdCountError as error:
                raise Refusal(422, "not_usable", self._models.by_name(str(error))) from error

    async def models(self, request: Request) -> Response:
        return JSONResponse({"models": self._models.cards})

    async def openapi(self, request: Request) -> Response:
        return JSONResponse(description())

    async def example(self, request: Request) -> Response:
        return Response(answers.example_picture(), media_type="image/jpeg")


def _is_picture(kind: str) -> bool:
    return kind.startswith("image/") or kind == "application/octet-stream"


def _check_parameters(query: Mapping[str, str]) -> None:
    # One that is misspelled would be left out, and the answer would look as if it had been heeded.
    if unknown := sorted(query.keys() - _PARAMETERS):
        known = ", ".join(sorted(_PARAMETERS))
        raise Refusal(422, "not_usable", f"There is no parameter {unknown[0][:40]!r}. There are {known}.")
    if query.get("details", "0") not in ("", "0", "1"):
        raise Refusal(422, "not_usable", f"details must be 0 or 1. Received: {query['details'][:40]!r}")


def _share(text: str) -> float:
    if not text:
        return COVERAGE
    with suppress(ValueError):
        value = float(text)
        if math.isfinite(value) and 0 < value < 1:
            return value
    raise Refusal(422, "coverage", "coverage must be a number between 0 and 1, as 0.9.")
