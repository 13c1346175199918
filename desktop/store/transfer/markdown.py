"""Chats as Markdown: the current path of each, texts as they are, which is Markdown already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from desktop.store.transfer.times import shown
from desktop.store.trees import ChatTree, Node

UNTITLED = "Untitled chat"
_NOTES = {"interrupted": "interrupted", "streaming": "interrupted", "failed": "failed", "complete": ""}


def to_markdown(trees: Iterable[ChatTree]) -> Iterator[str]:
    """All chats in one document, in pieces, a rule between them."""
    for place, tree in enumerate(trees):
        yield ("\n---\n\n" if place else "") + _chat(tree) + "\n"


def heading(node: Node) -> str:
    """Who speaks, and whether the answer was cut off."""
    who = "You" if node.role == "user" else node.model or "Assistant"
    note = _NOTES[node.state] if node.role == "assistant" else ""
    return f"{who} ({note})" if note else who


def _chat(tree: ChatTree) -> str:
    parts = [f"# {tree.title or UNTITLED}", f"*{shown(tree.created)}*"]
    if tree.system_prompt.strip():
        parts.append("\n".join(f"> {line}".rstrip() for line in tree.system_prompt.strip().splitlines()))
    for node in tree.path():
        parts += [f"## {heading(node)}", node.text.strip()]
    return "\n\n".join(part for part in parts if part)
