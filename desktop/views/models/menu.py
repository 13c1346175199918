"""ModelMenu: the quick choice of a model, under its button in the header."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QWidget

from desktop.library import ModelEntry
from desktop.store.records import Service
from desktop.views.icons import icon
from desktop.views.models.words import note_of
from desktop.views.parts import tip


class ModelMenu(QMenu):
    """Made anew each time it is opened."""

    modelChosen = Signal(str)  # key of an entry
    serviceChosen = Signal(int)  # id
    manageRequested = Signal()

    def __init__(
        self,
        entries: Sequence[ModelEntry],
        services: Sequence[Service],
        *,
        used: str = "",
        used_service: int | None = None,
        parent: QWidget | None = None,
    ) -> None:
        """`used`: key of the model that answers now; `used_service`: id of the service that does."""
        super().__init__(parent)
        self.setAccessibleName(self.tr("Choose a model"))
        self.setToolTipsVisible(True)
        self._group = QActionGroup(self)
        for entry in entries:
            picture = "alert" if entry.damaged is not None else "cpu"
            action = self._add(f"{entry.name}  ·  {note_of(entry)}", picture, used=entry.key == used)
            action.setEnabled(entry.damaged is None)
            action.setToolTip(tip(entry.damaged or entry.sentence))
            action.triggered.connect(lambda _checked, key=entry.key: self.modelChosen.emit(key))
        if services:
            self.addSeparator()
        for service in services:
            action = self._add(service.name, "cloud", used=service.id == used_service)
            action.setToolTip(tip(self.tr("What you write leaves this computer, to {url}.").format(url=service.url)))
            action.triggered.connect(lambda _checked, number=service.id: self.serviceChosen.emit(number))
        self.addSeparator()
        self.manage_action = self.addAction(self.tr("Manage Models…"), self.manageRequested.emit)
        checked = self._group.checkedAction()
        self.setActiveAction(checked or self.actions()[0])

    def _add(self, text: str, picture: str, *, used: bool) -> QAction:
        # Qt's styles draw either a picture or a tick: the model in use has the tick for its picture.
        shown = icon("check", "accent") if used else icon(picture, "muted")
        action = self.addAction(shown, text.replace("&", "&&"))
        action.setCheckable(True)
        action.setChecked(used)
        self._group.addAction(action)
        return action
