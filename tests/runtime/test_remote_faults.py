"""RemoteEngine: what services are seen to do beyond the usual, and who hangs up when."""

from __future__ import annotations

import gc
import logging
import re
import threading
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import pytest

from runtime.chat import Message
from runtime.engines.remote import RemoteEngine
from runtime.errors import (
    EngineError,
    KeyRefusedError,
    OptionError,
    ServiceBusyError,
    ServiceError,
    ServiceUnreachableError,
)
from runtime.events import Event, Finished, TextDelta
from runtime.options import GenerationOptions, Grammar
from tests import patience
from tests.runtime.openai_server import Handler, OpenAIServer

pytest.importorskip("httpx", reason="httpx is not installed (extra `remote`)")
HELLO = [Message("user", "Hello!")]
NESTED = b"[" * 100_000 + b"]" * 100_000  # JSON that Python's parser cannot follow down
KEY = "sk-secret-0123456789"


def ask(url: str, options: GenerationOptions | None = None, **arguments: Any) -> list[Event]:
    with RemoteEngine.open(url, **{"model": "falcon", "api_key": KEY, **arguments}) as engine:
        return list(engine.chat(HELLO, options or GenerationOptions()))


def end(events: list[Event]) -> Finished:
    assert isinstance(events[-1], Finished)
    return events[-1]


def said(behave: Callable[[Handler], None], options: GenerationOptions | None = None, **arguments: Any) -> Finished:
    with OpenAIServer(behave) as server:
        return end(ask(server.url, options, **arguments))


def chunk(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "finish_reason": None, **fields}]}


def whole(handler: Handler) -> None:
    handler.begin()
    handler.text("Hi")
    handler.text("", "stop")
    handler.event("[DONE]")


def sent(options: GenerationOptions, *, complete: bool = False, **arguments: Any) -> dict[str, Any]:
    def behave(handler: Handler) -> None:
        handler.begin()
        handler.event(chunk(text="{}", delta={"content": "{}"}, finish_reason="stop"))

    with OpenAIServer(behave) as server, RemoteEngine.open(server.url, model="falcon", **arguments) as engine:
        list(engine.complete("The", options) if complete else engine.chat(HELLO, options))
        return server.requests[0][2]


def test_a_text_is_continued_as_far_as_the_context_surely_reaches() -> None:
    assert sent(GenerationOptions(), complete=True, context_length=1000)["max_tokens"] == 997
    assert sent(GenerationOptions(), complete=True)["max_tokens"] == 2045
    assert sent(GenerationOptions(max_new_tokens=3), complete=True)["max_tokens"] == 3


def test_grammars_are_sent_and_an_answer_out_of_form_is_an_error() -> None:
    schema = GenerationOptions(grammar=Grammar(kind="json_schema", text='{"type": "object"}'))
    assert sent(schema)["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True},
    }
    regex = GenerationOptions(grammar=Grammar(kind="regex", text="[{}]+"))
    fields = sent(regex)
    assert fields["structured_outputs"] == {"regex": "[{}]+"}
    assert fields["guided_regex"] == "[{}]+"
    for options in (schema, GenerationOptions(grammar=Grammar(kind="regex", text="[a-z]+"))):
        with pytest.raises(EngineError, match="did not keep to the"):
            said(whole, options)


@pytest.mark.parametrize("key", ["two words", "naïve", "a\nb", 5])
def test_what_is_no_key_is_refused_without_showing_it(key: Any) -> None:
    with pytest.raises(OptionError, match="api_key") as caught:
        RemoteEngine.open("http://127.0.0.1:9", model="falcon", api_key=key)
    assert str(key) not in str(caught.value)


def status(code: int, body: object = b"", kind: str = "application/json", **headers: str) -> Callable[[Handler], None]:
    return lambda handler: handler.answer(code, body, kind, **headers)


def cut(handler: Handler) -> None:
    handler.begin()
    handler.text("Hi")
    handler.break_off()


def nonsense(handler: Handler) -> None:
    handler.begin()
    handler.raw(b"\x00\xff garbage\n" * 20_000)


