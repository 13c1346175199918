"""RecordedChoice: a computation set up once chooses for whatever is asked later, as if it were set up anew."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from runtime.backends.choosing import choose_each
from runtime.backends.recorded_choice import RecordedChoice
from runtime.chooser import Chooser
from runtime.errors import ModelOutputError
from runtime.sampling import SamplingConfig

ROWS, CHOICES = 4, 50
CONFIGS = [
    SamplingConfig(seed=1),
    SamplingConfig(seed=2, temperature=1.5, top_p=0.8),
    SamplingConfig(temperature=0),
    SamplingConfig(seed=3, top_k=20, min_p=0.01, typical_p=0.9, order="llama.cpp"),
    SamplingConfig(seed=4, presence_penalty=0.5, repetition_penalty=1.2, logit_bias={3: 1.0}),
]


class Recorder:
    """Keeps computations as a CUDA graph does: set up once, repeated from the same memory, into the same memory."""

    def __init__(self) -> None:
        self.recorded = 0

    def __call__(self, call: Callable[[], Tensor]) -> Callable[[], Tensor]:
        self.recorded += 1
        out = call()

        def repeat() -> Tensor:
            return out.copy_(call())

        return repeat


def scored(seed: int) -> Tensor:
    values = np.random.default_rng(seed).normal(size=(ROWS, CHOICES + 2), scale=3).astype(np.float32)
    return torch.from_numpy(values)


def test_answers_in_turns_are_chosen_as_without_recording() -> None:
    scores, record = torch.zeros(ROWS, CHOICES + 2), Recorder()
    choice = RecordedChoice(scores, record)
    written = [([1, 2], [1, 2]) for _ in CONFIGS]
    choosers = [
        tuple(Chooser(config, history, choices=CHOICES) for history in pair)
        for config, pair in zip(CONFIGS, written, strict=True)
    ]
    for step in range(20):
        for (ours, theirs), (one, other) in zip(written, choosers, strict=True):
            rows = scored(step)
            tokens = [theirs[-1], *rows[: step % ROWS, :CHOICES].argmax(-1).tolist()]
            (wanted,) = choose_each(rows[: len(tokens)], [(tokens, other)])
            assert isinstance(wanted, list)
            choice.ask([(tokens, one)])
            scores.copy_(rows)  # made after they were asked for
            assert choice.chosen() == [wanted]
            ours += wanted
            theirs += wanted
    assert record.recorded < 12  # of 100 choices: five configs, and penalties of more and more tokens


def test_only_so_many_are_kept_and_those_let_go_are_made_again() -> None:
    scores, record = scored(0), Recorder()
    choice = RecordedChoice(scores, record)
    for _ in range(2):
        for top_k in range(1, 21):
            config = SamplingConfig(seed=top_k, top_k=top_k)
            choice.ask([([0], Chooser(config, [0], choices=CHOICES))])
            assert choice.chosen() == choose_each(scores[:1], [([0], Chooser(config, [0], choices=CHOICES))])
    assert record.recorded == 40


def test_only_rows_that_count_must_be_finite() -> None:
    scores = scored(0)
    choice = RecordedChoice(scores, Recorder())
    greedy = SamplingConfig(temperature=0)
    first, second = (int(row[:CHOICES].argmax()) for row in scores[:2])
    scores[2:] = torch.nan
    choice.ask([([0, first], Chooser(greedy, [0], choices=CHOICES))])
    assert choice.chosen() == [[first, second]]
    scores[1, 3] = torch.inf
    choice.ask([([0, first], Chooser(greedy, [0], choices=CHOICES))])
    (refused,) = choice.chosen()
    assert isinstance(refused, ModelOutputError)
    assert "not finite" in str(refused)
    choice.ask([([0, first + 1], Chooser(greedy, [0], choices=CHOICES))])
    assert choice.chosen() == [[first]]


def test_answers_are_chosen_for_together_as_one_by_one_and_one_that_fails_costs_no_other() -> None:
    scores = scored(5)
    first = int(scores[0, :CHOICES].argmax())
    record = Recorder()
    choice = RecordedChoice(scores, record)
    for first_config, second_config, kept in (
        (SamplingConfig(temperature=0), SamplingConfig(seed=9, top_p=0.9), True),
        (CONFIGS[1], CONFIGS[3], False),  # temperature first and last: steps apart
    ):
        configs = [first_config, second_config, first_config]
        tokens = [[0, first], [4], [5]]
        wanted = []
        for row, (fed, config) in enumerate(zip(tokens, configs, strict=True)):
            begin = row + (row > 0)
            chooser = Chooser(config, [fed[0]], choices=CHOICES)
            wanted += choose_each(scores[begin : begin + len(fed)], [(fed, chooser)])
        before = record.recorded
        parts = [(fed, Chooser(config, [fed[0]], choices=CHOICES)) for fed, config in zip(tokens, configs, strict=True)]
        choice.ask(parts)
        assert choice.chosen() == wanted
        assert record.recorded == before + kept
        broken = scores.clone()
        scores[2, 7] = torch.nan
        choice.ask(
            [(fed, Chooser(config, [fed[0]], choices=CHOICES)) for fed, config in zip(tokens, configs, strict=True)]
        )
        one, failed, other = choice.chosen()
        assert isinstance(failed, ModelOutputError)
        assert [one, other] == [wanted[0], wanted[2]]
        scores.copy_(broken)
