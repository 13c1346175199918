"""Key/value cache of one batch of sequences. L layers, B batch, K key heads, C context, D head size."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models.config import FalconConfig


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
