"""Settings, settings of a chat, welcome, shortcuts and About: what they show and what they tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible, QContextMenuEvent, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QMenu, QWidget
from pytestqt.qtbot import QtBot

from desktop.settings import Settings
from desktop.store.records import Preset
from desktop.translation import set_language
from desktop.views.about import AboutDialog
from desktop.views.chat_settings import ChatSettingsPanel
from desktop.views.commands import commands
from desktop.views.parts import Paragraph
from desktop.views.sampling_form import NUMBERS, SamplingForm
from desktop.views.settings_dialog import SettingsDialog
from desktop.views.shortcuts import ShortcutSheet
from desktop.views.theme import theme
from desktop.views.welcome import Welcome, WelcomeChoice
from runtime import GenerationOptions, SamplingConfig
from tests.desktop.engines import PATIENCE

OPTIONS = GenerationOptions(
    sampling=SamplingConfig(
        temperature=0.3, top_p=0.9, top_k=40, min_p=0.05, repetition_penalty=1.1, seed=7, typical_p=0.5
    ),
    max_new_tokens=200,
    stop=("\nUser:", "a\\b"),
    context_policy="rolling",
)


def nameless(widget: QWidget) -> list[QWidget]:
    """Controls that a screen reader has no word for."""
    return [
        child
        for child in widget.findChildren(QWidget)
        if child.focusPolicy() & Qt.FocusPolicy.TabFocus
        and child.isVisibleTo(widget)
        and not child.objectName().startswith("qt_")
        and not QAccessible.queryAccessibleInterface(child).text(QAccessible.Text.Name)
    ]


def told_by(form: SamplingForm) -> list[GenerationOptions]:
    told: list[GenerationOptions] = []
    form.optionsChanged.connect(told.append)
    return told


@pytest.fixture
def form(qtbot: QtBot) -> SamplingForm:
    made = SamplingForm()
    qtbot.addWidget(made)
    made.show()
    return made


@pytest.fixture
def panel(qtbot: QtBot) -> ChatSettingsPanel:
    made = ChatSettingsPanel()
    qtbot.addWidget(made)
    made.show()
    return made


def test_options_that_are_shown_are_the_options_that_are_read(form: SamplingForm) -> None:
    told = told_by(form)
    form.set_options(OPTIONS)
    assert form.options() == OPTIONS  # those without a field, such as typical_p, included
    assert told == []


def test_a_number_is_told_as_it_is_typed(form: SamplingForm) -> None:
    told = told_by(form)
    form.fields["temperature"].clear()
    QTest.keyClicks(form.fields["temperature"], "1.5")
    assert told[-1].sampling.temperature == 1.5


def test_a_comma_is_a_decimal_point(form: SamplingForm) -> None:
    told = told_by(form)
    form.fields["top_p"].clear()
    QTest.keyClicks(form.fields["top_p"], "0,5")
    assert told[-1].sampling.top_p == 0.5


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("temperature", "-1", "Temperature must be a number from 0 to 100."),
        ("temperature", "warm", "Temperature must be a number from 0 to 100."),
        ("temperature", "nan", "Temperature must be a number from 0 to 100."),
        ("top_p", "0", "Top-p must be a number above 0 and no more than 1."),
        ("top_k", "2.5", "Top-k must be a whole number from 0 to 1,000,000."),
        ("min_p", "2", "Min-p must be a number from 0 to 1."),
        ("repetition_penalty", "0", "Repetition penalty must be a number from 0.1 to 10."),
        ("max_new_tokens", "0", "Longest answer must be a whole number from 1 to 1,000,000."),
        ("seed", "-3", "Seed must be a whole number from 0 to 4,294,967,295."),
        ("seed", "1_000", "Seed must be a whole number from 0 to 4,294,967,295."),
        ("temperature", "1_0", "Temperature must be a number from 0 to 100."),
    ],
)
def test_a_wrong_value_is_said_under_its_field_and_not_told(
    form: SamplingForm, name: str, text: str, sentence: str
) -> None:
    told = told_by(form)
    form.fields[name].clear()
    told.clear()
    QTest.keyClicks(form.fields[name], text)
    assert form.errors[name].isVisible()
    assert sentence in form.errors[name].text()
    assert sentence in form.fields[name].accessibleDescription()
    assert [error for other, error in form.errors.items() if other != name and error.isVisible()] == []
    before = form.options()
    other = "top_k" if name != "top_k" else "temperature"
    form.fields[other].clear()
    QTest.keyClicks(form.fields[other], "7")
    assert getattr(told[-1].sampling, other) == 7, "what is right is not lost for what is wrong"
    assert replace(told[-1], sampling=replace(told[-1].sampling, **{other: getattr(before.sampling, other)})) == before
    assert form.errors[name].isVisible()
    form.set_options(OPTIONS)
    assert not form.errors[name].isVisible()


@pytest.mark.parametrize(
    ("name", "taken", "refused"),
    [
        ("temperature", ("0", "100"), ("-0.01", "100.01")),
        ("top_p", ("0.01", "1"), ("0", "1.01")),
        ("top_k", ("0", "1000000"), ("-1", "1000001", "1_000", "9" * 20)),
        ("min_p", ("0", "1"), ("-0.01", "1.01")),
        ("repetition_penalty", ("0.1", "10"), ("0.09", "10.01")),
        ("max_new_tokens", ("1", "1000000"), ("0", "1000001", "1_000", "9" * 20)),
        ("seed", ("0", "4294967295"), ("-1", "4294967296", "1_000", "9" * 20)),
    ],
)
def test_the_range_that_is_said_is_the_range_that_is_taken(
    form: SamplingForm, name: str, taken: tuple[str, ...], refused: tuple[str, ...]
) -> None:
    for text in (*taken, *refused):
        form.fields[name].selectAll()
        QTest.keyClicks(form.fields[name], text)
        assert form.errors[name].isHidden() == (text in taken), text


def test_what_is_wrong_is_said_in_the_language_of_now(application: QApplication, form: SamplingForm) -> None:
    form.fields["top_p"].selectAll()
    QTest.keyClicks(form.fields["top_p"], "3")
    assert form.errors["top_p"].text().startswith("Top-p must be")
    set_language(application, "zh_CN")
    application.processEvents()
    assert form.errors["top_p"].text() == "Top-p 必须是大于 0 且不大于 1 的数。"


def test_a_number_that_turns_out_wrong_leaves_what_was_there_before_it(form: SamplingForm) -> None:
    form.set_options(OPTIONS)
    field = form.fields["top_k"]
    told = told_by(form)
    field.selectAll()
    QTest.keyClicks(field, "25.5")
    assert told[-1] == form.options() == OPTIONS
    field.selectAll()
    QTest.keyClicks(field, "33")
    QTest.keyClick(field, Qt.Key.Key_Return)
    field.selectAll()
    QTest.keyClicks(field, "1.5")
    assert told[-1].sampling.top_k == 33


def test_empty_fields_mean_no_limit_and_no_seed(form: SamplingForm) -> None:
    form.set_options(OPTIONS)
    for name in ("max_new_tokens", "seed"):
        form.fields[name].selectAll()
        QTest.keyClick(form.fields[name], Qt.Key.Key_Delete)
    read = form.options()
    assert read.max_new_tokens is None
    assert read.sampling.seed is None


def test_stop_texts_are_lines_that_may_hold_a_line_break(form: SamplingForm) -> None:
    told = told_by(form)
    form.stop.setPlainText("\\nUser:\n\nEND")
    assert told[-1].stop == ("\nUser:", "END")


def test_every_number_has_a_name_and_an_explanation(form: SamplingForm) -> None:
    for number in NUMBERS:
        assert form.fields[number.name].accessibleName()
        assert form.fields[number.name].accessibleDescription()


def test_a_prompt_is_told_after_a_pause_and_at_once_where_asked(panel: ChatSettingsPanel, qtbot: QtBot) -> None:
    told: list[str] = []
    panel.promptChanged.connect(told.append)
    panel.set_chat("Be brief.", OPTIONS)
    panel.flush()
    assert told == []
    with qtbot.waitSignal(panel.promptChanged, timeout=PATIENCE):
        QTest.keyClicks(panel.prompt, "X")
    QTest.keyClicks(panel.prompt, "Y")
    panel.flush()
    assert told == ["XBe brief.", "XYBe brief."]


def test_presets_are_chosen_and_deleted_by_their_ids(panel: ChatSettingsPanel, qtbot: QtBot) -> None:
    presets = [Preset(id=n, name=name, system_prompt="", options=OPTIONS) for n, name in ((3, "Brief"), (5, "Wild"))]
    panel.set_presets(presets)
    assert not panel.delete_action.isEnabled()
    with qtbot.waitSignal(panel.presetChosen) as chosen:
        panel.preset_box.setFocus()
        QTest.keyClick(panel.preset_box, Qt.Key.Key_Down)
    assert chosen.args == [3]
    panel.set_presets(presets, current=5)
    assert panel.preset_box.currentText() == "Wild"
    with qtbot.waitSignal(panel.presetDeleteRequested) as deleted:
        panel.delete_action.trigger()
    assert deleted.args == [5]


def test_back_to_the_defaults_keeps_the_prompt(panel: ChatSettingsPanel, qtbot: QtBot) -> None:
    panel.set_chat("Be brief.", OPTIONS)
    with qtbot.waitSignal(panel.optionsChanged) as changed:
        panel.reset_action.trigger()
    assert changed.args == [GenerationOptions()]
    assert panel.form.options() == GenerationOptions()
    assert panel.prompt.toPlainText() == "Be brief."


def test_every_setting_is_told_with_all_the_others(qtbot: QtBot) -> None:
    dialog = SettingsDialog(Settings(send_with="ctrl_enter"))
    qtbot.addWidget(dialog)
    told: list[Settings] = []
    dialog.settingsChanged.connect(told.append)
    dialog.theme_box.setCurrentIndex(2)
    dialog.contrast.click()
    dialog.motion_box.setCurrentIndex(1)
    dialog.language_box.setCurrentIndex(2)
    dialog.send_box.setCurrentIndex(0)
    dialog.policy_box.setCurrentIndex(1)
    dialog.device_box.setCurrentIndex(dialog.device_box.findData("processor"))
    dialog.text_size.slider.setValue(15)
    assert told[-1] == Settings(
        theme="dark",
        high_contrast=True,
        reduced_motion="on",
        language="zh_CN",
        send_with="enter",
        context_policy="truncate-middle",
        compute_on="processor",
        text_size=150,
    )
    assert len(told) == 8


def test_the_dialog_shows_what_was_changed_elsewhere(qtbot: QtBot) -> None:
    dialog = SettingsDialog(Settings())
    qtbot.addWidget(dialog)
    told: list[Settings] = []
    dialog.settingsChanged.connect(told.append)
    changed = Settings(
        theme="dark",
        high_contrast=True,
        reduced_motion="on",
        language="zh_CN",
        send_with="ctrl_enter",
        context_policy="stop",
        compute_on="processor",
        text_size=120,
    )
    dialog.set_settings(changed)
    assert told == []
    assert dialog.contrast.isChecked()
    assert dialog.text_size.slider.value() == 12
    boxes = (
        dialog.theme_box,
        dialog.motion_box,
        dialog.language_box,
        dialog.send_box,
        dialog.policy_box,
        dialog.device_box,
    )
    assert [box.currentData() for box in boxes] == ["dark", "on", "zh_CN", "ctrl_enter", "stop", "processor"]


CHOICES = [
    WelcomeChoice(key="big", name="big", note="too large", possible=False),
    WelcomeChoice(key="tiny", name="tiny", note="10 MB"),
    WelcomeChoice(key="middle", name="middle", note="1 GB"),
]


def test_the_welcome_takes_the_first_model_that_is_possible_and_tells_another(qtbot: QtBot) -> None:
    page = Welcome(CHOICES)
    qtbot.addWidget(page)
    assert page.key() == "tiny"
    page.choose("middle")
    with qtbot.waitSignal(page.chosen) as chosen:
        page.start_button.click()
    assert chosen.args == ["middle"]


@pytest.mark.parametrize("percent", [100, 150, 200])
@pytest.mark.parametrize("width", [440, 900])
def test_the_welcome_is_cut_at_no_side(application: QApplication, qtbot: QtBot, percent: int, width: int) -> None:
    theme().apply(Settings(text_size=percent))
    page = Welcome(CHOICES)
    qtbot.addWidget(page)
    page.resize(width, 480)
    page.show()
    QApplication.processEvents()
    assert page.horizontalScrollBar().maximum() == 0


def test_the_welcome_without_models_still_begins(qtbot: QtBot) -> None:
    page = Welcome([])
    qtbot.addWidget(page)
    with qtbot.waitSignal(page.chosen) as chosen:
        page.start_button.click()
    assert chosen.args == [""]


def test_the_welcome_says_that_everything_stays_here(qtbot: QtBot) -> None:
    page = Welcome(CHOICES)
    qtbot.addWidget(page)
    heard = " ".join(label.accessibleName() or label.text() for label in page.findChildren(QLabel))
    assert "stays on this computer" in heard
    assert "memory" in heard


def test_the_sheet_has_every_command_with_keys_and_finds_them(qtbot: QtBot) -> None:
    sheet = ShortcutSheet()
    qtbot.addWidget(sheet)
    assert len(sheet.rows()) == sum(bool(command.key_sequences()) for command in commands())
    QTest.keyClicks(sheet.filter, "new chat")
    assert [name for name, _ in sheet.rows()] == ["New Chat"]
    sheet.filter.setText(QKeySequence("Ctrl+Shift+E").toString(QKeySequence.SequenceFormat.NativeText).lower())
    assert [name for name, _ in sheet.rows()] == ["Export Chat"]


def test_about_says_where_the_chats_are_and_whose_parts_it_has(qtbot: QtBot, tmp_path: Path) -> None:
    dialog = AboutDialog(tmp_path)
    qtbot.addWidget(dialog)
    heard = " ".join(label.accessibleName() or label.text() for label in dialog.findChildren(QLabel))
    for words in (str(tmp_path), "Apache", "LGPL", "Lucide"):
        assert words in heard


@pytest.mark.parametrize("way", ["keys", "menu"])
def test_the_folder_of_the_chats_is_copied_as_it_is(qtbot: QtBot, way: str) -> None:
    folder = Path("/home/someone/.local/share/a-folder-with-a-long-name/Falconet")
    dialog = AboutDialog(folder)
    qtbot.addWidget(dialog)
    dialog.show()
    (place,) = (label for label in dialog.findChildren(Paragraph) if str(folder) in label.accessibleName())
    place.setFocus()
    QTest.keySequence(place, QKeySequence(QKeySequence.StandardKey.SelectAll))
    if way == "keys":
        QTest.keySequence(place, QKeySequence(QKeySequence.StandardKey.Copy))
    else:
        middle = place.rect().center()
        QApplication.sendEvent(
            place, QContextMenuEvent(QContextMenuEvent.Reason.Mouse, middle, place.mapToGlobal(middle))
        )
        (menu,) = place.findChildren(QMenu)
        menu.actions()[0].trigger()
        menu.close()
    assert QApplication.clipboard().text() == f"Your chats are in {folder}."


DIALOGS: dict[str, Callable[[], QWidget]] = {
    "settings": lambda: SettingsDialog(Settings()),
    "panel": ChatSettingsPanel,
    "welcome": lambda: Welcome(CHOICES),
    "sheet": ShortcutSheet,
    "about": lambda: AboutDialog(Path("chats")),
}


@pytest.mark.parametrize("kind", DIALOGS)
def test_every_control_of_every_dialog_has_a_name_in_words(qtbot: QtBot, kind: str) -> None:
    made = DIALOGS[kind]()
    qtbot.addWidget(made)
    made.show()
    assert nameless(made) == []
