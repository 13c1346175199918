"""Messages typed at a terminal, with editing, completion and history where the system has readline."""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TextIO

from runtime.cli.history import History

_NOT_UTF8 = "That was not UTF-8 text; set the terminal to UTF-8.\n"
_BLOCK = '"""'
_BLOCK_BEGINS = re.compile(r'\s*(/\w+\s+)?"""')
Complete = Callable[[str, str], list[str]]
"""The whole line so far and its last word, to what that word may become."""


@dataclass(frozen=True)
class Typed:
    """One message. `literal`, of what stood between triple quotes or after a space: no command, whatever it says."""

    text: str
    literal: bool


def width() -> int:
    """Columns that a line may have."""
    return max(20, shutil.get_terminal_size().columns - 1)  # a full line would make some terminals skip one


def end_keys(system: str = sys.platform) -> str:
    """What ends the input at a terminal of a system (as sys.platform has it)."""
    return "Ctrl-Z then Enter" if system == "win32" else "Ctrl-D"


def wrapped(text: str, indent: str = "") -> str:
    """A sentence of ours, broken between words to fit the terminal; `indent` is before all lines but the first."""
    fits = textwrap.fill(
        text,
        width(),
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    )
    return f"{fits}\n"


def typed(out: TextIO, history: History | None = None, complete: Complete | None = None) -> Iterator[Typed]:
    """What the user types at a prompt: a line, lines that end in a backslash and the next, or a block between triple
    quotes. Ctrl-D ends, Ctrl-C clears. What is typed is kept in `history`."""
    remember = _editing(history, complete)
    hearing = _hearing()
    while True:
        lines: list[str] = []
        try:
            out.write("\n")  # not in the prompt, whose length editing must know
            out.flush()
            with hearing():
                message = _read(lines, out)
        except EOFError:
            out.write("\n")
            return
        except KeyboardInterrupt:
            out.write(f"\n({end_keys()} leaves)")
        except UnicodeDecodeError:
            out.write(_NOT_UTF8)
        else:
            if any("\udc80" <= character <= "\udcff" for line in lines for character in line):
                out.write(_NOT_UTF8)  # such bytes come as halves of surrogate pairs where the locale is no UTF-8
                continue
            remember("\n".join(lines))
            yield message


def _hearing() -> Callable[[], AbstractContextManager[object]]:
    """What makes Ctrl-C heard within it."""
    hearing: Callable[[], AbstractContextManager[object]] = nullcontext
    if sys.platform != "win32":
        from runtime.cli.heard import HeardAtOnce

        hearing = HeardAtOnce
    return hearing


def _editing(history: History | None, complete: Complete | None) -> Callable[[str], None]:
    """Set up readline; what is called with each text typed."""
    if sys.platform == "win32":  # the console edits lines itself, and what is called readline there has other names
        return lambda _: None
    try:
        import readline
    except ImportError:  # a Python that was built without it
        return lambda _: None
    readline.set_auto_history(False)  # a block is one entry, not one for each of its lines
    if os.environ.get("TERM", "dumb") != "dumb":
        # Python turns it off, for its own prompt's sake; with it, pasted lines are one message.
        readline.parse_and_bind("set enable-bracketed-paste on")
    if complete is not None:
        apple = "libedit" in (readline.__doc__ or "")
        readline.parse_and_bind("bind ^I rl_complete" if apple else "tab: complete")
        readline.set_completer_delims(" ")
        readline.set_completer(lambda word, place: _completion(complete, readline.get_line_buffer(), word, place))
    before = ""
    for text in history.load() if history else ():
        _add(readline.add_history, text)
        before = text

    def remember(text: str) -> None:
        nonlocal before
        if text.strip() and text != before:
            before = text
            _add(readline.add_history, text)
            if history:
                history.append(text)

    return remember


def _completion(complete: Complete, line: str, word: str, place: int) -> str | None:
    found = complete(line, word)
    return found[place] if place < len(found) else None


def _add(add: Callable[[str], None], text: str) -> None:
    try:
        add(text)
    except ValueError:  # NUL or half a surrogate pair: nothing that an arrow key could bring back
        return


def _read(lines: list[str], out: TextIO) -> Typed:
    """One message; `lines` become what was typed for it."""
    lines.append(input("> "))
    if begin := _BLOCK_BEGINS.match(lines[0]):
        return _block(lines, begin, out)
    parts = [lines[0]]
    while _goes_on(parts[-1]):
        parts[-1] = parts[-1][:-1]
        more = _more(out)
        if more is None:
            break
        parts.append(more)
    lines[:] = parts  # brought back by an arrow key it is one text, whose lines need no backslash
    return Typed("\n".join(parts).strip(), literal=parts[0][:1].isspace())


def _block(lines: list[str], begin: re.Match[str], out: TextIO) -> Typed:
    """What stands between triple quotes, alone or after a command's name."""
    parts = [lines[0][begin.end() :]]
    while not parts[-1].rstrip().endswith(_BLOCK):
        more = _more(out)
        if more is None:
            break
        lines.append(more)
        parts.append(more)
    else:
        parts[-1] = parts[-1].rstrip().removesuffix(_BLOCK)
    text = "\n".join(parts).strip()
    return Typed(f"{begin[1]}{text}", literal=False) if begin[1] else Typed(text, literal=True)


def _goes_on(line: str) -> bool:
    """Whether the next line belongs to `line`: it ends in a backslash that none before it makes a plain one."""
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _more(out: TextIO) -> str | None:
    """The next line of a message; None where Ctrl-D ends it."""
    try:
        return input(". ")
    except EOFError:
        out.write("\n")
        return None
