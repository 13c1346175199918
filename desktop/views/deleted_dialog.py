"""DeletedDialog: chats that were deleted in the last weeks, to be had back or removed for good."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QDateTime, QLocale, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QDialogButtonBox,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from desktop.store.records import DeletedChat
from desktop.views.dialog import Dialog
from desktop.views.parts import label, tip, two_columns
from desktop.views.sheet import set_kind
from desktop.views.theme import theme


class DeletedDialog(Dialog):
    """Several can be chosen. Enter or a double click restores, Delete deletes for good. What it asks for is done by
    others, who then call `set_chats`."""

    restoreRequested = Signal(object)  # ids of chats
    removeRequested = Signal(object)

    def __init__(self, chats: Sequence[DeletedChat], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Deleted Chats"))
        self.sentence = label("muted")
        self.list = two_columns(self.windowTitle())
        self.list.setUniformRowHeights(True)
        self.list.setSelectionMode(QTreeWidget.SelectionMode.ExtendedSelection)
        self.list.setHeaderLabels([self.tr("Chat"), self.tr("Kept until")])
        self.list.itemSelectionChanged.connect(self._on_selection)
        self.list.itemDoubleClicked.connect(lambda *_: self.restoreRequested.emit(self.chosen()))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.restore_button = self._button(buttons, self.tr("Restore"), self.restoreRequested.emit)
        self.remove_button = self._button(buttons, self.tr("Delete for Good"), self.removeRequested.emit)
        set_kind(self.restore_button, "primary")
        self.restore_button.setDefault(True)
        self._close_button = buttons.button(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(32, 28, 32, 24)
        layout.setSpacing(16)
        layout.addWidget(self.sentence)
        layout.addWidget(self.list, 1)
        layout.addWidget(buttons)
        self.set_chats(chats)
        self.list.setFocus()
        self.ask_size(theme().scaled(560), theme().scaled(460))

    def set_chats(self, chats: Sequence[DeletedChat]) -> None:
        """Show these; what comes after those that are gone is chosen, at first the first."""
        place = min((self.list.indexOfTopLevelItem(item) for item in self.list.selectedItems()), default=0)
        self.list.clear()
        for deleted in chats:
            until = QDateTime.fromSecsSinceEpoch(int(deleted.kept_until)).date()
            words = [
                deleted.chat.title or self.tr("New chat"),
                QLocale().toString(until, QLocale.FormatType.ShortFormat),
            ]
            item = QTreeWidgetItem(self.list, words)
            item.setData(0, Qt.ItemDataRole.UserRole, deleted.chat.id)
            item.setToolTip(0, tip(words[0]))
        if (next_one := self.list.topLevelItem(min(place, len(chats) - 1))) is not None:
            self.list.setCurrentItem(next_one)
        self.sentence.setText(
            self.tr("Deleted chats are kept for 30 days.")
            if chats
            else self.tr("No chat was deleted in the last 30 days.")
        )
        self._on_selection()
        if not chats:
            self._close_button.setFocus()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # Reached by keys that the list leaves: a Mac's has no use for Enter.
        listed = self.list.hasFocus() and bool(self.list.selectedItems())
        match event.key():
            case Qt.Key.Key_Return | Qt.Key.Key_Enter if listed:
                self.restoreRequested.emit(self.chosen())
            case Qt.Key.Key_Delete | Qt.Key.Key_Backspace if listed:
                self.removeRequested.emit(self.chosen())
            case _:
                super().keyPressEvent(event)

    def chosen(self) -> list[int]:
        """Ids of the chats that are chosen."""
        return [item.data(0, Qt.ItemDataRole.UserRole) for item in self.list.selectedItems()]

    def _button(self, box: QDialogButtonBox, text: str, ask: Callable[[list[int]], None]) -> QPushButton:
        button = box.addButton(text, QDialogButtonBox.ButtonRole.ActionRole)
        button.clicked.connect(lambda: ask(self.chosen()))
        return button

    def _on_selection(self) -> None:
        for button in (self.restore_button, self.remove_button):
            button.setEnabled(bool(self.list.selectedItems()))
