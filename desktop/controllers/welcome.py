"""WelcomeController: the first start's choice between what is there and what can be exported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject

from desktop.controllers.engine import EngineController
from desktop.controllers.exports import ExportsController
from desktop.engine import EMBEDDED, EngineHost, EngineStatus
from desktop.library import ExportRequest, KnownModel, Takes, has_embedded, models_folder, why_no_export
from desktop.library.entries import judge
from desktop.library.sizes import disk_size
from desktop.shell import Shell
from desktop.views.welcome import WelcomeChoice
from runtime import machine_memory

_EMBEDDED_BYTES = 3_500_000  # of its bundle, which is made when it is first loaded
_LARGER_WEIGHTS = "lut4"
LARGER = KnownModel(  # as the exporter lists it, for which the first start does not wait
    name="falcon-7b-instruct",
    hub="tiiuae/falcon-7b-instruct",
    parameters="6.9 B",
    download=14_433_779_712,
    takes={_LARGER_WEIGHTS: Takes(disk=3_610_507_264, memory=5_201_026_304)},
)
_EXPORT = "export"  # key of the choice that exports


class WelcomeController(QObject):
    """Shows the welcome, tells there what the model does, and begins the export that was chosen."""

    def __init__(
        self,
        shell: Shell,
        host: EngineHost,
        engine: EngineController,
        exports: ExportsController,
        data: Path,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._shell, self._host, self._engine, self._exports, self._data = shell, host, engine, exports, data
        host.statusChanged.connect(self._tell)
        shell.welcomed.connect(self._chosen)

    def show(self) -> None:
        """Show it in the chat's place."""
        takes = LARGER.takes[_LARGER_WEIGHTS]
        fits, memory = judge(takes.memory, machine_memory())
        small = self.tr("Comes with Falconet: {size}, quick, good for simple questions.").format(
            size=disk_size(_EMBEDDED_BYTES)
        )
        large = self.tr(
            "Knows far more. {download} to download and {disk} on the disk in the end, made ready in the background "
            "while the small one answers. {memory}"
        ).format(download=disk_size(LARGER.download), disk=disk_size(takes.disk), memory=memory)
        embedded = WelcomeChoice(key=EMBEDDED.key, name=EMBEDDED.name, note=small)
        why_not = why_no_export()
        if why_not is None:
            exported = WelcomeChoice(key=_EXPORT, name=LARGER.name, note=large, possible=fits != "no")
            self._shell.show_welcome([embedded, exported])
        else:
            has = has_embedded()
            self._shell.show_welcome([embedded if has else replace(embedded, note=why_not, possible=False)])
        self._tell(self._host.status)

    def _chosen(self, key: str) -> None:
        if key == _EXPORT:
            output = models_folder(self._data) / f"{LARGER.name}-{_LARGER_WEIGHTS}"
            if not output.exists():
                self._exports.start(ExportRequest(model=LARGER.name, output=output, weights=_LARGER_WEIGHTS))

    def _tell(self, status: EngineStatus) -> None:
        """What the header would tell, which is not there."""
        match status.kind:
            case "loading":
                self._shell.tell_welcome(self._engine.progress(status))
            case "failed":
                self._shell.tell_welcome(status.sentence)
            case "ready" if status.source is not None:
                self._shell.tell_welcome(self.tr("{name} is ready.").format(name=status.source.name))
