"""What a request asks for: every field of OpenAI's that means something, and a sentence for each that cannot be."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from runtime.chat import Message
from runtime.chooser import Chooser
from runtime.options import GenerationOptions, Grammar
from runtime.sampling import SamplingConfig
from runtime.serving.errors import RefusalError
from runtime.serving.requests import Ask, read_chat, read_completion

MOST = 8
HELLO = [{"role": "user", "content": "Hello"}]


def chat(**fields: Any) -> Ask:
    return read_chat(json.dumps({"messages": HELLO, **fields}).encode(), most=MOST)


def completion(**fields: Any) -> Ask:
    return read_completion(json.dumps({"prompt": "A", **fields}).encode(), most=MOST)


def refused(read: Any, **fields: Any) -> RefusalError:
    with pytest.raises(RefusalError) as caught:
        read(**fields)
    assert caught.value.message.endswith(".")
    assert "\n" not in caught.value.message
    return caught.value


def test_a_bare_request_has_the_runtimes_own_settings() -> None:
    asked = chat()
    assert asked.prompts == ((Message("user", "Hello"),),)
    assert asked.options == GenerationOptions(sampling=SamplingConfig(repetition_window=0))
    assert (asked.model, asked.count, asked.stream, asked.usage, asked.goes_on) == (None, 1, False, False, False)
    assert completion().options.max_new_tokens == 16
    assert completion().prompts == ("A",)


def test_null_is_as_good_as_nothing() -> None:
    names = ("temperature", "max_tokens", "stop", "seed", "logit_bias", "response_format", "n", "tools", "stream")
    assert chat(**dict.fromkeys(names)) == chat()


def test_every_setting_arrives() -> None:
    asked = chat(
        model="falcon",
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        min_p=0.1,
        typical_p=0.8,
        repetition_penalty=1.1,
        presence_penalty=0.2,
        frequency_penalty=-0.2,
        logit_bias={"5": -100, "7": 2.5},
        seed=3,
        stop=["\n", "END"],
        max_tokens=9,
        max_completion_tokens=7,
        logprobs=True,
        top_logprobs=4,
        stream=True,
        stream_options={"include_usage": True},
        n=2,
        return_tokens_as_token_ids=True,
    )
    sampling = SamplingConfig(
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        min_p=0.1,
        typical_p=0.8,
        repetition_penalty=1.1,
        repetition_window=0,
        presence_penalty=0.2,
        frequency_penalty=-0.2,
        logit_bias={5: -100, 7: 2.5},
        seed=3,
    )
    assert asked.options == GenerationOptions(sampling=sampling, max_new_tokens=7, stop=("\n", "END"), logprobs=4)
    assert (asked.model, asked.count, asked.stream, asked.usage, asked.ids) == ("falcon", 2, True, True, True)


def test_one_stop_text_is_a_list_of_one_and_minus_one_keeps_every_token() -> None:
    assert chat(stop="END").options.stop == ("END",)
    assert chat(top_k=-1).options.sampling.top_k == 0


def test_minus_one_is_no_seed_and_no_limit() -> None:
    assert chat(seed=-1, max_tokens=-1) == chat()
    assert chat(max_completion_tokens=-1).options.max_new_tokens is None
    assert completion(max_tokens=-1).options.max_new_tokens is None


def test_a_seed_below_zero_is_one_of_64_bits() -> None:
    seeds = [chat(seed=seed).options.sampling.seed for seed in (-2, -(2**63), 2**63, 10**30)]
    assert seeds == [2**64 - 2, 2**63, 2**63, 10**30]


def test_a_system_message_that_says_nothing_is_none() -> None:
    contents: list[Any] = ["", " \n", None, []]
    for content in contents:
        assert chat(messages=[{"role": "system", "content": content}, *HELLO]) == chat()


def test_several_answers_with_a_seed_have_seeds_of_their_own() -> None:
    assert [options.sampling.seed for _, options in chat(n=3, seed=5).choices] == [5, 6, 7]
    assert [options.sampling.seed for _, options in chat(n=2).choices] == [None, None]


def test_prompts_in_a_list_are_answered_in_order() -> None:
    assert [prompt for prompt, _ in completion(prompt=["A", "B"], n=2).choices] == ["A", "A", "B", "B"]


def test_what_one_role_says_in_a_row_is_one_message_of_paragraphs() -> None:
    said = [("system", "Be brief."), ("developer", "Be kind."), ("user", "Look:"), ("user", "a cat")]
    said += [("assistant", ""), ("assistant", "Oh!"), ("user", "And?")]
    assert chat(messages=[{"role": role, "content": content} for role, content in said]).prompts[0] == (
        Message("system", "Be brief.\n\nBe kind."),
        Message("user", "Look:\n\na cat"),
        Message("assistant", "Oh!"),
        Message("user", "And?"),
    )


def test_tools_that_are_not_to_be_used_are_read_over() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    assert chat(tools=tools, tool_choice="none").prompts == chat().prompts
    with pytest.raises(RefusalError, match="tools cannot be followed"):
        chat(tools=tools, tool_choice="auto")


def test_content_in_parts_is_their_texts_in_lines() -> None:
    parts = [{"type": "text", "text": "Look:"}, {"type": "text", "text": "a cat"}]
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": parts, "name": "Mia"},
        {"role": "assistant", "content": None},
        {"role": "user", "content": "And?"},
    ]
    assert chat(messages=messages).prompts[0] == (
        Message("system", "Be brief."),
        Message("user", "Look:\na cat"),
        Message("assistant", ""),
        Message("user", "And?"),
    )


def test_an_answer_goes_on_where_transformers_fields_say_so() -> None:
    messages = [*HELLO, {"role": "assistant", "content": "Hi"}]
    assert chat(messages=messages, continue_final_message=True).goes_on
    assert chat(messages=messages, continue_final_message=True, add_generation_prompt=False).goes_on
    assert not chat(add_generation_prompt=True).goes_on
    assert refused(chat, add_generation_prompt=False).param == "add_generation_prompt"
    assert refused(chat, continue_final_message=True, add_generation_prompt=True).param == "add_generation_prompt"


@pytest.mark.parametrize(
    ("fields", "grammar"),
    [
        ({"response_format": {"type": "text"}}, None),
        ({"response_format": {"type": "json_object"}}, Grammar(kind="json_schema", text='{"type": "object"}')),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"enum": ["é"]}}}},
            Grammar(kind="json_schema", text='{"enum": ["é"]}'),
        ),
        (
            {"response_format": {"type": "json_object", "schema": {"type": "array"}}},
            Grammar(kind="json_schema", text='{"type": "array"}'),
        ),
        ({"guided_regex": "[ab]+"}, Grammar(kind="regex", text="[ab]+")),
        ({"structured_outputs": {"regex": "a"}, "guided_regex": "a"}, Grammar(kind="regex", text="a")),
        ({"structured_outputs": {"json": {"type": "string"}}}, Grammar(kind="json_schema", text='{"type": "string"}')),
        ({"guided_json": '{"type": "string"}'}, Grammar(kind="json_schema", text='{"type": "string"}')),
    ],
)
def test_a_form_arrives_as_a_grammar(fields: dict[str, Any], grammar: Grammar | None) -> None:
    assert chat(**fields).options.grammar == grammar
    assert completion(**fields).options.grammar == grammar


def test_a_top_p_of_0_keeps_the_likeliest_token_alone() -> None:
    chooser = Chooser(chat(top_p=0, temperature=1, seed=1).options.sampling, [], choices=7)
    scores = np.linspace(0, 0.01, 7, dtype=np.float32)
    assert {chooser.one(scores) for _ in range(20)} == {6}


def test_what_was_sent_is_said_as_it_was_sent() -> None:
    assert refused(chat, temperature=True).message == "temperature must be a number, not true."


def test_two_forms_at_once_are_refused() -> None:
    assert "two ways" in refused(chat, guided_regex="a", guided_json={"type": "string"}).message


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": -1}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"top_k": 1.5}, "top_k"),
        ({"min_p": 2}, "min_p"),
        ({"frequency_penalty": 3}, "frequency_penalty"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": -2}, "max_tokens"),
        ({"max_tokens": -1.0}, "max_tokens"),
        ({"max_tokens": "5"}, "max_tokens"),
        ({"max_tokens": 2.5}, "max_tokens"),
        ({"stop": [""]}, None),
        ({"stop": [5]}, "stop"),
        ({"stop": {"a": 1}}, "stop"),
        ({"stop": [f"word {number}" for number in range(65)]}, "stop"),
        ({"seed": -(2**63) - 1}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"logit_bias": {"the": 1}}, "logit_bias"),
        ({"logit_bias": {"1_0": 1}}, "logit_bias"),
        ({"logit_bias": {"5": 101}}, "logit_bias"),
        ({"logit_bias": [5]}, "logit_bias"),
        ({"n": 0}, "n"),
        ({"n": MOST + 1}, "n"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream": True, "stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"model": 5}, "model"),
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": 5}}},
            "response_format.json_schema.schema",
        ),
        ({"structured_outputs": {"choice": ["a"]}}, "structured_outputs.choice"),
        ({"guided_regex": 5}, "guided_regex"),
    ],
)
@pytest.mark.parametrize("read", [chat, completion])
def test_a_wrong_field_is_a_sentence_that_names_it(read: Any, fields: dict[str, Any], param: str | None) -> None:
    refusal = refused(read, **fields)
    assert (refusal.status, refusal.param) == (400, param)
    assert param is None or param.rpartition(".")[2] in refusal.message


@pytest.mark.parametrize(
    ("read", "fields"),
    [
        (chat, {"tools": [{"type": "function"}]}),
        (chat, {"tool_choice": "required"}),
        (chat, {"functions": [{}]}),
        (chat, {"audio": {"voice": "alloy"}}),
        (chat, {"modalities": ["text", "audio"]}),
        (chat, {"logprobs": False, "top_logprobs": 3}),
        (chat, {"logprobs": True, "top_logprobs": 21}),
        (completion, {"echo": True}),
        (completion, {"suffix": "end"}),
        (completion, {"best_of": 3}),
        (completion, {"logprobs": 21}),
        (completion, {"prompt": [1, 2]}),
        (completion, {"prompt": [[1, 2]]}),
        (completion, {"prompt": []}),
        (completion, {"prompt": 5}),
        (completion, {"prompt": None}),
        (completion, {"prompt": ["A"] * (MOST + 1)}),
        (chat, {"min_tokens": 3}),
        (chat, {"repeat_penalty": 1.1}),
    ],
)
def test_what_would_change_the_answer_is_refused(read: Any, fields: dict[str, Any]) -> None:
    refusal = refused(read, **fields)
    assert refusal.status == 400
    assert refusal.param in fields


def test_what_changes_nothing_is_read_over() -> None:
    harmless = {
        "user": "mia",
        "metadata": {"a": "b"},
        "store": False,
        "service_tier": "auto",
        "tools": [],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "modalities": ["text"],
        "cache_prompt": True,
        "echo": False,
        "best_of": 1,
        "ignore_eos": False,
        "unknown_to_everybody": [1],
    }
    assert chat(**harmless) == chat()


@pytest.mark.parametrize(
    ("messages", "place"),
    [
        (None, "messages"),
        ([], "messages"),
        ("Hello", "messages"),
        (["Hello"], "messages[0]"),
        ([{"content": "Hello"}], "messages[0].role"),
        ([{"role": "robot", "content": "Hello"}], "messages[0].role"),
        ([{"role": ["user"], "content": "Hello"}], "messages[0].role"),
        ([{"role": "user"}], "messages[0]"),
        ([{"role": "user", "content": " "}], "messages[0]"),
        ([{"role": "user", "content": 5}], "messages[0].content"),
        ([{"role": "user", "content": ["Hello"]}], "messages[0].content[0]"),
        ([{"role": "user", "content": [{"type": "text"}]}], "messages[0].content[0]"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}], "messages[0].content[0]"),
        ([*HELLO, {"role": "tool", "content": "5"}], "messages[1]"),
        ([*HELLO, {"role": "assistant", "content": None, "tool_calls": [{}]}], "messages[1]"),
    ],
)
def test_messages_that_are_none_are_refused_with_their_place(messages: Any, place: str) -> None:
    refusal = refused(chat, messages=messages)
    assert refusal.param == place
    assert refusal.message.startswith(place)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"text"', b"\xff\xfe", b"[" * 100_000, b'{"messages": ' + b"9" * 5_000 + b"}", b'{"a": NaN}'],
)
def test_a_body_that_is_no_request_is_one_sentence(body: bytes) -> None:
    for read in (read_chat, read_completion):
        with pytest.raises(RefusalError) as caught:
            read(body, most=MOST)
        assert caught.value.status == 400
        assert len(caught.value.message) < 400


def test_nan_and_infinity_are_no_numbers_of_ours() -> None:
    for text in ("NaN", "Infinity", "-Infinity", "1e999"):
        with pytest.raises(RefusalError, match="temperature"):
            read_completion(f'{{"prompt": "A", "temperature": {text}}}'.encode(), most=MOST)
