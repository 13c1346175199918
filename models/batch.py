"""One decoding step of several sequences at once: matrices are read once for all, attention looks at each one's cache.

B sequences, S positions of the longest with its new token.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from models.cache import CacheBatch, KeyValueCache
from models.falcon import Falcon, Step


def step_batch(model: Falcon, tokens: Tensor, caches: Sequence[KeyValueCache], lengths: Sequence[int]) -> Tensor:
    """Append `tokens` [B] to `caches`, which hold `lengths` tokens; score the next ones, [B, V]."""
    transformer = model.transformer
    hidden: Tensor = transformer.word_embeddings(tokens[:, None])
    end = max(lengths) + 1
    places = torch.tensor(list(lengths), device=hidden.device)
    unseen = torch.arange(end, device=hidden.device) > places[:, None]
    mask = torch.zeros(unseen.shape, dtype=hidden.dtype, device=hidden.device).masked_fill_(unseen, -torch.inf)
    rotary = None
    if not model.config.alibi:
        cos, sin = (table[places][:, None, None, None].to(hidden.dtype) for table in (transformer.cos, transformer.sin))
        rotary = cos, sin
    folded = transformer.fold_mask(mask[:, None, None], end)
    step = Step(len(tokens), end - 1, end, folded, rotary, CacheBatch(caches, lengths))
    for block in transformer.h:
        hidden = block(hidden, step)
    logits: Tensor = model.lm_head(transformer.ln_f(hidden))
    return logits[:, 0]
