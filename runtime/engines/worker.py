"""The child, `python -m runtime.engines.worker`: a LocalEngine at the other end of two pipes.

Messages come on what was standard input and go to what was standard output when it began; what a library prints goes
to standard error, and what it reads is empty. The end of the messages is the end of the parent, and of this process.

In: `{"do": name, "call": number, "arguments": [...]}`, first `open`, then `chat`, `continue_answer`, `complete`,
`count_tokens` or another question, and `{"do": "cancel", "call": number}`. Out, each with its call's number: `loaded`
with an EngineInfo (call 0), `begun`, `event`, `end` of an answer, `value` of a question, `error` with a sentence, `bug`
with a traceback.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, BinaryIO

from runtime.backends.threads import suit_threads
from runtime.engines.local import LocalEngine
from runtime.engines.wire import from_line, pack, pack_error, to_line, unpack
from runtime.errors import EngineError, MachineMemoryError, UserFacingError
from runtime.exhausted import MEMORY_ENDED, memory_exhausted
from runtime.pipes import take_pipes

Message = dict[str, Any]
_ANSWERS = frozenset(("chat", "continue_answer", "complete"))
_CONTROL = frozenset(("open", "cancel")) | _ANSWERS


class Channel:
    """Messages to the parent, from any thread."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._lock = threading.Lock()
        file.write(b"\n")  # ends a line that a library began while it was imported

    def say(self, call: int, say: str, **details: object) -> None:
        """Write one message. Never blocks the work for long: the parent always reads."""
        line = to_line({"call": call, "say": say, **details})
        with self._lock:
            self._file.write(line)
            self._file.flush()


class Worker:
    """Three threads: this one answers, one reads messages, one answers the questions that need not wait for answers."""

    def __init__(self, messages: BinaryIO, channel: Channel) -> None:
        self._messages = messages
        self._channel = channel
        self._answers: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._questions: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._cancelled = -1  # the last call that the parent does not want any more, and with it all before

    def run(self) -> int:
        """Load, then serve until the parent leaves. The exit code: 0 also where the bundle cannot be loaded."""
        threading.Thread(target=self._read, daemon=True).start()
        message = self._answers.get()
        engine: LocalEngine | None = None

        def load() -> None:
            nonlocal engine
            engine = LocalEngine.open(**dict(message["arguments"]))
            suit_threads(engine.bundle, engine.backend)
            self._channel.say(message["call"], "loaded", value=pack(engine.info))

        self._guarded(message["call"], load)
        if engine is None:
            return 0
        threading.Thread(target=self._serve, args=(engine, self._questions), daemon=True).start()
        self._serve(engine, self._answers)
        return 0

    def _read(self) -> None:
        for line in self._messages:
            message = from_line(line)
            if message is None:
                continue
            if message["do"] == "cancel":
                self._cancelled = max(self._cancelled, message["call"])
            elif message["do"] == "count_tokens":  # a window asks while an answer is written
                self._questions.put(message)
            else:
                self._answers.put(message)
        os._exit(0)  # not sys.exit: the other threads may be inside a prediction

    def _serve(self, engine: LocalEngine, messages: queue.SimpleQueue[Message]) -> None:
        while True:
            message = messages.get()
            call, name = message["call"], message["do"]
            arguments = unpack(message["arguments"])
            if name in _ANSWERS:
                self._guarded(call, lambda: self._answer(engine, call, name, arguments))  # noqa: B023  (run at once)
            else:
                self._guarded(call, lambda: self._value(engine, call, name, arguments))  # noqa: B023

    def _answer(self, engine: LocalEngine, call: int, name: str, arguments: tuple[Any, ...]) -> None:
        prompt, options = arguments
        events = getattr(engine, name)(prompt, options, cancelled=lambda: self._cancelled >= call)
        self._channel.say(call, "begun")
        for event in events:
            self._channel.say(call, "event", value=pack(event))
        self._channel.say(call, "end")

    def _value(self, engine: LocalEngine, call: int, name: str, arguments: tuple[Any, ...]) -> None:
        if name in _CONTROL or name.startswith("_"):
            raise RuntimeError(f"{name} is no question")
        self._channel.say(call, "value", value=pack(getattr(engine, name)(*arguments)))

    def _guarded(self, call: int, work: Callable[[], None]) -> None:
        """Do `work`; its failure is an answer, too."""
        try:
            work()
        except UserFacingError as error:
            self._channel.say(call, "error", value=pack_error(error))
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            sentence = f"{error.strerror or error}{where}; check the path, its permissions and the free space."
            self._channel.say(call, "error", value=pack_error(EngineError(sentence)))
        except Exception as error:  # noqa: BLE001  (a bug, which keeps its traceback on the other side)
            if memory_exhausted(error):
                self._channel.say(call, "error", value=pack_error(MachineMemoryError(MEMORY_ENDED)))
                return
            self._channel.say(call, "bug", value="".join(traceback.format_exception(error)))


def main() -> int:
    """Serve the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is the parent's to answer
    messages, replies = take_pipes()
    return Worker(messages, Channel(replies)).run()


if __name__ == "__main__":
    sys.exit(main())
