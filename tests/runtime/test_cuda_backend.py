"""The cuda backend beyond the contract: several devices, full memory, which layers go to which card."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("triton", reason="triton is not installed: it exists for Linux on x86-64 and ARM only")

import torch

from benchmarks.random_falcon import SHAPES, random_falcon
from models.config import FalconConfig
from models.cuda.step import Stage
from models.cuda.table import Join, Launch, Variant
from models.cuda.ways import Ways
from models.falcon import Falcon
from runtime.backends.cards import interpreted
from runtime.backends.checkpoint import open_checkpoint, open_checkpoint_on_cards
from runtime.backends.cuda import CudaBackend
from runtime.backends.placement import WORK_BYTES, stages_for, stored_bytes
from runtime.backends.weights import bundle_model
from runtime.bundle import Bundle
from runtime.errors import BackendUnavailableError, DeviceMemoryError
from tests.conftest import Bundles, Checkpoints
from tests.models.cuda.table_kernels import run_here
from tests.tools import divergence

if interpreted():
    from tests.interpreter import quicken

    quicken()

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
IDS = [5, 17, 301, 44, 9, 210, 88]


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Products by torch: their kernels have tests of their own."""
    monkeypatch.setattr("models.cuda.step.with_cuda_kernels", lambda weight, _kernels: weight)


def model(bundles: Bundles, variant: str = "7b") -> Falcon:
    return bundle_model(Bundle.open(bundles(variant, "lut4")), lambda weight: weight)


def backend(bundles: Bundles, *ends: int, variant: str = "7b") -> CudaBackend:
    """Stages that end before these layers, all on one device."""
    stages = [Stage(DEVICE, first, last) for first, last in zip((0, *ends), ends, strict=False)]
    return CudaBackend(model(bundles, variant), stages)


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("variant", ["7b", "rw"])
def test_layers_on_several_devices_score_like_all_on_one(bundles: Bundles, variant: str) -> None:
    one, two = backend(bundles, 2, variant=variant), backend(bundles, 1, 2, variant=variant)
    states = one.new_state(), two.new_state()
    for feed in (IDS, [3], [7, 8]):
        wanted, got = one.feed(feed, states[0]), two.feed(feed, states[1])
        np.testing.assert_array_equal(got, wanted)
    saved = two.save_state(states[1])
    np.testing.assert_array_equal(saved.keys, one.save_state(states[0]).keys)
    restored = two.restore_state(saved), one.restore_state(saved)
    np.testing.assert_array_equal(two.feed([9], restored[0]), one.feed([9], restored[1]))


@pytest.mark.parametrize(
    ("shape", "ways"),
    [("tiny-7b", Ways(normed=True)), ("tiny-40b", Ways(normed=True)), ("tiny-biased", Ways(combined=True))],
)
def test_products_by_tables_score_like_those_of_torch(shape: str, ways: Ways, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SHAPES, "tiny-biased", replace(SHAPES["tiny-7b"], bias=True))
    falcon = random_falcon(shape, "lut4", torch.device("cpu"))
    for name, parameter in falcon.named_parameters():
        if name.endswith("bias") or "norm" in name or "ln_" in name:
            parameter.normal_(std=0.5)
    ran: list[tuple[int, Join, bool]] = []

    def kernels(variant: Variant, device: torch.device) -> Launch:
        ran.append((variant.vectors, variant.join, variant.normed))
        return run_here(variant, device)

    stages = [Stage(torch.device("cpu"), 0, 2)]
    fast = CudaBackend(copy.deepcopy(falcon), stages, replace(ways, tables=kernels))
    ran.clear()  # they were tried
    monkeypatch.setattr("models.cuda.step.with_cuda_kernels", lambda weight, _kernels: weight)
    plain = CudaBackend(falcon, stages)
    feeds: list[list[list[int]]] = [[IDS[:4]], [[3]], [[7], [8, 9]]]
    states = [[backend.new_state() for _ in range(2)] for backend in (fast, plain)]
    for tokens in feeds:
        got = fast.feed_batch(list(zip(tokens, states[0], strict=False)))
        wanted = plain.feed_batch(list(zip(tokens, states[1], strict=False)))
        for one, other in zip(got, wanted, strict=True):
            assert divergence(other, one) < 1e-9
    blocks = [Join.STACKED, Join.BESIDE] * 2
    assert ran == [
        (rows, join, ways.normed and rows == 1 and join is Join.STACKED)
        for rows in (4, 1, 4)
        for join in (*blocks, Join.ALONE)
    ]


