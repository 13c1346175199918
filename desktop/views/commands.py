"""Commands: everything that the window can be told. Menus, the sheet of shortcuts and tests are made of this table."""

from __future__ import annotations

import sys

from desktop.translation import QT_TRANSLATE_NOOP
from desktop.views.command import Command, Key, Menu, Role

MENU_TITLES: dict[Menu, str] = {
    "file": QT_TRANSLATE_NOOP("Commands", "&File"),
    "edit": QT_TRANSLATE_NOOP("Commands", "&Edit"),
    "chat": QT_TRANSLATE_NOOP("Commands", "&Chat"),
    "view": QT_TRANSLATE_NOOP("Commands", "&View"),
    "model": QT_TRANSLATE_NOOP("Commands", "&Model"),
    "window": QT_TRANSLATE_NOOP("Commands", "&Window"),
    "help": QT_TRANSLATE_NOOP("Commands", "&Help"),
}

COMMANDS: tuple[Command, ...] = (
    Command(
        id="new-chat",
        menu="file",
        text=QT_TRANSLATE_NOOP("Commands", "&New Chat"),
        help=QT_TRANSLATE_NOOP("Commands", "Begin a new chat."),
        shortcut=Key.New,
    ),
    Command(
        id="new-folder",
        menu="file",
        text=QT_TRANSLATE_NOOP("Commands", "New &Folder…"),
        help=QT_TRANSLATE_NOOP("Commands", "Make a folder for chats."),
        shortcut="Ctrl+Shift+N",
    ),
    Command(
        id="import",
        menu="file",
        text=QT_TRANSLATE_NOOP("Commands", "&Import Chats…"),
        help=QT_TRANSLATE_NOOP("Commands", "Read chats from a file of this program, ChatGPT or LM Studio."),
        shortcut=Key.Open,
        begins_group=True,
    ),
    Command(
        id="export",
        menu="file",
        text=QT_TRANSLATE_NOOP("Commands", "&Export Chat…"),
        help=QT_TRANSLATE_NOOP("Commands", "Write this chat as Markdown, HTML, PDF or JSON."),
        shortcut="Ctrl+Shift+E",
    ),
    Command(
        id="export-all",
        menu="file",
        text=QT_TRANSLATE_NOOP("Commands", "Export &All Chats…"),
        help=QT_TRANSLATE_NOOP("Commands", "Write all chats into one file: JSON, or an archive of Markdown."),
    ),
    Command(
        id="deleted-chats",
        menu="file",
        text=QT_TRANSLATE_NOOP("Commands", "&Deleted Chats…"),
        help=QT_TRANSLATE_NOOP("Commands", "Have a chat back that was deleted in the last 30 days."),
    ),
    Command(
        id="settings",
        menu="file",
        text=QT_TRANSLATE_NOOP("Commands", "&Settings…"),
        help=QT_TRANSLATE_NOOP("Commands", "Open the settings of the program."),
        shortcut="Ctrl+,",
        role=Role.PreferencesRole,
        begins_group=True,
    ),
    Command(
        id="quit",
        menu="file",
        text=QT_TRANSLATE_NOOP("Commands", "&Quit"),
        help=QT_TRANSLATE_NOOP("Commands", "Leave the program; every chat is kept."),
        shortcut="Ctrl+Q",
        role=Role.QuitRole,
        begins_group=True,
    ),
    Command(
        id="undo",
        menu="edit",
        text=QT_TRANSLATE_NOOP("Commands", "&Undo"),
        help=QT_TRANSLATE_NOOP(
            "Commands", "Take back the last change of the text; in the list of chats, what was deleted last."
        ),
        shortcut=Key.Undo,
        bound=False,
    ),
    Command(
        id="redo",
        menu="edit",
        text=QT_TRANSLATE_NOOP("Commands", "&Redo"),
        help=QT_TRANSLATE_NOOP("Commands", "Make the change again that was taken back."),
        shortcut=Key.Redo,
        bound=False,
    ),
    Command(
        id="cut",
        menu="edit",
        text=QT_TRANSLATE_NOOP("Commands", "Cu&t"),
        help=QT_TRANSLATE_NOOP("Commands", "Move the selected text to the clipboard."),
        shortcut=Key.Cut,
        bound=False,
        begins_group=True,
    ),
    Command(
        id="copy",
        menu="edit",
        text=QT_TRANSLATE_NOOP("Commands", "&Copy"),
        help=QT_TRANSLATE_NOOP("Commands", "Copy the selected text to the clipboard."),
        shortcut=Key.Copy,
        bound=False,
    ),
    Command(
        id="paste",
        menu="edit",
        text=QT_TRANSLATE_NOOP("Commands", "&Paste"),
        help=QT_TRANSLATE_NOOP("Commands", "Insert the text of the clipboard."),
        shortcut=Key.Paste,
        bound=False,
    ),
    Command(
        id="select-all",
        menu="edit",
        text=QT_TRANSLATE_NOOP("Commands", "Select &All"),
        help=QT_TRANSLATE_NOOP("Commands", "Select the whole text of the field."),
        shortcut=Key.SelectAll,
        bound=False,
    ),
    Command(
        id="find",
        menu="edit",
        text=QT_TRANSLATE_NOOP("Commands", "&Find in Chat…"),
        help=QT_TRANSLATE_NOOP("Commands", "Find a text in this chat."),
        shortcut=Key.Find,
        begins_group=True,
    ),
    Command(
        id="find-next",
        menu="edit",
        text=QT_TRANSLATE_NOOP("Commands", "Find Ne&xt"),
        help=QT_TRANSLATE_NOOP("Commands", "Go to the next place that was found."),
        shortcut=Key.FindNext,
    ),
    Command(
        id="find-previous",
        menu="edit",
        text=QT_TRANSLATE_NOOP("Commands", "Find Pre&vious"),
        help=QT_TRANSLATE_NOOP("Commands", "Go to the place that was found before."),
        shortcut=Key.FindPrevious,
    ),
    Command(
        id="search",
        menu="edit",
        text=QT_TRANSLATE_NOOP("Commands", "&Search All Chats…"),
        help=QT_TRANSLATE_NOOP("Commands", "Search the titles and messages of every chat."),
        shortcut="Ctrl+Shift+F",
    ),
    Command(
        id="stop",
        menu="chat",
        text=QT_TRANSLATE_NOOP("Commands", "&Stop Answer"),
        help=QT_TRANSLATE_NOOP("Commands", "Stop the answer, or go back to the message that you write."),
        shortcut="Esc",
        bound=False,
    ),
    Command(
        id="edit-last",
        menu="chat",
        text=QT_TRANSLATE_NOOP("Commands", "&Edit Last Message"),
        help=QT_TRANSLATE_NOOP("Commands", "Change what you said last; the key does so where no message is begun."),
        shortcut="Up",
        bound=False,
    ),
    Command(
        id="regenerate",
        menu="chat",
        text=QT_TRANSLATE_NOOP("Commands", "&Answer Again"),
        help=QT_TRANSLATE_NOOP("Commands", "Ask for another answer; the one before is kept."),
        shortcut="Ctrl+R",
    ),
    Command(
        id="continue",
        menu="chat",
        text=QT_TRANSLATE_NOOP("Commands", "C&ontinue Answer"),
        help=QT_TRANSLATE_NOOP("Commands", "Have the last answer written further."),
        shortcut="Ctrl+Shift+R",
    ),
    Command(
        id="copy-answer",
        menu="chat",
        text=QT_TRANSLATE_NOOP("Commands", "Copy &Last Answer"),
        help=QT_TRANSLATE_NOOP("Commands", "Copy the whole last answer to the clipboard."),
        shortcut="Ctrl+Shift+C",
    ),
    Command(
        id="rename",
        menu="chat",
        text=QT_TRANSLATE_NOOP("Commands", "&Rename…"),
        help=QT_TRANSLATE_NOOP("Commands", "Give this chat another title."),
        shortcut="F2",
        begins_group=True,
    ),
    Command(
        id="pin",
        menu="chat",
        text=QT_TRANSLATE_NOOP("Commands", "&Pin or Unpin"),
        help=QT_TRANSLATE_NOOP("Commands", "Keep this chat at the top of the list, or no longer."),
        shortcut="Ctrl+Shift+P",
    ),
    Command(
        id="archive",
        menu="chat",
        text=QT_TRANSLATE_NOOP("Commands", "Ar&chive"),
        help=QT_TRANSLATE_NOOP("Commands", "Move this chat out of the list, and keep it."),
        shortcut="Ctrl+Shift+A",
    ),
    Command(
        id="delete",
        menu="chat",
        text=QT_TRANSLATE_NOOP("Commands", "&Delete"),
        help=QT_TRANSLATE_NOOP("Commands", "Delete this chat; it can be brought back."),
        shortcut="Ctrl+Shift+Backspace",
    ),
    Command(
        id="chat-settings",
        menu="chat",
        text=QT_TRANSLATE_NOOP("Commands", "Settings of This C&hat"),
        help=QT_TRANSLATE_NOOP("Commands", "Show or hide system prompt and sampling of this chat."),
        shortcut="Ctrl+Shift+,",
        checkable=True,
        begins_group=True,
    ),
    Command(
        id="sidebar",
        menu="view",
        text=QT_TRANSLATE_NOOP("Commands", "&List of Chats"),
        help=QT_TRANSLATE_NOOP("Commands", "Show or hide the list of chats."),
        shortcut="Ctrl+B",
        checkable=True,
    ),
    Command(
        id="next-chat",
        menu="view",
        text=QT_TRANSLATE_NOOP("Commands", "&Next Chat"),
        help=QT_TRANSLATE_NOOP("Commands", "Show the chat below in the list."),
        shortcut="Ctrl+PgDown",
        begins_group=True,
    ),
    Command(
        id="previous-chat",
        menu="view",
        text=QT_TRANSLATE_NOOP("Commands", "&Previous Chat"),
        help=QT_TRANSLATE_NOOP("Commands", "Show the chat above in the list."),
        shortcut="Ctrl+PgUp",
    ),
    Command(
        id="next-pane",
        menu="view",
        text=QT_TRANSLATE_NOOP("Commands", "Next P&ane"),
        help=QT_TRANSLATE_NOOP("Commands", "Go from list to conversation to message to settings."),
        shortcut="F6",
    ),
    Command(
        id="previous-pane",
        menu="view",
        text=QT_TRANSLATE_NOOP("Commands", "Pre&vious Pane"),
        help=QT_TRANSLATE_NOOP("Commands", "Go the same way back."),
        shortcut="Shift+F6",
    ),
    Command(
        id="compose",
        menu="view",
        text=QT_TRANSLATE_NOOP("Commands", "&Write a Message"),
        help=QT_TRANSLATE_NOOP("Commands", "Go to the message that you write."),
        shortcut="Ctrl+L",
    ),
    Command(
        id="larger",
        menu="view",
        text=QT_TRANSLATE_NOOP("Commands", "La&rger Text"),
        help=QT_TRANSLATE_NOOP("Commands", "Make all text larger."),
        shortcut=Key.ZoomIn,
        begins_group=True,
    ),
    Command(
        id="smaller",
        menu="view",
        text=QT_TRANSLATE_NOOP("Commands", "S&maller Text"),
        help=QT_TRANSLATE_NOOP("Commands", "Make all text smaller."),
        shortcut=Key.ZoomOut,
    ),
    Command(
        id="actual-size",
        menu="view",
        text=QT_TRANSLATE_NOOP("Commands", "&Normal Text Size"),
        help=QT_TRANSLATE_NOOP("Commands", "Show text in the system's size."),
        shortcut="Ctrl+0",
    ),
    Command(
        id="full-screen",
        menu="view",
        text=QT_TRANSLATE_NOOP("Commands", "&Full Screen"),
        help=QT_TRANSLATE_NOOP("Commands", "Fill the screen with the window, or no longer."),
        shortcut=Key.FullScreen,
        checkable=True,
        begins_group=True,
    ),
    Command(
        id="choose-model",
        menu="model",
        text=QT_TRANSLATE_NOOP("Commands", "&Choose a Model…"),
        help=QT_TRANSLATE_NOOP("Commands", "Choose which model answers."),
        shortcut="Ctrl+Alt+M",  # Cmd+M is Minimize, see `_ON_A_MAC`
    ),
    Command(
        id="models",
        menu="model",
        text=QT_TRANSLATE_NOOP("Commands", "&Manage Models…"),
        help=QT_TRANSLATE_NOOP("Commands", "See, export, check and remove models; add services."),
        shortcut="Ctrl+Shift+M",
    ),
    Command(
        id="unload",
        menu="model",
        text=QT_TRANSLATE_NOOP("Commands", "&Unload Model"),
        help=QT_TRANSLATE_NOOP("Commands", "Give the model's memory back; the next message loads it again."),
        begins_group=True,
    ),
    Command(
        id="restart-engine",
        menu="model",
        text=QT_TRANSLATE_NOOP("Commands", "&Restart Engine"),
        help=QT_TRANSLATE_NOOP("Commands", "Start the process anew that runs the model."),
    ),
    Command(
        id="shortcuts",
        menu="help",
        text=QT_TRANSLATE_NOOP("Commands", "&Keyboard Shortcuts"),
        help=QT_TRANSLATE_NOOP("Commands", "Show every command with its keys."),
        shortcut="Ctrl+/",
    ),
    Command(
        id="welcome",
        menu="help",
        text=QT_TRANSLATE_NOOP("Commands", "&Welcome"),
        help=QT_TRANSLATE_NOOP("Commands", "Show the welcome of the first start."),
    ),
    Command(
        id="about",
        menu="help",
        text=QT_TRANSLATE_NOOP("Commands", "&About Falconet"),
        help=QT_TRANSLATE_NOOP("Commands", "Version, licences, and where your chats are."),
        role=Role.AboutRole,
        begins_group=True,
    ),
)

