"""Settings of an answer: one table for the options of the command line, for /settings and for /set."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from runtime.bounded import read_bounded
from runtime.cli.text import argument_text, input_text
from runtime.errors import OptionError
from runtime.options import CONTEXT_POLICIES, GenerationOptions, Grammar
from runtime.sampling import Order

BASE = GenerationOptions(max_new_tokens=512)
"""What holds where nothing else was asked for."""

_LARGEST_SCHEMA = 16_000_000  # bytes
_SHOWN = 40  # characters of a wrong value


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One choice about answers. `name` is the option's, without its dashes; `field` that of the options object."""

    name: str
    field: str
    metavar: str
    help: str
    read: Callable[[Sequence[str]], object]  # texts as typed to the field's value; raises OptionError or ValueError
    sampling: bool = False  # a field of SamplingConfig, not of GenerationOptions
    repeats: bool = False
    split: Callable[[str], Sequence[str]] = lambda text: [text]  # what follows /set, as the texts of several options
    grammar: Literal["json_schema", "regex"] | None = None  # shares the field `grammar` with the other kind

    def value(self, options: GenerationOptions) -> object:
        """The value that `options` have."""
        found = getattr(options.sampling if self.sampling else options, self.field)
        if self.grammar:
            return found.text if isinstance(found, Grammar) and found.kind == self.grammar else None
        return found

    def changed(self, options: GenerationOptions, texts: Sequence[str], *, label: str) -> GenerationOptions:
        """`options` with the value that `texts` spell. Raises OptionError, which calls the setting `label`."""
        try:
            return self._with(options, self.read(texts))
        except OptionError as error:
            field, _, rest = str(error).partition(" ")
            raise OptionError(f"{label} {rest}" if field == self.field else f"{label}: {error}") from None

    def at_default(self, options: GenerationOptions) -> GenerationOptions:
        """`options` with the value that holds where none is named."""
        return self._with(options, getattr(BASE.sampling if self.sampling else BASE, self.field))

    def _with(self, options: GenerationOptions, value: object) -> GenerationOptions:
        change: dict[str, object] = {self.field: value}
        if self.sampling:
            return replace(options, sampling=replace(options.sampling, **change))  # type: ignore[arg-type]
        return replace(options, **change)  # type: ignore[arg-type]


def shown(value: object) -> str:
    """A setting's value for people."""
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int | str):
        return str(value)
    return ",".join(f"{token}:{bias:g}" for token, bias in dict(value).items()) or "none"  # type: ignore[call-overload]


def _number(field: str, kind: type[int] | type[float]) -> Callable[[Sequence[str]], object]:
    def read(texts: Sequence[str]) -> object:
        try:
            return kind(texts[-1])
        except ValueError:
            noun = "whole number" if kind is int else "number"
            raise OptionError(f"{field} must be a {noun}, not {texts[-1][:_SHOWN]!r}.") from None

    return read


def _choice(field: str, known: Sequence[str]) -> Callable[[Sequence[str]], object]:
    def read(texts: Sequence[str]) -> object:
        if texts[-1] not in known:
            raise OptionError(f"{field} must be {' or '.join(known)}, not {texts[-1][:_SHOWN]!r}.")
        return texts[-1]

    return read


def _biases(texts: Sequence[str]) -> object:
    found: dict[int, float] = {}
    for text in texts:
        token, _, bias = text.partition(":")
        try:
            found[int(token)] = float(bias)
        except ValueError:
            raise OptionError(
                f"logit_bias must be a token's id and a number, such as 193:-100, not {text[:_SHOWN]!r}."
            ) from None
    return found


def _schema(texts: Sequence[str]) -> object:
    text = texts[-1].strip()
    if not text.startswith(("{", "[")) and text not in ("true", "false"):
        try:
            text = input_text(read_bounded(Path(text).expanduser(), _LARGEST_SCHEMA), f"The file {text}")
        except (OSError, ValueError, RuntimeError) as error:  # a path with NUL; a home folder of nobody
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error).rstrip(".")
            raise OptionError(
                f"{text[:200]} cannot be read ({reason}); name a file, or give the schema itself."
            ) from None
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OptionError(f"the schema is not JSON ({error}); correct it.") from None
    return Grammar(kind="json_schema", text=text)


def _several(text: str) -> Sequence[str]:
    """Stop texts after /set: one as it stands, or texts in JSON, which can spell a newline."""
    if text[:1] not in ("[", '"'):
        return [text]
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    texts = found if isinstance(found, list) else [found]
    if not all(isinstance(item, str) for item in texts):
        raise OptionError('stop must be a text, or texts as JSON, such as ["\\n", "END"].')
    return texts


