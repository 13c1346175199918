"""Questions before something that cannot be taken back, asked without blocking the window."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QPushButton, QWidget


def ask(parent: QWidget, question: str, *, detail: str, button: str, action: Callable[[], None]) -> QMessageBox:
    """Ask `question`; `action` is called where the user presses `button`, and nothing happens otherwise."""
    box = QMessageBox(parent)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    # A Mac's own alert gives a button one key: Cancel would have Return or Escape, and without Return the other has it.
    box.setOption(QMessageBox.Option.DontUseNativeDialog)
    box.setIcon(QMessageBox.Icon.NoIcon)
    box.setText(question)
    box.setInformativeText(detail)
    yes: QPushButton = box.addButton(button, QMessageBox.ButtonRole.AcceptRole)
    no = box.addButton(QMessageBox.StandardButton.Cancel)
    box.setDefaultButton(no)
    box.setEscapeButton(no)
    yes.clicked.connect(action)
    box.open()
    return box
