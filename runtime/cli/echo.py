"""Keys typed while a model loads or an answer streams are not shown in its midst; the next prompt reads them."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import TextIO


def no_echo(stdin: TextIO) -> AbstractContextManager[object]:
    """Within it the terminal shows no keys. Nothing happens in a pipe, or on Windows, whose console shows keys only
    when they are read."""
    if sys.platform != "win32" and stdin.isatty():
        from runtime.cli.noecho import NoEcho

        return NoEcho(stdin.fileno())
    return nullcontext()
