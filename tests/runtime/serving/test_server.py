"""The server over HTTP: routes, refusals, clients that leave, too many of them, and the end."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import httpx
import pytest

from runtime.engines.batch import BatchEngine
from runtime.engines.local import LocalEngine
from runtime.engines.remote import RemoteEngine
from runtime.errors import BackendUnavailableError, EngineError, ModelOutputError
from runtime.events import Finished
from runtime.serving.app import Access
from runtime.serving.bodies import MOST_BYTES
from runtime.serving.responses import EventStream
from runtime.serving.service import told
from tests import patience
from tests.runtime.bundles import talker
from tests.runtime.serving.asking import ENDLESS, GREEDY, HELLO, chat, completion, events
from tests.runtime.serving.running import RunningServer

JSON = {"Content-Type": "application/json"}
SYSTEM = {"role": "system", "content": "Be brief."}


@pytest.fixture(scope="module")
def client(server: RunningServer) -> httpx.Client:
    return server.client()


def error_of(response: httpx.Response, status: int) -> dict[str, Any]:
    """The error object, which has OpenAI's form."""
    assert response.status_code == status, response.text
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["message"].endswith(".")
    error: dict[str, Any] = body["error"]
    return error


def test_the_model_is_listed_with_its_context(client: httpx.Client, server: RunningServer) -> None:
    (listed,) = client.get("/v1/models").json()["data"]
    assert listed == client.get("/v1/models/talker").json() == server.model.body()
    assert client.get("/v1/models/").json()["data"] == [listed]
    assert (listed["id"], listed["object"], listed["max_model_len"]) == ("talker", "model", 2048)
    assert error_of(client.get("/v1/models/falcon/9b"), 404)["code"] == "model_not_found"


