"""Chats on paper: nothing is cut off at the margin, and what was typed stays as it was typed."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import pytest
from PySide6.QtGui import QFontMetricsF, QPdfWriter, QTextDocument, QTextFragment
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from desktop.controllers.prints import Print
from desktop.controllers.transfer import TransferController
from desktop.store.store import Store
from desktop.store.transfer import Paper, render_paper
from desktop.text import draw
from desktop.views.conversation.formulas import FORMULA, SCALE, SOURCE
from desktop.views.pdf import pdf_steps, write_pdf
from tests.desktop.paper import blocks, on_paper


@pytest.mark.parametrize(
    "text", ["```python\n" + "x = " + "1 + " * 100 + "1\n```", "```\n" + "x" * 500 + "\n```", "y" * 500]
)
def test_no_line_is_cut_off_at_the_margin(store: Store, writer: QPdfWriter, text: str) -> None:
    chat = store.new_chat().id
    store.add(chat, None, "assistant", text)
    document = on_paper(store, writer, chat)
    laid = [block.layout() for block in blocks(document)]
    assert max(layout.lineCount() for layout in laid) > 1
    widest = max(layout.lineAt(n).naturalTextWidth() for layout in laid for n in range(layout.lineCount()))
    assert widest <= writer.width()


def test_a_page_that_a_bug_keeps_from_paper_ends_as_one_that_the_disk_refuses(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path
) -> None:
    job = Print(Paper(pieces=("<p><img src='formula:7'></p>",), formulas=()), tmp_path / "chat.pdf", qapp)
    with qtbot.waitSignal(job.ended) as ended:
        job.start()
    assert isinstance(ended.args[0], IndexError)
    assert not list(tmp_path.iterdir())
    job.deleteLater()


def test_the_program_ends_though_a_bug_keeps_a_page_from_paper(
    store: Store, qtbot: QtBot, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    transfer = TransferController(store, window)
    page = Paper(pieces=("<p><img src='formula:7'></p>",), formulas=())
    transfer._prints.append(Print(page, tmp_path / "chat.pdf", transfer))
    transfer.close()
    assert "a PDF was not written before the program ended" in caplog.text
    assert not transfer._prints


def test_letters_on_paper_are_as_large_whatever_size_the_window_shows(
    store: Store, writer: QPdfWriter, qapp: QApplication
) -> None:
    chat = store.new_chat().id
    store.add(chat, None, "user", "one line")
    usual = qapp.font()
    heights = []
    try:
        for points in (9.0, 26.0):
            font = qapp.font()
            font.setPointSizeF(points)
            qapp.setFont(font)
            heights.append([block.layout().boundingRect().height() for block in blocks(on_paper(store, writer, chat))])
    finally:
        qapp.setFont(usual)
    assert heights[0] == heights[1]


def test_lines_and_spaces_of_a_question_stay(store: Store, writer: QPdfWriter) -> None:
    chat = store.new_chat().id
    store.add(chat, None, "user", "one\n    two   spaces")
    shown = on_paper(store, writer, chat).toPlainText()
    assert "one\n    two   spaces" in shown.replace("\xa0", " ")


def test_the_box_of_a_task_stands_in_the_place_of_its_bullet(store: Store, writer: QPdfWriter) -> None:
    chat = store.new_chat().id
    store.add(chat, None, "assistant", f"- [x] done {'word ' * 60}\n- plain\n\n1. [ ] to do")
    document = on_paper(store, writer, chat)
    done, plain, first = (document.find(text).block() for text in ("☑ done", "plain", "☐ to do"))
    assert [block.textList() is None for block in (done, plain, first)] == [True, False, False]
    box, text = (done.layout().lineAt(n).x() for n in range(2))
    assert 0 < box < text - writer.resolution() / 20
    assert text == plain.layout().lineAt(0).x()


MATHS = r"""So $\frac{a}{b}$, \(x\)$x$ and $\foo{y}$.

$$
\begin{pmatrix}1\\2\end{pmatrix}^2
$$

