"""The end of the server while clients are slow: it waits for none of them for long, and calls none of them a bug."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from runtime.engines.batch import BatchEngine
from tests.runtime.serving.asking import completion
from tests.runtime.serving.running import RunningServer


def posted(fields: dict[str, Any]) -> bytes:
    body = json.dumps(fields).encode()
    head = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
    return f"{head}{len(body)}\r\n\r\n".encode() + body


def received(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    connection.settimeout(30)
    return b"".join(iter(lambda: connection.recv(65_536), b""))


def wait_until(true: Callable[[], bool]) -> None:
    for _ in range(6_000):
        if true():
            return
        time.sleep(0.005)
    raise AssertionError("it did not become true")


def test_a_body_that_is_on_its_way_is_not_waited_for(batch: BatchEngine, caplog: pytest.LogCaptureFixture) -> None:
    with RunningServer(batch) as server, socket.create_connection(server.socket.getsockname()) as connection:
        connection.sendall(posted(completion())[:-5])
        assert server.client().get("/health").status_code == 200  # asked later: the body is being read by then
        server.stop()
        reply = received(connection)
        (record,) = [record for record in server.records if record.method == "POST"]
    assert reply.startswith(b"HTTP/1.1 503 ")
    assert json.loads(reply.partition(b"\r\n\r\n")[2])["error"]["code"] == "shutting_down"
    assert (record.status, record.left) == (503, False)
    assert not caplog.records


def test_a_client_that_reads_nothing_is_cut_off_without_a_traceback(
    batch: BatchEngine, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.serving.server._GRACE_SECONDS", 1)
    stalled = socket.socket()
    stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    with RunningServer(batch) as server, stalled:
        server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)  # connections have it from here
        stalled.connect(server.socket.getsockname())
        stalled.sendall(posted(completion(max_tokens=600, logprobs=20, stream=True)))  # more than the buffers hold
        wait_until(lambda: server.gate.inside == 1)
        wait_until(lambda: server.gate.inside == 0)
        assert not server.records, "the reply was sent whole: nothing is stalled"
        server.stop()
        (record,) = server.records
    assert record.status == 200
    assert [told for told in caplog.records if told.levelno >= logging.ERROR] == []
