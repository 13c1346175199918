"""Tiny random Falcons of every kind, made by transformers, for tests to compare with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import FalconConfig as HubConfig
from transformers import FalconForCausalLM

# Every size is a multiple of 32, so that the models can be exported in groups of 32 rows.
BASE = {"vocab_size": 320, "num_hidden_layers": 2, "max_position_embeddings": 64}

VARIANTS: dict[str, dict[str, Any]] = {
    # 7B's file says as many key heads as query heads; multi_query makes it one.
    "7b": {"hidden_size": 96, "num_attention_heads": 3, "num_kv_heads": 3, "multi_query": True},
    "40b": {"hidden_size": 128, "num_attention_heads": 8, "num_kv_heads": 2, "new_decoder_architecture": True},
    "11b": {
        "hidden_size": 128,
        "num_attention_heads": 8,
        "num_kv_heads": 4,
        "new_decoder_architecture": True,
        "num_ln_in_parallel_attn": 1,
        "rope_parameters": {"rope_type": "default", "rope_theta": 500042.0},
        "ffn_hidden_size": 192,
        "tie_word_embeddings": False,
    },
    "rw": {
        "hidden_size": 96,
        "num_attention_heads": 6,
        "multi_query": False,
        "alibi": True,
        "bias": True,
        "parallel_attn": False,
    },
    "7b-biased": {"hidden_size": 64, "num_attention_heads": 2, "bias": True},
}


def hub_model(variant: str, seed: int = 0) -> FalconForCausalLM:
    """transformers' model with weights large enough that a mistake shows; sdpa, as its eager path adds ALiBi twice."""
    torch.manual_seed(seed)
    config = HubConfig(**BASE, **VARIANTS[variant])
    config._attn_implementation = "sdpa"
    model = FalconForCausalLM(config).eval().requires_grad_(False)
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2:
            parameter.normal_(std=0.3 if "embeddings" in name else 0.15)
        elif name.endswith("bias"):
            parameter.normal_(std=0.1)
        else:
            parameter.normal_(mean=1.0, std=0.1)
    return model


def save(variant: str, folder: Path, seed: int = 0, **options: Any) -> FalconForCausalLM:
    """Write the model as a checkpoint into `folder` and return it."""
    model = hub_model(variant, seed)
    model.save_pretrained(folder, **options)
    return model
