"""A checkpoint folder opened in the torch backend as it is, without a bundle: to compare with, and to measure."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from models.checkpoint import Checkpoint
from models.compressed import CompressedEmbedding, CompressedLinear, DenseWeight, Weight
from models.falcon import Falcon, position_tables
from models.kernels.machine import supported
from models.kernels.weight import with_kernels
from runtime.backends.torch import TorchBackend
from runtime.backends.weights import assembled

_EMBEDDING = "transformer.word_embeddings.weight"


def open_checkpoint(folder: str | Path, *, dtype: Literal["float32", "bfloat16"] = "float32") -> TorchBackend:
    """Open a Falcon in Hugging Face's layout, its context as trained. Computes in float32.

    `float32` keeps every weight as it is; matrices whose numbers all are 16-bit ones stay so in memory. `bfloat16`
    rounds the matrices to that type. Raises ConfigError or CheckpointError for a folder that is no whole checkpoint.
    """
    checkpoint = Checkpoint.open(folder)
    with torch.device("meta"):
        model = Falcon(checkpoint.config, _CheckpointLayers(checkpoint, rounded=dtype == "bfloat16"))
    state = {name: checkpoint.tensor(name).float() for name, _ in model.named_parameters()}
    return TorchBackend(assembled(model, state, position_tables(checkpoint.config)))


class _CheckpointLayers:
    """Layers over the checkpoint's mapped tensors; a tied head shares the embedding's."""

    def __init__(self, checkpoint: Checkpoint, *, rounded: bool) -> None:
        self._checkpoint = checkpoint
        self._rounded = rounded
        self._made: dict[str, Weight] = {}

    def linear(self, name: str, in_features: int, out_features: int, *, bias: bool) -> nn.Module:  # noqa: ARG002
        weight = f"{name}.weight"
        if name == "lm_head" and self._checkpoint.config.tie_word_embeddings:
            weight = _EMBEDDING
        return CompressedLinear(self._weight(weight), torch.empty(out_features) if bias else None)

    def embedding(self, name: str, rows: int, columns: int) -> nn.Module:  # noqa: ARG002
        return CompressedEmbedding(self._weight(f"{name}.weight"), torch.float32)

    def _weight(self, name: str) -> Weight:
        if name not in self._made:
            tensor = self._checkpoint.tensor(name)
            tensor = tensor.bfloat16() if self._rounded else narrowed(tensor)
            with torch.device("cpu"):
                self._made[name] = with_kernels(DenseWeight(tensor if supported() else tensor.float()))
        return self._made[name]


def narrowed(tensor: Tensor) -> Tensor:
    """`tensor` in bfloat16 where that loses nothing: most float32 files of Falcons hold bfloat16 numbers."""
    if tensor.dtype != torch.float32 or torch.any(tensor.view(torch.int32) & 0xFFFF):
        return tensor
    return tensor.bfloat16()