def test_the_listener_outlives_a_reset_on_windows_too(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Windows would take by itself, the proactor's loop, closes it (python/cpython#93821)."""
    uvicorns = server._server._server
    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", "win32")
        assert uvicorns.config.get_loop_factory() is asyncio.SelectorEventLoop


def test_health_says_ok(client: httpx.Client) -> None:
    assert client.get("/health").json() == {"status": "ok"}


def test_paths_and_methods_that_are_not_there_are_refused_in_openais_form(client: httpx.Client) -> None:
    assert error_of(client.get("/v1/nothing"), 404)["code"] == "not_found"
    assert error_of(client.post("/v1/models/"), 405)["message"] == "This path is asked with GET or HEAD."
    response = client.get("/v1/completions")
    error_of(response, 405)
    assert response.headers["allow"] == "POST"


def test_another_model_than_the_one_that_is_served_is_refused(client: httpx.Client) -> None:
    error = error_of(client.post("/v1/chat/completions", json=chat(model="gpt-4")), 404)
    assert (error["param"], error["code"]) == ("model", "model_not_found")
    assert "talker" in error["message"]
    assert client.post("/v1/chat/completions", json=chat(model="talker")).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "param", "code"),
    [
        ("chat/completions", chat(temperature="hot"), "temperature", "invalid_type"),
        ("chat/completions", chat(tools=[{}]), "tools", "unsupported_parameter"),
        ("chat/completions", chat(logit_bias={"99999": 1}), "logit_bias", "invalid_value"),
        ("chat/completions", chat(messages=[*HELLO, SYSTEM]), "messages", "invalid_value"),
        (
            "chat/completions",
            chat(messages=[{"role": "user", "content": "a " * 9_000}]),
            None,
            "context_length_exceeded",
        ),
        ("completions", completion(prompt="a " * 9_000), None, "context_length_exceeded"),
        ("completions", completion(guided_regex="("), None, "invalid_value"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_is_refused_has_a_status_in_streams_too(
    client: httpx.Client, path: str, body: dict[str, Any], param: str | None, code: str, stream: bool
) -> None:
    error = error_of(client.post(f"/v1/{path}", json={**body, "stream": stream}), 400)
    assert (error["param"], error["code"], error["type"]) == (param, code, "invalid_request_error")


def test_half_of_a_surrogate_pair_is_one_sentence(client: httpx.Client) -> None:
    for body in (r'{"prompt": "a\ud800"}', r'{"prompt": "a", "stop": "\ud800"}', r'{"prompt": "a", "model": "\ud800"}'):
        response = client.post("/v1/completions", content=body, headers=JSON)
        error_of(response, 404 if "model" in body else 400)


def test_a_body_has_to_say_that_it_is_json(client: httpx.Client) -> None:
    for headers in ({}, {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}):
        error_of(client.post("/v1/completions", content=json.dumps(completion()), headers=headers), 415)
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert client.post("/v1/completions", content=json.dumps(completion()), headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "br"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": 'application/json; charset="latin1"'},
    ],
)
def test_a_body_that_says_it_is_written_otherwise_is_not_read_as_it_lies(
    client: httpx.Client, headers: dict[str, str]
) -> None:
    error_of(client.post("/v1/completions", content=json.dumps(completion()), headers={**JSON, **headers}), 415)
    headers = {"Content-Type": 'application/json; charset="UTF-8"', "Content-Encoding": "identity"}
    assert client.post("/v1/completions", content=json.dumps(completion()), headers=headers).status_code == 200


def test_json_that_python_does_not_read_is_told_without_python_s_words(client: httpx.Client) -> None:
    deep = '{"prompt": ' + "[" * 5000 + "]" * 5000 + "}"
    assert "nested too deeply" in error_of(client.post("/v1/completions", content=deep, headers=JSON), 400)["message"]
    long = '{"prompt": "a", "max_tokens": ' + "9" * 5000 + "}"
    assert "thousands of digits" in error_of(client.post("/v1/completions", content=long, headers=JSON), 400)["message"]


def test_a_body_that_is_too_large_is_refused_however_it_is_sent(client: httpx.Client) -> None:
    large = b" " * (MOST_BYTES + 1)
    error_of(client.post("/v1/completions", content=large, headers=JSON), 413)
    error_of(client.post("/v1/completions", content=iter([large[:1000], large[1000:]]), headers=JSON), 413)
    within = json.dumps(completion()).encode().ljust(MOST_BYTES)
    assert client.post("/v1/completions", content=within, headers=JSON).status_code == 200


def test_only_who_has_the_key_is_answered(batch: BatchEngine) -> None:
    with RunningServer(batch, access=Access(key="sesame-1")) as server:
        for key in (None, "sesame", "sesame-12", "sésame-1".encode("latin-1").decode("latin-1")):
            headers = {} if key is None else {"Authorization": f"Bearer {key}".encode("latin-1")}
            models = f"{server.url}/v1/models"
            response = httpx.get(models, headers=headers, trust_env=False, timeout=patience.SECONDS)  # type: ignore[arg-type]
            assert error_of(response, 401)["code"] == "invalid_api_key"
            assert response.headers["www-authenticate"] == "Bearer"
        error_of(server.client().post("/v1/completions", json=completion()), 401)
        assert server.client().get("/health").status_code == 200
        assert server.client(key="sesame-1").post("/v1/completions", json=completion()).status_code == 200


def test_who_asks_for_another_host_is_refused_where_hosts_are_named(batch: BatchEngine) -> None:
    with RunningServer(batch, access=Access(hosts=("localhost", "[::1]", "127.0.0.1"))) as server:
        for host in (
            "evil.example",
            "evil.example:8000",
            "localhost.evil.example",
            "[::2]",
            "127.0.0.1.evil.example",
            "[::1]evil.example",
            "localhost:80@evil.example",
            "",
        ):
            response = server.client().get("/v1/models", headers={"Host": host})
            assert error_of(response, 403)["code"] == "wrong_host"
        for host in ("localhost", "LOCALHOST:80", "[::1]:8000", "127.0.0.1:1"):
            assert server.client().get("/v1/models", headers={"Host": host}).status_code == 200


def test_a_request_without_a_host_comes_from_no_page_and_is_answered(batch: BatchEngine) -> None:
    with RunningServer(batch, access=Access(hosts=("localhost",))) as server:
        for target, status in ((b"/health", b"200"), (b"http://evil.example/health", b"403")):
            with socket.create_connection(server.socket.getsockname(), timeout=patience.SECONDS) as connection:
                connection.sendall(b"GET %s HTTP/1.0\r\n\r\n" % target)
                assert connection.recv(12) == b"HTTP/1.1 " + status


def test_a_whole_address_as_target_is_answered_and_its_host_counts(batch: BatchEngine) -> None:
    with (
        RunningServer(batch, access=Access(hosts=("localhost",))) as server,
        httpx.Client(proxy=server.url, trust_env=False, timeout=patience.SECONDS) as client,  # which names addresses
    ):
        assert client.get("http://LOCALHOST:1/v1/models/talker?a=b").json() == server.model.body()
        assert client.post("http://localhost/v1/completions", json=completion()).status_code == 200
        error_of(client.get("http://localhost/"), 404)
        assert (
            error_of(client.get("http://evil.example/health", headers={"Host": "localhost"}), 403)["code"]
            == "wrong_host"
        )
        assert client.get("http://localhost/health", headers={"Host": "evil.example"}).status_code == 200
        paths = sorted(record.path for record in server.wait_for(5))
        assert paths == ["/", "/health", "/health", "/v1/completions", "/v1/models/talker"]


def test_pages_may_ask_only_from_the_origins_that_are_named(batch: BatchEngine, client: httpx.Client) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    ours, theirs = {"Origin": "https://a.example", **asked}, {"Origin": "https://b.example", **asked}
    name = "access-control-allow-origin"
    assert name not in client.options("/v1/completions", headers=ours).headers
    with RunningServer(batch, access=Access(origins=("https://a.example",), key="sesame")) as server:
        allowed = server.client().options("/v1/completions", headers=ours)
        assert (allowed.status_code, allowed.headers[name]) == (200, "https://a.example")
        assert name not in server.client().options("/v1/completions", headers=theirs).headers
        page = server.client(key="sesame").post(
            "/v1/completions", json=completion(), headers={"Origin": ours["Origin"]}
        )
        assert page.headers[name] == "https://a.example"
        assert (
            server.client().get("/v1/models", headers={"Origin": ours["Origin"]}).headers[name] == "https://a.example"
        )


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_frees_its_place(batch: BatchEngine, stream: bool) -> None:
    with RunningServer(batch, at_once=1, waiting=0) as server:
        body = json.dumps({**ENDLESS, "stream": stream}).encode()
        with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as connection:
            head = f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
            connection.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode() + body)
            if stream:
                heard = b""
                while heard.count(b"data: ") < 3:
                    heard += connection.recv(4096)
        (record,) = server.wait_for(1)
        assert record.left
        if stream:
            assert 0 < record.new_tokens < 2_000
        patience.until(lambda: server.gate.inside == 0)  # when the engine has done its step
        response = server.client().post("/v1/completions", json=completion())
        assert response.status_code == 200
        assert response.json()["usage"]["completion_tokens"] == 12
        assert server.gate.inside == 0


