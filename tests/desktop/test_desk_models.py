"""The whole window with its dialog of models: what its buttons do, with real exports, examinations and services."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.errors import KeyringLocked
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QApplication, QRadioButton
from pytestqt.qtbot import QtBot

from desktop.desk import Desk
from desktop.engine import EMBEDDED
from desktop.library import ExportRequest, ExportState
from desktop.store.records import StoredMessage
from desktop.views.models.dialog import ModelsDialog
from desktop.views.models.export_progress import ExportProgress
from desktop.views.models.service_dialog import ServiceDialog
from desktop.views.welcome import Welcome
from tests.desktop.engines import GREEDY, end, kill_model, new_desk, wait
from tests.desktop.test_keychain import SECRET, InMemory
from tests.runtime.openai_server import Handler, OpenAIServer

CAPITAL = "What is the capital of France?"
EXPORTED = "falcon-tiny-instruct-int8"
needs_exporter = pytest.mark.skipif(sys.platform == "win32", reason="Core ML packages cannot be written on Windows")


@pytest.fixture(scope="module")
def desk(qapp: QApplication, tiny_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One window and one engine for all tests here."""
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FALCONET_CACHE", str(tiny_cache))
        patch.setenv("FALCONET_DATA", str(folder))
        desk = new_desk(qapp, folder)
        desk.begin()
        yield desk
        end(desk)


@pytest.fixture
def keychain() -> Iterator[InMemory]:
    """The system's keychain, in memory while a test runs."""
    before = keyring.get_keyring()
    backend = InMemory()
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


@pytest.fixture
def chat(desk: Desk) -> int:
    desk.chats.begin()
    assert desk.conversation.chat is not None
    desk.store.set_options(desk.conversation.chat.id, GREEDY)
    desk.conversation.refresh()
    return desk.conversation.chat.id


@pytest.fixture
def dialog(qtbot: QtBot, desk: Desk) -> Iterator[ModelsDialog]:
    """The dialog as its command opens it, with the embedded model at work behind it."""
    wait(qtbot, lambda: desk.host.status.kind == "ready")
    desk.shell.window.action("models").trigger()
    (found,) = desk.shell.window.findChildren(ModelsDialog)
    wait(qtbot, lambda: EMBEDDED.key in listed(found))
    yield found
    for left in desk.shell.window.findChildren(ModelsDialog):
        left.close()


def listed(dialog: ModelsDialog) -> list[str]:
    return dialog.local.list.keys()


def press(qtbot: QtBot, button: QAbstractButton) -> None:
    """As a user can: only what is seen and enabled."""
    assert button.isVisible()
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def answers_now(desk: Desk) -> str:
    """The key of the model that is ready; empty where none is."""
    status = desk.host.status
    return status.source.key if status.kind == "ready" and status.source is not None else ""


def ask(qtbot: QtBot, desk: Desk, chat: int, text: str) -> StoredMessage:
    composer = desk.shell.window.composer
    composer.edit.setPlainText(text)
    qtbot.keyClick(composer.edit, Qt.Key.Key_Return)
    wait(qtbot, lambda: desk.answers.in_chat(chat) is None)
    return desk.store.path(chat)[-1].message


def test_the_embedded_model_stands_in_the_list_with_what_it_is_and_that_it_fits(
    qtbot: QtBot, desk: Desk, dialog: ModelsDialog
) -> None:
    local = dialog.local
    assert local.list.choose(EMBEDDED.key)
    wait(qtbot, lambda: bool(local.details.values["memory"].text()))
    (entry,) = [entry for entry in desk.models.library.entries if entry.key == EMBEDDED.key]
    shown = {name: value.text() for name, value in local.details.values.items() if value.isVisible()}
    assert local.details.name.text() == "falcon-tiny-instruct"
    assert shown["format"] == entry.format
    assert shown["disk"].endswith("MB")
    assert shown["context"] == "2,048 tokens"
    assert shown["memory"].startswith("Fits this computer.")
    assert "MB" in shown["memory"] or "GB" in shown["memory"]
    note = local.list.currentItem().data(Qt.ItemDataRole.AccessibleTextRole)
    assert note.startswith("falcon-tiny-instruct, In use · ")
    assert not local.details.remove_button.isEnabled()
    desk.models.welcome.show()
    page = desk.shell.window.findChild(Welcome)
    assert isinstance(page, Welcome)
    notes = [choice.accessibleDescription() for choice in page.findChildren(QRadioButton)]
    assert notes[0].startswith(f"Comes with Falconet: {shown['disk']}, quick")
    desk.shell.window.show_chat()


