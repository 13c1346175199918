"""Tokenizer: public vectors, round trips, and text that only looks like control tokens."""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import decoders, models, pre_tokenizers, trainers

from runtime.errors import TokenizerError
from runtime.tokenizer import Tokenizer, resolve_eos
from tests.runtime.conftest import CONTROL_TOKENS, FALCON_TOKENIZER, small_core

# Falcon's vocabulary lacks the bytes of some control characters and of the unassigned planes 8 to 11.
letters = st.characters(exclude_categories=["Cs", "Cc", "Cn"]) | st.sampled_from("\n\r\t\0\x1b\x7f")
spelled = st.lists(st.sampled_from(CONTROL_TOKENS) | st.text(letters, max_size=8)).map("".join)


def vectors(name: str) -> list[tuple[str, list[int]]]:
    file = FALCON_TOKENIZER / name
    if not file.exists():
        pytest.skip(f"no vectors at {file}")
    return [(v["text"], v["ids"]) for v in json.loads(file.read_text(encoding="utf-8"))["vectors"]]


@pytest.mark.parametrize(("name", "count"), [("vectors_llamacpp.json", 47), ("vectors_extra.json", 150)])
def test_every_published_vector_agrees(falcon_tokenizer: Tokenizer, name: str, count: int) -> None:
    pairs = vectors(name)
    assert len(pairs) >= count
    for text, ids in pairs:
        assert falcon_tokenizer.encode(text, control_tokens=True) == ids
        assert falcon_tokenizer.decode(ids) == text
        if not falcon_tokenizer.control_ids.intersection(ids):
            assert falcon_tokenizer.encode(text) == ids


@settings(max_examples=60, deadline=None)
@given(text=spelled)
def test_users_text_comes_back_whole_and_is_never_a_control_token(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert not tokenizer.control_ids.intersection(ids)


@settings(max_examples=60, deadline=None)
@given(text=spelled)
def test_control_tokens_are_parsed_as_the_library_parses_them(text: str) -> None:
    assert SMALL.encode(text, control_tokens=True) == PLAIN.encode(text, add_special_tokens=False).ids


PLAIN = small_core()
SMALL = Tokenizer(small_core(), eos_token="<|endoftext|>")


@settings(max_examples=60, deadline=None)
@given(ids=st.lists(st.integers(min_value=0, max_value=299), max_size=30))
def test_decoding_any_ids_is_what_the_librarys_decoder_says(ids: list[int]) -> None:
    assert SMALL.decode(ids) == PLAIN.decode(ids, skip_special_tokens=False)


def test_falcons_twelve_control_tokens_are_the_first_ids(tokenizer: Tokenizer) -> None:
    assert tokenizer.control_ids == frozenset(range(12))
    assert [tokenizer.control_id(name) for name in CONTROL_TOKENS] == list(range(12))
    assert tokenizer.eos_id == 11


def test_an_unknown_control_token_is_refused_with_the_known_ones(small_tokenizer: Tokenizer) -> None:
    with pytest.raises(TokenizerError, match="no control token '>>USER<<'; it has >>TITLE<<"):
        small_tokenizer.control_id(">>USER<<")


def test_bytes_of_tokens_join_to_the_text(tokenizer: Tokenizer) -> None:
    text = "naïve 🙂 \x00\x7f\xad кот 한국어\n\n\nend"
    assert b"".join(map(tokenizer.token_bytes, tokenizer.encode(text))) == text.encode()


def test_every_single_byte_has_a_token(small_tokenizer: Tokenizer) -> None:
    spelled_bytes = {small_tokenizer.token_bytes(token) for token in range(12, small_tokenizer.vocab_size)}
    assert {bytes([byte]) for byte in range(256)} <= spelled_bytes


@pytest.mark.parametrize("token", [-1, 300, 10**12])
def test_an_id_outside_the_vocabulary_is_refused(small_tokenizer: Tokenizer, token: int) -> None:
    with pytest.raises(TokenizerError, match=f"Token id {token} is not in this tokenizer's vocabulary of 300"):
        small_tokenizer.token_bytes(token)


def test_half_a_surrogate_pair_is_refused_and_its_place_named(small_tokenizer: Tokenizer) -> None:
    with pytest.raises(TokenizerError, match=r"surrogate pair \(U\+D83D at character 3\)"):
        small_tokenizer.encode("ab\ud83d")


@pytest.mark.parametrize("text", [None, b"bytes", 5, ["a"]])
def test_what_is_no_str_is_refused(small_tokenizer: Tokenizer, text: object) -> None:
    with pytest.raises(TokenizerError, match="must be a str"):
        small_tokenizer.encode(text)  # type: ignore[arg-type]


def test_nul_is_a_character_like_others(small_tokenizer: Tokenizer) -> None:
    assert small_tokenizer.decode(small_tokenizer.encode("a\0b")) == "a\0b"


def test_a_character_that_the_vocabulary_cannot_spell_is_replaced_not_halved(falcon_tokenizer: Tokenizer) -> None:
    assert falcon_tokenizer.decode(falcon_tokenizer.encode("a\x0bb\U00080000c")) == "a\ufffdb\ufffdc"


def test_opening_reads_the_folder_and_forgets_training_limits(tmp_path: Path) -> None:
    core = small_core()
    core.enable_truncation(4)
    core.enable_padding(length=8)
    core.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text('{"eos_token": {"content": "<|endoftext|>"}}')
    opened = Tokenizer.open(tmp_path)
    text = "the quick brown fox jumps over the lazy dog"
    assert opened.decode(opened.encode(text)) == text
    assert opened.eos_id == 11


def test_a_missing_tokenizer_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match=r"tokenizer.json does not exist; name a folder"):
        Tokenizer.open(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"[]", b"\xff\xfe", b'{"version": "1.0", "model": 5}', b"null"])
