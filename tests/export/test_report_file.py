"""The page of `inspect --html` as a file: made of a bundle, put in place, and of what it takes the place."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from export.report import gather, write_html
from runtime.errors import BundleError, OptionError
from tests.export.html_page import Page


def _bundle(folder: Path) -> Path:
    """A folder that opens as a bundle: one matrix of four by four, which the head shares with the embedding."""
    folder.mkdir()
    stored = bytes(range(96))
    parts = {
        "values": {"offset": 0, "bytes": 16, "dtype": "int8", "shape": [4, 4]},
        "scale": {"offset": 64, "bytes": 8, "dtype": "fp16", "shape": [4, 1]},
    }
    matrix = {"format": "int8", "shape": [4, 4], "parts": parts}
    (folder / "weight.bin").write_bytes(stored)
    manifest = {
        "format_version": 1,
        "name": "falcon-\ud800<b>",  # JSON can hold half a character, UTF-8 cannot
        "source": {"name": "s", "sha256": "00", "revision": None},
        "recipe": {},
        "context_length": 8,
        "vocab_size": 4,
        "chat_template": "raw",
        "weight_file": "weight.bin",
        "programs": [{"path": "model.mlpackage", "target": "macOS15", "functions": ["main"], "files": []}],
        "files": {"weight.bin": {"bytes": len(stored), "sha256": hashlib.sha256(stored).hexdigest()}},
        "weights": {"transformer.word_embeddings.weight": matrix, "lm_head.weight": matrix},
        "tools": {},
        "parity": {},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FALCONET_CACHE", str(tmp_path / "cache"))


def test_a_bundle_becomes_a_page(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    write_html(_bundle(tmp_path / "b"), target)
    page = Page(target.read_text(encoding="utf-8"))
    assert page.open == []
    assert "12.00" in page.text  # 16 bytes and 8 of scales over 16 weights


def test_what_tensors_share_is_counted_once(tmp_path: Path) -> None:
    weights = gather(_bundle(tmp_path / "b"))["weights"]
    assert [(w["bytes"], w["stored"]) for w in weights.values()] == [(24, 24), (0, 24)]


def test_a_page_that_cannot_be_put_in_place_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "taken"
    (target / "by-a-folder").mkdir(parents=True)
    with pytest.raises(OptionError, match=r"taken is a folder; name the file to write, as .*taken.page\.html"):
        write_html(_bundle(tmp_path / "b"), target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "taken"]
    assert [path.name for path in target.iterdir()] == ["by-a-folder"]


def test_a_page_takes_the_place_of_a_page_and_of_nothing_else(tmp_path: Path) -> None:
    bundle, letter, target = _bundle(tmp_path / "b"), tmp_path / "letter.txt", tmp_path / "page.html"
    letter.write_text("Dear")
    before = (bundle / "manifest.json").read_bytes()
    for inside in (bundle / "manifest.json", tmp_path / "b" / "page.html", tmp_path / "x" / ".." / "b" / "page.html"):
        with pytest.raises(OptionError, match=r"lies in the bundle|is no page of HTML"):
            write_html(bundle, inside)
    with pytest.raises(OptionError, match=r"letter\.txt exists and is no page of HTML; name another file"):
        write_html(bundle, letter)
    assert (bundle / "manifest.json").read_bytes() == before
    assert not (bundle / "page.html").exists()
    assert letter.read_text() == "Dear"
    for _ in range(2):
        write_html(bundle, target)
    assert target.read_text(encoding="utf-8").startswith("<!")


def test_what_is_no_bundle_is_refused_and_no_page_written(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="not a bundle"):
        write_html(tmp_path, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
