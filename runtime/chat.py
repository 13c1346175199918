"""Chat: messages to token ids, in the formats that Falcons were tuned with.

A message's text never becomes a control token. In the formats below a turn is plain text, so text alone can look like
a turn: each format says how it keeps content from forging one. Content is stripped of white space around it, which
also makes every turn's ids independent of its neighbours.
"""

from __future__ import annotations

import difflib
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile
from typing import Literal

import numpy as np

from runtime.arguments import check_kind, check_text, checked_texts, kind_of, shown
from runtime.errors import ChatError, OptionError
from runtime.tokenizer import END_OF_TEXT, Tokenizer, utf8

Role = Literal["system", "user", "assistant"]
_ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Message:
    """One turn. `tokens`, of an answer, are the ids that the model wrote: they are kept as long as they spell
    `content`, so that the next prompt begins with the ids that the session holds. Raises ChatError.
    """

    role: Role
    content: str
    tokens: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.role, str) or self.role not in _ROLES:
            raise ChatError(f"A message's role must be system, user or assistant, not {shown(self.role)}.")
        if not isinstance(self.content, str):
            raise ChatError(f"A message's content must be a text, not {kind_of(self.content)}.")
        if not isinstance(self.tokens, list | tuple) or not all(type(token) is int for token in self.tokens):
            raise ChatError(f"A message's tokens must be token ids, whole numbers, not {shown(self.tokens)}.")
        object.__setattr__(self, "tokens", tuple(self.tokens))
        if self.role != "assistant" and not self.content.strip():  # a model may have nothing to say
            raise ChatError(f"The {self.role}'s message is empty; write something first.")


@dataclass(frozen=True, kw_only=True)
class ChatTemplate:
    """How a conversation is written. The fields are the whole format."""

    name: str
    user: str  # before a user's content
    assistant: str  # before an answer, and the prompt's last words
    answer_space: str = " "  # between these and the answer; the model writes it
    system: str | None = None  # before the system's content; None: the format has no system message
    begins_with_end_of_text: bool = False  # the control token, as a mark of the beginning
    keeps_leading_newlines: bool = False  # of a conversation's first turn
    collapses_blank_lines: bool = False
    guarded: tuple[str, ...] = ()  # words that begin a turn: content may not begin a line with them, see `_guard`
    trims: bool = True  # content and answers lose the white space around them
    stop: tuple[str, ...] = ()  # texts that end an answer

    def __post_init__(self) -> None:
        for name in ("name", "user", "assistant", "answer_space"):
            check_text(name, getattr(self, name))
        check_text("system", self.system, optional=True)
        for name in ("begins_with_end_of_text", "keeps_leading_newlines", "collapses_blank_lines", "trims"):
            check_kind(name, getattr(self, name), bool, "True or False")
        for name in ("guarded", "stop"):
            object.__setattr__(self, name, checked_texts(name, getattr(self, name)))

    @classmethod
    def named(cls, name: str) -> ChatTemplate:
        """The format called `name`. Raises OptionError, which lists the known ones."""
        check_text("A chat format's name", name)
        if name in TEMPLATES:
            return TEMPLATES[name]
        near = difflib.get_close_matches(name, TEMPLATES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(TEMPLATES)}."
        raise OptionError(f"There is no chat format {name!r}; {hint}")

    @staticmethod
    def names() -> tuple[str, ...]:
        """Of the formats that models were taught; `raw`, which is none, is not among them."""
        return tuple(name for name in TEMPLATES if name != RAW)

    def encode(self, messages: Sequence[Message], tokenizer: Tokenizer, *, for_answer: bool = True) -> list[int]:
        """Ids of the conversation, ready for the model's answer; without `for_answer` it ends with the last message.

        Each answer is encoded by itself and all the text between two answers in one piece: a later turn never changes
        the ids of an earlier one. Raises ChatError for roles out of order, TokenizerError for text that is none.
        """
        check_kind("tokenizer", tokenizer, Tokenizer, "a Tokenizer")
        ids = [tokenizer.eos_id] if self.begins_with_end_of_text else []
        for text, tokens in self._parts(messages, for_answer):
            ids += keep_spelling(text, tokens, tokenizer)
        return ids

    def count_up_to(
        self, messages: Sequence[Message], tokenizer: Tokenizer, enough: int, *, for_answer: bool = True
    ) -> int:
        """How many ids `encode` would give, where they are fewer than `enough`; else a number that is `enough` or more
        and that there are at least (Tokenizer.count_up_to). Raises as `encode`."""
        count = int(self.begins_with_end_of_text)
        for text, tokens in self._parts(messages, for_answer):
            kept, rest = _split_spelling(text, tokens, tokenizer)
            count += len(kept) + tokenizer.count_up_to(rest, max(enough - count - len(kept), 1))
            if count >= enough:
                break
        return count

    def render(self, messages: Sequence[Message], *, for_answer: bool = True) -> str:
        """The conversation as the model sees it, as text: for people and logs, not for encoding."""
        begin = END_OF_TEXT if self.begins_with_end_of_text else ""
        return begin + "".join(piece for _, piece in self._pieces(messages, for_answer))

    def stop_ids(self, tokenizer: Tokenizer) -> frozenset[int]:
        """Ids that end an answer: every control token, as Falcons are seen to end with others than `<|endoftext|>`."""
        check_kind("tokenizer", tokenizer, Tokenizer, "a Tokenizer")
        return tokenizer.control_ids | {tokenizer.eos_id}

    def _parts(self, messages: Sequence[Message], for_answer: bool) -> Iterator[tuple[str, tuple[int, ...]]]:
        """The texts that are encoded each by itself, answers with the ids that the model wrote."""
        text = ""
        for message, piece in self._pieces(messages, for_answer):
            if message is not None and message.role == "assistant":
                yield text, ()
                yield piece, message.tokens
                text = ""
            else:
                text += piece
        yield text, ()

    def _pieces(self, messages: Sequence[Message], for_answer: bool) -> Iterator[tuple[Message | None, str]]:
        """Text in order: heads with no message beside them, contents with theirs."""
        check_conversation(messages, for_answer=for_answer)
        first = True
        for message in messages:
            head = {"system": self.system, "user": self.user, "assistant": self.assistant}[message.role]
            if head is None:
                raise ChatError(
                    f"The chat format {self.name} has no place for a system message; leave it out or choose another "
                    f"format ({', '.join(name for name, other in TEMPLATES.items() if other.system is not None)})."
                )
            yield None, head.lstrip("\n") if first and not self.keeps_leading_newlines else head
            content = self._content(message)
            space = self.answer_space if message.role == "assistant" and content else ""
            yield message, space + content
            first = False
        if for_answer:
            yield None, self.assistant

    def _content(self, message: Message) -> str:
        text = message.content.strip() if self.trims else message.content
        if self.collapses_blank_lines and message.role != "system":
            # The Hub's template replaces "\n\n" once, which leaves a blank line of four newlines: enough for
            # "\n\nUser:" in a message to read as a turn. Replacing until none is left differs only there.
            text = re.sub(r"\n{2,}", "\n", text.replace("\r\n", "\n"))
        return _guard(text, self.guarded)


