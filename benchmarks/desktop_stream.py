"""How the conversation view feels: stalls while an answer streams in, keys, a long chat opened, memory, the place.

    python -m benchmarks.desktop_stream [--rate 200] [--tokens 2000] [--answers 1000] [--write]

Offscreen, with the application's theme, a window of 900 by 700 and a composer. A stall is the time between two beats
of a 1 ms timer of the window's thread, less that millisecond. A key's time goes from its posting into the event queue,
at a moment that has nothing to do with frames, to the end of the paint event of the composer that follows it. A chat
is open when its messages are painted. Memory is the resident size of the process, after a collection of garbage, from
the 20th answer on: fonts, modules and caches are then there. A token is four characters.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QCoreApplication, QEvent, QEventLoop, QObject, Qt, QTimer
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget

from benchmarks.record import check_clean, make_record, measured, write_record
from desktop.garbage import settle
from desktop.store.records import Figures
from desktop.views.composer import Composer
from desktop.views.conversation.items import MessageItem
from desktop.views.conversation.view import ConversationView
from desktop.views.theme import theme

_PROSE = (
    "The list is walked once, **from the end to the start**, and each element goes to a new list; see `reversed` and "
    "the documentation. Nothing of the old list is changed, which is why other parts of a program that hold it see no "
    "difference. It takes time and memory in proportion to its length.\n\n"
)
_CODE = (
    '```python\ndef turned(items: list[int]) -> list[int]:\n    """A copy, last first."""\n'
    + "".join(f'    step_{n} = items[{n}] * {n} + len("text {n}")  # one of many steps\n' for n in range(18))
    + "    return items[::-1]\n```\n\n"
)
_REST = "## What to remember\n\n- a slice makes **a copy**\n- `reverse` changes the list\n  - and returns `None`\n\n"
_TABLE = "| way | copy | time |\n|---|---|---:|\n| slice | yes | 1.0 |\n| reverse | no | 0.6 |\n\n"
_MATHS = "The cost is $\\frac{n}{2}$ swaps, in all\n\n$$\\sum_{i=1}^{n} i = \\frac{n(n+1)}{2}$$\n\n"
_FIGURES = Figures(
    prompt_tokens=100, reused_tokens=50, new_tokens=200, first_token_seconds=0.2, tokens_per_second=200.0,
    reason="stop", context_length=2048,
)  # fmt: skip
_CHARACTERS = 4  # to a token


def answer(tokens: int, *, maths: bool = True) -> str:
    """Text of so many tokens with code, lists, tables and mathematics."""
    whole = (_PROSE + _CODE + _PROSE + _REST + _TABLE + (_MATHS if maths else "")) * (tokens // 300 + 1)
    return whole[: tokens * _CHARACTERS]


def message(number: int, text: str, state: Any = "complete") -> MessageItem:
    """Questions have odd numbers, answers even ones."""
    role: Any = "user" if number % 2 else "assistant"
    figures = _FIGURES if role == "assistant" and state == "complete" else None
    return MessageItem(id=number, role=role, text=text, state=state, figures=figures)


def wait(milliseconds: int) -> None:
    """Run the event loop."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


class Heartbeat(QObject):
    """Beats each millisecond, and remembers how late each beat was."""

    def __init__(self) -> None:
        super().__init__()
        self.late: list[float] = []
        self.busy: list[float] = []
        self._last, self._used = time.perf_counter(), time.thread_time()
        self._timer = QTimer(self, interval=1, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)

    def _beat(self) -> None:
        now, used = time.perf_counter(), time.thread_time()
        self.late.append(max(now - self._last - 0.001, 0.0))
        self.busy.append(used - self._used)
        self._last, self._used = now, used

    def start(self) -> None:
        """Begin anew."""
        self.late, self.busy = [], []
        self._last, self._used = time.perf_counter(), time.thread_time()
        self._timer.start()

    def stop(self) -> dict[str, float]:
        """Milliseconds: the longest stall, the one that one beat in a thousand exceeds, and the longest in the
        processor's time of this thread, which other programs of the machine do not add to."""
        self._timer.stop()
        ordered = sorted(self.late)
        return {
            "longest_ms": ordered[-1] * 1e3,
            "p999_ms": ordered[int(len(ordered) * 0.999)] * 1e3,
            "longest_processor_ms": max(self.busy) * 1e3,
        }


class Keys(QObject):
    """Posts keys at random moments and takes the time until the composer has painted them."""

    def __init__(self, composer: Composer) -> None:
        super().__init__()
        self.times: list[float] = []
        self._composer = composer
        self._posted: float | None = None
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._post)
        composer.edit.viewport().installEventFilter(self)

    def start(self) -> None:
        """Press keys until `stop`."""
        self._timer.start(random.randint(40, 160))

    def stop(self) -> None:
        """No more keys."""
        self._timer.stop()

    def _post(self) -> None:
        self._posted = time.perf_counter()
        for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
            event = QKeyEvent(kind, Qt.Key.Key_A, Qt.KeyboardModifier.NoModifier, "a")
            QCoreApplication.postEvent(self._composer.edit, event)
        self._timer.start(random.randint(40, 160))

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint and self._posted is not None:
            QTimer.singleShot(0, self, self._painted)
        return False

    def _painted(self) -> None:
        if self._posted is not None:
            self.times.append(time.perf_counter() - self._posted)
            self._posted = None


class Window(QWidget):
    """The two parts of the window that a conversation needs."""

    def __init__(self) -> None:
        super().__init__()
        self.view, self.composer = ConversationView(), Composer()
        layout = QVBoxLayout(self)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.composer)
        self.resize(900, 700)
        self.show()


