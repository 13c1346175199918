"""The library's names of fields, in what an engine refuses, as the names that people gave: those of options."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from runtime.cli.settings import SETTINGS
from runtime.errors import OptionError

_OPTIONS = {setting.field: setting.name for setting in SETTINGS.values() if not setting.grammar}


@contextlib.contextmanager
def options_named(mark: str = "--") -> Iterator[None]:
    """An OptionError from inside names options of the command line where it named fields, with `mark` before each."""
    try:
        yield
    except OptionError as error:
        raise OptionError(with_options(str(error), mark)) from None


def with_options(sentence: str, mark: str) -> str:
    """`sentence` with options for fields: its first word, and words that only a field can be, as repetition_window."""

    def named(word: str) -> str:
        return mark + _OPTIONS[word] if word in _OPTIONS else word

    first, space, rest = sentence.partition(" ")
    return re.sub(r"\b[a-z]+(?:_[a-z]+)+\b", lambda found: named(found[0]), named(first) + space + rest)
