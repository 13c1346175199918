"""Keep mapped files from filling resident memory while another library walks through them."""

from __future__ import annotations

import mmap
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

_SECONDS = 0.2


class MappedArrays:
    """Mapped arrays that are still in use somewhere, and a way to give their pages back to the system's page cache."""

    def __init__(self) -> None:
        self._arrays: list[weakref.ref[np.memmap[Any, Any]]] = []
        self._lock = threading.Lock()  # `drop` runs in a thread and would lose what `add` appends meanwhile

    def add(self, array: npt.NDArray[Any]) -> None:
        """Watch `array`, if it is mapped, for as long as it lives."""
        if isinstance(array, np.memmap):
            with self._lock:
                self._arrays.append(weakref.ref(array))

    def drop(self) -> None:
        """Give back all pages; the next access reads them from the page cache again."""
        with self._lock:
            self._arrays = [reference for reference in self._arrays if reference() is not None]
            arrays = [reference() for reference in self._arrays]
        for array in arrays:
            mapped = getattr(array, "_mmap", None)
            if mapped is not None:
                mapped.madvise(mmap.MADV_DONTNEED)

    @contextmanager
    def dropping(self) -> Iterator[None]:
        """Within it, pages are given back several times a second, and once at the end."""
        done = threading.Event()

        def work() -> None:
            while not done.wait(_SECONDS):
                self.drop()

        thread = threading.Thread(target=work, name="drop-pages", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            self.drop()
