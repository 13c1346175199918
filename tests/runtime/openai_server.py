"""A server on this machine that speaks OpenAI's protocol: one serves a LocalEngine, one misbehaves as it is told."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from runtime.chat import Message
from runtime.engines.local import LocalEngine
from runtime.errors import ContextFullError, UserFacingError
from runtime.events import Event, Finished, TextDelta
from runtime.options import GenerationOptions, Grammar
from runtime.sampling import SamplingConfig, TokenLogprobs

Behaviour = Callable[["Handler"], None]


class OpenAIServer:
    """Serves `behave`, called with the handler of each request. Use as a context manager."""

    def __init__(self, behave: Behaviour) -> None:
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []  # path, headers, body
        self.hung_up = threading.Event()  # set by a behaviour that saw its client leave
        self.go_on = threading.Event()  # ends behaviours that hang
        self._server = _Server(self, behave)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> OpenAIServer:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, owner: OpenAIServer, behave: Behaviour) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.owner = owner
        self.behave = behave

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is what these tests are about."""


class Handler(BaseHTTPRequestHandler):
    """One request. `body` is what was sent; helpers write answers."""

    server: _Server
    body: dict[str, Any]

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing."""

    def do_GET(self) -> None:
        self._go({})

    def do_POST(self) -> None:
        self._go(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _go(self, body: dict[str, Any]) -> None:
        self.body = body
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.owner.requests.append((self.path, headers, body))
        self.server.behave(self)

    def answer(self, status: int, content: object, kind: str = "application/json", **headers: str) -> None:
        """A whole answer: JSON, or bytes as they are."""
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def begin(self) -> None:
        """The head of a stream."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.end_headers()
        self.wfile.flush()

    def event(self, data: object) -> None:
        """One event of a stream."""
        self.raw(f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode())

    def raw(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()

    def text(self, text: str, finish: str | None = None) -> None:
        """One chunk of a chat."""
        self.event({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]})

    def hang(self) -> None:
        """Send nothing until the client leaves or the test is over."""
        self.connection.settimeout(0.02)
        while not self.server.owner.go_on.is_set():
            with contextlib.suppress(TimeoutError):
                if not self.connection.recv(1):
                    self.server.owner.hung_up.set()
                    return

    def break_off(self) -> None:
        """Close the connection without a word."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


def serving(engine: LocalEngine) -> Behaviour:
    """An honest service, with the forms that vLLM gives its answers."""
    lock = threading.Lock()

    def behave(handler: Handler) -> None:
        if handler.path == "/v1/models":
            model = {"id": engine.info.model, "object": "model", "max_model_len": engine.context_length}
            return handler.answer(200, {"object": "list", "data": [model]})
        if handler.path not in ("/v1/chat/completions", "/v1/completions"):
            return handler.answer(404, {"error": {"message": "no such path"}})
        try:
            with lock:
                _stream(handler, _ask(engine, handler), chat="chat" in handler.path)
        except ContextFullError as error:
            handler.answer(400, {"error": {"message": str(error), "code": "context_length_exceeded"}})
        except UserFacingError as error:
            handler.answer(400, {"error": {"message": str(error)}})
        except OSError:
            handler.server.owner.hung_up.set()
        return None

    return behave


def _ask(engine: LocalEngine, handler: Handler) -> Iterator[Event]:
    body = handler.body
    assert body["model"] == engine.info.model
    names = (*("temperature", "top_p", "top_k", "min_p", "repetition_penalty"), *("typical_p", "seed"))
    sampling = {name: body[name] for name in (*names, "presence_penalty", "frequency_penalty") if name in body}
    biases = {int(token): bias for token, bias in body.get("logit_bias", {}).items()}
    form = body.get("response_format")
    options = GenerationOptions(
        sampling=SamplingConfig(**sampling, repetition_window=0, logit_bias=biases),
        max_new_tokens=body.get("max_tokens"),
        stop=tuple(body.get("stop", ())),
        logprobs=body.get("top_logprobs") if "messages" in body else body.get("logprobs"),
        grammar=Grammar(kind="json_schema", text=json.dumps(form["json_schema"]["schema"])) if form else None,
    )
    if "messages" in body:
        ask = engine.continue_answer if body.get("continue_final_message") else engine.chat
        assert body.get("add_generation_prompt", True) is not body.get("continue_final_message", False)
        return ask([Message(m["role"], m["content"]) for m in body["messages"]], options)
    return engine.complete(body["prompt"], options)


def _stream(handler: Handler, events: Iterator[Event], *, chat: bool) -> None:
    handler.begin()
    if chat:
        handler.event({"id": "1", "choices": [{"index": 0, "delta": {"role": "assistant"}, "finish_reason": None}]})
    for event in events:
        if isinstance(event, TextDelta):
            part: dict[str, Any] = {"delta": {"content": event.text}} if chat else {"text": event.text}
            if event.logprobs:
                part["logprobs"] = _chat_logprobs(event.logprobs) if chat else _logprobs(event.logprobs)
            handler.event({"id": "1", "choices": [{"index": 0, **part, "finish_reason": None}]})
        elif isinstance(event, Finished):
            reason = {"context": "length"}.get(event.reason, event.reason)
            part = {"delta": {}} if chat else {"text": ""}
            handler.event({"id": "1", "choices": [{"index": 0, **part, "finish_reason": reason}]})
            stats = event.stats
            usage = {
                "prompt_tokens": stats.prompt_tokens,
                "completion_tokens": stats.new_tokens,
                "prompt_tokens_details": {"cached_tokens": stats.reused_tokens},
            }
            handler.event({"id": "1", "choices": [], "usage": usage})
    handler.event("[DONE]")


def _name(token: int) -> str:
    return f"token_id:{token}"


def _chat_logprobs(entries: tuple[TokenLogprobs, ...]) -> dict[str, Any]:
    return {
        "content": [
            {
                "token": _name(entry.token),
                "logprob": entry.logprob,
                "bytes": None,
                "top_logprobs": [{"token": _name(token), "logprob": value} for token, value in entry.top],
            }
            for entry in entries
        ]
    }


def _logprobs(entries: tuple[TokenLogprobs, ...]) -> dict[str, Any]:
    return {
        "tokens": [_name(entry.token) for entry in entries],
        "token_logprobs": [entry.logprob for entry in entries],
        "top_logprobs": [{_name(token): value for token, value in entry.top} for entry in entries],
    }
