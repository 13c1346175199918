"""Words: how text is cut for the search index, for queries, and for showing what matched. One cut for all three.

A word is a run of letters and digits, folded: lower case, without accents. Writing that puts no spaces between words
(Chinese, Japanese, Korean, Thai and neighbours) is cut into characters, so that any part of it is found as a phrase;
so are emoji.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_ALONE = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff"  # Thai, Lao, Myanmar, Hangul's parts, Khmer
    "\u2600-\u27bf\u2e80-\u2fdf\u3005-\u3007\u3040-\u31ff\u3400-\u4dbf\u4e00-\u9fff"  # signs, kana, ideographs
    "\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uff9f\U0001f000-\U0001faff\U00020000-\U0003ffff"
)
_WORD = rf"[^\W_{_ALONE}]"
_TOKEN = re.compile(rf"[{_ALONE}]|{_WORD}+")
_IS_ALONE = re.compile(rf"[{_ALONE}]")
_HALVES = re.compile("[\ud800-\udfff]")


class _Folding(dict[int, str]):
    """One character for one, so that places in folded text are places in the text."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        parts = unicodedata.normalize("NFD", character)
        folded = (parts[0] if all(map(unicodedata.combining, parts[1:])) else character).lower()
        self[code] = folded if len(folded) == 1 else character
        return self[code]


_FOLDING = _Folding()


def clean(text: str) -> str:
    """`text` as UTF-8 can hold it: halves of surrogate pairs, which are no characters, become U+FFFD."""
    return text if text.isascii() else _HALVES.sub("\ufffd", text)


def compose(text: str) -> str:
    """The form that `fold` gives places in: accents and their letters are one character where there is one."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def composed_starts(text: str) -> Sequence[int]:
    """Where in `text` each character of `compose(text)` begins, and at last where it ends."""
    composed = compose(text)
    if composed == text:
        return range(len(text) + 1)
    starts: list[int] = []
    begin = 0
    for end in range(1, len(text) + 1):
        if end == len(text) or _is_whole(text[begin:end], text[end]):
            starts += [begin] * len(compose(text[begin:end]))
            begin = end
    return [*starts, len(text)]


def _is_whole(piece: str, following: str) -> bool:
    """Whether `piece` composes alone as before `following`: no accent, nor a letter that one of Hangul takes."""
    return not unicodedata.combining(following) and compose(piece + following) == compose(piece) + compose(following)


def fold(composed: str) -> str:
    """Composed text in lower case and without accents, character for character."""
    return composed.lower() if composed.isascii() else composed.translate(_FOLDING)


def tokens(text: str) -> list[str]:
    """The words of a text, in order."""
    return _TOKEN.findall(fold(compose(text)))


def words(text: str) -> str:
    """The words of a text with spaces between them: what the index is given. Changing it needs a migration."""
    return " ".join(tokens(text))


def pattern(phrase: list[str], *, prefix: bool) -> str:
    """A regular expression that finds a phrase in folded text as the index does; `prefix`: its last word goes on."""
    parts: list[str] = []
    previous_is_word = False
    for token in phrase:
        is_word = not _IS_ALONE.match(token)
        if not parts:
            parts.append(rf"(?<!{_WORD})" if is_word else "")
        else:
            parts.append(r"[\W_]+" if is_word and previous_is_word else r"[\W_]*")
        parts.append(re.escape(token))
        previous_is_word = is_word
    if previous_is_word and not prefix:
        parts.append(rf"(?!{_WORD})")
    return "".join(parts)
