"""The /commands, history and messages of several lines, through the program at a terminal."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtime.bundles import talker

if sys.platform == "win32":
    pytest.skip("needs a POSIX terminal", allow_module_level=True)

import readline

from tests.runtime.screen import CTRL_C, CTRL_D, TAB, UP, Screen

CLEAR = "\x15"  # Ctrl-U
PROMPT = r"\n\n> "
FIGURES = r"stopped at --max-tokens · 4 tokens[^\n]*· prompt ([\d,]+) tokens[^\n]*"


def chat(*given: str, **environment: str) -> Screen:
    settings = {"TERM": "dumb", "NO_COLOR": "1", **environment}
    return Screen("chat", str(talker()), "--max-tokens", "4", *given, through=(), **settings)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    """One program."""
    screen = chat("--temperature", "1", "--seed", "7", FALCONET_CACHE=str(tmp_path_factory.mktemp("cache")))
    screen.expect("> ")
    yield screen
    screen.kill()


@pytest.fixture
def screen(opened: Screen) -> Screen:
    """A conversation in it, at temperature 1 with a seed, in which nothing was said or done yet."""
    for command in ("/set temperature 1", "/set seed 7", "/system none", "/reset"):
        said(opened, command)
    for setting in ("top-k", "stop", "logit-bias", "prompt-lookup", "regex"):
        said(opened, f"/set {setting} default")
    while said(opened, "/undo") != "There is nothing to take back.":
        pass
    return opened


def said(screen: Screen, typed: str) -> str:
    """What is written after `typed`, up to the next prompt."""
    screen.type(f"{typed}\n")
    return screen.expect(rf"(?s)(.*?){PROMPT}")[1].partition("\n")[2]


def test_retry_takes_the_next_seed_and_gives_another_answer(screen: Screen) -> None:
    first = said(screen, "Hello")
    second = said(screen, "/retry")
    third = said(screen, "/retry")
    assert second.startswith("seed 8\n")
    assert third.startswith("seed 9\n")
    answers = {first.split("\n")[0], second.split("\n")[1], third.split("\n")[1]}
    assert len(answers) == 3
    assert said(screen, "/show").count("\n> ") == 0  # one turn still
    assert said(screen, "/show").splitlines()[1] == third.split("\n")[1]


def test_at_temperature_0_retry_says_that_the_answer_is_the_same(screen: Screen) -> None:
    said(screen, "Hello")
    assert said(screen, "/set temperature 0") == "temperature        0"
    assert "stopped at" in said(screen, "/retry")  # the setting was another
    assert said(screen, "/retry").startswith("At temperature 0 the answer would be the same; ")


def test_undo_takes_back_a_turn_and_brings_back_what_reset_ended(screen: Screen) -> None:
    said(screen, "Hello")
    assert said(screen, "/reset") == "A new conversation. /undo brings the last one back."
    assert said(screen, "/show") == "Nothing was said yet."
    assert said(screen, "/retry") == "There is no question to ask again; write one first."
    assert said(screen, "/undo") == "The conversation before /reset is back."
    assert said(screen, "/undo") == "Taken back: Hello"
    assert said(screen, "/undo") == "There is nothing to take back."


def test_show_begins_with_what_the_model_is_told_first(screen: Screen) -> None:
    said(screen, "/set temperature 0")
    said(screen, "Hello")
    shown = said(screen, "/show")
    assert not shown.startswith("system")
    assert said(screen, "/system Be brief.") == "From the next answer on."
    assert said(screen, "/show") == f"system             Be brief.\n{shown}"


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("/set temperature 0.3", "temperature        0.3"),
        ("/set top_k=5", "top-k              5"),
        ("/set seed default", "seed               none"),
        ('/set stop ["\\n", "END"]', r'stop               ["\n", "END"]'),
        ("/set stop [[1]]", 'stop must be a text, or texts as JSON, such as ["\\n", "END"].'),
        ('/set stop ["a", null]', "stop must be a text, or texts as JSON"),
        ("/set stop [", "stop must be a text, or texts as JSON"),
        ("/set stop", "stop none: a text that ends the answer"),
        ("/set stop default", "stop               none"),
        ("/set logit-bias 5:-100,7:1", "logit-bias         5:-100,7:1"),
        ("/set logit-bias 99999:5", "logit-bias names token 99999, but this model's vocabulary ends at "),
        ("/set logit-bias", "logit-bias none: added to the score"),
        ("/set logit-bias none", "logit-bias         none"),
        ("/set logit-bias default", "logit-bias         none"),
        ("/set prompt-lookup off", "prompt-lookup      off"),
        ("/set regex [ab]+", "regex              [ab]+"),
        ("/set regex (", "the regex cannot be used: unclosed group."),
        ('/set json-schema {"type": "frob"}', "the JSON schema cannot be used: failed to"),
        ("/set regex none", "regex              none"),
        ("/set top-p 0", "top-p must be above 0"),
        ("/set max-tokens many", "max-tokens must be a whole number, not 'many'."),
        ("/set temp 0.3", "temperature        0.3"),
        ("/set top 1", "top may be top-k or top-p; write more of it."),
        ("/set temprature 1", "There is no setting temprature; did you mean temperature?"),
        ("/set min-p", "min-p 0: 0 to 1; drop tokens"),
        ("/rest", "There is no command /rest; did you mean /reset?"),
        ("/un", "There is no command /un; did you mean /undo?"),
        ("/sh now", "There is no command /sh; did you mean /show?"),
        ("/etc/hosts", "There is no command /etc/hosts; a space before it makes it a message."),
        ("/undo it", "/undo takes nothing after it; a space before the / makes it a message."),
        ("/context", "[......................................."),
        ("/save", "Name a file: /save chat.json (which /load reads) or /save chat.md."),
        ("/load", "Name a file: /load chat.json."),
        ("/load /none.json", "/none.json cannot be read (no such file or directory)"),
    ],
)
def test_a_command_answers_in_a_line(screen: Screen, typed: str, sentence: str) -> None:
    answer = said(screen, typed)
    assert answer.startswith(sentence)


def test_a_setting_without_a_value_says_what_it_is(screen: Screen) -> None:
    said(screen, "/set regex [ab]+")
    assert said(screen, "/set regex").startswith("regex [ab]+: the whole answer")


def test_settings_show_every_value(screen: Screen) -> None:
    said(screen, "/set temperature 0.3")
    said(screen, "/set seed none")
    text = said(screen, "/settings")
    assert "backend            torch\n" in text
    assert "temperature        0.3 (default: 0.7)\n" in text
    assert "seed               none" in text


def test_a_system_message_changes_the_next_prompt(screen: Screen) -> None:
    assert said(screen, "/system") == "none"
    assert said(screen, '/system """Be brief.\nBe kind."""').endswith("From the next answer on.")
    assert said(screen, "/system") == "Be brief.\nBe kind."
    assert said(screen, "/system none") == "The model is told nothing first."


def test_a_saved_conversation_comes_back_and_nothing_is_replaced_silently(screen: Screen, tmp_path: Path) -> None:
    file = tmp_path / "with space.json"
    assert said(screen, f"/save {file}") == "Nothing was said yet: there is nothing to save."
    said(screen, "Hello ✓")
    before = said(screen, "/show")
    assert said(screen, f"/save {file}") == f"Saved to {file}, the model's state to with space.session"
    refused = " ".join(said(screen, f"/save {file}").split())  # a long name wraps at the terminal's edge
    assert refused == f"{file} exists; `/save! {file}` replaces it."
    assert said(screen, f"/save! {file}") == f"Saved to {file}, the model's state to with space.session"
    assert said(screen, f"/save {tmp_path}/talk.txt").startswith(f"{tmp_path}/talk.txt would be neither")
    assert said(screen, f"/save {tmp_path}/none/talk.md").startswith(
        f"{tmp_path}/none/talk.md cannot be written (no such"
    )
    assert said(screen, f"/save {tmp_path}/talk.md") == f"Saved to {tmp_path}/talk.md"
    assert "## User\n\nHello ✓\n\n## Assistant\n\n" in (tmp_path / "talk.md").read_text(encoding="utf-8")
    said(screen, "/reset")
    assert said(screen, f"/load {file}") == "Loaded 1 turn and the model's state; /show shows them."
    assert said(screen, "/show") == before
    assert said(screen, f"/load {tmp_path}/talk.md").startswith(f"{tmp_path}/talk.md is not JSON")
    assert said(screen, "/show") == before
    assert [path.name for path in sorted(tmp_path.iterdir())] == [*("talk.md", "with space.json", "with space.session")]
    assert [item["role"] for item in json.loads(file.read_text(encoding="utf-8"))["messages"]] == ["user", "assistant"]


def test_a_backslash_at_the_end_of_a_line_goes_on_in_the_next(screen: Screen) -> None:
    screen.type("/reset\none \\\n")
    screen.expect(r"\n\. ")
    screen.type("two\n")
    screen.expect(FIGURES + PROMPT)
    assert said(screen, "/show").startswith("> one \ntwo\n")
    said(screen, "/reset")
    said(screen, "three \\\\")
    assert "> three \\\\\n" in said(screen, "/show")


def test_ctrl_d_in_a_block_ends_the_block(screen: Screen) -> None:
    screen.type('/reset\n"""first\n')
    screen.expect(r"\n\. ")
    screen.type(CTRL_D)
    screen.expect(FIGURES + PROMPT)
    assert said(screen, "/show").startswith("> first\n")


