"""Large files of chats are added beside the window: it goes on, and what is cancelled leaves nothing."""

from __future__ import annotations

import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest
from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication, QProgressDialog, QWidget
from pytestqt.qtbot import QtBot

from desktop.controllers.store_work import StoreWork
from desktop.controllers.transfer import TransferController
from desktop.store.store import Store
from desktop.store.transfer import CancelledError, Progress, import_in_pieces, is_large, pieces
from desktop.store.transfer.own import to_json
from desktop.store.transfer.pieces import add_in_pieces, parse
from desktop.store.trees import ChatTree, Node
from desktop.views.progress import import_words
from tests.desktop.engines import PATIENCE, wait

MANY = 40
TREES = [
    ChatTree(
        title=f"Chat {number}",
        created=1.0,
        updated=2.0 + number,
        folder="Brought" if number % 2 else None,
        first=0,
        nodes=(Node(parent=None, role="user", text=f"needle{number} " + "word " * 2000, created=1.0),),
    )
    for number in range(MANY)
]


@pytest.fixture
def large(tmp_path: Path) -> Path:
    file = tmp_path / "large.json"
    file.write_text("".join(to_json(TREES)), encoding="utf-8")
    assert is_large(file)
    return file


@pytest.fixture
def transfer(store: Store, qapp: QApplication, qtbot: QtBot) -> Iterator[TransferController]:
    window = QWidget()
    qtbot.addWidget(window)
    controller = TransferController(store, window)
    yield controller
    controller.close()


def test_a_large_file_comes_while_the_window_goes_on(
    transfer: TransferController, store: Store, large: Path, qtbot: QtBot
) -> None:
    came: list[list[int]] = []
    transfer.imported.connect(came.append)
    transfer.load(large)
    assert not came
    wait(qtbot, lambda: bool(came))
    assert [store.tree(chat) for chat in came[0]] == TREES
    assert [folder.name for folder in store.folders()] == ["Brought"]
    assert {hit.chat for hit in store.search("needle7")} == {came[0][7]}


def test_nothing_of_an_import_is_seen_before_all_is_there(store: Store, large: Path) -> None:
    seen: list[int] = []

    def went(progress: Progress) -> None:
        seen.append(
            len(store.chats()) + len(store.deleted_chats()) + len(store.search("needle0")) + len(store.folders())
        )

    with closing(Store.open(store.folder)) as other:
        import_in_pieces(other, large, went)
    assert set(seen) == {0}
    assert len(seen) > 2
    assert len(store.chats()) == MANY


def test_others_write_while_chats_are_imported(store: Store, large: Path) -> None:
    def went(progress: Progress) -> None:
        if progress.stage == "adding":
            store.rename(store.new_chat().id, f"at {progress.share}")

    with closing(Store.open(store.folder)) as other:
        import_in_pieces(other, large, went)
    assert len(store.chats()) > MANY + 2


@pytest.mark.parametrize("stage", ["reading", "adding"])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_an_import_that_is_cancelled_anywhere_leaves_nothing(
    store: Store, large: Path, stage: Literal["reading", "adding"], share: float
) -> None:
    def went(progress: Progress) -> None:
        if progress.stage == stage and progress.share >= share:
            raise CancelledError

    with pytest.raises(CancelledError):
        import_in_pieces(store, large, went)
    rows = [store._db.rows(f"SELECT * FROM {table}") for table in ("chats", "messages", "folders")]
    assert rows == [[], [], []]


def archived(file: Path, texts: list[str]) -> Path:
    """ChatGPT's archive, of several files."""
    with zipfile.ZipFile(file, "w") as archive:
        for number, text in enumerate(texts):
            archive.writestr(f"conversations-{number:03}.json", text)
    return file


