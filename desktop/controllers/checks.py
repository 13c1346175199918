"""ChecksController: one model after the other tried on every device, followed in a dialog of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

from desktop.devices import Device, DeviceName, device, name_of
from desktop.files import write_whole
from desktop.library import DoctorJob, DoctorState
from desktop.views.models.check_dialog import CheckDialog, report_text
from desktop.views.window import MainWindow


class ChecksController(QObject):
    """The examination goes on when its dialog is closed; the window then says how it ended."""

    runningChanged = Signal(bool)
    deviceRequested = Signal(str)  # DeviceName

    def __init__(self, window: MainWindow, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._window = window
        self._dialog: CheckDialog | None = None
        self._device: DeviceName = "automatic"
        self.job = DoctorJob(self)
        self.job.changed.connect(self._show)

    @property
    def dialog(self) -> CheckDialog | None:
        """The one that is open."""
        return self._dialog

    def set_device(self, name: DeviceName) -> None:
        """Where models are computed now."""
        self._device = name
        self._offer()

    def start(self, bundle: Path, name: str) -> None:
        """Examine a bundle, which the user knows by `name`, unless one is being examined, and show how far that is."""
        self.job.start(bundle, name)
        self.runningChanged.emit(True)
        self._open()

    def save(self, file: Path, report: dict[str, Any]) -> None:
        """Write a report; where that fails, the dialog that asked says why, or the window where it is closed by now."""
        sentence = ""
        try:
            write_whole(file, report_text(report))
        except OSError as error:
            text = self.tr("The report could not be written to {file} ({reason}); choose another place.")
            sentence = text.format(file=file, reason=error.strerror or error)
        if self._dialog is not None:
            self._dialog.tell(sentence)
        elif sentence:
            self._window.banner.show_notice(sentence)

    def _open(self) -> None:
        if self._dialog is None:
            self._dialog = CheckDialog(self._window)
            self._dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            self._dialog.cancelRequested.connect(self.job.cancel)
            self._dialog.saveRequested.connect(self.save)
            self._dialog.deviceRequested.connect(self._take_device)
            self._dialog.finished.connect(self._closed)
        if self.job.state is not None:
            self._dialog.set_state(self.job.state)
            self._offer()
        self._dialog.show()
        self._dialog.raise_()

    def _offer(self) -> None:
        if self._dialog is not None:
            self._dialog.offer_device(self._better() is not None)

    def _take_device(self) -> None:
        if (name := self._better()) is not None:
            self.deviceRequested.emit(name)

    def _better(self) -> DeviceName | None:
        state = self.job.state
        return None if state is None or state.kind != "well" else better_device(state.report, self._device)

    def _closed(self) -> None:
        self._dialog = None

    def _show(self, state: DoctorState) -> None:
        if self._dialog is not None:
            self._dialog.set_state(state)
            self._offer()
        if not state.over:
            return
        self.runningChanged.emit(False)
        if self._dialog is None and state.kind != "stopped":
            name = state.name
            self._window.banner.show_notice(
                self.tr("{name} works as it should.").format(name=name)
                if state.kind == "well"
                else self.tr("{name}: {why}").format(name=name, why=state.error or ""),
                button=self.tr("Show"),
                action=self._open,
                well=state.kind == "well",
            )


def better_device(report: dict[str, Any], chosen: DeviceName) -> DeviceName | None:
    """What a report recommends, where that is not what is `chosen` already, by itself or as the best there is."""
    advice = report.get("recommendation", {})
    backend = advice.get("backend")
    name = name_of(backend, advice.get("unit")) if backend else None
    there = {check["name"] for check in report.get("checks", []) if check.get("status") != "unavailable"}
    usual: DeviceName = "gpu" if there & {"coreml on gpu", "cuda"} else "processor"
    return None if name == (usual if device(chosen) == Device() else chosen) else name
