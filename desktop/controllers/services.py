"""ServicesController: remote services between their page, the store and the system's keychain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from desktop.engine import RemoteModel
from desktop.library import Keychain, KeychainAnswer, ServiceCheck, ServiceVerdict
from desktop.store.records import Service
from desktop.store.store import Store
from desktop.views.models.asking import ask
from desktop.views.models.service_dialog import ServiceDialog, ServiceForm
from desktop.views.models.services_page import ServicesPage


class ServicesController(QObject):
    """Keys go to the keychain and are asked there when a service is used; the store knows only that there is one."""

    loadRequested = Signal(object)  # RemoteModel without its key
    changed = Signal(str, object)  # key of the source that it was, Service: how it is reached is another way now
    removed = Signal(str)  # key of the source that it was
    told = Signal(str, object)  # a sentence: what the keychain could not do; id of the service whose key is to be typed

    def __init__(self, store: Store, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._page: ServicesPage | None = None
        self.keychain = Keychain(self)

    def join(self, page: ServicesPage) -> None:
        """Show the services on a page that was just made."""
        self._page = page
        page.loadRequested.connect(self.load)
        page.addRequested.connect(self.ask_add)
        page.editRequested.connect(self.ask_edit)
        page.removeRequested.connect(self.ask_remove)
        page.set_services(self._store.services())

    def leave(self) -> None:
        """The page goes."""
        self._page = None

    def close(self) -> None:
        """No more replies of the keychain. Waits for nothing."""
        self.keychain.close()

    def load(self, service: int) -> None:
        """Have a service answer."""
        found = self._service(service)
        if found is not None:
            self.loadRequested.emit(_source(found))

    def known(self, key: str) -> RemoteModel | None:
        """The source of a key that settings keep, without the service's own key; None where it was removed."""
        for service in self._store.services():
            source = _source(service)
            if key in (source.key, source.key.rpartition("#")[0]):  # the latter as it was kept without a number
                return source
        return None

    def unlock(self, source: RemoteModel, reply: Callable[[RemoteModel], None]) -> None:
        """`reply` is given the source with its own key, unless the service was removed."""
        found = None if source.service is None else self._service(source.service)
        if found is not None and _source(found) == replace(source, api_key=None):
            self._with_key(found, reply)

    def source(self, service: Service) -> RemoteModel:
        """What a service is loaded as, without its key."""
        return _source(service)

    def id_of(self, source: RemoteModel) -> int | None:
        """The service that a source is made of."""
        for service in self._store.services():
            if _source(service, source.api_key) == source:
                return service.id
        return None

    def ask_add(self) -> None:
        """Ask for a service and keep it."""
        if self._page is not None:
            self._open(None)

    def ask_edit(self, service: int, *, key: bool = False) -> None:
        """Change a service; `key`: begin with its key."""
        found = self._service(service)
        if self._page is not None and found is not None:
            self._open(found, key=key)

    def ask_remove(self, service: int) -> None:
        """Remove a service and its key, after a question."""
        found = self._service(service)
        if self._page is None or found is None:
            return
        ask(
            self._page,
            self.tr("Remove {name}?").format(name=found.name),
            detail=self.tr("Its address is forgotten and its key is deleted from the keychain. Chats stay."),
            button=self.tr("Remove"),
            action=lambda: self.remove(found),
        )

    def save(self, form: ServiceForm, service: Service | None) -> None:
        """Keep what was typed, and the key where one was."""
        has_key = form.key is not None or (service is not None and service.has_key)
        kept = self._store.save_service(
            form.name, form.url, form.model, has_key, service=None if service is None else service.id
        )
        if form.key is not None:
            self.keychain.set(_account(kept), form.key, self._tell)
        self._refresh()
        if self._page is not None:
            self._page.choose(kept.id)
        if service is not None and (form.key is not None or (form.url, form.model) != (service.url, service.model)):
            self.changed.emit(_source(service).key, kept)

    def remove(self, service: Service) -> None:
        """Remove a service and its key."""
        self._store.delete_service(service.id)
        if service.has_key:
            self.keychain.delete(_account(service), self._tell)
        self._refresh()
        self.removed.emit(_source(service).key)

    def _open(self, service: Service | None, *, key: bool = False) -> None:
        dialog = ServiceDialog(service, self._page)
        check = ServiceCheck(dialog)
        check.told.connect(lambda verdict: _tell_verdict(dialog, verdict))
        dialog.testRequested.connect(lambda form: self._ask(form, service, check.start))
        dialog.modelsRequested.connect(lambda form: self._ask(form, service, check.list_models))
        dialog.agreed.connect(lambda form: self.save(form, service))
        dialog.finished.connect(check.cancel)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
        if key:
            dialog.key.setFocus()

    def _ask(self, form: ServiceForm, service: Service | None, ask: Callable[[RemoteModel], None]) -> None:
        """Ask what was typed, with the key that is kept where none was."""
        source = RemoteModel(url=form.url, name=form.name, model=form.model, api_key=form.key)
        if form.key is None and service is not None and service.has_key:
            self._with_key(service, lambda kept: ask(_source(service, kept.api_key, form)))
        else:
            ask(source)

    def _with_key(self, service: Service, reply: Callable[[RemoteModel], None]) -> None:
        if not service.has_key:
            reply(_source(service))
            return

        def answer(found: KeychainAnswer) -> None:
            self._tell(found, service)
            reply(_source(service, found.secret))

        self.keychain.get(_account(service), answer)

    def _service(self, id: int) -> Service | None:  # noqa: A002 - what it is called everywhere
        return next((service for service in self._store.services() if service.id == id), None)

    def _tell(self, answer: KeychainAnswer, service: Service | None = None) -> None:
        """`service`: the one whose key could not be read."""
        if answer.notice is not None:
            self.told.emit(answer.notice, None if service is None else service.id)

    def _refresh(self) -> None:
        if self._page is not None:
            self._page.set_services(self._store.services())


def _account(service: Service) -> str:
    return f"service {service.id}"


def _source(service: Service, secret: str | None = None, form: ServiceForm | None = None) -> RemoteModel:
    """`form`: what was typed in place of what is kept."""
    said = form or service
    return RemoteModel(url=said.url, name=said.name, model=said.model, api_key=secret, service=service.id)


def _tell_verdict(dialog: ServiceDialog, verdict: ServiceVerdict) -> None:
    dialog.tell(verdict.sentence, well=verdict.well)
    if verdict.models:
        dialog.offer_models(verdict.models)
