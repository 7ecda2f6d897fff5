"""Running a page's server: its place, its token, its addresses, the browser."""

from __future__ import annotations

import asyncio
import errno
import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any
from urllib.parse import quote

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from crowdcount.errors import CrowdCountError
from crowdcount.web.guard import Guard, allowed_names, is_loopback, refused
from crowdcount.web.refusals import Refusal

PORT = 8000
_PORTS_TRIED = 20
# Connections at once: a browser opens six, and each costs memory before it has asked for anything.
_MOST_CONNECTIONS = 200
_MOST_HEADER_BYTES = 16 * 1024
# Until what is asked has been said: uvicorn itself waits for ever for whom it has not answered yet.
_HEADER_SECONDS = 20.0
_SHORTEST_TOKEN = 16
# A port is to be had again at once after its server's end, and never by two servers. On Unix the one option means that;
# on Windows the same one lets a second server in beside the first, and another keeps it out.
_ALONE = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)
# What says that the next port may be free: Windows tells of one that it or another program keeps to itself by EACCES.
_TAKEN = (errno.EADDRINUSE, errno.EACCES)


def guarded(
    routes: Sequence[Route],
    *,
    host: str,
    token: str | None,
    lifespan: Callable[[Any], AbstractAsyncContextManager] | None = None,
) -> Starlette:
    """An application of these routes that answers only whom it may; see `guard.Guard`.

    Args:
        routes: what it answers.
        host: where it will listen.
        token: what must be shown; None for none.
        lifespan: runs around the server's life.
    """
    guard = Middleware(Guard, names=allowed_names(host), any_address=not is_loopback(host), token=token)
    handlers = {Refusal: _refuse, HTTPException: _refuse_by_status, Exception: _refuse_unforeseen}
    return Starlette(routes=routes, middleware=[guard], exception_handlers=handlers, lifespan=lifespan)


def token_for(host: str, given: str | None = None) -> str | None:
    """The token of a server that listens at `host`: what was given, or a new one; None on the loopback.

    Raises:
        CrowdCountError: if the one given is short enough to be guessed, or holds what a header cannot.
    """
    given = (given or "").strip()
    if given and len(given) < _SHORTEST_TOKEN:
        raise CrowdCountError(f"A token needs {_SHORTEST_TOKEN} characters or more. Received: {len(given)}")
    if not (given.isascii() and given.isprintable()):
        odd = next(letter for letter in given if not (letter.isascii() and letter.isprintable()))
        raise CrowdCountError(f"A token is made of ASCII's letters, digits and signs. Received one with {odd!r}")
    return given or (None if is_loopback(host) else secrets.token_urlsafe(24))


def run(
    app: Starlette, listener: socket.socket, *, token: str | None, browser: bool, say: Callable[[str], None]
) -> None:
    """Serve until interrupted.

    Args:
        app: what `guarded` made.
        listener: what `listen` made.
        token: as for `guarded`.
        browser: whether to open the page in this machine's browser.
        say: called with each line for the person at the terminal.
    """
    # A token of the user's own may hold what has a meaning in an address, as + and & have.
    ending = f"/?token={quote(token, safe='')}" if token else "/"
    addresses = [place + ending for place in _places(listener)]
    say(f"Open in a browser: {addresses[0]}")
    for address in addresses[1:]:
        say(f"On a phone in the same network: {address}")
    say("Ctrl-C ends it.")
    if browser:
        # The socket listens already; the browser waits for the server to answer.
        opening = threading.Timer(0.2, webbrowser.open, [addresses[0]])
        opening.daemon = True
        opening.start()
    try:
        server_of(app).run(sockets=[listener])
    except KeyboardInterrupt:  # the ordinary end
        with suppress(OSError):  # the terminal may be gone
            say("Ended.")  # behind what it shows for the keys: the prompt begins a line of its own


