"""The end of a process: how it is brought about, and what it is called."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys

_FIRST_EXCEPTION = 0xC000_0000  # of Windows' numbers for errors that end a process


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill `process`, which was started in a session of its own, and its group; on Windows it alone. Harmless where it
    has just ended."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # the latter is macOS's, where all are zombies
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)


def crash_name(code: int) -> str | None:
    """What ended a process with the exit code `code`, where it did not leave by itself: SIGKILL for -9, and 0xC0000005
    for 3221225477, of Windows. None for one that left."""
    if code >= _FIRST_EXCEPTION:
        return f"0x{code:08X}"
    if code >= 0:
        return None
    return signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
