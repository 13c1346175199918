"""Search over all chats: titles first, then messages, best first (BM25) or, where thousands match, newest first."""

from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import dataclass

from desktop.store.database import Database
from desktop.store.records import Hit
from desktop.store.words import clean, compose, composed_starts, fold, pattern, tokens

_LONGEST_QUERY = 400  # characters; more is no search but a text that was pasted
_RANKED = 2000  # messages: of words that more of them hold, ranks say nothing and take long, so the newest come first
_BEFORE, _SNIPPET = 40, 160  # characters of a snippet before the first match, and in all
_PARTS = re.compile(r'"([^"]*)"?|([^\s"]+)')


@dataclass(frozen=True)
class Query:
    """What the user typed, understood: phrases for the index, and signs that it does not hold (`->`, `++`)."""

    phrases: tuple[tuple[str, ...], ...]
    open_ended: bool  # the last phrase is the beginning of a word that is still being typed
    signs: tuple[str, ...]

    @property
    def match(self) -> str:
        """The query in FTS5's language. Words hold letters, digits and emoji only, so nothing needs escaping."""
        quoted = [f'"{" ".join(phrase)}"' for phrase in self.phrases]
        if self.open_ended:
            quoted[-1] += " *"
        return " ".join(quoted)

    @property
    def pattern(self) -> re.Pattern[str]:
        """What is highlighted, in folded text."""
        last = len(self.phrases) - 1
        found = [
            pattern(list(phrase), prefix=self.open_ended and place == last) for place, phrase in enumerate(self.phrases)
        ]
        return re.compile("|".join([*found, *map(re.escape, self.signs)]))


def understand(text: str) -> Query | None:
    """The query in any text: words must all occur, quotes make phrases, the last word may go on. None for nothing."""
    phrases: list[tuple[str, ...]] = []
    signs: list[str] = []
    open_ended = False
    for quoted, word in _PARTS.findall(clean(text).replace("\0", " ")[:_LONGEST_QUERY]):
        phrase = tuple(tokens(quoted or word))
        if phrase:
            phrases.append(phrase)
            open_ended = bool(word)
        elif sign := (quoted or word).strip():
            signs.append(compose(sign))
            open_ended = False
    if not phrases and not signs:
        return None
    return Query(tuple(phrases), open_ended, tuple(signs))


def search(db: Database, text: str, limit: int) -> list[Hit]:
    """Titles and messages of chats that are not deleted, at most `limit`, with a piece of each around what matched."""
    query = understand(text)
    if query is None:
        return []

    def read(connection: sqlite3.Connection) -> list[Hit]:
        titles = _titles(connection, query, limit)
        return titles + _messages(connection, query, limit - len(titles))

    return db.read(read)


def _titles(connection: sqlite3.Connection, query: Query, limit: int) -> list[Hit]:
    signs = "".join(" AND instr(c.title, ?)" for _ in query.signs)
    if query.phrases:
        sql = f"""SELECT c.id, c.title, c.created FROM search JOIN chats AS c ON c.id = -search.rowid
            WHERE search MATCH ? AND search.rowid < 0 AND c.deleted IS NULL{signs} ORDER BY rank LIMIT ?"""
        rows = connection.execute(sql, (query.match, *query.signs, limit))
    else:
        sql = f"""SELECT c.id, c.title, c.created FROM chats AS c WHERE c.deleted IS NULL{signs}
            ORDER BY c.updated DESC LIMIT ?"""
        rows = connection.execute(sql, (*query.signs, limit))
    found = query.pattern
    return [_hit(found, chat, None, title, title, created) for chat, title, created in rows]


def _messages(connection: sqlite3.Connection, query: Query, limit: int) -> list[Hit]:
    signs = "".join(" AND instr(m.text, ?)" for _ in query.signs)
    shown = "m.chat NOT IN (SELECT id FROM chats WHERE deleted IS NOT NULL)"
    if query.phrases:
        sql = "SELECT count(*) FROM (SELECT 1 FROM search WHERE search MATCH ? AND rowid > 0 LIMIT ?)"
        common = connection.execute(sql, (query.match, _RANKED + 1)).fetchone()[0] > _RANKED
        order = "search.rowid DESC" if common else "rank"
        # Ids first: texts of all that matched would be carried through the sorting.
        sql = f"""SELECT m.id FROM search CROSS JOIN messages AS m ON m.id = search.rowid
            WHERE search MATCH ? AND search.rowid > 0 AND {shown}{signs} ORDER BY {order} LIMIT ?"""
        best = [row[0] for row in connection.execute(sql, (query.match, *query.signs, limit))]
    else:
        sql = (
            f"SELECT m.id FROM messages AS m WHERE m.state <> 'streaming' AND {shown}{signs} ORDER BY m.id DESC LIMIT ?"
        )
        best = [row[0] for row in connection.execute(sql, (*query.signs, limit))]
    sql = """SELECT m.id, m.chat, c.title, m.text, m.created FROM messages AS m JOIN chats AS c ON c.id = m.chat
        WHERE m.id IN (SELECT value FROM json_each(?))"""
    rows = {row["id"]: row for row in connection.execute(sql, (json.dumps(best),))}
    found = query.pattern
    return [
        _hit(found, row["chat"], message, row["title"], row["text"], row["created"])
        for message in best
        if (row := rows.get(message))
    ]


def _hit(found: re.Pattern[str], chat: int, message: int | None, title: str, text: str, created: float) -> Hit:
    snippet, ranges = excerpt(text, found)
    return Hit(chat=chat, message=message, title=title, snippet=snippet, ranges=ranges, created=created)


def places(query: str, text: str) -> list[tuple[int, int]]:
    """Where in `text` a search for `query` finds its words and signs."""
    understood = understand(query)
    if understood is None:
        return []
    starts = composed_starts(text)
    found = [match.span() for match in understood.pattern.finditer(fold(compose(text)))]
    return [(starts[begin], starts[end]) for begin, end in found if end > begin]


def excerpt(text: str, found: re.Pattern[str]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """A piece of `text` on one line around its first match, and where in it everything that matched lies."""
    text = compose(text)
    first = found.search(fold(text))
    start = max(0, first.start() - _BEFORE) if first else 0
    if start:  # at the beginning of a word, where one is near
        space = text.find(" ", start, first.start() if first else None)
        start = space + 1 if space >= 0 else start
    end = min(len(text), start + _SNIPPET)
    piece = re.sub(r"\s", " ", text[start:end])
    before, after = "…" if start else "", "…" if end < len(text) else ""
    ranges = tuple(
        (match.start() + len(before), match.end() + len(before))
        for match in found.finditer(fold(piece))
        if match.end() > match.start()
    )
    return before + piece + after, ranges
