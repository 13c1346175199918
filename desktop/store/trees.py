"""ChatTree: a chat with all its messages, apart from any database: what is exported and imported."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from desktop.store import chats
from desktop.store.coding import options_to_json, record_to_json
from desktop.store.database import Database
from desktop.store.messages import follow, to_message
from desktop.store.records import Dropped, Figures, MessageState
from desktop.store.words import clean
from runtime import GenerationOptions


@dataclass(frozen=True, kw_only=True)
class Node:
    """A message of a tree. `parent` and `chosen` are places in the tree's list; a parent stands before its children."""

    parent: int | None
    role: Literal["user", "assistant"]
    text: str
    created: float
    chosen: int | None = None  # the child that the path goes on with
    state: MessageState = "complete"
    model: str | None = None
    figures: Figures | None = None
    dropped: Dropped | None = None
    error: str | None = None
    reasoning: str = ""


@dataclass(frozen=True, kw_only=True)
class ChatTree:
    """A whole chat. `first` is the place of the message that the current path begins with."""

    title: str
    created: float
    updated: float
    titled_by_user: bool = False
    folder: str | None = None  # its name
    pinned: bool = False
    archived: bool = False
    system_prompt: str = ""
    options: GenerationOptions = field(default_factory=GenerationOptions)
    draft: str = ""
    model: str | None = None
    first: int | None = None
    nodes: tuple[Node, ...] = ()

    def path(self) -> list[Node]:
        """The current path, from the first message to the last."""
        children: defaultdict[int | None, list[int]] = defaultdict(list)
        chosen: dict[int | None, int | None] = {None: self.first}
        for place, node in enumerate(self.nodes):
            children[node.parent].append(place)
            chosen[place] = node.chosen
        return [self.nodes[place] for place, _ in follow(children, chosen)]


def read_tree(db: Database, chat: int) -> ChatTree:
    """A chat with all its messages, at one moment."""

    def query(connection: sqlite3.Connection) -> ChatTree:
        kept = chats.to_chat(row := chats.get_row(connection, chat))
        found = connection.execute("SELECT * FROM messages WHERE chat = ? ORDER BY id", (chat,)).fetchall()
        places = {message["id"]: place for place, message in enumerate(found)}
        parents = {message["id"]: message["parent"] for message in found}
        first = row["first"] if parents.get(row["first"]) is None else None
        folder = connection.execute("SELECT name FROM folders WHERE id = ?", (kept.folder,)).fetchone()
        return ChatTree(
            title=kept.title,
            created=kept.created,
            updated=kept.updated,
            titled_by_user=kept.titled_by_user,
            folder=folder[0] if folder else None,
            pinned=kept.pinned,
            archived=kept.archived,
            system_prompt=kept.system_prompt,
            options=kept.options,
            draft=kept.draft,
            model=kept.model,
            first=places.get(first),
            nodes=tuple(_to_node(message, places, parents) for message in found),
        )

    return db.read(query)


def _to_node(row: sqlite3.Row, places: Mapping[int, int], parents: Mapping[int, int | None]) -> Node:
    message = to_message(row)
    chosen = row["chosen"] if parents.get(row["chosen"]) == message.id else None  # a rescue may have lost its parent
    return Node(
        parent=places.get(row["parent"]),
        role=message.role,
        text=message.text,
        created=message.created,
        chosen=None if chosen is None else places[chosen],
        state="interrupted" if message.state == "streaming" else message.state,
        model=message.model,
        figures=message.figures,
        dropped=message.dropped,
        error=message.error,
        reasoning=message.reasoning,
    )


def add_trees(db: Database, trees: Sequence[ChatTree]) -> list[int]:
    """Add whole chats in one transaction, into folders by name, and return their ids."""

    def work(connection: sqlite3.Connection) -> list[int]:
        added = [_add_tree(connection, tree) for tree in trees]
        _put_into_folders(connection, trees, added)
        return added

    return db.change(work)


def add_coming(db: Database, trees: Sequence[ChatTree]) -> list[int]:
    """Add whole chats that nobody sees yet, in one transaction, and return their ids."""

    def work(connection: sqlite3.Connection) -> list[int]:
        added = [_add_tree(connection, tree) for tree in trees]
        connection.executemany("UPDATE chats SET deleted = ? WHERE id = ?", [(chats.COMING, chat) for chat in added])
        return added

    return db.change(work, durable=False)  # `show_coming` is, with all before it


def show_coming(db: Database, trees: Sequence[ChatTree], added: Sequence[int]) -> None:
    """Have all chats that were added for `trees` seen at once, in folders by name."""

    def work(connection: sqlite3.Connection) -> None:
        connection.executemany("UPDATE chats SET deleted = NULL WHERE id = ?", [(chat,) for chat in added])
        _put_into_folders(connection, trees, added)

    db.change(work)


def drop_coming(db: Database, added: Sequence[int]) -> None:
    """Remove chats that nobody has seen."""
    sql = "DELETE FROM chats WHERE id = ? AND deleted = ?"
    db.change(lambda connection: connection.executemany(sql, [(chat, chats.COMING) for chat in added]))


def _put_into_folders(connection: sqlite3.Connection, trees: Sequence[ChatTree], added: Sequence[int]) -> None:
    """Folders that are missing are made."""
    folders = {row["name"]: row["id"] for row in connection.execute("SELECT id, name FROM folders ORDER BY id DESC")}
    for tree, chat in zip(trees, added, strict=True):
        if tree.folder is None:
            continue
        if tree.folder not in folders:
            folders[tree.folder] = chats.add_folder(connection, tree.folder).id
        connection.execute("UPDATE chats SET folder = ? WHERE id = ?", (folders[tree.folder], chat))


def _add_tree(connection: sqlite3.Connection, tree: ChatTree) -> int:
    sql = """INSERT INTO chats (title, titled_by_user, created, updated, pinned, archived, model, options,
        system_prompt, draft) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
    values = (
        clean(tree.title),
        int(tree.titled_by_user),
        tree.created,
        tree.updated,
        int(tree.pinned),
        int(tree.archived),
        _clean(tree.model),
        options_to_json(tree.options),
        clean(tree.system_prompt),
        clean(tree.draft),
    )
    chat = int(connection.execute(sql, values).lastrowid or 0)
    ids: list[int] = []
    for node in tree.nodes:
        ids.append(_add_node(connection, chat, node, None if node.parent is None else ids[node.parent]))
    links = [(ids[node.chosen], at) for node, at in zip(tree.nodes, ids, strict=True) if node.chosen is not None]
    connection.executemany("UPDATE messages SET chosen = ? WHERE id = ?", links)
    first = None if tree.first is None else ids[tree.first]
    connection.execute("UPDATE chats SET first = ? WHERE id = ?", (first, chat))
    return chat


def _add_node(connection: sqlite3.Connection, chat: int, node: Node, parent: int | None) -> int:
    sql = """INSERT INTO messages (chat, parent, role, state, created, model, figures, dropped, error, text, reasoning)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
    values = (
        chat,
        parent,
        node.role,
        node.state,
        node.created,
        _clean(node.model),
        record_to_json(node.figures),
        record_to_json(node.dropped),
        _clean(node.error),
        clean(node.text),
        clean(node.reasoning),
    )
    return int(connection.execute(sql, values).lastrowid or 0)


def _clean(text: str | None) -> str | None:
    return None if text is None else clean(text)