def half_event(handler: Handler) -> None:
    handler.begin()
    handler.text("Hi")
    handler.raw(b'data: {"choices": [{"del')


def error_within(handler: Handler) -> None:
    handler.begin()
    handler.text("Hi")
    handler.event({"error": {"message": f"CUDA out of memory for {KEY}", "code": 500}})


def no_http(handler: Handler) -> None:
    handler.raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
    handler.break_off()


def only_usage(handler: Handler) -> None:
    handler.begin()
    handler.event({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 0}})
    handler.event("[DONE]")


def nested_event(handler: Handler) -> None:
    handler.begin()
    handler.event(NESTED.decode())


def not_json(handler: Handler) -> None:
    handler.begin()
    handler.event("{")


def garbage_within(handler: Handler) -> None:
    handler.begin()
    handler.text("Hi")
    handler.event("{")


def broken_chunk(handler: Handler) -> None:
    event = b'data: {"choices": [{"delta": {"content": "Hi"}}]}\n\n'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    handler.raw(head + b"%x\r\n%b\r\n" % (len(event), event))
    handler.raw(b"\xff\xfe no length of a chunk\r\n")
    handler.break_off()


def logprobs_of(number: str, **counts: str) -> Callable[[Handler], None]:
    """A service that answers with this log-probability and, in all other places, these numbers."""
    told = {"id": "5", "usage": "3", **counts}

    def behave(handler: Handler) -> None:
        handler.begin()
        entry = f'{{"token": "x", "id": {told["id"]}, "logprob": {number}}}'
        choice = f'{{"delta": {{"content": "x"}}, "logprobs": {{"content": [{entry}]}}, "finish_reason": "stop"}}'
        usage = f'{{"prompt_tokens": {told["usage"]}, "completion_tokens": {told["usage"]}}}'
        handler.event(f'{{"choices": [{choice}], "usage": {usage}}}')
        handler.event("[DONE]")

    return behave


