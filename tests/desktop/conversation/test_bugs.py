"""A bug in what shows or handles a message costs neither its text nor the program, and is told."""

from __future__ import annotations

from typing import Any

import pytest
from markdown_it import MarkdownIt
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.exceptions import capture_exceptions
from pytestqt.qtbot import QtBot

from desktop.views.bugs import contained
from desktop.views.conversation.message import MessageWidget
from desktop.views.conversation.view import ConversationView
from tests.desktop.conversation.conftest import answer, message, texts, user
from tests.desktop.engines import wait


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> type[Exception]:
    """A reader of Markdown, which is not ours, that has a bug; the error that it raises."""

    class BugError(Exception):
        """Of this test alone, as one that was told is not told again."""

    def parse(*_: Any) -> None:
        raise BugError

    monkeypatch.setattr(MarkdownIt, "parse", parse)
    return BugError


@pytest.mark.parametrize("text", ["**a** and\n- b", "**a** and\n- b\n" * 1000], ids=["at once", "beside the window"])
def test_a_text_that_cannot_be_read_as_markdown_is_shown_as_it_was_written_and_the_bug_told_once(
    view: ConversationView, qtbot: QtBot, broken: type[Exception], text: str
) -> None:
    with capture_exceptions() as told:
        view.set_items([user(1, "q"), answer(2, "", state="streaming")])
        for end in range(3, 9):
            view.stream(2, text[:end])
            view.list.show_grown()
        view.replace(answer(2, text))
        wait(qtbot, lambda: not message(view, 2).lacks)
    assert "\n".join(shown.toPlainText() for shown in texts(view, 2)) == text
    assert message(view, 2).accessibleName() == f"Falcon: {text}"
    assert [kind for kind, _, _ in told] == [broken]


def test_a_text_that_is_copied_before_it_was_read_is_shown_all_the_same(
    view: ConversationView, broken: type[Exception]
) -> None:
    text = "**a** and\n- b\n" * 1000
    with capture_exceptions() as told:
        view.set_items([user(1, "q"), answer(2, text)])
        message(view, 2).mark("b", 0)
    assert texts(view, 2)[0].toPlainText().startswith("**a** and\n- b\n")
    assert [kind for kind, _, _ in told] == [broken]


class _Careless(QWidget):
    """Fails at each key, within the `event` that Qt calls."""

    @contained
    def event(self, event: QEvent) -> bool:
        return super().event(event)

    def keyPressEvent(self, _event: QKeyEvent) -> None:
        raise ZeroDivisionError

    @contained
    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.User:
            raise LookupError
        return False


def _key() -> QKeyEvent:
    return QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_A, Qt.KeyboardModifier.NoModifier, "a")


def test_no_error_of_a_handler_goes_through_an_override_of_event(qtbot: QtBot) -> None:
    widget = _Careless()
    qtbot.addWidget(widget)
    with capture_exceptions() as told:
        for _ in range(3):
            QApplication.sendEvent(widget, _key())  # an error that went through would be raised here
    assert [kind for kind, _, _ in told] == [ZeroDivisionError] * 3


def test_no_error_goes_through_an_event_filter_and_what_it_watches_gets_the_event(qtbot: QtBot) -> None:
    widget, watched = _Careless(), QObject()
    qtbot.addWidget(widget)
    watched.installEventFilter(widget)
    with capture_exceptions() as told:
        QApplication.sendEvent(watched, QEvent(QEvent.Type.User))
    assert [kind for kind, _, _ in told] == [LookupError]


def test_every_override_of_event_and_of_event_filters_is_contained() -> None:
    import desktop.views.window  # and with it all widgets of the window  # noqa: F401

    def inheritors(kind: type) -> set[type]:
        return {kind}.union(*map(inheritors, kind.__subclasses__()))

    ours = [kind for kind in inheritors(QObject) if kind.__module__.startswith("desktop.")]
    found = [vars(kind)[name] for kind in ours for name in ("event", "eventFilter") if name in vars(kind)]
    assert MessageWidget in ours
    assert [override for override in found if not hasattr(override, "__wrapped__")] == []
