"""torch on one thread, where a result must not depend on the machine's cores or on OMP_NUM_THREADS.

Whoever wants more cores splits the work into fixed parts and gives them to threads of its own. Those also stay fast
beside other work, where torch's wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Within it, torch uses the calling thread alone, in threads begun within it too."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
