"""Key/value cache of one batch of sequences. L layers, B batch, K key heads, C context, D head size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from models.config import FalconConfig


class Cache(Protocol):
    """Where attention puts the new keys and values, and finds all of them."""

    def update(self, layer: int, key: Tensor, value: Tensor, begin: int, end: int) -> tuple[Tensor, Tensor]:
        """Store `key` and `value` [B, K, Q, D]; return what the queries look at, [B, K, S, D] each."""
        ...


@dataclass(frozen=True)
class KeyValueCache:
    """Two tensors [L, B, K, C, D], written in place; whoever feeds the decoder counts the valid positions."""

    key_cache: Tensor
    value_cache: Tensor

    @classmethod
    def zeros(
        cls,
        config: FalconConfig,
        *,
        context_length: int | None = None,
        batch_size: int = 1,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> KeyValueCache:
        """An empty cache; Falcon-7B's takes 8 KiB a token in 16 bits."""
        context = context_length or config.context_length
        shape = (config.num_layers, batch_size, config.num_kv_heads, context, config.head_dim)
        return cls(torch.zeros(shape, dtype=dtype, device=device), torch.zeros(shape, dtype=dtype, device=device))

    def update(self, layer: int, key: Tensor, value: Tensor, begin: int, end: int) -> tuple[Tensor, Tensor]:
        """Store `key` and `value` [B, K, end - begin, D]; return all of the layer's, [B, K, end, D] each.

        The cache may be of a smaller type than the model: what is returned has been rounded to it.
        """
        # This write and this read are what Core ML's GPU compiler recognises as in-place (see docs/decisions).
        self.key_cache[layer, :, :, begin:end, :] = key
        self.value_cache[layer, :, :, begin:end, :] = value
        keys, values = self.key_cache[layer, :, :, :end, :], self.value_cache[layer, :, :, :end, :]
        return keys.to(key.dtype), values.to(value.dtype)

    def window(self, begin: int, end: int) -> CacheWindow:
        """The cache as one pass sees it that writes positions `begin` to `end` - 1."""
        return CacheWindow(self, begin, end)


class CacheWindow:
    """`update` of a KeyValueCache for one pass: every layer's views are cut at once, which costs less than one by one
    (a quarter of the time of a pass over few tokens of a small model)."""

    def __init__(self, cache: KeyValueCache, begin: int, end: int) -> None:
        both = cache.key_cache, cache.value_cache
        self._new_keys, self._new_values = (t[:, :, :, begin:end].unbind() for t in both)
        self._keys, self._values = (t[:, :, :, :end].unbind() for t in both)

    def update(self, layer: int, key: Tensor, value: Tensor, begin: int, end: int) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """As KeyValueCache.update, for the positions that the window was made for."""
        self._new_keys[layer].copy_(key)
        self._new_values[layer].copy_(value)
        return self._keys[layer].to(key.dtype), self._values[layer].to(value.dtype)


@dataclass(frozen=True)
class CacheBatch:
    """One new token for each of B sequences, whose caches hold `lengths` tokens so far."""

    caches: Sequence[KeyValueCache]  # each of one sequence
    lengths: Sequence[int]

    def update(self, layer: int, key: Tensor, value: Tensor, begin: int, end: int) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """Store `key` and `value` [B, K, 1, D]; return all of the layer's, [B, K, end, D] each, zero where unused."""
        keys, values = (new.new_zeros(*new.shape[:2], end, new.shape[-1]) for new in (key, value))
        for row, (cache, length) in enumerate(zip(self.caches, self.lengths, strict=True)):
            one = slice(row, row + 1)
            own = cache.update(layer, key[one], value[one], length, length + 1)
            keys[one, :, : length + 1], values[one, :, : length + 1] = own
        return keys, values
