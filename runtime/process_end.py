"""The end of a process: how it is brought about, and what it is called."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill `process`, which was started in a session of its own, and its group; on Windows it alone. Harmless where it
    has just ended."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # the latter is macOS's, where all are zombies
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)


def signal_name(code: int) -> str:
    """What the signal is called that ended a process with the exit code `code`, below 0: SIGKILL for -9."""
    return signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
