"""ProcessEngine: a child may crash, hang, babble or be orphaned; who asks gets a sentence, and nothing hangs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from runtime.chat import Message
from runtime.engines.child import Limits
from runtime.engines.local import LocalEngine
from runtime.engines.process import ProcessEngine
from runtime.engines.wire import unpack_error
from runtime.engines.worker import Worker
from runtime.errors import (
    BackendUnavailableError,
    BundleError,
    ContextFullError,
    EngineError,
    MachineMemoryError,
    OptionError,
    ProcessEndedError,
    ProcessKilledError,
)
from runtime.events import Event, Finished, Prefilled, TextDelta
from runtime.options import GenerationOptions
from runtime.sampling import SamplingConfig
from tests import patience
from tests.held import HeldModels
from tests.runtime.bundles import talker

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")

GREEDY = GenerationOptions(sampling=SamplingConfig(temperature=0), max_new_tokens=12)
LONG = replace(GREEDY, max_new_tokens=None, prompt_lookup=False)  # which would write what repeats itself in no time
HELLO = [Message("user", "Hello!")]
PATIENT = Limits(crashes=100, grace_seconds=patience.SECONDS, silence_seconds=patience.SECONDS)
HURRIED = replace(PATIENT, grace_seconds=0.5)
HANG = patience.SECONDS


def finish(events: Iterator[Event]) -> Finished:
    last = list(events)[-1]
    assert isinstance(last, Finished)
    return last


def gone(pid: int) -> bool:
    """Whether no such process is left, zombies included, within a while."""

    def over() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return False

    patience.until(over)
    return True


def pid(engine: ProcessEngine) -> int:
    return engine._child.pid


@pytest.fixture(scope="module")
def engine() -> Iterator[ProcessEngine]:
    with ProcessEngine.open(talker(), backend="torch", limits=PATIENT) as opened:
        yield opened


@pytest.fixture(scope="module")
def hurried() -> Iterator[ProcessEngine]:
    """One that soon gives up a child that does not stop; on a busy machine it may give up one that was about to."""
    with ProcessEngine.open(talker(), backend="torch", limits=HURRIED) as opened:
        yield opened


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HeldModels:
    return HeldModels(tmp_path / "site", monkeypatch)


@pytest.fixture
def inject(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Code that runs in each child as it begins."""

    def write(code: str) -> None:
        folder = tmp_path / "site"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(code, encoding="utf-8")
        monkeypatch.setenv("PYTHONPATH", str(folder))

    return write


@pytest.mark.parametrize(
    ("number", "words", "kind"),
    [
        (signal.SIGKILL, r"^The model's process was killed \(SIGKILL\), as .* memory", ProcessKilledError),
        (signal.SIGSEGV, r"^The model's process crashed \(SIGSEGV\); .*Fatal Python", ProcessEndedError),
    ],
)
def test_a_killed_child_is_a_sentence_and_the_next_call_has_another(
    engine: ProcessEngine, number: signal.Signals, words: str, kind: type[EngineError]
) -> None:
    alone = finish(engine.complete("The capital", GREEDY)).text
    answer = engine.complete("The capital", LONG)
    assert isinstance(next(answer), Prefilled)
    said = [next(answer), next(answer)]
    os.kill(pid(engine), number)
    with pytest.raises(EngineError, match=words) as caught:
        said += list(answer)
    assert type(caught.value) is kind
    assert str(caught.value).endswith("ask again: it starts anew.")
    assert "\n" not in str(caught.value)
    assert "".join(event.text for event in said if isinstance(event, TextDelta)).startswith(alone[:2])
    assert list(answer) == []
    assert finish(engine.complete("The capital", GREEDY)).text == alone


@pytest.mark.parametrize("take", [lambda: bytearray(1 << 60), lambda: torch.empty(1 << 60)], ids=["python", "torch"])
def test_memory_that_ran_out_in_a_child_is_an_error_of_its_own_kind(take: Callable[[], Any]) -> None:
    said: list[dict[str, str]] = []
    worker = Worker.__new__(Worker)
    channel: Any = SimpleNamespace(say=lambda *_, value: said.append(value))
    worker._channel = channel

    worker._guarded(1, take)
    assert type(unpack_error(said[0])) is MachineMemoryError


def test_a_child_that_died_while_nobody_asked_is_replaced_without_a_word(engine: ProcessEngine) -> None:
    before = pid(engine)
    os.kill(before, signal.SIGKILL)
    assert finish(engine.complete("A", GREEDY)).reason == "length"
    assert pid(engine) != before