def _switch(texts: Sequence[str]) -> object:
    return _choice("prompt_lookup", ("on", "off"))(texts) == "on"


def _sampling(name: str, metavar: str, text: str, kind: type[int] | type[float] = float) -> Setting:
    field = name.replace("-", "_")
    return Setting(name=name, field=field, metavar=metavar, help=text, read=_number(field, kind), sampling=True)


_ANSWER = (
    Setting(
        name="max-tokens",
        field="max_new_tokens",
        metavar="N",
        help="length of an answer, in tokens, at most",
        read=_number("max_new_tokens", int),
    ),
    Setting(
        name="stop",
        field="stop",
        metavar="TEXT",
        help="a text that ends the answer and is no part of it; may be repeated",
        read=tuple,
        repeats=True,
        split=_several,
    ),
    Setting(
        name="context-policy",
        field="context_policy",
        metavar="POLICY",
        help=f"{', '.join(CONTEXT_POLICIES)}: what of a conversation too long for the context goes; stop refuses it",
        read=_choice("context_policy", CONTEXT_POLICIES),
    ),
    Setting(
        name="json-schema",
        field="grammar",
        metavar="FILE_OR_JSON",
        help="the answer is JSON that this schema allows",
        read=_schema,
        grammar="json_schema",
    ),
    Setting(
        name="regex",
        field="grammar",
        metavar="RE",
        help="the whole answer matches this regular expression",
        read=lambda texts: Grammar(kind="regex", text=texts[-1]),
        grammar="regex",
    ),
)
_CHOICE = (
    Setting(
        name="logit-bias",
        field="logit_bias",
        metavar="ID:VALUE",
        help="added to the score of the token with this id, -100 (never) to 100 (always); may be repeated",
        read=_biases,
        sampling=True,
        repeats=True,
        split=lambda text: text.split(","),
    ),
    _sampling("repetition-penalty", "X", "0.1 to 10; above 1 the last tokens become less likely; 1 is off"),
    _sampling("repetition-window", "N", "last tokens, the prompt's included, that it looks at; 0 is all", int),
    _sampling("frequency-penalty", "X", "-2 to 2; off a token's score for each time that the answer has it"),
    _sampling("presence-penalty", "X", "-2 to 2; off the score of every token that the answer has"),
    _sampling("temperature", "T", "0 to 100; 0 takes the likeliest"),
    _sampling("top-k", "K", "keep the K likeliest tokens; 0 keeps all", int),
    _sampling("top-p", "P", "above 0 to 1; keep the likeliest tokens that hold this share; 1 keeps all"),
    _sampling("min-p", "P", "0 to 1; drop tokens below this share of the likeliest; 0 keeps all"),
    _sampling("typical-p", "P", "above 0 to 1; keep the most typical tokens that hold this share; 1 keeps all"),
    Setting(
        name="sampling-order",
        field="order",
        metavar="ORDER",
        help=f"{' or '.join(get_args(Order))}: the latter takes typical before top-p and temperature last",
        read=_choice("order", get_args(Order)),
        sampling=True,
    ),
    _sampling("seed", "N", "whole number; the same gives the same answer; none: a new one each time", int),
)
_LOOKUP = Setting(
    name="prompt-lookup",
    field="prompt_lookup",
    metavar="on|off",
    help="guess tokens from the prompt where that is faster; the answers are the same",
    read=_switch,
)
SETTINGS = {setting.name: setting for setting in (*_ANSWER, _LOOKUP, *_CHOICE)}
"""All settings by name, in the order in which people see them."""


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add an option for every setting."""
    answer = parser.add_argument_group("answer")
    grammar = answer.add_mutually_exclusive_group()
    for setting in _ANSWER:
        _add(grammar if setting.grammar else answer, setting)
    answer.add_argument("--no-prompt-lookup", action="store_true", help="do not guess tokens from the prompt")
    choice = parser.add_argument_group("choice of each token, in this order")
    for setting in _CHOICE:
        _add(choice, setting)


def _add(parser: argparse._ActionsContainer, setting: Setting) -> None:
    parser.add_argument(
        f"--{setting.name}",
        dest=setting.name,
        action="append",
        metavar=setting.metavar,
        help=f"{setting.help} (default: {shown(setting.value(BASE))})",
    )


def chosen_settings(chosen: argparse.Namespace) -> GenerationOptions:
    """The options that the arguments say. Raises OptionError, which names the option."""
    options = BASE
    for setting in (*_ANSWER, *_CHOICE):
        given: list[str] | None = getattr(chosen, setting.name)
        if given is not None:
            label = f"--{setting.name}"
            options = setting.changed(options, [argument_text(label, text) for text in given], label=label)
    return replace(options, prompt_lookup=not chosen.no_prompt_lookup)
