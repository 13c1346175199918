"""Breaks in the cells of tables: the only HTML that is none of an answer's text."""

from __future__ import annotations

import pytest

from desktop.text import Block, Markdown, Table, plain_text


def read(text: str) -> list[Block]:
    return Markdown().update(text, final=True)


@pytest.mark.parametrize("written", ["<br>", "<br/>", "<BR />", " <br> "])
def test_a_break_in_a_cell_is_one(written: str) -> None:
    (table,) = read(f"|a{written}b|\n|---|\n|**c{written}d**|")
    assert isinstance(table, Table)
    assert [[span.text for span in row[0]] for row in table.rows] == [["a\nb"], ["c\nd"]]


@pytest.mark.parametrize("cell", [r"a\<br>b", "`a<br>b`", "a&lt;br>b", "a<brx>b", "a<b>b"])
def test_what_is_no_break_in_a_cell_is_text(cell: str) -> None:
    (table,) = read(f"|{cell}|\n|---|")
    assert isinstance(table, Table)
    assert "\n" not in plain_text([table])


def test_html_outside_of_cells_is_text() -> None:
    assert plain_text(read("a<br>b\n\n- c<br>d")) == "a<br>b\n• c<br>d"