def test_a_child_that_does_not_stop_is_killed_and_what_was_said_is_kept(hurried: ProcessEngine) -> None:
    said: list[str] = []
    assert finish(hurried.complete("A", GREEDY)).reason == "length"  # by a child that lives
    stopped = pid(hurried)
    events = hurried.complete("The capital", LONG, cancelled=lambda: bool(said))
    for event in events:
        if isinstance(event, TextDelta):
            said.append(event.text)
            os.kill(stopped, signal.SIGSTOP)
    assert isinstance(event, Finished)
    assert (event.reason, event.text) == ("cancelled", "".join(said))
    assert gone(stopped)
    assert finish(hurried.complete("A", GREEDY)).reason == "length"


def test_an_answer_closed_on_a_hung_child_does_not_hang_the_next(hurried: ProcessEngine) -> None:
    answer = hurried.complete("The capital", LONG)
    next(answer)
    os.kill(pid(hurried), signal.SIGSTOP)
    del answer
    assert finish(hurried.complete("A", GREEDY)).reason == "length"


def test_a_silent_child_is_given_up() -> None:
    with ProcessEngine.open(talker(), backend="torch", limits=PATIENT) as engine:
        hung = pid(engine)
        answer = engine.complete("The capital", LONG)
        next(answer)
        os.kill(hung, signal.SIGSTOP)
        engine._child._limits = replace(PATIENT, silence_seconds=0.5)  # only now: a busy child is silent, too
        with pytest.raises(ProcessEndedError, match=r"was stopped, as nothing was heard of it for 0\.5 s; ask again"):
            list(answer)
        assert gone(hung)


def test_tokens_are_counted_while_an_answer_is_written(engine: ProcessEngine) -> None:
    answer = engine.complete("The capital", LONG)
    next(answer)
    assert engine.count_tokens(HELLO) > 0
    assert isinstance(next(answer), TextDelta)


def test_errors_of_the_child_are_the_same_errors_here(engine: ProcessEngine, tmp_path: Path) -> None:
    with pytest.raises(ContextFullError, match="2,048"):
        engine.chat([Message("user", "no " * 3000)])
    with pytest.raises(OptionError, match="vocabulary ends at"):
        list(engine.chat(HELLO, replace(GREEDY, sampling=SamplingConfig(logit_bias={70_000: 1}))))
    several: tuple[dict[str, Any], ...] = ({"backend": "nonsense"}, {"template": "nonsense"}, {"backend": "coreml"})
    for arguments in several:
        sentences = []
        for kind in (LocalEngine, ProcessEngine):
            if arguments == {"backend": "coreml"} and sys.platform == "darwin":
                continue
            with pytest.raises((OptionError, BackendUnavailableError)) as caught:
                kind.open(talker(), **arguments)
            sentences.append((caught.type, str(caught.value)))
        assert len(set(sentences)) <= 1


def test_a_bug_in_the_child_keeps_its_traceback_and_the_child(engine: ProcessEngine) -> None:
    before = pid(engine)
    with pytest.raises(RuntimeError, match="AttributeError") as caught:
        engine._ask("no_such_method", None)
    assert "Traceback" in caught.value.__notes__[0]
    assert finish(engine.chat(HELLO, GREEDY)).reason == "length"
    assert pid(engine) == before


def test_ctrl_c_in_the_terminal_leaves_the_child_alone(engine: ProcessEngine) -> None:
    before = pid(engine)
    assert os.getpgid(before) != os.getpgid(0)
    os.kill(before, signal.SIGINT)
    assert finish(engine.chat(HELLO, GREEDY)).reason == "length"
    assert pid(engine) == before


def test_a_long_prompt_to_a_child_that_reads_nothing_does_not_block(hurried: ProcessEngine) -> None:
    os.kill(pid(hurried), signal.SIGSTOP)
    clock = time.monotonic()
    events = hurried.complete("no " * 1_000_000, cancelled=lambda: time.monotonic() > clock + 0.1)
    assert finish(events).reason == "cancelled"
    assert finish(hurried.chat(HELLO, GREEDY)).reason == "length"


def test_prompts_wait_while_the_model_loads_and_may_be_cancelled(held: HeldModels) -> None:
    with ProcessEngine.open(talker(), backend="torch", wait=False) as engine:
        assert engine.ready() is False
        assert [type(event) for event in engine.chat(HELLO, cancelled=lambda: True)] == [Finished]
        held.go_on()
        assert finish(engine.chat(HELLO, GREEDY)).reason == "length"
        assert engine.ready()
        assert engine.info.context_length == 2048


def test_a_bundle_that_is_none_is_the_same_sentence_as_in_this_process(bundle_folder: Path, tmp_path: Path) -> None:
    (bundle_folder / "manifest.json").write_text("{", encoding="utf-8")
    for folder in (bundle_folder, tmp_path / "nowhere"):
        with pytest.raises(BundleError) as local:
            LocalEngine.open(folder)
        engine = ProcessEngine.open(folder, wait=False)
        for ask in (lambda: engine.ready(None), lambda: engine.info, lambda: engine.chat(HELLO)):  # noqa: B023
            with pytest.raises(BundleError) as child:
                ask()
            assert str(child.value) == str(local.value)
        engine.close()


