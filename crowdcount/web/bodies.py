"""What a request brings: read up to a limit of bytes and of time, and of the right kind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from starlette.requests import ClientDisconnect, Request

from crowdcount.web.refusals import Refusal

MOST_BYTES = 64 * 2**20
"""Bytes of a picture: a JPEG of 100 megapixels has about 40 million."""
MOST_JSON_BYTES = 32 * 2**20
"""Bytes of JSON: the density map of 100 megapixels in base64 has 8 million, the small pictures of a report the rest."""

# Seconds without a byte, and seconds for all of it, after which a sender is given up: it holds a place in the line.
_IDLE = 15.0
_LONGEST = 300.0


async def read_body(request: Request, most: int, is_kind: Callable[[str], bool], kinds: str) -> bytes:
    """The body of a request.

    Args:
        request: the request.
        most: limit in bytes.
        is_kind: tells of the media type, lower case and without parameters, whether it is wanted.
        kinds: the wanted media types in words.

    Raises:
        Refusal: for another type (415), a body above the limit (413), one that comes too slowly (408), or one that
            ends early (400).
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not is_kind(kind) or request.headers.get("content-encoding", "identity") != "identity":
        raise Refusal(415, "wrong_type", f"The Content-Type must be {kinds}, not compressed.", close=True)
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > most:
        raise _too_large(most)
    try:
        return await asyncio.wait_for(_received(request, most), _LONGEST)
    except (asyncio.TimeoutError, TimeoutError) as error:
        raise Refusal(408, "slow", "What was sent came too slowly.", close=True) from error
    except ClientDisconnect as error:
        raise Refusal(400, "cut_off", "What was sent ends early.", close=True) from error


async def read_json(request: Request) -> dict:
    """The JSON object in the body of a request.

    Raises:
        Refusal: as `read_body`, and for what is no JSON object (400).
    """
    body = await read_body(request, MOST_JSON_BYTES, lambda kind: kind == "application/json", "application/json")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "no_json", "The body is no JSON in UTF-8.") from error
    if not isinstance(content, dict):
        raise Refusal(400, "no_json", "The body must be a JSON object.")
    return content


async def _received(request: Request, most: int) -> bytes:
    body, stream = bytearray(), request.stream()
    while True:
        try:
            chunk = await asyncio.wait_for(anext(stream), _IDLE)
        except StopAsyncIteration:
            return bytes(body)
        body += chunk
        if len(body) > most:
            raise _too_large(most)


def _too_large(most: int) -> Refusal:
    return Refusal(413, "too_large", f"At most {most // 2**20} MiB can be sent.", close=True)
