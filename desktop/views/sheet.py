"""The style sheet: what Qt's style does not draw as the window wants it, by the property `kind` of a widget.

Kinds: QPushButton `primary`; QLabel `title`, `heading`, `muted`, `danger`; QFrame `field` (with `focused`), `line`,
`notice`; QTextEdit `text`, `words` (with `tone`); QPlainTextEdit `thoughts`; QToolButton `round`, `quiet`;
QComboBox `choice`; QLineEdit `search`; QTreeWidget `list`; QWidget `sidebar`, `page`.
Under a native style (macOS, Windows) buttons and fields stay its own, but no `choice`: a Mac's has one height, whatever
the size of its text.
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtGui import QColor
from PySide6.QtWidgets import QWidget

from desktop.views.tokens import Tokens

_MARKS = Path(__file__).with_name("marks")


def set_kind(widget: QWidget, kind: str) -> None:
    """Give `widget` a look of the sheet, also when it is shown already."""
    set_property(widget, "kind", kind)


def set_property(widget: QWidget, name: str, value: object) -> None:
    """Set a property that the sheet asks for, and have the widget drawn anew."""
    if widget.property(name) == value:
        return
    widget.setProperty(name, value)
    widget.style().unpolish(widget)
    widget.style().polish(widget)


def style_sheet(tokens: Tokens, scale: float, *, native: bool) -> str:
    """The sheet for the whole application. `scale`: 1 is the system's text size."""
    return _own(tokens, scale) + ("" if native else _fusion(tokens, scale))


def _check(t: Tokens) -> str:
    """The sheet can only name a file, so the tick has one in either colour."""
    light = QColor(t.on_accent).lightnessF() > 0.5
    path = (_MARKS / f"check-{'white' if light else 'black'}.svg").as_posix()
    for sign in ("\\", '"'):
        path = path.replace(sign, f"\\{sign}")
    return f'url("{path}")'


def _faint(t: Tokens) -> str:
    """How an edge looks that means "not now": high contrast has no paler colour to say it with."""
    return "dashed" if t.hairline == t.outline else "solid"


