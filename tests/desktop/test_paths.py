"""Where the window keeps its data."""

from __future__ import annotations

from pathlib import Path

import pytest

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
