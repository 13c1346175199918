"""Files as parts of a message: their text in a fence, or why there is none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from desktop.attached import LONGEST_LINE, MOST_BYTES, UnfitError, attached


def refused(file: Path) -> str:
    with pytest.raises(UnfitError) as error:
        attached(file)
    return error.value.why


@pytest.mark.parametrize(
    ("name", "data", "part"),
    [
        ("notes.txt", b"one\ntwo\n", "notes.txt\n```txt\none\ntwo\n```\n"),
        ("Makefile", b"all:\n\ttrue", "Makefile\n```\nall:\n\ttrue\n```\n"),
        ("data.CSV", "a;b\r\n1;é\r\n".encode("utf-8-sig"), "data.CSV\n```csv\na;b\n1;é\n```\n"),
        ("wide.txt", "日本".encode("utf-16"), "wide.txt\n```txt\n日本\n```\n"),
        ("empty.py", b"", "empty.py\n```py\n\n```\n"),
        ("icon.svg", b"<svg/>", "icon.svg\n```svg\n<svg/>\n```\n"),
    ],
)
def test_a_text_file_is_its_name_and_its_text_in_a_fence(tmp_path: Path, name: str, data: bytes, part: str) -> None:
    (tmp_path / name).write_bytes(data)
    assert attached(tmp_path / name) == part


def test_fences_in_a_file_do_not_end_the_one_around_it(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text("```py\nx\n```\n````\n", encoding="utf-8")
    assert attached(file) == "page.md\n`````md\n```py\nx\n```\n````\n`````\n"


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("photo.png", b"\x89PNG\r\n\x1a\n\0\0", "picture"),
        ("photo.jpg", b"\xff\xd8\xff\xe0", "picture"),
        ("report.pdf", b"%PDF-1.7\n\xe2\xe3\xcf\xd3", "not text"),
        ("zeros.txt", b"a\0b", "not text"),
        ("latin.txt", "café".encode("latin-1"), "not text"),
        ("cut.txt", "é".encode()[:1], "not text"),
        ("long.txt", b"a line\n" * (MOST_BYTES // 7 + 1), "large"),
        ("minified.js", b"x" * (LONGEST_LINE + 1), "long line"),
    ],
)
def test_what_is_no_text_or_too_much_is_refused(tmp_path: Path, name: str, data: bytes, why: str) -> None:
    (tmp_path / name).write_bytes(data)
    assert refused(tmp_path / name) == why


def test_a_large_picture_is_refused_as_a_picture(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(MOST_BYTES))
    assert refused(tmp_path / "photo.jpg") == "picture"


def test_a_character_that_the_limit_cuts_makes_a_file_no_other_kind(tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_text("a" + "é\n" * MOST_BYTES, encoding="utf-8")
    assert refused(tmp_path / "long.txt") == "large"


def test_folders_missing_files_and_pipes_are_told_and_not_waited_for(tmp_path: Path) -> None:
    assert refused(tmp_path) == "folder"
    assert refused(tmp_path / "gone.txt") == "gone"
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        assert refused(tmp_path / "pipe") == "gone"
