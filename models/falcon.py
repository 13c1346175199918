"""Falcon decoder: 7B, 40B, 180B, 11B and RW from one definition.

B batch, Q query tokens, S positions seen (cached and new), H query heads, K key heads, G = H / K heads that share a
key, D head size, E hidden size, V vocabulary.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.cache import Cache, KeyValueCache
from models.config import FalconConfig

_TOGETHER = 64  # queries; fewer cost more calls than they save keys


class Layers(Protocol):
    """Makes the layers that hold big matrices; `name` is the checkpoint's, without `.weight`."""

    def linear(self, name: str, in_features: int, out_features: int, *, bias: bool) -> nn.Module:
        """A module y = x Wᵀ + b, with `weight` and `bias`."""
        ...

    def embedding(self, name: str, rows: int, columns: int) -> nn.Module:
        """A module that picks rows of its `weight` [rows, columns]."""
        ...


@dataclass(frozen=True)
class Step:
    """What all layers share in one forward pass: queries stand at positions `begin` to `end` - 1."""

    batch: int
    begin: int
    end: int
    mask: Tensor  # [B, 1 or K, Q·G, S], added to the scores
    rotary: tuple[Tensor, Tensor] | None  # cosine and sine [B or none, Q, 1, 1, D]
    cache: Cache | None


class DenseLayers:
    """Plain torch layers, as in the checkpoint."""

    def linear(self, name: str, in_features: int, out_features: int, *, bias: bool) -> nn.Module:  # noqa: ARG002
        return nn.Linear(in_features, out_features, bias=bias)

    def embedding(self, name: str, rows: int, columns: int) -> nn.Module:  # noqa: ARG002
        return nn.Embedding(rows, columns)


class Falcon(nn.Module):
    """The language model. Parameter names are those of the checkpoints on the Hub."""

    def __init__(self, config: FalconConfig, layers: Layers | None = None) -> None:
        super().__init__()
        layers = layers or DenseLayers()
        self.config = config
        self.transformer = Transformer(config, layers)
        self.lm_head = layers.linear("lm_head", config.hidden_size, config.vocab_size, bias=False)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.transformer.word_embeddings.weight

    def forward(
        self,
        input_ids: Tensor,
        causal_mask: Tensor | None = None,
        cache: KeyValueCache | None = None,
        *,
        last_only: bool = False,
    ) -> Tensor:
        """Score the token after each position: `input_ids` [B, Q] -> logits [B, Q, V], or [B, 1, V] with `last_only`.

        `causal_mask` [B or 1, 1, Q, S] is added to the attention scores: 0 where a query may look, -inf where not. Its
        width says where the queries stand: they are positions S - Q to S - 1, and `cache` holds the ones before.
        Without a mask the queries begin the sequence. Without a cache nothing is kept.
        """
        hidden = self.transformer(input_ids, causal_mask, cache)
        if last_only:
            hidden = hidden[:, -1:, :]
        logits: Tensor = self.lm_head(self.transformer.ln_f(hidden))
        return logits


