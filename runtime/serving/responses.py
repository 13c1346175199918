"""Responses: JSON, whole or as a stream of server-sent events, and refusals."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.types import Scope, Send

from runtime.serving.errors import RefusalError
from runtime.serving.record import Record
from runtime.serving.replies import to_json

_STREAM_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # a proxy such as nginx hands every event on at once
]


def json_response(value: object, status: int = 200, headers: Any = None) -> Response:
    """`value` as a whole response."""
    return Response(to_json(value), status, headers, media_type="application/json")


def refused(refusal: RefusalError, scope: Scope) -> Response:
    """`refusal` as the whole response to the request of `scope`, whose record says so."""
    Record.of(scope).refused(refusal)
    return json_response(refusal.body(), refusal.status, refusal.headers)


class EventStream:
    """Server-sent events (WHATWG HTML, section 9.2)."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._unsent: list[bytes] = []

    async def begin(self) -> None:
        """Send the head."""
        await self._send({"type": "http.response.start", "status": 200, "headers": _STREAM_HEADERS})

    def event(self, value: object) -> None:
        """Write `value` as JSON."""
        self._unsent.append(b"data: " + to_json(value) + b"\n\n")

    def still_here(self) -> None:
        """Write a comment, which clients read over, so that they and what is between know of each other."""
        self._unsent.append(b": still here\n\n")

    async def flush(self) -> None:
        """Send what was written."""
        if self._unsent:
            await self._send({"type": "http.response.body", "body": self._taken(), "more_body": True})

    async def end(self) -> None:
        """Send what was written, and the word that OpenAI's streams end with."""
        self._unsent.append(b"data: [DONE]\n\n")
        await self._send({"type": "http.response.body", "body": self._taken(), "more_body": False})

    def _taken(self) -> bytes:
        taken, self._unsent = self._unsent, []
        return b"".join(taken)
