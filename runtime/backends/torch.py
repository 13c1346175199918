"""Backend `torch`: the decoder in torch, its weights read straight from the bundle's weight file. Device cpu."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from models.batch import step_batch
from models.cache import KeyValueCache
from models.compressed import (
    CompressedEmbedding,
    CompressedLinear,
    DenseWeight,
    Weight,
    mapped_tensor,
    weight_of,
)
from models.config import FalconConfig
from models.falcon import Falcon, make_causal_mask, position_tables
from models.kernels.machine import supported as kernels_supported
from models.kernels.weight import with_kernels
from runtime.backends.base import Backend, KeyValues, Logits, check_batch, check_saved, checked_tokens
from runtime.backends.state import CountedState
from runtime.bundle import Bundle
from runtime.errors import BundleError
from runtime.manifest import Part, WeightEntry

_TYPES = {"fp16": torch.float16, "uint4": torch.uint8, "uint6": torch.uint8, "uint8": torch.uint8}
_TYPES |= {"int4": torch.uint8, "int8": torch.int8}
_INDEX_BITS = {"lut4": 4, "lut6": 6, "lut8": 8}
_EMBEDDING = "transformer.word_embeddings.weight"

# Models up to this many weights are expanded when loaded: 1 GiB in float32. Larger ones are expanded a layer at a time;
# where there are kernels, which read weights as they are stored, that begins at 128 MiB.
_EXPAND_LIMIT = 1 << 28
_EXPAND_LIMIT_WITH_KERNELS = 1 << 25
CHUNK = 64


class TorchBackend(Backend[CountedState[KeyValueCache]]):
    """The bundle's model on the CPU, in float32."""

    def __init__(self, model: Falcon, *, device: str = "cpu") -> None:
        layers = (m for m in model.modules() if isinstance(m, CompressedLinear | CompressedEmbedding))
        size = sum(math.prod(weight.shape) for weight in {layer.weight for layer in layers})  # a tied one once
        self._chunk = CHUNK if size > _EXPAND_LIMIT else 4 * CHUNK  # a pass stays under some seconds
        self._model: Falcon | None = model
        self._config = model.config
        self._device = device

    @property
    def model(self) -> Falcon:
        """The decoder. ValueError once the backend is closed."""
        if self._model is None:
            raise ValueError("the backend is closed")
        return self._model

    @property
    def name(self) -> str:
        """The word by which users choose it."""
        return "torch"

    @property
    def vocab_size(self) -> int:
        """Tokens that the model scores."""
        return self._config.vocab_size

    @property
    def context_length(self) -> int:
        """Tokens that one state can hold."""
        return self._config.context_length

    @property
    def chunk_length(self) -> int:
        """Tokens a pass at which a prompt is fed."""
        return self._chunk

    def new_state(self) -> CountedState[KeyValueCache]:
        """An empty state."""
        return CountedState(KeyValueCache.zeros(self._config, dtype=torch.float16, device=self._device))

    @property
    def verifies_drafts(self) -> bool:
        """A few tokens at once read the weights once."""
        return True

    def feed(self, tokens: Sequence[int], state: CountedState[KeyValueCache]) -> Logits:
        """Append `tokens` [N] to `state` and score the next one, [vocab_size]."""
        logits: Logits = self._feed(tokens, state, last_only=True)[-1]
        return logits

    def feed_all(self, tokens: Sequence[int], state: CountedState[KeyValueCache]) -> npt.NDArray[np.float32]:
        """Append `tokens` [N] to `state` and score the token after each, [N, vocab_size]."""
        return self._feed(tokens, state, last_only=False)

    @torch.inference_mode()
    def feed_batch(self, feeds: Sequence[tuple[Sequence[int], CountedState[KeyValueCache]]]) -> list[Logits]:
        """`feed` for several states, as if one by one; single tokens go through the model together."""
        batch = check_batch(feeds, context_length=self.context_length, vocab_size=self.vocab_size)
        model = self.model
        scores: list[Logits | None] = [None] * len(batch)
        together = [place for place, tokens in enumerate(batch) if len(tokens) == 1]
        if len(together) > 1:
            states = [feeds[place][1] for place in together]
            tokens = torch.from_numpy(np.concatenate([batch[place] for place in together])).to(self._device)
            out = step_batch(model, tokens, [s.inner for s in states], [s.length for s in states])
            for place, state, row in zip(together, states, out.float().cpu(), strict=True):
                state.advance(1)
                scores[place] = row.numpy().copy()
        return [
            self.feed(tokens, state) if score is None else score
            for score, (tokens, state) in zip(scores, feeds, strict=True)
        ]

    def save_state(self, state: CountedState[KeyValueCache]) -> KeyValues:
        """A copy of what `state` holds."""
        cache, length = state.inner, state.length
        keys, values = (t[:, 0, :, :length].half().cpu().numpy().copy() for t in (cache.key_cache, cache.value_cache))
        return KeyValues(keys, values)

    def restore_state(self, saved: KeyValues) -> CountedState[KeyValueCache]:
        """A new state that holds `saved`."""
        config = self._config
        check_saved(
            saved,
            layers=config.num_layers,
            kv_heads=config.num_kv_heads,
            head_dim=config.head_dim,
            context_length=self.context_length,
        )
        state = self.new_state()
        for cache, array in ((state.inner.key_cache, saved.keys), (state.inner.value_cache, saved.values)):
            cache[:, 0, :, : saved.length] = torch.from_numpy(array)
        state.advance(saved.length)
        return state

    @torch.inference_mode()
    def _feed(
        self, tokens: Sequence[int], state: CountedState[KeyValueCache], *, last_only: bool
    ) -> npt.NDArray[np.float32]:
        """Scores [N, vocab_size], or with `last_only` of the last few tokens at least."""
        ids = checked_tokens(
            tokens, length=state.length, context_length=self.context_length, vocab_size=self.vocab_size
        )
        model = self.model
        rows: list[Tensor] = []
        for first in range(0, len(ids), self._chunk):
            piece = torch.from_numpy(ids[first : first + self._chunk]).to(self._device)
            end = state.length + len(piece)
            mask = make_causal_mask(len(piece), end, device=self._device)
            out = model(piece[None], mask, state.inner, last_only=last_only)[0]
            rows = [out] if last_only else [*rows, out]
            state.advance(len(piece))
        logits: npt.NDArray[np.float32] = torch.cat(rows).float().cpu().numpy().astype(np.float32, copy=True)
        return logits

    def close(self) -> None:
        """Let go of the model."""
        self._model = None