def stream(window: Window, number: int, text: str, rate: float) -> None:
    """Give the view `text` as a model of `rate` tokens/s does: each progress with all so far, as tokens come."""
    loop, start = QEventLoop(), time.perf_counter()
    timer = QTimer(interval=round(1000 / rate), timerType=Qt.TimerType.PreciseTimer)

    def step() -> None:
        done = int((time.perf_counter() - start) * rate) * _CHARACTERS
        window.view.stream(number, text[:done])
        if done >= len(text):
            loop.quit()

    timer.timeout.connect(step)
    timer.start()
    loop.exec()
    timer.stop()
    window.view.replace(message(number, text))


def measure_streaming(window: Window, tokens: int, rate: float, *, keys: bool) -> dict[str, Any]:
    """Stalls while half of a chat of `tokens` is there and the other half streams in."""
    window.view.set_items([message(1, "How?"), message(2, answer(tokens // 2)), message(3, "And then?")])
    window.view.append(message(4, "", "streaming"))
    window.view.set_busy(True)
    wait(1500)
    beat, pressed = Heartbeat(), Keys(window.composer)
    window.composer.edit.setFocus()
    beat.start()
    if keys:
        pressed.start()
    stream(window, 4, answer(tokens // 2), rate)
    window.view.set_busy(False)
    wait(500)
    pressed.stop()
    found: dict[str, Any] = {"stalls": beat.stop()}
    if keys and pressed.times:
        found["keys"] = {
            "presses": len(pressed.times),
            "longest_ms": max(pressed.times) * 1e3,
            "median_ms": statistics.median(pressed.times) * 1e3,
        }
    return found


def measure_opening(window: Window, messages: int) -> dict[str, Any]:
    """A chat of so many messages, from the call to the end of its painting; several times, another chat between."""
    chat = [
        message(n, "What is next, please?" if n % 2 else answer(random.Random(n).randint(20, 400)))
        for n in range(1, messages + 1)
    ]
    times = []
    for _ in range(5):
        window.view.set_items([message(9_999_999, "Another chat")])
        wait(200)
        start = time.perf_counter()
        window.view.set_items(chat)
        window.view.repaint()
        QApplication.processEvents(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents, 1)
        times.append(time.perf_counter() - start)
        wait(300)
    return {"first_ms": times[0] * 1e3, "median_ms": statistics.median(times) * 1e3}


def measure_place(window: Window, rate: float) -> dict[str, Any]:
    """How far what is read moves on the screen while an answer streams in below it and ends, in pixels."""
    chat = [message(n, "What?" if n % 2 else answer(150)) for n in range(1, 40)]
    window.view.set_items([*chat, message(40, "", "streaming")])
    wait(300)
    bar = window.view.list.verticalScrollBar()
    moved = 0
    bar.setValue(bar.value() - 900)
    place = window.view.list.reading_place()
    for piece in range(0, 1200, 40):
        window.view.stream(40, answer(300)[:piece])
        wait(round(40 / _CHARACTERS / rate * 1000))
        moved = max(moved, abs(window.view.list.reading_place(place[0])[1] - place[1]))
    window.view.replace(message(40, answer(300)))
    wait(200)
    moved = max(moved, abs(window.view.list.reading_place(place[0])[1] - place[1]))
    return {"moved_px": moved}


def resident() -> int:
    """Bytes of the process in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measure_memory(window: Window, answers: int) -> dict[str, Any]:
    """Growth of the process from the 20th streamed answer on; chats of ten answers."""
    before, kept = 0, resident
    for number in range(1, answers + 1):
        if number % 10 == 1:
            window.view.set_items([])
        window.view.append(message(2 * number - 1, f"Question {number}"))
        window.view.append(message(2 * number, "", "streaming"))
        text = answer(160) + f" {number}"
        for end in range(0, len(text) + 80, 80):
            window.view.stream(2 * number, text[:end])
            window.view.list.show_grown()
            QApplication.processEvents()
        window.view.replace(message(2 * number, text))
        wait(1)
        if number == 20:
            wait(1000)
            before = kept()
    wait(1000)
    return {"answers": answers, "grown_mb": (kept() - before) / 1e6, "resident_mb": kept() / 1e6}


def main() -> int:
    """Measure all and print one line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=200.0, help="tokens/s (default 200)")
    parser.add_argument("--tokens", type=int, default=2000, help="tokens of the chat (default 2000)")
    parser.add_argument("--answers", type=int, default=1000, help="streamed answers for memory (default 1000)")
    parser.add_argument("--only", nargs="*", help="names of figures; all by default")
    parser.add_argument("--write", action="store_true", help="keep the figures in benchmarks/results")
    args = parser.parse_args()
    if args.write:
        check_clean()
    random.seed(0)
    application = QApplication(sys.argv[:1])
    theme()
    window = Window()
    settle()  # as the application does
    wait(300)
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "open_500": lambda: measure_opening(window, 500),
        "streaming": lambda: measure_streaming(window, args.tokens, args.rate, keys=False),
        "streaming_and_typing": lambda: measure_streaming(window, args.tokens, args.rate, keys=True),
        "place": lambda: measure_place(window, args.rate),
        "memory": lambda: measure_memory(window, args.answers),
    }
    figures = measured(parts, args.only)
    if args.write:
        print(write_record(make_record("desktop_stream", ("PySide6-Essentials", "markdown-it-py"), figures)))
    application.quit()
    return 0


if __name__ == "__main__":
    sys.exit(main())
