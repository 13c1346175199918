"""Banner: one sentence over the composer, with at most one button, which says what happened and what can be done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from desktop.views.icons import icon
from desktop.views.parts import ICON_SIDE, IconButton, StartLabel
from desktop.views.sheet import set_kind
from desktop.views.theme import theme


@dataclass(frozen=True)
class _Notice:
    sentence: str
    button: str | None
    action: Callable[[], None] | None
    well: bool
    lasting: bool


class Banner(QFrame):
    """Hidden until `show_notice`. A screen reader is told the sentence at once.

    What must not be missed is `lasting`: a later sentence stands before it, and when that goes it is shown again.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_kind(self, "notice")
        self._notices: list[_Notice] = []  # the last one is shown
        self._shown: _Notice | None = None
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
        lasting: bool = False,
    ) -> None:
        """Say `sentence`; with `button`, its text, `action` is called when it is pressed and the banner goes.

        `well`: nothing is wrong, so that there is no sign of a warning. `lasting`: it stays until it is dismissed,
        withdrawn or acted on, whatever else is said meanwhile.
        """
        kept = [notice for notice in self._notices if notice.lasting and notice.sentence != sentence]
        self._notices = [*kept, _Notice(sentence, button, action, well, lasting)]
        self._show()

    def withdraw(self, sentence: str) -> None:
        """What `sentence` says is no longer so; nothing happens where it is not there."""
        left = [notice for notice in self._notices if notice.sentence != sentence]
        if len(left) < len(self._notices):
            self._notices = left
            self._show()

    def dismiss(self) -> None:
        """Take away what is shown; its button can no longer be pressed. One that lasts comes back from behind it."""
        del self._notices[-1:]
        self._show()

    def _show(self) -> None:
        if not self._notices:
            self.hide()
            return
        notice = self._notices[-1]
        if notice is self._shown and not self.isHidden():
            return
        self._shown = notice
        self._draw()
        self.label.setText(notice.sentence)
        self.setAccessibleName(notice.sentence)
        self.button.setVisible(notice.button is not None)
        self.button.setText(notice.button or "")
        self.show()
        said = QAccessibleAnnouncementEvent(self, notice.sentence)
        said.setPoliteness(QAccessible.AnnouncementPoliteness.Assertive)
        QAccessible.updateAccessibility(said)

    def retranslate(self) -> None:
        """Texts in the language of now."""
        self.close_button.set_name(self.tr("Dismiss"))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()

    def _act(self) -> None:
        action = self._notices[-1].action if self._notices else None
        self.dismiss()
        if action is not None:
            action()

    def _draw(self) -> None:
        side = theme().scaled(ICON_SIDE)
        shown = icon("info", "muted") if self._shown is not None and self._shown.well else icon("alert", "warning")
        self._picture.setPixmap(shown.pixmap(QSize(side, side), self.devicePixelRatioF()))
