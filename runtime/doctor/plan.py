"""What a child is asked to do: which tokens are fed in which pieces, and which backends are tried."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain, cycle, islice
from typing import Any

from runtime.backends.program import CHUNK
from runtime.manifest import Manifest

LARGE_WEIGHTS = 1 << 29  # beyond it the interpreter takes seconds a predict

TEXTS = (
    "The quick brown fox jumps over the lazy dog, and then it goes home to sleep until the morning.",
    "\n\nUser: What is the capital of France?\n\nAssistant:",
    "In 1969, two people walked on the Moon; 3 + 4 = 7, and 12 - 5 = 7 as well.",
)
_LENGTH = 40  # tokens of each text that are used
_LONG = 2 * CHUNK  # tokens of all texts one after another, in the pieces in which a prompt is fed
_FOLLOWED = 8  # tokens that the interpreter continues with; every other backend is then fed these
_PREFILL, _DECODE = 256, 32  # tokens by which speed is measured


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One backend to try. `opener` is "module:function", as in `openers`.

    Scores are right when their divergence from the interpreter's stays under the two limits, in nats a token.
    """

    name: str
    backend: str  # candidates of one backend share the reason for which it cannot run
    opener: str
    mean_kl: float
    max_kl: float
    unit: str | None = None  # of Core ML, as --compute-units names it


REFERENCE = Candidate(
    name="reference", backend="reference", opener="runtime.doctor.openers:reference", mean_kl=0, max_kl=0
)

# float32 differs from the interpreter by rounding. A GPU or Neural Engine adds up in 16 bits: its limits leave room for
# that, and are far below what a wrong mask, cache or table costs, which is whole nats. An NVIDIA
# card adds up in 32 bits what it multiplies in 16.
CANDIDATES = (
    *(
        Candidate(
            name=f"coreml on {device}",
            backend="coreml",
            opener=f"runtime.doctor.openers:coreml_{device}",
            mean_kl=0.02,
            max_kl=0.5,
            unit=unit,
        )
        for device, unit in (("gpu", "cpu_and_gpu"), ("cpu", "cpu_only"), ("ne", "cpu_and_ne"))
    ),
    Candidate(name="cuda", backend="cuda", opener="runtime.doctor.openers:cuda", mean_kl=1e-3, max_kl=1e-2),
    Candidate(name="torch", backend="torch", opener="runtime.doctor.openers:torch", mean_kl=1e-4, max_kl=1e-3),
)


@dataclass(frozen=True, kw_only=True)
class Feed:
    """Token ids and the pieces they are fed in; then `follow` tokens more, each the likeliest after the last."""

    tokens: tuple[int, ...]
    pieces: tuple[int, ...]
    follow: int = 0

    @property
    def rows(self) -> int:
        """Positions that it scores: one a piece, one a token that follows."""
        return len(self.pieces) + self.follow


@dataclass(frozen=True, kw_only=True)
class Speed:
    """How speed is measured: `prefill` tokens of prompt, `decode` single ones, at most `seconds` for each."""

    prefill: int
    decode: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Job:
    """All that a child is told. Scores go to the file `scores`: rows of float32, one after another."""

    folder: str
    opener: str
    scores: str
    feeds: tuple[Feed, ...]
    speed: Speed | None = None
    reload: bool = False

    def to_json(self) -> dict[str, Any]:
        """As it is written to the child."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Job:
        """As the child reads it."""
        feeds = tuple(
            Feed(tokens=tuple(feed["tokens"]), pieces=tuple(feed["pieces"]), follow=feed["follow"])
            for feed in raw["feeds"]
        )
        speed = Speed(**raw["speed"]) if raw["speed"] else None
        return cls(**{**raw, "feeds": feeds, "speed": speed})

    @property
    def rows(self) -> int:
        """Positions that it scores."""
        return sum(feed.rows for feed in self.feeds)


def is_large(manifest: Manifest) -> bool:
    """Whether the model has too many weights to be run often by the interpreter."""
    return sum(math.prod(weight.shape) for weight in manifest.weights.values()) > LARGE_WEIGHTS


def make_feeds(prompts: Sequence[Sequence[int]], *, context_length: int, large: bool) -> tuple[Feed, ...]:
    """Each prompt in two pieces and on from there, and again token by token; then all of them as one prompt, in pieces
    as large as a chat's: what a device makes of many queries and keys shows there alone. A large model gets only that,
    less far."""
    follow = min(2 if large else _FOLLOWED, context_length // 2)
    feeds = []
    for ids in () if large else prompts:
        tokens = tuple(ids[: min(_LENGTH, context_length - follow)])
        half = (len(tokens) + 1) // 2
        pieces = (half, len(tokens) - half) if len(tokens) > 1 else (1,)
        feeds.append(Feed(tokens=tokens, pieces=pieces, follow=follow))
        feeds.append(Feed(tokens=tokens, pieces=(1,) * len(tokens)))
    long = tuple(islice(cycle(chain(*prompts)), min(_LONG, context_length - follow)))
    as_fed = tuple(min(CHUNK, len(long) - at) for at in range(0, len(long), CHUNK))
    return (*feeds, Feed(tokens=long, pieces=as_fed, follow=follow))


def followed(feeds: Sequence[Feed], continuations: Sequence[Sequence[int]]) -> tuple[Feed, ...]:
    """The same feeds with the interpreter's continuations written out, so that all score the same texts."""
    given = iter(continuations)
    made = []
    for feed in feeds:
        more = tuple(next(given)) if feed.follow else ()
        made.append(
            replace(feed, tokens=feed.tokens + more, pieces=feed.pieces + (1,) * len(more), follow=0) if more else feed
        )
    return tuple(made)


def make_speed(context_length: int, seconds: float) -> Speed:
    """Half of a small context for the prompt, and the rest for decoding."""
    prefill = max(min(_PREFILL, context_length // 2), 1)
    return Speed(prefill=prefill, decode=min(_DECODE, context_length - prefill), seconds=seconds)