def test_more_than_may_wait_are_told_to_come_again(batch: BatchEngine) -> None:
    with RunningServer(batch, at_once=1, waiting=1) as server, server.client() as client:
        with client.stream("POST", "/v1/completions", json=ENDLESS) as first:
            lines = first.iter_lines()
            next(lines)
            with client.stream("POST", "/v1/completions", json=ENDLESS) as second:
                assert second.status_code == 200
                third = client.post("/v1/completions", json=completion())
                assert error_of(third, 429)["code"] == "rate_limit_exceeded"
                assert int(third.headers["retry-after"]) > 0
            assert any(line.startswith("data: {") for line in lines)
        server.wait_for(3)


def test_many_at_once_get_the_answers_that_they_get_one_by_one(server: RunningServer, local: LocalEngine) -> None:
    prompts = [f"Question number {number}: " + "why " * (number % 7) for number in range(20)]
    wanted = []
    for prompt in prompts:
        *_, last = local.complete(prompt, GREEDY)
        assert isinstance(last, Finished)
        wanted.append(last.text)

    def ask(prompt: str) -> str:
        with server.client() as own:
            reply = own.post("/v1/completions", json=completion(prompt=prompt))
        return str(reply.json()["choices"][0]["text"])

    with ThreadPoolExecutor(20) as threads:
        assert list(threads.map(ask, prompts)) == wanted
    assert server.gate.inside == 0


