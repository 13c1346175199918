"""Markdown to blocks, whole and as it grows; code to marks; addresses to links."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from desktop.text import (
    Fence,
    Formula,
    Heading,
    Mark,
    Markdown,
    Paragraph,
    Rule,
    Table,
    check_link,
    highlight,
    plain_text,
    spans_of,
    typed,
)

SAMPLE = r"""# Title

A *first* paragraph with `code`, [a link](https://example.com/a) and
a second line.

1. one
2. two
   - deep
   - deeper

   ```sh
   ls -l
   ```
3. three

> quoted
> - item

```python
def f():

    return 1
```

| a | b |
|:--|--:|
| 1 | **2** |

Sums: \(a+b\), $x_1$, \[ y \] and $5 or $6.

$$
\frac{1}{2}
$$

\[
z
\]

Heading
---

***

- a
- b

So https://example.com/a_(b)., **https://example.com/c**, (https://example.com).

- [x] done: https://example.com
- [ ] to do
  1. [X] deep
"""


def blocks(text: str) -> list[object]:
    return list(Markdown().update(text, final=True))


@pytest.mark.parametrize("step", [1, 3, 17, 64])
def test_text_that_grew_is_read_as_text_that_came_whole(step: int) -> None:
    growing = Markdown()
    for end in range(0, len(SAMPLE), step):
        growing.update(SAMPLE[:end])
    grown = growing.update(SAMPLE)
    assert grown == blocks(SAMPLE)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [*SAMPLE.split("\n"), "  - x", "> y", "```", "    z", "$$", "1) q", "---", "- [ ] t", "- [x] https://a.b_"]
        ),
        max_size=14,
    )
)
@example(["$$", "2. two", "---", *["# Title"] * 8, "$$"])  # a heading, until the formula ends
@example(["\\]", "\\[", "1. one", "\\]"])
@example(["1. one", "\\[", "# Title", "\\]"])
@example(["3. three", "\\[", "\\[ y \\] and $5", "---"])
def test_every_prefix_is_read_as_if_it_were_the_whole(lines: list[str]) -> None:
    text = "\n".join(lines)
    growing = Markdown()
    for end in range(0, len(text) + 1, 5):
        assert plain_text(growing.update(text[:end])) == plain_text(Markdown().update(text[:end]))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["| 1 | 2 |", "| `3` | 4 | 5 |", "six", "[r]: https://a.b", "| [r] | $x$ |", "$$ y | z", "| \\[ | \\] |"]
        ),
        max_size=6,
    ),
    st.sampled_from(
        ["", "\n", "\n\n12.", "\n```", "\n# t", "\n> q", "\n- i", "\n$$", "\n    c", "\n\n| k |\n|---|\n| l |\n| m |"]
    ),
)
@example(["| 1 | 2 |", r"\[ y | z", "| 3 | 4 |", "| 5 | 6 |"], "\n\\]")  # rows, until the formula ends
def test_every_prefix_of_a_table_is_read_as_if_it_were_the_whole(rows: list[str], behind: str) -> None:
    text = "\n".join(["before", "", "| a | b |", "|---|--:|", *rows]) + behind
    growing = Markdown()
    for end in range(0, len(text) + 1, 3):
        assert growing.update(text[:end]) == Markdown().update(text[:end])


def test_rows_of_a_long_table_are_settled_one_by_one() -> None:
    growing = Markdown()
    (first,) = growing.update("|a|\n|---|\n|1|\n|2|\n|3|")
    (later,) = growing.update("|a|\n|---|\n|1|\n|2|\n|3|\n|4|")
    assert isinstance(first, Table)
    assert isinstance(later, Table)
    assert [new is old for old, new in zip(first.rows, later.rows, strict=False)] == [True, True, True, False]


def test_blocks_that_are_settled_stay_the_same_objects() -> None:
    growing = Markdown()
    before = growing.update("# A\n\nfirst\n\nsecond")[:2]
    after = growing.update("# A\n\nfirst\n\nsecond grows")
    assert after[0] is before[0]
    assert after[1] is before[1]


def test_dollars_in_code_do_not_have_a_whole_list_read_again() -> None:
    growing = Markdown()
    first = growing.update("1. `$$` is a shell's number\n2. b\n3. c")
    assert growing.update("1. `$$` is a shell's number\n2. b\n3. c\n4. d")[1] is first[1]


def test_items_of_a_long_list_are_settled_one_by_one() -> None:
    growing = Markdown()
    first = growing.update("1. a\n2. b\n3. c")
    later = growing.update("1. a\n2. b\n3. c\n4. d")
    assert later[1] is first[1]
    assert [block.place.marker for block in later] == ["1.", "2.", "3.", "4."]


def test_text_that_is_replaced_is_read_anew() -> None:
    growing = Markdown()
    growing.update("one\n\ntwo\n\nthree")
    assert growing.update("other") == blocks("other")


def test_the_address_of_a_definition_that_still_grows_is_not_kept() -> None:
    text = "See [1].\n\n[1]: https://a.example/b\n\nAnd [1]."
    growing = Markdown()
    for end in range(len(text) + 1):
        last = growing.update(text[:end])[-1:]
    assert isinstance(last[0], Paragraph)
    assert [(span.text, span.link) for span in last[0].spans if span.link] == [("1", "https://a.example/b")]


def test_html_is_text() -> None:
    assert plain_text(blocks("<script>alert(1)</script>\n\na <b>c</b>")) == "<script>alert(1)</script>\na <b>c</b>"  # type: ignore[arg-type]


def test_an_image_is_its_words_and_its_address() -> None:
    (block,) = blocks("![a cat](http://example.com/cat.png)")
    assert isinstance(block, Paragraph)
    assert [(span.text, span.link) for span in block.spans] == [("a cat (http://example.com/cat.png)", None)]


def test_styles_nest_and_end() -> None:
    (block,) = blocks("**b *i* ~~s~~** `c`")
    assert isinstance(block, Paragraph)
    found = [(s.text, s.bold, s.italic, s.strike, s.code) for s in block.spans]
    assert found == [
        ("b ", True, False, False, False),
        ("i", True, True, False, False),
        (" ", True, False, False, False),
        ("s", True, False, True, False),
        (" ", False, False, False, False),
        ("c", False, False, False, True),
    ]


def test_lists_and_quotes_are_places() -> None:
    found = [
        (type(b), b.place.quote, b.place.indent, b.place.marker)
        for b in Markdown().update("> a\n\n- b\n  1. c\n\n     d")
    ]
    assert found == [
        (Paragraph, 1, 0, None),
        (Paragraph, 0, 1, "•"),
        (Paragraph, 0, 2, "1."),
        (Paragraph, 0, 2, None),
    ]


def test_an_item_that_opens_with_code_keeps_its_marker() -> None:
    found = Markdown().update("1. ```\n   x\n   ```\n", final=True)
    assert [type(block) for block in found] == [Paragraph, Fence]
    assert found[0].place.marker == "1."


@pytest.mark.parametrize(
    ("text", "closed"),
    [
        ("```py\nx = 1", False),
        ("```py\nx = 1\n``", False),
        ("```py\nx = 1\n```", True),
        ("````py\n```\n", False),
        ("> ```\n> x\n> ```", True),
        ("```", False),
    ],
)
def test_a_fence_is_closed_by_its_end(text: str, closed: bool) -> None:
    (fence,) = Markdown().update(text)
    assert isinstance(fence, Fence)
    assert fence.closed is closed


def test_an_answer_that_ended_has_no_open_fence() -> None:
    (fence,) = Markdown().update("```py\nx = 1", final=True)
    assert fence == Fence(text="x = 1", language="py", closed=True)


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        (r"\(a\) and \[b\] and $c$ and $$d$$", ["a", "b", "c", "d"]),
        ("$5 and $6", []),
        ("$E=mc^2$ is of 1905", ["E=mc^2"]),
        ("$$E$$ is of 1905", ["E"]),
        ("1$a$", []),
        (r"\(a", []),
        (r"`\(a\)`", []),
        ("\\[\n  e \\]\n", []),
    ],
)
def test_mathematics_within_a_line(text: str, sources: list[str]) -> None:
    assert [span.text for block in Markdown().update(text) for span in spans_of(block) if span.math] == sources


@pytest.mark.parametrize("text", ["$$\nx^2\n$$", "\\[\nx^2\n\\]", "\\[ x^2 \\]", "$$x^2$$"])
def test_mathematics_on_a_line_of_its_own(text: str) -> None:
    assert blocks(text) == [Formula(source="x^2")]


def test_a_table_has_as_many_cells_in_every_row() -> None:
    (table,) = blocks("|a|b|\n|:-:|--:|\n|1|\n|1|2|3|")
    assert isinstance(table, Table)
    assert table.aligns == ("center", "right")
    assert [[plain_text([Paragraph(spans=cell)]) for cell in row] for row in table.rows] == [
        ["a", "b"],
        ["1", ""],
        ["1", "2"],
    ]


def test_headings_and_rules() -> None:
    assert [type(block) for block in blocks("## A\n\n---\n\nB\n===")] == [Heading, Rule, Heading]


def test_typed_text_is_its_lines() -> None:
    assert plain_text(typed("a  b\n\n# c\n")) == "a  b\n\n# c\n"


def test_windows_line_ends_are_line_ends() -> None:
    assert blocks("a\r\n\r\nb") == blocks("a\n\nb")


# code


def test_code_is_marked_line_by_line() -> None:
    lines = highlight('def f():\n    """a\n    b"""\n    return 1  # c', "python")
    assert lines[0] == [Mark(0, 3, "keyword"), Mark(4, 1, "name")]
    assert lines[1] == [Mark(4, 4, "string")]
    assert lines[2] == [Mark(0, 8, "string")]
    assert lines[3] == [Mark(4, 6, "keyword"), Mark(11, 1, "number"), Mark(14, 3, "comment")]


def test_marks_are_counted_in_utf16() -> None:
    (line,) = highlight('"😀" + 1', "python")
    assert line[-1] == Mark(7, 1, "number")


def test_an_unknown_language_has_no_marks() -> None:
    assert highlight("a\nb", "no-such-language") == [[], []]


# links


@pytest.mark.parametrize(
    ("address", "shown", "host"),
    [
        ("https://example.com/a?b=c#d", "https://example.com/a?b=c#d", "example.com"),
        ("http://пример.рф/ы", "http://xn--e1afmkfd.xn--p1ai/%D1%8B", "xn--e1afmkfd.xn--p1ai"),
        ("https://аpple.com", "https://xn--pple-43d.com", "xn--pple-43d.com"),
        ("https://google.com@evil.example/", "https://google.com@evil.example/", "evil.example"),
        ("https://exa\nmple.com/", "https://example.com/", "example.com"),
        ("http://[::1]:80/x", "http://[::1]:80/x", "::1"),
        ("mailto:someone@example.com", "mailto:someone@example.com", "someone@example.com"),
    ],
)
def test_a_link_shows_where_it_leads(address: str, shown: str, host: str) -> None:
    link = check_link(address)
    assert link is not None
    assert (link.address, link.host) == (shown, host)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "javascript:alert(1)",
            "file:///etc/passwd",
            "ftp://a.b",
            "http://",
            "//a.b",
            "data:text/html,x",
            "http://a:b",
        ),
        *("https://a.b,https://c.d", "https://a<b.c", "https://a b.c,d", "https://a;b"),
    ],
)
def test_other_addresses_are_no_links(address: str) -> None:
    assert check_link(address) is None


def test_a_link_that_cannot_be_opened_shows_its_address_as_text() -> None:
    (block,) = blocks("[click](ftp://a.b/c)")
    assert isinstance(block, Paragraph)
    assert [(span.text, span.link) for span in block.spans] == [("click (ftp://a.b/c)", None)]


@pytest.mark.parametrize("levels", [3, 9, 10, 12, 21, 30, 60])
@pytest.mark.parametrize("kind", ["list", "quote", "both"])
def test_what_is_nested_however_deep_loses_nothing_of_itself_or_of_what_follows(levels: int, kind: str) -> None:
    deep = {
        "list": "".join(f"{'  ' * level}- level {level}\n" for level in range(levels)),
        "quote": "".join(f"{'> ' * (level + 1)}level {level}\n\n" for level in range(levels)),
        "both": "".join(f"{'> - ' * (level + 1)}level {level}\n\n" for level in range(levels)),
    }[kind]
    markdown = Markdown()
    said = plain_text(markdown.update(f"{deep}\nThe end.\n\n```\ncode\n```\n", final=True))
    for wanted in (*(f"level {level}" for level in range(levels)), "The end.", "code"):
        assert wanted in said
