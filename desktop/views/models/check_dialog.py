"""CheckDialog: a model tried on every device of this computer, and what was found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PySide6.QtCore import QLocale, Signal
from PySide6.QtWidgets import (
    QDialogButtonBox,
    QFileDialog,
    QFrame,
    QProgressBar,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from desktop.library import DoctorState, memory_size
from desktop.views.dialog import Dialog
from desktop.views.parts import Paragraph, label
from desktop.views.sentence import Sentence
from desktop.views.sheet import set_kind, set_property
from desktop.views.theme import theme

_LINES = 3  # of what went wrong with the report's file


class CheckDialog(Dialog):
    """Follows one examination. Closing it does not stop that; its own button does."""

    cancelRequested = Signal()
    saveRequested = Signal(object, object)  # Path, the report as data
    deviceRequested = Signal()  # that models are computed where the check found it best

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state: DoctorState | None = None
        self.setWindowTitle(self.tr("Check a Model"))
        self.title, self.step, self.verdict, self.findings = label("heading"), label("muted"), Paragraph(), Paragraph()
        set_kind(self.findings, "muted")
        self.bar = QProgressBar()
        self.bar.setRange(0, 0)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(self.tr("The model is being checked"))
        inside = QWidget()
        set_kind(inside, "page")
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 8, 0)
        column.setSpacing(16)
        column.addWidget(self.verdict)
        column.addWidget(self.findings)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidgetResizable(True)
        scroll.setWidget(inside)
        self.trouble = Sentence(_LINES)
        set_property(self.trouble, "tone", "danger")
        self.trouble.hide()
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        role = QDialogButtonBox.ButtonRole.ActionRole
        self.device_button = self.buttons.addButton(self.tr("Compute There from Now On"), role)
        self.device_button.hide()
        self.save_button = self.buttons.addButton(self.tr("Save Report…"), role)
        self.cancel_button = self.buttons.addButton(self.tr("Stop"), role)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(32, 28, 32, 24)
        layout.setSpacing(12)
        for part in (self.title, self.step, self.bar):
            layout.addWidget(part)
        layout.addWidget(scroll, 1)
        layout.addWidget(self.trouble)
        layout.addWidget(self.buttons)
        self.buttons.rejected.connect(self.reject)
        self.cancel_button.clicked.connect(self.cancelRequested)
        self.save_button.clicked.connect(self._ask_save)
        self.device_button.clicked.connect(self.deviceRequested)
        self.ask_size(theme().scaled(600), theme().scaled(440))

    def set_state(self, state: DoctorState) -> None:
        """How the examination is now."""
        self._state = state
        self.title.setText(state.name)
        self.step.setText(state.step or self.tr("Getting ready…"))
        for part in (self.step, self.bar, self.cancel_button):
            part.setVisible(not state.over)
        self.save_button.setVisible(bool(state.report))
        self.verdict.setVisible(state.over)
        self.verdict.set_plain(self._verdict(state))
        set_kind(self.verdict, "danger" if state.kind in ("wrong", "failed") else "")
        self.findings.set_plain("\n".join(self.summary(state.report)))

    def tell(self, sentence: str) -> None:
        """Say why the report was not written; nothing where it was."""
        self.trouble.say(sentence)
        self.trouble.setAccessibleName(sentence)
        self.trouble.setVisible(bool(sentence))

    def offer_device(self, offered: bool) -> None:
        """Whether the check found a better device than the one that is set."""
        self.device_button.setVisible(offered)

    def summary(self, report: dict[str, Any]) -> list[str]:
        """A line for each device: whether it works, and how fast."""
        lines = []
        for check in report.get("checks", []):
            found = self._finding(check)
            if found not in lines:  # a machine without Core ML says so for each of its devices
                lines.append(found)
        return lines

    def _verdict(self, state: DoctorState) -> str:
        match state.kind:
            case "well":
                well = self.tr("This model works as it should on this computer.")
                if state.report.get("bundle", {}).get("chat_template") == "raw":
                    well += " " + self.tr(
                        "It names no chat format: unless one is chosen in Models, it continues what you write instead "
                        "of answering."
                    )
                advice = " ".join(state.report.get("recommendation", {}).get("sentences", []))
                return f"{well} {advice}".strip()
            case "wrong" | "failed":
                return state.error or self.tr("Something is wrong; the report says what.")
            case "stopped":
                return self.tr("The check was stopped.")
            case "running":
                return ""

    def _finding(self, check: dict[str, Any]) -> str:
        name, status = str(check.get("name", "")), check.get("status")
        device = {"reference": self.tr("Interpreter"), "torch": "torch"}.get(name, name.replace("coreml", "Core ML"))
        if status == "unavailable":
            device = "Core ML" if name.startswith("coreml") else device
            why = check.get("reason", "")
            return self.tr("{device}: not on this computer ({reason}).").format(device=device, reason=why)
        if status != "ok":
            return f"{device}: {check.get('reason') or status}"
        facts, locale = [self.tr("works")], QLocale()
        if (rate := check.get("decode_tokens_per_second")) is not None:
            facts.append(self.tr("{count} tokens a second").format(count=locale.toString(float(rate), "f", 1)))
        if (seconds := check.get("load_seconds")) is not None:
            facts.append(self.tr("loads in {count} s").format(count=locale.toString(float(seconds), "f", 1)))
        if (peak := check.get("peak_bytes")) is not None:
            facts.append(self.tr("{size} of memory").format(size=memory_size(int(peak))))
        return f"{device}: {', '.join(facts)}."

    def _ask_save(self) -> None:
        assert self._state is not None
        name = f"{self._state.name}-report.json"
        chosen, _ = QFileDialog.getSaveFileName(self, self.tr("Save the Report"), name, self.tr("JSON (*.json)"))
        if chosen:
            self.saveRequested.emit(Path(chosen), self._state.report)


def report_text(report: dict[str, Any]) -> str:
    """As it is written to a file."""
    return json.dumps(report, indent=1, ensure_ascii=False) + "\n"
