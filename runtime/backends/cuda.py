"""Backend `cuda`: the decoder on an NVIDIA card, its weights as packed as they are in the bundle.

A step of few rows is one launch of a recorded graph: only tokens, positions and the addresses of the states' caches
are copied in before it, and scores out after it. Longer prompts go through the same blocks in pieces, unrecorded.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch

from models.cache import KeyValueCache
from models.cuda.step import RowDecoder, Stage, attention_shape
from models.cuda.ways import Ways
from models.falcon import Falcon
from runtime.backends.base import DraftCost, KeyValues, Logits, check_batch, checked_tokens
from runtime.backends.cards import card_reason, interpreted, memory_ended
from runtime.backends.choosing import Part
from runtime.backends.falcon import FalconBackend
from runtime.backends.placement import stages_for
from runtime.backends.slots import Caches, Row, Slots, fill, rows_of
from runtime.backends.state import CountedState
from runtime.backends.weights import bundle_model
from runtime.bundle import Bundle
from runtime.chooser import Chooser
from runtime.errors import BackendUnavailableError, DeviceMemoryError, UserFacingError

CHUNK = 1024
# Of lut4 on an H200, Falcon-7B's largest matrix: 23.2 µs for one row, 42.9 for four, 44.2 for 32.
_DRAFT_COST = DraftCost(first=0.85, more=0.01)
_COUNTS = (1, 2, 4, 8, 16, 32, 64)  # rows of a step: a graph for each that was needed
_MOST = _COUNTS[-1]
_FEW = 16  # tokens of one state that are rows of a step; more are a prompt
_FEW_INTERPRETED = 4  # there, a program that shares keys among rows saves what its rows would take one after the other


class CudaBackend(FalconBackend[CountedState[Caches]]):
    """A model on one card or several; with device cpu, by Triton's interpreter."""

    def __init__(self, model: Falcon, stages: Sequence[Stage], ways: Ways | None = None) -> None:
        """Moves `model`, whose layers are compressed ones, to the devices of `stages`.

        Raises BackendUnavailableError for a shape that the kernels lack, DeviceMemoryError where it does not fit.
        """
        super().__init__(model.config)
        try:
            with _memory_told():
                self._decoder: RowDecoder | None = RowDecoder(model, stages, ways or Ways())
        except ValueError as error:
            raise BackendUnavailableError(f"This model has {error}.", option="; choose --backend torch") from None
        self._stages = tuple(stages)
        records = len(stages) == 1 and stages[0].device.type == "cuda"
        self._pool: tuple[int, int] | None = torch.cuda.graph_pool_handle() if records else None
        self._slots: dict[int, Slots] = {}
        self._few = _FEW if stages[0].device.type == "cuda" else _FEW_INTERPRETED

    @property
    def name(self) -> str:
        """The word by which users choose it."""
        return "cuda"

    @property
    def chunk_length(self) -> int:
        """Tokens a pass at which a prompt is fed."""
        return CHUNK

    @property
    def draft_cost(self) -> DraftCost:
        """Several rows read the weights once."""
        return _DRAFT_COST

    def new_state(self) -> CountedState[Caches]:
        """An empty state. Raises DeviceMemoryError where there is no room for its cache."""
        config = self._config
        head = (1, config.num_kv_heads, config.context_length, config.head_dim)
        with _memory_told():
            return CountedState(
                tuple(
                    KeyValueCache(
                        *(
                            torch.zeros((stage.last - stage.first, *head), dtype=torch.float16, device=stage.device)
                            for _ in range(2)
                        )
                    )
                    for stage in self._stages
                )
            )

    def feed(self, tokens: Sequence[int], state: CountedState[Caches]) -> Logits:
        """Append `tokens` [N] to `state` and score the next one, [vocab_size]."""
        logits: Logits = self._feed(tokens, state, all_rows=False)[-1]
        return logits

    def feed_all(self, tokens: Sequence[int], state: CountedState[Caches]) -> npt.NDArray[np.float32]:
        """Append `tokens` [N] to `state` and score the token after each, [N, vocab_size]."""
        return self._feed(tokens, state, all_rows=True)

    @torch.inference_mode()
    def feed_batch(self, feeds: Sequence[tuple[Sequence[int], CountedState[Caches]]]) -> list[Logits]:
        """`feed` for several states, as if one by one; short feeds go through the model together."""
        batch = check_batch(feeds, context_length=self.context_length, vocab_size=self.vocab_size)
        together = [place for place, tokens in enumerate(batch) if len(tokens) <= self._few]
        rows = [row for place in together for row in _rows(batch[place], feeds[place][1])]
        lasts = np.cumsum([len(batch[place]) for place in together]) - 1
        kept: dict[int, Logits] = {}
        with _memory_told():
            for first in range(0, len(rows), _MOST):
                scores = self._step(rows[first : first + _MOST], 0)
                for place, last in zip(together, lasts.tolist(), strict=True):
                    if first <= last < first + _MOST:
                        kept[place] = scores[last - first]
        for place in together:
            feeds[place][1].advance(len(batch[place]))
        return [
            kept[place] if place in kept else self.feed(tokens, state) for place, (tokens, state) in enumerate(feeds)
        ]

    def choose(self, tokens: Sequence[int], state: CountedState[Caches], chooser: Chooser) -> list[int]:
        """Append `tokens` [N] and choose what follows where the scores are: only ids leave the card."""
        if len(tokens) > _FEW:
            return super().choose(tokens, state, chooser)
        (chosen,) = self.choose_batch([(tokens, state, chooser)])
        if isinstance(chosen, UserFacingError):
            raise chosen
        return chosen

    @torch.inference_mode()
    def choose_batch(
        self, asks: Sequence[tuple[Sequence[int], CountedState[Caches], Chooser]]
    ) -> list[list[int] | UserFacingError]:
        """`choose` for several states, as if one by one; their rows go through the model together."""
        feeds = [(tokens, state) for tokens, state, _ in asks]
        batch = check_batch(feeds, context_length=self.context_length, vocab_size=self.vocab_size)
        if any(len(tokens) > _FEW for tokens in batch):
            return super().choose_batch(asks)
        chosen: list[list[int] | UserFacingError] = []
        while len(chosen) < len(asks):
            rows: list[Row] = []
            parts: list[Part] = []
            for tokens, (_, state, chooser) in zip(batch[len(chosen) :], asks[len(chosen) :], strict=True):
                if len(rows) + len(tokens) > _MOST:
                    break
                rows += _rows(tokens, state)
                parts.append((tokens.tolist(), chooser))
            with _memory_told():
                found = self._slots_of(len(rows)).choose(rows, parts)
            for (fed, _), (_, state, _) in zip(parts, asks[len(chosen) :], strict=False):
                state.advance(len(fed))
            chosen += found
        return chosen

    def save_state(self, state: CountedState[Caches]) -> KeyValues:
        """A copy of what `state` holds. Raises DeviceMemoryError where the card has no room to make it."""
        with _memory_told():
            return self._read(state.inner, state.length)

    def restore_state(self, saved: KeyValues) -> CountedState[Caches]:
        """A new state that holds `saved`. Raises as `new_state`."""
        state = self.new_state()
        with _memory_told():
            self._write(state.inner, saved)
        state.advance(saved.length)
        return state

    def close(self) -> None:
        """Let go of the model, and give the card's memory back."""
        self._decoder = None
        self._slots.clear()
        if self._pool is not None:
            torch.cuda.empty_cache()

    @torch.inference_mode()
    def _feed(self, tokens: Sequence[int], state: CountedState[Caches], *, all_rows: bool) -> npt.NDArray[np.float32]:
        """Scores [N, vocab_size], or [1, vocab_size] of the last token. Where memory ends, `state` is as it was."""
        ids = checked_tokens(
            tokens, length=state.length, context_length=self.context_length, vocab_size=self.vocab_size
        )
        found = []
        rows = _rows(ids, state)
        with _memory_told():
            for begin in range(0, len(rows), CHUNK):
                piece = rows[begin : begin + CHUNK]
                ends = begin + CHUNK >= len(rows)
                first = 0 if all_rows else len(piece) - 1
                if len(piece) <= self._few:
                    found.append(self._step(piece, first))
                else:
                    found.append(self._prompt(piece, first if all_rows or ends else len(piece)))
        state.advance(len(rows))
        return np.concatenate(found)

    def _step(self, rows: Sequence[Row], first: int) -> npt.NDArray[np.float32]:
        return self._slots_of(len(rows)).step(rows, first)

    def _slots_of(self, rows: int) -> Slots:
        """Memory for at least so many rows."""
        count = next(count for count in _COUNTS if count >= rows)
        decoder = self._open()
        if count not in self._slots:
            self._slots[count] = Slots(decoder, count, self._pool)
        return self._slots[count]

    def _prompt(self, rows: Sequence[Row], first: int) -> npt.NDArray[np.float32]:
        """Scores after rows `first` to the last; with `first` their number, of none."""
        decoder = self._open()
        host = torch.empty((2 + 2 * len(self._stages), len(rows)), dtype=torch.int64)
        fill(host, rows)
        inputs = [host.to(stage.device) for stage in self._stages]
        scores = decoder.score(inputs[0][0], rows_of(inputs), prompt=True, first=first)
        return scores.cpu().numpy().astype(np.float32, copy=True)

    def _open(self) -> RowDecoder:
        if self._decoder is None:
            raise ValueError("the backend is closed")
        return self._decoder


