"""What is HTTP and what is none, byte by byte through sockets."""

from __future__ import annotations

import json
import socket

import pytest

from runtime.engines.batch import BatchEngine
from tests import patience
from tests.runtime.serving.asking import completion
from tests.runtime.serving.running import RunningServer

HEAD = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
JSON = b"Content-Type: application/json\r\n"


def connected(server: RunningServer) -> socket.socket:
    return socket.create_connection(server.socket.getsockname(), timeout=patience.SECONDS)


def all_that_comes(connection: socket.socket) -> bytes:
    """Until the server closes the connection."""
    return b"".join(iter(lambda: connection.recv(65_536), b""))


@pytest.mark.parametrize(
    "asked",
    [
        b"GET /health HTTP/1.1\r\n\r\n",
        HEAD + b"Host: localhost\r\n\r\n",
        HEAD + b"Content-Length: many\r\n\r\n",
        HEAD.replace(b"health", "größe".encode()) + b"\r\n",
        HEAD + b"X-Large: " + b"a" * 20_000,
        b"\x16\x03\x01\x02\x00\x01\x00",  # the beginning of TLS
        CHUNKED + JSON + b"\r\nno number\r\n",
        CHUNKED + b"\r\nno number\r\n",  # whose type is wrong, too
        CHUNKED.replace(b"POST", b"HEAD") + b"\r\nno number\r\n",
    ],
)
def test_what_is_no_http_is_refused_in_openais_form(
    server: RunningServer, asked: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with connected(server) as connection:
        connection.sendall(asked)
        head, _, body = all_that_comes(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n")
    error = json.loads(body)["error"]
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", None, "invalid_http")
    assert not caplog.records


def test_who_asks_before_sending_too_much_is_told_so_first(server: RunningServer) -> None:
    head = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    with connected(server) as connection:
        connection.sendall(head % 10)
        assert connection.recv(12) == b"HTTP/1.1 100"
    with connected(server) as connection:
        connection.sendall(head % (17 * 10**9))
        refusal = all_that_comes(connection)  # the connection is closed: what comes next may be the body
    assert refusal.startswith(b"HTTP/1.1 413")
    assert b"connection: close\r\n" in refusal.lower()


def test_what_is_no_http_after_a_refusal_ends_the_connection_without_a_traceback(
    server: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    with connected(server) as connection:
        connection.sendall(CHUNKED + b"\r\n")
        assert connection.recv(12) == b"HTTP/1.1 415"
        connection.sendall(b"no number\r\n")
        assert b"HTTP/1.1" not in all_that_comes(connection)
    assert not caplog.records


@pytest.mark.parametrize("pieces", [[b"\r\n"], [b"\r", b"\n"], [b"\n\r\n\r"]])
def test_empty_lines_before_a_request_are_read_over(server: RunningServer, pieces: list[bytes]) -> None:
    with connected(server) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # each piece goes by itself
        for piece in (*pieces, HEAD + b"\r\n", *pieces, HEAD + b"Connection: close\r\n\r\n"):
            connection.sendall(piece)
            if piece.startswith(b"GET"):
                assert connection.recv(12) == b"HTTP/1.1 200"
                while not connection.recv(65_536).endswith(b"}"):
                    continue
        assert all_that_comes(connection) == b""


def test_a_client_that_leaves_after_an_empty_line_is_noticed(batch: BatchEngine) -> None:
    asked = json.dumps(completion(max_tokens=2_000)).encode()
    head = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n" + JSON
    with RunningServer(batch) as server:
        with connected(server) as connection:
            connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(asked) + asked)
            patience.until(lambda: server.gate.inside == 1)
            connection.sendall(b"\r\n")
        (record,) = server.wait_for(1)
    assert record.left
