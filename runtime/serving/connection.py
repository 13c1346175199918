"""Connection: one client's, which is closed where a request does not arrive in time, or cannot be read."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from runtime.serving.errors import RefusalError
from runtime.serving.replies import to_json

_HEAD_SECONDS = 30.0
_UNREADABLE = RefusalError(
    "The request is not HTTP/1.1 as it is read here; see to its first line, Host, Content-Length and the size of its "
    "head.",
    code="invalid_http",
)


class Connection(H11Protocol):
    """uvicorn's, whose own limit holds for connections on which nothing comes after a reply, but neither for those that
    never ask nor for those that ask a letter at a time.

    A head has to be there within 30 s: of the connection, or of the first byte after a reply. What is still sent of a
    body whose request was refused ends within that time, too. A body that is waited for has a limit of its own.
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The client is there, and has asked nothing."""
        super().connection_made(transport)
        self._limit_wait()

    def data_received(self, data: bytes) -> None:
        """More bytes, which begin a request where they hold the end of its head."""
        if self.conn.their_state in (h11.IDLE, h11.DONE) and not self.conn.trailing_data[0]:
            data = data.lstrip(b"\r\n")  # empty lines before a request are read over (RFC 9112, section 2.2)
        if data:  # to h11, none are the end
            super().data_received(data)
        self._limit_wait()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """Refuse what cannot be read as the application refuses, in OpenAI's form, unless a reply has begun."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = to_json(_UNREADABLE.body())
            head = f"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            self.transport.write(f"{head}Connection: close\r\n\r\n".encode() + body)
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed."""
        self._end_limit()
        super().connection_lost(exc)

    def _limit_wait(self) -> None:
        """Let the time run, from when it began, unless a request is being answered."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._end_limit()
        elif self._limit is None:
            self._limit = self.loop.call_later(_HEAD_SECONDS, self.timeout_keep_alive_handler)

    def _end_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
