"""The command `serve`: bind, load, say how to try it, and tell a line a request."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TextIO

from runtime.backends.threads import suit_threads
from runtime.cli.folders import model_folder
from runtime.cli.progress import ProgressLine
from runtime.cli.serving import SERVER_KEY, ServeOptions
from runtime.cli.terminal import width, wrapped
from runtime.cli.text import visible
from runtime.engines.batch import BatchEngine
from runtime.serving.app import Access, make_app
from runtime.serving.gate import Gate
from runtime.serving.listener import Listener
from runtime.serving.model import ServedModel
from runtime.serving.record import Record
from runtime.serving.server import Server
from runtime.serving.service import Service

_SHOWN = 200  # characters of a path or a reason in a line
_LEAST = 20  # of a path, then of a reason, that are shown where there is room: /v1/chat/completions
_METHOD = 10  # and of a method, which a client may make up
_POINT = " · "


def serve(options: ServeOptions, out: TextIO, err: TextIO) -> int:
    """Serve until told to end; returns the exit code. Raises UserFacingError, and KeyboardInterrupt for Ctrl-C."""
    with contextlib.closing(Listener(options.host, options.port)) as listener:
        folder = model_folder(options.bundle, err)
        with _opened(folder, options, err) as engine:
            model = _model(engine, options)
            service = Service(engine, model, Gate(at_once=options.parallel))
            hosts = listener.hosts if listener.local and options.key is None else ()
            access = Access(key=options.key, hosts=hosts, origins=options.origins)
            log = _Log(out, json_lines=options.json)
            server = Server(make_app(service, access, log.request), service, listener)
            if not listener.local and options.key is None:
                _warn(options.host, err)
            listener.listen()  # who connects once this is told of waits for its answer, and is not turned away
            log.ready(model, engine.info.backend, listener, options)
            with _sigterm_ends_only(server):
                server.run()
    return 0


def _warn(host: str, err: TextIO) -> None:
    sentence = (
        f"warning: whoever reaches {host} can use the model; set {SERVER_KEY} to a key that clients have to send."
    )
    err.write((wrapped(sentence) if err.isatty() else sentence) + "\n")
    err.flush()


def _opened(folder: Path, options: ServeOptions, err: TextIO) -> BatchEngine:
    with ProgressLine(err) as progress:
        progress.say(f"Loading {folder.name} ...")
        engine = BatchEngine.open(
            folder,
            backend=options.place.backend,
            compute_units=options.place.compute_units,
            template=options.template,
            most_answers=options.parallel,
        )
    suit_threads(engine.model.bundle, engine.model.backend)
    return engine


def _model(engine: BatchEngine, options: ServeOptions) -> ServedModel:
    loaded = engine.model
    return ServedModel(
        name=options.name or engine.info.model,
        fingerprint=f"fp_{loaded.bundle.hash[:12]}",
        created=int(time.time()),
        context_length=loaded.backend.context_length,
        tokenizer=loaded.tokenizer,
    )


@contextlib.contextmanager
def _sigterm_ends_only(server: Server) -> Iterator[None]:
    """Within it SIGTERM ends the server, and the program with 0: it is how services are told to end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        server.stop()

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Log:
    """What the server says: how to reach it, then a line a request."""

    def __init__(self, out: TextIO, *, json_lines: bool) -> None:
        self._out = out
        self._json = json_lines
        self._terminal = out.isatty()

    def ready(self, model: ServedModel, backend: str, listener: Listener, options: ServeOptions) -> None:
        """Requests are answered from now on."""
        if self._json:
            told = {
                "event": "ready",
                "url": f"{listener.url}/v1",
                "model": model.name,
                "backend": backend,
                "context_length": model.context_length,
                "parallel": options.parallel,
            }
            self._write(json.dumps(told, ensure_ascii=False))
        else:
            self._write("\n".join(ready_lines(model, backend, listener, options)))

    def request(self, record: Record) -> None:
        """A request is over."""
        if self._json:
            told = record.to_json() | {"time": round(time.time(), 3)}
            self._write(json.dumps(told))  # in ASCII: a path may hold what commands a terminal
        elif record.path != "/health" or record.status != 200:  # what watches a server asks every few seconds
            self._write(request_line(record, width() if self._terminal else None))

    def _write(self, text: str) -> None:
        try:
            self._out.write(text + "\n")
            self._out.flush()
        except (OSError, ValueError):  # whoever read it has gone, or its disk is full: answers matter more
            self._write = _nothing  # type: ignore[method-assign]


