"""A server on this machine that speaks as much of the Hub's protocol as a download needs, and misbehaves on request.

A second port stands for the storage that large files are redirected to.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

import huggingface_hub
import pytest

from export.hub import Hub, Snapshot, begin_fetch
from export.progress import Progress, SilentProgress

LARGE = (".safetensors", ".bin", ".h5", ".msgpack")  # kept in git-lfs there
REPO = "tiiuae/falcon-7b-instruct"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
WEIGHTS = "model-00001-of-00002.safetensors"


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


FILES = {
    "config.json": b'{"model_type": "falcon"}',
    "generation_config.json": b"{}",
    "tokenizer.json": noise(5_000),
    "tokenizer_config.json": b'{"eos_token": "<|endoftext|>"}',
    "special_tokens_map.json": b'{"eos": 1}',
    "model.safetensors.index.json": b'{"weight_map": {"a": "%b", "b": "model-00002-of-00002.safetensors"}}'
    % WEIGHTS.encode(),
    WEIGHTS: noise(400_000),
    "model-00002-of-00002.safetensors": noise(100_000),
}
SPARE = {
    "README.md": b"# Falcon",
    "pytorch_model.bin.index.json": b"{}",
    "pytorch_model-00001-of-00002.bin": b"bin",
    "tf_model.h5": b"h5",
    "flax_model.msgpack": b"msgpack",
    "coreml/text-generation/model.mlpackage/Data/com.apple.CoreML/weights/weight.bin": b"coreml",
    "onnx/config.json": b"{}",
    "handler.py": b"import os",
}


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the server was asked."""

    port: int
    path: str
    headers: Mapping[str, str]  # names in lower case


@dataclass
class Faults:
    """What goes wrong. Lists are used up from the front, one entry a request."""

    cut: dict[str, list[int]] = field(default_factory=dict)  # after so many bytes of the body the connection breaks
    stall: dict[str, int] = field(default_factory=dict)  # once, after so many bytes, nothing comes until `go_on` is set
    answers: dict[str, list[int]] = field(default_factory=dict)  # statuses; the path's last part names the request
    code: str = ""  # X-Error-Code of those answers
    lasting: tuple[int, str] | None = None  # status and code for every file, as a gated repository has
    retry_after: str = ""
    corrupt: set[str] = field(default_factory=set)  # files whose first byte is wrong
    no_ranges: bool = False
    names_only: bool = False  # the listing has neither sizes nor hashes
    nonsense: bool = False  # a login page in place of every answer


