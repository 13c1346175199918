"""The library's names of fields, in what an engine refuses, as the names that people gave: those of options."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from runtime.cli.settings import SETTINGS
from runtime.errors import OptionError

_OPTIONS = {setting.field: f"--{setting.name}" for setting in SETTINGS.values() if not setting.grammar}


@contextlib.contextmanager
def options_named() -> Iterator[None]:
    """An OptionError from inside names options of the command line where it named fields."""
    try:
        yield
    except OptionError as error:
        raise OptionError(with_options(str(error))) from None


def with_options(sentence: str) -> str:
    """`sentence` with options for fields: its first word, and words that only a field can be, as repetition_window."""
    first, space, rest = sentence.partition(" ")
    renamed = _OPTIONS.get(first, first) + space + rest
    return re.sub(r"\b[a-z]+(?:_[a-z]+)+\b", lambda found: _OPTIONS.get(found[0], found[0]), renamed)