def test_a_model_is_unloaded_and_loaded_again_and_the_header_says_so(
    qtbot: QtBot, desk: Desk, dialog: ModelsDialog
) -> None:
    details, header = dialog.local.details, desk.shell.window.header
    dialog.local.list.choose(EMBEDDED.key)
    press(qtbot, details.unload_button)
    wait(qtbot, lambda: desk.host.status.kind == "unloaded")
    assert "not loaded" in header.model_button.text()
    assert not details.unload_button.isVisible()
    press(qtbot, details.load_button)
    wait(qtbot, lambda: desk.host.status.kind == "ready")
    assert "not loaded" not in header.model_button.text()
    assert header.model_button.accessibleName() == "Model: falcon-tiny-instruct. ready"
    assert details.unload_button.isVisible()


def test_a_model_that_fails_is_told_in_the_dialog_that_lies_over_the_window(
    qtbot: QtBot, desk: Desk, dialog: ModelsDialog
) -> None:
    kill_model()
    wait(qtbot, lambda: desk.host.status.kind == "failed")
    assert dialog.banner.sentence == desk.host.status.sentence
    press(qtbot, dialog.banner.button)
    wait(qtbot, lambda: desk.host.status.kind == "ready")
    assert dialog.banner.sentence == ""


@needs_exporter
def test_an_export_is_cancelled_goes_on_and_its_bundle_is_listed_and_loaded(
    qtbot: QtBot, desk: Desk, dialog: ModelsDialog, chat: int
) -> None:
    local, page, header = dialog.local, dialog.export, desk.shell.window.header
    states: list[ExportState] = []
    paces: list[str] = []
    desk.models.exports.job.changed.connect(states.append)

    def look(_state: ExportState) -> None:
        paces.append(page.progress.pace.text())

    desk.models.exports.job.changed.connect(look)
    press(qtbot, local.export_button)
    wait(qtbot, lambda: page.form.model_box.findData("falcon-tiny-instruct") >= 0)
    page.form.choose("falcon-tiny-instruct", "int8")
    press(qtbot, page.form.export_button)
    wait(qtbot, lambda: bool(states) and bool(states[-1].stage))
    assert page.progress.title.text() == f"Exporting {EXPORTED}"
    assert header.export_button.text().strip().endswith("%")
    press(qtbot, page.progress.cancel_button)
    wait(qtbot, lambda: states[-1].over)
    stopped = states[-1]
    assert stopped.kind == "stopped"
    assert page.progress.title.text() == f"{EXPORTED} is not finished"
    assert not header.export_button.isVisible()
    assert all(EXPORTED not in key for key in listed(dialog))
    press(qtbot, page.progress.go_on_button)
    wait(qtbot, lambda: states[-1].over)
    done = states[-1]
    assert done.kind == "done", done.error
    desk.models.exports.job.changed.disconnect(look)
    assert any(" of " in pace for pace in paces)
    assert any(" a second" in pace or " left" in pace for pace in paces)
    assert page.progress.title.text() == f"{EXPORTED} is ready"
    wait(qtbot, lambda: any(key.endswith(EXPORTED) for key in listed(dialog)))
    banner = desk.shell.window.banner
    assert banner.sentence == f"{EXPORTED} is ready."
    press(qtbot, page.progress.load_button)
    assert banner.sentence == ""  # what its button would do was done
    wait(qtbot, lambda: answers_now(desk).endswith(EXPORTED))
    answer = ask(qtbot, desk, chat, CAPITAL)
    assert (answer.model, answer.text) == (EXPORTED, "The capital of France is Paris.")
    dialog.show_page("local")
    (key,) = [key for key in listed(dialog) if key.endswith(EXPORTED)]
    local.list.choose(key)
    assert local.details.values["format"].text() == "int8"
    local.list.choose(EMBEDDED.key)
    press(qtbot, local.details.load_button)
    wait(qtbot, lambda: answers_now(desk) == EMBEDDED.key)


