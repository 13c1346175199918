"""What a person waits for when chats are searched and opened: 10,000 messages, and a chat of 500.

    python -m benchmarks.desktop_store [--messages 10000] [--repeats 5] [--write]

Messages are 20 to 200 words drawn by Zipf's law from 20,000 made-up words, every tenth in Chinese characters; chats
have 50 messages, one has 500, and every fifth answer has an alternative. Queries are what is typed on the way to a
word, common and rare words, two words, phrases, Chinese characters, and signs; each is asked `repeats` times. Times
are those of Store.search and Store.path, so with snippets made and records built; a start is Store.open and close.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.record import check_clean, make_record, write_record
from desktop.store.opening import FILE_NAME
from desktop.store.store import Store
from desktop.store.trees import ChatTree, Node

_LONG_CHAT, _CHAT = 500, 50  # messages
_WORDS = 20_000


class Writer:
    """Makes up texts, the same ones every time."""

    def __init__(self) -> None:
        self.chance = random.Random(0)
        letters = "etaoinshrdlucmfwypvbgk"
        self.words = sorted(
            {"".join(self.chance.choices(letters, k=self.chance.randint(2, 9))) for _ in range(_WORDS)},
            key=lambda word: (len(word), word),
        )
        self.weights = [1 / rank for rank in range(1, len(self.words) + 1)]

    def text(self, number: int) -> str:
        """One message."""
        if number % 10 == 9:
            return "".join(chr(0x4E00 + int(self.chance.paretovariate(0.5)) % 3000) for _ in range(200))
        return " ".join(self.chance.choices(self.words, self.weights, k=self.chance.randint(20, 200)))

    def chat(self, length: int, number: int) -> ChatTree:
        """A chat whose path has `length` messages."""
        nodes: list[Node] = []
        parent: int | None = None
        for turn in range(length):
            role = "assistant" if turn % 2 else "user"
            if turn % 10 == 1:
                nodes.append(Node(parent=parent, role="assistant", text=self.text(turn), created=1e9 + turn))
            here = len(nodes)
            if parent is not None:
                nodes[parent] = Node(
                    parent=nodes[parent].parent,
                    role=nodes[parent].role,
                    text=nodes[parent].text,
                    created=nodes[parent].created,
                    chosen=here,
                )
            text = self.text(number + turn)
            nodes.append(
                Node(parent=parent, role="user" if role == "user" else "assistant", text=text, created=1e9 + turn)
            )
            parent = here
        title = " ".join(self.chance.choices(self.words, self.weights, k=4))
        return ChatTree(title=title, created=1e9 + number, updated=1e9 + number, first=0, nodes=tuple(nodes))

    def queries(self) -> list[str]:
        """What is searched for."""
        common, rare = self.words[:30], self.words[2000:15000:400]
        typed = [word[:count] for word in (*common[-5:], *rare[:10]) for count in range(1, len(word) + 1)]
        pairs = [f"{first} {second}" for first, second in zip(common, rare, strict=False)]
        phrases = [f'"{first} {second}"' for first, second in pairwise(common[:11])]
        chinese = ["一", "丁", "一一", "一丁", "丁一", "七万丈"]
        return [*common, *rare, *typed, *pairs, *phrases, *chinese, "->", "?", "nothing-like-this"]


def fill(folder: Path, messages: int) -> tuple[int, int, list[str]]:
    """Chats of `messages` messages in all; returns the long one's id, the true count, and the queries."""
    writer = Writer()
    trees = [writer.chat(_LONG_CHAT, 0)]
    while sum(len(tree.nodes) for tree in trees) < messages:
        trees.append(writer.chat(_CHAT, len(trees)))
    with closing(Store.open(folder)) as store:
        ids = store.add_trees(trees)
    return ids[0], sum(len(tree.nodes) for tree in trees), writer.queries()


def milliseconds(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - begun)


def summary(times: list[float]) -> dict[str, float]:
    """Median, 95th percentile and worst, in ms."""
    ordered = sorted(times)
    return {
        "median_ms": round(statistics.median(ordered), 2),
        "p95_ms": round(ordered[int(0.95 * (len(ordered) - 1))], 2),
        "worst_ms": round(ordered[-1], 2),
    }


def measure(folder: Path, messages: int, repeats: int) -> dict[str, Any]:
    chat, count, queries = fill(folder, messages)
    starts = [milliseconds(lambda: Store.open(folder).close()) for _ in range(max(repeats, 5))]
    with closing(Store.open(folder)) as store:
        assert len(store.path(chat)) == _LONG_CHAT
        searches: dict[str, list[float]] = {query: [] for query in queries}
        for _ in range(repeats):
            for query, times in searches.items():
                times.append(milliseconds(lambda query=query: store.search(query)))  # type: ignore[misc]
        opened = [milliseconds(lambda: store.path(chat)) for _ in range(20 * repeats)]
        listed = [milliseconds(store.chats) for _ in range(20 * repeats)]
        scratch = store.new_chat().id
        answer = store.add(scratch, None, "assistant", "", state="streaming").id
        text = "word " * 2000
        writes = [milliseconds(lambda: store.write(answer, text)) for _ in range(20 * repeats)]
        adds = [milliseconds(lambda: store.add(scratch, None, "user", "a question")) for _ in range(20 * repeats)]
    slowest = max(searches, key=lambda query: max(searches[query]))
    return {
        "messages": count,
        "file_mb": round((folder / FILE_NAME).stat().st_size / 1e6, 1),
        "queries": len(queries),
        "search": summary([taken for times in searches.values() for taken in times]) | {"slowest_query": slowest},
        "open_chat_of_500": summary(opened),
        "list_chats": summary(listed),
        "checkpoint_of_10_kB": summary(writes),
        "add_a_question": summary(adds),
        "open_and_close_the_store": summary(starts),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=10_000, help="in all (default: 10000)")
    parser.add_argument("--repeats", type=int, default=5, help="of each query (default: 5)")
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    args = parser.parse_args()
    if args.write:
        check_clean()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), args.messages, args.repeats)
    for name, value in figures.items():
        print(f"{name:26} {value}")
    record = make_record("desktop_store", (), figures | {"repeats": args.repeats, "sqlite": sqlite3.sqlite_version})
    if args.write:
        print(write_record(record))
    print(json.dumps(record))


if __name__ == "__main__":
    main()
