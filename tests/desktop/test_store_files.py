"""The chats' file: made, upgraded with a copy kept, refused when newer, safe on full and locked disks."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from desktop.store.database import connect
from desktop.store.errors import StoreError
from desktop.store.migrations import LATEST, migrate
from desktop.store.opening import FILE_NAME, KEPT_BACKUPS
from desktop.store.store import Store
from tests import patience


def filled(file: Path, version: int) -> None:
    """A file of an older version with a chat of two messages, as that version's program left it."""
    file.parent.mkdir(exist_ok=True)
    with closing(connect(file)) as raw:
        migrate(raw, to=version)
        raw.execute("INSERT INTO folders VALUES (1, 'Work', 0)")
        raw.execute(
            "INSERT INTO chats (id, title, created, updated, folder, first) VALUES (1, 'Old chat', 5.0, 6.0, 1, 1)"
        )
        sql = """INSERT INTO messages (id, chat, parent, chosen, role, state, created, text)
            VALUES (?, 1, ?, ?, ?, 'complete', 5.5, ?)"""
        raw.executemany(sql, [(1, None, 2, "user", "an old question"), (2, 1, None, "assistant", "an old answer")])
        raw.execute("INSERT INTO presets VALUES (1, 'Brief', 'Be brief.', '{}')")


@pytest.mark.parametrize("version", range(1, LATEST))
def test_a_file_of_each_older_version_opens_with_all_it_held_and_a_copy_is_kept(tmp_path: Path, version: int) -> None:
    filled(tmp_path / FILE_NAME, version)
    with closing(Store.open(tmp_path)) as store:
        assert [step.message.text for step in store.path(1)] == ["an old question", "an old answer"]
        assert [chat.title for chat in store.chats()] == ["Old chat"]
        assert [(hit.message, hit.chat) for hit in store.search("old")] == [(None, 1), (1, 1), (2, 1)]
        assert [(folder.id, folder.name) for folder in store.folders()] == [(1, "Work")]
        assert [preset.system_prompt for preset in store.presets()] == ["Be brief."]
        assert store.services() == []
        (copy,) = tmp_path.glob(f"chats-version-{version}-*.sqlite3")
        assert store.notice == (
            f"Your chats were brought into this version's form, and the file as it was is kept as {copy.name}."
        )
    with closing(sqlite3.connect(copy)) as raw:
        assert raw.execute("PRAGMA user_version").fetchone()[0] == version
        assert raw.execute("SELECT count(*) FROM messages").fetchone()[0] == 2
        assert raw.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_a_file_of_this_version_opens_without_a_copy_or_a_word(tmp_path: Path) -> None:
    for _ in range(2):
        with closing(Store.open(tmp_path)) as store:
            assert store.notice is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chats.lock", FILE_NAME]


def test_only_the_last_copies_are_kept(tmp_path: Path) -> None:
    for number in range(KEPT_BACKUPS):
        old = tmp_path / f"chats-version-1-2020010{number}-000000.sqlite3"
        old.touch()
        os.utime(old, (number, number))
    filled(tmp_path / FILE_NAME, 1)
    Store.open(tmp_path).close()
    kept = sorted(path.name for path in tmp_path.glob("chats-version-*"))
    assert len(kept) == KEPT_BACKUPS
    assert kept[0] == "chats-version-1-20200101-000000.sqlite3"


def test_an_upgrade_that_fails_leaves_the_file_at_its_version(tmp_path: Path) -> None:
    filled(tmp_path / FILE_NAME, 1)
    with closing(connect(tmp_path / FILE_NAME)) as raw:
        raw.execute("CREATE TABLE services (something_else)")
        with pytest.raises(sqlite3.OperationalError, match="already exists"):
            migrate(raw)
        assert not raw.in_transaction
        assert raw.execute("PRAGMA user_version").fetchone()[0] == 1