def test_a_corrupt_tokenizer_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(TokenizerError, match=r"is damaged .*fetch the file again\.$"):
        Tokenizer.open(tmp_path)


@pytest.mark.parametrize("name", ["tokenizer_config.json", "config.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe"])
def test_a_corrupt_settings_file_is_one_sentence(tmp_path: Path, name: str, content: bytes) -> None:
    small_core().save(str(tmp_path / "tokenizer.json"))
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TokenizerError, match=rf"{name} .*fetch the file again\.$"):
        Tokenizer.open(tmp_path)


def test_a_tokenizer_that_is_not_byte_level_is_refused() -> None:
    with pytest.raises(TokenizerError, match="not byte-level"):
        Tokenizer(tokenizers.Tokenizer(models.WordLevel({"a": 0}, unk_token="a")))


def test_early_falcons_wrong_end_ids_do_not_win_over_the_tokenizer(small_tokenizer: Tokenizer) -> None:
    # ids 1 and 2 are >>ABSTRACT<< and >>INTRODUCTION<<, and the early generation_config.json says they begin and end
    assert resolve_eos({"bos_token_id": 1, "eos_token_id": 2}, small_tokenizer) == 11


def gpt2_like(**options: object) -> tokenizers.Tokenizer:
    """As rw-1b's: `<|endoftext|>` is the last id, ordinary text the first."""
    core = tokenizers.Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core.train_from_iterator([], trainers.BpeTrainer(initial_alphabet=alphabet, show_progress=False))
    return core


def test_rw_1bs_end_is_named_by_the_tokenizer_since_its_config_names_ordinary_text() -> None:
    core = gpt2_like()
    core.add_special_tokens(["<|endoftext|>"])
    for eos in (None, "<|endoftext|>"):
        assert Tokenizer(core, eos_token=eos, config={"eos_token_id": 2}).eos_id == 256


def test_config_decides_the_end_where_the_tokenizer_names_none() -> None:
    core = gpt2_like()
    core.add_special_tokens(["<s>", "</s>"])
    assert Tokenizer(core, config={"eos_token_id": 257}).eos_id == 257
    assert Tokenizer(core, config={"eos_token_id": [3, 256]}).eos_id == 256
    with pytest.raises(TokenizerError, match=r"Neither tokenizer_config\.json nor config.json"):
        Tokenizer(core, config={"eos_token_id": 3})


def test_a_megabyte_is_encoded_and_comes_back(small_tokenizer: Tokenizer) -> None:
    letters = np.random.default_rng(0).integers(32, 127, size=100_000, dtype=np.uint8)
    text = "falcon " * 130_000 + letters.tobytes().decode("ascii")
    assert small_tokenizer.decode(small_tokenizer.encode(text)) == text


fragments = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=12),
    st.sampled_from(
        ["the fox's ", " 12345 ", "don't\n\n", "日本語です。", "a.b,c", "    ", "\u180e x", "²!", "\r\n\t", "'s"]
    ),
)


@cache
def trained_core() -> str:
    return small_core().to_str()


@settings(max_examples=12, deadline=None)
@given(parts=st.lists(fragments, min_size=1, max_size=40), seed=st.integers(0, 9))
def test_a_long_text_has_the_ids_that_it_has_in_one_piece(parts: list[str], seed: int) -> None:
    chance = random.Random(seed)
    text = "".join(chance.choices(parts, k=40_000 // max(1, sum(map(len, parts)) // len(parts))))
    core, own = (tokenizers.Tokenizer.from_str(trained_core()) for _ in range(2))
    tokenizer = Tokenizer(own, eos_token="<|endoftext|>")
    core.encode_special_tokens = True
    whole = core.encode(text, add_special_tokens=False).ids
    ids = tokenizer.encode(text)
    assert ids == whole
    assert tokenizer.count_up_to(text, len(whole) + 1) == len(whole)
    for enough in (1, 100, len(whole)):
        assert min(enough, len(whole)) <= tokenizer.count_up_to(text, enough) <= len(whole)
    first, last = tokenizer.encode_ends(text, 50)
    assert (whole[: len(first)], whole[len(whole) - len(last) :]) == (first, last)
    assert min(len(first), len(last)) >= min(50, len(whole))


def test_where_a_text_cannot_be_parted_the_longest_token_bounds_its_count(small_tokenizer: Tokenizer) -> None:
    text = "x" * 200_000
    assert 100 <= small_tokenizer.count_up_to(text, 100) <= len(small_tokenizer.encode(text))


def test_a_pre_tokenizer_that_parts_nothing_is_given_every_text_whole() -> None:
    core = small_core()
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    text = "the end of text is near " * 1000
    assert Tokenizer(core, eos_token="<|endoftext|>").encode(text) == core.encode(text, add_special_tokens=False).ids
