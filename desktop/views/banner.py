"""Banner: one sentence over the composer, with at most one button, which says what happened and what can be done."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from desktop.views.icons import icon
from desktop.views.parts import ICON_SIDE, IconButton, StartLabel
from desktop.views.sheet import set_kind
from desktop.views.theme import theme


class Banner(QFrame):
    """Hidden until `show_notice`. A screen reader is told the sentence at once."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_kind(self, "notice")
        self._action: Callable[[], None] | None = None
        self._well = False
        self._picture = QLabel()
        self.label = StartLabel()
        self.label.setWordWrap(True)
        self.label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.button = QPushButton()
        self.close_button = IconButton("x")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(12)
        layout.addSpacing(8)  # mirrored, which margins are not
        layout.addWidget(self._picture)
        layout.addWidget(self.label, 1)
        layout.addWidget(self.button)
        layout.addWidget(self.close_button)
        self.button.clicked.connect(self._act)
        self.close_button.clicked.connect(self.dismiss)
        theme().changed.connect(self._draw)
        self._draw()
        self.retranslate()
        self.hide()

    @property
    def sentence(self) -> str:
        """What it says; empty while it is hidden."""
        return "" if self.isHidden() else self.label.text()

    def show_notice(
        self,
        sentence: str,
        *,
        button: str | None = None,
        action: Callable[[], None] | None = None,
        well: bool = False,
    ) -> None:
        """Say `sentence`; with `button`, its text, `action` is called when it is pressed and the banner goes.

        `well`: nothing is wrong, so that there is no sign of a warning.
        """
        self._well = well
        self._draw()
        self.label.setText(sentence)
        self.setAccessibleName(sentence)
        self._action = action
        self.button.setVisible(button is not None)
        self.button.setText(button or "")
        self.show()
        said = QAccessibleAnnouncementEvent(self, sentence)
        said.setPoliteness(QAccessible.AnnouncementPoliteness.Assertive)
        QAccessible.updateAccessibility(said)

    def dismiss(self) -> None:
        """Hide it; its button can no longer be pressed."""
        self._action = None
        self.hide()

    def retranslate(self) -> None:
        """Texts in the language of now."""
        self.close_button.set_name(self.tr("Dismiss"))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()

    def _act(self) -> None:
        action = self._action
        self.dismiss()
        if action is not None:
            action()

    def _draw(self) -> None:
        side = theme().scaled(ICON_SIDE)
        shown = icon("info", "muted") if self._well else icon("alert", "warning")
        self._picture.setPixmap(shown.pixmap(QSize(side, side), self.devicePixelRatioF()))
