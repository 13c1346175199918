"""Translation: every text has one, it is taken live, and a right-to-left language turns the window round."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PySide6.QtCore import QCoreApplication, QLocale, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QApplication, QDialogButtonBox, QMenu, QWidget
from pytestqt.qtbot import QtBot

from desktop.settings import Settings
from desktop.translation import FOLDER, set_language
from desktop.views.commands import COMMANDS
from desktop.views.settings_dialog import SettingsDialog
from desktop.views.shortcuts import ShortcutSheet
from desktop.views.window import MainWindow
from tests import patience

DESKTOP = FOLDER.parent
CHINESE = re.compile("[\u4e00-\u9fff]")
SAME_IN_CHINESE = {"Top-p", "Top-k", "Min-p", "Enter", "Ctrl+Enter", "Cmd+Enter", "Falcon", "%1/%2"}
SAME_IN_CHINESE |= {"Markdown (*.md)", "PDF (*.pdf)", "{name}: {why}"}
MARKED_ELSEWHERE = {"command.py", "menus.py", "shortcuts.py", "sampling_form.py", "told.py"}
"""They say texts of tables in which each is marked with QT_TRANSLATE_NOOP."""
TOOLS = Path(sys.executable).parent


def messages(file: Path) -> list[tuple[str, str, str, bool]]:
    """Context, source, translation (plural forms joined) and whether it is finished, of a .ts file."""
    found = []
    for context in ElementTree.parse(file).iter("context"):
        for message in context.iter("message"):
            translation = message.find("translation")
            assert translation is not None
            text = "".join(translation.itertext()).strip()
            finished = translation.get("type") is None and bool(text)
            found.append((context.findtext("name", ""), message.findtext("source", ""), text, finished))
    return found


def collect(language: str, folder: Path, *options: str) -> Path:
    """The .ts file as `make translations` would leave it: with the texts of now."""
    file = folder / f"falconet_{language}.ts"
    file.write_bytes((FOLDER / file.name).read_bytes())
    sources = sorted(map(str, DESKTOP.rglob("*.py")))
    tool = [str(TOOLS / "pyside6-lupdate"), "-silent", "-locations", "none", "-no-obsolete", *options]
    subprocess.run([*tool, *sources, "-ts", str(file)], check=True, capture_output=True, timeout=patience.SECONDS)
    return file


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Chinese file of now."""
    return collect("zh_CN", tmp_path_factory.mktemp("translations"))


def test_every_text_has_a_finished_chinese_translation(collected: Path) -> None:
    missing = [f"{context}: {source}" for context, source, _, finished in messages(collected) if not finished]
    assert missing == [], "run `make translations`, translate what is unfinished, and run it again"


def test_no_text_is_collected_that_the_file_does_not_have(collected: Path) -> None:
    assert messages(collected) == messages(FOLDER / "falconet_zh_CN.ts"), "run `make translations`"


def test_a_text_is_written_where_it_is_translated() -> None:
    """The tool that collects them reads no variables and no f-strings: what it does not see would stay English."""
    unseen = []
    for file in DESKTOP.rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        within = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
        for call in ast.walk(tree):
            if not isinstance(call, ast.Call) or file.name in MARKED_ELSEWHERE:
                continue
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            if name == "translate" and len(call.args) == 1:  # a str's
                continue
            texts = {"translate": call.args[:2], "tr": call.args[:1]}.get(name, [])
            if any(call in within or not isinstance(text, ast.Constant) for text in texts):
                unseen.append(f"{file.name}:{call.lineno}")
    assert unseen == []


def test_chinese_is_chinese_with_the_same_fields(collected: Path) -> None:
    for _, source, text, _ in messages(collected):
        assert CHINESE.search(text) or source in SAME_IN_CHINESE, source
        assert sorted(re.findall(r"\{\w*\}|%n|%\d", source)) == sorted(set(re.findall(r"\{\w*\}|%n|%\d", text))), source
        assert ("&" in source) == ("&" in text), source
        assert source.endswith("…") == text.endswith("…"), source


