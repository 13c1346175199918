"""The list of chats: read once, then only what changed, and always what the file holds."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desktop.store.records import Chat
from desktop.store.store import Store
from desktop.store.trees import ChatTree

STEPS = ["new", "say", "pin", "archive", "delete", "undelete", "remove", "move", "unfolder", "other"]


def listed(store: Store) -> list[list[Chat]]:
    """What is shown, and what the file holds."""
    sql = "SELECT id FROM chats WHERE deleted IS NULL ORDER BY archived, pinned DESC, updated DESC, id DESC"
    return [[*store.chats(), *store.chats(archived=True)], [store.chat(row["id"]) for row in store._db.rows(sql)]]


def test_only_chats_that_changed_are_read_again(store: Store) -> None:
    one, two, three = (store.new_chat().id for _ in range(3))
    before = {chat.id: chat for chat in store.chats()}
    store.rename(two, "Two")
    after = {chat.id: chat for chat in store.chats()}
    assert [after[chat] is before[chat] for chat in (one, two, three)] == [True, False, True]
    assert after[two].title == "Two"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(STEPS),
            st.integers(0, 3),
        ),
        max_size=12,
    )
)
@settings(max_examples=25, deadline=None)
def test_the_list_is_what_the_file_holds_whoever_changed_it(steps: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(Store.open(Path(folder))) as store:
        chats = [store.new_chat().id for _ in range(4)]
        kept = store.new_folder("Kept").id
        for step, place in steps:
            chat = chats[place]
            match step:
                case "new":
                    store.new_chat()
                case "say":
                    store.rename(chat, f"{store.chats()!r}"[:9])
                case "pin" | "archive":
                    getattr(store, step)([chat], place % 2 == 0)
                case "delete" | "undelete" | "remove":
                    getattr(store, step)([chat])
                case "move":
                    store.move([chat], kept)
                case "unfolder":
                    store.delete_folder(kept)
                    kept = store.new_folder("Kept").id
                case _:
                    with closing(Store.open(Path(folder))) as other:
                        other.rename(other.new_chat().id, "Another's")
            shown, held = listed(store)
            assert shown == held


def test_a_change_that_was_taken_back_is_not_shown(store: Store) -> None:
    chat = store.new_chat().id
    shown = store.chats()

    def work(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE chats SET title = 'never' WHERE id = ?", (chat,))
        raise KeyError("gone")

    with pytest.raises(KeyError, match="gone"):
        store._db.change(work)
    assert store.chats() == shown


def test_where_very_many_chats_changed_all_are_read(store: Store) -> None:
    chats = [store.new_chat().id for _ in range(3)]
    store.chats()
    store.add_trees([ChatTree(title=f"{n}", created=1.0, updated=float(n)) for n in range(600)])
    store.pin(chats[:1], True)
    shown, held = listed(store)
    assert shown == held
    assert len(shown) == 603
