"""A checkpoint folder opened as it is, without a bundle, on the CPU or on cards: to compare with, and to measure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from models.checkpoint import Checkpoint
from models.compressed import CompressedEmbedding, CompressedLinear, DenseWeight, Weight
from models.falcon import Falcon, position_tables
from models.kernels.machine import supported
from models.kernels.weight import with_kernels
from runtime.backends.torch import TorchBackend
from runtime.backends.weights import assembled

if TYPE_CHECKING:
    from runtime.backends.cuda import CudaBackend

_EMBEDDING = "transformer.word_embeddings.weight"


Rounding = Literal["float32", "bfloat16"]


def open_checkpoint(folder: str | Path, *, dtype: Rounding = "float32") -> TorchBackend:
    """Open a Falcon in Hugging Face's layout, its context as trained. Computes in float32.

    `float32` keeps every weight as it is; matrices whose numbers all are 16-bit ones stay so in memory. `bfloat16`
    rounds the matrices to that type. Raises ConfigError or CheckpointError for a folder that is no whole checkpoint.
    """

    def made(tensor: Tensor) -> Weight:
        return with_kernels(DenseWeight(tensor if supported() else tensor.float()))

    return TorchBackend(_model(Checkpoint.open(folder), dtype, made))


def open_checkpoint_on_cards(folder: str | Path, *, dtype: Rounding = "float32") -> CudaBackend:
    """`open_checkpoint` for the machine's cards: matrices of 16-bit numbers are read as such there.

    Raises BackendUnavailableError as well, with the reason where no card can run it.
    """
    from runtime.backends.cuda import on_cards  # needs triton, which only Linux has

    return on_cards(_model(Checkpoint.open(folder), dtype, DenseWeight), Path(folder).resolve().name)


def _model(checkpoint: Checkpoint, dtype: Rounding, made: Callable[[Tensor], Weight]) -> Falcon:
    """The decoder on the CPU, each matrix what `made` makes of the checkpoint's."""
    with torch.device("meta"):
        model = Falcon(checkpoint.config, _CheckpointLayers(checkpoint, made, rounded=dtype == "bfloat16"))
    state = {name: checkpoint.tensor(name).float() for name, _ in model.named_parameters()}
    return assembled(model, state, position_tables(checkpoint.config))


class _CheckpointLayers:
    """Layers over the checkpoint's mapped tensors; a tied head shares the embedding's."""

    def __init__(self, checkpoint: Checkpoint, made: Callable[[Tensor], Weight], *, rounded: bool) -> None:
        self._checkpoint = checkpoint
        self._make = made
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
                self._made[name] = self._make(tensor)
        return self._made[name]


def narrowed(tensor: Tensor) -> Tensor:
    """`tensor` in bfloat16 where that loses nothing: most float32 files of Falcons hold bfloat16 numbers."""
    if tensor.dtype != torch.float32 or torch.any(tensor.view(torch.int32) & 0xFFFF):
        return tensor
    return tensor.bfloat16()
