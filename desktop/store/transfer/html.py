"""Chats as one HTML page that needs nothing else: no script, no picture, no address is loaded when it is opened; and as
the page that a PDF is made of, by what knows neither style sheets for browsers nor MathML."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markdown_it.renderer import RendererProtocol
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from desktop.store.transfer.directions import MIRROR, directions_plugin
from desktop.store.transfer.markdown import UNTITLED, heading
from desktop.store.transfer.times import shown
from desktop.store.trees import ChatTree, Node
from desktop.text import make_parser, mathml, maths_source

_STYLE = """
:root { color-scheme: light dark; --text: #1d1d1f; --page: #fff; --quiet: #6e6e73; --tint: #f2f2f5; --line: #d9d9de; }
@media (prefers-color-scheme: dark) {
  :root { --text: #ececee; --page: #1c1c1e; --quiet: #a1a1a6; --tint: #2c2c2e; --line: #48484a; }
}
body { margin: 3rem auto; max-width: 42rem; padding: 0 1.25rem; color: var(--text); background: var(--page);
  font: 1rem/1.6 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { line-height: 1.25; margin: 0 0 .25rem; }
.assistant h1 { font-size: 1.5rem; } .assistant h2 { font-size: 1.28rem; } .assistant h3 { font-size: 1.12rem; }
.assistant :is(h1, h2, h3) { margin: 1.25em 0 .5em; } .assistant > :first-child { margin-top: .25em; }
article > h2 { font-size: .875rem; color: var(--quiet); margin: 2rem 0 .25rem; break-after: avoid; }
.when { color: var(--quiet); margin: 0; }
.system { border-left: 3px solid var(--line); padding-left: 1rem; color: var(--quiet); white-space: pre-wrap; }
.user { background: var(--tint); border-radius: .75rem; padding: .5rem 1rem; white-space: pre-wrap; }
.source { white-space: pre-wrap; }
.math { position: relative; } div.math { overflow: auto hidden; margin: 1em 0; padding: .25em 0; }
math { user-select: none; -webkit-user-select: none; font-family: "STIX Two Math", "Cambria Math", "Latin Modern Math",
  "DejaVu Math TeX Gyre", "Noto Sans Math", "DejaVu Sans", math; }
mtd[columnalign="left"] { text-align: left; } mtd[columnalign="right"] { text-align: right; }
.tex { position: absolute; left: 0; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: pre; }
article + article { margin-top: 4rem; break-before: page; }
pre { background: var(--tint); border-radius: .5rem; padding: .75rem 1rem; overflow-x: auto; }
pre, code { font: .875em/1.5 ui-monospace, monospace; }
table { border-collapse: collapse; } th, td { border: 1px solid var(--line); padding: .25rem .625rem; }
th, td { unicode-bidi: plaintext; } table[dir="rtl"] { margin-left: auto; } table[dir="rtl"] td { text-align: right; }
ul > .task { list-style: none; } ul > .task > .box:first-child, ul > .task > p:first-child > .box {
  display: inline-block; width: 1.25em; margin-inline-start: -1.5em; }
blockquote { border-inline-start: 3px solid var(--line); margin-inline: 0; padding-inline-start: 1rem;
  color: var(--quiet); }
@media print {
  body { margin: 0; max-width: none; font-size: 10.5pt; --text: #000; --page: #fff; }
  pre { white-space: pre-wrap; overflow: visible; } pre, table, blockquote { break-inside: avoid; }
}
"""


@dataclass(frozen=True)
class PaperFormula:
    """A formula of a page for paper."""

    source: str  # LaTeX
    display: bool  # on a line of its own
    written: str  # with its delimiters


@dataclass(frozen=True)
class Paper:
    """A page for paper: formula number N stands in it as the picture "formula:N"."""

    html: str
    formulas: tuple[PaperFormula, ...]


_DRAWN = "drawn"  # in the environment of a rendering: the formulas of a page for paper


def _formula(
    _renderer: RendererProtocol, tokens: Sequence[Token], index: int, _options: OptionsDict, env: EnvType
) -> str:
    """Mathematics as MathML, and its source, unseen, for whoever copies it; as that alone where it is no LaTeX."""
    token = tokens[index]
    latex, source = token.content.strip(), html.escape(maths_source(token), quote=False)
    if _DRAWN in env:
        env[_DRAWN].append(PaperFormula(latex, token.block, maths_source(token)))
        image = f'<img src="formula:{len(env[_DRAWN]) - 1}">'
        return f'<p align="center">{image}</p>\n' if token.block else image
    tag, end = ("div", "\n") if token.block else ("span", "")
    drawn = mathml(latex, token.block)
    if drawn is None:
        return f'<{tag} class="source">{source}</{tag}>{end}'
    return f'<{tag} class="math"><span class="tex" aria-hidden="true">{source}</span>{drawn}</{tag}>{end}'


def _box(_renderer: RendererProtocol, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: EnvType) -> str:
    return f'<span class="box">{tokens[index].content}</span> '


# An image would be fetched from wherever the model says, so it stays a link; HTML from a model stays text.
_MARKDOWN = make_parser().disable("image")
directions_plugin(_MARKDOWN)
for _kind in ("math_inline", "math_inline_double", "math_block"):
    _MARKDOWN.add_render_rule(_kind, _formula)
_MARKDOWN.add_render_rule("task", _box)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def to_html(trees: Sequence[ChatTree]) -> str:
    """All chats on one page, each on sheets of its own when printed."""
    return (
        '<!DOCTYPE html>\n<html>\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(_title(trees))}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(_chat(tree, {}) for tree in trees)
        + "\n</body>\n</html>\n"
    )


def to_paper(trees: Sequence[ChatTree]) -> Paper:
    """All chats on one page for a PDF."""
    formulas: list[PaperFormula] = []
    chats = "\n".join(_chat(tree, {_DRAWN: formulas, MIRROR: True}) for tree in trees)
    chats = chats.replace("\n</code></pre>", "</code></pre>")  # Qt would leave a line free there
    title = html.escape(_title(trees))
    return Paper(f"<html><head><title>{title}</title></head><body>{chats}</body></html>", tuple(formulas))


def _title(trees: Sequence[ChatTree]) -> str:
    return trees[0].title or UNTITLED if len(trees) == 1 else f"{len(trees)} chats"


def _chat(tree: ChatTree, env: dict[str, Any]) -> str:
    parts = [f'<h1 dir="auto">{html.escape(tree.title or UNTITLED)}</h1>', f'<p class="when">{shown(tree.created)}</p>']
    if tree.system_prompt.strip():
        parts.append(f'<p class="system" dir="auto">{html.escape(_typed(tree.system_prompt))}</p>')
    parts += [_message(node, env) for node in tree.path()]
    return "<article>\n" + "\n".join(parts) + "\n</article>"


def _message(node: Node, env: dict[str, Any]) -> str:
    head = f"<h2>{html.escape(heading(node))}</h2>"
    if node.role == "user":  # what a person typed is shown as typed
        return f'{head}\n<div class="user" dir="auto">{html.escape(_typed(node.text))}</div>'
    return f'{head}\n<div class="assistant">{_MARKDOWN.render(node.text, dict(env)).strip()}</div>'


def _typed(text: str) -> str:
    """`text` without the empty lines around it: spaces that its first line begins with are meant."""
    return re.sub(r"^(\s*\n)+", "", text).rstrip()
