"""A Hugging Face checkpoint in torch: weights as they are stored, computed in float32. The standard for bundles."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import nn

from models.checkpoint import Checkpoint, expected_shapes
from models.compressed import CompressedEmbedding, CompressedLinear, DenseWeight
from models.falcon import Falcon, position_tables
from runtime.backends.torch import TorchBackend

_EXPAND_LIMIT = 1 << 28  # weights: 1 GiB in float32; larger models stay mapped and are widened a piece at a time
_HEAD, _EMBEDDING = "lm_head", "transformer.word_embeddings"


def open_checkpoint(folder: str | Path) -> TorchBackend:
    """Load the checkpoint in `folder`. Raises ConfigError and CheckpointError for what is none."""
    checkpoint = Checkpoint.open(folder)
    config = checkpoint.config
    expand = sum(math.prod(shape) for shape in expected_shapes(config).values()) <= _EXPAND_LIMIT
    with torch.device("meta"):
        model = Falcon(config, _CheckpointLayers(checkpoint, expand=expand))
    state = {name: checkpoint.tensor(name).float() for name, _ in model.named_parameters()}
    model.load_state_dict(state, assign=True, strict=False)
    for name, table in position_tables(config).items():
        setattr(model.transformer, name, table)
    return TorchBackend(model.eval().requires_grad_(False))


class _CheckpointLayers:
    """Layers over the checkpoint's tensors; a tied head gets the embedding's in Falcon's constructor."""

    def __init__(self, checkpoint: Checkpoint, *, expand: bool) -> None:
        self._checkpoint = checkpoint
        self._expand = expand

    def linear(self, name: str, in_features: int, out_features: int, *, bias: bool) -> nn.Module:  # noqa: ARG002
        tied = name == _HEAD and self._checkpoint.config.tie_word_embeddings
        return CompressedLinear(self._weight(_EMBEDDING if tied else name), torch.empty(out_features) if bias else None)

    def embedding(self, name: str, rows: int, columns: int) -> nn.Module:  # noqa: ARG002
        return CompressedEmbedding(self._weight(name), torch.float32)

    def _weight(self, name: str) -> DenseWeight:
        with torch.device("cpu"):
            values = self._checkpoint.tensor(f"{name}.weight")
            return DenseWeight(values.float() if self._expand else values)
