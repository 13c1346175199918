"""The target of a request, in the form that routes know."""

from __future__ import annotations

import re
from urllib.parse import unquote

from starlette.types import ASGIApp, Receive, Scope, Send

_ABSOLUTE = re.compile(rb"https?://([^/]+)(.*)", re.IGNORECASE)  # without its query


class OriginForm:
    """A target that is a whole address (RFC 9112, section 3.2.2: absolute form) becomes its path: clients send it that
    take the server for a proxy. Its host takes the place of the header Host, so that guards look at it, too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        absolute = _ABSOLUTE.fullmatch(scope["raw_path"])
        if absolute is not None:
            host, path = absolute[1], absolute[2] or b"/"
            headers = [(name, value) for name, value in scope["headers"] if name != b"host"]
            scope = {
                **scope,
                "path": unquote(path.decode("ascii")),
                "raw_path": path,
                "headers": [*headers, (b"host", host)],
            }
        await self._app(scope, receive, send)
