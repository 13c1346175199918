"""`python -m runtime` as a process of its own: closed streams, a reader that leaves, any locale, what is imported."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runtime.bundles import talker

RUNTIME = (sys.executable, "-m", "runtime")
posix = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")


def shell(script: str) -> subprocess.CompletedProcess[bytes]:
    """Run a script in which `$run` is the command up to its name and `$talker` a bundle."""
    names = {"run": " ".join(RUNTIME), "talker": str(talker())}
    return subprocess.run(["sh", "-c", script], capture_output=True, env={**os.environ, **names}, check=False)


@posix
def test_a_reader_that_leaves_is_no_error() -> None:
    much = "--temperature 0 --max-tokens 900 --json --logprobs 20"  # more than a pipe holds: the reader leaves first
    done = shell(f"($run complete $talker --prompt x {much}; echo $? >&2) | head -1")
    assert done.stdout.startswith(b'{"event": "prefilled"')
    assert done.stdout.count(b"\n") == 1
    assert done.stderr == b"1\n"


@posix
def test_closed_streams_are_empty_ones() -> None:
    done = shell("$run chat $talker <&- && $run complete $talker --prompt x --max-tokens 2 >&-")
    assert done.returncode == 0
    assert done.stdout == b""
    assert done.stderr.startswith(b"stopped at --max-tokens")


@posix
def test_nothing_that_is_opened_later_takes_the_number_of_a_closed_stream() -> None:
    opened = "from runtime.cli.streams import open_closed_streams as o; o(); print(open('/dev/null').fileno() > 2)"
    assert shell(f'{sys.executable} -c "{opened}" <&- 2>&-').stdout == b"True\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_one_sentence() -> None:
    for asked in ("complete $talker --prompt x --max-tokens 2", "--help", "chat --help", "--version"):
        done = shell(f"unset PYTHONUNBUFFERED; $run {asked} > /dev/full")
        assert (done.returncode, done.stderr) == (1, b"error: The disk is full; free some space and try again.\n")


@posix
def test_arguments_are_utf_8_whatever_the_locale_says() -> None:
    settings = "LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 PYTHONIOENCODING=ascii"
    options = "--prompt 'naïve ✓' --temperature 0 --max-tokens 3"
    assert (
        shell(f"{settings} $run complete $talker {options}").stdout == shell(f"$run complete $talker {options}").stdout
    )


@posix
def test_ctrl_c_ends_a_pipe_after_the_answer_that_it_stopped() -> None:
    with subprocess.Popen(
        [*RUNTIME, "chat", str(talker()), "--temperature", "0", "--max-tokens", "2000", "--no-prompt-lookup"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(b"one\ntwo\n")
        process.stdin.close()
        begun = process.stdout.read(1)
        process.send_signal(signal.SIGINT)
        answer = begun + process.stdout.read()
        figures = process.stderr.read()
    assert process.returncode == 130
    assert answer.endswith(b"\n")
    assert figures.startswith("stopped · ".encode())
    assert figures.count(b"\n") == 1


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ((), b"error: The following arguments are required: COMMAND; `python -m runtime --help` lists the options.\n"),
        (
            ("chat", "--bogus"),
            b"error: Unrecognized arguments: --bogus; `python -m runtime chat --help` lists the options.\n",
        ),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_1(given: tuple[str, ...], sentence: bytes) -> None:
    done = subprocess.run([*RUNTIME, *given], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", sentence)


def test_the_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom runtime.__main__ import main\ntry: main(['--help'])\n"
        "finally: print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "runtime" in loaded
    assert not loaded & {"torch", "coremltools", "numba", "export"}


def test_the_torch_backend_loads_neither_coremltools_nor_the_compilers() -> None:
    code = (
        "import sys; from runtime.__main__ import main; code = main(sys.argv[1:]); "
        "print(*sorted({name.partition('.')[0] for name in sys.modules})); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "complete", talker(), "--prompt", "x", "--max-tokens", "1", "--backend", "torch"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "torch" in loaded
    assert not loaded & {"coremltools", "numba", "transformers", "export"}
