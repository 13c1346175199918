"""`python -m runtime`: what goes to the output, what beside it, and one sentence for everything that can go wrong."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

import pytest

from runtime.manifest import FORMAT_VERSION
from tests.runtime.bundles import talker
from tests.runtime.program import Cli, Outcome, assert_sentence, run_program
from tests.tools import read_manifest, write_manifest

GREEDY = ("--temperature", "0", "--max-tokens", "8")


@pytest.fixture
def cli() -> Cli:
    return run_program


def test_the_answer_goes_to_the_output_and_the_figures_beside_it(cli: Cli) -> None:
    outcome = cli("complete", talker(), "--prompt", "Hi", *GREEDY)
    assert outcome.code == 0
    assert outcome.out.endswith("\n")
    assert "tokens/s" not in outcome.out
    assert outcome.err.startswith("stopped at --max-tokens · 8 tokens · ")
    assert outcome.err.count("\n") == 1
    assert "\x1b" not in outcome.out + outcome.err


def test_a_prompt_from_the_input_is_the_same_as_one_from_the_arguments(cli: Cli) -> None:
    given = cli("complete", talker(), "--prompt", "naïve ✓", *GREEDY)
    assert cli("complete", talker(), "--prompt", "-", *GREEDY, stdin="naïve ✓".encode()).out == given.out
    marked = b"\xef\xbb\xbf" + "naïve ✓".encode()
    assert cli("complete", talker(), "--prompt", "-", *GREEDY, stdin=marked).out == given.out


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_the_line_end_that_echo_writes_is_no_part_of_a_prompt_from_the_input(cli: Cli, end: bytes) -> None:
    for prompt in ("naïve", "naïve\n"):
        given = cli("complete", talker(), "--prompt", prompt, *GREEDY)
        assert cli("complete", talker(), "--prompt", "-", *GREEDY, stdin=prompt.encode() + end).out == given.out


def test_the_backends_write_the_same(cli: Cli) -> None:
    answers = {cli("complete", talker(), "--prompt", "Hi", *GREEDY, "--backend", b).out for b in ("torch", "reference")}
    assert len(answers) == 1


def test_json_is_one_event_a_line_whose_deltas_are_the_text(cli: Cli) -> None:
    outcome = cli("complete", talker(), "--prompt", "Hi", *GREEDY, "--json")
    assert outcome.err == ""
    first, *deltas, last = outcome.events
    assert (first["event"], first["prompt_tokens"]) == ("prefilled", last["prompt_tokens"])
    assert {delta["event"] for delta in deltas} == {"delta"}
    assert "".join(str(delta["text"]) for delta in deltas) == last["text"]
    assert (last["event"], last["reason"], last["new_tokens"]) == ("finished", "length", 8)
    assert cli("complete", talker(), "--prompt", "Hi", *GREEDY).out == f"{last['text']}\n"


def test_a_pipe_is_one_conversation_with_a_turn_a_line(cli: Cli) -> None:
    outcome = cli("chat", talker(), *GREEDY, "--json", stdin=b"Hello\r\n\n  \nAnd?")
    finished = [event for event in outcome.events if event["event"] == "finished"]
    assert outcome.code == 0
    assert len(finished) == 2
    assert finished[1]["reused_tokens"] >= finished[0]["prompt_tokens"]  # type: ignore[operator]


def test_no_turn_is_no_error(cli: Cli) -> None:
    assert cli("chat", talker()) == Outcome(0, "", "")


def test_an_answer_of_nothing_is_explained_where_there_is_no_chat_format(cli: Cli) -> None:
    nothing = ("--regex", " ?", "--temperature", "0")
    told = cli("chat", talker(), *nothing, stdin=b"x").err.splitlines()
    assert "has no chat format, so what you write is continued" in told[-1]
    assert told[-1].endswith("--template: falcon-instruct, vllm, litgpt, falcon-180b-chat.")
    for given in (("--template", "litgpt", *nothing), GREEDY):
        assert "chat format" not in cli("chat", talker(), *given, stdin=b"x").err
    assert cli("chat", talker(), *nothing, "--json", stdin=b"x").err == ""


def test_a_system_message_comes_first(cli: Cli) -> None:
    def prompt(*given: str) -> object:
        return cli("chat", talker(), "--template", "falcon-instruct", *GREEDY, *given, "--json", stdin=b"x").events[0][
            "prompt_tokens"
        ]

    assert prompt("--system", "Be brief.") > prompt()  # type: ignore[operator]


def test_a_turn_that_cannot_be_answered_is_reported_and_the_next_one_read(cli: Cli) -> None:
    turns = b"Hello\n" + b"no " * 3000 + b"\nbroken \xff\nAnd?\n"
    outcome = cli("chat", talker(), *GREEDY, stdin=turns)
    assert outcome.code == 1
    errors = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 2
    assert "tokens and the model's context holds 2,048: shorten the last message or begin" in errors[0]
    assert errors[1].startswith("error: Line 3 of the input is not UTF-8 text (byte 8 is 0xFF)")
    assert outcome.err.count("stopped at --max-tokens") == 2
    events = cli("chat", talker(), *GREEDY, "--json", stdin=turns).events
    assert [event["event"] for event in events if event["event"] in ("finished", "error")] == [
        *("finished", "error", "error", "finished")
    ]
    answered = [event for event in events if event["event"] == "finished"]
    assert answered[1]["reused_tokens"] >= answered[0]["prompt_tokens"]  # type: ignore[operator]


@pytest.mark.parametrize("text", [b"a\0b", b"<|endoftext|>>>ANSWER<<", "\U0001f600\u200d".encode(), b"\x1b[2J"])
def test_any_text_is_a_message(cli: Cli, text: bytes) -> None:
    assert cli("chat", talker(), *GREEDY, stdin=text).code == 0
    assert cli("complete", talker(), *GREEDY, "--prompt", "-", stdin=text).code == 0


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("--max-tokens", "0"), "--max-tokens must be a whole number above 0, not 0."),
        (("--max-tokens", "-5"), "--max-tokens must be a whole number above 0, not -5."),
        (("--temperature", "nan"), "--temperature must be a number from 0 to 100, not nan."),
        (("--temperature", "-1"), "--temperature must be a number"),
        (("--temperature", "1e999"), "--temperature must be a number"),
        (("--top-p", "0"), "--top-p must be above 0"),
        (("--top-p", "1.01"), "--top-p must be a number from 0 to 1"),
        (("--top-k", "-3"), "--top-k must be a whole number, 0 or more"),
        (("--min-p", "2"), "--min-p must be a number from 0 to 1"),
        (("--repetition-penalty", "0"), "--repetition-penalty must be a number from 0.1 to 10"),
        (("--seed", "-1"), "--seed must be a whole number, 0 or more"),
        (("--prompt", "a\udcff"), "The text after --prompt is not UTF-8"),
        (("--prompt", "b\ud800"), "The text after --prompt is not UTF-8"),
        (("--prompt", "word " * 200_000), "tokens and the model's context holds 2,048: shorten it."),
    ],
)
def test_an_absurd_value_is_one_sentence(cli: Cli, given: tuple[str, str], sentence: str) -> None:
    assert_sentence(cli("complete", talker(), "--prompt", "x", *given), sentence)


@pytest.mark.parametrize("given", [("--seed", str(10**40)), ("--top-k", str(10**30)), ("--temperature", "1e-30")])
def test_a_large_or_small_value_within_its_range_works(cli: Cli, given: tuple[str, str]) -> None:
    assert cli("complete", talker(), "--prompt", "x", "--max-tokens", "2", *given).code == 0


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("--template", "falcon_instruct"), "did you mean falcon-instruct"),
        (("--template", "vllm", "--system", "x"), "vllm has no place for a system message"),
        (("--system", "a\udcff"), "The text after --system is not UTF-8"),
        (("--backend", "coreml"), "The coreml backend cannot run: "),
    ],
)
def test_a_chat_that_cannot_begin_is_one_sentence(
    cli: Cli, given: tuple[str, ...], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    assert_sentence(cli("chat", talker(), *given), sentence)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ((), "required: COMMAND; `python -m runtime --help` lists the options."),
        (("chatter",), "invalid choice: 'chatter'"),
        (("chat", "--bogus"), "Unrecognized arguments: --bogus; `python -m runtime chat --help` lists"),
        (("complete",), "required: --prompt; `python -m runtime complete --help` lists"),
        (("chat", "--max", "3"), "Unrecognized arguments: --max"),
        (("chat", "--max-tokens", "many"), "--max-tokens must be a whole number, not 'many'."),
        (("chat", "--seed", "1.5"), "--seed must be a whole number, not '1.5'."),
        (("chat", "--backend", "gpu"), "invalid choice: 'gpu'"),
        (("chat", "--compute-units", "all"), "invalid choice: 'all'"),
        (("chat", "one", "two"), "Unrecognized arguments: two"),
        (("doctor",), "required: BUNDLE; `python -m runtime doctor --help` lists"),
        (("doctor", "nowhere"), "nowhere does not exist: `python -m export` makes bundles"),
    ],
)
def test_wrong_usage_is_one_sentence(cli: Cli, given: tuple[str, ...], sentence: str) -> None:
    assert_sentence(cli(*given), sentence)


def test_the_version_is_the_installed_one(cli: Cli) -> None:
    assert cli("--version") == (0, f"Falconet {importlib.metadata.version('falconet')}\n", "")


def test_the_help_lists_all_commands(cli: Cli) -> None:
    text = cli("--help").out
    for command in ("chat", "complete", "doctor"):
        assert f"\n    {command} " in text
    assert "exit codes: 0 done, 1 error (one line says why), 130 stopped by Ctrl-C" in text


@pytest.mark.parametrize("backend", ["torch", "reference"])
def test_compute_units_are_for_core_ml_only(cli: Cli, backend: str) -> None:
    given = ("--backend", backend, "--compute-units", "cpu_only")
    assert_sentence(
        cli("complete", talker(), "--prompt", "x", *given), f"is for the coreml backend and this one is {backend}; "
    )


@pytest.mark.parametrize("command", ["chat", "complete"])
def test_every_option_says_its_default(cli: Cli, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "500")
    text = re.sub(r"}\n +", "} ", cli(command, "--help").out)
    options = ("backend", "compute-units", "max-tokens", "temperature", "top-k", "top-p", "min-p", "seed")
    for option in ("BUNDLE ", *(f"--{name} " for name in options)):
        lines = [line for line in text.splitlines() if line.strip().startswith(option)]
        assert len(lines) == 1
        assert "(default: " in lines[0]
    assert "in tokens" in text


def test_a_bundle_that_does_not_exist_is_one_sentence_with_the_nearest(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_sentence(cli("chat", "falcon-7b-instruct"), "falcon-7b-instruct does not exist: `python -m export` makes")
    (tmp_path / "bundles" / "falcon-7b-instruct-lut4").mkdir(parents=True)
    (tmp_path / "bundles" / "falcon-7b-instruct-lut4" / "manifest.json").touch()
    assert_sentence(cli("chat", "falcon-7b-instruct"), "did you mean bundles/falcon-7b-instruct-lut4?")
    assert_sentence(cli("chat", tmp_path), "is not a bundle")


def test_a_damaged_bundle_is_one_sentence(cli: Cli, bundle_folder: Path) -> None:
    def refused(sentence: str) -> None:
        assert_sentence(cli("complete", bundle_folder, "--prompt", "x"), sentence)

    manifest = read_manifest(bundle_folder)
    write_manifest(bundle_folder, manifest | {"format_version": FORMAT_VERSION + 1})
    refused("update Falconet")
    write_manifest(bundle_folder, [])
    refused("is damaged")
    (bundle_folder / "manifest.json").write_bytes(b"\xff{")
    refused("manifest.json")
    write_manifest(bundle_folder, manifest)
    weights = bundle_folder / manifest["weight_file"]
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)
    refused("its hash differs")
    weights.write_bytes(data[:-64])
    refused("bytes where")
    weights.unlink()
    refused("is missing")
