"""Models on this machine: what is found, what fits, what is removed."""

from __future__ import annotations

import json
import platform
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QFile
from pytestqt.qtbot import QtBot

from desktop.engine import EMBEDDED
from desktop.library.entries import find_bundles, judge, look_at
from desktop.library.library import ModelLibrary, models_folder
from runtime import Memory, machine_memory
from tests.conftest import Bundles
from tests.desktop.engines import wait
from tests.tools import copy_bundle

GB = 10**9


def nothing() -> None:
    """What waits for no engine: none is there."""


@pytest.fixture
def added(tmp_path: Path) -> Path:
    """A folder that the user added."""
    folder = tmp_path / "added"
    folder.mkdir()
    return folder


@pytest.fixture
def bundle(bundles: Bundles, added: Path) -> Path:
    return copy_bundle(bundles("7b", "lut4"), added / "mine")


@pytest.fixture
def library(qtbot: QtBot, own_data: Path, added: Path) -> Iterator[ModelLibrary]:
    made = ModelLibrary(own_data, [added])
    wait(qtbot, lambda: bool(made.entries))
    yield made
    made.close()


def test_a_bundle_is_described_by_what_its_manifest_says(bundle: Path) -> None:
    entry = look_at(bundle, machine_memory(), last_used=12.0)
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    assert (entry.name, entry.key, entry.format) == ("mine", f"bundle:{bundle}", "lut4")
    assert entry.context_length == manifest["context_length"]
    assert entry.bytes is not None
    assert entry.bytes == sum(file["bytes"] for file in manifest["files"].values())
    assert entry.memory is not None
    assert entry.memory > entry.bytes > 0
    assert (entry.fits, entry.damaged, entry.last_used) == ("yes", None, 12.0)


def test_a_damaged_bundle_is_listed_with_its_sentence(bundle: Path) -> None:
    file = bundle / "tokenizer.json"
    file.write_bytes(file.read_bytes()[:-1])
    entry = look_at(bundle, machine_memory())
    assert entry.damaged is not None
    assert "tokenizer.json is damaged" in entry.damaged
    (bundle / "manifest.json").unlink()
    assert "is not a bundle" in (look_at(bundle, machine_memory()).damaged or "")


@pytest.mark.parametrize(
    ("total", "available", "fits", "words"),
    [
        (16, 12, "yes", "of 14.9\u00a0GB"),
        (16, None, "yes", "of 14.9\u00a0GB"),
        (16, 3, "tight", "close other programs"),
        (6, None, "tight", "little is left"),
        (4, 3, "no", "choose a smaller one"),
        (None, None, "unknown", "does not tell"),
    ],
)
def test_what_fits_is_judged_by_this_machines_memory(
    total: int | None, available: int | None, fits: str, words: str
) -> None:
    memory = Memory(total=total and total * GB, available=available and available * GB)
    found, sentence = judge(5 * GB, memory)
    assert found == fits
    assert words in sentence


def test_the_embedded_model_is_always_there_and_folders_are_watched(
    qtbot: QtBot, library: ModelLibrary, bundles: Bundles, own_data: Path
) -> None:
    (embedded,) = library.entries
    assert embedded.source == EMBEDDED
    assert embedded.is_embedded
    assert embedded.fits == "yes"
    copy_bundle(bundles("7b", "lut4"), library.folders[1] / "copied")
    wait(qtbot, lambda: len(library.entries) == 2)
    assert library.entries[1].name == "copied"
    (library.folders[1] / ".hidden.falconet-work").mkdir()
    copy_bundle(bundles("7b", "lut4"), models_folder(own_data) / "exported")
    library.rescan()
    wait(qtbot, lambda: len(library.entries) == 3)
    assert [entry.name for entry in library.entries[1:]] == ["exported", "copied"]
    library.set_folders([])
    wait(qtbot, lambda: len(library.entries) == 2)


def test_when_a_model_was_used_last_is_remembered(
    qtbot: QtBot, bundle: Path, library: ModelLibrary, own_data: Path
) -> None:
    library.note_use(f"bundle:{bundle}")
    wait(qtbot, lambda: library.entries[-1].last_used is not None)
    other = ModelLibrary(own_data, [bundle])
    wait(qtbot, lambda: len(other.entries) == 2)
    assert other.entries[1].last_used == pytest.approx(time.time(), abs=600)
    other.close()


