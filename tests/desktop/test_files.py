"""What the window saves: through links, and never in place of what is no file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from desktop.engine import SafeStart
from desktop.files import write_whole
from desktop.library.kept_export import KeptExport
from desktop.library.usage import Usage
from desktop.settings import Settings, SettingsError, SettingsFile
from desktop.store.transfer import Paper
from desktop.views.pdf import PdfError, write_pdf

Write = Callable[[Path], None]
WRITES: dict[str, Write] = {
    "text": lambda file: write_whole(file, "new"),
    "settings": lambda file: SettingsFile(file).save(Settings(theme="dark")),
    "pdf": lambda file: write_pdf(Paper(("<p>new</p>",), ()), {}, file),
    "usage": lambda file: Usage(file).note("model"),
    "mark of a start": lambda file: SafeStart(file).begin("model"),
}

UNTOLD = ("usage", "mark of a start")  # nothing is lost but a date, or the memory of a crash


@pytest.mark.parametrize("kind", WRITES)
def test_a_link_stays_and_what_it_leads_to_is_replaced(qtbot: QtBot, tmp_path: Path, kind: str) -> None:
    real, link = tmp_path / "elsewhere" / "real", tmp_path / "link"
    real.parent.mkdir()
    real.write_bytes(b"old")
    link.symlink_to(real)
    WRITES[kind](link)
    assert link.is_symlink()
    assert real.read_bytes() != b"old"
    assert [path.name for path in real.parent.iterdir()] == ["real"]
    assert real.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("kind", WRITES)
def test_a_pipe_is_refused_and_stays(qtbot: QtBot, tmp_path: Path, kind: str) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    if kind in UNTOLD:
        WRITES[kind](pipe)
    else:
        with pytest.raises((OSError, SettingsError, PdfError), match="It is a device or a pipe"):
            WRITES[kind](pipe)
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"3", b"[" * 100_000, b'{"model": [], "loading": [7], "x": 1e999, "y": -1}']
)
def test_the_window_s_small_files_may_be_damaged(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "state.json"
    file.write_bytes(data)
    assert (Usage(file).read(), SafeStart(file).crashed(), KeptExport(file).load()) == ({}, None, None)
    Usage(file).note("a")
    assert list(Usage(file).read()) == ["a"]
