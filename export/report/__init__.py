"""The page of `python -m export inspect BUNDLE --html OUT`: one file of HTML with pictures, nothing fetched.

`gather` reads a bundle into plain data, `render_html` turns that data into the page, `write_html` does both. Every text
and every figure of a manifest is material: texts are escaped, and what is no number where one belongs is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from export.report.facts import Facts
from export.report.gather import gather
from export.report.page import page
from runtime.errors import OptionError
from runtime.whole import write_whole

__all__ = ["gather", "render_html", "write_html"]


def render_html(report: Mapping[str, Any]) -> str:
    """The whole page for what `gather` gave; a key that is missing costs its own section only."""
    return page(Facts.read(report))


def write_html(bundle: Path, target: Path) -> None:
    """Write the page about `bundle` to `target`, whole or not at all; an earlier page is replaced.

    Raises BundleError for what is no bundle, OptionError where `target` is a folder, lies in the bundle, or is a file
    of another kind, OSError, which names `target`, where the page cannot be written.
    """
    if target.is_dir():
        raise OptionError(f"--html {target} is a folder; name the file to write, as {target / 'page.html'}.")
    if target.is_file() and not _is_page(target):
        raise OptionError(f"--html {target} exists and is no page of HTML; name another file.")
    text = render_html(gather(bundle))
    if target.resolve().is_relative_to(bundle.resolve()):
        raise OptionError(f"--html {target} lies in the bundle, where only its own files belong; name one elsewhere.")
    try:
        write_whole(target, [text.encode("utf-8", errors="xmlcharrefreplace")], mode=0o644)
    except OSError as error:  # what it names is the file beside the target, of which nobody has heard
        raise OSError(error.errno, error.strerror, str(target)) from None


def _is_page(file: Path) -> bool:
    with file.open("rb") as stream:
        begin = stream.read(256).lstrip().lower()
    return not begin or begin.startswith((b"<!doctype html", b"<html"))
