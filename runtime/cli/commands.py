"""The commands `chat` and `complete`: choose a bundle, open it, stream."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, TextIO

from runtime.backends.threads import suit_threads
from runtime.bounded import open_bounded
from runtime.chat import RAW, formats
from runtime.cli.arguments import KEY_NAMES, Options
from runtime.cli.chat import from_pipe, from_terminal
from runtime.cli.conversation import INTERRUPTED, Conversation
from runtime.cli.echo import no_echo
from runtime.cli.folders import model_folder
from runtime.cli.naming import options_named
from runtime.cli.output import Output
from runtime.cli.terminal import end_keys
from runtime.cli.text import given_text, reason, without_line_end
from runtime.colours import has_colours
from runtime.engines.base import Engine
from runtime.engines.local import LocalEngine
from runtime.engines.process import ProcessEngine
from runtime.errors import OptionError
from runtime.interrupt import StopOnInterrupt
from runtime.manifest import Manifest


def run(options: Options, stdin: TextIO, out: TextIO, err: TextIO) -> int:
    """Run one command; returns the exit code. Raises UserFacingError."""
    with no_echo(stdin):
        folder = None if options.remote is not None else model_folder(options.bundle, err)
        engine = _service(options) if folder is None else _opened(folder, options, err)
    with engine:
        output = _output(engine, options, out, err)
        if options.command == "complete":
            return _complete(engine, options, stdin, output)
        note = None if folder is None else _format_note(folder, options)
        return _chat(engine, options, stdin, output, out, note)


def _output(engine: Engine, options: Options, out: TextIO, err: TextIO) -> Output:
    info = engine.info
    context_length = info.context_length if options.command == "chat" else None
    return Output(out, err, json_lines=options.json, backend=info.backend, context_length=context_length)


def _format_note(folder: Path, options: Options) -> str | None:
    """That the bundle has no chat format, where none is named either."""
    manifest = Manifest.read(folder)
    if options.template is not None or manifest.chat_template != RAW:
        return None
    return (
        f"{manifest.name} has no chat format, so what you write is continued; if it was taught one, name it with "
        f"--template: {formats()}."
    )


def _chat(engine: Engine, options: Options, stdin: TextIO, output: Output, out: TextIO, format_note: str | None) -> int:
    """`format_note` is told at a terminal first, elsewhere where it explains an answer of nothing."""
    with options_named():
        conversation = Conversation(engine, output, options.generation, stdin=stdin, system=options.system)
    if options.load is not None:
        note = conversation.load(options.load)
        if note:
            output.aside(note)
        if options.system:
            conversation.set_system(options.system)
    if options.input not in (None, "-"):
        with _opened_file(Path(str(options.input))) as stream:
            code = from_pipe(conversation, stream, output)
    elif options.input is None and stdin.isatty() and out.isatty() and not options.json:
        if format_note:
            output.aside(format_note)
        return from_terminal(conversation, out, remember=options.history)
    else:
        code = from_pipe(conversation, stdin.buffer, output)
    if format_note and any(turn.role == "assistant" and not turn.content for turn in conversation.turns):
        output.aside(format_note)
    return code


def _opened_file(file: Path) -> BinaryIO:
    try:
        return open_bounded(file)
    except (OSError, ValueError) as error:
        raise OptionError(f"{file} cannot be read ({reason(error)}); name a file with one turn a line.") from None


def _complete(engine: Engine, options: Options, stdin: TextIO, output: Output) -> int:
    prompt = options.prompt or ""
    if prompt == "-":
        if stdin.isatty():
            output.aside(f"Write the text; {end_keys()} on a line of its own ends it.")
        prompt = without_line_end(given_text(stdin.buffer))
    with StopOnInterrupt() as stop, no_echo(stdin), options_named():
        finished = output.stream(engine.complete(prompt, options.generation, cancelled=stop.requested))
    return INTERRUPTED if finished.reason == "cancelled" else 0


def _service(options: Options) -> Engine:
    from runtime.engines.remote import RemoteEngine

    key = next((os.environ[name] for name in KEY_NAMES if os.environ.get(name)), None)
    try:
        return RemoteEngine.open(options.remote or "", model=options.model, api_key=key)
    except OptionError as error:  # the library's names for what people know as options
        raise OptionError(str(error).replace("base_url", "--remote").replace("api_key", KEY_NAMES[0])) from None


def _opened(folder: Path, options: Options, err: TextIO) -> Engine:
    """Open the engine, with a word at a terminal, as large models take a while."""
    if err.isatty():
        err.write(f"Loading {folder.name} ...")
        err.flush()
    try:
        engine = (ProcessEngine if options.process else LocalEngine).open(
            folder, backend=options.backend, compute_units=options.compute_units, template=options.template
        )
    finally:
        if err.isatty():
            err.write("\r\x1b[K" if has_colours() else "\n")
            err.flush()
    if isinstance(engine, LocalEngine):  # a process of its own does that itself
        suit_threads(engine.bundle, engine.backend)
    return engine
