"""LocalPage: the models on this computer, and what is known of the one that is chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QPushButton, QSplitter, QVBoxLayout, QWidget

from desktop.engine import EngineStatus
from desktop.library import ModelEntry, why_no_export
from desktop.views.models.details import Details
from desktop.views.models.rows import Row, RowList
from desktop.views.models.words import note_of
from desktop.views.parts import Paragraph

_LOADED = ("loading", "ready", "answering")


class LocalPage(QWidget):
    """Draws what it is told; every button is an intent."""

    loadRequested = Signal(str)  # key
    unloadRequested = Signal()
    checkRequested = Signal(str)
    revealRequested = Signal(str)
    removeRequested = Signal(str)
    chatFormatChosen = Signal(str, str)  # key, a format of runtime's; empty: none
    addFolderRequested = Signal()
    dropFolderRequested = Signal(str)
    exportRequested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entries: tuple[ModelEntry, ...] = ()
        self._status = EngineStatus(kind="none")
        self.list = RowList()
        self.list.setAccessibleName(self.tr("Models on this computer"))
        self.empty = Paragraph(
            "muted",
            why_no_export() or self.tr("No other model is here yet: export one, or add a folder where bundles lie."),
        )
        self.details = Details()
        self.export_button = QPushButton(self.tr("Export a Model…"))
        self.folders_button = QPushButton(self.tr("Folders"))
        self._folders = QMenu(self.folders_button)
        self.folders_button.setMenu(self._folders)
        left = QWidget()
        beside = QHBoxLayout(left)
        beside.setContentsMargins(0, 0, 0, 0)
        column = QVBoxLayout()
        column.setSpacing(12)
        beside.addLayout(column)
        beside.addSpacing(12)  # mirrored, which margins are not
        column.addWidget(self.list, 1)
        column.addWidget(self.empty)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self.export_button)
        buttons.addWidget(self.folders_button)
        buttons.addStretch(1)
        column.addLayout(buttons)
        self._left = left
        split = self._split = QSplitter()
        split.setHandleWidth(1)
        split.setChildrenCollapsible(False)
        split.addWidget(left)
        split.addWidget(self.details)
        split.setStretchFactor(0, 4)
        split.setStretchFactor(1, 5)
        split.setSizes([380, 460])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(split)
        self.list.selected.connect(self._show)
        self.list.meant.connect(self.loadRequested)
        self.export_button.clicked.connect(self.exportRequested)
        for mine, theirs in (
            (self.loadRequested, self.details.loadRequested),
            (self.checkRequested, self.details.checkRequested),
            (self.revealRequested, self.details.revealRequested),
            (self.removeRequested, self.details.removeRequested),
        ):
            theirs.connect(mine)
        self.details.unloadRequested.connect(self.unloadRequested)
        self.details.chatFormatChosen.connect(self.chatFormatChosen)
        self.set_folders(())

    def set_entries(self, entries: Sequence[ModelEntry]) -> None:
        """The models of now."""
        self._entries = tuple(entries)
        self._draw()

    def set_status(self, status: EngineStatus) -> None:
        """How the engine is: which model is loaded."""
        same = status.kind == self._status.kind and status.source == self._status.source
        self._status = status
        if not same:
            self._draw()

    def set_folders(self, folders: Sequence[Path]) -> None:
        """The folders that the user added."""
        self._folders.clear()
        self._folders.addAction(self.tr("Add a Folder…"), self.addFolderRequested.emit)
        if folders:
            self._folders.addSeparator()
        for folder in folders:
            text = self.tr("Stop looking in {folder}").format(folder=folder).replace("&", "&&")
            self._folders.addAction(text, partial(self.dropFolderRequested.emit, str(folder)))

    def minimumSizeHint(self) -> QSize:
        """As narrow as with the details below the list."""
        parts = [part.minimumSizeHint() for part in (self._left, self.details)]
        return QSize(max(part.width() for part in parts), super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        beside = (
            self._left.minimumSizeHint().width() + self._split.handleWidth() + self.details.minimumSizeHint().width()
        )
        narrow = self.width() < beside
        self._split.setOrientation(Qt.Orientation.Vertical if narrow else Qt.Orientation.Horizontal)

    def set_chat_formats(self, chosen: Mapping[str, str]) -> None:
        """The chat formats that the user chose, by keys of models."""
        self.details.set_chat_formats(chosen)

    def set_checking(self, checking: bool) -> None:
        """While a model is examined no other can be."""
        self.details.set_checking(checking)

    def _draw(self) -> None:
        self.list.set_rows([self._row(entry) for entry in self._entries])
        self.empty.setVisible(all(entry.is_embedded for entry in self._entries))
        self._show(self.list.key())

    def _row(self, entry: ModelEntry) -> Row:
        note = note_of(entry)
        if entry.damaged is not None:
            return Row(key=entry.key, name=entry.name, note=note, icon="alert", tone="danger")
        if self._is_loaded(entry):
            note = f"{self._loaded_words()} · {note}"
            return Row(key=entry.key, name=entry.name, note=note, icon="cpu", tone="accent")
        return Row(key=entry.key, name=entry.name, note=note, icon="cpu")

    def _loaded_words(self) -> str:
        return self.tr("Loading") if self._status.kind == "loading" else self.tr("In use")

    def _is_loaded(self, entry: ModelEntry) -> bool:
        source = self._status.source
        return source is not None and source.key == entry.key and self._status.kind in _LOADED

    def _show(self, key: str) -> None:
        entry = next((entry for entry in self._entries if entry.key == key), None)
        self.details.set_entry(entry, loaded=entry is not None and self._is_loaded(entry))
