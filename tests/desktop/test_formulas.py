"""Formulas as MathML and as drawings: none can write into a page, none takes for ever, and their source goes along."""

from __future__ import annotations

import re
import string
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from PySide6.QtWidgets import QProgressBar, QProgressDialog, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from desktop.controllers.transfer import TransferController
from desktop.store.store import Store
from desktop.store.transfer import render
from desktop.text import draw, mathml
from desktop.views.pdf import PdfError

HOSTILE = [
    r"a<b>c&d",
    r"\text{<img src=x onerror=alert(1)>}",
    r"\text{</math></span><script>alert(1)</script>}",
    r"\text{&lt;script&gt;}",
    r"\text{&amp;lt;script&amp;gt;}",
    r"\unicode{x3c}script\unicode{x3e}",
    r"\href{javascript:alert(1)}{x}",
    r"\href{https://a.example}{x}",
    r'\style{color:red" onload="alert(1)}{x}',
    r'\class{user" onclick="alert(1)}{x}',
    r'\textcolor{"><script>alert(1)</script>}{x}',
    r'\color{red" onload="alert(1)}{x}',
    r"\operatorname{</style><script>}",
    r'\hspace{1em" onload="alert(1)}',
]
"""LaTeX that would write into a page if its texts or its attributes were taken as they are."""


class Page(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page[page.index('class="assistant"') :])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs} if tag not in ("span", "div") else set()

    def handle_data(self, data: str) -> None:
        self.text += data


def page(store: Store, text: str) -> str:
    chat = store.new_chat().id
    store.add(chat, None, "assistant", text)
    return render(store, [chat], "html")


@pytest.mark.parametrize("source", HOSTILE)
@pytest.mark.parametrize("around", ["${}$", "\\[\n{}\n\\]"])
def test_no_formula_writes_into_a_page(store: Store, source: str, around: str) -> None:
    made = Page(page(store, around.replace("{}", source, 1)))
    assert {tag for tag in made.tags if not re.fullmatch("math|m[a-z]+", tag)} <= {"span", "div", "p"}
    assert made.attributes <= {"display", "mathcolor", "stretchy", "width", "form", "fence"}
    assert source in made.text


def test_a_formula_is_mathml_with_its_source_for_whoever_copies_it(store: Store) -> None:
    made = page(store, "so $x^2$ is\n\n$$\ny\n$$")
    sup = "<msup><mi>x</mi><mn>2</mn></msup>"
    assert f'$x^2$</span><math display="inline"><mrow>{sup}</mrow></math></span> is' in made
    assert '$$\ny\n$$</span><math display="block"><mrow><mi>y</mi></mrow></math></div>' in made


@pytest.mark.parametrize("source", [r"\foo{x}", r"\frac{1}", "x" * 5000, r"\begin{matrix}"])
def test_what_is_no_latex_stands_as_its_source(store: Store, source: str) -> None:
    made = page(store, f"so ${source}$ is")
    assert f'<p dir="ltr">so <span class="source">${source}$</span> is</p>' in made


def test_brackets_with_an_exponent_are_its_base() -> None:
    made = mathml(r"\begin{pmatrix}a\end{pmatrix}^2", True)
    assert made is not None
    assert "<msup><mrow><mo>(</mo><mtable>" in made
    assert "</mtable><mo>)</mo></mrow><mn>2</mn></msup>" in made
    assert draw(r"\begin{pmatrix}a\end{pmatrix}^2", True) is not None


def test_letters_that_a_page_is_written_with_are_drawn() -> None:
    assert draw(r"\text{if } a < b \text{ or <b>}", True) is not None


def test_definitions_that_ask_for_billions_of_signs_are_no_formula() -> None:
    names = [rf"\zz{letter}" for letter in string.ascii_lowercase]
    defined = "".join(rf"\newcommand{{{a}}}{{{{{b}}}{{{b}}}}}" for a, b in pairwise(names))
    for source in (defined + r"\newcommand{\zzz}{x}\zza", defined.replace(r"\newcommand{", r"\def{") + r"\zza"):
        assert mathml(source, True) is None
        assert draw(source, True) is None


def nested(opening: str, closing: str, times: int) -> str:
    return opening * times + "x" + closing * times


