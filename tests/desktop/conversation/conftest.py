"""A view with a window around it, and messages to put into it."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QEnterEvent
from PySide6.QtWidgets import QApplication, QPushButton, QToolButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from desktop.store.records import Figures
from desktop.views.conversation.body import text_of
from desktop.views.conversation.code import CodeText
from desktop.views.conversation.editor import InlineEditor
from desktop.views.conversation.items import MessageItem
from desktop.views.conversation.links import LinkDialog
from desktop.views.conversation.message import MessageWidget
from desktop.views.conversation.prose import TextView
from desktop.views.conversation.view import ConversationView
from tests.desktop.engines import wait


class Window(QWidget):
    """The view between two buttons, so that the focus has somewhere to come from and to go to."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.view, self.after = QPushButton("before"), ConversationView(), QPushButton("after")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self.before, self.view, self.after):
            layout.addWidget(part)
        self.resize(800, 600)

    def focusNextPrevChild(self, forward: bool) -> bool:
        """As a window that says itself where Tab goes."""
        stops = [self.before, self.view.list, self.after]
        focused = self.focusWidget()
        at = next((n for n, stop in enumerate(stops) if stop is focused or stop.isAncestorOf(focused)), 0)
        reason = Qt.FocusReason.TabFocusReason if forward else Qt.FocusReason.BacktabFocusReason
        stops[(at + (1 if forward else -1)) % len(stops)].setFocus(reason)
        return True


@pytest.fixture
def window(qapp: QApplication, qtbot: QtBot) -> Window:
    window = Window()
    qtbot.addWidget(window)
    window.show()
    window.activateWindow()
    wait(qtbot, window.isActiveWindow)
    return window


@pytest.fixture
def view(window: Window) -> ConversationView:
    return window.view


def figures(reason: str = "stop") -> Figures:
    return Figures(
        prompt_tokens=10,
        reused_tokens=5,
        new_tokens=42,
        first_token_seconds=0.25,
        tokens_per_second=12.5,
        reason=reason,
        context_length=2048,
    )


def user(number: int, text: str, **more: Any) -> MessageItem:
    return MessageItem(id=number, role="user", text=text, state="complete", **more)


def answer(number: int, text: str, **more: Any) -> MessageItem:
    return MessageItem(**{"id": number, "role": "assistant", "text": text, "state": "complete", **more})


LONG = "\n\n".join(
    f"Paragraph {n} has **some** words that fill a line or two when the window is not wide." for n in range(9)
)


def chat(messages: int) -> list[MessageItem]:
    """So many messages, ids from 1, answers of differing heights that no estimate meets."""
    return [
        user(n, f"Question {n}")
        if n % 2
        else answer(n, LONG[: 60 + 37 * n % 700] + "\n\n```\na\nb\n```", figures=figures())
        for n in range(1, messages + 1)
    ]


def message(view: ConversationView, number: int) -> MessageWidget:
    """The widget of a message that is in sight."""
    return next(widget for widget in view.list.widgets.values() if widget.item.id == number)


def texts(view: ConversationView, number: int) -> list[TextView | CodeText]:
    """The documents of a message, one for each run of prose, table and block of code."""
    return [text_of(segment) for segment in message(view, number).body.segments]


def editor(view: ConversationView, number: int) -> InlineEditor:
    """What a message is being edited with."""
    found = message(view, number).editor
    assert found is not None
    return found


def asked(view: ConversationView) -> LinkDialog:
    """The question about a link that is open."""
    dialog = view.findChild(LinkDialog)
    assert isinstance(dialog, LinkDialog)
    return dialog


def hover(widget: QWidget) -> None:
    where = QPointF(5, 5)
    QApplication.sendEvent(widget, QEnterEvent(where, where, where))


def button(view: ConversationView, number: int, name: str) -> QToolButton:
    """A button of a message by its accessible name, while the pointer is on the message."""
    hover(message(view, number))
    return next(
        b for b in message(view, number).findChildren(QToolButton) if b.accessibleName() == name and b.isVisible()
    )


@pytest.fixture
def short(view: ConversationView) -> ConversationView:
    view.set_items([user(1, "Question"), answer(2, "Answer", figures=figures(), index=1, count=3)])
    return view
