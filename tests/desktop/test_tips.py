"""Tool tips: Qt takes for markup what looks like it, and nothing that someone named is."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QTextDocumentFragment
from pytestqt.qtbot import QtBot

from desktop.engine.sources import LocalModel
from desktop.library import ModelEntry
from desktop.store.records import Chat, Service
from desktop.views.models.menu import ModelMenu
from desktop.views.sidebar.model import ChatListModel
from desktop.views.sidebar.rows import ChatRow


def test_tool_tips_show_letter_by_letter_what_models_services_and_chats_are_called(qtbot: QtBot) -> None:
    name = "<b>7</b> & <img src='x'>"
    damaged = ModelEntry(source=LocalModel(path=Path("m"), name="m"), path=Path("m"), damaged=name)
    service = Service(id=1, name="Svc", url=f"https://a.example/{name}", model=None, has_key=False)
    menu = ModelMenu([damaged], [service])
    qtbot.addWidget(menu)
    chats = ChatListModel()
    chats.set_rows([ChatRow(chat=Chat(id=1, title=name, titled_by_user=True, created=0, updated=0))])
    tips = [action.toolTip() for action in menu.actions() if action.isCheckable()]
    tips.append(chats.data(chats.index(0), Qt.ItemDataRole.ToolTipRole))
    assert len(tips) == 3
    for shown in tips:
        assert name in QTextDocumentFragment.fromHtml(shown).toPlainText()
