"""Grammars: whatever the model would rather say, the answer has the form that was asked for."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import numpy as np
import pytest

from runtime.errors import OptionError
from runtime.events import Finished
from runtime.generation import generate
from runtime.grammar import Matcher, check_grammar
from runtime.options import GenerationOptions, Grammar
from runtime.packages import install_command
from runtime.sampling import SamplingConfig
from runtime.session import Session
from runtime.tokenizer import Tokenizer
from tests.runtime.conftest import NgramBackend, small_core

pytest.importorskip("llguidance", reason="llguidance is not installed (extra `grammar`)")
SMALL = Tokenizer(small_core(), eos_token="<|endoftext|>")
PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 8}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def answer(grammar: Grammar, seed: int, *, trim: bool = False, limit: int = 200) -> Finished:
    """What a model that chooses at random says within `grammar`."""
    session = Session(NgramBackend(vocab_size=SMALL.vocab_size, context_length=256))
    options = GenerationOptions(
        sampling=SamplingConfig(temperature=5, top_p=1, seed=seed), grammar=grammar, max_new_tokens=limit
    )
    *_, last = generate(session, SMALL.encode("Q:"), SMALL, options, stop=("\nUser",), trim=trim)
    assert isinstance(last, Finished)
    return last


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    "pattern", [r"(yes|no|maybe)", r"[0-9]{3}-[0-9]{4}", r"[a-c]{2,5}(, [a-c]{2,5}){0,3}\.", "é+🙂"]
)
def test_an_answer_matches_the_regular_expression_or_was_cut_at_the_limit(pattern: str, seed: int) -> None:
    last = answer(Grammar(kind="regex", text=pattern), seed)
    assert last.reason in ("stop", "length")
    if last.reason == "stop":
        assert re.fullmatch(pattern, last.text)


@pytest.mark.parametrize("trim", [False, True])
@pytest.mark.parametrize(
    "pattern",
    [
        r"^(yes|no)$",
        r"\Ayes\z",
        "(^yes$)",
        "^a|b$",
        "a/b",
        "/",
        r"a\/b",
        " ?yes",
        "[ a]{2,4}b",
        "yes ",
        "  yes",
        r"\n\nyes",
        r"(\s|x){5}",
    ],
)
def test_anchors_slashes_and_spaces_of_a_regular_expression_are_its_own(pattern: str, trim: bool) -> None:
    for seed in range(5):
        last = answer(Grammar(kind="regex", text=pattern), seed, trim=trim)
        assert last.reason == "stop"
        assert re.fullmatch(pattern.replace(r"\z", r"\Z"), last.text), last.text


def test_a_schema_cannot_tell_how_strictly_it_is_kept() -> None:
    schema = {"x-guidance": {"lenient": True}, "not": {"type": "string"}}
    with pytest.raises(OptionError, match="x-guidance could loosen it; leave it out"):
        check_grammar(Grammar(kind="json_schema", text=json.dumps(schema)))


@pytest.mark.parametrize("trim", [False, True])
@pytest.mark.parametrize(("kind", "text"), [("regex", "[a&&b]"), ("regex", "x[a&&b]"), ("json_schema", '{"$ref":"#"}')])
def test_a_grammar_that_no_text_fits_is_refused_and_not_an_empty_answer(kind: Any, text: str, trim: bool) -> None:
    with pytest.raises(OptionError, match=r"no text can be all that the (regex|JSON schema) asks for"):
        answer(Grammar(kind=kind, text=text), 1, trim=trim)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("trim", [False, True])
def test_an_answer_is_json_of_the_schema(seed: int, trim: bool) -> None:
    last = answer(Grammar(kind="json_schema", text=json.dumps(PERSON)), seed, trim=trim)
    if last.reason == "length":  # an integer may have any number of digits
        assert len(last.tokens) == 200
        return
    said = json.loads(last.text)
    assert set(said) == {"name", "age"}
    assert isinstance(said["name"], str)
    assert isinstance(said["age"], int)
    assert said["age"] >= 0
    assert last.text == last.text.strip()


def test_an_enumeration_leaves_no_other_word() -> None:
    said = {answer(Grammar(kind="json_schema", text='{"enum": ["red", "green"]}'), seed).text for seed in range(12)}
    assert said == {'"red"', '"green"'}


def test_the_chat_formats_stop_texts_do_not_cut_what_the_grammar_asks_for() -> None:
    last = answer(Grammar(kind="regex", text="a\nUser: b"), 0)
    assert (last.reason, last.text) == ("stop", "a\nUser: b")


def test_at_the_end_only_the_end_of_text_is_left() -> None:
    matcher = Matcher(Grammar(kind="regex", text="yes"), SMALL)
    for token in SMALL.encode("yes"):
        assert matcher.allowed(SMALL.vocab_size)[token]
        matcher.accept(token)
    assert np.flatnonzero(matcher.allowed(SMALL.vocab_size)).tolist() == [SMALL.eos_id]
    matcher.accept(SMALL.eos_id)
    assert np.flatnonzero(matcher.allowed(SMALL.vocab_size)).tolist() == [SMALL.eos_id]


def test_control_tokens_are_allowed_nowhere_but_at_the_end() -> None:
    matcher = Matcher(Grammar(kind="regex", text="(?s:.)*"), SMALL)
    allowed = matcher.allowed(SMALL.vocab_size)
    assert {token for token in SMALL.control_ids if allowed[token]} <= {SMALL.eos_id}


def test_a_token_against_the_grammar_is_a_bug_and_says_so() -> None:
    matcher = Matcher(Grammar(kind="regex", text="yes"), SMALL)
    with pytest.raises(RuntimeError, match="against the grammar"):
        matcher.accept(SMALL.encode("no")[0])


def test_falcons_own_vocabulary_matches_multibyte_text(falcon_tokenizer: Tokenizer) -> None:
    text = '{"name": "Zoë 🦅", "age": 12}'
    matcher = Matcher(Grammar(kind="json_schema", text=json.dumps(PERSON)), falcon_tokenizer, leading_space=True)
    for token in falcon_tokenizer.encode(" " + text):
        assert matcher.allowed(falcon_tokenizer.vocab_size)[token]
        matcher.accept(token)
    assert matcher.allowed(falcon_tokenizer.vocab_size)[falcon_tokenizer.eos_id]


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        ("regex", "(ab", "unclosed group"),
        ("json_schema", "{", "not JSON"),
        ("json_schema", "[1]", "is an object"),
        ("json_schema", '{"type": "frob"}', "the JSON schema cannot be used: failed to"),
        ("json_schema", '{"$ref": "http://example.com/x"}', "example.com"),
    ],
)
def test_what_is_no_grammar_is_refused_in_a_sentence(kind: Any, text: str, says: str) -> None:
    for refuse in (check_grammar, lambda grammar: Matcher(grammar, SMALL)):
        with pytest.raises(OptionError) as caught:
            refuse(Grammar(kind=kind, text=text))
        assert says in str(caught.value)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 300


@pytest.mark.parametrize(("kind", "text"), [("regex", "é+|[0-9]{3}"), ("json_schema", json.dumps(PERSON))])
def test_a_grammar_that_is_one_passes_the_check(kind: Any, text: str) -> None:
    check_grammar(Grammar(kind=kind, text=text))


def test_without_llguidance_a_grammar_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llguidance", None)  # as if it were not installed
    for refuse in (check_grammar, lambda grammar: Matcher(grammar, SMALL)):
        with pytest.raises(
            OptionError, match=re.escape(f"a grammar needs llguidance: `{install_command('grammar')}`.")
        ):
            refuse(Grammar(kind="regex", text="a"))


WITHOUT_END: dict[str, Any] = {
    "type": "object",
    "properties": {"c": {"$ref": "#"}},
    "required": ["c"],
    "additionalProperties": False,
}
MANY_FIELDS = {"type": "object", "properties": {f"field_{number}": {"type": "string"} for number in range(2_000)}}


@pytest.mark.parametrize(
    ("kind", "text", "name"),
    [
        ("regex", "(a{1000}){1000}{1000}", "regex"),
        ("json_schema", json.dumps(MANY_FIELDS), "JSON schema"),
        ("json_schema", json.dumps(WITHOUT_END), "JSON schema"),
    ],
)
def test_a_grammar_that_is_too_complex_is_refused_in_a_sentence(kind: Any, text: str, name: str) -> None:
    with pytest.raises(OptionError, match=f"the {name} is too complex to be followed; simplify it") as caught:
        answer(Grammar(kind=kind, text=text), 0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "text"), [("xml", "a"), ("regex", ""), ("regex", "  "), ("regex", 3), ("regex", "\ud800")]
)
def test_a_grammar_of_another_kind_or_without_text_is_refused(kind: Any, text: Any) -> None:
    with pytest.raises(OptionError):
        Grammar(kind=kind, text=text)
