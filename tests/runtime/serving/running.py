"""The true server, in a thread, on a port of its own."""

from __future__ import annotations

import socket
import threading
import time
from types import TracebackType

import httpx

from runtime.engines.batch import BatchEngine
from runtime.serving.app import Access, make_app
from runtime.serving.gate import MOST_WAITING, Gate
from runtime.serving.listener import Listener
from runtime.serving.model import ServedModel
from runtime.serving.record import Record
from runtime.serving.server import Server
from runtime.serving.service import Service
from runtime.tokenizer import Tokenizer
from tests import patience
from tests.runtime.bundles import CONTEXT, talker

ANYBODY = Access()


class RunningServer:
    """Serves the talker through `engine`. Use as a context manager."""

    def __init__(
        self, engine: BatchEngine, *, access: Access = ANYBODY, at_once: int = 8, waiting: int = MOST_WAITING
    ) -> None:
        self.model = ServedModel(
            name=engine.info.model,
            fingerprint="fp_0123456789ab",
            created=int(time.time()),
            context_length=CONTEXT,
            tokenizer=Tokenizer.open(talker()),
        )
        self.gate = Gate(at_once=at_once, waiting=waiting)
        self.records: list[Record] = []  # of the requests that are over
        self.told = threading.Condition()
        service = Service(engine, self.model, self.gate)
        self._listener = Listener("127.0.0.1", 0)
        self._listener.listen()  # who connects before the thread runs is answered when it does
        self._server = Server(make_app(service, access, self._tell), service, self._listener)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    @property
    def socket(self) -> socket.socket:
        """The one that listens."""
        return self._listener.socket

    @property
    def url(self) -> str:
        return self._listener.url

    def client(self, *, key: str | None = None) -> httpx.Client:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return httpx.Client(base_url=self._url, headers=headers, trust_env=False, timeout=patience.SECONDS)

    def wait_for(self, requests: int) -> list[Record]:
        """The records, when `requests` of them are over."""
        with self.told:
            assert self.told.wait_for(lambda: len(self.records) >= requests, patience.SECONDS)
        return self.records

    def stop(self) -> None:
        """End the server, as Ctrl-C does."""
        self._server.stop()
        self._thread.join(patience.SECONDS)
        assert not self._thread.is_alive()

    def __enter__(self) -> RunningServer:
        self._url = self.url
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._listener.close()

    def _tell(self, record: Record) -> None:
        with self.told:
            self.records.append(record)
            self.told.notify_all()
