"""AboutDialog: what this is, whose parts it is made of, and where the user's chats lie."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, QUrl, qVersion
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QDialogButtonBox, QVBoxLayout, QWidget

from desktop.views.dialog import Dialog
from desktop.views.parts import Paragraph, label
from runtime import program_version

PARTS = (
    f"Qt {qVersion()}, PySide6 (LGPL-3.0)",
    "Lucide (ISC), markdown-it-py (MIT), ziamath and latex2mathml (MIT)",
    "Pygments (BSD-2-Clause), NumPy (BSD-3-Clause)",
    "tokenizers (Apache-2.0), keyring (MIT)",
)


class AboutDialog(Dialog):
    """`folder`: where chats and settings are."""

    def __init__(self, folder: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("About Falconet"))
        texts = [
            label("heading", "Falconet"),
            label("muted", self.tr("Version {version}, Apache License 2.0").format(version=program_version())),
            Paragraph("", self.tr("Falcon language models on your own computer. Nothing that you write leaves it "
                              "unless you add a remote service yourself.")),
            Paragraph("", self.tr("Your chats are in {folder}.").format(folder=folder)),
            Paragraph("muted", self.tr("Made with:") + "\n" + "\n".join(PARTS)),
        ]  # fmt: skip
        layout = QVBoxLayout(self)
        layout.setContentsMargins(32, 28, 32, 24)
        layout.setSpacing(16)
        for text in texts:
            text.setTextInteractionFlags(
                Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
            )
            layout.addWidget(text)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        show = buttons.addButton(self.tr("Open Folder"), QDialogButtonBox.ButtonRole.ActionRole)
        show.clicked.connect(lambda: QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))))
        buttons.rejected.connect(self.reject)
        buttons.button(QDialogButtonBox.StandardButton.Close).setDefault(True)
        layout.addStretch(1)
        layout.addWidget(buttons)
        buttons.button(QDialogButtonBox.StandardButton.Close).setFocus()
        self.setMinimumWidth(480)
