"""SIGKILL while answers stream, twenty times over one folder: nothing that was committed is ever missing."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import IO

import pytest

from desktop.controllers.answers import KEEP_SECONDS
from desktop.store.store import Store
from runtime import LocalEngine
from tests.runtime.openai_server import OpenAIServer, serving

KILLS = 20

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the window is forked twenty times, which needs POSIX")


def test_twenty_kills_in_the_middle_of_answers_lose_nothing(tiny: Path, tmp_path: Path) -> None:
    chance = Random(7)
    folder = tmp_path / "chats"
    committed: list[str] = []
    with LocalEngine.open(tiny) as engine, OpenAIServer(serving(engine)) as server:
        command = [sys.executable, "-m", "tests.desktop.talker", str(folder), server.url, str(tiny)]
        talker = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
        )
        assert talker.stdin is not None
        assert talker.stdout is not None
        try:
            for _ in range(KILLS):
                talker.stdin.write("run\n")
                talker.stdin.flush()
                shown = _run_and_kill(talker.stdout, chance.uniform(0, 1.6), committed)
                _check(folder, committed, shown)
        finally:
            talker.stdin.close()
            talker.wait(timeout=30)
    assert len(committed) >= KILLS


def _run_and_kill(output: IO[str], seconds: float, committed: list[str]) -> list[tuple[int, int, float]]:
    """Kill the window so long after its first answer began to stream; what it had shown: answer, characters, time."""
    pid, finish, shown = 0, float("inf"), list[tuple[int, int, float]]()
    for line in output:
        word, *rest = line.split(maxsplit=1)
        match word:
            case "started":
                pid = int(rest[0])
            case "committed":
                committed.append(rest[0].strip())
            case "shown":
                answer, length, moment = rest[0].split()
                shown.append((int(answer), int(length), float(moment)))
                finish = min(finish, time.time() + seconds)
            case "ended":
                break
        if time.time() >= finish:
            finish = float("inf")
            os.kill(pid, signal.SIGKILL)
    return shown


def _check(folder: Path, committed: list[str], shown: list[tuple[int, int, float]]) -> None:
    file = folder / "chats.sqlite3"
    with sqlite3.connect(file) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        kept = dict(database.execute("SELECT id, text FROM messages"))
    assert set(committed) <= set(kept.values())
    end = max(moment for _, _, moment in shown)
    for answer, length, moment in shown:
        if end - moment > KEEP_SECONDS + 0.3:  # the timer's own tick, on a busy machine
            assert len(kept[answer]) >= length
    store = Store.open(folder)
    states = {step.message.state for chat in store.chats() for step in store.path(chat.id)}
    assert "streaming" not in states
    assert "interrupted" in states
    store.close()
