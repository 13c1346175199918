"""Small parts that every message uses: buttons with an icon, sentences, notices."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPalette, QPen
from PySide6.QtWidgets import QLabel, QPushButton, QStyle, QToolButton, QWidget

from desktop.views.conversation.style import Style
from desktop.views.icons import icon

_LEAST_CHARACTERS = 30  # of a line beside a button; with less room the button is below


def action(parent: QWidget, name: str, label: str, act: Callable[[], object], style: Style) -> QToolButton:
    """A flat button with icon `name`; `label` is its tool tip and what a screen reader says."""
    button = QToolButton(parent)
    button.setIcon(icon(name))
    button.setAutoRaise(True)
    button.setToolTip(label)
    button.setAccessibleName(label)
    button.setFocusPolicy(Qt.FocusPolicy.ClickFocus)  # the list of messages gives the order of Tab
    button.setIconSize(QSize(style.gap(3.4), style.gap(3.4)))
    button.clicked.connect(act)
    return button


def tint(widget: QWidget, colour: QColor) -> None:
    """Write `widget`'s text in `colour`."""
    palette = widget.palette()
    for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.ButtonText, QPalette.ColorRole.Text):
        palette.setColor(QPalette.ColorGroup.All, role, colour)
    widget.setPalette(palette)


def paint_panel(painter: QPainter, box: QRect, colour: QColor, style: Style) -> None:
    """A background with round corners; in high contrast with an edge."""
    painter.setPen(QPen(style.line, 1) if style.outlined else QPen(Qt.PenStyle.NoPen))
    painter.setBrush(colour)
    painter.drawRoundedRect(QRectF(box).adjusted(0.5, 0.5, -0.5, -0.5), 9, 9)


def paint_ring(painter: QPainter, area: QRect, style: Style) -> None:
    """The ring of the focus, within `area`."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(style.accent, 2))
    painter.drawRoundedRect(area.adjusted(1, 1, -1, -1), 10, 10)


def sentence(parent: QWidget, style: Style, text: str = "") -> QLabel:
    """A line of second-rank text that wraps."""
    label = QLabel(text, parent)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setFont(style.small_font)
    tint(label, style.muted)
    return label


def place(child: QWidget, box: QRect, width: int) -> None:
    """Put `child` at `box` within `width`, as seen from where the language of the window begins."""
    child.setGeometry(QStyle.visualRect(child.layoutDirection(), QRect(0, 0, width, box.height()), box))


class Notice(QWidget):
    """One sentence with an icon, and what can be done about it."""

    def __init__(self, parent: QWidget, style: Style, *, serious: bool = False) -> None:
        """`serious`: something failed, which a sign says too."""
        super().__init__(parent)
        self._style = style
        self._icon = QLabel(self)
        shown = icon("alert", "warning") if serious else icon("info", "muted")
        side = style.gap(3.6)
        self._icon.setPixmap(shown.pixmap(QSize(side, side), self.devicePixelRatioF()))
        self.label = sentence(self, style)
        self.button: QPushButton | None = None

    def set_text(self, text: str) -> None:
        """The sentence."""
        self.label.setText(text)

    def set_action(self, label: str, act: Callable[[], object]) -> None:
        """A button beside the sentence."""
        self.button = QPushButton(label, self)
        self.button.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.button.clicked.connect(act)
        self.button.show()

    def fit(self, width: int) -> int:
        """Take a width in pixels; the height that the sentence then needs."""
        left, gap = self._style.gap(5), self._style.gap(2)
        size = self.button.sizeHint() if self.button else QSize(0, 0)
        picture = self._icon.sizeHint()
        room = width - left - (size.width() + gap if self.button else 0)
        if self.button and room < _LEAST_CHARACTERS * self.label.fontMetrics().averageCharWidth():
            height = max(self.label.heightForWidth(width - left), picture.height())
            place(self._icon, QRect(QPoint(0, 0), picture), width)
            place(self.label, QRect(left, 0, width - left, height), width)
            place(self.button, QRect(QPoint(left, height + gap), size), width)
            self.resize(width, height + gap + size.height())
            return self.height()
        height = max(self.label.heightForWidth(room), size.height(), picture.height())
        place(self._icon, QRect(QPoint(0, (height - picture.height()) // 2), picture), width)
        place(self.label, QRect(left, 0, room, height), width)
        if self.button:
            place(self.button, QRect(QPoint(width - size.width(), (height - size.height()) // 2), size), width)
        self.resize(width, height)
        return height
