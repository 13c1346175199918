"""Arguments: what callers hand to the library, checked where it comes in. What is of the wrong kind is one sentence."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

from runtime.errors import OptionError

_SHOWN = 60  # characters of a refused value


def shown(value: object) -> str:
    """`value` as a sentence can hold it."""
    try:
        text = repr(value)
    except ValueError:  # Python spells no whole number of more than 4,300 digits
        return "a number of thousands of digits"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def kind_of(value: object) -> str:
    """What `value` is, for a sentence: its type's name, or None."""
    return "None" if value is None else type(value).__name__


def plain_number(value: Any) -> Any:
    """`value`, of a number of NumPy's the number of Python's own: sweeps come with the former."""
    item = getattr(value, "item", None)
    return item() if isinstance(value, Real) and callable(item) else value


def check_kind(name: str, value: object, kind: Any, noun: str) -> None:
    """OptionError unless `value` is a `kind` (anything that isinstance takes), which sentences call `noun`."""
    if not isinstance(value, kind):
        raise OptionError(f"{name} must be {noun}, not {kind_of(value)}.")


def check_text(name: str, value: object, *, optional: bool = False) -> None:
    """OptionError unless `value` is a str; None passes where it is `optional`."""
    check_kind(name, value, str | None if optional else str, "a text or None" if optional else "a text")


def check_whole(name: str, value: object, *, least: int = 0) -> None:
    """OptionError unless `value` is a whole number, `least` or more."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise OptionError(f"{name} must be a whole number, {least} or more, not {shown(value)}.")


def check_seconds(name: str, value: object) -> None:
    """OptionError unless `value` is a number above 0; infinity is one, what no float can hold is none."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not (0 < value <= sys.float_info.max or value == math.inf):  # type: ignore[operator]
        raise OptionError(f"{name} must be a number above 0, not {shown(value)}.")


def check_callable(name: str, value: object) -> None:
    """OptionError for what cannot be called."""
    check_kind(name, value, Callable, "a function")


def checked_ids(name: str, value: object) -> list[int]:
    """`value` as token ids. OptionError for what is no collection of whole numbers."""
    ids = list(value) if isinstance(value, Iterable) and not isinstance(value, str | bytes) else None
    if ids is None or not all(isinstance(token, int) and not isinstance(token, bool) for token in ids):
        raise OptionError(f"{name} must be token ids, whole numbers, not {shown(value)}.")
    return ids


def checked_texts(name: str, value: object) -> tuple[str, ...]:
    """`value` as texts. OptionError for one text, which is a list of letters, and for what is no list of them."""
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(text, str) for text in value):
        raise OptionError(f"{name} must be a list of texts.")
    return tuple(value)


def checked_path(name: str, value: object) -> Path:
    """`value`, a text or a Path, as a Path. OptionError for what no file can be called."""
    try:
        text = os.fspath(value)  # type: ignore[call-overload]
    except TypeError:
        text = None
    if not isinstance(text, str):
        raise OptionError(f"{name} must be a path, as a text or a pathlib.Path, not {kind_of(value)}.")
    try:
        usable = b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        usable = False
    if not usable:
        raise OptionError(f"{name} holds a character that no path can hold: {shown(text)}; correct it.")
    return Path(text)
