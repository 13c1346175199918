"""Welcome: the first start. Where everything stays, which model answers, and what sizes mean; then one button."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QRadioButton,
    QScrollArea,
    QSizePolicy,
    QSpacerItem,
    QVBoxLayout,
    QWidget,
)

from desktop.views.icons import icon
from desktop.views.parts import Paragraph, label
from desktop.views.sheet import set_kind
from desktop.views.theme import theme

_INDENT = 24  # pixels at the system's text size: a note stands under its button's text

_MARGIN = 32  # pixels beside the page's column
_STATE_LINES = 3


@dataclass(frozen=True, kw_only=True)
class WelcomeChoice:
    """A model to begin with. `key` is what `chosen` tells."""

    key: str
    name: str
    note: str  # one sentence: size, what it is good for, whether it fits this machine
    possible: bool = True


class Welcome(QScrollArea):
    """The first choice that is possible is taken unless the user picks another."""

    chosen = Signal(str)  # key; empty where there was nothing to choose
    modelsRequested = Signal()

    def __init__(self, choices: Sequence[WelcomeChoice], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self._picture = QLabel()
        self._heading, self._home = label("heading"), Paragraph()
        self._pick, self._sizes = label("title"), Paragraph("muted")
        self.start_button = QPushButton()
        set_kind(self.start_button, "primary")
        self.start_button.setDefault(True)
        self.models_button = QPushButton()
        self.state = Paragraph("muted")
        self._group = QButtonGroup(self)
        self._indents: list[QSpacerItem] = []
        self._keys = [choice.key for choice in choices]

        page = QWidget()
        set_kind(page, "page")
        column = QVBoxLayout()
        column.setSpacing(12)
        column.addStretch(2)
        column.addWidget(self._heading)
        home = QHBoxLayout()
        home.setSpacing(12)
        home.addWidget(self._picture, 0, Qt.AlignmentFlag.AlignTop)
        home.addWidget(self._home, 1)
        column.addLayout(home)
        column.addSpacing(8)
        column.addWidget(self._pick)
        column.addSpacing(4)
        for number, choice in enumerate(choices):
            column.addLayout(self._row(number, choice))
        column.addWidget(self._sizes)
        column.addSpacing(8)
        for words in (self._heading, self._pick):
            words.setWordWrap(True)
        self._buttons = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._buttons.setSpacing(12)
        for one in (self.start_button, self.models_button):
            self._buttons.addWidget(one, 0, Qt.AlignmentFlag.AlignLeft)
        self._buttons.addStretch(1)
        column.addLayout(self._buttons)
        column.addWidget(self.state)
        column.addStretch(3)
        self._column = QWidget()
        self._column.setLayout(column)
        outer = QHBoxLayout(page)
        outer.setContentsMargins(_MARGIN, 24, _MARGIN, 24)
        outer.addStretch(1)
        outer.addWidget(self._column, 1000)
        outer.addStretch(1)
        self.setWidget(page)
        self.setFocusProxy(self.start_button)
        self.start_button.clicked.connect(self._on_start)
        self.models_button.clicked.connect(self.modelsRequested)
        theme().changed.connect(self._on_theme)
        self._on_theme()
        self.retranslate()

    def key(self) -> str:
        """The choice of now."""
        number = self._group.checkedId()
        return self._keys[number] if number >= 0 else ""

    def choose(self, key: str) -> None:
        """Take the choice of `key`."""
        self._group.button(self._keys.index(key)).setChecked(True)

    def set_state(self, sentence: str) -> None:
        """What the model does that is loaded already."""
        self.state.set_plain(sentence)

    def retranslate(self) -> None:
        """Texts in the language of now; the choices' own come from outside."""
        self._heading.setText(self.tr("Welcome to Falconet"))
        self._home.set_plain(
            self.tr(
                "Everything stays on this computer: the model runs here, and your chats are kept here. "
                "Nothing is sent anywhere unless you add a remote service yourself."
            )
        )
        self._pick.setText(self.tr("Which model should answer?"))
        self._sizes.set_plain(
            self.tr(
                "A larger model knows more and answers more slowly. It takes about as much memory as space on the "
                "disk, and a gigabyte or two more. You can choose another at any time."
            )
        )
        self.start_button.setText(self.tr("Start Chatting"))
        self.models_button.setText(self.tr("More Models…"))
        self.setAccessibleName(self._heading.text())

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        beside = sum(one.sizeHint().width() for one in (self.start_button, self.models_button))
        narrow = self.viewport().width() - 2 * _MARGIN < beside + self._buttons.spacing()
        self._buttons.setDirection(QBoxLayout.Direction.TopToBottom if narrow else QBoxLayout.Direction.LeftToRight)

    def _row(self, number: int, choice: WelcomeChoice) -> QVBoxLayout:
        button = QRadioButton(choice.name.replace("&", "&&"))
        button.setEnabled(choice.possible)
        button.setAccessibleDescription(choice.note)
        self._group.addButton(button, number)
        if choice.possible and self._group.checkedId() < 0:
            button.setChecked(True)
        note = Paragraph("muted", choice.note)
        below = QHBoxLayout()
        indent = QSpacerItem(_INDENT, 0, QSizePolicy.Policy.Fixed)  # mirrored, which margins are not
        self._indents.append(indent)
        below.addSpacerItem(indent)
        below.addWidget(note, 1)
        row = QVBoxLayout()
        row.setSpacing(4)
        row.addWidget(button)
        row.addLayout(below)
        return row

    def _on_start(self) -> None:
        self.chosen.emit(self.key())

    def _on_theme(self) -> None:
        side = theme().scaled(20)
        self._picture.setPixmap(icon("lock", "accent").pixmap(QSize(side, side), self.devicePixelRatioF()))
        self.state.setMinimumHeight(_STATE_LINES * self.state.fontMetrics().lineSpacing())  # nothing moves
        self._column.setMaximumWidth(round(theme().measure() * 0.95))
        for indent in self._indents:
            indent.changeSize(theme().scaled(_INDENT), 0, QSizePolicy.Policy.Fixed)
        self._column.updateGeometry()
