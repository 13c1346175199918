"""Settings are kept whole, and no state of their file keeps the program from starting."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from desktop.settings import Settings, SettingsError, SettingsFile

CHANGED = Settings(
    theme="dark",
    text_size=150,
    language="zh_CN",
    send_with="ctrl_enter",
    model="local:/models/七",
    models_folders=("/a", "/b", "/a"),
    welcomed=True,
    high_contrast=True,
    text_column="wide",
)


def test_settings_come_back_as_they_were_saved(tmp_path: Path) -> None:
    file = SettingsFile(tmp_path / "new" / "settings.json")
    assert file.load() == Settings()
    file.save(CHANGED)
    assert SettingsFile(file.path).load() == CHANGED
    assert CHANGED.models_folders == ("/a", "/b")
    assert [path.name for path in file.path.parent.iterdir()] == ["settings.json"]
    assert file.notice is None


def test_a_value_that_is_missing_unknown_or_not_allowed_has_its_default_and_the_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    values = {"theme": "pink", "text_size": "big", "welcomed": 1, "language": "en", "model": True, "new": [1]}
    path.write_text(json.dumps(values))
    file = SettingsFile(path)
    assert file.load() == Settings(language="en")
    file.save(replace(file.load(), text_size=90))
    assert json.loads(path.read_text())["new"] == [1]  # a newer program's
    assert SettingsFile(path).load() == Settings(language="en", text_size=90)


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_file_is_set_aside_and_said(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(data)
    file = SettingsFile(path)
    assert file.load() == Settings(welcomed=True)  # no first start: the notice is to be seen
    (aside,) = tmp_path.glob("settings-damaged-*.json")
    assert aside.read_bytes() == data
    assert aside.name in (file.notice or "")
    file.save(CHANGED)
    assert SettingsFile(path).load() == CHANGED


@pytest.mark.parametrize(
    "wrong", [{"text_size": 79}, {"text_size": 201}, {"theme": "x"}, {"welcomed": 0}, {"model": 3}]
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(Settings(), **wrong)  # type: ignore[arg-type]


def test_a_full_disk_is_one_sentence_and_leaves_the_earlier_settings(small_disk: Path) -> None:
    file = SettingsFile(small_disk / "settings.json")
    file.save(CHANGED)
    with pytest.raises(SettingsError, match=r"^The settings could not be saved .* allow writing there\.$"):
        file.save(replace(CHANGED, model="x" * 4_000_000))
    assert SettingsFile(file.path).load() == CHANGED
    assert [path.name for path in small_disk.iterdir()] == ["settings.json"]
