"""The Falcons that were published: their shapes by name, and how large the matrices of a shape are. No torch needed."""

from __future__ import annotations

from collections.abc import Mapping

from models.config import FalconConfig

_VOCABULARY = 65024

FAMILY: Mapping[str, FalconConfig] = {
    "7b": FalconConfig(
        vocab_size=_VOCABULARY, hidden_size=4544, num_layers=32, num_heads=71, num_kv_heads=1, ffn_hidden_size=18176
    ),
    "40b": FalconConfig(
        vocab_size=_VOCABULARY,
        hidden_size=8192,
        num_layers=60,
        num_heads=128,
        num_kv_heads=8,
        ffn_hidden_size=32768,
        norms_per_block=2,
    ),
    "11b": FalconConfig(
        vocab_size=_VOCABULARY,
        hidden_size=4096,
        num_layers=60,
        num_heads=32,
        num_kv_heads=8,
        ffn_hidden_size=16384,
        rope_theta=500042.0,
        tie_word_embeddings=False,
        context_length=8192,
    ),
    "rw-1b": FalconConfig(
        vocab_size=50304,
        hidden_size=2048,
        num_layers=24,
        num_heads=32,
        num_kv_heads=32,
        ffn_hidden_size=8192,
        parallel_attn=False,
        alibi=True,
        bias=True,
        bos_token_id=1,
        eos_token_ids=(2,),
    ),
    "180b": FalconConfig(
        vocab_size=_VOCABULARY,
        hidden_size=14848,
        num_layers=80,
        num_heads=232,
        num_kv_heads=8,
        ffn_hidden_size=59392,
        norms_per_block=2,
    ),
}
"""For sizes and measurements only: what is exported is read from its own config.json."""


def matrix_shapes(config: FalconConfig) -> dict[str, tuple[int, int]]:
    """Name and shape of every matrix, as `models.checkpoint.expected_shapes` has them; vectors and tables left out."""
    hidden, wide = config.hidden_size, config.ffn_hidden_size
    shapes = {"transformer.word_embeddings.weight": (config.vocab_size, hidden)}
    for layer in range(config.num_layers):
        block = f"transformer.h.{layer}."
        shapes |= {
            f"{block}self_attention.query_key_value.weight": (config.qkv_features, hidden),
            f"{block}self_attention.dense.weight": (hidden, hidden),
            f"{block}mlp.dense_h_to_4h.weight": (wide, hidden),
            f"{block}mlp.dense_4h_to_h.weight": (hidden, wide),
        }
    if not config.tie_word_embeddings:
        shapes["lm_head.weight"] = (config.vocab_size, hidden)
    return shapes
