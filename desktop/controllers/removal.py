"""RemovalController: models moved to the trash, or deleted for good, after a question."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject

from desktop.engine import EngineHost
from desktop.library import ModelEntry, ModelLibrary
from desktop.views.models.asking import ask
from desktop.views.models.dialog import ModelsDialog
from desktop.views.window import MainWindow


class RemovalController(QObject):
    """Asks in the dialog of models, and says there what failed; in the window where that is closed by then."""

    def __init__(
        self,
        library: ModelLibrary,
        host: EngineHost,
        window: MainWindow,
        dialog: Callable[[], ModelsDialog | None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._library, self._host, self._window, self._dialog = library, host, window, dialog
        self._trashing: str | None = None
        library.failed.connect(self._failed)

    def ask(self, key: str, *, for_good: bool = False) -> None:
        """Move a model to the trash, or delete it for good, after a question."""
        entry, dialog = self._library.entry(key), self._dialog()
        if entry is None or entry.is_embedded or dialog is None:
            return
        if for_good:
            question = self.tr("Delete {name} for good?")
            detail = self.tr("{path} is deleted at once. This cannot be undone.").format(path=entry.path)
            button = self.tr("Delete for Good")
        else:
            question = self.tr("Move {name} to the trash?")
            detail = self.tr("{path} is moved to the trash of the system. Chats stay.").format(path=entry.path)
            button = self.tr("Move to Trash")
        ask(
            dialog,
            question.format(name=entry.name),
            detail=detail,
            button=button,
            action=lambda: self.remove(entry, for_good=for_good),
        )

    def remove(self, entry: ModelEntry, *, for_good: bool) -> None:
        """Remove a model; its memory is given back first."""
        source = self._host.local.source
        if source is not None and source.key == entry.key:
            self._host.unload(local=True)
        self._trashing = None if for_good else entry.key
        self._library.remove(entry.key, for_good=for_good, unloaded=self._host.wait_until_left)

    def _failed(self, sentence: str) -> None:
        key, self._trashing = self._trashing, None
        dialog = self._dialog()
        if dialog is None:
            self._window.banner.show_notice(sentence)
        elif key is not None and self._library.entry(key) is not None:
            dialog.banner.show_notice(
                sentence,
                button=self.tr("Delete for good…"),
                action=lambda: self.ask(key, for_good=True),
            )
        else:
            dialog.banner.show_notice(sentence)
