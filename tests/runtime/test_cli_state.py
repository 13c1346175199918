"""/save and /load keep the embedded model's state beside the text; without it a chat goes on all the same."""

from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path

import pytest

from runtime.cli.conversation import Conversation
from runtime.cli.output import Output
from runtime.cli.settings import BASE
from runtime.embedded import embedded_bundle
from runtime.engines.local import LocalEngine
from runtime.engines.remote import RemoteEngine
from runtime.errors import BackendUnavailableError, OptionError
from tests.runtime.bundles import talker
from tests.runtime.openai_server import OpenAIServer, serving
from tests.runtime.program import Outcome, run_program

GREEDY = ("--temperature", "0", "--max-tokens", "30")
QUESTION = b"And what is 4 plus 3?"


@pytest.fixture(scope="module")
def bundle() -> Path:
    try:
        return embedded_bundle(io.StringIO())
    except BackendUnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def engine(bundle: Path) -> LocalEngine:
    return LocalEngine.open(bundle)


def asked(engine: LocalEngine | RemoteEngine, *questions: str) -> Conversation:
    conversation = Conversation(
        engine, Output(io.StringIO(), io.StringIO(), json_lines=True, backend=""), BASE, stdin=io.StringIO()
    )
    for question in questions:
        conversation.ask(question)
    return conversation


