"""Dialog: one that is as tall as its texts are at its width, and never larger than the screen."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QDialog

from desktop.views.bugs import contained


class Dialog(QDialog):
    """Qt gives a dialog two thirds of the screen's height at most, and cuts texts that wrap where they need more."""

    def showEvent(self, event: QShowEvent) -> None:
        self._fit(exact=not self.testAttribute(Qt.WidgetAttribute.WA_Resized))  # before Qt puts it in the middle
        super().showEvent(event)

    @contained
    def event(self, event: QEvent) -> bool:
        done = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest:  # a text became longer, or all text larger
            self._fit()
        return done

    def ask_size(self, width: int, height: int) -> None:
        """Take this size, or what of it the screen has room for."""
        self.resize(QSize(width, height).boundedTo(self.screen().availableSize()))

    def least_width(self) -> int:
        """Pixels that its parts need beside each other."""
        layout = self.layout()
        return 0 if layout is None else layout.totalMinimumSize().width()

    def wanted_height(self, width: int) -> int:
        """Pixels that its texts need at this width."""
        layout = self.layout()
        if layout is None:
            return self.height()
        return layout.totalHeightForWidth(width) if layout.hasHeightForWidth() else layout.totalSizeHint().height()

    def _fit(self, *, exact: bool = False) -> None:
        """Grow where the texts need it; `exact`: become no taller than they need, either."""
        width = max(self.width(), self.least_width())
        height = min(self.wanted_height(width), self.screen().availableSize().height())
        height = height if exact else max(height, self.height())
        if (width, height) != (self.width(), self.height()):
            self.resize(width, height)
