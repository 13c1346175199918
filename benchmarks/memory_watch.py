"""MemoryWatch: how much memory another process takes at most. Linux only: /proc is read every 50 ms."""

from __future__ import annotations

import threading
import time
from pathlib import Path

_SECONDS = 0.05


class MemoryWatch(threading.Thread):
    """Largest private and resident memory of a process while it lives, in bytes."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._status = Path(f"/proc/{pid}/status")
        self.private = 0
        self.resident = 0

    def run(self) -> None:
        while True:
            try:
                fields = dict(line.split(":", 1) for line in self._status.read_text().splitlines())
            except (FileNotFoundError, ProcessLookupError):
                return
            if "RssAnon" not in fields:  # it has ended and waits for its parent
                return
            self.private = max(self.private, 1024 * int(fields["RssAnon"].split()[0]))
            self.resident = max(self.resident, 1024 * int(fields["VmRSS"].split()[0]))
            time.sleep(_SECONDS)
