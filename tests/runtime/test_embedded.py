"""The embedded model's bundle: made once in the cache, by whoever comes first, and made again when damaged."""

from __future__ import annotations

import io
import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runtime import embedded, packages
from runtime.bundle import Bundle
from runtime.embedded import embedded_bundle
from runtime.errors import BackendUnavailableError, BundleError
from runtime.manifest import MANIFEST_NAME
from tests.tools import save_checkpoint

REPOSITORY = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Core ML packages cannot be written on Windows")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation whose embedded model is a random one."""
    folder = tmp_path_factory.mktemp("installation")
    for package in ("export", "runtime"):
        (folder / package).symlink_to(REPOSITORY / package)
    shutil.copytree(REPOSITORY / "models", folder / "models", ignore=shutil.ignore_patterns("__pycache__", "tiny"))
    tiny = folder / "models" / "tiny"
    save_checkpoint("7b", tiny)
    shutil.copy(REPOSITORY / "models" / "tiny" / "__init__.py", tiny)
    return folder


@pytest.fixture
def cache(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(root))
    monkeypatch.setattr(embedded, "_MODEL", root / "models" / "tiny")
    monkeypatch.setenv("FALCONET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_of_two_starts_at_once_one_makes_a_damaged_bundle_again_and_a_later_one_uses_it(cache: Path) -> None:
    damaged = cache / "bundles" / f"{embedded.NAME}-{embedded._version()}"
    damaged.mkdir(parents=True)
    (damaged / MANIFEST_NAME).write_text("{")
    logs = [io.StringIO(), io.StringIO()]
    with ThreadPoolExecutor() as pool:
        folders = list(pool.map(embedded_bundle, logs))
    assert folders == [damaged, damaged]
    assert sorted("Waiting for another program" in log.getvalue() for log in logs) == [False, True]
    assert sorted("Exported the embedded model" in log.getvalue() for log in logs) == [False, True]
    later = io.StringIO()
    assert Bundle.open(embedded_bundle(later)).manifest.name == embedded.NAME
    assert later.getvalue() == ""


def test_an_export_that_fails_is_the_exporters_own_sentence(cache: Path, root: Path) -> None:
    weights = root / "models" / "tiny" / "model.safetensors"
    aside = weights.rename(weights.with_suffix(".aside"))
    try:
        with pytest.raises(BundleError, match=r"could not be exported: .*holds no weights.* `python -m export falcon"):
            embedded_bundle(io.StringIO())
    finally:
        aside.rename(weights)
    assert not list((cache / "bundles").glob(f"*/{MANIFEST_NAME}"))


@pytest.mark.parametrize("blocked", ["file", "folder"])
def test_a_cache_that_cannot_be_written_is_one_sentence(
    cache: Path, tmp_path: Path, blocked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if blocked == "file":
        cache.write_text("no folder")
    elif os.geteuid() == 0:
        monkeypatch.setenv("FALCONET_CACHE", "/proc/falconet")  # root may write everywhere else
        if not Path("/proc").is_dir():
            pytest.skip("root may write everywhere, and this system has no /proc")
    else:
        cache.mkdir(mode=0o500)
    with pytest.raises(BundleError, match=r"cannot be written \(.*\); set FALCONET_CACHE to a folder that can be\.$"):
        embedded_bundle(io.StringIO())


def test_a_full_disk_names_what_moves_the_cache(cache: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FALCONET_CACHE", str(small_disk / "cache"))
    with pytest.raises(BundleError, match=r"has no room for the embedded model; .* set FALCONET_CACHE to a folder on"):
        embedded_bundle(io.StringIO())


def test_without_the_exporter_the_sentence_says_what_to_install(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "_EXPORTER", ("numpy", "nothing_of_this_name"))
    with pytest.raises(BackendUnavailableError, match=r"exported first\. nothing_of_this_name is not .*`pip install"):
        embedded_bundle(io.StringIO())


def test_on_windows_the_sentence_says_where_to_export(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", "win32")
        with pytest.raises(BackendUnavailableError, match=r"exported first\. .* on Windows: export on macOS or Linux"):
            embedded_bundle(io.StringIO())


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"])
def test_any_other_file_of_the_model_makes_another_bundle(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    model = Path(shutil.copytree(root / "models" / "tiny", tmp_path / "tiny"))
    monkeypatch.setattr(embedded, "_MODEL", model)
    before = embedded._version()
    (model / file).write_bytes((model / file).read_bytes() + b" ")
    assert embedded._version() != before
