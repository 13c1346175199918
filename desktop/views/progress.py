"""Progress of work beside the window that takes longer than one waits without a word."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QLocale
from PySide6.QtWidgets import QProgressBar, QProgressDialog, QWidget

from desktop.library import disk_size
from desktop.store.transfer import Progress
from desktop.views.models.words import duration

_UNSEEN_MS = 500  # work that takes no longer shows nothing


def progress_dialog(parent: QWidget, title: str, sentence: str, most: int) -> QProgressDialog:
    """A dialog over `parent` that counts to `most`, with *Cancel*; its maker deletes it when the work has ended."""
    cancel = QCoreApplication.translate("Progress", "Cancel")
    dialog = QProgressDialog(sentence, cancel, 0, most, parent)
    dialog.setWindowTitle(title)
    bar = QProgressBar()
    bar.setTextVisible(False)  # the theme's is thin
    bar.setAccessibleName(sentence)
    dialog.setBar(bar)
    dialog.setRange(0, most)  # a new bar has a range of its own
    dialog.setMinimumDuration(_UNSEEN_MS)
    dialog.setAutoClose(False)
    dialog.setAutoReset(False)
    dialog.setValue(0)  # from now on it counts how long it was not seen
    return dialog


def import_words(file: str, progress: Progress) -> str:
    """How far the import of a file of this name is, in a line."""
    translate = QCoreApplication.translate
    if progress.stage == "reading":
        said = translate("Progress", "{file} is being read: {done} of {size}")
        return said.format(file=file, done=disk_size(progress.done), size=disk_size(progress.whole))
    done, whole = (QLocale().toString(count) for count in (progress.done, progress.whole))
    said = translate("Progress", "Chats are being added: {done} of {count}").format(done=done, count=whole)
    if progress.seconds_left is None:
        return said
    left = translate("Progress", "about {time} left").format(time=duration(progress.seconds_left))
    return f"{said} · {left}"
