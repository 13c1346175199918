"""What is shown and what a screen reader is told: Markdown, code, formulas, directions, names and roles."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAccessible, QImage, QTextCursor, QTextDocumentFragment, QTextListFormat
from PySide6.QtWidgets import QAbstractButton, QApplication, QWidget
from pytestqt.qtbot import QtBot

from desktop.settings import Settings
from desktop.text import draw
from desktop.views.conversation.body import Body, text_of
from desktop.views.conversation.code import CodeBlock
from desktop.views.conversation.maths import drawings
from desktop.views.conversation.table import TableView
from desktop.views.conversation.view import ConversationView
from desktop.views.theme import theme
from tests.desktop.conversation.conftest import LONG, answer, chat, editor, figures, message, texts, user
from tests.desktop.engines import wait


def body(view: ConversationView, text: str) -> Body:
    view.set_items([user(1, "q"), answer(2, text)])
    found: Body = message(view, 2).body
    return found


def names(role: QAccessible.Role, widget: QWidget) -> tuple[QAccessible.Role, str]:
    interface = QAccessible.queryAccessibleInterface(widget)
    assert interface is not None
    assert interface.role() == role
    return interface.role(), interface.text(QAccessible.Text.Name)


def test_a_message_is_a_group_named_by_who_says_what(view: ConversationView) -> None:
    view.set_items([user(1, "Why?"), answer(2, "**Because** $x$.")])
    assert names(QAccessible.Role.Grouping, message(view, 1))[1] == "You: Why?"
    assert names(QAccessible.Role.Grouping, message(view, 2))[1] == "Falcon: Because x."


def test_a_message_has_its_text_and_its_controls_for_children(view: ConversationView) -> None:
    view.set_items([user(1, "Why?")])
    message(view, 1).footer.show_actions(True)
    interface = QAccessible.queryAccessibleInterface(message(view, 1))
    found = [interface.child(n).text(QAccessible.Text.Name) for n in range(interface.childCount())]
    assert "You" in found
    text = QAccessible.queryAccessibleInterface(texts(view, 1)[0]).textInterface()
    assert text.text(0, text.characterCount()) == "Why?"


def test_every_button_has_a_name(view: ConversationView) -> None:
    view.set_items([user(1, "q"), answer(2, "```\nx\n```", state="interrupted", count=2, figures=figures())])
    for number in (1, 2):
        message(view, number).footer.show_actions(True)
    buttons = view.findChildren(QAbstractButton)
    assert len(buttons) > 8
    assert all(QAccessible.queryAccessibleInterface(b).text(QAccessible.Text.Name) for b in buttons)


def test_the_name_of_a_message_does_not_change_with_every_token(view: ConversationView) -> None:
    view.set_items([user(1, "q"), answer(2, "", state="streaming")])
    seen = set()
    for end in range(0, 200, 10):
        view.stream(2, LONG[:end])
        view.list.show_grown()
        seen.add(message(view, 2).accessibleName())
    view.replace(answer(2, LONG[:200]))
    assert len(seen) == 1
    assert message(view, 2).accessibleName().startswith("Falcon: Paragraph 0 has some words")


def test_what_someone_typed_is_shown_as_typed(view: ConversationView) -> None:
    text = "# no heading\n  two   spaces <b>*x*</b>\n\n\tend"
    view.set_items([user(1, text)])
    assert texts(view, 1)[0].toPlainText() == text


def test_code_has_its_language_and_is_not_wrapped(view: ConversationView) -> None:
    line = "x = " + "1 + " * 100 + "1"
    (block,) = body(view, f"```python\n{line}\n```").segments
    assert isinstance(block, CodeBlock)
    assert block.text.accessibleName() == "Code, python"
    assert block.text.horizontalScrollBar().maximum() > 0
    assert block.text.verticalScrollBar().maximum() == 0
    assert block.text.document().blockCount() == 1


def test_every_line_of_code_is_in_sight(view: ConversationView) -> None:
    (block,) = body(view, "```\n" + "\n".join(f"line {n} 中文" for n in range(40)) + "\n```").segments
    assert isinstance(block, CodeBlock)
    last = block.text.document().lastBlock()
    geometry = block.text.document().documentLayout().blockBoundingRect(last)
    assert block.text.verticalScrollBar().maximum() == 0
    assert block.text.lines_height() >= geometry.height() * 40 - 1


def test_code_is_coloured_while_it_grows_and_when_it_ends(view: ConversationView, qtbot: QtBot) -> None:
    def coloured(line: int) -> bool:
        (block,) = texts(view, 2)
        found = block.document().findBlockByNumber(line)
        return found.isValid() and bool(found.layout().formats())

    view.set_items([user(1, "q"), answer(2, "", state="streaming")])
    view.stream(2, "```python\ndef f():\n")
    wait(qtbot, lambda: bool(message(view, 2).body.segments) and coloured(0))
    view.stream(2, "```python\ndef f():\n    return 1\n")
    wait(qtbot, lambda: coloured(1))
    view.replace(answer(2, "```python\ndef f():\n    return 1\n\nclass A: pass\n```"))
    wait(qtbot, lambda: coloured(3))


def test_a_wide_table_scrolls_instead_of_being_squeezed(view: ConversationView) -> None:
    row = "|" + "|".join(f"some words in column {n}" for n in range(12)) + "|"
    (table,) = body(view, f"{row}\n|{'---|' * 12}\n{row}").segments
    assert isinstance(table, TableView)
    assert table.horizontalScrollBar().maximum() > 0
    assert table.width() <= message(view, 2).width()


LONG_CELL = "a very long cell that wraps, as it does not fit into a column beside all the others of this table"


def test_a_long_cell_wraps_and_leaves_the_other_columns_in_sight(view: ConversationView) -> None:
    (table,) = body(
        view, f"|Name|Qty|Comment|\n|---|---|---|\n|Banana|12|ripe and yellow|\n|{LONG_CELL}|1|ok|"
    ).segments
    assert isinstance(table, TableView)
    assert table.horizontalScrollBar().maximum() == 0
    assert [lines(table, text) for text in ("Banana", "12", "ripe and yellow")] == [1, 1, 1]
    assert lines(table, LONG_CELL) > 1


def test_a_word_of_any_length_is_broken_before_a_table_scrolls(view: ConversationView) -> None:
    (table,) = body(view, f"|Address|What|\n|---|---|\n|{'x' * 300}|{LONG_CELL}|").segments
    assert isinstance(table, TableView)
    assert table.horizontalScrollBar().maximum() == 0
    assert lines(table, "x" * 300) > 2


def test_a_formula_in_a_cell_takes_no_room_of_the_next_column(view: ConversationView, qtbot: QtBot) -> None:
    wide = "+".join("abcdefghi")
    text = f"|a|b|c|\n|---|---|---|\n|{'x' * 80}|${wide}$|{LONG_CELL * 3}|"
    (table,) = body(view, text).segments
    assert isinstance(table, TableView)
    wait(qtbot, lambda: "\ufffc" in table.toPlainText())
    qtbot.wait(30)
    layout, formula = table.document().documentLayout(), table.document().find("\ufffc").block()
    end = layout.blockBoundingRect(formula).left() + formula.layout().lineAt(0).naturalTextWidth()
    assert end < layout.blockBoundingRect(formula.next()).left()


def lines(table: TableView, cell: str) -> int:
    """How many lines the cell that begins so takes."""
    block = table.document().find(cell).block()
    assert block.isValid()
    return block.layout().lineCount()


def test_numbers_of_a_list_are_those_of_the_text(view: ConversationView) -> None:
    (prose,) = body(view, "7. a\n8. b\n   - c").segments
    lists = [b.textList() for b in (prose.document().findBlockByNumber(n) for n in range(3))]  # type: ignore[union-attr]
    assert [found.format().style() for found in lists] == [
        QTextListFormat.Style.ListDecimal,
        QTextListFormat.Style.ListDecimal,
        QTextListFormat.Style.ListCircle,
    ]
    assert [found.format().start() for found in lists[:2]] == [7, 8]


def test_the_box_of_a_task_is_text_that_hangs_before_the_item(view: ConversationView) -> None:
    (prose,) = body(view, f"- [x] done {'word ' * 60}\n- [ ] to do\n- plain").segments
    document = text_of(prose).document()
    done, _, plain = (document.findBlockByNumber(n) for n in range(3))
    assert document.toPlainText().endswith("\n☐ to do\nplain")
    assert done.textList() is None
    first, second = (done.layout().lineAt(n).x() for n in range(2))
    assert 0 < first < second == plain.layout().lineAt(0).x()
    message(view, 2).body.select_all()
    assert message(view, 2).body.selected_text().endswith("\n☐ to do\n• plain")
    assert view.find_text("to do") == 1
    (mark,) = text_of(prose).extraSelections()
    assert mark.cursor.selectedText() == "to do"


def test_each_paragraph_has_its_own_direction(view: ConversationView) -> None:
    (prose,) = body(view, "Hello\n\nمرحبا بالعالم\n\n- بند").segments
    document = text_of(prose).document()
    assert [document.findBlockByNumber(n).textDirection() for n in range(3)] == [
        Qt.LayoutDirection.LeftToRight,
        Qt.LayoutDirection.RightToLeft,
        Qt.LayoutDirection.RightToLeft,
    ]


def test_nothing_is_loaded_for_an_image(view: ConversationView) -> None:
    (prose,) = body(view, "![cat](https://example.com/cat.png)").segments
    assert text_of(prose).toPlainText() == "cat (https://example.com/cat.png)"
    assert "<img" not in text_of(prose).document().toHtml()


# formulas


@pytest.mark.parametrize("source", [r"x^2", r"\frac{a}{b}", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}"])
def test_formulas_are_drawn(source: str) -> None:
    drawing = draw(source, True)
    assert drawing is not None
    assert drawing.width > 0
    assert drawing.ascent + drawing.descent > 0


@pytest.mark.parametrize("source", [r"\foo{", r"\unknown x", r"\frac{", "x" * 5000])
def test_what_cannot_be_parsed_is_no_formula(source: str) -> None:
    assert draw(source, True) is None


def test_a_formula_is_a_drawing_that_is_copied_as_its_source(view: ConversationView, qtbot: QtBot) -> None:
    (prose,) = body(view, r"The root $\sqrt{2}$ and $\broken{$ are here.").segments
    text = text_of(prose)
    wait(qtbot, lambda: "\ufffc" in text.toPlainText())
    assert r"\broken{" in text.toPlainText()
    text.selectAll()
    assert text.selected_text() == r"The root $\sqrt{2}$ and \broken{ are here."
    assert r"\sqrt{2}" in text.accessibleName()


def test_the_tool_tip_of_a_formula_is_its_source_letter_by_letter(view: ConversationView, qtbot: QtBot) -> None:
    (prose,) = body(view, r"$a<b>c$").segments
    text = text_of(prose)
    wait(qtbot, lambda: "\ufffc" in text.toPlainText())
    cursor = text.document().find("\ufffc")
    assert QTextDocumentFragment.fromHtml(cursor.charFormat().toolTip()).toPlainText() == "a<b>c"


def test_all_formulas_of_a_long_message_stay(
    view: ConversationView, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawing = draw("x", False)
    monkeypatch.setattr("desktop.views.conversation.maths.draw", lambda _source, _display: drawing)  # takes no time
    sources = [f"x_{{{number}}}" for number in range(1000)]
    view.set_items([answer(1, " ".join(f"${source}$" for source in sources))])
    (prose,) = message(view, 1).body.segments
    wait(qtbot, lambda: text_of(prose).toPlainText().count("\ufffc") == len(sources))
    assert all(drawings.find(source, False) for source in sources)


def test_a_formula_is_drawn_in_the_colour_of_the_text(
    application: QApplication, view: ConversationView, qtbot: QtBot
) -> None:
    theme().apply(Settings(theme="dark"))
    (prose,) = body(view, r"$$\blacksquare$$").segments
    wait(qtbot, lambda: "\ufffc" in text_of(prose).toPlainText())
    qtbot.wait(30)
    image: QImage = view.grab().toImage()
    text = theme().color("text")
    where = prose.mapTo(view, QPoint(0, 0))
    found = {
        image.pixelColor(x, y).name()
        for x in range(where.x(), where.x() + prose.width())
        for y in range(where.y(), where.y() + prose.height())
    }
    assert text.name() in found


# the theme


def test_a_change_of_the_theme_changes_what_is_shown(application: QApplication, view: ConversationView) -> None:
    view.set_items(chat(6))
    theme().apply(Settings(theme="dark", text_size=150))
    cursor = QTextCursor(texts(view, 6)[0].document())
    cursor.movePosition(QTextCursor.MoveOperation.Right)
    assert cursor.charFormat().foreground().color() == theme().color("text")
    assert view.list.verticalScrollBar().value() == view.list.verticalScrollBar().maximum()


def test_an_edit_is_kept_through_a_change_of_the_theme(application: QApplication, view: ConversationView) -> None:
    view.set_items([user(1, "q")])
    message(view, 1).open_editor("q")
    editor(view, 1).field.setPlainText("half")
    theme().apply(Settings(theme="dark"))
    assert editor(view, 1).text == "half"


def test_the_column_is_a_readable_measure(view: ConversationView) -> None:
    view.window().resize(1800, 600)
    view.set_items(chat(4))
    assert message(view, 4).body.width() == theme().measure()


def test_the_column_is_wide_where_the_user_wants_it_and_the_window_has_room(
    application: QApplication, view: ConversationView
) -> None:
    view.window().resize(1800, 600)
    view.set_items(chat(4))
    theme().apply(Settings(text_column="wide"))
    assert message(view, 4).body.width() == theme().column() > 1.6 * theme().measure()
    view.window().resize(700, 600)
    assert message(view, 4).body.width() < 700


def test_no_widget_is_left_behind_when_chats_change(view: ConversationView, qtbot: QtBot) -> None:
    view.set_items(chat(30))
    qtbot.wait(20)
    view.set_items([])
    wait(qtbot, lambda: view.list.viewport().findChildren(Body) == [])


def test_a_new_answer_of_the_same_message_replaces_the_text(view: ConversationView) -> None:
    view.set_items([user(1, "q"), answer(2, "# one\n\ntwo")])
    view.replace(answer(2, "three"))
    assert texts(view, 2)[0].toPlainText() == "three"