@pytest.mark.usefixtures("plain")
def test_more_rows_than_a_step_takes_go_in_several(bundles: Bundles) -> None:
    """A state whose rows fall into two steps reads its own earlier ones in the second."""
    found = backend(bundles, 2)
    feeds: list[Any] = [([token, token + 1, 7], found.new_state()) for token in range(22)]
    scores = found.feed_batch(feeds)
    for place in (0, 20, 21):
        alone = found.new_state()
        wanted = [found.feed([token], alone) for token in feeds[place][0]][-1]
        assert feeds[place][1].length == 3
        np.testing.assert_allclose(scores[place], wanted, rtol=0, atol=1e-4)


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("tokens", [IDS, [1]])
def test_full_memory_is_one_sentence_and_leaves_the_state_as_it_was(
    bundles: Bundles, tokens: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = backend(bundles, 2)
    states = found.new_state(), found.new_state()
    for state in states:
        found.feed([1, 2], state)

    def full(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "empty_like", full)
        with pytest.raises(
            DeviceMemoryError, match=r"memory is full: close other programs .* or choose --backend torch"
        ):
            found.feed(tokens, states[0])
        with pytest.raises(DeviceMemoryError):
            # So many rows were not fed yet: on a card, a recorded step takes no more memory.
            found.feed_batch([(tokens[:2] * 2, states[0]), ([4, 4], states[1])])
        patch.setattr(torch, "zeros", full)
        with pytest.raises(DeviceMemoryError):
            found.new_state()
    assert states[0].length == 2
    np.testing.assert_array_equal(found.feed(tokens, states[0]), found.feed(tokens, states[1]))


@pytest.mark.usefixtures("plain")
def test_full_memory_is_one_sentence_whoever_says_it_and_other_errors_stay_what_they_are(
    bundles: Bundles, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = backend(bundles, 2)
    state = found.new_state()
    found.feed([1, 2], state)
    saved = found.save_state(state)

    def fails(error: Exception) -> Any:
        def call(*_: Any, **__: Any) -> Any:
            raise error

        return call

    for error in (
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(torch, "cat", fails(error))
            patch.setattr(torch, "from_numpy", fails(error))
            with pytest.raises(DeviceMemoryError):
                found.save_state(state)
            with pytest.raises(DeviceMemoryError):
                found.restore_state(saved)
    monkeypatch.setattr(torch, "cat", fails(RuntimeError("CUDA error: an illegal memory access was encountered")))
    with pytest.raises(RuntimeError, match="illegal"):
        found.save_state(state)


@pytest.mark.usefixtures("plain")
def test_a_head_size_that_kernels_lack_is_one_sentence(bundles: Bundles) -> None:
    odd = model(bundles)
    odd.config = odd.config.__class__(**{**odd.config.__dict__, "hidden_size": 72, "num_heads": 3})
    with pytest.raises(BackendUnavailableError, match=r"This model has heads of 24 numbers; .* choose --backend torch"):
        CudaBackend(odd, [Stage(DEVICE, 0, 2)])


class TestCheckpoints:
    def test_a_checkpoint_of_16_bit_numbers_scores_as_on_the_cpu(self, checkpoints: Checkpoints) -> None:
        folder = checkpoints("7b")
        ours, cpu = open_checkpoint_on_cards(folder, dtype="bfloat16"), open_checkpoint(folder, dtype="bfloat16")
        states = ours.new_state(), cpu.new_state()
        for feed, limit in (([5], 1e-6), ([17, 301], 1e-3)):  # products of several rows are bfloat16's
            assert divergence(cpu.feed(feed, states[1]), ours.feed(feed, states[0])) < limit


EIGHT_LAYERS = FalconConfig(
    vocab_size=64,
    hidden_size=64,
    num_layers=8,
    num_heads=2,
    num_kv_heads=1,
    ffn_hidden_size=256,
    context_length=64,
)


class TestPlacement:
    def test_one_card_is_taken_where_the_model_fits_it(self, bundles: Bundles) -> None:
        found = model(bundles)
        needed = stored_bytes(found) + found.config.cache_bytes + WORK_BYTES
        for free, card in (({0: needed, 1: 10 * needed}, 0), ({0: needed - 1, 1: needed}, 1)):
            assert stages_for(found, "7b", free) == [Stage(torch.device("cuda", card), 0, 2)]

    def test_layers_are_spread_where_no_card_has_room_for_all(self) -> None:
        found = Falcon(EIGHT_LAYERS)
        layer, common = stored_bytes(found.transformer.h[0]), WORK_BYTES + found.config.cache_bytes
        ends = stored_bytes(found) - stored_bytes(found.transformer.h)
        stages = stages_for(found, "7b", {2: common + ends + 5 * layer, 3: common + 5 * layer})
        assert [stage.device for stage in stages] == [torch.device("cuda", 2), torch.device("cuda", 3)]
        assert stages[0].first == 0
        assert stages[0].last == stages[1].first
        assert stages[1].last == 8
        assert all(stage.last - stage.first <= 5 for stage in stages)

    def test_embedding_and_head_need_room_on_the_first_card_that_gets_layers(self) -> None:
        found = Falcon(EIGHT_LAYERS)
        layer, common = stored_bytes(found.transformer.h[0]), WORK_BYTES + found.config.cache_bytes
        ends = stored_bytes(found) - stored_bytes(found.transformer.h)
        with pytest.raises(BackendUnavailableError, match="the cards have"):
            stages_for(found, "7b", {2: 0, 3: common + 8 * layer})
        stages = stages_for(found, "7b", {2: 0, 3: common + ends + 5 * layer, 4: common + 5 * layer})
        assert [stage.device.index for stage in stages] == [3, 4]
        assert all(stage.last - stage.first <= 5 for stage in stages)

    @pytest.mark.parametrize("cards", [1, 2])
    def test_too_little_memory_on_all_cards_is_said_with_what_is_needed(self, bundles: Bundles, cards: int) -> None:
        with pytest.raises(
            BackendUnavailableError, match=r"7b needs .* and the cards? ha(s|ve) 1000 bytes( and 1000 bytes)? free"
        ):
            stages_for(model(bundles), "7b", dict.fromkeys(range(cards), 1000))
