"""ModelLibrary: the models on this machine, looked at in a thread of its own and again when their folders change."""

from __future__ import annotations

import logging
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QFile, QFileSystemWatcher, QObject, QStandardPaths, QTimer, QUrl, Signal
from PySide6.QtGui import QDesktopServices

from desktop.library.entries import ModelEntry, find_bundles, is_removable, look_at, look_at_embedded, looks_like_bundle
from desktop.library.usage import Usage
from desktop.mailbox import Mailbox
from runtime import machine_memory

translate = QCoreApplication.translate  # a name that pyside6-lupdate knows

_log = logging.getLogger(__name__)
_SETTLE_MILLISECONDS = 300  # a bundle that is copied changes its folder many times


@dataclass(frozen=True)
class _Found:
    entries: tuple[ModelEntry, ...]


@dataclass(frozen=True)
class _Removed:
    key: str
    why_not: str | None  # a sentence where it was not


_News = _Found | _Removed


def models_folder(data: Path) -> Path:
    """Where models that are exported in the window go: in the folder of the user's data."""
    return data / "models"


class ModelLibrary(QObject):
    """Methods return at once; what they find comes as a signal. The embedded model is the first entry, where it can be
    loaded."""

    changed = Signal(object)  # tuple[ModelEntry, ...], when it differs from what was told before
    removed = Signal(str)  # key
    failed = Signal(str)  # a sentence: what could not be removed, and why

    def __init__(self, data: Path, folders: Sequence[Path] = (), parent: QObject | None = None) -> None:
        """`data` holds the program's own models folder; `folders` are those that the user added."""
        super().__init__(parent)
        self._own = models_folder(data)
        self._folders = self._all(folders)
        self._entries: tuple[ModelEntry, ...] = ()
        self._mailbox: Mailbox[_News] = Mailbox(self, self._read)
        self._worker = _Worker(self._mailbox, Usage(data / "models.json"))
        self._settle = QTimer(self, singleShot=True, interval=_SETTLE_MILLISECONDS)
        self._settle.timeout.connect(self.rescan)
        self._watcher = QFileSystemWatcher(self)
        self._watcher.directoryChanged.connect(self._settle_start)
        self.rescan()

    @property
    def entries(self) -> tuple[ModelEntry, ...]:
        """What was found last; empty until the first look is over."""
        return self._entries

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where models are looked for, the program's own folder first. Not all of them need to exist."""
        return self._folders

    def entry(self, key: str) -> ModelEntry | None:
        """The model with this key, if it is here."""
        return next((entry for entry in self._entries if entry.key == key), None)

    def set_folders(self, folders: Sequence[Path]) -> None:
        """Look in these folders of the user's, too."""
        self._folders = self._all(folders)
        self.rescan()

    def rescan(self) -> None:
        """Look again."""
        self._worker.look(self._folders)

    def note_use(self, key: str) -> None:
        """The model is loaded now."""
        self._worker.note_use(key)
        self.rescan()

    def remove(self, key: str, *, for_good: bool, unloaded: Callable[[], object]) -> None:
        """Move a bundle to the system's trash, or delete it `for_good`. Then `removed`, or `failed` and nothing is half
        gone. `unloaded` waits, in the library's thread, until no process of ours has its files mapped: they would stay
        on the disk, and Windows would move nothing."""
        entry = self.entry(key)
        if entry is None:
            self.failed.emit(self.tr("This model is no longer here."))
        else:
            self._worker.remove(entry, self._folders, for_good=for_good, unloaded=unloaded)

    def reveal(self, key: str) -> None:
        """Show a model's folder in the system's file manager."""
        entry = self.entry(key)
        if entry is None:
            return
        if sys.platform == "darwin":
            subprocess.Popen(["/usr/bin/open", "-R", str(entry.path)])
        elif sys.platform == "win32":
            subprocess.Popen(["explorer", "/select,", str(entry.path)])
        else:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(entry.path.parent)))

    def close(self) -> None:
        """No more signals. Waits for nothing."""
        self._settle.stop()
        self._mailbox.close()
        self._worker.leave()

    def _all(self, folders: Sequence[Path]) -> tuple[Path, ...]:
        return tuple(dict.fromkeys(folder.absolute() for folder in (self._own, *folders)))

    def _settle_start(self, _: str) -> None:
        self._settle.start()

    def _read(self) -> None:
        while not self._mailbox.rest():
            for news in self._mailbox.take():
                if isinstance(news, _Found):
                    self._take(news.entries)
                elif news.why_not is None:
                    self.removed.emit(news.key)
                else:
                    self.failed.emit(news.why_not)

    def _take(self, entries: tuple[ModelEntry, ...]) -> None:
        missing = {str(folder) for folder in self._folders if folder.is_dir()} - set(self._watcher.directories())
        if missing:
            self._watcher.addPaths(sorted(missing))
        gone = set(self._watcher.directories()) - {str(folder) for folder in self._folders}
        if gone:
            self._watcher.removePaths(sorted(gone))
        if entries != self._entries:
            self._entries = entries
            self.changed.emit(entries)


