"""Detokenizer: whole characters only, stop texts held back, nothing lost and nothing shown twice."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.chat import TEMPLATES
from runtime.detokenizer import Detokenizer, StopMatcher
from runtime.errors import OptionError
from runtime.tokenizer import Tokenizer
from tests.runtime.conftest import small_core

SMALL = Tokenizer(small_core(), eos_token="<|endoftext|>")
ID_OF_BYTE = {SMALL.token_bytes(token): token for token in range(12, SMALL.vocab_size)}


def byte_tokens(data: bytes) -> list[int]:
    return [ID_OF_BYTE[data[place : place + 1]] for place in range(len(data))]


def deltas(tokens: Sequence[int], *, stop: Sequence[str] = (), trim: bool = False) -> list[str]:
    writer = Detokenizer(SMALL, stop=stop, trim=trim)
    return [*(writer.push(token) for token in tokens), writer.finish()]


def test_a_character_is_shown_once_its_last_byte_is_there() -> None:
    assert deltas(byte_tokens("é🙂".encode())) == ["", "é", "", "", "", "🙂", ""]


@settings(max_examples=80, deadline=None)
@given(text=st.text(max_size=60))
def test_the_deltas_of_any_text_are_the_text(text: str) -> None:
    assert "".join(deltas(SMALL.encode(text))) == text
    assert "".join(deltas(byte_tokens(text.encode()))) == text


@settings(max_examples=80, deadline=None)
@given(data=st.binary(max_size=40))
def test_bytes_that_are_no_text_become_what_the_librarys_decoder_makes_of_them(data: bytes) -> None:
    tokens = byte_tokens(data + b".")  # the full stop ends any unfinished character
    assert "".join(deltas(tokens)) == library_decoded(tokens)


CORE = small_core()


def library_decoded(tokens: list[int]) -> str:
    return str(CORE.decode(tokens, skip_special_tokens=False))


def test_a_character_unfinished_at_the_end_is_left_out() -> None:
    assert "".join(deltas(byte_tokens("ok 🙂".encode()[:-1]))) == "ok "


def test_control_tokens_have_no_text() -> None:
    tokens = [SMALL.eos_id, *SMALL.encode("yes"), SMALL.control_id(">>ANSWER<<")]
    assert "".join(deltas(tokens)) == "yes"


def test_a_false_start_of_a_stop_text_is_shown() -> None:
    assert deltas(byte_tokens(b"a\nUse it"), stop=["\nUser"]) == ["a", "", "", "", "", "\nUse ", "i", "t", ""]
    assert "".join(deltas(byte_tokens(b"a\nUse"), stop=["\nUser"])) == "a\nUse"


def test_a_stop_text_need_not_fall_on_token_boundaries() -> None:
    tokens = SMALL.encode("Paris is the capital of France")
    assert len(tokens) < len("Paris is the capital of France")
    writer = Detokenizer(SMALL, stop=["e cap"])
    assert "".join(writer.push(token) for token in tokens) + writer.finish() == "Paris is th"
    assert writer.stop_text == "e cap"


def test_of_stops_that_end_together_the_longer_wins() -> None:
    assert "".join(deltas(byte_tokens(b"a.\n\nUser: x"), stop=["\nUser", "\n\nUser"])) == "a."


@pytest.mark.parametrize("name", sorted(set(TEMPLATES) - {"raw"}))
def test_a_line_of_users_is_no_turn_and_a_turn_that_was_only_begun_is_left_out(name: str) -> None:
    stop = TEMPLATES[name].stop
    assert "".join(deltas(byte_tokens(b"Roles:\nAdmins\nUsers\nGuests"), stop=stop)) == "Roles:\nAdmins\nUsers\nGuests"
    assert "".join(deltas(byte_tokens(b"Roles:\nEnd User: you"), stop=stop)) == "Roles:\nEnd User: you"
    for begun in (b"Yes.\nUser", b"Yes.\n\nUser", b"Yes.\nUser: no", b"Yes.\n\nUser: no", b"Yes.\nUser<|endoftext|>x"):
        assert "".join(deltas(byte_tokens(begun), stop=stop)) == "Yes."
    assert "".join(deltas(byte_tokens(b"Yes.\nUse"), stop=stop)) == "Yes.\nUse"


@pytest.mark.parametrize("name", sorted(set(TEMPLATES) - {"raw"}))
def test_a_word_that_begins_a_turn_stays_where_the_text_was_cut_after_it(name: str) -> None:
    writer = Detokenizer(SMALL, stop=TEMPLATES[name].stop, trim=True)
    shown = "".join(writer.push(token) for token in byte_tokens(b"The roles are:\nUser"))
    assert shown + writer.finish(cut=True) == "The roles are:\nUser"


def test_a_stop_that_overlaps_its_own_false_start_is_found() -> None:
    assert "".join(deltas(byte_tokens(b"xaaab"), stop=["aab"])) == "xa"


texts = st.text(alphabet="ab\n", max_size=30)
stops = st.lists(st.text(alphabet="ab\n", min_size=1, max_size=4), max_size=3)


@settings(max_examples=300, deadline=None)
@given(text=texts, stop=stops, cuts=st.lists(st.integers(0, 30)))
def test_the_answer_ends_where_the_first_stop_is_complete_however_it_is_cut(
    text: str, stop: list[str], cuts: list[int]
) -> None:
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    matcher = StopMatcher(stop)
    shown = "".join(matcher.push(text[a:b]) for a, b in pairwise(places)) + matcher.finish()
    expected, found = text, None
    for end in range(len(text) + 1):  # the slow way: after every character, look at the whole text
        ended = [s for s in stop if text[:end].endswith(s)]
        if ended:
            found = max(ended, key=len)
            expected = text[: end - len(found)]
            break
    assert (shown, matcher.found) == (expected, found)


@settings(max_examples=200, deadline=None)
@given(text=texts, stop=stops)
def test_no_more_is_held_than_may_grow_into_a_stop(text: str, stop: list[str]) -> None:
    matcher = StopMatcher(stop)
    shown = ""
    for place, letter in enumerate(text, start=1):
        shown += matcher.push(letter)
        if matcher.found is None:
            held = text[:place].removeprefix(shown)
            assert not held or any(s.startswith(held) and s != held for s in stop)


@settings(max_examples=200, deadline=None)
@given(text=st.text(alphabet="ab \n\té", max_size=20))
def test_trimming_leaves_out_the_white_space_around_the_answer_only(text: str) -> None:
    shown = deltas(byte_tokens(text.encode()), trim=True)
    assert "".join(shown) == text.strip()


@pytest.mark.parametrize("stop", ["User", [""], ["a", ""], [5]])
def test_a_bad_stop_is_refused(stop: Sequence[str]) -> None:
    with pytest.raises(OptionError, match=r"[Ss]top text|list of texts"):
        Detokenizer(SMALL, stop=stop)
