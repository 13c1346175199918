"""ServiceCheck: a remote service asked for one word, or for its models, in a thread of its own."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject, Qt, Signal

from desktop.engine.sources import RemoteModel
from desktop.told import told
from runtime import (
    Finished,
    GenerationOptions,
    Message,
    ReasoningDelta,
    RemoteEngine,
    TextDelta,
    UserFacingError,
)

_CONNECT_SECONDS, _READ_SECONDS = 10, 30


@dataclass(frozen=True, kw_only=True)
class ServiceVerdict:
    """`sentence` is for people: which model answered, or why none did. `models`: those that it offers, if asked."""

    well: bool
    sentence: str
    models: tuple[str, ...] = ()


class ServiceCheck(QObject):
    """The last question counts; what an earlier one brings is not told."""

    told = Signal(object)  # ServiceVerdict
    _answered = Signal(int, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._number = 0
        self._answered.connect(self._hand_on, Qt.ConnectionType.QueuedConnection)

    def start(self, service: RemoteModel) -> None:
        """Send the service a greeting, to see that all was typed right; it may take half a minute to answer."""
        self._ask(service, self._greet)

    def list_models(self, service: RemoteModel) -> None:
        """Ask the service which models it offers."""
        self._ask(service, self._list)

    def _ask(self, service: RemoteModel, question: Callable[[RemoteModel], ServiceVerdict]) -> None:
        self._number += 1
        number = self._number

        def work() -> None:
            verdict = self._verdict(service, question)
            with contextlib.suppress(RuntimeError):  # the dialog was closed meanwhile, and this went with it
                self._answered.emit(number, verdict)

        threading.Thread(target=work, name="service check", daemon=True).start()

    def cancel(self) -> None:
        """Tell nothing of what was asked before."""
        self._number += 1

    def _hand_on(self, number: int, verdict: ServiceVerdict) -> None:
        if number == self._number:
            self.told.emit(verdict)

    # In the check's thread.

    def _verdict(self, service: RemoteModel, question: Callable[[RemoteModel], ServiceVerdict]) -> ServiceVerdict:
        try:
            return question(service)
        except UserFacingError as error:
            return ServiceVerdict(well=False, sentence=told(error))
        except Exception as error:  # noqa: BLE001  (whatever a library raises, the user gets a sentence)
            sentence = self.tr("The service could not be asked ({reason}); check the address.")
            return ServiceVerdict(well=False, sentence=sentence.format(reason=type(error).__name__))

    def _greet(self, service: RemoteModel) -> ServiceVerdict:
        engine = RemoteEngine.open(
            service.url,
            model=service.model,
            api_key=service.api_key,
            connect_seconds=_CONNECT_SECONDS,
            read_seconds=_READ_SECONDS,
        )
        try:
            for event in engine.chat([Message("user", "Hello")], GenerationOptions(max_new_tokens=1)):
                if isinstance(event, ReasoningDelta | TextDelta | Finished):
                    break
            return ServiceVerdict(well=True, sentence=self.tr("{model} answers.").format(model=engine.info.model))
        finally:
            engine.close()

    def _list(self, service: RemoteModel) -> ServiceVerdict:
        models = RemoteEngine.models(
            service.url, api_key=service.api_key, connect_seconds=_CONNECT_SECONDS, read_seconds=_READ_SECONDS
        )
        sentence = self.tr("The service offers %n model(s).", "", len(models))
        return ServiceVerdict(well=True, sentence=sentence, models=tuple(models))
