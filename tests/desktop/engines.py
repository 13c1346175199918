"""What the tests of the engine share: the embedded model's bundle, answers that last, and waiting without sleeping."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.desk import Desk
from desktop.engine import AnswerEnd, AnswerProgress, EngineHost, EngineStatus
from desktop.shell import Shell
from runtime import GenerationOptions, Message, SamplingConfig, Tokenizer
from screenshots.stage import model_processes
from tests import patience

PATIENCE = round(1000 * patience.SECONDS)  # milliseconds, as Qt counts
GREEDY = GenerationOptions(sampling=SamplingConfig(temperature=0), max_new_tokens=60)


def question(text: str = "What is the opposite of hot?") -> list[Message]:
    return [Message("user", text)]


def lasting(bundle: Path) -> GenerationOptions:
    """Options under which the embedded model writes until its context is full, a token after the other: whoever stops
    it comes early enough."""
    tokenizer = Tokenizer.open(bundle)
    ends = {*tokenizer.control_ids, tokenizer.eos_id, *tokenizer.encode("\n"), *tokenizer.encode("\n\n")}
    sampling = SamplingConfig(temperature=0, logit_bias=dict.fromkeys(ends, -100.0))
    return GenerationOptions(sampling=sampling, prompt_lookup=False)


@dataclass
class Told:
    """All that a host told, in order."""

    statuses: list[EngineStatus] = field(default_factory=list)
    progress: list[AnswerProgress] = field(default_factory=list)
    ends: list[AnswerEnd] = field(default_factory=list)
    order: list[object] = field(default_factory=list)

    @classmethod
    def by(cls, host: EngineHost) -> Told:
        told = cls()
        for signal_, kept in (
            (host.statusChanged, told.statuses),
            (host.progressed, told.progress),
            (host.answered, told.ends),
        ):
            signal_.connect(kept.append)
            signal_.connect(told.order.append)
        return told

    @property
    def kinds(self) -> list[str]:
        """Kinds of the statuses, repetitions left out."""
        found: list[str] = []
        for status in self.statuses:
            if found[-1:] != [status.kind]:
                found.append(status.kind)
        return found

    def end(self, request: int) -> AnswerEnd:
        (end,) = [end for end in self.ends if end.request == request]
        return end


def wait(qtbot: QtBot, happened: Callable[[], bool]) -> None:
    qtbot.waitUntil(happened, timeout=PATIENCE)


def children() -> set[int]:
    """Processes that run a model for this one."""
    return set(model_processes())


def kill_model() -> None:
    """What the system does when memory runs out."""
    (pid,) = children()
    os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def frozen_models() -> Iterator[None]:
    """No process that runs a model does anything; those that are still there afterwards go on."""
    for pid in children():
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in children():
            with contextlib.suppress(ProcessLookupError):  # it is just being killed
                os.kill(pid, signal.SIGCONT)


def new_desk(application: QApplication, folder: Path, **changed: object) -> Desk:
    """A window over a folder, shown, past its welcome and in English, with the settings that are `changed` beside."""
    shell = Shell(application, folder)
    shell.change(replace(shell.settings, **{"welcomed": True, "language": "en", **changed}))  # type: ignore[arg-type]
    desk = Desk(shell, folder)
    shell.window.resize(1000, 700)
    shell.window.show()
    return desk


def end(desk: Desk) -> None:
    """Close a window and destroy it: one that is left is still told of each change of language."""
    shell = desk.shell
    shell.window.close()
    desk.close()
    for part in (desk, shell.window, shell):
        part.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