def test_ctrl_c_in_a_block_drops_it(screen: Screen) -> None:
    screen.type('"""first\n')
    screen.expect(r"\n\. ")
    screen.type(CTRL_C)
    screen.expect(r"\(Ctrl-D leaves\)\n> ")


def test_tab_completes_commands_and_settings(screen: Screen) -> None:
    screen.type(f"/sav{TAB}")
    screen.expect("/save")
    screen.type(CLEAR)
    screen.type(f"/set temp{TAB}")
    screen.expect("/set temperature ")
    screen.type("1\n")
    screen.expect("temperature        1\n")
    screen.expect("> ")


def test_quit_leaves(tmp_path: Path) -> None:
    screen = chat(FALCONET_CACHE=str(tmp_path))
    try:
        screen.expect("> ")
        screen.type("/bye\n")
        screen.close()
        assert screen.code == 0
    finally:
        screen.kill()


def test_history_lasts_between_runs_for_nobody_else_to_read(tmp_path: Path) -> None:
    file = tmp_path / "chat-history.jsonl"
    file.write_text('"older"\nbroken\n7\n', encoding="utf-8")
    file.chmod(0o644)
    for sees in ("older", "line two"):
        screen = chat(FALCONET_CACHE=str(tmp_path), TERM="xterm")
        try:
            screen.expect("> ")
            screen.type(UP)
            screen.expect(sees)
            screen.type(CLEAR)
            if sees == "older":
                screen.type("line one\\\r")
                screen.expect(r"\. ")
                screen.type("line two\r")
                screen.expect(FIGURES)
                screen.expect("> ")
            screen.type(CTRL_D)
            screen.close()
        finally:
            screen.kill()
    assert json.loads(file.read_text(encoding="utf-8").splitlines()[-1]) == "line one\nline two"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_history_that_cannot_be_kept_stops_no_chat(tmp_path: Path) -> None:
    (tmp_path / "chat-history.jsonl").mkdir()
    screen = chat(FALCONET_CACHE=str(tmp_path))
    try:
        screen.expect("> ")
        screen.type("Hello\n")
        screen.expect(r"What you type is not kept for the next run: .*chat-history.jsonl: Is a directory\n")
        screen.expect(FIGURES + PROMPT)
    finally:
        screen.kill()


