"""Messages typed at a terminal, with editing and history where the system has readline."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

_BLOCK = '"""'


@dataclass(frozen=True)
class Typed:
    """One message. `literal`, of what stood between triple quotes or after a space: no command, whatever it says."""

    text: str
    literal: bool


def typed(out: TextIO) -> Iterator[Typed]:
    """What the user types at a prompt: a line, or a block between triple quotes. Ctrl-D ends, Ctrl-C clears."""
    try:
        import readline
    except ImportError:  # Windows: the console edits lines itself
        pass
    else:
        readline.set_auto_history(True)
        if os.environ.get("TERM", "dumb") != "dumb":
            # Python turns it off, for its own prompt's sake; with it, pasted lines are one message.
            readline.parse_and_bind("set enable-bracketed-paste on")
    while True:
        out.write("\n")  # not in the prompt, whose length editing must know
        out.flush()
        try:
            yield _read()
        except EOFError:
            out.write("\n")
            return
        except KeyboardInterrupt:
            out.write("\n(Ctrl-D leaves)")
        except UnicodeDecodeError:
            out.write("That was not UTF-8 text; set the terminal to UTF-8.\n")


def _read() -> Typed:
    line = input("> ")
    if not line.lstrip().startswith(_BLOCK):
        return Typed(line.strip(), literal=line[:1].isspace())
    lines = [line.lstrip().removeprefix(_BLOCK)]
    while not lines[-1].rstrip().endswith(_BLOCK):
        lines.append(input(". "))
    lines[-1] = lines[-1].rstrip().removesuffix(_BLOCK)
    return Typed("\n".join(lines).strip(), literal=True)
