"""Below or beside a message: which alternative it is, what it took, and what can be done with it."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QToolButton, QWidget

from desktop.store.records import Figures
from desktop.views.conversation.controls import action, place, tint
from desktop.views.conversation.items import MessageItem
from desktop.views.conversation.style import Style
from desktop.views.icons import icon

_SHOWN = 1500  # ms that a copy button says so


class Footer(QWidget):
    """One row. Its actions are made and shown when the pointer or the focus comes to the message.

    It is below an answer, and beside the name over the user's own words, so that a question and its answer stay
    together: there all stands at the end of the row.
    """

    copyClicked = Signal()
    regenerateClicked = Signal()
    editClicked = Signal()
    continueClicked = Signal()
    stepped = Signal(int)  # -1 or +1

    def __init__(self, parent: QWidget, style: Style) -> None:
        super().__init__(parent)
        self._style = style
        self._item: MessageItem | None = None
        self._last = False
        self._busy = False
        self._at_end = False
        self._actions: dict[str, QToolButton] = {}
        self._shown = False
        self._pager: tuple[QToolButton, QLabel, QToolButton] | None = None
        self._figures = QLabel(self)
        self._figures.setFont(style.small_font)
        self._figures.setTextFormat(Qt.TextFormat.PlainText)
        tint(self._figures, style.muted)

    def set_item(self, item: MessageItem, *, last: bool, busy: bool) -> None:
        """What the row is about. `last`: no message follows; `busy`: an answer is being written."""
        if (item, last, busy) == (self._item, self._last, self._busy):
            return
        self._item, self._last, self._busy = item, last, busy
        self._at_end = item.role == "user"
        self._figures.setText(self._figures_line(item.figures) if item.figures else "")
        if item.count > 1 and self._pager is None:
            self._make_pager()
        if self._pager:
            before, label, after = self._pager
            label.setText(self.tr("%1/%2").replace("%1", str(item.index + 1)).replace("%2", str(item.count)))
            before.setEnabled(item.index > 0 and not busy)
            after.setEnabled(item.index < item.count - 1 and not busy)
            for part in self._pager:
                part.setVisible(item.count > 1)
        self._update_actions()
        self._arrange()

    def _make_pager(self) -> None:
        label = QLabel(self)
        label.setFont(self._style.small_font)
        tint(label, self._style.muted)
        before = action(self, "chevron-left", self.tr("Previous version"), lambda: self.stepped.emit(-1), self._style)
        after = action(self, "chevron-right", self.tr("Next version"), lambda: self.stepped.emit(1), self._style)
        self._pager = before, label, after

    def show_actions(self, shown: bool) -> None:
        """Show or hide what can be done."""
        if shown and not self._actions:
            style = self._style
            self._actions = {
                "copy": action(self, "copy", self.tr("Copy message"), self._copied, style),
                "edit": action(self, "edit", self.tr("Edit message"), self.editClicked.emit, style),
                "regenerate": action(
                    self, "refresh", self.tr("Write another answer"), self.regenerateClicked.emit, style
                ),
                "continue": action(self, "play", self.tr("Continue this answer"), self.continueClicked.emit, style),
            }
        self._shown = shown
        self._update_actions()
        self._arrange()

    def _update_actions(self) -> None:
        item = self._item
        if item is None or not self._actions:
            return
        answer, streaming = item.role == "assistant", item.state == "streaming"
        reason = item.figures.reason if item.figures else ""
        unfinished = item.state == "interrupted" or reason in ("length", "context", "cancelled")
        offered = {
            "copy": bool(item.text),
            "edit": not answer,
            "regenerate": answer and not streaming,
            "continue": answer and self._last and unfinished and bool(item.text) and not streaming,
        }
        for name, button in self._actions.items():
            button.setVisible(self._shown and offered[name])
            button.setEnabled(name == "copy" or not self._busy)

    def _copied(self) -> None:
        self.copyClicked.emit()
        self._actions["copy"].setIcon(icon("check"))
        QTimer.singleShot(_SHOWN, self, lambda: self._actions["copy"].setIcon(icon("copy")))

    def stops(self) -> list[QWidget]:
        """What Tab reaches, from left to right."""
        before, _, after = self._pager or (None, None, None)
        return [part for part in (before, after, *self._actions.values()) if part is not None]

    def height_wanted(self) -> int:
        """Pixels of the row, whether its actions are shown or not."""
        return self._style.gap(7)

    def resizeEvent(self, _event: QResizeEvent) -> None:
        self._arrange()

    def _arrange(self) -> None:
        height = self.height()
        parts: list[QWidget] = [*(self._pager or ())] if self._item and self._item.count > 1 else []
        for name in ("copy", "edit", "regenerate", "continue"):
            if name in self._actions and self._actions[name].isVisibleTo(self):
                parts.append(self._actions[name])
        gap = self._style.gap(0.5)
        x = self.width() - sum(part.sizeHint().width() + gap for part in parts) + gap if self._at_end else 0
        for part in parts:
            size = part.sizeHint()
            place(part, QRect(QPoint(x, (height - size.height()) // 2), size), self.width())
            x += size.width() + gap
        size = self._figures.sizeHint()
        left = self.width() - size.width()
        place(self._figures, QRect(QPoint(left, (height - size.height()) // 2), size), self.width())
        self._figures.setVisible(x <= left)

    def _figures_line(self, figures: Figures) -> str:
        """What an answer took, in words."""
        parts = [self.tr("%n token(s)", "", figures.new_tokens)]
        if figures.tokens_per_second is not None:
            parts.append(self.tr("%1 tokens/s").replace("%1", f"{figures.tokens_per_second:.1f}"))
        if figures.first_token_seconds is not None:
            parts.append(self.tr("first after %1 s").replace("%1", f"{figures.first_token_seconds:.2f}"))
        ends = {
            "length": self.tr("stopped at the limit of tokens"),
            "context": self.tr("stopped: the context is full"),
            "cancelled": self.tr("stopped by you"),
        }
        if figures.reason != "stop":
            parts.append(ends.get(figures.reason, figures.reason))
        return " · ".join(parts)
