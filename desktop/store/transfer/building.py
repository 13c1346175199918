"""TreeBuilder: messages of other programs to a tree in which user and assistant take turns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from desktop.store.records import Figures, MessageState
from desktop.store.trees import Node

_BREAK = "\n\n"  # between what were two messages of the same speaker


@dataclass(frozen=True)
class Point:
    """Where a tree goes on: the place of a message, and its text up to here, as others may go on elsewhere from it."""

    place: int
    text: str


class TreeBuilder:
    """Collects messages, each under a point. Two in a row by the same speaker, as tools leave them, become one."""

    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self._closed: set[int] = set()  # messages that something follows: no text may be added to them

    def add(
        self,
        under: Point | None,
        role: Literal["user", "assistant"],
        text: str,
        created: float,
        *,
        state: MessageState = "complete",
        model: str | None = None,
        figures: Figures | None = None,
    ) -> Point:
        """Add a message under a point, None for a first one, and return the point behind it."""
        node = Node(parent=None, role=role, text=text, created=created, state=state, model=model, figures=figures)
        if under is None:
            return self._append(node)
        before = self._nodes[under.place]
        open_ended = under.place not in self._closed
        self._closed.add(under.place)
        if before.role != role:
            return self._append(replace(node, parent=under.place))
        whole = under.text + _BREAK + text
        if not open_ended or before.text != under.text:  # an alternative that begins with the same words
            return self._append(replace(node, parent=before.parent, text=whole))
        self._closed.discard(under.place)
        self._nodes[under.place] = replace(before, text=whole, state=state, figures=figures or before.figures)
        return Point(under.place, whole)

    def finish(self, current: Point | None) -> tuple[int | None, tuple[Node, ...]]:
        """The first message of the current path and all messages, with the path leading through `current`."""
        nodes = list(self._nodes)
        first: int | None = None
        for place in range(len(nodes)):  # the newest child, unless the path to `current` says otherwise
            parent = nodes[place].parent
            if parent is None:
                first = place
            else:
                nodes[parent] = replace(nodes[parent], chosen=place)
        at = None if current is None else current.place
        while at is not None:
            parent = nodes[at].parent
            if parent is None:
                first = at
            else:
                nodes[parent] = replace(nodes[parent], chosen=at)
            at = parent
        return first, tuple(nodes)

    def _append(self, node: Node) -> Point:
        self._nodes.append(node)
        return Point(len(self._nodes) - 1, node.text)
