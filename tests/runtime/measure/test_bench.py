"""What is fed, what is counted, and sizes against a bundle's own files. No time is asserted."""

from __future__ import annotations

import json
import math
import mmap
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models.cache import KeyValueCache
from models.config import FalconConfig
from runtime.backends.base import Logits
from runtime.backends.cards import Card, Cards, parse_card
from runtime.bundle import Bundle
from runtime.cli.bench import bench_text
from runtime.errors import OptionError
from runtime.measure.bandwidth import read_bandwidth, thread_count, usable_cores
from runtime.measure.bench import Bench, BenchConfig, Run, run_bench
from runtime.measure.devices import Devices, find_devices, fit
from runtime.measure.memory import available_bytes, limit_bytes, peak_resident_bytes, private_bytes
from runtime.measure.needs import bytes_per_token, cache_bytes, card_needs, memory_needs
from runtime.measure.report import BenchReport
from runtime.measure.statistics import Spread
from tests.conftest import Bundles
from tests.runtime.conftest import NgramBackend, TokenState

CONFIG = BenchConfig(prompt_tokens=20, new_tokens=5, repeats=3, warm_up=2)


class Recorder(NgramBackend):
    """Keeps every state that was made."""

    def __init__(self) -> None:
        super().__init__(vocab_size=50, context_length=64, chunk_length=8)
        self.states: list[TokenState] = []

    def new_state(self) -> TokenState:
        self.states.append(TokenState())
        return self.states[-1]

    def feed(self, tokens: Any, state: TokenState) -> Logits:
        return super().feed(tokens, state)


def measured(backend: Recorder, config: BenchConfig = CONFIG, stop_after: int = 1000) -> Bench | None:
    told: list[int] = []
    return run_bench(
        backend,
        config,
        vocab_size=40,
        control_ids=range(12),
        cancelled=lambda: len(told) > stop_after,
        told=told.append,
    )


def test_each_run_reads_a_prompt_in_pieces_and_an_answer_token_by_token() -> None:
    backend = Recorder()
    found = measured(backend)
    assert found is not None
    assert (len(found.runs), found.complete) == (3, True)
    assert backend.calls == [8, 8, 4, 1, 1, 1, 1, 1] * 5
    assert sum(backend.calls) == CONFIG.total


def test_tokens_come_from_the_seed_and_are_no_control_tokens() -> None:
    def tokens(seed: int) -> list[list[int]]:
        backend = Recorder()
        measured(backend, BenchConfig(prompt_tokens=20, new_tokens=5, repeats=2, seed=seed))
        return [state.tokens for state in backend.states]

    first = tokens(1)
    assert first == tokens(1) != tokens(2)
    assert first[0] != first[1]
    assert {token for run in first for token in run} <= set(range(12, 40))


@pytest.mark.parametrize(("steps", "runs"), [(0, None), (15, None), (24, 1), (39, 2)])
def test_cancelling_keeps_whole_runs_that_count(steps: int, runs: int | None) -> None:
    found = measured(Recorder(), stop_after=steps)  # eight steps a run, two runs of warm-up
    assert (found and len(found.runs)) == runs
    assert found is None or not found.complete


def test_answers_at_once_go_on_after_the_prompt_side_by_side() -> None:
    backend = Recorder()
    asked: list[list[tuple[list[int], int]]] = []
    choose = backend.choose_batch

    def noted(asks: Any) -> Any:
        asked.append([(list(tokens), state.length) for tokens, state, _ in asks])
        return choose(asks)

    backend.choose_batch = noted  # type: ignore[method-assign]
    config = replace(CONFIG, repeats=1, warm_up=0, at_once=3)
    found = measured(backend, config)
    assert found is not None
    (alone,) = backend.states
    answer = alone.tokens[20:]
    assert asked == [[([token], 20 + place)] * 3 for place, token in enumerate(answer)]
    assert sum(backend.calls) == config.total == 20 + 5 + 15
    assert found.at_once_rate is not None
    assert found.at_once_rate.median > 0
    none = measured(Recorder())
    assert none is not None
    assert none.at_once_rate is None


def test_rates_are_tokens_over_seconds() -> None:
    runs = tuple(Run(prefill=s, first_token=s + 1, decode=2 * s, at_once=4 * s) for s in (2.0, 1.0, 4.0))
    found = Bench(config=replace(CONFIG, at_once=8), runs=runs, private_bytes=None, complete=True)
    assert found.at_once_rate == Spread((5.0, 10.0, 2.5))
    assert found.prefill_rate == Spread((10.0, 20.0, 5.0))
    assert found.decode_rate.median == 1.25
    assert (found.first_token.low, found.first_token.high) == (2.0, 5.0)


