"""The doctor against real child processes: backends that lie, crash, hang, are slow, print, are refused."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from runtime.doctor.checkup import run_doctor
from runtime.doctor.plan import Candidate
from runtime.doctor.runner import Limits
from runtime.errors import BackendUnavailableError, BundleError, OptionError
from tests import patience
from tests.runtime.conftest import small_core
from tests.runtime.test_doctor_openers import DAWDLING_SECONDS, PID_FILE

VOCABULARY = 300
CONTEXT = 128
PATIENT = {f"{kind}_seconds": patience.SECONDS for kind in ("load", "step", "total")}
POSIX = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that opens as a bundle, with a tokenizer; the backends of these tests need no weights."""
    monkeypatch.setenv("FALCONET_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "the-bundle"
    folder.mkdir()
    small_core().save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text('{"eos_token": "<|endoftext|>"}', encoding="utf-8")
    (folder / "weight.bin").write_bytes(bytes(64))
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in folder.iterdir()
    }
    manifest = {
        "format_version": 1,
        "name": "falcon-of-the-test",
        "source": {"name": "s", "sha256": "00", "revision": None},
        "recipe": {"linear": "lut4"},
        "context_length": CONTEXT,
        "vocab_size": VOCABULARY,
        "chat_template": "raw",
        "weight_file": "weight.bin",
        "programs": [{"path": "model.mlpackage", "target": "macOS15", "functions": ["main"], "files": []}],
        "files": files,
        "weights": {},
        "tools": {},
        "parity": {},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def candidate(opener: str, **changes: Any) -> Candidate:
    """One whose limits are those of 16-bit sums."""
    given = {"name": opener, "backend": opener, "mean_kl": 0.02, "max_kl": 0.5, **changes}
    return Candidate(opener=f"tests.runtime.test_doctor_openers:{opener}", **given)


class Examined:
    """What the doctor said about `openers`."""

    def __init__(self, bundle: Path, *openers: str | Candidate, reference: str = "honest", **limits: float) -> None:
        out, err = io.StringIO(), io.StringIO()
        written = bundle.parent / "report.json"
        self.code = run_doctor(
            bundle,
            written,
            out,
            err,
            reference=candidate(reference),
            candidates=[o if isinstance(o, Candidate) else candidate(o) for o in openers],
            limits=Limits(**{**PATIENT, **limits}),
        )
        self.out, self.err = out.getvalue(), err.getvalue()
        self.json_text = written.read_text(encoding="utf-8")
        self.json = json.loads(self.json_text)
        self.check = self.json["checks"][-1]


@pytest.fixture
def enough_seconds(bundle: Path) -> int:
    """More than a backend that is right takes for all of it on this machine, as busy as it is now."""
    begun = time.monotonic()
    assert Examined(bundle).code == 0  # the interpreter alone
    return 3 + math.ceil(6 * (time.monotonic() - begun))


def test_a_backend_that_is_right_is_ok_and_measured(bundle: Path) -> None:
    found = Examined(bundle, "rounds")
    assert found.code == 0
    assert found.check["status"] == "ok"
    agreement = found.check["agreement"]
    assert agreement["same_token"] == agreement["positions"] > 60
    assert 0 < agreement["max_kl"] < 1e-4  # rounding to 16 bits shows, and is forgiven
    for figure in ("load_seconds", "second_load_seconds", "prefill_tokens_per_second", "decode_tokens_per_second"):
        assert found.check[figure] >= 0
    assert 1e6 < found.check["peak_bytes"] < 1e9
    assert "rounds: ok: the same token at" in found.out
    assert "Take rounds at" in found.out
    assert "rounds: measuring speed" in found.err
    assert "error" not in found.err


def test_a_bundle_of_several_formats_is_called_mixed(bundle: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    manifest["recipe"]["formats"] = {"transformer.h.0.mlp.dense_h_to_4h.weight": "lut6"}
    (bundle / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    found = Examined(bundle, "rounds")
    assert found.json["bundle"]["weights"] == "mixed"
    assert "falcon-of-the-test: weights mixed, " in found.out


@pytest.mark.parametrize(
    ("opener", "status", "phase", "words"),
    [
        ("lies", "wrong", "close", "does not compute what the interpreter computes"),
        ("lies_late", "wrong", "close", "another likeliest token at"),
        ("gives_nan", "wrong", "close", "NaN or infinite"),
        ("has_another_vocabulary", "wrong", "close", "308 tokens where the bundle has 300"),
        ("gives_one_score", "crashed", "score", "scores of shape [1], not [300]"),
        ("raises", "crashed", "score", "ZeroDivisionError"),
        ("leaves", "crashed", "score", "exit code 0"),
        pytest.param("aborts_late", "crashed", "score", "died of SIGABRT, while scoring; ", marks=POSIX),
        pytest.param("is_killed", "crashed", "score", "SIGKILL, as the system does when memory runs out", marks=POSIX),
        pytest.param("aborts_in_load", "crashed", "load", "died of SIGABRT, while loading", marks=POSIX),
        pytest.param("crashes_in_the_second_load", "crashed", "reload", "while loading again", marks=POSIX),
        pytest.param("crashes_while_ending", "crashed", "reload", "died of SIGSEGV", marks=POSIX),
        pytest.param("lies_then_aborts", "wrong", "score", "does not compute", marks=POSIX),
    ],
)
def test_what_is_wrong_is_named_and_the_exit_code_is_1(
    bundle: Path, opener: str, status: str, phase: str, words: str
) -> None:
    found = Examined(bundle, opener)
    assert found.code == 1
    assert (found.check["status"], found.check["phase"]) == (status, phase)
    assert words in found.check["reason"]
    assert found.json["wrong"] == [opener]
    last = found.err.splitlines()[-1]
    assert last.startswith(f"error: {opener}: ")
    assert "No backend can be recommended here." in found.out


def test_one_that_forgets_what_it_was_fed_is_told_from_one_that_is_wrong_throughout(bundle: Path) -> None:
    forgets, lies = Examined(bundle, "forgets"), Examined(bundle, "lies")
    (hint,) = forgets.check["hints"]
    assert "not kept from one call to the next" in hint
    assert f"  {hint}" in forgets.out.splitlines()
    assert lies.check["hints"] == []
    positions = forgets.check["agreement"]["positions"]
    assert len(forgets.check["agreement"]["kl"]) == positions
    assert sum(kl < 1e-6 for kl in forgets.check["agreement"]["kl"]) < positions / 2


def test_one_that_fails_does_not_keep_the_others_from_being_checked(bundle: Path) -> None:
    found = Examined(bundle, "aborts_in_load", "lies", "rounds")
    assert [check["status"] for check in found.json["checks"]] == ["ok", "crashed", "wrong", "ok"]
    assert found.code == 1
    assert "(1 more above)" in found.err
    assert "Take rounds" in found.out


@pytest.mark.parametrize(("opener", "phase"), [("hangs", "score"), ("hangs_in_load", "load")])
def test_a_hang_is_ended_when_nothing_is_heard_for_too_long(
    bundle: Path, enough_seconds: int, opener: str, phase: str
) -> None:
    found = Examined(bundle, opener, load_seconds=enough_seconds, step_seconds=enough_seconds)
    assert (found.code, found.check["status"], found.check["phase"]) == (1, "hung", phase)
    assert f"nothing was heard of it for {enough_seconds} s" in found.check["reason"]


def test_one_that_goes_on_too_long_is_slow_and_no_fault(bundle: Path, enough_seconds: int) -> None:
    total_seconds = enough_seconds + 2 * DAWDLING_SECONDS  # for all but the dawdling, and two positions' of that
    found = Examined(bundle, "dawdles", total_seconds=total_seconds)
    assert (found.code, found.check["status"]) == (0, "slow")
    assert f"it was stopped after {total_seconds} s, while scoring; " in found.check["reason"]
    assert "positions before that are right" in found.check["reason"]


def test_one_that_is_right_but_of_no_use_is_slow(bundle: Path) -> None:
    found = Examined(bundle, "is_useless", measure_seconds=2)
    assert (found.code, found.check["status"]) == (0, "slow")
    assert found.check["decode_tokens_per_second"] < 1
    assert "No backend can be recommended here." in found.out


def test_what_a_framework_prints_is_no_event(bundle: Path) -> None:
    found = Examined(bundle, "chatters")
    assert (found.code, found.check["status"]) == (0, "ok")


def test_a_framework_that_looks_at_standard_input_finds_nothing_and_waits_for_nobody(bundle: Path) -> None:
    found = Examined(bundle, "listens", load_seconds=20)
    assert (found.code, found.check["status"]) == (0, "ok")


def test_a_refusal_is_said_once_for_all_units_and_is_no_fault(bundle: Path) -> None:
    units = [candidate("is_refused", name=f"coreml on {u}", backend="coreml", unit=u) for u in ("gpu", "cpu", "ne")]
    found = Examined(bundle, *units, "honest")
    assert found.code == 0
    assert found.out.count("Core ML: not checked: this machine has no abacus") == 1
    assert [check["status"] for check in found.json["checks"]] == ["ok", *3 * ["unavailable"], "ok"]
    assert (bundle / "asked").read_text(encoding="ascii") == "x"  # one child asked, not three
    assert "Core ML could not be used" in found.out


def test_without_the_interpreter_nothing_is_compared_and_the_reason_is_said(bundle: Path) -> None:
    with pytest.raises(BackendUnavailableError, match="cannot run here: this machine has no abacus"):
        Examined(bundle, "honest", reference="is_refused")


@pytest.mark.parametrize(
    ("opener", "status"), [("gives_nan", "wrong"), ("raises", "crashed"), ("has_another_vocabulary", "wrong")]
)
def test_an_interpreter_that_fails_is_the_finding_and_nothing_is_compared_with_it(
    bundle: Path, opener: str, status: str
) -> None:
    found = Examined(bundle, "honest", reference=opener)
    assert found.code == 1
    assert [check["status"] for check in found.json["checks"]] == [status]


def test_the_report_names_no_path_and_no_person(bundle: Path) -> None:
    found = Examined(bundle, "fails_in_load")
    assert found.check["status"] == "crashed"
    assert "error code: -14" in found.check["reason"]
    assert "ANECCompile() FAILED" in found.check["log"]
    assert any("Neural Engine" in hint for hint in found.check["hints"])
    for private in (str(bundle), str(bundle.parent), bundle.name, str(Path.home()) + "/", sys.prefix, str(Path.cwd())):
        assert private not in found.json_text
    assert found.json["bundle"]["name"] == "falcon-of-the-test"
    assert len(found.json["bundle"]["sha256"]) == 64
    assert {"python", "numpy"} <= set(found.json["versions"])


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # One that ended and that nobody has waited for yet is dead too.
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"


@POSIX
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_no_child_outlives_the_doctor(bundle: Path, number: signal.Signals, code: int) -> None:
    script = (
        "import sys\n"
        "from tests.runtime.test_doctor import candidate\n"
        "from runtime.doctor.checkup import run_doctor\n"
        "try:\n"
        "    run_doctor(sys.argv[1], None, sys.stdout, sys.stderr, reference=candidate('leaves_its_pid'))\n"
        "except KeyboardInterrupt:\n"
        "    sys.exit(130)\n"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", script, str(bundle)], cwd=root, stderr=subprocess.PIPE) as doctor:
        pid_file = bundle / PID_FILE
        patience.until(lambda: pid_file.exists() and pid_file.read_text(encoding="ascii"))
        pid = int(pid_file.read_text(encoding="ascii"))
        assert _is_alive(pid)
        doctor.send_signal(number)
        assert doctor.wait(patience.SECONDS) == code
        patience.until(lambda: not _is_alive(pid))


def test_what_cannot_be_examined_is_refused_before_any_work(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError):
        run_doctor(tmp_path / "nothing", None, io.StringIO(), io.StringIO())
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "no-folder" / "report.json", tmp_path / "pipe"):
        with pytest.raises(OptionError, match="no place for a file"):
            run_doctor(bundle, place, io.StringIO(), io.StringIO())
