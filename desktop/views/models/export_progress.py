"""ExportProgress: an export's stage, rate and time left, and its end in one sentence with what can be done next."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QWidget

from desktop.library import ExportState
from desktop.views.models.words import pace, stage_title
from desktop.views.parts import Paragraph, label, reading_column
from desktop.views.sheet import set_kind

_STEPS = 1000  # of the bar


class ExportProgress(QWidget):
    """Draws one state of an export."""

    cancelRequested = Signal()
    goOnRequested = Signal()
    forgetRequested = Signal()
    loadRequested = Signal(object)  # Path of the bundle

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state: ExportState | None = None
        self.title = label("heading")
        self.stage, self.pace, self.sentence = label(), label("muted"), Paragraph("muted")
        self.bar = QProgressBar()
        self.bar.setRange(0, _STEPS)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(self.tr("How far the export is"))
        self.cancel_button = QPushButton(self.tr("Cancel"))
        self.load_button = QPushButton(self.tr("Load"))
        self.go_on_button = QPushButton(self.tr("Go On"))
        for button in (self.load_button, self.go_on_button):
            set_kind(button, "primary")
        self.forget_button = QPushButton(self.tr("Export Another…"))
        inside = reading_column(self, 12)
        for part in (self.title, self.stage, self.bar, self.pace, self.sentence):
            inside.addWidget(part)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        for button in (self.cancel_button, self.load_button, self.go_on_button, self.forget_button):
            buttons.addWidget(button)
            button.hide()  # until there is a state: the pane is as wide as those that are shown
        buttons.addStretch(1)
        inside.addSpacing(8)
        inside.addStretch(1)  # no text above moves a button
        inside.addLayout(buttons)
        self.cancel_button.clicked.connect(self.cancelRequested)
        self.go_on_button.clicked.connect(self.goOnRequested)
        self.forget_button.clicked.connect(self.forgetRequested)
        self.load_button.clicked.connect(self._on_load)

    def set_state(self, state: ExportState) -> None:
        """How the export is now."""
        self._state = state
        name = state.request.output.name
        self.title.setText(
            {
                "running": self.tr("Exporting {name}"),
                "stopping": self.tr("Stopping {name}…"),
                "stopped": self.tr("{name} is not finished"),
                "done": self.tr("{name} is ready"),
                "failed": self.tr("{name} could not be exported"),
            }[state.kind].format(name=name)
        )
        self.stage.setText(f"{stage_title(state.stage)}…")
        share = state.share
        self.bar.setRange(0, _STEPS if share is not None else 0)
        if share is not None:
            self.bar.setValue(round(share * _STEPS))
        self.pace.setText(pace(state))
        self.sentence.set_plain(self._sentence(state))
        set_kind(self.sentence, "danger" if state.kind == "failed" else "muted")
        busy = not state.over
        for part in (self.stage, self.bar, self.pace):
            part.setVisible(busy)
        self.cancel_button.setVisible(busy)
        self.cancel_button.setEnabled(state.kind == "running")
        self.load_button.setVisible(state.kind == "done")
        self.go_on_button.setVisible(state.kind in ("stopped", "failed"))
        self.go_on_button.setText(self.tr("Try Again") if state.kind == "failed" else self.tr("Go On"))
        self.forget_button.setVisible(state.over)

    def _sentence(self, state: ExportState) -> str:
        match state.kind:
            case "running":
                needs = state.notes[0] + "." if state.notes else ""
                on = self.tr("It goes on while you chat, and when this window is closed.")
                return f"{needs}\n{on}".strip()
            case "stopping":
                return self.tr("What is finished is kept.")
            case "stopped":
                return self.tr("What was finished is kept: going on begins where it stopped.")
            case "done":
                return self.tr("It was compared with the original, and stands in the list of models.")
            case "failed":
                return state.error or ""

    def _on_load(self) -> None:
        if self._state is not None and self._state.bundle is not None:
            self.loadRequested.emit(self._state.bundle)