class Transformer(nn.Module):
    """Embedding and blocks; the final norm `ln_f` is applied by Falcon, to the positions that are scored."""

    cos: Tensor
    sin: Tensor
    head_bias: Tensor

    def __init__(self, config: FalconConfig, layers: Layers) -> None:
        super().__init__()
        self.config = config
        self.word_embeddings = layers.embedding("transformer.word_embeddings", config.vocab_size, config.hidden_size)
        self.h = nn.ModuleList(Block(config, index, layers) for index in range(config.num_layers))
        self.ln_f = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_epsilon)
        for name, table in position_tables(config).items():
            self.register_buffer(name, table, persistent=False)

    def forward(self, input_ids: Tensor, causal_mask: Tensor | None, cache: KeyValueCache | None) -> Tensor:
        """Hidden states [B, Q, E] before the final norm."""
        hidden: Tensor = self.word_embeddings(input_ids)
        # A traced program serves one sequence; a computed batch size would leave shape arithmetic in every layer.
        batch = 1 if is_tracing() else input_ids.shape[0]
        step = self.make_step(batch, input_ids.shape[1], hidden.dtype, causal_mask, cache)
        for block in self.h:
            hidden = block(hidden, step)
        return hidden

    def make_step(
        self,
        batch: int,
        queries: int,
        dtype: torch.dtype,
        causal_mask: Tensor | None = None,
        cache: KeyValueCache | None = None,
    ) -> Step:
        """What the blocks share; the mask's width says where the queries stand (see `Falcon.forward`)."""
        if causal_mask is None:
            causal_mask = make_causal_mask(queries, queries, dtype=dtype, device=self.head_bias.device)
        end = causal_mask.shape[-1]
        begin = end - queries
        rotary = None if self.config.alibi else self._rotary(begin, end, dtype)
        # A trace keeps the write and the read that Core ML knows.
        seen = cache if cache is None or is_tracing() else cache.window(begin, end)
        return Step(batch, begin, end, self.fold_mask(causal_mask, end), rotary, seen)

    def _rotary(self, begin: int, end: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        # Core ML does not know the width of a slice whose bounds are computed; of a reshape it does.
        cos, sin = (t[begin:end].reshape(-1, 1, 1, self.config.head_dim) for t in (self.cos, self.sin))
        return cos.to(dtype), sin.to(dtype)

    def fold_mask(self, causal_mask: Tensor, end: int) -> Tensor:
        """The mask [B, 1, Q, S] for folded queries: [B, 1 or K, Q·G, S], with ALiBi's bias where the model has it."""
        bias = self.head_bias[..., :end] if self.config.alibi else self.head_bias
        mask = causal_mask[:, :, :, None, :] + bias.to(causal_mask.dtype)
        return mask.flatten(2, 3)


class Block(nn.Module):
    """One layer: attention and MLP side by side (parallel) or one after the other (RW)."""

    def __init__(self, config: FalconConfig, index: int, layers: Layers) -> None:
        super().__init__()
        self.parallel = config.parallel_attn
        self.two_norms = config.parallel_attn and config.norms_per_block == 2
        if self.two_norms:
            self.ln_attn = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_epsilon)
            self.ln_mlp = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_epsilon)
        else:
            self.input_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_epsilon)
            if not self.parallel:
                self.post_attention_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_epsilon)
        self.self_attention = Attention(config, index, layers)
        self.mlp = MLP(config, index, layers)

    def forward(self, hidden: Tensor, step: Step) -> Tensor:
        """[B, Q, E] -> [B, Q, E]."""
        out: Tensor
        attention_in = self.ln_attn(hidden) if self.two_norms else self.input_layernorm(hidden)
        attention_out = self.self_attention(attention_in, step)
        if not self.parallel:
            hidden = hidden + attention_out
            out = self.mlp(self.post_attention_layernorm(hidden)) + hidden
            return out
        mlp_in = self.ln_mlp(hidden) if self.two_norms else attention_in
        out = self.mlp(mlp_in) + attention_out + hidden
        return out


class Attention(nn.Module):
    """Attention whose G query heads of one key are folded into the query axis, so that no key is ever copied.

    The fused matrix is laid out (K, G + 2, D) in every Falcon: 7B has K = 1 (71 queries, key, value), 40B and 11B have
    eight such groups, RW has K = H groups of (query, key, value).
    """

    def __init__(self, config: FalconConfig, index: int, layers: Layers) -> None:
        super().__init__()
        self.index = index
        self.kv_heads, self.group, self.head_dim = config.num_kv_heads, config.heads_per_kv_head, config.head_dim
        prefix = f"transformer.h.{index}.self_attention"
        self.query_key_value = layers.linear(
            f"{prefix}.query_key_value", config.hidden_size, config.qkv_features, bias=config.bias
        )
        self.dense = layers.linear(f"{prefix}.dense", config.hidden_size, config.hidden_size, bias=config.bias)

    def forward(self, x: Tensor, step: Step) -> Tensor:
        """[B, Q, E] -> [B, Q, E]."""
        qkv = self.query_key_value(x).reshape(step.batch, -1, self.kv_heads, self.group + 2, self.head_dim)
        query_key, value = qkv[..., : self.group + 1, :], qkv[..., self.group + 1, :]
        if step.rotary is not None:
            query_key = rotate(query_key, *step.rotary)
        query, key = query_key[..., : self.group, :], query_key[..., self.group, :]
        if self.kv_heads == 1:  # a plain reshape: transposing an axis of one before the cache has failed in Core ML
            query, key, value = (t.reshape(step.batch, 1, -1, self.head_dim) for t in (query, key, value))
        else:
            query = query.permute(0, 2, 1, 3, 4).reshape(step.batch, self.kv_heads, -1, self.head_dim)
            key, value = key.permute(0, 2, 1, 3), value.permute(0, 2, 1, 3)
        if step.cache is not None:
            key, value = step.cache.update(self.index, key, value, step.begin, step.end)
        out = attend(query, key, value, step)
        if self.kv_heads > 1:
            out = out.reshape(step.batch, self.kv_heads, -1, self.group, self.head_dim).permute(0, 2, 1, 3, 4)
        projected: Tensor = self.dense(out.reshape(step.batch, -1, self.kv_heads * self.group * self.head_dim))
        return projected


