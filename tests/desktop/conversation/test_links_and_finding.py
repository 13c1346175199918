"""Links, which ask first, and words that are found in a chat."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QCursor, QMouseEvent, QTextCursor
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.views.conversation.view import ConversationView
from tests.desktop.conversation.conftest import LONG, answer, asked, message, texts, user


def test_a_link_is_opened_only_after_its_address_was_shown(view: ConversationView, qtbot: QtBot) -> None:
    view.set_items([user(1, "q"), answer(2, "[here](https://аpple.com/x)")])
    prose = texts(view, 2)[0]
    with qtbot.assertNotEmitted(view.linkRequested):
        qtbot.mouseClick(prose.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(6, 8))
    dialog = asked(view)
    assert dialog.address.toPlainText() == "https://xn--pple-43d.com/x"
    with qtbot.waitSignal(view.linkRequested) as signal:
        dialog.open_button.click()
    assert signal.args == ["https://xn--pple-43d.com/x"]


def test_a_link_that_is_refused_is_not_opened(view: ConversationView, qtbot: QtBot) -> None:
    view.set_items([user(1, "q"), answer(2, "[here](https://example.com/)")])
    qtbot.mouseClick(texts(view, 2)[0].viewport(), Qt.MouseButton.LeftButton, pos=QPoint(6, 8))
    dialog = asked(view)
    with qtbot.assertNotEmitted(view.linkRequested):
        qtbot.keyClick(dialog, Qt.Key.Key_Return)
    assert not dialog.isVisible()


def test_a_selection_pulled_beyond_the_text_moves_no_line_of_it(view: ConversationView, qtbot: QtBot) -> None:
    view.set_items([user(1, "q"), answer(2, "Some words.\n\nAnd more.")])
    (prose,) = texts(view, 2)
    before = prose.cursorRect(QTextCursor(prose.document()))
    below = QPoint(30, prose.height() + 40)
    qtbot.mousePress(prose.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(2, 8))
    move = QMouseEvent(
        QEvent.Type.MouseMove,
        QPointF(below),
        prose.viewport().mapToGlobal(QPointF(below)),
        Qt.MouseButton.NoButton,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QCursor.setPos(prose.viewport().mapToGlobal(below))
    QApplication.sendEvent(prose.viewport(), move)
    qtbot.wait(300)  # Qt scrolls by a timer as long as the pointer is outside
    qtbot.mouseRelease(prose.viewport(), Qt.MouseButton.LeftButton, pos=below)
    assert prose.textCursor().hasSelection()
    assert prose.cursorRect(QTextCursor(prose.document())) == before


# finding


def test_hits_are_counted_and_walked_through(view: ConversationView) -> None:
    items = [user(1, "Falcon falcon"), *(answer(n, LONG) for n in range(2, 30)), answer(30, "a FALCON")]
    view.set_items(items)
    assert view.find_text("falcon") == 3
    assert message(view, 30).visibleRegion().boundingRect().height() > 0
    view.find_next()
    assert message(view, 1).visibleRegion().boundingRect().height() > 0
    assert len(texts(view, 1)[0].extraSelections()) == 2


def test_the_bar_says_what_was_found_and_escape_closes_it(view: ConversationView, qtbot: QtBot) -> None:
    view.set_items([user(1, "one two"), answer(2, "two")])
    view.show_find()
    qtbot.keyClicks(view.find_bar.field, "two")
    assert view.find_bar.count.text() == "2 of 2"
    qtbot.keyClick(view.find_bar.field, Qt.Key.Key_Return)
    assert view.find_bar.count.text() == "1 of 2"
    qtbot.keyClicks(view.find_bar.field, "x")
    assert view.find_bar.count.text() == "Nothing found"
    qtbot.keyClick(view.find_bar.field, Qt.Key.Key_Escape)
    assert not view.find_bar.isVisible()
    assert texts(view, 2)[0].extraSelections() == []
