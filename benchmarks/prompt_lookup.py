"""Prompt lookup on the embedded model, with against without: rewriting a story, and free text.

python -m benchmarks.prompt_lookup [--rounds 9] [--write]

Rewriting: a story is told, then asked for again about somebody else, so that most of it stands in the prompt. Free
text: single questions, and text sampled from nothing. Both ways take turns, answer by answer.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from random import Random

from benchmarks.record import check_clean, make_record, write_record
from models.tiny.topics import TOPICS, single
from runtime.chat import Message
from runtime.embedded import embedded_bundle
from runtime.engines.local import LocalEngine
from runtime.events import Event, Finished, Stats
from runtime.options import GenerationOptions
from runtime.sampling import SamplingConfig

ANIMALS = ("fox", "bear", "owl", "mouse", "horse", "frog")
NAMES = (("Max", "Lily"), ("Anna", "Tom"))
QUESTIONS = 40  # of the embedded model's topics
GREEDY = GenerationOptions(sampling=SamplingConfig(temperature=0), max_new_tokens=128)
FREE = GenerationOptions(sampling=SamplingConfig(temperature=1, top_p=1, seed=0), max_new_tokens=200)


@dataclass
class Sum:
    """Of all answers to one task, one way."""

    tokens: int = 0
    feeds: int = 0
    seconds: float = 0.0

    def add(self, stats: Stats) -> None:
        self.tokens += stats.new_tokens - 1
        self.feeds += stats.feeds
        self.seconds += stats.decode_seconds


def finish(events: Iterator[Event]) -> Finished:
    """The last event."""
    *_, last = events
    assert isinstance(last, Finished)
    return last


Job = Callable[[bool], Finished]
"""One answer, with or without prompt lookup."""


def rewrite(engine: LocalEngine) -> Iterator[Job]:
    """Second answers of conversations that ask for one story about two names."""
    for animal in ANIMALS:
        for first, second in NAMES:
            asked = [Message("user", f"Tell me a story about a {animal} named {name}.") for name in (first, second)]
            told = finish(engine.chat(asked[:1], GREEDY))
            yield partial(chat, engine, [asked[0], Message("assistant", told.text, told.tokens), asked[1]])


def free(engine: LocalEngine) -> Iterator[Job]:
    """Answers to single questions, and text that follows from nothing."""
    rng = Random(0)
    for _ in range(QUESTIONS):
        yield partial(chat, engine, [Message("user", single(rng, rng.choice(list(TOPICS))).question)])
    yield lambda lookup: finish(engine.complete("", replace(FREE, prompt_lookup=lookup)))


def chat(engine: LocalEngine, messages: list[Message], lookup: bool) -> Finished:
    """The likeliest answer."""
    return finish(engine.chat(messages, replace(GREEDY, prompt_lookup=lookup)))


def measure(engine: LocalEngine, task: Callable[[LocalEngine], Iterator[Job]], rounds: int) -> dict[str, float]:
    """Tokens a feed with prompt lookup, and its tokens/s against those without: the median of the rounds' ratios. Each
    answer is written both ways in turn, so that what else the machine does meets both alike."""
    ratios, sums = [], {True: Sum(), False: Sum()}
    for number in range(rounds + 1):
        sums = {True: Sum(), False: Sum()}
        for place, job in enumerate(task(engine)):
            texts = {}
            for lookup in (False, True) if (number + place) % 2 else (True, False):
                written = job(lookup)
                texts[lookup] = written.text
                sums[lookup].add(written.stats)
            if texts[True] != texts[False]:
                raise SystemExit("prompt lookup changed an answer")
        if number:  # the first round warms up
            ratios.append(sums[False].seconds / sums[True].seconds)
    return {
        "tokens_per_feed": sums[True].tokens / sums[True].feeds,
        "speed_ratio": statistics.median(ratios),
        "speed_ratio_least": min(ratios),
        "speed_ratio_most": max(ratios),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="of all answers, after one to warm up (default 9)")
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    args = parser.parse_args()
    if args.write:
        check_clean()
    with LocalEngine.open(embedded_bundle(sys.stderr), backend="torch") as engine:
        figures = {task.__name__: measure(engine, task, args.rounds) for task in (rewrite, free)}
    result = make_record("prompt_lookup", ("torch", "numpy"), {"model": "falcon-tiny-instruct", **figures})
    print(json.dumps(result, indent=2))
    if args.write:
        print(write_record(result))


if __name__ == "__main__":
    main()