def attend(query: Tensor, key: Tensor, value: Tensor, step: Step) -> Tensor:
    """Folded queries [B, K, Q·G, D] over keys and values [B, K, S, D] -> [B, K, Q·G, D].

    With a cache, queries of a long piece go by _TOGETHER, each lot with the keys up to its own last position alone: of
    what a piece looks at within itself, half is masked. A traced program, and training, keep one product a layer.
    """
    rows = query.shape[2] // (step.end - step.begin) * _TOGETHER
    if step.cache is None or is_tracing() or query.shape[2] <= rows:
        return F.scaled_dot_product_attention(query, key, value, attn_mask=step.mask)
    lots = []
    for lot, end in enumerate(range(step.begin + _TOGETHER, step.end + _TOGETHER, _TOGETHER)):
        some, seen = slice(lot * rows, (lot + 1) * rows), slice(min(end, step.end))
        mask = step.mask[:, :, some, seen]
        lots.append(
            F.scaled_dot_product_attention(query[:, :, some], key[:, :, seen], value[:, :, seen], attn_mask=mask)
        )
    return torch.cat(lots, dim=2)


class MLP(nn.Module):
    """Two matrices with the exact GELU (by the error function) between."""

    def __init__(self, config: FalconConfig, index: int, layers: Layers) -> None:
        super().__init__()
        prefix = f"transformer.h.{index}.mlp"
        hidden, wide = config.hidden_size, config.ffn_hidden_size
        self.dense_h_to_4h = layers.linear(f"{prefix}.dense_h_to_4h", hidden, wide, bias=config.bias)
        self.dense_4h_to_h = layers.linear(f"{prefix}.dense_4h_to_h", wide, hidden, bias=config.bias)

    def forward(self, x: Tensor) -> Tensor:
        """[B, Q, E] -> [B, Q, E]."""
        out: Tensor = self.dense_4h_to_h(F.gelu(self.dense_h_to_4h(x)))
        return out


def position_tables(config: FalconConfig) -> dict[str, Tensor]:
    """What tells positions apart, computed rather than stored: rotary tables or ALiBi's bias.

    On the CPU even while a model is built on the meta device, where ranges cost a second of imports and mean nothing.
    """
    with torch.device("cpu"):
        if config.alibi:
            return {"head_bias": alibi_bias(config)}
        cos, sin = rotary_tables(config)
        # Adding zeros copies the mask once a head: a broadcast, where expand() becomes a tile of computed shape.
        return {"cos": cos, "sin": sin, "head_bias": torch.zeros(1, 1, 1, config.heads_per_kv_head, 1)}


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate `x` [..., D] by tables that broadcast to it. (Su et al. 2021, half-split form.)"""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


def rotary_tables(config: FalconConfig) -> tuple[Tensor, Tensor]:
    """Cosine and sine [context, D] of every position's angles; both halves of D hold the same angles."""
    exponents = torch.arange(0, config.head_dim, 2, dtype=torch.float32) / config.head_dim
    frequencies = 1.0 / config.rope_theta**exponents
    angles = torch.outer(torch.arange(config.context_length, dtype=torch.float32), frequencies)
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos(), angles.sin()


def alibi_slopes(num_heads: int) -> Tensor:
    """Slope of each head [H]: powers of 2^(-8/n) for n a power of two, odd powers of its root for the rest.

    (Press et al. 2022, and the authors' rule for other head counts.)
    """
    whole = 2 ** math.floor(math.log2(num_heads))
    base = 2.0 ** -(2.0 ** -(math.log2(whole) - 3))
    slopes = torch.pow(torch.tensor(base), torch.arange(1, whole + 1))
    if whole < num_heads:
        base = 2.0 ** -(2.0 ** -(math.log2(2 * whole) - 3))
        rest = torch.pow(torch.tensor(base), torch.arange(1, 2 * (num_heads - whole) + 1, 2))
        slopes = torch.cat((slopes, rest))
    return slopes


def alibi_bias(config: FalconConfig) -> Tensor:
    """What ALiBi adds to the scores after the 1/√D scale, [1, K, 1, G, context], by the key's position.

    Falcon was trained with slope × position rounded to bfloat16 and added before the scale; both are kept.
    """
    positions = torch.arange(config.context_length)
    bias = (alibi_slopes(config.num_heads)[:, None].bfloat16() * positions).float() / math.sqrt(config.head_dim)
    return bias.reshape(1, config.num_kv_heads, 1, config.heads_per_kv_head, config.context_length)


def make_causal_mask(
    queries: int, end: int, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
) -> Tensor:
    """[1, 1, queries, end]: query i, at position end - queries + i, sees positions up to its own."""
    mask = torch.full((queries, end), -torch.inf, dtype=dtype, device=device)
    return mask.triu(end - queries + 1)[None, None]


def is_tracing() -> bool:
    """Whether torch.jit.trace is running the model; quantised layers then leave a mark in place of their product."""
    return bool(torch._C._get_tracing_state())
