"""Bodies of requests, as they arrive: of a bounded size, within a bounded time, and JSON by their own word."""

from __future__ import annotations

import asyncio
import email.message
from collections.abc import Mapping

from starlette.requests import ClientDisconnect, Request

from runtime.serving.errors import RefusalError

MOST_BYTES = 16 * 2**20
_READ_OVER = 4  # times as much of a body that is too large, so that its client hears why
_SECONDS = 60.0
_CHARSETS = ("utf-8", "utf8", "us-ascii")


async def read_body(request: Request) -> bytes | None:
    """The body; None where the client left meanwhile. Raises RefusalError.

    It has to say that it is JSON: a page of another site can send what says nothing without asking (CORS).
    """
    _check_headers(request)
    try:
        async with asyncio.timeout(_SECONDS):
            return await _read(request)
    except TimeoutError:
        raise RefusalError(f"The body did not arrive within {_SECONDS:.0f} s; send it again.", status=408) from None
    except ClientDisconnect:
        return None


def _check_headers(request: Request) -> None:
    kind = email.message.Message()
    kind["content-type"] = request.headers.get("content-type", "")
    if kind.get_content_type() != "application/json":
        raise RefusalError("The body must be JSON and say so: send Content-Type: application/json.", status=415)
    if str(kind.get_param("charset", "utf-8")).lower() not in _CHARSETS:
        raise RefusalError("The body must be JSON in UTF-8; send it so, or without a charset.", status=415)
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise RefusalError("The body must not be compressed; send it without Content-Encoding.", status=415)
    if "expect" in request.headers and int(request.headers.get("content-length", 0)) > MOST_BYTES:
        # Before the client is told to go on. It may send the body all the same, which nothing here would read.
        raise _too_large(headers={"Connection": "close"})


async def _read(request: Request) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size <= MOST_BYTES:
            pieces.append(piece)
        else:
            pieces.clear()
        if size > _READ_OVER * MOST_BYTES:
            break
    if size > MOST_BYTES:
        raise _too_large()
    return b"".join(pieces)


def _too_large(headers: Mapping[str, str] | None = None) -> RefusalError:
    sentence = f"The body has more than {MOST_BYTES // 2**20} MiB; shorten it."
    return RefusalError(sentence, status=413, code="request_too_large", headers=headers or {})
