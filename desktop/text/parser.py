"""What reads Markdown, for the window and for what leaves it."""

from __future__ import annotations

from markdown_it import MarkdownIt

from desktop.text.addresses import links_plugin
from desktop.text.maths import maths_plugin
from desktop.text.tasks import tasks_plugin


class _Parser(MarkdownIt):
    def normalizeLinkText(self, link: str) -> str:
        """As it was written: another script in its host would hide behind its letters."""
        return link


def make_parser() -> MarkdownIt:
    """CommonMark with tables, strikethrough, mathematics, tasks and bare addresses. HTML is text."""
    md = _Parser("commonmark", {"html": False}).enable(["table", "strikethrough"])
    maths_plugin(md)
    links_plugin(md)
    tasks_plugin(md)
    return md
