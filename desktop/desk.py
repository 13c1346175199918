"""Desk: the window joined to chats and the model: built, begun, and closed within two seconds."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from time import monotonic

from PySide6.QtCore import QObject, QUrl
from PySide6.QtGui import QCloseEvent, QDesktopServices, QGuiApplication

from desktop.controllers.answers import Answers
from desktop.controllers.chat_settings import ChatSettingsController
from desktop.controllers.chats import ChatsController
from desktop.controllers.conversation import ConversationController
from desktop.controllers.engine import EngineController
from desktop.controllers.errors import ErrorTeller
from desktop.controllers.models import ModelsController
from desktop.controllers.places import PlacesController
from desktop.controllers.transfer import TransferController
from desktop.devices import device
from desktop.engine.host import EngineHost
from desktop.engine.safe_start import SafeStart
from desktop.settings import Settings
from desktop.shell import Shell
from desktop.store.records import Chat
from desktop.store.store import Store
from desktop.views.chat_settings import ChatSettingsPanel
from desktop.views.conversation.view import ConversationView
from desktop.views.models.asking import ask
from desktop.views.sidebar.sidebar import Sidebar
from runtime import GenerationOptions

_CLOSE_SECONDS = 1.9


class Desk(QObject):
    """Everything between the window and what it shows."""

    def __init__(self, shell: Shell, folder: Path, parent: QObject | None = None) -> None:
        """Raises StoreError where the chats cannot be opened."""
        super().__init__(parent)
        window = self._window = shell.window
        self.shell = shell
        self.store = Store.open(folder)
        self._safe_start = SafeStart(folder / "loading.json")
        self.host = EngineHost(self, safe_start=self._safe_start)
        self.answers = Answers(self.store, self.host, self)
        self.view, self.sidebar = ConversationView(), Sidebar()
        window.set_conversation(self.view)
        window.set_sidebar(self.sidebar)
        self.conversation = ConversationController(
            self.store, self.answers, self.host, self.view, window.composer, self
        )
        self.chats = ChatsController(self.store, self.answers, self.conversation, self.sidebar, self)
        self.engine = EngineController(
            self.host, self.answers, self.conversation, window, self.view, self._safe_start, self
        )
        self.models = ModelsController(shell, self.store, self.host, self.engine, folder, self)
        self.places = PlacesController(self.store, self.host, self.answers, self.conversation, self.models, self)
        self.transfer = TransferController(self.store, window, self)
        self._shown: int | None = None  # the chat that is shown
        self._trouble: dict[str, str] = {}  # what the disk refuses, while it does
        self._may_lose = False  # the user was asked
        self._errors = ErrorTeller(window.banner, folder / "errors.log")
        self._connect()

    def begin(self) -> None:
        """Show the chat that was used last, and load the model that answered last; at the first start, welcome."""
        self.chats.open_first()
        if self.store.notice:
            self._window.banner.show_notice(self.store.notice, lasting=True)
        self.models.begin()

    def close(self) -> None:
        """Keep what was written and end the engine, exports and all else that runs, within two seconds."""
        deadline = monotonic() + _CLOSE_SECONDS
        self.models.stop()  # they stop while the engine does
        self.conversation.leave()
        self.conversation.drafts.close()
        self.answers.close()
        self.host.close()
        self.models.close(deadline)
        self.transfer.close()
        self.store.close()
        self._errors.end()

    def _connect(self) -> None:
        window, conversation = self._window, self.conversation
        window.commandTriggered.connect(self._on_command)
        conversation.opened.connect(self._opened)
        conversation.renamed.connect(window.header.set_title)
        conversation.busyChanged.connect(window.set_busy)
        window.escaped.connect(conversation.hide_found)
        self.view.copyRequested.connect(_copy)
        self.view.linkRequested.connect(_open_link)
        self.answers.troubled.connect(partial(self._troubled, "answers"))
        conversation.drafts.troubled.connect(partial(self._troubled, "drafts"))
        self.view.editCancelled.connect(self._edit_cancelled)
        self.view.editRefused.connect(lambda sentence: window.banner.show_notice(sentence))
        self.view.passed.connect(lambda: window.composer.setFocus())
        window.closing.connect(self._closing)
        self.chats.exportRequested.connect(self._export)
        for entered in (self.sidebar.list.entered, self.sidebar.newChatRequested):
            entered.connect(lambda: window.composer.setFocus())
        self.transfer.imported.connect(self._imported)
        self.transfer.told.connect(lambda sentence, well: window.banner.show_notice(sentence, well=well))
        self.shell.panelMade.connect(self._join_panel)
        self.shell.settingsChanged.connect(self._take_settings)
        self._take_settings(self.shell.settings)

    def _opened(self, chat: Chat) -> None:
        self._window.header.set_title(chat.title)
        if chat.id != self._shown:
            self._shown = chat.id
            self._window.banner.drop_passing()

    def _take_settings(self, settings: Settings) -> None:
        self.conversation.new_options = GenerationOptions(context_policy=settings.context_policy)
        self.transfer.context_policy = settings.context_policy
        self.view.set_send_with(settings.send_with)
        self.host.set_device(device(settings.compute_on))

    def _join_panel(self, panel: ChatSettingsPanel) -> None:
        ChatSettingsController(self.store, self.conversation, panel, self)
        panel.refused.connect(lambda sentence: self._window.banner.show_notice(sentence))

    def _troubled(self, whose: str, sentence: str) -> None:
        before = self._trouble.pop(whose, "")
        if before not in self._trouble.values():
            self._window.banner.withdraw(before)
        if sentence:
            self._trouble[whose] = sentence
            self._window.banner.show_notice(sentence, lasting=True)

    def _closing(self, event: QCloseEvent) -> None:
        self.conversation.leave()
        if self._may_lose or self.conversation.drafts.keep() or not self.conversation.drafts.unkept:
            return
        event.ignore()
        ask(
            self._window,
            self.tr("Quit, and lose what you wrote?"),
            detail=self._trouble["drafts"],
            button=self.tr("Quit"),
            action=self._quit,
        )

    def _quit(self) -> None:
        self._may_lose = True
        self._window.close()

    def _edit_cancelled(self, message: int, text: str) -> None:
        if text == self.conversation.text(message):
            return
        self._window.banner.show_notice(
            self.tr("What you changed in the message was discarded."),
            button=self.tr("Undo"),
            action=partial(self.conversation.edit_again, message, text),
            well=True,
        )

    def _export(self, chats: list[int]) -> None:
        title = self.store.chat(chats[0]).title if len(chats) == 1 else self.tr("Chats")
        self.transfer.ask_export(chats, title)

    def _imported(self, chats: list[int]) -> None:
        self.sidebar.search.clear()  # else they are not in sight
        self.chats.refresh()
        if chats:
            self.chats.open(chats[0])

    def _on_command(self, command: str) -> None:
        match command:
            case "new-chat":
                self.chats.begin()
                self._window.composer.setFocus()
            case "new-folder":
                self.chats.new_folder()
            case "import":
                self.transfer.ask_import()
            case "export-all":
                self.transfer.ask_export_all()
            case "deleted-chats":
                self.chats.show_deleted(self._window)
            case "search":
                self._window.action("sidebar").setChecked(True)
                self.sidebar.focus_search()
            case "find-next" if self.view.find_bar.isVisible():
                self.view.find_next()
            case "find-previous" if self.view.find_bar.isVisible():
                self.view.find_next(-1)
            case "find" | "find-next" | "find-previous":
                self.view.show_find()
            case "next-chat":
                self.sidebar.list.step(1)
            case "previous-chat":
                self.sidebar.list.step(-1)
            case "edit-last":
                self.conversation.edit_last()
            case "regenerate":
                self.conversation.retry()
            case "continue":
                self.conversation.go_on_last()
            case "choose-model":
                self.models.choose()
            case "models":
                self.models.open()
            case "welcome":
                self.models.welcome.show()
            case "unload":
                self.engine.unload()
            case "restart-engine":
                self.engine.restart()
            case "copy-answer" if (answer := self.conversation.last_answer()) is not None:
                _copy(answer.text)
            case "export" | "rename" | "pin" | "archive" | "delete" if (chat := self.chats.current()) is not None:
                self._on_chat_command(command, chat)

    def _on_chat_command(self, command: str, chat: Chat) -> None:
        match command:
            case "export":
                self._export([chat.id])
            case "rename":
                self._window.action("sidebar").setChecked(True)
                self.sidebar.list.edit_title(chat.id)
            case "pin":
                self.chats.pin([chat.id], not chat.pinned)
            case "archive":
                self.chats.archive([chat.id], not chat.archived)
            case "delete":
                self.chats.delete([chat.id])


def _copy(text: str) -> None:
    QGuiApplication.clipboard().setText(text)


def _open_link(address: str) -> None:
    QDesktopServices.openUrl(QUrl(address))
