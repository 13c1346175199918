"""ExportPage: what to export and how, then how far it is, then what became of it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from desktop.library import ExportRequest, ExportState, KnownModel
from desktop.views.models.export_form import ExportForm
from desktop.views.models.export_progress import ExportProgress


class ExportPage(QWidget):
    """Draws what it is told; the form shows while nothing is under way."""

    exportRequested = Signal(str, str)  # a known name, a repository of the Hub or a folder; weights format
    cancelRequested = Signal()
    goOnRequested = Signal()  # with the export that was stopped, or failed
    forgetRequested = Signal()  # what was stopped: show the form
    loadRequested = Signal(object)  # Path of the bundle that was made

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.form = ExportForm()
        self.progress = ExportProgress()
        self._pages = QStackedWidget()
        self._pages.addWidget(self.form)
        self._pages.addWidget(self.progress)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._pages)
        self.form.exportRequested.connect(self.exportRequested)
        self.progress.cancelRequested.connect(self.cancelRequested)
        self.progress.goOnRequested.connect(self.goOnRequested)
        self.progress.forgetRequested.connect(self.forgetRequested)
        self.progress.loadRequested.connect(self.loadRequested)

    def set_known(self, known: Sequence[KnownModel] | None) -> None:
        """The models that the exporter knows by name; None while it is asked, none where it is not installed."""
        self.form.set_known(known)

    def show_form(self) -> None:
        """Nothing is under way."""
        self._pages.setCurrentWidget(self.form)

    def show_state(self, state: ExportState) -> None:
        """How the export is."""
        self.progress.set_state(state)
        self._pages.setCurrentWidget(self.progress)

    def show_kept(self, request: ExportRequest) -> None:
        """An export that the end of the program stopped."""
        self.show_state(ExportState(kind="stopped", request=request))
