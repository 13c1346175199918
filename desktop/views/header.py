"""Header: the chat's title, the model with what it does now, how full its context is, and the chat's settings."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QEvent, QLocale, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from desktop.views.icons import icon
from desktop.views.parts import ElidedLabel, IconButton, beside_icon
from desktop.views.sheet import set_kind
from desktop.views.theme import theme

Room = Literal["all", "some", "none"]
ModelState = Literal["none", "loading", "ready", "answering", "failed", "unloaded"]
_NEARLY_FULL = 0.9
_SHORTEST_TITLE = 80  # pixels at the system's text size: before it is cut to less, others are shortened
_NARROW = 560  # pixels at the system's text size: below, the model is an icon alone
_BEFORE_BUTTONS = 8  # pixels
_STEPS: tuple[tuple[bool, Room, bool], ...] = (
    (True, "all", True),
    (False, "all", True),
    (False, "some", True),
    (False, "some", False),
    (False, "none", False),
)
"""Whether the model is told in words, how much of the tokens, and whether an export is: with ever less room."""


class ContextMeter(QWidget):
    """A thin bar under the tokens, or under the share of the context that they fill. Hidden where nothing is known, or
    said, or has room."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._share = 0.0
        self._used: int | None = None
        self._total: int | None = None
        self._note = ""
        self._room: Room = "all"
        self.words = ""
        """What it shows, for people; empty where nothing is known."""
        self._label = QLabel()
        set_kind(self._label, "muted")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 6, 0, 6)
        layout.addWidget(self._label)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        theme().changed.connect(self.update)
        self.hide()

    def set_usage(self, used: int | None, total: int | None, note: str = "") -> None:
        """Tokens of the conversation and of the context; None for what is not known. `note`: what was left out."""
        self._used, self._total, self._note = used, total, note
        self.words = ""
        if used:
            self._share = min(used / total, 1.0) if total else 0.0
            locale = QLocale()
            if total:
                words = self.tr("Context: {used} of {total} tokens used.").format(
                    used=locale.toString(used), total=locale.toString(total)
                )
            else:
                words = self.tr("Context: {used} tokens used.").format(used=locale.toString(used))
            self.words = f"{words} {note}".strip()
        self.setAccessibleName(self.words)
        self.setToolTip(self.words)
        self.set_room(self._room)
        self.update()

    def set_room(self, room: Room) -> None:
        """How much it may show."""
        self._room = room
        locale = QLocale()
        used, total = locale.toString(self._used or 0), locale.toString(self._total or 0)
        if not self._total:
            self._label.setText(used)
        elif room == "all":
            self._label.setText(f"{used} / {total}")
        else:
            self._label.setText(f"{int(100 * self._share)} %")
        self.setVisible(bool(self._used) and room != "none")

    def retranslate(self) -> None:
        """Texts in the language of now."""
        self.set_usage(self._used, self._total, self._note)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        bar = self.rect().adjusted(0, self.height() - 4, 0, -1)
        painter.setBrush(theme().color("hairline"))
        painter.drawRoundedRect(bar, 1.5, 1.5)
        bar.setWidth(round(bar.width() * self._share))
        if self.layoutDirection() == Qt.LayoutDirection.RightToLeft:
            bar.moveRight(self.width() - 1)
        painter.setBrush(theme().color("warning" if self._share > _NEARLY_FULL or self._note else "accent"))
        painter.drawRoundedRect(bar, 1.5, 1.5)


