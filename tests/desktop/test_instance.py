"""One window for each folder: who comes second asks the first, and waits for what it says."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QProcess
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.instance import SingleInstance
from tests.desktop.engines import PATIENCE, wait

SECOND = """
import sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication
from desktop.instance import SingleInstance

application = QCoreApplication([])
second = SingleInstance(Path(sys.argv[1]))
assert not second.begin()
print("asking", flush=True)
print("shown" if second.raise_first() else "first now" if second.take_over() else "no answer", flush=True)
"""


@pytest.fixture
def second(qapp: QApplication, tmp_path: Path) -> Iterator[QProcess]:
    """One more start over a folder, in a process of its own; not begun yet."""
    process = QProcess()
    process.setProgram(sys.executable)
    process.setArguments(["-c", SECOND, str(tmp_path)])
    yield process
    process.kill()
    process.waitForFinished(PATIENCE)


def said(process: QProcess) -> list[str]:
    return bytes(process.readAllStandardOutput().data()).decode().splitlines()


def test_the_first_instance_is_asked_to_raise_its_window_and_says_that_it_did(
    qtbot: QtBot, second: QProcess, tmp_path: Path
) -> None:
    first = SingleInstance(tmp_path)
    assert first.begin()
    with qtbot.waitSignal(first.raiseRequested, timeout=PATIENCE):
        second.start()
    wait(qtbot, lambda: second.state() == QProcess.ProcessState.NotRunning)
    assert said(second) == ["asking", "shown"]
    first.end()


def test_a_start_that_meets_the_end_of_the_first_takes_its_place(second: QProcess, tmp_path: Path) -> None:
    first = SingleInstance(tmp_path)
    assert first.begin()
    second.start()
    assert second.waitForReadyRead(PATIENCE)  # in which no event is handled: the first answers nobody
    first.end()
    assert second.waitForFinished(PATIENCE)
    assert said(second) == ["asking", "first now"]


def test_a_folder_that_was_given_free_is_taken_by_the_next(qapp: QApplication, tmp_path: Path) -> None:
    first, second = SingleInstance(tmp_path), SingleInstance(tmp_path)
    assert [first.begin(), second.begin()] == [True, False]
    first.end()
    assert second.begin()
    second.end()


def test_two_folders_have_a_window_each(qapp: QApplication, tmp_path: Path) -> None:
    instances = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        instances.append(SingleInstance(tmp_path / name))
    assert [instance.begin() for instance in instances] == [True, True]
    for instance in instances:
        instance.end()