def open_cuda(bundle: Bundle) -> CudaBackend:
    """Load `bundle` on the machine's cards; without one, where Triton interprets, on the CPU.

    Raises BundleError where the manifest and config.json do not fit each other, BackendUnavailableError with the reason
    where no card can run it, before anything is loaded.
    """
    return on_cards(bundle_model(bundle, lambda weight: weight), bundle.manifest.name)


def unfit_reason(bundle: Bundle) -> str | None:
    """Why the machine's cards, where it has some, do not take `bundle` now: its shape, or no room; or None. Loads
    nothing; raises BundleError as `open_cuda`."""
    model = bundle_model(bundle, lambda weight: weight)
    try:
        attention_shape(model.config)
        stages_for(model, bundle.manifest.name)
    except ValueError as error:
        return f"the model has {error}"
    except BackendUnavailableError as error:
        return str(error).rstrip(".")
    return None


def on_cards(model: Falcon, name: str) -> CudaBackend:
    """`model`, whose layers are compressed ones, on the machine's cards. Raises as `open_cuda`."""
    reason = card_reason()
    if reason is None:
        return CudaBackend(model, stages_for(model, name))
    if not interpreted():
        raise BackendUnavailableError(f"The cuda backend cannot run: {reason}.", option="; choose --backend torch")
    return CudaBackend(model, [Stage(torch.device("cpu"), 0, model.config.num_layers)])


def _rows(ids: npt.NDArray[np.int32], state: CountedState[Caches]) -> list[Row]:
    return [Row(token, state.length + place, state.inner) for place, token in enumerate(ids.tolist())]


@contextlib.contextmanager
def _memory_told() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if not memory_ended(error):
            raise
        raise DeviceMemoryError(
            "The card's memory is full: close other programs that use it or other conversations, or choose a "
            "bundle of fewer bits or a shorter context.",
            option=", or choose --backend torch",
        ) from None
