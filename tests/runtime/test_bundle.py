"""Bundles on disk: damaged, cut short, newer, or of somebody who means no good."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime.bundle import Bundle
from runtime.cli.history import History
from runtime.embedded import embedded_folder
from runtime.errors import BundleError, OptionError
from runtime.manifest import Manifest
from tests.tools import read_manifest, write_manifest

EMBEDDING = "transformer.word_embeddings.weight"
WEIGHT_FILE = "model.mlpackage/Data/com.apple.CoreML/weights/weight.bin"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that has seen no bundle."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("FALCONET_CACHE", str(folder))
    return folder


def flip(file: Path, *, keep_time: bool) -> None:
    times = file.stat()
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    if keep_time:
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_a_bundle_opens(bundle_folder: Path, cache: Path) -> None:
    bundle = Bundle.open(str(bundle_folder))
    assert bundle.folder == bundle_folder
    assert bundle.program_path == bundle_folder / "model.mlpackage"
    assert len(bundle.hash) == 64


def test_the_bytes_of_a_part_are_mapped_from_the_weight_file(bundle_folder: Path, cache: Path) -> None:
    bundle = Bundle.open(bundle_folder)
    data = (bundle_folder / WEIGHT_FILE).read_bytes()
    for entry in bundle.manifest.weights.values():
        for part in entry.parts.values():
            array = bundle.array(part)
            assert array.tobytes() == data[part.offset : part.offset + part.bytes]
            assert not array.flags.writeable


def test_who_has_no_home_folder_opens_bundles_and_is_told_what_the_embedded_model_needs(
    bundle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FALCONET_CACHE", "~nobody-of-this-name/cache")
    assert Bundle.open(bundle_folder).folder == bundle_folder
    assert History().problem is not None
    with pytest.raises(OptionError, match=r"no home folder .*; set FALCONET_CACHE"):
        embedded_folder()


@pytest.mark.parametrize(
    ("folder", "fault"), [("nothing", "does not exist"), ("empty", "is not a bundle"), ("file/below", "does not exist")]
)
def test_what_is_no_bundle_is_refused(folder: str, fault: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(BundleError, match=rf"{folder} {fault}.*Run `python -m export` first"):
        Bundle.open(tmp_path / folder)


def test_a_missing_file_is_named(bundle_folder: Path, cache: Path) -> None:
    (bundle_folder / "tokenizer.json").unlink()
    with pytest.raises(BundleError, match=r"tokenizer\.json is missing; export or copy the bundle again"):
        Bundle.open(bundle_folder)


def test_a_truncated_weight_file_is_found_at_every_load(bundle_folder: Path, cache: Path) -> None:
    Bundle.open(bundle_folder)
    file = bundle_folder / WEIGHT_FILE
    os.truncate(file, file.stat().st_size - 1)
    with pytest.raises(BundleError, match=r"weight\.bin is damaged: it has [\d,]+ bytes where [\d,]+ were written"):
        Bundle.open(bundle_folder)


@pytest.mark.parametrize("name", [WEIGHT_FILE, "config.json", "model.mlpackage/Manifest.json"])
def test_a_flipped_bit_is_found_when_the_bundle_is_first_seen(bundle_folder: Path, cache: Path, name: str) -> None:
    flip(bundle_folder / name, keep_time=True)
    with pytest.raises(BundleError, match=f"{name} is damaged: its hash differs"):
        Bundle.open(bundle_folder)
    assert not list(cache.rglob("*")), "a damaged bundle is not remembered as a good one"


def test_later_loads_do_not_hash_but_verify_does(bundle_folder: Path, cache: Path) -> None:
    Bundle.open(bundle_folder)
    flip(bundle_folder / WEIGHT_FILE, keep_time=True)  # what only a hash can find
    bundle = Bundle.open(bundle_folder)
    with pytest.raises(BundleError, match="its hash differs"):
        bundle.verify()
    for mark in (cache / "verified").iterdir():
        mark.unlink()
    with pytest.raises(BundleError, match="its hash differs"):
        Bundle.open(bundle_folder)


def test_an_edited_file_is_hashed_anew(bundle_folder: Path, cache: Path) -> None:
    Bundle.open(bundle_folder)
    flip(bundle_folder / WEIGHT_FILE, keep_time=False)
    with pytest.raises(BundleError, match="its hash differs"):
        Bundle.open(bundle_folder)


def test_a_copy_is_hashed_anew(bundle_folder: Path, cache: Path, tmp_path: Path) -> None:
    Bundle.open(bundle_folder)
    moved = bundle_folder.rename(tmp_path / "moved")
    flip(moved / WEIGHT_FILE, keep_time=True)
    with pytest.raises(BundleError, match="its hash differs"):
        Bundle.open(moved)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system takes no such name")
def test_a_folder_whose_name_is_no_utf_8_opens_and_is_remembered(
    bundle_folder: Path, cache: Path, tmp_path: Path
) -> None:
    odd = bundle_folder.rename(tmp_path / os.fsdecode(b"odd\nna\xffme"))
    Bundle.open(odd)
    flip(odd / WEIGHT_FILE, keep_time=True)
    Bundle.open(odd)


def test_a_cache_that_cannot_be_written_costs_a_hash_and_nothing_else(
    bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FALCONET_CACHE", str(tmp_path / "file" / "below"))
    Bundle.open(bundle_folder)
    flip(bundle_folder / WEIGHT_FILE, keep_time=True)
    with pytest.raises(BundleError, match="its hash differs"):
        Bundle.open(bundle_folder)


def test_verifying_tells_how_far_it_is(bundle_folder: Path, cache: Path) -> None:
    told: list[tuple[int, int]] = []
    bundle = Bundle.open(bundle_folder)
    bundle.verify(lambda done, total: told.append((done, total)))
    size = sum(file.stat().st_size for file in bundle_folder.rglob("*") if file.is_file())
    total = size - (bundle_folder / "manifest.json").stat().st_size
    assert told[-1] == (total, total)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_every_file_is_in_the_manifest(bundle_folder: Path, cache: Path) -> None:
    files = {p.relative_to(bundle_folder).as_posix() for p in bundle_folder.rglob("*") if p.is_file()}
    assert files - {"manifest.json"} == set(Bundle.open(bundle_folder).manifest.files)


def test_a_newer_format_asks_for_an_update(bundle_folder: Path) -> None:
    write_manifest(bundle_folder, read_manifest(bundle_folder) | {"format_version": 2})
    with pytest.raises(BundleError, match="has bundle format 2 and this Falconet reads up to 1; update Falconet"):
        Bundle.open(bundle_folder)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '"x"', "{}", '{"format_version": "1"}', '{"format_version": 1}']
)
def test_a_damaged_manifest_is_refused(bundle_folder: Path, text: str) -> None:
    (bundle_folder / "manifest.json").write_text(text)
    with pytest.raises(BundleError, match=r"manifest\.json is damaged.*export the bundle again"):
        Bundle.open(bundle_folder)


def test_a_manifest_that_is_no_text_is_refused(bundle_folder: Path) -> None:
    (bundle_folder / "manifest.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BundleError, match="damaged"):
        Bundle.open(bundle_folder)


def _a_part(manifest: dict[str, Any]) -> dict[str, Any]:
    part: dict[str, Any] = manifest["weights"][EMBEDDING]["parts"]["indices"]
    return part


DAMAGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "no programs": lambda m: m["programs"].clear(),
    "weight file not listed": lambda m: m["files"].pop(WEIGHT_FILE),
    "unknown type": lambda m: _a_part(m).update(dtype="uint7"),
    "unknown format": lambda m: m["weights"][EMBEDDING].update(format="lut5"),
    "part missing": lambda m: m["weights"][EMBEDDING]["parts"].pop("codebook"),
    "part too short for its shape": lambda m: _a_part(m).update(bytes=4),
    "part before the file": lambda m: _a_part(m).update(offset=-64),
    "part off its boundary": lambda m: _a_part(m).update(offset=_a_part(m)["offset"] + 2),
    "files are a list": lambda m: m.update(files=[]),
    "text for a number": lambda m: m.update(context_length="long"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_manifest_that_contradicts_itself_is_refused(bundle_folder: Path, damage: str) -> None:
    manifest = read_manifest(bundle_folder)
    DAMAGES[damage](manifest)
    write_manifest(bundle_folder, manifest)
    with pytest.raises(BundleError, match=r"manifest\.json is damaged"):
        Bundle.open(bundle_folder)


def test_a_part_beyond_the_weight_file_is_refused(bundle_folder: Path, cache: Path) -> None:
    manifest = read_manifest(bundle_folder)
    _a_part(manifest)["offset"] = 1 << 40
    write_manifest(bundle_folder, manifest)
    bundle = Bundle.open(bundle_folder)
    with pytest.raises(BundleError, match="outside the weight file"):
        bundle.array(bundle.manifest.weights[EMBEDDING].parts["indices"])


@pytest.mark.parametrize(
    "path", ["../secret", "/etc/passwd", "model.mlpackage/../../secret", "..\\secret", "C:\\secret"]
)
@pytest.mark.parametrize("place", ["files", "weight_file", "program", "program files"])
def test_a_path_out_of_the_bundle_is_refused(bundle_folder: Path, tmp_path: Path, path: str, place: str) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    manifest = read_manifest(bundle_folder)
    if place == "files":
        manifest["files"][path] = {"bytes": 1, "sha256": "0" * 64}
    elif place == "weight_file":
        manifest["weight_file"] = path
        manifest["files"][path] = manifest["files"].pop(WEIGHT_FILE)
    elif place == "program":
        manifest["programs"][0]["path"] = path
    else:
        manifest["programs"][0]["files"].append(path)
    write_manifest(bundle_folder, manifest)
    with pytest.raises(BundleError, match="outside the bundle"):
        Bundle.open(bundle_folder)


def test_the_hash_changes_with_any_file(bundle_folder: Path, cache: Path) -> None:
    before = Bundle.open(bundle_folder).hash
    manifest = read_manifest(bundle_folder)
    manifest["files"]["README.md"]["sha256"] = "0" * 64
    write_manifest(bundle_folder, manifest)
    assert Bundle(bundle_folder, Manifest.read(bundle_folder)).hash != before


def test_weights_are_mapped_not_read(bundle_folder: Path, cache: Path) -> None:
    bundle = Bundle.open(bundle_folder)
    array = bundle.array(bundle.manifest.weights[EMBEDDING].parts["indices"])
    assert isinstance(array, np.memmap)
