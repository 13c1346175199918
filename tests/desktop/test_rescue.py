"""A damaged file of chats is set aside byte for byte, and its readable rows go into a new one."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from desktop.store.database import PAGE_SIZE, connect
from desktop.store.errors import StoreError
from desktop.store.migrations import migrate
from desktop.store.opening import FILE_NAME
from desktop.store.store import Store
from desktop.store.trees import ChatTree, Node
from runtime import GenerationOptions

CHATS, MESSAGES = 3, 60
GARBLED = 20  # characters


def text_of(chat: int, number: int) -> str:
    """Every seventh spills over several pages."""
    return f"chat {chat} message {number} é中🙂 " + "lorem ipsum " * (1500 if number % 7 == 0 else 20)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three long chats, a folder, a preset and a service. Not to be changed: copy it."""
    folder = tmp_path_factory.mktemp("template")
    with closing(Store.open(folder)) as store:
        trees = [
            ChatTree(
                title=f"Chat {chat}",
                created=1e9 + chat,
                updated=1e9 + chat,
                folder="Work",
                first=0,
                nodes=tuple(
                    Node(
                        parent=number - 1 if number else None,
                        chosen=number + 1 if number < MESSAGES - 1 else None,
                        role="assistant" if number % 2 else "user",
                        text=text_of(chat, number),
                        created=1e9 + number,
                    )
                    for number in range(MESSAGES)
                ),
            )
            for chat in range(CHATS)
        ]
        store.add_trees(trees)
        store.save_preset("Brief", "Be brief.", GenerationOptions(max_new_tokens=7))
        store.save_service("Home", "http://localhost/v1", None, True)
        store.set_edit(1, "half a change")
    return folder


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "store"))


Damage = Callable[[bytearray, dict[str, int]], None]


def overwrite(data: bytearray, page: int, size: int = PAGE_SIZE, seed: int = 1) -> None:
    data[(page - 1) * PAGE_SIZE : (page - 1) * PAGE_SIZE + size] = random.Random(seed).randbytes(size)


def garbage_header(data: bytearray, roots: dict[str, int]) -> None:
    overwrite(data, 1, 100)


def lost_first_page(data: bytearray, roots: dict[str, int]) -> None:
    overwrite(data, 1)


def lost_root_of_messages(data: bytearray, roots: dict[str, int]) -> None:
    overwrite(data, roots["messages"])


def lost_index(data: bytearray, roots: dict[str, int]) -> None:
    for name in ("search_data", "search_idx", "messages_by_chat"):
        overwrite(data, roots[name])


def zeroed_version(data: bytearray, roots: dict[str, int]) -> None:
    data[60:64] = data[68:72] = bytes(4)


def unknown_schema_format(data: bytearray, roots: dict[str, int]) -> None:
    data[44:48] = b"\x00\x00\x00\x09"


WITHOUT_LOSS: tuple[Damage, ...] = (
    garbage_header,
    lost_first_page,
    lost_root_of_messages,
    lost_index,
    zeroed_version,
    unknown_schema_format,
)


def damage(folder: Path, how: Damage) -> bytes:
    """Damage the file and return the bytes that it now has."""
    file = folder / FILE_NAME
    with closing(sqlite3.connect(file)) as raw:
        roots: dict[str, int] = dict(raw.execute("SELECT name, rootpage FROM sqlite_master WHERE rootpage"))
    data = bytearray(file.read_bytes())
    how(data, roots)
    file.write_bytes(data)
    return bytes(data)


def texts(store: Store, chat: int) -> list[str]:
    return [step.message.text for step in store.path(chat)]