def test_every_text_with_a_number_has_an_english_one_and_many(tmp_path: Path) -> None:
    file = collect("en", tmp_path, "-pluralonly", "-target-language", "en")
    assert messages(file) == messages(FOLDER / file.name), "run `make translations`"
    for message in ElementTree.parse(file).iter("message"):
        forms = [form.text or "" for form in message.iter("numerusform")]
        assert len(set(forms)) == 2, message.findtext("source")
        assert all("%n" in form and "(s)" not in form for form in forms), forms


def test_one_and_many_are_told_apart_in_english(application: QApplication) -> None:
    set_language(application, "en")
    said = [QCoreApplication.translate("ChatsController", "%n chat(s) deleted.", "", number) for number in (1, 3)]
    assert said == ["1 chat deleted.", "3 chats deleted."]


@pytest.mark.parametrize("language", ["zh_CN", "en"])
def test_the_compiled_file_is_made_of_this_source(tmp_path: Path, language: str) -> None:
    made = tmp_path / "made.qm"
    tool = [str(TOOLS / "pyside6-lrelease"), "-silent", str(FOLDER / f"falconet_{language}.ts"), "-qm", str(made)]
    subprocess.run(tool, check=True, capture_output=True, timeout=patience.SECONDS)
    assert made.read_bytes() == (FOLDER / f"falconet_{language}.qm").read_bytes(), "run `make translations`"


def test_the_windows_texts_change_live_and_back(application: QApplication, qtbot: QtBot) -> None:
    window, dialog = MainWindow(), SettingsDialog(Settings())
    qtbot.addWidget(window)
    qtbot.addWidget(dialog)

    def texts() -> list[str]:
        return [
            window.composer.edit.placeholderText(),
            window.header.model_button.text().strip(),
            window.banner.close_button.accessibleName(),
            dialog.windowTitle(),
            dialog.theme_box.itemText(1),
            *(window.action(command.id).text() for command in COMMANDS),
            *(menu.title() for menu in window.menuBar().findChildren(QMenu)),
        ]

    english = texts()
    set_language(application, "zh_CN")
    QApplication.processEvents()
    assert [text for text in texts() if text and not CHINESE.search(text)] == []
    set_language(application, "en")
    QApplication.processEvents()
    assert [text for text in texts() if text] == [text for text in english if text]


def test_qts_own_buttons_are_chinese_too(application: QApplication, qtbot: QtBot) -> None:
    set_language(application, "zh_CN")
    box = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
    qtbot.addWidget(box)
    assert CHINESE.search(box.button(QDialogButtonBox.StandardButton.Cancel).text())


def test_the_sheet_of_shortcuts_shows_chinese_without_the_letters_of_menus(
    application: QApplication, qtbot: QtBot
) -> None:
    set_language(application, "zh_CN")
    sheet = ShortcutSheet()
    qtbot.addWidget(sheet)
    keys = QKeySequence("Ctrl+N").toString(QKeySequence.SequenceFormat.NativeText)
    assert sheet.rows()[0] == ("新建对话", keys)
    assert [name for name, _ in sheet.rows() if "(" in name or "&" in name] == []


def test_arabic_turns_the_window_round(application: QApplication, qtbot: QtBot) -> None:
    window = MainWindow()
    qtbot.addWidget(window)
    window.resize(1000, 700)
    window.show()

    def left_of(first: str, second: str) -> bool:
        parts: dict[str, QWidget | None] = {
            "list": window.splitter.widget(0),
            "chat": window.splitter.widget(1),
            "button": window.composer.button,
            "text": window.composer.edit,
            "sidebar button": window.header.sidebar_button,
            "model": window.header.model_button,
        }
        left, right = parts[first], parts[second]
        assert left is not None
        assert right is not None
        return left.mapToGlobal(left.rect().center()).x() < right.mapToGlobal(right.rect().center()).x()

    pairs = [("list", "chat"), ("text", "button"), ("sidebar button", "model")]
    assert all(left_of(*pair) for pair in pairs)
    set_language(application, "ar")
    QApplication.processEvents()
    assert window.layoutDirection() == Qt.LayoutDirection.RightToLeft
    assert not any(left_of(*pair) for pair in pairs)


def test_the_language_is_told_to_qts_numbers_and_dates(application: QApplication) -> None:
    set_language(application, "zh_CN")
    assert QLocale().language() == QLocale.Language.Chinese
