"""`python -m runtime chat` at a terminal: a real one, with a person's keys."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator

import pytest

from tests.runtime.bundles import talker

if sys.platform == "win32":
    pytest.skip("needs a POSIX terminal", allow_module_level=True)

from tests.runtime.screen import CTRL_C, CTRL_D, CTRL_Z, UP, Screen

FIGURES = r"tokens/s · first after [\d.]+ s · prompt ([\d,]+) tokens(?:, ([\d,]+) reused)? · torch"


@pytest.fixture(scope="module")
def opened() -> Iterator[Screen]:
    """One program; each test begins a conversation in it."""
    slow = ("--temperature", "0", "--max-tokens", "1500", "--no-prompt-lookup")  # to press keys in an answer
    screen = Screen("chat", str(talker()), *slow, TERM="dumb", NO_COLOR="1")
    screen.expect(r"talker on torch, 2,048 tokens of context. /help for help.\n\n> ")
    yield screen
    screen.kill()


@pytest.fixture
def screen(opened: Screen) -> Screen:
    opened.type("/reset\n")
    opened.expect(r"A new conversation[^\n]*\n\n> ")
    return opened


def number(text: str | None) -> int:
    return int((text or "0").replace(",", ""))


def test_ctrl_c_stops_an_answer_and_keeps_what_was_said(screen: Screen) -> None:
    screen.type("Hello\n")
    screen.expect(r"Hello\n.{20}")
    screen.type(CTRL_C)
    screen.expect(r"\nstopped · ([\d,]+) tokens")
    first = number(screen.expect(FIGURES + "\n\n> ")[1])
    screen.type("And?\n")
    screen.expect(r"And\?\n.{20}")
    screen.type(CTRL_C)
    figures = screen.expect(FIGURES + "\n\n> ")
    assert number(figures[2]) > first


def test_ctrl_c_takes_nothing_from_the_screen_that_was_said(screen: Screen) -> None:
    screen.type("Hello\n")
    begun = screen.expect(r"Hello\n(.{20})")[1]
    time.sleep(0.3)  # what is written meanwhile waits in the terminal, where Ctrl-C could have it forgotten
    screen.type(CTRL_C)
    seen = begun + screen.expect(r"(?s)(.*?)\nstopped · ")[1]
    screen.expect("> ")
    screen.type("/show\n")
    said = screen.expect(r"(?s)> Hello\n(.*?)\n\n> ")[1]
    assert seen.split() == said.split()


def test_what_is_typed_while_an_answer_streams_is_the_next_message_and_not_shown_in_the_answer(screen: Screen) -> None:
    screen.type("Hello\n")
    screen.expect(r"Hello\n.{20}")
    screen.type("typed ahead\n")
    assert "typed" not in screen.expect(r"(?s).*?" + FIGURES)[0]
    screen.expect(r"\n\n> typed ahead\n.{20}")
    screen.type(CTRL_C)
    screen.expect(FIGURES + "\n\n> ")


def test_ctrl_c_at_the_prompt_clears_the_line(screen: Screen) -> None:
    screen.type("half a quest")
    screen.expect("half a quest")
    screen.type(CTRL_C)
    screen.expect(r"\n\(Ctrl-D leaves\)\n> ")


def test_ctrl_c_right_after_keys_is_heard_before_the_next_one(screen: Screen) -> None:
    for _ in range(20):
        screen.type("x" * 300)  # readline is busy with them when Ctrl-C comes
        screen.type(CTRL_C)
        screen.expect(r"\n\(Ctrl-D leaves\)\n> ")


def test_commands_are_no_messages(screen: Screen) -> None:
    screen.type("/help\n")
    screen.expect(r"(?s)/reset .*\n/help .*\n/quit .*\n\n> ")
    screen.type("/nonsense now\n")
    screen.expect(r"There is no command /nonsense; /help lists them.\n\n> ")
    screen.type("\n")
    screen.expect(r"\n\n> ")
    screen.type("/reset\n")
    screen.expect(r"A new conversation[^\n]*\n\n> ")
    screen.type("   /etc is a path\n")
    screen.expect(r"path\n.{20}")
    screen.type(CTRL_C)
    assert number(screen.expect(FIGURES + "\n\n> ")[1]) < 40


def test_a_message_of_several_lines_stands_between_triple_quotes(screen: Screen) -> None:
    screen.type('"""/first\n')
    screen.expect(r"\n\. ")
    screen.type('second"""\n')
    screen.expect(r'second"""\n.{20}')
    screen.type(CTRL_C)
    screen.expect(FIGURES + "\n\n> ")


