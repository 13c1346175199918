"""Progress at the program's icon, in the dock or the taskbar.

Qt has no public call for a bar there. It has a number on the icon: macOS and Windows draw it, and Linux desktops that
know Unity's launcher interface; elsewhere nothing is seen. Not yet seen on a Mac.
"""

from __future__ import annotations

from PySide6.QtGui import QGuiApplication


def set_progress(share: float | None) -> None:
    """Show `share`, 0 to 1, as percent; None takes it away."""
    application = QGuiApplication.instance()
    assert isinstance(application, QGuiApplication), "progress needs an application"
    # 0 would hide the number of work that has just begun.
    application.setBadgeNumber(0 if share is None else max(1, round(min(share, 1.0) * 100)))
