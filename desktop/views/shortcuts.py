"""ShortcutSheet: every command with its keys on this platform, found by typing."""

from __future__ import annotations

import sys

from PySide6.QtCore import QCoreApplication, QSize, Qt
from PySide6.QtGui import QBrush, QKeySequence
from PySide6.QtWidgets import (
    QDialogButtonBox,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from desktop.views.command import without_letter
from desktop.views.commands import commands, menu_titles
from desktop.views.dialog import Dialog
from desktop.views.parts import ClearableEdit, two_columns
from desktop.views.theme import theme

_GROUP_GAP = 28  # pixels that a heading keeps of the group before it
_SPELLED = Qt.ItemDataRole.UserRole  # keys in letters


class ShortcutSheet(Dialog):
    """A list to read and to search; a screen reader reads each row as command and keys. `system` as sys.platform has
    it."""

    def __init__(self, parent: QWidget | None = None, *, system: str = sys.platform) -> None:
        super().__init__(parent)
        self._system = system
        self.setWindowTitle(self.tr("Keyboard Shortcuts"))
        self.filter = ClearableEdit()
        self.filter.setPlaceholderText(self.tr("Find a command or a key"))
        self.filter.setAccessibleName(self.filter.placeholderText())
        self.filter.textChanged.connect(self._find)
        self.list = two_columns(self.windowTitle())
        self.list.setHeaderHidden(True)
        self.list.setIndentation(0)
        self._fill()
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(32, 28, 32, 24)
        layout.setSpacing(16)
        layout.addWidget(self.filter)
        layout.addWidget(self.list, 1)
        layout.addWidget(buttons)
        self.ask_size(theme().scaled(520), theme().scaled(600))

    def rows(self) -> list[tuple[str, str]]:
        """The commands that are shown, with their keys."""
        return [
            (item.text(0), item.text(1)) for group in self._groups() for item in _children(group) if not item.isHidden()
        ]

    def _groups(self) -> list[QTreeWidgetItem]:
        return _children(self.list.invisibleRootItem())

    def _fill(self) -> None:
        for name, title in menu_titles(self._system).items():
            group = QTreeWidgetItem([_plain(QCoreApplication.translate("Commands", title)), ""])
            group.setFont(0, theme().font(bold=True))
            if self.list.topLevelItemCount():
                group.setSizeHint(0, QSize(0, self.list.fontMetrics().height() + theme().scaled(_GROUP_GAP)))
            group.setTextAlignment(0, Qt.AlignmentFlag.AlignLeading | Qt.AlignmentFlag.AlignBottom)
            group.setForeground(0, QBrush(theme().color("muted")))
            group.setFlags(Qt.ItemFlag.ItemIsEnabled)
            self.list.addTopLevelItem(group)
            for command in commands(self._system):
                if command.menu != name or not command.key_sequences():
                    continue
                keys = "  ".join(
                    key.toString(QKeySequence.SequenceFormat.NativeText) for key in command.key_sequences()[:1]
                )
                mirrored = self.layoutDirection() == Qt.LayoutDirection.RightToLeft
                item = QTreeWidgetItem([_plain(command.title()), f"\u200e{keys}\u200e" if mirrored else keys])
                item.setToolTip(0, command.explanation())
                item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                item.setData(1, _SPELLED, _spelled(command.key_sequences()[0], self._system))
                item.setData(0, Qt.ItemDataRole.AccessibleTextRole, f"{item.text(0)}, {keys}")
                item.setData(0, Qt.ItemDataRole.AccessibleDescriptionRole, command.explanation())
                group.addChild(item)
            group.setExpanded(True)

    def _find(self, text: str) -> None:
        wanted = text.casefold()
        for group in self._groups():
            seen = False
            for item in _children(group):
                words = f"{item.text(0)} {item.text(1)} {item.data(1, _SPELLED)} {item.toolTip(0)}".casefold()
                item.setHidden(wanted not in words)
                seen = seen or not item.isHidden()
            group.setHidden(not seen)


def _children(item: QTreeWidgetItem) -> list[QTreeWidgetItem]:
    found = (item.child(number) for number in range(item.childCount()))
    return [child for child in found if child is not None]


def _plain(title: str) -> str:
    """A menu's text as a name."""
    return without_letter(title).removesuffix("…")


def _spelled(keys: QKeySequence, system: str) -> str:
    """Keys as people type their names: a Mac shows signs, and Qt calls its Cmd Ctrl and its Ctrl Meta."""
    letters = keys.toString(QKeySequence.SequenceFormat.PortableText)
    return letters.replace("Ctrl", "Cmd").replace("Meta", "Ctrl") if system == "darwin" else letters