class Header(QWidget):
    """Draws what it is told; every button is an intent."""

    sidebarRequested = Signal()
    modelRequested = Signal()
    exportRequested = Signal()  # to be shown
    chatSettingsRequested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = ""
        self._model = ""
        self._state: ModelState = "none"
        self._sentence = ""
        self._remote = False
        self.sidebar_button = IconButton("menu")
        self.title = ElidedLabel()
        self.title.setMinimumWidth(1)  # less than any letter's: what a row of no room leaves
        set_kind(self.title, "title")
        self.model_button = IconButton("cpu")
        self.model_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.export_button = IconButton("download")
        self.export_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.export_button.hide()
        self.meter = ContextMeter()
        self.settings_button = IconButton("sliders")
        self.settings_button.setCheckable(True)
        self._row = layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 8, 12, 8)
        layout.setSpacing(8)
        layout.addWidget(self.sidebar_button)
        layout.addWidget(self.title, 1)
        layout.addWidget(self.meter)
        layout.addSpacing(_BEFORE_BUTTONS)
        layout.addWidget(self.export_button)
        layout.addWidget(self.model_button)
        layout.addWidget(self.settings_button)
        self.sidebar_button.clicked.connect(self.sidebarRequested)
        self.model_button.clicked.connect(self.modelRequested)
        self.export_button.clicked.connect(self.exportRequested)
        self.settings_button.clicked.connect(self.chatSettingsRequested)
        theme().changed.connect(self._fit)
        self.retranslate()

    def set_title(self, title: str) -> None:
        """The chat's title; empty for one that has none yet."""
        self._title = title
        self.title.set_whole(title or self.tr("New chat"))

    def set_model(self, name: str, state: ModelState, sentence: str = "", *, remote: bool = False) -> None:
        """The model's name (empty: none is chosen), what it does, and that in a sentence of a few words. `remote`: it
        is a service's, so what is written leaves this computer."""
        self._model, self._state, self._sentence, self._remote = name, state, sentence, remote
        shown = name or self.tr("Choose a model")
        if sentence and state != "ready":
            shown = f"{shown} · {sentence}"
        self.model_button.setText(beside_icon(shown))
        token = {"failed": "danger", "ready": "accent", "answering": "accent"}.get(state, "muted")
        self.model_button.setIcon(icon("alert" if state == "failed" else "cloud" if remote else "cpu", token))
        self._fit()

    def set_export(self, text: str, words: str = "") -> None:
        """An export that is under way, as short as "12 %" and in `words`; an empty text for none."""
        self.export_button.setVisible(bool(text))
        self.export_button.setText(beside_icon(text))
        self.export_button.set_name(words or text)
        self._fit()

    def set_context(self, used: int | None, total: int | None, note: str = "") -> None:
        """See ContextMeter.set_usage."""
        self.meter.set_usage(used, total, note)
        self._fit()

    def retranslate(self) -> None:
        """Texts in the language of now."""
        self.sidebar_button.set_name(self.tr("Show or hide the list of chats"))
        self.settings_button.set_name(self.tr("Settings of this chat"))
        self.title.setAccessibleDescription(self.tr("Title of this chat"))
        self.set_title(self._title)
        self.set_model(self._model, self._state, self._sentence, remote=self._remote)
        self.meter.retranslate()
        self._fit()

    def minimumSizeHint(self) -> QSize:
        """As narrow as it can become, whatever it shows now."""
        icons = (self.sidebar_button, self.export_button, self.model_button, self.settings_button)
        margins = self._row.contentsMargins()
        least = margins.left() + margins.right() + _BEFORE_BUTTONS + self._row.spacing() * self._row.count()
        # A button with an icon alone is a square.
        least += sum(button.minimumSizeHint().height() for button in icons if not button.isHidden())
        return QSize(least, super().minimumSizeHint().height())

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Shorten what matters least, until the row has room: the model to its icon, the tokens to a share, an export
        to its icon; at last the tokens are told with the model's name only."""
        alone, beside = Qt.ToolButtonStyle.ToolButtonIconOnly, Qt.ToolButtonStyle.ToolButtonTextBesideIcon
        narrow = self.width() < theme().scaled(_NARROW)
        for model, room, export in _STEPS:
            self.model_button.setToolButtonStyle(beside if model and not narrow else alone)
            self.export_button.setToolButtonStyle(beside if export else alone)
            self.meter.set_room(room)
            if self._wanted() <= self.width():
                break
        self._name_model(with_tokens=self.meter.isHidden())

    def _wanted(self) -> int:
        """Pixels for all that is shown, and a title that still says something."""
        parts = (self.sidebar_button, self.meter, self.export_button, self.model_button, self.settings_button)
        shown = [part.sizeHint().width() + self._row.spacing() for part in parts if not part.isHidden()]
        margins = self._row.contentsMargins()
        return sum(shown) + margins.left() + margins.right() + _BEFORE_BUTTONS + theme().scaled(_SHORTEST_TITLE)

    def _name_model(self, *, with_tokens: bool) -> None:
        source = self.tr("Remote service: {name}. {state}") if self._remote else self.tr("Model: {name}. {state}")
        words = source.format(name=self._model or self.tr("none"), state=self._sentence).strip()
        self.model_button.set_name(f"{words}\n{self.meter.words}" if with_tokens and self.meter.words else words)
