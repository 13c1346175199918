"""What is sent back: the forms of OpenAI's API, with the answers of the engine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from runtime.chat import Message
from runtime.engines.local import LocalEngine
from runtime.events import Event, Finished
from tests.runtime.serving.asking import GREEDY, HELLO, HELLO_MESSAGES, chat, completion, events
from tests.runtime.serving.running import RunningServer


@pytest.fixture(scope="module")
def client(server: RunningServer) -> httpx.Client:
    return server.client()


def finish(answer: Iterator[Event]) -> Finished:
    *_, last = answer
    assert isinstance(last, Finished)
    return last


def test_a_whole_chat_has_the_engines_answer_and_its_counts(client: httpx.Client, local: LocalEngine) -> None:
    wanted = finish(local.chat(HELLO_MESSAGES, GREEDY))
    reply = client.post("/v1/chat/completions", json=chat()).json()
    assert reply["object"] == "chat.completion"
    assert re.fullmatch("chatcmpl-[0-9a-f]{24}", reply["id"])
    assert (reply["model"], reply["system_fingerprint"]) == ("talker", "fp_0123456789ab")
    (choice,) = reply["choices"]
    assert choice["message"] == {"role": "assistant", "content": wanted.text, "refusal": None}
    assert (choice["index"], choice["finish_reason"], choice["logprobs"]) == (0, "length", None)
    usage = reply["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (wanted.stats.prompt_tokens, 12)
    assert usage["total_tokens"] == usage["prompt_tokens"] + 12


def test_what_was_read_before_is_counted_as_cached(client: httpx.Client) -> None:
    prompt = "A text that no other test reads, long enough to be kept and to be met again."
    cached = []
    for _ in range(2):
        usage = client.post("/v1/completions", json=completion(prompt=prompt)).json()["usage"]
        cached.append(usage["prompt_tokens_details"]["cached_tokens"])
    assert cached[1] == usage["prompt_tokens"] - 1 > cached[0]


def test_a_stream_is_the_whole_answer_in_chunks(client: httpx.Client) -> None:
    whole = client.post("/v1/chat/completions", json=chat()).json()
    with client.stream("POST", "/v1/chat/completions", json=chat(stream=True)) as response:
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        first, *chunks = events(response.iter_lines())
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert {chunk["id"] for chunk in chunks} == {first["id"]}
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert all("usage" not in chunk for chunk in chunks)
    *texts, last = [chunk["choices"][0] for chunk in chunks]
    assert "".join(choice["delta"]["content"] for choice in texts) == whole["choices"][0]["message"]["content"]
    assert len(texts) > 3
    assert {choice["finish_reason"] for choice in texts} == {None}
    assert (last["delta"], last["finish_reason"]) == ({}, "length")


def test_a_stream_counts_where_it_is_asked_to(client: httpx.Client) -> None:
    body = completion(stream=True, stream_options={"include_usage": True})
    with client.stream("POST", "/v1/completions", json=body) as response:
        *chunks, last = events(response.iter_lines())
    assert {chunk["usage"] for chunk in chunks} == {None}
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == 12
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks)
    assert {chunk["object"] for chunk in chunks} == {"text_completion"}


def test_a_completion_goes_on_with_its_text(client: httpx.Client, local: LocalEngine) -> None:
    reply = client.post("/v1/completions", json=completion()).json()
    assert reply["choices"][0]["text"] == finish(local.complete("The capital", GREEDY)).text
    assert reply["object"] == "text_completion"


def test_a_stop_text_ends_an_answer_of_reason_stop(client: httpx.Client) -> None:
    whole = client.post("/v1/completions", json=completion()).json()["choices"][0]["text"]
    reply = client.post("/v1/completions", json=completion(stop=whole[4:6])).json()
    assert reply["choices"][0] == {
        "text": whole[: whole.index(whole[4:6])],
        "index": 0,
        "logprobs": None,
        "finish_reason": "stop",
    }


def test_a_full_context_is_the_reason_length(client: httpx.Client) -> None:
    reply = client.post("/v1/completions", json=completion(prompt="a b" * 600, max_tokens=2_000)).json()
    assert reply["choices"][0]["finish_reason"] == "length"
    assert reply["usage"]["total_tokens"] == 2048


def test_logprobs_of_chats_name_tokens_by_text_bytes_and_id(client: httpx.Client, local: LocalEngine) -> None:
    wanted = finish(local.chat(HELLO_MESSAGES, replace(GREEDY, logprobs=2)))
    choice = client.post("/v1/chat/completions", json=chat(logprobs=True, top_logprobs=2)).json()["choices"][0]
    entries = choice["logprobs"]["content"]
    assert [entry["id"] for entry in entries] == list(wanted.tokens)
    assert "".join(entry["token"] for entry in entries) == choice["message"]["content"]
    for entry, known in zip(entries, wanted.logprobs, strict=True):
        assert bytes(entry["bytes"]).decode() == entry["token"]
        assert entry["logprob"] == pytest.approx(known.logprob, abs=1e-3)
        assert [top["id"] for top in entry["top_logprobs"]] == [token for token, _ in known.top]


def test_logprobs_of_completions_have_offsets_into_the_text(client: httpx.Client) -> None:
    choice = client.post("/v1/completions", json=completion(logprobs=1)).json()["choices"][0]
    told, text = choice["logprobs"], choice["text"]
    assert "".join(told["tokens"]) == text
    ends = [*told["text_offset"][1:], len(text)]
    assert [text[a:b] for a, b in zip(told["text_offset"], ends, strict=True)] == told["tokens"]
    assert [list(top) for top in told["top_logprobs"]] == [[token] for token in told["tokens"]]


def test_a_streams_logprobs_are_those_of_the_whole(client: httpx.Client) -> None:
    body = completion(logprobs=2)
    whole = client.post("/v1/completions", json=body).json()["choices"][0]["logprobs"]
    with client.stream("POST", "/v1/completions", json={**body, "stream": True}) as response:
        parts = [chunk["choices"][0]["logprobs"] or {} for chunk in events(response.iter_lines())]
    for name in ("tokens", "text_offset"):
        assert [item for part in parts for item in part.get(name, ())] == whole[name]


def test_tokens_are_named_by_their_ids_where_asked(client: httpx.Client) -> None:
    body = completion(logprobs=0, return_tokens_as_token_ids=True)
    told = client.post("/v1/completions", json=body).json()["choices"][0]["logprobs"]
    assert all(re.fullmatch(r"token_id:\d+", token) for token in told["tokens"])


def test_several_answers_to_several_prompts_are_numbered_in_order(client: httpx.Client) -> None:
    prompts = ["The capital", "A cat"]
    alone = [client.post("/v1/completions", json=completion(prompt=prompt)).json() for prompt in prompts]
    reply = client.post("/v1/completions", json=completion(prompt=prompts, n=2)).json()
    assert [choice["index"] for choice in reply["choices"]] == [0, 1, 2, 3]
    texts = [one["choices"][0]["text"] for one in alone for _ in range(2)]
    assert [choice["text"] for choice in reply["choices"]] == texts
    assert reply["usage"]["prompt_tokens"] == sum(one["usage"]["prompt_tokens"] for one in alone)
    assert reply["usage"]["completion_tokens"] == 48


def test_several_answers_stream_side_by_side(client: httpx.Client) -> None:
    body = chat(n=3, stream=True, temperature=1, seed=5)
    whole = client.post("/v1/chat/completions", json={**body, "stream": False}).json()["choices"]
    texts = ["", "", ""]
    with client.stream("POST", "/v1/chat/completions", json=body) as response:
        for chunk in events(response.iter_lines()):
            (choice,) = chunk["choices"]
            texts[choice["index"]] += choice["delta"].get("content", "")
    assert texts == [choice["message"]["content"] for choice in whole]
    assert len(set(texts)) == 3


def test_an_answer_that_goes_on_is_the_answer_that_was_not_stopped(client: httpx.Client) -> None:
    whole, begun = (
        client.post("/v1/chat/completions", json=chat(max_tokens=count)).json()["choices"][0]["message"]["content"]
        for count in (12, 5)
    )
    messages = [*HELLO, {"role": "assistant", "content": begun}]
    reply = client.post(
        "/v1/chat/completions", json=chat(messages=messages, continue_final_message=True, max_tokens=7)
    ).json()
    assert begun + reply["choices"][0]["message"]["content"] == whole


@pytest.mark.parametrize(
    ("fields", "texts"),
    [
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "a", "schema": {"enum": ["yes", "no"]}},
                }
            },
            ('"yes"', '"no"'),
        ),
        ({"guided_regex": "(cat|dog)"}, ("cat", "dog")),
    ],
)
def test_a_form_is_kept(client: httpx.Client, fields: dict[str, object], texts: tuple[str, ...]) -> None:
    pytest.importorskip("llguidance", reason="llguidance is not installed (extra `grammar`)")
    reply = client.post("/v1/chat/completions", json=chat(**fields)).json()
    assert reply["choices"][0]["message"]["content"].strip() in texts


def test_every_kind_of_character_arrives(client: httpx.Client, local: LocalEngine) -> None:
    text = "a\x00b\u2028\r\né😀 <|endoftext|>"
    wanted = finish(local.chat([Message("user", text)], GREEDY)).text
    reply = client.post("/v1/chat/completions", json=chat(messages=[{"role": "user", "content": text}])).json()
    assert reply["choices"][0]["message"]["content"] == wanted
