"""Memory of this process and of this machine, in bytes, as far as the system tells."""

from __future__ import annotations

import platform
from pathlib import Path

_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_STATUS = "/proc/self/status"


def peak_resident_bytes() -> int | None:
    """The most that this process had in memory at once, mapped files included; None where the system does not tell."""
    if platform.system() == "Linux":  # getrusage would count what the parent had before this program was its own
        return _kilobytes(_STATUS, "VmHWM")
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if platform.system() == "Darwin" else 1024)


def private_bytes() -> int | None:
    """What this process holds now that no file backs; None where the system does not tell. Linux only."""
    return _kilobytes(_STATUS, "RssAnon")


def available_bytes() -> int | None:
    """What programs can still get without swapping, by Linux's own estimate; None elsewhere."""
    return _kilobytes("/proc/meminfo", "MemAvailable")


def limit_bytes(physical: int | None) -> int | None:
    """What this process may use in all: the container's limit where it is below `physical`."""
    for file in _CGROUP_LIMITS:
        try:
            limit = int(Path(file).read_text(encoding="ascii"))
        except (OSError, ValueError):  # there is none, or it says "max"
            continue
        return limit if physical is None else min(limit, physical)
    return physical


def _kilobytes(file: str, key: str) -> int | None:
    try:
        lines = Path(file).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:")), None)
