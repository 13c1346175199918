"""How long tests wait for what must happen.

Nothing is tested by it: a test that waits goes on as soon as it can, and only what hangs takes so long, on however slow
and busy a machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable

SECONDS = 600.0


def until(happened: Callable[[], object]) -> None:
    """Return once `happened` says so; it is asked again and again."""
    finish = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < finish, "waited in vain"
        time.sleep(0.01)