@needs_exporter
def test_an_export_that_was_given_up_is_not_offered_again(qtbot: QtBot, desk: Desk, dialog: ModelsDialog) -> None:
    page, exports = dialog.export, desk.models.exports
    press(qtbot, dialog.local.export_button)
    if page.progress.forget_button.isVisible():  # an export that another test left finished
        press(qtbot, page.progress.forget_button)
    wait(qtbot, lambda: page.form.model_box.findData("falcon-tiny-instruct") >= 0)
    page.form.choose("falcon-tiny-instruct", "lut8")
    press(qtbot, page.form.export_button)
    wait(qtbot, page.progress.cancel_button.isVisible)
    press(qtbot, page.progress.cancel_button)
    wait(qtbot, page.progress.go_on_button.isVisible)
    press(qtbot, page.progress.forget_button)
    assert page.form.isVisible()
    assert exports.waiting is None
    dialog.close()
    desk.models.open("export")
    (again,) = [found for found in desk.shell.window.findChildren(ModelsDialog) if found.isVisible()]
    assert again.export.form.isVisible()


def test_the_check_runs_from_its_button_and_shows_what_it_found(qtbot: QtBot, desk: Desk, dialog: ModelsDialog) -> None:
    details = dialog.local.details
    dialog.local.list.choose(EMBEDDED.key)
    press(qtbot, details.check_button)
    assert not details.check_button.isEnabled()
    check = desk.models.checks.dialog
    assert check is not None
    assert check.cancel_button.isVisible()
    wait(qtbot, check.verdict.isVisible)
    assert check.title.text() == "falcon-tiny-instruct"
    assert "This model works as it should on this computer." in check.verdict.text()
    assert "Interpreter: works, " in check.findings.text()
    assert "tokens a second" in check.findings.text()
    assert check.save_button.isVisible()
    assert not check.bar.isVisible()
    assert details.check_button.isEnabled()
    check.close()


def test_a_service_with_a_key_is_added_answers_and_its_key_is_in_the_keychain_alone(
    qtbot: QtBot, desk: Desk, dialog: ModelsDialog, chat: int, keychain: InMemory
) -> None:
    def behave(handler: Handler) -> None:
        if handler.path == "/v1/models":
            return handler.answer(200, {"object": "list", "data": [{"id": "far"}]})
        handler.begin()
        handler.text("From far away.")
        handler.text("", finish="stop")
        return handler.event("[DONE]")

    page = dialog.services
    dialog.show_page("services")
    with OpenAIServer(behave) as server:
        press(qtbot, page.add_button)
        (form,) = page.findChildren(ServiceDialog)
        for edit, text in ((form.name, "Far"), (form.url, server.url), (form.key, SECRET)):
            edit.setFocus()
            qtbot.keyClicks(edit, text)
        press(qtbot, form.save_button)
        wait(qtbot, lambda: SECRET in keychain.kept.values())
        (service,) = desk.store.services()
        assert page.list.keys() == [str(service.id)]
        press(qtbot, page.load_button)
        wait(qtbot, lambda: answers_now(desk).startswith("service:"))
        assert desk.shell.window.header.model_button.accessibleName().startswith("Remote service: Far.")
        answer = ask(qtbot, desk, chat, CAPITAL)
        assert (answer.text, answer.state) == ("From far away.", "complete")
        path, headers, body = server.requests[-1]
        assert path == "/v1/chat/completions"
        assert headers["authorization"] == f"Bearer {SECRET}"
        assert body["messages"][-1] == {"role": "user", "content": CAPITAL}
    data = Path(desk.models.library.folders[0]).parent
    assert (data / "chats.sqlite3").is_file()
    assert not any(SECRET.encode() in file.read_bytes() for file in data.rglob("*") if file.is_file())
    desk.models.services.remove(service)
    wait(qtbot, lambda: answers_now(desk) == EMBEDDED.key)
    wait(qtbot, lambda: keychain.kept == {})


def test_a_key_that_the_keychain_does_not_give_can_be_typed_from_the_sentence_about_it(
    qtbot: QtBot, desk: Desk, keychain: InMemory
) -> None:
    service = desk.store.save_service("Far", "http://127.0.0.1:9/v1", "far", True)
    keychain.trouble = KeyringLocked()
    banner = desk.shell.window.banner
    desk.models.services.load(service.id)
    wait(qtbot, lambda: banner.button.text() == "Enter the Key…")
    press(qtbot, banner.button)
    (form,) = desk.shell.window.findChildren(ServiceDialog)
    assert form.url.text() == "http://127.0.0.1:9/v1"
    assert form.focusWidget() is form.key
    form.reject()
    for left in desk.shell.window.findChildren(ModelsDialog):
        left.close()
    desk.models.services.remove(service)
    desk.models.load(EMBEDDED.key)
    wait(qtbot, lambda: answers_now(desk) == EMBEDDED.key)


