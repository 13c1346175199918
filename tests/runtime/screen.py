"""Screen: the program at a terminal, as tests type and read."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import sys
import termios
import time

from tests import patience

CTRL_C, CTRL_D, CTRL_Z, UP, TAB = "\x03", "\x04", "\x1a", "\x1b[A", "\t"


class Screen:
    """A process at a terminal of 200 columns, what it has written, and what it has not been asked for yet. It computes
    with torch, which every system has."""

    def __init__(self, *arguments: str, through: tuple[str, ...] = (), **environment: str) -> None:
        command = [*through, sys.executable, "-m", "runtime", *arguments, "--backend", "torch"]
        self.pid, self._file = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, {**os.environ, "COLUMNS": "200", **environment})
        self._new = ""
        self.code: int | None = None

    def type(self, keys: str | bytes) -> None:
        """Piece by piece, reading what is written meanwhile: a terminal that is full both ways would wait for us."""
        left = keys.encode() if isinstance(keys, str) else keys
        until = time.monotonic() + patience.SECONDS
        while left:
            readable, writable, _ = select.select([self._file], [self._file], [], max(0.0, until - time.monotonic()))
            if readable:
                self._read(until)
            if writable:
                left = left[os.write(self._file, left[:256]) :]
            assert readable or writable, "the program takes no keys"

    def expect(self, pattern: str) -> re.Match[str]:
        """Read on until `pattern` has been written; what is before it is behind us then."""
        until = time.monotonic() + patience.SECONDS
        while (found := re.search(pattern, self._new)) is None:
            if time.monotonic() > until or not self._read(until):
                raise AssertionError(f"{pattern!r} was not written, but {self._new!r}")
        self._new = self._new[found.end() :]
        return found

    def echoes(self) -> bool:
        """Whether the terminal shows keys by itself."""
        return bool(termios.tcgetattr(self._file)[3] & termios.ECHO)

    def close(self) -> str:
        """Read to the end; the exit code is in `code` then."""
        while self._read(time.monotonic() + patience.SECONDS):
            pass
        if self.code is None:
            left = select.select([self._file], [], [], 0)[0]  # nothing to read, not even an end: it is still there
            if not left:
                os.kill(self.pid, signal.SIGKILL)
            self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            os.close(self._file)
        return self._new

    def kill(self) -> None:
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            self.close()

    def _read(self, until: float) -> bool:
        if self.code is not None or not select.select([self._file], [], [], max(0.0, until - time.monotonic()))[0]:
            return False
        try:
            data = os.read(self._file, 1 << 16)
        except OSError:  # Linux's way to say that the other end is closed
            return False
        self._new += data.decode(errors="replace").replace("\r\n", "\n")
        return bool(data)
