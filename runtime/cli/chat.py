"""The command `chat`: a conversation over a pipe, a turn a line, or at a terminal."""

from __future__ import annotations

from typing import BinaryIO, TextIO

from runtime.cli import slash
from runtime.cli.conversation import INTERRUPTED, Conversation
from runtime.cli.history import History
from runtime.cli.output import Output
from runtime.cli.terminal import typed, wrapped
from runtime.cli.text import input_lines, input_text, visible
from runtime.errors import UserFacingError


def from_pipe(conversation: Conversation, stream: BinaryIO, output: Output) -> int:
    """One turn a line, empty ones skipped; returns the exit code. A turn that cannot be answered is reported and the
    next one read; Ctrl-C stops the answer and the rest."""
    code = 0
    for place, line in input_lines(stream):
        try:
            reason = conversation.ask(input_text(line, place).strip())
        except UserFacingError as error:
            output.refuse(error)
            code = 1
        else:
            if reason == "cancelled":
                return INTERRUPTED
    return code


def from_terminal(conversation: Conversation, out: TextIO, *, remember: bool) -> int:
    """Ask until the user leaves."""
    out.write(wrapped(visible(_greeting(conversation))))
    history = History() if remember else None
    complained = False
    for line in typed(out, history, slash.completions):
        if history and history.problem and not complained:
            complained = True
            conversation.output.aside(f"What you type is not kept for the next run: {history.problem}")
        if not line.text:
            continue
        try:
            if not line.literal and line.text.startswith("/"):
                if slash.run(line.text, conversation, out):
                    break
            else:
                slash.after(conversation.ask(line.text), out)
        except UserFacingError as error:
            out.write(wrapped(visible(" ".join(str(error).split()))))
        except KeyboardInterrupt:  # pressed twice: the model did not look up in time
            out.write("The answer was dropped.\n")
    return 0


def _greeting(conversation: Conversation) -> str:
    info = conversation.engine.info
    context = "" if info.context_length is None else f", {info.context_length:,} tokens of context"
    turns = len(conversation.turns) // 2
    said = f" {turns} turn{' was' if turns == 1 else 's were'} loaded." if turns else ""
    return f"{info.model} on {info.backend}{context}.{said} /help for help."
