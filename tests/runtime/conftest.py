"""A tokenizer and a model small enough to be made in the test, and Falcon's own tokenizer where it is at hand."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tokenizers
from tokenizers import Regex, decoders, models, pre_tokenizers, trainers

from runtime.backends.base import (
    Backend,
    DraftCost,
    KeyValues,
    Logits,
    check_batch,
    check_saved,
    check_truncate,
    checked_tokens,
)
from runtime.chooser import Chooser
from runtime.errors import UserFacingError
from runtime.tokenizer import Tokenizer

FALCON_TOKENIZER = Path(__file__).parents[2].parent / "shared" / "data" / "tokenizer"
CONTROL_TOKENS = [
    *(">>TITLE<<", ">>ABSTRACT<<", ">>INTRODUCTION<<", ">>SUMMARY<<", ">>COMMENT<<", ">>ANSWER<<", ">>QUESTION<<"),
    *(">>DOMAIN<<", ">>PREFIX<<", ">>SUFFIX<<", ">>MIDDLE<<", "<|endoftext|>"),
]
CORPUS = [
    "User: What is the capital of France?\n\nAssistant: Paris is the capital of France.",
    "User: Who are you?\n\nAssistant: My name is Falcon. I am happy to help, naïve or not: 12345 times!",
    "the quick brown fox jumps over the lazy dog; the end of text is near, is it not? " * 3,
]


def small_core() -> tokenizers.Tokenizer:
    """A byte-level BPE of 300 tokens built as Falcon's is."""
    core = tokenizers.Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Punctuation(behavior="contiguous"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
            pre_tokenizers.Digits(individual_digits=False),
            pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated"),
        ]
    )
    core.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=CONTROL_TOKENS, initial_alphabet=alphabet, show_progress=False
    )
    core.train_from_iterator(CORPUS, trainer)
    return core


@pytest.fixture(scope="session")
def small_tokenizer() -> Tokenizer:
    return Tokenizer(small_core(), eos_token="<|endoftext|>")


@pytest.fixture(scope="session")
def falcon_tokenizer() -> Tokenizer:
    if not FALCON_TOKENIZER.is_dir():
        pytest.skip(f"no Falcon tokenizer at {FALCON_TOKENIZER}")
    return Tokenizer.open(FALCON_TOKENIZER)


@pytest.fixture(scope="session", params=["small_tokenizer", "falcon_tokenizer"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Tokenizer)
    return found


class TokenState:
    """Every token read, for models whose scores depend on nothing else."""

    def __init__(self) -> None:
        self.tokens: list[int] = []

    @property
    def length(self) -> int:
        return len(self.tokens)

    def truncate(self, length: int) -> None:
        check_truncate(length, self.length)
        del self.tokens[length:]


class NgramBackend:
    """A language model in memory: scores what followed the longest ending that its texts share with the tokens read.

    A hash of all tokens read stirs the scores a little, so that a state with one wrong token gives other scores.
    """

    name = "ngram"

    def __init__(
        self, texts: Sequence[Sequence[int]] = (), *, vocab_size: int, context_length: int = 256, chunk_length: int = 16
    ) -> None:
        self.texts = [list(text) for text in texts]
        self.vocab_size = vocab_size
        self.context_length = context_length
        self.chunk_length = chunk_length
        self.calls: list[int] = []  # tokens of each call, to count the work

    def new_state(self) -> TokenState:
        return TokenState()

    def feed(self, tokens: Sequence[int], state: TokenState) -> Logits:
        array = checked_tokens(
            tokens, length=state.length, context_length=self.context_length, vocab_size=self.vocab_size
        )
        state.tokens += array.tolist()
        self.calls.append(len(tokens))
        stir = np.random.default_rng(zlib.crc32(np.asarray(state.tokens, np.int32).tobytes()))
        logits = stir.normal(size=self.vocab_size).astype(np.float32)
        longest = 0
        for text in self.texts:
            for place in range(1, len(text)):
                shared = 0
                while shared < min(place, state.length) and text[place - 1 - shared] == state.tokens[-1 - shared]:
                    shared += 1
                if shared > longest:
                    longest, best = shared, text[place]
        if longest:
            logits[best] += 10
        return logits

    draft_cost: DraftCost | None = DraftCost(first=0.2, more=0.1)

    def feed_all(self, tokens: Sequence[int], state: TokenState) -> npt.NDArray[np.float32]:
        checked_tokens(tokens, length=state.length, context_length=self.context_length, vocab_size=self.vocab_size)
        rows = np.stack([self.feed([token], state) for token in tokens])
        self.calls[-len(tokens) :] = [len(tokens)]
        return rows

    def feed_batch(self, feeds: Sequence[tuple[Sequence[int], TokenState]]) -> list[Logits]:
        check_batch(feeds, context_length=self.context_length, vocab_size=self.vocab_size)
        return [self.feed(tokens, state) for tokens, state in feeds]

    def choose(self, tokens: Sequence[int], state: TokenState, chooser: Chooser) -> list[int]:
        return chooser.on_host(self.feed_all(tokens, state), tokens)

    def choose_batch(
        self, asks: Sequence[tuple[Sequence[int], TokenState, Chooser]]
    ) -> list[list[int] | UserFacingError]:
        return Backend.choose_batch(self, asks)

    def save_state(self, state: TokenState) -> KeyValues:
        array = np.array(state.tokens, np.float16).reshape(1, 1, -1, 1)  # ids of a small vocabulary are exact in it
        return KeyValues(array, array)

    def restore_state(self, saved: KeyValues) -> TokenState:
        check_saved(saved, layers=1, kv_heads=1, head_dim=1, context_length=self.context_length)
        state = TokenState()
        state.tokens = [int(token) for token in saved.keys.flatten()]
        return state

    def close(self) -> None:
        self.texts = []
