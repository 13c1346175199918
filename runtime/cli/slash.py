"""The /commands of a chat at a terminal: one table for running, help and completion."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from runtime.cli.conversation import Conversation
from runtime.cli.naming import options_named
from runtime.cli.settings import BASE, SETTINGS, Setting, shown
from runtime.cli.terminal import end_keys, width, wrapped
from runtime.cli.text import visible
from runtime.errors import OptionError
from runtime.events import FinishReason

_NAME_COLUMN = 18
_NARROW = 60  # columns below which names and texts do not stand side by side
_KEYS = (
    ("Ctrl-C", "stop the answer, keep what was said; at the prompt: clear the line"),
    (end_keys(), "leave"),
    ('"""', "before and after a message of several lines"),
    ("\\", "at the end of a line: the message goes on in the next"),
    ("a space", "before a / makes it a message"),
)


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command. `run` gets what follows the name, and returns whether the user leaves."""

    name: str
    help: str
    run: Callable[[str, Conversation, TextIO], bool | None]
    argument: str = ""
    aliases: tuple[str, ...] = ()


def run(line: str, conversation: Conversation, out: TextIO) -> bool:
    """Run what was typed; true where the user leaves. Raises UserFacingError, with nothing changed."""
    name, _, argument = line.partition(" ")
    if name == "/save!":
        _save(argument.strip(), conversation, out, replace=True)
        return False
    command = _BY_NAME.get(name.lower())
    if command is None:
        begun = [known for known in _BY_NAME if len(name) > 1 and known.startswith(name.lower())]
        near = begun or difflib.get_close_matches(name.lower(), _BY_NAME, n=1, cutoff=0.7)
        hint = f"did you mean {_either(near)}?" if near else "/help lists them."
        if "/" in name[1:]:
            hint = "a space before it makes it a message."
        raise OptionError(f"There is no command {name[:40].translate(_ONE_LINE)}; {hint}")
    if argument.strip() and not command.argument:
        raise OptionError(f"{name} takes nothing after it; a space before the / makes it a message.")
    return bool(command.run(argument.strip(), conversation, out))


def completions(line: str, word: str) -> list[str]:
    """What the last word of `line` may become."""
    before = line[: len(line) - len(word)] if word else line
    if not before:
        return [f"{name} " for name in _BY_NAME if name.startswith(word)] if word.startswith("/") else []
    first, *rest = before.split()
    if first == "/set" and not rest:
        return [f"{name} " for name in SETTINGS if name.startswith(word)]
    if first in ("/save", "/save!", "/load") and not rest:
        return _files(word)
    return []


def after(reason: FinishReason, out: TextIO) -> None:
    """A word of help after an answer that could not go on."""
    if reason == "context":
        out.write(wrapped("/reset begins a new conversation, /undo takes back a turn."))


def _files(word: str) -> list[str]:
    folder, name = (word.rpartition("/")[0] + "/", word.rpartition("/")[2]) if "/" in word else ("", word)
    try:
        found = sorted(Path(folder or ".").expanduser().iterdir())[:10_000]
        return [
            f"{folder}{path.name}{'/' if path.is_dir() else ' '}"
            for path in found
            if path.name.startswith(name) and (name or not path.name.startswith("."))
        ]
    except (OSError, ValueError, RuntimeError):
        return []


def _help(argument: str, conversation: Conversation, out: TextIO) -> None:  # noqa: ARG001
    rows = [(f"{command.name} {command.argument}".strip(), command.help) for command in _COMMANDS]
    for name, text in (*rows, *_KEYS):
        if width() < _NARROW:
            out.write(f"{name}\n{wrapped(f'  {text}', indent='  ')}")
        else:
            out.write(wrapped(f"{name:<{_NAME_COLUMN}}{text}", indent=" " * _NAME_COLUMN))


def _quit(argument: str, conversation: Conversation, out: TextIO) -> bool:  # noqa: ARG001
    return True


def _reset(argument: str, conversation: Conversation, out: TextIO) -> None:  # noqa: ARG001
    undo = " /undo brings the last one back." if conversation.turns else ""
    conversation.reset()
    out.write(wrapped(f"A new conversation.{undo}"))


def _undo(argument: str, conversation: Conversation, out: TextIO) -> None:  # noqa: ARG001
    out.write(wrapped(visible(conversation.undo())))


def _retry(argument: str, conversation: Conversation, out: TextIO) -> None:  # noqa: ARG001
    after(conversation.retry(), out)


def _system(argument: str, conversation: Conversation, out: TextIO) -> None:
    if argument:
        conversation.set_system(None if argument == "none" else argument)
        out.write(wrapped("From the next answer on." if conversation.system else "The model is told nothing first."))
    else:
        out.write(f"{visible(conversation.system or 'none')}\n")


def _settings(argument: str, conversation: Conversation, out: TextIO) -> None:  # noqa: ARG001
    info = conversation.engine.info
    context = "not known" if info.context_length is None else f"{info.context_length:,} tokens"
    rows = [("model", info.model), ("backend", info.backend), ("context", context)]
    rows.append(("system", conversation.system or "none"))
    for name, text in rows:
        out.write(f"{_row(name, text)}\n")
    for setting in SETTINGS.values():
        value = setting.value(conversation.options)
        mark = "" if value == setting.value(BASE) else f" (default: {shown(setting.value(BASE))})"
        out.write(f"{_row(setting.name, shown(value), mark)}\n")


def _row(name: str, text: str, mark: str = "") -> str:
    column = _NAME_COLUMN if width() >= _NARROW // 2 else len(name)
    room = max(2, width() - column - 1)
    text = text.translate(_ONE_LINE)
    if len(text) + len(mark) > room:
        mark = " *" if mark else ""
    if len(text) + len(mark) > room:
        text = text[: room - len(mark) - 1] + "…"
    return f"{name:<{column}} {text}{mark}"


def _set(argument: str, conversation: Conversation, out: TextIO) -> None:
    if not argument:
        _settings(argument, conversation, out)
        return
    name, _, text = argument.replace("=", " ", 1).partition(" ") if _equals(argument) else argument.partition(" ")
    setting = _setting(name)
    text = text.strip()
    if not text:
        out.write(wrapped(f"{setting.name} {shown(setting.value(conversation.options))}: {setting.help}"))
        return
    if text == "default" or (text == "none" and shown(setting.value(BASE)) == "none"):
        options = setting.at_default(conversation.options)
    else:
        options = setting.changed(conversation.options, setting.split(text), label=setting.name)
    with options_named(mark=""):
        conversation.set_options(options)
    out.write(f"{_row(setting.name, shown(setting.value(conversation.options)))}\n")


def _equals(argument: str) -> bool:
    """Whether it is written as NAME=VALUE."""
    return "=" in argument and " " not in argument.partition("=")[0].strip()


def _setting(name: str) -> Setting:
    known = name.strip().lower().lstrip("-").replace("_", "-")
    if known in SETTINGS:
        return SETTINGS[known]
    begun = [name for name in SETTINGS if known and name.startswith(known)]
    if len(begun) == 1:
        return SETTINGS[begun[0]]
    if begun:
        raise OptionError(f"{known} may be {_either(begun)}; write more of it.")
    near = difflib.get_close_matches(known, SETTINGS, n=1)
    raise OptionError(
        f"There is no setting {name[:40].translate(_ONE_LINE)}; "
        + (f"did you mean {near[0]}?" if near else "/settings lists them.")
    )


def _either(names: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _context(argument: str, conversation: Conversation, out: TextIO) -> None:  # noqa: ARG001
    used, most = conversation.used_tokens(), conversation.engine.info.context_length
    if used is None or most is None:
        holds = "The service does not say how many its context holds" if most is None else f"The context holds {most:,}"
        known = "how many are used is not known" if used is None else f"{used:,} tokens are used"
        out.write(wrapped(f"{holds}; {known}."))
        return
    cells = min(40, width() - 2)
    filled = min(cells, -(-used * cells // most))
    out.write(f"[{'#' * filled}{'.' * (cells - filled)}]\n")
    out.write(wrapped(f"{used:,} of {most:,} tokens are used, {max(0, most - used):,} are left."))


def _show(argument: str, conversation: Conversation, out: TextIO) -> None:  # noqa: ARG001
    if conversation.system:
        out.write(f"{_row('system', conversation.system)}\n")
    if not conversation.turns:
        out.write("Nothing was said yet.\n")
    for place, message in enumerate(conversation.turns):
        out.write("\n" if place and message.role == "user" else "")
        out.write(f"{'> ' if message.role == 'user' else ''}{visible(message.content)}\n")


def _save(argument: str, conversation: Conversation, out: TextIO, *, replace: bool = False) -> None:
    file = _path(argument, "/save chat.json (which /load reads) or /save chat.md")
    out.write(wrapped(visible(conversation.save(file, replace=replace))))


def _load(argument: str, conversation: Conversation, out: TextIO) -> None:
    file = _path(argument, "/load chat.json")
    note = conversation.load(file)
    turns = len(conversation.turns) // 2
    state = " and the model's state" if conversation.holds_state else ""
    out.write(wrapped(f"Loaded {turns} {'turn' if turns == 1 else 'turns'}{state}; /show shows them."))
    out.write(wrapped(visible(note)) if note else "")


def _path(argument: str, example: str) -> Path:
    name = argument[1:-1] if len(argument) > 2 and argument[0] == argument[-1] and argument[0] in "'\"" else argument
    if not name:
        raise OptionError(f"Name a file: {example}.")
    try:
        return Path(name).expanduser()
    except RuntimeError:
        raise OptionError(f"{name} names a home folder that does not exist; name another place.") from None


_ONE_LINE = dict.fromkeys(range(0x20), 0x20) | {0x7F: 0x20} | dict.fromkeys(range(0x80, 0xA0), 0x20)
_COMMANDS = (
    Command(name="/retry", help="another answer to the same question", run=_retry, aliases=("/regenerate",)),
    Command(name="/undo", help="take back the last turn, or /reset and /load", run=_undo),
    Command(name="/reset", help="begin a new conversation", run=_reset, aliases=("/clear", "/new")),
    Command(name="/show", help="the conversation so far", run=_show),
    Command(name="/context", help="how much of the context is used", run=_context, aliases=("/tokens",)),
    Command(
        name="/system",
        argument="[TEXT]",
        help="what the model is told first: show or change it; none removes it",
        run=_system,
    ),
    Command(name="/settings", help="how answers are written", run=_settings),
    Command(
        name="/set",
        argument="NAME VALUE",
        help="change a setting, as /set temp 0.3; default puts it back",
        run=_set,
    ),
    Command(
        name="/save",
        argument="FILE",
        help="to .json, with the model's state beside it, or to .md; /save! replaces what is there",
        run=_save,
    ),
    Command(name="/load", argument="FILE", help="go on with a conversation saved as .json", run=_load),
    Command(name="/help", help="show this", run=_help, aliases=("/?",)),
    Command(name="/quit", help="leave", run=_quit, aliases=("/exit", "/bye", "/q")),
)
_BY_NAME = {name: command for command in _COMMANDS for name in (command.name, *command.aliases)}
NAMES = tuple(_BY_NAME)
"""Everything that can be typed as a command."""
