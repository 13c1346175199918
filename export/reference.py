"""The model in torch over weights that stay in their files: a few rows of a matrix are in memory at a time.

It scores whole token sequences for verification, and shows what goes into each matrix for calibration.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from export.store import StoredTensor, TensorStore
from models.cache import KeyValueCache
from models.checkpoint import Checkpoint
from models.compressed import (
    BlockWeight,
    CompressedEmbedding,
    CompressedLinear,
    DenseWeight,
    LutWeight,
    Weight,
    mapped_tensor,
)
from models.config import FalconConfig
from models.falcon import Falcon, position_tables

Observer = Callable[[str, Tensor], None]
"""Called with a matrix's name and its input [..., I]."""

_EMBEDDING, _HEAD = "transformer.word_embeddings.weight", "lm_head.weight"


class WeightReader(Protocol):
    """Tensors of a model by their checkpoint names."""

    def matrix(self, name: str) -> Weight:
        """A matrix, mapped."""

    def vector(self, name: str) -> Tensor:
        """A norm's weight or a bias."""


class CheckpointReader:
    """The original weights."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint

    def matrix(self, name: str) -> Weight:
        """In the checkpoint's type."""
        return DenseWeight(self._checkpoint.tensor(name))

    def vector(self, name: str) -> Tensor:
        """In the checkpoint's type."""
        return self._checkpoint.tensor(name)


class StoreReader:
    """The compressed weights."""

    def __init__(self, store: TensorStore) -> None:
        self._store = store

    def matrix(self, name: str) -> Weight:
        """In its compressed form, one index a byte."""
        return _stored_weight(self._store.read(name))

    def vector(self, name: str) -> Tensor:
        """In float16."""
        return mapped_tensor(self._store.read(name).parts["values"])


class ReferenceModel:
    """Falcon over a reader's weights, for whole sequences at once, in float32.

    With `as_program`, what the program stores in float16 is rounded to it here too: rotary tables, keys and values.
    """

    def __init__(self, config: FalconConfig, reader: WeightReader, *, as_program: bool = False) -> None:
        self._as_program = as_program
        layers = _LazyLayers(reader, tied=config.tie_word_embeddings)
        with torch.device("meta"):
            falcon = Falcon(config, layers)
        small = {name: reader.vector(name).float() for name, _ in falcon.named_parameters()}
        falcon.load_state_dict(small, assign=True)
        for name, table in position_tables(config).items():
            setattr(falcon.transformer, name, table.half().float() if as_program else table)
        self._falcon = falcon.eval().requires_grad_(False)

    @torch.inference_mode()
    def logits(self, sequences: Sequence[Sequence[int]], layer_done: Callable[[int], None]) -> list[Tensor]:
        """Logits [n, V] at every position of each sequence of n tokens.

        `layer_done` gets the number of layers finished; the head counts as one more.
        """
        hidden = self._hidden(sequences, layer_done)
        flat = torch.cat([h[: len(ids)] for h, ids in zip(hidden, sequences, strict=True)])
        logits: Tensor = self._falcon.lm_head(flat)
        layer_done(self._falcon.config.num_layers + 1)
        return list(torch.split(logits, [len(ids) for ids in sequences]))

    @torch.inference_mode()
    def observe(
        self, sequences: Sequence[Sequence[int]], observer: Observer, layer_done: Callable[[int], None]
    ) -> None:
        """Show `observer` the input of every matrix product, the head's included, without padding."""
        valid = torch.cat([torch.arange(max(map(len, sequences))) < len(ids) for ids in sequences])

        def hook(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
            return lambda _, inputs: observer(name, inputs[0].flatten(0, 1)[valid])

        handles = [
            module.register_forward_pre_hook(hook(f"{name}.weight"))
            for name, module in self._falcon.named_modules()
            if isinstance(module, CompressedLinear)
        ]
        hidden = self._hidden(sequences, layer_done)
        observer(_HEAD, hidden.flatten(0, 1)[valid])
        for handle in handles:
            handle.remove()

    def _hidden(self, sequences: Sequence[Sequence[int]], layer_done: Callable[[int], None]) -> Tensor:
        """What the head reads, [sequences, longest, E]. Padding stands at the end, where causal attention hides it."""
        longest = max(map(len, sequences))
        ids = torch.tensor([[*ids, *[0] * (longest - len(ids))] for ids in sequences])
        blocks = self._falcon.transformer.h
        handles = [
            block.register_forward_hook(lambda *_, done=index + 1: layer_done(done))
            for index, block in enumerate(blocks)
        ]
        cache = None
        if self._as_program:
            cache = KeyValueCache.zeros(
                self._falcon.config, context_length=longest, batch_size=len(ids), dtype=torch.float16
            )
        hidden: Tensor = self._falcon.transformer.ln_f(self._falcon.transformer(ids, None, cache))
        for handle in handles:
            handle.remove()
        return hidden


class _LazyWeight(Weight):
    """A matrix that is opened for each use, so that nothing of it stays mapped."""

    def __init__(self, reader: WeightReader, name: str, shape: tuple[int, int]) -> None:
        super().__init__(shape)
        self._reader = reader
        self._name = name

    def rows(self, ids: Tensor, dtype: torch.dtype) -> Tensor:
        return self._reader.matrix(self._name).rows(ids, dtype)

    def linear(self, x: Tensor, bias: Tensor | None) -> Tensor:
        return self._reader.matrix(self._name).linear(x, bias)


class _LazyLayers:
    def __init__(self, reader: WeightReader, *, tied: bool) -> None:
        self._reader = reader
        self._tied = tied

    def linear(self, name: str, in_features: int, out_features: int, *, bias: bool) -> nn.Module:
        stored = _EMBEDDING if self._tied and name == "lm_head" else f"{name}.weight"
        weight = _LazyWeight(self._reader, stored, (out_features, in_features))
        return CompressedLinear(weight, torch.empty(out_features) if bias else None)

    def embedding(self, name: str, rows: int, columns: int) -> nn.Module:
        return CompressedEmbedding(_LazyWeight(self._reader, f"{name}.weight", (rows, columns)), torch.float32)


def _stored_weight(tensor: StoredTensor) -> Weight:
    parts = {name: mapped_tensor(array) for name, array in tensor.parts.items()}
    if "codebook" in parts:
        return LutWeight(parts["indices"], parts["codebook"], index_bits=8)
    if "scale" in parts:
        return BlockWeight(parts["values"], parts["scale"])
    return DenseWeight(parts["values"])
