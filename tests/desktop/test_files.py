"""What the window saves: through links, and never in place of what is no file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from desktop.files import write_whole
from desktop.settings import Settings, SettingsError, SettingsFile
from desktop.views.pdf import PdfError, write_pdf

Write = Callable[[Path], None]
WRITES: dict[str, Write] = {
    "text": lambda file: write_whole(file, "new"),
    "settings": lambda file: SettingsFile(file).save(Settings(theme="dark")),
    "pdf": lambda file: write_pdf("<p>new</p>", file),
}


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
    with pytest.raises((OSError, SettingsError, PdfError), match="It is a device or a pipe"):
        WRITES[kind](pipe)
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]