@pytest.mark.parametrize("how", WITHOUT_LOSS)
def test_damage_outside_the_rows_loses_nothing(folder: Path, how: Damage) -> None:
    damaged = damage(folder, how)
    with closing(Store.open(folder)) as store:
        (aside,) = folder.glob("chats-damaged-*.sqlite3")
        assert aside.read_bytes() == damaged
        assert os.name != "posix" or not aside.stat().st_mode & 0o077, "nobody else can read the chats in it"
        assert store.notice == (
            "The file of your chats was damaged: 3 chats with 180 messages could be rescued, "
            f"and the damaged file is kept as {aside.name}."
        )
        assert sorted(chat.title for chat in store.chats()) == ["Chat 0", "Chat 1", "Chat 2"]
        for chat in store.chats():
            assert texts(store, chat.id) == [text_of(chat.id - 1, number) for number in range(MESSAGES)]
        assert [store.chat(1).folder] == [folder.id for folder in store.folders()]
        assert [preset.options.max_new_tokens for preset in store.presets()] == [7]
        assert [service.url for service in store.services()] == ["http://localhost/v1"]
        assert store.edits(1) == {1: "half a change"}
        assert len(store.search("lorem", limit=1000)) == CHATS * MESSAGES
        store.add(1, None, "user", "life goes on")
    with closing(Store.open(folder)) as store:
        assert store.notice is None


