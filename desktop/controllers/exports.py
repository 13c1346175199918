"""ExportsController: the export under way, in dialog, header and dock; what is needed to go on outlives the program."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal

from desktop.library import (
    ExportJob,
    ExportRequest,
    ExportState,
    KeptExport,
    KnownModel,
    list_known,
    models_folder,
)
from desktop.library.processes import ModuleProcess
from desktop.views import dock
from desktop.views.models.asking import ask
from desktop.views.models.export_page import ExportPage
from desktop.views.models.words import duration, stage_title
from desktop.views.window import MainWindow


class ExportsController(QObject):
    """One export at a time. The dialog's page is joined while there is one."""

    shown = Signal()  # asked for: show the page
    made = Signal(object)  # Path of a bundle
    loadRequested = Signal(object)  # Path of a bundle

    def __init__(self, window: MainWindow, data: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._window = window
        self._folder = models_folder(data)
        self._kept = KeptExport(data / "export.json")
        self._page: ExportPage | None = None
        self._known: list[KnownModel] | None = None
        self._asking: ModuleProcess | None = None
        self._leaving = False
        self._offered = ""  # what the banner says of one that did not end
        self._over = ""  # what the banner says of one that ended
        self._put_away = False  # the user has done with how the last export ended
        self._waiting = self._kept.load()  # what the end of the program stopped
        self.job = ExportJob(self)
        self.job.changed.connect(self._show)
        window.header.exportRequested.connect(self.shown)

    @property
    def waiting(self) -> ExportRequest | None:
        """An export that did not end and can go on."""
        return None if self.job.running else self._waiting

    def offer(self) -> None:
        """Where the end of the program stopped an export, ask whether it should go on."""
        if self._waiting is not None:
            self._offered = self.tr("The export of {name} was not finished.").format(name=self._waiting.output.name)
            self._window.banner.show_notice(
                self._offered,
                button=self.tr("Go on"),
                action=self.go_on,
                well=True,
                lasting=True,
            )

    def join(self, page: ExportPage) -> None:
        """Show what is under way on a page that was just made."""
        self._page = page
        page.exportRequested.connect(self.ask_start)
        page.cancelRequested.connect(self.job.cancel)
        page.goOnRequested.connect(self.go_on)
        page.forgetRequested.connect(self.forget)
        page.loadRequested.connect(self.loadRequested)
        page.set_known(self._known)
        if self._known is None and self._asking is None:
            self._asking = list_known(self._set_known, self)
        if self.job.state is not None and not self._put_away:
            page.show_state(self.job.state)
        elif self._waiting is not None:
            page.show_kept(self._waiting)

    def leave(self) -> None:
        """The page goes."""
        self._page = None

    def ask_start(self, model: str, weights: str) -> None:
        """Begin an export; where there is a bundle of its name, ask before it is replaced."""
        output = self._folder / f"{Path(model).name}-{weights}"
        request = ExportRequest(model=model, output=output, weights=weights)
        if not output.exists() or self._page is None:
            self.start(request)
            return
        again = ExportRequest(model=model, output=output, weights=weights, force=True)
        ask(
            self._page,
            self.tr("{name} is here already.").format(name=output.name),
            detail=self.tr("Exporting it again replaces it once the new one is finished and was checked."),
            button=self.tr("Export Again"),
            action=lambda: self.start(again),
        )

    def start(self, request: ExportRequest) -> None:
        """Begin an export, or go on with it."""
        if self.job.start(request):
            self._put_away = False
            self._waiting = request
            self._kept.keep(request)
            self._withdraw()

    def go_on(self) -> None:
        """Go on with the export that was stopped."""
        if self._waiting is not None:
            self.start(self._waiting)

    def forget(self) -> None:
        """Do not show the export that ended any more, and do not offer one that was stopped."""
        self._put_away = True
        self._waiting = None
        self._kept.forget()
        self._withdraw()
        if self._page is not None:
            self._page.show_form()

    def note_load(self, bundle: Path) -> None:
        """A bundle is being loaded: that it is ready to be is told no longer."""
        state = self.job.state
        if state is not None and state.bundle is not None and state.bundle.absolute() == bundle:
            self._window.banner.withdraw(self._over)

    def stop(self) -> None:
        """Ask it to stop: the program leaves. The next start offers to go on."""
        self._leaving = True
        self.job.cancel()
        if self._asking is not None:
            self._asking.close(0)

    def close(self, milliseconds: int) -> None:
        """End it, by force after so long."""
        self._leaving = True
        self.job.close(milliseconds)
        dock.set_progress(None)

    def _set_known(self, known: list[KnownModel]) -> None:
        self._known, self._asking = known, None
        if self._page is not None:
            self._page.set_known(known)

    def _show(self, state: ExportState) -> None:
        if self._leaving:
            return
        share = None if state.over else state.share or 0.0
        dock.set_progress(share)
        self._window.header.set_export("" if share is None else f"{int(100 * share)} %", self._words(state))
        if self._page is not None:
            self._page.show_state(state)
        if state.over:
            self._end(state)

    def _end(self, state: ExportState) -> None:
        self._kept.forget()
        name = state.request.output.name
        if state.kind == "done":
            self._waiting = None
            assert state.bundle is not None
            bundle = state.bundle
            self.made.emit(bundle)
            self._over = self.tr("{name} is ready.").format(name=name)
            self._window.banner.show_notice(
                self._over,
                button=self.tr("Load"),
                action=lambda: self.loadRequested.emit(bundle),
                well=True,
                lasting=True,
            )
        elif state.kind == "failed":
            self._over = self.tr("{name} could not be exported: {why}").format(name=name, why=state.error or "")
            self._window.banner.show_notice(self._over, button=self.tr("Show"), action=self.shown.emit, lasting=True)

    def _withdraw(self) -> None:
        for sentence in (self._offered, self._over):
            self._window.banner.withdraw(sentence)

    def _words(self, state: ExportState) -> str:
        words = self.tr("Exporting {name}: {stage}.").format(
            name=state.request.output.name, stage=stage_title(state.stage)
        )
        if state.seconds_left is not None:
            left = self.tr("About {time} left in this step.").format(time=duration(state.seconds_left))
            words = f"{words} {left}"
        return words
