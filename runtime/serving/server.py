"""Server: the application on its listener, until it is told to end."""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence

import uvicorn
from starlette.types import ASGIApp

from runtime.serving.connection import Connection
from runtime.serving.listener import Listener
from runtime.serving.service import Service

_LOG = logging.getLogger("uvicorn.error")
_GRACE_SECONDS = 5  # for replies that are on their way when the server ends
_IDLE_SECONDS = 30  # that a connection may wait for its next request


class Server:
    """Serves `app` until `stop`, Ctrl-C or SIGTERM. Then answers that are written end with a word about it."""

    def __init__(self, app: ASGIApp, service: Service, listener: Listener) -> None:
        self._listener = listener
        config = uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_IDLE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        _LOG.setLevel(logging.ERROR)  # what clients send wrong is their affair
        self._server = _Uvicorn(config, service)

    def run(self) -> None:
        """Serve. Ctrl-C raises KeyboardInterrupt when all has ended; a second one waits for no reply."""
        # uvicorn itself takes signals when its loop runs: Ctrl-C while the loop is made would leave halves of both,
        # which Python warns of.
        with self._server.capture_signals():
            self._server.run(sockets=[self._listener.socket])

    def stop(self) -> None:
        """End `run`, from any thread."""
        self._server.should_exit = True


class _Uvicorn(uvicorn.Server):
    """uvicorn, whose shutdown waits for replies: it ends them first."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    async def shutdown(self, sockets: Sequence[socket.socket] | None = None) -> None:
        self._service.stop()
        _LOG.setLevel(logging.CRITICAL)  # a client that reads nothing is cut off after the grace: no bug
        await super().shutdown(list(sockets) if sockets is not None else None)
