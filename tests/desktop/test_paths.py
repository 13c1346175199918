"""Where the window keeps its data."""

from __future__ import annotations

from pathlib import Path

import pytest

from desktop.app import begin_at_home
from desktop.paths import data_folder


def test_the_data_folder_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FALCONET_DATA", str(tmp_path / "chats"))
    assert data_folder() == tmp_path / "chats"


def test_without_a_word_it_is_the_users_own_and_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FALCONET_DATA", raising=False)
    folder = data_folder()
    assert folder.is_absolute()
    assert folder.is_relative_to(Path.home())
    assert "cache" not in str(folder).lower()


def test_file_panels_of_a_program_that_begins_in_the_root_begin_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path.anchor)
    begin_at_home()
    assert Path.cwd() == tmp_path.resolve()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    begin_at_home()
    assert Path.cwd() == elsewhere.resolve()
