"""Ctrl-C at a prompt is heard at once, also right after a key."""

from __future__ import annotations

import os
import signal
import sys
import termios
import threading
from types import TracebackType

assert sys.platform != "win32"

_NUDGES = (0.02, 0.1, 0.5)  # seconds to wait before each


class HeardAtOnce:
    """Within it, a signal that comes while readline works on a key does not wait for the next key.

    Python only notes such a signal, and sees its note when readline stops waiting for keys: at the next key, or at a
    signal that comes while it waits. So a thread that learns of the first signal (`set_wakeup_fd`) sends SIGWINCH after
    it, to which readline does nothing but look at the terminal's size. And Ctrl-C does not make the system forget the
    keys before it (NOFLSH): readline, told that there is one, would wait where no signal can reach it. For the main
    thread of a POSIX system whose input is a terminal.
    """

    def __enter__(self) -> HeardAtOnce:
        self._over = threading.Event()
        self._kept = _set_noflsh(True)
        self._source, self._sink = os.pipe()
        os.set_blocking(self._sink, False)
        self._before = signal.set_wakeup_fd(self._sink, warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._nudge, args=(threading.get_ident(),), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(self._before)
        self._over.set()
        os.close(self._sink)
        self._thread.join()
        os.close(self._source)
        _set_noflsh(self._kept)

    def _nudge(self, main: int) -> None:
        while os.read(self._source, 64):  # until the other end is closed
            for seconds in _NUDGES:
                if self._over.wait(seconds):
                    return
                signal.pthread_kill(main, signal.SIGWINCH)


def _set_noflsh(wanted: bool) -> bool:
    """Whether keys before Ctrl-C are kept from now on; returns what was before."""
    try:
        settings = termios.tcgetattr(sys.stdin.fileno())
        before = bool(settings[3] & termios.NOFLSH)
        settings[3] = settings[3] | termios.NOFLSH if wanted else settings[3] & ~termios.NOFLSH
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, settings)
    except (OSError, termios.error):
        return wanted  # the terminal was closed: the prompt will say so
    return before
