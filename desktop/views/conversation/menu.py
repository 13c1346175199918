"""The menu of a message: for its selection, for the link under the pointer, and all that the row below it offers."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QPoint, Qt
from PySide6.QtWidgets import QMenu, QWidget

from desktop.views.conversation.body import Body
from desktop.views.conversation.footer import Footer

translate = QCoreApplication.translate  # a name that pyside6-lupdate knows


def message_menu(parent: QWidget, body: Body, footer: Footer, where: QPoint) -> QMenu:
    """A menu that goes when it is closed. `where`: of the pointer, in `body`."""
    menu = QMenu(parent)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    selected, link = body.selected_text(), body.link_at(where)
    if selected:
        menu.addAction(translate("MessageMenu", "Copy"), lambda: body.copyRequested.emit(selected))
    if link:
        menu.addAction(translate("MessageMenu", "Copy link address"), lambda: body.copyRequested.emit(link))
    if body.segments:
        menu.addAction(translate("MessageMenu", "Select all"), body.select_all)
        menu.addSeparator()
    footer.fill(menu)
    return menu
