"""Guards: who may ask. They stand before the routes."""

from __future__ import annotations

import hmac
import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.serving.errors import RefusalError
from runtime.serving.responses import refused

_HOST = re.compile(r"(\[[^\]]*\]|[^:]*)(?::\d*)?")  # a name or an address, and a port
_OPEN_PATHS = ("/health",)  # what watches a server need not know its key


class HostGuard:
    """Answers only who asked for one of `hosts`: a page whose name was made to point at this machine did not
    (DNS rebinding). Who sends no Host at all, as HTTP/1.0 allows, is no page: browsers always do."""

    def __init__(self, app: ASGIApp, hosts: tuple[str, ...]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        host = Headers(scope=scope).get("host")
        named = None if host is None else _HOST.fullmatch(host.lower())
        if host is None or (named is not None and named[1] in self._hosts):
            return await self._app(scope, receive, send)
        sentence = (
            "The Host header names another machine than this one; ask for http://127.0.0.1, or start the server with "
            "an API key."
        )
        refusal = RefusalError(sentence, status=403, code="wrong_host")
        return await refused(refusal, scope)(scope, receive, send)


class KeyGuard:
    """Answers only who sends the key, as `Authorization: Bearer KEY`."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._app = app
        self._key = key.encode("ascii")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        kind, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
        # In constant time: how long it takes must not tell how much of a guess is right.
        right = hmac.compare_digest(given.strip().encode("latin-1", "replace"), self._key)
        if (kind.lower() == "bearer" and right) or scope["path"] in _OPEN_PATHS:
            return await self._app(scope, receive, send)
        refusal = RefusalError(
            "The API key is missing or wrong; send the server's as Authorization: Bearer KEY.",
            status=401,
            code="invalid_api_key",
            headers={"WWW-Authenticate": "Bearer"},
        )
        return await refused(refusal, scope)(scope, receive, send)