@pytest.fixture(scope="module")
def saved(engine: LocalEngine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A conversation with its state beside it. Not to be changed: copy it."""
    file = tmp_path_factory.mktemp("saved") / "mia.json"
    conversation = asked(engine, "My name is Mia.", "What is 2 plus 3?")
    assert conversation.save(file) == f"Saved to {file}, the model's state to mia.session"
    return file


@pytest.fixture
def mine(saved: Path, tmp_path: Path) -> Path:
    for file in (saved, saved.with_suffix(".session")):
        shutil.copy(file, tmp_path)
    return tmp_path / saved.name


def goes_on(file: Path, bundle: Path, *given: str) -> tuple[int, str, Outcome]:
    """Tokens of the next answer's prompt that were not read again, its text, and all that was written."""
    outcome = run_program("chat", bundle, *GREEDY, *given, "--load", file, "--json", stdin=QUESTION)
    last = outcome.events[-1]
    assert (outcome.code, last["event"]) == (0, "finished")
    return int(str(last["reused_tokens"])), str(last["text"]), outcome


@pytest.mark.parametrize("given", [(), ("--process",)])
def test_a_loaded_chat_goes_on_without_being_read_again(mine: Path, bundle: Path, given: tuple[str, ...]) -> None:
    reused, text, outcome = goes_on(mine, bundle, *given)
    prompt = int(str(outcome.events[0]["prompt_tokens"]))
    assert prompt / 2 < reused < prompt
    mine.with_suffix(".session").unlink()
    assert goes_on(mine, bundle, *given)[:2] == (0, text)


@pytest.mark.parametrize(
    ("damage", "note"),
    [
        ("missing", "There is no mia.session beside it; the next answer may begin by reading the conversation again."),
        ("foreign", "mia.session was saved with another bundle; the conversation has to be read again."),
        ("damaged", "mia.session is damaged; the conversation has to be read again."),
        ("another kind", "mia.session is no saved session. The conversation has to be read again."),
        ("a folder", "mia.session is a folder; name the file that the session was saved in. The conversation has to"),
    ],
)
def test_without_its_state_the_text_is_loaded_and_a_note_says_why(
    mine: Path, bundle: Path, damage: str, note: str
) -> None:
    state = mine.with_suffix(".session")
    if damage == "foreign":
        with LocalEngine.open(talker()) as other:
            asked(other, "Hello").save(mine.with_name("other.json"))
        shutil.move(mine.with_name("other.session"), state)
    elif damage == "damaged":
        state.write_bytes(state.read_bytes()[:-1])
    elif damage == "another kind":
        state.write_text("Dear diary", encoding="utf-8")
    else:
        state.unlink()
        if damage == "a folder":
            state.mkdir()
    assert goes_on(mine, bundle)[0] == 0
    outcome = run_program("chat", bundle, *GREEDY, "--load", mine, stdin=QUESTION)
    assert outcome.code == 0
    assert outcome.out.strip()
    assert note in outcome.err.splitlines()[0]


def test_a_list_of_messages_that_another_program_wrote_is_not_said_to_lack_a_state(
    bundle: Path, tmp_path: Path
) -> None:
    file = tmp_path / "list.json"
    file.write_text('[{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi."}]', encoding="utf-8")
    reused, text, outcome = goes_on(file, bundle)
    assert (reused, outcome.err) == (0, "")
    assert text


def test_a_state_that_is_not_the_conversations_is_not_kept(engine: LocalEngine, tmp_path: Path) -> None:
    file, state = tmp_path / "mia.json", tmp_path / "mia.session"
    conversation = asked(engine, "My name is Mia.", "What is 2 plus 3?")
    conversation.save(file)
    assert state.exists()
    conversation.undo()
    assert "Text only: the model's state is not that of" in conversation.save(file, replace=True)
    assert not state.exists()
    conversation.ask("What is 2 plus 3?")
    conversation.save(file, replace=True)
    assert state.exists()
    conversation.set_system("Be brief.")
    assert "Text only" in conversation.save(tmp_path / "brief.json")


def test_a_file_in_the_place_of_the_state_is_kept_unless_told_otherwise(engine: LocalEngine, tmp_path: Path) -> None:
    file, diary = tmp_path / "mia.json", tmp_path / "mia.session"
    diary.write_text("Dear diary", encoding="utf-8")
    conversation = asked(engine, "My name is Mia.")
    with pytest.raises(OptionError, match=r"mia.session exists, where the model's state would go; `/save! .*mia.json`"):
        conversation.save(file)
    assert diary.read_text(encoding="utf-8") == "Dear diary"
    assert not file.exists()
    assert conversation.save(file, replace=True).endswith("the model's state to mia.session")


def test_a_state_that_cannot_be_written_is_a_note_and_the_text_is_saved(engine: LocalEngine, tmp_path: Path) -> None:
    (tmp_path / "mia.session").mkdir()
    said = asked(engine, "My name is Mia.").save(tmp_path / "mia.json", replace=True)
    assert said.startswith(f"Saved to {tmp_path}/mia.json. Text only: ")
    assert "cannot be written" in said
    assert (
        json.loads((tmp_path / "mia.json").read_text(encoding="utf-8"))["messages"][0]["content"] == "My name is Mia."
    )


def test_a_service_has_no_state_and_that_is_no_error(engine: LocalEngine, mine: Path, tmp_path: Path) -> None:
    pytest.importorskip("httpx", reason="httpx is not installed (extra `remote`)")
    with OpenAIServer(serving(engine)) as server, RemoteEngine.open(f"{server.url}/v1") as remote:
        conversation = asked(remote, "My name is Mia.")
        assert conversation.save(tmp_path / "far.json") == f"Saved to {tmp_path}/far.json"
        assert not (tmp_path / "far.session").exists()
        assert conversation.load(mine) is None
        assert len(conversation.turns) == 4


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX terminal")
def test_at_a_terminal_the_figures_show_what_was_not_read_again(bundle: Path, tmp_path: Path) -> None:
    from tests.runtime.screen import Screen

    for steps in (
        (("My name is Mia.", r"Mia"), ("/save mia.json", r"the model's state to mia.session\n")),
        (("/load mia.json", r"Loaded 1 turn and the model's state"), ("And 4 plus 3?", r"tokens, [1-9]\d* reused")),
    ):
        screen = Screen("chat", str(bundle), *GREEDY, TERM="dumb", NO_COLOR="1")
        try:
            for keys, expected in steps:
                screen.expect("> ")
                screen.type(keys.replace("mia.json", f"{tmp_path}/mia.json") + "\n")
                screen.expect(r"\n")
                screen.expect(expected)
        finally:
            screen.kill()
