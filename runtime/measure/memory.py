"""Memory of this process and of this machine, in bytes, as far as the system tells."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_STATUS = "/proc/self/status"


@dataclass(frozen=True, kw_only=True)
class Memory:
    """A machine's memory in bytes; None where the system does not tell."""

    total: int | None  # the container's limit where it is lower than what the machine has
    available: int | None  # what programs can get now without swapping; told by Linux only


def machine_memory() -> Memory:
    """What this machine has, and what is free of it now."""
    return Memory(total=limit_bytes(physical_bytes()), available=available_bytes())


def physical_bytes() -> int | None:
    """What the machine has in all; None where the system does not tell."""
    if sys.platform == "win32":  # whose own ways are not asked
        return None
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def peak_resident_bytes() -> int | None:
    """The most that this process had in memory at once, mapped files included; None where the system does not tell."""
    if sys.platform == "win32":
        return None
    if platform.system() == "Linux":  # getrusage would count what the parent had before this program was its own
        return _kilobytes(_STATUS, "VmHWM")
    import resource

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
