"""ModelsController: which models there are, which one answers, and what is done with them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic

from PySide6.QtCore import QObject, QPoint, Signal
from PySide6.QtWidgets import QFileDialog

from desktop.controllers.checks import ChecksController
from desktop.controllers.engine import EngineController
from desktop.controllers.exports import ExportsController
from desktop.controllers.removal import RemovalController
from desktop.controllers.services import ServicesController
from desktop.controllers.welcome import WelcomeController
from desktop.engine import EMBEDDED, EngineHost, EngineStatus, LocalModel, RemoteModel, Source
from desktop.library import ModelEntry, ModelLibrary, has_embedded
from desktop.library.entries import looks_like_bundle
from desktop.settings import Settings
from desktop.shell import Shell
from desktop.store.records import Service
from desktop.store.store import Store
from desktop.views.models.asking import ask
from desktop.views.models.dialog import ModelsDialog, Page
from desktop.views.models.menu import ModelMenu
from runtime import ChatTemplate

_BUNDLE = "bundle:"


class ModelsController(QObject):
    """Joins the dialog and the quick choice to the library, the engine and the services."""

    chosen = Signal(object)  # Source that the user chose, about to be loaded
    begun = Signal()  # the model of the start is being loaded

    def __init__(
        self,
        shell: Shell,
        store: Store,
        host: EngineHost,
        engine: EngineController,
        data: Path,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._shell, self._host, self._engine = shell, host, engine
        self._window = shell.window
        self._dialog: ModelsDialog | None = None
        self._language = shell.settings.language
        self.default: Source | None = None
        """What chats begin with: what was chosen last."""
        self._stand_in = False  # the embedded model answers because the chosen one is gone: it is not what was chosen
        self._missing = ""  # what the banner says of a chosen model that is gone
        self._failure = ""  # what the dialog says of a model that failed while it was open
        self.library = ModelLibrary(data, [Path(folder) for folder in shell.settings.models_folders], self)
        self.removal = RemovalController(self.library, host, shell.window, lambda: self._dialog, self)
        self.services = ServicesController(store, self)
        self._store = store
        self.exports = ExportsController(shell.window, data, self)
        self.checks = ChecksController(shell.window, self)
        self.welcome = WelcomeController(shell, host, engine, self.exports, data, self)
        self.library.changed.connect(self._show_entries)
        self.library.removed.connect(self._gone)
        self.services.loadRequested.connect(self._load)
        self.services.changed.connect(self._changed)
        self.services.removed.connect(self._gone)
        self.services.told.connect(self._tell)
        self.exports.made.connect(self._made)
        self.exports.loadRequested.connect(self._load_bundle)
        self.exports.shown.connect(lambda: self.open("export"))
        self.checks.runningChanged.connect(self._show_checking)
        self.checks.set_device(shell.settings.compute_on)
        self.checks.deviceRequested.connect(lambda name: self._change(compute_on=name))
        host.statusChanged.connect(self._show_status)
        host.localChanged.connect(self._show_local)
        host.loaded.connect(self._note_loaded)
        engine.chooseRequested.connect(self.choose)
        engine.chatFormatRequested.connect(self.show_model)
        shell.modelsRequested.connect(self.open)
        shell.settingsChanged.connect(self._settings_changed)

    def begin(self) -> None:
        """Load the model of the start; the embedded one, if it can be had, where none was chosen or the chosen one is
        gone."""
        key = self._shell.settings.model
        if key is None or key == EMBEDDED.key:
            if has_embedded():
                self._begin_with(EMBEDDED)
        elif key.startswith(_BUNDLE):
            path = Path(key.removeprefix(_BUNDLE))
            self._begin(LocalModel(path=path, name=path.name) if looks_like_bundle(path) else None, path.name)
        else:
            self._begin(self.services.known(key), self.tr("The service that answered last"))
        if not self._shell.settings.welcomed:
            self.welcome.show()
        self.exports.offer()

    def choose(self) -> None:
        """Open the quick choice under its button."""
        used = self._host.status.source
        menu = ModelMenu(
            self.library.entries,
            self._store.services(),
            used=used.key if used is not None else "",
            used_service=self.services.id_of(used) if isinstance(used, RemoteModel) else None,
            parent=self._window,
        )
        menu.modelChosen.connect(self.load)
        menu.serviceChosen.connect(self.services.load)
        menu.manageRequested.connect(self.open)
        menu.aboutToHide.connect(menu.deleteLater)
        button = self._window.header.model_button
        menu.popup(button.mapToGlobal(QPoint(0, button.height())))

    def open(self, page: Page = "local") -> ModelsDialog:
        """Open the dialog, or bring it to the front, at a page."""
        if self._dialog is None:
            dialog = self._dialog = ModelsDialog(self._window)
            dialog.finished.connect(self._closed)
            local = dialog.local
            local.loadRequested.connect(self.load)
            local.unloadRequested.connect(lambda: self._host.unload(local=True))
            local.checkRequested.connect(self._check)
            local.revealRequested.connect(self.library.reveal)
            local.removeRequested.connect(self.removal.ask)
            local.addFolderRequested.connect(self._ask_folder)
            local.dropFolderRequested.connect(self._drop_folder)
            local.chatFormatChosen.connect(self.set_chat_format)
            local.set_chat_formats(self._shell.settings.chat_formats)
            local.set_folders([Path(folder) for folder in self._shell.settings.models_folders])
            self.exports.join(dialog.export)
            self.services.join(dialog.services)
            self._show_entries(self.library.entries)
            self._show_local(self._host.local)
            self._show_status(self._host.status)
            self._show_checking(self.checks.job.running)
            self.library.rescan()
        self._dialog.show_page(page)
        self._dialog.show()
        self._dialog.raise_()
        self._dialog.activateWindow()
        return self._dialog

    def show_model(self, key: str) -> None:
        """Open the dialog at a model of this computer."""
        self.open().local.list.choose(key)

    def set_chat_format(self, key: str, name: str) -> None:
        """Have a model asked in a chat format of runtime's from now on; an empty one is none."""
        kept = {other: known for other, known in self._shell.settings.chat_formats.items() if other != key}
        self._change(chat_formats=kept | ({key: name} if name else {}))
        source = self._host.local.source
        if source is not None and source.key == key:
            self._host.reload(self._in_format(source))

    def load(self, key: str) -> None:
        """Load a model of this computer; one that is too large only after a question."""
        entry = self.library.entry(key)
        if entry is None or entry.damaged is not None:
            return
        if entry.fits != "no":
            self._load(entry.source)
            return
        ask(
            self._dialog or self._window,
            self.tr("Load {name} anyway?").format(name=entry.name),
            detail=self.tr("{sentence} The computer may become very slow, or end the model.").format(
                sentence=entry.sentence
            ),
            button=self.tr("Load Anyway"),
            action=lambda: self._load(entry.source),
        )

    def stop(self) -> None:
        """Ask what is under way to stop: the program leaves."""
        self.exports.stop()
        self.checks.job.cancel()

    def close(self, deadline: float) -> None:
        """End what is under way, by force at `deadline`, a time of time.monotonic()."""
        self.library.close()
        self.services.close()
        for end in (self.exports.close, self.checks.job.close):
            end(max(0, round(1000 * (deadline - monotonic()))))

    def _begin(self, source: Source | None, name: str) -> None:
        if source is not None:
            self._begin_with(source)
            return
        sentence = self.tr("{name} is not here any more.").format(name=name)
        if has_embedded():
            self._stand_in = True
            self._begin_with(EMBEDDED)
            sentence = self.tr("{name} is not here any more; {model} answers in its place.").format(
                name=name, model=EMBEDDED.name
            )
        self._missing = sentence
        self._window.banner.show_notice(
            sentence,
            button=self.tr("Choose a model"),
            action=self.choose,
            lasting=True,
        )

    def _begin_with(self, source: Source) -> None:
        if isinstance(source, RemoteModel):
            self.show_service(source, load=True)
        elif not self._engine.begin(self._in_format(source)):
            return
        self.default = source
        self.begun.emit()

    def show_service(self, source: RemoteModel, *, load: bool = False) -> None:
        """Show a service at once, and ask the keychain for its key: what is asked meanwhile waits and goes to no one
        else. `load`: it is what the user chose, and asked whether it is there once the key is known."""
        self._host.show(source, locked=True)
        self.services.unlock(source, partial(self._unlock, load=load))

    def _unlock(self, source: RemoteModel, *, load: bool = False) -> None:
        shown = self._host.status.source
        if load and shown is not None and shown.key == source.key:
            self._engine.load(source)
        else:
            self._host.unlock(source)

    def _load(self, source: Source) -> None:
        self._stand_in = False
        self._window.banner.withdraw(self._missing)
        if isinstance(source, LocalModel):
            self.exports.note_load(source.path.absolute())
        self.default = source
        self.chosen.emit(source)
        if isinstance(source, RemoteModel):
            self.show_service(source, load=True)
        else:
            self._engine.load(self._in_format(source))

    def local(self, key: str | None) -> Source | None:
        """A model of this computer for a chat that was answered by that of `key`: another one where it is gone."""
        if key is not None and key.startswith(_BUNDLE) and looks_like_bundle(path := Path(key.removeprefix(_BUNDLE))):
            return self._in_format(LocalModel(path=path, name=path.name))
        return EMBEDDED if has_embedded() else None

    def _in_format(self, source: Source) -> Source:
        """`source` in the chat format that was chosen for it."""
        if not isinstance(source, LocalModel):
            return source
        chosen = self._shell.settings.chat_formats.get(source.key)
        return replace(source, chat_format=chosen if chosen in ChatTemplate.names() else None)

    def _load_bundle(self, bundle: Path) -> None:
        self._load(LocalModel(path=bundle.absolute(), name=bundle.name))

    def _show_status(self, status: EngineStatus) -> None:
        if self._dialog is not None:
            self._dialog.services.set_status(status)
            self._tell_failure(self._dialog, status)

    def _show_local(self, status: EngineStatus) -> None:
        if self._dialog is not None:
            self._dialog.local.set_status(status)

    def _tell_failure(self, dialog: ModelsDialog, status: EngineStatus) -> None:
        """Also in the dialog, which lies over the window's banner."""
        failure = status.sentence if status.kind == "failed" else ""
        if failure == self._failure:
            return
        dialog.banner.withdraw(self._failure)
        self._failure = failure
        if failure:
            button, action = self._engine.remedy(status)
            dialog.banner.show_notice(failure, button=button, action=action, lasting=True)

    def _note_loaded(self, source: Source) -> None:
        self.library.note_use(source.key)
        self.default = self.default or source
        if not self._stand_in and source.key == self.default.key:
            self._change(model=source.key)

    def _show_entries(self, entries: tuple[ModelEntry, ...]) -> None:
        if self._dialog is not None:
            self._dialog.local.set_entries(entries)

    def _show_checking(self, running: bool) -> None:
        if self._dialog is not None:
            self._dialog.local.set_checking(running)

    def _closed(self) -> None:
        self._dialog = None
        self._failure = ""  # the next one tells it again
        self.exports.leave()
        self.services.leave()

    def _check(self, key: str) -> None:
        if (entry := self.library.entry(key)) is not None:
            self.checks.start(entry.path, entry.name)

    def _made(self, _bundle: Path) -> None:
        self.library.rescan()

    def _changed(self, key: str, service: Service) -> None:
        """A service was changed: what is asked from now on is asked of it as it is."""
        source, shown = self.services.source(service), self._host.status.source
        if self.default is not None and self.default.key == key:
            self.default = source
            self._change(model=source.key)
        if source.key == key:
            self.services.unlock(source, self._unlock)
            return
        self._store.rename_model(key, source.key)
        if shown is not None and shown.key == key:
            self.show_service(source)
        self._host.forget(key)

    def _gone(self, key: str) -> None:
        """A model or a service was removed. In its place comes this computer's model, else what comes with the
        program."""
        local, shown = self._host.local.source, self._host.status.source
        stand_in = local if local is not None and local.key != key else EMBEDDED if has_embedded() else None
        was_chosen = self.default is not None and self.default.key == key
        if was_chosen:
            self.default = stand_in
            self._change(model=None if stand_in is None else stand_in.key)
        if shown is not None and shown.key == key:
            if stand_in is not None and (was_chosen or not isinstance(shown, RemoteModel)):
                self._load(stand_in)
            elif isinstance(shown, RemoteModel):
                self._host.show(stand_in)
        self._host.forget(key)

    def _tell(self, sentence: str, service: int | None) -> None:
        banner = self._window.banner if self._dialog is None else self._dialog.banner
        if service is None:
            banner.show_notice(sentence)
        else:
            action = partial(self._ask_key, service)
            banner.show_notice(sentence, button=self.tr("Enter the Key…"), action=action)

    def _ask_key(self, service: int) -> None:
        self.open("services")
        self.services.ask_edit(service, key=True)

    def _ask_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self._dialog, self.tr("A folder where bundles lie"))
        if folder:
            self.add_folder(Path(folder))

    def add_folder(self, folder: Path) -> None:
        """Look for models in a folder, too."""
        self._change(models_folders=(*self._shell.settings.models_folders, str(folder.absolute())))

    def _drop_folder(self, folder: str) -> None:
        self._change(models_folders=tuple(f for f in self._shell.settings.models_folders if f != folder))

    def _change(self, **values: object) -> None:
        settings = replace(self._shell.settings, **values)  # type: ignore[arg-type]
        if settings != self._shell.settings:
            self._shell.change(settings)

    def _settings_changed(self, settings: Settings) -> None:
        self.checks.set_device(settings.compute_on)
        folders = [Path(folder) for folder in settings.models_folders]
        if tuple(folders) != self.library.folders[1:]:
            self.library.set_folders(folders)
        if self._dialog is None:
            return
        self._dialog.local.set_folders(folders)
        self._dialog.local.set_chat_formats(settings.chat_formats)
        if settings.language != self._language:  # its texts are those of the moment when it was made
            page = self._dialog.page()
            self._dialog.close()
            self.open(page)
        self._language = settings.language