def test_the_bar_of_an_export_and_the_header_tell_of_one_share(qtbot: QtBot) -> None:
    progress = ExportProgress()
    qtbot.addWidget(progress)
    request = ExportRequest(model="falcon-7b", output=Path("falcon-7b-lut4"))
    for stage, done in (("download", 50), ("verify", 0), ("verify", 25)):
        state = ExportState(kind="running", request=request, stage=stage, done=done, total=100)
        progress.set_state(state)
        share = state.share
        assert share is not None
        assert progress.bar.value() / progress.bar.maximum() == pytest.approx(share, abs=0.001)
    progress.set_state(ExportState(kind="running", request=request))
    assert progress.bar.maximum() == 0  # it moves to and fro until a share is known


@pytest.mark.parametrize("by_key", [False, True])
def test_enter_after_a_test_of_a_service_saves_what_was_typed(qtbot: QtBot, by_key: bool) -> None:
    dialog = ServiceDialog()
    qtbot.addWidget(dialog)
    dialog.open()
    dialog.activateWindow()
    wait(qtbot, dialog.isActiveWindow)
    dialog.key.setFocus()
    dialog.url.setText("https://example.com/v1")
    asked: list[object] = []
    kept: list[object] = []
    dialog.testRequested.connect(asked.append)
    dialog.agreed.connect(kept.append)
    if by_key:
        dialog.test_button.setFocus(Qt.FocusReason.TabFocusReason)
        qtbot.keyClick(dialog.test_button, Qt.Key.Key_Return)
    else:
        qtbot.mouseClick(dialog.test_button, Qt.MouseButton.LeftButton)
        assert dialog.focusWidget() is dialog.key
    assert asked == [dialog.form()]
    focused = dialog.focusWidget()
    assert focused is not None
    qtbot.keyClick(focused, Qt.Key.Key_Return)
    assert kept == asked
    assert dialog.result() == dialog.DialogCode.Accepted


def test_a_preset_is_deleted_from_its_menu(qtbot: QtBot, desk: Desk, chat: int) -> None:
    panel = desk.shell.chat_settings()
    panel.prompt.setPlainText("Answer in one word.")
    panel.flush()
    panel.presetSaveRequested.emit("Terse")
    assert panel.preset_box.currentText() == "Terse"
    menu = panel.preset_menu_button.menu()
    menu.popup(panel.preset_menu_button.mapToGlobal(panel.preset_menu_button.rect().bottomLeft()))
    assert panel.delete_action.isEnabled()
    qtbot.mouseClick(menu, Qt.MouseButton.LeftButton, pos=menu.actionGeometry(panel.delete_action).center())
    assert desk.store.presets() == []
    assert panel.preset_box.currentText() == "No preset"
    assert not panel.delete_action.isEnabled()
    assert desk.store.chat(chat).system_prompt == "Answer in one word."


def test_the_meter_shows_the_tokens_that_an_answer_used(qtbot: QtBot, desk: Desk, chat: int) -> None:
    wait(qtbot, lambda: answers_now(desk) == EMBEDDED.key)
    meter = desk.shell.window.header.meter
    wait(qtbot, lambda: not meter.isVisible())  # nothing was said
    figures = ask(qtbot, desk, chat, CAPITAL).figures
    assert figures is not None
    used = figures.prompt_tokens + figures.new_tokens
    wait(qtbot, lambda: meter.accessibleName() == f"Context: {used} of 2,048 tokens used.")
    assert meter.isVisible()


def test_why_a_report_cannot_be_written_is_told_in_the_dialog_that_lies_over_the_window(
    desk: Desk, qtbot: QtBot, tiny: Path, tmp_path: Path
) -> None:
    checks, banner = desk.models.checks, desk.shell.window.banner
    checks.start(tiny, "tiny")
    checks.job.cancel()
    assert checks.dialog is not None
    checks.save(tmp_path / "gone" / "report.json", {})
    assert "report.json" in checks.dialog.trouble.text()
    assert checks.dialog.trouble.isVisible()
    assert banner.sentence == ""
    checks.save(tmp_path / "report.json", {})
    assert not checks.dialog.trouble.isVisible()
    checks.dialog.close()
    checks.save(tmp_path / "gone" / "report.json", {})
    assert "report.json" in banner.sentence
    wait(qtbot, lambda: not checks.job.running)
