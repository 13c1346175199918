"""Chats on paper: nothing is cut off at the margin, and what was typed stays as it was typed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from PySide6.QtGui import QPdfWriter, QTextBlock, QTextDocument
from PySide6.QtWidgets import QApplication

from desktop.store.store import Store
from desktop.store.transfer import render
from desktop.views.pdf import lay_out


@pytest.fixture
def writer(qapp: QApplication, tmp_path: Path) -> QPdfWriter:
    writer = QPdfWriter(str(tmp_path / "page.pdf"))
    writer.setResolution(1200)
    return writer


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store.open(tmp_path / "store")) as opened:
        yield opened


def blocks(document: QTextDocument) -> Iterator[QTextBlock]:
    block = document.begin()
    while block.isValid():
        yield block
        block = block.next()


@pytest.mark.parametrize(
    "text", ["```python\n" + "x = " + "1 + " * 100 + "1\n```", "```\n" + "x" * 500 + "\n```", "y" * 500]
)
def test_no_line_is_cut_off_at_the_margin(store: Store, writer: QPdfWriter, text: str) -> None:
    chat = store.new_chat().id
    store.add(chat, None, "assistant", text)
    document = lay_out(render(store, [chat], "html"), writer)
    laid = [block.layout() for block in blocks(document)]
    assert max(layout.lineCount() for layout in laid) > 1
    widest = max(layout.lineAt(n).naturalTextWidth() for layout in laid for n in range(layout.lineCount()))
    assert widest <= writer.width()


def test_lines_and_spaces_of_a_question_stay(store: Store, writer: QPdfWriter) -> None:
    chat = store.new_chat().id
    store.add(chat, None, "user", "one\n    two   spaces")
    shown = lay_out(render(store, [chat], "html"), writer).toPlainText()
    assert "one\n    two   spaces" in shown.replace("\xa0", " ")


def test_the_box_of_a_task_stands_in_the_place_of_its_bullet(store: Store, writer: QPdfWriter) -> None:
    chat = store.new_chat().id
    store.add(chat, None, "assistant", f"- [x] done {'word ' * 60}\n- plain\n\n1. [ ] to do")
    document = lay_out(render(store, [chat], "html"), writer)
    done, plain, first = (document.find(text).block() for text in ("☑ done", "plain", "☐ to do"))
    assert [block.textList() is None for block in (done, plain, first)] == [True, False, False]
    box, text = (done.layout().lineAt(n).x() for n in range(2))
    assert 0 < box < text - writer.resolution() / 20
    assert text == plain.layout().lineAt(0).x()
