"""The engine beside a window: time to a loaded model, and the longest stall of the event loop while things happen.

A timer of one millisecond is the heart; a stall is the longest time between two beats. `nothing` is an idle loop for
five seconds: what the machine itself does to it. Seen are: loading the embedded model, an answer, a crash in the middle
of one, a crash while loading, a switch of models, leaving a frozen model; with --export also the first start, which
exports the embedded model.

    python -m benchmarks.desktop_engine [--repeats 3] [--export] [--write]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from PySide6.QtCore import QCoreApplication, QEventLoop, Qt, QTimer

from benchmarks.record import check_clean, make_record, write_record
from desktop.engine import EMBEDDED, AnswerEnd, EngineHost
from runtime import GenerationOptions, Message, SamplingConfig, Tokenizer, embedded_bundle

_PATIENCE = 600.0  # seconds, for anything
_QUESTION = [Message("user", "What is the opposite of hot?")]


class Heart:
    """Beats each millisecond as long as the event loop turns."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._last = perf_counter()
        self._timer = QTimer(interval=1, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self._timer.start()

    def _beat(self) -> None:
        now = perf_counter()
        self.longest = max(self.longest, now - self._last)
        self._last = now

    def begin(self) -> None:
        """Stalls from now on."""
        self.longest, self._last = 0.0, perf_counter()


def wait(happened: Callable[[], bool]) -> None:
    """Turn the event loop until `happened`."""
    finish = perf_counter() + _PATIENCE
    while not happened():
        QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)  # the heart wakes it
        if perf_counter() > finish:
            raise SystemExit("error: what was waited for did not happen.")


def children() -> list[int]:
    """The processes that run a model for this one."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words, stat = (folder / "cmdline").read_bytes(), (folder / "stat").read_text()
        except OSError:
            continue
        if b"runtime.engines.worker" in words and int(stat.rpartition(")")[2].split()[1]) == os.getpid():
            found.append(int(folder.name))
    return found


def resident_mib(pid: int | str) -> float:
    """Memory of a process, mapped files included."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    return round(int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024, 1)


class Measurement:
    """Stalls in milliseconds by what happened, one a repeat."""

    def __init__(self) -> None:
        self.heart = Heart()
        self.stalls: dict[str, list[float]] = {}
        self.seconds: dict[str, list[float]] = {}
        self.memory: dict[str, float] = {}

    def during(self, what: str, act: Callable[[], None], happened: Callable[[], bool]) -> None:
        """Note the longest stall from `act` until `happened`."""
        self.heart.begin()
        begun = perf_counter()
        act()
        wait(happened)
        QCoreApplication.processEvents()
        self.stalls.setdefault(what, []).append(round(1e3 * self.heart.longest, 2))
        self.seconds.setdefault(what, []).append(round(perf_counter() - begun, 3))


def lasting(bundle: Path) -> GenerationOptions:
    """Options under which the model writes until its context is full."""
    tokenizer = Tokenizer.open(bundle)
    ends = {*tokenizer.control_ids, *tokenizer.encode("\n"), *tokenizer.encode("\n\n")}
    return GenerationOptions(sampling=SamplingConfig(temperature=0, logit_bias=dict.fromkeys(ends, -100.0)))


def life(seen: Measurement, long: GenerationOptions) -> None:
    """One host's life, from the first model to its end."""
    host = EngineHost()
    ends: list[AnswerEnd] = []
    texts: list[object] = []
    host.answered.connect(ends.append)
    idle_until = perf_counter() + 5
    seen.during("nothing", lambda: None, lambda: perf_counter() > idle_until)
    host.progressed.connect(texts.append)
    seen.during("load", lambda: host.load(EMBEDDED), lambda: host.status.kind == "ready")
    (pid,) = children()
    seen.during("answer", lambda: host.ask(1, _QUESTION, GenerationOptions()), lambda: len(ends) == 1)
    seen.memory = {"model_process_mib": resident_mib(pid), "window_process_mib": resident_mib("self")}
    texts.clear()
    host.ask(2, _QUESTION, long)
    wait(lambda: len(texts) > 5)
    seen.during("crash in an answer", lambda: os.kill(pid, signal.SIGKILL), lambda: host.status.kind == "failed")
    host.restart()
    wait(lambda: bool(children()))
    (pid,) = children()
    seen.during("crash while loading", lambda: os.kill(pid, signal.SIGKILL), lambda: host.status.kind == "failed")
    host.restart()
    wait(lambda: host.status.kind == "ready")
    seen.during("load another", lambda: host.load(EMBEDDED), lambda: host.status.kind == "ready")
    seen.during("unload", host.unload, lambda: not children())
    host.ask(3, _QUESTION, long)
    texts.clear()
    wait(lambda: len(texts) > 5)
    (pid,) = children()
    os.kill(pid, signal.SIGSTOP)  # the worst that it can do
    begun = perf_counter()
    host.close()
    seen.seconds.setdefault("close, model frozen", []).append(round(perf_counter() - begun, 3))


def first_start(seen: Measurement) -> None:
    """The embedded model's export, in a cache that holds nothing."""
    with tempfile.TemporaryDirectory() as cache:
        before = os.environ.get("FALCONET_CACHE")
        os.environ["FALCONET_CACHE"] = cache
        host = EngineHost()
        seen.during("export and load", lambda: host.load(EMBEDDED), lambda: host.status.kind in ("ready", "failed"))
        if host.status.kind == "failed":
            raise SystemExit(f"error: {host.status.sentence}")
        host.close()
        os.environ.pop("FALCONET_CACHE")
        if before is not None:
            os.environ["FALCONET_CACHE"] = before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="lives of a host (default: 3)")
    parser.add_argument("--export", action="store_true", help="measure the first start, too: half a minute more")
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    args = parser.parse_args()
    if args.write:
        check_clean()
    application = QCoreApplication([])
    long = lasting(embedded_bundle())
    seen = Measurement()
    for _ in range(args.repeats):
        life(seen, long)
    if args.export:
        first_start(seen)
    rows: dict[str, Any] = {}
    print(f"{'':22} seconds   longest stall (worst of repeats)")
    for what, seconds in seen.seconds.items():
        stalls = seen.stalls.get(what, [])
        rows[what] = {"seconds": statistics.median(seconds), "longest_stall_ms": max(stalls, default=None)}
        print(f"{what:22} {statistics.median(seconds):7.2f}   {max(stalls, default=float('nan')):7.1f} ms")
    print(" ".join(f"{name} {size}" for name, size in seen.memory.items()))
    figures = {"repeats": args.repeats, "events": rows, "memory": seen.memory}
    record = make_record("desktop_engine", ("PySide6-Essentials", "torch"), figures)
    if args.write:
        print(write_record(record))
    print(json.dumps(record))
    application.quit()


if __name__ == "__main__":
    main()