class _Worker:
    """The library's thread, and what is done in it."""

    def __init__(self, mailbox: Mailbox[_News], usage: Usage) -> None:
        self._mailbox = mailbox
        self._usage = usage
        self._work: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="model library", daemon=True).start()

    def look(self, folders: Sequence[Path]) -> None:
        """Look at all bundles."""
        self._work.put(lambda: self._look(folders))

    def note_use(self, key: str) -> None:
        """Remember that a model is used now."""
        self._work.put(lambda: self._usage.note(key))

    def remove(
        self, entry: ModelEntry, folders: Sequence[Path], *, for_good: bool, unloaded: Callable[[], object]
    ) -> None:
        """Remove a bundle, then look."""
        self._work.put(unloaded)
        self._work.put(lambda: self._remove(entry, folders, for_good=for_good))

    def leave(self) -> None:
        """End the thread when it can."""
        self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            try:
                work()
            except Exception:  # noqa: BLE001  (a bug must not end the list for good)
                _log.exception("the look at the models broke off")

    def _look(self, folders: Sequence[Path]) -> None:
        memory, used = machine_memory(), self._usage.read()
        entries = [look_at(folder, memory) for folder in find_bundles(folders)]
        if (embedded := look_at_embedded(memory)) is not None:
            entries.insert(0, embedded)
        self._mailbox.post(_Found(tuple(replace(entry, last_used=used.get(entry.key)) for entry in entries)))

    def _remove(self, entry: ModelEntry, folders: Sequence[Path], *, for_good: bool) -> None:
        why = _why_not_removed(entry.path, for_good=for_good)
        self._look(folders)
        self._mailbox.post(_Removed(entry.key, why))


def _why_not_removed(folder: Path, *, for_good: bool) -> str | None:
    """Remove a bundle; a sentence where that failed."""
    if not looks_like_bundle(folder):
        return translate("ModelLibrary", "{folder} holds no model any more; nothing was removed.").format(folder=folder)
    try:
        if not is_removable(folder):
            return translate(
                "ModelLibrary", "{folder} holds more than a model; nothing was removed. Remove it in the file manager."
            ).format(folder=folder)
        if for_good:
            doomed = folder.rename(folder.with_name(f".{folder.name}.falconet-removed"))  # never half a bundle
            shutil.rmtree(doomed)
            return None
        place = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericDataLocation)
        Path(place).mkdir(parents=True, exist_ok=True)  # where a Linux trash is made; Qt does not make its parent
        if not QFile(str(folder)).moveToTrash():
            return translate(
                "ModelLibrary", "{folder} could not be moved to the trash; delete it for good instead."
            ).format(folder=folder)
    except OSError as error:
        text = translate("ModelLibrary", "{folder} could not be removed ({reason}); check its permissions.")
        return text.format(folder=folder, reason=error.strerror)
    return None
