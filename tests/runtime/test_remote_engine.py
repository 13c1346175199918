"""RemoteEngine: whatever a service does, who asks gets an answer or one sentence, and nothing hangs."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.chat import Message
from runtime.engines.remote import RemoteEngine
from runtime.engines.sse import EventStream
from runtime.errors import ContextFullError, EngineError, OptionError, ServiceUnreachableError, UserFacingError
from runtime.events import Event, Finished, Prefilled, TextDelta
from runtime.options import GenerationOptions, Grammar
from runtime.packages import install_command
from runtime.sampling import SamplingConfig
from tests import patience
from tests.ports import deaf_port
from tests.runtime.openai_server import Handler, OpenAIServer

pytest.importorskip("httpx", reason="httpx is not installed (extra `remote`)")
HELLO = [Message("user", "Hello!")]
KEY = "sk-secret-123"
DONE = "[DONE]"


def opened(server: OpenAIServer, **options: Any) -> RemoteEngine:
    return RemoteEngine.open(server.url, model="falcon", **options)


def asked(behave: Callable[[Handler], None], options: GenerationOptions | None = None, **opening: Any) -> list[Event]:
    with OpenAIServer(behave) as server, opened(server, **opening) as engine:
        return list(engine.chat(HELLO, options or GenerationOptions()))


def says(*texts: str, finish: str | None = "stop") -> Callable[[Handler], None]:
    def behave(handler: Handler) -> None:
        handler.begin()
        for text in texts:
            handler.text(text)
        if finish:
            handler.text("", finish)
        handler.event(DONE)

    return behave


def test_an_answer_arrives_in_its_pieces() -> None:
    events = asked(says("Hel", "lo", " 🙂"))
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["Hel", "lo", " 🙂"]
    last = events[-1]
    assert isinstance(last, Finished)
    assert (last.reason, last.text) == ("stop", "Hello 🙂")


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (401, {"error": {"message": "bad key"}}, EngineError, "refused the API key .bad key.; give a valid one"),
        (403, b"<html>", EngineError, "forbids this without saying why"),
        (404, {"error": {"message": "no model x"}}, EngineError, "no such model or path .no model x."),
        (429, {"error": {"message": "slow down"}}, EngineError, "asks to wait .slow down.; ask again later"),
        (500, {"error": "boom"}, EngineError, "HTTP status 500 .boom."),
        (503, b"", EngineError, "asks to wait"),
        (400, {"error": {"message": "long", "code": "context_length_exceeded"}}, ContextFullError, "too long"),
        (400, {"detail": "top_k is unknown"}, EngineError, "top_k is unknown"),
        (302, b"", EngineError, "redirects to"),
    ],
)
def test_a_refusal_is_one_sentence(status: int, body: object, error: type[UserFacingError], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        asked(lambda handler: handler.answer(status, body, Location="http://elsewhere/v1"), api_key=KEY)
    assert "\n" not in str(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("behave", "words"),
    [
        (lambda handler: handler.answer(200, b"<html>hello</html>", "text/html"), "does not answer as an OpenAI"),
        (lambda handler: handler.answer(200, {"hello": 1}), "does not answer as an OpenAI"),
        (lambda handler: (handler.begin(), handler.event("{broken")), "does not answer as an OpenAI"),
        (lambda handler: (handler.begin(), handler.event({"error": {"message": "out of memory"}})), "out of memory"),
        (lambda handler: (handler.begin(), handler.text("Hel"), handler.break_off()), "broke before the answer was"),
        (lambda handler: (handler.begin(), handler.text("Hel")), "broke before the answer was complete"),
        (lambda handler: handler.break_off(), "broke before the answer was complete"),
    ],
    ids=["html", "json", "garbage", "told", "cut", "no end", "nothing"],
)
def test_a_body_that_is_none_or_breaks_off_is_one_sentence(behave: Callable[[Handler], None], words: str) -> None:
    with pytest.raises(EngineError, match=words):
        asked(behave)


def test_what_was_written_before_the_connection_broke_was_shown() -> None:
    def behave(handler: Handler) -> None:
        handler.begin()
        handler.text("Hel")
        handler.break_off()

    with OpenAIServer(behave) as server, opened(server) as engine:
        events = engine.chat(HELLO)
        assert TextDelta("Hel", 1) in (next(events), next(events))
        with pytest.raises(EngineError):
            next(events)


def test_where_nobody_listens_the_address_is_named() -> None:
    with (
        deaf_port() as port,
        pytest.raises(ServiceUnreachableError, match=f"no connection to http://127.0.0.1:{port}/v1"),
    ):
        RemoteEngine.open(f"http://127.0.0.1:{port}/v1")


def test_a_service_that_hangs_is_given_up_after_the_time_that_was_set() -> None:
    with pytest.raises(ServiceUnreachableError, match="sent nothing for too long"):
        asked(lambda handler: handler.hang(), read_seconds=0.3)


def test_cancelling_ends_a_service_that_sends_nothing_and_hangs_up() -> None:
    def behave(handler: Handler) -> None:
        handler.begin()
        handler.text("Hel")
        handler.hang()

    with OpenAIServer(behave) as server, opened(server) as engine:
        said: list[str] = []
        events = engine.chat(HELLO, cancelled=lambda: bool(said))
        for event in events:
            if isinstance(event, TextDelta):
                said.append(event.text)
        assert isinstance(event, Finished)
        assert (event.reason, event.text) == ("cancelled", "Hel")
        assert server.hung_up.wait(patience.SECONDS)


def test_the_first_model_is_taken_where_none_is_named() -> None:
    def behave(handler: Handler) -> None:
        if handler.path == "/v1/models":
            handler.answer(200, {"data": [{"id": "falcon-40b", "max_model_len": 2048}, {"id": "other"}]})
        else:
            says("Hi")(handler)

    with OpenAIServer(behave) as server, RemoteEngine.open(server.url, api_key=KEY) as engine:
        assert RemoteEngine.models(server.url, api_key=KEY) == ["falcon-40b", "other"]
        assert server.requests[-1][1]["authorization"] == f"Bearer {KEY}"
        assert (engine.info.model, engine.info.context_length, engine.info.backend) == ("falcon-40b", 2048, "remote")
        list(engine.chat(HELLO))
        assert KEY not in repr(engine)
        path, headers, body = server.requests[-1]
        assert (path, body["model"], headers["authorization"]) == (
            "/v1/chat/completions",
            "falcon-40b",
            f"Bearer {KEY}",
        )


def test_options_go_out_under_their_names_and_defaults_beyond_openais_do_not() -> None:
    sampling = SamplingConfig(temperature=0.5, top_k=7, seed=3, logit_bias={5: -1.5}, frequency_penalty=0.25)
    options = GenerationOptions(sampling=sampling, max_new_tokens=9, stop=("x",), logprobs=2)
    with OpenAIServer(says("Hi")) as server, opened(server) as engine:
        list(engine.chat(HELLO, options))
        body = server.requests[0][2]
    assert {name: body[name] for name in ("temperature", "top_k", "seed", "max_tokens", "stop")} == {
        "temperature": 0.5,
        "top_k": 7,
        "seed": 3,
        "max_tokens": 9,
        "stop": ["x"],
    }
    assert body["logit_bias"] == {"5": -1.5}
    assert (body["frequency_penalty"], body["logprobs"], body["top_logprobs"], body["stream"]) == (0.25, True, 2, True)
    assert not {"min_p", "repetition_penalty", "typical_p", "presence_penalty"} & body.keys()


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (GenerationOptions(sampling=SamplingConfig(order="llama.cpp")), "order"),
        (GenerationOptions(sampling=SamplingConfig(repetition_penalty=1.1)), "repetition_window"),
        (GenerationOptions(context_policy="rolling"), "context_policy"),
    ],
)
def test_what_a_service_cannot_be_asked_for_is_refused_by_name(options: GenerationOptions, name: str) -> None:
    with OpenAIServer(says("Hi")) as server, opened(server) as engine:
        with pytest.raises(OptionError, match=name):
            engine.chat(HELLO, options)
        assert server.requests == []


def test_a_service_that_ignores_the_schema_is_found_out() -> None:
    options = GenerationOptions(grammar=Grammar(kind="json_schema", text='{"type": "object"}'))
    with pytest.raises(EngineError, match="did not keep to the JSON schema"):
        asked(says("Sure, here is"), options)
    with pytest.raises(EngineError, match="did not keep to the regular expression"):
        asked(says("Sure"), replace(options, grammar=Grammar(kind="regex", text="yes|no")))


@pytest.mark.parametrize(
    "url",
    [
        *("", "127.0.0.1:8000", "ftp://x/v1", "http://", "http://me:pass@host/v1", "http://h/?k=1", 3),
        *("http://h/\x1b", "http://\0/", "http://xn--/", "http://\ud800/"),
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(url: Any) -> None:
    with pytest.raises(OptionError) as caught:
        RemoteEngine.open(url, model="m")
    assert "pass@" not in str(caught.value)


@given(st.lists(st.text().filter(lambda text: "\n" not in text and "\r" not in text)), st.data())
def test_events_are_the_same_however_their_bytes_are_cut(texts: list[str], data: st.DataObject) -> None:
    ends = [data.draw(st.sampled_from(["\n", "\r\n", "\r"])) for _ in texts]
    raw = "".join(f"data: {text}{end}{end}" for text, end in zip(texts, ends, strict=True)).encode("utf-8")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    stream = EventStream()
    pieces = [raw[start:end] for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    assert [event for piece in pieces for event in stream.feed(piece)] == texts


def test_an_answer_under_way_ends_where_the_engine_that_it_is_beside_is_closed() -> None:
    def behave(handler: Handler) -> None:
        handler.begin()
        handler.text("Half")
        handler.hang()

    with OpenAIServer(behave) as server, RemoteEngine.open(server.url, model="falcon") as engine:
        answer = engine.beside().chat(HELLO)
        assert [type(next(answer)) for _ in range(2)] == [Prefilled, TextDelta]
        engine.close()
        with pytest.raises(EngineError, match="closed"):
            list(answer)


def test_one_beside_another_answers_at_the_same_time_and_ends_with_it() -> None:
    def behave(handler: Handler) -> None:
        handler.begin()
        handler.text("Hi")
        if len(handler.server.owner.requests) == 1:
            handler.hang()
        handler.text("", "stop")

    with OpenAIServer(behave) as server, RemoteEngine.open(server.url, model="falcon") as engine:
        first = engine.chat(HELLO)
        assert isinstance(next(first), Prefilled)
        with engine.beside() as other:
            assert other.info == engine.info
            finished = list(other.chat(HELLO))[-1]
            assert isinstance(finished, Finished)
            assert finished.reason == "stop"
        assert not server.hung_up.is_set()
        assert isinstance(next(first), TextDelta), "what closes beside it leaves this one be"
        last = engine.beside()
        engine.close()
        with pytest.raises(EngineError, match="closed"):
            list(last.chat(HELLO))
        with pytest.raises(EngineError, match="closed"):
            engine.beside()


def test_httpx_that_is_not_installed_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(EngineError, match=re.escape(install_command("remote"))):
        RemoteEngine.open("http://127.0.0.1:9", model="falcon")


def test_a_closed_engine_is_a_sentence() -> None:
    engine = RemoteEngine.open("http://127.0.0.1:9", model="falcon")
    engine.close()
    with pytest.raises(UserFacingError, match="closed"):
        list(engine.chat(HELLO))


def test_an_endless_event_is_refused() -> None:
    parser = EventStream()
    parser.feed(b"data: " + b"x" * 2**23)
    with pytest.raises(EngineError, match="16 MiB"):
        parser.feed(b"x" * 2**23)