@pytest.mark.parametrize("field", ["prompt_tokens", "new_tokens", "repeats", "at_once"])
def test_a_count_below_one_is_one_sentence(field: str) -> None:
    with pytest.raises(OptionError, match=f"--{field.replace('_', '-')} must be at least 1, not 0."):
        BenchConfig(**{field: 0})


def test_more_than_a_context_is_one_sentence() -> None:
    with pytest.raises(OptionError, match="--prompt-tokens 60 and --new-tokens 5 do not fit the model's context of 64"):
        measured(Recorder(), BenchConfig(prompt_tokens=60, new_tokens=5))


@pytest.mark.parametrize("variant", ["7b", "11b"])
def test_cache_bytes_are_those_of_the_cache(bundles: Bundles, variant: str) -> None:
    folder = bundles(variant, "lut4")
    config = FalconConfig.open(folder / "config.json")
    cache = KeyValueCache.zeros(config, context_length=7)
    elements = cache.key_cache.numel() + cache.value_cache.numel()
    assert 7 * cache_bytes(Bundle.open(folder).manifest) == 2 * elements


@pytest.mark.parametrize("variant", ["7b", "11b"])
def test_a_token_reads_every_weight_once_and_of_a_separate_embedding_one_row(bundles: Bundles, variant: str) -> None:
    bundle = Bundle.open(bundles(variant, "lut4"))
    manifest = bundle.manifest
    weights = {name: sum(p.bytes for p in w.parts.values()) for name, w in manifest.weights.items()}
    size = sum(weights.values())
    assert size == pytest.approx((bundle.folder / manifest.weight_file).stat().st_size, rel=0.25)  # alignment
    if "lm_head.weight" in weights:
        size -= weights["transformer.word_embeddings.weight"] * (manifest.vocab_size - 1) // manifest.vocab_size
    assert bytes_per_token(manifest, 0) == size
    assert bytes_per_token(manifest, 9) == size + 9 * cache_bytes(manifest)


def test_the_share_is_bytes_read_over_bytes_that_can_be(bundles: Bundles) -> None:
    manifest = Bundle.open(bundles("7b", "lut4")).manifest
    run = Run(prefill=1.0, first_token=1.0, decode=0.5)
    report = BenchReport(
        manifest=manifest,
        backend="torch",
        compute_units=None,
        bench=Bench(config=CONFIG, runs=(run,), private_bytes=None, complete=False),
        load=Spread((0.1,)),
        peak_bytes=None,
        read_bandwidth=1e6,
        threads=1,
    )
    assert report.bandwidth_share == pytest.approx(bytes_per_token(manifest, 22) * 10 / 1e6)
    assert json.loads(json.dumps(report.to_json(), allow_nan=False))["decode_tokens_per_second"]["median"] == 10
    assert "the share says little" in report.notes[0]


def test_bandwidth_is_a_positive_number_for_any_number_of_threads() -> None:
    for threads in (1, 3):
        assert math.isfinite(read_bandwidth(threads, size=1 << 16, passes=2))


def test_threads_are_those_of_the_numeric_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert thread_count() == 1
    for odd in ("", "many", "0", "100000"):
        monkeypatch.setenv("OMP_NUM_THREADS", odd)
        assert thread_count() == usable_cores()


@pytest.mark.skipif(sys.platform != "linux", reason="private memory is told by Linux")
def test_memory_of_this_process_grows_with_what_it_holds() -> None:
    before = private_bytes()
    held = mmap.mmap(-1, 40 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)  # an array may get old pages
    np.frombuffer(held, np.uint8)[:] = 1
    after, peak = private_bytes(), peak_resident_bytes()
    assert before is not None
    assert after is not None
    assert peak is not None
    assert after - before > 30 << 20
    assert peak >= len(held)


def test_a_limit_is_never_above_the_memory_that_there_is() -> None:
    assert (limit_bytes(1) or 0) <= 1
    assert available_bytes() is None or available_bytes() > 0  # type: ignore[operator]


@pytest.mark.parametrize(
    ("line", "card"),
    [
        (
            "NVIDIA H100 80GB HBM3, 81559, 570.86.15, 81000",
            Card("NVIDIA H100 80GB HBM3", 81559 * 2**20, "570.86.15", 81000 * 2**20),
        ),
        ("NVIDIA GB10, [N/A], 580.65.06, [N/A]", Card("NVIDIA GB10", None, "580.65.06")),
        ("NVIDIA H100 80GB HBM3, 81559, 570.86.15", None),
        ("No devices were found", None),
        ("", None),
    ],
)
def test_a_card_is_read_from_its_drivers_words(line: str, card: Card | None) -> None:
    assert parse_card(line) == card


