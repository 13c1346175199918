"""A backend that chooses tokens where it makes scores, seen through the engine: for a seed the same answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from models.cache import KeyValueCache
from runtime.backends import choosing
from runtime.backends.state import CountedState
from runtime.backends.torch import TorchBackend, open_torch
from runtime.bundle import Bundle
from runtime.chat import ChatTemplate, Message
from runtime.chooser import Chooser
from runtime.engines.local import LocalEngine
from runtime.events import Finished
from runtime.options import GenerationOptions
from runtime.sampling import SamplingConfig
from runtime.tokenizer import Tokenizer
from tests.conftest import Bundles

ORDERS: tuple[Any, ...] = ("transformers", "llama.cpp")
PENALTIES: dict[str, Any] = {"repetition_penalty": 1.2, "presence_penalty": 0.3, "frequency_penalty": 0.2}
PLAIN: dict[str, dict[str, Any]] = {
    "greedy": {"temperature": 0},
    "temperature": {"top_p": 1.0},
    "default": {},
    "top-k": {"top_k": 40, "min_p": 0.05, "temperature": 0.8},
    "typical": {"top_p": 1.0, "typical_p": 0.7},
    "all": {"top_k": 200, "top_p": 0.9, "min_p": 0.001, "typical_p": 0.9, "temperature": 1.4},
}
CONFIGS = {
    f"{name}, {order}{', penalties' * penalised}": SamplingConfig(
        seed=5, order=order, **options, **(PENALTIES if penalised else {}), logit_bias={70: 2.0} if penalised else {}
    )
    for name, options in PLAIN.items()
    for order in ORDERS
    for penalised in (False, True)
}
MESSAGES = [Message("user", "the lazy dog")]


class ThereBackend(TorchBackend):
    """Chooses in torch, as a backend on a device does."""

    choices = 0

    def choose(self, tokens: Sequence[int], state: CountedState[KeyValueCache], chooser: Chooser) -> list[int]:
        self.choices += 1
        (chosen,) = choosing.choose_each(torch.from_numpy(self.feed_all(tokens, state)), [(tokens, chooser)])
        assert isinstance(chosen, list)
        return chosen


@pytest.fixture(scope="module")
def engines(bundles: Bundles) -> Iterator[tuple[LocalEngine, LocalEngine]]:
    """One whose tokens are chosen on the host, and one of the same model whose tokens are not."""
    bundle = Bundle.open(bundles("7b", "lut4"))
    host = open_torch(bundle)
    template, tokenizer = ChatTemplate.named(bundle.manifest.chat_template), Tokenizer.open(bundle.folder)
    pair = (host, ThereBackend(host.model))
    yield tuple(LocalEngine(bundle, backend, tokenizer, template) for backend in pair)  # type: ignore[misc]
    for backend in pair:
        backend.close()


def answer(engine: LocalEngine, options: GenerationOptions) -> Finished:
    *_, last = engine.chat(MESSAGES, options)
    assert isinstance(last, Finished)
    return last


@pytest.mark.parametrize("lookup", [False, True])
@pytest.mark.parametrize("name", CONFIGS)
def test_a_seed_gives_the_same_answer(name: str, lookup: bool, engines: tuple[LocalEngine, LocalEngine]) -> None:
    options = GenerationOptions(sampling=CONFIGS[name], max_new_tokens=30, prompt_lookup=lookup)
    host, there = (answer(engine, options) for engine in engines)
    assert (there.tokens, there.text, there.reason) == (host.tokens, host.text, host.reason)
    assert there.stats.accepted_tokens == host.stats.accepted_tokens
    backend = engines[1].backend
    assert isinstance(backend, ThereBackend)
    assert len(there.tokens) < 2 or backend.choices


def test_guesses_are_checked_where_the_scores_are(engines: tuple[LocalEngine, LocalEngine]) -> None:
    """A bias makes the model repeat three tokens in any order: some guesses stand, others do not."""
    fallen = stood = 0
    for seed in range(8):
        sampling = SamplingConfig(seed=seed, temperature=10.0, logit_bias=dict.fromkeys((60, 61, 62), 100.0))
        options = GenerationOptions(sampling=sampling, max_new_tokens=40)
        host, there = (answer(engine, options) for engine in engines)
        assert there.tokens == host.tokens
        assert there.stats.accepted_tokens == host.stats.accepted_tokens
        stood += there.stats.accepted_tokens
        fallen += there.stats.drafted_tokens - there.stats.accepted_tokens
    assert stood
    assert fallen


def test_log_probabilities_change_no_token(engines: tuple[LocalEngine, LocalEngine]) -> None:
    options = GenerationOptions(sampling=SamplingConfig(seed=1), max_new_tokens=20)
    plain = answer(engines[1], options)
    looked = answer(engines[1], replace(options, logprobs=2))
    assert looked.tokens == plain.tokens
    assert len(looked.logprobs) == len(looked.tokens)
