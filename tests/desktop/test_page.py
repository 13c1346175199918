"""A page of HTML says what the window says, in the same lines and colours."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from desktop.store.store import Store
from desktop.store.transfer import render, render_paper
from desktop.text import Markdown, plain_text
from desktop.views.tokens import DARK, LIGHT, Tokens

_BLOCKS = ("p", "h1", "h2", "h3", "h4", "h5", "h6", "li", "tr", "pre", "blockquote", "hr")


class Lines(HTMLParser):
    """The lines of what is said in the answers of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text = ""
        self.feed(page.partition('class="assistant">')[2])

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS or tag == "br":
            self.text += "\n"
        if tag in ("td", "th"):
            self.text += "\t"

    def lines(self) -> list[str]:
        return [line.strip() for line in self.text.split("\n") if line.strip()]

    def handle_data(self, data: str) -> None:
        self.text += data


def answered(store: Store, *texts: str) -> int:
    chat = store.new_chat().id
    parent = None
    for text in texts:
        parent = store.add(chat, parent, "assistant", text).id
    return chat


@pytest.mark.parametrize(
    "text",
    [
        "Roses are red\nviolets are *blue,\nsugar* is  \nsweet",
        "# A\nb\n\nC\nd\n===\n\n- e\n  f\n- g\n\n> h\n> i",
        "[a\nb](https://c.d) ![a cat](http://e.f/g.png), ![](http://h.i/j.png) and [![k](l)](https://m.n)",
        "x <b>y</b><br>z <img src=q>",
        "```python\ndef f():\n    return '<hi>'\n```\n\n    indented\n\n```\nno language",
        "One[^1], *two*[^b] and [^none].\n\n[^1]: First,\n    still\n[^b]: second\n\nthree",
    ],
)
def test_what_the_window_shows_on_a_line_is_on_a_line_of_a_page(store: Store, text: str) -> None:
    shown = [line.removeprefix("• ").strip() for line in plain_text(Markdown().update(text, final=True)).split("\n")]
    wanted = [line for line in shown if line]
    chat = answered(store, text)
    assert Lines(render(store, [chat], "html")).lines() == wanted
    assert Lines("".join(render_paper(store, [chat]).pieces)).lines() == wanted


def test_a_break_in_a_cell_is_one_on_a_page(store: Store) -> None:
    lines = Lines(render(store, [answered(store, "|a<br>b|\n|---|\n|c<BR/>d <i>e</i>|")], "html")).lines()
    assert lines == ["a", "b", "c", "d <i>e</i>"]


def test_marks_of_notes_lead_to_the_notes_of_their_own_message(store: Store) -> None:
    text = 'a[^1] b[^1] c[^"é]\n\n[^1]: note\n[^"é]: other'
    page = render(store, [answered(store, text, text), answered(store, text)], "html")
    named, led_to = re.findall(r' id="([^"]+)"', page), re.findall(r'href="#([^"]+)"', page)
    assert len(named) == len(set(named)) == 3 * 4
    assert len(led_to) == 3 * 5
    assert {"note-0-0-1", "note-0-1-1", "note-1-0-1", "mark-1-0-1", "note-1-0-%22%C3%A9"} < set(led_to)
    assert "note-1-0-&quot;é" in named


def test_notes_on_paper_lead_nowhere_as_addresses_of_a_page_would_be_opened(store: Store) -> None:
    html = "".join(render_paper(store, [answered(store, "a[^1]\n\n[^1]: note")]).pieces)
    assert html.count("<sup>[1]</sup>") == 2


def test_code_of_a_page_is_marked_as_in_the_window(store: Store) -> None:
    html = render(store, [answered(store, '```python\nx = f("a<b") # é😀\n```\n\n```none\ndef\n```')], "html")
    assert '>x = f(<span class="string">&quot;a&lt;b&quot;</span>) <span class="comment"># é😀</span>\n</code>' in (
        html.replace('"a&lt;b"', "&quot;a&lt;b&quot;")
    )
    assert '<code class="language-none">def\n</code>' in html


@pytest.mark.parametrize(("scheme", "place"), [(LIGHT, 0), (DARK, 1)])
def test_code_of_a_page_has_the_colours_of_the_window(store: Store, scheme: Tokens, place: int) -> None:
    html = render(store, [answered(store, "")], "html")
    for kind in ("keyword", "name", "string", "number", "comment"):
        assert re.findall(rf"--{kind}: (#\w+)", html)[place] == getattr(scheme, f"code_{kind}")
        assert f".{kind} {{ color: var(--{kind})" in html
