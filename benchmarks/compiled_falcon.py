"""The peer of bf16 decoding: models.falcon with plain bfloat16 layers and a static cache, compiled by torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from models.config import FalconConfig
from models.falcon import Falcon, Step, position_tables


@dataclass
class StaticCache:
    """Keys and values [L, 1, K, C, D], written at `place`, int64 [1], and always read whole: shapes never change."""

    keys: Tensor
    values: Tensor
    place: Tensor

    def update(self, layer: int, key: Tensor, value: Tensor, begin: int, end: int) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """Store one key and value; all of the layer's."""
        self.keys[layer].index_copy_(2, self.place, key)
        self.values[layer].index_copy_(2, self.place, value)
        return self.keys[layer], self.values[layer]


def compiled_step(config: FalconConfig, device: torch.device, *, mode: str | None) -> Callable[[int, int], Tensor]:
    """A function of a token and its position that scores the next, [V], of a model with random weights.

    `mode` is torch.compile's; None compiles nothing, for trying the rest.
    """
    torch.set_default_dtype(torch.bfloat16)
    try:
        with device:
            model = Falcon(config).eval().requires_grad_(False)
    finally:
        torch.set_default_dtype(torch.float32)
    for name, table in position_tables(config).items():
        setattr(model.transformer, name, table.to(device))
    for parameter in model.parameters():
        if parameter.ndim == 2:
            parameter.normal_(std=0.02)
    context = config.context_length
    shape = (config.num_layers, 1, config.num_kv_heads, context, config.head_dim)
    keys, values = (torch.zeros(shape, dtype=torch.bfloat16, device=device) for _ in range(2))
    for buffer in (keys, values):  # written in place: so marked, a CUDA graph may keep their addresses
        torch._dynamo.mark_static_address(buffer)
    transformer, positions = model.transformer, torch.arange(context, device=device)

    def step(token: Tensor, place: Tensor) -> Tensor:
        hidden = transformer.word_embeddings(token[None])
        mask = torch.where(positions > place, -torch.inf, 0.0).to(hidden.dtype)
        rotary = tuple(table[place][:, None, None].to(hidden.dtype) for table in (transformer.cos, transformer.sin))
        folded = transformer.fold_mask(mask[None, None, None], context)
        shared = Step(1, context - 1, context, folded, (rotary[0], rotary[1]), StaticCache(keys, values, place))
        for block in transformer.h:
            hidden = block(hidden, shared)
        logits: Tensor = model.lm_head(transformer.ln_f(hidden))
        return logits[0, 0]

    run = step if mode is None else torch.compile(step, mode=mode, fullgraph=True)

    @torch.inference_mode()
    def call(token: int, place: int) -> Tensor:
        inputs = (torch.tensor([value], device=device) for value in (token, place))
        return run(*inputs).float().cpu()

    return call
