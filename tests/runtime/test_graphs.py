"""What a recording asks of torch, and what it holds on to: torch's streams and graphs are told of, none is there."""

from __future__ import annotations

import contextlib
import gc
import weakref
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("triton", reason="triton is not installed: it exists for Linux on x86-64 and ARM only")

import torch

from models.cuda.step import Stage
from runtime.backends import graphs
from runtime.backends.cuda import CudaBackend
from runtime.backends.weights import bundle_model
from runtime.bundle import Bundle
from runtime.chooser import Chooser
from runtime.errors import DeviceMemoryError
from runtime.sampling import SamplingConfig
from tests.conftest import Bundles


class Streams:
    """torch.cuda of two cards: which is current, and on which stream of which card work was recorded."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.card = 0
        self.recorded_on: list[int] = []
        graphs._recording_stream.cache_clear()
        patch.setattr(torch.cuda, "Stream", lambda: SimpleNamespace(card=self.card, wait_stream=lambda _: None))
        patch.setattr(torch.cuda, "current_stream", lambda: SimpleNamespace(wait_stream=lambda _: None))
        patch.setattr(torch.cuda, "current_device", lambda: self.card)
        patch.setattr(torch.cuda, "stream", lambda _: contextlib.nullcontext())
        patch.setattr(torch.cuda, "CUDAGraph", lambda: SimpleNamespace(replay=lambda: None))
        patch.setattr(torch.cuda, "graph", self._graph)
        self._default: Any = None

    @contextlib.contextmanager
    def _graph(self, _graph: object, *, pool: object, stream: Any = None) -> Iterator[None]:  # noqa: ARG002
        if stream is None:  # torch's own is of the card that was current when the process first recorded
            self._default = stream = self._default or torch.cuda.Stream()
        self.recorded_on.append(stream.card)
        yield


def test_a_model_on_another_card_than_the_first_that_recorded_is_recorded_on_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    streams = Streams(monkeypatch)
    for card in (0, 1, 0):
        streams.card = card
        graphs.RecordedCall(lambda: torch.zeros(1), (0, 0))
    graphs._recording_stream.cache_clear()
    assert streams.recorded_on == [0, 1, 0]


def test_a_closed_backend_that_has_chosen_holds_no_weight(bundles: Bundles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.cuda.step.with_cuda_kernels", lambda weight, _kernels: weight)
    Streams(monkeypatch)
    monkeypatch.setattr(torch.cuda, "device", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    model = bundle_model(Bundle.open(bundles("7b", "lut4")), lambda weight: weight)
    backend = CudaBackend(model, [Stage(torch.device("cpu"), 0, 2)])
    backend._pool = (0, 0)
    backend.choose([5], backend.new_state(), Chooser(SamplingConfig(temperature=0), (), choices=backend.vocab_size))
    weight = weakref.ref(model.lm_head)
    del model
    gc.collect()
    gc.disable()
    try:
        backend.close()
        assert weight() is None
    finally:
        gc.enable()


def test_memory_that_ends_beside_another_stream_leaves_no_stream_apart(
    bundles: Bundles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recording could not be ended."""
    monkeypatch.setattr("models.cuda.step.with_cuda_kernels", lambda weight, _kernels: weight)
    model = bundle_model(Bundle.open(bundles("7b", "lut4")), lambda weight: weight)
    backend = CudaBackend(model, [Stage(torch.device("cpu"), 0, 2)])
    state = backend.new_state()
    apart: set[str] = set()
    side = SimpleNamespace(device=torch.device("cpu"), wait_stream=lambda _: apart.add("side"))
    current = SimpleNamespace(wait_stream=lambda _: apart.discard("side"))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: current)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: contextlib.nullcontext())
    assert backend._decoder is not None
    backend._decoder._sides = [side]  # type: ignore[list-item]
    monkeypatch.setattr(backend._decoder, "_attend", full)
    with pytest.raises(DeviceMemoryError):
        backend.feed([5], state)
    assert not apart


def full(*_: Any) -> Any:
    raise torch.OutOfMemoryError("CUDA out of memory.")
