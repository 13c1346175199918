"""Banner: one sentence over the composer, with at most one button, which says what happened and what can be done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QPushButton, QWidget

from desktop.views.icons import icon
from desktop.views.parts import ICON_SIDE, IconButton
from desktop.views.sentence import Sentence
from desktop.views.sheet import set_kind
from desktop.views.theme import theme

_MARGIN, _GAP = 8, 12  # pixels
_LINES, _NARROW_LINES = 6, 3  # of a sentence that are shown at once: the rest scrolls
_LEAST_LETTERS = 28  # to a line: with less room the button stands below


@dataclass(frozen=True)
class _Notice:
    sentence: str
    button: str | None
    action: Callable[[], None] | None
    well: bool
    lasting: bool


class Banner(QFrame):
    """Hidden until `show_notice`. A screen reader is told the sentence at once.

    What must not be missed is `lasting`: a later sentence stands before it, and when that goes it is shown again. What
    is not concerns one event, and goes when the user does something else: see `drop_passing`.
    """

    dismissed = Signal(str)  # the sentence that the user has read, or acted on

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_kind(self, "notice")
        self._notices: list[_Notice] = []  # the last one is shown
        self._shown: _Notice | None = None
        self._picture = QLabel()
        self.words = Sentence(_LINES)
        self.button = QPushButton()
        self.close_button = IconButton("x")
        layout = self._grid = QGridLayout(self)
        layout.setContentsMargins(_MARGIN, _MARGIN, _MARGIN, _MARGIN)
        layout.setHorizontalSpacing(_GAP)
        layout.setVerticalSpacing(_MARGIN)
        layout.addWidget(self._picture, 0, 0)
        layout.addWidget(self.words, 0, 1, Qt.AlignmentFlag.AlignVCenter)
        layout.addWidget(self.close_button, 0, 3)
        layout.setColumnStretch(1, 1)
        self._is_narrow: bool | None = None
        self.button.clicked.connect(self._act)
        self.close_button.clicked.connect(self.dismiss)
        theme().changed.connect(self._draw)
        self._draw()
        self.retranslate()
        self.hide()

    @property
    def sentence(self) -> str:
        """What it says; empty while it is hidden."""
        return "" if self.isHidden() else self.words.text()

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

    def drop_passing(self) -> None:
        """The user does something else: what was said of one event goes, and what lasts is shown."""
        self._notices = [notice for notice in self._notices if notice.lasting]
        self._show()

    def dismiss(self) -> None:
        """Take away what is shown; its button can no longer be pressed. One that lasts comes back from behind it."""
        gone = self._notices[-1:]
        del self._notices[-1:]
        self._show()
        for notice in gone:
            self.dismissed.emit(notice.sentence)

    def _show(self) -> None:
        if not self._notices:
            self.hide()
            return
        notice = self._notices[-1]
        if notice is self._shown and not self.isHidden():
            return
        self._shown = notice
        self._draw()
        self.words.say(notice.sentence)
        self.words.setAccessibleName(notice.sentence)
        self.setAccessibleName(notice.sentence)
        self.button.setVisible(notice.button is not None)
        self.button.setText(notice.button or "")
        self._arrange()
        self.show()
        said = QAccessibleAnnouncementEvent(self, notice.sentence)
        said.setPoliteness(QAccessible.AnnouncementPoliteness.Assertive)
        QAccessible.updateAccessibility(said)

    def retranslate(self) -> None:
        """Texts in the language of now."""
        self.close_button.set_name(self.tr("Dismiss"))

    def minimumSizeHint(self) -> QSize:
        """As narrow as it can become: the sentence beside what closes it, and the button below."""
        least = self.words.minimumSizeHint().width() + _GAP + self.close_button.minimumSizeHint().width()
        if not self.button.isHidden():
            least = max(least, self.button.minimumSizeHint().width())
        return QSize(2 * _MARGIN + least, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()

    def _arrange(self) -> None:
        """The button beside the sentence, or below it where that would be squeezed; the picture where it has room."""
        letter = self.words.fontMetrics().averageCharWidth()
        room = self.width() - 2 * _MARGIN - _GAP - self.close_button.sizeHint().width()
        pictured = room - _GAP - theme().scaled(ICON_SIDE)
        beside = pictured - _GAP - self.button.sizeHint().width()
        narrow = beside < _LEAST_LETTERS * letter and not self.button.isHidden()
        self._picture.setVisible(pictured >= _LEAST_LETTERS * letter / 2)
        if narrow == self._is_narrow:
            return
        self._is_narrow = narrow
        self._grid.removeWidget(self.button)
        if narrow:
            self._grid.addWidget(self.button, 1, 1, 1, 3, Qt.AlignmentFlag.AlignLeading)
        else:
            self._grid.addWidget(self.button, 0, 2)
        for part in (self._picture, self.close_button):
            top = Qt.AlignmentFlag.AlignTop if narrow else Qt.AlignmentFlag.AlignVCenter
            self._grid.setAlignment(part, top)
        self.words.set_lines(_NARROW_LINES if narrow else _LINES)

    def _act(self) -> None:
        action = self._notices[-1].action if self._notices else None
        self.dismiss()
        if action is not None:
            action()

    def _draw(self) -> None:
        side = theme().scaled(ICON_SIDE)
        shown = icon("info", "muted") if self._shown is not None and self._shown.well else icon("alert", "warning")
        self._picture.setPixmap(shown.pixmap(QSize(side, side), self.devicePixelRatioF()))
        self._arrange()
