"""Bodies of requests, as they arrive: of a bounded size, within a bounded time, and JSON by their own word."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from runtime.serving.errors import RefusalError

MOST_BYTES = 16 * 2**20
_READ_OVER = 4  # times as much of a body that is too large, so that its client hears why
_SECONDS = 60.0


async def read_body(request: Request) -> bytes | None:
    """The body; None where the client left meanwhile. Raises RefusalError.

    It has to say that it is JSON: a page of another site can send what says nothing without asking (CORS).
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RefusalError("The body must be JSON and say so: send Content-Type: application/json.", status=415)
    try:
        async with asyncio.timeout(_SECONDS):
            return await _read(request)
    except TimeoutError:
        raise RefusalError(f"The body did not arrive within {_SECONDS:.0f} s; send it again.", status=408) from None
    except ClientDisconnect:
        return None


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
        sentence = f"The body has more than {MOST_BYTES // 2**20} MiB; shorten it."
        raise RefusalError(sentence, status=413, code="request_too_large")
    return b"".join(pieces)
