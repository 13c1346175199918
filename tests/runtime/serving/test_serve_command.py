"""`python -m runtime serve`: what it says, to whom it listens, and how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.cli.serve import example, request_line
from runtime.packages import install_command
from runtime.serving.listener import is_answered
from runtime.serving.record import Record
from tests import patience
from tests.ports import deaf_port
from tests.runtime.bundles import talker
from tests.runtime.program import assert_error_event, assert_sentence, run_program
from tests.runtime.serving.asking import ENDLESS, chat, completion

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")


def test_windows_is_told_a_command_that_each_of_its_shells_understands() -> None:
    lines = [*example("http://127.0.0.1:8000", key=True, system="win32")]
    assert lines == [
        "  python -m runtime chat --remote http://127.0.0.1:8000/v1",
        "  (where FALCONET_API_KEY is the key, too)",
    ]


# The program, at whose terminal Ctrl-C is pressed at the moment when its event loop is made.
INTERRUPTED = """
import asyncio, signal, sys
from runtime.__main__ import main

class Loop(asyncio.SelectorEventLoop):
    def __init__(self):
        signal.raise_signal(signal.SIGINT)
        super().__init__()

asyncio.SelectorEventLoop = Loop
sys.exit(main(sys.argv[1:]))
"""

# The program, which may have few files and connections open, and the seconds between two lines about it.
LIMITED = """
import resource, sys
from runtime.__main__ import main
from runtime.serving import server

resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
server._SHORTAGE_SECONDS = float(sys.argv[1])
sys.exit(main(sys.argv[2:]))
"""


@contextlib.contextmanager
def serving(
    *options: str, program: Sequence[str] = ("-m", "runtime"), **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """The command on a port that is free; it is killed where a test leaves it running."""
    command = ["serve", str(talker()), "--backend", "torch", "--port", "0", *options]
    with subprocess.Popen(
        [sys.executable, *program, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "FALCONET_API_KEY": "", **environment},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ready(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout
    event: dict[str, Any] = json.loads(process.stdout.readline())
    assert event["event"] == "ready"
    return event


def block(process: subprocess.Popen[str]) -> str:
    """What is printed before the first request."""
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("Ctrl-C"):
            break
    return "".join(lines)


@posix
def test_the_terminal_is_told_how_to_try_it_and_a_line_a_request() -> None:
    with serving("--name", "falcon", "--parallel", "3", FALCONET_API_KEY="sesame") as process:
        told = block(process)
        assert "model    falcon, 2,048 tokens of context\nbackend  torch, 3 answers at once\n" in told
        url = re.search(r"http://127\.0\.0\.1:\d+", told)
        assert url
        assert '-H "Authorization: Bearer $FALCONET_API_KEY"' in told
        assert "sesame" not in told
        command = told[told.index("curl") : told.index("Ctrl-C")]
        tried = subprocess.run(
            ["sh", "-c", command.replace("curl ", "curl --silent --noproxy '*' ", 1)],
            capture_output=True,
            env={**os.environ, "FALCONET_API_KEY": "sesame"},
            check=False,
        )
        if tried.returncode != 127:  # else there is no curl
            assert json.loads(tried.stdout)["model"] == "falcon"
        assert httpx.get(f"{url[0]}/v1/models", trust_env=False, timeout=patience.SECONDS).status_code == 401
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=patience.SECONDS)
    assert (process.returncode, err) == (0, "")
    assert re.search(r"^\d\d:\d\d:\d\d  GET /v1/models · 401 · The API key .* · \d\.\d\d s$", out, re.MULTILINE)
    if tried.returncode != 127:
        assert re.search(
            r"POST /v1/chat/completions · 200 · [\d,]+ tokens · [\d.]+ tokens/s · [\d.]+ s · prompt \d+$",
            out,
            re.MULTILINE,
        )


@posix
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_signal_ends_answers_and_the_program(number: signal.Signals, code: int) -> None:
    with serving("--json") as process:
        address = ready(process)["url"]
        with httpx.stream(
            "POST", f"{address}/completions", json=ENDLESS, trust_env=False, timeout=patience.SECONDS
        ) as response:
            lines = response.iter_lines()
            next(lines)
            process.send_signal(number)
            rest = list(lines)
        out, err = process.communicate(timeout=patience.SECONDS)
    assert process.returncode == code
    assert json.loads(rest[-4].removeprefix("data: "))["error"]["code"] == "shutting_down"
    assert "Traceback" not in err
    (record,) = map(json.loads, out.splitlines())
    assert (record["event"], record["status"], record["path"]) == ("request", 200, "/v1/completions")
    assert record["new_tokens"] > 0


@posix
def test_ctrl_c_before_requests_are_read_ends_it_without_a_word() -> None:
    with serving("--json", program=("-c", INTERRUPTED)) as process:
        ready(process)
        out, err = process.communicate(timeout=patience.SECONDS)
    assert (process.returncode, out, err.strip()) == (130, "", "")


@posix
def test_requests_are_json_lines_where_asked_and_other_hosts_are_refused() -> None:
    with serving("--json") as process:
        event = ready(process)
        assert (event["model"], event["backend"], event["context_length"]) == ("talker", "torch", 2048)
        with httpx.Client(base_url=event["url"], trust_env=False, timeout=patience.SECONDS) as client:
            assert client.post("/chat/completions", json=chat()).status_code == 200
            assert client.post("/completions", json=completion(n=9)).status_code == 400
            assert client.get("/models", headers={"Host": "evil.example"}).status_code == 403
            assert client.get("/models", headers={"Host": "host.docker.internal:8000"}).status_code == 200
            assert client.get("/models/%C2%9B2J").status_code == 404
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=patience.SECONDS)
    assert err == ""
    lines = out.splitlines()
    assert [json.loads(line)["status"] for line in lines] == [200, 400, 403, 200, 404]
    assert json.loads(lines[-1])["path"] == "/v1/models/\x9b2J"
    assert out.isascii()  # the path commands no terminal


@posix
def test_who_connects_as_soon_as_it_is_ready_is_not_turned_away() -> None:
    with serving("--json") as process:
        host, port = ready(process)["url"].removeprefix("http://").removesuffix("/v1").split(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            connection.settimeout(30)
            assert connection.recv(12) == b"HTTP/1.1 200"


@posix
@pytest.mark.parametrize(("seconds", "most"), [(600, 0), (0, 50)])
def test_more_connections_than_may_be_open_wait_and_are_told_of_once_in_a_while(seconds: int, most: int) -> None:
    with serving("--json", program=("-c", LIMITED, str(seconds))) as process, ThreadPoolExecutor(1) as threads:
        address = ready(process)["url"]
        host, port = address.removeprefix("http://").removesuffix("/v1").split(":")
        with contextlib.ExitStack() as stack:
            for _ in range(80):
                stack.enter_context(socket.create_connection((host, int(port))))
            assert process.stderr
            assert process.stderr.readline().startswith("warning: clients that connect now have to wait (Too many open")
            rest = threads.submit(process.stderr.read)
            time.sleep(2.5)  # two more tries, as asyncio makes one a second
        assert httpx.get(f"{address}/models", trust_env=False, timeout=patience.SECONDS).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(patience.SECONDS) == 0
        assert rest.result().count("\n") <= most  # by itself asyncio fails thousands of times at each try


@posix
def test_whoever_opens_a_server_to_all_is_warned() -> None:
    with serving("--json", "--host", "0.0.0.0") as process:
        address = ready(process)["url"]
        assert address.startswith("http://127.0.0.1:")
        other = httpx.get(
            f"{address}/models", headers={"Host": "my-machine:80"}, trust_env=False, timeout=patience.SECONDS
        )
        assert other.status_code == 200
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=patience.SECONDS)
    assert err.startswith("warning: whoever reaches 0.0.0.0 can use the model; set FALCONET_API_KEY")
    assert err.count("\n") == 1


@posix
def test_a_reader_of_its_lines_that_leaves_ends_no_answer() -> None:
    with serving("--json") as process:
        address = ready(process)["url"]
        assert process.stdout
        process.stdout.close()
        for _ in range(3):
            reply = httpx.post(f"{address}/completions", json=completion(), trust_env=False, timeout=patience.SECONDS)
            assert reply.json()["usage"]["completion_tokens"] == 12


def test_a_port_that_is_in_use_is_one_sentence_before_a_model_is_loaded(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        outcome = run_program("serve", tmp_path, "--port", port)
        assert_sentence(outcome, f"port {port} of 127.0.0.1 is in use; choose another with --port")
        assert_error_event(run_program("serve", tmp_path, "--port", port, "--json"), "is in use")


def test_an_address_is_answered_only_where_a_program_listens() -> None:
    """By which a Mac tells a port that is in use, where its system would let us take it."""
    with deaf_port() as port:
        assert not is_answered(socket.AF_INET, ("127.0.0.1", port))
    with socket.create_server(("0.0.0.0", 0)) as taken:
        assert is_answered(socket.AF_INET, ("127.0.0.1", taken.getsockname()[1]))


@pytest.mark.parametrize("host", ["203.0.113.9", "no-such-host.invalid", "a..b", "::zz", ""])
def test_an_address_that_is_not_of_this_machine_is_one_sentence(host: str, tmp_path: Path) -> None:
    outcome = run_program("serve", tmp_path, "--host", host, "--port", "0")
    assert_sentence(outcome, f"{host or 'An empty text'} is no address of this machine")
    assert_sentence(outcome, "choose another --host")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--port", "70000"), "--port must be 0 to 65535"),
        (("--port", "-1"), "--port must be 0 to 65535"),
        (("--parallel", "0"), "--parallel must be 1 to"),
        (("--api-key", ""), "--api-key must be"),
        (("--api-key", "schlüssel"), "--api-key must be"),
        (("--cors-origin", "example.org"), "--cors-origin must be such as"),
        (("--cors-origin", "https://example.org/"), "--cors-origin must be such as"),
        (("--name", " "), "--name must be"),
        (("--template", "chatml"), "There is no chat format"),
        (("--remote", "http://a"), "Unrecognized arguments"),
    ],
)
def test_wrong_options_are_one_sentence(options: tuple[str, ...], sentence: str) -> None:
    assert_sentence(run_program("serve", talker(), "--port", "0", *options), sentence)


def test_a_key_from_the_environment_is_checked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FALCONET_API_KEY", "with a line\nend")
    assert_sentence(run_program("serve", talker(), "--port", "0"), "FALCONET_API_KEY must be")


def test_a_folder_that_is_no_bundle_is_one_sentence(tmp_path: Path) -> None:
    assert_sentence(run_program("serve", tmp_path, "--port", "0"), "is not a bundle")


def test_a_missing_extra_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "runtime.cli.serve", raising=False)
    for module in [name for name in sys.modules if name.startswith("runtime.serving.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "starlette", None)
    monkeypatch.setitem(sys.modules, "starlette.applications", None)
    assert_sentence(run_program("serve", talker()), install_command("serve"))


def test_a_line_about_a_request_says_how_it_went() -> None:
    record = Record("POST", "/v1/completions", left=True, prompt_tokens=1_200, reused_tokens=1_000, seconds=2.345)
    told = "POST /v1/completions · the client left · 2.35 s · prompt 1,200, 1,000 reused"
    assert request_line(record).partition("  ")[2] == told
    assert request_line(record, 80).partition("  ")[2] == told.removesuffix(" · prompt 1,200, 1,000 reused")


def test_a_line_at_a_terminal_fits_it_and_commands_nothing() -> None:
    for method, path in (
        ("GET", "/" + "x" * 500),
        ("M" * 500, "/"),
        ("GET", "/\x1b[2J\n\nfalse line"),
        ("GET", "/\N{RIGHT-TO-LEFT OVERRIDE}\x9b2J"),
    ):
        record = Record(method, path, status=404, error="There is nothing at this path; the server has others.")
        for columns in (50, 80):
            line = request_line(record, columns)
            assert len(line) <= columns
            assert line.isprintable()
            assert " · 404 · Ther" in line


def test_no_figure_is_cut_where_a_line_does_not_fit() -> None:
    record = Record("POST", "/v1/chat/completions", status=200, seconds=0.3)
    whole = request_line(record)
    assert request_line(record, len(whole)) == whole
    assert request_line(record, len(whole) - 1) == whole.removesuffix(" · 0.30 s")
