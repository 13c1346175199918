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

from desktop.store.store import Store
from runtime import LocalEngine
from tests import patience
from tests.desktop.talker import PIECES
from tests.runtime.openai_server import OpenAIServer, serving

KILLS = 20

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the window is forked twenty times, which needs POSIX")


def test_twenty_kills_in_the_middle_of_answers_lose_nothing(tiny: Path, tmp_path: Path) -> None:
    chance = Random(7)
    folder = tmp_path / "chats"
    committed: list[str] = []
    written = 0
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
                kept = _run_and_kill(talker.stdout, chance.randrange(1, PIECES + 5), chance, committed)
                _check(folder, committed, kept)
                written += bool(kept)
        finally:
            talker.stdin.close()
            talker.wait(timeout=patience.SECONDS)
    assert len(committed) >= KILLS
    assert written > 0


def _run_and_kill(output: IO[str], pieces: int, chance: Random, committed: list[str]) -> dict[int, int]:
    """Kill the window a moment after its answers were shown to grow so often; characters of each answer that it had
    shown when it last wrote them down, which it does every second of its own clock."""
    pid, shown, kept = 0, dict[int, int](), dict[int, int]()
    for line in output:
        word, *rest = line.split(maxsplit=1)
        match word:
            case "started":
                pid = int(rest[0])
            case "committed":
                committed.append(rest[0].strip())
            case "shown":
                answer, length = rest[0].split()
                shown[int(answer)] = int(length)
                pieces -= 1
                if pieces == 0:
                    time.sleep(chance.uniform(0, 0.05))
                    os.kill(pid, signal.SIGKILL)
            case "kept":
                kept = dict(shown)
            case "failed":
                pytest.fail(f"an answer failed: {' '.join(rest)}")
            case "ended":
                break
    return kept


def _check(folder: Path, committed: list[str], written: dict[int, int]) -> None:
    file = folder / "chats.sqlite3"
    with sqlite3.connect(file) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        kept = dict(database.execute("SELECT id, text FROM messages"))
    assert set(committed) <= set(kept.values())
    assert all(len(kept[answer]) >= length for answer, length in written.items())
    store = Store.open(folder)
    states = {step.message.state for chat in store.chats() for step in store.path(chat.id)}
    assert "streaming" not in states
    assert "interrupted" in states
    store.close()
