"""The states of the window that are shown in the docs, each by the name of its file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from desktop.library import ExportRequest, ExportState, models_folder
from screenshots.stage import stage
from screenshots.stored import CHINESE, CODE, OTHERS

EMBEDDED = "falcon-tiny-instruct"
_WELCOMED = {"welcomed": True}


def welcome(application: QApplication, folder: Path) -> QImage:
    """The first start."""
    with stage(application, folder) as shown:
        return shown.picture()


def chat(application: QApplication, folder: Path) -> QImage:
    """Questions to the embedded model and what it answers."""
    with stage(application, folder, **_WELCOMED) as shown:
        shown.keep(OTHERS)
        shown.new_chat()
        for question in (
            "My name is Ada.",
            "What is the capital of Japan?",
            "What is my name?",
        ):
            shown.ask(question)
        shown.show_actions()
        return shown.picture()


def code(application: QApplication, folder: Path) -> QImage:
    """Code, a table and mathematics, in a conversation that was written by hand."""
    with stage(application, folder, **_WELCOMED) as shown:
        shown.keep([CODE, *OTHERS])
        return shown.picture()


def dark(application: QApplication, folder: Path) -> QImage:
    """The same in the dark."""
    with stage(application, folder, theme="dark", **_WELCOMED) as shown:
        shown.keep([CODE, *OTHERS])
        return shown.picture()


def chinese(application: QApplication, folder: Path) -> QImage:
    """The window in Chinese, with the settings of the chat beside it."""
    with stage(application, folder, language="zh_CN", **_WELCOMED) as shown:
        shown.keep(CHINESE)
        shown.window.action("chat-settings").trigger()
        return shown.picture()


def models(application: QApplication, folder: Path) -> QImage:
    """The models of this computer: the embedded one, and two exports of it."""
    with stage(application, folder, **_WELCOMED) as shown:
        shown.keep([CODE, *OTHERS])
        exports = shown.desk.models.exports
        for weights in ("lut6", "fp16"):
            output = models_folder(folder) / f"{EMBEDDED}-{weights}"
            exports.start(ExportRequest(model=EMBEDDED, output=output, weights=weights))
            shown.until(lambda: not exports.job.running)
        shown.window.banner.dismiss()
        shown.until(lambda: len(shown.desk.models.library.entries) == 3)
        return shown.picture(shown.desk.models.open())


def export(application: QApplication, folder: Path) -> QImage:
    """An export under way."""
    with stage(application, folder, **_WELCOMED) as shown:
        shown.keep([CODE, *OTHERS])
        dialog = shown.desk.models.open("export")
        seen: list[QImage] = []

        def look(state: ExportState) -> None:
            if not seen and state.stage == "verify" and (state.fraction or 0) > 0.2:
                seen.append(shown.picture(dialog, rest=False))

        exports = shown.desk.models.exports
        exports.job.changed.connect(look)
        exports.ask_start(EMBEDDED, "lut6")
        shown.until(lambda: bool(seen) or not exports.job.running)
        return seen[0]


def error(application: QApplication, folder: Path) -> QImage:
    """The process of the model was killed while it answered."""
    with stage(application, folder, **_WELCOMED) as shown:
        shown.keep(OTHERS)
        shown.new_chat()
        shown.ask("What is the capital of France?")
        shown.ask("Tell me a story about a fox.", wait=False)
        shown.until(shown.answer_has_begun)
        shown.kill_engine()
        shown.until(lambda: shown.desk.host.status.kind == "failed")
        return shown.picture()


def settings(application: QApplication, folder: Path) -> QImage:
    """The settings of the program."""
    with stage(application, folder, **_WELCOMED) as shown:
        shown.keep([CODE, *OTHERS])
        shown.window.action("settings").trigger()
        return shown.picture(shown.shell.settings_dialog())


def shortcuts(application: QApplication, folder: Path) -> QImage:
    """Every command with its keys."""
    with stage(application, folder, **_WELCOMED) as shown:
        shown.keep([CODE, *OTHERS])
        sheet = shown.shell.shortcut_sheet()
        sheet.show()
        return shown.picture(sheet)


PICTURES: dict[str, Callable[[QApplication, Path], QImage]] = {
    "welcome": welcome,
    "chat": chat,
    "code": code,
    "dark": dark,
    "chinese": chinese,
    "models": models,
    "export": export,
    "error": error,
    "settings": settings,
    "shortcuts": shortcuts,
}
