"""Positions that stay when formulas are drawn."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QTextCharFormat, QTextCursor, QTextDocument
from pytestqt.qtbot import QtBot

from desktop.views.conversation.formulas import FORMULA, OBJECT, SOURCE
from desktop.views.conversation.positions import document_position, source_position

WORDS = ["aé", "🙂 b", "", "c"]
SOURCES = ["x^2", "𝑥", "\\frac{1}{2}"]


def document(drawn: tuple[bool, ...]) -> QTextDocument:
    """Words with a formula between each two, drawn or as its source; a sign that only looks like one at the end."""
    made = QTextDocument()
    cursor = QTextCursor(made)
    for number, word in enumerate(WORDS):
        cursor.insertText(word, QTextCharFormat())
        if number < len(SOURCES):
            shape = QTextCharFormat()
            if drawn[number]:
                shape.setObjectType(FORMULA)
                shape.setProperty(SOURCE, SOURCES[number])
            cursor.insertText(OBJECT if drawn[number] else SOURCES[number], shape)
    cursor.insertBlock()
    cursor.insertText(f"{OBJECT} end", QTextCharFormat())
    return made


def after_word(made: QTextDocument, number: int, drawn: tuple[bool, ...]) -> int:
    """Position of the end of a word."""
    units = [len(text.encode("utf-16-le")) // 2 for text in WORDS]
    signs = [1 if shown else len(text.encode("utf-16-le")) // 2 for text, shown in zip(SOURCES, drawn, strict=True)]
    return sum(units[: number + 1]) + sum(signs[:number])


@pytest.mark.parametrize("drawn", [(True, True, True), (False, True, False), (False, False, True)])
def test_a_place_in_the_text_is_the_same_one_however_many_formulas_are_drawn(
    qtbot: QtBot, drawn: tuple[bool, ...]
) -> None:
    none = (False, False, False)
    before, after = document(none), document(drawn)
    for number in range(len(WORDS)):
        there, here = after_word(before, number, none), after_word(after, number, drawn)
        assert source_position(before, there) == there
        assert source_position(after, here) == there
        assert document_position(after, there) == here
    assert source_position(after, after.characterCount()) == before.characterCount()
    assert document_position(after, before.characterCount()) == after.characterCount()


def test_within_a_formula_it_is_the_formula_s_beginning(qtbot: QtBot) -> None:
    start = after_word(document((True, True, True)), 0, (True, True, True))
    for inside in (1, 2):
        assert document_position(document((True, True, True)), start + inside) == start