def _own(t: Tokens, scale: float) -> str:
    unit = round(4 * scale)
    return f"""
QWidget[kind="page"] {{ background: {t.window}; }}
QWidget[kind="sidebar"] {{ background: {t.sidebar}; }}
QFrame[kind="line"] {{ background: {t.hairline}; border: none; }}
QLabel[kind="muted"] {{ color: {t.muted}; }}
QLabel[kind="danger"] {{ color: {t.danger}; }}
QLabel[kind="title"] {{ font-weight: 600; }}
QLabel[kind="heading"] {{ font-weight: 600; font-size: {round(24 * scale)}px; }}
QFrame[kind="field"] {{ background: {t.raised}; border: 1px solid {t.outline}; border-radius: {3 * unit}px; }}
QFrame[kind="field"][focused="true"] {{ border: 2px solid {t.accent}; }}
QFrame[kind="field"] QPlainTextEdit {{
    background: transparent; border: none; padding: 0; placeholder-text-color: {t.muted};
}}
QTextEdit[kind="text"], QTextEdit[kind="text"]:focus, QPlainTextEdit[kind="text"], QPlainTextEdit[kind="text"]:focus {{
    background: transparent; border: none; padding: 0;
}}
QPlainTextEdit[kind="thoughts"], QPlainTextEdit[kind="thoughts"]:focus {{
    background: transparent; color: {t.muted}; border: 2px solid {t.hairline}; border-radius: {2 * unit}px;
    padding: {unit}px {2 * unit}px;
}}
QPlainTextEdit[kind="thoughts"]:focus {{ border-color: {t.accent}; }}
QTextEdit[kind="words"] {{
    background: transparent; border: 2px solid transparent; border-radius: {unit}px; padding: 0;
}}
QTextEdit[kind="words"][tone="muted"] {{ color: {t.muted}; }}
QTextEdit[kind="words"][tone="danger"] {{ color: {t.danger}; }}
QTextEdit[kind="words"]:focus {{ border-color: {t.accent}; padding: 0; }}
QFrame[kind="notice"] {{ background: {t.notice}; border-radius: {2 * unit}px; }}
QToolButton {{
    border: 2px solid transparent; border-radius: {2 * unit}px; padding: {unit}px; background: transparent;
    color: {t.text};
}}
QToolButton:hover, QToolButton:checked {{ background: {t.hover}; }}
QToolButton:pressed {{ background: {t.accent_soft}; }}
QToolButton:focus {{ border-color: {t.accent}; }}
QToolButton:disabled {{ color: {t.outline}; }}
QToolButton::menu-indicator {{ image: none; }}
QToolButton[kind="quiet"] {{ color: {t.muted}; }}
QToolButton[kind="round"] {{ background: {t.accent}; border-radius: {int(16 * scale)}px; }}
QToolButton[kind="round"]:hover {{ background: {t.accent_hover}; }}
QToolButton[kind="round"]:focus {{ border-color: {t.text}; }}
QToolButton[kind="round"]:disabled {{ background: {t.hover}; }}
QPushButton[kind="primary"] {{
    background: {t.accent}; color: {t.on_accent}; border: 2px solid {t.accent};
    border-radius: {2 * unit}px; padding: {unit}px {4 * unit}px; font-weight: 600;
}}
QPushButton[kind="primary"]:hover {{ background: {t.accent_hover}; border-color: {t.accent_hover}; }}
QPushButton[kind="primary"]:focus {{ border-color: {t.text}; }}
QPushButton[kind="primary"]:disabled {{ background: {t.hover}; color: {t.muted}; border-color: {t.hover}; }}
QComboBox[kind="choice"] {{
    background: {t.raised}; color: {t.text}; border: 1px solid {t.outline}; border-radius: {2 * unit}px;
    padding: {unit}px {7 * unit}px {unit}px {2 * unit}px;
}}
QComboBox[kind="choice"]:focus {{
    border: 2px solid {t.accent}; padding: {unit - 1}px {7 * unit - 1}px {unit - 1}px {2 * unit - 1}px;
}}
QComboBox[kind="choice"]::drop-down {{ border: none; width: 0; }}
QComboBox[kind="choice"]::down-arrow {{ image: none; }}
QSplitter::handle {{ background: {t.hairline}; }}
"""


