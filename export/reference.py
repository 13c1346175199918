"""The model in torch over weights that stay in their files: a few rows of a matrix are in memory at a time.

It scores whole token sequences for verification, and shows what goes into each matrix for calibration.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from export.store import TensorStore
from export.threads import one_thread
from models.cache import KeyValueCache
from models.checkpoint import Checkpoint
from models.compressed import (
    CompressedEmbedding,
    CompressedLinear,
    DenseWeight,
    Weight,
    mapped_tensor,
    weight_of,
)
from models.config import FalconConfig
from models.falcon import Falcon, position_tables

Observer = Callable[[str, Sequence[Tensor]], None]
"""Called with a matrix's name and its input [n, I] in each sequence of n tokens."""

LayerDone = Callable[[int, Tensor], None]
"""Called with the number of layers finished and what the last of them gave, [sequences, longest, E]."""

_WORKERS = min(4, os.cpu_count() or 1)  # each expands some rows, which takes up to 70 MB
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
        return weight_of({part: mapped_tensor(array) for part, array in self._store.read(name).parts.items()})

    def vector(self, name: str) -> Tensor:
        """In float16."""
        return mapped_tensor(self._store.read(name).parts["values"])


class ReferenceModel:
    """Falcon over a reader's weights, for whole sequences at once, in float32.

    With `as_program`, what the program stores in float16 is rounded to it here too: rotary tables, keys and values.
    """

    def __init__(self, config: FalconConfig, reader: WeightReader, *, as_program: bool = False) -> None:
        self._as_program = as_program
        self._padding = _Padding()
        layers = _LazyLayers(reader, self._padding, tied=config.tie_word_embeddings)
        with torch.device("meta"):
            falcon = Falcon(config, layers)
        small = {name: reader.vector(name).float() for name, _ in falcon.named_parameters()}
        falcon.load_state_dict(small, assign=True)
        for name, table in position_tables(config).items():
            setattr(falcon.transformer, name, table.half().float() if as_program else table)
        self._falcon = falcon.eval().requires_grad_(False)

    @torch.inference_mode()
    @one_thread()
    def logits(self, sequences: Sequence[Sequence[int]], layer_done: Callable[[int], None]) -> list[Tensor]:
        """Logits [n, V] at every position of each sequence of n tokens.

        `layer_done` gets the number of layers finished; the head counts as one more.
        """
        hidden = self._hidden(sequences, lambda done, _: layer_done(done))
        flat = torch.cat([h[: len(ids)] for h, ids in zip(hidden, sequences, strict=True)])
        logits: Tensor = self._falcon.lm_head(flat)
        layer_done(self._falcon.config.num_layers + 1)
        return list(torch.split(logits, [len(ids) for ids in sequences]))

    @torch.inference_mode()
    @one_thread()
    def observe(
        self,
        sequences: Sequence[Sequence[int]],
        observer: Observer,
        layer_done: LayerDone,
        *,
        first: int = 0,
        hidden: Tensor | None = None,
    ) -> None:
        """Show `observer` the input of every matrix product from layer `first` on, the head's included, unpadded.

        Beyond layer 0, `hidden` is what `layer_done` got after `first` layers.
        """

        def show(name: str, inputs: Tensor) -> None:
            observer(name, [x[: len(ids)] for x, ids in zip(inputs, sequences, strict=True)])

        def hook(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
            return lambda _, inputs: show(name, inputs[0])

        handles = [
            module.register_forward_pre_hook(hook(f"{name}.weight"))
            for name, module in self._falcon.named_modules()
            if isinstance(module, CompressedLinear)
        ]
        show(_HEAD, self._hidden(sequences, layer_done, first, hidden))
        for handle in handles:
            handle.remove()

    def _hidden(
        self, sequences: Sequence[Sequence[int]], layer_done: LayerDone, first: int = 0, hidden: Tensor | None = None
    ) -> Tensor:
        """What the head reads, [sequences, longest, E]. Padding stands at the end, where causal attention hides it."""
        longest = max(map(len, sequences))
        self._padding.valid = torch.stack([torch.arange(longest) < len(ids) for ids in sequences])
        transformer = self._falcon.transformer
        if hidden is None:
            ids = torch.tensor([[*ids, *[0] * (longest - len(ids))] for ids in sequences])
            hidden = transformer.word_embeddings(ids)
        cache = None
        if self._as_program:
            cache = KeyValueCache.zeros(
                self._falcon.config, context_length=longest, batch_size=len(sequences), dtype=torch.float16
            )
        step = transformer.make_step(len(sequences), longest, hidden.dtype, cache=cache)
        for index, block in enumerate(transformer.h[first:], start=first):
            hidden = block(hidden, step)
            layer_done(index + 1, hidden)
        out: Tensor = transformer.ln_f(hidden)
        return out


class _Padding:
    """Which positions [sequences, longest] of the sequences at hand are tokens."""

    valid: Tensor


class _LazyWeight(Weight):
    """A matrix that is opened for each use, so that nothing of it stays mapped. Padding is not multiplied."""

    def __init__(self, reader: WeightReader, padding: _Padding, name: str, shape: tuple[int, int]) -> None:
        super().__init__(shape)
        self._reader = reader
        self._padding = padding
        self._name = name

    def rows(self, ids: Tensor, dtype: torch.dtype) -> Tensor:
        return self._reader.matrix(self._name).rows(ids, dtype)

    def linear(self, x: Tensor, bias: Tensor | None) -> Tensor:
        valid = self._padding.valid
        padded = x.shape[:-1] == valid.shape and not valid.all()
        product = _multiply(x[valid] if padded else x.flatten(0, -2), self._reader.matrix(self._name))
        if bias is not None:
            product += bias
        if not padded:
            return product.view(*x.shape[:-1], -1)
        out = x.new_zeros(*x.shape[:-1], self.shape[0])
        out[valid] = product
        return out


def _multiply(x: Tensor, weight: Weight) -> Tensor:
    """x [n, I] Wᵀ, [n, O]: a few rows of W at a time, on several cores."""
    out = x.new_empty(len(x), weight.shape[0])

    @torch.inference_mode()
    def work(rows: tuple[int, int]) -> None:
        first, last = rows
        out[:, first:last] = F.linear(x, weight.part(first, last, x.dtype))

    with ThreadPoolExecutor(_WORKERS) as pool:
        list(pool.map(work, weight.parts()))
    return out


class _LazyLayers:
    def __init__(self, reader: WeightReader, padding: _Padding, *, tied: bool) -> None:
        self._reader = reader
        self._padding = padding
        self._tied = tied

    def linear(self, name: str, in_features: int, out_features: int, *, bias: bool) -> nn.Module:
        stored = _EMBEDDING if self._tied and name == "lm_head" else f"{name}.weight"
        weight = self._weight(stored, (out_features, in_features))
        return CompressedLinear(weight, torch.empty(out_features) if bias else None)

    def embedding(self, name: str, rows: int, columns: int) -> nn.Module:
        return CompressedEmbedding(self._weight(f"{name}.weight", (rows, columns)), torch.float32)

    def _weight(self, name: str, shape: tuple[int, int]) -> _LazyWeight:
        return _LazyWeight(self._reader, self._padding, name, shape)
