"""What is named as a file to read ends, or is refused before it fills the memory."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import pytest

from runtime.bounded import MOST_BYTES, read_bounded, read_stream
from runtime.errors import UserFacingError
from runtime.manifest import Manifest
from runtime.tokenizer import Tokenizer
from tests.runtime.bundles import talker
from tests.runtime.program import assert_sentence, run_program
from tests.tools import copy_bundle


class Endless(io.RawIOBase):
    """Gives as much as it is asked for, and remembers how much that was."""

    def __init__(self) -> None:
        self.given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        size = len(memoryview(buffer))  # type: ignore[arg-type]
        self.given += size
        return size


@pytest.mark.parametrize("name", ["manifest.json", "tokenizer.json", "tokenizer_config.json"])
def test_a_bundle_whose_texts_have_no_end_is_refused(tmp_path: Path, name: str) -> None:
    folder = copy_bundle(talker(), tmp_path / "bundle")
    os.truncate(folder / name, MOST_BYTES + 1)  # takes no room on the disk
    with pytest.raises(UserFacingError, match=rf"{name} cannot be read.*It holds more than 256"):
        Manifest.read(folder) if name == "manifest.json" else Tokenizer.open(folder)


def test_a_file_is_read_whole_up_to_its_bound(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 10)
    assert read_bounded(file) == read_bounded(file, 10) == b"x" * 10
    with pytest.raises(OSError, match="It holds more than 9 bytes"):
        read_bounded(file, 9)


def test_a_stream_is_read_no_further_than_its_bound() -> None:
    endless = Endless()
    with pytest.raises(OSError, match="It holds more than"):
        read_stream(io.BufferedReader(endless), 100_000)
    assert endless.given < 2 * 100_000 + io.DEFAULT_BUFFER_SIZE
    assert MOST_BYTES >= 100_000_000


def test_a_small_file_takes_no_memory_for_its_bound(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 10)
    tracemalloc.start()
    try:
        read_bounded(file)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < MOST_BYTES // 20


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(b"some text"))
    writer.start()
    assert read_bounded(pipe) == b"some text"
    writer.join()


READ = "import sys, pathlib, runtime.bounded; print(runtime.bounded.read_bounded(pathlib.Path(sys.argv[1])).decode())"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no /dev")
@pytest.mark.parametrize("stdin", [b"piped", b""])
def test_the_standard_input_may_be_named(stdin: bytes) -> None:
    given = (sys.executable, "-c", READ, "/dev/stdin")
    assert subprocess.run(given, input=stdin, capture_output=True, check=True).stdout == stdin + b"\n"


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no terminals of one's own")
def test_a_terminal_is_read_to_the_end_of_what_is_typed() -> None:
    keys, terminal = os.openpty()
    os.write(keys, b"typed\n\x04")
    given = (sys.executable, "-c", READ, os.ttyname(terminal))  # a terminal may come to own who opens it
    assert subprocess.run(given, capture_output=True, check=True).stdout == b"typed\n\n"
    os.close(keys)
    os.close(terminal)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no /dev")
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom"])
def test_a_device_is_refused_without_being_read(device: str) -> None:
    with pytest.raises(OSError, match="It is a device"):
        read_bounded(Path(device))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no /dev")
@pytest.mark.parametrize(
    "given",
    [
        ("perplexity", "--text", "/dev/zero"),
        ("complete", "--prompt", "x", "--json-schema", "/dev/zero"),
        ("chat", "--input", "/dev/zero"),
        ("chat", "--load", "/dev/zero"),
    ],
)
def test_the_command_line_reads_no_device(given: tuple[str, ...]) -> None:
    outcome = run_program(given[0], talker(), *given[1:])
    assert_sentence(outcome, "/dev/zero cannot be read (")
    assert "it is a device" in outcome.err.lower()