def open_torch(bundle: Bundle) -> TorchBackend:
    """Load `bundle` in torch. Raises BundleError where the manifest and config.json do not fit each other."""
    config = dataclasses.replace(
        FalconConfig.open(bundle.folder / "config.json"), context_length=bundle.manifest.context_length
    )
    entries = bundle.manifest.weights
    limit = min(_EXPAND_LIMIT, _EXPAND_LIMIT_WITH_KERNELS) if kernels_supported() else _EXPAND_LIMIT
    expand = sum(int(np.prod(entry.shape)) for entry in entries.values()) <= limit
    with torch.device("meta"):
        model = Falcon(config, _BundleLayers(bundle, expand=expand))
    state = {}
    for name, parameter in model.named_parameters():
        entry = _entry(bundle, name)
        if entry.shape != tuple(parameter.shape):
            raise BundleError(f"{bundle.folder}: {name} has another shape than config.json asks for; export it again.")
        state[name] = _array(bundle, entry.parts["values"]).float()
    # Tables as the Core ML program holds them.
    return assembled(model, state, {name: table.half().float() for name, table in position_tables(config).items()})


def assembled(model: Falcon, parameters: Mapping[str, Tensor], tables: Mapping[str, Tensor]) -> TorchBackend:
    """The backend of a model that was made on the meta device over layers with weights of their own: its other
    parameters and its position tables put in."""
    model.load_state_dict(parameters, assign=True, strict=False)
    for name, table in tables.items():
        setattr(model.transformer, name, table)
    return TorchBackend(model.eval().requires_grad_(False))


class _BundleLayers:
    """Layers over the bundle's weights; a tied head gets the embedding's in Falcon's constructor."""

    def __init__(self, bundle: Bundle, *, expand: bool) -> None:
        self._bundle = bundle
        self._expand = expand

    def linear(self, name: str, in_features: int, out_features: int, *, bias: bool) -> nn.Module:
        weight = f"{name}.weight"
        if name == "lm_head" and weight not in self._bundle.manifest.weights:
            weight = _EMBEDDING
        return CompressedLinear(
            self._weight(weight, (out_features, in_features)), torch.empty(out_features) if bias else None
        )

    def embedding(self, name: str, rows: int, columns: int) -> nn.Module:
        return CompressedEmbedding(self._weight(f"{name}.weight", (rows, columns)), torch.float32)

    def _weight(self, name: str, shape: tuple[int, int]) -> Weight:
        with torch.device("cpu"):
            weight = _open_weight(self._bundle, _entry(self._bundle, name))
            if weight.shape != shape:
                raise BundleError(
                    f"{self._bundle.folder}: {name} has another shape than config.json asks for; export it again."
                )
            return DenseWeight(weight.dense(torch.float32)) if self._expand else with_kernels(weight)


def _entry(bundle: Bundle, name: str) -> WeightEntry:
    try:
        return bundle.manifest.weights[name]
    except KeyError:
        raise BundleError(f"{bundle.folder}: the manifest lacks {name}; export the bundle again.") from None


def _open_weight(bundle: Bundle, entry: WeightEntry) -> Weight:
    parts = {name: _array(bundle, part) for name, part in entry.parts.items()}
    return weight_of(parts, index_bits=_INDEX_BITS.get(entry.format, 8))


def _array(bundle: Bundle, part: Part) -> Tensor:
    """A part as a mapped tensor [rows, bytes or elements a row]; sub-byte types stay packed."""
    data = mapped_tensor(bundle.array(part)).view(_TYPES[part.dtype])
    return data.view(part.shape[0], -1) if len(part.shape) > 1 else data