\[
\bar{
\]
"""


def formulas(document: QTextDocument) -> dict[str, QTextFragment]:
    fragments = [entry.fragment() for block in blocks(document) for entry in block.begin()]  # type: ignore[attr-defined]
    return {
        str(fragment.charFormat().property(SOURCE)): fragment
        for fragment in fragments
        if fragment.charFormat().objectType() == FORMULA
    }


def test_formulas_are_drawn_or_stand_as_their_source(store: Store, writer: QPdfWriter) -> None:
    chat = store.new_chat().id
    store.add(chat, None, "assistant", MATHS)
    document = on_paper(store, writer, chat)
    assert list(formulas(document)) == [r"\frac{a}{b}", "x", r"\begin{pmatrix}1\\2\end{pmatrix}^2"]
    assert document.toPlainText().endswith("So \ufffc, \ufffc\ufffc and $\\foo{y}$.\n\ufffc\n\\[\n\\bar{\n\\]")


def test_a_formula_stands_on_the_base_line_and_is_as_high_as_the_letters(store: Store, writer: QPdfWriter) -> None:
    chat = store.new_chat().id
    store.add(chat, None, "assistant", r"x $x$" + "\n\n" + r"y $\dfrac{1}{\dfrac{2}{3}}$")
    document = on_paper(store, writer, chat)
    plain = document.find("x \ufffc").block().layout().lineAt(0)
    deep = document.find("y \ufffc").block().layout().lineAt(0)
    assert plain.height() == pytest.approx(QFontMetricsF(document.defaultFont(), writer).height(), rel=0.15)
    drawing = draw(r"\dfrac{1}{\dfrac{2}{3}}", False)
    assert drawing is not None
    size = formulas(document)[r"\dfrac{1}{\dfrac{2}{3}}"].charFormat().property(SCALE)
    assert deep.descent() == pytest.approx(drawing.descent * size, rel=0.02)
    assert deep.ascent() == pytest.approx(drawing.ascent * size, rel=0.02)


def test_letters_of_a_formula_have_no_lines_around_them(store: Store, tmp_path: Path, qapp: QApplication) -> None:
    chat = store.new_chat().id
    store.add(chat, None, "assistant", "$x$")
    page = render_paper(store, [chat])
    write_pdf(page, {("x", False): draw("x", False)}, tmp_path / "x.pdf")
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", (tmp_path / "x.pdf").read_bytes(), re.DOTALL)
    drawn = b"".join(zlib.decompress(stream) for stream in streams if stream[:1] == b"x")
    assert b" c\n" in drawn
    assert len(re.findall(rb"^(?:h )?[fSBb]\*?$", drawn, re.MULTILINE)) == 1  # a line is written as another shape


def test_a_formula_wider_than_the_page_is_made_smaller(store: Store, writer: QPdfWriter) -> None:
    chat = store.new_chat().id
    store.add(chat, None, "assistant", "$$" + "a + " * 120 + "b$$")
    document = on_paper(store, writer, chat)
    block = document.find("\ufffc").block()
    line = block.layout().lineAt(0)
    assert document.documentLayout().blockBoundingRect(block).right() <= writer.width()
    assert line.naturalTextWidth() <= writer.width() < line.naturalTextWidth() * 1.01


MIXED = """# Title

A paragraph with `code` and $x^2$.

Another.

## Heading

1. one

   more of it
2. two

Behind a list.

> quoted
>
> > within

Behind a quote.

| a | b |
|---|---|
| c | d |

Behind a table.

```python
def f(x):
    return x
```

- [ ] to do
- plain

---

$$y$$

The end."""


def test_a_page_in_short_pieces_is_laid_out_as_in_one(
    store: Store, writer: QPdfWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    chats = [store.new_chat(system_prompt="Be kind.").id for _ in range(2)]
    for chat in chats:
        asked = store.add(chat, None, "user", "one\nhalf\n\n  two\nand\n\n\nthree")
        answered = store.add(chat, asked.id, "assistant", MIXED)
        store.add(chat, store.add(chat, answered.id, "user", "more").id, "assistant", MIXED)
    laid = []
    for size in (1_000_000, 1):
        monkeypatch.setattr("desktop.store.transfer.html._PIECE", size)
        assert (len(render_paper(store, chats).pieces) > 20) == (size == 1)
        document = on_paper(store, writer, *chats)
        found = [(block, document.documentLayout().blockBoundingRect(block)) for block in blocks(document)]
        laid.append([(block.text(), rect.getRect(), block.textList() is None) for block, rect in found])
    assert laid[0] == laid[1]


def test_a_page_is_written_in_short_steps_and_the_file_appears_at_the_end(
    store: Store, writer: QPdfWriter, tmp_path: Path
) -> None:
    chat = store.new_chat().id
    store.add(chat, None, "assistant", "word\n\n" * 2000)
    page, file = render_paper(store, [chat]), tmp_path / "long.pdf"
    steps = [(share, file.exists()) for share in pdf_steps(page, {}, file)]
    pages = len(re.findall(rb"/Type /Page\b", file.read_bytes()))
    assert pages > 20
    assert len(page.pieces) > 5
    assert len(steps) > len(page.pieces) + 2000 // 20 + pages  # pieces set, lines measured, sheets painted
    assert [share for share, _ in steps] == sorted(share for share, _ in steps)
    assert steps[0][0] == 0.0
    assert steps[-1][0] == 1.0
    assert not any(there for _, there in steps)


def test_what_was_not_written_to_its_end_leaves_no_file(store: Store, qapp: QApplication, tmp_path: Path) -> None:
    chat = store.new_chat().id
    store.add(chat, None, "assistant", "word\n\n" * 200)
    steps = pdf_steps(render_paper(store, [chat]), {}, tmp_path / "long.pdf")
    next(steps)
    next(steps)
    del steps
    assert list(tmp_path.glob("long*")) == []
