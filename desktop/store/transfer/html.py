"""Chats as one HTML page that needs nothing else: no script, no picture, no address is loaded when it is opened; and as
the page that a PDF is made of, by what knows neither style sheets for browsers nor MathML."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote

from markdown_it.renderer import RendererProtocol
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from desktop.store.transfer.directions import MIRROR, directions_plugin
from desktop.store.transfer.markdown import UNTITLED, heading
from desktop.store.transfer.times import shown
from desktop.store.trees import ChatTree, Node
from desktop.text import MARKS, Kind, make_parser, mathml, maths_source, pieces

_STYLE = """
:root { color-scheme: light dark; --text: #1d1d1f; --page: #fff; --quiet: #6e6e73; --tint: #f2f2f5; --line: #d9d9de;
  --keyword: #8a2c7a; --name: #1d55b0; --string: #1a6e36; --number: #8b4000; --comment: #5f6466; }
@media (prefers-color-scheme: dark) {
  :root { --text: #ececee; --page: #1c1c1e; --quiet: #a1a1a6; --tint: #2c2c2e; --line: #48484a;
    --keyword: #d69fd0; --name: #8fb8f5; --string: #8fcf9c; --number: #e3a978; --comment: #979d9f; }
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
.keyword { color: var(--keyword); } .name { color: var(--name); } .string { color: var(--string); }
.number { color: var(--number); } .comment { color: var(--comment); font-style: italic; }
sup { line-height: 0; } sup a { color: inherit; text-decoration: none; }
table { border-collapse: collapse; display: block; width: max-content; max-width: 100%; overflow-x: auto;
  overflow-wrap: break-word; }
th, td { border: 1px solid var(--line); padding: .25rem .625rem; }
th { text-align: start; } th, td { unicode-bidi: plaintext; }
table[dir="rtl"] { margin-left: auto; } table[dir="rtl"] :is(th, td) { text-align: right; }
ul > .task { list-style: none; } ul > .task > .box:first-child, ul > .task > p:first-child > .box {
  display: inline-block; width: 1.25em; margin-inline-start: -1.5em; }
blockquote { border-inline-start: 3px solid var(--line); margin-inline: 0; padding-inline-start: 1rem;
  color: var(--quiet); }
@media print {
  body { margin: 0; max-width: none; font-size: 10.5pt; --text: #000; --page: #fff;
    --keyword: #8a2c7a; --name: #1d55b0; --string: #1a6e36; --number: #8b4000; --comment: #5f6466; }
  pre { white-space: pre-wrap; overflow: visible; } table { display: table; width: auto; overflow-wrap: anywhere; }
  h1, h2, h3, h4, h5, h6 { break-after: avoid; } pre, table, blockquote { break-inside: avoid; }
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

    pieces: tuple[str, ...]
    """HTML in short pieces, to be laid out one after the other: each begins with a heading or a paragraph."""
    formulas: tuple[PaperFormula, ...]


# In the environment of a rendering:
_DRAWN = "drawn"  # the formulas of a page for paper
_CHAT, _MESSAGE = "chat", "message"  # their places on the page and in the chat
_NAMED = "named"  # what can be led to so far

_PIECE = 2000  # characters of a page for paper that are laid out at once
_USER = "user"  # as a type of block: what a person typed
_PARTED = {"heading_open", "paragraph_open", "math_block", _USER}
"""Types of blocks between which a page can be cut and is laid out as in one piece: what begins within a block of a list
or behind a table does not."""


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


def _code(
    _renderer: RendererProtocol, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: EnvType
) -> str:
    """Code in the colours that the window gives it."""
    info = tokens[index].info.split()
    lines = pieces(tokens[index].content.removesuffix("\n"), info[0] if info else "")
    text = "\n".join("".join(_coloured(text, kind) for text, kind in line) for line in lines)
    language = f' class="language-{html.escape(info[0])}"' if info else ""
    return f"<pre><code{language}>{text}\n</code></pre>\n"


def _coloured(text: str, kind: Kind | None) -> str:
    said = html.escape(text, quote=False)
    return f'<span class="{kind}">{said}</span>' if kind else said


def _image(
    _renderer: RendererProtocol, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: EnvType
) -> str:
    """Its words and its address: it would be fetched from wherever the model says."""
    words, address = tokens[index].content.strip(), str(tokens[index].attrGet("src") or "")
    return html.escape(f"{words} ({address})" if words else address, quote=False)


def _break(_renderer: RendererProtocol, _tokens: Sequence[Token], _index: int, _opt: OptionsDict, _env: EnvType) -> str:
    return "<br>\n"


def _mark(_renderer: RendererProtocol, tokens: Sequence[Token], index: int, _options: OptionsDict, env: EnvType) -> str:
    """The mark of a footnote, and what its note begins with: each leads to the other, but for on paper."""
    label = html.escape(f"[{tokens[index].content}]", quote=False)
    if _DRAWN in env:
        return f"<sup>{label}</sup>"
    here, there = ("mark", "note") if tokens[index].type == "note_mark" else ("note", "mark")
    name = f"{env[_CHAT]}-{env[_MESSAGE]}-{tokens[index].content}"
    place = f' id="{here}-{html.escape(name)}"' if (here, name) not in env[_NAMED] else ""
    env[_NAMED].add((here, name))
    return f'<sup><a{place} href="#{there}-{quote(name)}">{label}</a></sup>'


def _box(_renderer: RendererProtocol, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: EnvType) -> str:
    return f'<span class="box">{tokens[index].content}</span> '


_MARKDOWN = make_parser()
directions_plugin(_MARKDOWN)
for _rule, _names in (
    (_formula, ("math_inline", "math_inline_double", "math_block")),
    (_box, ("task",)),
    (_code, ("fence", "code_block")),
    (_image, ("image",)),
    (_break, ("softbreak", "hardbreak")),  # models break lines where they mean it
    (_mark, MARKS),
):
    for _name in _names:
        _MARKDOWN.add_render_rule(_name, _rule)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def to_html(trees: Iterable[ChatTree], count: int) -> Iterator[str]:
    """All chats, so many, on one page, in pieces, each chat on sheets of its own when printed."""
    for place, tree in enumerate(trees):
        if not place:
            title = html.escape(tree.title or UNTITLED if count == 1 else f"{count} chats")
            yield (
                '<!DOCTYPE html>\n<html>\n<head>\n<meta charset="utf-8">\n'
                f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
                '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
                f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>"
            )
        yield f"\n<article>\n{_head(tree, anew=False)}"
        env: dict[str, Any] = {_CHAT: place, _NAMED: set()}
        for number, node in enumerate(tree.path()):
            yield f"\n{_speaker(node)}\n"
            if node.role == "user":
                yield _question(_typed(node.text))
                continue
            yield '<div class="assistant">'
            before = ""
            for _, block in _blocks(node, env | {_MESSAGE: number}):
                yield before
                before = block
            yield f"{before.rstrip()}</div>"
        yield "\n</article>"
    yield "\n</body>\n</html>\n"


def to_paper(trees: Iterable[ChatTree], passed: Callable[[], None]) -> Paper:
    """All chats on one page for a PDF. `passed` is called between any two parts, and what it raises ends it."""
    formulas: list[PaperFormula] = []
    pieces = [""]
    last = ""
    for place, tree in enumerate(trees):
        for part in _parts(tree, {_DRAWN: formulas, MIRROR: True, _CHAT: place}):
            passed()
            if len(pieces[-1]) > _PIECE and {last, part.first} <= _PARTED:
                pieces.append("")
            pieces[-1] += part.html.replace("\n</code></pre>", "</code></pre>")  # Qt would leave a line free there
            last = part.last
    return Paper(tuple(pieces), tuple(formulas))


class _Part(NamedTuple):
    """Of a page for paper, with the types of its first and last block."""

    first: str
    last: str
    html: str


def _parts(tree: ChatTree, env: dict[str, Any]) -> Iterator[_Part]:
    yield _Part("heading_open", "paragraph_open", _head(tree, anew=env[_CHAT] > 0))
    for place, node in enumerate(tree.path()):
        yield _Part("heading_open", "heading_open", _speaker(node))
        if node.role == "user":
            yield from (_Part(_USER, _USER, _question(text)) for text in _cut(_typed(node.text)))
            continue
        text, first, last = "", "", ""
        for kind, block in _blocks(node, env | {_MESSAGE: place}):
            if len(text) > _PIECE and {last, kind} <= _PARTED:
                yield _Part(first, last, f'<div class="assistant">{text.strip()}</div>')
                text = ""
            first, last = first if text else kind, kind
            text += block
        yield _Part(first, last, f'<div class="assistant">{text.strip()}</div>')


def _cut(text: str) -> Iterator[str]:
    """Lines of `text`, many in one, without what ends the last; empty ones are not parted from others, or got lost."""
    lines: list[str] = []
    length = 0
    for line in text.split("\n"):
        if length > _PIECE and line.strip() and lines[-1].strip():
            yield "\n".join(lines)
            lines, length = [], 0
        lines.append(line)
        length += len(line)
    yield "\n".join(lines)


def _head(tree: ChatTree, *, anew: bool) -> str:
    begins = ' class="next"' if anew else ""  # a browser begins a sheet at each article
    parts = [
        f'<h1{begins} dir="auto">{html.escape(tree.title or UNTITLED)}</h1>',
        f'<p class="when">{shown(tree.created)}</p>',
    ]
    if tree.system_prompt.strip():
        parts.append(f'<p class="system" dir="auto">{html.escape(_typed(tree.system_prompt))}</p>')
    return "\n".join(parts)


def _speaker(node: Node) -> str:
    return f"<h2>{html.escape(heading(node))}</h2>"


def _question(text: str) -> str:
    """What a person typed is shown as typed."""
    return f'<div class="user" dir="auto">{html.escape(text)}</div>'


def _blocks(node: Node, env: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The type of each block of an answer, and its HTML, made when it is asked for."""
    block: list[Token] = []
    depth = 0
    for token in _MARKDOWN.parse(node.text, env):
        block.append(token)
        depth += token.nesting
        if not depth:
            yield block[0].type, _MARKDOWN.renderer.render(block, _MARKDOWN.options, env)
            block = []


def _typed(text: str) -> str:
    """`text` without the empty lines around it: spaces that its first line begins with are meant."""
    return re.sub(r"^(\s*\n)+", "", text).rstrip()
