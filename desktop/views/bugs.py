"""Bugs: errors that nobody expected, told where they must not go any further."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

W = TypeVar("W")
P = ParamSpec("P")

_known: set[tuple[type[Exception], str, int | None]] = set()


def tell(error: Exception) -> None:
    """As Python does with an error that nobody has caught: the window has its hook."""
    sys.excepthook(type(error), error, error.__traceback__)


def tell_once(error: Exception) -> None:
    """As `tell`, but an error of the same kind and place only the first time."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    bug = (type(error), last.filename, last.lineno)
    if bug not in _known:
        _known.add(bug)
        tell(error)


def contained(handler: Callable[Concatenate[W, P], bool]) -> Callable[Concatenate[W, P], bool]:
    """An override of `event` or `eventFilter` that lets no error out, neither its own nor one of the handlers that Qt
    calls within it: there Qt, which is C++, goes on with the error pending. With the event nothing is done then."""

    @wraps(handler)
    def guarded(self: W, /, *args: P.args, **kwargs: P.kwargs) -> bool:
        try:
            return handler(self, *args, **kwargs)
        except Exception as error:  # noqa: BLE001  (told, as where Python calls a slot)
            tell(error)
            return False

    return guarded
