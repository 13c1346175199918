"""Connections of clients that ask slowly or never, through sockets: they end; those that wait for good reason stay."""

from __future__ import annotations

import socket

import pytest

from runtime.engines.batch import BatchEngine
from tests import patience
from tests.runtime.serving.running import RunningServer

LIMIT = 0.2  # seconds
HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
SLOW = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n"
JSON = b"Content-Type: application/json\r\n"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.serving.connection._HEAD_SECONDS", LIMIT)


def connected(server: RunningServer) -> socket.socket:
    return socket.create_connection(server.socket.getsockname(), timeout=patience.SECONDS)


def reply(connection: socket.socket) -> bytes:
    """The status line of the reply that comes, which has to be a short one."""
    received = b""
    while not received.endswith(b"}"):
        more = connection.recv(65_536)
        assert more, "the connection was closed"
        received += more
    return received.partition(b"\r\n")[0]


def drip_until_cut_off(connection: socket.socket) -> None:
    """Send letter after letter, faster than a silence could be noticed."""
    connection.settimeout(LIMIT / 10)

    def cut_off() -> bool:
        try:
            connection.sendall(b"a")
            while connection.recv(65_536):
                continue
        except TimeoutError:
            return False
        except ConnectionError:
            pass
        return True

    patience.until(cut_off)


def wait_longer_than_a_head_may_take(server: RunningServer) -> None:
    with connected(server) as silent:
        assert silent.recv(1) == b""


def test_who_never_asks_is_cut_off(server: RunningServer) -> None:
    wait_longer_than_a_head_may_take(server)


@pytest.mark.parametrize("begun", [b"", HEALTH[:-2] + b"X-Slow: ", HEALTH + b"GET /"])
def test_who_sends_a_head_letter_by_letter_is_cut_off(server: RunningServer, begun: bytes) -> None:
    with connected(server) as connection:
        connection.sendall(begun)
        drip_until_cut_off(connection)


def test_who_goes_on_sending_a_body_that_was_refused_is_cut_off(server: RunningServer) -> None:
    with connected(server) as connection:
        connection.sendall(SLOW + b"\r\n")
        assert reply(connection) == b"HTTP/1.1 415 Unsupported Media Type"
        drip_until_cut_off(connection)


def test_a_body_that_is_waited_for_and_an_idle_connection_may_take_longer_than_a_head(batch: BatchEngine) -> None:
    server = RunningServer(batch)
    with connected(server) as connection:
        body = b'{"prompt": 1}'
        head = SLOW.replace(b"1000000", b"%d" % len(body)) + JSON + b"\r\n"
        connection.sendall(head)  # before the server runs, so that it comes in time on a busy machine
        with server:
            wait_longer_than_a_head_may_take(server)
            connection.sendall(body)
            assert reply(connection) == b"HTTP/1.1 400 Bad Request"
            for _ in range(2):
                wait_longer_than_a_head_may_take(server)
                connection.sendall(HEALTH)
                assert reply(connection) == b"HTTP/1.1 200 OK"
