"""This program's own JSON: everything of each chat, so that importing it gives an equal tree."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, fields
from typing import Any, TypeVar

from desktop.store.coding import options_from_dict, options_to_dict, record_from_dict
from desktop.store.records import Dropped, Figures
from desktop.store.transfer.errors import TransferError
from desktop.store.transfer.times import moment_from
from desktop.store.trees import ChatTree, Node

FORMAT, VERSION = "falconet-chats", 1

T = TypeVar("T")


def to_json(trees: Iterable[ChatTree]) -> Iterator[str]:
    """All chats, in pieces. Messages are named by their place in the list, from 0; a parent stands before its
    children."""
    yield f'{{"format": "{FORMAT}", "version": {VERSION}, "chats": ['
    for place, tree in enumerate(trees):
        yield (",\n" if place else "\n") + json.dumps(_chat(tree), ensure_ascii=False, indent=1)
    yield "\n]}\n"


def _chat(tree: ChatTree) -> dict[str, Any]:
    plain = {field.name: getattr(tree, field.name) for field in fields(tree) if field.name not in ("options", "nodes")}
    return plain | {"options": options_to_dict(tree.options), "messages": [asdict(node) for node in tree.nodes]}


def is_own(data: object) -> bool:
    """Whether parsed JSON says that it is of this form."""
    return isinstance(data, Mapping) and data.get("format") == FORMAT


def from_json(data: Mapping[str, Any]) -> tuple[int, Iterator[ChatTree]]:
    """How many chats there are in parsed JSON, and the chats, each made when it is asked for. Raises TransferError for
    a newer form and, then too, for what `to_json` never writes."""
    version = data.get("version")
    if isinstance(version, int) and version > VERSION:
        raise TransferError("This file was written by a newer version of this program; install that version.")
    chats = data.get("chats")
    if version != VERSION or not isinstance(chats, list):
        raise _damaged()
    return len(chats), map(_to_tree, chats)


def _to_tree(chat: object) -> ChatTree:
    if not isinstance(chat, Mapping) or not isinstance(chat.get("messages"), list):
        raise _damaged()
    nodes = tuple(_to_node(node, place) for place, node in enumerate(chat["messages"]))
    created = moment_from(chat.get("created"))
    for place, node in enumerate(nodes):
        if node.chosen is not None and not (place < node.chosen < len(nodes) and nodes[node.chosen].parent == place):
            raise _damaged()
    first = _take(chat, "first", int, None)
    if first is not None and not (0 <= first < len(nodes) and nodes[first].parent is None):
        raise _damaged()
    options = chat.get("options")
    return ChatTree(
        title=_take(chat, "title", str, ""),
        created=created,
        updated=moment_from(chat.get("updated"), created),
        titled_by_user=_take(chat, "titled_by_user", bool, False),
        folder=_take(chat, "folder", str, None),
        pinned=_take(chat, "pinned", bool, False),
        archived=_take(chat, "archived", bool, False),
        system_prompt=_take(chat, "system_prompt", str, ""),
        options=options_from_dict(options if isinstance(options, Mapping) else {}),
        draft=_take(chat, "draft", str, ""),
        model=_take(chat, "model", str, None),
        first=first,
        nodes=nodes,
    )


def _to_node(node: object, place: int) -> Node:
    if not isinstance(node, Mapping):
        raise _damaged()
    parent, role = _take(node, "parent", int, None), node.get("role")
    state = node.get("state", "complete")
    if role not in ("user", "assistant") or state not in ("complete", "interrupted", "failed"):
        raise _damaged()
    if parent is not None and not 0 <= parent < place:
        raise _damaged()
    return Node(
        parent=parent,
        role=role,
        text=_take(node, "text", str, ""),
        created=moment_from(node.get("created")),
        chosen=_take(node, "chosen", int, None),
        state=state,
        model=_take(node, "model", str, None),
        figures=record_from_dict(Figures, node.get("figures")),
        dropped=record_from_dict(Dropped, node.get("dropped")),
        error=_take(node, "error", str, None),
        reasoning=_take(node, "reasoning", str, ""),
    )


def _take(values: Mapping[str, Any], name: str, kind: type[Any], default: T) -> Any | T:
    """A value of the right kind, or the default where there is none. Raises TransferError for another kind."""
    value = values.get(name)
    if value is None:
        return default
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise _damaged()
    return value


def _damaged() -> TransferError:
    return TransferError("This file of chats is damaged; export the chats again and import the new file.")