class HubServer:
    """One repository: `files` by name. Use as a context manager; `requests` is what was asked, in order."""

    def __init__(self, files: Mapping[str, bytes], repo: str = REPO, commit: str = COMMIT) -> None:
        self.files = dict(files)
        self.repo = repo
        self.commit = commit
        self._earlier: dict[str, dict[str, bytes]] = {}
        self.faults = Faults()
        self.requests: list[Request] = []
        self.stalled, self.go_on = threading.Event(), threading.Event()
        self._servers = [_Server(self), _Server(self)]

    def __enter__(self) -> HubServer:
        for server in self._servers:
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.go_on.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()
            server.hang_up()

    def move(self, commit: str, changes: Mapping[str, bytes] | None = None) -> None:
        """Let `main` stand for another commit, whose files differ by `changes`; the one before stays."""
        self._earlier[self.commit] = self.files
        self.files, self.commit = self.files | dict(changes or {}), commit

    def files_at(self, revision: str) -> dict[str, bytes] | None:
        """The files of the branch or of a commit; None where there is no such revision."""
        return self.files if revision in ("main", self.commit) else self._earlier.get(revision)

    @property
    def port(self) -> int:
        return self._servers[0].server_port

    @property
    def storage_port(self) -> int:
        return self._servers[1].server_port

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def endpoint(self) -> str:
        return f"http://{self.host}"

    def asked_for(self, name: str) -> list[Request]:
        """Requests for the bytes of one file."""
        port = self.storage_port if name.endswith(LARGE) else self.port
        return [r for r in self.requests if r.port == port and urlsplit(r.path).path.endswith(f"/{name}")]

    def listing(self, revision: str) -> dict[str, Any]:
        """The answer of /api/models/REPO/revision/REVISION?blobs=true."""
        siblings: list[dict[str, Any]] = []
        for name, data in (self.files_at(revision) or {}).items():
            entry: dict[str, Any] = {"rfilename": name}
            if not self.faults.names_only:
                entry |= {"size": len(data), "blobId": git_id(data)}
                if name.endswith(LARGE):
                    entry["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
            siblings.append(entry)
        commit = revision if revision in self._earlier else self.commit
        return {"id": self.repo, "sha": commit, "siblings": siblings}


class Recorder(SilentProgress):
    """What a progress bar would have been told."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int, str]] = []
        self.done: list[int] = []
        self.finished = 0

    def start(self, stage: str, total: int, unit: str) -> None:
        self.stages.append((stage, total, unit))

    def advance(self, done: int) -> None:
        self.done.append(done)

    def finish(self) -> None:
        self.finished += 1


@contextlib.contextmanager
def no_proxy() -> Iterator[None]:
    """A session, which reads the environment once, that finds no proxy there."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
            patch.delenv(name, raising=False)
            patch.delenv(name.upper(), raising=False)
        huggingface_hub.close_session()
        yield
        huggingface_hub.close_session()


def git_id(data: bytes) -> str:
    """The name that git gives to a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def etag(name: str, data: bytes) -> str:
    """What the Hub gives as a file's etag."""
    return hashlib.sha256(data).hexdigest() if name.endswith(LARGE) else git_id(data)


def files_of(folder: Path) -> dict[str, bytes]:
    """The files of a checkpoint folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def fetch(
    repo: str, revision: str | None, progress: Progress, *, offline: bool = False, hub: Hub | None = None
) -> Snapshot:
    """All of it, as an export does in two steps."""
    snapshot = begin_fetch(repo, revision, progress, offline=offline, hub=hub)
    snapshot.fetch_weights()
    return snapshot


def get(hub: Hub, progress: SilentProgress | None = None, revision: str = "main") -> Snapshot:
    return fetch(REPO, revision, progress or SilentProgress(), hub=hub)


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def blob(hub: Hub, name: str) -> Path:
    return hub.cache / "models--tiiuae--falcon-7b-instruct" / "blobs" / etag(name, FILES[name])


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, hub: HubServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.hub = hub
        self._connections: list[socket.socket] = []

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self._connections.append(connection)
        return connection, address

    def hang_up(self) -> None:
        """End the connections that clients keep open, which would be answered for ever."""
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or every answer waits 40 ms for the client to confirm its head
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing: tests read `requests`."""

    def do_GET(self) -> None:
        hub, path = self.server.hub, unquote(urlsplit(self.path).path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        hub.requests.append(Request(port=self.server.server_port, path=self.path, headers=headers))
        name = path.rpartition("/")[2]
        faults = hub.faults
        if faults.nonsense:
            return self._answer(200, b"<html>Please log in</html>", {"Content-Type": "text/html"})
        if faults.answers.get(name):
            return self._refuse(faults.answers[name].pop(0), faults.code)
        if self.server.server_port == hub.storage_port:
            data = (hub.files_at(path.split("/")[2]) or {})[name]
            return self._send_file(name, data, {"ETag": '"of-the-storage"'})
        if path.startswith("/api/models/"):
            return self._list(path)
        return self._resolve(path, name)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _list(self, path: str) -> None:
        hub = self.server.hub
        repo, _, revision = path.removeprefix("/api/models/").partition("/revision/")
        if repo != hub.repo:
            self._refuse(401, "RepoNotFound")
        elif hub.files_at(revision) is None:
            self._refuse(404, "RevisionNotFound")
        else:
            body = json.dumps(hub.listing(revision)).encode()
            self._answer(200, body, {"Content-Type": "application/json", "X-HF-Warning": "unauthenticated; be warned"})

    def _resolve(self, path: str, name: str) -> None:
        hub = self.server.hub
        revision = path.removeprefix(f"/{hub.repo}/resolve/").removesuffix(f"/{name}")
        files = hub.files_at(revision)
        if files is None or name not in files:
            return self._refuse(404, "EntryNotFound")
        if hub.faults.lasting:
            return self._refuse(*hub.faults.lasting)
        data, commit = files[name], hub.commit if revision == "main" else revision
        if not name.endswith(LARGE):
            return self._send_file(name, data, {"ETag": f'"{git_id(data)}"', "X-Repo-Commit": commit})
        redirection = {
            "Location": f"http://127.0.0.1:{hub.storage_port}/storage/{commit}/{name}?signature=x",
            "X-Repo-Commit": commit,
            "X-Linked-Size": str(len(data)),
            "X-Linked-Etag": f'"{hashlib.sha256(data).hexdigest()}"',
            "X-Xet-Hash": hashlib.sha256(data).hexdigest(),  # as the Hub offers it; a client may go on without
        }
        return self._answer(302, b"", redirection)

    def _send_file(self, name: str, data: bytes, headers: dict[str, str]) -> None:
        faults = self.server.hub.faults
        if name in faults.corrupt:
            data = bytes([data[0] ^ 1]) + data[1:]
        status, begin, wanted = 200, 0, self.headers.get("Range")
        if wanted and not faults.no_ranges:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            begin, end = int(first), int(last) + 1 if last else len(data)
            if begin >= len(data):
                return self._refuse(416, "")
            headers |= {"Content-Range": f"bytes {begin}-{end - 1}/{len(data)}"}
            status, data = 206, data[:end]
        return self._answer(status, data[begin:], headers, name)

    def _refuse(self, status: int, code: str) -> None:
        headers = {"X-Error-Code": code} if code else {}
        if self.server.hub.faults.retry_after:
            headers["Retry-After"] = self.server.hub.faults.retry_after
        self._answer(status, b'{"error": "no"}', headers)

    def _answer(self, status: int, body: bytes, headers: dict[str, str], name: str = "") -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        hub = self.server.hub
        if self.command == "HEAD":
            return
        if hub.faults.cut.get(name):
            self.wfile.write(body[: hub.faults.cut[name].pop(0)])
            self.wfile.flush()
            self.close_connection = True
            return
        if name in hub.faults.stall:
            length = hub.faults.stall.pop(name)
            self.wfile.write(body[:length])
            self.wfile.flush()
            hub.stalled.set()
            hub.go_on.wait()  # which is set when the server ends, if not before
            body = body[length:]
        self.wfile.write(body)