_ON_A_MAC: tuple[Command, ...] = (
    Command(
        id="minimize",
        menu="window",
        text=QT_TRANSLATE_NOOP("Commands", "&Minimize"),
        help=QT_TRANSLATE_NOOP("Commands", "Put the window in front into the Dock."),
        shortcut="Ctrl+M",
    ),
    Command(
        id="zoom",
        menu="window",
        text=QT_TRANSLATE_NOOP("Commands", "&Zoom"),
        help=QT_TRANSLATE_NOOP("Commands", "Make the window in front as large as the screen, or as it was."),
    ),
    Command(
        id="close-window",
        menu="window",
        text=QT_TRANSLATE_NOOP("Commands", "&Close"),
        help=QT_TRANSLATE_NOOP("Commands", "Close the window in front."),
        shortcut=Key.Close,
        begins_group=True,
    ),
)
"""Neither AppKit nor Qt gives a window the keys for these there; elsewhere the desktop does."""


def commands(system: str = sys.platform) -> tuple[Command, ...]:
    """What the window can be told on a system (as sys.platform has it)."""
    return COMMANDS + _ON_A_MAC if system == "darwin" else COMMANDS


def menu_titles(system: str = sys.platform) -> dict[Menu, str]:
    """The English titles of the menus that there is a command for, in order."""
    used = {command.menu for command in commands(system)}
    return {menu: title for menu, title in MENU_TITLES.items() if menu in used}
