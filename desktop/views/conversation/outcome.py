"""Outcome: the sentence below an answer that did not end well, with a button that asks for more."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QWidget

from desktop.views.conversation.controls import Notice
from desktop.views.conversation.items import MessageItem
from desktop.views.conversation.style import Style

translate = QCoreApplication.translate  # a name that pyside6-lupdate knows


class Outcome:
    """`notice` is a child of the message, and None where there is nothing to say. `acts` by name: `regenerate`,
    `continue`, `restart`."""

    def __init__(self, message: QWidget, style: Style, acts: Mapping[str, Callable[[], object]]) -> None:
        self.notice: Notice | None = None
        self._message, self._style, self._acts = message, style, acts
        self._told = ("", "", "")  # what the notice says and offers, and of which state

    def show(self, item: MessageItem, hung: str, *, busy: bool) -> None:
        """Say how the answer ended. `hung`: what it waits for in vain, so that the engine is to be started again. A
        notice that says the same as before stays, and with it its place."""
        text, label, act = _words(item, hung)
        told = (text, label, item.state)
        if told != self._told:
            self._told = told
            self._drop()
            if text:
                self.notice = Notice(self._message, self._style, serious=item.state not in ("interrupted", "complete"))
                self.notice.set_text(text)
                self.notice.set_action(label, self._acts[act])
                self.notice.show()
        if self.notice and self.notice.button:
            self.notice.button.setEnabled(not busy or item.state == "streaming")

    def _drop(self) -> None:
        if self.notice:
            if self.notice.button and self.notice.button.hasFocus():
                self._message.setFocus(Qt.FocusReason.OtherFocusReason)
            self.notice.hide()
            self.notice.deleteLater()
            self.notice = None


def _words(item: MessageItem, hung: str) -> tuple[str, str, str]:
    """A sentence, and a button's text and act; empty where there is nothing to say."""
    again = translate("MessageWidget", "Try again"), "regenerate"
    if hung and item.state == "streaming":
        return hung, translate("MessageWidget", "Restart"), "restart"
    if item.state in ("interrupted", "failed"):
        failed = translate("MessageWidget", "This answer could not be written.")
        interrupted = translate("MessageWidget", "This answer was interrupted.")
        text = item.error or (failed if item.state == "failed" else interrupted)
        return (text, translate("MessageWidget", "Continue"), "continue") if item.text else (text, *again)
    if item.state == "complete" and item.role == "assistant" and not item.text.strip():
        if item.reasoning:
            return translate("MessageWidget", "The model thought, but gave no answer."), *again
        return translate("MessageWidget", "The model had nothing to say."), *again
    return "", "", ""
