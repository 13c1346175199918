"""Memory as a card's threads see it: of tensors by their addresses, and a block's own. What nobody owns is an error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Bits = npt.NDArray[np.uint64]


class Memory:
    """Bytes of `tensors`, which are contiguous and on the CPU; those of `once` may be stored once."""

    def __init__(self, tensors: Sequence[Tensor], once: Sequence[Tensor | None] = ()) -> None:
        self._once = {tensor.data_ptr() for tensor in once if tensor is not None}
        self._stored: set[int] = set()
        pieces = {tensor.data_ptr(): tensor.flatten().view(torch.uint8).numpy() for tensor in tensors}
        self._pieces = list(pieces.items())

    def load(self, addresses: Bits, size: int) -> Bits:
        """The `size` bytes at each of `addresses`."""
        out = np.zeros((len(addresses), 8), np.uint8)
        for mine, places, owned in self._owners(addresses, size):
            out[mine, :size] = owned[places]
        return out.view(np.uint64)[:, 0]

    def store(self, addresses: Bits, values: Bits, size: int) -> None:
        """Write the low `size` bytes of each of `values`."""
        given = np.ascontiguousarray(values).view(np.uint8).reshape(-1, 8)
        for mine, places, owned in self._owners(addresses, size):
            owned[places] = given[mine, :size]
            if owned.ctypes.data in self._once:
                fresh = (places + owned.ctypes.data).ravel().tolist()
                assert self._stored.isdisjoint(fresh), "stored twice"
                self._stored.update(fresh)

    def _owners(
        self, addresses: Bits, size: int
    ) -> Iterator[tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64], npt.NDArray[np.uint8]]]:
        found = 0
        for base, owned in self._pieces:
            mine = (addresses >= base) & (addresses + np.uint64(size) <= base + len(owned))
            if mine.any():
                found += int(mine.sum())
                yield mine, (addresses[mine] - np.uint64(base)).astype(np.int64)[:, None] + np.arange(size), owned
        assert found == len(addresses), "memory of no tensor"


class OwnMemory:
    """Bytes of a block or kernel, by their place."""

    def __init__(self, held: bytes) -> None:
        self._bytes = np.frombuffer(held, np.uint8).copy()

    def load(self, addresses: Bits, size: int) -> Bits:
        """The `size` bytes at each of `addresses`."""
        out = np.zeros((len(addresses), 8), np.uint8)
        out[:, :size] = self._bytes[self._places(addresses, size)]
        return out.view(np.uint64)[:, 0]

    def store(self, addresses: Bits, values: Bits, size: int) -> None:
        """Write the low `size` bytes of each of `values`."""
        given = np.ascontiguousarray(values).view(np.uint8).reshape(-1, 8)
        self._bytes[self._places(addresses, size)] = given[:, :size]

    def _places(self, addresses: Bits, size: int) -> npt.NDArray[np.int64]:
        places = addresses.astype(np.int64)[:, None] + np.arange(size)
        assert places.min() >= 0
        assert places.max() < len(self._bytes), "beyond the block's memory"
        return places
