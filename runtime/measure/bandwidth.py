"""How fast this machine's processor reads memory: the measure for a decoder, which reads all weights for a token."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

BUFFER_BYTES = 256 << 20  # several times the last cache of a desktop or a laptop
_PASSES = 7


def usable_cores() -> int:
    """Cores that this process may run on."""
    affinity = getattr(os, "sched_getaffinity", None)  # macOS and Windows have none
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def thread_count() -> int:
    """Threads that numeric libraries take: OMP_NUM_THREADS, else a thread a core."""
    named = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return min(int(named), usable_cores()) if named.isdigit() and int(named) else usable_cores()


def read_bandwidth(threads: int, *, size: int = BUFFER_BYTES, passes: int = _PASSES) -> float:
    """Bytes a second at which `threads` threads, each on its part, read a buffer of `size` bytes: the best pass.

    Each takes the largest of its part's float32 numbers, which numpy does with vector instructions and without the
    interpreter's lock, and which writes nothing. The best pass, because what else runs on a machine only slows it.
    """
    parts = np.array_split(np.ones(size // 4, np.float32), threads)
    best = float("inf")
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(passes):
            begun = time.perf_counter()
            list(pool.map(np.max, parts))
            best = min(best, time.perf_counter() - begun)
    return sum(part.nbytes for part in parts) / best
