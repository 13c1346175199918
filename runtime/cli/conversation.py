"""The command `chat`: one conversation at a terminal or over a pipe."""

from __future__ import annotations

from typing import BinaryIO, TextIO

from runtime.chat import Message
from runtime.cli.arguments import Options
from runtime.cli.echo import no_echo
from runtime.cli.interrupt import StopOnInterrupt
from runtime.cli.output import Output
from runtime.cli.terminal import typed
from runtime.cli.text import input_lines, input_text
from runtime.engines.local import LocalEngine
from runtime.errors import UserFacingError
from runtime.events import FinishReason

INTERRUPTED = 130
_HELP = '''\
/reset  begin a new conversation    Ctrl-C  stop the answer, keep what was said
/quit   leave (so does Ctrl-D)      """     around a message of several lines
/help   show this                   a space before / makes it a message
'''


class Conversation:
    """What was said so far, and where the answers go. Raises ChatError where the format has no system message."""

    def __init__(self, engine: LocalEngine, options: Options, output: Output, stdin: TextIO) -> None:
        self._engine = engine
        self._options = options
        self._output = output
        self._stdin = stdin
        self._begin = [Message("system", options.system)] if options.system else []
        self._messages = list(self._begin)
        engine.template.render([*self._begin, Message("user", "?")])  # refused now, not after the first question

    def from_pipe(self, stream: BinaryIO) -> int:
        """One turn a line, empty ones skipped; returns the exit code. A turn that cannot be answered is reported and
        the next one read; Ctrl-C stops the answer and the rest."""
        code = 0
        for place, line in input_lines(stream):
            try:
                reason = self._turn(input_text(line, place).strip())
            except UserFacingError as error:
                self._output.refuse(error)
                code = 1
            else:
                if reason == "cancelled":
                    return INTERRUPTED
        return code

    def from_terminal(self, out: TextIO) -> int:
        """Ask until the user leaves."""
        name = self._engine.bundle.manifest.name
        out.write(f"{name} on {self._engine.backend.name}, {self._engine.context_length:,} tokens of context. ")
        out.write("/help for help.\n")
        for line in typed(out):
            if line.literal or not line.text.startswith("/"):
                self._ask(line.text, out)
            elif line.text in ("/quit", "/exit"):
                break
            elif line.text == "/reset":
                self._messages = list(self._begin)
                out.write("A new conversation.\n")
            elif line.text == "/help":
                out.write(_HELP)
            else:
                out.write(f"There is no command {line.text.split()[0]}; /help lists them.\n")
        return 0

    def _ask(self, text: str, out: TextIO) -> None:
        if not text:
            return
        try:
            reason = self._turn(text)
        except UserFacingError as error:
            out.write(f"{error}\n")
        except KeyboardInterrupt:  # pressed twice: the model did not look up in time
            out.write("The answer was dropped.\n")
        else:
            if reason == "context":
                out.write("/reset begins a new conversation.\n")

    def _turn(self, text: str) -> FinishReason:
        messages = [*self._messages, Message("user", text)]
        with StopOnInterrupt() as stop, no_echo(self._stdin):
            finished = self._output.stream(
                self._engine.chat(messages, self._options.generation, cancelled=stop.requested)
            )
        self._messages = [*messages, Message("assistant", finished.text, finished.tokens)]
        return finished.reason
