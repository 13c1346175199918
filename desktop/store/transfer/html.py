"""Chats as one HTML page that needs nothing else: no script, no picture, no address is loaded when it is opened."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from markdown_it.renderer import RendererProtocol
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from desktop.store.transfer.markdown import UNTITLED, heading
from desktop.store.transfer.times import shown
from desktop.store.trees import ChatTree, Node
from desktop.text import make_parser, maths_source

_STYLE = """
:root { color-scheme: light dark; --text: #1d1d1f; --page: #fff; --quiet: #6e6e73; --tint: #f2f2f5; --line: #d9d9de; }
@media (prefers-color-scheme: dark) {
  :root { --text: #ececee; --page: #1c1c1e; --quiet: #a1a1a6; --tint: #2c2c2e; --line: #48484a; }
}
body { margin: 3rem auto; max-width: 42rem; padding: 0 1.25rem; color: var(--text); background: var(--page);
  font: 1rem/1.6 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: .875rem; color: var(--quiet); margin: 2rem 0 .25rem; break-after: avoid; }
.when { color: var(--quiet); margin: 0; }
.system { border-left: 3px solid var(--line); padding-left: 1rem; color: var(--quiet); white-space: pre-wrap; }
.user { background: var(--tint); border-radius: .75rem; padding: .5rem 1rem; white-space: pre-wrap; }
.math { white-space: pre-wrap; }
article + article { margin-top: 4rem; break-before: page; }
pre { background: var(--tint); border-radius: .5rem; padding: .75rem 1rem; overflow-x: auto; }
pre, code { font: .875em/1.5 ui-monospace, monospace; }
table { border-collapse: collapse; } th, td { border: 1px solid var(--line); padding: .25rem .625rem; }
ul > .task { list-style: none; } ul > .task > .box:first-child, ul > .task > p:first-child > .box {
  display: inline-block; width: 1.25em; margin-inline-start: -1.5em; }
blockquote { border-left: 3px solid var(--line); margin-left: 0; padding-left: 1rem; color: var(--quiet); }
@media print {
  body { margin: 0; max-width: none; font-size: 10.5pt; --text: #000; --page: #fff; }
  pre { white-space: pre-wrap; overflow: visible; } pre, table, blockquote { break-inside: avoid; }
}
"""


def _formula(
    _renderer: RendererProtocol, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: EnvType
) -> str:
    """Mathematics as its source: a page without scripts draws none."""
    source = html.escape(maths_source(tokens[index]), quote=False)
    return f'<p class="math">{source}</p>\n' if tokens[index].block else f'<span class="math">{source}</span>'


def _box(_renderer: RendererProtocol, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: EnvType) -> str:
    return f'<span class="box">{tokens[index].content}</span> '


# An image would be fetched from wherever the model says, so it stays a link; HTML from a model stays text.
_MARKDOWN = make_parser().disable("image")
for _kind in ("math_inline", "math_inline_double", "math_block"):
    _MARKDOWN.add_render_rule(_kind, _formula)
_MARKDOWN.add_render_rule("task", _box)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def to_html(trees: Sequence[ChatTree]) -> str:
    """All chats on one page, each on sheets of its own when printed."""
    title = trees[0].title or UNTITLED if len(trees) == 1 else f"{len(trees)} chats"
    return (
        '<!DOCTYPE html>\n<html>\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(map(_chat, trees))
        + "\n</body>\n</html>\n"
    )


def _chat(tree: ChatTree) -> str:
    parts = [f'<h1 dir="auto">{html.escape(tree.title or UNTITLED)}</h1>', f'<p class="when">{shown(tree.created)}</p>']
    if tree.system_prompt.strip():
        parts.append(f'<p class="system" dir="auto">{html.escape(_typed(tree.system_prompt))}</p>')
    parts += map(_message, tree.path())
    return "<article>\n" + "\n".join(parts) + "\n</article>"


def _message(node: Node) -> str:
    head = f"<h2>{html.escape(heading(node))}</h2>"
    if node.role == "user":  # what a person typed is shown as typed
        return f'{head}\n<div class="user" dir="auto">{html.escape(_typed(node.text))}</div>'
    return f'{head}\n<div class="assistant" dir="auto">{_MARKDOWN.render(node.text).strip()}</div>'


def _typed(text: str) -> str:
    """`text` without the empty lines around it: spaces that its first line begins with are meant."""
    return re.sub(r"^(\s*\n)+", "", text).rstrip()
