"""The commands `chat` and `complete`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from runtime.chat import Message
from runtime.cli.arguments import Options
from runtime.cli.interrupt import StopOnInterrupt
from runtime.cli.output import Output
from runtime.embedded import embedded_bundle
from runtime.engine import LocalEngine
from runtime.errors import OptionError, UserFacingError

_HELP = """\
/reset  begin a new conversation        /quit   leave (so does Ctrl-D)
/help   show this                       Ctrl-C  stop the answer and keep what was said
"""


def run(options: Options, stdin: TextIO, out: TextIO, err: TextIO) -> int:
    """Run one command; returns the exit code. Raises UserFacingError."""
    if options.max_tokens < 1:
        raise OptionError(f"--max-tokens must be at least 1, not {options.max_tokens}.")
    folder = options.bundle or embedded_bundle(err)
    engine = LocalEngine.open(folder, backend=options.backend, template=options.template)
    output = Output(out, err, json_lines=options.json, backend=engine.backend.name)
    try:
        if options.command == "complete":
            return _complete(engine, options, stdin, output)
        if stdin.isatty() and out.isatty() and not options.json:
            return _Chat(engine, options, output, err).from_terminal(out)
        return _Chat(engine, options, output, err).from_pipe(stdin)
    finally:
        engine.close()


def _complete(engine: LocalEngine, options: Options, stdin: TextIO, output: Output) -> int:
    prompt = options.prompt or ""
    if prompt == "-":
        prompt = stdin.read()
    with StopOnInterrupt() as stop:
        output.stream(
            engine.complete(
                prompt,
                sampling=options.sampling,
                max_new_tokens=options.max_tokens,
                cancelled=stop.requested,
            )
        )
    return 0


class _Chat:
    """One conversation at a terminal or over a pipe."""

    def __init__(self, engine: LocalEngine, options: Options, output: Output, err: TextIO) -> None:
        self._engine = engine
        self._options = options
        self._output = output
        self._err = err
        self._begin = [Message("system", options.system)] if options.system else []
        self._messages = list(self._begin)

    def from_pipe(self, stdin: TextIO) -> int:
        """One turn a line, empty ones skipped. A turn that cannot be answered is reported and the next one read."""
        code = 0
        for line in stdin:
            if line.strip():
                try:
                    self._turn(line.strip())
                except UserFacingError as error:
                    self._err.write(f"error: {error}\n")
                    code = 1
        return code

    def from_terminal(self, out: TextIO) -> int:
        """Ask until the user leaves."""
        manifest = self._engine.bundle.manifest
        out.write(f"{manifest.name} on {self._engine.backend.name}, {self._engine.context_length:,} tokens of context.")
        out.write(" /help for help.\n")
        for line in _prompted_lines(out):
            if line == "/quit":
                break
            if line == "/reset":
                self._messages = list(self._begin)
                out.write("A new conversation.\n")
            elif line.startswith("/"):
                out.write(_HELP)
            elif line:
                try:
                    self._turn(line)
                except UserFacingError as error:
                    out.write(f"{error}\n")
        return 0

    def _turn(self, text: str) -> None:
        messages = [*self._messages, Message("user", text)]
        with StopOnInterrupt() as stop:
            finished = self._output.stream(
                self._engine.chat(
                    messages,
                    sampling=self._options.sampling,
                    max_new_tokens=self._options.max_tokens,
                    cancelled=stop.requested,
                )
            )
        self._messages = [*messages, Message("assistant", finished.text, finished.tokens)]


def _prompted_lines(out: TextIO) -> Iterator[str]:
    """Lines typed at a prompt, with editing and history where the system has readline; Ctrl-D ends, Ctrl-C clears."""
    try:
        import readline
    except ImportError:  # Windows: the console edits lines itself
        pass
    else:
        readline.set_auto_history(True)
    while True:
        try:
            yield input("\n> ").strip()
        except EOFError:
            out.write("\n")
            return
        except KeyboardInterrupt:
            out.write("\n(Ctrl-D leaves)")
