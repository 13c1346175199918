"""Chats leave as Markdown, HTML and JSON, whole or not at all. How they come in is in test_import."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path

import pytest

from desktop.store.records import Dropped, Figures
from desktop.store.store import Store
from desktop.store.transfer import Kind, TransferError, export_chats, import_file, render
from runtime import GenerationOptions, SamplingConfig

FIGURES = Figures(
    prompt_tokens=1,
    reused_tokens=0,
    new_tokens=2,
    first_token_seconds=0.5,
    tokens_per_second=9.25,
    reason="length",
    context_length=None,
)


def branched(store: Store) -> int:
    """A chat with alternatives of which older ones are chosen, and everything set that can be."""
    options = GenerationOptions(sampling=SamplingConfig(seed=3, logit_bias={7: 2.5}), stop=("END",), max_new_tokens=9)
    folder = store.new_folder("Wörk")
    chat = store.new_chat(folder=folder.id, system_prompt="Be <b>brief</b>.", options=options, model="local:tiny").id
    first = store.add(chat, None, "user", "What is <script>alert(1)</script>?\n- **not** a list & more")
    answer = store.add(chat, first.id, "assistant", "", state="streaming", model="tiny")
    text = "It is `code`:\n\n```python\nprint('<hi>')\n```\n\n![img](http://evil/x.png) <img src=x>"
    text += " [j](javascript:alert(1))"
    dropped = Dropped(policy="rolling", messages=1, tokens=10)
    store.finish(answer.id, text, "complete", figures=FIGURES, dropped=dropped, reasoning="Is <b>this</b> a list?")
    store.add(chat, first.id, "assistant", "another try")
    failed = store.add(chat, first.id, "assistant", "", state="streaming")
    store.finish(failed.id, "brok", "failed", error="The engine ended.")
    store.add(chat, None, "user", "edited first message")
    store.select(answer.id)
    store.set_draft(chat, "half a thought")
    store.rename(chat, 'Tags & "quotes" <i>')
    store.pin([chat], True)
    return chat


def test_own_json_gives_an_equal_tree(store: Store, tmp_path: Path) -> None:
    chat, empty = branched(store), store.new_chat().id
    export_chats(store, [chat, empty], tmp_path / "chats.json", "json")
    with closing(Store.open(tmp_path / "other")) as other:
        first, second = import_file(other, tmp_path / "chats.json")
        assert other.tree(first) == store.tree(chat)
        assert other.tree(second) == store.tree(empty)
        assert [step.message.text for step in other.path(first)] == [step.message.text for step in store.path(chat)]
        assert other.path(first)[1].message.figures == FIGURES
        assert other.path(first)[1].message.reasoning == "Is <b>this</b> a list?"
        assert len(other.search("another")) == 1
    (again,) = import_file(store, Path(tmp_path / "chats.json"))[:1]
    assert store.chat(again).folder == store.chat(chat).folder


def test_an_answer_that_is_being_written_is_exported_as_interrupted(store: Store) -> None:
    chat = store.new_chat().id
    store.add(chat, None, "assistant", "half", state="streaming")
    assert json.loads(render(store, [chat], "json"))["chats"][0]["messages"][0]["state"] == "interrupted"


def test_what_was_thought_before_an_answer_is_in_the_json_only(store: Store) -> None:
    chat = branched(store)
    assert "Is <b>this</b> a list?" in render(store, [chat], "json")
    for kind in ("markdown", "html"):
        assert "this</b> a list?" not in render(store, [chat], kind)
        assert "this&lt;/b&gt; a list?" not in render(store, [chat], kind)


def test_markdown_holds_the_current_path_as_it_was_written(store: Store) -> None:
    text = re.sub(r"\*\d{4}-\d\d-\d\d \d\d:\d\d\*", "*DATE*", render(store, [branched(store)], "markdown"))
    assert text.startswith('# Tags & "quotes" <i>\n\n*DATE*\n\n> Be <b>brief</b>.\n\n## You\n\nWhat is <script>')
    assert "\n\n## tiny\n\nIt is `code`:\n\n```python\nprint('<hi>')\n```\n" in text
    assert "another try" not in text


@pytest.mark.parametrize("lost", ["UPDATE messages SET chosen = NULL", "UPDATE chats SET first = NULL"])
@pytest.mark.parametrize("kind", ["markdown", "html", "json"])
def test_what_is_exported_is_the_path_that_is_shown_where_none_was_chosen(
    store: Store, tmp_path: Path, kind: Kind, lost: str
) -> None:
    chat = store.new_chat().id
    question = store.add(chat, None, "user", "asked")
    for text in ("older", "newer"):
        store.add(chat, question.id, "assistant", text)
    with sqlite3.connect(tmp_path / "store" / "chats.sqlite3") as other:
        other.execute(lost)
    other.close()
    shown = [step.message.text for step in store.path(chat)]
    assert shown == ["asked", "newer"]
    assert [node.text for node in store.tree(chat).path()] == shown
    export_chats(store, [chat], tmp_path / "file", kind)
    if kind == "json":
        (again,) = import_file(store, tmp_path / "file")
        assert [step.message.text for step in store.path(again)] == shown
    else:
        assert "newer" in (tmp_path / "file").read_text(encoding="utf-8")
        assert "older" not in (tmp_path / "file").read_text(encoding="utf-8")


def test_json_of_a_chat_whose_choice_is_of_another_message_is_imported(store: Store, tmp_path: Path) -> None:
    chat = store.new_chat().id
    question = store.add(chat, None, "user", "asked")
    answer = store.add(chat, question.id, "assistant", "said")
    with sqlite3.connect(tmp_path / "store" / "chats.sqlite3") as other:
        other.execute("UPDATE messages SET chosen = ?", (question.id,))
        other.execute("UPDATE chats SET first = ?", (answer.id,))
    other.close()
    export_chats(store, [chat], tmp_path / "chats.json", "json")
    (again,) = import_file(store, tmp_path / "chats.json")
    assert [step.message.text for step in store.path(again)] == ["asked", "said"]


class _Page(HTMLParser):
    """The tags of a page, its addresses and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_html_shows_everything_escaped_and_loads_nothing(store: Store, tmp_path: Path) -> None:
    chat = branched(store)
    export_chats(store, [chat, store.new_chat().id], tmp_path / "chats.html", "html")
    page = _Page()
    page.feed((tmp_path / "chats.html").read_text(encoding="utf-8"))
    assert not {"script", "img", "iframe", "link", "i", "b"} & set(page.tags)
    assert page.addresses == []
    assert "img (http://evil/x.png) <img src=x>" in page.text
    assert "What is <script>alert(1)</script>?\n- **not** a list & more" in page.text
    assert "print('<hi>')" in page.text
    assert "Be <b>brief</b>." in page.text
    assert 'Tags & "quotes" <i>' in page.text
    assert "Untitled chat" in page.text
    assert "pre" in page.tags