def test_a_newer_programs_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    Store.open(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as raw:
        raw.execute(f"PRAGMA user_version = {LATEST + 1}")
    before = (tmp_path / FILE_NAME).read_bytes()
    with pytest.raises(StoreError, match=r"written by a newer version of this program; install that version\.$"):
        Store.open(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == before


def test_another_programs_changes_are_seen_and_both_can_write(tmp_path: Path) -> None:
    with closing(Store.open(tmp_path)) as first:
        chat = first.new_chat().id
        code = f"""
from pathlib import Path
from desktop.store.store import Store
store = Store.open(Path({str(tmp_path)!r}))
store.add({chat}, None, "user", "from the other program")
store.close()
"""
        subprocess.run([sys.executable, "-c", code], check=True, timeout=patience.SECONDS)
        assert [step.message.text for step in first.path(chat)] == ["from the other program"]
        first.add(chat, None, "user", "mine")
        assert [hit.snippet for hit in first.search("mine")] == ["mine"]


def test_while_another_program_chats_a_file_is_neither_upgraded_nor_rescued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("desktop.store.opening._ATTEMPTS", 2)
    with closing(Store.open(tmp_path)):
        with closing(sqlite3.connect(tmp_path / FILE_NAME)) as raw:
            raw.execute(f"PRAGMA user_version = {LATEST - 1}")
        with pytest.raises(StoreError, match="another window has them open; close it and try again"):
            Store.open(tmp_path)


def test_a_full_disk_is_one_sentence_and_what_was_saved_stays(small_disk: Path) -> None:
    (small_disk / "reserve").write_bytes(bytes(300_000))
    store = Store.open(small_disk / "data")
    chat = store.new_chat().id
    saved: list[str] = []

    def talk() -> None:
        for number in range(1000):
            saved.append(store.add(chat, None, "user", f"{number} " + "x" * 20_000).text)

    with pytest.raises(StoreError, match=r"^The disk is full, .* free some space and try again\.$"):
        talk()
    assert len(saved) > 20
    assert texts(store, chat) == saved
    store.close()
    (small_disk / "reserve").unlink()
    store = Store.open(small_disk / "data")
    assert texts(store, chat) == saved
    store.close()


def test_after_space_was_freed_the_same_store_saves_again(small_disk: Path) -> None:
    store = Store.open(small_disk / "data")
    chat = store.new_chat().id
    fill(small_disk / "filler", leave=0)
    with pytest.raises(StoreError, match="The disk is full"):
        store.add(chat, None, "user", "x" * 100_000)
    assert store.path(chat) == []
    (small_disk / "filler").unlink()
    assert store.add(chat, None, "user", "x" * 100_000).text == store.path(chat)[0].message.text
    store.close()


def test_no_room_for_the_copy_leaves_an_older_file_as_it_was(small_disk: Path) -> None:
    folder = small_disk / "data"
    filled(folder / FILE_NAME, 1)
    with closing(connect(folder / FILE_NAME)) as raw:
        raw.execute("UPDATE messages SET text = ?", ("x" * 300_000,))
    before = (folder / FILE_NAME).read_bytes()
    fill(small_disk / "filler", leave=200_000)
    with pytest.raises(StoreError, match="The disk is full"):
        Store.open(folder)
    assert (folder / FILE_NAME).read_bytes() == before
    assert not list(folder.glob("*version*"))


def test_a_folder_that_cannot_be_written_is_one_sentence(small_disk: Path) -> None:
    folder = small_disk / "data"
    with closing(Store.open(folder)) as store:
        chat = store.new_chat().id
        store.add(chat, None, "user", "kept")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for target in (folder, small_disk / "new"):
        with pytest.raises(StoreError, match=r"cannot be written.*\.$"):
            Store.open(target)
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    with closing(Store.open(folder)) as store:
        assert texts(store, chat) == ["kept"]


def test_a_file_in_the_folders_place_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(StoreError, match=r"cannot be written \(.*exists\)"):
        Store.open(tmp_path / "taken")


_WRITER = """
import os, sys
from pathlib import Path
from desktop.store.store import Store

def tell(*words):  # a line in one call: unbuffered, print writes word by word, and two programs write here
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def talk(folder):
    store = Store.open(Path(folder))
    chat = store.new_chat().id
    parent, turn = None, 0
    while True:
        turn += 1
        question = store.add(chat, parent, "user", f"question {turn}")
        tell("said", chat, question.id, question.text)
        answer = store.add(chat, question.id, "assistant", "", state="streaming")
        text = ""
        for word in range(12):
            text += f"word{word} " * 40
            store.write(answer.id, text)
            tell("wrote", chat, answer.id, len(text))
        store.finish(answer.id, text, "complete")
        tell("finished", chat, answer.id, len(text))
        parent = answer.id

for folder in sys.stdin:
    child = os.fork()
    if not child:
        talk(folder.strip())
    tell("child", child)
    os.waitpid(child, 0)
    tell("dead")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the writers are forked, which this system cannot")
def test_what_was_said_to_be_saved_survives_twenty_kills_at_any_moment(tmp_path: Path) -> None:
    said: dict[int, str] = {}
    written: dict[int, int] = {}
    finished: set[int] = set()
    chance = random.Random(5)
    with subprocess.Popen(
        [sys.executable, "-c", _WRITER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdin
        assert program.stdout
        for kill in range(20):
            program.stdin.write(f"{tmp_path}\n")
            program.stdin.flush()
            child, due = 0, 1 + 7 * kill % 43  # reports to wait for: every kill has a moment of its own
            for reports, line in enumerate(program.stdout):
                if line.endswith("dead\n"):  # maybe behind a report that the kill cut off
                    break
                kind, *rest = line.split(maxsplit=3)
                if kind == "child":
                    child = int(rest[0])
                elif kind == "said":
                    said[int(rest[1])] = rest[2].rstrip("\n")
                else:
                    written[int(rest[1])] = int(rest[2])
                    finished |= {int(rest[1])} if kind == "finished" else set()
                if child and reports >= due:
                    time.sleep(chance.uniform(0, 0.01))
                    os.kill(child, signal.SIGKILL)
                    child = 0  # what it had said before is still to be read
            _check(tmp_path, said, written, finished)
        program.stdin.close()
    assert len(said) >= 20
    assert finished


def _check(folder: Path, said: dict[int, str], written: dict[int, int], finished: set[int]) -> None:
    with closing(Store.open(folder)) as store:
        assert store.notice is None
        kept = {step.message.id: step.message for chat in store.chats() for step in store.path(chat.id)}
    with closing(sqlite3.connect(folder / FILE_NAME)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert said.items() <= {message.id: message.text for message in kept.values()}.items()
    assert all(len(kept[answer].text) >= length for answer, length in written.items())
    assert all(kept[answer].state == "complete" for answer in finished)
    assert not any(message.state == "streaming" for message in kept.values())


def texts(store: Store, chat: int) -> list[str]:
    return [node.text for node in store.tree(chat).nodes]


def fill(file: Path, *, leave: int) -> None:
    """Fill a disk but for some bytes."""
    with file.open("wb", buffering=0) as stream:
        with contextlib.suppress(OSError):
            while True:
                stream.write(bytes(4096))
        stream.truncate(stream.tell() - leave)


def test_before_the_log_is_used_again_a_mac_s_drive_has_the_file(tmp_path: Path) -> None:
    """Which SQLite, but for Apple's own, leaves to the drive's cache unless it is told."""
    with closing(connect(tmp_path / FILE_NAME)) as connection:
        assert connection.execute("PRAGMA checkpoint_fullfsync").fetchone()[0] == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps a user's files from others by their folder")
def test_nobody_else_can_read_the_chats(tmp_path: Path) -> None:
    file = tmp_path / FILE_NAME
    filled(file, LATEST - 1)
    store = Store.open(tmp_path)  # which keeps a copy of the older file
    store.new_chat()
    made = list(tmp_path.glob(f"{file.stem}*.sqlite3*"))
    assert {".sqlite3", ".sqlite3-wal", ".sqlite3-shm"} <= {other.suffix for other in made}
    assert len(list(tmp_path.glob(f"{file.stem}-version-*"))) == 1
    assert {other.name: other.stat().st_mode & 0o077 for other in made} == dict.fromkeys([o.name for o in made], 0)
    store.close()