def check_conversation(messages: Sequence[Message], *, for_answer: bool = True) -> None:
    """ChatError unless these are messages, an optional system message followed by user and assistant in turns, the
    user first (and last, with `for_answer`); TokenizerError for half of a surrogate pair in one."""
    given: object = messages
    if isinstance(given, str | bytes) or not isinstance(given, Sequence):
        raise ChatError(f"messages must be a list of Message, not {kind_of(given)}.")
    for place, message in enumerate(messages, start=1):
        if not isinstance(message, Message):
            raise ChatError(f'Message {place} must be a Message, as Message("user", "Hello"), not {kind_of(message)}.')
        utf8(message.content, f"Message {place}")
    turns = messages[1:] if messages and messages[0].role == "system" else messages
    if not turns:
        raise ChatError("The conversation has no message of the user's; write one first.")
    for place, message in enumerate(turns):
        expected = "assistant" if place % 2 else "user"
        if message.role == "system":
            raise ChatError("A system message may only come first; move it to the beginning.")
        if message.role != expected:
            raise ChatError(
                f"Message {len(messages) - len(turns) + place + 1} is the {message.role}'s where the {expected}'s "
                "was due: user and assistant take turns, the user first."
            )
    if for_answer and turns[-1].role != "user":
        raise ChatError("The last message must be the user's: there is nothing to answer yet.")


def ends_with_answer(messages: Sequence[Message]) -> bool:
    """Whether the last message is the assistant's."""
    last = messages[-1] if isinstance(messages, Sequence) and messages else None
    return isinstance(last, Message) and last.role == "assistant"


def check_continued(messages: Sequence[Message]) -> None:
    """ChatError unless `messages` are in order and the last is an answer, which may go on."""
    check_conversation(messages, for_answer=False)
    if not ends_with_answer(messages):
        raise ChatError("The last message must be an answer: nothing else can be continued.")


