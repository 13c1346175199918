"""Asking before a link is opened, with its whole address in sight."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialogButtonBox, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from desktop.text import Link
from desktop.views.dialog import Dialog


class LinkDialog(Dialog):
    """Shows where a link leads. Nothing is opened here."""

    confirmed = Signal(str)

    def __init__(self, parent: QWidget, link: Link) -> None:
        super().__init__(parent)
        self._link = link
        self.setWindowTitle(self.tr("Open this link?"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowModality(Qt.WindowModality.WindowModal)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(32, 28, 32, 24)
        layout.setSpacing(16)
        says = self.tr("Write to %1?") if link.address.startswith("mailto:") else self.tr("This link leads to %1.")
        question = QLabel(says.replace("%1", link.host))
        question.setTextFormat(Qt.TextFormat.PlainText)
        question.setWordWrap(True)
        layout.addWidget(question)
        self.address = QPlainTextEdit(link.address)
        self.address.setReadOnly(True)
        self.address.setTabChangesFocus(True)
        self.address.setAccessibleName(self.tr("Address"))
        self.address.setFixedHeight(self.fontMetrics().lineSpacing() * 4)
        layout.addWidget(self.address)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.open_button: QPushButton = buttons.addButton(self.tr("Open"), QDialogButtonBox.ButtonRole.AcceptRole)
        copy = buttons.addButton(self.tr("Copy address"), QDialogButtonBox.ButtonRole.ActionRole)
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(link.address))
        buttons.accepted.connect(self._confirm)
        buttons.rejected.connect(self.reject)
        layout.addWidget(buttons)
        cancel = buttons.button(QDialogButtonBox.StandardButton.Cancel)
        cancel.setDefault(True)  # Enter pressed without looking opens nothing
        cancel.setFocus()
        self.resize(self.fontMetrics().averageCharWidth() * 60, self.sizeHint().height())

    def _confirm(self) -> None:
        self.confirmed.emit(self._link.address)
        self.accept()
