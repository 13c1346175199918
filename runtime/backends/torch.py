"""Backend `torch`: the decoder in torch, its weights read straight from the bundle's weight file. Device cpu."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.batch import step_batch
from models.cache import KeyValueCache
from models.compressed import CompressedEmbedding, CompressedLinear, DenseWeight, Weight
from models.falcon import Falcon, make_causal_mask
from models.kernels.machine import instructions
from models.kernels.weight import KernelWeight, with_kernels
from runtime.backends.base import DraftCost, KeyValues, Logits, check_batch, checked_tokens
from runtime.backends.falcon import FalconBackend
from runtime.backends.state import CountedState
from runtime.backends.weights import bundle_model
from runtime.bundle import Bundle

# Models up to this many weights are expanded when loaded: 1 GiB in float32. Larger ones are expanded a layer at a time;
# where there are kernels, which read weights as they are stored, that begins at 128 MiB.
_EXPAND_LIMIT = 1 << 28
_EXPAND_LIMIT_WITH_KERNELS = 1 << 25
CHUNK = 64  # tokens a pass of large models, so that it stays under some seconds; packed ones' kernels know better
# Seen while an answer is written: the embedded model, and 12 layers of 1,024 at lut4 (docs/decisions/021).
_EXPANDED, _WITH_KERNELS = DraftCost(first=0.5, more=0.1), DraftCost(first=0.4, more=0.2)


class TorchBackend(FalconBackend[CountedState[KeyValueCache]]):
    """The bundle's model on the CPU, in float32."""

    def __init__(self, model: Falcon) -> None:
        super().__init__(model.config)
        layers = (m for m in model.modules() if isinstance(m, CompressedLinear | CompressedEmbedding))
        weights = {layer.weight for layer in layers}  # a tied one once
        size = sum(math.prod(weight.shape) for weight in weights)
        self._draft_cost = _WITH_KERNELS if any(isinstance(weight, KernelWeight) for weight in weights) else _EXPANDED
        self._chunk = _large_chunk(weights) if size > _EXPAND_LIMIT else 4 * CHUNK
        self._model: Falcon | None = model

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
    def chunk_length(self) -> int:
        """Tokens a pass at which a prompt is fed."""
        return self._chunk

    def new_state(self) -> CountedState[KeyValueCache]:
        """An empty state."""
        return CountedState(KeyValueCache.zeros(self._config, dtype=torch.float16))

    @property
    def draft_cost(self) -> DraftCost:
        """A few tokens at once read the weights once; in kernels arithmetic counts, too."""
        return self._draft_cost

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
            tokens = torch.from_numpy(np.concatenate([batch[place] for place in together]))
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
        return self._read([state.inner], state.length)

    def restore_state(self, saved: KeyValues) -> CountedState[KeyValueCache]:
        """A new state that holds `saved`."""
        state = self.new_state()
        self._write([state.inner], saved)
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
            piece = torch.from_numpy(ids[first : first + self._chunk])
            end = state.length + len(piece)
            mask = make_causal_mask(len(piece), end)
            out = model(piece[None], mask, state.inner, last_only=last_only)[0]
            rows = [out] if last_only else [*rows, out]
            state.advance(len(piece))
        logits: npt.NDArray[np.float32] = torch.cat(rows).float().cpu().numpy().astype(np.float32, copy=True)
        return logits

    def close(self) -> None:
        """Let go of the model."""
        self._model = None


def _large_chunk(weights: Iterable[Weight]) -> int:
    cpu = instructions()
    packed = any(isinstance(weight, KernelWeight) and not isinstance(weight.stored, DenseWeight) for weight in weights)
    return cpu.piece if cpu is not None and packed else CHUNK


def open_torch(bundle: Bundle) -> TorchBackend:
    """Load `bundle` in torch. Raises BundleError where the manifest and config.json do not fit each other."""
    limit = min(_EXPAND_LIMIT, _EXPAND_LIMIT_WITH_KERNELS) if instructions() is not None else _EXPAND_LIMIT
    expand = sum(math.prod(entry.shape) for entry in bundle.manifest.weights.values()) <= limit

    def made(weight: Weight) -> Weight:
        return DenseWeight(weight.dense(torch.float32)) if expand else with_kernels(weight)

    return TorchBackend(bundle_model(bundle, made))
