"""ServicesPage: remote services that the user added, with what using one means."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from desktop.engine import EngineStatus, RemoteModel
from desktop.store.records import Service
from desktop.views.models.rows import Row, RowList
from desktop.views.parts import Paragraph
from desktop.views.sheet import set_kind
from desktop.views.theme import theme


class ServicesPage(QWidget):
    """Draws what it is told; every button is an intent, with a service's id."""

    loadRequested = Signal(int)
    addRequested = Signal()
    editRequested = Signal(int)
    removeRequested = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._services: tuple[Service, ...] = ()
        self._status = EngineStatus(kind="none")
        self.warning = Paragraph(
            "muted",
            self.tr(
                "While a service answers, what you write in a chat leaves this computer: the whole conversation is "
                "sent to the address of the service. Its key is kept in the keychain of the system."
            ),
        )
        self.warning.setMaximumWidth(theme().measure())
        self.list = RowList()
        self.list.setAccessibleName(self.tr("Remote services"))
        self.empty = Paragraph(
            "muted", self.tr("No service was added. Add one that speaks the OpenAI protocol, by its address.")
        )
        self.load_button = QPushButton(self.tr("Use"))
        self.add_button = QPushButton(self.tr("Add…"))
        self.edit_button = QPushButton(self.tr("Edit…"))
        self.remove_button = QPushButton(self.tr("Remove…"))
        set_kind(self.load_button, "primary")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 8, 0, 0)
        layout.setSpacing(16)
        layout.addWidget(self.warning)
        layout.addWidget(self.empty)
        layout.addWidget(self.list, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        for button in (self.load_button, self.add_button, self.edit_button, self.remove_button):
            buttons.addWidget(button)
        buttons.addStretch(1)
        layout.addLayout(buttons)
        layout.addStretch(0)
        self.list.meant.connect(lambda key: self.loadRequested.emit(int(key)))
        self.load_button.clicked.connect(lambda: self.loadRequested.emit(int(self.list.key())))
        self.add_button.clicked.connect(self.addRequested)
        self.edit_button.clicked.connect(lambda: self.editRequested.emit(int(self.list.key())))
        self.remove_button.clicked.connect(lambda: self.removeRequested.emit(int(self.list.key())))
        self._draw()

    def set_services(self, services: Sequence[Service]) -> None:
        """The services of now."""
        self._services = tuple(services)
        self._draw()

    def choose(self, service: int) -> None:
        """Choose a service that is listed."""
        self.list.choose(str(service))

    def set_status(self, status: EngineStatus) -> None:
        """How the engine is: which service answers."""
        self._status = status
        self._draw()

    def _draw(self) -> None:
        self.list.set_rows([self._row(service) for service in self._services])
        some = bool(self._services)
        self.list.setVisible(some)
        self.empty.setVisible(not some)
        for button in (self.load_button, self.edit_button, self.remove_button):
            button.setVisible(some)

    def _row(self, service: Service) -> Row:
        used = self._status.source
        in_use = (
            isinstance(used, RemoteModel)
            and (used.url, used.model, used.name) == (service.url, service.model, service.name)
            and self._status.kind in ("loading", "ready", "answering")
        )
        note = " · ".join(fact for fact in (service.model or "", service.url) if fact)
        return Row(
            key=str(service.id),
            name=service.name,
            note=self.tr("In use") + f" · {note}" if in_use else note,
            icon="cloud",
            tone="accent" if in_use else "muted",
        )