def test_a_child_that_cannot_be_started_is_a_sentence_and_the_next_call_tries_again(
    engine: ProcessEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.kill(pid(engine), signal.SIGKILL)
    assert gone(pid(engine))
    with monkeypatch.context() as nowhere:
        nowhere.setattr(sys, "executable", str(tmp_path / "python"))
        for use in (lambda: engine.chat(HELLO, GREEDY), lambda: ProcessEngine.open(talker())):
            with pytest.raises(EngineError, match=r"could not be started \(No such file"):
                use()
    assert finish(engine.chat(HELLO, GREEDY)).text


def test_children_that_keep_dying_are_not_started_for_ever(inject: Any) -> None:
    inject("import os, sys\nif '-P' in sys.orig_argv:\n    os.write(2, b'out of order\\n')\n    os._exit(3)\n")
    with pytest.raises(
        EngineError, match=r"^The model's process ended while it loaded the model with exit code 3; .*'out of order'"
    ):
        ProcessEngine.open(talker())
    engine = ProcessEngine.open(talker(), wait=False, limits=Limits(crash_seconds=HANG))
    for _ in range(3):
        with pytest.raises(EngineError, match="exit code 3"):
            engine.chat(HELLO)
    with pytest.raises(ProcessEndedError, match=rf"ended 3 times within {HANG:.0f} s.*python -m runtime doctor"):
        engine.chat(HELLO)
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.chat(HELLO)


def test_a_babbling_child_is_understood_and_its_last_words_are_told(inject: Any, tmp_path: Path) -> None:
    flag = tmp_path / "leave"
    inject(
        f"""
import os, sys, threading, time
def babble():
    while True:
        os.write(1, b'{{"call": 1, "say": "event"}}\\nnoise \\xff' * 50)
        os.write(2, b'noise \\xff' * 5000 + b'\\n')
        if os.path.exists({str(flag)!r}):
            os.write(2, b'\\nthe device burnt down\\n')
            os._exit(7)
        time.sleep(0.01)
def begin():
    while not os.path.samestat(os.fstat(0), os.stat(os.devnull)):  # until the worker has put its pipes away
        time.sleep(0.01)
    while 'torch' not in sys.modules:
        try:
            sys.stdin.read(1)
        except Exception:
            pass
        time.sleep(0.01)
    babble()
if '-P' in sys.orig_argv:
    os.write(2, b'x' * 5_000_000)
    threading.Thread(target=begin, daemon=True).start()
"""
    )
    with ProcessEngine.open(talker(), backend="torch") as engine:
        assert finish(engine.chat(HELLO, GREEDY)).reason == "length"
        answer = engine.complete("The capital", LONG)
        next(answer)
        flag.touch()

        def ask_on() -> None:
            """It leaves in the first answer, unless it is slow to see the flag."""
            list(answer)
            while True:
                list(engine.complete("The capital", LONG))

        with pytest.raises(EngineError, match="exit code 7; its last words were 'the device burnt down'"):
            ask_on()


@pytest.mark.parametrize("stopped", [False, True])
def test_closing_never_waits_for_the_child_and_leaves_no_zombie(held: HeldModels, stopped: bool) -> None:
    engine = ProcessEngine.open(talker(), wait=False)
    child = pid(engine)
    if stopped:
        os.kill(child, signal.SIGSTOP)
    raised: list[BaseException] = []

    def ask() -> None:
        try:
            list(engine.chat(HELLO))
        except EngineError as error:
            raised.append(error)

    waiting = threading.Thread(target=ask)
    waiting.start()
    begun = time.monotonic()
    engine.close()
    assert time.monotonic() - begun < HANG
    waiting.join(HANG)
    assert not waiting.is_alive()
    assert "closed" in str(raised[0])
    assert gone(child)


def test_an_engine_that_is_dropped_takes_its_child_along() -> None:
    engine = ProcessEngine.open(talker(), wait=False)
    child = pid(engine)
    del engine
    assert gone(child)


def test_a_child_ends_with_its_parent() -> None:
    code = (
        "import os, signal\nfrom runtime import ProcessEngine\n"
        f"engine = ProcessEngine.open({str(talker())!r}, wait=False)\n"
        "print(engine._child.pid, flush=True)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=HANG, check=False)
    assert done.returncode == -signal.SIGKILL
    child = Path(f"/proc/{int(done.stdout)}/stat")

    def ended() -> bool:
        try:
            return child.read_text().rpartition(")")[2].split()[0] == "Z"  # its new parent may not reap it
        except (FileNotFoundError, ProcessLookupError):
            return True

    patience.until(ended)
