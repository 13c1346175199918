"""OpenAI's own Python client against the server: what it parses, and which of its errors it raises."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from pydantic import BaseModel

from runtime.engines.batch import BatchEngine
from runtime.engines.local import LocalEngine
from runtime.events import Finished
from runtime.serving.app import Access
from tests import patience
from tests.runtime.serving.asking import ENDLESS, GREEDY, HELLO_MESSAGES
from tests.runtime.serving.running import RunningServer

KEY = "sesame"
MODEL = "talker"


def connected(server: RunningServer, key: str = KEY) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0, timeout=patience.SECONDS)


@pytest.fixture(scope="module")
def client(batch: BatchEngine) -> Iterator[openai.OpenAI]:
    with RunningServer(batch, access=Access(key=KEY)) as server, connected(server) as opened:
        yield opened


@pytest.fixture(scope="module")
def wanted(local: LocalEngine) -> Finished:
    *_, last = local.chat(HELLO_MESSAGES, GREEDY)
    assert isinstance(last, Finished)
    return last


def test_the_example_of_the_page_runs(batch: BatchEngine, capsys: pytest.CaptureFixture[str], wanted: Finished) -> None:
    page = (Path(__file__).parents[3] / "docs" / "serving.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    with RunningServer(batch) as server:
        there = example.replace("http://127.0.0.1:8000", server.url).replace("falcon-tiny-instruct", MODEL)
        exec(there.replace("stream=True", "stream=True, temperature=0, max_tokens=12"), {})
    assert capsys.readouterr().out == wanted.text


def test_models_are_listed_and_found(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [MODEL]
    assert client.models.retrieve(MODEL).owned_by == "falconet"
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("gpt-4")
    assert caught.value.code == "model_not_found"


def test_a_chat_is_answered_whole(client: openai.OpenAI, wanted: Finished) -> None:
    reply = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Hello!"}],
        temperature=0,
        max_completion_tokens=12,
        logprobs=True,
        top_logprobs=1,
        user="mia",
        metadata={"a": "b"},
    )
    (choice,) = reply.choices
    assert (choice.message.content, choice.finish_reason) == (wanted.text, "length")
    assert choice.logprobs is not None
    assert choice.logprobs.content is not None
    assert "".join(entry.token for entry in choice.logprobs.content) == wanted.text
    assert reply.usage is not None
    assert reply.usage.prompt_tokens_details is not None
    assert reply.usage.total_tokens == wanted.stats.prompt_tokens + 12


def test_a_chat_is_answered_in_a_stream(client: openai.OpenAI, wanted: Finished) -> None:
    stream = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": [{"type": "text", "text": "Hello!"}]}],
        temperature=0,
        max_tokens=12,
        stream=True,
        stream_options={"include_usage": True},
    )
    *chunks, last = stream
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == wanted.text
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "length"
    assert last.usage is not None
    assert last.usage.completion_tokens == 12


def test_its_helper_for_streams_gathers_the_answer(client: openai.OpenAI, wanted: Finished) -> None:
    with client.chat.completions.stream(
        model=MODEL, messages=[{"role": "user", "content": "Hello!"}], temperature=0, max_tokens=11, stop=["\n"]
    ) as stream:
        kinds = [event.type for event in stream if event.type == "content.delta"]
        text = stream.current_completion_snapshot.choices[0].message.content
    assert kinds
    assert wanted.text.startswith(text or "?")


def test_a_text_is_continued(client: openai.OpenAI, local: LocalEngine) -> None:
    *_, last = local.complete("The capital", GREEDY)
    assert isinstance(last, Finished)
    reply = client.completions.create(model=MODEL, prompt="The capital", temperature=0, max_tokens=12, logprobs=2)
    assert reply.choices[0].text == last.text
    assert reply.choices[0].logprobs is not None
    assert reply.choices[0].logprobs.tokens is not None
    assert len(reply.choices[0].logprobs.tokens) == 12


def test_an_answer_is_parsed_into_a_class(client: openai.OpenAI) -> None:
    pytest.importorskip("llguidance", reason="llguidance is not installed (extra `grammar`)")

    class Weather(BaseModel):
        sunny: bool

    reply = client.chat.completions.parse(
        model=MODEL,
        messages=[{"role": "user", "content": "Hello!"}],
        temperature=0,
        max_tokens=60,
        response_format=Weather,
    )
    assert isinstance(reply.choices[0].message.parsed, Weather)


def test_several_answers_come_with_their_numbers(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Hello!"}], n=3, seed=1, temperature=1, max_tokens=8
    )
    assert [choice.index for choice in reply.choices] == [0, 1, 2]
    assert len({choice.message.content for choice in reply.choices}) == 3


def test_refusals_are_its_own_errors(batch: BatchEngine, client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as wrong:
        client.completions.create(model=MODEL, prompt="A", temperature=-1)
    assert wrong.value.param == "temperature"
    with pytest.raises(openai.BadRequestError) as long:
        client.completions.create(model=MODEL, prompt="a " * 9_000)
    assert long.value.code == "context_length_exceeded"
    with RunningServer(batch, access=Access(key=KEY), at_once=1, waiting=0) as server:
        with connected(server, "wrong") as stranger, pytest.raises(openai.AuthenticationError):
            stranger.models.list()
        with connected(server) as own:
            stream = own.completions.create(model=MODEL, **ENDLESS)
            with pytest.raises(openai.RateLimitError) as busy:
                own.completions.create(model=MODEL, prompt="A")
            assert busy.value.response.headers["retry-after"] == "2"
            stream.close()


def test_an_error_in_the_midst_of_a_stream_is_raised(batch: BatchEngine) -> None:
    with RunningServer(batch, access=Access(key=KEY)) as server, connected(server) as own:
        chunks = iter(own.completions.create(model=MODEL, **ENDLESS))
        next(chunks)
        server.stop()
        with pytest.raises(openai.APIError, match="shutting down"):
            list(chunks)
