"""Below or beside a message: which alternative it is, what it took, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QPoint, QRect, Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QMenu, QToolButton, QWidget

from desktop.store.records import Figures
from desktop.views.conversation.controls import action, place, tint
from desktop.views.conversation.items import MessageItem
from desktop.views.conversation.style import Style
from desktop.views.icons import icon

_SHOWN = 1500  # ms that a copy button says so
_ACTIONS = ("copy", "edit", "regenerate", "continue")
_ICONS = {
    "copy": "copy",
    "edit": "edit",
    "regenerate": "refresh",
    "continue": "play",
    "previous": "chevron-left",
    "next": "chevron-right",
}


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
        self._acts: dict[str, Callable[[], object]] = {
            "copy": self._copied,
            "edit": self.editClicked.emit,
            "regenerate": self.regenerateClicked.emit,
            "continue": self.continueClicked.emit,
            "previous": lambda: self.stepped.emit(-1),
            "next": lambda: self.stepped.emit(1),
        }
        self._buttons: dict[str, QToolButton] = {}
        self._count: QLabel | None = None
        self._more: QToolButton | None = None
        self._shown = False
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
        if item.count > 1:
            if self._count is None:
                self._count = QLabel(self)
                self._count.setFont(self._style.small_font)
                tint(self._count, self._style.muted)
                self._make("previous", "next")
            count = self.tr("%1/%2").replace("%1", str(item.index + 1)).replace("%2", str(item.count))
            self._count.setText(count)
        self._arrange()

    def show_actions(self, shown: bool) -> None:
        """Show or hide what can be done."""
        if shown and self._more is None:
            self._make(*_ACTIONS)
            self._more = action(self, "more", self.tr("What else can be done"), lambda: None, self._style)
            self._more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
            menu = QMenu(self._more)
            menu.aboutToShow.connect(menu.clear)
            menu.aboutToShow.connect(lambda: self.fill(menu))
            self._more.setMenu(menu)
        self._shown = shown
        self._arrange()

    def offered(self) -> dict[str, bool]:
        """What can be done with the message, in order, and whether it can be now."""
        item = self._item
        if item is None:
            return {}
        answer, streaming, free = item.role == "assistant", item.state == "streaming", not self._busy
        reason = item.figures.reason if item.figures else ""
        unfinished = item.state in ("interrupted", "failed") or reason in ("length", "context", "cancelled")
        found = {
            "copy": bool(item.text),
            "edit": not answer,
            "regenerate": answer and not streaming,
            "continue": answer and self._last and unfinished and bool(item.text) and not streaming,
            "previous": item.count > 1,
            "next": item.count > 1,
        }
        can = {name: name == "copy" or free for name in found}
        can["previous"] = free and item.index > 0
        can["next"] = free and item.index < item.count - 1
        return {name: can[name] for name, there in found.items() if there}

    def fill(self, menu: QMenu) -> None:
        """Add all that is offered to a menu."""
        for name, can in self.offered().items():
            menu.addAction(self._label(name), self._acts[name]).setEnabled(can)

    def _make(self, *names: str) -> None:
        for name in names:
            self._buttons[name] = action(self, _ICONS[name], self._label(name), self._acts[name], self._style)

    def _label(self, name: str) -> str:
        return {
            "copy": self.tr("Copy message"),
            "edit": self.tr("Edit message"),
            "regenerate": self.tr("Write another answer"),
            "continue": self.tr("Continue this answer"),
            "previous": self.tr("Previous version"),
            "next": self.tr("Next version"),
        }[name]

    def _copied(self) -> None:
        self.copyClicked.emit()
        if (button := self._buttons.get("copy")) is not None:
            button.setIcon(icon("check"))
            QTimer.singleShot(_SHOWN, self, lambda: button.setIcon(icon("copy")))

    def stops(self) -> list[QWidget]:
        """What Tab reaches, from left to right."""
        buttons = (self._buttons.get(name) for name in ("previous", "next", *_ACTIONS))
        return [part for part in (*buttons, self._more) if part is not None]

    def height_wanted(self) -> int:
        """Pixels of the row, whether its actions are shown or not."""
        return self._style.gap(7)

    def resizeEvent(self, _event: QResizeEvent) -> None:
        self._arrange()

    def _arrange(self) -> None:
        for name, can in self.offered().items():
            if name in self._buttons:
                self._buttons[name].setEnabled(can)
        height, gap = self.height(), self._style.gap(0.5)
        parts = self._fitting(gap)
        for part in (*self.stops(), self._count):
            if part is not None:
                part.setVisible(part in parts)
        x = self.width() - self._taken(parts, gap) if self._at_end else 0
        for part in parts:
            size = part.sizeHint()
            place(part, QRect(QPoint(x, (height - size.height()) // 2), size), self.width())
            x += size.width() + gap
        size = self._figures.sizeHint()
        left = self.width() - size.width()
        place(self._figures, QRect(QPoint(left, (height - size.height()) // 2), size), self.width())
        self._figures.setVisible(x <= left)
        self.setToolTip("" if x <= left else self._figures.text())

    def _fitting(self, gap: int) -> list[QWidget]:
        """The parts that are shown. Where not all have room, the last actions stand in a menu; then the count goes, and
        at last its arrows, which are in the menu, too."""
        offered = self.offered()
        arrows = [self._buttons[name] for name in ("previous", "next") if name in offered and name in self._buttons]
        pager: list[QWidget] = [arrows[0], self._count, arrows[1]] if arrows and self._count else []
        if not self._shown or self._more is None:
            return pager if self._taken(pager, gap) <= self.width() else [*arrows]
        actions: list[QWidget] = [self._buttons[name] for name in _ACTIONS if name in offered]
        if self._taken([*pager, *actions], gap) <= self.width():
            return [*pager, *actions]
        for head in (pager, [*arrows], []):
            for kept in range(len(actions) - 1, -1, -1):
                parts = [*head, *actions[:kept], self._more]
                if self._taken(parts, gap) <= self.width():
                    return parts
        return [self._more]

    @staticmethod
    def _taken(parts: Sequence[QWidget], gap: int) -> int:
        """Pixels across."""
        return sum(part.sizeHint().width() + gap for part in parts) - gap if parts else 0

    def _figures_line(self, figures: Figures) -> str:
        """What an answer took, in words."""
        parts = [self.tr("%n token(s)", "", figures.new_tokens)] if figures.prompt_tokens else []
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
