"""The menu of a message, by pointer and by key, and the row below it where that has little room."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QApplication, QLabel, QMenu, QWidget
from pytestqt.qtbot import QtBot

from desktop.settings import Settings
from desktop.views.conversation.footer import Footer
from desktop.views.conversation.view import ConversationView
from desktop.views.theme import theme
from tests.desktop.conversation.conftest import answer, figures, message, texts, user

PAGED = ["Previous version", "Next version"]


def entries(menu: QMenu) -> dict[str, bool]:
    """Texts, and whether each can be chosen."""
    return {action.text(): action.isEnabled() for action in menu.actions() if not action.isSeparator()}


def opened(on: QWidget, where: QPoint, reason: QContextMenuEvent.Reason = QContextMenuEvent.Reason.Mouse) -> QMenu:
    QApplication.sendEvent(on, QContextMenuEvent(reason, where, on.mapToGlobal(where)))
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    return menu


def menu_of(view: ConversationView, number: int) -> QMenu:
    """As a click with the right button on the first word of a message opens it."""
    return opened(texts(view, number)[0].viewport(), QPoint(3, 3))


def choose(menu: QMenu, text: str) -> None:
    next(action for action in menu.actions() if action.text() == text).trigger()
    menu.close()


@pytest.fixture
def short(view: ConversationView) -> ConversationView:
    view.set_items(
        [user(1, "Question"), answer(2, "See [this](https://example.org/).", figures=figures("length"), count=2)]
    )
    return view


def test_the_menu_of_a_message_has_all_that_its_row_offers(short: ConversationView) -> None:
    menu = menu_of(short, 1)
    assert entries(menu) == {"Select all": True, "Copy message": True, "Edit message": True}
    menu.close()
    menu = opened(message(short, 2), QPoint(5, 5))
    assert entries(menu) == {
        "Select all": True,
        "Copy message": True,
        "Write another answer": True,
        "Continue this answer": True,
        "Previous version": False,
        "Next version": True,
    }
    menu.close()


def test_while_an_answer_is_written_the_menu_only_copies(short: ConversationView) -> None:
    short.set_busy(True)
    menu = menu_of(short, 2)
    assert [text for text, can in entries(menu).items() if can] == ["Select all", "Copy message"]
    menu.close()


def test_what_an_answer_has_so_far_is_copied_while_it_is_written(view: ConversationView, qtbot: QtBot) -> None:
    view.set_items([user(1, "Question"), answer(2, "", state="streaming")])
    view.list.stream(2, "So far")
    qtbot.waitUntil(lambda: bool(message(view, 2).item.text))
    menu = opened(message(view, 2), QPoint(5, 5))
    assert entries(menu) == {"Select all": True, "Copy message": True}
    menu.close()


def test_the_menu_does_what_it_says_with_its_message(short: ConversationView, qtbot: QtBot) -> None:
    with qtbot.waitSignal(short.copyRequested) as copied:
        choose(menu_of(short, 2), "Copy message")
    with qtbot.waitSignal(short.regenerateRequested) as again:
        choose(menu_of(short, 2), "Write another answer")
    with qtbot.waitSignal(short.continueRequested) as further:
        choose(menu_of(short, 2), "Continue this answer")
    with qtbot.waitSignal(short.alternativeRequested) as other:
        choose(menu_of(short, 2), "Next version")
    assert copied.args == ["See [this](https://example.org/)."], "as Markdown"
    assert (again.args, further.args, other.args) == ([2], [2], [2, 1])
    choose(menu_of(short, 1), "Edit message")
    assert message(short, 1).editor is not None


def test_the_menu_copies_what_is_selected_over_all_of_a_message(view: ConversationView, qtbot: QtBot) -> None:
    view.set_items([answer(1, "Before\n\n```\ncode\n```\n\nAfter")])
    for text in texts(view, 1):
        menu = opened(text.viewport(), QPoint(3, 3))
        assert "Copy" not in entries(menu)
        menu.close()
    choose(menu_of(view, 1), "Select all")
    with qtbot.waitSignal(view.copyRequested) as copied:
        choose(opened(texts(view, 1)[1].viewport(), QPoint(3, 3)), "Copy")
    assert copied.args == ["Before\n\ncode\n\nAfter"]


def test_the_address_of_a_link_is_copied_where_the_pointer_is_on_it(short: ConversationView, qtbot: QtBot) -> None:
    text = texts(short, 2)[0]
    on_it = text.fontMetrics().horizontalAdvance("See th")
    menu = menu_of(short, 2)
    assert "Copy link address" not in entries(menu)
    menu.close()
    with qtbot.waitSignal(short.copyRequested) as copied:
        choose(opened(text.viewport(), QPoint(on_it, 5)), "Copy link address")
    assert copied.args == ["https://example.org/"]


def test_the_menu_key_opens_it_where_the_message_is_seen(view: ConversationView) -> None:
    view.set_items([user(1, "Question"), answer(2, "\n\n".join(f"Paragraph {n}" for n in range(80)))])
    long = message(view, 2)
    long.setFocus(Qt.FocusReason.TabFocusReason)
    menu = opened(long, QPoint(5, 5), QContextMenuEvent.Reason.Keyboard)
    assert long.y() < 0, "its beginning is out of sight"
    seen = view.list.viewport()
    assert seen.rect().contains(seen.mapFromGlobal(menu.pos()))
    menu.close()


def test_what_is_being_edited_has_the_menu_of_a_field(short: ConversationView) -> None:
    message(short, 1).open_editor("Question")
    QApplication.sendEvent(
        message(short, 1), QContextMenuEvent(QContextMenuEvent.Reason.Mouse, QPoint(5, 5), QPoint(5, 5))
    )
    assert QApplication.activePopupWidget() is None


@pytest.mark.parametrize("width", [60, 120, 180, 240, 300, 600])
@pytest.mark.parametrize("number", [1, 2])
def test_no_part_of_the_row_is_cut_and_what_has_no_room_is_in_a_menu(
    application: QApplication, short: ConversationView, number: int, width: int
) -> None:
    theme().apply(replace(Settings(), text_size=200))
    QApplication.processEvents()
    short.set_items([user(1, "Question", count=3), answer(2, "Answer", figures=figures("length"), count=3, index=1)])
    footer: Footer = message(short, number).footer
    footer.show_actions(True)
    footer.resize(2000, footer.height_wanted())
    row = [part.geometry() for part in footer.stops() if part.isVisible()]
    wanted = row[-1].right() - row[0].left() + 1  # pixels of a row that has all
    assert len(row) == len(footer.offered())
    footer.resize(width, footer.height_wanted())
    shown = [part for part in footer.stops() if part.isVisible()]
    for part in (*shown, *(label for label in footer.findChildren(QLabel) if label.isVisible())):
        assert footer.rect().contains(part.geometry())
        assert part.width() >= part.sizeHint().width()
    names = {part.accessibleName() for part in shown}
    menu = QMenu()
    footer.fill(menu)
    assert names - {"What else can be done"} <= set(entries(menu))
    everything = names >= set(entries(menu))
    assert everything != ("What else can be done" in names)
    assert everything == (width >= wanted)
    if number == 2 and not everything:
        assert footer.toolTip().startswith("42 tokens")


def test_the_menu_of_the_row_is_filled_when_it_opens(short: ConversationView) -> None:
    footer = message(short, 2).footer
    footer.show_actions(True)
    footer.resize(60, footer.height_wanted())
    more = [part for part in footer.stops() if part.isVisible()][-1]
    menu = more.findChildren(QMenu)[0]
    menu.aboutToShow.emit()
    assert entries(menu)["Write another answer"]
    short.set_busy(True)
    menu.aboutToShow.emit()
    assert not entries(menu)["Write another answer"]


def test_a_model_of_a_long_name_is_cut_beside_the_speaker_to_one_line(short: ConversationView, qtbot: QtBot) -> None:
    short.set_items([answer(1, "Answer", model="falcon-of-a-very-long-name-instruct-lut4")])
    widget = message(short, 1)
    (name,) = [label for label in widget.findChildren(QLabel) if label.text().startswith("falcon-of")]
    widget.fit(name.fontMetrics().horizontalAdvance("falcon-of-a-very-long-name-instruct-lut4"))
    assert name.text().endswith("…")
    assert name.geometry().right() <= widget.rect().right()
    assert name.toolTip() == "falcon-of-a-very-long-name-instruct-lut4"
