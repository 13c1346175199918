"""Parts that dialogs, panels and the window share: texts, a line, buttons with an icon, a box of choices."""

from __future__ import annotations

import re
from html import escape

from PySide6.QtCore import QCoreApplication, QEvent, QRect, QSize, Qt
from PySide6.QtGui import QAction, QContextMenuEvent, QKeyEvent, QKeySequence, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMenu,
    QScrollArea,
    QSizePolicy,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QToolButton,
    QTreeWidget,
    QVBoxLayout,
    QWidget,
)

from desktop.views.icons import icon
from desktop.views.sheet import set_kind
from desktop.views.theme import theme

ICON_SIDE = 18  # pixels at the system's text size
EDGE = 24  # pixels at the system's text size, between what is read or written and the edge of its pane
_BEARINGS = 2  # pixels at the system's text size: Qt asks for room for the ink of a text, and elides by its advance
_LINE_HEIGHT = 135  # percent, of text that is read and not only glanced at
_LONG_WORD = re.compile(r"[!-~]{25,}")
_MAY_END = "\u200b"  # a line, here
_PIECE = re.compile(r"[^/\\]{0,12}[/\\]+(?=.)|.{12}(?=.)")  # of one, behind which a line may end


def label(kind: str = "", text: str = "") -> QLabel:
    """A label of plain text that wraps; its kind is one of the sheet's."""
    result = QLabel(text)
    result.setTextFormat(Qt.TextFormat.PlainText)
    result.setWordWrap(True)
    if kind:
        set_kind(result, kind)
    return result


def two_columns(name: str) -> QTreeWidget:
    """A list of rows, called `name` to assistive technology, whose first column has what the second leaves."""
    result = QTreeWidget()
    result.setColumnCount(2)
    result.setRootIsDecorated(False)
    result.setAccessibleName(name)
    set_kind(result, "list")
    result.header().setStretchLastSection(False)
    result.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    result.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
    return result


class Scrolled(QScrollArea):
    """`inside` as a page that scrolls up and down where it is taller than its place, with no frame around it. What keys
    take the focus to comes into view, also from outside, where Qt leaves it where it is."""

    def __init__(self, inside: QWidget) -> None:
        super().__init__()
        set_kind(inside, "page")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(inside)
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.focusChanged.connect(self._follow)

    def _follow(self, _before: QWidget | None, now: QWidget | None) -> None:
        pressed = QApplication.mouseButtons() != Qt.MouseButton.NoButton  # what is pressed must not move
        if now is not None and self.isAncestorOf(now) and not pressed:
            self.ensureWidgetVisible(now)


def reading_column(page: QWidget, spacing: int) -> QVBoxLayout:
    """The layout of a column in `page` that begins where lines begin and is no wider than a line should be."""
    column = QWidget()
    column.setMaximumWidth(theme().measure())
    inside = QVBoxLayout(column)
    inside.setContentsMargins(0, 8, 0, 0)
    inside.setSpacing(spacing)
    layout = QHBoxLayout(page)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(column, 1000)
    layout.addStretch(1)
    return inside


class StartLabel(QLabel):
    """Begins where the window's language begins, also for a text of the other direction, such as an English title."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self._align()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LayoutDirectionChange:
            self._align()

    def _align(self) -> None:
        sides = Qt.AlignmentFlag
        side = sides.AlignRight if self.layoutDirection() == Qt.LayoutDirection.RightToLeft else sides.AlignLeft
        self.setAlignment(side | sides.AlignAbsolute | sides.AlignVCenter)


class ElidedLabel(StartLabel):
    """One line, cut with an ellipsis where it has no room; whole for a screen reader and in its tool tip."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._whole = ""
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def set_whole(self, text: str) -> None:
        self._whole = text
        self.setAccessibleName(text)
        self.setToolTip(tip(text))
        self._elide()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        self.setText(self.fontMetrics().elidedText(self._whole, Qt.TextElideMode.ElideRight, self.width()))


def _breakable(text: str) -> str:
    """`text` whose long words, such as paths, can be broken: a QLabel breaks lines between words alone."""
    return _LONG_WORD.sub(lambda word: _PIECE.sub(f"\\g<0>{_MAY_END}", word[0]), text)