def test_a_bundle_fits_when_its_needs_do(bundles: Bundles) -> None:
    manifest = Bundle.open(bundles("7b", "lut4")).manifest
    needs = memory_needs(manifest)
    found = find_devices()

    def verdict(memory: int | None, available: int | None) -> str:
        return fit(manifest, _with(found, memory, available)).verdict

    assert needs.total > needs.weights + needs.cache
    assert verdict(needs.total, needs.total) == "yes"
    assert verdict(needs.total, None) == "yes"
    assert verdict(needs.total, needs.total - 1) == "not-now"
    assert verdict(needs.total - 1, needs.total) == "no"
    assert verdict(None, None) == "unknown"


@pytest.mark.parametrize(
    ("cards", "verdict"),
    [
        ((), None),
        (((0, 0),), "yes"),
        (((0, -1),), "not-now"),
        (((-1, -1),), "no"),
        (((0, None),), "yes"),
        (((None, None),), "unknown"),
        (((-1, -1), (0, -1), (None, None)), "not-now"),
    ],
)
def test_a_bundle_fits_the_card_that_has_most_room(
    cards: tuple[tuple[int | None, int | None], ...], verdict: str | None, bundles: Bundles
) -> None:
    """Total and free memory of each card, as bytes more than the bundle needs."""
    manifest = Bundle.open(bundles("7b", "lut4")).manifest
    needed = card_needs(manifest)
    assert needed > sum(part.bytes for entry in manifest.weights.values() for part in entry.parts.values())
    there = [[None if more is None else needed + more for more in card] for card in cards]
    found = Cards(tuple(Card("card", total, None, free) for total, free in there), "13.0", usable=True, apple_gpu=False)
    devices = replace(find_devices(), cards=found)
    assert (fit(manifest, devices).card_needs, fit(manifest, devices).card_verdict) == (needed, verdict)


def test_the_share_of_a_card_is_of_its_own_bandwidth(bundles: Bundles) -> None:
    manifest = Bundle.open(bundles("7b", "lut4")).manifest
    bench = measured(Recorder())
    assert bench is not None
    card = Card("NVIDIA H200", 1 << 37, "570.86.15", 1 << 36)
    report = BenchReport(
        manifest=manifest,
        backend="cuda",
        compute_units=None,
        bench=bench,
        load=Spread((1.0,)),
        peak_bytes=None,
        read_bandwidth=1e9,
        threads=1,
        card=card,
        card_peak_bytes=1 << 30,
    )
    assert report.bandwidth_share == pytest.approx(report.token_bytes * bench.decode_rate.median / 1e9)
    told = report.to_json()
    assert told["card"] == {
        "name": "NVIDIA H200",
        "memory_bytes": 1 << 37,
        "driver": "570.86.15",
        "free_bytes": 1 << 36,
    }
    assert told["card_peak_bytes"] == 1 << 30
    text = " ".join(bench_text(report).split())
    assert "NVIDIA H200, driver 570.86.15" in text
    assert "memory, most on the card 1 GiB" in text


def _with(devices: Devices, memory: int | None, available: int | None) -> Devices:
    return Devices(
        machine=devices.machine,
        versions=devices.versions,
        cores=devices.cores,
        memory=memory,
        available=available,
        cards=devices.cards,
        backends=devices.backends,
    )


@pytest.mark.parametrize(
    ("context", "free", "used"),
    [
        (25, (), (20, 5)),
        (64, ("prompt_tokens", "new_tokens"), (20, 5)),
        (10, ("prompt_tokens", "new_tokens"), (8, 2)),
        (3, ("prompt_tokens", "new_tokens"), (2, 1)),
        (10, ("prompt_tokens",), (5, 5)),
        (22, ("new_tokens",), (20, 2)),
    ],
)
def test_only_counts_that_nobody_named_are_lowered_to_fit(
    context: int, free: tuple[str, ...], used: tuple[int, int]
) -> None:
    fitted = CONFIG.fitted(context, free=free)
    assert (fitted.prompt_tokens, fitted.new_tokens) == used
    assert fitted.repeats == CONFIG.repeats


@pytest.mark.parametrize(
    ("context", "free"),
    [(24, ()), (5, ("prompt_tokens",)), (20, ("new_tokens",)), (1, ("prompt_tokens", "new_tokens"))],
)
def test_what_cannot_fit_is_refused(context: int, free: tuple[str, ...]) -> None:
    with pytest.raises(OptionError, match="--prompt-tokens 20 and --new-tokens 5 do not fit"):
        CONFIG.fitted(context, free=free)
