"""Exact answers on held-out questions: `python -m models.tiny.evaluate [FOLDER] [--show]`.

Held-out are one in ten combinations of wording and subject, and names that training never told. Chat is not held out.
"""
# ruff: noqa: T201 - a command: what it prints is its output

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer

from models.checkpoint import Checkpoint
from models.falcon import Falcon
from models.tiny import FOLDER
from models.tiny.dialogues import KINDS, Dialogue, Memory, follow_up, system_text, without_mark
from models.tiny.tokenizer import END
from models.tiny.topics import TOPICS, Turn, single

_BATCH = 64
_LONGEST = 64  # tokens of an answer


@dataclass(frozen=True)
class Case:
    """A conversation whose last answer counts."""

    topic: str
    dialogue: Dialogue


@dataclass(frozen=True)
class Outcome:
    """A case and what the model said in its last turn."""

    case: Case
    said: str

    @property
    def exact(self) -> bool:
        """Whether that is the one right answer."""
        return self.said == self.case.dialogue.turns[-1].answer


def make_cases(seed: int, count: int) -> list[Case]:
    """`count` held-out cases of each kind."""
    rng = Random(f"evaluation {seed}")
    cases = []
    for topic in TOPICS:
        for _ in range(count):
            turn = single(rng, topic, lower=rng.random() < 0.15, held=topic != "chat")
            cases.append(_case(rng, topic, [turn]))
    for _ in range(count):
        topic = rng.choice(("capitals", "opposites"))
        cases.append(_case(rng, "follow-ups", [_opening(rng, topic), follow_up(rng, topic, held=True)]))
        cases.append(_case(rng, "memory, three turns", _memory_turns(rng, fillers=1)))
        cases.append(_case(rng, "memory, five turns", _memory_turns(rng, fillers=3)))
        cases.append(_case(rng, "memory, never told", [Memory(rng, held=True).ask(rng.choice(KINDS))]))
        topic = rng.choice(tuple(TOPICS))
        fillers = [_filler(rng) for _ in range(rng.randint(2, 6))]
        cases.append(_case(rng, "long conversations", [*fillers, single(rng, topic, held=topic != "chat")]))
    return cases


def answer_all(model: Falcon, tokenizer: Tokenizer, cases: Sequence[Case]) -> list[Outcome]:
    """Let the model speak in every turn, greedily; its own earlier answers stand in the later prompts."""
    transcripts = [""] * len(cases)
    said = [""] * len(cases)
    for index in range(max(len(case.dialogue.turns) for case in cases)):
        active = [n for n, case in enumerate(cases) if index < len(case.dialogue.turns)]
        for n in active:
            transcripts[n] += list(cases[n].dialogue.segments())[index][0]
        active.sort(key=lambda n: len(transcripts[n]))
        for first in range(0, len(active), _BATCH):
            part = active[first : first + _BATCH]
            prompts = [tokenizer.encode(transcripts[n], add_special_tokens=False).ids for n in part]
            for n, ids in zip(part, greedy(model, prompts), strict=True):
                text = tokenizer.decode(ids)
                transcripts[n] += text
                said[n] = text.removeprefix(" ")
    return [Outcome(case, text) for case, text in zip(cases, said, strict=True)]


@torch.no_grad()
def greedy(model: Falcon, prompts: Sequence[list[int]]) -> list[list[int]]:
    """The most likely continuation of each prompt up to the end mark, token by token."""
    ids = [list(prompt) for prompt in prompts]
    active = list(range(len(ids)))
    for _ in range(_LONGEST):
        width = max(len(ids[n]) for n in active)
        padded = torch.tensor([ids[n] + [END] * (width - len(ids[n])) for n in active])
        hidden = model.transformer(padded, None, None)
        last = hidden[torch.arange(len(active)), torch.tensor([len(ids[n]) - 1 for n in active])]
        best = model.lm_head(model.transformer.ln_f(last)).argmax(-1).tolist()
        for n, token in zip(active, best, strict=True):
            ids[n].append(token)
        active = [n for n in active if ids[n][-1] != END]
        if not active:
            break
    return [[i for i in row[len(prompt) :] if i != END] for row, prompt in zip(ids, prompts, strict=True)]


def table(outcomes: Sequence[Outcome]) -> dict[str, tuple[int, int]]:
    """Right answers and cases by topic; `overall` counts all but chat, which is not held out."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for outcome in outcomes:
        for topic in (outcome.case.topic, *(["overall"] if outcome.case.topic != "chat" else [])):
            counts[topic][0] += outcome.exact
            counts[topic][1] += 1
    return {topic: (right, total) for topic, (right, total) in counts.items()}


def _case(rng: Random, topic: str, turns: Sequence[Turn]) -> Case:
    bare = rng.random() < 0.15
    turns = [without_mark(turn) for turn in turns] if bare else turns
    return Case(topic, Dialogue(tuple(turns), system_text(rng), leading=rng.random() < 0.6))


def _opening(rng: Random, topic: str) -> Turn:
    while True:
        turn = single(rng, topic)
        if turn.answer.startswith("The "):
            return turn


def _filler(rng: Random) -> Turn:
    return single(rng, rng.choice(tuple(TOPICS)))


def _memory_turns(rng: Random, fillers: int) -> list[Turn]:
    memory = Memory(rng, held=True)
    kind = rng.choice(("name", "name", *KINDS))
    lower = rng.random() < 0.1
    return [memory.tell(kind, lower=lower), *(_filler(rng) for _ in range(fillers)), memory.ask(kind, lower=lower)]


def main() -> None:
    """Evaluate from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    parser.add_argument("--count", type=int, default=100, help="cases of each kind")
    parser.add_argument("--seed", type=int, default=1, help="of the choice of cases; 0 was looked at while training")
    parser.add_argument("--show", action="store_true", help="print every wrong answer")
    arguments = parser.parse_args()
    model = Checkpoint.open(arguments.folder).load()
    tokenizer = Tokenizer.from_file(str(arguments.folder / "tokenizer.json"))
    outcomes = answer_all(model, tokenizer, make_cases(arguments.seed, arguments.count))
    for outcome in outcomes:
        if arguments.show and not outcome.exact:
            turn = outcome.case.dialogue.turns[-1]
            print(f"{outcome.case.topic}: {turn.question!r} -> {outcome.said!r}, not {turn.answer!r}")
    for topic, (right, total) in table(outcomes).items():
        print(f"{topic:22s} {right:5d} / {total:5d}  {100 * right / total:6.1f} %")


if __name__ == "__main__":
    main()
