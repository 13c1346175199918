"""Progress of work beside the window that takes longer than one waits without a word."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QProgressBar, QProgressDialog, QWidget

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
    return dialog
