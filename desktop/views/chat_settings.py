"""ChatSettingsPanel: what one chat says to the model first, and how its answers are chosen; presets for both."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QLineEdit,
    QMenu,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from desktop.store.records import Preset
from desktop.views.parts import Choice, IconButton, Scrolled, label
from desktop.views.sampling_form import SamplingForm
from desktop.views.sheet import set_kind
from desktop.views.theme import theme
from desktop.views.writing import WritingEdit
from runtime import GenerationOptions

_PROMPT_LINES = 5
_WIDTH = 280  # pixels at the system's text size
_PROMPT_DELAY_MS = 400  # typing is not written to the disk key by key


class ChatSettingsPanel(QWidget):
    """Shows one chat's settings and tells of changes. Preset signals carry ids, or the name for a new one."""

    promptChanged = Signal(str)
    optionsChanged = Signal(object)  # GenerationOptions
    presetChosen = Signal(int)
    presetSaveRequested = Signal(str)
    presetDeleteRequested = Signal(int)
    closeRequested = Signal()
    refused = Signal(str)  # by the system prompt, such as a file that is no text: a sentence for each

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._presets: list[Preset] = []
        self.defaults = GenerationOptions()
        """What a chat begins with."""
        self._title = label("title")
        self.close_button = IconButton("x")
        self.close_button.clicked.connect(self.closeRequested)
        self.preset_box = Choice()
        self.preset_box.activated.connect(self._on_preset)
        self.preset_menu_button = IconButton("more")
        self.preset_menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.preset_menu_button)  # a window: as the panel's first child it would take the panel out of Tab
        self.save_action = menu.addAction("", self._ask_name)
        self.delete_action = menu.addAction("", self._delete)
        self.reset_action = menu.addAction("", self._reset)
        self.preset_menu_button.setMenu(menu)
        self._prompt_name = QLabel()
        self.prompt = WritingEdit()
        self.prompt.send_with = None
        self.prompt.refused.connect(self.refused)
        self._prompt_name.setBuddy(self.prompt)
        self.form = SamplingForm()
        self.form.optionsChanged.connect(self.optionsChanged)
        self._timer = QTimer(self, singleShot=True, interval=_PROMPT_DELAY_MS)
        self._timer.timeout.connect(self._tell_prompt)
        self.prompt.textChanged.connect(self._timer.start)
        self._lay_out()
        theme().changed.connect(self._on_theme)
        self._on_theme()
        self.set_presets([])
        self.retranslate()

    def set_chat(self, system_prompt: str, options: GenerationOptions) -> None:
        """Show another chat's settings, or the same after a preset; call `flush` before where the chat changes."""
        self._timer.stop()
        self.prompt.blockSignals(True)
        self.prompt.setPlainText(system_prompt)
        self.prompt.blockSignals(False)
        self.form.set_options(options)

    def set_presets(self, presets: Sequence[Preset], current: int | None = None) -> None:
        """The presets to choose from; `current` is the id of the one in use."""
        self._presets = list(presets)
        self.preset_box.clear()
        self.preset_box.addItem(self.tr("No preset"), None)
        for preset in presets:
            self.preset_box.addItem(preset.name, preset.id)
        self.preset_box.setCurrentIndex(max(0, self.preset_box.findData(current)))
        self.delete_action.setEnabled(self.preset_box.currentData() is not None)

    def flush(self) -> None:
        """Tell a prompt at once that was typed just now."""
        if self._timer.isActive():
            self._timer.stop()
            self._tell_prompt()

    def retranslate(self) -> None:
        """Texts in the language of now."""
        self.setAccessibleName(self.tr("Settings of this chat"))
        self._title.setText(self.tr("This Chat"))
        self.close_button.set_name(self.tr("Close the settings of this chat"))
        self.preset_menu_button.set_name(self.tr("Save or delete presets"))
        self.preset_box.setAccessibleName(self.tr("Preset"))
        self.preset_box.setToolTip(self.tr("A system prompt and these numbers under a name"))
        self.preset_box.setItemText(0, self.tr("No preset"))
        self.save_action.setText(self.tr("Save as Preset…"))
        self.delete_action.setText(self.tr("Delete Preset"))
        self.reset_action.setText(self.tr("Back to the Defaults"))
        self._prompt_name.setText(self.tr("System prompt"))
        self.prompt.setAccessibleName(self._prompt_name.text())
        self.prompt.setPlaceholderText(self.tr("What the model is told first, such as “Answer in one sentence.”"))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setContentsMargins(12, 8, 12, 8)
        head.addSpacing(8)  # mirrored, which margins are not
        head.addWidget(self._title, 1)
        head.addWidget(self.close_button)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(20, 8, 20, 20)
        column.setSpacing(4)
        presets = QHBoxLayout()
        presets.setSpacing(4)
        presets.addWidget(self.preset_box, 1)
        presets.addWidget(self.preset_menu_button)
        column.addLayout(presets)
        column.addSpacing(12)
        column.addWidget(self._prompt_name)
        column.addWidget(self.prompt)
        column.addSpacing(12)
        column.addWidget(self.form)
        column.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(head)
        layout.addWidget(Scrolled(inside), 1)
        set_kind(self, "page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)

    def _on_theme(self) -> None:
        self.prompt.setFixedHeight(self.prompt.fontMetrics().lineSpacing() * _PROMPT_LINES + theme().scaled(18))
        self.setMinimumWidth(theme().scaled(_WIDTH))

    def _tell_prompt(self) -> None:
        self.promptChanged.emit(self.prompt.toPlainText())

    def _on_preset(self, index: int) -> None:
        chosen = self.preset_box.itemData(index)
        self.delete_action.setEnabled(chosen is not None)
        if chosen is not None:
            self.presetChosen.emit(chosen)

    def _ask_name(self) -> None:
        name, agreed = QInputDialog.getText(
            self,
            self.tr("Save as Preset"),
            self.tr("Name of the preset:"),
            QLineEdit.EchoMode.Normal,
            self.preset_box.currentText() if self.preset_box.currentData() is not None else "",
        )
        if agreed and name.strip():
            self.flush()
            self.presetSaveRequested.emit(name.strip())

    def _delete(self) -> None:
        if self.preset_box.currentData() is not None:
            self.presetDeleteRequested.emit(self.preset_box.currentData())

    def _reset(self) -> None:
        self.form.set_options(self.defaults)
        self.optionsChanged.emit(self.defaults)