@pytest.mark.parametrize(
    ("behave", "words"),
    [
        (status(401, {"error": {"message": f"Incorrect key {KEY}."}}), r"refused the API key \(Incorrect key \*\*\*\)"),
        (status(403), r"forbids this without saying why; check the key .*, and whether a firewall or proxy"),
        (
            status(403, {"error": {"message": "Country, region, or territory not supported", "code": "unsupported"}}),
            r"forbids this \(Country, region, or territory not supported\); check what this account may use",
        ),
        (status(404, {"error": {"message": "The model `falcon` does not exist."}}), "no such model or path .*falcon"),
        (status(429, {"detail": "slow down"}, **{"Retry-After": "7"}), "asks to wait .*slow down.* in 7 s"),
        (status(429, **{"Retry-After": "900"}), "asks to wait; ask again in 15 min"),
        (status(429, **{"Retry-After": formatdate(4e9, usegmt=True)}), r"asks to wait; ask again in \d+ min"),
        (status(429, **{"Retry-After": formatdate(0, usegmt=True)}), "asks to wait; ask again in 1 s"),
        (status(429, **{"Retry-After": "soon"}), "asks to wait; ask again later"),
        (status(500, b"<html>"), "HTTP status 500;"),
        (status(503, {"error": "loading", "error_type": "x"}), r"asks to wait \(loading\); ask again later"),
        (status(400, {"object": "error", "message": "top_k must be -1"}), r"400 \(top_k must be -1\)"),
        (status(307, **{"Location": "https://elsewhere/v1?key=1"}), "redirects to https://elsewhere/v1; use"),
        (status(200, b"<html>Log in</html>" * 9, "text/html"), "does not answer as an OpenAI"),
        (status(200, [1, 2]), "does not answer as an OpenAI"),
        (status(200, {"choices": 5}), "does not answer as an OpenAI"),
        (status(200, {"choices": []}), "gave no answer: it sent no choice; look at its log"),
        (only_usage, "gave no answer: it sent no choice"),
        (status(200, NESTED), "does not answer as an OpenAI"),
        (status(400, NESTED), "refused the request with HTTP status 400;"),
        (nested_event, "does not answer as an OpenAI"),
        (nonsense, "does not answer as an OpenAI"),
        (not_json, "does not answer as an OpenAI"),
        (garbage_within, "in the midst of the answer what is no part of one; ask again"),
        (broken_chunk, "broke before the answer was complete; ask again"),
        (no_http, "does not speak HTTP"),
        (cut, "broke before the answer was complete; ask again"),
        (half_event, "broke before the answer was complete"),
        (lambda handler: handler.break_off(), "broke before"),
        (status(400, {"error": "\x1b[31mred\x1b]0;title\x07 \x9b"}), r"400 \(\[31mred \]0;title\)"),
        (logprobs_of("1" + "0" * 400), "does not answer as an OpenAI"),
        (logprobs_of("NaN"), "does not answer as an OpenAI"),
        (error_within, r"broke off the answer \(CUDA out of memory for \*\*\*\)"),
    ],
)
def test_each_failure_is_one_sentence_without_the_key(
    behave: Callable[[Handler], None], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(EngineError, match=words) as caught:
        said(behave)
    sentence = str(caught.value)
    refused, broken = "refused the API key" in sentence, re.search("broke before|does not speak", sentence)
    busy = "asks to wait" in sentence
    kind = ServiceBusyError if busy else ServiceUnreachableError if broken else ServiceError
    assert type(caught.value) is (KeyRefusedError if refused else kind)
    assert "\n" not in sentence
    assert KEY not in sentence + caplog.text
    assert "127.0.0.1" in sentence or "The service" in sentence


def test_a_key_that_was_refused_is_told_without_names_that_only_programs_know() -> None:
    with pytest.raises(KeyRefusedError) as caught:
        said(status(401, {"error": {"message": f"Incorrect key {KEY}"}}))
    assert caught.value.sentence.endswith("refused the API key (Incorrect key ***); give a valid one.")
    assert str(caught.value).endswith("give a valid one (api_key; on the command line, FALCONET_API_KEY).")


def test_https_where_http_is_spoken_is_told() -> None:
    with OpenAIServer(whole) as server, pytest.raises(EngineError, match="does not speak TLS"):
        ask(server.url.replace("http", "https"))


@pytest.mark.parametrize("begun", [False, True], ids=["before the first byte", "in the middle"])
def test_cancelling_hangs_up_though_the_service_says_nothing(begun: bool) -> None:
    flag = threading.Event()

    def behave(handler: Handler) -> None:
        if begun:
            handler.begin()
            handler.text("Hi")
        else:
            flag.set()
        handler.hang()

    with OpenAIServer(behave) as server, RemoteEngine.open(server.url, model="falcon") as engine:
        events = []
        for event in engine.chat(HELLO, cancelled=flag.is_set):
            events.append(event)
            if isinstance(event, TextDelta):
                flag.set()
        finished = end(events)
        assert (finished.reason, finished.text) == ("cancelled", "Hi" if begun else "")
        assert server.hung_up.wait(patience.SECONDS)


def test_closing_dropping_or_asking_again_hangs_up() -> None:
    def behave(handler: Handler) -> None:
        handler.begin()
        handler.text("Hi")
        handler.hang()

    for leave in ("close", "drop", "ask", "engine"):
        with OpenAIServer(behave) as server, RemoteEngine.open(server.url, model="falcon") as engine:
            answer: Any = engine.chat(HELLO)
            next(answer)
            if leave == "close":
                answer.close()
            elif leave == "drop":
                del answer
            elif leave == "ask":
                engine.complete("The")
            else:
                engine.close()
            assert server.hung_up.wait(patience.SECONDS)


def test_a_service_that_does_not_hang_up_after_its_answer_is_not_waited_for() -> None:
    def behave(handler: Handler) -> None:
        handler.begin()
        handler.text("Hi", "stop")
        handler.hang()

    assert said(behave).text == "Hi"


@pytest.mark.parametrize(
    ("finish", "most", "usage", "reason"),
    [
        ("stop", None, None, "stop"),
        ("eos_token", None, None, "stop"),
        ("length", 5, 5, "length"),
        ("length", 5, None, "length"),
        ("length", 5, 3, "context"),
        ("length", None, 3, "context"),
    ],
)
def test_reasons_and_counts_are_the_services(finish: str, most: int | None, usage: int | None, reason: str) -> None:
    def behave(handler: Handler) -> None:
        handler.begin()
        handler.text("Hi")
        handler.text(" you", finish)
        if usage:
            counts = {"prompt_tokens": 11, "completion_tokens": usage, "prompt_tokens_details": {"cached_tokens": 4}}
            handler.event({"choices": [], "usage": counts})
        handler.event("[DONE]")

    finished = said(behave, GenerationOptions(max_new_tokens=most))
    assert (finished.reason, finished.text) == (reason, "Hi you")
    stats = finished.stats
    assert stats.new_tokens == (usage or 2)
    assert (stats.prompt_tokens, stats.reused_tokens, stats.fed_tokens) == ((11, 4, 7) if usage else (0, 0, 0))
    assert stats.first_token_seconds is not None


def test_a_service_that_does_not_stream_is_understood() -> None:
    body = {"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 3}}
    finished = said(status(200, body))
    assert (finished.reason, finished.text, finished.stats.prompt_tokens) == ("stop", "Hi", 3)


def test_half_a_character_is_never_shown() -> None:
    def behave(handler: Handler) -> None:
        handler.begin()
        for half in ("a\\ud83d", "\\ude00", "\\ud83d"):
            handler.event('{"choices": [{"delta": {"content": "' + half + '"}}]}')
        handler.event("[DONE]")

    with OpenAIServer(behave) as server:
        events = ask(server.url)
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["a", "😀"]
    assert end(events).reason == "stop"


def test_tokens_without_ids_are_unknown_and_llama_cpps_ids_are_read() -> None:
    def behave(handler: Handler) -> None:
        handler.begin()
        for name, more in (("H", {"id": 5}), ("i", {})):
            entry = {"token": name, "logprob": -0.5, "top_logprobs": [{"token": name, "logprob": -0.5, **more}], **more}
            handler.event(chunk(delta={"content": name}, logprobs={"content": [entry]}))
        handler.event("[DONE]")

    finished = said(behave, GenerationOptions(logprobs=1))
    assert [entry.token for entry in finished.logprobs] == [5, -1]
    assert finished.logprobs[0].top == ((5, -0.5),)
    assert finished.tokens == ()


def test_counts_and_ids_that_are_none_are_unknown_and_no_chance_at_all_is_a_number() -> None:
    usual = said(logprobs_of("-0.5"), GenerationOptions(logprobs=1))
    assert (usual.tokens, usual.stats.prompt_tokens, usual.logprobs[0].logprob) == ((5,), 3, -0.5)
    for wrong in ("1" + "0" * 400, "true", "-3"):
        finished = said(logprobs_of("-Infinity", id=wrong, usage=wrong), GenerationOptions(logprobs=1))
        assert (finished.tokens, finished.stats.prompt_tokens) == ((), 0)
        assert finished.logprobs[0].logprob == -9999
        assert finished.stats.tokens_per_second is None


def test_what_an_answer_leaves_behind_is_no_complaint_of_the_loop(caplog: pytest.LogCaptureFixture) -> None:
    with OpenAIServer(whole) as server:
        for _ in range(20):
            ask(server.url)
    gc.collect()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_the_proxy_of_the_environment_serves_the_world_but_not_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with OpenAIServer(whole) as proxy, OpenAIServer(whole) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        assert end(ask(server.url)).text == "Hi"
        assert end(ask(server.url.replace("127.0.0.1", "localhost"))).text == "Hi"
        assert proxy.requests == []
        assert end(ask("http://falcon.invalid")).text == "Hi"
        assert proxy.requests[0][0] == "http://falcon.invalid/v1/chat/completions"


@pytest.mark.parametrize("body", [NESTED, {"data": [{"id": ""}]}], ids=["nested too deep", "without a name"])
def test_what_is_no_list_of_models_is_no_service(body: object) -> None:
    with OpenAIServer(status(200, body)) as server, pytest.raises(EngineError, match="does not answer as an OpenAI"):
        RemoteEngine.open(server.url)
