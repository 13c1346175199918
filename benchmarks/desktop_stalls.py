"""What holds the window up where texts are large: tables, long messages, long answers, imports, exports, settings.

    python -m benchmarks.desktop_stalls [--only NAME ...] [--write]

Offscreen, the program's own window over a folder of its own, 1100 by 750, without a model. For each case: the longest
stall (the time between two beats of a 1 ms timer of the window's thread), the longest in processor's time of that
thread, which other programs of the machine do not add to, and how long it was until all was done.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtWidgets import QProgressDialog, QPushButton

from benchmarks.desktop_stream import Heartbeat, answer, message, wait
from benchmarks.record import check_clean, make_record, measured, write_record
from desktop.app import make_application
from desktop.desk import Desk
from desktop.garbage import settle
from desktop.shell import Shell
from desktop.store.transfer.own import to_json
from desktop.store.trees import ChatTree, Node

_QUIET = 1000  # ms without more than short beats: all is done
_SHORT = 0.02  # seconds
_LINE = "The quick brown fox jumps over the lazy dog, and nobody in the yard wonders."  # 76 characters


def table(columns: int, rows: int) -> str:
    """A table of short words."""
    head = "|" + "|".join(f"head {n}" for n in range(columns)) + "|\n|" + "---|" * columns + "\n"
    return head + "".join("|" + "|".join(f"cell {row}.{n}" for n in range(columns)) + "|\n" for row in range(rows))


def typed(size: int) -> str:
    """So many characters in lines."""
    return ((_LINE + "\n") * (size // len(_LINE) + 1))[:size]


def formulas(count: int) -> str:
    """So many within lines, and as many on lines of their own."""
    return "\n\n".join(f"So $x_{{{n}}} = \\frac{{{n}}}{{y^2}}$ and more.\n\n$$\\int_0^{n} x$$" for n in range(count))


def chats(size: int) -> str:
    """A file of this program's chats, of about so many bytes."""
    nodes = [
        Node(
            parent=n - 1 if n else None,
            role="assistant" if n % 2 else "user",
            text=" ".join([_LINE] * (30 if n % 2 else 2)),
            created=1e9,
            chosen=n + 1 if n < 19 else None,
        )
        for n in range(20)
    ]
    one = ChatTree(title="Foxes", created=1e9, updated=1e9, first=0, nodes=tuple(nodes))
    length = sum(map(len, to_json([one])))
    return "".join(to_json([one] * (size // length)))


class Cases:
    """Each method brings the window into one state and lets a clock tell how it went."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        self.desk, self.folder, self.view = desk, folder, desk.view

    def measure(self, act: Callable[[], object], done: Callable[[], bool] = lambda: True) -> dict[str, float]:
        """Figures of `act`, until it is `done` and the window has nothing more to do."""
        wait(300)
        beat, start = Heartbeat(), time.perf_counter()
        beat.start()
        act()
        last, seen = time.perf_counter(), 0
        while not done() or time.perf_counter() - last < _QUIET / 1000:
            wait(20)
            if not done() or max(beat.busy[seen:], default=0.0) > _SHORT:
                last = time.perf_counter()
            seen = len(beat.busy)
        found = beat.stop()
        return {
            "longest_ms": round(found["longest_ms"], 1),
            "longest_processor_ms": round(found["longest_processor_ms"], 1),
            "seconds": round(last - start, 2),
        }

    def show(self, text: str, number: int = 2) -> dict[str, float]:
        """A chat is opened whose last message is `text`: an even number is an answer."""
        self.view.set_items([message(99, "Another chat")])
        return self.measure(lambda: self.view.set_items([message(1, "How?"), message(number, text)]), self.is_there)

    def is_there(self) -> bool:
        """Whether all of the last message is shown."""
        shown = self.view.list.widgets.get(1)
        return shown is not None and not getattr(shown, "lacks", False)

    def stream(self, text: str, start: int, piece: int, ticks: int = 30) -> dict[str, float]:
        """An answer goes on from `start` characters, one piece a tick, until `text` is there; then it ends."""
        self.view.set_items([message(1, "How?"), message(2, text[:start], "streaming")])
        while not self.is_there():
            wait(100)

        def grow() -> None:
            for tick in range(ticks):
                self.view.stream(2, text[: start + (tick + 1) * piece])
                wait(35)

        grown = self.measure(grow)
        ended = self.measure(lambda: self.view.replace(message(2, text)), self.is_there)
        return grown | {f"end_{name}": value for name, value in ended.items()}

    def load(self) -> dict[str, float]:
        """A file of 30 MB is imported."""
        file, told = self.large(), list[object]()
        self.desk.transfer.imported.connect(told.append)
        return self.measure(lambda: self.desk.transfer.load(file), lambda: bool(told))

    def cancel_load(self, after: int) -> dict[str, float]:
        """Such an import is cancelled after so many milliseconds: in seconds, how long until that is told."""
        file, told = self.large(), list[str]()
        self.desk.transfer.told.connect(lambda sentence, _: told.append(sentence))
        self.desk.transfer.load(file)
        wait(after)
        (progress,) = self.desk.shell.window.findChildren(QProgressDialog)
        (button,) = progress.findChildren(QPushButton)
        return self.measure(button.click, lambda: bool(told))

    def large(self) -> Path:
        """Such a file."""
        file = self.folder / "chats.json"
        if not file.exists():
            file.write_text(chats(30_000_000), encoding="utf-8")
        return file

    def export(self, text: str, ending: str) -> dict[str, float]:
        """A chat with such an answer is written."""
        chat = self.desk.store.new_chat().id
        self.desk.store.add(chat, None, "assistant", text)
        file = self.folder / f"page{chat}{ending}"
        return self.measure(lambda: self.desk.transfer.export([chat], file), file.exists)

    def many_chats(self) -> dict[str, float]:
        """27,000 chats are listed, drawn again, and one of them is renamed."""
        now = time.time()
        empty = ChatTree(title="Foxes", created=1e9, updated=1e9)
        added = self.desk.store.add_trees([replace(empty, updated=now - 600 * n) for n in range(27_000)])
        listed, chats = self.measure(self.desk.chats.refresh), self.desk.chats
        again = self.measure(chats.refresh)
        renamed = self.measure(lambda: chats.rename(added[13_500], "Hounds"))
        self.desk.store.delete(added)
        chats.refresh()
        rest = {f"again_{name}": value for name, value in again.items()}
        return listed | rest | {f"renamed_{name}": value for name, value in renamed.items()}

    def change_model(self) -> dict[str, float]:
        """Another model is remembered."""
        self.show(answer(2000))
        shell = self.desk.shell
        return self.measure(lambda: shell.change(replace(shell.settings, model="bundle:/other")))


def main() -> int:
    """Measure all and print one line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", help="names of cases; all by default")
    parser.add_argument("--write", action="store_true", help="keep the figures in benchmarks/results")
    args = parser.parse_args()
    if args.write:
        check_clean()
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        application = make_application(sys.argv[:1])
        shell = Shell(application, folder)
        desk = Desk(shell, folder)
        shell.window.resize(1100, 750)
        shell.window.show()
        settle()  # as the application does
        desk.chats.open_first()
        cases = Cases(desk, folder)
        code = "```python\n" + typed(150_000).replace("The", "def f(x): return") + "\n"
        long = answer(27_000, maths=False)
        parts: dict[str, Callable[[], dict[str, Any]]] = {
            "table_50x20": lambda: cases.show(table(20, 50)),
            "table_8x200": lambda: cases.show(table(8, 200)),
            "table_60x300": lambda: cases.show(table(60, 300)),
            "table_8x300_grows": lambda: cases.stream(table(8, 330), len(table(8, 300)), 88),
            "own_20kB": lambda: cases.show(typed(20_000), 3),
            "own_100kB": lambda: cases.show(typed(100_000), 3),
            "own_1MB": lambda: cases.show(typed(1_000_000), 3),
            "own_100kB_one_line": lambda: cases.show(typed(100_000).replace("\n", " "), 3),
            "answer_20kB": lambda: cases.show(long[:20_000]),
            "answer_100kB": lambda: cases.show(long[:100_000]),
            "answer_100kB_grows": lambda: cases.stream(long[:102_000], 100_000, 60),
            "code_100kB_grows": lambda: cases.stream(code[:102_000], 100_000, 60),
            "paragraph_100kB_grows": lambda: cases.stream(typed(102_000), 100_000, 60),
            "list_100kB_grows": lambda: cases.stream(
                "".join(f"- {_LINE}\n" for _ in range(1300))[:102_000], 100_000, 60
            ),
            "model_changed": cases.change_model,
            "chats_27000": cases.many_chats,
            "import_30MB_read_cancelled": lambda: cases.cancel_load(500),
            "import_30MB_added_cancelled": lambda: cases.cancel_load(8000),
            "import_30MB": cases.load,
            "html_400_formulas": lambda: cases.export(formulas(200), ".html"),
            "pdf_400_formulas": lambda: cases.export(formulas(200), ".pdf"),
            "pdf_answer_500kB": lambda: cases.export(answer(125_000, maths=False), ".pdf"),
        }
        figures = measured(parts, args.only)
        if args.write:
            print(write_record(make_record("desktop_stalls", ("PySide6-Essentials", "markdown-it-py"), figures)))
        shell.window.close()
        desk.close()
        application.quit()
    return 0


if __name__ == "__main__":
    sys.exit(main())
