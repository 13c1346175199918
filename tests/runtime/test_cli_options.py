"""Options: those of `chat` and `complete` work or are refused in a sentence; docs/command-line.md names all."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from runtime.cli.output import left_out
from runtime.events import Trimmed
from tests.runtime.bundles import talker
from tests.runtime.program import Outcome, assert_error_event, assert_sentence, run_program

GREEDY = ("--temperature", "0", "--max-tokens", "8")
COMMANDS = re.findall(r"^    ([a-z]+)  ", run_program("--help").out, flags=re.MULTILINE)
PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"


def complete(*given: str | Path, prompt: str = "Hi") -> Outcome:
    return run_program("complete", talker(), "--prompt", prompt, *given)


@pytest.mark.parametrize(
    "given",
    [
        ("--typical-p", "0.5"),
        ("--presence-penalty", "-1"),
        ("--frequency-penalty", "2"),
        ("--repetition-penalty", "1.3", "--repetition-window", "0"),
        ("--sampling-order", "llama.cpp"),
        ("--context-policy", "rolling"),
        ("--no-prompt-lookup",),
        ("--process",),
    ],
)
def test_an_option_within_its_range_works(given: tuple[str, ...]) -> None:
    assert complete("--max-tokens", "2", *given).code == 0


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("--typical-p", "0"), "--typical-p must be above 0"),
        (("--presence-penalty", "3"), "--presence-penalty must be a number from -2 to 2"),
        (("--frequency-penalty", "nan"), "--frequency-penalty must be a number from -2 to 2"),
        (("--repetition-window", "-1"), "--repetition-window must be a whole number, 0 or more"),
        (("--sampling-order", "vllm"), "--sampling-order must be transformers or llama.cpp, not 'vllm'."),
        (("--context-policy", "shift"), "--context-policy must be stop or rolling or truncate-middle, not 'shift'."),
        (("--logit-bias", "five:1"), "--logit-bias must be a token's id and a number, such as 193:-100, not 'five:1'."),
        (("--logit-bias", "5:1000"), "--logit-bias of token 5 must be a number from -100 to 100"),
        (("--logit-bias", "9999999:1"), "9999999"),
        (("--stop", ""), "--stop: A stop text must not be empty"),
        (("--stop", "a\udcff"), "The text after --stop is not UTF-8"),
        (("--logprobs", "2"), "--logprobs are part of the events that --json prints; add --json."),
        (("--regex", ""), "--regex: a regex must be a text that is not empty."),
        (("--regex", "("), "the regex cannot be used"),
        (("--regex", "a", "--json-schema", "{}"), "not allowed with argument --regex"),
        (("--json-schema", "{"), "--json-schema: the schema is not JSON"),
        (("--json-schema", "missing.json"), "--json-schema: missing.json cannot be read (No such file or directory)"),
        (("--json-schema", "~nobody-of-this-name/x"), "~nobody-of-this-name/x cannot be read (Could not"),
        (("--model", "x"), "--model is one of a service's; name the service with --remote"),
        (("--remote", "http://127.0.0.1:9/v1"), "BUNDLE is for models on this machine; leave it out"),
    ],
)
def test_a_wrong_option_is_one_sentence(given: tuple[str, ...], sentence: str) -> None:
    assert_sentence(complete(*given), sentence)


@pytest.mark.parametrize("process", [(), ("--process",)])
def test_a_bias_of_a_token_that_the_model_lacks_is_refused_before_the_first_question(process: tuple[str, ...]) -> None:
    outcome = run_program("chat", talker(), "--logit-bias", "99999:5", *process, stdin=b"Hello\nHello\n")
    assert_sentence(outcome, "--logit-bias names token 99999")


def test_stop_texts_end_the_answer_and_are_no_part_of_it() -> None:
    text = complete(*GREEDY).out.rstrip("\n")
    first = text[3:5]
    assert complete(*GREEDY, "--stop", "never said", "--stop", first).out == f"{text[: text.index(first)]}\n"


def test_a_biased_token_is_the_answer() -> None:
    token = complete(*GREEDY, "--json").events[-1]["tokens"][1]  # type: ignore[index]
    biased = complete(*GREEDY, "--json", "--logit-bias", f"{token}:100").events[-1]
    assert biased["tokens"] == [token] * 8


def test_log_probabilities_are_part_of_the_events() -> None:
    outcome = complete(*GREEDY, "--json", "--logprobs", "2")
    finished = outcome.events[-1]
    logprobs = finished["logprobs"]
    assert isinstance(logprobs, list)
    assert [item["token"] for item in logprobs] == finished["tokens"]
    assert all(len(item["top"]) == 2 and item["logprob"] == item["top"][0][1] <= 0 for item in logprobs)
    assert "logprobs" not in complete(*GREEDY, "--json").events[-1]
    refused = complete("--json", "--logprobs", "21")
    assert "--logprobs must be a whole number from 0 to 20, not 21." in refused.err


def test_a_grammar_from_a_file_or_the_arguments_binds_the_answer(tmp_path: Path) -> None:
    schema: dict[str, object] = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    schema["additionalProperties"] = False
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(schema), encoding="utf-8")
    answers = [complete("--json-schema", where).out for where in (str(file), json.dumps(schema))]
    for answer in answers:
        assert set(json.loads(answer)) == {"ok"}
    assert re.fullmatch(r"(cat|dog) \d\n", complete("--regex", r"(cat|dog) \d").out)


def test_a_sentence_commands_no_terminal() -> None:
    outcome = run_program("complete", "\x1b]0;title\x07", "--prompt", "Hi", "--json")
    assert outcome.err.startswith("error: ␛]0;title␇ does not exist")
    assert "\x1b]0;title\x07" in str(outcome.events[-1]["message"])  # a program gets it as it is


def test_an_error_is_an_event_too() -> None:
    outcome = complete("--json", prompt="word " * 5000)
    assert_error_event(outcome)


def test_turns_come_from_a_file_and_a_conversation_goes_on(tmp_path: Path) -> None:
    turns = tmp_path / "turns.txt"
    turns.write_text("Hello\n\nAnd?\n", encoding="utf-8")
    outcome = run_program("chat", talker(), *GREEDY, "--json", "--input", turns)
    assert [event["event"] for event in outcome.events].count("finished") == 2
    given = run_program("chat", talker(), *GREEDY, "--json", "--input", "-", stdin=turns.read_bytes())
    assert [event.get("text") for event in given.events] == [event.get("text") for event in outcome.events]
    first = outcome.events[[event["event"] for event in outcome.events].index("finished")]
    saved = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": first["text"]}]
    (tmp_path / "said.json").write_text(json.dumps(saved), encoding="utf-8")
    later = run_program("chat", talker(), *GREEDY, "--json", "--load", tmp_path / "said.json", stdin=b"And?")
    assert later.events[-1]["text"] == outcome.events[-1]["text"]
    assert_sentence(run_program("chat", talker(), "--input", tmp_path / "none"), "cannot be read (no such file")


def test_what_is_too_large_is_refused_with_the_bound(tmp_path: Path) -> None:
    large = tmp_path / "large.json"
    with large.open("wb") as file:
        file.truncate(64_000_001)
    for given, sentence in (
        (("--load", large), f"{large} cannot be read (it holds more than 64 MB); name what /save wrote."),
        (("--input", large), "Line 1 of the input holds more than 64 MB; give one turn a line."),
    ):
        assert_sentence(run_program("chat", talker(), *given), sentence)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\xff", "is not JSON; only what /save wrote"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"format": "other"}', "holds no conversation"),
        (b"3", "holds no conversation"),
        (b'{"format": "falconet conversation", "version": 9, "messages": []}', "another version of Falconet"),
        (b'[{"role": "user"}]', "Message 1 is none: it needs a role and a content"),
        (b'[{"role": "assistant", "content": "x"}]', "Message 1 is the assistant's where the user's was due"),
        (b'[{"role": "user", "content": "x"}]', "The last message has no answer"),
        (b'[{"role": "user", "content": " "}, {"role": "assistant", "content": ""}]', "message is empty"),
        (b'[{"role": "king", "content": "x"}]', "must be system, user or assistant"),
        (
            b'[{"role": "user", "content": "x"}, {"role": "assistant", "content": "y", "tokens": [-1]}]',
            "The tokens of message 2 are no ids",
        ),
    ],
)
def test_a_file_that_holds_no_conversation_is_one_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    file = tmp_path / "said.json"
    file.write_bytes(content)
    assert_sentence(run_program("chat", talker(), "--load", file), sentence)


def test_a_rolling_conversation_says_what_was_left_out() -> None:
    turns = (b"no " * 300 + b"\n") * 8
    outcome = run_program("chat", talker(), *GREEDY, "--context-policy", "rolling", stdin=turns)
    assert outcome.code == 0
    assert "(the oldest " in outcome.err
    assert outcome.out.count("\n") >= 8
    events = run_program("chat", talker(), *GREEDY, "--context-policy", "rolling", "--json", stdin=turns).events
    trimmed = [event for event in events if event["event"] == "trimmed"]
    assert trimmed
    assert {event["policy"] for event in trimmed} == {"rolling"}


def test_what_was_left_out_is_said_in_a_line() -> None:
    assert left_out(Trimmed("rolling", 2, 1410)) == (
        "(the oldest 2 messages, 1,410 tokens, were left out: the context holds no more)"
    )
    assert left_out(Trimmed("truncate-middle", 0, 1)).startswith("(1 token in the middle was left out")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_of_the_command_line_names_every_option_of_every_command(command: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", run_program(command, "--help").out)) - {"--help"}
    assert options
    assert f"`{command}`" in page
    assert {option for option in options if f"`{option}" not in page} == set()


def test_the_page_of_the_command_line_names_every_slash_command() -> None:
    from runtime.cli.slash import NAMES

    page = PAGE.read_text(encoding="utf-8")
    assert {name for name in NAMES if f"`{name}" not in page} == set()
