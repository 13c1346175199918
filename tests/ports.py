"""Ports at which nobody listens."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def deaf_port() -> Iterator[int]:
    """One of 127.0.0.1, where nobody listens, nor will meanwhile: it is taken (a Mac would be silent then)."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        if sys.platform == "darwin":
            taken.close()
        yield port
