"""Tokenizer: text to token ids and back, for the byte-level vocabularies of the Falcon family.

A control token (`<|endoftext|>`, `>>ANSWER<<`, …) is one that tokenizer.json marks as special. Text that merely spells
one is text: only who says `control_tokens=True` gets control ids, which is for text of one's own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from numbers import Integral
from pathlib import Path
from types import MappingProxyType
from typing import Any

import tokenizers
from tokenizers.decoders import ByteLevel

from runtime.arguments import check_kind, check_text, checked_path, kind_of, shown
from runtime.bounded import read_bounded
from runtime.errors import OptionError, TokenizerError
from runtime.recent import RecentTexts

END_OF_TEXT = "<|endoftext|>"
_PIECE = 1 << 14  # characters that are encoded at once, or more where they cannot be parted
# Places that no token reaches over (`_cuts_are_exact`): white space after anything else, a sign after a letter. Only
# characters whose class no version of Unicode changed.
_CUT = re.compile(
    r"(?<=[^\s\u180e])(?=[ \t\r\n])|(?<=[A-Za-z0-9])(?=[!-/:-@\[-`{-~])|(?<=[ぁ-ゖァ-ヺ一-龥])(?=[、。，！？])"
)


class Tokenizer:
    """Text and token ids. Immutable, and safe to use from several threads."""

    def __init__(
        self,
        core: tokenizers.Tokenizer,
        *,
        eos_token: str | None = None,
        config: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """`eos_token` is tokenizer_config.json's, `config` the model's config.json. Takes `core` over."""
        check_kind("core", core, tokenizers.Tokenizer, "a tokenizers.Tokenizer")
        check_text("eos_token", eos_token, optional=True)
        check_kind("config", config, Mapping, "a mapping, as config.json holds it")
        if not isinstance(core.decoder, ByteLevel):
            raise TokenizerError("tokenizer.json is not byte-level, so it belongs to no Falcon; fetch the model again.")
        core.encode_special_tokens = True  # spelled control tokens are split like any other text
        core.no_truncation()  # files saved after training may cut every text to the training length
        core.no_padding()
        self._core = core
        added = core.get_added_tokens_decoder()
        self._added = {index: token.content for index, token in added.items()}
        self.control_tokens: Mapping[str, int] = MappingProxyType(
            {token.content: index for index, token in sorted(added.items()) if token.special}
        )
        self.control_ids = frozenset(self.control_tokens.values())
        self.eos_token = eos_token
        self.vocab_size = max(core.get_vocab_size(with_added_tokens=True), max(added, default=-1) + 1)
        self.eos_id = resolve_eos(config, self)
        self._bytes: dict[int, bytes] = {}
        self._recent = RecentTexts()
        # Falcon's vocabulary lacks 28 bytes: some of UTF-8's none, yet vertical tab and 0xF2 among them.
        self._unspelled = {
            byte for byte, symbol in enumerate(_SYMBOL_OF_BYTE) if core.token_to_id(symbol) is None
        } - _NEVER_IN_UTF8
        longest_first = sorted(self.control_tokens, key=len, reverse=True)
        self._control_pattern = re.compile("(" + "|".join(map(re.escape, longest_first)) + ")")

    @classmethod
    def open(cls, folder: str | Path) -> Tokenizer:
        """Read tokenizer.json of `folder`, and tokenizer_config.json and config.json where they are.

        Raises TokenizerError for a file that is missing, damaged or not byte-level.
        """
        folder = checked_path("folder", folder)
        file = folder / "tokenizer.json"
        try:
            core = tokenizers.Tokenizer.from_str(read_bounded(file).decode("utf-8"))
        except FileNotFoundError:
            raise TokenizerError(f"{file} does not exist; name a folder that holds a model's tokenizer.") from None
        except OSError as error:
            raise TokenizerError(f"{file} cannot be read: {error.strerror}.") from None
        except Exception as error:  # noqa: BLE001  (the library raises bare Exception, and panics for some files)
            raise TokenizerError(f"{file} is damaged ({_one_line(error)}); fetch the file again.") from None
        settings = _read_object(folder / "tokenizer_config.json")
        eos = settings.get("eos_token")
        eos = eos.get("content") if isinstance(eos, dict) else eos  # older files describe the token in an object
        return cls(core, eos_token=eos if isinstance(eos, str) else None, config=_read_object(folder / "config.json"))

    def encode(self, text: str, *, control_tokens: bool = False) -> list[int]:
        """Ids of `text`; nothing is added before or after. Never a control id unless `control_tokens` asks for them.

        A character whose bytes the vocabulary lacks is encoded as U+FFFD, where the library would drop bytes silently.
        Raises TokenizerError for what is no text: another type, or half of a surrogate pair.
        """
        if not isinstance(text, str):
            raise _no_text(text)
        if not control_tokens or not self.control_tokens:
            return self._encode_plain(text)
        ids: list[int] = []
        for piece in self._control_pattern.split(text):
            if piece in self.control_tokens:
                ids.append(self.control_tokens[piece])
            elif piece:
                ids.extend(self._encode_plain(piece))
        return ids

    def count_up_to(self, text: str, enough: int) -> int:
        """Tokens of `text` where they are fewer than `enough`; else a number that is `enough` or more and that `text`
        has at least. The rest of the text is not encoded, then. Raises as `encode`."""
        count = 0
        for piece in self._pieces(self._spellable(text)):
            # What cannot be parted is slow to encode: no token is longer than the longest.
            least = -(-len(piece.encode("utf-8")) // self._longest) if len(piece) > 2 * _PIECE else 0
            count += least if count + least >= enough else len(self._encode_piece(piece))
            if count >= enough:
                break
        return count

    def encode_ends(self, text: str, count: int) -> tuple[list[int], list[int]]:
        """The first and the last ids of `text`: of each at least `count`, or all where there are fewer. What is between
        them is not encoded. Raises as `encode`."""
        text = self._spellable(text)
        first: list[int] = []
        for piece in self._pieces(text):
            first += self._encode_piece(piece)
            if len(first) >= count:
                break
        for size in (_PIECE << shift for shift in range(len(text).bit_length())):
            if 2 * size >= len(text) or not self._cuts_are_exact:
                break
            cut = _CUT.search(text, len(text) - size)
            last = self._encode_piece(text[cut.start() :]) if cut else []
            if len(last) >= count:
                return first, last
        return first, self.encode(text)

    def decode(self, ids: Iterable[int]) -> str:
        """Text of `ids`, control tokens spelled out; bytes that are no UTF-8 become U+FFFD."""
        check_kind("ids", ids, Iterable, "a list of token ids")
        return b"".join(map(self.token_bytes, ids)).decode("utf-8", errors="replace")

    def token_bytes(self, token: int) -> bytes:
        """The bytes that `token` stands for, often a part of a character. Raises TokenizerError for an unknown id."""
        try:
            found = self._bytes.get(token)
        except TypeError:  # a list, say
            raise OptionError(f"A token is named by its id, not by {shown(token)}.") from None
        if found is None:
            found = self._bytes[token] = self._spell(token)
        return found

    def control_id(self, name: str) -> int:
        """Id of the control token spelled `name`, as in `>>ANSWER<<`. Raises TokenizerError where there is none."""
        check_text("name", name)
        try:
            return self.control_tokens[name]
        except KeyError:
            known = ", ".join(self.control_tokens) or "none"
            raise TokenizerError(f"This tokenizer has no control token {name!r}; it has {known}.") from None

    def _encode_plain(self, text: str) -> list[int]:
        ids = self._recent.get(text)
        if ids is None:
            pieces = self._pieces(self._spellable(text))
            ids = [token for piece in pieces for token in self._encode_piece(piece)]
            self._recent.put(text, ids)
        return ids

    def _encode_piece(self, text: str) -> list[int]:
        return self._core.encode(text, add_special_tokens=False).ids

    def _spellable(self, text: str) -> str:
        """`text` with U+FFFD for the characters whose bytes the vocabulary lacks."""
        if self._unspelled.isdisjoint(utf8(text)):
            return text
        return "".join(c if self._unspelled.isdisjoint(c.encode("utf-8")) else "\ufffd" for c in text)

    def _pieces(self, text: str) -> Iterator[str]:
        """`text` in pieces whose ids together are its ids: a long text at once takes the library far longer."""
        begin = 0
        while len(text) - begin > _PIECE and self._cuts_are_exact:
            cut = _CUT.search(text, begin + _PIECE)
            end = cut.start() if cut else len(text)
            yield text[begin:end]
            begin = end
        if begin < len(text):
            yield text[begin:]

    @cached_property
    def _longest(self) -> int:
        """Bytes of the longest token, control tokens included."""
        spelled = self._core.get_vocab(with_added_tokens=True)
        return max(len(s) if _BYTE_OF_SYMBOL.keys() >= set(s) else len(s.encode("utf-8")) for s in spelled)

    @cached_property
    def _cuts_are_exact(self) -> bool:
        """Whether text is parted at every `_CUT` before tokens are looked for, whatever stands around it: by GPT-2's
        pattern, before which nothing but classes of characters may part it."""
        if self._core.normalizer is not None or len(self._added) > len(self.control_ids):
            return False  # an added token that is text may reach over any place
        state = json.loads(self._core.pre_tokenizer.__getstate__()) if self._core.pre_tokenizer else {}
        for step in state.get("pretokenizers", [state]):
            if step.get("type") == "ByteLevel":
                return bool(step.get("use_regex", True)) and not step.get("add_prefix_space", True)
            if step.get("type") not in ("Punctuation", "Digits"):
                return False
        return False

    def _spell(self, token: int) -> bytes:
        if token in self._added:
            return self._added[token].encode("utf-8")
        given: object = token  # whatever the annotation says
        if not isinstance(given, Integral):
            raise OptionError(f"A token is named by its id, not by {shown(token)}.")
        symbols = self._core.id_to_token(token) if 0 <= token < self.vocab_size else None
        if symbols is None:
            raise TokenizerError(f"Token id {token} is not in this tokenizer's vocabulary of {self.vocab_size:,}.")
        try:
            return bytes(_BYTE_OF_SYMBOL[symbol] for symbol in symbols)
        except KeyError:  # a token outside the byte alphabet stands for itself, as in the library's own decoder
            return symbols.encode("utf-8")


def utf8(text: str, what: str = "The text") -> bytes:
    """`text` in UTF-8. Raises TokenizerError for what is no text: another type, or half of a surrogate pair; its
    sentence is about `what`."""
    if not isinstance(text, str):
        raise _no_text(text)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise TokenizerError(
            f"{what} holds half of a surrogate pair (U+{ord(text[error.start]):04X} at character "
            f"{error.start + 1:,}), which is no character; remove it."
        ) from None


def _no_text(found: object) -> TokenizerError:
    return TokenizerError(f"Text must be a str, not {kind_of(found)}.")


def resolve_eos(config: Mapping[str, Any], tokenizer: Tokenizer) -> int:
    """The id that ends a text. Raises TokenizerError where the files do not say.

    The tokenizer's word comes before config.json's: a name cannot slip when ids move, and rw-1b's config.json says
    eos 2, an ordinary `#` in its GPT-2 vocabulary, whose `<|endoftext|>` is 50256. generation_config.json is not asked:
    Falcon-7B's early one says bos 1, eos 2, which are `>>ABSTRACT<<` and `>>INTRODUCTION<<`; the truth is 11.
    """
    for name in (tokenizer.eos_token, END_OF_TEXT):
        if name is not None and name in tokenizer.control_tokens:
            return tokenizer.control_tokens[name]
    said = config.get("eos_token_id")
    for token in said if isinstance(said, list) else [said]:
        if token in tokenizer.control_ids:  # an id of ordinary text would end answers in the middle of a sentence
            return int(token)
    raise TokenizerError(
        f"Neither tokenizer_config.json nor config.json names a control token that ends a text (they say "
        f"{tokenizer.eos_token!r} and {said!r}); add `eos_token` to tokenizer_config.json."
    )


def _read_object(file: Path) -> dict[str, Any]:
    """The JSON object in `file`, empty where there is no such file. Raises TokenizerError where it is damaged."""
    try:
        values = json.loads(read_bounded(file).decode("utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise TokenizerError(f"{file} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise TokenizerError(f"{file} is not valid JSON ({_one_line(error)}); fetch the file again.") from None
    if not isinstance(values, dict):
        raise TokenizerError(f"{file} holds no JSON object; fetch the file again.")
    return values


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _symbol_of_byte() -> list[str]:
    """GPT-2's byte alphabet: printable Latin-1 stands for itself, the other 68 bytes for U+0100 onwards, in order."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    moved = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(moved)) for byte in range(256)]


_SYMBOL_OF_BYTE = _symbol_of_byte()
_BYTE_OF_SYMBOL = {symbol: byte for byte, symbol in enumerate(_SYMBOL_OF_BYTE)}
_NEVER_IN_UTF8 = {0xC0, 0xC1, *range(0xF5, 0x100)}
