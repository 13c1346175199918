"""Addresses that stand in a text, and lists of tasks: in blocks, as plain text and on an exported page."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from desktop.store.store import Store
from desktop.store.transfer import render
from desktop.text import Markdown, plain_text, spans_of
from tests.desktop.effort import calls

ADDRESSES = [
    ("See https://example.com/a_(b).", ["https://example.com/a_(b)"]),
    ("(at https://example.com/a), https://b.example!", ["https://example.com/a", "https://b.example"]),
    ("**https://a.example/b**, *https://a.example/c*", ["https://a.example/b", "https://a.example/c"]),
    ("_https://a.example/_b_c_", ["https://a.example/_b_c"]),
    ("HTTP://localhost:8080/x?a=1&b=2#c;", ["http://localhost:8080/x?a=1&b=2#c"]),
    (r"https://a.example/b\_c&amp;d&quot;", ["https://a.example/b_c&d"]),
    ("<https://a.example/b> [https://a.example/c]", ["https://a.example/b", "https://a.example/c"]),
    (
        "官网：https://a.example/路，更多。看https://a.example/b。",
        ["https://a.example/%E8%B7%AF", "https://a.example/b"],
    ),
    (
        "https://a.example,https://b.example;https://c.example",
        ["https://a.example", "https://b.example", "https://c.example"],
    ),
    ("https://аpple.example", ["https://xn--pple-43d.example"]),
    ("https://a.example/$b$ and $c$", ["https://a.example/$b$"]),
    ("[https://a.example](https://b.example)", ["https://b.example"]),
    ("[see https://a.example here](https://b.example)", ["https://b.example"]),
    ("https[https://a.example](https://b.example)", ["https://b.example"]),
    ("# https://a.example\n|a|\n|---|\n|https://b.example|", ["https://a.example", "https://b.example"]),
]
NO_ADDRESSES = [
    "`https://a.example`",
    "```\nhttps://a.example\n```",
    "www.example.com and a@b.example and //a.example and ftp://a.example",
    "xhttps://a.example",
    r"https\://a.example",
    "https://",
    "https://a:b",
    "https://a.example/" + "b" * 3000,
]


class Page(HTMLParser):
    """The addresses of links, the classes of items and the text of a page's messages."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.items: list[str | None] = []
        self.text = ""
        self.feed(page[page.index("<body>") :])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links += [value or "" for name, value in attrs if name == "href"]
        if tag == "li":
            self.items.append(dict(attrs).get("class"))

    def handle_data(self, data: str) -> None:
        self.text += data


def page(store: Store, text: str) -> Page:
    chat = store.new_chat().id
    store.add(chat, None, "assistant", text)
    return Page(render(store, [chat], "html"))


def links(text: str) -> list[str]:
    blocks = Markdown().update(text, final=True)
    return [span.link for block in blocks for span in spans_of(block) if span.link]


@pytest.mark.parametrize(("text", "addresses"), ADDRESSES)
def test_an_address_in_the_text_is_a_link_without_the_signs_around_it(
    store: Store, text: str, addresses: list[str]
) -> None:
    assert links(text) == addresses
    assert page(store, text).links == addresses


@pytest.mark.parametrize("text", NO_ADDRESSES)
def test_code_and_what_has_no_sound_address_with_its_scheme_is_no_link(store: Store, text: str) -> None:
    assert links(text) == []
    assert page(store, text).links == []


def test_an_address_is_shown_as_it_was_written(store: Store) -> None:
    text = "https://xn--pple-43d.example/%20a and <https://xn--pple-43d.example/%20b>"
    shown = text.replace("<", "").replace(">", "")
    assert plain_text(Markdown().update(text)) == shown
    assert shown in page(store, text).text


def test_a_page_has_no_links_that_the_window_would_refuse(store: Store) -> None:
    made = page(store, "[one](ms-word:x) [two](b.md) [three](mailto:a@b.example) <ftp://a.example/c>")
    assert made.links == ["mailto:a@b.example"]
    assert "one (ms-word:x) two (b.md) three ftp://a.example/c" in made.text


@pytest.mark.parametrize(("start", "piece"), [("https://a.example/", ").("), ("", "http:"), ("", "https://a.")])
def test_twice_the_text_takes_twice_the_work(start: str, piece: str) -> None:
    once, twice = calls(lambda: links(start + piece * 1000)), calls(lambda: links(start + piece * 2000))
    assert twice.total() < 2.5 * once.total()


def test_an_address_without_an_end_is_not_looked_through_for_one() -> None:
    text = "https://a.example/" + ").(" * 2_000_000  # hours, where all of it is looked at for each bracket
    assert links(text) == []


TASKS = "- [x] **done**\n- [ ] to do\n- [x](https://a.example)\n- [y] no\n- [ ]\n\n1. [X] `first`\n   - [ ] deep\n"


def test_items_that_begin_with_a_box_are_tasks() -> None:
    blocks = Markdown().update(TASKS, final=True)
    assert plain_text(blocks) == "☑ done\n☐ to do\n• x\n• [y] no\n• [ ]\n1. ☑ first\n☐ deep"
    assert [block.place.marker for block in blocks] == ["☑", "☐", "•", "•", "•", "1.", "☐"]
    assert [span.text for span in spans_of(blocks[0]) if span.bold] == ["done"]


def test_a_box_elsewhere_is_text() -> None:
    assert plain_text(Markdown().update(r"- \[x] a")) == "• [x] a"
    assert plain_text(Markdown().update("[x] a\n\n- b\n\n  [x] c")) == "[x] a\n• b\n[x] c"


def test_a_page_shows_tasks_as_signs(store: Store) -> None:
    made = page(store, TASKS)
    assert made.items == ["task", "task", None, None, None, "task", "task"]
    assert "☑ done\n☐ to do\n" in made.text


def test_a_chat_leaves_as_markdown_with_its_boxes_and_addresses_as_written(store: Store) -> None:
    chat = store.new_chat().id
    text = "- [x] https://example.com/a_(b)."
    store.add(chat, None, "assistant", text)
    assert render(store, [chat], "markdown").endswith(f"\n\n{text}\n")