def keep_spelling(text: str, tokens: Sequence[int], tokenizer: Tokenizer) -> list[int]:
    """Ids of `text`: the leading `tokens` as long as they spell it, the rest encoded anew.

    A model may write text in other ids than the tokenizer would. The cut falls between characters.
    """
    kept, rest = _split_spelling(text, tokens, tokenizer)
    return [*kept, *(tokenizer.encode(rest) if rest else [])]


def _split_spelling(text: str, tokens: Sequence[int], tokenizer: Tokenizer) -> tuple[Sequence[int], str]:
    """The leading `tokens` that spell `text`, and what follows them of it."""
    if not tokens:
        return (), text
    wanted = text.encode("utf-8", errors="surrogatepass")  # `encode` says what is wrong with surrogates
    size, control = tokenizer.vocab_size, tokenizer.control_ids
    textual: Iterable[int] = tokens
    if min(tokens) < 0 or max(tokens) >= size or not control.isdisjoint(tokens):
        textual = takewhile(lambda token: 0 <= token < size and token not in control, tokens)
    spelled = list(takewhile(bool, map(tokenizer.token_bytes, textual)))
    ends = list(accumulate(map(len, spelled)))
    kept = bisect_right(ends, _same_bytes(b"".join(spelled), wanted))
    while kept and ends[kept - 1] < len(wanted) and wanted[ends[kept - 1]] & 0xC0 == 0x80:  # inside a character
        kept -= 1
    return tokens[:kept], wanted[ends[kept - 1] if kept else 0 :].decode("utf-8", errors="surrogatepass")


def _same_bytes(left: bytes, right: bytes) -> int:
    """How many leading bytes are the same in both."""
    size = min(len(left), len(right))
    differ = np.frombuffer(left, np.uint8, size) != np.frombuffer(right, np.uint8, size)
    return int(differ.argmax()) if differ.any() else size


def _guard(text: str, words: Sequence[str]) -> str:
    """`text` in which no line begins with one of `words`: a space comes before. Where one newline parts turns, nothing
    else tells a line of content from a turn; the model still reads the same words."""
    if not words:
        return text
    return re.sub(rf"\n(?={'|'.join(map(re.escape, words))})", "\n ", text)


def _stops(*turns: str) -> tuple[str, ...]:
    """Stop texts for `turns`, with the newline before and with two: the longer wins, so the first newline goes too."""
    return tuple(newlines + turn for turn in turns for newlines in ("\n", "\n\n"))


RAW = "raw"  # the format that is none
# falcon-7b-instruct is known to break off after "\nUser". In the middle of an answer that may be "\nUsers".
_USER = ("User:", "User" + END_OF_TEXT)

TEMPLATES: dict[str, ChatTemplate] = {
    template.name: template
    for template in (
        # falcon-7b-instruct's Hub template
        ChatTemplate(
            name="falcon-instruct",
            system="",
            user="\n\nUser: ",
            assistant="\n\nAssistant:",
            keeps_leading_newlines=True,
            collapses_blank_lines=True,
            stop=(*_stops(*_USER, "Assistant:"), END_OF_TEXT),
        ),
        # vLLM's examples/template_falcon.jinja
        ChatTemplate(
            name="vllm",
            user="\nUser: ",
            assistant="\nAssistant:",
            begins_with_end_of_text=True,
            guarded=("User:", "Assistant:"),
            stop=(*_stops(*_USER, "Assistant:"), END_OF_TEXT),
        ),
        # litgpt's prompt for Falcon, from the Falcon paper's evaluations: made for one question
        ChatTemplate(
            name="litgpt",
            user="\n",
            assistant="\nAnswer:",
            guarded=("Answer:",),
            stop=(*_stops(*_USER), END_OF_TEXT),
        ),
        # falcon-180B-chat's model card
        ChatTemplate(
            name="falcon-180b-chat",
            system="System: ",
            user="\nUser: ",
            assistant="\nFalcon:",
            guarded=("System:", "User:", "Falcon:"),
            stop=(*_stops(*_USER, "Falcon:"), END_OF_TEXT),
        ),
        # the text itself, for base models
        ChatTemplate(
            name=RAW, system="", user="", assistant="", answer_space="", keeps_leading_newlines=True, trims=False
        ),
    )
}
DEFAULT_TEMPLATE = TEMPLATES["falcon-instruct"]


def formats() -> str:
    """The names of the chat formats, for people."""
    return ", ".join(ChatTemplate.names())