def test_a_message_that_does_not_fit_is_refused_and_the_conversation_goes_on(screen: Screen) -> None:
    screen.type("/reset\n")
    screen.expect(r"A new conversation[^\n]*\n\n> ")
    screen.type('"""\n' + ("no " * 100 + "\n") * 25 + '"""\n')
    screen.expect(r"The conversation has [\d,]+ tokens and the model's context holds 2,048: [^\n]*\.\n\n> ")
    screen.type("Hello\n")
    screen.expect(r"Hello\n.{20}")
    screen.type(CTRL_C)
    screen.expect(FIGURES + "\n\n> ")


def test_ctrl_d_leaves() -> None:
    screen = Screen("chat", str(talker()), TERM="dumb", NO_COLOR="1")
    try:
        screen.expect("> ")
        screen.type(CTRL_D)
        screen.close()
        assert screen.code == 0
    finally:
        screen.kill()


def test_history_pastes_and_colours_of_a_modern_terminal() -> None:
    screen = Screen(
        "chat", str(talker()), "--temperature", "0", "--max-tokens", "4", TERM="xterm-256color", NO_COLOR=""
    )
    try:
        screen.expect(r"> ")
        screen.type("Hello\r")
        screen.expect(r"\x1b\[2mstopped at --max-tokens[^\n]*\x1b\[0m\n")
        screen.expect(r"> ")
        screen.type(UP)
        screen.expect("Hello")
        screen.type("\r")
        second = number(screen.expect(FIGURES)[1])
        screen.expect(r"> ")
        screen.type("\x1b[200~one\ntwo\x1b[201~\r")
        assert number(screen.expect(FIGURES)[1]) > second
        screen.expect(r"> ")
        screen.type("/quit\r")
        screen.close()
        assert screen.code == 0
    finally:
        screen.kill()


# Two such answers fit the context, and none is over before a key is pressed: this model repeats itself, which prompt
# lookup writes in no time.
LONG = ("--temperature", "0", "--max-tokens", "1000", "--no-prompt-lookup")


def test_a_program_that_is_ended_in_an_answer_leaves_a_terminal_that_shows_keys() -> None:
    shell = ("sh", "-c", 'trap : TERM; "$@"; echo "code $?"; stty -a', "sh")
    screen = Screen("complete", str(talker()), "--prompt", "Hello", *LONG, through=shell, TERM="xterm", NO_COLOR="")
    try:
        screen.expect(r"\x1b\[K.{20}")
        assert not screen.echoes()
        os.killpg(screen.pid, signal.SIGTERM)  # the shell catches it, and only the program ends
        screen.expect(rf"code {128 + signal.SIGTERM}\n")
        screen.expect(r"[^-]echo\b")
    finally:
        screen.kill()


def test_a_program_that_is_stopped_in_an_answer_shows_keys_until_it_goes_on() -> None:
    shell = ("sh", "-mc", '"$@"; stty -a; echo stopped; read line; fg; stty -a', "sh")
    screen = Screen("chat", str(talker()), *LONG, through=shell, TERM="dumb", NO_COLOR="1")
    try:
        screen.expect("> ")
        screen.type("Hello\n")
        screen.expect(r"Hello\n.{20}")
        screen.type(CTRL_Z)
        screen.expect(r"[^-]echo\b[^$]*stopped\n")
        screen.type("\n")
        screen.expect(r"(?s).{200}")  # more than the shell says of it
        screen.type("ahead\n")
        assert "ahead" not in screen.expect(r"(?s).*?" + FIGURES)[0]
        screen.expect(r"> ahead\n.{20}")
        screen.type(CTRL_C)
        screen.expect(FIGURES + "\n\n> ")
        screen.type(CTRL_D)
        screen.expect(r"[^-]echo\b")
    finally:
        screen.kill()
