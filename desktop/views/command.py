"""Command: one thing that the window can be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QAction, QKeySequence

Menu = Literal["file", "edit", "chat", "view", "model", "window", "help"]
Key = QKeySequence.StandardKey
Role = QAction.MenuRole


@dataclass(frozen=True, kw_only=True)
class Command:
    """`text` and `help` are English sources; `title` and `explanation` say them in the user's language.

    A shortcut is one of Qt's standard keys (the platform's own), or keys where Ctrl means Cmd on a Mac.
    """

    id: str
    menu: Menu
    text: str
    help: str
    shortcut: Key | str | None = None
    role: Role = Role.NoRole
    checkable: bool = False
    begins_group: bool = False  # a line above it in the menu
    bound: bool = True  # False: a widget listens to the keys itself, and the table only tells of them

    def title(self) -> str:
        return QCoreApplication.translate("Commands", self.text)

    def explanation(self) -> str:
        return QCoreApplication.translate("Commands", self.help)

    def key_sequences(self) -> list[QKeySequence]:
        """The shortcuts on this platform; empty where it has none."""
        match self.shortcut:
            case None:
                return []
            case str():
                return [QKeySequence(self.shortcut)]
            case _:
                return QKeySequence.keyBindings(self.shortcut)


def without_letter(title: str) -> str:
    """A menu's text without the letter that it marks; in Chinese that stands in brackets after it."""
    bracket = title.find("(&")
    if bracket >= 0:
        title = title[:bracket] + title[bracket + 4 :]
    return title.replace("&", "")
