"""ExportForm: which model, in which weights format, with what that takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from desktop.library import KnownModel, disk_size, why_no_export
from desktop.library.entries import judge, no_exporter
from desktop.views.models.words import FORMATS, format_title
from desktop.views.parts import Choice, Paragraph, reading_column
from desktop.views.sheet import set_kind
from desktop.views.theme import theme
from runtime import is_repository, machine_memory

_ANOTHER = "/"  # in the box, where a name is written below it: neither a model nor a folder of one
_EXAMPLE = "tiiuae/falcon-rw-7b"  # of the family, and none that is known by name


class _NameEdit(QLineEdit):
    entered = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.entered.emit()  # and no more: the dialog around has buttons of its own for Enter
        else:
            super().keyPressEvent(event)


class ExportForm(QWidget):
    """Tells the model as the exporter takes it: a known name, a repository of the Hub or a folder's path."""

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
        self.name = _NameEdit()
        self.name.setPlaceholderText("OWNER/NAME")
        self.folder_button = QPushButton(self.tr("Folder…"))
        self.folder_button.setToolTip(self.tr("Take a checkpoint in Hugging Face layout from this computer."))
        for name in FORMATS:
            self.weights_box.addItem(format_title(name), name)
        self.takes = Paragraph("muted")
        self.takes.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.export_button = QPushButton(self.tr("Export"))
        set_kind(self.export_button, "primary")
        self._form = self._rows()
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
        inside.addLayout(self._form)
        inside.addStretch(1)  # no text above moves the button
        inside.addLayout(buttons)
        self.model_box.currentIndexChanged.connect(self._show_takes)
        self.weights_box.currentIndexChanged.connect(self._show_takes)
        self.name.textChanged.connect(self._show_takes)
        self.name.entered.connect(self._on_export)
        self.folder_button.clicked.connect(self._ask_folder)
        self.export_button.clicked.connect(self._on_export)
        self.set_known(None)

    def set_known(self, known: Sequence[KnownModel] | None) -> None:
        """The models that the exporter knows by name; None while it is asked, none where it is not installed."""
        folders = [self.model_box.itemData(n) for n in range(self.model_box.count())]
        folders = [folder for folder in folders if folder not in self._known and folder != _ANOTHER]
        before = self.model_box.currentData()
        self._known = {model.name: model for model in known or ()}
        self._missing = why_no_export() or (no_exporter() if known is not None and not known else "")
        self.model_box.blockSignals(True)
        self.model_box.clear()
        for model in self._known.values():
            size = self.tr("{count} parameters").format(count=model.parameters)
            told = self.tr("comes with Falconet") if model.parameters == "embedded" else size
            self.model_box.addItem(f"{model.name} – {told}", model.name)
        for folder in folders:
            self.model_box.addItem(str(folder), folder)
        if self._known:
            self.model_box.addItem(self.tr("Another model of the Hub…"), _ANOTHER)
        chosen = self.model_box.findData(before if before is not None else "falcon-7b-instruct")
        self.model_box.setCurrentIndex(max(chosen, 0) if self.model_box.count() else -1)
        self.model_box.blockSignals(False)
        self._show_takes()

    def add_folder(self, folder: Path) -> None:
        """Choose a checkpoint on this computer."""
        if self.model_box.findData(str(folder)) < 0:
            last = self.model_box.count() - bool(self._known)  # the choice of another stays at the end
            self.model_box.insertItem(last, str(folder), str(folder))
        self.model_box.setCurrentIndex(self.model_box.findData(str(folder)))

    def model(self) -> str | None:
        """The one that is chosen; None for none, and while its name is not one that the exporter takes."""
        chosen: str | None = self.model_box.currentData()
        if chosen != _ANOTHER:
            return chosen or None
        name = self.name.text().strip()
        return name if is_repository(name) else None

    def choose(self, model: str, weights: str) -> None:
        """Choose a known model, or a repository of the Hub, and a weights format."""
        place = self.model_box.findData(model)
        if place < 0:
            place = self.model_box.findData(_ANOTHER)
            self.name.setText(model)
        self.model_box.setCurrentIndex(place)
        self.weights_box.setCurrentIndex(self.weights_box.findData(weights))

    def _rows(self) -> QFormLayout:
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(12)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        models = QHBoxLayout()
        models.setSpacing(8)
        models.addWidget(self.model_box, 1)
        models.addWidget(self.folder_button)
        rows: tuple[tuple[QLabel, QWidget, QWidget | QHBoxLayout], ...] = (
            (QLabel(self.tr("&Model")), self.model_box, models),
            (QLabel(self.tr("Its &name there")), self.name, self.name),
            (QLabel(self.tr("&Weights")), self.weights_box, self.weights_box),
        )
        for caption, field, row in rows:
            caption.setBuddy(field)
            field.setAccessibleName(caption.text().replace("&", ""))
            form.addRow(caption, row)
        form.addRow("", self.takes)
        return form

    def _ask_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, self.tr("A checkpoint in Hugging Face layout"))
        if folder:
            self.add_folder(Path(folder))

    def _on_export(self) -> None:
        if self.export_button.isEnabled():
            self.exportRequested.emit(self.model(), self.weights_box.currentData())

    def _show_takes(self) -> None:
        model, another = self.model(), self.model_box.currentData() == _ANOTHER
        self._form.setRowVisible(self.name, another)
        self.export_button.setEnabled(model is not None and not self._missing)
        self.takes.set_plain(self._takes(model, another=another))

    def _takes(self, model: str | None, *, another: bool) -> str:
        if self._missing:
            return self._missing
        if model is None and another:
            return self.tr("Write the name of a Falcon as its page of the Hub has it, such as {example}.").format(
                example=_EXAMPLE
            )
        if model is None:
            return self.tr("Asking the exporter which models it knows…")
        found = next(
            (known for known in self._known.values() if model.lower() in (known.name, known.hub.lower())), None
        )
        takes = None if found is None else found.takes.get(self.weights_box.currentData())
        if found is None or takes is None or not found.download:
            return self.tr("The exporter says what it needs of disk and memory when it begins.")
        sizes = self.tr("About {download} to download, once, and {disk} on the disk in the end.").format(
            download=disk_size(found.download), disk=disk_size(takes.disk)
        )
        _, memory = judge(takes.memory, machine_memory())
        return "\n".join((sizes, self.tr("To run: {sentence}").format(sentence=memory)))
