"""ModelsDialog: models on this computer, exports and remote services, each on a page."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialogButtonBox, QTabWidget, QVBoxLayout, QWidget

from desktop.views.banner import Banner
from desktop.views.dialog import Dialog
from desktop.views.models.export_page import ExportPage
from desktop.views.models.local_page import LocalPage
from desktop.views.models.services_page import ServicesPage
from desktop.views.parts import Scrolled
from desktop.views.theme import theme

_LEAST_PAGE = 40  # pixels of a page that a small screen with large text leaves
Page = Literal["local", "export", "services"]


class ModelsDialog(Dialog):
    """Not modal: answers and exports go on behind it. It goes for good when it is closed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Models"))
        self.local, self.export, self.services = LocalPage(), ExportPage(), ServicesPage()
        self.banner = Banner()
        self._tabs = QTabWidget()
        self._tabs.setDocumentMode(True)
        self._tabs.tabBar().setExpanding(False)
        self._tabs.tabBar().setDrawBase(False)
        self._names: dict[Page, QWidget] = {"local": self.local, "export": self.export, "services": self.services}
        titles = (self.tr("On This Computer"), self.tr("Export"), self.tr("Remote Services"))
        for page, title in zip(self._names.values(), titles, strict=True):
            margin = QWidget()
            inside = QVBoxLayout(margin)
            inside.setContentsMargins(0, 16, 0, 0)
            inside.addWidget(page)
            scroll = Scrolled(margin)
            scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
            scroll.setMinimumHeight(_LEAST_PAGE)
            self._tabs.addTab(scroll, title)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        buttons.button(QDialogButtonBox.StandardButton.Close).setAutoDefault(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 16, 24, 20)
        layout.setSpacing(12)
        layout.addWidget(self._tabs, 1)
        layout.addWidget(self.banner)
        layout.addWidget(buttons)
        self.local.exportRequested.connect(lambda: self.show_page("export"))
        self.ask_size(theme().scaled(860), theme().scaled(540))

    def show_page(self, page: Page) -> None:
        """Bring a page to the front."""
        self._tabs.setCurrentIndex(list(self._names).index(page))

    def page(self) -> Page:
        """The one that is shown."""
        return list(self._names)[self._tabs.currentIndex()]