def _nothing(text: str) -> None:
    """Where nobody reads."""


def ready_lines(model: ServedModel, backend: str, listener: Listener, options: ServeOptions) -> Iterator[str]:
    """What is served, where, and how to try it."""
    networks = ", and at this machine's other addresses" if listener.everywhere else ""
    key = "needed, as Authorization: Bearer KEY" if options.key is not None else "none needed"
    answers = "1 answer" if options.parallel == 1 else f"{options.parallel} answers"
    yield f"model    {model.name}, {model.context_length:,} tokens of context"
    yield f"backend  {backend}, {answers} at once"
    yield f"address  {listener.url}/v1{networks}"
    yield f"API key  {key}"
    if options.origins:
        yield f"pages    {', '.join(options.origins)}"
    yield ""
    yield "Try it:"
    yield from example(listener.url, key=options.key is not None)
    yield ""
    yield "Ctrl-C ends it."
    yield ""


def example(url: str, *, key: bool, system: str = sys.platform) -> Iterator[str]:
    """A command that asks for an answer, for the shells of a system (as sys.platform has it)."""
    if system == "win32":  # its shells take JSON's quotes in no way that all of them know
        yield f"  python -m runtime chat --remote {url}/v1"
        if key:
            yield f"  (where {SERVER_KEY} is the key, too)"
        return
    yield f"  curl {url}/v1/chat/completions \\"
    if key:
        yield f'    -H "Authorization: Bearer ${SERVER_KEY}" \\'
    yield "    -H 'Content-Type: application/json' \\"
    yield """    -d '{"messages": [{"role": "user", "content": "Hello!"}]}'"""


def request_line(record: Record, columns: int | None = None) -> str:
    """A request in one line: when, what, how it ended, tokens and their rate, seconds. What is least important stands
    last and is left out where it does not fit `columns`; a long path is cut, so that the end is seen."""
    asked = f"{time.strftime('%H:%M:%S')}  {_short(record.method, _METHOD)} "
    ended = "the client left" if record.left else str(record.status)
    reason = "" if record.error is None else _short(record.error, _SHOWN)
    room = _SHOWN
    if columns is not None:
        beside = columns - len(_POINT.join((asked, ended)))
        room = max(beside - len(_POINT + reason[:_LEAST]), min(beside, _LEAST), 1)
    parts = [asked + _short(record.path, min(room, _SHOWN)), ended]
    if record.new_tokens:
        parts.append(f"{record.new_tokens:,} token{'s' if record.new_tokens != 1 else ''}")
    if record.tokens_per_second is not None:
        parts.append(f"{record.tokens_per_second:.1f} tokens/s")
    parts.append(f"{record.seconds:.2f} s")
    if record.prompt_tokens:
        reused = f", {record.reused_tokens:,} reused" if record.reused_tokens else ""
        parts.append(f"prompt {record.prompt_tokens:,}{reused}")
    if reason:
        parts.insert(2, reason)
    needed = 3 if reason else 2
    while columns is not None and len(_POINT.join(parts)) > columns and len(parts) > needed:
        parts.pop()
    line = "".join(letter if letter.isprintable() else "�" for letter in visible(_POINT.join(parts).replace("\n", " ")))
    return line if columns is None else _short(line, columns)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
