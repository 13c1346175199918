"""Code as coloured ranges, by Pygments, line by line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Literal, NamedTuple

from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Name, Number, Operator, String, _TokenType
from pygments.util import ClassNotFound

Kind = Literal["keyword", "name", "string", "number", "comment", "operator"]

_KINDS: tuple[tuple[_TokenType, Kind], ...] = (
    (Comment, "comment"),
    (Keyword, "keyword"),
    (Operator.Word, "keyword"),
    (String, "string"),
    (Number, "number"),
    (Name.Function, "name"),
    (Name.Class, "name"),
    (Name.Decorator, "name"),
    (Name.Tag, "name"),
    (Name.Builtin, "name"),
)


class Mark(NamedTuple):
    """A range within one line, in UTF-16 units as Qt counts."""

    start: int
    length: int
    kind: Kind


def highlight(code: str, language: str) -> list[list[Mark]]:
    """Marks of every line of `code`. All empty where `language` is unknown."""
    lines: list[list[Mark]] = [[] for _ in range(code.count("\n") + 1)]
    try:
        lexer = get_lexer_by_name(language)
    except ClassNotFound:
        return lines
    line, column = 0, 0
    for _, token, value in lexer.get_tokens_unprocessed(code):
        kind = _kind(token)
        for nth, piece in enumerate(value.split("\n")):
            if nth:
                line, column = line + 1, 0
            length = len(piece) if piece.isascii() else len(piece.encode("utf-16-le")) // 2
            if kind is not None and length:
                lines[line].append(Mark(column, length, kind))
            column += length
    return lines


def pieces(code: str, language: str) -> list[list[tuple[str, Kind | None]]]:
    """The text of every line of `code` in pieces, each with its kind; neighbours are of different kinds."""
    lines = zip(code.split("\n"), highlight(code, language), strict=True)
    return [_joined(_cut(line, marks)) for line, marks in lines]


def _cut(line: str, marks: Sequence[Mark]) -> Iterator[tuple[str, Kind | None]]:
    units, at = line.encode("utf-16-le", "surrogatepass"), 0
    places = [(end, kind) for mark in marks for end, kind in ((mark.start, None), (sum(mark[:2]), mark.kind))]
    for end, kind in [*places, (len(units) // 2, None)]:
        if end > at:
            yield units[2 * at : 2 * end].decode("utf-16-le", "surrogatepass"), kind
            at = end


def _joined(parts: Iterable[tuple[str, Kind | None]]) -> list[tuple[str, Kind | None]]:
    return [("".join(text for text, _ in run), kind) for kind, run in groupby(parts, key=lambda part: part[1])]


def _kind(token: _TokenType) -> Kind | None:
    return next((kind for family, kind in _KINDS if token in family), None)
