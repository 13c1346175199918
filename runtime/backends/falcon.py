"""FalconBackend: what backends share that run models.falcon over key/value caches of their own."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from models.cache import KeyValueCache
from models.config import FalconConfig
from runtime.backends.base import Backend, KeyValues, S, check_saved


class FalconBackend(Backend[S]):
    """A model of `config`, whose states keep float16 caches."""

    def __init__(self, config: FalconConfig) -> None:
        self._config = config

    @property
    def vocab_size(self) -> int:
        """Tokens that the model scores."""
        return self._config.vocab_size

    @property
    def context_length(self) -> int:
        """Tokens that one state can hold."""
        return self._config.context_length

    def _read(self, caches: Sequence[KeyValueCache], length: int) -> KeyValues:
        """A copy of the first `length` tokens of caches, each of some layers, in their order."""
        keys, values = (
            torch.cat([cache[:, 0, :, :length].half().cpu() for cache in side]).numpy()
            for side in ([cache.key_cache for cache in caches], [cache.value_cache for cache in caches])
        )
        return KeyValues(keys, values)

    def _write(self, caches: Sequence[KeyValueCache], saved: KeyValues) -> None:
        """Put `saved` into such caches. ValueError for arrays of another model's shape, nothing written."""
        config = self._config
        check_saved(
            saved,
            layers=config.num_layers,
            kv_heads=config.num_kv_heads,
            head_dim=config.head_dim,
            context_length=self.context_length,
        )
        first = 0
        for cache in caches:
            last = first + len(cache.key_cache)
            for side, array in ((cache.key_cache, saved.keys), (cache.value_cache, saved.values)):
                side[:, 0, :, : saved.length] = torch.from_numpy(array[first:last])
            first = last