@pytest.mark.parametrize(
    "formula",
    [
        r"$e^{i\pi}+1=0$",
        r"\(a\,b\\c\)",
        r"$$\int_0^\infty e^{-x^2}\,dx$$",
        r"\[ \begin{pmatrix} a & b \\ c & d \end{pmatrix} ]< \]",
        "$$\na *b* _c_\n$$",
    ],
)
@pytest.mark.parametrize("around", ["{}", "so {} is *it*", "|a|\n|---|\n|{}|"])
def test_html_shows_the_source_of_a_formula_as_it_was_written(store: Store, formula: str, around: str) -> None:
    chat = store.new_chat().id
    store.add(chat, None, "assistant", around.format(formula.replace("\n", "" if "|" in around else "\n")))
    page = _Page()
    page.feed(render(store, [chat], "html"))
    assert formula.replace("\n", "") in page.text.replace("\n", "")
    assert page.tags.count("em") == ("*it*" in around)


def test_html_shows_a_question_with_the_spaces_that_it_begins_with(store: Store) -> None:
    chat = store.new_chat().id
    store.add(chat, None, "user", "\n    four\n  two\n")
    assert '<div class="user" dir="auto">    four\n  two</div>' in render(store, [chat], "html")


def test_an_export_that_fails_is_one_sentence_and_leaves_the_earlier_file(store: Store, small_disk: Path) -> None:
    chat = store.new_chat().id
    store.add(chat, None, "user", "x" * 4_000_000)
    target = small_disk / "chats.md"
    target.write_text("earlier")
    with pytest.raises(TransferError, match=r"could not be written .* choose another place\.$"):
        export_chats(store, [chat], target, "markdown")
    assert [path.read_text() for path in small_disk.iterdir()] == ["earlier"]