class Paragraph(QLabel):
    """A plain text of several lines with room between them; what is too long for one is broken."""

    def __init__(self, kind: str = "", text: str = "") -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setAlignment(Qt.AlignmentFlag.AlignLeading | Qt.AlignmentFlag.AlignTop)
        self.setWordWrap(True)
        if kind:
            set_kind(self, kind)
        self.set_plain(text)

    def set_plain(self, text: str) -> None:
        """Show `text`; nothing in it is markup."""
        lines = escape(_breakable(text)).replace("\n", "<br>")
        self.setText(f'<p style="line-height: {_LINE_HEIGHT}%; margin: 0">{lines}</p>')
        self.setAccessibleName(text)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self._copy()
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if self.hasSelectedText():  # in place of QLabel's own menu, which copies with the signs that break lines
            menu = QMenu(self)
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.addAction(QCoreApplication.translate("MessageMenu", "Copy"), self._copy)
            menu.popup(event.globalPos())

    def _copy(self) -> None:
        """What is marked, as it was given: a path that is pasted elsewhere leads there."""
        marked = self.selectedText().replace(_MAY_END, "").replace("\u2029", "\n").replace("\u2028", "\n")
        if marked:
            QApplication.clipboard().setText(marked)


def line() -> QFrame:
    """A hairline across."""
    result = QFrame()
    set_kind(result, "line")
    result.setFixedHeight(1)
    return result


class IconButton(QToolButton):
    """A button that is only a picture: it grows with the text, and always has a name in words."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setIcon(icon(name))
        theme().changed.connect(self._on_theme)
        self._on_theme()

    def set_name(self, text: str) -> None:
        """What it does: its tool tip, and what a screen reader says."""
        self.setAccessibleName(text)
        self.setToolTip(tip(text))

    def _on_theme(self) -> None:
        side = theme().scaled(ICON_SIDE)
        self.setIconSize(QSize(side, side))


def beside_icon(text: str) -> str:
    """`text` for a button with an icon: the style leaves no room between them. No letter in it is a key."""
    return f" {text.replace('&', '&&')}"


def tip(text: str) -> str:
    """`text` for a tool tip; nothing in it is markup, which Qt would take what looks like it for."""
    return f'<span style="white-space: pre-wrap">{escape(text)}</span>' if "<" in text else text


class ClearableEdit(QLineEdit):
    """A field with a button that empties it, drawn like every other icon."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setClearButtonEnabled(True)
        self._draw()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        # Qt then takes the style's picture again.
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.LayoutDirectionChange, QEvent.Type.LanguageChange):
            self._draw()

    def _draw(self) -> None:
        clear = self.findChild(QAction, "_q_qlineeditclearaction")  # Qt's own; it has no public way to its picture
        if isinstance(clear, QAction):
            clear.setIcon(icon("x", "muted"))
            clear.setText(self.tr("Clear"))


class Choice(QComboBox):
    """A box of choices that looks like the fields around it and takes the width that it is given: a text that is wider
    ends in an ellipsis there, and is whole in its list."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_kind(self, "choice")
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(6)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return super().sizeHint() + QSize(theme().scaled(_BEARINGS), 0)

    def minimumSizeHint(self) -> QSize:
        return super().minimumSizeHint() + QSize(theme().scaled(_BEARINGS), 0)

    def shown_text(self) -> str:
        """What of the chosen text there is room for."""
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        parts = QStyle.SubControl
        field = self.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, parts.SC_ComboBoxEditField, self)
        return self.fontMetrics().elidedText(self.currentText(), Qt.TextElideMode.ElideRight, field.width())

    def showPopup(self) -> None:
        view = self.view()
        view.setMinimumWidth(min(view.sizeHintForColumn(0) + theme().scaled(24), self.screen().availableSize().width()))
        super().showPopup()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QStylePainter(self)
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        option.currentText = self.shown_text()
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        side, edge = theme().scaled(14), theme().scaled(10)
        left = edge if self.layoutDirection() == Qt.LayoutDirection.RightToLeft else self.width() - side - edge
        icon("chevron-down", "muted").paint(painter, QRect(left, (self.height() - side) // 2, side, side))