def _fusion(t: Tokens, scale: float) -> str:
    unit = round(4 * scale)
    return f"""
QDialog, QMessageBox {{ background: {t.window}; }}
QDialogButtonBox {{ dialogbuttonbox-buttons-have-icons: 0; }}
QPushButton {{
    background: {t.raised}; color: {t.text}; border: 1px solid {t.outline};
    border-radius: {2 * unit}px; padding: {unit + 1}px {4 * unit + 1}px;
}}
QPushButton:hover {{ background: {t.hover}; }}
QPushButton:pressed {{ background: {t.accent_soft}; }}
QPushButton:focus {{ border: 2px solid {t.accent}; padding: {unit}px {4 * unit}px; }}
QPushButton:disabled {{ color: {t.outline}; border: 1px {_faint(t)} {t.hairline}; }}
QLineEdit, QTextEdit, QPlainTextEdit {{
    background: {t.raised}; color: {t.text}; border: 1px solid {t.outline}; border-radius: {2 * unit}px;
    padding: {unit}px {2 * unit}px; placeholder-text-color: {t.muted};
    selection-background-color: {t.accent}; selection-color: {t.on_accent};
}}
QLineEdit:focus, QTextEdit:focus, QPlainTextEdit:focus {{
    border: 2px solid {t.accent}; padding: {unit - 1}px {2 * unit - 1}px;
}}
QLineEdit[kind="search"] {{ padding-left: 0; padding-right: 0; }}
QCheckBox, QRadioButton {{ spacing: {2 * unit}px; }}
QCheckBox::indicator, QRadioButton::indicator {{
    width: {3 * unit + 2}px; height: {3 * unit + 2}px; border: 1px solid {t.outline}; background: {t.raised};
}}
QCheckBox::indicator {{ border-radius: {unit}px; }}
QRadioButton::indicator {{ border-radius: {(3 * unit + 4) // 2}px; }}
QCheckBox::indicator:checked {{ background: {t.accent}; border-color: {t.accent}; image: {_check(t)}; }}
QRadioButton::indicator:checked {{
    width: {unit + 2}px; height: {unit + 2}px; border: {unit + 1}px solid {t.accent}; background: {t.on_accent};
}}
QCheckBox::indicator:focus, QRadioButton::indicator:focus {{ border-color: {t.accent}; }}
QCheckBox:focus, QRadioButton:focus {{ outline: none; text-decoration: underline; }}
QCheckBox:disabled, QRadioButton:disabled {{ color: {t.outline}; }}
QSlider {{ min-height: {5 * unit}px; }}
QSlider::groove:horizontal {{ height: {unit}px; border-radius: {unit // 2}px; background: {t.outline}; }}
QSlider::sub-page:horizontal {{ border-radius: {unit // 2}px; background: {t.accent}; }}
QSlider::handle:horizontal {{
    width: {4 * unit}px; margin: -{(3 * unit) // 2}px 0; border-radius: {2 * unit - 1}px; background: {t.accent};
}}
QSlider::handle:horizontal:focus {{ background: {t.text}; }}
QTreeWidget[kind="list"] {{ background: transparent; border: none; outline: none; }}
QTreeWidget[kind="list"]::item {{ padding: {unit + 1}px {unit}px; }}
QTreeWidget[kind="list"]::item:selected {{ background: {t.accent_soft}; color: {t.text}; }}
QTreeWidget[kind="list"] QHeaderView {{ background: transparent; }}
QTreeWidget[kind="list"] QHeaderView::section {{ background: transparent; border: none; color: {t.muted};
    padding: {unit + 1}px {unit}px; }}
QMessageBox QLabel#qt_msgbox_label {{ font-weight: 600; min-width: {90 * unit}px; }}
QMenuBar {{ background: {t.sidebar}; color: {t.text}; border: none; padding: 2px {unit}px; }}
QMenuBar::item {{ background: transparent; padding: {unit}px {2 * unit}px; border-radius: {unit}px; }}
QMenuBar::item:selected {{ background: {t.hover}; }}
QMenuBar QToolButton {{ border: none; padding: 0; }}
QMenu {{ background: {t.raised}; color: {t.text}; border: 1px solid {t.outline}; padding: {unit}px; }}
QMenu::item {{ padding: {unit + 2}px {6 * unit}px; border-radius: {unit}px; }}
QMenu::icon {{ padding-left: {2 * unit}px; }}
QMenu::item:selected {{ background: {t.accent_soft}; color: {t.text}; }}
QMenu::item:disabled {{ color: {t.outline}; }}
QMenu::separator {{ height: 1px; background: {t.hairline}; margin: {unit}px {2 * unit}px; }}
QToolTip {{ background: {t.raised}; color: {t.text}; border: 1px solid {t.outline}; padding: {unit}px; }}
QTabBar {{ background: transparent; }}
QTabBar::tab {{
    background: transparent; color: {t.muted}; border: none; border-bottom: 2px solid transparent;
    padding: {unit}px 2px {unit + 2}px 2px; margin-right: {5 * unit}px;
}}
QTabBar::tab:hover {{ color: {t.text}; }}
QTabBar::tab:selected {{ color: {t.text}; font-weight: 600; border-bottom-color: {t.accent}; }}
QTabBar::tab:focus {{ color: {t.accent}; }}
QTabWidget::pane {{ border: none; border-top: 1px solid {t.hairline}; }}
QProgressBar {{
    background: {t.hairline}; border: none; border-radius: {unit - 1}px; min-height: {2 * unit - 2}px;
    max-height: {2 * unit - 2}px;
}}
QProgressBar::chunk {{ background: {t.accent}; border-radius: {unit - 1}px; }}
QScrollBar:vertical {{ background: transparent; width: {3 * unit}px; margin: 0; }}
QScrollBar:horizontal {{ background: transparent; height: {3 * unit}px; margin: 0; }}
QScrollBar::handle {{ background: {t.outline}; border-radius: {unit - 1}px; margin: 3px; }}
QScrollBar::handle:vertical {{ min-height: {8 * unit}px; }}
QScrollBar::handle:horizontal {{ min-width: {8 * unit}px; }}
QScrollBar::handle:hover {{ background: {t.muted}; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
"""
