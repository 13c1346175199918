"""The commands `chat` and `complete`: choose a bundle, open it, stream."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

from runtime.cli.arguments import Options
from runtime.cli.conversation import INTERRUPTED, Conversation
from runtime.cli.echo import no_echo
from runtime.cli.folders import model_folder
from runtime.cli.interrupt import StopOnInterrupt
from runtime.cli.output import Output, has_colours
from runtime.cli.text import input_text
from runtime.engines.local import LocalEngine


def run(options: Options, stdin: TextIO, out: TextIO, err: TextIO) -> int:
    """Run one command; returns the exit code. Raises UserFacingError."""
    with no_echo(stdin):
        engine = _opened(model_folder(options.bundle, err), options, err)
    with engine:
        output = Output(out, err, json_lines=options.json, backend=engine.backend.name)
        if options.command == "complete":
            return _complete(engine, options, stdin, output)
        conversation = Conversation(engine, options, output, stdin)
        if stdin.isatty() and out.isatty() and not options.json:
            return conversation.from_terminal(out)
        return conversation.from_pipe(stdin.buffer)


def _complete(engine: LocalEngine, options: Options, stdin: TextIO, output: Output) -> int:
    prompt = options.prompt or ""
    if prompt == "-":
        prompt = input_text(stdin.buffer.read())
    with StopOnInterrupt() as stop, no_echo(stdin):
        finished = output.stream(engine.complete(prompt, options.generation, cancelled=stop.requested))
    return INTERRUPTED if finished.reason == "cancelled" else 0


def _opened(folder: Path, options: Options, err: TextIO) -> LocalEngine:
    """Open the engine, with a word at a terminal, as large models take a while."""
    if err.isatty():
        err.write(f"Loading {folder.name} ...")
        err.flush()
    try:
        return LocalEngine.open(
            folder, backend=options.backend, compute_units=options.compute_units, template=options.template
        )
    finally:
        if err.isatty():
            err.write("\r\x1b[K" if has_colours() else "\n")
            err.flush()