class _Impatient(H11Protocol):
    """Hangs up on who sends no whole header: as many as are let in at once would keep out everybody else for good."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # sockets alone
        super().connection_made(transport)
        self._wait_for_header()

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._deadline.cancel()
        self._wait_for_header()

    def _wait_for_header(self) -> None:
        self._deadline = self.loop.call_later(_HEADER_SECONDS, self._hang_up)

    def _hang_up(self) -> None:
        if self.cycle is None or self.cycle.response_complete:  # or else a request is being answered
            self.transport.close()


def server_of(app: Starlette) -> uvicorn.Server:
    """The HTTP server of an application, with its limits."""
    return uvicorn.Server(
        uvicorn.Config(
            _answering_to_the_end(app),
            log_level="error",
            access_log=False,
            http=_Impatient,
            ws="none",
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_MOST_CONNECTIONS,
            h11_max_incomplete_event_size=_MOST_HEADER_BYTES,
            timeout_keep_alive=int(_HEADER_SECONDS),
            timeout_graceful_shutdown=2,
        )
    )


def _answering_to_the_end(app: ASGIApp) -> ASGIApp:
    """Requests that the server's end cuts off are told so; they are no faults, whose traces belong in the terminal."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except asyncio.CancelledError:
            if scope["type"] != "http":
                raise
            with suppress(RuntimeError):  # the answer has begun
                await refused(Refusal(503, "ending", "This server has been ended.", close=True))(scope, receive, send)

    return answer


def listen(host: str, port: int | None = None) -> socket.socket:
    """A socket that listens at a place.

    Args:
        host: name or address.
        port: of TCP; None for the first free one from 8000 on.

    Raises:
        CrowdCountError: if nothing can listen there.
    """
    wanted = range(PORT, PORT + _PORTS_TRIED) if port is None else [port]
    reason = ""
    for each in wanted:
        try:
            family, *_, place = socket.getaddrinfo(host, each, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
            listener = socket.socket(family, socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise CrowdCountError(f"There is no place {host!r} to listen at ({error}). Check --host.") from error
        try:
            listener.setsockopt(socket.SOL_SOCKET, _ALONE, 1)
            listener.bind(place)
            listener.listen(64)
            return listener
        except OSError as error:
            listener.close()
            reason = error.strerror or str(error)
            if error.errno not in _TAKEN:
                break
    ports = str(wanted[0]) if len(wanted) == 1 else f"{wanted[0]} to {wanted[-1]}"
    raise CrowdCountError(f"Cannot listen at {host}, port {ports}: {reason}. Choose another --port or --host.")


def _places(listener: socket.socket) -> list[str]:
    """Where the server can be reached: on this machine, and from others where it listens for them."""
    host, port = listener.getsockname()[:2]
    hosts = ["127.0.0.1", *_network_address()] if host in ("0.0.0.0", "::") else [host]
    return [f"http://{f'[{each}]' if ':' in each else each}:{port}" for each in hosts]


def _network_address() -> list[str]:
    """This machine's address in its network, if it has one. Nothing is sent: a datagram's socket only picks a way."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("10.255.255.255", 1))
        address = probe.getsockname()[0]
        return [] if is_loopback(address) or address == "0.0.0.0" else [address]
    return []


async def _refuse(request: Request, refusal: Exception) -> Response:
    return refused(refusal)  # type: ignore[arg-type]


async def _refuse_by_status(request: Request, error: Exception) -> Response:
    """What Starlette itself refuses: unknown paths and methods."""
    status = error.status_code  # type: ignore[attr-defined]
    codes = {404: ("not_found", "There is nothing at this address."), 405: ("method", "This is not how to ask here.")}
    code, message = codes.get(status, ("refused", "This cannot be answered."))
    return refused(Refusal(status, code, message, headers=getattr(error, "headers", None)))


async def _refuse_unforeseen(request: Request, error: Exception) -> Response:
    """A mistake of ours: told to the terminal, not to those who ask."""
    return refused(Refusal(500, "failed", "Something went wrong here. The terminal says what."))