@pytest.mark.parametrize("columns", [40, 24])
def test_a_narrow_terminal_gets_short_lines_and_no_history_keeps_nothing(tmp_path: Path, columns: int) -> None:
    screen = chat("--no-history", FALCONET_CACHE=str(tmp_path), COLUMNS=str(columns))
    try:
        screen.expect(PROMPT)
        for typed in ("/help", "/settings", "/context"):
            assert max(map(len, said(screen, typed).splitlines())) <= columns
        assert not list(tmp_path.glob("*history*"))
    finally:
        screen.kill()


# Of bytes that are no UTF-8 readline drops some as keys that it does not know; these reach the program.
@pytest.mark.skipif("libedit" in (readline.__doc__ or ""), reason="libedit in readline's place drops such bytes itself")
@pytest.mark.parametrize(("locale", "keys"), [("C", b"caf\xe9 au lait\n"), ("C.UTF-8", b"\xff\xfeabc\n")])
def test_what_is_typed_in_another_encoding_is_called_so_and_the_chat_goes_on(locale: str, keys: bytes) -> None:
    screen = chat(LC_ALL=locale)
    try:
        screen.expect("> ")
        screen.type(keys)
        screen.expect(rf"That was not UTF-8 text; set the terminal to UTF-8\.{PROMPT}")
        screen.type("/show\n")
        screen.expect(rf"Nothing was said yet\.{PROMPT}")
    finally:
        screen.kill()


def test_a_grammar_that_is_none_is_refused_before_the_first_question() -> None:
    screen = chat("--regex", "(")
    assert "error: the regex cannot be used: unclosed group." in screen.close()
    assert screen.code == 1
