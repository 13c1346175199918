"""ChatGPT's conversations.json: a list of conversations, each a mapping of nodes with parents and children.

What its user saw is taken over: messages of user and assistant with their alternatives. Hidden messages, tools and what
is said to them are left out, and what follows them is joined to what came before. A system message with a text becomes
the chat's system prompt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from desktop.store.transfer.building import Point, TreeBuilder
from desktop.store.transfer.times import moment_from
from desktop.store.trees import ChatTree

_CITATION = re.compile("\ue200.*?\ue201", re.DOTALL)  # marks for its own web page
_UNSEEN = {"user_editable_context", "model_editable_context", "thoughts", "reasoning_recap"}


def is_chatgpt(data: object) -> bool:
    """Whether parsed JSON is a list of such conversations, or one of them."""
    first = data[0] if isinstance(data, list) and data else data
    return isinstance(first, Mapping) and isinstance(first.get("mapping"), Mapping)


def from_chatgpt(data: Any) -> tuple[int, Iterator[ChatTree]]:
    """How many conversations there are in parsed JSON, and those with a message that is shown, each made when it is
    asked for."""
    conversations = data if isinstance(data, list) else [data]
    trees = (
        _to_tree(conversation)
        for conversation in conversations
        if isinstance(conversation, Mapping) and isinstance(conversation.get("mapping"), Mapping)
    )
    return len(conversations), (tree for tree in trees if tree.nodes)


def _to_tree(conversation: Mapping[str, Any]) -> ChatTree:
    mapping: Mapping[str, Any] = conversation["mapping"]
    created = moment_from(conversation.get("create_time"))
    builder = TreeBuilder()
    points: dict[str, Point | None] = {}
    prompts: list[str] = []
    for name, under in _in_order(mapping):
        message = mapping[name].get("message")
        point = points.get(under) if under is not None else None
        points[name] = point
        if not isinstance(message, Mapping):
            continue
        role, text = _role(message), _text(message)
        if not text:
            continue
        if role == "system":
            prompts.append(text)
        elif role is not None:
            points[name] = builder.add(
                point,
                role,
                text,
                moment_from(message.get("create_time"), created),
                state="interrupted" if message.get("status") == "in_progress" else "complete",
                model=_model(message) if role == "assistant" else None,
            )
    current = conversation.get("current_node")
    first, nodes = builder.finish(points.get(current) if isinstance(current, str) else None)
    title = conversation.get("title")
    return ChatTree(
        title=title if isinstance(title, str) else "",
        titled_by_user=isinstance(title, str) and bool(title),
        created=created,
        updated=moment_from(conversation.get("update_time"), created),
        pinned=conversation.get("is_starred") is True,
        archived=conversation.get("is_archived") is True,
        system_prompt="\n\n".join(dict.fromkeys(prompts)),
        first=first,
        nodes=nodes,
    )


def _in_order(mapping: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    """Each node once, with the one it hangs under, parents first; nodes that hang nowhere or in a ring begin anew."""
    nodes = {name: node for name, node in mapping.items() if isinstance(node, Mapping)}
    roots = [name for name, node in nodes.items() if node.get("parent") not in nodes]
    ordered: list[tuple[str, str | None]] = []
    seen: set[str] = set()
    for root in [*roots, *nodes]:
        waiting: list[tuple[str, str | None]] = [(root, None)]
        while waiting:
            name, under = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            ordered.append((name, under))
            children = nodes[name].get("children")
            known = [child for child in children if isinstance(child, str) and child in nodes] if children else []
            waiting.extend((child, name) for child in reversed(known))
    return ordered


def _role(message: Mapping[str, Any]) -> Literal["user", "assistant", "system"] | None:
    """Whose message it is; None for one that its user did not see."""
    author, metadata, content = (_mapping(message.get(part)) for part in ("author", "metadata", "content"))
    role = author.get("role")
    hidden = metadata.get("is_visually_hidden_from_conversation") is True or content.get("content_type") in _UNSEEN
    to_a_tool = message.get("recipient") not in (None, "all")
    if hidden or to_a_tool or role not in ("user", "assistant", "system"):
        return None
    found: Literal["user", "assistant", "system"] = role
    return found


def _text(message: Mapping[str, Any]) -> str:
    content = _mapping(message.get("content"))
    parts = content.get("parts")
    if isinstance(parts, list):
        text = "\n\n".join(part for part in map(_part, parts) if part)
    else:
        text = content["text"] if isinstance(content.get("text"), str) else ""
        if text and content.get("content_type") == "code":
            language = content.get("language")
            text = f"```{language if isinstance(language, str) and language != 'unknown' else ''}\n{text}\n```"
    return _CITATION.sub("", text).strip()


def _part(part: object) -> str:
    if isinstance(part, str):
        return part
    given = _mapping(part)
    if isinstance(given.get("text"), str):
        return str(given["text"])
    return "[image]" if "image" in str(given.get("content_type")) else ""


def _model(message: Mapping[str, Any]) -> str | None:
    model = _mapping(message.get("metadata")).get("model_slug")
    return model if isinstance(model, str) else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
