"""Server: the application on its listener, until it is told to end."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Sequence
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from runtime.serving.connection import Connection
from runtime.serving.listener import Listener
from runtime.serving.service import LOG, Service

_LOG = logging.getLogger("uvicorn.error")
_GRACE_SECONDS = 5  # for replies that are on their way when the server ends
_IDLE_SECONDS = 30  # that a connection may wait for its next request
_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)  # for which asyncio accepts nobody for a while
_SHORTAGE_SECONDS = 60.0  # between two lines about one


class Server:
    """Serves `app` until `stop`, Ctrl-C or SIGTERM. Then answers that are written end with a word about it."""

    def __init__(self, app: ASGIApp, service: Service, listener: Listener) -> None:
        self._listener = listener
        config = uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            loop="asyncio:SelectorEventLoop",  # on Windows, too, whose own closes the listener for one client's reset
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=1,  # to asyncio also how often it takes a connection at a time, and how often that may fail
            timeout_keep_alive=_IDLE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        _LOG.setLevel(logging.ERROR)  # what clients send wrong is their affair
        self._server = _Uvicorn(config, service, listener)

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
    """uvicorn, whose shutdown waits for replies: it ends them first. Too many connections are a line, no tracebacks."""

    def __init__(self, config: uvicorn.Config, service: Service, listener: Listener) -> None:
        super().__init__(config)
        self._service = service
        self._listener = listener
        self._silent_until = 0.0  # about a shortage, in the loop's time

    async def startup(self, sockets: Sequence[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(self._failed)
        await super().startup(list(sockets) if sockets is not None else None)
        self._listener.listen()  # as many may wait as before uvicorn said 1

    async def shutdown(self, sockets: Sequence[socket.socket] | None = None) -> None:
        self._service.stop()
        _LOG.setLevel(logging.CRITICAL)  # a client that reads nothing is cut off after the grace: no bug
        await super().shutdown(list(sockets) if sockets is not None else None)

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What asyncio met outside of requests. Of a shortage it tells at every try, one a second."""
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in _SHORTAGES:
            loop.default_exception_handler(context)
        elif loop.time() >= self._silent_until:
            self._silent_until = loop.time() + _SHORTAGE_SECONDS
            LOG.warning(
                "warning: clients that connect now have to wait (%s); where there are many, raise the limit with "
                "ulimit -n before the server is started.",
                error.strerror,
            )
