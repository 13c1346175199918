"""`--remote`: the same commands, answered by a service."""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from runtime.cli.conversation import Conversation
from runtime.cli.output import Output
from runtime.cli.slash import run
from runtime.engines.remote import RemoteEngine
from runtime.errors import EngineError
from runtime.events import Event, ReasoningDelta
from runtime.options import GenerationOptions
from tests.ports import deaf_port
from tests.runtime.bundles import talker
from tests.runtime.program import assert_sentence, run_program

WORDS = ("Paris", " it", " is.")


class Service(ThreadingHTTPServer):
    """A service of OpenAI's kind that always says the same. `asked` are the bodies, `keys` what came with them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.thoughts: tuple[str, ...] = ()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        self._send("application/json", json.dumps({"object": "list", "data": [{"id": "falcon-40b"}]}).encode())

    def do_POST(self) -> None:
        self.server.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.server.keys.append(self.headers["Authorization"])
        chat = self.path.endswith("/chat/completions")
        choices: list[dict[str, Any]]
        choices = [{"index": 0, "delta": {"reasoning_content": thought}} for thought in self.server.thoughts]
        choices += [{"index": 0, **({"delta": {"content": word}} if chat else {"text": word})} for word in WORDS]
        choices.append({"index": 0, **({"delta": {}} if chat else {"text": ""}), "finish_reason": "stop"})
        chunks = [json.dumps({"id": "1", "choices": [choice]}) for choice in choices]
        usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
        chunks.append(json.dumps({"id": "1", "choices": [], "usage": usage}))
        body = "".join(f"data: {chunk}\n\n" for chunk in (*chunks, "[DONE]"))
        self._send("text/event-stream", body.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def _send(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    for name in ("FALCONET_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with Service() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def test_a_service_answers_a_conversation(service: Service) -> None:
    given = ("--remote", service.url, "--system", "Be brief.", "--temperature", "0", "--stop", "END")
    outcome = run_program("chat", *given, stdin=b"Where?\nAnd?\n")
    assert outcome.code == 0
    assert outcome.out == "Paris it is.\n" * 2
    assert outcome.err.count("remote") == 2
    roles = [message["role"] for message in service.asked[1]["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    assert service.asked[0]["model"] == "falcon-40b"
    assert service.asked[0]["stop"] == ["END"]


def test_a_service_continues_a_text_and_gets_its_key_from_the_environment(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret-other")
    monkeypatch.setenv("FALCONET_API_KEY", "secret-own")
    given = ("--remote", service.url, "--model", "mine", "--prompt", "x", "--json")
    outcome = run_program("complete", *given)
    assert outcome.events[-1]["text"] == "Paris it is."
    assert service.asked[0]["model"] == "mine"
    assert service.keys == ["Bearer secret-own"]
    assert "secret" not in outcome.out + outcome.err


@pytest.fixture
def thinker(service: Service) -> Service:
    """It thinks before it answers."""
    service.thoughts = ("The user", " asks.")
    return service


def test_that_a_model_thinks_is_said_beside_its_answer(thinker: Service) -> None:
    outcome = run_program("chat", "--remote", thinker.url, stdin=b"Where?\nAnd?\n")
    assert outcome.code == 0
    assert outcome.out == "Paris it is.\n" * 2
    assert len(re.findall(r"^\(thinking… \d+ s\)$", outcome.err, re.MULTILINE)) == 2
    assert "asks" not in outcome.out + outcome.err + json.dumps(thinker.asked)


def test_what_a_model_thinks_is_an_event_for_programs(thinker: Service) -> None:
    outcome = run_program("chat", "--remote", thinker.url, "--json", stdin=b"Where?\n")
    told = [(event["event"], event.get("text")) for event in outcome.events]
    assert told[1:3] == [("reasoning", "The user"), ("reasoning", " asks.")]
    assert told[-1] == ("finished", "Paris it is.")
    assert "thinking" not in outcome.err


def test_a_model_that_breaks_off_while_it_thinks_leaves_a_whole_line() -> None:
    def events() -> Iterator[Event]:
        yield ReasoningDelta("Hm")
        raise EngineError("It broke.")

    out, err = io.StringIO(), io.StringIO()
    with pytest.raises(EngineError):
        Output(out, err, json_lines=False, backend="remote").stream(events())
    assert out.getvalue() == ""
    assert re.fullmatch(r"\(thinking… \d+ s\)\n", err.getvalue())


def test_a_service_that_is_not_there_is_one_sentence(service: Service) -> None:
    with deaf_port() as port:
        place = f"127.0.0.1:{port}"
        assert_sentence(run_program("complete", "--remote", f"http://{place}/v1", "--prompt", "x"), place)
    for url in ("nonsense", ""):  # the latter of a variable that is not set
        assert_sentence(run_program("complete", "--remote", url, "--prompt", "x"), "--remote must begin with http")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("--sampling-order", "llama.cpp"), "--sampling-order llama.cpp cannot be asked of a service"),
        (("--repetition-penalty", "1.1"), "--repetition-window cannot be asked of a service"),
        (("--repetition-penalty", "1.1"), "or --repetition-penalty to 1."),
        (("--context-policy", "rolling"), "--context-policy rolling needs"),
    ],
)
def test_what_a_service_cannot_be_asked_for_is_refused_by_its_option(
    service: Service, given: tuple[str, str], words: str
) -> None:
    assert_sentence(run_program("complete", "--remote", service.url, *given, "--prompt", "x"), words)
    assert_sentence(run_program("chat", "--remote", service.url, *given, stdin=b"Hello\nHello\n"), words)
    assert not service.asked


@pytest.mark.parametrize("process", [(), ("--process",)])
def test_a_bias_of_a_token_that_the_model_lacks_is_refused_by_its_option(process: tuple[str, ...]) -> None:
    given = (str(talker()), *process, "--logit-bias", "99999:5", "--prompt", "x")
    assert_sentence(run_program("complete", *given), "--logit-bias names token 99999")


@pytest.mark.parametrize(
    ("context_length", "sentence"),
    [
        (2048, "The context holds 2,048; how many are used is not known.\n"),
        (None, "The service does not say how many its context holds; how many are used is not known.\n"),
    ],
)
def test_context_tells_what_of_it_is_known(
    service: Service, context_length: int | None, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    out = io.StringIO()
    with RemoteEngine.open(service.url, context_length=context_length) as engine:
        conversation = Conversation(
            engine, Output(out, out, json_lines=False, backend="remote"), GenerationOptions(), stdin=io.StringIO()
        )
        run("/context", conversation, out)
    assert out.getvalue() == sentence
