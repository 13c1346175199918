"""Rows: the list of chats as it is shown, with headers over folders and spans of time. Data, without a widget."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from types import MappingProxyType
from typing import Literal

from desktop.store.records import Chat, Folder

Span = Literal["pinned", "today", "yesterday", "week", "older", "archived"]
SPANS: tuple[Span, ...] = ("pinned", "today", "yesterday", "week", "older")


@dataclass(frozen=True, kw_only=True)
class HeaderRow:
    """Over the chats of a folder, which can be folded away, or of a span of time."""

    span: Span | None = None
    folder: Folder | None = None
    folded: bool = False
    count: int = 0

    @property
    def key(self) -> str:
        """The same as long as it is the same header."""
        return f"folder {self.folder.id}" if self.folder is not None else f"span {self.span}"


@dataclass(frozen=True, kw_only=True)
class ChatRow:
    """One chat; `writing` while an answer is written in it; `inside`: under the header of its folder."""

    chat: Chat
    writing: bool = False
    inside: bool = False

    @property
    def key(self) -> str:
        """The same as long as it is the same chat."""
        return f"chat {self.chat.id}"


Row = HeaderRow | ChatRow


def rows(
    chats: Sequence[Chat],
    folders: Sequence[Folder],
    *,
    folded: Collection[int] = (),
    writing: Collection[int] = (),
    archived: bool = False,
    today: date | None = None,
    known: Mapping[int, ChatRow] = MappingProxyType({}),
) -> list[Row]:
    """Pinned chats first, then folders by position, then the rest by when something was last said.

    `folded` are ids of folders whose chats are hidden, `writing` those of chats with an answer in progress. With
    `archived` one header stands over all. `known`: rows that were made before, by chat, of which one that says the
    same is taken again.
    """

    def made(chat: Chat, *, inside: bool = False) -> ChatRow:
        row = known.get(chat.id)
        if row is None or row.chat is not chat or row.inside != inside or row.writing != (chat.id in writing):
            row = ChatRow(chat=chat, writing=chat.id in writing, inside=inside)
        return row

    if archived:
        return [HeaderRow(span="archived", count=len(chats)), *map(made, chats)] if chats else []
    this_day, day_before, this_week = _begins(today or date.today())
    result: list[Row] = []
    loose: dict[Span, list[Chat]] = {span: [] for span in SPANS}
    inside: dict[int, list[Chat]] = {folder.id: [] for folder in folders}
    for chat in chats:
        if chat.pinned:
            loose["pinned"].append(chat)
        elif chat.folder in inside:
            inside[chat.folder].append(chat)
        else:
            loose[_span(chat.updated, this_day, day_before, this_week)].append(chat)
    for span in SPANS:
        if loose[span]:
            result += [HeaderRow(span=span, count=len(loose[span])), *map(made, loose[span])]
        if span == "pinned":
            for folder in sorted(folders, key=lambda folder: folder.position):
                own = inside[folder.id]
                result.append(HeaderRow(folder=folder, folded=folder.id in folded, count=len(own)))
                if folder.id not in folded:
                    result += [made(chat, inside=True) for chat in own]
    return result


def _begins(today: date) -> tuple[float, float, float]:
    """When this day, the one before and the last seven days begin, in the user's own time zone."""
    one, two, three = (datetime.combine(today - timedelta(days=ago), time()).timestamp() for ago in (0, 1, 6))
    return one, two, three


def _span(updated: float, this_day: float, day_before: float, this_week: float) -> Span:
    if updated >= this_day:
        return "today"
    if updated >= day_before:
        return "yesterday"
    return "week" if updated >= this_week else "older"
