"""Header: the chat's title, the model with what it does now, how full its context is, and the chat's settings."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QEvent, QLocale, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from desktop.views.icons import icon
from desktop.views.parts import IconButton, StartLabel, beside_icon
from desktop.views.sheet import set_kind
from desktop.views.theme import theme

ModelState = Literal["none", "loading", "ready", "answering", "failed", "unloaded"]
_NEARLY_FULL = 0.9
_SHORTEST_TITLE = 80  # pixels
_NARROW = 560  # pixels at the system's text size: below, the model is an icon alone


class ElidedLabel(StartLabel):
    """One line, cut with an ellipsis where it has no room; whole for a screen reader and in its tool tip."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._whole = ""
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setMinimumWidth(_SHORTEST_TITLE)

    def set_whole(self, text: str) -> None:
        self._whole = text
        self.setAccessibleName(text)
        self.setToolTip(text)
        self._elide()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        self.setText(self.fontMetrics().elidedText(self._whole, Qt.TextElideMode.ElideRight, self.width()))


class ContextMeter(QWidget):
    """A thin bar with the tokens in words. Hidden where nothing is known, or said."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._share = 0.0
        self._used: int | None = None
        self._total: int | None = None
        self._note = ""
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
        self.setVisible(bool(used))
        if used is None:
            return
        self._share = min(used / total, 1.0) if total else 0.0
        locale = QLocale()
        if total:
            self._label.setText(f"{locale.toString(used)} / {locale.toString(total)}")
            words = self.tr("Context: {used} of {total} tokens used.").format(
                used=locale.toString(used), total=locale.toString(total)
            )
        else:
            self._label.setText(locale.toString(used))
            words = self.tr("Context: {used} tokens used.").format(used=locale.toString(used))
        words = f"{words} {note}".strip()
        self.setAccessibleName(words)
        self.setToolTip(words)
        self.update()

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
        set_kind(self.title, "title")
        self.model_button = IconButton("cpu")
        self.model_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.export_button = IconButton("download")
        self.export_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.export_button.hide()
        self.meter = ContextMeter()
        self.settings_button = IconButton("sliders")
        self.settings_button.setCheckable(True)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 8, 12, 8)
        layout.setSpacing(8)
        layout.addWidget(self.sidebar_button)
        layout.addWidget(self.title, 1)
        layout.addWidget(self.meter)
        layout.addSpacing(8)
        layout.addWidget(self.export_button)
        layout.addWidget(self.model_button)
        layout.addWidget(self.settings_button)
        self.sidebar_button.clicked.connect(self.sidebarRequested)
        self.model_button.clicked.connect(self.modelRequested)
        self.export_button.clicked.connect(self.exportRequested)
        self.settings_button.clicked.connect(self.chatSettingsRequested)
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
        source = self.tr("Remote service: {name}. {state}") if remote else self.tr("Model: {name}. {state}")
        words = source.format(name=name or self.tr("none"), state=sentence).strip()
        self.model_button.set_name(words)

    def set_export(self, text: str, words: str = "") -> None:
        """An export that is under way, as short as "12 %" and in `words`; an empty text for none."""
        self.export_button.setVisible(bool(text))
        self.export_button.setText(beside_icon(text))
        self.export_button.set_name(words or text)

    def set_context(self, used: int | None, total: int | None, note: str = "") -> None:
        """See ContextMeter.set_usage."""
        self.meter.set_usage(used, total, note)

    def retranslate(self) -> None:
        """Texts in the language of now."""
        self.sidebar_button.set_name(self.tr("Show or hide the list of chats"))
        self.settings_button.set_name(self.tr("Settings of this chat"))
        self.title.setAccessibleDescription(self.tr("Title of this chat"))
        self.set_title(self._title)
        self.set_model(self._model, self._state, self._sentence, remote=self._remote)
        self.meter.retranslate()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        narrow = self.width() < theme().scaled(_NARROW)
        styles = Qt.ToolButtonStyle
        self.model_button.setToolButtonStyle(styles.ToolButtonIconOnly if narrow else styles.ToolButtonTextBesideIcon)
