"""ExportForm: which model, in which weights format, with what that takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from desktop.library import KnownModel, disk_size, estimate
from desktop.library.entries import judge
from desktop.views.models.words import FORMATS, format_title
from desktop.views.parts import Choice, Paragraph, reading_column
from desktop.views.sheet import set_kind
from desktop.views.theme import theme
from runtime import install_command, machine_memory


class ExportForm(QWidget):
    """Tells the model as the exporter takes it: a known name or a folder's path."""

    exportRequested = Signal(str, str)  # model, weights format

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._known: dict[str, KnownModel] = {}
        self.about = Paragraph(
            "muted",
            self.tr(
                "Exporting makes a bundle of a Falcon model: compressed, checked against the original, ready to run. "
                "A model that is named here is downloaded from the Hugging Face Hub once; nothing of yours is sent."
            ),
        )
        self.model_box, self.weights_box = Choice(), Choice()
        self.folder_button = QPushButton(self.tr("Folder…"))
        self.folder_button.setToolTip(self.tr("Take a checkpoint in Hugging Face layout from this computer."))
        for name in FORMATS:
            self.weights_box.addItem(format_title(name), name)
        self.takes = Paragraph("muted")
        self.takes.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.takes.setMinimumHeight(4 * self.takes.fontMetrics().lineSpacing())  # the button below stays in its place
        self.export_button = QPushButton(self.tr("Export"))
        set_kind(self.export_button, "primary")
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(12)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        models = QHBoxLayout()
        models.setSpacing(8)
        models.addWidget(self.model_box, 1)
        models.addWidget(self.folder_button)
        captions = [QLabel(self.tr("&Model")), QLabel(self.tr("&Weights"))]
        for caption, box in zip(captions, (self.model_box, self.weights_box), strict=True):
            caption.setBuddy(box)
            box.setAccessibleName(caption.text().replace("&", ""))
        form.addRow(captions[0], models)
        form.addRow(captions[1], self.weights_box)
        form.addRow("", self.takes)
        buttons = QHBoxLayout()
        buttons.addWidget(self.export_button)
        buttons.addStretch(1)
        inside = reading_column(self, 20)
        column = inside.parentWidget()
        assert column is not None
        column.setMaximumWidth(theme().measure() + self.folder_button.sizeHint().width())
        for text in (self.about, self.takes):
            text.setMaximumWidth(theme().measure())
        inside.addWidget(self.about)
        inside.addLayout(form)
        inside.addLayout(buttons)
        inside.addStretch(1)
        self.model_box.currentIndexChanged.connect(self._show_takes)
        self.weights_box.currentIndexChanged.connect(self._show_takes)
        self.folder_button.clicked.connect(self._ask_folder)
        self.export_button.clicked.connect(self._on_export)
        self.set_known(None)

    def set_known(self, known: Sequence[KnownModel] | None) -> None:
        """The models that the exporter knows by name; None while it is asked, none where it is not installed."""
        folders = [self.model_box.itemData(n) for n in range(self.model_box.count())]
        folders = [folder for folder in folders if folder not in self._known]
        before = self.model_box.currentData()
        self._known = {model.name: model for model in known or ()}
        self._missing = known is not None and not known
        self.model_box.blockSignals(True)
        self.model_box.clear()
        for model in self._known.values():
            size = self.tr("{count} parameters").format(count=model.parameters)
            told = self.tr("comes with Falconet") if model.parameters == "embedded" else size
            self.model_box.addItem(f"{model.name} – {told}", model.name)
        for folder in folders:
            self.model_box.addItem(str(folder), folder)
        chosen = self.model_box.findData(before if before is not None else "falcon-7b-instruct")
        self.model_box.setCurrentIndex(max(chosen, 0) if self.model_box.count() else -1)
        self.model_box.blockSignals(False)
        self._show_takes()

    def add_folder(self, folder: Path) -> None:
        """Choose a checkpoint on this computer."""
        if (place := self.model_box.findData(str(folder))) < 0:
            self.model_box.addItem(str(folder), str(folder))
            place = self.model_box.count() - 1
        self.model_box.setCurrentIndex(place)

    def choose(self, model: str, weights: str) -> None:
        """Choose a known model and a weights format."""
        self.model_box.setCurrentIndex(self.model_box.findData(model))
        self.weights_box.setCurrentIndex(self.weights_box.findData(weights))

    def _ask_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, self.tr("A checkpoint in Hugging Face layout"))
        if folder:
            self.add_folder(Path(folder))

    def _on_export(self) -> None:
        if self.model_box.currentData():
            self.exportRequested.emit(self.model_box.currentData(), self.weights_box.currentData())

    def _show_takes(self) -> None:
        model = self.model_box.currentData()
        self.export_button.setEnabled(bool(model) and not self._missing)
        self.takes.set_plain(self._takes(model))

    def _takes(self, model: str | None) -> str:
        if self._missing:
            return self.tr("The exporter is not installed here: run `{command}` and start again.").format(
                command=install_command("export")
            )
        if model is None:
            return self.tr("Asking the exporter which models it knows…")
        takes = estimate(self._known[model], self.weights_box.currentData()) if model in self._known else None
        if takes is None:
            return self.tr("The exporter says what it needs of disk and memory when it begins.")
        sizes = self.tr("About {download} to download, once, and {disk} on the disk in the end.").format(
            download=disk_size(takes.download), disk=disk_size(takes.disk)
        )
        _, memory = judge(takes.memory, machine_memory())
        return "\n".join((sizes, self.tr("To run: {sentence}").format(sentence=memory)))
