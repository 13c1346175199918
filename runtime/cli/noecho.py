"""NoEcho: within it a POSIX terminal shows no keys."""

from __future__ import annotations

import os
import signal
import sys
import termios
from types import FrameType, TracebackType

assert sys.platform != "win32"


class NoEcho:
    """For a terminal's file number. What ends or stops the program finds the terminal as it was.

    Nor does Ctrl-C make the system forget what was written and is not on the screen yet, or what was typed (NOFLSH).
    """

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._before = termios.tcgetattr(terminal)[3]  # without ECHO where an editor shows the keys itself
        self._handled: list[signal.Signals] = []

    def __enter__(self) -> None:
        leaving = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP)
        self._handled = [number for number in leaving if signal.getsignal(number) is signal.SIG_DFL]
        for number in self._handled:
            signal.signal(number, self._leave)
        signal.signal(signal.SIGCONT, self._come_back)
        self._show(False)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._show(True)
        for number in (*self._handled, signal.SIGCONT):
            signal.signal(number, signal.SIG_DFL)

    def _leave(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Show keys again and let the signal do what it does by itself; after a stop the program goes on from here."""
        self._show(True)
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
        signal.signal(number, self._leave)

    def _come_back(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._show(False)

    def _show(self, keys: bool) -> None:
        try:
            if os.tcgetpgrp(self._terminal) != os.getpgrp():
                return  # in the background it is another's terminal, and the system stops whoever changes it
            settings = termios.tcgetattr(self._terminal)
            changed = termios.ECHO | termios.NOFLSH
            settings[3] = settings[3] & ~changed | (self._before & changed if keys else termios.NOFLSH)
            termios.tcsetattr(self._terminal, termios.TCSANOW, settings)  # at once, and keeping what was typed ahead
        except (OSError, termios.error):
            return  # the terminal was closed: nothing is left to show or hide
