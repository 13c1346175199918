"""Trace a Falcon for Core ML. The big matrices are marks that carry a name, so tracing touches none of them."""

from __future__ import annotations

import dataclasses
import mmap

import torch
from torch import Tensor, nn

from export.store import TensorStore
from models.cache import KeyValueCache
from models.compressed import CompressedEmbedding, CompressedLinear, TracedWeight
from models.config import FalconConfig
from models.falcon import Falcon, position_tables
from runtime.quiet import quiet

EMBEDDING = "transformer.word_embeddings.weight"


class MarkedLayers:
    """Layers without numbers; biases are small and stay real."""

    def linear(self, name: str, in_features: int, out_features: int, *, bias: bool) -> nn.Module:
        """A mark for y = x Wᵀ + b."""
        weight = TracedWeight(f"{name}.weight", (out_features, in_features))
        return CompressedLinear(weight, torch.zeros(out_features) if bias else None)

    def embedding(self, name: str, rows: int, columns: int) -> nn.Module:
        """A mark for rows of W."""
        return CompressedEmbedding(TracedWeight(f"{name}.weight", (rows, columns)), torch.float32)


class StatefulFalcon(nn.Module):
    """Falcon with its cache as buffers, under the names that Apple's and Hugging Face's examples use."""

    keyCache: Tensor  # noqa: N815
    valueCache: Tensor  # noqa: N815

    def __init__(self, falcon: Falcon) -> None:
        super().__init__()
        self.falcon = falcon
        cache = KeyValueCache.zeros(falcon.config, device="meta")
        for name, buffer in (("keyCache", cache.key_cache), ("valueCache", cache.value_cache)):
            # Pages that nobody writes to take no memory: tracing stores a few positions, and the rest of torch's or
            # numpy's zeros (in huge pages) would be 8 MB a layer of Falcon-40B.
            pages = mmap.mmap(-1, 4 * buffer.numel())
            self.register_buffer(name, torch.frombuffer(pages, dtype=torch.float32).view(buffer.shape))

    def forward(self, input_ids: Tensor, causal_mask: Tensor) -> Tensor:
        """`input_ids` [1, q], `causal_mask` [1, 1, q, end] -> logits of the last position [1, 1, V]."""
        cache = KeyValueCache(self.keyCache, self.valueCache)
        out: Tensor = self.falcon(input_ids, causal_mask, cache, last_only=True)
        return out


def build_marked(config: FalconConfig, context_length: int, store: TensorStore) -> StatefulFalcon:
    """The model to trace: marks for matrices; norms and biases as stored, so that the program holds the same bytes."""
    config = dataclasses.replace(config, context_length=context_length)
    with torch.device("meta"):
        falcon = Falcon(config, MarkedLayers())
    small = {
        name: torch.from_numpy(store.read(name).parts["values"].astype("float32"))
        for name, _ in falcon.named_parameters()
    }
    falcon.load_state_dict(small, assign=True)
    for name, table in position_tables(config).items():
        setattr(falcon.transformer, name, table)
    return StatefulFalcon(falcon).eval().requires_grad_(False)


def trace(model: StatefulFalcon) -> torch.jit.ScriptModule:
    """TorchScript of `model`. Query and end lengths of the example differ, so that they do not become one symbol."""
    example = (torch.zeros(1, 2, dtype=torch.int32), torch.zeros(1, 1, 2, 5))
    with torch.no_grad(), quiet():
        traced: torch.jit.ScriptModule = torch.jit.trace(  # type: ignore[no-untyped-call]
            model, example, check_trace=False
        )
    return traced