def test_the_end_of_the_server_ends_answers_with_a_word_about_it(batch: BatchEngine) -> None:
    with RunningServer(batch, at_once=2) as server, server.client() as client, ThreadPoolExecutor(1) as threads:
        with client.stream("POST", "/v1/completions", json=ENDLESS) as response:
            lines = response.iter_lines()
            next(lines)
            whole = threads.submit(
                lambda: server.client().post("/v1/completions", json={**ENDLESS, "stream": False, "max_tokens": 2_040})
            )
            while server.gate.inside < 2:
                next(lines)
            server.stop()
            *_, error, _, end, _ = [*lines]
        assert json.loads(error.removeprefix("data: "))["error"]["code"] == "shutting_down"
        assert end == "data: [DONE]"
        assert error_of(whole.result(patience.SECONDS), 503)["code"] == "shutting_down"
        with pytest.raises(httpx.ConnectError):
            client.get("/health")


def test_a_server_whose_engine_was_closed_is_not_healthy() -> None:
    with BatchEngine.open(talker(), backend="torch") as engine, RunningServer(engine) as server:
        client = server.client()
        assert client.get("/health").status_code == 200
        engine.close()
        for response in (client.get("/health"), client.post("/v1/completions", json=completion())):
            assert error_of(response, 503)["code"] == "engine_unavailable"


def test_a_stream_without_words_says_that_it_is_still_there(
    server: RunningServer, client: httpx.Client, batch: BatchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = client.post("/v1/completions", json=completion(max_tokens=100)).json()["choices"][0]["text"]
    said = threading.Event()
    still_here, choose_batch = EventStream.still_here, batch.model.backend.choose_batch

    def say(stream: EventStream) -> None:
        still_here(stream)
        said.set()

    def choose(*turn: Any) -> Any:
        said.wait(patience.SECONDS)  # the model has nothing to say until the stream has said so
        return choose_batch(*turn)

    monkeypatch.setattr(EventStream, "still_here", say)
    monkeypatch.setattr(batch.model.backend, "choose_batch", choose)
    monkeypatch.setattr("runtime.serving.service._SILENCE_SECONDS", 0.01)
    with client.stream("POST", "/v1/completions", json=completion(max_tokens=100, stream=True)) as response:
        lines = list(response.iter_lines())
    assert ": still here" in lines
    assert "".join(chunk["choices"][0]["text"] for chunk in events(lines)) == whole
    with RemoteEngine.open(server.url) as remote:
        *_, last = remote.complete("The capital", replace(GREEDY, max_new_tokens=100))
    assert isinstance(last, Finished)
    assert last.text == whole


def test_an_engines_failure_is_its_sentence_and_a_bug_is_for_the_log(caplog: pytest.LogCaptureFixture) -> None:
    for error, status in (
        (EngineError("The engine was closed; open it again."), 503),
        (ModelOutputError("The scores are no numbers."), 500),
        (BackendUnavailableError("No."), 500),
    ):
        assert (told(error).status, told(error).message) == (status, str(error))
    assert not caplog.records
    with caplog.at_level(logging.ERROR):
        refusal = told(KeyError("secret"))
    assert (refusal.status, refusal.body()["error"]["type"]) == (500, "server_error")
    assert "secret" not in json.dumps(refusal.body())
    assert "KeyError: 'secret'" in caplog.text


def test_each_request_is_told_of_with_its_figures(batch: BatchEngine) -> None:
    with RunningServer(batch) as server, server.client() as client:
        client.post("/v1/completions", json=completion())
        server.wait_for(1)  # it is told of after its client has the answer
        client.post("/v1/completions", json=completion(n=0))
        asked, refused = server.wait_for(2)
    assert (asked.method, asked.path, asked.status, asked.new_tokens) == ("POST", "/v1/completions", 200, 12)
    assert asked.prompt_tokens > 0
    assert asked.tokens_per_second is not None
    assert (refused.status, refused.new_tokens, refused.to_json()["event"]) == (400, 0, "request")
    assert refused.error is not None
    assert refused.error.startswith("n must be")
