"""Details: one model's facts, and what can be done with it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import QLocale, Qt, Signal, SignalInstance
from PySide6.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from desktop.library import ModelEntry, disk_size
from desktop.views.models.words import fits_title, used_title
from desktop.views.parts import Choice, Paragraph, Scrolled, label
from desktop.views.sheet import set_kind
from runtime import ChatTemplate

_EDGE = 20  # pixels between the facts and the line beside them


class Details(QWidget):
    """Shows one entry, or nothing."""

    loadRequested = Signal(str)  # key
    unloadRequested = Signal()
    checkRequested = Signal(str)
    revealRequested = Signal(str)
    removeRequested = Signal(str)
    chatFormatChosen = Signal(str, str)  # key, a format of runtime's; empty: none

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entry: ModelEntry | None = None
        self._chat_formats: Mapping[str, str] = {}
        self._loaded = self._checking = False
        self.name = label("heading")
        self.sentence = Paragraph()
        self.sentence.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._facts, self.values = self._make_facts()
        self.chat_format = self._make_chat_format()
        self.load_button = QPushButton(self.tr("Load"))
        set_kind(self.load_button, "primary")
        self.unload_button = QPushButton(self.tr("Unload"))
        self.check_button = QPushButton(self.tr("Check…"))
        self.check_button.setToolTip(self.tr("Try this model on every device of this computer."))
        self.reveal_button = QPushButton(self.tr("Show in Folder"))
        self.remove_button = QPushButton(self.tr("Remove…"))
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(_EDGE, 4, _EDGE, 4)
        column.setSpacing(16)
        column.addWidget(self.name)
        column.addWidget(self.sentence)
        column.addLayout(self._facts)
        column.addStretch(1)
        first, second = QHBoxLayout(), QHBoxLayout()
        for row, members in (
            (first, (self.load_button, self.unload_button, self.check_button)),
            (second, (self.reveal_button, self.remove_button)),
        ):
            row.setSpacing(8)
            row.addSpacing(_EDGE)  # mirrored, which margins are not
            for button in members:
                row.addWidget(button)
            row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(Scrolled(inside), 1)
        layout.addLayout(first)
        layout.addLayout(second)
        self.load_button.clicked.connect(lambda: self._tell(self.loadRequested))
        self.unload_button.clicked.connect(self.unloadRequested)
        self.check_button.clicked.connect(lambda: self._tell(self.checkRequested))
        self.reveal_button.clicked.connect(lambda: self._tell(self.revealRequested))
        self.remove_button.clicked.connect(lambda: self._tell(self.removeRequested))
        self.set_entry(None, loaded=False)

    def set_entry(self, entry: ModelEntry | None, *, loaded: bool) -> None:
        """Show a model; `loaded`: it answers now, or is about to."""
        self._entry, self._loaded = entry, loaded
        self._set_buttons()
        if entry is None:
            self.name.setText("")
            self.sentence.set_plain("")
            return
        self.name.setText(entry.name)
        self.name.setAccessibleName(entry.name)
        self._say(entry)
        locale = QLocale()
        tokens = self.tr("{count} tokens")
        memory = f"{fits_title(entry)} {entry.sentence}".strip() if entry.memory is not None else ""
        shown = {
            "format": self.tr("mixed") if entry.format == "mixed" else entry.format,
            "disk": disk_size(entry.bytes) if entry.bytes is not None else "",
            "context": tokens.format(count=locale.toString(entry.context_length)) if entry.context_length else "",
            "memory": memory,
            "used": used_title(entry.last_used),
            "place": _breakable(str(entry.path)) if entry.bytes is not None or entry.damaged else "",
        }
        for row, (name, value) in enumerate(self.values.items()):
            value.setText(shown[name])
            value.setAccessibleName(shown[name].replace("\u200b", ""))
            self._facts.setRowVisible(row, bool(shown[name]))
        self.chat_format.setCurrentIndex(max(self.chat_format.findData(self._chat_formats.get(entry.key, "")), 0))
        self._facts.setRowVisible(self.chat_format, not entry.has_chat_format)

    def _make_facts(self) -> tuple[QFormLayout, dict[str, QLabel]]:
        """The rows of facts, and the label of each value by its name in `set_entry`."""
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(8)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        titles = {
            "format": self.tr("Weights"),
            "disk": self.tr("On disk"),
            "context": self.tr("Context"),
            "memory": self.tr("Memory"),
            "used": self.tr("Last used"),
            "place": self.tr("Folder"),
        }
        values = {}
        for key, text in titles.items():
            title, value = QLabel(text), label()
            set_kind(title, "muted")
            title.setAlignment(Qt.AlignmentFlag.AlignLeading | Qt.AlignmentFlag.AlignTop)
            title.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.MinimumExpanding)
            value.setAccessibleDescription(text)
            form.addRow(title, value)
            values[key] = value
        return form, values

    def set_chat_formats(self, chosen: Mapping[str, str]) -> None:
        """The chat formats that the user chose, by keys of models."""
        self._chat_formats = chosen
        self.set_entry(self._entry, loaded=self._loaded)

    def _make_chat_format(self) -> Choice:
        """The row of a model that names no chat format: below the others, as the user can change it."""
        choice, title = Choice(), QLabel(self.tr("Chat format"))
        set_kind(title, "muted")
        choice.addItem(self.tr("none: it continues what you write"), "")
        for name in ChatTemplate.names():
            choice.addItem(name, name)
        choice.setAccessibleName(title.text())
        choice.activated.connect(self._choose_format)
        self._facts.addRow(title, choice)
        return choice

    def _choose_format(self, index: int) -> None:
        if self._entry is not None:
            self.chatFormatChosen.emit(self._entry.key, self.chat_format.itemData(index))

    def set_checking(self, checking: bool) -> None:
        """While a model is examined no other can be."""
        self._checking = checking
        self._set_buttons()

    def _say(self, entry: ModelEntry) -> None:
        set_kind(self.sentence, "danger" if entry.damaged is not None else "muted")
        if entry.damaged is not None:
            text = entry.damaged
        elif entry.is_embedded:
            text = self.tr("Comes with Falconet: small and quick, good for simple questions.")
            if entry.bytes is None:
                text += " " + self.tr("It is prepared once, when it is first used.")
        elif not entry.has_chat_format and entry.key not in self._chat_formats:
            text = self.tr(
                "No chat format is known for this model, so it continues what you write instead of answering. If it "
                "was taught one, choose it here."
            )
        else:
            text = ""
        self.sentence.set_plain(text)
        self.sentence.setVisible(bool(text))

    def _set_buttons(self) -> None:
        entry = self._entry
        whole = entry is not None and entry.damaged is None
        on_disk = entry is not None and (entry.bytes is not None or entry.damaged is not None)
        self.load_button.setVisible(not self._loaded)
        self.load_button.setEnabled(whole)
        self.unload_button.setVisible(self._loaded)
        self.check_button.setEnabled(whole and on_disk and not self._checking)
        self.reveal_button.setEnabled(on_disk)
        self.remove_button.setEnabled(entry is not None and entry.removable)
        mixed = on_disk and entry is not None and not entry.removable and not entry.is_embedded
        self.remove_button.setToolTip(
            self.tr("Its folder holds more than a model: remove it in the file manager.") if mixed else ""
        )

    def _tell(self, signal: SignalInstance) -> None:
        if self._entry is not None:
            signal.emit(self._entry.key)


def _breakable(path: str) -> str:
    """`path` with places where a line may break; the user's own folder is the sign that shells have for it."""
    home = str(Path.home())
    if path.startswith(home + os.sep):
        path = "~" + path.removeprefix(home)
    return path.replace("/", "/\u200b").replace("\\", "\\\u200b")
