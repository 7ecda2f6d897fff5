"""Who may ask: the Host and the Origin of a request, the token, and the headers that every answer carries.

A page of somebody else can make a browser on this machine send requests to it, and a name of somebody else can be made
to lead here (DNS rebinding). Both are told by headers that a page cannot forge: the Host is the name that the browser
looked up, the Origin the page that asks.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crowdcount.web.refusals import Refusal

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
COOKIE = "crowdcount"
# Asked by those who look whether the server is alive; it tells nothing else.
_OPEN_PATHS = frozenset({"/healthz"})
# Everything comes from this server, and nothing that a file is named can run: no script or style stands in a page.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0")
        (True, False)
    """
    return host.lower() in LOOPBACK or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def allowed_names(host: str) -> frozenset[str]:
    """The names by which a server that listens at `host` may be called, besides numbers (see `Guard`)."""
    if is_loopback(host):
        return LOOPBACK | {host.lower()}
    own = socket.gethostname().lower()
    return LOOPBACK | {host.lower(), own, f"{own.split('.')[0]}.local"}


class Guard:
    """Let only those requests through to an application that may be answered.

    Args:
        app: the ASGI application.
        names: names in the Host that are ours, lower case.
        any_address: whether any IP address may stand in the Host too. A server that listens on the network has
            several; an address cannot be rebound, for no name is looked up.
        token: what those who ask must show, in the cookie that the first page sets or as `Authorization: Bearer`;
            None where everybody who can reach the server may ask.
    """

    def __init__(self, app: ASGIApp, *, names: Iterable[str], any_address: bool = False, token: str | None = None):
        self._app = app
        self._names, self._any_address, self._token = frozenset(names), any_address, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":  # a WebSocket: closed before it opens
            return await send({"type": "websocket.close", "code": 1008})
        answer = self._answer(scope)
        if answer is None:
            return await self._app(scope, receive, _with_headers(send))
        return await answer(scope, receive, _with_headers(send))

    def _answer(self, scope: Scope) -> Response | None:
        """What is answered in the application's place; None where the request is the application's."""
        headers = Headers(scope=scope)
        try:
            self._check_host(headers)
            _check_origin(scope, headers)
            return self._check_token(scope, headers)
        except Refusal as refusal:
            return refused(refusal)

    def _check_host(self, headers: Headers) -> None:
        name = _name_in(headers.get("host", ""))
        if name in self._names or (self._any_address and _is_address(name)):
            return
        raise Refusal(403, "foreign_host", "This server does not go by the name that was asked for.", close=True)

    def _check_token(self, scope: Scope, headers: Headers) -> Response | None:
        if self._token is None or scope["path"] in _OPEN_PATHS:
            return None
        shown = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["path"] == "/" and scope["method"] == "GET" and shown and self._is_token(shown):
            # Away from an address that holds the token. Neither answer nor cookie names a path: another server may show
            # the page in one of its folders.
            answer = RedirectResponse("./", 303)
            answer.set_cookie(self._cookie(scope), self._token, path=None, httponly=True, samesite="lax")
            return answer
        kind, _, bearer = headers.get("authorization", "").partition(" ")
        cookie = cookie_parser(headers.get("cookie", "")).get(self._cookie(scope), "")
        if (kind.lower() == "bearer" and self._is_token(bearer.strip())) or self._is_token(cookie):
            return None
        raise Refusal(
            401,
            "token",
            "This server wants its token: open the whole address that it printed when it started, or send the header "
            "'Authorization: Bearer TOKEN'.",
            headers={"www-authenticate": "Bearer"},
            close=True,
        )

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(), (self._token or "").encode())

    @staticmethod
    def _cookie(scope: Scope) -> str:
        """Cookies do not tell ports apart: two servers on one machine need two names."""
        return f"{COOKIE}-{(scope.get('server') or ('', 0))[1]}"


def refused(refusal: Refusal) -> Response:
    """The answer of a refusal."""
    return JSONResponse(refusal.body(), refusal.status, refusal.headers)


def _check_origin(scope: Scope, headers: Headers) -> None:
    foreign = Refusal(403, "foreign_origin", "Only this server's own page may ask it from a browser.", close=True)
    origin = headers.get("origin")
    if origin is not None and _place_in(origin) != headers["host"].lower():
        raise foreign
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        # A link on another page may lead here; it may not load, or send, anything else.
        link = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        if not (link and scope["method"] == "GET" and scope["path"] == "/"):
            raise foreign


def _place_in(origin: str) -> str:
    """Name and port in an Origin header; empty where it is none, as "null"."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _name_in(host: str) -> str:
    """The name in a Host header, without the port; empty where it is none."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # ValueError if it is no number
    except ValueError:
        return ""
    if parts.netloc != host or "@" in host:
        return ""
    return (parts.hostname or "").lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _with_headers(send: Send) -> Callable[[Message], Awaitable[None]]:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