def own_trash(home: Path, patch: pytest.MonkeyPatch) -> None:
    """What is moved to the trash comes to `home`, not to the user's own."""

    class Trash(QFile):
        def moveToTrash(self) -> bool:
            home.mkdir(exist_ok=True)
            folder = Path(self.fileName())
            folder.rename(home / folder.name)
            return True

    patch.setenv("XDG_DATA_HOME", str(home))
    if platform.system() != "Linux":  # the others' trash cannot be put elsewhere
        patch.setattr("desktop.library.library.QFile", Trash)


@pytest.mark.parametrize("for_good", [True, False])
def test_a_removed_bundle_is_gone_and_in_the_trash_unless_for_good(
    qtbot: QtBot,
    bundle: Path,
    library: ModelLibrary,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    for_good: bool,
) -> None:
    own_trash(tmp_path / "home", monkeypatch)
    keys: list[str] = []
    sentences: list[str] = []
    library.removed.connect(keys.append)
    library.failed.connect(sentences.append)
    library.remove(f"bundle:{bundle}", for_good=for_good, unloaded=nothing)
    wait(qtbot, lambda: bool(keys or sentences))
    assert (keys, sentences) == ([f"bundle:{bundle}"], [])
    assert len(library.entries) == 1
    assert not list(bundle.parent.iterdir()) or not for_good
    assert not bundle.exists()
    trashed = [*tmp_path.rglob("tokenizer.json")]  # on most Macs a package has a manifest.json, too
    assert len(trashed) == (0 if for_good else 1)
    library.remove(f"bundle:{bundle}", for_good=for_good, unloaded=nothing)
    assert sentences == ["This model is no longer here."]


def test_what_is_no_model_any_more_is_not_removed(qtbot: QtBot, bundle: Path, library: ModelLibrary) -> None:
    sentences: list[str] = []
    library.failed.connect(sentences.append)
    for file in [*bundle.rglob("*.json"), *bundle.glob("*.mlpackage")]:
        file.rename(bundle / f"kept-{file.name}.txt")
    library.remove(f"bundle:{bundle}", for_good=True, unloaded=nothing)
    wait(qtbot, lambda: bool(sentences))
    assert "nothing was removed" in sentences[0]
    assert any(bundle.iterdir())


def test_a_stray_package_does_not_turn_a_place_for_models_into_a_model(bundle: Path, added: Path) -> None:
    (added / "stray.mlpackage").mkdir()
    (added / "stray.mlpackage" / "manifest.json").write_text("{}")  # as Manifest.json reads on most Macs
    assert find_bundles([added]) == [bundle]
    (added / "model.mlpackage").mkdir()
    (added / "manifest.json").write_text("{}", encoding="utf-8")
    assert find_bundles([added]) == [bundle]


def test_a_bundle_that_was_named_itself_is_found_with_what_lies_in_it(bundle: Path) -> None:
    assert find_bundles([bundle]) == [bundle]
    assert look_at(bundle, machine_memory()).removable
    inner = copy_bundle(bundle, bundle / "inner")
    assert find_bundles([bundle]) == [bundle, inner]
    assert not look_at(bundle, machine_memory()).removable
    assert look_at(inner, machine_memory()).removable


def test_a_bundle_can_go_only_where_it_holds_nothing_else(bundle: Path) -> None:
    (bundle / ".DS_Store").touch()
    (bundle / "._manifest.json").touch()
    assert look_at(bundle, machine_memory()).removable, "a Mac's own files are nobody's"
    (bundle / "notes.txt").write_text("mine", encoding="utf-8")
    assert not look_at(bundle, machine_memory()).removable
    (bundle / "manifest.json").write_text("{}", encoding="utf-8")
    entry = look_at(bundle, machine_memory())
    assert entry.damaged is not None
    assert not entry.removable
    (bundle / "notes.txt").unlink()
    assert look_at(bundle, machine_memory()).removable
    shutil.rmtree(bundle / "model.mlpackage")
    assert not look_at(bundle, machine_memory()).removable, "another program's manifest.json"


def test_a_folder_that_took_in_more_than_a_model_is_not_removed(
    qtbot: QtBot, bundle: Path, library: ModelLibrary
) -> None:
    sentences: list[str] = []
    library.failed.connect(sentences.append)
    wait(qtbot, lambda: len(library.entries) == 2)
    (bundle / "thesis").mkdir()  # after it was listed
    library.remove(f"bundle:{bundle}", for_good=True, unloaded=nothing)
    wait(qtbot, lambda: bool(sentences))
    assert "holds more than a model; nothing was removed" in sentences[0]
    assert (bundle / "thesis").is_dir()
    assert (bundle / "manifest.json").is_file()
