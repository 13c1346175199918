"""TextSize: a slider for the size of all text, with the percent beside it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSlider, QWidget

from desktop.views.theme import LARGEST_TEXT, SMALLEST_TEXT

STEP = 10  # percent


class TextSize(QWidget):
    """Steps of 10 percent from 80 to 200."""

    changed = Signal(int)  # percent

    def __init__(self, percent: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(SMALLEST_TEXT // STEP, LARGEST_TEXT // STEP)
        self.slider.setPageStep(2)
        self._label = QLabel()
        self._label.setMinimumWidth(self._label.fontMetrics().horizontalAdvance("200 %") + 8)
        self._label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.slider, 1)
        layout.addWidget(self._label)
        self.setFocusProxy(self.slider)
        self.set_percent(percent)
        self.slider.valueChanged.connect(self._on_value)
        self.retranslate()

    def set_percent(self, percent: int) -> None:
        """Show a size; nothing is emitted."""
        self.slider.blockSignals(True)
        self.slider.setValue(round(percent / STEP))
        self.slider.blockSignals(False)
        self._show()

    def retranslate(self) -> None:
        """Texts in the language of now."""
        self.slider.setAccessibleName(self.tr("Text size in percent"))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()

    def _on_value(self) -> None:
        self._show()
        self.changed.emit(self.slider.value() * STEP)

    def _show(self) -> None:
        self._label.setText(f"{self.slider.value() * STEP} %")
        self.slider.setAccessibleDescription(self._label.text())
