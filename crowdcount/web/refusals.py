"""What the server answers instead of a result."""

from __future__ import annotations

from collections.abc import Mapping


class Refusal(Exception):
    """A request that is not answered with a result.

    Args:
        status: of HTTP (RFC 9110, section 15).
        code: a word for programs, and the key of the sentence in the page's own language.
        message: one sentence in English; it holds no path of this machine.
        headers: further headers of the answer.
        close: whether the connection ends, because what the sender goes on sending is not read.
    """

    def __init__(
        self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None, close: bool = False
    ):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.headers = {**(headers or {}), **({"connection": "close"} if close else {})}

    def body(self) -> dict[str, str]:
        """What the answer holds."""
        return {"error": self.message, "code": self.code}