@pytest.mark.parametrize("kind", ["json", "zip"])
def test_how_far_a_file_is_read_is_told_at_once_and_from_value_to_value(
    store: Store, large: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("desktop.store.transfer.reading._READ", 10_000)
    text = large.read_text(encoding="utf-8")
    file = large if kind == "json" else archived(tmp_path / "large.zip", [text, text])
    told: list[Progress] = []
    import_in_pieces(store, file, told.append)
    reading = [progress for progress in told if progress.stage == "reading"]
    whole = large.stat().st_size * (1 if kind == "json" else 2)
    assert told[0] == Progress("reading", 0, whole, 0.0)
    assert {progress.whole for progress in reading} == {whole}
    assert reading[-1].done == whole
    shares = [progress.share for progress in reading]
    assert shares == sorted(shares)
    steps = [later - earlier for earlier, later in pairwise(shares)]
    assert max(steps) < 0.05
    overall = [progress.overall for progress in told]
    assert overall == sorted(overall)
    assert overall[-1] == 1.0


def test_how_long_adding_takes_is_told_once_it_is_known(store: Store) -> None:
    told: list[Progress] = []

    def went(progress: Progress) -> None:
        told.append(progress)
        if len(told) == 2:
            threading.Event().wait(pieces._KNOWN)

    add_in_pieces(store, TREES, went)
    assert [progress.seconds_left for progress in told[:2]] == [None, None]
    later = [progress.seconds_left for progress in told[2:-1]]
    assert all(seconds is not None and seconds > 0 for seconds in later)
    assert [progress.done for progress in told] == sorted(progress.done for progress in told)
    assert told[-1].done == told[-1].whole == MANY


def test_progress_is_said_with_size_count_and_time_left(qapp: QApplication) -> None:
    assert import_words("a.json", Progress("reading", 12_000_000, 30_000_000, 0.4)) == (
        "a.json is being read: 12.0\N{NO-BREAK SPACE}MB of 30.0\N{NO-BREAK SPACE}MB"
    )
    assert import_words("a.json", Progress("adding", 500, 917, 0.5)) == "Chats are being added: 500 of 917"
    assert import_words("a.json", Progress("adding", 500, 917, 0.5, 12.0)) == (
        "Chats are being added: 500 of 917 · about 12 s left"
    )


def test_what_is_cancelled_has_ended_before_all_that_it_began_is_taken_away(
    store: Store, qtbot: QtBot, qapp: QApplication
) -> None:
    may_leave = threading.Event()
    order: list[str] = []

    def work(_: Store, went: Callable[[int], None]) -> None:
        try:
            while True:
                went(1)
        finally:
            may_leave.wait(PATIENCE / 1000)

    parent = QObject()
    job = StoreWork(store.folder, work, "test", parent)
    job.went.connect(lambda _: job.cancel())
    job.ended.connect(lambda failure: order.append(f"ended with {failure}"))
    job.left.connect(lambda: order.append("left"))
    job.start()
    wait(qtbot, lambda: bool(order))
    assert order == ["ended with None"]
    may_leave.set()
    wait(qtbot, lambda: len(order) > 1)
    assert order == ["ended with None", "left"]


def test_a_large_import_says_what_is_read_before_anything_is(
    transfer: TransferController, store: Store, tmp_path: Path, qtbot: QtBot
) -> None:
    file = tmp_path / "chats.json"
    file.write_text("".join(to_json(TREES * 4)), encoding="utf-8")
    transfer.load(file)
    dialog = transfer._window.findChild(QProgressDialog)
    assert dialog is not None
    assert dialog.isVisible()
    assert dialog.labelText() == import_words("chats.json", Progress("reading", 0, file.stat().st_size, 0.0))
    wait(qtbot, lambda: dialog.labelText().startswith("Chats are being added"))
    assert 0 < dialog.value() < dialog.maximum()


def test_the_button_cancels_an_import(transfer: TransferController, store: Store, large: Path, qtbot: QtBot) -> None:
    told: list[str] = []
    transfer.told.connect(lambda sentence, _: told.append(sentence))
    transfer.load(large)
    dialog = transfer._window.findChild(QProgressDialog)
    assert dialog is not None
    dialog.canceled.emit()
    wait(qtbot, lambda: bool(told))
    assert told == ["The import was cancelled; no chats were added."]
    assert (store.chats(), store.deleted_chats()) == ([], [])
    wait(qtbot, lambda: not transfer._work)
    assert store._db.rows("SELECT * FROM chats") == []


def test_a_large_file_that_cannot_be_read_is_told_as_that_and_not_as_cancelled(
    transfer: TransferController, tmp_path: Path, qtbot: QtBot
) -> None:
    told: list[tuple[str, bool]] = []
    transfer.told.connect(lambda sentence, well: told.append((sentence, well)))
    transfer._window.show()  # a dialog that is seen is one that is closed
    broken = tmp_path / "broken.json"
    broken.write_text("[" + " " * 100_000, encoding="utf-8")
    assert is_large(broken)
    transfer.load(broken)
    wait(qtbot, lambda: bool(told))
    ((sentence, well),) = told
    assert "broken.json" in sentence
    assert "cancelled" not in sentence
    assert not well


def test_of_several_files_what_was_wrong_with_one_is_told_though_another_was_cancelled(
    transfer: TransferController, store: Store, large: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    told: list[tuple[str, bool]] = []
    transfer.told.connect(lambda sentence, well: told.append((sentence, well)))
    broken = tmp_path / "broken.json"
    broken.write_text("{}", encoding="utf-8")
    transfer.load(broken, large)
    assert transfer._import is not None
    dialog = transfer._window.findChild(QProgressDialog)
    assert dialog is not None
    transfer._import.went.connect(lambda report: dialog.canceled.emit() if report[0] else None)  # at the second file
    wait(qtbot, lambda: bool(told))
    ((sentence, well),) = told
    assert sentence.startswith("The import was cancelled; no chats were added.\n")
    assert "broken.json" in sentence
    assert not well


def test_what_an_import_left_that_never_ended_is_removed_by_the_next_start(tmp_path: Path) -> None:
    with closing(Store.open(tmp_path)) as store:
        store.add_coming(TREES[:3])
    with closing(Store.open(tmp_path)) as store:
        assert store._db.rows("SELECT * FROM chats") == []


def test_the_end_of_the_program_waits_for_no_import_and_nothing_of_it_stays(
    transfer: TransferController, store: Store, large: Path
) -> None:
    store._db.connection.execute(
        "BEGIN IMMEDIATE"
    )  # the import waits for this to end, far longer than a close may take
    transfer.load(large)
    (importing,) = [thread for thread in threading.enumerate() if thread.name == "import"]
    transfer.close()
    assert importing.is_alive()
    store._db.connection.execute("ROLLBACK")
    importing.join()
    assert store._db.rows("SELECT * FROM chats") == []


@pytest.mark.parametrize(
    "text",
    [
        *("[]", "{}", ' [ 1 , [2, {"a": [[[3]]]}], "x" ] ', '{"a": {"b": {"c": {"d": null}}}, "a": 1}', "7", "null"),
        *('"x"', "[1.5e3, -0, true, NaN]", '{"": [], "\\u00e9\\ud83d\\ude00": "\\n"}', "[[], {}]", "\n\t{\r}"),
        *("", " ", "[", "[1", "[1,", "[1,]", "[,]", "[1 2]", "{", '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1,}'),
        *("{1:2}", "{'a':1}", "[1] 2", "]", '{"a" 1}', "[[1,]]", '[{"a":}]', '{"a":[1}', "tru", '"x'),
    ],
)  # fmt: skip
def test_json_is_read_part_by_part_as_json_reads_it(text: str) -> None:
    def read(reader: object) -> object:
        try:
            return repr(reader(text))  # type: ignore[operator]
        except ValueError:
            return "refused"

    assert read(lambda text: parse(text, lambda _: None)) == read(json.loads)