NESTED = [(r"1+\frac{1}{", "}"), (r"\sqrt{", "}"), (r"\left(", r"\right)"), ("x^{", "}"), ("{", "}")]


@pytest.mark.parametrize(("opening", "closing"), [*NESTED, (r"\begin{cases}1&", r"\end{cases}")])
def test_what_takes_twice_as_long_with_each_level_is_drawn_to_some_level_only(opening: str, closing: str) -> None:
    assert draw(nested(opening, closing, 4), True) is not None
    for times in (16, 60, 400):
        assert draw(nested(opening, closing, times), True) is None


@pytest.mark.parametrize(("opening", "closing"), NESTED)
def test_a_page_has_formulas_of_any_depth_that_people_write(opening: str, closing: str) -> None:
    assert mathml(nested(opening, closing, 14), True) is not None
    assert mathml(nested(opening, closing, 400), True) is None


def controller(store: Store, qtbot: QtBot) -> TransferController:
    window = QWidget()
    qtbot.addWidget(window)
    return TransferController(store, window, window)


def test_a_pdf_is_written_when_its_formulas_are_drawn_and_the_window_goes_on(
    store: Store, qtbot: QtBot, tmp_path: Path
) -> None:
    chat = store.new_chat().id
    store.add(chat, None, "assistant", "$a$ and $b$ and $a$")
    transfer, file = controller(store, qtbot), tmp_path / "chat.pdf"
    told: list[tuple[str, bool]] = []
    transfer.told.connect(lambda *said: told.append(said))
    transfer.export([chat], file)
    assert not file.exists()
    (progress,) = transfer._window.findChildren(QProgressDialog)
    shown: list[int] = []
    (bar,) = progress.findChildren(QProgressBar)
    bar.valueChanged.connect(shown.append)
    qtbot.waitUntil(lambda: bool(told), timeout=20_000)
    assert told == [(f"1 chat written to {file}.", True)]
    assert file.read_bytes().startswith(b"%PDF")
    assert len(set(shown)) > 3
    assert shown == sorted(shown)


@pytest.mark.parametrize("value", [0, 1, 600])
def test_a_pdf_that_is_cancelled_makes_no_step_more_and_leaves_no_file(
    store: Store, qtbot: QtBot, tmp_path: Path, value: int
) -> None:
    """While its chats are read, while its formulas are drawn, while it is laid out."""
    chat = store.new_chat().id
    store.add(chat, None, "assistant", "$a$ and $b$ and $a$" + "\n\nword" * 2000)
    transfer, file = controller(store, qtbot), tmp_path / "chat.pdf"
    transfer.export([chat], file)
    (progress,) = transfer._window.findChildren(QProgressDialog)
    qtbot.waitUntil(lambda: progress.value() >= value, timeout=20_000)
    with qtbot.assertNotEmitted(transfer.told, wait=300):
        progress.findChildren(QPushButton)[0].click()
        qtbot.waitUntil(lambda: not (transfer._work or transfer._prints or transfer._unread), timeout=20_000)
    assert not file.exists()


@pytest.mark.parametrize("place", ["nowhere/chat.pdf", "file/chat.pdf", "."])
def test_a_pdf_that_cannot_be_written_is_one_sentence_before_anything_is_drawn(
    store: Store, qtbot: QtBot, tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").touch()
    chat = store.new_chat().id
    store.add(chat, None, "assistant", "$a$")
    with pytest.raises(PdfError, match="cannot be written"):
        controller(store, qtbot).export(
            [chat], (tmp_path / place).with_suffix(".pdf") if place != "." else folder(tmp_path)
        )


def folder(inside: Path) -> Path:
    made = inside / "folder.pdf"
    made.mkdir()
    return made


def test_a_pdf_under_way_is_written_when_the_program_ends(store: Store, qtbot: QtBot, tmp_path: Path) -> None:
    chat = store.new_chat().id
    store.add(chat, None, "assistant", "$a$ and $b$")
    transfer, file = controller(store, qtbot), tmp_path / "chat.pdf"
    transfer.export([chat], file)
    transfer.close()
    assert file.read_bytes().startswith(b"%PDF")
    file.unlink()
    qtbot.wait(300)  # what was being drawn then writes nothing more
    assert not file.exists()
