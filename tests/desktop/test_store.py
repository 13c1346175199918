"""Chats, messages, folders, presets and services: what is kept, and what the path through a tree is."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from desktop.store.chats import KEPT_SECONDS
from desktop.store.errors import StoreError
from desktop.store.opening import FILE_NAME
from desktop.store.records import Dropped, Figures
from desktop.store.store import Store
from desktop.store.trees import ChatTree, Node
from runtime import GenerationOptions, Grammar, SamplingConfig

FIGURES = Figures(
    prompt_tokens=12,
    reused_tokens=3,
    new_tokens=5,
    first_token_seconds=0.25,
    tokens_per_second=None,
    reason="stop",
    context_length=2048,
)
OPTIONS = GenerationOptions(
    sampling=SamplingConfig(temperature=0.1, top_k=7, logit_bias={5: -1.5}, seed=3, order="llama.cpp"),
    max_new_tokens=99,
    stop=("###", "結束"),
    context_policy="rolling",
    grammar=Grammar(kind="regex", text="a+"),
    prompt_lookup=False,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path)
    yield opened
    opened.close()


def reopened(store: Store, folder: Path) -> Store:
    store.close()
    return Store.open(folder)


def shown(store: Store, chat: int) -> list[str]:
    return [step.message.text for step in store.path(chat)]


def test_a_chat_keeps_what_was_set(store: Store, tmp_path: Path) -> None:
    folder = store.new_folder("Work")
    chat = store.new_chat(folder=folder.id, system_prompt="Be brief.", options=OPTIONS, model="local:tiny").id
    store.set_draft(chat, "half a \ud800thought\0")
    store.pin([chat], True)
    store.archive([chat], True)
    kept = reopened(store, tmp_path).chat(chat)
    assert (kept.folder, kept.system_prompt, kept.options, kept.model) == (
        folder.id,
        "Be brief.",
        OPTIONS,
        "local:tiny",
    )
    assert (kept.draft, kept.pinned, kept.archived) == ("half a \ufffdthought\0", True, True)
    assert kept.created == kept.updated


def test_an_automatic_title_never_replaces_the_users(store: Store) -> None:
    chat = store.new_chat().id
    assert store.set_automatic_title(chat, "First").title == "First"
    assert store.set_automatic_title(chat, "Second\nline").title == "Second line"
    assert store.rename(chat, "Mine").titled_by_user
    assert store.set_automatic_title(chat, "Third").title == "Mine"
    assert not store.rename(chat, " ").titled_by_user
    assert store.set_automatic_title(chat, "Fourth").title == "Fourth"


def test_chats_are_listed_pinned_first_then_newest_without_deleted_and_archived(store: Store) -> None:
    old, new, pinned, archived, deleted = (store.new_chat().id for _ in range(5))
    store.add(old, None, "user", "hello")
    store.add(new, None, "user", "hello")
    store.pin([pinned], True)
    store.archive([archived], True)
    store.delete([deleted])
    assert [chat.id for chat in store.chats()] == [pinned, new, old]
    assert [chat.id for chat in store.chats(archived=True)] == [archived]
    store.undelete([deleted])
    assert [chat.id for chat in store.chats()] == [pinned, new, old, deleted]


def test_a_chat_whose_deletion_has_no_date_stops_no_start(store: Store, tmp_path: Path) -> None:
    chat = store.new_chat().id
    store.delete([chat])
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as raw:
        raw.execute("UPDATE chats SET deleted = 'yesterday'")
    store = reopened(store, tmp_path)
    assert (store.chats(), store.deleted_chats()) == ([], [])
    store.close()


def test_a_deleted_chat_is_gone_for_good_at_a_start_30_days_later_however_deep(store: Store, tmp_path: Path) -> None:
    deep = tuple(  # deeper than SQLite lets deletions call each other
        Node(parent=number - 1 if number else None, role="user", text=f"forgettable{number}", created=1.0)
        for number in range(1100)
    )
    (lost,) = store.add_trees([ChatTree(title="", created=1.0, updated=1.0, first=0, nodes=deep)])
    kept = store.new_chat().id
    store.delete([lost, kept])
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as raw:
        raw.execute("UPDATE chats SET deleted = ? WHERE id = ?", (time.time() - KEPT_SECONDS - 60, lost))
    store = reopened(store, tmp_path)
    with pytest.raises(StoreError, match="deleted for good"):
        store.chat(lost)
    store.undelete([kept])
    assert [chat.id for chat in store.chats()] == [kept]
    store.close()
    assert b"forgettable" not in (tmp_path / FILE_NAME).read_bytes()


def test_what_stands_in_an_editor_is_kept_until_it_is_closed_or_its_message_is_gone(
    store: Store, tmp_path: Path
) -> None:
    chat, other = store.new_chat().id, store.new_chat().id
    message = store.add(chat, None, "user", "What is the capital?").id
    elsewhere = store.add(other, None, "user", "And here?").id
    store.set_edit(message, "What is the")
    store.set_edit(message, "What is the capital \ud800of France?")
    store.set_edit(elsewhere, "")
    store = reopened(store, tmp_path)
    assert store.edits(chat) == {message: "What is the capital \ufffdof France?"}
    assert store.edits(other) == {elsewhere: ""}
    store.set_edit(elsewhere, None)
    assert store.edits(other) == {}
    store.delete([chat])
    store.remove([chat])
    assert store.edits(chat) == {}
    store.set_edit(message, "typed while another window removed it")
    assert store.edits(chat) == {}
    store.close()


def test_the_path_goes_through_what_was_last_used_and_alternatives_stay(store: Store) -> None:
    chat = store.new_chat().id
    question = store.add(chat, None, "user", "q")
    first = store.add(chat, question.id, "assistant", "a1")
    follow = store.add(chat, first.id, "user", "q2")
    store.add(chat, follow.id, "assistant", "a2")
    second = store.add(chat, question.id, "assistant", "b1")
    assert shown(store, chat) == ["q", "b1"]
    assert store.alternatives(first.id) == store.alternatives(second.id) == [first.id, second.id]
    step = store.path(chat)[1]
    assert (step.index, step.count) == (1, 2)
    store.select(first.id)
    assert shown(store, chat) == ["q", "a1", "q2", "a2"]
    edited = store.add(chat, None, "user", "other q")
    assert shown(store, chat) == ["other q"]
    assert store.alternatives(edited.id) == [question.id, edited.id]
    store.select(second.id)
    assert shown(store, chat) == ["q", "b1"]
    store.select(question.id)
    assert shown(store, chat) == ["q", "b1"]
    store.select(follow.id)
    assert shown(store, chat) == ["q", "a1", "q2", "a2"]


def test_a_message_belongs_under_one_of_its_own_chat(store: Store) -> None:
    here, there = store.new_chat().id, store.new_chat().id
    message = store.add(here, None, "user", "q")
    with pytest.raises(ValueError, match="not of chat"):
        store.add(there, message.id, "assistant", "a")
    assert store.path(there) == []
    with pytest.raises(StoreError, match="deleted for good"):
        store.add(99, None, "user", "q")
    with pytest.raises(StoreError, match="deleted for good"):
        store.move([here], 99)


def test_an_answer_is_kept_while_it_streams_and_its_end_with_figures(store: Store) -> None:
    chat = store.new_chat().id
    answer = store.add(chat, None, "assistant", "", state="streaming", model="tiny")
    store.write(answer.id, "Hel")
    assert shown(store, chat) == ["Hel"]
    dropped = Dropped(policy="rolling", messages=2, tokens=300)
    done = store.finish(answer.id, "Hello", "failed", figures=FIGURES, dropped=dropped, error="It broke.")
    store.write(answer.id, "a checkpoint that comes late")
    assert store.path(chat)[0].message == done
    again = store.resume(answer.id)
    assert (again.text, again.state, again.error) == ("Hello", "streaming", None)
    store.write(answer.id, "Hello and")
    assert store.finish(answer.id, "Hello and more", "complete").text == shown(store, chat)[0]
    assert [len(store.search(word)) for word in ("hello", "more")] == [1, 1]
    assert (done.text, done.state, done.model, done.figures, done.dropped, done.error) == (
        ("Hello", "failed", "tiny", FIGURES, dropped, "It broke.")
    )


def test_what_was_thought_is_kept_beside_an_answer_and_found_by_no_search(store: Store, tmp_path: Path) -> None:
    chat = store.new_chat().id
    answer = store.add(chat, None, "assistant", "", state="streaming")
    assert answer.reasoning == ""
    done = store.finish(answer.id, "Three.", "complete", reasoning="Let me count.\ud800")
    assert done.reasoning == "Let me count.\ufffd"
    assert store.resume(answer.id).reasoning == done.reasoning
    assert store.search("count") == []
    store.close()
    with closing(Store.open(tmp_path)) as again:
        assert again.path(chat)[0].message.reasoning == done.reasoning


def test_an_answer_that_was_being_written_when_the_program_ended_is_interrupted(store: Store, tmp_path: Path) -> None:
    chat = store.new_chat().id
    answer = store.add(chat, None, "assistant", "", state="streaming")
    store.write(answer.id, "Half an ans")
    second = Store.open(tmp_path)
    assert second.path(chat)[0].message.state == "streaming"  # the first program lives
    second.close()
    store = reopened(store, tmp_path)
    assert store.path(chat)[0].message.state == "interrupted"
    assert [hit.message for hit in store.search("half")] == [answer.id]
    store.close()


def test_folders_keep_the_users_order_and_their_chats_move_out_of_a_deleted_one(store: Store) -> None:
    one, two = store.new_folder("One"), store.new_folder("Two")
    chat = store.new_chat(folder=one.id).id
    store.order_folders([two.id, one.id])
    store.rename_folder(one.id, "Eins")
    assert [folder.name for folder in store.folders()] == ["Two", "Eins"]
    store.move([chat], two.id)
    store.delete_folder(two.id)
    assert store.chat(chat).folder is None
    assert [folder.name for folder in store.folders()] == ["Eins"]


def test_a_preset_of_the_same_name_is_replaced(store: Store) -> None:
    store.save_preset("b", "x", OPTIONS)
    first = store.save_preset("Code", "old", GenerationOptions())
    second = store.save_preset("Code", "new", OPTIONS)
    assert (second.id, second.system_prompt, second.options) == (first.id, "new", OPTIONS)
    assert [preset.name for preset in store.presets()] == ["b", "Code"]
    store.delete_preset(first.id)
    assert [preset.name for preset in store.presets()] == ["b"]


def test_services_are_added_changed_and_removed(store: Store) -> None:
    made = store.save_service("Home", "http://localhost:8000/v1", None, True)
    assert made.has_key is True
    changed = store.save_service("Home", "http://other/v1", "m", False, service=made.id)
    assert store.services() == [changed]
    assert changed == replace(made, url="http://other/v1", model="m", has_key=False)
    store.delete_service(made.id)
    assert store.services() == []
    with pytest.raises(StoreError, match="was removed"):
        store.save_service("Home", "http://other/v1", "m", False, service=made.id)


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ('{"max_new_tokens": 7, "warp": 9}', GenerationOptions(max_new_tokens=7)),
        ('{"max_new_tokens": -1, "stop": ["x"]}', GenerationOptions(stop=("x",))),
        (
            '{"sampling": {"temperature": "hot", "top_k": 5, "new": 1}}',
            GenerationOptions(sampling=SamplingConfig(top_k=5)),
        ),
        ('{"sampling": 3, "grammar": {"kind": "poem"}, "logprobs": 2}', GenerationOptions(logprobs=2)),
        ('{"sampling": {"logit_bias": {"a": 1}, "seed": 4}}', GenerationOptions(sampling=SamplingConfig(seed=4))),
        ("no json", GenerationOptions()),
        ("[1]", GenerationOptions()),
    ],
)
def test_options_that_are_unknown_or_no_longer_allowed_fall_back_one_by_one(
    store: Store, tmp_path: Path, kept: str, expected: GenerationOptions
) -> None:
    chat = store.new_chat().id
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as raw:
        raw.execute("UPDATE chats SET options = ?", (kept,))
    assert store.chat(chat).options == expected


def test_options_of_a_newer_program_stay_when_others_are_changed(store: Store, tmp_path: Path) -> None:
    chat = store.new_chat().id
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as raw:
        raw.execute("""UPDATE chats SET options = '{"warp": 9, "sampling": {"mirostat": 2}}'""")
        store.set_options(chat, OPTIONS)
        text = raw.execute("SELECT options FROM chats").fetchone()[0]
    assert '"warp": 9' in text
    assert '"mirostat": 2' in text
    assert store.chat(chat).options == OPTIONS
