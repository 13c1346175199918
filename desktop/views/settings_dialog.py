"""SettingsDialog: what is set for the whole program. Every change holds at once; there is nothing to confirm."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QDialogButtonBox,
    QGridLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from desktop.devices import DeviceName, devices
from desktop.settings import Settings
from desktop.views.bugs import contained
from desktop.views.dialog import Dialog
from desktop.views.parts import Choice, Paragraph, Scrolled
from desktop.views.text_size import TextSize

_GAP = 8  # pixels between the fields and their scroll bar, where there is one


class SettingsDialog(Dialog):
    """Shows `settings` and tells of each change with all of them."""

    settingsChanged = Signal(object)  # Settings

    def __init__(self, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self._boxes: dict[str, Choice] = {}
        self.theme_box = self._choices("theme")
        self.text_size = TextSize(settings.text_size)
        self.text_size.changed.connect(lambda percent: self._change(text_size=percent))
        self.column_box = self._choices("text_column")
        self.contrast = QCheckBox()
        self.contrast.setChecked(settings.high_contrast)
        self.contrast.toggled.connect(lambda on: self._change(high_contrast=on))
        self.motion_box = self._choices("reduced_motion")
        self.language_box = self._choices("language")
        self.send_box = self._choices("send_with")
        self.policy_box = self._choices("context_policy")
        self.device_box = self._choices("compute_on")
        self._policy_help, self._device_help = Paragraph("muted"), Paragraph("muted")
        self._labels = [QLabel() for _ in range(8)]
        inside = QWidget()
        form = QGridLayout(inside)  # a QFormLayout gives a text that wraps the height of its narrowest form
        form.setContentsMargins(0, 0, _GAP, 0)
        form.setHorizontalSpacing(24)
        form.setVerticalSpacing(12)
        form.setColumnStretch(1, 1)
        below: dict[QWidget, QWidget] = {
            self.theme_box: self.contrast,
            self.policy_box: self._policy_help,
            self.device_box: self._device_help,
        }
        looks = (self.theme_box, self.text_size, self.column_box, self.motion_box, self.language_box)
        fields = (*looks, self.send_box, self.policy_box, self.device_box)
        for name, field in zip(self._labels, fields, strict=True):
            row = form.rowCount()
            name.setBuddy(field)
            form.addWidget(name, row, 0, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            form.addWidget(field, row, 1)
            if field in below:
                form.addWidget(below[field], row + 1, 1)
        form.setRowStretch(form.rowCount(), 1)
        inside.installEventFilter(self)
        self._form, self._scroll = form, Scrolled(inside)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self._buttons.setContentsMargins(0, 0, _GAP, 0)
        self._buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(32, 28, 32 - _GAP, 24)
        layout.setSpacing(24)
        layout.addWidget(self._scroll, 1)
        layout.addWidget(self._buttons)
        self.setMinimumWidth(520)
        self.retranslate()

    def set_settings(self, settings: Settings) -> None:
        """Show settings that were changed elsewhere, as by the keys for larger text; nothing is emitted."""
        self._settings = settings
        self.text_size.set_percent(settings.text_size)
        self.contrast.blockSignals(True)
        self.contrast.setChecked(settings.high_contrast)
        self.contrast.blockSignals(False)
        for field, box in self._boxes.items():
            box.blockSignals(True)
            _choose(box, getattr(settings, field))
            box.blockSignals(False)

    def retranslate(self) -> None:
        """Texts in the language of now."""
        self.setWindowTitle(self.tr("Settings"))
        names = (
            self.tr("&Appearance:"),
            self.tr("&Text size:"),
            self.tr("Text &width:"),
            self.tr("&Motion:"),
            self.tr("&Language:"),
            self.tr("&Send with:"),
            self.tr("Long &chats:"),
            self.tr("Compute &on:"),
        )
        for name, text in zip(self._labels, names, strict=True):
            name.setText(text)
        self.contrast.setText(self.tr("&High contrast"))
        self._name(self.theme_box, [self.tr("As the system"), self.tr("Light"), self.tr("Dark")])
        self._name(self.column_box, [self.tr("Narrow"), self.tr("Wide")])
        self._name(self.motion_box, [self.tr("As the system"), self.tr("Reduced"), self.tr("Full")])
        # A language is written in itself, so that whoever reads it finds it.
        self._name(self.language_box, [self.tr("As the system"), "English", "简体中文"])
        with_control = self.tr("Cmd+Enter") if sys.platform == "darwin" else self.tr("Ctrl+Enter")
        self._name(self.send_box, [self.tr("Enter"), with_control])
        policies = [self.tr("Leave out the oldest"), self.tr("Leave out the middle"), self.tr("Stop and say so")]
        self._name(self.policy_box, policies)
        self._policy_help.set_plain(
            self.tr("What the model reads of a new chat once it is longer than its context. Nothing is ever deleted.")
        )
        self._name(self.device_box, [self._device_name(name) for name in devices()])
        self._device_help.set_plain(
            self.tr("Where models of this computer are computed. The one that is loaded is loaded anew.")
        )

    def least_width(self) -> int:
        """As wide as the longest choice, where the screen is."""
        room = self.screen().availableSize()
        width = self._form.totalSizeHint().width() + self._around().width()
        if self.wanted_height(max(width, self.minimumWidth())) > room.height():
            width += self._scroll.verticalScrollBar().sizeHint().width()
        return min(width, room.width())

    def wanted_height(self, width: int) -> int:
        around = self._around()
        return self._form.totalHeightForWidth(width - around.width()) + around.height()

    @contained
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:  # of the form, which the scrolling keeps from the dialog
            self._fit()
            self._scroll_where_needed()
        return super().eventFilter(watched, event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._scroll_where_needed()
        super().resizeEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()

    def _around(self) -> QSize:
        """What of the dialog is not the form."""
        layout = self.layout()
        assert layout is not None
        margins = layout.contentsMargins()
        height = margins.top() + layout.spacing() + self._buttons.sizeHint().height() + margins.bottom()
        return QSize(margins.left() + margins.right(), height)

    def _scroll_where_needed(self) -> None:
        """Qt keeps a bar whose own width is what makes the texts too tall."""
        policy, fits = Qt.ScrollBarPolicy, self.wanted_height(self.width()) <= self.height()
        self._scroll.setVerticalScrollBarPolicy(policy.ScrollBarAlwaysOff if fits else policy.ScrollBarAsNeeded)

    def _choices(self, field: str) -> Choice:
        box = Choice()
        box.setSizeAdjustPolicy(Choice.SizeAdjustPolicy.AdjustToContents)
        for value in _VALUES[field]:
            box.addItem("", value)
        _choose(box, getattr(self._settings, field))
        box.currentIndexChanged.connect(lambda _: self._change(**{field: box.currentData()}))
        self._boxes[field] = box
        return box

    def _device_name(self, name: DeviceName) -> str:
        match name:
            case "automatic":
                return self.tr("The best there is")
            case "gpu":
                on_a_mac = sys.platform == "darwin"
                return self.tr("Graphics processor (Core ML)") if on_a_mac else self.tr("NVIDIA graphics card")
            case "neural_engine":
                return self.tr("Neural Engine (Core ML)")
            case "processor":
                return self.tr("Processor")

    def _name(self, box: Choice, texts: list[str]) -> None:
        for index, text in enumerate(texts):
            box.setItemText(index, text)

    def _change(self, **values: Any) -> None:
        self._settings = replace(self._settings, **values)
        self.settingsChanged.emit(self._settings)


def _choose(box: Choice, value: str) -> None:
    box.setCurrentIndex(max(0, box.findData(value)))  # a device of another system is shown as the best there is


_VALUES = {
    "theme": ("system", "light", "dark"),
    "text_column": ("narrow", "wide"),
    "reduced_motion": ("system", "on", "off"),
    "language": ("system", "en", "zh_CN"),
    "send_with": ("enter", "ctrl_enter"),
    "context_policy": ("rolling", "truncate-middle", "stop"),
    "compute_on": tuple(devices()),
}