def test_a_file_that_ends_early_keeps_what_comes_before_its_end(folder: Path) -> None:
    def cut(data: bytearray, roots: dict[str, int]) -> None:
        del data[len(data) * 6 // 10 :]

    damaged = damage(folder, cut)
    with closing(Store.open(folder)) as store:
        check_rescued(store, least=20)
    (aside,) = folder.glob("chats-damaged-*.sqlite3")
    assert aside.read_bytes() == damaged


@pytest.mark.parametrize("seed", range(8))
def test_damaged_pages_anywhere_lose_no_more_than_their_own_rows(folder: Path, seed: int) -> None:
    def spoil(data: bytearray, roots: dict[str, int]) -> None:
        chance = random.Random(seed)
        for page in chance.sample(range(2, len(data) // PAGE_SIZE), 12):
            overwrite(data, page, chance.choice([PAGE_SIZE, 700]), seed=chance.randrange(1000))

    damage(folder, spoil)
    with closing(Store.open(folder)) as store:
        check_rescued(store, least=CHATS * MESSAGES - 12 * 12)
        with closing(sqlite3.connect(folder / FILE_NAME)) as raw:
            assert raw.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            assert raw.execute("PRAGMA foreign_key_check").fetchall() == []


def check_rescued(store: Store, least: int) -> None:
    """All that is there is what was there, or its beginning, in the old order; a conversation stays one.

    Where the pages of a long text break off, a few random bytes can look like text.
    """
    count = 0
    for chat in store.chats():
        kept = texts(store, chat.id)
        assert len(kept) == len(store.tree(chat.id).nodes)
        places = [int(text.split()[3]) for text in kept if len(text.split()) > 3]
        assert places == sorted(places)
        for text in kept:
            known = [text_of(chat.id - 1, number) for number in range(MESSAGES)]
            assert any(whole == text or whole.startswith(text[:-GARBLED]) for whole in known)
        count += len(kept)
    assert count >= least


def test_what_lies_in_the_log_only_is_rescued_too(folder: Path, tmp_path: Path) -> None:
    with closing(Store.open(folder)) as store:
        store.add(1, None, "user", "only in the log")
        crashed = Path(shutil.copytree(folder, tmp_path / "crashed"))
    with (crashed / FILE_NAME).open("r+b") as file:
        file.write(bytes(100))
    log = (crashed / f"{FILE_NAME}-wal").read_bytes()
    assert b"only in the log" in log
    file_pages = bytearray((crashed / FILE_NAME).read_bytes())
    overwrite(file_pages, 1)
    (crashed / FILE_NAME).write_bytes(file_pages)
    (crashed / f"{FILE_NAME}-shm").unlink()
    with closing(Store.open(crashed)) as store:
        assert store.search("log")[0].snippet == "only in the log"
        assert sum(len(store.tree(chat.id).nodes) for chat in store.chats()) == CHATS * MESSAGES + 1


def test_bytes_of_a_text_that_are_no_text_show_as_such_and_hold_nobody_up(folder: Path) -> None:
    data = (folder / FILE_NAME).read_bytes()
    (folder / FILE_NAME).write_bytes(data.replace("chat 0 message 1 é".encode(), b"chat 0 message 1 \xff\xfe"))
    with closing(Store.open(folder)) as store:
        assert store.notice is None
        spoiled = store.path(1)[1].message
        assert spoiled.text.startswith("chat 0 message 1 \ufffd\ufffd中")
        store.finish(spoiled.id, "mended", "complete")
        assert [hit.snippet for hit in store.search("mended")] == ["mended"]


def test_rows_of_a_version_before_a_column_was_added_are_rescued_beside_newer_ones(tmp_path: Path) -> None:
    with closing(connect(tmp_path / FILE_NAME)) as raw:
        migrate(raw, to=4)
        raw.execute("INSERT INTO chats (id, title, created, updated, first) VALUES (1, 'Old chat', 5.0, 6.0, 1)")
        sql = (
            "INSERT INTO messages (id, chat, role, state, created, text) VALUES (1, 1, 'user', 'complete', 5.5, 'old')"
        )
        raw.execute(sql)
    with closing(Store.open(tmp_path)) as store:
        newer = store.add(1, 1, "assistant", "", state="streaming")
        store.finish(newer.id, "new", "complete", reasoning="thought")
    damage(tmp_path, garbage_header)
    with closing(Store.open(tmp_path)) as store:
        kept = [(step.message.text, step.message.reasoning) for step in store.path(1)]
        assert kept == [("old", ""), ("new", "thought")]


def test_a_file_that_is_no_database_is_kept_and_an_empty_one_begun(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("a shopping list\n" * 1000)
    with closing(Store.open(tmp_path)) as store:
        assert store.chats() == []
        assert "0 chats with 0 messages" in (store.notice or "")
    (aside,) = tmp_path.glob("chats-damaged-*.sqlite3")
    assert aside.read_text() == "a shopping list\n" * 1000


def test_two_damaged_files_of_one_second_are_both_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.strftime", lambda _: "20300101-000000")
    for text in ("one" * 500, "two" * 500):
        (tmp_path / FILE_NAME).write_text(text)
        Store.open(tmp_path).close()
    assert {file.read_text() for file in tmp_path.glob("chats-damaged-*")} == {"one" * 500, "two" * 500}


def test_damage_that_is_met_while_chatting_is_one_sentence_and_rescued_at_the_next_start(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("desktop.store.opening._CHECKED_BYTES", 0)  # as with a file too large to be checked each time
    damage(folder, lost_root_of_messages)
    with closing(Store.open(folder)) as store, pytest.raises(StoreError, match="damaged; start this program again"):
        store.path(1)
    with closing(Store.open(folder)) as store:
        assert "180 messages could be rescued" in (store.notice or "")
        assert len(store.path(1)) == MESSAGES
    assert not (folder / "chats.damaged").exists()


def test_a_rescue_that_was_cut_off_before_its_last_step_is_finished(folder: Path) -> None:
    with closing(sqlite3.connect(folder / FILE_NAME)) as raw, closing(sqlite3.connect(folder / "whole")) as target:
        raw.backup(target)
    (folder / "whole").rename(folder / "chats-rescued.sqlite3")
    overwritten = bytearray((folder / FILE_NAME).read_bytes())
    overwrite(overwritten, 1)
    (folder / FILE_NAME).write_bytes(overwritten)
    with closing(Store.open(folder)) as store:
        assert store.notice is None
        assert len(store.path(1)) == MESSAGES
    assert not (folder / "chats-rescued.sqlite3").exists()


def test_no_room_for_a_rescue_leaves_the_damaged_file_for_another_day(small_disk: Path, template: Path) -> None:
    folder = Path(shutil.copytree(template, small_disk / "store"))
    damaged = damage(folder, garbage_header)
    with (small_disk / "filler").open("wb") as file:
        file.truncate(0)
        free = shutil.disk_usage(small_disk).free
        file.write(bytes(max(0, free - len(damaged) - 200_000)))
    with pytest.raises(StoreError, match=r"full|cannot be written"):
        Store.open(folder)
    assert (folder / FILE_NAME).read_bytes() == damaged
    (small_disk / "filler").unlink()
    assert list(folder.glob("chats-damaged-*")) == []
    with closing(Store.open(folder)) as store:
        assert "180 messages could be rescued" in (store.notice or "")
